/* What a run's checkpoints must be like, by the growths that the database knows. Thread: any; one owner. */
#pragma once
#include <lagd/engine/spec.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

struct lagd_lineage {
    struct lag_spec origin;      /* as the run began */
    struct lagd_stage *stages;   /* growths that were applied, by step */
    size_t n, capacity;
    char pending[LAG_ROW_ID];    /* the growth that waits or is under way; "" = none */
    int64_t limit;               /* the last step before that: no state behind it can be the run's. Or INT64_MAX */
};
/* Of a run's row. LAG_ECORRUPT: its configuration or a decision cannot be read. */
int lagd_lineage_read(struct lag_db *db, const struct lag_run_row *run, struct lagd_lineage *ret,
                      struct lag_error *err);
void lagd_lineage_deinit(struct lagd_lineage *lineage);
/* Is that what a state of the run is like at a step: its shape, and the strategy that made it as manifests tell it
 * ("" = it has not grown, cut to their size)? */
bool lagd_lineage_fits(const struct lagd_lineage *lineage, int64_t step, const struct lag_spec *shape,
                       const char *growth_text);
/* The kind of a checkpoint that does not tell it: pre_growth, growth, final, or periodic. */
const char *lagd_lineage_kind(const struct lagd_lineage *lineage, int64_t step, int64_t max_steps);

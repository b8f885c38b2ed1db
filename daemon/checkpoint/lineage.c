/* The growths of a run, read from their rows, as a way from shape to shape. */
#include "checkpoint/lineage_internal.h"

#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <stdlib.h>
#include <string.h>

struct lagd_stage {
    char growth_id[LAG_ROW_ID];
    int64_t start_step, end_step;
    bool grows; /* the winner has the shape to */
    struct lag_shape to;
    char growth_text[LAG_ROW_STRATEGY];
};

static int collect(const struct lag_growth_row *growth, void *arg) {
    struct lagd_lineage *lineage = arg;
    if (!lagd_growth_is(growth->state, LAGD_GROWTH_APPLIED)) return 0;
    if (lag_grow_array((void **)&lineage->stages, &lineage->capacity, lineage->n + 1, sizeof(*lineage->stages)) != 0)
        return LAG_ENOMEM;
    struct lagd_stage *stage = &lineage->stages[lineage->n++];
    *stage = (struct lagd_stage){.start_step = growth->start_step, .to = growth->to,
                                 .end_step = growth->start_step + growth->probe_steps};
    (void)lag_copy(stage->growth_id, sizeof(stage->growth_id), growth->id);
    return 0;
}

static int name_winner(struct lag_db *db, struct lagd_stage *stage, struct lag_error *err) {
    struct lag_decision_row decision;
    struct lag_candidate_row winner;
    int rc = lag_decision_get(db, stage->growth_id, &decision, err);
    if (rc == 0) rc = lag_candidate_get(db, decision.candidate, &winner, err);
    if (rc != 0) return rc;
    stage->grows = lagd_operator_grows(winner.op);
    (void)lag_copy(stage->growth_text, sizeof(stage->growth_text), winner.strategy);
    return 0;
}

/* Nothing of the run may have been made behind a growth that has not ended. */
static int read_pending(struct lag_db *db, const struct lag_run_row *run, struct lagd_lineage *lineage,
                        struct lag_error *err) {
    struct lag_growth_row growth;
    if (run->growth_id[0] == '\0') return 0;
    int rc = lag_growth_get(db, run->growth_id, &growth, err);
    if (rc != 0 || lagd_state_has_ended(LAGD_MACHINE_GROWTH, growth.state)) return rc == LAG_ENOTFOUND ? 0 : rc;
    (void)lag_copy(lineage->pending, sizeof(lineage->pending), growth.id);
    if (growth.start_step >= 0) lineage->limit = growth.start_step;
    else if (growth.at_step >= 0) lineage->limit = growth.at_step;
    return 0;
}

static int by_start(const void *left, const void *right) {
    const struct lagd_stage *a = left, *b = right;
    return (a->start_step > b->start_step) - (a->start_step < b->start_step);
}

int lagd_lineage_read(struct lag_db *db, const struct lag_run_row *run, struct lagd_lineage *ret,
                      struct lag_error *err) {
    struct lagd_lineage lineage = {.limit = INT64_MAX};
    struct lagd_run_config config;
    int rc = lagd_run_config_parse(run->config, &config, err);
    if (rc == 0) lagd_run_spec(&config, &lineage.origin);
    if (rc == 0) rc = lag_growth_list(db, run->id, INT32_MAX, collect, &lineage, err);
    if (rc == LAG_ENOMEM) (void)lag_error_set(err, rc, "out of memory while looking at a run's growths");
    for (size_t i = 0; rc == 0 && i < lineage.n; i++) rc = name_winner(db, &lineage.stages[i], err);
    if (rc == 0) rc = read_pending(db, run, &lineage, err);
    if (rc == 0 && lineage.n > 0) qsort(lineage.stages, lineage.n, sizeof(*lineage.stages), by_start);
    if (rc == 0) *ret = lineage;
    else lagd_lineage_deinit(&lineage);
    return rc;
}

void lagd_lineage_deinit(struct lagd_lineage *lineage) {
    free(lineage->stages);
    *lineage = (struct lagd_lineage){0};
}

bool lagd_lineage_fits(const struct lagd_lineage *lineage, int64_t step, const struct lag_spec *shape,
                       const char *growth_text) {
    struct lag_spec spec = lineage->origin;
    bool same_text = growth_text[0] == '\0';
    for (size_t i = 0; i < lineage->n && lineage->stages[i].start_step < step; i++) {
        const struct lagd_stage *stage = &lineage->stages[i];
        bool names_it = strcmp(growth_text, stage->growth_text) == 0;
        /* Where the run did not grow its manifests tell what they did before; earlier versions named the choice. */
        same_text = names_it || (same_text && !stage->grows);
        if (stage->grows) lagd_spec_take_shape(&spec, &stage->to);
    }
    return same_text && lag_spec_same_shape(shape, &spec);
}

const char *lagd_lineage_kind(const struct lagd_lineage *lineage, int64_t step, int64_t max_steps) {
    for (size_t i = 0; i < lineage->n; i++) {
        if (lineage->stages[i].start_step == step) return "pre_growth";
        if (lineage->stages[i].end_step == step) return "growth";
    }
    return step == max_steps ? "final" : "periodic";
}

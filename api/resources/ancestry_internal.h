/* The sizes that a run's model had, and what was tried: what GET /runs/{run}/lineage tells, and what goes with a model
 * that is taken away. h_lineage.c. Thread: one owner; it is of the moment at which it was read. */
#pragma once
#include "encode/encode_internal.h"

struct lagd_tried {
    struct lag_growth_row growth;
    struct lag_decision_row decision; /* growth_id "": none yet */
    struct lag_candidate_row winner;  /* id "": none */
    int64_t n_candidates;
};
struct lagd_ancestry {
    struct lag_run_row run;
    struct lagd_origin origin;
    int64_t n_params; /* of the first stage */
    struct lagd_rows growths; /* struct lagd_tried, oldest first */
    struct lagd_rows checkpoints; /* newest first, without those of candidates */
};
/* Between two growths that gave the model another size. */
struct lagd_stage_line {
    const struct lagd_ancestry *ancestry;
    const char *growth; /* that it began with; "" of the first stage */
    const struct lagd_tried *tried;
    struct lag_shape shape;
    int64_t from_step, to_step, n_params;
};

/* Within a reader's transaction. run: id or name. */
int lagd_ancestry_read(struct lag_db *db, const char *run, int n_threads, struct lagd_ancestry **ret,
                       struct lag_error *err);
void lagd_ancestry_destroy(struct lagd_ancestry *ancestry);
/* Leaves only what led to this checkpoint of the run. One of a candidate: what led to its growth. */
void lagd_ancestry_until(struct lagd_ancestry *ancestry, const struct lag_checkpoint_row *checkpoint,
                         const char *growth_of_candidate);
/* Tells each stage, oldest first. */
void lagd_ancestry_stages(const struct lagd_ancestry *ancestry,
                          void (*tell)(const struct lagd_stage_line *stage, void *arg), void *arg);

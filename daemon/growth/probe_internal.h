/* One probe as a job of the pool. It is asked by a spec, which is values only, and says what it finds as rows; what is
 * large or shared it is lent. Thread: the run's, unless said otherwise. */
#pragma once
#include "exec/pool_internal.h"
#include "train/run_parts_internal.h"

#include <lagd/engine/probe.h>

struct lagd_probe_spec {
    struct lag_probe_spec engine;
    char run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID], candidate_id[LAG_ROW_ID];
    char strategy[LAG_STRATEGY_TEXT];  /* canonical */
    char parent_sha256[LAG_SHA256_HEX];/* of the parent's weights, "" when not known */
    int64_t candidate_number;          /* of its stored losses */
    int64_t start_step;                /* the parent's */
    bool again;                        /* the candidate has ended before: its row stays as it is */
    int64_t to;                        /* it ends here: at the lag, or at a rung */
    bool is_kept;                      /* at the end its state is kept on disk, from which it may go on */
    double step_flops, small_flops;    /* of a step, and of a small evaluation */
    int64_t learn_steps;               /* before the probe, of a learned growth */
    double learn_step_flops;           /* of one of them */
};
/* Lent to a probe until it has ended. */
struct lagd_probe_loans {
    struct lagd_deps *deps;
    const struct lag_state *parent;
    const struct lag_dataset *dataset;
    const struct lag_probe_plan *plan;
    struct lagd_wishes *waiter;        /* woken at the end */
};

struct lagd_probe;
struct lagd_probe_result {
    int rc;                       /* 0, LAG_PROBE_DIVERGED or an error */
    char reason[256];
    struct lag_error err;
    struct lag_state *state;      /* owned, when rc is 0; NULL: it is kept on disk */
    int64_t t;
    double flops, loss_at_lag;    /* the loss at the end, NaN where it was made before */
};
int lagd_probe_start(const struct lagd_probe_spec *spec, const struct lagd_probe_loans *loans, struct lagd_probe **ret,
                     struct lag_error *err);
/* Under the waiter's lock. */
bool lagd_probe_ended(const struct lagd_probe *probe);
void lagd_probe_cancel(struct lagd_probe *probe);
/* Takes the result of an ended probe and frees it. ret NULL: dropped. */
void lagd_probe_finish(struct lagd_probe *probe, struct lagd_probe_result *ret);

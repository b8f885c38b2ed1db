/* What a growth takes: memory at its peak, and time from the request to the verdict. Pure. */
#pragma once
#include "plan/speeds_internal.h"

#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/run_config.h>
#include <lagd/engine/data.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/lag.h>
#include <lagd/engine/spec.h>
#include <lagd/engine/train.h>

/* When and on what the candidates of such a request are evaluated; first_rung as in the growth's row. To free with
 * lag_probe_plan_deinit. Pure. */
int lagd_probe_plan_make(const struct lagd_growth_request *request, int64_t first_rung,
                         const struct lagd_run_config *config,
                         const struct lag_step_config *step, struct lag_probe_plan *ret);
struct lag_eval_set lagd_eval_set(const struct lag_probe_plan *plan);

/* --- memory --- */
struct lagd_growth_load {
    const struct lag_run_row *run;
    const struct lagd_run_config *config; /* resolved, its shape as the run has it now */
    struct lag_shape to;                  /* what the winner is to be */
    int64_t tokens_per_sequence;          /* that it trains on; 0: config's */
    int64_t parents_bytes;                /* of the states that a fusion reads while its candidate begins */
    int64_t learn_bytes;                  /* that a candidate needs while it learns how it grows; 0: none does */
    int n_learning;                       /* candidates that do */
    int n_candidates;                     /* the last one does not grow */
    int n_workers;                        /* candidates at once */
    const struct lag_probe_plan *probe;   /* its steps, and what its evaluations take */
    bool keeps_best;                      /* mode auto: the best candidate's state stays in memory until the verdict */
};
/* The predicted peak of the run and its growth together, from the parent's checkpoint on until the winner trains with
 * n_threads. While candidates are probed, the run has its state only, which all of them read as they read the batches.
 * INT64_MAX: no memory holds it. */
int64_t lagd_growth_peak(const struct lagd_growth_load *load, int n_threads);

/* All batches that the candidates of a growth train and are validated on from first_step on: kept for all of them while
 * they are probed. Pure. */
void lagd_growth_batches(const struct lag_step_config *step, const struct lag_probe_plan *probe, int64_t first_step,
                         struct lag_kept_batches *ret);

struct lagd_candidate_load {
    const struct lag_strategy *strategy;
    const struct lag_spec *from, *to; /* of one that does not grow these are equal */
    const struct lag_step_config *step;
    const struct lag_probe_plan *probe;
};
/* FLOPs of the candidate's probe and of learning how it grows, into its row; and into the plan what learning needs in
 * memory. LAG_ENOMEM. */
int lagd_candidate_cost(const struct lagd_candidate_load *load, struct lagd_candidate_plan *candidate,
                        struct lagd_growth_plan *plan, struct lag_error *err);

/* --- time --- */
struct lagd_growth_pace {
    struct lagd_speed speed;
    bool is_own;                    /* the speed is the run's, not that of others */
    double core_rate;               /* FLOP/s of a core in matrix products, where no speed is known */
    bool recompute;                 /* steps compute activations again */
    double mean_checkpoint_bytes, mean_checkpoint_s; /* of those written so far, 0 = none */
    double step_flops;              /* of the run's step under way, 0 when none is */
    double checkpoint_bytes;        /* of the parent */
    int n_threads, n_others;        /* the compute budget; runs that want some of it, beside this one */
};
/* Fills plan->seconds_guess and time_basis from plan->candidates and n_workers. */
void lagd_growth_time(struct lagd_growth_plan *plan, const struct lagd_growth_pace *pace);

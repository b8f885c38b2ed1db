/* One probe: grow a clone of the parent by one strategy and train it for the lag, recording as it goes.
 * Thread: one worker; parent and dataset may be shared by many workers (they are only read). */
#pragma once
#include <lagd/engine/grow.h>
#include <lagd/engine/lag.h>
#include <lagd/engine/train.h>

struct lag_probe_hooks {
    void *arg;
    /* Before every step and evaluation: waits for a compute slot; non-zero ends the probe with that code. */
    int (*begin)(void *arg);
    void (*end)(void *arg); /* gives the slot back */
    /* After step t (1 … k). */
    void (*step)(void *arg, int64_t t, const struct lag_step_result *result);
    /* At an evaluation time: losses[n_batches], always finite (a step or evaluation that is not ends the probe before
     * its hook). */
    void (*eval)(void *arg, int64_t t, const double *losses, int n_batches);
};
struct lag_probe_job {
    const struct lag_state *parent;
    struct lag_strategy strategy; /* `none`: the parent goes on as it is */
    struct lag_spec target;
    const struct lag_dataset *dataset;
    struct lag_step_config config;
    enum lag_precision precision; /* of the run */
    bool recompute;               /* as the run does */
    const struct lag_probe_plan *plan;
    double parent_loss;      /* validation loss of the parent on the plan's batches; NaN: not known, so no bound */
    double divergence_bound; /* a mean validation loss above parent_loss + bound after t = 0 … */
    int64_t divergence_grace;/* … and after this many steps ends the probe as diverged */
};
enum { LAG_PROBE_DIVERGED = 1 };
/* Hooks may be NULL, each or all. strategy.rewarm_steps LAG_REWARM_DEFAULT
 * means lag_default_rewarm(plan->steps). The state after step t is bit for bit what lag_train_step makes of lag_grow's.
 * ret_state: the state at step parent + k (owned), when 0. LAG_PROBE_DIVERGED: non-finite, or above the bound;
 * ret_reason (256 bytes, NULL allowed) says which. team may be NULL: one thread. */
int lag_probe_run(const struct lag_probe_job *job, const struct lag_probe_hooks *hooks, struct lag_team *team,
                  struct lag_state **ret_state, char *ret_reason, struct lag_error *err);
/* FLOPs of steps and evaluations of a whole probe. Pure. */
double lag_probe_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                       const struct lag_probe_plan *plan);
/* Those of its evaluations alone. Pure. */
double lag_probe_eval_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                            const struct lag_probe_plan *plan);

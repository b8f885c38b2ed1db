/* A probe: the parent, grown by one strategy and trained for a while, so that candidates can be compared.
 *
 * An object that goes as far as it is told: create, advance to t, evaluate, take the state. t counts steps since the
 * growth. What a probe says is a stream of records. Its state at any t is all that it needs: a probe that is restored
 * from it goes on with the same bits as one that was never interrupted.
 * Thread: one owner at a time; parent and dataset may be shared by many probes (they are only read). */
#pragma once
#include <lagd/engine/grow.h>
#include <lagd/engine/lag.h>
#include <lagd/engine/train.h>

/* Values only. */
struct lag_probe_spec {
    struct lag_strategy strategy; /* `none`: the parent goes on as it is. A re-warm without a length gets
                                     LAG_REWARM_STEPS */
    char recipe[LAG_RECIPE_TEXT]; /* as stored with the candidate; "": what the operator makes */
    struct lag_spec target;       /* the grown shape; of `none` the parent's */
    struct lag_step_config config;
    enum lag_precision precision; /* of the run */
    bool recompute;               /* as the run does */
    int64_t lag;                  /* steps that the probe is meant to take; it may be stopped before and led beyond */
    struct lag_eval_set eval;     /* what an evaluation is made on */
    double parent_loss;           /* of the parent on the small set; NaN: not known, so no bound */
    double divergence_bound;      /* a mean validation loss above parent_loss + bound after t = 0 … */
    int64_t divergence_grace;     /* … and after this many steps ends the probe as diverged */
};

struct lag_probe_record {
    enum { LAG_PROBE_STEP, LAG_PROBE_EVAL, LAG_PROBE_LEARN } kind;
    int64_t t;                   /* steps made; of LEARN: of those that train the maps */
    struct lag_step_result step; /* of a step; of LEARN its loss alone */
    bool full;                   /* an evaluation of the whole set */
    const double *losses;        /* of an evaluation: [n_batches], finite, NaN for what a small one leaves out; borrowed
                                    until the hook returns */
};
struct lag_probe_hooks {
    void *arg;
    /* Before every step and evaluation: waits for a compute slot; non-zero is returned by the call under way. */
    int (*begin)(void *arg);
    void (*end)(void *arg); /* gives the slot back */
    /* After it. A step or evaluation that is not finite has no record. Steps that learn maps are told as well. */
    void (*record)(void *arg, const struct lag_probe_record *record);
};

struct lag_probe;
enum { LAG_PROBE_DIVERGED = 1 }; /* not finite, or above the bound: lag_probe_reason says which; the probe is over */

/* At t = 0: the parent grown, as maps begin where they are learned. parent is not kept, nor are others, which a fusion
 * takes in (else NULL). dataset, team and what the hooks (each may be NULL, or all) point to stay alive until
 * lag_probe_destroy; team NULL: one thread. */
int lag_probe_create(const struct lag_probe_spec *spec, const struct lag_state *parent,
                     const struct lag_state *const *others, const struct lag_dataset *dataset, struct lag_team *team,
                     const struct lag_probe_hooks *hooks, struct lag_probe **ret, struct lag_error *err);
/* Goes on from the state of another probe with this spec, whose parent was at start_step. Takes *state, which is NULL
 * afterwards; on failure it stays the caller's. LAG_EINVAL: the state's shape is not the target, or its step is before
 * start_step. */
int lag_probe_restore(const struct lag_probe_spec *spec, struct lag_state **state, int64_t start_step,
                      const struct lag_dataset *dataset, struct lag_team *team, const struct lag_probe_hooks *hooks,
                      struct lag_probe **ret, struct lag_error *err);
void lag_probe_destroy(struct lag_probe *probe);
static inline void lag_probe_destroy_p(struct lag_probe **p) { lag_probe_destroy(*p); }

/* Of a strategy that learns: trains its maps from the same parent, right after lag_probe_create (learn.h). Others have
 * nothing to learn: 0. What is ended in between has to begin again with lag_probe_create. */
int lag_probe_learn(struct lag_probe *probe, const struct lag_state *parent, struct lag_error *err);
int64_t lag_probe_t(const struct lag_probe *probe);
/* Steps until t. The state after step t is bit for bit what lag_train_step makes of lag_grow's. */
int lag_probe_advance(struct lag_probe *probe, int64_t t, struct lag_error *err);
/* Evaluates as it is now: on the whole set, or on the small one. */
int lag_probe_evaluate(struct lag_probe *probe, bool full, struct lag_error *err);
/* Steps until t, with the plan's evaluations on the way: those up to t that this probe has not made. A restored one
 * counts those up to its state as made. */
int lag_probe_follow(struct lag_probe *probe, const struct lag_probe_plan *plan, int64_t t, struct lag_error *err);
const char *lag_probe_reason(const struct lag_probe *probe); /* "" unless diverged; borrowed */
/* Between calls: what lag_probe_restore goes on from. Borrowed, read only. */
const struct lag_state *lag_probe_state(const struct lag_probe *probe);
/* The owner's from now on; the probe can only be destroyed. */
struct lag_state *lag_probe_take_state(struct lag_probe *probe);

/* FLOPs of steps and evaluations of a whole probe. Pure. */
double lag_probe_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                       const struct lag_probe_plan *plan);
/* Those of its evaluations alone, and of one small evaluation: a full one takes plan->stride times as much. Pure. */
double lag_probe_eval_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                            const struct lag_probe_plan *plan);
double lag_probe_small_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                             const struct lag_probe_plan *plan);

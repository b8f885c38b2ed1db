/* One probe: the parent grown, then steps and evaluations as far as the caller leads it. */
#include <inttypes.h>
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/learn.h>
#include <lagd/engine/probe.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct lag_probe {
    struct lag_probe_spec spec;
    struct lag_probe_hooks hooks;
    const struct lag_dataset *dataset;
    struct lag_team *team;
    struct lag_state *state;
    struct lag_work *work;
    int64_t start_step;   /* the parent's */
    int64_t evaluated_to; /* lag_probe_follow has made the evaluations up to this t; -1: none */
    double *losses;       /* [n_batches] */
    char reason[256];
};

static int begin(const struct lag_probe *probe) {
    return probe->hooks.begin ? probe->hooks.begin(probe->hooks.arg) : 0;
}

static void end(const struct lag_probe *probe) {
    if (probe->hooks.end) probe->hooks.end(probe->hooks.arg);
}

static void tell(const struct lag_probe *probe, const struct lag_probe_record *record) {
    if (probe->hooks.record) probe->hooks.record(probe->hooks.arg, record);
}

static int diverged(struct lag_probe *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int diverged(struct lag_probe *probe, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(probe->reason, sizeof(probe->reason), format, args);
    va_end(args);
    return LAG_PROBE_DIVERGED;
}

int64_t lag_probe_t(const struct lag_probe *probe) { return probe->state->step - probe->start_step; }
const char *lag_probe_reason(const struct lag_probe *probe) { return probe->reason; }
const struct lag_state *lag_probe_state(const struct lag_probe *probe) { return probe->state; }
struct lag_state *lag_probe_take_state(struct lag_probe *probe) { return LAG_TAKE(probe->state); }

/* The losses of all batches that were evaluated. */
static bool is_finite(const struct lag_probe *probe, bool full) {
    const struct lag_eval_set *set = &probe->spec.eval;
    for (int i = 0; i < set->n_batches; i += full ? 1 : set->stride)
        if (!isfinite(probe->losses[i])) return false;
    return true;
}

int lag_probe_evaluate(struct lag_probe *probe, bool full, struct lag_error *err) {
    const struct lag_probe_spec *spec = &probe->spec;
    const struct lag_eval_set *set = &spec->eval;
    const int64_t t = lag_probe_t(probe);
    int rc = begin(probe);
    if (rc) return rc;
    rc = lag_evaluate(probe->state, probe->work, probe->dataset, set, full, spec->config.context, probe->losses,
                      probe->team, err);
    end(probe);
    if (rc) return rc;
    const double mean = lag_small_mean(probe->losses, set->n_batches, set->stride);
    const double bound = spec->parent_loss + spec->divergence_bound;
    if (!is_finite(probe, full)) return diverged(probe, "the validation loss at t = %" PRId64 " is not finite", t);
    tell(probe, &(struct lag_probe_record){.kind = LAG_PROBE_EVAL, .t = t, .full = full, .losses = probe->losses});
    if (t > spec->divergence_grace && t > 0 && mean > bound) { /* false for an unknown parent loss, which is NaN */
        return diverged(probe, "the validation loss %.4f at t = %" PRId64 " is above %.4f, the parent's %.4f + %.4g",
                        mean, t, bound, spec->parent_loss, spec->divergence_bound);
    }
    return 0;
}

static int step(struct lag_probe *probe, struct lag_error *err) {
    struct lag_probe_record record = {.kind = LAG_PROBE_STEP, .t = lag_probe_t(probe) + 1};
    int rc = begin(probe);
    if (rc) return rc;
    rc = lag_train_step(probe->state, probe->work, probe->dataset, &probe->spec.config, probe->team, &record.step, err);
    end(probe);
    if (rc == LAG_TRAIN_NONFINITE) {
        return diverged(probe, "the %s is not finite in step %" PRId64,
                        isfinite(record.step.loss) ? "gradient norm" : "training loss", record.t);
    }
    if (rc) return rc;
    tell(probe, &record);
    return 0;
}

int lag_probe_advance(struct lag_probe *probe, int64_t t, struct lag_error *err) {
    int rc = 0;
    while (rc == 0 && lag_probe_t(probe) < t) rc = step(probe, err);
    return rc;
}

/* The plan's first time after t, by its index; n_times: none. */
static int next_time(const struct lag_probe_plan *plan, int64_t t) {
    int i = 0;
    while (i < plan->n_times && plan->times[i] <= t) i++;
    return i;
}

int lag_probe_follow(struct lag_probe *probe, const struct lag_probe_plan *plan, int64_t t, struct lag_error *err) {
    int rc = 0;
    for (int i; rc == 0 && (i = next_time(plan, probe->evaluated_to)) < plan->n_times && plan->times[i] <= t;) {
        rc = lag_probe_advance(probe, plan->times[i], err);
        if (rc == 0) rc = lag_probe_evaluate(probe, plan->full[i], err);
        if (rc == 0) probe->evaluated_to = plan->times[i];
    }
    return rc ? rc : lag_probe_advance(probe, t, err);
}

/* Takes *state. */
static int make(const struct lag_probe_spec *spec, struct lag_state **state, int64_t start_step,
                const struct lag_dataset *dataset, struct lag_team *team, const struct lag_probe_hooks *hooks,
                struct lag_probe **ret, struct lag_error *err) {
    struct lag_probe *probe = lag_calloc(1, sizeof(*probe));
    if (!probe) return lag_error_set(err, LAG_ENOMEM, "out of memory for a probe");
    *probe = (struct lag_probe){.spec = *spec, .dataset = dataset, .team = team, .start_step = start_step};
    if (hooks) probe->hooks = *hooks;
    const struct lag_work_shape shape = {.batch = LAG_MAX(spec->config.batch, spec->eval.rows),
                                         .context = spec->config.context,
                                         .n_members = lag_team_size(team),
                                         .precision = spec->precision,
                                         .recompute = spec->recompute};
    probe->losses = lag_calloc((size_t)spec->eval.n_batches, sizeof(*probe->losses));
    int rc = probe->losses ? lag_work_create(&(*state)->layout.spec, &shape, &probe->work, err)
                           : lag_error_set(err, LAG_ENOMEM, "out of memory for a probe's losses");
    if (rc) {
        lag_probe_destroy(probe);
        return rc;
    }
    probe->state = LAG_TAKE(*state);
    *ret = probe;
    return 0;
}

int lag_probe_create(const struct lag_probe_spec *spec, const struct lag_state *parent,
                     const struct lag_state *const *others, const struct lag_dataset *dataset, struct lag_team *team,
                     const struct lag_probe_hooks *hooks, struct lag_probe **ret, struct lag_error *err) {
    struct lag_strategy strategy = spec->strategy;
    LAG_CLEANUP(lag_recipe_deinit) struct lag_recipe recipe = {0};
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *state = NULL;
    if (strategy.rewarm_steps == LAG_REWARM_DEFAULT) strategy.rewarm_steps = LAG_REWARM_STEPS;
    lag_strategy_know_parents(&strategy, others);
    int rc = lag_recipe_restore(&strategy, &parent->layout.spec, &spec->target, spec->recipe, &recipe, err);
    if (rc == 0) rc = lag_grow_by(parent, others, &strategy, &recipe, &state, err);
    if (rc == 0) rc = make(spec, &state, parent->step, dataset, team, hooks, ret, err);
    if (rc == 0) (*ret)->evaluated_to = -1;
    return rc;
}

int lag_probe_learn(struct lag_probe *probe, const struct lag_state *parent, struct lag_error *err) {
    const struct lag_probe_spec *spec = &probe->spec;
    LAG_CLEANUP(lag_recipe_deinit) struct lag_recipe recipe = {0};
    const struct lag_learn_ask ask = {&spec->strategy, &recipe, &spec->config};
    if (lag_strategy_learn_steps(&spec->strategy) == 0) return 0;
    int rc = lag_recipe_restore(&spec->strategy, &parent->layout.spec, &spec->target, spec->recipe, &recipe, err);
    if (rc == 0)
        rc = lag_learn(parent, &ask, probe->dataset, probe->work, probe->team, &probe->hooks, probe->state, err);
    if (rc != LAG_TRAIN_NONFINITE) return rc;
    return diverged(probe, "the loss or a gradient is not finite in a step that learns its maps: a lower lr may help");
}

int lag_probe_restore(const struct lag_probe_spec *spec, struct lag_state **state, int64_t start_step,
                      const struct lag_dataset *dataset, struct lag_team *team, const struct lag_probe_hooks *hooks,
                      struct lag_probe **ret, struct lag_error *err) {
    const int64_t t = (*state)->step - start_step;
    if (t < 0) return lag_error_set(err, LAG_EINVAL, "the state is from before the growth, by %" PRId64 " steps", -t);
    if (!lag_spec_same_shape(&(*state)->layout.spec, &spec->target))
        return lag_error_set(err, LAG_EINVAL, "the state has another shape than the probe");
    int rc = make(spec, state, start_step, dataset, team, hooks, ret, err);
    if (rc == 0) (*ret)->evaluated_to = t;
    return rc;
}

void lag_probe_destroy(struct lag_probe *probe) {
    if (!probe) return;
    lag_work_destroy(probe->work);
    lag_state_destroy(probe->state);
    free(probe->losses);
    free(probe);
}

double lag_probe_small_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                             const struct lag_probe_plan *plan) {
    const int window = plan->window > 0 ? plan->window : config->context;
    const double tokens = (double)(plan->n_batches / plan->stride) * plan->eval_sequences * window;
    return tokens * lag_flops_token_forward(grown, LAG_MIN(config->context, window));
}

double lag_probe_eval_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                            const struct lag_probe_plan *plan) {
    const double n = (double)(plan->n_times - plan->n_full) + (double)plan->n_full * plan->stride;
    return n * lag_probe_small_flops(grown, config, plan);
}

double lag_probe_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                       const struct lag_probe_plan *plan) {
    const double step_tokens = (double)config->accumulate * config->batch * config->context;
    return (double)plan->steps * step_tokens * lag_flops_token_train(grown, config->context) +
           lag_probe_eval_flops(grown, config, plan);
}

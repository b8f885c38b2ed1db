/* One probe: grow, then train for the lag and evaluate at the planned times. */
#include <inttypes.h>
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/probe.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define REASON_SIZE 256

struct probe {
    const struct lag_probe_job *job;
    const struct lag_probe_hooks *hooks;
    struct lag_team *team;
    struct lag_state *state;
    struct lag_work *work;
    double *losses; /* [n_batches] */
    char *reason;
};

static int begin(const struct probe *probe) {
    return probe->hooks && probe->hooks->begin ? probe->hooks->begin(probe->hooks->arg) : 0;
}
static void end(const struct probe *probe) {
    if (probe->hooks && probe->hooks->end) probe->hooks->end(probe->hooks->arg);
}

static int diverged(const struct probe *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int diverged(const struct probe *probe, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (probe->reason) vsnprintf(probe->reason, REASON_SIZE, format, args);
    va_end(args);
    return LAG_PROBE_DIVERGED;
}

static int evaluate(struct probe *probe, int64_t t, struct lag_error *err) {
    const struct lag_probe_job *job = probe->job;
    const struct lag_probe_plan *plan = job->plan;
    int rc = begin(probe);
    if (rc) return rc;
    rc = lag_evaluate(probe->state, probe->work, job->dataset, plan->n_batches, plan->eval_sequences,
                      job->config.context, probe->losses, probe->team, err);
    end(probe);
    if (rc) return rc;
    double sum = 0;
    for (int i = 0; i < plan->n_batches; i++) sum += probe->losses[i];
    const double mean = sum / plan->n_batches, bound = job->parent_loss + job->divergence_bound;
    if (!isfinite(mean)) return diverged(probe, "the validation loss at t = %" PRId64 " is not finite", t);
    if (probe->hooks && probe->hooks->eval) probe->hooks->eval(probe->hooks->arg, t, probe->losses, plan->n_batches);
    if (t > job->divergence_grace && t > 0 && mean > bound) { /* false for an unknown parent loss, which is NaN */
        return diverged(probe, "the validation loss %.4f at t = %" PRId64 " is above %.4f, the parent's %.4f + %.4g",
                        mean, t, bound, job->parent_loss, job->divergence_bound);
    }
    return 0;
}

static int train(struct probe *probe, int64_t t, struct lag_error *err) {
    struct lag_step_result result;
    int rc = begin(probe);
    if (rc) return rc;
    rc = lag_train_step(probe->state, probe->work, probe->job->dataset, &probe->job->config, probe->team, &result, err);
    end(probe);
    if (rc == LAG_TRAIN_NONFINITE) {
        return diverged(probe, "the %s is not finite in step %" PRId64,
                        isfinite(result.loss) ? "gradient norm" : "training loss", t);
    }
    if (rc) return rc;
    if (probe->hooks && probe->hooks->step) probe->hooks->step(probe->hooks->arg, t, &result);
    return 0;
}

static int follow_plan(struct probe *probe, struct lag_error *err) {
    const struct lag_probe_plan *plan = probe->job->plan;
    int rc = 0, next = 0;
    for (int64_t t = 0; rc == 0 && t <= plan->steps; t++) {
        if (t > 0) rc = train(probe, t, err);
        if (rc == 0 && next < plan->n_times && plan->times[next] == t) {
            rc = evaluate(probe, t, err);
            next++;
        }
    }
    return rc;
}

int lag_probe_run(const struct lag_probe_job *job, const struct lag_probe_hooks *hooks, struct lag_team *team,
                  struct lag_state **ret_state, char *ret_reason, struct lag_error *err) {
    struct lag_strategy strategy = job->strategy;
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *state = NULL;
    LAG_CLEANUP(lag_work_destroy_p) struct lag_work *work = NULL;
    LAG_CLEANUP(lag_free_p) double *losses = lag_calloc((size_t)job->plan->n_batches, sizeof(*losses));
    if (!losses) return lag_error_set(err, LAG_ENOMEM, "out of memory for a probe's losses");
    if (strategy.rewarm_steps == LAG_REWARM_DEFAULT) strategy.rewarm_steps = lag_default_rewarm(job->plan->steps);
    int rc = lag_grow(job->parent, &strategy, &job->target, &state, err);
    if (rc) return rc;
    const struct lag_work_shape shape = {.batch = LAG_MAX(job->config.batch, job->plan->eval_sequences),
                                         .context = job->config.context,
                                         .n_members = lag_team_size(team),
                                         .precision = job->precision,
                                         .recompute = job->recompute};
    rc = lag_work_create(&state->layout.spec, &shape, &work, err);
    if (rc) return rc;
    struct probe probe = {job, hooks, team, state, work, losses, ret_reason};
    if ((rc = follow_plan(&probe, err))) return rc;
    *ret_state = LAG_TAKE(state);
    return 0;
}

double lag_probe_eval_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                            const struct lag_probe_plan *plan) {
    const double eval_tokens = (double)plan->n_batches * plan->eval_sequences * config->context;
    return plan->n_times * eval_tokens * lag_flops_token_forward(grown, config->context);
}

double lag_probe_flops(const struct lag_spec *grown, const struct lag_step_config *config,
                       const struct lag_probe_plan *plan) {
    const double step_tokens = (double)config->accumulate * config->batch * config->context;
    return (double)plan->steps * step_tokens * lag_flops_token_train(grown, config->context) +
           lag_probe_eval_flops(grown, config, plan);
}

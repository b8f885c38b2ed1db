/* Plans a probe's evaluations: at which times, and on how many validation batches. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/lag.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EVAL_SEQUENCES 4
#define REWARM_MAX 50
#define TRAIN_TO_FORWARD 3.0 /* FLOPs of a trained token over those of an evaluated one (cost.h) */
#define MIN_BATCHES 2
#define MAX_STEPS ((int64_t)1 << 40)

int64_t lag_default_rewarm(int64_t lag) { return LAG_MAX(1, LAG_MIN(REWARM_MAX, lag / 4)); }

/* The rule that makes the evaluation times: 0 and steps always; powers of two up to max_power; multiples of every
 * (0: none); steps/2 while half. */
struct time_rule {
    int64_t steps, every, max_power;
    bool half;
};

/* The smallest evaluation time after t < steps. */
static int64_t next_time(const struct time_rule *rule, int64_t t) {
    int64_t next = rule->steps, power = 1;
    while (power <= t) power *= 2;
    if (power <= rule->max_power) next = LAG_MIN(next, power);
    if (rule->every > 0) next = LAG_MIN(next, t - t % rule->every + rule->every);
    if (rule->half && t < rule->steps / 2) next = LAG_MIN(next, rule->steps / 2);
    return next;
}

/* The times in order; counts them. ret NULL: only counts. */
static int64_t list_times(const struct time_rule *rule, int64_t *ret) {
    int64_t n = 0;
    for (int64_t t = 0;; t = next_time(rule, t)) {
        if (ret) ret[n] = t;
        n++;
        if (t == rule->steps) return n;
    }
}

/* Drops the least useful times first: the largest powers of two (early ones show the spike after a growth), then
 * every other multiple, then the half. false: only 0 and steps are left. */
static bool drop_times(struct time_rule *rule) {
    if (rule->max_power > 0) {
        rule->max_power /= 2;
    } else if (rule->every > 0) {
        rule->every = rule->every > rule->steps / 2 ? 0 : rule->every * 2;
    } else if (rule->half) {
        rule->half = false;
    } else {
        return false;
    }
    return true;
}

/* Chooses the number of batches, and drops times from the rule, so that evaluation takes at most max_share of the
 * probe's FLOPs. First it takes fewer batches, down to MIN_BATCHES (or wanted, when that is less). When these are still
 * too many, it drops times. The share is exceeded only where no more times can be dropped: the least number of batches
 * at 0 and at steps.
 * train_cost: all training steps. batch_cost: one evaluation of one batch. Both in units of one evaluated token. */
static void fit_to_share(struct time_rule *rule, int wanted_batches, double max_share, double train_cost,
                         double batch_cost, struct lag_probe_plan *plan) {
    const double eval_cost = max_share < 1 ? train_cost * max_share / (1 - max_share) : INFINITY;
    const double affordable = eval_cost / batch_cost; /* batches, at all times together */
    const int least = LAG_MIN(MIN_BATCHES, wanted_batches);
    double n_times, batches;
    do {
        n_times = (double)list_times(rule, NULL);
        batches = floor(affordable / n_times * (1 + 1e-12)); /* an exact fit must not fall to rounding */
    } while (batches < least && drop_times(rule));
    plan->n_batches = (int)LAG_MAX(least, LAG_MIN(batches, wanted_batches));
    const double eval = n_times * plan->n_batches * batch_cost;
    plan->eval_share = eval / (eval + train_cost);
}

int lag_probe_plan_init(int64_t steps, int64_t eval_every, int wanted_batches, double max_share, int64_t step_tokens,
                        int batch, int context, struct lag_probe_plan *ret) {
    if (steps < 1 || steps > MAX_STEPS || eval_every < 1 || wanted_batches < 1 || !(max_share > 0 && max_share <= 1) ||
        step_tokens < 1 || batch < 1 || context < 1) return LAG_EINVAL;
    struct lag_probe_plan plan = {.steps = steps, .eval_sequences = LAG_MAX(1, LAG_MIN(batch, EVAL_SEQUENCES))};
    struct time_rule rule = {.steps = steps, .every = LAG_MIN(eval_every, steps), .max_power = 1, .half = true};
    while (rule.max_power <= steps / 2) rule.max_power *= 2;
    fit_to_share(&rule, wanted_batches, max_share, TRAIN_TO_FORWARD * (double)steps * (double)step_tokens,
                 (double)plan.eval_sequences * context, &plan);
    const int64_t n_times = list_times(&rule, NULL);
    plan.times = n_times <= INT_MAX ? lag_calloc((size_t)n_times, sizeof(*plan.times)) : NULL;
    if (!plan.times) return LAG_ENOMEM;
    plan.n_times = (int)list_times(&rule, plan.times);
    *ret = plan;
    return 0;
}

int lag_probe_plan_copy(const struct lag_probe_plan *plan, struct lag_probe_plan *ret) {
    int64_t *times = lag_calloc((size_t)plan->n_times, sizeof(*times));
    if (!times) return LAG_ENOMEM;
    memcpy(times, plan->times, (size_t)plan->n_times * sizeof(*times));
    *ret = *plan;
    ret->times = times;
    return 0;
}

void lag_probe_plan_deinit(struct lag_probe_plan *plan) {
    free(plan->times);
    *plan = (struct lag_probe_plan){0};
}

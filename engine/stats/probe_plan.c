/* How a probe spends its compute: when it evaluates, and on how much. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/lag.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#define EVAL_SEQUENCES 4
#define REWARM_MAX 50
#define TRAIN_TO_FORWARD 3.0 /* FLOPs of a trained token over those of an evaluated one (cost.h) */
#define MIN_BATCHES 2
#define MAX_STEPS ((int64_t)1 << 40)

int64_t lag_default_rewarm(int64_t lag) { return LAG_MAX(1, LAG_MIN(REWARM_MAX, lag / 4)); }

/* Which times are evaluated: 0 and steps always; powers of two up to max_power; multiples of every (0: none); steps/2
 * while half. */
struct times {
    int64_t steps, every, max_power;
    bool half;
};

/* The smallest evaluation time after t < steps. */
static int64_t next_time(const struct times *times, int64_t t) {
    int64_t next = times->steps, power = 1;
    while (power <= t) power *= 2;
    if (power <= times->max_power) next = LAG_MIN(next, power);
    if (times->every > 0) next = LAG_MIN(next, t - t % times->every + times->every);
    if (times->half && t < times->steps / 2) next = LAG_MIN(next, times->steps / 2);
    return next;
}

/* The times in order; counts them. ret NULL: only counts. */
static int64_t list_times(const struct times *times, int64_t *ret) {
    int64_t n = 0;
    for (int64_t t = 0;; t = next_time(times, t)) {
        if (ret) ret[n] = t;
        n++;
        if (t == times->steps) return n;
    }
}

/* Gives up the least useful times first: the largest powers of two (early ones show the spike after a growth), then
 * every other multiple, then the half. false: only 0 and steps are left. */
static bool thin_out(struct times *times) {
    if (times->max_power > 0) {
        times->max_power /= 2;
    } else if (times->every > 0) {
        times->every = times->every > times->steps / 2 ? 0 : times->every * 2;
    } else if (times->half) {
        times->half = false;
    } else {
        return false;
    }
    return true;
}

/* train, unit: FLOPs of all training steps and of one batch's evaluation, in those of one evaluated token. Fewer
 * batches come first, then fewer times; the share is exceeded only when even two batches at 0 and k are too many. */
static void fit_share(struct times *times, int wanted_batches, double max_share, double train, double unit,
                      struct lag_probe_plan *plan) {
    const double budget = max_share < 1 ? train * max_share / (1 - max_share) / unit : INFINITY; /* batches in all */
    const int least = LAG_MIN(MIN_BATCHES, wanted_batches);
    double n_times, batches;
    do {
        n_times = (double)list_times(times, NULL);
        batches = floor(budget / n_times * (1 + 1e-12)); /* an exact fit must not fall to rounding */
    } while (batches < least && thin_out(times));
    plan->n_batches = (int)LAG_MAX(least, LAG_MIN(batches, wanted_batches));
    const double eval = n_times * plan->n_batches * unit;
    plan->eval_share = eval / (eval + train);
}

int lag_plan_probe(int64_t steps, int64_t eval_every, int wanted_batches, double max_share, int64_t step_tokens,
                   int batch, int context, struct lag_probe_plan *ret) {
    if (steps < 1 || steps > MAX_STEPS || eval_every < 1 || wanted_batches < 1 || !(max_share > 0 && max_share <= 1) ||
        step_tokens < 1 || batch < 1 || context < 1) return LAG_EINVAL;
    struct lag_probe_plan plan = {.steps = steps, .eval_sequences = LAG_MAX(1, LAG_MIN(batch, EVAL_SEQUENCES))};
    struct times times = {.steps = steps, .every = LAG_MIN(eval_every, steps), .max_power = 1, .half = true};
    while (times.max_power <= steps / 2) times.max_power *= 2;
    fit_share(&times, wanted_batches, max_share, TRAIN_TO_FORWARD * (double)steps * (double)step_tokens,
              (double)plan.eval_sequences * context, &plan);
    const int64_t n_times = list_times(&times, NULL);
    plan.times = n_times <= INT_MAX ? lag_calloc((size_t)n_times, sizeof(*plan.times)) : NULL;
    if (!plan.times) return LAG_ENOMEM;
    plan.n_times = (int)list_times(&times, plan.times);
    *ret = plan;
    return 0;
}

void lag_probe_plan_deinit(struct lag_probe_plan *plan) {
    free(plan->times);
    *plan = (struct lag_probe_plan){0};
}

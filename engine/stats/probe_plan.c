/* Plans a probe's evaluations: at which times, and on how many validation batches. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/allocate.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRAIN_TO_FORWARD 3.0 /* FLOPs of a trained token over those of an evaluated one (cost.h) */
#define DECISION_SHARE 0.5   /* of the evaluations' share: what the full ones may take with more than the small set */
#define MAX_STEPS ((int64_t)1 << 40)
enum { N_LATE = 3 };         /* full evaluations between k/2 and k */

/* The rule that makes the evaluation times. Full: 0 and the looks always; half of the first while half; the late ones.
 * Small: powers of two up to max_power; multiples of every (0: none). */
struct time_rule {
    int64_t steps, every, max_power;
    int n_looks;
    struct look {
        int64_t t, from;       /* the last half begins here, or at the look before */
        int64_t late[N_LATE];  /* from first_late on, ascending, within that half */
    } looks[LAG_RUNGS_MAX];    /* ascending; the last is at steps */
    int first_late;
    bool half;                 /* of the first look */
};

/* Where the last half has two multiples of every or more, some of these: they were to be evaluated anyway. */
static void choose_late(const struct time_rule *rule, struct look *look) {
    const int64_t rest = look->t - look->from;
    const int64_t before = look->from / rule->every, n = (look->t - 1) / rule->every - before;
    for (int i = 0; i < N_LATE; i++) {
        look->late[i] = look->from + rest * (i + 1) / (N_LATE + 1);
        if (n >= N_LATE) look->late[i] = rule->every * (before + (n + 1) * (i + 1) / (N_LATE + 1));
        else if (n == N_LATE - 1) look->late[i] = rule->every * (before + LAG_MAX(1, i));
    }
}

/* The look that t leads to, or is at. */
static const struct look *look_at(const struct time_rule *rule, int64_t t) {
    int i = 0;
    while (i + 1 < rule->n_looks && rule->looks[i].t < t) i++;
    return &rule->looks[i];
}

static bool is_full(const struct time_rule *rule, int64_t t) {
    const struct look *look = look_at(rule, t);
    if (t == 0 || t == look->t || (rule->half && t == rule->looks[0].from)) return true;
    for (int i = rule->first_late; i < N_LATE; i++)
        if (t == look->late[i] && t > look->from) return true;
    return false;
}

/* The smallest evaluation time after t < steps. */
static int64_t next_time(const struct time_rule *rule, int64_t t) {
    const struct look *look = look_at(rule, t + 1);
    const int64_t half = rule->looks[0].from;
    int64_t next = look->t, power = 1;
    while (power <= t) power *= 2;
    if (power <= rule->max_power) next = LAG_MIN(next, power);
    if (rule->every > 0) next = LAG_MIN(next, t - t % rule->every + rule->every);
    if (rule->half && t < half) next = LAG_MIN(next, half);
    for (int i = rule->first_late; i < N_LATE; i++)
        if (look->late[i] > t && look->late[i] > look->from) next = LAG_MIN(next, look->late[i]);
    return next;
}

/* The times in order, and which are full; counts them. plan NULL: only counts. */
static int64_t list_times(const struct time_rule *rule, struct lag_probe_plan *plan, int64_t *ret_full) {
    int64_t n = 0, n_full = 0;
    for (int64_t t = 0;; t = next_time(rule, t)) {
        const bool full = is_full(rule, t);
        if (plan) {
            plan->times[n] = t;
            plan->full[n] = full;
        }
        n++;
        n_full += full;
        if (t == rule->steps) break;
    }
    if (ret_full) *ret_full = n_full;
    return n;
}

/* Batches of all evaluations together. */
static double count_batches(const struct time_rule *rule, int run_batches, int64_t stride) {
    int64_t n_full;
    const int64_t n = list_times(rule, NULL, &n_full);
    return ((double)(n - n_full) + (double)n_full * (double)stride) * run_batches;
}

/* The least useful full times: the late ones from the first on, then the half itself. false: only 0 and the looks are
 * left. */
static bool drop_full(struct time_rule *rule) {
    if (rule->first_late < N_LATE) rule->first_late++;
    else if (rule->half) rule->half = false;
    else return false;
    return true;
}

/* The least useful small times: the largest powers of two (early ones show the spike after a growth), then every other
 * multiple. false: none are left. */
static bool drop_small(struct time_rule *rule) {
    if (rule->max_power > 0) rule->max_power /= 2;
    else if (rule->every > 0) rule->every = rule->every > rule->steps / 2 ? 0 : rule->every * 2;
    else return false;
    return true;
}

/* affordable: batches of all evaluations together. */
static int64_t choose_stride(const struct time_rule *rule, const struct lag_probe_ask *ask, double affordable) {
    struct time_rule bare = *rule;
    bare.every = bare.max_power = 0;
    const double each = count_batches(&bare, ask->run_batches, 1);
    const double fit = floor(affordable * DECISION_SHARE / each * (1 + 1e-12)); /* no exact fit falls to rounding */
    return LAG_MAX(1, (int64_t)fmin(fit, ask->wanted_batches / ask->run_batches));
}

static void fit_to_share(struct time_rule *rule, const struct lag_probe_ask *ask, struct lag_probe_plan *plan) {
    const double train = TRAIN_TO_FORWARD * (double)rule->steps * (double)ask->step_tokens;
    const double batch = (double)ask->rows * ask->context;
    const double affordable = (ask->max_share < 1 ? train * ask->max_share / (1 - ask->max_share) : INFINITY) / batch;
    struct time_rule bare = *rule;
    bare.every = bare.max_power = 0;
    while (count_batches(&bare, ask->run_batches, 1) > affordable * (1 + 1e-12) && drop_full(&bare)) {}
    rule->half = bare.half;
    rule->first_late = bare.first_late;
    const int64_t stride = choose_stride(rule, ask, affordable);
    while (count_batches(rule, ask->run_batches, stride) > affordable * (1 + 1e-12) && drop_small(rule)) {}
    plan->stride = (int)stride;
    plan->n_batches = (int)stride * ask->run_batches;
    const double eval = count_batches(rule, ask->run_batches, stride) * batch;
    plan->eval_share = eval / (eval + train);
}

static int choose_looks(const struct lag_probe_ask *ask, struct time_rule *rule) {
    int64_t rungs[LAG_RUNGS_MAX] = {ask->steps}, before = 0;
    rule->n_looks = ask->first_rung > 0 ? lag_rungs(ask->first_rung, ask->steps, ask->max_steps, rungs) : 1;
    if (rule->n_looks < 1) return LAG_EINVAL;
    rule->steps = rungs[rule->n_looks - 1];
    rule->every = LAG_MIN(ask->eval_every, rule->steps);
    for (int i = 0; i < rule->n_looks; i++) {
        rule->looks[i] = (struct look){.t = rungs[i], .from = LAG_MAX(rungs[i] / 2, before)};
        before = rungs[i];
        choose_late(rule, &rule->looks[i]);
    }
    return 0;
}

int lag_probe_plan_init(const struct lag_probe_ask *ask, struct lag_probe_plan *ret) {
    if (ask->steps < 1 || ask->steps > MAX_STEPS || ask->eval_every < 1 || ask->wanted_batches < 1 ||
        ask->run_batches < 1 || !(ask->max_share > 0 && ask->max_share <= 1) || ask->step_tokens < 1 ||
        ask->rows < 1 || ask->context < 1) return LAG_EINVAL;
    struct time_rule rule = {.max_power = 1, .half = true};
    if (ask->max_steps > MAX_STEPS || choose_looks(ask, &rule) != 0) return LAG_EINVAL;
    struct lag_probe_plan plan = {.steps = rule.steps, .eval_sequences = ask->rows, .window = ask->context};
    while (rule.max_power <= rule.steps / 2) rule.max_power *= 2;
    fit_to_share(&rule, ask, &plan);
    int64_t n_full;
    const int64_t n_times = list_times(&rule, NULL, &n_full);
    if (n_times > INT_MAX) return LAG_ENOMEM;
    plan.times = lag_calloc((size_t)n_times, sizeof(*plan.times));
    plan.full = lag_calloc((size_t)n_times, sizeof(*plan.full));
    plan.n_times = (int)n_times;
    plan.n_full = (int)n_full;
    if (!plan.times || !plan.full) {
        lag_probe_plan_deinit(&plan);
        return LAG_ENOMEM;
    }
    (void)list_times(&rule, &plan, NULL);
    *ret = plan;
    return 0;
}

int lag_probe_plan_copy(const struct lag_probe_plan *plan, struct lag_probe_plan *ret) {
    struct lag_probe_plan copy = *plan;
    copy.times = lag_calloc((size_t)plan->n_times, sizeof(*copy.times));
    copy.full = lag_calloc((size_t)plan->n_times, sizeof(*copy.full));
    if (!copy.times || !copy.full) {
        lag_probe_plan_deinit(&copy);
        return LAG_ENOMEM;
    }
    memcpy(copy.times, plan->times, (size_t)plan->n_times * sizeof(*copy.times));
    memcpy(copy.full, plan->full, (size_t)plan->n_times * sizeof(*copy.full));
    *ret = copy;
    return 0;
}

void lag_probe_plan_deinit(struct lag_probe_plan *plan) {
    free(plan->times);
    free(plan->full);
    *plan = (struct lag_probe_plan){0};
}

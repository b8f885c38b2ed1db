/* Replays allocators over curves that are known to the end. */
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/replay.h>
#include <math.h>
#include <string.h>

struct replay {
    const struct lag_replay_ask *ask;
    struct lag_curve curves[LAG_ALLOCATE_MOST]; /* those that are stopped are cut there */
    double p_end[LAG_ALLOCATE_MOST];
    enum lag_fate fates[LAG_ALLOCATE_MOST];
    bool tied[LAG_ALLOCATE_MOST];
    int64_t times[LAG_RUNGS_MAX]; /* [n_times]: that were evaluated */
    int n_times;
};

static int find_times(struct replay *replay) {
    const struct lag_replay_ask *ask = replay->ask;
    int64_t rungs[LAG_RUNGS_MAX] = {ask->steps}, before = 0;
    const bool is_all = ask->allocator == LAG_ALLOCATE_ALL;
    const int n = is_all ? 1 : lag_rungs(ask->first_rung, ask->steps, ask->max_steps, rungs);
    for (int i = 0; i < n; i++) {
        const int64_t t = lag_shared_time(ask->group->curves, ask->n_candidates, rungs[i]);
        if (t <= before) continue;
        replay->times[replay->n_times++] = before = t;
    }
    return replay->n_times > 0 ? 0 : LAG_EINVAL;
}

/* The lag among the times: the last that is not beyond it. */
static int64_t lag_of(const struct replay *replay) {
    int64_t lag = replay->times[0];
    for (int i = 0; i < replay->n_times; i++)
        if (replay->times[i] <= replay->ask->steps) lag = replay->times[i];
    return lag;
}

static void know_orders(struct replay *replay, int64_t t) {
    const struct lag_replay_ask *ask = replay->ask;
    const struct lag_probe_view view = {.curves = replay->curves, .n_curves = ask->n_candidates,
                                        .n_batches = ask->group->n_batches, .t = t, .horizon = ask->horizon,
                                        .preserving = ask->preserving};
    for (int i = 0; i < ask->n_candidates; i++) replay->p_end[i] = NAN;
    if (ask->calibration)
        lag_p_end_of_leader(ask->calibration, &view,
                            lag_leader_at(replay->curves, ask->n_candidates, view.n_batches, t), replay->p_end);
}

static void follow(struct replay *replay, int number, int64_t t) {
    for (int i = 0; i < replay->ask->n_candidates; i++) {
        struct lag_curve *curve = &replay->curves[i];
        if (replay->fates[i] == LAG_FATE_TAKEN_UP) *curve = replay->ask->group->curves[i];
        if (replay->fates[i] != LAG_FATE_STOPPED) continue;
        curve->stopped = number;
        while (curve->n_evals > 0 && curve->t[curve->n_evals - 1] > t) curve->n_evals--;
    }
}

static int look_at(struct replay *replay, int number, struct lag_rung *ret) {
    const struct lag_replay_ask *ask = replay->ask;
    const int64_t t = replay->times[number - 1];
    know_orders(replay, t);
    if (ask->allocator == LAG_ALLOCATE_ALL) {
        *ret = (struct lag_rung){.step = LAG_STEP_END};
        ret->p_end = lag_least_p_end(replay->curves, ask->n_candidates, ask->group->n_batches, t, replay->p_end);
        const struct lag_rule rule = {.delta = ask->delta, .look = 1, .p_end = ret->p_end};
        return lag_select(replay->curves, ask->n_candidates, ask->group->n_batches, t, &rule, &ret->verdict,
                          replay->tied);
    }
    const struct lag_look look = {.allocator = ask->allocator, .number = number, .t = t, .steps = lag_of(replay),
                                  .next = number < replay->n_times ? replay->times[number] : 0, .delta = ask->delta,
                                  .p_end = replay->p_end, .preserving = ask->preserving};
    return lag_allocate(replay->curves, ask->n_candidates, ask->group->n_batches, &look, ret, replay->fates,
                        replay->tied);
}

/* --- what came of it --------------------------------------------------------------------------------------------- */

static double final_of(const struct replay *replay, int i) {
    const struct lag_study_group *group = replay->ask->group;
    const struct lag_curve *curve = &group->curves[i];
    const double *losses = curve->diverged ? NULL : lag_losses_at(curve, group->n_batches, replay->ask->horizon);
    return losses ? lag_loss_mean(losses, group->n_batches) : NAN;
}

static double regret_of(const struct replay *replay, int pick) {
    double best = NAN;
    for (int i = 0; i < replay->ask->n_candidates; i++)
        if (replay->curves[i].eligible && !replay->curves[i].reference) best = fmin(best, final_of(replay, i));
    return pick < 0 ? NAN : final_of(replay, pick) - best;
}

/* Up to where it was decided, stopped or lost. */
static double count_steps(const struct replay *replay, int64_t t) {
    double steps = 0;
    for (int i = 0; i < replay->ask->n_candidates; i++) {
        const struct lag_curve *curve = &replay->curves[i];
        const bool is_short = (curve->diverged || curve->stopped > 0) && curve->n_evals > 0;
        steps += (double)(is_short ? LAG_MIN(t, curve->t[curve->n_evals - 1]) : t);
    }
    return steps;
}

int lag_replay_run(const struct lag_replay_ask *ask, struct lag_replay *ret) {
    if (ask->n_candidates < 1 || ask->n_candidates > LAG_ALLOCATE_MOST || ask->steps < 1) return LAG_EINVAL;
    LAG_CLEANUP(lag_free_p) struct replay *replay = lag_calloc(1, sizeof(*replay));
    struct lag_rung rung;
    if (!replay) return LAG_ENOMEM;
    replay->ask = ask;
    memcpy(replay->curves, ask->group->curves, (size_t)ask->n_candidates * sizeof(*replay->curves));
    int rc = find_times(replay), number = 0;
    while (rc == 0) {
        rc = look_at(replay, ++number, &rung);
        if (rc != 0 || rung.step == LAG_STEP_END) break;
        follow(replay, number, replay->times[number - 1]);
    }
    if (rc != 0) return rc;
    const int64_t t = replay->times[number - 1];
    *ret = (struct lag_replay){.pick = rung.verdict.pick, .t = t, .n_looks = number, .basis = rung.verdict.basis,
                               .regret = regret_of(replay, rung.verdict.pick), .steps = count_steps(replay, t)};
    return 0;
}

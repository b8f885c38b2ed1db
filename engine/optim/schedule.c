/* Learning-rate schedules, as pure functions of the step. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/names.h>
#include <lagd/engine/optim.h>

#include <math.h>

const char *const lag_schedule_names[] = {
    [LAG_SCHEDULE_CONSTANT] = "constant",
    [LAG_SCHEDULE_COSINE] = "cosine",
    [LAG_SCHEDULE_WSD] = "wsd",
    [LAG_N_SCHEDULES] = NULL,
};

const char *lag_schedule_name(enum lag_schedule_kind kind) {
    return (unsigned)kind < LAG_N_SCHEDULES ? lag_schedule_names[kind] : "?";
}

int lag_schedule_parse(const char *name, enum lag_schedule_kind *ret) {
    int i = lag_names_find(lag_schedule_names, name);
    if (i < 0) return LAG_ENOTFOUND;
    *ret = (enum lag_schedule_kind)i;
    return 0;
}

/* Share of (peak - min) at part 0 … 1 of the steps behind the warm-up. */
static double shape(const struct lag_schedule *schedule, double part) {
    switch (schedule->kind) {
    case LAG_SCHEDULE_COSINE: /* Loshchilov & Hutter, arXiv 1608.03983, without restarts */
        return 0.5 * (1 + cos(M_PI * part));
    case LAG_SCHEDULE_WSD: { /* Hu et al., arXiv 2404.06395 */
        const double stable = 1 - schedule->decay_fraction;
        return part <= stable ? 1 : (1 - part) / schedule->decay_fraction;
    }
    default:
        return 1;
    }
}

double lag_schedule_lr(const struct lag_schedule *schedule, double peak_lr, int64_t step, int64_t origin) {
    const int64_t t = step - origin;
    if (t < schedule->warmup_steps) return peak_lr * (double)(t + 1) / (double)schedule->warmup_steps;
    const int64_t rest = schedule->max_steps - origin - schedule->warmup_steps;
    const double part = rest > 0 ? LAG_MIN(1.0, (double)(t - schedule->warmup_steps) / (double)rest) : 1;
    const double share = shape(schedule, part);
    return share >= 1 ? peak_lr : schedule->min_lr + (peak_lr - schedule->min_lr) * share;
}

struct lag_phases lag_schedule_phases(const struct lag_schedule *schedule, int64_t origin) {
    const int64_t warm = origin + schedule->warmup_steps, rest = schedule->max_steps - warm;
    struct lag_phases phases = {warm, INT64_MAX};
    if (schedule->kind == LAG_SCHEDULE_WSD && rest > 0)
        phases.decays_from = warm + (int64_t)floor((1 - schedule->decay_fraction) * (double)rest) + 1;
    return phases;
}

double lag_rewarm_factor(const struct lag_segment *segment, int64_t step) {
    const int64_t t = step - segment->rewarm_from;
    if (segment->rewarm_steps <= 0 || t < 0 || t >= segment->rewarm_steps) return 1;
    return (double)(t + 1) / (double)segment->rewarm_steps;
}

double lag_highest_lr(const struct lag_state *state, double lr) {
    double highest = 0;
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_segment *segment = &state->segments[i];
        if (lag_is_frozen(segment, state->step)) continue;
        highest = fmax(highest, segment->lr_factor * lag_rewarm_factor(segment, state->step));
    }
    return lr * highest;
}

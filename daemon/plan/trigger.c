/* When a stage begins. */
#include "plan/trigger_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- the table --------------------------------------------------------------------------------------------------- */

static const char *const kinds[] = {"", "step", "tokens", "flops", "slope", NULL};

#define AT(member) LAG_FIELD_AT(struct lagd_trigger, member)
static const struct lag_field rows[] = {
    {"kind", LAG_FIELD_CHOICE, AT(kind), 0, 0, "", kinds, 0, "", "Which of those below it is."},
    {"step", LAG_FIELD_INT, AT(step), 0, 1e9, "0", NULL, 0, "steps", "The stage begins at this step."},
    {"tokens", LAG_FIELD_INT, AT(tokens), 0, LAG_FIELD_EXACT_MAX, "0", NULL, 0, "tokens",
     "It begins once the run has trained on so many tokens."},
    {"flops", LAG_FIELD_REAL, AT(flops), 0, 1e30, "0", NULL, 0, "",
     "It begins once the run has spent so many FLOPs on training: its flops_training."},
    {"slope/below", LAG_FIELD_REAL, AT(slope.below), 0, 1000, "0", NULL, 0, "nats per 1000 steps",
     "It begins once the smoothed training loss falls by less than this in 1000 steps."},
    {"slope/hysteresis", LAG_FIELD_REAL, AT(slope.hysteresis), 0, 100, "0.25", NULL, 0, "",
     "Once it was below, it counts as flat until it falls faster than below by this share of it."},
    {"slope/window_steps", LAG_FIELD_INT, AT(slope.window_steps), 4, 1e6, "200", NULL, 0, "steps",
     "The slope is that of a straight line through the losses of so many steps, averaged in 16 pieces."},
    {"slope/hold_steps", LAG_FIELD_INT, AT(slope.hold_steps), 0, 1e6, "0", NULL, 0, "steps",
     "For so many steps it must have been flat; 0 for half the window."},
    {"slope/least_steps", LAG_FIELD_INT, AT(slope.least_steps), 0, 1e9, "0", NULL, 0, "steps",
     "The shape before it trains for at least so many steps, its probe's included."},
    {"slope/most_steps", LAG_FIELD_INT, AT(slope.most_steps), 0, 1e9, "0", NULL, 0, "steps",
     "And for at most so many: then the stage begins anyway; 0 for no end."},
};
#undef AT
const struct lag_fields lagd_trigger_stored_fields = {rows, LAG_COUNT(rows)};
const struct lag_fields lagd_trigger_fields = {rows + 1, LAG_COUNT(rows) - 1};

#define AT(member) LAG_FIELD_AT(struct lagd_plan_request, member)
static const struct lag_field length_rows[] = {
    {"prop_alpha", LAG_FIELD_REAL, AT(alpha), -10, 10, "1", NULL, 0, "",
     "Shape i, the first one included, trains for a share of the steps in proportion to i to this power."},
    {"steps", LAG_FIELD_INT, AT(steps), 1, 1e9, NULL, NULL, LAG_FIELD_REQUIRED, "steps",
     "Of all shapes together, from where the run is when the plan is set."},
};
#undef AT
const struct lag_fields lagd_lengths_fields = {length_rows, LAG_COUNT(length_rows)};

enum lagd_trigger_kind lagd_trigger_kind(const struct lagd_trigger *trigger) {
    for (int i = 0; i < LAGD_N_TRIGGERS; i++)
        if (strcmp(trigger->kind, kinds[i]) == 0) return (enum lagd_trigger_kind)i;
    return LAGD_TRIGGER_NONE;
}

int lagd_trigger_format(const struct lagd_trigger *trigger, char ret[LAG_ROW_TEXT], struct lag_error *err) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_trigger_stored_fields, trigger, &out);
    const int rc = out.failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a trigger") : 0;
    const int cut = rc == 0 ? lag_copy(ret, LAG_ROW_TEXT, out.data) : 0;
    LAG_ASSERT(cut == 0); /* its numbers are bounded */
    lag_strbuf_deinit(&out);
    return rc;
}

int lagd_trigger_parse(const char *text, struct lagd_trigger *ret, struct lag_error *err) {
    return lag_fields_parse(&lagd_trigger_stored_fields, ret, text, err);
}

/* --- slope ------------------------------------------------------------------------------------------------------- */

enum { PIECES = 16, PATIENCE = 4 }; /* of a window; how many times hold_steps are looked back over, at most */

static int64_t stride_of(const struct lagd_slope *slope) { return LAG_MAX(1, slope->window_steps / PIECES); }

static int64_t hold_looks(const struct lagd_slope *slope) {
    const int64_t hold = slope->hold_steps > 0 ? slope->hold_steps : slope->window_steps / 2, stride = stride_of(slope);
    return (hold + stride - 1) / stride;
}

/* Mean of the piece that ends `back` pieces before now. */
static double piece(const struct lagd_trajectory *at, int64_t stride, int64_t back) {
    const double *end = at->losses + at->n_losses - back * stride;
    double sum = 0;
    for (int64_t i = 1; i <= stride; i++) sum += end[-i];
    return sum / (double)stride;
}

/* Least squares through the pieces' means. */
double lagd_trigger_decline(const struct lagd_trigger *trigger, const struct lagd_trajectory *at, int64_t look) {
    const int64_t stride = stride_of(&trigger->slope), n = trigger->slope.window_steps / stride;
    const int64_t have = LAG_MIN(at->n_losses, at->step - at->since);
    if ((look + n) * stride > have) return NAN;
    const double middle = (double)(n - 1) / 2;
    double product = 0, square = 0;
    for (int64_t i = 0; i < n; i++) { /* from the newest piece back */
        const double x = middle - (double)i;
        product += x * piece(at, stride, look + i);
        square += x * x;
    }
    return -1000 * product / (square * (double)stride);
}

static bool has_flattened(const struct lagd_trigger *trigger, const struct lagd_trajectory *at, char *why) {
    const struct lagd_slope *slope = &trigger->slope;
    const int64_t least = hold_looks(slope), stride = stride_of(slope);
    const double release = slope->below * (1 + slope->hysteresis);
    for (int64_t look = 0; look <= PATIENCE * least; look++) {
        const double decline = lagd_trigger_decline(trigger, at, look);
        if (!(decline <= release)) return false; /* NaN, too */
        if (look < least || !(decline < slope->below)) continue;
        (void)snprintf(why, LAG_ROW_TEXT, "the training loss fell by %.4g nats in 1000 steps at step %" PRId64
                       ", less than %.4g, and by no more than %.4g since: by %.4g now", decline,
                       at->step - look * stride, slope->below, release, lagd_trigger_decline(trigger, at, 0));
        return true;
    }
    return false;
}

static bool slope_fires(const struct lagd_trigger *trigger, const struct lagd_trajectory *at, char *why) {
    const struct lagd_slope *slope = &trigger->slope;
    const int64_t steps = at->step - at->since;
    if (slope->most_steps > 0 && steps >= slope->most_steps) {
        (void)snprintf(why, LAG_ROW_TEXT, "it had trained for %" PRId64 " steps, most_steps, and its loss still fell",
                       steps);
        return true;
    }
    return steps >= slope->least_steps && steps % stride_of(slope) == 0 && has_flattened(trigger, at, why);
}

/* --- all kinds --------------------------------------------------------------------------------------------------- */

int64_t lagd_trigger_needs(const struct lagd_trigger *trigger) {
    const struct lagd_slope *slope = &trigger->slope;
    if (lagd_trigger_kind(trigger) != LAGD_TRIGGER_SLOPE) return 0;
    return slope->window_steps + PATIENCE * hold_looks(slope) * stride_of(slope);
}

bool lagd_trigger_looks_at(const struct lagd_trigger *trigger, int64_t since, int64_t step) {
    if (lagd_trigger_kind(trigger) != LAGD_TRIGGER_SLOPE) return true;
    return (step - since) % stride_of(&trigger->slope) == 0 ||
           (trigger->slope.most_steps > 0 && step - since >= trigger->slope.most_steps);
}

bool lagd_trigger_fires(const struct lagd_trigger *trigger, const struct lagd_trajectory *at, char *why) {
    switch (lagd_trigger_kind(trigger)) {
    case LAGD_TRIGGER_STEP:
        (void)snprintf(why, LAG_ROW_TEXT, "step %" PRId64 " was reached", trigger->step);
        return at->step >= trigger->step;
    case LAGD_TRIGGER_TOKENS:
        (void)snprintf(why, LAG_ROW_TEXT, "%" PRId64 " tokens were trained on", trigger->tokens);
        return at->tokens >= trigger->tokens;
    case LAGD_TRIGGER_FLOPS:
        (void)snprintf(why, LAG_ROW_TEXT, "%.4g FLOPs were spent on training", trigger->flops);
        return at->flops >= trigger->flops;
    case LAGD_TRIGGER_SLOPE: return slope_fires(trigger, at, why);
    default: return false;
    }
}

int64_t lagd_trigger_earliest(const struct lagd_trigger *trigger, const struct lagd_trajectory *from,
                              int64_t step_tokens, double step_flops) {
    const struct lagd_slope *slope = &trigger->slope;
    int64_t step = 0;
    switch (lagd_trigger_kind(trigger)) {
    case LAGD_TRIGGER_STEP: step = trigger->step; break;
    case LAGD_TRIGGER_TOKENS: step = (trigger->tokens + step_tokens - 1) / step_tokens; break;
    case LAGD_TRIGGER_FLOPS:
        step = from->step + (int64_t)fmin(4e18, ceil(fmax(0, trigger->flops - from->flops) / step_flops));
        break;
    case LAGD_TRIGGER_SLOPE:
        step = LAG_MAX(slope->least_steps, slope->window_steps + hold_looks(slope) * stride_of(slope));
        if (slope->most_steps > 0) step = LAG_MIN(step, slope->most_steps);
        step += from->since;
        break;
    default: break;
    }
    return LAG_MAX(step, from->step);
}

int64_t lagd_prop_alpha(int64_t start, int64_t steps, double alpha, int n, int i) {
    double before = 0, all = 0;
    for (int j = 1; j <= n; j++) {
        if (j < i) before += pow(j, alpha);
        all += pow(j, alpha);
    }
    return start + (int64_t)llround((double)steps * before / all);
}

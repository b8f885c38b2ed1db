/* Figures of a study that say what each lag tells: agreement, regret, and loss against FLOPs. */
#include "encode/study_svg_internal.h"

#include <inttypes.h>
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdio.h>

/* Columns of the report's points, as lines and bands take them. */
struct columns {
    int n;
    double *x, *y, *low, *high, *other; /* [n], in one block at x */
};

static bool columns_init(struct columns *columns, int n, struct lag_strbuf *out) {
    const size_t size = (size_t)n;
    columns->n = n;
    columns->x = lag_calloc(size * 5 + 1, sizeof(double));
    if (!columns->x) {
        out->failed = true;
        return false;
    }
    columns->y = columns->x + size;
    columns->low = columns->y + size;
    columns->high = columns->low + size;
    columns->other = columns->high + size;
    return true;
}

static void columns_deinit(struct columns *columns) { lag_free_p(&columns->x); }

/* --- agreement --------------------------------------------------------------------------------------------------- */

#define AGREEMENT_LEFT 74.0
#define AGREEMENT_WIDTH 550.0

static const char *const phase_titles[] = {
    [LAGD_PHASE_WARM] = "warm: the learning rate still rises",
    [LAGD_PHASE_CONSTANT] = "constant: the learning rate stays",
    [LAGD_PHASE_DECAY] = "decay: the learning rate falls to its end",
};

/* Middle between the point before k and k itself, in px; the plot's edges at both ends. */
static double border(const struct lagd_study_result *result, const struct lagd_svg_plot *plot, int k) {
    const struct lagd_study_point *points = result->report.points;
    if (k <= 0) return plot->left;
    if (k >= result->report.n_points) return plot->left + plot->width;
    return (lagd_svg_x(plot, (double)points[k - 1].t) + lagd_svg_x(plot, (double)points[k].t)) / 2;
}

static void phases(const struct lagd_study_result *result, const struct lagd_svg_plot *plot, bool named) {
    static const double opacities[] = {[LAGD_PHASE_WARM] = 0.13, [LAGD_PHASE_CONSTANT] = 0.0,
                                       [LAGD_PHASE_DECAY] = 0.13};
    const struct lagd_study_findings *report = &result->report;
    for (int k = 0, next; k < report->n_points; k = next) {
        const enum lagd_phase phase = report->points[k].phase;
        for (next = k; next < report->n_points && report->points[next].phase == phase; next++) continue;
        const double x1 = border(result, plot, k), x2 = border(result, plot, next);
        const char *name = lagd_phase_names[phase];
        lagd_svg_begin_ink(plot->out, LAGD_SVG_DIM);
        lagd_svg_shade(plot, x1, x2, opacities[phase], phase_titles[phase]);
        if (named && x2 - x1 > lagd_svg_text_width(name) - 20)
            lagd_svg_text(plot->out, (x1 + x2) / 2, plot->top - 6, LAGD_SVG_MIDDLE, "%s", name);
        if (next < report->n_points)
            lagd_svg_rule(plot->out, x2, plot->top - 4, x2, plot->top + plot->height, 1, "2 3");
        lagd_svg_end(plot->out);
    }
}

static void transition(const struct lagd_study_result *result, const struct lagd_svg_plot *plot, bool named) {
    const struct lagd_study_break *at = &result->report.transition;
    const double x = lagd_svg_x(plot, (double)at->t), bottom = plot->top + plot->height;
    char title[160];
    if (at->t < 0) return;
    (void)snprintf(title, sizeof(title), "The transition lies in (%" PRId64 ", %" PRId64 "] at 95 %%: pair accuracy "
                   "%.2f before, %.2f from there on", at->low, at->high, at->level_before, at->level_after);
    lagd_svg_begin_ink(plot->out, LAGD_SVG_MARKER);
    if (at->low >= 0 && at->high >= 0)
        lagd_svg_shade(plot, lagd_svg_x(plot, (double)at->low), lagd_svg_x(plot, (double)at->high), 0.16, title);
    lagd_svg_rule(plot->out, x, plot->top, x, bottom, 2, "5 4");
    const bool at_end = x > plot->left + plot->width * 0.7;
    (void)snprintf(title, sizeof(title), "transition: t = %" PRId64 "%s", at->t,
                   result->n_seeds > 1 ? "" : ", of one seed");
    if (named)
        lagd_svg_note(plot->out, at_end ? x - 5 : x + 5, bottom - 8, at_end ? LAGD_SVG_END : LAGD_SVG_START, title);
    lagd_svg_end(plot->out);
}

static void read_agreement(const struct lagd_study_result *result, struct columns *columns) {
    for (int k = 0; k < columns->n; k++) {
        const struct lagd_study_point *point = &result->report.points[k];
        columns->x[k] = (double)point->t;
        columns->y[k] = point->agreement.pair_accuracy;
        columns->low[k] = point->agreement.low;
        columns->high[k] = point->agreement.high;
        columns->other[k] = point->agreement.spearman;
    }
}

static void marks(const struct lagd_svg_plot *plot, const struct columns *columns, const double *y, const char *what) {
    char title[160];
    double last = NAN;
    for (int k = 0; k < columns->n; k++) {
        if (!lagd_svg_apart(&last, lagd_svg_x(plot, columns->x[k]))) continue;
        if (y == columns->y && isfinite(columns->low[k]))
            (void)snprintf(title, sizeof(title), "t = %.0f: %s %.3f, 95 %% interval %.3f to %.3f", columns->x[k], what,
                           y[k], columns->low[k], columns->high[k]);
        else
            (void)snprintf(title, sizeof(title), "t = %.0f: %s %.3f", columns->x[k], what, y[k]);
        lagd_svg_mark(plot->out, 0, lagd_svg_x(plot, columns->x[k]), lagd_svg_y(plot, y[k]), 3, title);
    }
}

static void accuracy(const struct lagd_study_result *result, const struct columns *columns, struct lag_strbuf *out) {
    struct lagd_svg_plot plot = {.out = out, .left = AGREEMENT_LEFT, .top = 24, .width = AGREEMENT_WIDTH, .height = 210,
                                 .x = lagd_figure_steps(result, ""), .y = {0, 1, .name = "pairs in the final order"}};
    struct lagd_range range = {0.5, 1};
    for (int k = 0; k < columns->n; k++) lagd_range_add(&range, fmin(columns->y[k], columns->low[k]));
    plot.y.low = fmax(0, floor(range.low * 10) / 10);
    phases(result, &plot, true);
    lagd_svg_axes(&plot);
    lagd_svg_begin_style(out, 0);
    lagd_svg_band(&plot, columns->n, columns->x, columns->low, columns->high);
    lagd_svg_line(&plot, &(struct lagd_svg_series){columns->n, columns->x, columns->y}, 2, NULL);
    marks(&plot, columns, columns->y, "pair accuracy");
    lagd_svg_end(out);
    lagd_svg_begin_ink(out, LAGD_SVG_DIM);
    lagd_svg_level(&plot, 0.5, "2 3", "0.5: a coin toss");
    lagd_svg_end(out);
    lagd_svg_begin_ink(out, LAGD_SVG_GOOD);
    lagd_svg_level(&plot, result->report.ceiling_accuracy, "9 3 2 3", "ceiling");
    lagd_svg_end(out);
    transition(result, &plot, true);
}

static void ranks(const struct lagd_study_result *result, const struct columns *columns, struct lag_strbuf *out) {
    struct lagd_svg_plot plot = {.out = out, .left = AGREEMENT_LEFT, .top = 278, .width = AGREEMENT_WIDTH,
                                 .height = 140, .x = lagd_figure_steps(result, "steps since the growth"),
                                 .y = {-1, 1, .name = "Spearman \u03c1"}};
    phases(result, &plot, false);
    lagd_svg_axes(&plot);
    lagd_svg_begin_style(out, 1);
    lagd_svg_line(&plot, &(struct lagd_svg_series){columns->n, columns->x, columns->other}, 2, NULL);
    marks(&plot, columns, columns->other, "Spearman's \u03c1");
    lagd_svg_end(out);
    lagd_svg_begin_ink(out, LAGD_SVG_DIM);
    lagd_svg_level(&plot, 0, "2 3", "0: no relation");
    lagd_svg_end(out);
    transition(result, &plot, false);
}

void lagd_figure_agreement(const struct lagd_study_result *result, struct lag_strbuf *out) {
    LAG_CLEANUP(columns_deinit) struct columns columns = {0};
    if (!columns_init(&columns, result->report.n_points, out)) return;
    read_agreement(result, &columns);
    accuracy(result, &columns, out);
    ranks(result, &columns, out);
}

/* --- regret against the cost of probing -------------------------------------------------------------------------- */

static void read_regret(const struct lagd_study_result *result, struct columns *columns) {
    for (int k = 0; k < columns->n; k++) {
        const struct lagd_study_regret *regret = &result->report.points[k].regret;
        columns->x[k] = regret->probe_steps;
        columns->y[k] = regret->regret;
        columns->low[k] = regret->low;
        columns->high[k] = regret->high;
    }
}

static void fit_regret(const struct lagd_study_result *result, const struct columns *columns,
                       struct lagd_svg_plot *plot) {
    struct lagd_range x = LAGD_RANGE_INIT, y = {0, 0}, ends = {0, 0};
    for (int k = 0; k < columns->n; k++) {
        if (columns->x[k] > 0) lagd_range_add(&x, columns->x[k]);
        lagd_range_add(&y, columns->y[k]);
        lagd_range_add(&ends, columns->high[k]);
    }
    for (int i = 0; i < result->n_allocators; i++) {
        lagd_range_add(&x, result->allocators[i].probe_steps);
        lagd_range_add(&y, result->allocators[i].regret);
    }
    lagd_range_add(&y, result->report.random);
    lagd_range_add(&y, result->study.delta);
    lagd_svg_axis_fit(&plot->x, x.low, fmax(x.high, x.low * 2));
    plot->y.low = 0;
    plot->y.high = fmax(1e-6, fmin(ends.high > y.high ? ends.high : y.high, y.high * 1.6) * 1.08);
}

static void regret_points(const struct lagd_study_result *result, const struct columns *columns,
                          const struct lagd_svg_plot *plot) {
    char title[LAGD_LABEL + 192];
    double last = NAN;
    lagd_svg_begin_style(plot->out, 0);
    lagd_svg_begin_clip(plot, "sf-regret-clip");
    lagd_svg_band(plot, columns->n, columns->x, columns->low, columns->high);
    lagd_svg_line(plot, &(struct lagd_svg_series){columns->n, columns->x, columns->y}, 1.8, NULL);
    lagd_svg_end(plot->out);
    for (int k = 0; k < columns->n; k++) {
        const struct lagd_study_point *point = &result->report.points[k];
        const int pick = point->regret.pick;
        if (!lagd_svg_apart(&last, lagd_svg_x(plot, columns->x[k]))) continue;
        (void)snprintf(title, sizeof(title), "all@%" PRId64 ": picks %s in %d of %d seeds, loses %.4f, 95 %% interval "
                       "%.4f to %.4f; %.0f steps of probing", point->t,
                       pick < 0 ? "none" : result->candidates[pick].label, point->regret.n_picked, result->n_seeds,
                       columns->y[k], columns->low[k], columns->high[k], columns->x[k]);
        lagd_svg_mark(plot->out, 0, lagd_svg_x(plot, columns->x[k]), lagd_svg_y(plot, columns->y[k]), 3.5, title);
    }
    lagd_svg_end(plot->out);
}

/* Names of as many points as there is room for, along the top. */
static void regret_names(const struct lagd_study_result *result, const struct columns *columns,
                         const struct lagd_svg_plot *plot) {
    double free_from = plot->left - 30;
    char name[40], si[24];
    lagd_svg_begin_ink(plot->out, LAGD_SVG_DIM);
    for (int k = 0; k < columns->n; k++) {
        const double x = lagd_svg_x(plot, columns->x[k]);
        lagd_svg_si((double)result->report.points[k].t, "", si);
        (void)snprintf(name, sizeof(name), "all@%s", si);
        const double half = lagd_svg_text_width(name) / 2;
        if (!isfinite(x) || x - half < free_from) continue;
        lagd_svg_text(plot->out, x, plot->top - 8, LAGD_SVG_MIDDLE, "%s", name);
        lagd_svg_rule(plot->out, x, plot->top - 4, x, plot->top + 2, 1, NULL);
        free_from = x + half + 10;
    }
    lagd_svg_end(plot->out);
}

/* Allocators are no lags: each is a point of its own, named beside it; names that would cover one another go up. */
static void allocator_points(const struct lagd_study_result *result, const struct lagd_svg_plot *plot) {
    double taken_x = NAN, taken_y = NAN;
    char title[160];
    for (int i = 0; i < result->n_allocators; i++) {
        const struct lagd_study_allocator *one = &result->allocators[i];
        const double x = lagd_svg_x(plot, one->probe_steps), y = lagd_svg_y(plot, one->regret);
        if (!isfinite(x) || !isfinite(y)) continue;
        (void)snprintf(title, sizeof(title), "%s: loses %.4f on average, %.0f steps of probing, %.3g %% of training "
                       "all to the horizon", one->name, one->regret, one->probe_steps, 100 * one->share_of_all);
        const bool at_end = x > plot->left + plot->width * 0.85;
        double at = y - 6;
        if (fabs(x - taken_x) < 60 && fabs(at - taken_y) < 14) at = taken_y - 14;
        taken_x = x;
        taken_y = at;
        lagd_svg_begin_style(plot->out, i + 1);
        lagd_svg_mark(plot->out, i + 1, x, y, 6, title);
        lagd_svg_end(plot->out);
        lagd_svg_begin_ink(plot->out, LAGD_SVG_INK);
        lagd_svg_note(plot->out, at_end ? x - 9 : x + 9, at, at_end ? LAGD_SVG_END : LAGD_SVG_START, one->name);
        lagd_svg_end(plot->out);
    }
}

static void sufficient(const struct lagd_study_result *result, const struct lagd_svg_plot *plot) {
    const struct lagd_study_point *point = lagd_study_point(result, result->report.sufficient_steps);
    char name[64];
    if (!point) return;
    const double x = lagd_svg_x(plot, point->regret.probe_steps);
    lagd_svg_begin_ink(plot->out, LAGD_SVG_GOOD);
    lagd_svg_rule(plot->out, x, plot->top, x, plot->top + plot->height, 2, "5 4");
    const bool at_end = x > plot->left + plot->width * 0.6;
    (void)snprintf(name, sizeof(name), "suffices from t = %" PRId64 " on", point->t);
    lagd_svg_note(plot->out, at_end ? x - 6 : x + 6, plot->top + 16, at_end ? LAGD_SVG_END : LAGD_SVG_START, name);
    lagd_svg_end(plot->out);
}

/* Two levels whose names would cover one another are named together. */
static void levels(const struct lagd_study_result *result, const struct lagd_svg_plot *plot) {
    const double random = result->report.random, delta = result->study.delta;
    const bool together = fabs(lagd_svg_y(plot, random) - lagd_svg_y(plot, delta)) < 14;
    lagd_svg_begin_ink(plot->out, LAGD_SVG_WARN);
    lagd_svg_level(plot, random, "7 4", together ? "random pick, delta" : "random pick");
    lagd_svg_end(plot->out);
    lagd_svg_begin_ink(plot->out, LAGD_SVG_DIM);
    lagd_svg_level(plot, delta, "2 3", together ? "" : "delta");
    lagd_svg_end(plot->out);
}

void lagd_figure_regret(const struct lagd_study_result *result, struct lag_strbuf *out) {
    LAG_CLEANUP(columns_deinit) struct columns columns = {0};
    struct lagd_svg_plot plot = {.out = out, .left = 74, .top = 30, .width = 545, .height = 320,
                                 .x = {.log = true, .with_0 = true, .unit = "",
                                       .name = "steps of probing: all candidates up to t, of one seed"},
                                 .y = {.name = "regret of the pick, nats"}};
    if (!columns_init(&columns, result->report.n_points, out)) return;
    read_regret(result, &columns);
    fit_regret(result, &columns, &plot);
    lagd_svg_axes(&plot);
    levels(result, &plot);
    regret_points(result, &columns, &plot);
    regret_names(result, &columns, &plot);
    allocator_points(result, &plot);
    sufficient(result, &plot);
}

/* --- loss against FLOPs ------------------------------------------------------------------------------------------ */

struct path {
    const char *name, *dash;
    int style;
    int n;
    const double *flops, *losses;
};

static void draw_path(const struct lagd_svg_plot *plot, const struct path *path) {
    char title[LAGD_LABEL + 128], si[24];
    double last = NAN;
    lagd_svg_begin_style(plot->out, path->style);
    lagd_svg_line(plot, &(struct lagd_svg_series){path->n, path->flops, path->losses}, 1.8, path->dash);
    for (int i = 0; i < path->n; i++) {
        if (!lagd_svg_apart(&last, lagd_svg_x(plot, path->flops[i]))) continue;
        lagd_svg_si(path->flops[i], "FLOP", si);
        (void)snprintf(title, sizeof(title), "%s: %.4f at %s", path->name, path->losses[i], si);
        lagd_svg_mark(plot->out, path->style, lagd_svg_x(plot, path->flops[i]), lagd_svg_y(plot, path->losses[i]), 2.5,
                      title);
    }
    lagd_svg_end(plot->out);
}

/* FLOPs of a candidate's own training, its parent's included. */
static void own_flops(const struct lagd_study_result *result, int candidate, double *ret) {
    for (int k = 0; k < result->n_times; k++)
        ret[k] = result->study.parent_flops + result->candidates[candidate].learn_flops +
                 (double)result->times[k] * result->candidates[candidate].step_flops;
}

/* By the first path's and its like; a baseline from scratch, the last, is cut off where it only begins. */
static void fit_flops(const struct path *paths, int n, bool scratch, struct lagd_svg_plot *plot) {
    struct lagd_range x = LAGD_RANGE_INIT, y = LAGD_RANGE_INIT, late = LAGD_RANGE_INIT;
    for (int i = 0; i < n; i++) {
        const bool whole = !scratch || i < n - 1 || n == 1;
        for (int k = 0; k < paths[i].n; k++) {
            if (whole || paths[i].flops[k] > x.low) lagd_range_add(&x, paths[i].flops[k]);
            if (whole || paths[i].losses[k] < y.high) lagd_range_add(&y, paths[i].losses[k]);
            if (whole && k * 2 >= paths[i].n) lagd_range_add(&late, paths[i].losses[k]);
        }
    }
    lagd_svg_axis_fit(&plot->x, x.low * 0.8, fmax(x.high, x.low * 1.01));
    lagd_svg_axis_fit(&plot->y, y.low, fmin(y.high, late.high + (late.high - late.low) * 0.6));
}

static void equal_loss(const struct lagd_study_result *result, const struct lagd_svg_plot *plot) {
    const double y = lagd_svg_y(plot, result->equal_loss), from = lagd_svg_x(plot, result->grown_flops),
                 to = lagd_svg_x(plot, result->scratch_flops);
    char text[48];
    if (!isfinite(result->speedup)) return;
    lagd_svg_begin_ink(plot->out, LAGD_SVG_MARKER);
    lagd_svg_rule(plot->out, from, y, to, y, 2, NULL);
    lagd_svg_rule(plot->out, from, y - 5, from, y + 5, 2, NULL);
    lagd_svg_rule(plot->out, to, y - 5, to, y + 5, 2, NULL);
    (void)snprintf(text, sizeof(text), "\u00d7 %.2f", result->speedup);
    lagd_svg_note(plot->out, (from + to) / 2, y - 8, LAGD_SVG_MIDDLE, text);
    lagd_svg_end(plot->out);
}

static void flops_legend(struct lag_strbuf *out, const struct path *paths, int n, double y) {
    for (int i = 0; i < n; i++) {
        const double middle = y + i * LAGD_SVG_LINE;
        lagd_svg_begin_style(out, paths[i].style);
        lagd_svg_rule(out, 74, middle, 104, middle, 1.8, paths[i].dash);
        lagd_svg_mark(out, paths[i].style, 89, middle, 3.5, NULL);
        lagd_svg_end(out);
        lagd_svg_text(out, 112, middle + 4, LAGD_SVG_START, "%s", paths[i].name);
    }
}

static void charged_name(const struct lagd_study_result *result, char name[160]) {
    if (result->charged_lag == result->study.horizon)
        (void)snprintf(name, 160, "the same with all candidates to the horizon charged");
    else
        (void)snprintf(name, 160, "the pick at t = %" PRId64 " with all candidates up to there charged",
                       result->charged_lag);
}

static void scratch_name(const struct lagd_study_result *result, char name[160]) {
    (void)snprintf(name, 160, "from scratch, the target's shape");
    if (isfinite(result->speedup))
        (void)snprintf(name, 160, "from scratch, the target's shape: \u00d7 %.2f the FLOPs of the charged line "
                       "at a loss of %.4f", result->speedup, result->equal_loss);
}

void lagd_figure_flops(const struct lagd_study_result *result, struct lag_strbuf *out) {
    struct path paths[4];
    struct lagd_svg_plot plot = {.out = out, .left = 74, .top = 16, .width = 655, .height = 280,
                                 .x = {.log = true, .unit = "FLOP", .name = "FLOPs of all training, the parent's too"},
                                 .y = {.name = "validation loss"}};
    LAG_CLEANUP(columns_deinit) struct columns columns = {0};
    char best_name[LAGD_LABEL + 64], charged[160], scratch[160];
    int n = 0;
    const int best = lagd_study_best(result), none = lagd_study_reference(result);
    if (!columns_init(&columns, result->n_times, out)) return;
    if (best >= 0) {
        own_flops(result, best, columns.x);
        (void)snprintf(best_name, sizeof(best_name), "%s, the best at the horizon, its own training alone",
                       result->candidates[best].label);
        paths[n++] = (struct path){best_name, NULL, 0, result->n_times, columns.x, result->candidates[best].means};
    }
    if (result->grown.n > 0) {
        charged_name(result, charged);
        paths[n++] = (struct path){charged, "7 4", 1, result->grown.n, result->grown.flops, result->grown.losses};
    }
    if (none >= 0) {
        own_flops(result, none, columns.y);
        paths[n++] = (struct path){"none: the parent trained on", "4 4", -1, result->n_times, columns.y,
                                   result->candidates[none].means};
    }
    scratch_name(result, scratch);
    if (result->from_scratch.n > 0)
        paths[n++] = (struct path){scratch, "2 3", 2, result->from_scratch.n,
                                   result->from_scratch.flops, result->from_scratch.losses};
    fit_flops(paths, n, result->from_scratch.n > 0, &plot);
    lagd_svg_axes(&plot);
    lagd_svg_begin_clip(&plot, "sf-flops-clip");
    for (int i = 0; i < n; i++) draw_path(&plot, &paths[i]);
    equal_loss(result, &plot);
    lagd_svg_end(out);
    flops_legend(out, paths, n, plot.top + plot.height + 54);
}

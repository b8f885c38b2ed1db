/* The figures of a study: which there are, and those of losses. */
#include "encode/study_svg_internal.h"

#include <inttypes.h>
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- what several share ------------------------------------------------------------------------------------------ */

void lagd_range_add(struct lagd_range *range, double value) {
    if (!isfinite(value)) return;
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
}

int lagd_figure_style(const struct lagd_study_result *result, int candidate) {
    return result->candidates[candidate].reference ? -1 : candidate;
}

int lagd_figure_legend(const struct lagd_study_result *result, struct lagd_svg_label *labels) {
    int n = 0;
    for (int i = 0; i < result->n_candidates && n < LAGD_FIGURE_CANDIDATES; i++)
        if (lagd_study_ranked(result, i))
            labels[n++] = (struct lagd_svg_label){.index = i, .text = result->candidates[i].label};
    return n;
}

struct lagd_svg_axis lagd_figure_steps(const struct lagd_study_result *result, const char *name) {
    struct lagd_svg_axis axis = {.log = true, .with_0 = true, .name = name, .unit = ""};
    double first = NAN;
    for (int k = 0; k < result->n_times && !isfinite(first); k++)
        if (result->times[k] > 0) first = (double)result->times[k];
    lagd_svg_axis_fit(&axis, first, fmax((double)result->study.horizon, first * 2));
    return axis;
}

/* --- final loss against loss earlier ----------------------------------------------------------------------------- */

#define SCATTER_TOP 44.0
#define SCATTER_HEIGHT 280.0

static void scatter_marks(const struct lagd_study_result *result, const struct lagd_svg_plot *plot, int64_t t) {
    char title[LAGD_LABEL + 128];
    for (int i = 0; i < result->n_candidates; i++) {
        if (!lagd_study_ranked(result, i)) continue;
        lagd_svg_begin_style(plot->out, lagd_figure_style(result, i));
        for (int g = 0; g < result->n_seeds; g++) {
            const double early = lagd_study_loss(result, g, i, t), final = lagd_study_final(result, g, i);
            if (!isfinite(early) || !isfinite(final)) continue;
            (void)snprintf(title, sizeof(title), "%s, seed %" PRId64 ": %.4f at t = %" PRId64 ", ends at %.4f",
                           result->candidates[i].label, result->seeds[g].seed, early, t, final);
            lagd_svg_mark(plot->out, lagd_figure_style(result, i), lagd_svg_x(plot, early), lagd_svg_y(plot, final),
                          4.5, title);
        }
        lagd_svg_end(plot->out);
    }
}

static void fit_scatter(const struct lagd_study_result *result, struct lagd_svg_plot *plot, int64_t t) {
    struct lagd_range x = LAGD_RANGE_INIT, y = LAGD_RANGE_INIT;
    for (int i = 0; i < result->n_candidates; i++) {
        for (int g = 0; lagd_study_ranked(result, i) && g < result->n_seeds; g++) {
            if (!isfinite(lagd_study_final(result, g, i))) continue;
            lagd_range_add(&x, lagd_study_loss(result, g, i, t));
            lagd_range_add(&y, lagd_study_final(result, g, i));
        }
    }
    lagd_svg_axis_fit(&plot->x, x.low, x.high);
    lagd_svg_axis_fit(&plot->y, y.low, y.high);
}

static void scatter(const struct lagd_study_result *result, struct lag_strbuf *out, double left, int64_t t,
                    const char *title) {
    char x_name[64], text[64];
    (void)snprintf(x_name, sizeof(x_name), "loss at t = %" PRId64, t);
    struct lagd_svg_plot plot = {.out = out, .left = left, .top = SCATTER_TOP, .width = 285, .height = SCATTER_HEIGHT,
                                 .x = {.name = x_name}, .y = {.name = "loss at the horizon"}};
    const struct lagd_study_point *point = lagd_study_point(result, t);
    const double rho = point ? point->agreement.spearman : NAN;
    fit_scatter(result, &plot, t);
    lagd_svg_bold(out, left, 16, LAGD_SVG_START, title);
    if (isfinite(rho))
        (void)snprintf(text, sizeof(text), "Spearman \u03c1 = %s%.2f%s", rho < -0.005 ? "\u2212" : "", fabs(rho),
                       result->n_seeds > 1 ? ", mean over the seeds" : "");
    else
        (void)snprintf(text, sizeof(text), "Spearman \u03c1: not known, the losses are all equal");
    lagd_svg_text(out, left, 33, LAGD_SVG_START, "%s", text);
    lagd_svg_axes(&plot);
    scatter_marks(result, &plot, t);
}

void lagd_figure_scatter(const struct lagd_study_result *result, struct lag_strbuf *out) {
    struct lagd_svg_label labels[LAGD_FIGURE_CANDIDATES];
    const char *what;
    char title[96];
    const int64_t lag = lagd_study_lag(result, &what);
    (void)snprintf(title, sizeof(title), "%" PRId64 " steps later (%s)", lag, what);
    scatter(result, out, 74, 0, "Right after the growth (t = 0)");
    scatter(result, out, 456, lag, title);
    (void)lagd_svg_legend(out, labels, lagd_figure_legend(result, labels), 74, LAGD_SVG_WIDTH - 20,
                          SCATTER_TOP + SCATTER_HEIGHT + 46);
}

static double scatter_height(const struct lagd_study_result *result) {
    struct lagd_svg_label labels[LAGD_FIGURE_CANDIDATES];
    return SCATTER_TOP + SCATTER_HEIGHT + 56 +
           lagd_svg_legend(NULL, labels, lagd_figure_legend(result, labels), 74, LAGD_SVG_WIDTH - 20, 0);
}

/* --- candidates' curves ------------------------------------------------------------------------------------------ */

#define CURVES_TOP 18.0
#define CURVES_WIDTH 512.0

static double curves_plot_height(const struct lagd_study_result *result) {
    return fmax(300, result->n_candidates * 15.0 + 10);
}

/* From the lowest loss to a little above what all stay under in the last seven eighths: there they are told apart. */
static void fit_curves(const struct lagd_study_result *result, struct lagd_svg_plot *plot) {
    struct lagd_range all = LAGD_RANGE_INIT, late = LAGD_RANGE_INIT;
    for (int i = 0; i < result->n_candidates; i++) {
        for (int k = 0; k < result->n_times; k++) {
            lagd_range_add(&all, result->candidates[i].means[k]);
            if (result->times[k] * 8 >= result->study.horizon) lagd_range_add(&late, result->candidates[i].means[k]);
        }
    }
    const double top = late.high + (late.high - late.low) * 0.5;
    lagd_svg_axis_fit(&plot->y, all.low, fmin(all.high, isfinite(top) ? top : all.high));
}

static void curve(const struct lagd_study_result *result, const struct lagd_svg_plot *plot, const double *times,
                  int index) {
    const struct lagd_study_candidate *candidate = &result->candidates[index];
    const int style = lagd_figure_style(result, index);
    char title[LAGD_LABEL + 64];
    double last = NAN;
    lagd_svg_begin_style(plot->out, style);
    lagd_svg_line(plot, &(struct lagd_svg_series){result->n_times, times, candidate->means}, style < 0 ? 2 : 1.6,
                  lagd_svg_dash(style));
    for (int k = 0; k < result->n_times; k++) {
        if (!lagd_svg_apart(&last, lagd_svg_x(plot, times[k]))) continue;
        (void)snprintf(title, sizeof(title), "%s: %.4f at t = %" PRId64, candidate->label, candidate->means[k],
                       result->times[k]);
        lagd_svg_mark(plot->out, style, lagd_svg_x(plot, times[k]), lagd_svg_y(plot, candidate->means[k]), 2.5, title);
    }
    lagd_svg_end(plot->out);
}

static int end_labels(const struct lagd_study_result *result, const struct lagd_svg_plot *plot,
                      struct lagd_svg_label *labels) {
    int n = 0;
    for (int i = 0; i < result->n_candidates; i++) {
        double last = NAN;
        for (int k = 0; k < result->n_times; k++)
            if (isfinite(result->candidates[i].means[k])) last = result->candidates[i].means[k];
        if (!isfinite(last)) continue;
        const double y = fmin(fmax(lagd_svg_y(plot, last), plot->top), plot->top + plot->height);
        labels[n++] = (struct lagd_svg_label){.index = lagd_figure_style(result, i), .y = y,
                                              .text = result->candidates[i].label};
    }
    return n;
}

void lagd_figure_curves(const struct lagd_study_result *result, struct lag_strbuf *out) {
    struct lagd_svg_plot plot = {.out = out, .left = 74, .top = CURVES_TOP, .width = CURVES_WIDTH,
                                 .height = curves_plot_height(result),
                                 .x = lagd_figure_steps(result, "steps since the growth"),
                                 .y = {.name = "validation loss, mean over the seeds"}};
    struct lagd_svg_label labels[LAGD_FIGURE_CANDIDATES];
    LAG_CLEANUP(lag_free_p) double *times = lag_calloc((size_t)result->n_times + 1, sizeof(*times));
    if (!times) {
        out->failed = true;
        return;
    }
    for (int k = 0; k < result->n_times; k++) times[k] = (double)result->times[k];
    fit_curves(result, &plot);
    lagd_svg_axes(&plot);
    lagd_svg_begin_clip(&plot, "sf-curves-clip");
    for (int i = 0; i < result->n_candidates; i++) curve(result, &plot, times, i);
    lagd_svg_end(out);
    const double right = plot.left + plot.width;
    lagd_svg_labels(out, labels, end_labels(result, &plot, labels), lagd_svg_x(&plot, (double)result->study.horizon),
                    right + 28, plot.top, plot.top + plot.height);
}

static double curves_height(const struct lagd_study_result *result) {
    return CURVES_TOP + curves_plot_height(result) + 46;
}

/* --- the table of figures ---------------------------------------------------------------------------------------- */

static double agreement_height(const struct lagd_study_result *result) { return 470; }
static double regret_height(const struct lagd_study_result *result) { return 400; }
static double flops_height(const struct lagd_study_result *result) { return 420; }

static const struct figure {
    const char *name, *title, *description;
    bool of_report; /* else: of the curves alone */
    double (*height)(const struct lagd_study_result *);
    void (*draw)(const struct lagd_study_result *, struct lag_strbuf *);
} figures[] = {
    {"scatter", "Final loss against loss right after the growth, and after a lag",
     "Two scatter plots, a mark for each candidate and seed. Where the marks rise from left to right, the early loss "
     "tells the final order; where they do not, it misleads.", true, scatter_height, lagd_figure_scatter},
    {"agreement", "How well the loss at t tells the order at the horizon",
     "Pair accuracy with its 95 % interval, and Spearman's rank correlation, against the steps since the growth.", true,
     agreement_height, lagd_figure_agreement},
    {"curves", "The candidates' losses", "Validation loss of each candidate against the steps since the growth.", false,
     curves_height, lagd_figure_curves},
    {"regret", "What picking after t steps would have lost, against what the probing takes",
     "Final loss of the pick above the best one, with its 95 % interval, against the steps of all candidates up to "
     "then. The larger marks are what allocators would have lost, and taken.", true, regret_height, lagd_figure_regret},
    {"flops", "Loss against all FLOPs that were spent",
     "Growing, with the parent's training and with that of all candidates that were dropped; not growing; and training "
     "from scratch where the study has that.", false, flops_height, lagd_figure_flops},
};
const char *const lagd_study_figures[] = {"scatter", "agreement", "curves", "regret", "flops", NULL};
static_assert(LAG_COUNT(figures) + 1 == LAG_COUNT(lagd_study_figures), "each figure has a row");

static bool can_draw(const struct figure *figure, const struct lagd_study_result *result) {
    return figure->of_report ? result->has_report && result->report.n_points > 0
                             : result->n_seeds > 0 && result->n_times > 0;
}

static double height_of(const struct figure *figure, const struct lagd_study_result *result) {
    return can_draw(figure, result) ? figure->height(result) : 60;
}

static void draw(const struct figure *figure, const struct lagd_study_result *result, double y,
                 struct lag_strbuf *out) {
    const struct lagd_svg_document document = {figure->name, figure->title, figure->description, y,
                                               height_of(figure, result)};
    lagd_svg_open(out, &document);
    if (can_draw(figure, result))
        figure->draw(result, out);
    else
        lagd_svg_text(out, LAGD_SVG_WIDTH / 2.0, 34, LAGD_SVG_MIDDLE, "There is nothing to draw: %s.",
                      *result->why_not ? result->why_not : "no candidate was evaluated");
    lagd_svg_close(out);
}

static void draw_all(const struct lagd_study_result *result, struct lag_strbuf *out) {
    char title[LAG_ROW_NAME + 32];
    double y = 0;
    for (size_t i = 0; i < LAG_COUNT(figures); i++) y += LAGD_SVG_LINE * 2 + height_of(&figures[i], result);
    (void)snprintf(title, sizeof(title), "Study %s", result->study.name);
    lagd_svg_open(out, &(struct lagd_svg_document){"all", title, "All figures of the study.", -1, y});
    y = 0;
    for (size_t i = 0; i < LAG_COUNT(figures); i++) {
        lagd_svg_bold(out, 20, y + 22, LAGD_SVG_START, figures[i].title);
        y += LAGD_SVG_LINE * 2;
        draw(&figures[i], result, y, out);
        y += height_of(&figures[i], result);
    }
    lagd_svg_close(out);
}

bool lagd_study_write_svg(const struct lagd_study_result *result, const char *figure, struct lag_strbuf *out) {
    if (!figure || !*figure) {
        draw_all(result, out);
        return true;
    }
    for (size_t i = 0; i < LAG_COUNT(figures); i++) {
        if (strcmp(figures[i].name, figure) != 0) continue;
        draw(&figures[i], result, -1, out);
        return true;
    }
    return false;
}

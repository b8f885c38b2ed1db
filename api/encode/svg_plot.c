/* Plots: axes with ticks, linear and logarithmic, and lines and bands in them. */
#include "encode/svg_internal.h"

#include <math.h>
#include <stdio.h>

#define GAP_OF_0 46.0   /* from 0 to where the logarithmic part begins */
#define INSET_OF_0 12.0 /* of 0 from the plot's edge */

/* --- places ------------------------------------------------------------------------------------------------------ */

void lagd_svg_axis_fit(struct lagd_svg_axis *axis, double low, double high) {
    const double scale = fmax(fabs(low), fabs(high));
    if (!isfinite(low) || !isfinite(high)) {
        low = axis->log ? 1 : 0;
        high = axis->log ? 10 : 1;
    }
    if (axis->log) {
        const double margin = high > low * 1.001 ? pow(high / low, 0.03) : 1.3;
        axis->low = axis->with_0 ? low : low / margin;
        axis->high = high * margin;
        return;
    }
    const double margin = high > low ? (high - low) * 0.06 : scale > 0 ? scale * 0.01 : 1;
    axis->low = low - margin;
    axis->high = high + margin;
}

/* Share of the way from low to high. */
static double share_of(const struct lagd_svg_axis *axis, double value) {
    if (axis->log) return value > 0 ? log(value / axis->low) / log(axis->high / axis->low) : NAN;
    return (value - axis->low) / (axis->high - axis->low);
}

double lagd_svg_x(const struct lagd_svg_plot *plot, double value) {
    const double apart = plot->x.with_0 ? GAP_OF_0 + INSET_OF_0 : 0;
    if (plot->x.with_0 && value == 0) return plot->left + INSET_OF_0;
    return plot->left + apart + share_of(&plot->x, value) * (plot->width - apart);
}

double lagd_svg_y(const struct lagd_svg_plot *plot, double value) {
    return plot->top + plot->height - share_of(&plot->y, value) * plot->height;
}

/* --- ticks ------------------------------------------------------------------------------------------------------- */

enum { TICKS_MAX = 64 };
struct ticks {
    int n, digits; /* behind the point */
    double values[TICKS_MAX];
};

static void add_tick(struct ticks *ticks, const struct lagd_svg_axis *axis, double value) {
    const double slack = axis->log ? axis->low * 1e-9 : (axis->high - axis->low) * 1e-9;
    if (ticks->n < TICKS_MAX && value >= axis->low - slack && value <= axis->high + slack)
        ticks->values[ticks->n++] = value;
}

/* Steps of 1, 2 or 5 times a power of ten, at most `most` of them. */
static void linear_ticks(const struct lagd_svg_axis *axis, int most, struct ticks *ret) {
    const double rough = (axis->high - axis->low) / most, power = pow(10, floor(log10(rough)));
    const double step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
    ret->n = 0;
    ret->digits = (int)fmax(0, ceil(-log10(step) - 1e-9));
    for (double k = ceil(axis->low / step - 1e-9); k * step <= axis->high + step * 1e-9 && ret->n < TICKS_MAX; k++)
        add_tick(ret, axis, k * step);
}

static void decades(const struct lagd_svg_axis *axis, int every, bool thirds, struct ticks *ret) {
    ret->n = 0;
    for (int e = (int)floor(log10(axis->low)); pow(10, e) <= axis->high && ret->n < TICKS_MAX - 3; e++) {
        if (((e % every) + every) % every != 0) continue;
        add_tick(ret, axis, pow(10, e));
        if (!thirds) continue;
        add_tick(ret, axis, 2 * pow(10, e));
        add_tick(ret, axis, 5 * pow(10, e));
    }
}

static void log_ticks(const struct lagd_svg_axis *axis, int most, struct ticks *ret) {
    decades(axis, 1, true, ret);
    for (int every = 1; ret->n > most && every < 20; every++) decades(axis, every, false, ret);
    ret->digits = axis->low >= 1 ? 0 : (int)fmin(9, ceil(-log10(axis->low)));
    if (ret->n < 3 && axis->high < axis->low * 10) linear_ticks(axis, most, ret);
}

static void tick_text(const struct lagd_svg_axis *axis, const struct ticks *ticks, double value, char text[24]) {
    if (axis->unit)
        lagd_svg_si(value, axis->unit, text);
    else
        (void)snprintf(text, 24, "%.*f", ticks->digits, fabs(value) < 1e-12 ? 0 : value);
}

/* --- axes -------------------------------------------------------------------------------------------------------- */

static void x_axis(const struct lagd_svg_plot *plot) {
    struct ticks ticks;
    char text[24];
    const double bottom = plot->top + plot->height;
    if (plot->x.log) log_ticks(&plot->x, (int)(plot->width / 56), &ticks);
    else linear_ticks(&plot->x, (int)(plot->width / 56), &ticks);
    for (int i = 0; i < ticks.n; i++) {
        const double x = lagd_svg_x(plot, ticks.values[i]);
        tick_text(&plot->x, &ticks, ticks.values[i], text);
        lagd_svg_rule(plot->out, x, bottom, x, bottom + 4, 1, NULL);
        lagd_svg_text(plot->out, x, bottom + 17, LAGD_SVG_MIDDLE, "%s", text);
    }
    if (plot->x.with_0) {
        const double x = lagd_svg_x(plot, 0), gap = x + GAP_OF_0 / 2;
        lagd_svg_rule(plot->out, x, bottom, x, bottom + 4, 1, NULL);
        lagd_svg_text(plot->out, x, bottom + 17, LAGD_SVG_MIDDLE, "0");
        lagd_svg_rule(plot->out, gap - 4, bottom + 5, gap, bottom - 5, 1, NULL);
        lagd_svg_rule(plot->out, gap + 1, bottom + 5, gap + 5, bottom - 5, 1, NULL);
    }
    lagd_svg_text(plot->out, plot->left + plot->width / 2, bottom + 34, LAGD_SVG_MIDDLE, "%s", plot->x.name);
}

static void y_axis(const struct lagd_svg_plot *plot) {
    struct ticks ticks;
    char text[24];
    const double middle = plot->top + plot->height / 2;
    if (plot->y.log) log_ticks(&plot->y, (int)(plot->height / 32), &ticks);
    else linear_ticks(&plot->y, (int)(plot->height / 32), &ticks);
    for (int i = 0; i < ticks.n; i++) {
        const double y = lagd_svg_y(plot, ticks.values[i]);
        tick_text(&plot->y, &ticks, ticks.values[i], text);
        lagd_svg_begin_ink(plot->out, LAGD_SVG_GRID);
        lagd_svg_rule(plot->out, plot->left, y, plot->left + plot->width, y, 1, NULL);
        lagd_svg_end(plot->out);
        lagd_svg_text(plot->out, plot->left - 7, y + 4, LAGD_SVG_END, "%s", text);
    }
    lag_strbuf_printf(plot->out, "<text transform=\"translate(%.1f %.1f) rotate(-90)\" fill=\"currentColor\" "
                      "text-anchor=\"middle\">", plot->left - 58, middle);
    lagd_svg_escape(plot->out, plot->y.name);
    lag_strbuf_append(plot->out, "</text>\n");
}

void lagd_svg_axes(const struct lagd_svg_plot *plot) {
    const double bottom = plot->top + plot->height;
    lagd_svg_begin_ink(plot->out, LAGD_SVG_DIM);
    y_axis(plot);
    x_axis(plot);
    lagd_svg_rule(plot->out, plot->left, bottom, plot->left + plot->width, bottom, 1, NULL);
    lagd_svg_end(plot->out);
}

void lagd_svg_begin_clip(const struct lagd_svg_plot *plot, const char *id) {
    lag_strbuf_printf(plot->out, "<clipPath id=\"%s\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>"
                      "</clipPath>\n<g clip-path=\"url(#%s)\">\n", id, plot->left, plot->top - 2, plot->width,
                      plot->height + 4, id);
}

/* --- what stands in a plot --------------------------------------------------------------------------------------- */

void lagd_svg_line(const struct lagd_svg_plot *plot, const struct lagd_svg_series *series, double width,
                   const char *dash) {
    bool drawn = false;
    lag_strbuf_append(plot->out, "<path d=\"");
    for (int i = 0; i < series->n; i++) {
        const double x = lagd_svg_x(plot, series->x[i]), y = lagd_svg_y(plot, series->y[i]);
        const bool there = isfinite(x) && isfinite(y);
        if (there) lag_strbuf_printf(plot->out, "%s%.1f %.1f", drawn ? "L" : "M", x, y);
        drawn = there;
    }
    lag_strbuf_printf(plot->out, "\" stroke=\"currentColor\" fill=\"none\" stroke-width=\"%.1f\" "
                      "stroke-linejoin=\"round\"", width);
    if (dash) lag_strbuf_printf(plot->out, " stroke-dasharray=\"%s\"", dash);
    lag_strbuf_append(plot->out, "/>\n");
}

static double within(const struct lagd_svg_plot *plot, double y) {
    return fmin(fmax(y, plot->top), plot->top + plot->height);
}

/* One piece of a band: both ends of each interval from first to last are known. */
static void band_piece(const struct lagd_svg_plot *plot, const double *x, const double *low, const double *high,
                       int first, int last) {
    if (last <= first) return;
    lag_strbuf_append(plot->out, "<path d=\"");
    for (int i = first; i <= last; i++)
        lag_strbuf_printf(plot->out, "%s%.1f %.1f", i == first ? "M" : "L", lagd_svg_x(plot, x[i]),
                          within(plot, lagd_svg_y(plot, high[i])));
    for (int i = last; i >= first; i--)
        lag_strbuf_printf(plot->out, "L%.1f %.1f", lagd_svg_x(plot, x[i]), within(plot, lagd_svg_y(plot, low[i])));
    lag_strbuf_append(plot->out, "Z\" fill=\"currentColor\" fill-opacity=\"0.18\"/>\n");
}

void lagd_svg_band(const struct lagd_svg_plot *plot, int n, const double *x, const double *low, const double *high) {
    int first = 0;
    for (int i = 0; i <= n; i++) {
        if (i < n && isfinite(low[i]) && isfinite(high[i]) && isfinite(lagd_svg_x(plot, x[i]))) continue;
        band_piece(plot, x, low, high, first, i - 1);
        first = i + 1;
    }
}

bool lagd_svg_apart(double *last, double x) {
    if (!isfinite(x) || x - *last < 6) return false;
    *last = x;
    return true;
}

void lagd_svg_level(const struct lagd_svg_plot *plot, double value, const char *dash, const char *name) {
    const double y = lagd_svg_y(plot, value), right = plot->left + plot->width;
    if (!isfinite(y) || y < plot->top || y > plot->top + plot->height) return;
    lagd_svg_rule(plot->out, plot->left, y, right, y, 1.3, dash);
    lagd_svg_text(plot->out, right + 5, y + 4, LAGD_SVG_START, "%s", name);
}

void lagd_svg_shade(const struct lagd_svg_plot *plot, double x1, double x2, double opacity, const char *title) {
    if (!isfinite(x1) || !isfinite(x2) || x2 <= x1) return;
    lag_strbuf_printf(plot->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"currentColor\" "
                      "fill-opacity=\"%.2f\"><title>", x1, plot->top, x2 - x1, plot->height, opacity);
    lagd_svg_escape(plot->out, title);
    lag_strbuf_append(plot->out, "</title></rect>\n");
}

/* Bars, sparklines and plots. */
#include "draw_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ctl_width(const char *text) {
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* value scaled down by base until it is below it; the index of the unit. */
static size_t scale(double *value, double base, size_t n_units) {
    size_t unit = 0;
    while (fabs(*value) >= base * (1 - 5e-4) && unit + 1 < n_units) {
        *value /= base;
        unit++;
    }
    return unit;
}

void ctl_count_text(double value, char ret[16]) {
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    bool whole = value == floor(value) && fabs(value) < 1000;
    size_t unit = scale(&value, 1000, LAG_COUNT(units));
    int digits = whole || fabs(value) >= 100 ? 0 : fabs(value) >= 10 ? 1 : 2;
    (void)snprintf(ret, 16, "%.*f%s", digits, value, units[unit]);
}

void ctl_bytes_text(double value, char ret[16]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = scale(&value, 1024, LAG_COUNT(units));
    (void)snprintf(ret, 16, "%.*f %s", unit == 0 || value >= 100 ? 0 : 1, value, units[unit]);
}

void ctl_seconds_text(double seconds, char ret[48]) {
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    if (!(seconds >= 0) || seconds > 1e14) seconds = 0;
    int64_t whole = (int64_t)(seconds + 0.5);
    if (seconds > 0 && seconds < 9.95) {
        (void)snprintf(ret, 48, "%.1f s", seconds);
        return;
    }
    for (size_t i = 0; i < LAG_COUNT(units); i++) {
        if (whole < units[i].seconds && i + 1 < LAG_COUNT(units)) continue;
        long long first = whole / units[i].seconds, rest = whole % units[i].seconds;
        if (i + 1 < LAG_COUNT(units) && rest / units[i + 1].seconds > 0)
            (void)snprintf(ret, 48, "%lld %s %lld %s", first, units[i].unit, rest / units[i + 1].seconds,
                           units[i + 1].unit);
        else
            (void)snprintf(ret, 48, "%lld %s", first, units[i].unit);
        return;
    }
}

void ctl_bar(struct lag_strbuf *out, double fraction, int width, bool utf8) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    if (!(fraction > 0)) fraction = 0;
    if (fraction > 1) fraction = 1;
    int steps = (int)(fraction * width * (utf8 ? 8 : 1) + 1e-9), full = utf8 ? steps / 8 : steps;
    int part = utf8 ? steps % 8 : 0;
    for (int i = 0; i < full; i++) lag_strbuf_append(out, utf8 ? "█" : "#");
    if (part) lag_strbuf_append(out, eighths[part]);
    for (int i = full + (part > 0); i < width; i++) lag_strbuf_append(out, utf8 ? "░" : ".");
}

void ctl_spark(struct lag_strbuf *out, const double *values, size_t n, int width, bool utf8) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {"_", ".", ",", "-", "=", "+", "*", "#"};
    double low = INFINITY, high = -INFINITY;
    size_t cells = width > 0 && n > (size_t)width ? (size_t)width : n;
    if (width <= 0) return;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i])) {
            low = fmin(low, values[i]);
            high = fmax(high, values[i]);
        }
    }
    for (size_t c = 0; c < cells; c++) {
        double sum = 0;
        size_t count = 0, end = (c + 1) * n / cells;
        for (size_t i = c * n / cells; i < end; i++) {
            if (isfinite(values[i])) {
                sum += values[i];
                count++;
            }
        }
        int level = count == 0 || high <= low ? 0 : (int)((sum / (double)count - low) / (high - low) * 7.999);
        lag_strbuf_append(out, count == 0 ? " " : utf8 ? blocks[LAG_MIN(level, 7)] : ascii[LAG_MIN(level, 7)]);
    }
}

/* --- plots ------------------------------------------------------------------------------------------------------- */

/* A canvas of dots: 2 × 4 a cell as Braille patterns (U+2800), or one a cell in ASCII. */
struct canvas {
    uint8_t *dots;
    int width, height; /* cells */
    int across, down;  /* dots of a cell */
};

static void set_dot(struct canvas *canvas, int x, int y) {
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int column = x / canvas->across, row = y / canvas->down;
    if (x < 0 || y < 0 || column >= canvas->width || row >= canvas->height) return;
    canvas->dots[row * canvas->width + column] |= bits[y % canvas->down][x % canvas->across];
}

static void draw_line(struct canvas *canvas, int x0, int y0, int x1, int y1) {
    int n = LAG_MAX(abs(x1 - x0), abs(y1 - y0));
    for (int i = 0; i <= n; i++) {
        double t = n ? (double)i / n : 0;
        set_dot(canvas, (int)lround(x0 + t * (x1 - x0)), (int)lround(y0 + t * (y1 - y0)));
    }
}

struct range {
    double low, high;
};

static struct range range_of(const double *values, const double *others, size_t n) {
    struct range range = {INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i]) && isfinite(others[i])) {
            range.low = fmin(range.low, values[i]);
            range.high = fmax(range.high, values[i]);
        }
    }
    return range;
}

static int place(double value, struct range range, int n) {
    double width = range.high - range.low;
    return width > 0 ? (int)lround((value - range.low) / width * (n - 1)) : 0;
}

static void draw_curve(struct canvas *canvas, const double *x, const double *y, size_t n, struct range rx,
                       struct range ry) {
    int n_across = canvas->width * canvas->across, n_down = canvas->height * canvas->down, before_x = 0, before_y = 0;
    bool joined = false;
    for (size_t i = 0; i < n; i++) {
        bool shown = isfinite(x[i]) && isfinite(y[i]);
        if (shown) {
            int px = place(x[i], rx, n_across), py = n_down - 1 - place(y[i], ry, n_down);
            draw_line(canvas, joined ? before_x : px, joined ? before_y : py, px, py);
            before_x = px;
            before_y = py;
        }
        joined = shown;
    }
}

static void write_row(struct lag_strbuf *out, const struct canvas *canvas, int row, bool utf8) {
    int last = canvas->width;
    const uint8_t *dots = canvas->dots + (size_t)row * (size_t)canvas->width;
    while (last > 0 && dots[last - 1] == 0) last--;
    for (int i = 0; i < last; i++) {
        if (dots[i] == 0)
            lag_strbuf_append(out, " ");
        else if (!utf8)
            lag_strbuf_append(out, "*");
        else
            lag_strbuf_printf(out, "\xe2%c%c", 0xa0 + (dots[i] >> 6), 0x80 + (dots[i] & 0x3f));
    }
    lag_strbuf_append(out, "\n");
}

#define LABEL 10
void ctl_plot(struct lag_strbuf *out, const char *title, const double *x, const double *y, size_t n, int width,
              int height, bool utf8) {
    struct range rx = range_of(x, y, n), ry = range_of(y, x, n);
    char label[16] = "", left[24], right[24];
    struct canvas canvas = {NULL, LAG_MAX(width - LABEL - 2, 10), LAG_MAX(height, 2), utf8 ? 2 : 1, utf8 ? 4 : 1};
    LAG_CLEANUP(lag_free_p) uint8_t *dots = lag_calloc((size_t)canvas.width, (size_t)canvas.height);
    lag_strbuf_printf(out, "%s\n", title);
    if (!dots || !(rx.low <= rx.high)) {
        lag_strbuf_append(out, "  no points\n");
        return;
    }
    canvas.dots = dots;
    draw_curve(&canvas, x, y, n, rx, ry);
    for (int row = 0; row < canvas.height; row++) {
        bool ends = row == 0 || row == canvas.height - 1;
        if (ends) (void)snprintf(label, sizeof(label), "%.4g", row == 0 ? ry.high : ry.low);
        lag_strbuf_printf(out, "%*s %s", LABEL, ends ? label : "", utf8 ? (ends ? "┤" : "│") : (ends ? "+" : "|"));
        write_row(out, &canvas, row, utf8);
    }
    (void)snprintf(left, sizeof(left), "%.10g", rx.low);
    (void)snprintf(right, sizeof(right), "%.10g", rx.high);
    lag_strbuf_printf(out, "%*s %s", LABEL, "", utf8 ? "└" : "+");
    for (int i = 0; i < canvas.width; i++) lag_strbuf_append(out, utf8 ? "─" : "-");
    lag_strbuf_printf(out, "\n%*s  %s%*s\n", LABEL, "", left, LAG_MAX(canvas.width - (int)strlen(left), 1), right);
}

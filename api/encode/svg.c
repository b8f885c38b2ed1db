/* SVG text: documents, colours, marks and names. */
#include "encode/svg_internal.h"

#include <lagd/base/check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Okabe and Ito's palette, darkened until each has 3:1 against white, as in the dashboard's curves; the last is ink, as
 * grey is the reference's. */
static const char *const colours[] = {"#0b62ad", "#c44e00", "#00805c", "#a8467e",
                                      "#8a6500", "#2a8cb8", "#6a4fbf", "#1b1f26"};
static const struct { const char *class, *colour; } inks[] = {
    [LAGD_SVG_INK] = {"sf-ink", "#1b1f26"},       [LAGD_SVG_DIM] = {"sf-dim", "#59616e"},
    [LAGD_SVG_GRID] = {"sf-grid", "#dce0e6"},     [LAGD_SVG_MARKER] = {"sf-marker", "#6b3fa0"},
    [LAGD_SVG_WARN] = {"sf-warn", "#8a5a00"},     [LAGD_SVG_GOOD] = {"sf-good", "#0a7a4b"},
};
static const char *const dashes[] = {NULL, "7 4", "2 3", "9 3 2 3"};
/* Seven shapes and eight colours: no two of 56 are alike. Outlines of radius 1; NULL: a circle. */
static const char *const shapes[] = {
    NULL,
    "M-.85 -.85H.85V.85H-.85Z",
    "M0 -1.15L1.1 .85H-1.1Z",
    "M0 -1.25L1.25 0L0 1.25L-1.25 0Z",
    "M0 1.15L1.1 -.85H-1.1Z",
    "M-.4 -1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
    "M-1 -.5L-.5 -1L0 -.5L.5 -1L1 -.5L.5 0L1 .5L.5 1L0 .5L-.5 1L-1 .5L-.5 0Z",
};
static const char *const anchors[] = {"start", "middle", "end"};

/* --- a document -------------------------------------------------------------------------------------------------- */

void lagd_svg_escape(struct lag_strbuf *out, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '&') lag_strbuf_append(out, "&amp;");
        else if (*p == '<') lag_strbuf_append(out, "&lt;");
        else if (*p == '>') lag_strbuf_append(out, "&gt;");
        else if (*p == '"') lag_strbuf_append(out, "&quot;");
        else lag_strbuf_append_n(out, (unsigned char)*p < ' ' || *p == 0x7f ? " " : p, 1);
    }
}

void lagd_svg_open(struct lag_strbuf *out, const struct lagd_svg_document *document) {
    lag_strbuf_append(out, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    if (document->y >= 0) lag_strbuf_printf(out, " y=\"%.0f\"", document->y);
    lag_strbuf_printf(out, " width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" class=\"sf\" role=\"img\" "
                      "aria-labelledby=\"sf-%s-title sf-%s-desc\" color=\"%s\" font-family=\"system-ui, sans-serif\" "
                      "font-size=\"13\">\n<title id=\"sf-%s-title\">", LAGD_SVG_WIDTH, document->height,
                      LAGD_SVG_WIDTH, document->height, document->id, document->id, inks[LAGD_SVG_INK].colour,
                      document->id);
    lagd_svg_escape(out, document->title);
    lag_strbuf_printf(out, "</title>\n<desc id=\"sf-%s-desc\">", document->id);
    lagd_svg_escape(out, document->description);
    lag_strbuf_append(out, "</desc>\n<rect class=\"sf-back\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
}

void lagd_svg_close(struct lag_strbuf *out) { lag_strbuf_append(out, "</svg>\n"); }

/* --- colours ----------------------------------------------------------------------------------------------------- */

void lagd_svg_begin_ink(struct lag_strbuf *out, enum lagd_svg_ink ink) {
    lag_strbuf_printf(out, "<g class=\"%s\" color=\"%s\">\n", inks[ink].class, inks[ink].colour);
}

void lagd_svg_begin_style(struct lag_strbuf *out, int index) {
    if (index < 0) {
        lagd_svg_begin_ink(out, LAGD_SVG_DIM);
        return;
    }
    const int colour = index % (int)LAG_COUNT(colours);
    lag_strbuf_printf(out, "<g class=\"sf-c%d\" color=\"%s\">\n", colour, colours[colour]);
}

void lagd_svg_end(struct lag_strbuf *out) { lag_strbuf_append(out, "</g>\n"); }

const char *lagd_svg_dash(int index) {
    return index < 0 ? "4 4" : dashes[index / (int)LAG_COUNT(colours) % (int)LAG_COUNT(dashes)];
}

/* --- marks and texts --------------------------------------------------------------------------------------------- */

static void append_title(struct lag_strbuf *out, const char *title, const char *tag) {
    if (!title) {
        lag_strbuf_append(out, "/>\n");
        return;
    }
    lag_strbuf_append(out, "><title>");
    lagd_svg_escape(out, title);
    lag_strbuf_printf(out, "</title></%s>\n", tag);
}

void lagd_svg_mark(struct lag_strbuf *out, int index, double x, double y, double radius, const char *title) {
    const char *shape = index < 0 ? NULL : shapes[index % (int)LAG_COUNT(shapes)];
    if (!isfinite(x) || !isfinite(y)) return;
    if (shape)
        lag_strbuf_printf(out, "<path transform=\"translate(%.1f %.1f) scale(%.1f)\" d=\"%s\" fill=\"currentColor\"", x,
                          y, radius, shape);
    else
        lag_strbuf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" %s", x, y, radius,
                          index < 0 ? "fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\""
                                    : "fill=\"currentColor\"");
    append_title(out, title, shape ? "path" : "circle");
}

static void begin_text(struct lag_strbuf *out, double x, double y, enum lagd_svg_anchor anchor, const char *more) {
    lag_strbuf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" fill=\"currentColor\" text-anchor=\"%s\"%s>", x, y,
                      anchors[anchor], more);
}

void lagd_svg_text(struct lag_strbuf *out, double x, double y, enum lagd_svg_anchor anchor, const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    begin_text(out, x, y, anchor, "");
    lagd_svg_escape(out, text);
    lag_strbuf_append(out, "</text>\n");
}

void lagd_svg_note(struct lag_strbuf *out, double x, double y, enum lagd_svg_anchor anchor, const char *text) {
    begin_text(out, x, y, anchor, " class=\"sf-halo\" paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"4\" "
               "stroke-linejoin=\"round\"");
    lagd_svg_escape(out, text);
    lag_strbuf_append(out, "</text>\n");
}

void lagd_svg_bold(struct lag_strbuf *out, double x, double y, enum lagd_svg_anchor anchor, const char *text) {
    begin_text(out, x, y, anchor, " font-weight=\"600\" class=\"sf-bold\"");
    lagd_svg_escape(out, text);
    lag_strbuf_append(out, "</text>\n");
}

double lagd_svg_text_width(const char *text) {
    double width = 0;
    for (const char *p = text; *p; p++) width += (*p & 0xc0) == 0x80 ? 0 : strchr("ilj.,' ()", *p) ? 4.4 : 7.6;
    return width;
}

void lagd_svg_rule(struct lag_strbuf *out, double x1, double y1, double x2, double y2, double width,
                   const char *dash) {
    if (!isfinite(x1) || !isfinite(y1) || !isfinite(x2) || !isfinite(y2)) return;
    lag_strbuf_printf(out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"currentColor\" fill=\"none\" "
                      "stroke-width=\"%.1f\"", x1, y1, x2, y2, width);
    if (dash) lag_strbuf_printf(out, " stroke-dasharray=\"%s\"", dash);
    lag_strbuf_append(out, "/>\n");
}

void lagd_svg_si(double value, const char *unit, char text[24]) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E", "Z"};
    int power = 0;
    while (fabs(value) >= 999.5 && power < (int)LAG_COUNT(prefixes) - 1) {
        value /= 1000;
        power++;
    }
    const int digits = fabs(value) >= 99.95 || fabs(value - round(value)) < 1e-9 ? 0 : fabs(value) >= 9.995 ? 1 : 2;
    int n = snprintf(text, 24, "%.*f", digits, value);
    while (digits > 0 && n > 1 && strchr(".0", text[n - 1])) {
        const bool point = text[--n] == '.';
        text[n] = 0;
        if (point) break;
    }
    if (*prefixes[power] || *unit) (void)snprintf(text + n, 24 - (size_t)n, " %s%s", prefixes[power], unit);
}

/* --- names beside what they name --------------------------------------------------------------------------------- */

#define LABEL_GAP 15.0
#define LEGEND_WIDTH 220.0 /* of one name */

/* Text that ends where the room does; whole when it is pointed at. */
static void append_short(struct lag_strbuf *out, double x, double y, const char *text, double room) {
    char part[128];
    size_t n = 0;
    if (lagd_svg_text_width(text) <= room) {
        lagd_svg_text(out, x, y, LAGD_SVG_START, "%s", text);
        return;
    }
    do {
        do n++;
        while ((text[n] & 0xc0) == 0x80);
        (void)snprintf(part, sizeof(part), "%.*s", (int)n, text);
    } while (n < sizeof(part) - 8 && lagd_svg_text_width(part) < room - 16);
    begin_text(out, x, y, LAGD_SVG_START, "");
    lag_strbuf_append(out, "<title>");
    lagd_svg_escape(out, text);
    lag_strbuf_append(out, "</title>");
    lagd_svg_escape(out, part);
    lag_strbuf_append(out, "\u2026</text>\n");
}

static int by_y(const void *a, const void *b) {
    const struct lagd_svg_label *x = a, *y = b;
    if (x->y != y->y) return x->y < y->y ? -1 : 1;
    return x->index - y->index;
}

static void move_apart(struct lagd_svg_label *labels, int n, double top, double bottom) {
    for (int i = 0; i < n; i++)
        labels[i].placed = fmax(labels[i].y, i ? labels[i - 1].placed + LABEL_GAP : top + LABEL_GAP / 2);
    for (int i = n - 1; i >= 0; i--)
        labels[i].placed = fmin(labels[i].placed, i < n - 1 ? labels[i + 1].placed - LABEL_GAP : bottom);
}

void lagd_svg_labels(struct lag_strbuf *out, struct lagd_svg_label *labels, int n, double x_from, double x, double top,
                     double bottom) {
    qsort(labels, (size_t)n, sizeof(*labels), by_y);
    move_apart(labels, n, top, bottom);
    for (int i = 0; i < n; i++) {
        const struct lagd_svg_label *label = &labels[i];
        lagd_svg_begin_style(out, label->index);
        lagd_svg_rule(out, x_from + 3, label->y, x - 12, label->placed, 1, NULL);
        lagd_svg_mark(out, label->index, x - 6, label->placed, 3.5, NULL);
        lagd_svg_end(out);
        append_short(out, x + 2, label->placed + 4, label->text, LAGD_SVG_WIDTH - x - 4);
    }
}

double lagd_svg_legend(struct lag_strbuf *out, const struct lagd_svg_label *labels, int n, double left, double right,
                       double y) {
    double column = 0, x = left;
    int rows = n > 0;
    for (int i = 0; i < n; i++) column = fmax(column, lagd_svg_text_width(labels[i].text) + 30);
    column = fmin(column, LEGEND_WIDTH + 30);
    for (int i = 0; i < n; i++) {
        if (x > left && x + column > right) {
            x = left;
            rows++;
        }
        if (out) {
            const double middle = y + rows * LAGD_SVG_LINE - LAGD_SVG_LINE / 2.0;
            lagd_svg_begin_style(out, labels[i].index);
            lagd_svg_mark(out, labels[i].index, x + 6, middle, 4, NULL);
            lagd_svg_end(out);
            append_short(out, x + 16, middle + 4, labels[i].text, LEGEND_WIDTH);
        }
        x += column;
    }
    return rows * (double)LAGD_SVG_LINE;
}

/* Charts as SVG text: a document, plots with axes, and what is drawn into them. Colours are `currentColor` of classes
 * sf-…: a page gives them by its style sheet, a document that stands alone has them as attributes, on a white ground.
 * Lengths in px. The text is a pure function of what is given. Thread: any. */
#pragma once
#include <lagd/base/strbuf.h>
#include <stdbool.h>
#include <stdint.h>

enum { LAGD_SVG_WIDTH = 760, LAGD_SVG_LINE = 18 };

struct lagd_svg_axis {
    double low, high;  /* low < high; both > 0 where log */
    bool log, with_0;  /* with_0: 0 stands at the low end, apart from the logarithmic part */
    const char *name;
    const char *unit;  /* of ticks, with a prefix: "FLOP"; NULL: plain numbers */
};
struct lagd_svg_plot {
    struct lag_strbuf *out;
    double left, top, width, height;
    struct lagd_svg_axis x, y;
};

/* --- a document -------------------------------------------------------------------------------------------------- */

/* y: where it stands in the document around it; negative: it is the outermost. id: names the title and description. */
struct lagd_svg_document {
    const char *id, *title, *description;
    double y, height;
};
void lagd_svg_open(struct lag_strbuf *out, const struct lagd_svg_document *document);
void lagd_svg_close(struct lag_strbuf *out);
void lagd_svg_escape(struct lag_strbuf *out, const char *text);

/* --- colours ----------------------------------------------------------------------------------------------------- */

enum lagd_svg_ink { LAGD_SVG_INK, LAGD_SVG_DIM, LAGD_SVG_GRID, LAGD_SVG_MARKER, LAGD_SVG_WARN, LAGD_SVG_GOOD };
/* All until the end is of that colour. */
void lagd_svg_begin_ink(struct lag_strbuf *out, enum lagd_svg_ink ink);
/* Of the index-th candidate: colour, and by the functions below shape and dash, so that none is told by colour alone;
 * negative: the reference. */
void lagd_svg_begin_style(struct lag_strbuf *out, int index);
void lagd_svg_end(struct lag_strbuf *out);

/* --- marks and texts --------------------------------------------------------------------------------------------- */

/* A mark of the index-th shape; title: what is shown of it when it is pointed at, NULL: nothing. */
void lagd_svg_mark(struct lag_strbuf *out, int index, double x, double y, double radius, const char *title);
enum lagd_svg_anchor { LAGD_SVG_START, LAGD_SVG_MIDDLE, LAGD_SVG_END };
void lagd_svg_text(struct lag_strbuf *out, double x, double y, enum lagd_svg_anchor anchor, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* With a halo of the ground, for what stands on lines. */
void lagd_svg_note(struct lag_strbuf *out, double x, double y, enum lagd_svg_anchor anchor, const char *text);
void lagd_svg_bold(struct lag_strbuf *out, double x, double y, enum lagd_svg_anchor anchor, const char *text);
double lagd_svg_text_width(const char *text); /* about */
/* From the one point to the other; dash: "4 4", or NULL. */
void lagd_svg_rule(struct lag_strbuf *out, double x1, double y1, double x2, double y2, double width, const char *dash);
/* "1.5 T" of 1.5e12: into text[24]. */
void lagd_svg_si(double value, const char *unit, char text[24]);

/* Names beside what they name, moved apart until none covers another. */
struct lagd_svg_label {
    int index;         /* of its style; negative: the reference */
    double y, placed;  /* of what it names; where its name stands */
    const char *text;
};
/* From x on, between top and bottom, each with a line to its own y at x_from. Sorts labels. */
void lagd_svg_labels(struct lag_strbuf *out, struct lagd_svg_label *labels, int n, double x_from, double x, double top,
                     double bottom);
/* A legend in rows between left and right; returns the height that it takes, and draws nothing where out is NULL. */
double lagd_svg_legend(struct lag_strbuf *out, const struct lagd_svg_label *labels, int n, double left, double right,
                       double y);

/* --- plots ------------------------------------------------------------------------------------------------------- */

/* The range of values from low to high, made a little larger; a margin where they are equal. */
void lagd_svg_axis_fit(struct lagd_svg_axis *axis, double low, double high);
double lagd_svg_x(const struct lagd_svg_plot *plot, double value); /* NaN of what the axis does not have */
double lagd_svg_y(const struct lagd_svg_plot *plot, double value);
void lagd_svg_axes(const struct lagd_svg_plot *plot); /* grid, ticks, names */
/* What is drawn until lagd_svg_end is cut off at the plot's edges. id: unique in a page. */
void lagd_svg_begin_clip(const struct lagd_svg_plot *plot, const char *id);
/* The i-th points; NaN breaks the line. dash: NULL: none. */
struct lagd_svg_series {
    int n;
    const double *x, *y;
};
void lagd_svg_line(const struct lagd_svg_plot *plot, const struct lagd_svg_series *series, double width,
                   const char *dash);
const char *lagd_svg_dash(int index); /* NULL: none */
void lagd_svg_band(const struct lagd_svg_plot *plot, int n, const double *x, const double *low, const double *high);
/* Whether a mark at x stands apart from the one at *last (NaN: there is none), which it then is; so that many
 * evaluations do not become a bar. */
bool lagd_svg_apart(double *last, double x);
/* A line at a value of y (across = true: the whole width), with its name at its right end above it. */
void lagd_svg_level(const struct lagd_svg_plot *plot, double value, const char *dash, const char *name);
/* The ground between two values of x. */
void lagd_svg_shade(const struct lagd_svg_plot *plot, double x1, double x2, double opacity, const char *title);

/* Bars, sparklines and plots as text: Unicode, or ASCII where the locale has no UTF-8. Pure. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
struct lag_strbuf;

/* fraction (clamped to 0…1; NaN is 0) of width cells. */
void ctl_bar(struct lag_strbuf *out, double fraction, int width, bool utf8);
/* One cell a value, at most width of them, thinned by means; not finite ones are blanks. */
void ctl_spark(struct lag_strbuf *out, const double *values, size_t n, int width, bool utf8);
/* y over x in width × height cells with axes and their ends; points that are not finite are left out. */
void ctl_plot(struct lag_strbuf *out, const char *title, const double *x, const double *y, size_t n, int width,
              int height, bool utf8);
/* Cells that text takes (UTF-8 characters). */
int ctl_width(const char *text);
/* "34.7k" */
void ctl_count_text(double value, char ret[16]);
/* "1.2 MiB" */
void ctl_bytes_text(double value, char ret[16]);
/* "1 h 5 min", "12 s" */
void ctl_seconds_text(double seconds, char ret[48]);

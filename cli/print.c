/* Answers as tables, JSON, lines and tab-separated values. */
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_COLUMNS 32

/* "2026-01-02T03:04:05.678Z" → seconds since then; NaN when it is no such text. */
static double seconds_since(const char *text) {
    struct tm time = {0};
    double seconds = 0;
    if (sscanf(text, "%d-%d-%dT%d:%d:%lf", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour, &time.tm_min,
               &seconds) != 6)
        return (double)NAN;
    time.tm_year -= 1900;
    time.tm_mon -= 1;
    return 1e-3 * (double)lag_clock_wall_ms() - ((double)timegm(&time) + seconds);
}

static void append_time(struct lag_strbuf *out, const char *text) {
    char since[48];
    double seconds = seconds_since(text);
    if (!isfinite(seconds)) {
        ctl_clean(out, text, false);
        return;
    }
    ctl_seconds_text(floor(fmax(seconds, 0)), since);
    lag_strbuf_printf(out, "%s ago", since);
}

static void append_plain(struct lag_strbuf *out, json_t *value) {
    size_t i;
    json_t *item;
    if (json_is_string(value)) {
        ctl_clean(out, json_string_value(value), false);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item) {
            if (i) lag_strbuf_append(out, ", ");
            append_plain(out, item);
        }
    } else if (json_is_boolean(value)) {
        lag_strbuf_append(out, json_is_true(value) ? "yes" : "no");
    } else if (value && !json_is_null(value)) {
        ctl_json_write(out, value, 0);
    }
}

static void append_number(struct lag_strbuf *out, double value, enum ctl_kind kind) {
    char text[48];
    switch (kind) {
    case CTL_COUNT: ctl_count_text(value, text); break;
    case CTL_BYTES: ctl_bytes_text(value, text); break;
    case CTL_SECONDS: ctl_seconds_text(value, text); break;
    case CTL_LOSS: (void)snprintf(text, sizeof(text), "%.4f", value); break;
    case CTL_STEP: (void)snprintf(text, sizeof(text), value < 0 ? "next" : "%.0f", value); break;
    case CTL_INT: (void)snprintf(text, sizeof(text), "%.0f", value); break;
    default: (void)snprintf(text, sizeof(text), "%.4g", value); break;
    }
    lag_strbuf_append(out, text);
}

void ctl_cell(struct lag_strbuf *out, json_t *object, const struct ctl_column *column, bool raw) {
    json_t *value = ctl_json_at(object, column->path);
    if (!raw && json_is_number(value) && column->kind != CTL_TEXT)
        append_number(out, json_number_value(value), column->kind);
    else if (!raw && column->kind == CTL_TIME && json_is_string(value))
        append_time(out, json_string_value(value));
    else if (raw && json_is_boolean(value))
        lag_strbuf_append(out, json_is_true(value) ? "true" : "false");
    else
        append_plain(out, value);
}

static bool is_right(enum ctl_kind kind) { return kind >= CTL_INT && kind <= CTL_SECONDS; }

static void pad(struct lag_strbuf *out, int n) {
    for (; n > 0; n--) lag_strbuf_append(out, " ");
}

static size_t count_columns(const struct ctl_column *columns) {
    size_t n = 0;
    while (n < MAX_COLUMNS && columns[n].title) n++;
    return n;
}

/* Cuts text to width cells; "…" tells that something is missing. */
static void append_cut(struct lag_strbuf *out, const char *text, int width, bool utf8) {
    if (ctl_width(text) <= width) {
        lag_strbuf_append(out, text);
        return;
    }
    const char *p = text;
    for (int left = width - (utf8 ? 1 : 2); *p; p++) {
        if (((unsigned char)*p & 0xc0) != 0x80 && left-- <= 0) break;
    }
    lag_strbuf_append_n(out, text, (size_t)(p - text));
    lag_strbuf_append(out, utf8 ? "…" : "..");
}

struct table {
    const struct ctl_column *columns;
    size_t n_columns;
    int widths[MAX_COLUMNS];
    bool utf8, colour;
    int max_width;
};

/* object NULL: the titles. */
static void append_row(struct lag_strbuf *out, const struct table *table, json_t *object) {
    struct lag_strbuf cell = LAG_STRBUF_INIT;
    int used = 0;
    for (size_t c = 0; c < table->n_columns; c++) {
        const struct ctl_column *column = &table->columns[c];
        bool last = c + 1 == table->n_columns;
        lag_strbuf_clear(&cell);
        if (object)
            ctl_cell(&cell, object, column, false);
        else
            lag_strbuf_append(&cell, column->title);
        if (cell.length == 0) lag_strbuf_append(&cell, !*column->title ? "" : table->utf8 ? "–" : "-");
        if (cell.failed) break;
        int room = table->max_width ? table->max_width - used : 1 << 20, width = ctl_width(cell.data);
        if (room < 4 && c > 0) break;
        const char *colour = object && column->kind == CTL_STATE ? ctl_term_colour(table->colour, cell.data) : "";
        int fill = table->widths[c] - width;
        if (is_right(column->kind)) pad(out, LAG_MIN(fill, room - width));
        lag_strbuf_append(out, colour);
        append_cut(out, cell.data, room, table->utf8);
        if (*colour) lag_strbuf_append(out, "\033[0m");
        if (!is_right(column->kind) && !last) pad(out, LAG_MIN(fill, room - width));
        used += table->widths[c] + 2;
        if (!last && (!table->max_width || table->max_width - used >= 4)) pad(out, 2);
    }
    lag_strbuf_append(out, "\n");
    lag_strbuf_deinit(&cell);
}

void ctl_table(struct lag_strbuf *out, const struct ctl_column *columns, json_t *rows, bool utf8, bool colour,
               int max_width) {
    struct table table = {columns, count_columns(columns), {0}, utf8, colour, max_width};
    struct lag_strbuf cell = LAG_STRBUF_INIT;
    json_t *row;
    size_t i;
    for (size_t c = 0; c < table.n_columns; c++) {
        table.widths[c] = ctl_width(columns[c].title);
        json_array_foreach(rows, i, row) {
            lag_strbuf_clear(&cell);
            ctl_cell(&cell, row, &columns[c], false);
            if (!cell.failed && cell.data) table.widths[c] = LAG_MAX(table.widths[c], ctl_width(cell.data));
        }
    }
    lag_strbuf_deinit(&cell);
    append_row(out, &table, NULL);
    json_array_foreach(rows, i, row) append_row(out, &table, row);
}

/* One line a column: "title   value". */
static void append_object(struct lag_strbuf *out, const struct ctl_column *columns, json_t *object, bool colour) {
    struct lag_strbuf cell = LAG_STRBUF_INIT;
    int width = 0;
    for (size_t c = 0; columns[c].title; c++) width = LAG_MAX(width, ctl_width(columns[c].title));
    for (size_t c = 0; columns[c].title; c++) {
        lag_strbuf_clear(&cell);
        ctl_cell(&cell, object, &columns[c], false);
        if (cell.failed || cell.length == 0) continue;
        const char *sequence = columns[c].kind == CTL_STATE ? ctl_term_colour(colour, cell.data) : "";
        lag_strbuf_append(out, columns[c].title);
        pad(out, width - ctl_width(columns[c].title) + 2);
        lag_strbuf_printf(out, "%s%s%s\n", sequence, cell.data, *sequence ? "\033[0m" : "");
    }
    lag_strbuf_deinit(&cell);
}

void ctl_say(struct lag_strbuf *out, const char *pattern, json_t *object) {
    for (; *pattern; pattern++) {
        const char *end = *pattern == '{' ? strchr(pattern, '}') : NULL;
        if (!end) {
            lag_strbuf_append_n(out, pattern, 1);
            continue;
        }
        char path[72];
        (void)snprintf(path, sizeof(path), "%.*s", (int)(end - pattern - 1), pattern + 1);
        append_plain(out, ctl_json_at(object, path));
        pattern = end;
    }
}

static void append_tsv(struct lag_strbuf *out, const struct ctl_column *columns, json_t *object) {
    for (size_t c = 0; columns[c].title; c++) {
        if (c) lag_strbuf_append(out, "\t");
        if (object)
            ctl_cell(out, object, &columns[c], true);
        else
            lag_strbuf_append(out, columns[c].title);
    }
    lag_strbuf_append(out, "\n");
}

static void append_name(struct lag_strbuf *out, json_t *object) {
    static const char *const paths[] = {"name", "id", "candidate", "key", "check", "seq"};
    for (size_t i = 0; i < LAG_COUNT(paths); i++) {
        if (!ctl_json_at(object, paths[i])) continue;
        append_plain(out, ctl_json_at(object, paths[i]));
        lag_strbuf_append(out, "\n");
        return;
    }
}

/* jsonl, tsv and name: a line an item. */
static void append_lines(struct ctl *ctl, struct lag_strbuf *out, const struct ctl_view *view, json_t *answer) {
    json_t *items = json_object_get(answer, "items"), *item;
    size_t i = 0, n = json_is_array(items) ? json_array_size(items) : 1;
    if (ctl->form == CTL_FORM_TSV && view && view->columns && !ctl->quiet) append_tsv(out, view->columns, NULL);
    for (; i < n; i++) {
        item = json_is_array(items) ? json_array_get(items, i) : answer;
        if (ctl->form == CTL_FORM_NAME) {
            append_name(out, item);
        } else if (ctl->form == CTL_FORM_TSV && view && view->columns) {
            append_tsv(out, view->columns, item);
        } else {
            ctl_json_write(out, item, 0);
            lag_strbuf_append(out, "\n");
        }
    }
}

static int print_table(struct ctl *ctl, const struct ctl_view *view, json_t *answer) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *items = json_object_get(answer, "items");
    if (view->print) return view->print(ctl, answer);
    if (json_is_array(items)) {
        if (json_array_size(items) > 0)
            ctl_table(&out, view->columns, items, ctl->term.utf8, ctl->term.colour, ctl->term.width);
        else if (view->empty && !ctl->quiet)
            ctl_tell("%s", view->empty);
    } else if (view->say) {
        if (!ctl->quiet) ctl_say(&out, view->say, answer);
        if (!ctl->quiet) lag_strbuf_append(&out, "\n");
    } else {
        append_object(&out, view->columns, answer, ctl->term.colour);
    }
    return ctl_put(&out);
}

int ctl_print(struct ctl *ctl, const struct ctl_view *view, json_t *answer) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    if (ctl->form == CTL_FORM_TABLE && view) return print_table(ctl, view, answer);
    if (ctl->form == CTL_FORM_TABLE || ctl->form == CTL_FORM_JSON) {
        ctl_json_write(&out, answer, 2);
        lag_strbuf_append(&out, "\n");
    } else {
        append_lines(ctl, &out, view, answer);
    }
    return ctl_put(&out);
}

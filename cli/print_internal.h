/* Answers as tables, JSON, lines and tab-separated values. Thread: main. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
struct ctl;
struct lag_strbuf;

enum ctl_kind {
    CTL_TEXT,
    CTL_STATE, /* coloured on a terminal */
    CTL_INT,
    CTL_COUNT, /* 34.7k */
    CTL_BYTES, /* 1.2 MiB */
    CTL_LOSS,  /* 2.3047 */
    CTL_NUMBER,
    CTL_STEP,    /* a step; negative: the next one */
    CTL_SECONDS, /* 1 h 5 min */
    CTL_TIME,  /* how long ago */
    CTL_LIST,  /* a, b */
};
struct ctl_column {
    const char *title;
    const char *path; /* "latest.train/loss" */
    enum ctl_kind kind;
};
struct ctl_view {
    const struct ctl_column *columns; /* up to one without a title */
    const char *say;   /* table form of one object in one line: "run {name}: {state}"; NULL: one line a column */
    const char *empty; /* told on standard error when a list has nothing */
    int (*print)(struct ctl *ctl, json_t *answer); /* table form by a function; columns are for tsv then */
};
enum ctl_form { CTL_FORM_TABLE, CTL_FORM_JSON, CTL_FORM_JSONL, CTL_FORM_TSV, CTL_FORM_NAME };

/* Prints one object, or a list ({"items": […]}), in the form that the call asks for. */
int ctl_print(struct ctl *ctl, const struct ctl_view *view, json_t *answer);
/* Rows under their titles; columns as wide as needed. rows: array of objects. max_width 0: any. */
void ctl_table(struct lag_strbuf *out, const struct ctl_column *columns, json_t *rows, bool utf8, bool colour,
               int max_width);
/* "{path}" replaced by the object's values. */
void ctl_say(struct lag_strbuf *out, const char *pattern, json_t *object);
/* A cell's text; "" for null. raw: as tsv and scripts want it. */
void ctl_cell(struct lag_strbuf *out, json_t *object, const struct ctl_column *column, bool raw);

json_t *ctl_json_at(json_t *object, const char *path); /* borrowed; NULL when it is not there, or null */
const char *ctl_json_text(json_t *object, const char *path); /* "" when it is not there */
double ctl_json_number(json_t *object, const char *path);    /* NaN when it is not there */
/* JSON with the shortest numbers that read back the same. indent 0: one line. */
void ctl_json_write(struct lag_strbuf *out, json_t *value, int indent);
/* Text without control characters; new lines and tabs stay when lines is set. */
void ctl_clean(struct lag_strbuf *out, const char *text, bool lines);

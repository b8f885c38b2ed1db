/* Tables that describe the fields of a struct: one row drives defaults, range checks, text form, JSON decoding and
 * encoding, help, sample files and OpenAPI. Rows are the only place where a limit or a default is written.
 *
 * A path names the field with '/' between levels, as in a JSON pointer without its first slash: "model/n_layer",
 * "optim/betas/0". Text form: one "path=value" line a field, reals with 17 significant digits. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct lag_strbuf;

enum lag_field_type {
    LAG_FIELD_INT,   /* int64_t */
    LAG_FIELD_REAL,  /* double */
    LAG_FIELD_BOOL,  /* bool */
    LAG_FIELD_TEXT,  /* char[size] */
    LAG_FIELD_CHOICE,/* char[size], one of choices */
    LAG_FIELD_BYTES, /* int64_t; text may carry K, M, G, T */
    LAG_FIELD_LIST,  /* char[size]: items joined by ','; JSON: an array of strings */
};

#define LAG_FIELD_EXACT_MAX 9007199254740991.0 /* 2^53 - 1: the largest whole number that JSON carries exactly */

enum lag_field_flags {
    LAG_FIELD_REQUIRED = 1,   /* must be given: no default */
    LAG_FIELD_RELOADABLE = 2, /* config: SIGHUP may change it */
    LAG_FIELD_OPEN_MIN = 4,   /* the minimum itself is not allowed */
    LAG_FIELD_SECRET = 8,     /* never shown */
    LAG_FIELD_SPARSE = 16,    /* INT: zero is no value but "not given", and is left out of texts and answers */
};

struct lag_field {
    const char *path;
    enum lag_field_type type;
    size_t offset, size;        /* where in the struct, and how many bytes there */
    /* INT, REAL, BYTES: allowed range, ends included unless OPEN_MIN; TEXT: length in bytes. An end may be infinite;
     * both zero: no range. */
    double min, max;
    const char *preset;         /* default as text; NULL: zero or "" */
    const char *const *choices; /* CHOICE: NULL-terminated */
    unsigned flags;
    const char *unit;           /* "", "steps", "tokens", "bytes", "seconds" … */
    const char *help;           /* one sentence */
};
#define LAG_FIELD_AT(type, member) offsetof(type, member), sizeof(((type *)0)->member)

struct lag_fields {
    const struct lag_field *rows;
    size_t n_rows;
};

void lag_fields_defaults(const struct lag_fields *table, void *object);
const struct lag_field *lag_fields_find(const struct lag_fields *table, const char *path);
/* Setters check type and range; an error points to "/<path>" and names what is allowed. */
int lag_field_set_int(const struct lag_field *field, void *object, int64_t value, struct lag_error *err);
int lag_field_set_real(const struct lag_field *field, void *object, double value, struct lag_error *err);
int lag_field_set_bool(const struct lag_field *field, void *object, bool value, struct lag_error *err);
/* parses for its type */
int lag_field_set_text(const struct lag_field *field, void *object, const char *text, struct lag_error *err);
/* Appends one item to a LIST; refuses empty items and items with ',', control bytes or blanks at an end. */
int lag_field_add_item(const struct lag_field *field, void *object, const char *item, struct lag_error *err);
/* The value as text (what set_text accepts). */
void lag_field_format(const struct lag_field *field, const void *object, struct lag_strbuf *out);
/* A sparse field that was not given. */
bool lag_field_is_absent(const struct lag_field *field, const void *object);
/* All fields as "path=value" lines; parse sets defaults first and refuses unknown paths. */
void lag_fields_format(const struct lag_fields *table, const void *object, struct lag_strbuf *out);
int lag_fields_parse(const struct lag_fields *table, void *object, const char *text, struct lag_error *err);
/* As parse, but a CHOICE may be any text: what another version has stored is shown as it is, never carried out. 1: some
 * line cannot be read, which err tells of the first; its field has its default, and all others are there. */
int lag_fields_parse_to_show(const struct lag_fields *table, void *object, const char *text, struct lag_error *err);

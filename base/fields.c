/* Structs described by tables of fields: defaults, checked setters, values as text. */
#include <lagd/base/fields.h>

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/base/strbuf.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *at(const struct lag_field *field, void *object) { return (char *)object + field->offset; }
static const void *at_const(const struct lag_field *field, const void *object) {
    return (const char *)object + field->offset;
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

static int refuse(const struct lag_field *field, struct lag_error *err, const char *wanted, const char *got) {
    char pointer[sizeof(err->pointer)];
    (void)snprintf(pointer, sizeof(pointer), "/%s", field->path);
    if (!got) return lag_error_at(err, LAG_EINVAL, pointer, "%s %s", field->path, wanted);
    if (field->flags & LAG_FIELD_SECRET) got = "another value";
    return lag_error_at(err, LAG_EINVAL, pointer, "%s %s (got %.80s)", field->path, wanted, got);
}

/* What a value of this type looks like, for refusals of other types. */
static const char *wanted_type(const struct lag_field *field) {
    switch (field->type) {
    case LAG_FIELD_INT: return "must be a whole number";
    case LAG_FIELD_REAL: return "must be a number";
    case LAG_FIELD_BOOL: return "must be true or false";
    case LAG_FIELD_TEXT: return "must be a text";
    case LAG_FIELD_CHOICE: return "must be one of its choices, as a text";
    case LAG_FIELD_BYTES: return "must be a number of bytes, such as 65536, 64K, 2G or 1T";
    case LAG_FIELD_LIST: return "must be a list of texts";
    }
    return "has an unknown type";
}

static void format_limit(const struct lag_field *field, double limit, char *ret, size_t size) {
    if (field->type == LAG_FIELD_REAL) {
        (void)snprintf(ret, size, "%.15g", limit);
    } else {
        (void)snprintf(ret, size, "%.0f", limit);
    }
}

static int refuse_range(const struct lag_field *field, struct lag_error *err, const char *got) {
    char low[48], high[48], wanted[192];
    format_limit(field, field->min, low, sizeof(low));
    format_limit(field, field->max, high, sizeof(high));
    bool open = field->flags & LAG_FIELD_OPEN_MIN;
    if (isinf(field->max)) {
        (void)snprintf(wanted, sizeof(wanted), "must be %s %s", open ? "above" : "at least", low);
    } else if (isinf(field->min)) {
        (void)snprintf(wanted, sizeof(wanted), "must be at most %s", high);
    } else if (open) {
        (void)snprintf(wanted, sizeof(wanted), "must be above %s and at most %s", low, high);
    } else {
        (void)snprintf(wanted, sizeof(wanted), "must be between %s and %s", low, high);
    }
    return refuse(field, err, wanted, got);
}

static bool in_range(const struct lag_field *field, double value) {
    if (field->min == 0 && field->max == 0) return true; /* the row states no range */
    if (field->flags & LAG_FIELD_OPEN_MIN ? value <= field->min : value < field->min) return false;
    return value <= field->max;
}

/* --- setters ----------------------------------------------------------------------------------------------------- */

int lag_field_set_int(const struct lag_field *field, void *object, int64_t value, struct lag_error *err) {
    char got[32];
    (void)snprintf(got, sizeof(got), "%" PRId64, value);
    if (field->type == LAG_FIELD_REAL) return lag_field_set_real(field, object, (double)value, err);
    if (field->type != LAG_FIELD_INT && field->type != LAG_FIELD_BYTES) {
        return refuse(field, err, wanted_type(field), got);
    }
    if (!in_range(field, (double)value)) return refuse_range(field, err, got);
    memcpy(at(field, object), &value, sizeof(value));
    return 0;
}

int lag_field_set_real(const struct lag_field *field, void *object, double value, struct lag_error *err) {
    char got[48];
    (void)snprintf(got, sizeof(got), "%.15g", value);
    if (field->type == LAG_FIELD_INT || field->type == LAG_FIELD_BYTES) {
        /* JSON has one kind of number: 1e3 and 2.0 are whole. */
        if (!(fabs(value) <= 9007199254740992.0) || value != floor(value)) {
            return refuse(field, err, wanted_type(field), got);
        }
        return lag_field_set_int(field, object, (int64_t)value, err);
    }
    if (field->type != LAG_FIELD_REAL) return refuse(field, err, wanted_type(field), got);
    if (!isfinite(value)) return refuse(field, err, "must be a finite number", got);
    if (!in_range(field, value)) return refuse_range(field, err, got);
    memcpy(at(field, object), &value, sizeof(value));
    return 0;
}

int lag_field_set_bool(const struct lag_field *field, void *object, bool value, struct lag_error *err) {
    if (field->type != LAG_FIELD_BOOL) return refuse(field, err, wanted_type(field), value ? "true" : "false");
    memcpy(at(field, object), &value, sizeof(value));
    return 0;
}

/* 0, or refused: control bytes would break the one-line text form, other bytes could not be sent as JSON. */
static int check_characters(const struct lag_field *field, const char *text, struct lag_error *err) {
    for (const char *p = text; *p;) {
        size_t length = lag_utf8_length(p);
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return refuse(field, err, "must not contain line breaks or other control characters", NULL);
        }
        if (length == 0) return refuse(field, err, "must be valid UTF-8", NULL);
        p += length;
    }
    return 0;
}

/* Zero bytes and no default: the field was not given, which is right unless it is required. */
static bool may_be_empty(const struct lag_field *field) {
    return !field->preset && !(field->flags & LAG_FIELD_REQUIRED);
}

static int set_plain_text(const struct lag_field *field, void *object, const char *text, struct lag_error *err) {
    int status = check_characters(field, text, err);
    if (status < 0) return status;
    size_t length = strlen(text);
    double longest = field->max > 0 && field->max < (double)(field->size - 1) ? field->max : (double)(field->size - 1);
    bool empty = length == 0 && (field->min == 0 || may_be_empty(field));
    if (!empty && ((double)length < field->min || (double)length > longest)) {
        char wanted[128], got[48];
        (void)snprintf(wanted, sizeof(wanted), "must have between %.0f and %.0f bytes", field->min, longest);
        (void)snprintf(got, sizeof(got), "%zu bytes", length);
        return refuse(field, err, wanted, got);
    }
    memcpy(at(field, object), text, length + 1);
    return 0;
}

static int set_choice(const struct lag_field *field, void *object, const char *text, struct lag_error *err) {
    bool known = !*text && may_be_empty(field);
    struct lag_strbuf wanted = LAG_STRBUF_INIT;
    bool has_one = field->choices && field->choices[0] && !field->choices[1];
    lag_strbuf_append(&wanted, has_one ? "is not known: only " : "must be one of ");
    for (size_t i = 0; field->choices && field->choices[i]; i++) {
        if (strcmp(field->choices[i], text) == 0) known = true;
        lag_strbuf_printf(&wanted, "%s%s", i ? ", " : "", field->choices[i]);
    }
    if (has_one) lag_strbuf_append(&wanted, " is supported");
    int status = 0;
    if (!known) {
        status = refuse(field, err, wanted.failed ? wanted_type(field) : wanted.data, *text ? text : "nothing");
    } else {
        LAG_ASSERT(strlen(text) < field->size);
        (void)lag_copy(at(field, object), field->size, text);
    }
    lag_strbuf_deinit(&wanted);
    return status;
}

int lag_field_add_item(const struct lag_field *field, void *object, const char *item, struct lag_error *err) {
    if (field->type != LAG_FIELD_LIST) return refuse(field, err, wanted_type(field), item);
    int status = check_characters(field, item, err);
    if (status < 0) return status;
    size_t length = strlen(item);
    if (length == 0) return refuse(field, err, "must not contain empty items", NULL);
    if (strchr(item, ',')) return refuse(field, err, "must not contain items with a comma", item);
    if (item[0] == ' ' || item[length - 1] == ' ') {
        return refuse(field, err, "must not contain items that begin or end with a blank", NULL);
    }
    char *list = at(field, object);
    size_t used = strnlen(list, field->size);
    if (used + (used > 0) + length + 1 > field->size) {
        char wanted[96];
        (void)snprintf(wanted, sizeof(wanted), "must have at most %zu bytes in all its items", field->size - 1);
        return refuse(field, err, wanted, NULL);
    }
    if (used) list[used++] = ',';
    memcpy(list + used, item, length + 1);
    return 0;
}

/* "a, b,c": blanks around items belong to the notation. On failure the old list stays. */
static int set_list(const struct lag_field *field, void *object, const char *text, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(text);
    LAG_CLEANUP(lag_free_p) char *list = lag_calloc(field->size, 1);
    if (!copy || !list) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading %s", field->path);
    struct lag_field alone = *field; /* the same row, but for an object that is just the list */
    alone.offset = 0;
    char *rest = *copy ? copy : NULL;
    for (char *item; (item = strsep(&rest, ",")) != NULL;) {
        item += strspn(item, " ");
        for (size_t n = strlen(item); n > 0 && item[n - 1] == ' '; n--) item[n - 1] = '\0';
        int status = lag_field_add_item(&alone, list, item, err);
        if (status < 0) return status;
    }
    memcpy(at(field, object), list, field->size);
    return 0;
}

int lag_field_set_text(const struct lag_field *field, void *object, const char *text, struct lag_error *err) {
    int64_t whole;
    uint64_t bytes;
    double real;
    bool truth;
    switch (field->type) {
    case LAG_FIELD_INT:
        if (lag_parse_i64(text, &whole) == 0) return lag_field_set_int(field, object, whole, err);
        break;
    case LAG_FIELD_BYTES:
        if (lag_parse_bytes(text, &bytes) == 0 && bytes <= INT64_MAX) {
            return lag_field_set_int(field, object, (int64_t)bytes, err);
        }
        break;
    case LAG_FIELD_REAL:
        if (lag_parse_double(text, &real) == 0) return lag_field_set_real(field, object, real, err);
        break;
    case LAG_FIELD_BOOL:
        if (lag_parse_bool(text, &truth) == 0) return lag_field_set_bool(field, object, truth, err);
        break;
    case LAG_FIELD_TEXT: return set_plain_text(field, object, text, err);
    case LAG_FIELD_CHOICE: return set_choice(field, object, text, err);
    case LAG_FIELD_LIST: return set_list(field, object, text, err);
    }
    return refuse(field, err, wanted_type(field), *text ? text : "nothing");
}

/* --- whole tables ------------------------------------------------------------------------------------------------ */

void lag_fields_defaults(const struct lag_fields *table, void *object) {
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct lag_field *field = &table->rows[i];
        memset(at(field, object), 0, field->size);
        if (!field->preset) continue;
        int status = lag_field_set_text(field, object, field->preset, NULL);
        LAG_ASSERT(status == 0); /* a preset that its own row refuses is a defect of the table */
        (void)status;
    }
}

const struct lag_field *lag_fields_find(const struct lag_fields *table, const char *path) {
    for (size_t i = 0; i < table->n_rows; i++) {
        if (strcmp(table->rows[i].path, path) == 0) return &table->rows[i];
    }
    return NULL;
}

void lag_field_format(const struct lag_field *field, const void *object, struct lag_strbuf *out) {
    int64_t whole;
    double real;
    bool truth;
    switch (field->type) {
    case LAG_FIELD_INT:
    case LAG_FIELD_BYTES:
        memcpy(&whole, at_const(field, object), sizeof(whole));
        lag_strbuf_printf(out, "%" PRId64, whole);
        break;
    case LAG_FIELD_REAL:
        memcpy(&real, at_const(field, object), sizeof(real));
        lag_strbuf_printf(out, "%.17g", real);
        break;
    case LAG_FIELD_BOOL:
        memcpy(&truth, at_const(field, object), sizeof(truth));
        lag_strbuf_append(out, truth ? "true" : "false");
        break;
    case LAG_FIELD_TEXT:
    case LAG_FIELD_CHOICE:
    case LAG_FIELD_LIST: {
        const char *text = at_const(field, object);
        lag_strbuf_append_n(out, text, strnlen(text, field->size));
        break;
    }
    }
}

bool lag_field_is_absent(const struct lag_field *field, const void *object) {
    int64_t value;
    if (!(field->flags & LAG_FIELD_SPARSE)) return false;
    memcpy(&value, at_const(field, object), sizeof(value));
    return value == 0;
}

void lag_fields_format(const struct lag_fields *table, const void *object, struct lag_strbuf *out) {
    for (size_t i = 0; i < table->n_rows; i++) {
        if (lag_field_is_absent(&table->rows[i], object)) continue;
        lag_strbuf_printf(out, "%s=", table->rows[i].path);
        lag_field_format(&table->rows[i], object, out);
        lag_strbuf_append_n(out, "\n", 1);
    }
}

static int parse_line(const struct lag_fields *table, void *object, char *line, bool *seen, bool to_show,
                      struct lag_error *err) {
    char *value = strchr(line, '=');
    if (!value) return lag_error_set(err, LAG_EINVAL, "expected path=value (got '%.80s')", line);
    *value++ = '\0';
    const struct lag_field *field = lag_fields_find(table, line);
    if (!field) {
        char pointer[sizeof(err->pointer)];
        (void)snprintf(pointer, sizeof(pointer), "/%.100s", line);
        return lag_error_at(err, LAG_EINVAL, pointer, "unknown field %.100s", line);
    }
    if (seen[field - table->rows]) return refuse(field, err, "is given twice", NULL);
    seen[field - table->rows] = true;
    if (to_show && field->type == LAG_FIELD_CHOICE && lag_copy(at(field, object), field->size, value) == 0) return 0;
    return lag_field_set_text(field, object, value, err);
}

static int parse(const struct lag_fields *table, void *object, const char *text, bool to_show, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(text);
    LAG_CLEANUP(lag_free_p) bool *seen = lag_calloc(table->n_rows, sizeof(*seen));
    if (!copy || !seen) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading fields");
    lag_fields_defaults(table, object);
    char *rest = copy;
    int first = 0; /* fault */
    for (char *line; (line = strsep(&rest, "\n")) != NULL && (to_show || !first);) {
        int status = *line ? parse_line(table, object, line, seen, to_show, first ? NULL : err) : 0;
        if (!first) first = status;
    }
    for (size_t i = 0; i < table->n_rows && !first; i++) {
        if ((table->rows[i].flags & LAG_FIELD_REQUIRED) && !seen[i])
            first = refuse(&table->rows[i], err, "is required", NULL);
    }
    return first && to_show ? 1 : first;
}

int lag_fields_parse(const struct lag_fields *table, void *object, const char *text, struct lag_error *err) {
    return parse(table, object, text, false, err);
}

int lag_fields_parse_to_show(const struct lag_fields *table, void *object, const char *text, struct lag_error *err) {
    return parse(table, object, text, true, err);
}

/* Limits before parsing, and tables of members. */
#include "format/json_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/parse.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { SLACK = 32 };

/* jansson calls a text that it found no memory for a mistake of syntax. So its memory comes from here, where that is
 * noted: global, since jansson's functions are; of each thread, since it parses by itself. */
static _Thread_local bool memory_refused;

static void *take_memory(size_t n) {
    void *memory = malloc(n);
    if (!memory) memory_refused = true;
    return memory;
}

/* Before main, when there is one thread only. */
__attribute__((constructor)) static void watch_memory(void) {
    json_set_alloc_funcs(take_memory, free);
}

/* Only counts: whether brackets match and strings end is jansson's to say. */
static int check_limits(const char *text, size_t n, const struct lag_json_limits *limits, struct lag_error *err) {
    const size_t max_containers = n / limits->bytes_per_container + SLACK;
    const size_t max_commas = n / limits->bytes_per_comma + SLACK;
    size_t depth = 0, n_containers = 0, n_commas = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (in_string && c == '\\') i++;
        else if (c == '"') in_string = !in_string;
        else if (in_string) continue;
        else if (c == ',') n_commas++;
        else if (c == '{' || c == '[') depth++, n_containers++;
        else if ((c == '}' || c == ']') && depth > 0) depth--;
        if (depth > limits->max_depth)
            return lag_error_set(err, LAG_ECORRUPT, "byte %zu: nested deeper than %zu", i, limits->max_depth);
        if (n_containers > max_containers || n_commas > max_commas)
            return lag_error_set(err, LAG_ECORRUPT, "byte %zu: too many values for %zu bytes", i, n);
    }
    return 0;
}

int lag_json_parse(const char *text, size_t n, const struct lag_json_limits *limits, json_t **ret,
                   struct lag_error *err) {
    json_error_t error;
    const int rc = check_limits(text, n, limits, err);
    if (rc != 0) return rc;
    memory_refused = false;
    json_t *tree = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    const bool no_text = !tree && (!error.text[0] || json_error_code(&error) == json_error_out_of_memory);
    if (memory_refused || no_text) {
        json_decref(tree); /* it may lack members */
        return lag_error_set(err, LAG_ENOMEM, "out of memory for %zu bytes of JSON", n);
    }
    if (!tree) return lag_error_set(err, LAG_ECORRUPT, "byte %d: %s", error.position, error.text);
    *ret = tree;
    return 0;
}

static int broken(struct lag_error *err, const char *key, const char *rule) {
    return lag_error_set(err, LAG_ECORRUPT, "%s%s%s", key ? key : "", key ? ": " : "", rule);
}

int lag_json_integer(const json_t *value, const char *key, int64_t *ret, struct lag_error *err) {
    if (!json_is_integer(value)) return broken(err, key, "expected an integer");
    *ret = json_integer_value(value);
    return 0;
}

static int read_integer(const json_t *value, const struct lag_json_row *row, void *at, struct lag_error *err) {
    int64_t wide = 0;
    const int rc = lag_json_integer(value, row->key, &wide, err);
    if (rc != 0) return rc;
    if (row->type == LAG_JSON_I64) {
        *(int64_t *)at = wide;
    } else if (row->type == LAG_JSON_U63) {
        if (wide < 0) return broken(err, row->key, "an integer is negative");
        *(uint64_t *)at = (uint64_t)wide;
    } else {
        if (wide < INT_MIN || wide > INT_MAX) return broken(err, row->key, "an integer is too large");
        *(int *)at = (int)wide;
    }
    return 0;
}

static int read_text(const json_t *value, const struct lag_json_row *row, void *at, struct lag_error *err) {
    if (!json_is_string(value)) return broken(err, row->key, "expected a text");
    if (row->type == LAG_JSON_U64)
        return lag_parse_u64(json_string_value(value), at) == 0 ? 0
             : broken(err, row->key, "expected an unsigned integer of 64 bits in quotes");
    const size_t length = json_string_length(value);
    if (length >= row->size) return broken(err, row->key, "the text is too long");
    memcpy(at, json_string_value(value), length + 1);
    return 0;
}

static int read_value(json_t *value, const struct lag_json_row *row, void *at, struct lag_error *err) {
    switch (row->type) {
    case LAG_JSON_INT:
    case LAG_JSON_I64:
    case LAG_JSON_U63: return read_integer(value, row, at, err);
    case LAG_JSON_U64:
    case LAG_JSON_TEXT: return read_text(value, row, at, err);
    case LAG_JSON_VALUE: *(json_t **)at = value; return 0;
    case LAG_JSON_REAL: break;
    }
    if (!json_is_number(value)) return broken(err, row->key, "expected a number");
    *(double *)at = json_number_value(value);
    return 0;
}

static int name_unknown(const json_t *object, const struct lag_json_row *rows, size_t n_rows, struct lag_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        size_t i = 0;
        while (i < n_rows && strcmp(rows[i].key, key) != 0) i++;
        if (i == n_rows) return lag_error_set(err, LAG_ECORRUPT, "unknown key %.40s", key);
    }
    return lag_error_set(err, LAG_EINTERNAL, "two rows of one key");
}

int lag_json_read(const json_t *object, const struct lag_json_row *rows, size_t n_rows, void *ret,
                  struct lag_error *err) {
    if (!json_is_object(object)) return lag_error_set(err, LAG_ECORRUPT, "expected an object");
    for (size_t i = 0; i < n_rows; i++) {
        json_t *value = json_object_get(object, rows[i].key);
        if (!value) return lag_error_set(err, LAG_ECORRUPT, "the key %s is missing", rows[i].key);
        const int rc = read_value(value, &rows[i], (char *)ret + rows[i].offset, err);
        if (rc != 0) return rc;
    }
    return json_object_size(object) == n_rows ? 0 : name_unknown(object, rows, n_rows, err);
}

static json_t *new_value(const struct lag_json_row *row, const void *at) {
    char digits[24];
    switch (row->type) {
    case LAG_JSON_INT: return json_integer(*(const int *)at);
    case LAG_JSON_I64: return json_integer(*(const int64_t *)at);
    case LAG_JSON_U63: return json_integer((json_int_t)*(const uint64_t *)at);
    case LAG_JSON_REAL: return json_real(*(const double *)at);
    case LAG_JSON_TEXT: return json_string(at);
    case LAG_JSON_VALUE: return *(json_t *const *)at;
    case LAG_JSON_U64: break;
    }
    snprintf(digits, sizeof digits, "%" PRIu64, *(const uint64_t *)at);
    return json_string(digits);
}

json_t *lag_json_object(const struct lag_json_row *rows, size_t n_rows, const void *from) {
    json_t *object = json_object();
    bool failed = !object;
    for (size_t i = 0; i < n_rows; i++) { /* to the end, so that every LAG_JSON_VALUE is taken */
        json_t *value = new_value(&rows[i], (const char *)from + rows[i].offset);
        if (json_object_set_new(object, rows[i].key, value) != 0) failed = true;
    }
    if (!failed) return object;
    json_decref(object);
    return NULL;
}

static int append_piece(const char *piece, size_t n, void *out) {
    lag_strbuf_append_n(out, piece, n);
    return ((const struct lag_strbuf *)out)->failed ? -1 : 0;
}

void lag_json_append(struct lag_strbuf *out, json_t *tree, size_t flags) {
    if (json_dump_callback(tree, append_piece, out, flags | JSON_REAL_PRECISION(17)) != 0) out->failed = true;
    json_decref(tree);
}

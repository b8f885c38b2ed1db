/* Tables of fields as JSON Schema: of requests, and of what answers tell of the same fields. */
#include "openapi/field_schemas_internal.h"

#include "json/fields_out_internal.h"
#include "openapi/glossary_internal.h"

#include <lagd/base/parse.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is written, and of which rows. */
struct writing {
    struct lagd_json *json;
    const struct lag_fields *table;
    const char *only;
    bool answer;
};

static void write_number(struct lagd_json *json, const char *key, double value, bool whole) {
    if (!isfinite(value)) return;
    if (whole && fabs(value) < 9.1e15)
        lagd_json_int(json, key, (int64_t)value);
    else
        lagd_json_real(json, key, value);
}

static void write_default(struct lagd_json *json, const struct lag_field *field) {
    double number = 0;
    if (!field->preset || (field->flags & LAG_FIELD_REQUIRED)) return;
    (void)lag_parse_double(field->preset, &number); /* where it is a number */
    switch (field->type) {
    case LAG_FIELD_INT:
    case LAG_FIELD_REAL: write_number(json, "default", number, field->type == LAG_FIELD_INT); break;
    case LAG_FIELD_BOOL: lagd_json_bool(json, "default", strcmp(field->preset, "true") == 0); break;
    case LAG_FIELD_LIST: lagd_json_list(json, "default", field->preset); break;
    default: lagd_json_text(json, "default", field->preset); break;
    }
}

/* What a request may hold. */
static void write_range(struct lagd_json *json, const struct lag_field *field) {
    bool numeric = field->type == LAG_FIELD_INT || field->type == LAG_FIELD_REAL || field->type == LAG_FIELD_BYTES;
    if (numeric && (field->min != 0 || field->max != 0)) {
        bool whole = field->type != LAG_FIELD_REAL;
        write_number(json, field->flags & LAG_FIELD_OPEN_MIN ? "exclusiveMinimum" : "minimum", field->min, whole);
        write_number(json, "maximum", field->max, whole);
    }
    if (field->type == LAG_FIELD_TEXT && field->max > 0) lagd_json_int(json, "maxLength", (int64_t)field->max);
}

static void write_field(const struct writing *w, const char *key, const struct lag_field *field) {
    static const char *const types[] = {"integer", "number", "boolean", "string", "string", "integer", "array"};
    struct lagd_json *json = w->json;
    char text[400];
    lagd_json_open_object(json, key);
    lagd_json_text(json, "type", types[field->type]);
    if (!w->answer) write_range(json, field);
    if (field->type == LAG_FIELD_CHOICE) {
        lagd_json_open_array(json, "enum");
        for (size_t i = 0; field->choices[i]; i++) lagd_json_text(json, NULL, field->choices[i]);
        lagd_json_close_array(json);
    }
    if (field->type == LAG_FIELD_LIST) {
        lagd_json_open_object(json, "items");
        lagd_json_text(json, "type", "string");
        lagd_json_close_object(json);
    }
    if (!w->answer) write_default(json, field);
    (void)snprintf(text, sizeof(text), "%s%s%s%s", field->help, *field->unit ? " [" : "", field->unit,
                   *field->unit ? "]" : "");
    lagd_json_text(json, "description", text);
    lagd_json_close_object(json);
}

static void write_group_help(const struct writing *w, const char *key) {
    const char *help = lagd_glossary_group(key);
    if (help) lagd_json_text(w->json, "description", help);
}

static void write_tuple(const struct writing *w, const char *key, size_t first, size_t n) {
    lagd_json_open_object(w->json, key);
    lagd_json_text(w->json, "type", "array");
    write_group_help(w, key);
    lagd_json_int(w->json, "maxItems", (int64_t)n);
    lagd_json_open_array(w->json, "prefixItems");
    for (size_t i = first; i < first + n; i++) write_field(w, NULL, &w->table->rows[i]);
    lagd_json_close_array(w->json);
    lagd_json_close_object(w->json);
}

static void write_object(const struct writing *w, const char *key, const char *prefix, const char *more);

static void write_properties(const struct writing *w, const char *prefix) {
    const struct lag_fields *table = w->table;
    size_t n_prefix = strlen(prefix);
    for (size_t i = 0; i < table->n_rows;) {
        const char *path = table->rows[i].path;
        char name[64], deeper[128];
        if (strncmp(path, prefix, n_prefix) != 0 || !lagd_field_wanted(path, w->only)) {
            i++;
            continue;
        }
        size_t n = strcspn(path + n_prefix, "/"), same = 1;
        (void)snprintf(name, sizeof(name), "%.*s", (int)n, path + n_prefix);
        (void)snprintf(deeper, sizeof(deeper), "%s%s/", prefix, name);
        while (path[n_prefix + n] && i + same < table->n_rows &&
               strncmp(table->rows[i + same].path, deeper, strlen(deeper)) == 0)
            same++;
        if (!path[n_prefix + n])
            write_field(w, name, &table->rows[i]);
        else if (isdigit((unsigned char)path[n_prefix + n + 1]))
            write_tuple(w, name, i, same);
        else
            write_object(w, name, deeper, NULL);
        i += same;
    }
}

/* Of a request: names at this level that are required, or hold something required. Of an answer: all but sparse
 * ones. */
static void write_required(const struct writing *w, const char *prefix) {
    size_t n_prefix = strlen(prefix);
    char last[64] = "";
    for (size_t i = 0; i < w->table->n_rows; i++) {
        const struct lag_field *field = &w->table->rows[i];
        if (strncmp(field->path, prefix, n_prefix) != 0 || !lagd_field_wanted(field->path, w->only)) continue;
        bool sparse = (field->flags & LAG_FIELD_SPARSE) && !strchr(field->path + n_prefix, '/');
        if (w->answer ? sparse : !(field->flags & LAG_FIELD_REQUIRED)) continue;
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(field->path + n_prefix, "/"), field->path + n_prefix);
        if (strcmp(name, last) != 0) lagd_json_text(w->json, NULL, name);
        memcpy(last, name, sizeof(last));
    }
}

static void write_object(const struct writing *w, const char *key, const char *prefix, const char *more) {
    lagd_json_open_object(w->json, key);
    lagd_json_text(w->json, "type", "object");
    if (*prefix) write_group_help(w, key);
    if (!w->answer) lagd_json_bool(w->json, "additionalProperties", false);
    lagd_json_open_object(w->json, "properties");
    write_properties(w, prefix);
    if (more) lagd_json_raw(w->json, more);
    lagd_json_close_object(w->json);
    lagd_json_open_array(w->json, "required");
    write_required(w, prefix);
    lagd_json_close_array(w->json);
    lagd_json_close_object(w->json);
}

void lagd_request_schema(struct lagd_json *json, const char *name, const struct lag_fields *table, const char *more) {
    const struct writing w = {json, table, NULL, false};
    write_object(&w, name, "", more);
}

void lagd_answer_properties(struct lagd_json *json, const struct lag_fields *table, const char *only) {
    const struct writing w = {json, table, only, true};
    write_properties(&w, "");
}

void lagd_answer_required(struct lagd_json *json, const struct lag_fields *table, const char *only) {
    const struct writing w = {json, table, only, true};
    write_required(&w, "");
}

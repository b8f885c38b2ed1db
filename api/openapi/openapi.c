/* Writes the OpenAPI document: paths from the route table, request bodies from the tables of fields. */
#include "openapi/openapi_internal.h"

#include "body/bodies_internal.h"
#include "body/pool_body_internal.h"
#include "openapi/schema_internal.h"
#include "request/answer_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- fields → JSON Schema ---------------------------------------------------------------------------------------- */

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
    case LAG_FIELD_REAL:
        write_number(json, "default", number, field->type == LAG_FIELD_INT);
        break;
    case LAG_FIELD_BOOL: lagd_json_bool(json, "default", strcmp(field->preset, "true") == 0); break;
    case LAG_FIELD_LIST: lagd_json_list(json, "default", field->preset); break;
    default: lagd_json_text(json, "default", field->preset); break;
    }
}

static void write_field(struct lagd_json *json, const char *key, const struct lag_field *field) {
    static const char *const types[] = {"integer", "number", "boolean", "string", "string", "integer", "array"};
    bool numeric = field->type == LAG_FIELD_INT || field->type == LAG_FIELD_REAL || field->type == LAG_FIELD_BYTES;
    char text[400];
    lagd_json_open_object(json, key);
    lagd_json_text(json, "type", types[field->type]);
    if (numeric && (field->min != 0 || field->max != 0)) {
        bool whole = field->type != LAG_FIELD_REAL;
        write_number(json, field->flags & LAG_FIELD_OPEN_MIN ? "exclusiveMinimum" : "minimum", field->min, whole);
        write_number(json, "maximum", field->max, whole);
    }
    if (field->type == LAG_FIELD_TEXT && field->max > 0) lagd_json_int(json, "maxLength", (int64_t)field->max);
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
    write_default(json, field);
    (void)snprintf(text, sizeof(text), "%s%s%s%s", field->help, *field->unit ? " [" : "", field->unit,
                   *field->unit ? "]" : "");
    lagd_json_text(json, "description", text);
    lagd_json_close_object(json);
}

/* Rows whose path begins with prefix ("" or "model/"): an object's schema. more: further properties, as JSON text. */
static void write_object(struct lagd_json *json, const char *key, const struct lag_fields *table, const char *prefix,
                         const char *more);

static void write_tuple(struct lagd_json *json, const char *key, const struct lag_fields *table, size_t first,
                        size_t n) {
    lagd_json_open_object(json, key);
    lagd_json_text(json, "type", "array");
    lagd_json_int(json, "maxItems", (int64_t)n);
    lagd_json_open_array(json, "prefixItems");
    for (size_t i = first; i < first + n; i++) write_field(json, NULL, &table->rows[i]);
    lagd_json_close_array(json);
    lagd_json_close_object(json);
}

static void write_members(struct lagd_json *json, const struct lag_fields *table, const char *prefix) {
    size_t n_prefix = strlen(prefix);
    for (size_t i = 0; i < table->n_rows;) {
        const char *path = table->rows[i].path;
        char name[64], deeper[128];
        if (strncmp(path, prefix, n_prefix) != 0) {
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
            write_field(json, name, &table->rows[i]);
        else if (isdigit((unsigned char)path[n_prefix + n + 1]))
            write_tuple(json, name, table, i, same);
        else
            write_object(json, name, table, deeper, NULL);
        i += same;
    }
}

/* Names of members at this level that are required, or hold something required. */
static void write_required(struct lagd_json *json, const struct lag_fields *table, const char *prefix) {
    size_t n_prefix = strlen(prefix);
    char last[64] = "";
    lagd_json_open_array(json, "required");
    for (size_t i = 0; i < table->n_rows; i++) {
        const char *path = table->rows[i].path;
        if (!(table->rows[i].flags & LAG_FIELD_REQUIRED) || strncmp(path, prefix, n_prefix) != 0) continue;
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(path + n_prefix, "/"), path + n_prefix);
        if (strcmp(name, last) != 0) lagd_json_text(json, NULL, name);
        memcpy(last, name, sizeof(last));
    }
    lagd_json_close_array(json);
}

static void write_object(struct lagd_json *json, const char *key, const struct lag_fields *table, const char *prefix,
                         const char *more) {
    lagd_json_open_object(json, key);
    lagd_json_text(json, "type", "object");
    lagd_json_bool(json, "additionalProperties", false);
    lagd_json_open_object(json, "properties");
    write_members(json, table, prefix);
    if (more) lagd_json_raw(json, more);
    lagd_json_close_object(json);
    write_required(json, table, prefix);
    lagd_json_close_object(json);
}

static void write_request_schemas(struct lagd_json *json) {
    static const struct lagd_body_spec *const bodies[] = {&lagd_run_body,     &lagd_growth_body, &lagd_reason_spec,
                                                          &lagd_decide_spec,  &lagd_keep_spec,   &lagd_dataset_spec,
                                                          &lagd_generate_spec, &lagd_patch_spec};
    for (size_t i = 0; i < LAG_COUNT(bodies); i++)
        write_object(json, bodies[i]->schema, bodies[i]->table, "", bodies[i]->more);
    write_object(json, "StrategyRequest", &lagd_strategy_fields, "",
                 "\"params\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}}");
}

/* --- routes → paths ---------------------------------------------------------------------------------------------- */

static void write_path_parameters(struct lagd_json *json, const char *path) {
    for (const char *p = strchr(path, '{'); p; p = strchr(p + 1, '{')) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(p + 1, "}"), p + 1);
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "name", name);
        lagd_json_text(json, "in", "path");
        lagd_json_bool(json, "required", true);
        lagd_json_open_object(json, "schema");
        lagd_json_text(json, "type", "string");
        lagd_json_close_object(json);
        lagd_json_close_object(json);
    }
}

static void write_parameter(struct lagd_json *json, const struct lagd_parameter *parameter) {
    static const char *const types[] = {"integer", "boolean", "string", "string"};
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "name", parameter->name);
    lagd_json_text(json, "in", "query");
    lagd_json_bool(json, "required", parameter->required);
    lagd_json_text(json, "description", parameter->help);
    lagd_json_open_object(json, "schema");
    if (parameter->repeats) {
        lagd_json_text(json, "type", "array");
        lagd_json_open_object(json, "items");
    }
    lagd_json_text(json, "type", types[parameter->kind]);
    if (parameter->kind == LAGD_PARAM_INT) lagd_json_int(json, "minimum", (int64_t)parameter->min);
    if (parameter->kind == LAGD_PARAM_TEXT) lagd_json_int(json, "maxLength", (int64_t)parameter->max);
    for (size_t i = 0; parameter->kind == LAGD_PARAM_CHOICE && parameter->choices[i]; i++) {
        if (i == 0) lagd_json_open_array(json, "enum");
        lagd_json_text(json, NULL, parameter->choices[i]);
        if (!parameter->choices[i + 1]) lagd_json_close_array(json);
    }
    if (parameter->preset) {
        int64_t whole = 0;
        (void)lag_parse_i64(parameter->preset, &whole);
        if (parameter->kind == LAGD_PARAM_INT)
            lagd_json_int(json, "default", whole);
        else
            lagd_json_text(json, "default", parameter->preset);
    }
    if (parameter->repeats) lagd_json_close_object(json);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
}

static const struct {
    const char *operation, *name, *help;
} headers[] = {
    {"run", "If-None-Match", "ETag of the answer already there: 304 while it is the present one."},
    {"growth", "If-None-Match", "ETag of the answer already there: 304 while it is the present one."},
    {"run_patch", "If-Match", "Only while the run has one of these ETags; else 412 revision-mismatch."},
    {"run_delete", "If-Match", "Only while the run has one of these ETags; else 412 revision-mismatch."},
    {"decide", "If-Match", "Only while the growth has one of these ETags; else 412 revision-mismatch."},
};

static void write_header(struct lagd_json *json, const char *name, const char *help, int max_length) {
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "name", name);
    lagd_json_text(json, "in", "header");
    lagd_json_bool(json, "required", false);
    lagd_json_text(json, "description", help);
    lagd_json_open_object(json, "schema");
    lagd_json_text(json, "type", "string");
    if (max_length > 0) lagd_json_int(json, "maxLength", max_length);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
}

static void write_headers(struct lagd_json *json, const struct lagd_route *route) {
    for (size_t i = 0; i < LAG_COUNT(headers); i++) {
        if (strcmp(headers[i].operation, route->operation) == 0)
            write_header(json, headers[i].name, headers[i].help, 0);
    }
    if (route->flags & LAGD_KEYED) {
        write_header(json, "Idempotency-Key",
                     "Makes the request safe to send again: for 24 hours the same key with the same request gets the "
                     "first success's answer, marked by Idempotency-Replayed: true, and changes nothing. 1 to 255 "
                     "visible ASCII characters.",
                     LAG_KEY_SIZE - 1);
    }
}

static void write_reference(struct lagd_json *json, const char *schema) {
    char text[96];
    (void)snprintf(text, sizeof(text), "#/components/schemas/%s", schema);
    lagd_json_open_object(json, "schema");
    lagd_json_text(json, "$ref", text);
    lagd_json_close_object(json);
}

static void write_body(struct lagd_json *json, const struct lagd_route *route) {
    static const char *const uploads[] = {"text/plain", "application/octet-stream"};
    if (route->body == LAGD_BODY_NONE) return;
    lagd_json_open_object(json, "requestBody");
    lagd_json_bool(json, "required", route->body != LAGD_BODY_JSON_OPTIONAL);
    lagd_json_open_object(json, "content");
    lagd_json_open_object(json, "application/json");
    write_reference(json, route->request->schema);
    lagd_json_open_object(json, "example");
    size_t n = strlen(route->request->example);
    char inner[512];
    (void)snprintf(inner, sizeof(inner), "%.*s", (int)n - 2, route->request->example + 1);
    lagd_json_raw(json, inner);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    for (size_t i = 0; route->body == LAGD_BODY_UPLOAD && i < LAG_COUNT(uploads); i++) {
        lagd_json_open_object(json, uploads[i]);
        lagd_json_close_object(json);
    }
    lagd_json_close_object(json);
    lagd_json_close_object(json);
}

/* Forms that an answer takes besides the route's own, when its query asks for them. */
static const struct {
    const char *operation, *content_type;
} other_forms[] = {
    {"growth_report", "text/markdown"},
    {"run_export", "text/csv"},
    {"run_logs", "text/plain"},
};

static void write_other_forms(struct lagd_json *json, const char *operation) {
    for (size_t i = 0; i < LAG_COUNT(other_forms); i++) {
        if (strcmp(other_forms[i].operation, operation) != 0) continue;
        lagd_json_open_object(json, other_forms[i].content_type);
        lagd_json_close_object(json);
    }
}

static void write_response(struct lagd_json *json, int status, const char *description, const char *type,
                           const char *schema, const char *operation) {
    char key[8];
    (void)snprintf(key, sizeof(key), "%d", status);
    lagd_json_open_object(json, status ? key : "default");
    lagd_json_text(json, "description", description);
    if (type) {
        lagd_json_open_object(json, "content");
        lagd_json_open_object(json, type);
        if (schema) write_reference(json, schema);
        lagd_json_close_object(json);
        if (operation) write_other_forms(json, operation);
        lagd_json_close_object(json);
    }
    lagd_json_close_object(json);
}

static void write_operation(struct lagd_json *json, const struct lagd_route *route) {
    char method[16];
    size_t n = strlen(route->method);
    for (size_t i = 0; i <= n; i++) method[i] = (char)tolower((unsigned char)route->method[i]);
    lagd_json_open_object(json, method);
    lagd_json_text(json, "operationId", route->operation);
    lagd_json_text(json, "summary", route->summary);
    lagd_json_open_array(json, "parameters");
    write_path_parameters(json, route->path);
    for (const struct lagd_parameter *p = route->query; p && p->name; p++) write_parameter(json, p);
    static const struct lagd_parameter pretty = {
        "pretty", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL, "Indent the answer for people."};
    static const struct lagd_parameter dry = {
        "dry_run", LAGD_PARAM_BOOL, false, false, 0, 0, NULL, NULL, "Check and estimate only; nothing is changed."};
    if (route->flags & LAGD_DRY_RUN) write_parameter(json, &dry);
    write_parameter(json, &pretty);
    write_headers(json, route);
    lagd_json_close_array(json);
    write_body(json, route);
    lagd_json_open_object(json, "responses");
    const char *type = route->status == 204 ? NULL : route->content_type ? route->content_type : "application/json";
    write_response(json, route->status, "As asked.", type, route->response, route->operation);
    if (route->flags & LAGD_DRY_RUN) {
        write_response(json, 200, "The estimate of a dry run.", "application/json",
                       route->status == 201 ? "RunEstimate" : "GrowthPlan", NULL);
    }
    write_response(json, 0, "A problem (RFC 9457).", "application/problem+json", "Problem", NULL);
    lagd_json_close_object(json);
    if (route->flags & LAGD_OPEN) {
        lagd_json_open_array(json, "security");
        lagd_json_close_array(json);
    }
    lagd_json_close_object(json);
}

static void write_paths(struct lagd_json *json, const struct lagd_route_table *table) {
    const struct lagd_route *routes = table->rows;
    size_t n = table->n;
    lagd_json_open_object(json, "paths");
    for (size_t i = 0; i < n;) { /* rows of one path stand together */
        size_t same = 1;
        while (i + same < n && strcmp(routes[i].path, routes[i + same].path) == 0) same++;
        if (routes[i].flags & LAGD_UNLISTED) {
            i += same;
            continue;
        }
        lagd_json_open_object(json, routes[i].path);
        for (size_t j = i; j < i + same; j++) write_operation(json, &routes[j]);
        lagd_json_close_object(json);
        i += same;
    }
    lagd_json_close_object(json);
}

/* What only a live stream sends: it has no number and is not kept. */
static void write_stream_only(struct lagd_json *json, const char *key, const char *schema, const char *const *types) {
    lagd_json_open_object(json, key);
    write_reference(json, schema);
    lagd_json_open_array(json, "types");
    for (; *types; types++) lagd_json_text(json, NULL, *types);
    lagd_json_close_array(json);
    lagd_json_close_object(json);
}

static void write_events(struct lagd_json *json) {
    static const char *const types[] = {
        "run.created",     "run.changed",        "run.state",          "run.deleted",          "run.checkpoint",
        "run.rollback",    "growth.state",       "candidate.state",    "growth.decision",      "dataset.added",
        "dataset.deleted", "checkpoint.damaged", "checkpoint.deleted", "determinism.mismatch", "system.warning"};
    lagd_json_open_object(json, "x-lagd-events");
    lagd_json_text(json, "schema", "#/components/schemas/Event");
    lagd_json_open_array(json, "types");
    for (size_t i = 0; i < LAG_COUNT(types); i++) lagd_json_text(json, NULL, types[i]);
    lagd_json_close_array(json);
    static const char *const batches[] = {"run.metric", "candidate.metric", NULL};
    static const char *const notices[] = {"hello", "caught-up", "reset", "lagged", "bye", "hb", NULL};
    write_stream_only(json, "metrics", "EventBatch", batches);
    write_stream_only(json, "notices", "EventNotice", notices);
    lagd_json_close_object(json);
}

void lagd_openapi_write(struct lagd_json *json, const struct lagd_route_table *routes) {
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "openapi", "3.1.0");
    lagd_json_open_object(json, "info");
    lagd_json_text(json, "title", "lagd");
    lagd_json_text(json, "version", LAGD_VERSION);
    lagd_json_text(json, "description", "Trains Transformers, and grows them by landscape-aware growing.");
    lagd_json_close_object(json);
    lagd_json_open_array(json, "servers");
    lagd_json_open_object(json, NULL);
    lagd_json_text(json, "url", "/");
    lagd_json_close_object(json);
    lagd_json_close_array(json);
    write_paths(json, routes);
    lagd_json_open_object(json, "components");
    lagd_json_open_object(json, "schemas");
    lagd_schemas_write(json);
    write_request_schemas(json);
    lagd_json_close_object(json);
    lagd_json_open_object(json, "securitySchemes");
    lagd_json_open_object(json, "bearer");
    lagd_json_text(json, "type", "http");
    lagd_json_text(json, "scheme", "bearer");
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    lagd_json_open_array(json, "security"); /* only where auth/token_file is set */
    lagd_json_open_object(json, NULL);
    lagd_json_close_object(json);
    lagd_json_open_object(json, NULL);
    lagd_json_open_array(json, "bearer");
    lagd_json_close_array(json);
    lagd_json_close_object(json);
    lagd_json_close_array(json);
    write_events(json);
    lagd_json_close_object(json);
}

int lagd_h_openapi(struct lagd_request *request) {
    struct lagd_json json;
    lagd_answer_begin(request, &json);
    lagd_openapi_write(&json, request->services->routes);
    return lagd_answer_end(request, &json, 0);
}

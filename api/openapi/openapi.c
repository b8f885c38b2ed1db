/* Writes the OpenAPI document: paths from the route table, request bodies from the tables of fields. */
#include "openapi/openapi_internal.h"

#include "body/bodies_internal.h"
#include "body/plan_body_internal.h"
#include "body/pool_body_internal.h"
#include "openapi/field_schemas_internal.h"
#include "openapi/schemas_internal.h"
#include "request/answer_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/parse.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/event_types.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Each body once, in the order of the routes. */
static void write_request_schemas(struct lagd_json *json, const struct lagd_route_table *routes) {
    for (size_t i = 0; i < routes->n; i++) {
        const struct lagd_body_spec *body = routes->rows[i].request;
        bool told = !body;
        for (size_t k = 0; k < i && !told; k++) told = routes->rows[k].request == body;
        if (!told) lagd_request_schema(json, body->schema, body->table, body->more);
    }
    lagd_request_schema(json, "StrategyRequest", &lagd_strategy_fields, lagd_strategy_more);
    lagd_request_schema(json, "PoolRequest", &lagd_pool_fields, lagd_pool_object_more);
    lagd_request_schema(json, "StageRequest", &lagd_stage_fields, lagd_stage_more);
    lagd_request_schema(json, "TriggerRequest", &lagd_trigger_fields, NULL);
    lagd_request_schema(json, "LengthsRequest", &lagd_lengths_fields, NULL);
}

static void write_answer_schemas(struct lagd_json *json, const struct lagd_route_table *routes) {
    struct lagd_schemas schemas = {.n = 0};
    for (size_t i = 0; i < routes->n; i++) {
        lagd_schemas_add(&schemas, routes->rows[i].response);
        lagd_schemas_add(&schemas, routes->rows[i].estimate);
    }
    const struct lagd_schema *const others[] = {routes->problem, routes->event, routes->batch, routes->notice,
                                               routes->export_line, routes->notification};
    for (size_t i = 0; i < LAG_COUNT(others); i++) lagd_schemas_add(&schemas, others[i]);
    lagd_schemas_write(json, &schemas);
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
    {"plan_set", "If-Match", "Only while the plan has one of these ETags; else 412 revision-mismatch. Every stage that "
     "begins changes it."},
    {"plan_remove", "If-Match", "Only while the plan has one of these ETags; else 412 revision-mismatch."},
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

/* Of an answer with the status of a dry run's: either. */
static void write_either(struct lagd_json *json, const char *schema, const char *other) {
    const char *const both[] = {schema, other};
    lagd_json_open_object(json, "schema");
    lagd_json_open_array(json, "oneOf");
    for (size_t i = 0; i < LAG_COUNT(both); i++) {
        char text[96];
        (void)snprintf(text, sizeof(text), "#/components/schemas/%s", both[i]);
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "$ref", text);
        lagd_json_close_object(json);
    }
    lagd_json_close_array(json);
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
                           const struct lagd_schema *schema, const struct lagd_schema *other, const char *operation) {
    char key[8];
    (void)snprintf(key, sizeof(key), "%d", status);
    lagd_json_open_object(json, status ? key : "default");
    lagd_json_text(json, "description", description);
    if (type) {
        lagd_json_open_object(json, "content");
        lagd_json_open_object(json, type);
        if (schema && other) write_either(json, schema->name, other->name);
        else if (schema) write_reference(json, schema->name);
        lagd_json_close_object(json);
        if (operation) write_other_forms(json, operation);
        lagd_json_close_object(json);
    }
    lagd_json_close_object(json);
}

static void write_operation(struct lagd_json *json, const struct lagd_route_table *routes,
                            const struct lagd_route *route) {
    char method[16];
    size_t n = strlen(route->method);
    for (size_t i = 0; i <= n; i++) method[i] = (char)tolower((unsigned char)route->method[i]);
    lagd_json_open_object(json, method);
    lagd_json_text(json, "operationId", route->operation);
    lagd_json_text(json, "summary", route->summary);
    lagd_json_open_array(json, "parameters");
    write_path_parameters(json, route->path);
    for (const struct lagd_parameter *p = route->query; p && p->name; p++) write_parameter(json, p);
    if (route->flags & LAGD_DRY_RUN) write_parameter(json, &lagd_parameter_dry_run);
    write_parameter(json, &lagd_parameter_pretty);
    write_headers(json, route);
    lagd_json_close_array(json);
    write_body(json, route);
    lagd_json_open_object(json, "responses");
    const char *type = route->status == 204 ? NULL : route->content_type ? route->content_type : "application/json";
    const bool is_dry = route->flags & LAGD_DRY_RUN, same = is_dry && route->status == 200;
    write_response(json, route->status, same ? "As asked, or what a dry run tells." : "As asked.", type,
                   route->response, same ? route->estimate : NULL, route->operation);
    if (route->later)
        write_response(json, route->later, "Accepted: it is under way, and Location tells how far.", type,
                       route->response, NULL, NULL);
    if (is_dry && !same)
        write_response(json, 200, "The estimate of a dry run.", "application/json", route->estimate, NULL, NULL);
    write_response(json, 0, "A problem (RFC 9457).", "application/problem+json", routes->problem, NULL, NULL);
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
        for (size_t j = i; j < i + same; j++) write_operation(json, table, &routes[j]);
        lagd_json_close_object(json);
        i += same;
    }
    lagd_json_close_object(json);
}

/* The words that the member "type" of a schema may be. */
static void write_types(struct lagd_json *json, const struct lagd_schema *schema) {
    const char *word, *help;
    lagd_json_open_array(json, "types");
    for (size_t i = 0; i < schema->n; i++) {
        const struct lagd_member *member = &schema->members[i];
        if (strcmp(member->name, "type") != 0) continue;
        for (int k = 0; (word = member->choice(k, &help)) != NULL; k++) lagd_json_text(json, NULL, word);
    }
    lagd_json_close_array(json);
}

/* What only a live stream sends: it has no number and is not kept. */
static void write_stream_only(struct lagd_json *json, const char *key, const struct lagd_schema *schema) {
    lagd_json_open_object(json, key);
    write_reference(json, schema->name);
    write_types(json, schema);
    lagd_json_close_object(json);
}

/* Members of an event that not every type fills. */
static const struct {
    unsigned bit;
    const char *name;
} event_fields[] = {
    {LAG_EVENT_HAS_RUN, "run"},     {LAG_EVENT_HAS_GROWTH, "growth"}, {LAG_EVENT_HAS_CANDIDATE, "candidate"},
    {LAG_EVENT_HAS_STATE, "state"}, {LAG_EVENT_HAS_STEP, "step"},     {LAG_EVENT_HAS_VALUE, "value"},
};

/* The storage's table of event types. */
static void write_kinds(struct lagd_json *json) {
    lagd_json_open_array(json, "kinds");
    for (int i = 0; i < LAG_N_EVENT_TYPES; i++) {
        const struct lag_event_kind *kind = lag_event_kind((enum lag_event_type)i);
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "type", kind->name);
        lagd_json_text(json, "severity", lag_event_severity_name(kind->severity));
        lagd_json_open_array(json, "may_have");
        for (size_t k = 0; k < LAG_COUNT(event_fields); k++) {
            if (kind->fields & event_fields[k].bit) lagd_json_text(json, NULL, event_fields[k].name);
        }
        lagd_json_close_array(json);
        lagd_json_text(json, "help", kind->help);
        lagd_json_close_object(json);
    }
    lagd_json_close_array(json);
}

/* The daemon's tables of states. */
static void write_states(struct lagd_json *json) {
    static const char *const machines[LAGD_N_MACHINES] = {
        [LAGD_MACHINE_RUN] = "run", [LAGD_MACHINE_GROWTH] = "growth", [LAGD_MACHINE_CANDIDATE] = "candidate",
        [LAGD_MACHINE_DATASET] = "dataset", [LAGD_MACHINE_STUDY] = "study",
        [LAGD_MACHINE_STAGE] = "stage", [LAGD_MACHINE_MODEL] = "model",
        [LAGD_MACHINE_TOKENIZER] = "tokenizer"};
    lagd_json_open_object(json, "x-lagd-states");
    for (int machine = 0; machine < LAGD_N_MACHINES; machine++) {
        size_t n;
        const struct lagd_state *states = lagd_states((enum lagd_machine)machine, &n);
        lagd_json_open_array(json, machines[machine]);
        for (size_t i = 0; i < n; i++) {
            lagd_json_open_object(json, NULL);
            lagd_json_text(json, "name", states[i].name);
            lagd_json_bool(json, "terminal", states[i].terminal);
            lagd_json_bool(json, "live", states[i].live);
            lagd_json_list(json, "allowed_actions", states[i].actions);
            lagd_json_text(json, "help", states[i].help);
            lagd_json_close_object(json);
        }
        lagd_json_close_array(json);
    }
    lagd_json_close_object(json);
}

static void write_events(struct lagd_json *json, const struct lagd_route_table *routes) {
    char text[96];
    (void)snprintf(text, sizeof(text), "#/components/schemas/%s", routes->event->name);
    lagd_json_open_object(json, "x-lagd-events");
    lagd_json_text(json, "schema", text);
    write_types(json, routes->event);
    write_kinds(json);
    write_stream_only(json, "metrics", routes->batch);
    write_stream_only(json, "notices", routes->notice);
    lagd_json_close_object(json);
}

/* What lagd sends, and what it expects of who takes it. */
static void write_webhooks(struct lagd_json *json, const struct lagd_route_table *routes) {
    lagd_json_open_object(json, "webhooks");
    lagd_json_open_object(json, "notification");
    lagd_json_open_object(json, "post");
    lagd_json_text(json, "operationId", "notification");
    lagd_json_text(json, "summary", "What the section [notify] of the configuration asks for, signed as Standard "
                                    "Webhooks say: webhook-id, webhook-timestamp, webhook-signature.");
    lagd_json_open_object(json, "requestBody");
    lagd_json_open_object(json, "content");
    lagd_json_open_object(json, "application/json");
    write_reference(json, routes->notification->name);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    lagd_json_open_object(json, "responses");
    lagd_json_open_object(json, "2XX");
    lagd_json_text(json, "description", "It was taken; any other answer has it sent again later.");
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    lagd_json_close_object(json);
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
    write_webhooks(json, routes);
    lagd_json_open_object(json, "components");
    lagd_json_open_object(json, "schemas");
    write_answer_schemas(json, routes);
    write_request_schemas(json, routes);
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
    write_states(json);
    write_events(json, routes);
    lagd_json_close_object(json);
}

int lagd_h_openapi(struct lagd_request *request) {
    struct lagd_json json;
    lagd_answer_begin(request, &json);
    lagd_openapi_write(&json, request->services->routes);
    return lagd_answer_end(request, &json, 0);
}

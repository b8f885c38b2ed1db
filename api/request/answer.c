/* Fills in a request's response: JSON, texts, headers, problems. */
#include "request/answer_internal.h"

#include "door/problem_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int lagd_fail(struct lagd_request *request, const char *slug, const char *format, ...) {
    char text[sizeof(request->err.text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    request->slug = slug;
    return lag_error_set(&request->err, LAG_EINVAL, "%s", text);
}

int lagd_fail_state(struct lagd_request *request, int machine, const char *state, const char *format, ...) {
    char text[sizeof(request->err.text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const struct lagd_state *found = lagd_state_find((enum lagd_machine)machine, state);
    request->slug = "invalid-state";
    (void)lag_copy(request->state, sizeof(request->state), state);
    request->allowed_actions = found ? found->actions : "";
    return lag_error_set(&request->err, LAG_ESTATE, "%s", text);
}

void lagd_header_set(struct lagd_request *request, const char *name, const char *format, ...) {
    struct lagd_response *response = &request->response;
    if ((size_t)response->n_headers == LAG_COUNT(response->headers)) return;
    va_list arguments;
    va_start(arguments, format);
    response->headers[response->n_headers].name = name;
    (void)vsnprintf(response->headers[response->n_headers].value, sizeof(response->headers[0].value), format,
                    arguments);
    va_end(arguments);
    response->n_headers++;
}

void lagd_answer_begin(struct lagd_request *request, struct lagd_json *json) {
    lagd_json_init(json, lagd_query_bool(&request->target, "pretty"));
}

int lagd_answer_text(struct lagd_request *request, const char *content_type, char *text, size_t length) {
    if (!text) return lag_error_set(&request->err, LAG_EINTERNAL, "out of memory");
    free(request->response.text);
    request->response.text = text;
    request->response.n_text = length;
    request->response.content_type = content_type;
    return 0;
}

int lagd_answer_end(struct lagd_request *request, struct lagd_json *json, int status) {
    size_t length = 0;
    char *text = lagd_json_take(json, &length);
    request->response.status = status;
    return lagd_answer_text(request, "application/json", text, length);
}

static void write_faults(struct lagd_json *json, const struct lagd_request *request) {
    if (request->faults.n == 0 && !*request->err.pointer) return;
    char pointer[160];
    lagd_json_open_array(json, "errors");
    for (int i = 0; i < request->faults.n; i++) {
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "detail", request->faults.list[i].detail);
        (void)snprintf(pointer, sizeof(pointer), "#%s", request->faults.list[i].pointer);
        lagd_json_text(json, "pointer", pointer);
        lagd_json_close_object(json);
    }
    if (request->faults.n == 0) {
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "detail", request->err.text);
        (void)snprintf(pointer, sizeof(pointer), "#%s", request->err.pointer);
        lagd_json_text(json, "pointer", pointer);
        lagd_json_close_object(json);
    }
    lagd_json_close_array(json);
}

static void fault_summary(const struct lagd_request *request, char ret[800]) {
    const struct lagd_fault *first = &request->faults.list[0];
    const char *path = *first->pointer == '/' ? first->pointer + 1 : first->pointer;
    bool named = strncmp(first->detail, path, strlen(path)) == 0; /* texts of the field table begin with the path */
    (void)snprintf(ret, 800, "%s%s%s", named ? "" : path, named || !*path ? "" : " ", first->detail);
    size_t n = strlen(ret);
    if (request->faults.n > 1) (void)snprintf(ret + n, 800 - n, "; and %d more in errors", request->faults.n - 1);
}

void lagd_reply_problem(struct lagd_request *request, const char *slug, const char *detail) {
    struct lagd_response *response = &request->response;
    const struct lagd_problem_type *type = lagd_problem_find(slug);
    struct lagd_json json;
    char summary[800];
    if (request->faults.n > 0) {
        fault_summary(request, summary);
        detail = summary;
    }
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_problem_members(&json, type, detail, request->target.path, request->id);
    write_faults(&json, request);
    if (*request->state) {
        lagd_json_text(&json, "state", request->state);
        lagd_json_list(&json, "allowed_actions", request->allowed_actions ? request->allowed_actions : "");
    }
    if (request->revision > 0) lagd_json_int(&json, "revision", request->revision);
    lagd_json_close_object(&json);
    response->n_headers = 0;
    if (lagd_answer_end(request, &json, type->status) < 0) response->n_text = 0;
    response->content_type = "application/problem+json";
    response->status = type->status;
    if (type->status == 401) lagd_header_set(request, "WWW-Authenticate", "Bearer realm=\"lagd\"");
    if (type->status == 503) lagd_header_set(request, "Retry-After", "%d", strcmp(type->slug, "busy") == 0 ? 1 : 5);
}

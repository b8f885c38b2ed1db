/* Fills in a request's response: JSON, texts, headers, problems. */
#include "request/answer_internal.h"

#include "door/problem_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <inttypes.h>
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

int lagd_answer_object(struct lagd_request *request, const struct lagd_schema *schema, const void *object,
                       void *context, int status) {
    struct lagd_json json;
    lagd_answer_begin(request, &json);
    int written = lagd_write_object(&json, NULL, schema, object, context);
    int ended = lagd_answer_end(request, &json, status);
    return written < 0 ? written : ended;
}

/* --- problems ---------------------------------------------------------------------------------------------------- */

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
    char summary[800];
    if (request->faults.n > 0) {
        fault_summary(request, summary);
        detail = summary;
    }
    struct lagd_problem problem = {
        .type = type,
        .detail = detail,
        .instance = request->target.path,
        .request_id = request->id,
        .state = request->state,
        .allowed_actions = request->allowed_actions ? request->allowed_actions : "",
        .revision = LAG_MAX(request->revision, 0),
        .next_after = request->has_next_after ? request->next_after : -1,
    };
    for (int i = 0; i < request->faults.n; i++)
        problem.faults[problem.n_faults++] =
            (struct lagd_problem_fault){request->faults.list[i].detail, request->faults.list[i].pointer};
    if (request->faults.n == 0 && *request->err.pointer)
        problem.faults[problem.n_faults++] = (struct lagd_problem_fault){request->err.text, request->err.pointer};
    response->n_headers = 0;
    if (lagd_answer_object(request, &lagd_problem_schema, &problem, NULL, type->status) < 0) response->n_text = 0;
    response->content_type = "application/problem+json";
    response->status = type->status;
    if (request->has_next_after) lagd_header_set(request, "X-Next-After", "%" PRId64, request->next_after);
    if (type->status == 401) lagd_header_set(request, "WWW-Authenticate", "Bearer realm=\"lagd\"");
    if (type->status == 503) lagd_header_set(request, "Retry-After", "%d", strcmp(type->slug, "busy") == 0 ? 1 : 5);
}

/* Requests and their answers: what an answer means for the exit status, and what is told of it. */
#include "ctl_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_MS 300000
#define RETRIES 10
#define RETRY_MS 500

int ctl_exit_of_status(long status) {
    static const struct {
        long status;
        int exit_status;
    } rows[] = {{401, CTL_AUTH},     {403, CTL_AUTH},     {404, CTL_NOT_FOUND}, {408, CTL_TIMEOUT},
                {409, CTL_CONFLICT}, {412, CTL_CONFLICT}, {428, CTL_CONFLICT},  {504, CTL_TIMEOUT}};
    if (status >= 200 && status < 300) return CTL_OK;
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        if (rows[i].status == status) return rows[i].exit_status;
    }
    return CTL_FAILED;
}

/* The pointer in lagd's errors is a fragment: "#/model/n_layer". */
static void tell_faults(json_t *problem) {
    json_t *fault;
    size_t i;
    json_array_foreach(json_object_get(problem, "errors"), i, fault) {
        const char *pointer = ctl_json_text(fault, "pointer");
        ctl_tell("  %s: %s", *pointer == '#' ? pointer + 1 : pointer, ctl_json_text(fault, "detail"));
    }
}

static void tell_problem(json_t *problem, long status) {
    const char *detail = ctl_json_text(problem, "detail"), *title = ctl_json_text(problem, "title");
    struct lag_strbuf actions = LAG_STRBUF_INIT;
    if (*detail || *title)
        ctl_tell("%s", *detail ? detail : title);
    else
        ctl_tell("the answer has status %ld", status);
    tell_faults(problem);
    if (json_is_array(json_object_get(problem, "allowed_actions"))) {
        ctl_say(&actions, "state {state}; possible now: {allowed_actions}", problem);
        if (!actions.failed) ctl_tell("  %s", actions.data);
    }
    lag_strbuf_deinit(&actions);
}

int ctl_judge(struct ctl *ctl, const struct ctl_answer *answer) {
    if (answer->failure == CTL_INTERRUPTED) return CTL_INTERRUPTED;
    if (answer->failure == CTL_UNREACHABLE && answer->status == 0)
        return ctl_fail(CTL_UNREACHABLE, "%s; is lagd running there? See lagctl doctor", answer->reason);
    if (answer->failure) return ctl_fail(answer->failure, "%s", answer->reason);
    int exit_status = ctl_exit_of_status(answer->status);
    if (exit_status == CTL_OK) return CTL_OK;
    json_t *problem = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    tell_problem(problem, answer->status);
    if (problem && (ctl->form == CTL_FORM_JSON || ctl->form == CTL_FORM_JSONL)) (void)ctl_print(ctl, NULL, problem);
    json_decref(problem);
    return exit_status;
}

/* A request whose answer was lost is sent again: under its key it happens once. While the first one is still worked on,
 * or the daemon comes back, there is a little patience. */
static void send_once_more(struct ctl *ctl, const struct ctl_request *request, struct ctl_answer *answer) {
    ctl_send(ctl->client, request, answer);
    if (!request->key || !answer->broke_off) return;
    for (int n_tries = 0; n_tries < RETRIES; n_tries++) {
        if (!ctl_sleep_ms(RETRY_MS)) return;
        ctl_answer_deinit(answer);
        ctl_send(ctl->client, request, answer);
        bool waits = answer->status == 409 && strstr(answer->body.data, "idempotency-in-flight");
        if (!waits && answer->failure != CTL_UNREACHABLE) return;
    }
}

int ctl_ask(struct ctl *ctl, const char *method, const char *path, json_t *body, json_t **ret) {
    struct ctl_request request = {.method = method, .path = path, .timeout_ms = ASK_TIMEOUT_MS};
    struct ctl_answer answer;
    json_error_t error;
    json_t *value = NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    if (body && !text) return ctl_fail(CTL_FAILED, "out of memory");
    request.body = text;
    request.body_length = text ? strlen(text) : 0;
    char key[LAG_ID_SIZE];
    lag_id_new("ctl", key);
    if (strcmp(method, "POST") == 0) request.key = key;
    send_once_more(ctl, &request, &answer);
    int status = ctl_judge(ctl, &answer);
    if (status == CTL_OK && answer.body.length > 0) {
        value = json_loadb(answer.body.data, answer.body.length, JSON_DECODE_ANY, &error);
        if (!value) status = ctl_fail(CTL_FAILED, "the answer is no JSON: %s. Is there a lagd?", error.text);
    }
    if (status == CTL_OK) *ret = value;
    ctl_answer_deinit(&answer);
    free(text);
    return status;
}

int ctl_get(struct ctl *ctl, json_t **ret, const char *format, ...) {
    va_list arguments;
    char path[512];
    va_start(arguments, format);
    int n = vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    if (n >= (int)sizeof(path)) return ctl_fail(CTL_USAGE, "the arguments are too long");
    return ctl_ask(ctl, "GET", path, NULL, ret);
}

int ctl_get_all(struct ctl *ctl, const char *path, int64_t limit, json_t **ret) {
    json_t *all = NULL, *page = NULL, *items;
    struct lag_strbuf next = LAG_STRBUF_INIT;
    lag_strbuf_append(&next, path);
    int status = CTL_OK;
    while (status == CTL_OK) {
        page = NULL;
        status = next.failed ? ctl_fail(CTL_FAILED, "out of memory") : ctl_ask(ctl, "GET", next.data, NULL, &page);
        if (status != CTL_OK) break;
        items = json_object_get(page, "items");
        if (all && json_array_extend(json_object_get(all, "items"), items) < 0)
            status = ctl_fail(CTL_FAILED, "out of memory");
        const char *cursor = json_string_value(json_object_get(page, "next_cursor"));
        size_t n = json_array_size(json_object_get(all ? all : page, "items"));
        bool more = cursor && (limit < 0 || n < (size_t)limit);
        lag_strbuf_clear(&next);
        if (more) {
            lag_strbuf_printf(&next, "%s%ccursor=", path, strchr(path, '?') ? '&' : '?');
            ctl_escape(&next, cursor);
        }
        if (all)
            json_decref(page);
        else
            all = page;
        if (!more) break;
    }
    lag_strbuf_deinit(&next);
    items = json_object_get(all, "items");
    while (status == CTL_OK && limit >= 0 && json_array_size(items) > (size_t)limit)
        (void)json_array_remove(items, json_array_size(items) - 1);
    if (status == CTL_OK)
        *ret = all;
    else
        json_decref(all);
    return status;
}

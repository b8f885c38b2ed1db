/* What handlers answer with: JSON, texts, headers, failures. Thread: the connection's worker. */
#pragma once
#include "json/schema_internal.h"
#include "request/request_internal.h"

/* Fails with a slug of its own. Always returns LAG_EINVAL. */
int lagd_fail(struct lagd_request *request, const char *slug, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fails with state and allowed actions of a life cycle. */
int lagd_fail_state(struct lagd_request *request, int machine, const char *state, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void lagd_header_set(struct lagd_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* JSON answers: begin gives a writer, end puts its text into the response. status 0: the route's. */
void lagd_answer_begin(struct lagd_request *request, struct lagd_json *json);
int lagd_answer_end(struct lagd_request *request, struct lagd_json *json, int status);
/* Both, with an object by its schema between. */
int lagd_answer_object(struct lagd_request *request, const struct lagd_schema *schema, const void *object,
                       void *context, int status);
/* Takes text. */
int lagd_answer_text(struct lagd_request *request, const char *content_type, char *text, size_t length);
/* Makes the response a problem of this type; detail "": the type's own text. */
void lagd_reply_problem(struct lagd_request *request, const char *slug, const char *detail);

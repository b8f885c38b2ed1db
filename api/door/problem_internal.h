/* Problem details (RFC 9457): one table of types, and the body of an error answer. Pure. */
#pragma once
#include "json/json_out_internal.h"

#include <lagd/base/error.h>
#include <stddef.h>

struct lagd_problem_type {
    const char *slug;
    int status;
    const char *title; /* constant per type */
    const char *help;  /* what it means and what to do */
};
const struct lagd_problem_type *lagd_problem_types(size_t *ret_n);
/* Never NULL: an unknown slug is "internal". */
const struct lagd_problem_type *lagd_problem_find(const char *slug);
/* Slug for a code of the layers below. */
const char *lagd_problem_slug(int lag_code);
/* Writes type, title, status, detail, instance and request_id into an open object; detail "" → the type's help. */
void lagd_problem_members(struct lagd_json *json, const struct lagd_problem_type *type, const char *detail,
                          const char *instance, const char *request_id);

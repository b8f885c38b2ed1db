/* Problem details (RFC 9457): one table of types, and the body of an error answer. Pure. */
#pragma once
#include "json/json_in_internal.h"
#include "json/schema_internal.h"

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
/* The type's URI; a lagd_member_fn of struct lagd_problem_type. */
lagd_member_fn lagd_problem_write_uri;

struct lagd_problem_fault {
    const char *detail, *pointer; /* a JSON pointer into the body */
};
/* The body of an error answer. detail "": the type's help. Other texts that are empty or NULL, a revision of 0, and a
 * negative next_after are left out. */
struct lagd_problem {
    const struct lagd_problem_type *type;
    const char *detail, *instance, *request_id, *state, *allowed_actions; /* the last goes with state */
    int n_faults;
    struct lagd_problem_fault faults[LAGD_FAULTS_MAX];
    int64_t revision, next_after;
};
extern const struct lagd_schema lagd_problem_schema;

/* The route table: one row drives dispatch, 404/405/Allow, token check, body limits, query checks, metrics labels and
 * the OpenAPI document. Thread: any (const tables and pure functions). */
#pragma once
#include "door/target_internal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lagd_request;
/* 0: the response is filled in. LAGD_WAIT: the request is suspended until what it waits for is there. LAGD_ASIDE: the
 * handler is called again on another thread, see lagd_request_heavy. Negative: a problem, made from request->err,
 * ->faults and ->slug. */
typedef int lagd_route_fn(struct lagd_request *request);
enum { LAGD_WAIT = 1, LAGD_ASIDE = 2 };

enum lagd_body_kind { LAGD_BODY_NONE, LAGD_BODY_JSON, LAGD_BODY_JSON_OPTIONAL, LAGD_BODY_UPLOAD };
enum lagd_route_flags {
    LAGD_OPEN = 1,     /* needs no token */
    LAGD_DRY_RUN = 2,  /* answers 200 instead with ?dry_run=true */
    LAGD_UNLISTED = 4, /* no part of the API: left out of the OpenAPI document */
    LAGD_KEYED = 8,    /* takes an Idempotency-Key */
    LAGD_KEPT = 16,    /* its answer depends on the target and the database only: kept while both are the same */
};

enum lagd_parameter_kind { LAGD_PARAM_INT, LAGD_PARAM_BOOL, LAGD_PARAM_TEXT, LAGD_PARAM_CHOICE };
struct lagd_parameter {
    const char *name; /* NULL ends a list */
    enum lagd_parameter_kind kind;
    bool repeats, required;
    double min, max; /* INT: below min is refused, above max is taken as max; TEXT: length */
    const char *preset;
    const char *const *choices;
    const char *help;
};
struct lagd_body_spec;
struct lagd_schema;
struct lagd_route {
    const char *method, *path, *operation;
    lagd_route_fn *handle;   /* when the request has been read; and again, when an event came that it waited for */
    lagd_route_fn *answered; /* when the daemon has answered the command that handle posted; NULL: it posts none */
    unsigned flags;
    enum lagd_body_kind body;
    const struct lagd_body_spec *request;
    const struct lagd_parameter *query;
    int status;               /* of success */
    int later;                /* of success that is still under way, with the same answer; 0: there is none */
    const struct lagd_schema *response; /* NULL: no JSON, or the OpenAPI document itself */
    const struct lagd_schema *estimate; /* with LAGD_DRY_RUN: what is answered then */
    const char *content_type; /* NULL: application/json */
    const char *summary;
};
struct lagd_route_table {
    const struct lagd_route *rows;
    size_t n;
    /* schemas of what any route may answer, and of what comes line by line */
    const struct lagd_schema *problem, *event, *batch, *notice, *export_line;
    const struct lagd_schema *notification; /* what sinks are told */
};

#define LAGD_ROUTE_PARAMS 2
struct lagd_match {
    const struct lagd_route *route; /* NULL: no such path, or (allow not empty) no such method */
    const char *params[LAGD_ROUTE_PARAMS];
    char allow[96]; /* methods of the path, for Allow */
};
/* HEAD finds GET. Parameters point into target. */
void lagd_route_match(const struct lagd_route *routes, size_t n_routes, const char *method,
                      const struct lagd_target *target, struct lagd_match *ret);
/* Every route takes the first, those with flag LAGD_DRY_RUN the second too. */
extern const struct lagd_parameter lagd_parameter_pretty, lagd_parameter_dry_run;
/* 0, or -1 with slug and text for people. */
int lagd_query_check(const struct lagd_route *route, const struct lagd_target *target, const char **ret_slug,
                     char *ret_detail, size_t size);
int64_t lagd_query_int(const struct lagd_target *target, const struct lagd_route *route, const char *name);
/* The parameter's value or its preset; NULL when there is neither. */
const char *lagd_query_text(const struct lagd_target *target, const struct lagd_route *route, const char *name);
bool lagd_query_bool(const struct lagd_target *target, const char *name); /* "?pretty" is true */

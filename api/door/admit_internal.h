/* After the guard: finds the route, and checks the token, the query and the kind of body. Pure. */
#pragma once
#include "door/auth_internal.h"
#include "door/guard_internal.h"
#include "door/route_internal.h"

enum lagd_body_plan { LAGD_PLAN_NONE, LAGD_PLAN_JSON, LAGD_PLAN_UPLOAD };
struct lagd_admitted {
    struct lagd_match match;
    bool options; /* answer 204 with Allow */
    enum lagd_body_plan plan;
    struct lagd_refusal verdict;
};
struct lagd_limits {
    int64_t body_bytes, upload_bytes;
};

void lagd_admit(const struct lagd_route *routes, size_t n_routes, const struct lagd_head *head,
                const struct lagd_target *target, const struct lagd_framing *framing, const struct lagd_auth *auth,
                const struct lagd_limits *limits, struct lagd_admitted *ret);

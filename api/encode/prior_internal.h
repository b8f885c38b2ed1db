/* What a growth is told of its pool, and the table behind it. Thread: any. */
#pragma once
#include "json/schema_internal.h"

#include <lagd/daemon/prior.h>

#define LAGD_PRIOR_HELP \
    "Its place by the prior: 0 always first, 1 always last, in growths here before; null: not known."
extern const struct lagd_schema lagd_prior_schema;  /* "Prior" */
lagd_member_fn lagd_write_growth_prior;             /* of lag_growth_row; null: it was told none */
lagd_member_fn lagd_write_plan_prior;               /* of lagd_growth_plan */
struct lagd_prior_list {
    const struct lagd_prior_entry *entries; /* [n] */
    size_t n;
    int64_t n_decided, n_studied;
};
extern const struct lagd_schema lagd_prior_list_schema;

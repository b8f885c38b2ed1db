/* "pool" of a growth request: a pool's name, or a list of operator names and strategy objects. Pure. */
#pragma once
#include "json/json_in_internal.h"

#include <lagd/daemon/growth_request.h>

extern const struct lag_fields
    lagd_strategy_fields; /* operator, optimizer, lr, rewarm_steps, seed; params and freeze_old stand apart */
extern const char lagd_strategy_more[]; /* these two in the OpenAPI document */
/* pool NULL: "default". Faults point into "/pool". */
void lagd_pool_decode(json_t *pool, struct lagd_growth_request *growth, struct lagd_faults *faults);

/* "pool" of a growth request: a pool's name, a list of operator names and strategy objects, or an object with either of
 * them and the rules that hold for all. Pure. */
#pragma once
#include "json/json_in_internal.h"

#include <lagd/daemon/growth_request.h>

/* optimizer, lr, rewarm_steps, seed; of a strategy with operator before them. params and freeze_old stand apart. */
extern const struct lag_fields lagd_strategy_fields, lagd_pool_fields;
/* The rest of StrategyRequest and PoolRequest in the OpenAPI document, of "pool" in GrowthRequest, and of
 * StudyRequest. */
extern const char lagd_strategy_more[], lagd_pool_object_more[], lagd_pool_more[], lagd_study_more[];
/* pool NULL: "default". Faults point into "/pool". */
void lagd_pool_decode(json_t *pool, struct lagd_growth_request *growth, struct lagd_faults *faults);

/* The body of a growth plan: stages with their pools and triggers, or lengths. Pure. */
#pragma once
#include "json/json_in_internal.h"

#include <lagd/daemon/plan_request.h>

/* The rest of PlanRequest and of StageRequest in the OpenAPI document. */
extern const char lagd_plan_more[], lagd_stage_more[];
extern const struct lag_fields lagd_plan_fields; /* none: all of it is more */
/* ret: zeros. Faults point into the body. */
void lagd_plan_decode(json_t *body, struct lagd_plan_request *ret, struct lagd_faults *faults);

/* A request for a growth: the whole body of one, or a part of another body. Pure. */
#pragma once
#include "json/json_in_internal.h"

#include <lagd/daemon/growth_request.h>

/* Defaults where nothing is said. prefix: where the object stands in the body, "" or e.g. "/growth"; faults point
 * below it. */
void lagd_growth_decode(json_t *body, const char *prefix, struct lagd_growth_request *ret, struct lagd_faults *faults);

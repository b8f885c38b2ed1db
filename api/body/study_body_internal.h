/* The body of a request for a study: its table, its seeds and its pool. Pure. */
#pragma once
#include "json/json_in_internal.h"

#include <lagd/daemon/study_request.h>

/* ret has its defaults. Faults point into the body. */
void lagd_study_decode(json_t *body, struct lagd_study_request *ret, struct lagd_faults *faults);

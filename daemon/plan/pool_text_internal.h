/* The pool of a request as text, and back. Pure. */
#pragma once
#include <lagd/daemon/growth_request.h>
struct lag_error;

/* LAG_EINVAL at "/pool": longer than a row holds. */
int lagd_pool_format(const struct lagd_growth_request *request, char ret[LAG_ROW_POOL], struct lag_error *err);
/* Fills pool, has_rules, rules and strategies of request. LAG_ECORRUPT: it was not written so. */
int lagd_pool_parse(const char *text, struct lagd_growth_request *request, struct lag_error *err);

/* Kept answers: the answer of a route with LAGD_KEPT depends on its target and the database only, so it is given again
 * while the database is the same (lag_store_version). Thread: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct lagd_kept_answers;
struct lagd_response;

int lagd_kept_create(struct lagd_kept_answers **ret); /* LAG_ENOMEM */
void lagd_kept_destroy(struct lagd_kept_answers *kept);
/* Fills in the response with a copy of what was put for this target and version, at most a second ago. */
bool lagd_kept_find(struct lagd_kept_answers *kept, const char *target, uint64_t version, int64_t now_ns,
                    struct lagd_response *ret);
/* Copies a text; passes over whatever else there is, and over what is too large. */
void lagd_kept_put(struct lagd_kept_answers *kept, const char *target, uint64_t version, int64_t now_ns,
                   const struct lagd_response *response);

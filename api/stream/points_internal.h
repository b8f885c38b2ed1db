/* Fresh points as batches for followers: {"type":"run.metric","run":…,"number":…,"step":[…],"series":{key:[…]}}. Points
 * of one run or candidate and one call become one batch; a step without a value of a key has null there. Thread: one
 * owner. */
#pragma once
#include "stream/stream_internal.h"

#include <stddef.h>
struct lag_db;
struct lag_error;
struct lagd_points;

extern const struct lagd_schema lagd_batch_schema;

#define LAGD_BATCH_STEPS 256 /* in a batch; more are thinned evenly, the last stays */

int lagd_points_create(struct lagd_points **ret);
void lagd_points_destroy(struct lagd_points *points);
/* Calls each() once an owner with the slot that stands for it, the batch (taken) and the run. points: in any order,
 * later ones of the same series and step win; of series that are gone, they are left out. */
typedef void lagd_batch_fn(void *arg, int slot, struct lagd_text *text, const char *run_id);
int lagd_points_batch(struct lagd_points *known, struct lag_db *db, const struct lag_point *points, size_t n_points,
                      lagd_batch_fn *each, void *arg, struct lag_error *err);

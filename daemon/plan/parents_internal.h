/* The models that a fusion takes in: checkpoints of any run. Thread: that of db. */
#pragma once
#include <lagd/daemon/growth_plan.h>
#include <lagd/engine/grow.h>

/* The shapes of a strategy's parents, looked up, and each parent once in plan->parents, where plan is not NULL. own:
 * the run's shape. LAG_EINVAL at "/parents/<i>": there is no such checkpoint, or its run reads other tokens. */
int lagd_parents_know(struct lag_db *db, const struct lag_run_row *run, const struct lag_spec *own,
                      struct lag_strategy *strategy, struct lagd_growth_plan *plan, struct lag_error *err);
/* Of the states of all of them. Pure. */
int64_t lagd_parents_bytes(const struct lagd_growth_plan *plan);

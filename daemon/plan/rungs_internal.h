/* The rungs of a growth as its request asks them: where the first may lie, what is refused, and what the growth may
 * cost with them. Pure. */
#pragma once
#include "plan/schedules_internal.h"

#include <lagd/daemon/growth_plan.h>
#include <lagd/engine/allocate.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/train.h>

enum lag_allocator lagd_allocator_of(const struct lagd_growth_request *request);

/* What ends and begins in the learning rate of a candidate that grows at start_step: fills rewarm_steps, warmup_steps
 * and decays_from of *curve. strategy NULL: it cannot be read. */
void lagd_phases_find(const struct lagd_schedule_piece *piece, int64_t start_step, const struct lag_strategy *strategy,
                      int64_t rewarm_steps, struct lag_curve *curve);
/* The earliest step of the first rung: beyond the longest re-warm or warm-up of these, and a spike. 0: the allocator
 * has no rungs. */
int64_t lagd_first_rung(const struct lagd_growth_request *request, const struct lagd_schedule_piece *piece,
                        int64_t start_step, const struct lag_strategy *strategies, int n_strategies);

/* Is what the request says of its allocator possible, on a run that ends at max_steps? Its growth begins at start. */
int lagd_rungs_check(const struct lagd_growth_request *request, int64_t start, int64_t max_steps,
                     struct lag_error *err);
/* And is its lag long enough for the first rung? */
int lagd_rungs_check_first(const struct lagd_growth_request *request, int64_t first, struct lag_error *err);

/* Fills plan->least and plan->most from the candidates. */
void lagd_rungs_cost(const struct lagd_growth_request *request, const struct lag_probe_plan *probe,
                     struct lagd_growth_plan *plan);

/* Training: one update with its points, validation, progress and checkpoints. */
#pragma once
#include "train/run_parts_internal.h"

/* The validation of step 0, before the first update. */
int lagd_run_evaluate_first(struct lagd_run *run, struct lag_error *err);
/* One update with all that belongs to it. LAG_ECANCELED: interrupted before it began. LAG_TRAIN_NONFINITE: *ret_result
 * tells what was not finite, and the state is spoiled: see rollback_internal.h. */
int lagd_run_step(struct lagd_run *run, struct lag_step_result *ret_result, struct lag_error *err);

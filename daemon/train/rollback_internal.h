/* Back to the last good checkpoint. */
#pragma once
#include "train/run_parts_internal.h"

/* The run's state, row and points become those of its last good checkpoint, or of the start. */
int lagd_run_take_back(struct lagd_run *run, struct lag_error *err);

/* After a step that was not finite. LAG_ENONFINITE: given up, err says what to change. */
int lagd_run_rollback(struct lagd_run *run, const struct lag_step_result *result, struct lag_error *err);

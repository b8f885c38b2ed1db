/* The next stage of a run's growth plan: watched by the run's thread between its steps. What is decided is a pure
 * function of stored rows and points, whenever the thread begun. Thread: the run's. */
#pragma once
#include "train/run_parts_internal.h"

/* Asks the trigger of the next stage, where no growth is ahead. *ret_begun: it has fired, and the growth that it asks
 * for was stored with it and is due; or it was skipped. LAG_ESTATE never comes. */
int lagd_next_stage_look(struct lagd_run *run, bool *ret_begun, struct lag_error *err);
/* A step was made: its training loss, as it was recorded. */
void lagd_next_stage_note(struct lagd_run *run, double loss);
/* The plan may have changed, or a growth has ended: it is read again. */
void lagd_next_stage_forget(struct lagd_run *run);
void lagd_next_stage_drop(struct lagd_run *run); /* frees */

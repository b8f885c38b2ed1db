/* Copies of a young run's weights, for whoever looks at them before there is a checkpoint. Thread: the run's. */
#pragma once
#include "train/run_parts_internal.h"

/* Hands a copy to each that asked. Called between two steps, also while the run waits for storage: its bits are as if
 * nobody had. */
void lagd_run_lend(struct lagd_run *run);
/* A checkpoint is there, or the thread ends: who asked looks there, and nobody asks from now on. */
void lagd_run_lend_no_more(struct lagd_run *run);

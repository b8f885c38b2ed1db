/* A run's dataset while it trains: is the file still what was registered?
 *
 * A look costs one fstat and comes after each step, so that a step on other bytes is never told or kept. At each
 * validation, checkpoint and growth a file with another stamp is hashed again, and what lies at its path is looked at.
 * What fails is told by run->dataset_trouble, with LAG_ECORRUPT; LAG_ECANCELED: interrupted while hashing. Thread: the
 * run's. */
#pragma once
#include "train/run_parts_internal.h"

int lagd_run_open_dataset(struct lagd_run *run, struct lag_error *err);
/* What was read so far was as registered. whole: known beyond the grain of the file system's clock, too. */
int lagd_run_check_dataset(struct lagd_run *run, bool whole, struct lag_error *err);
/* What lies at the path is what was registered: it is what the run would go on with after a pause. */
int lagd_run_check_path(struct lagd_run *run, struct lag_error *err);
/* Asked after a failure: is its cause that the file is gone, or not what was registered? Once true it stays so until
 * the thread ends: all who ask about one failure must hear the same, though the file may come back meanwhile. */
bool lagd_run_lacks_dataset(struct lagd_run *run);

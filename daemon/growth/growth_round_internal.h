/* A growth as a transaction on a run. Thread: the run's. */
#pragma once
#include "train/run_parts_internal.h"

/* The growth of the run's book from its stored state to its end. 0: the run goes on (grown or as before).
 * LAG_ECANCELED: CANCEL or STOP is wished. */
int lagd_growth_round(struct lagd_run *run, struct lag_error *err);

/* Calibrations that were made before, by the ids of the studies that they are made of. Thread: any. */
#pragma once
#include <lagd/engine/calibration.h>
#include <stdbool.h>

bool lagd_calibration_recall(const char *key, struct lag_calibration *ret, int *ret_n_studies);
/* In place of the oldest, where there is no room. */
void lagd_calibration_keep(const char *key, const struct lag_calibration *calibration, int n_studies);

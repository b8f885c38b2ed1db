/* What growing costs, beside a model of the target's shape from scratch. Pure: of what stands in the result. */
#pragma once
#include <lagd/daemon/study_report.h>
struct lag_error;

/* Fills grown, from_scratch, equal_loss and what follows it. LAG_ENOMEM. */
int lagd_study_compare(struct lagd_study_result *result, struct lag_error *err);
void lagd_study_path_deinit(struct lagd_study_path *path);
/* FLOPs after which a path first has that loss or less, interpolated on their logarithm; NaN: it never has. */
double lagd_study_path_reach(const struct lagd_study_path *path, double loss);

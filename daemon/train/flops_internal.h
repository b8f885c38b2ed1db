/* What a run's training and evaluation cost, in floating-point operations and tokens. Pure. */
#pragma once
#include "train/run_parts_internal.h"

/* Of training and evaluation of a model of this shape from step from to step to. context: tokens of a sequence. */
double lagd_run_flops(const struct lagd_run *run, const struct lag_spec *spec, int context, int64_t from, int64_t to);
double lagd_run_first_flops(const struct lagd_run *run, int context); /* of the validation at step 0 */
/* Of one validation. */
double lagd_run_evaluation_flops(const struct lagd_run *run, const struct lag_spec *spec, int context);
int64_t lagd_run_step_tokens(const struct lagd_run *run);

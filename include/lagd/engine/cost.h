/* What training costs, counted from the parameter table. Thread: any (pure). FLOPs: multiply and add count two. */
#pragma once
#include <lagd/engine/precision.h>
#include <lagd/engine/spec.h>

/* Forward and backward of one token: 6 N + 12 L C T, N = parameters without the position embedding (the usual model
 * count; Kaplan et al., arXiv 2001.08361, and the attention term). */
double lag_flops_token_train(const struct lag_spec *spec, int context);
/* Forward alone: a third of it. */
double lag_flops_token_forward(const struct lag_spec *spec, int context);
/* Rate of one core's matrix products in FLOP/s, measured once a precision (about 20 ms). 0 where it cannot be measured:
 * the CPU lacks the precision, or memory is out. Thread: any. */
double lag_measured_core_rate(enum lag_precision precision);

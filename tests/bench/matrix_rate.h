/* How fast this machine multiplies matrices, with all threads of a team at it at once: what a step is held against. */
#pragma once
#include <lagd/engine/precision.h>
struct lag_error;
struct lag_team;

enum matrix_kernel {
    MATRIX_SGEMM, /* OpenBLAS, by the kernel that it chose for this CPU (or that OPENBLAS_CORETYPE names) */
    MATRIX_FP32,  /* lagd's own products, b packed beforehand where the engine packs weights */
    MATRIX_BF16,
};

/* FLOP/s of all the team's threads together: each multiplies square operands of its own of 512 × 512 (3 MiB: they stay
 * in its caches), over and over; the median of 21 windows of 15 ms. Rounding a to bfloat16 is part of a product. */
int matrix_rate(enum matrix_kernel kernel, int threads, struct lag_team *team, double *ret, struct lag_error *err);

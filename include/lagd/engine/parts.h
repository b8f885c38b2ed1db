/* Where the time of passes goes, by part of the model. Off unless asked for: then a pass reads the clock at each change
 * of part (a few thousand times a step). Of works of the CPU only. Thread: the work's owner, between passes. */
#pragma once
#include <stdbool.h>
struct lag_work;

enum lag_part {
    LAG_PART_MATMUL,     /* products with weights, and their packing */
    LAG_PART_ATTENTION,  /* its products too */
    LAG_PART_NORM,       /* LayerNorm and its residual in the backward pass */
    LAG_PART_ACTIVATION, /* GELU, biases, residual sums */
    LAG_PART_LOSS,       /* softmax and cross-entropy; the head's products count as matmul */
    LAG_PART_OTHER,      /* embeddings, sums over tiles, waiting for other members */
    LAG_N_PARTS
};
const char *lag_part_name(enum lag_part part); /* "matmul", … */

/* From now on passes with this work are measured, from zero (on), or not (off). */
void lag_work_measure(struct lag_work *work, bool on);
/* Seconds since lag_work_measure(work, true), mean over the members: their sum is the wall time since then. */
void lag_work_parts(struct lag_work *work, double ret_seconds[LAG_N_PARTS]);

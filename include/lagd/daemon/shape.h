/* Shapes of models, axis by axis: what the api writes and people read. Thread: any (pure). */
#pragma once
#include <lagd/storage/rows.h>

/* Name of an axis as in "model/n_layer", from 0 on; NULL: there are no more. */
const char *lagd_axis_name(int axis);
int64_t lagd_axis_get(const struct lag_shape *shape, int axis);
int64_t lagd_shape_head_dim(const struct lag_shape *shape); /* also where the member is 0 */
bool lagd_shape_equal(const struct lag_shape *a, const struct lag_shape *b);
bool lagd_shape_is_within(const struct lag_shape *a, const struct lag_shape *b); /* no axis of a is above b's */
/* What a growth changes: "3 to 6 layers", "n_embd 128 to 256", or both: "3 to 6 layers, n_embd 128 to 256". */
#define LAGD_SHAPE_CHANGE 256
void lagd_shape_change(const struct lag_shape *from, const struct lag_shape *to, char ret[LAGD_SHAPE_CHANGE]);
/* What a target names: "6 layers, n_embd 256". */
void lagd_shape_words(const struct lag_shape *target, char ret[LAGD_SHAPE_CHANGE]);

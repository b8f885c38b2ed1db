/* Between shapes as they are stored and as the engine takes them. Pure. */
#pragma once
#include <lagd/daemon/shape.h>
#include <lagd/engine/spec.h>

/* The axes of spec become those of shape; the rest of spec stays. Stored shapes fit: they were checked when made. */
void lagd_spec_take_shape(struct lag_spec *spec, const struct lag_shape *shape);
void lagd_shape_of_spec(const struct lag_spec *spec, struct lag_shape *ret);
/* head_dim becomes 0 where it is n_embd / n_head, so that equal shapes have equal members. */
void lagd_shape_settle(struct lag_shape *shape);
/* What a run of shape from becomes where target names axes. Those that it leaves out (0) stay, but for what goes with a
 * wider residual stream: heads keep their size and become more, or become larger where that does not divide the width,
 * and the FFN grows in proportion. Where head_dim is named, or heads are apart already, they become neither more nor
 * larger by themselves. LAG_EINVAL at "/target/n_embd", with the nearest widths, where neither does. */
int lagd_shape_aim(const struct lag_shape *from, const struct lag_shape *target, struct lag_shape *ret,
                   struct lag_error *err);

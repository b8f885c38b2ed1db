/* Shapes of models, axis by axis. */
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where the engine's axes lie in a stored shape. */
#define AT(member) offsetof(struct lag_shape, member)
static const size_t offsets[LAG_N_AXES] = {
    [LAG_AXIS_N_LAYER] = AT(n_layer), [LAG_AXIS_N_HEAD] = AT(n_head), [LAG_AXIS_N_EMBD] = AT(n_embd),
    [LAG_AXIS_N_INNER] = AT(n_inner), [LAG_AXIS_N_POSITIONS] = AT(n_positions), [LAG_AXIS_VOCAB_SIZE] = AT(vocab_size),
};
#undef AT
_Static_assert(sizeof(struct lag_shape) == LAG_N_AXES * sizeof(int64_t), "every axis has a place, and no other");

static int64_t *axis_of(struct lag_shape *shape, int axis) {
    return (int64_t *)(void *)((char *)shape + offsets[axis]);
}

const char *lagd_axis_name(int axis) { return axis < LAG_N_AXES ? lag_spec_axes[axis].name : NULL; }

int64_t lagd_axis_get(const struct lag_shape *shape, int axis) {
    return *(const int64_t *)(const void *)((const char *)shape + offsets[axis]);
}

bool lagd_shape_equal(const struct lag_shape *a, const struct lag_shape *b) {
    for (int i = 0; i < LAG_N_AXES; i++)
        if (lagd_axis_get(a, i) != lagd_axis_get(b, i)) return false;
    return true;
}

void lagd_shape_change(const struct lag_shape *from, const struct lag_shape *to, char ret[LAGD_SHAPE_CHANGE]) {
    int used = snprintf(ret, LAGD_SHAPE_CHANGE, "%" PRId64 " to %" PRId64 " layers", from->n_layer, to->n_layer);
    for (int i = 0; i < LAG_N_AXES; i++) {
        const int64_t before = lagd_axis_get(from, i), after = lagd_axis_get(to, i);
        if (i == LAG_AXIS_N_LAYER || before == after || used >= LAGD_SHAPE_CHANGE) continue;
        used += snprintf(ret + used, (size_t)(LAGD_SHAPE_CHANGE - used), ", %s %" PRId64 " to %" PRId64,
                         lag_spec_axes[i].name, before, after);
    }
}

void lagd_spec_take_shape(struct lag_spec *spec, const struct lag_shape *shape) {
    for (int i = 0; i < LAG_N_AXES; i++)
        *lag_spec_axis_of(spec, (enum lag_spec_axis)i) = (int)lagd_axis_get(shape, i);
}

void lagd_shape_of_spec(const struct lag_spec *spec, struct lag_shape *ret) {
    for (int i = 0; i < LAG_N_AXES; i++) *axis_of(ret, i) = lag_spec_axis_get(spec, (enum lag_spec_axis)i);
}

void lagd_shape_aim(const struct lag_shape *from, const struct lag_shape *target, struct lag_shape *ret) {
    struct lag_shape to = *from;
    for (int i = 0; i < LAG_N_AXES; i++) {
        const int64_t asked = lagd_axis_get(target, i);
        if (asked != 0) *axis_of(&to, i) = asked;
    }
    *ret = to;
}

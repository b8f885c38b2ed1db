/* Shapes of models, axis by axis. */
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where the engine's axes lie in a stored shape. */
#define AT(member) offsetof(struct lag_shape, member)
enum { HEAD_DIM = LAG_N_AXES, N_AXES }; /* which a spec may leave out, as a shape may */
static const size_t offsets[N_AXES] = {
    [LAG_AXIS_N_LAYER] = AT(n_layer), [LAG_AXIS_N_HEAD] = AT(n_head), [LAG_AXIS_N_EMBD] = AT(n_embd),
    [LAG_AXIS_N_INNER] = AT(n_inner), [LAG_AXIS_N_POSITIONS] = AT(n_positions), [LAG_AXIS_VOCAB_SIZE] = AT(vocab_size),
    [HEAD_DIM] = AT(head_dim),
};
#undef AT
_Static_assert(sizeof(struct lag_shape) == N_AXES * sizeof(int64_t), "every axis has a place, and no other");

static int64_t *axis_of(struct lag_shape *shape, int axis) {
    return (int64_t *)(void *)((char *)shape + offsets[axis]);
}

const char *lagd_axis_name(int axis) {
    return axis < LAG_N_AXES ? lag_spec_axes[axis].name : axis == HEAD_DIM ? "head_dim" : NULL;
}

int64_t lagd_shape_head_dim(const struct lag_shape *shape) {
    return shape->head_dim ? shape->head_dim : shape->n_embd / LAG_MAX(1, shape->n_head);
}

int64_t lagd_axis_get(const struct lag_shape *shape, int axis) {
    return *(const int64_t *)(const void *)((const char *)shape + offsets[axis]);
}

bool lagd_shape_equal(const struct lag_shape *a, const struct lag_shape *b) {
    for (int i = 0; i < N_AXES; i++)
        if (lagd_axis_get(a, i) != lagd_axis_get(b, i)) return false;
    return true;
}

bool lagd_shape_is_within(const struct lag_shape *a, const struct lag_shape *b) {
    for (int i = 0; i < LAG_N_AXES; i++)
        if (lagd_axis_get(a, i) > lagd_axis_get(b, i)) return false;
    return lagd_shape_head_dim(a) <= lagd_shape_head_dim(b);
}

void lagd_shape_change(const struct lag_shape *from, const struct lag_shape *to, char ret[LAGD_SHAPE_CHANGE]) {
    struct lag_shape deeper = *from;
    int used = 0;
    deeper.n_layer = to->n_layer;
    ret[0] = '\0';
    if (from->n_layer != to->n_layer || lagd_shape_equal(&deeper, to))
        used = snprintf(ret, LAGD_SHAPE_CHANGE, "%" PRId64 " to %" PRId64 " layers", from->n_layer, to->n_layer);
    for (int i = 0; i < N_AXES; i++) {
        int64_t before = lagd_axis_get(from, i), after = lagd_axis_get(to, i);
        if (i == LAG_AXIS_N_LAYER || before == after || used >= LAGD_SHAPE_CHANGE) continue;
        if (i == HEAD_DIM) before = lagd_shape_head_dim(from), after = lagd_shape_head_dim(to);
        if (before == after) continue;
        used += snprintf(ret + used, (size_t)(LAGD_SHAPE_CHANGE - used), "%s%s %" PRId64 " to %" PRId64,
                         used ? ", " : "", lagd_axis_name(i), before, after);
    }
}

void lagd_shape_words(const struct lag_shape *target, char ret[LAGD_SHAPE_CHANGE]) {
    int used = 0;
    ret[0] = '\0';
    for (int i = 0; i < N_AXES; i++) {
        const int64_t asked = lagd_axis_get(target, i);
        if (asked == 0 || used >= LAGD_SHAPE_CHANGE) continue;
        const char *comma = used ? ", " : "";
        used += i == LAG_AXIS_N_LAYER
                    ? snprintf(ret + used, (size_t)(LAGD_SHAPE_CHANGE - used), "%s%" PRId64 " layers", comma, asked)
                    : snprintf(ret + used, (size_t)(LAGD_SHAPE_CHANGE - used), "%s%s %" PRId64, comma,
                               lagd_axis_name(i), asked);
    }
}

void lagd_spec_take_shape(struct lag_spec *spec, const struct lag_shape *shape) {
    for (int i = 0; i < LAG_N_AXES; i++)
        *lag_spec_axis_of(spec, (enum lag_spec_axis)i) = (int)lagd_axis_get(shape, i);
    spec->head_dim = (int)shape->head_dim;
}

void lagd_shape_of_spec(const struct lag_spec *spec, struct lag_shape *ret) {
    for (int i = 0; i < LAG_N_AXES; i++) *axis_of(ret, i) = lag_spec_axis_get(spec, (enum lag_spec_axis)i);
    ret->head_dim = spec->head_dim;
    lagd_shape_settle(ret);
}

void lagd_shape_settle(struct lag_shape *shape) {
    if (shape->head_dim * shape->n_head == shape->n_embd) shape->head_dim = 0;
}

/* --- from what is asked to a whole shape ------------------------------------------------------------------------- */

static int64_t least_multiple(int64_t n, int64_t of) { return (n + of - 1) / of * of; }

/* No number of heads from n_head on divides the width into heads as large as before. */
static int refuse_width(const struct lag_shape *from, int64_t width, struct lag_error *err) {
    const int64_t size = from->n_embd / from->n_head;
    const int64_t below = LAG_MAX(width / size * size, width / from->n_head * from->n_head);
    const int64_t above = LAG_MIN(least_multiple(width, size), least_multiple(width, from->n_head));
    return lag_error_at(err, LAG_EINVAL, "/target/n_embd",
                        "n_embd %" PRId64 " does not divide into heads of %" PRId64 " numbers or more, of which there "
                        "are %" PRId64 " now: ask for %" PRId64 " or %" PRId64 ", or name n_head too", width, size,
                        from->n_head, below, above);
}

/* Heads keep their size and become more; where they do not divide the width, they become larger. */
static int aim_heads(const struct lag_shape *from, struct lag_shape *to, struct lag_error *err) {
    const int64_t size = from->n_embd / from->n_head;
    int64_t n = to->n_embd / size;
    while (n > from->n_head && to->n_embd % n) n--;
    if (n < from->n_head || to->n_embd % n) return refuse_width(from, to->n_embd, err);
    to->n_head = n;
    return 0;
}

int lagd_shape_aim(const struct lag_shape *from, const struct lag_shape *target, struct lag_shape *ret,
                   struct lag_error *err) {
    struct lag_shape to = *from;
    for (int i = 0; i < N_AXES; i++) {
        const int64_t asked = lagd_axis_get(target, i);
        if (asked != 0) *axis_of(&to, i) = asked;
    }
    if (to.n_embd > from->n_embd && !target->n_head && !to.head_dim) {
        const int rc = aim_heads(from, &to, err);
        if (rc) return rc;
    }
    if (to.n_embd > from->n_embd && !target->n_inner)
        to.n_inner = (from->n_inner * to.n_embd + from->n_embd / 2) / from->n_embd;
    lagd_shape_settle(&to);
    *ret = to;
    return 0;
}

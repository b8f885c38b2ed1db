/* The state of a training run: creation, initialisation, copies, equality. */
#include "shape/normals_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/state.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INIT_STD 0.02 /* GPT-2 (Radford et al. 2019) */

static size_t block_bytes(const struct lag_layout *layout) {
    return layout->n_elements * sizeof(lag_real);
}

static int allocate(const struct lag_spec *spec, struct lag_state *state, struct lag_error *err) {
    const int rc = lag_layout_create(spec, &state->layout, err);
    if (rc) return rc;
    const size_t bytes = block_bytes(&state->layout);
    state->params = lag_block_alloc(bytes);
    state->m = lag_block_alloc(bytes);
    state->v = lag_block_alloc(bytes);
    if (!state->params || !state->m || !state->v)
        return lag_error_set(err, LAG_ENOMEM, "no memory for weights and optimiser state (%zu bytes)", 3 * bytes);
    return 0;
}

/* One a tensor. */
static struct lag_segment *whole_segments(const struct lag_layout *layout) {
    struct lag_segment *segments = lag_calloc((size_t)layout->n_tensors, sizeof(*segments));
    for (int i = 0; segments && i < layout->n_tensors; i++)
        segments[i] = (struct lag_segment){.tensor = i,
                                           .row_end = layout->tensors[i].n_rows,
                                           .col_end = layout->tensors[i].n_cols,
                                           .lr_factor = 1, .decay_factor = 1, .eps_factor = 1};
    return segments;
}

int lag_state_create(const struct lag_spec *spec, struct lag_state **ret, struct lag_error *err) {
    struct lag_state *state = lag_calloc(1, sizeof(*state));
    if (!state) return lag_error_set(err, LAG_ENOMEM, "no memory for a training state");
    int rc = allocate(spec, state, err);
    if (!rc) {
        state->segments = whole_segments(&state->layout);
        if (!state->segments) rc = lag_error_set(err, LAG_ENOMEM, "no memory for %d segments", state->layout.n_tensors);
    }
    if (rc) {
        lag_state_destroy(state);
        return rc;
    }
    state->n_segments = state->layout.n_tensors;
    *ret = state;
    return 0;
}

static int make_whole(struct lag_state *state, struct lag_error *err) {
    struct lag_segment *segments = whole_segments(&state->layout);
    if (!segments) return lag_error_set(err, LAG_ENOMEM, "no memory for %d segments", state->layout.n_tensors);
    free(state->segments);
    state->segments = segments;
    state->n_segments = state->layout.n_tensors;
    return 0;
}

int lag_state_restart(struct lag_state *state, bool moments, struct lag_error *err) {
    const size_t bytes = block_bytes(&state->layout);
    const int rc = moments || lag_state_is_masked(state) ? 0 : make_whole(state, err);
    if (rc) return rc;
    if (!moments) {
        memset(state->m, 0, bytes);
        memset(state->v, 0, bytes);
    }
    for (int i = 0; i < state->n_segments; i++) {
        struct lag_segment *segment = &state->segments[i];
        segment->rewarm_from = segment->rewarm_steps = segment->frozen_until = 0;
        if (segment->mask_steps > 0) segment->mask_from -= state->step;
        if (moments) continue;
        segment->age = 0;
        segment->lr_factor = segment->decay_factor = segment->eps_factor = 1;
    }
    state->step = state->schedule_origin = 0;
    return 0;
}

void lag_state_destroy(struct lag_state *state) {
    if (!state) return;
    const size_t bytes = block_bytes(&state->layout);
    lag_block_free(state->params, bytes);
    lag_block_free(state->m, bytes);
    lag_block_free(state->v, bytes);
    free(state->segments);
    lag_layout_deinit(&state->layout);
    free(state);
}

double lag_init_spread(const struct lag_layout *layout, enum lag_init init) {
    if (init == LAG_INIT_NORMAL_OUT) return INIT_STD / sqrt(2.0 * layout->spec.n_layer);
    return init == LAG_INIT_NORMAL ? INIT_STD : 0;
}

void lag_tensor_init(const struct lag_layout *layout, int tensor, uint64_t seed, uint64_t step, lag_real *params) {
    const struct lag_tensor *t = &layout->tensors[tensor];
    const size_t n = (size_t)t->n_rows * (size_t)t->n_cols;
    lag_real *out = params + t->offset;
    const uint64_t stream = (uint64_t)tensor << 40; /* a tensor has at most 2^36 elements */
    switch (t->row->init) {
    case LAG_INIT_NORMAL:
    case LAG_INIT_NORMAL_OUT:
        lag_normals(&(struct lag_normal_row){seed, lag_rng_high(LAG_RNG_INIT, step), stream,
                                             lag_init_spread(layout, t->row->init)}, n, out);
        break;
    case LAG_INIT_ZERO:
        memset(out, 0, n * sizeof(*out));
        break;
    case LAG_INIT_ONE:
    case LAG_INIT_OPEN:
        for (size_t i = 0; i < n; i++) out[i] = 1;
        break;
    }
}

void lag_state_init(struct lag_state *state, uint64_t seed) {
    const size_t bytes = block_bytes(&state->layout);
    memset(state->params, 0, bytes);
    memset(state->m, 0, bytes);
    memset(state->v, 0, bytes);
    for (int i = 0; i < state->layout.n_tensors; i++) lag_tensor_init(&state->layout, i, seed, 0, state->params);
    for (int i = 0; i < state->n_segments; i++) {
        struct lag_segment *s = &state->segments[i];
        s->age = s->rewarm_from = s->rewarm_steps = s->frozen_until = s->mask_from = s->mask_steps = 0;
        s->lr_factor = s->decay_factor = s->eps_factor = 1;
    }
    state->step = state->schedule_origin = 0;
}

void lag_state_shut_gates(struct lag_state *state) {
    for (int i = 0; i < state->layout.n_tensors; i++)
        if (state->layout.tensors[i].row->is_gate) state->params[state->layout.tensors[i].offset] = 0;
}

int lag_state_clone(const struct lag_state *state, struct lag_state **ret, struct lag_error *err) {
    struct lag_state *copy = lag_calloc(1, sizeof(*copy));
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "no memory for a training state");
    int rc = allocate(&state->layout.spec, copy, err);
    if (!rc) {
        copy->segments = lag_calloc((size_t)state->n_segments, sizeof(*copy->segments));
        if (!copy->segments) rc = lag_error_set(err, LAG_ENOMEM, "no memory for %d segments", state->n_segments);
    }
    if (rc) {
        lag_state_destroy(copy);
        return rc;
    }
    const size_t bytes = block_bytes(&state->layout);
    memcpy(copy->params, state->params, bytes);
    memcpy(copy->m, state->m, bytes);
    memcpy(copy->v, state->v, bytes);
    memcpy(copy->segments, state->segments, (size_t)state->n_segments * sizeof(*copy->segments));
    copy->n_segments = state->n_segments;
    copy->step = state->step;
    copy->schedule_origin = state->schedule_origin;
    *ret = copy;
    return 0;
}

int lag_state_outline(const struct lag_spec *spec, struct lag_state **ret, struct lag_error *err) {
    struct lag_state *outline = lag_calloc(1, sizeof(*outline));
    if (!outline) return lag_error_set(err, LAG_ENOMEM, "no memory for the outline of a state");
    int rc = lag_layout_create(spec, &outline->layout, err);
    if (rc == 0) {
        outline->segments = whole_segments(&outline->layout);
        outline->n_segments = outline->segments ? outline->layout.n_tensors : 0;
        if (!outline->segments) rc = lag_error_set(err, LAG_ENOMEM, "no memory for the outline of a state");
    }
    if (rc == 0) *ret = outline;
    else lag_state_destroy(outline);
    return rc;
}

/* Those that are masked: without moments, a segment says no more. */
static int copy_masks(const struct lag_state *state, struct lag_state *copy, struct lag_error *err) {
    if (!lag_state_is_masked(state)) return 0;
    copy->segments = lag_calloc((size_t)state->n_segments, sizeof(*copy->segments));
    if (!copy->segments) return lag_error_set(err, LAG_ENOMEM, "no memory for %d segments", state->n_segments);
    for (int i = 0; i < state->n_segments; i++)
        if (state->segments[i].mask_steps > 0) copy->segments[copy->n_segments++] = state->segments[i];
    return 0;
}

int lag_state_clone_weights(const struct lag_state *state, struct lag_state **ret, struct lag_error *err) {
    struct lag_state *copy = lag_calloc(1, sizeof(*copy));
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "no memory for a copy of the weights");
    int rc = lag_layout_create(&state->layout.spec, &copy->layout, err);
    if (!rc) rc = copy_masks(state, copy, err);
    const size_t bytes = block_bytes(&state->layout);
    if (!rc) {
        copy->params = lag_block_alloc(bytes);
        if (!copy->params) rc = lag_error_set(err, LAG_ENOMEM, "no memory for copied weights (%zu bytes)", bytes);
    }
    if (rc) {
        lag_state_destroy(copy);
        return rc;
    }
    memcpy(copy->params, state->params, bytes);
    copy->step = state->step;
    copy->schedule_origin = state->schedule_origin;
    *ret = copy;
    return 0;
}

static bool segment_equal(const struct lag_segment *a, const struct lag_segment *b) {
    return a->tensor == b->tensor && a->row_begin == b->row_begin && a->row_end == b->row_end &&
           a->col_begin == b->col_begin && a->col_end == b->col_end && a->age == b->age &&
           a->lr_factor == b->lr_factor && a->decay_factor == b->decay_factor && a->eps_factor == b->eps_factor &&
           a->rewarm_from == b->rewarm_from && a->rewarm_steps == b->rewarm_steps &&
           a->frozen_until == b->frozen_until && a->mask_from == b->mask_from && a->mask_steps == b->mask_steps;
}

bool lag_state_equal(const struct lag_state *a, const struct lag_state *b) {
    if (!lag_spec_equal(&a->layout.spec, &b->layout.spec) || a->n_segments != b->n_segments || a->step != b->step ||
        a->schedule_origin != b->schedule_origin)
        return false;
    for (int i = 0; i < a->n_segments; i++)
        if (!segment_equal(&a->segments[i], &b->segments[i])) return false;
    const size_t bytes = block_bytes(&a->layout);
    return !memcmp(a->params, b->params, bytes) && !memcmp(a->m, b->m, bytes) && !memcmp(a->v, b->v, bytes);
}

uint64_t lag_state_bytes(const struct lag_spec *spec) {
    struct lag_layout layout;
    if (lag_layout_create(spec, &layout, NULL)) return 0;
    const uint64_t bytes = 3 * (uint64_t)lag_block_bytes(block_bytes(&layout));
    lag_layout_deinit(&layout);
    return bytes;
}

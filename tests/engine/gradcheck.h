/* Small helpers of the engine's tests: specs, random states and batches, central differences. */
#pragma once
#include <lagd/base/error.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/train.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline struct lag_spec test_spec(int L, int H, int C, int T, int V) {
    return (struct lag_spec){
        .n_layer = L, .n_head = H, .n_embd = C, .n_inner = 4 * C, .n_positions = T, .vocab_size = V, .norm_eps = 1e-5};
}

static inline lag_real test_normal(uint64_t seed, uint64_t index) {
    return (lag_real)lag_rng_normal(seed, LAG_RNG_NOISE, 0, index);
}

/* The shape of state with that many layers. */
static inline struct lag_spec test_depth(const struct lag_state *state, int n_layer) {
    struct lag_spec spec = state->layout.spec;
    spec.n_layer = n_layer;
    return spec;
}

/* Weights larger than at initialisation, so that every gradient is well away from zero. */
static inline struct lag_state *test_state(const struct lag_spec *spec, uint64_t seed) {
    struct lag_state *state = NULL;
    assert_int_equal(lag_state_create(spec, &state, NULL), 0);
    lag_state_init(state, seed);
    for (int i = 0; i < state->layout.n_tensors; i++) {
        const struct lag_tensor *t = &state->layout.tensors[i];
        const size_t n = (size_t)t->n_rows * (size_t)t->n_cols;
        const lag_real spread = (lag_real)(t->n_rows > 1 ? 0.6 / sqrt(t->n_cols) : 0.2);
        for (size_t k = 0; k < n; k++)
            state->params[t->offset + k] += spread * test_normal(seed + 1, (uint64_t)i << 32 | k);
    }
    return state;
}

static inline struct lag_work *test_work_of(const struct lag_spec *spec, struct lag_work_shape shape) {
    struct lag_work *work = NULL;
    struct lag_error err;
    if (lag_work_create(spec, &shape, &work, &err)) fail_msg("%s", err.text);
    return work;
}

static inline struct lag_work *test_work_in(enum lag_precision precision, const struct lag_spec *spec, int batch,
                                            int context, int members) {
    return test_work_of(spec, (struct lag_work_shape){batch, context, members, precision, false});
}

static inline struct lag_work *test_work(const struct lag_spec *spec, int batch, int context, int members) {
    return test_work_in(LAG_FP32, spec, batch, context, members);
}

static inline void test_batch(int n, int vocab, uint64_t seed, int32_t *tokens, int32_t *targets) {
    for (int i = 0; i < n; i++) {
        tokens[i] = (int32_t)lag_rng_below(seed, LAG_RNG_BATCH, 0, (uint64_t)i, (uint64_t)vocab);
        targets[i] = (int32_t)lag_rng_below(seed, LAG_RNG_BATCH, 1, (uint64_t)i, (uint64_t)vocab);
    }
}

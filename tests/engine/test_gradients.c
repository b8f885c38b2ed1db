/* The whole model's gradients against central differences, in double, over shapes that break code. */
#include "gradcheck.h"

#define ENTRIES 24
#define RELATIVE 1e-6
#define ABSOLUTE 2e-9

static const struct { int L, H, C, T, V, batch, context, head_dim; } SHAPES[] = {
    {1, 1, 1, 1, 1, 1, 1},
    {1, 1, 1, 5, 2, 1, 5},
    {2, 3, 15, 17, 7, 3, 17},
    {2, 2, 6, 65, 5, 2, 65},
    {1, 5, 5, 5, 257, 2, 5},
    {3, 1, 7, 9, 11, 2, 4},   /* context below n_positions */
    {1, 2, 16, 130, 3, 1, 130}, /* three blocks of query rows, the last short */
    {2, 4, 32, 33, 19, 3, 33},
    {2, 3, 8, 9, 7, 2, 9, 5},   /* attention wider than the residual stream */
    {2, 2, 11, 9, 7, 2, 9, 3},  /* narrower, and heads that do not divide */
    {1, 2, 1, 5, 3, 1, 5, 1},
};

static double difference(struct lag_state *state, struct lag_work *work, const int32_t *tokens, const int32_t *targets,
                         int batch, int context, size_t at) {
    const lag_real x = state->params[at], h = (lag_real)(1e-5 * fmax(1, fabs((double)x)));
    state->params[at] = x + h;
    const double up = lag_model_loss(state, work, tokens, targets, batch, context, NULL);
    state->params[at] = x - h;
    const double down = lag_model_loss(state, work, tokens, targets, batch, context, NULL);
    state->params[at] = x;
    return (up - down) / (2 * (double)h);
}

enum variant { PLAIN, GATED, MASKED, N_VARIANTS };

/* Gates: one closed, the others anywhere. */
static void set_gates(struct lag_state *state) {
    for (int i = 0; i < state->layout.n_tensors; i++)
        if (state->layout.tensors[i].row->is_gate)
            state->params[state->layout.tensors[i].offset] = i % 3 == 0 ? 0 : (lag_real)(0.7 - 0.1 * (i % 13));
}

/* Masks at 0, a quarter and three quarters: of the last layer whole, of those below the upper half of the units. */
static void set_masks(struct lag_state *state) {
    struct lag_segment *segments = calloc(2 * (size_t)state->n_segments, sizeof(*segments));
    int n = 0;
    assert_non_null(segments);
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_tensor *t = &state->layout.tensors[state->segments[i].tensor];
        struct lag_segment s = state->segments[i];
        const bool whole = t->layer + 1 == state->layout.spec.n_layer, vector = t->row->init == LAG_INIT_ZERO;
        segments[n++] = s;
        if (!t->row->writes_residual || (!whole && vector)) continue;
        if (!whole && t->n_rows > 1) {
            segments[n - 1].row_end = t->n_rows / 2;
            s.row_begin = t->n_rows / 2;
            segments[n++] = s;
        }
        segments[n - 1].mask_steps = 4;
        segments[n - 1].mask_from = state->step - (t->row->role == LAG_ROLE_PROJ_W ? 1 : t->layer == 0 ? 0 : 3);
    }
    free(state->segments);
    state->segments = segments;
    state->n_segments = n;
}

static void check_shape(int index, enum variant variant) {
    struct lag_spec spec = test_spec(SHAPES[index].L, SHAPES[index].H, SHAPES[index].C, SHAPES[index].T,
                                           SHAPES[index].V);
    spec.head_dim = SHAPES[index].head_dim;
    const int batch = SHAPES[index].batch, context = SHAPES[index].context;
    spec.gated = variant != PLAIN;
    struct lag_state *state = test_state(&spec, 11);
    if (variant != PLAIN) set_gates(state);
    if (variant == MASKED) set_masks(state);
    struct lag_work *work = test_work(&spec, batch, context, 1);
    int32_t tokens[512], targets[512];
    test_batch(batch * context, spec.vocab_size, 5, tokens, targets);
    const double loss = lag_model_backward(state, work, tokens, targets, batch, context, 1, true, NULL);
    assert_true(loss == lag_model_loss(state, work, tokens, targets, batch, context, NULL));
    for (int i = 0; i < state->layout.n_tensors; i++) {
        const struct lag_tensor *t = &state->layout.tensors[i];
        const size_t n = (size_t)t->n_rows * (size_t)t->n_cols;
        double error = 0, norm = 0;
        for (int k = 0; k < ENTRIES; k++) {
            const size_t at = t->offset + (n <= ENTRIES
                                               ? (size_t)k % n
                                               : lag_rng_below(3, LAG_RNG_NOISE, (uint64_t)i, (uint64_t)k, n));
            const double wanted = difference(state, work, tokens, targets, batch, context, at);
            const double got = (double)lag_work_grads(work)[at];
            error += (wanted - got) * (wanted - got);
            norm += wanted * wanted;
        }
        if (sqrt(error) > RELATIVE * sqrt(norm) + ABSOLUTE) {
            char name[96];
            lag_tensor_name(t, name);
            fail_msg("shape %d, variant %d, %s: error %g of %g", index, variant, name, sqrt(error), sqrt(norm));
        }
    }
    lag_work_destroy(work);
    lag_state_destroy(state);
}

static void gradients_match_differences(void **unused) {
    for (int i = 0; i < (int)(sizeof(SHAPES) / sizeof(SHAPES[0])); i++)
        for (int variant = 0; variant < N_VARIANTS; variant++) check_shape(i, (enum variant)variant);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_match_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

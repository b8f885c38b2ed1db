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

static void check_shape(int index) {
    struct lag_spec spec = test_spec(SHAPES[index].L, SHAPES[index].H, SHAPES[index].C, SHAPES[index].T,
                                           SHAPES[index].V);
    spec.head_dim = SHAPES[index].head_dim;
    const int batch = SHAPES[index].batch, context = SHAPES[index].context;
    struct lag_state *state = test_state(&spec, 11);
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
            fail_msg("shape %d, %s: error %g of %g", index, name, sqrt(error), sqrt(norm));
        }
    }
    lag_work_destroy(work);
    lag_state_destroy(state);
}

static void gradients_match_differences(void **unused) {
    for (int i = 0; i < (int)(sizeof(SHAPES) / sizeof(SHAPES[0])); i++) check_shape(i);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_match_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

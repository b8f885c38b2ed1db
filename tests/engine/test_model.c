/* What holds for every model: causality, the loss at initialisation, linearity of the gradient, finite-number checks.
 */
#include "gradcheck.h"

#include <lagd/base/team.h>

static void causality_is_exact(void **unused) {
    const struct lag_spec spec = test_spec(2, 2, 24, 130, 11);
    struct lag_state *state = test_state(&spec, 1);
    struct lag_work *work = test_work(&spec, 1, 130, 1);
    int32_t tokens[130], targets[130];
    test_batch(130, 11, 2, tokens, targets);
    static lag_real before[130 * 11], after[130 * 11];
    lag_model_logits(state, work, tokens, 1, 130, before, NULL);
    for (int t = 0; t < 129; t += 16) {
        const int32_t keep = tokens[t + 1];
        tokens[t + 1] = (keep + 1) % 11;
        lag_model_logits(state, work, tokens, 1, 130, after, NULL);
        assert_memory_equal(before, after, (size_t)(t + 1) * 11 * sizeof(lag_real));
        assert_memory_not_equal(before + (t + 1) * 11, after + (t + 1) * 11, 11 * sizeof(lag_real));
        tokens[t + 1] = keep;
    }
    lag_work_destroy(work);
    lag_state_destroy(state);
}

static void loss_at_start_is_log_vocabulary(void **unused) {
    static const int VOCAB[] = {29, 65, 256};
    for (int i = 0; i < 3; i++) {
        const struct lag_spec spec = test_spec(4, 4, 64, 32, VOCAB[i]);
        struct lag_state *state;
        assert_int_equal(lag_state_create(&spec, &state, NULL), 0);
        lag_state_init(state, 7);
        struct lag_work *work = test_work(&spec, 8, 32, 1);
        int32_t tokens[256], targets[256];
        test_batch(256, VOCAB[i], 3, tokens, targets);
        const double loss = lag_model_loss(state, work, tokens, targets, 8, 32, NULL);
        assert_true(fabs(loss / log(VOCAB[i]) - 1) < 0.02);
        lag_work_destroy(work);
        lag_state_destroy(state);
    }
}

static void overfits_one_batch(void **unused) {
    static const struct lag_optim OPTIM = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    const struct lag_spec spec = test_spec(2, 2, 32, 16, 20);
    struct lag_state *state;
    assert_int_equal(lag_state_create(&spec, &state, NULL), 0);
    lag_state_init(state, 7);
    struct lag_work *work = test_work(&spec, 4, 16, 1);
    int32_t tokens[64], targets[64];
    test_batch(64, 20, 4, tokens, targets);
    for (int row = 0; row < 4; row++) tokens[row * 16] = row; /* each row can be told from the others */
    double loss = 9;
    for (int i = 0; i < 400 && loss >= 0.01; i++) {
        loss = lag_model_backward(state, work, tokens, targets, 4, 16, 1, true, NULL);
        lag_adamw(state, lag_work_grads(work), &OPTIM, 3e-3, 1, NULL);
        state->step++;
    }
    assert_true(loss < 0.01);
    lag_work_destroy(work);
    lag_state_destroy(state);
}

static double distance(const lag_real *a, const lag_real *b, size_t n) {
    double squares = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        squares += pow((double)a[i] - (double)b[i], 2);
        norm += pow((double)a[i], 2);
    }
    return sqrt(squares / norm);
}

static void accumulate_shape(struct lag_spec spec) {
    struct lag_state *state = test_state(&spec, 2);
    struct lag_work *whole = test_work(&spec, 6, 20, 1), *parts = test_work(&spec, 6, 20, 1);
    int32_t tokens[120], targets[120];
    test_batch(120, spec.vocab_size, 6, tokens, targets);
    const double loss = lag_model_backward(state, whole, tokens, targets, 6, 20, 1, true, NULL);
    /* leftovers of another batch must be cleared */
    lag_model_backward(state, parts, tokens + 3, targets, 4, 19, 5, true, NULL);
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += lag_model_backward(state, parts, tokens + 40 * i, targets + 40 * i, 2, 20, 1.0 / 3, i == 0, NULL) / 3;
    assert_true(fabs(loss - sum) < 1e-6 * loss);
    assert_true(distance(lag_work_grads(whole), lag_work_grads(parts), state->layout.n_elements) < 2e-6);
    lag_work_destroy(parts);
    lag_work_destroy(whole);
    lag_state_destroy(state);
}

static void accumulation_equals_the_bigger_batch(void **unused) {
    accumulate_shape(test_spec(2, 3, 24, 20, 13));
    /* so many logits that the whole batch needs several chunks and a part of it one */
    accumulate_shape(test_spec(1, 1, 4, 20, sizeof(lag_real) == 8 ? 30000 : 60000));
}

static void duplicates_and_unused_positions(void **unused) {
    /* Rows of wpe beyond the context get none; doubling the batch keeps the mean. */
    const struct lag_spec spec = test_spec(1, 2, 8, 12, 5);
    struct lag_state *state = test_state(&spec, 2);
    struct lag_work *one = test_work(&spec, 2, 7, 1), *two = test_work(&spec, 4, 7, 1);
    int32_t tokens[28], targets[28];
    test_batch(14, 5, 8, tokens, targets);
    memcpy(tokens + 14, tokens, 14 * sizeof(*tokens));
    memcpy(targets + 14, targets, 14 * sizeof(*targets));
    const double a = lag_model_backward(state, one, tokens, targets, 2, 7, 1, true, NULL);
    const double b = lag_model_backward(state, two, tokens, targets, 4, 7, 1, true, NULL);
    assert_true(fabs(a - b) < 1e-6);
    assert_true(distance(lag_work_grads(one), lag_work_grads(two), state->layout.n_elements) < 1e-6);
    const struct lag_tensor *wpe = lag_layout_tensor(&state->layout, LAG_ROLE_WPE, 0);
    for (size_t i = 7 * 8; i < 12 * 8; i++) assert_true(lag_work_grads(one)[wpe->offset + i] == 0);
    lag_work_destroy(two);
    lag_work_destroy(one);
    lag_state_destroy(state);
}

static void every_bad_number_is_seen(void **unused) {
    static const double BAD[] = {NAN, INFINITY, -INFINITY};
    const struct lag_spec spec = test_spec(2, 2, 20, 66, 9);
    struct lag_state *state = test_state(&spec, 2);
    struct lag_work *work = test_work(&spec, 2, 66, 1);
    int32_t tokens[132], targets[132];
    test_batch(132, 9, 8, tokens, targets);
    for (int i = 0; i < state->layout.n_tensors; i++) {
        const struct lag_tensor *t = &state->layout.tensors[i];
        const size_t n = (size_t)t->n_rows * (size_t)t->n_cols, places[] = {0, n / 2, n - 1};
        for (int k = 0; k < 9; k++) {
            const size_t at = t->offset + places[k / 3];
            const lag_real keep = state->params[at];
            state->params[at] = (lag_real)BAD[k % 3];
            const double loss = lag_model_backward(state, work, tokens, targets, 2, 66, 1, true, NULL);
            const double norm = lag_grad_norm(lag_work_grads(work), state->layout.n_elements, NULL);
            if (isfinite(loss) && isfinite(norm))
                fail_msg("tensor %d, element %zu, %g is not seen", i, at - t->offset, BAD[k % 3]);
            state->params[at] = keep;
        }
    }
    assert_true(isfinite(lag_model_loss(state, work, tokens, targets, 2, 66, NULL)));
    lag_work_destroy(work);
    lag_state_destroy(state);
}

static void work_is_as_large_as_told(void **unused) {
    const struct lag_spec spec = test_spec(2, 2, 20, 66, 9);
    const struct lag_work_shape shape = {2, 66, 1, LAG_FP32, false}, longer = {2, 67, 1, LAG_FP32, false},
                                empty = {0, 66, 1, LAG_FP32, false}, by_three = {2, 66, 3, LAG_FP32, false};
    const uint64_t one = lag_work_bytes(&spec, &shape), three = lag_work_bytes(&spec, &by_three);
    assert_true(one > 0 && three > one);
    struct lag_error err;
    struct lag_work *work;
    assert_int_equal(lag_work_create(&spec, &longer, &work, &err), LAG_EINVAL);
    assert_int_equal(lag_work_create(&spec, &empty, &work, &err), LAG_EINVAL);
    lag_work_destroy(NULL);
}

/* All but the inputs of 11 of 12 layers is saved: 14 widths a token, and ln_1's output of 10. */
static void recomputing_saves_all_layers_but_one(void **unused) {
    const struct lag_spec spec = test_spec(12, 12, 768, 512, 50257);
    const struct lag_work_shape kept = {2, 512, 2, LAG_FP32, false}, again = {2, 512, 2, LAG_FP32, true};
    const double less = (double)lag_work_bytes(&spec, &kept) - (double)lag_work_bytes(&spec, &again);
    assert_true(fabs(less / (1024.0 * 768 * (11 * 14 + 10) * sizeof(lag_real)) - 1) < 0.01);
}

/* Activations computed again give the same gradients, to the last bit. */
static void recomputed_gradients_are_the_same(void **unused) {
    enum { B = 3, T = 66, V = 9, N = B * T };
    int32_t tokens[N], targets[N];
    test_batch(N, V, 8, tokens, targets);
    for (int n_layer = 1; n_layer <= 4; n_layer++)
        for (int precision = 0; precision < LAG_N_PRECISIONS; precision++) {
            if (lag_precision_check((enum lag_precision)precision, NULL)) continue;
            const struct lag_spec spec = test_spec(n_layer, 2, 20, T, V);
            const struct lag_work_shape kept = {B, T, 2, (enum lag_precision)precision, false},
                                        again = {B, T, 2, (enum lag_precision)precision, true};
            struct lag_state *state = test_state(&spec, 2);
            struct lag_work *wanted = test_work_of(&spec, kept), *work = test_work_of(&spec, again);
            struct lag_team *team = NULL;
            assert_int_equal(lag_team_create(2, &team, NULL), 0);
            for (int pass = 0; pass < 2; pass++) { /* the second adds to the first */
                const double loss = lag_model_backward(state, wanted, tokens, targets, B, T, 0.5, pass == 0, team);
                assert_true(loss == lag_model_backward(state, work, tokens, targets, B, T, 0.5, pass == 0, team));
                assert_memory_equal(lag_work_grads(work), lag_work_grads(wanted),
                                    state->layout.n_elements * sizeof(lag_real));
                assert_true(loss == lag_model_loss(state, work, tokens, targets, B, T, team));
            }
            lag_team_destroy(team);
            lag_work_destroy(work);
            lag_work_destroy(wanted);
            lag_state_destroy(state);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(causality_is_exact), cmocka_unit_test(loss_at_start_is_log_vocabulary),
        cmocka_unit_test(overfits_one_batch), cmocka_unit_test(accumulation_equals_the_bigger_batch),
        cmocka_unit_test(duplicates_and_unused_positions), cmocka_unit_test(every_bad_number_is_seen),
        cmocka_unit_test(work_is_as_large_as_told), cmocka_unit_test(recomputed_gradients_are_the_same),
        cmocka_unit_test(recomputing_saves_all_layers_but_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

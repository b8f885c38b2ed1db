/* Parameter table, layout, counts, initialisation, clones. */
#include <lagd/base/mem.h>
#include "gradcheck.h"

static void gpt2_counts(void **unused) {
    const struct lag_spec small = {.n_layer = 12, .n_head = 12, .n_embd = 768, .n_inner = 3072, .n_positions = 1024,
                                   .vocab_size = 50257, .norm_eps = 1e-5};
    assert_true(lag_spec_params(&small) == 124439808);
    const struct lag_spec shape_m = test_spec(6, 6, 384, 256, 256);
    assert_true(lag_spec_params(&shape_m) == 10745856 + 256 * 384);
}

static void spec_limits(void **unused) {
    struct lag_error err;
    struct lag_spec spec = test_spec(2, 2, 8, 4, 5);
    assert_int_equal(lag_spec_check(&spec, &err), 0);
    spec.n_head = 3;
    assert_int_equal(lag_spec_check(&spec, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/model/n_head");
    assert_non_null(strstr(err.text, "n_head 3; divisors: 1, 2"));
    spec = test_spec(0, 2, 8, 4, 5);
    assert_int_equal(lag_spec_check(&spec, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/model/n_layer");
    spec = test_spec(2, 2, 8, 131073, 5);
    assert_int_equal(lag_spec_check(&spec, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/model/n_positions");
    spec = test_spec(2, 2, 8, 4, 5);
    spec.norm_eps = NAN;
    assert_int_equal(lag_spec_check(&spec, &err), LAG_EINVAL);
    spec = test_spec(2, 3, 8, 4, 5);
    spec.head_dim = 4; /* then heads need not divide the width */
    assert_int_equal(lag_spec_check(&spec, &err), 0);
    assert_true(lag_spec_attention(&spec) == 12 && !lag_spec_is_gpt2(&spec));
    spec.head_dim = LAG_MAX_ATTENTION / 3 + 1;
    assert_int_equal(lag_spec_check(&spec, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/model/head_dim");
    struct lag_spec said = test_spec(2, 2, 8, 4, 5), unsaid = said;
    said.head_dim = 4;
    assert_true(lag_spec_equal(&said, &unsaid) && lag_spec_is_gpt2(&said) && lag_spec_head_dim(&unsaid) == 4);
    said.norm_eps = 1e-6;
    assert_true(!lag_spec_equal(&said, &unsaid) && lag_spec_same_shape(&said, &unsaid));
    said.head_dim = 5;
    assert_false(lag_spec_same_shape(&said, &unsaid));
    enum lag_arch arch;
    assert_int_equal(lag_arch_parse("gpt2", &arch), 0);
    assert_int_equal(lag_arch_parse("gpt3", &arch), LAG_ENOTFOUND);
    /* the largest shape must not overflow */
    const struct lag_spec huge = {.n_layer = 512, .n_head = 256, .n_embd = 65536, .n_inner = 262144,
                                  .n_positions = 131072, .vocab_size = 1048576, .norm_eps = 1e-5};
    assert_int_equal(lag_spec_check(&huge, &err), 0);
    assert_true(lag_spec_params(&huge) > UINT64_C(26000000000000));
    assert_true(lag_work_bytes(&huge, &(struct lag_work_shape){65536, 131072, 1, LAG_FP32, false}) == 0);
}

static void layout_names_and_gaps(void **unused) {
    const struct lag_spec spec = test_spec(3, 1, 5, 4, 7);
    struct lag_layout layout;
    assert_int_equal(lag_layout_create(&spec, &layout, NULL), 0);
    assert_int_equal(layout.n_tensors, 4 + 3 * 12);
    assert_int_equal(layout.per_layer, 12);
    char name[96];
    lag_tensor_name(lag_layout_tensor(&layout, LAG_ROLE_QKV_W, 2), name);
    assert_string_equal(name, "transformer.h.2.attn.c_attn.weight");
    lag_tensor_name(lag_layout_tensor(&layout, LAG_ROLE_LNF_B, 0), name);
    assert_string_equal(name, "transformer.ln_f.bias");
    uint64_t n = 0;
    size_t end = 0;
    for (int i = 0; i < layout.n_tensors; i++) {
        const struct lag_tensor *t = &layout.tensors[i];
        assert_true(t->offset % 16 == 0 && t->offset >= end && t->offset < end + 16);
        end = t->offset + (size_t)t->n_rows * (size_t)t->n_cols;
        n += (uint64_t)t->n_rows * (uint64_t)t->n_cols;
    }
    assert_true(n == lag_spec_params(&spec) && layout.n_elements >= end);
    lag_layout_deinit(&layout);
}

static double deviation(const struct lag_state *state, enum lag_role role) {
    const struct lag_tensor *t = lag_layout_tensor(&state->layout, role, 1);
    const int n = t->n_rows * t->n_cols;
    double squares = 0;
    for (int i = 0; i < n; i++) squares += pow((double)state->params[t->offset + (size_t)i], 2);
    return sqrt(squares / n);
}

static void initial_weights(void **unused) {
    const struct lag_spec spec = test_spec(8, 4, 64, 32, 100);
    struct lag_state *state, *same, *other, *clone;
    assert_int_equal(lag_state_create(&spec, &state, NULL), 0);
    assert_int_equal(lag_state_create(&spec, &same, NULL), 0);
    assert_int_equal(lag_state_create(&spec, &other, NULL), 0);
    lag_state_init(state, 1);
    lag_state_init(same, 1);
    lag_state_init(other, 2);
    assert_true(lag_state_equal(state, same));
    assert_false(lag_state_equal(state, other));
    assert_true(fabs(deviation(state, LAG_ROLE_QKV_W) / 0.02 - 1) < 0.03);
    assert_true(fabs(deviation(state, LAG_ROLE_FCPROJ_W) / (0.02 / 4) - 1) < 0.03);
    assert_true(deviation(state, LAG_ROLE_LN1_W) == 1 && deviation(state, LAG_ROLE_QKV_B) == 0);
    assert_int_equal(lag_state_clone(state, &clone, NULL), 0);
    assert_true(lag_state_equal(state, clone));
    struct lag_state *weights;
    clone->step = 7;
    assert_int_equal(lag_state_clone_weights(clone, &weights, NULL), 0);
    assert_memory_equal(weights->params, state->params, state->layout.n_elements * sizeof(lag_real));
    assert_true(weights->step == 7 && !weights->m && !weights->v && weights->n_segments == 0);
    assert_true(weights->params != clone->params);
    lag_state_destroy(weights);
    clone->step = 0;
    clone->v[17] = 1;
    assert_false(lag_state_equal(state, clone));
    clone->v[17] = state->v[17];
    clone->segments[3].age++;
    assert_false(lag_state_equal(state, clone));
    assert_true(lag_state_bytes(&spec) == 3 * lag_block_bytes(state->layout.n_elements * sizeof(lag_real)));
    lag_state_destroy(clone);
    lag_state_destroy(other);
    lag_state_destroy(same);
    lag_state_destroy(state);
    lag_state_destroy(NULL);
}

static void one_begins_again(void **unused) {
    const struct lag_spec spec = test_spec(2, 1, 4, 4, 5);
    for (int moments = 0; moments < 2; moments++) {
        struct lag_state *state;
        assert_int_equal(lag_state_create(&spec, &state, NULL), 0);
        lag_state_init(state, 3);
        const lag_real weight = state->params[1];
        const int n = state->layout.n_tensors;
        struct lag_segment *halves = lag_calloc((size_t)n + 1, sizeof *halves);
        memcpy(halves, state->segments, (size_t)n * sizeof *halves);
        memmove(halves + 2, halves + 1, (size_t)(n - 1) * sizeof *halves);
        halves[1] = halves[0];
        halves[0].row_end = halves[1].row_begin = 2; /* the first tensor in two */
        free(state->segments);
        state->segments = halves;
        state->n_segments = n + 1;
        state->segments[1].age = 7;
        state->segments[1].lr_factor = 0.5;
        state->segments[1].rewarm_from = state->segments[1].rewarm_steps = 9;
        state->segments[1].frozen_until = LAG_FROZEN_FOR_GOOD;
        state->m[1] = state->v[1] = 2;
        state->step = state->schedule_origin = 70;
        assert_int_equal(lag_state_restart(state, moments, NULL), 0);
        assert_true(state->step == 0 && state->schedule_origin == 0 && state->params[1] == weight);
        assert_true(state->m[1] == (moments ? 2 : 0) && state->v[1] == (moments ? 2 : 0));
        assert_int_equal(state->n_segments, n + moments);
        const struct lag_segment *second = &state->segments[1];
        assert_true(second->age == (moments ? 7 : 0) && second->lr_factor == (moments ? 0.5 : 1));
        assert_true(second->rewarm_from == 0 && second->rewarm_steps == 0 && second->frozen_until == 0);
        assert_true(second->tensor == (moments ? 0 : 1));
        lag_state_destroy(state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gpt2_counts), cmocka_unit_test(spec_limits),
                                       cmocka_unit_test(layout_names_and_gaps), cmocka_unit_test(initial_weights),
                                       cmocka_unit_test(one_begins_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

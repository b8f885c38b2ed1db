/* Products in bfloat16: against sums in double over rounded operands; and whole steps, the same bits for every team. */
#include "gradcheck.h"

#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/team.h>
#include <lagd/engine/cost.h>

#define MAX (700 * 640)

static lag_real pack[LAG_PACK_ELEMENTS] __attribute__((aligned(64))), packed[MAX] __attribute__((aligned(64)));
static lag_real a[MAX], b[MAX], c[MAX];
static uint16_t half_a[MAX], half_b[MAX];

/* To nearest, ties to even, in integers. */
static uint16_t rounded(lag_real x) {
    const float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static double value(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float f;
    memcpy(&f, &bits, sizeof(f));
    return (double)f;
}

static struct lag_matrix operand(const lag_real *x, const uint16_t *half, bool stored, int stride, bool transposed) {
    return (struct lag_matrix){.data = stored ? (const lag_real *)(const void *)half : x, .stride = stride,
                               .transposed = transposed, .half = stored};
}

static void check_product(int m, int n, int k_length, int tile_rows, int tile_cols, unsigned mode) {
    const bool a_turned = mode & 1, b_turned = mode & 2, a_half = mode & 8, b_half = mode & 16;
    struct lag_gemm_job job = {.precision = LAG_BF16, .pack = pack, .m = m, .n = n, .k = k_length, .alpha = 2,
                               .beta = -1, .c = c, .c_stride = n, .tile_rows = tile_rows, .tile_cols = tile_cols,
                               .a = operand(a, half_a, a_half, a_turned ? m : k_length, a_turned),
                               .b = operand(b, half_b, b_half, b_turned ? k_length : n, b_turned)};
    struct lag_packing packing = {.precision = LAG_BF16, .b = job.b, .k = k_length, .n = n, .to = packed};
    struct lag_region region = {0};
    if (mode & 4) {
        lag_region_add(&region, lag_packing_tile, &packing, lag_packing_tiles(&packing));
        lag_region_run(&region, NULL);
        job.b = (struct lag_matrix){.data = packed, .stride = k_length, .packed = true};
        job.tile_cols = n;
    }
    for (int i = 0; i < m * n; i++) c[i] = (lag_real)(i % 100);
    lag_region_add(&region, lag_gemm_job_tile, &job, lag_gemm_job_tiles(&job));
    lag_region_run(&region, NULL);
    for (int i = 0; i < m * n; i++) {
        const int row = i / n, col = i % n;
        double wanted = -(i % 100);
        for (int k = 0; k < k_length; k++)
            wanted += 2 * value(half_a[a_turned ? k * m + row : row * k_length + k]) *
                      value(half_b[b_turned ? col * k_length + k : k * n + col]);
        if (!(fabs((double)c[i] - wanted) < 1e-3))
            fail_msg("%d × %d × %d, mode %u: element %d is %g, wanted %g", m, n, k_length, mode, i, (double)c[i],
                     wanted);
    }
}

static void products(void **unused) {
    for (uint64_t i = 0; i < MAX; i++) {
        a[i] = test_normal(1, i), b[i] = test_normal(2, i);
        half_a[i] = rounded(a[i]), half_b[i] = rounded(b[i]);
    }
    for (unsigned mode = 0; mode < 32; mode++) {
        check_product(37, 29, 41, 16, 12, mode);
        check_product(9, 50, 600, 9, 50, mode);   /* several blocks of k */
        check_product(530, 33, 17, 530, 33, mode); /* several blocks of rows */
        check_product(1, 1, 1, 1, 1, mode);
        check_product(5, 64, 16, 5, 64, mode);
        check_product(24, 32, 64, 24, 32, mode);
    }
}

static void bad_numbers_show(void **unused) {
    static const float BAD[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 64 * 64; k++) a[k] = b[k] = 1;
        a[5 * 64 + 7] = (lag_real)BAD[i];
        lag_gemm(LAG_BF16, pack, 64, 64, 64, 1, (struct lag_matrix){a, 64}, (struct lag_matrix){b, 64}, 0, c, 64);
        for (int k = 0; k < 64 * 64; k++) assert_true(isfinite((double)c[k]) == (k / 64 != 5));
    }
}

/* ---- whole steps ---- */

static struct lag_state *train(int members, int n_steps) {
    static const struct lag_optim OPTIM = {.lr = 3e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    const struct lag_spec spec = test_spec(2, 3, 48, 71, 97);
    struct lag_state *state = test_state(&spec, 1);
    struct lag_team *team = NULL;
    if (members) assert_int_equal(lag_team_create(members, &team, NULL), 0);
    struct lag_work *work = test_work_in(LAG_BF16, &spec, 3, 71, lag_team_size(team));
    int32_t tokens[3 * 71], targets[3 * 71];
    double first = 0, last = 0;
    test_batch(3 * 71, 97, 5, tokens, targets);
    for (int i = 0; i < n_steps; i++) {
        if (members == 3) lag_team_set_active(team, 1 + i % 3);
        last = lag_model_backward(state, work, tokens, targets, 3, 71, 1, true, team);
        if (i == 0) first = last;
        const double norm = lag_grad_norm(lag_work_grads(work), state->layout.n_elements, team);
        lag_adamw(state, lag_work_grads(work), &OPTIM, OPTIM.lr, fmin(1, 1 / (norm + 1e-6)), team);
        state->step++;
    }
    assert_true(isfinite(last) && last < 0.7 * first);
    lag_work_destroy(work);
    lag_team_destroy(team);
    return state;
}

static void same_bits_for_every_team(void **unused) {
    struct lag_state *alone = train(0, 30);
    for (int members = 1; members <= 3; members++) {
        struct lag_state *team = train(members, 30);
        assert_true(lag_state_equal(alone, team));
        lag_state_destroy(team);
    }
    lag_state_destroy(alone);
}

/* One position's logits do not depend on later tokens, and differ a little from those of single precision. */
static void check_logits(int head_dim) {
    enum { T = 71, V = 97 };
    struct lag_spec spec = test_spec(2, 3, 48, T, V);
    spec.head_dim = head_dim;
    struct lag_state *state = test_state(&spec, 1);
    struct lag_work *half = test_work_in(LAG_BF16, &spec, 1, T, 1), *full = test_work(&spec, 1, T, 1);
    static lag_real near[T * V], changed[T * V], wanted[T * V];
    int32_t tokens[T], targets[T];
    test_batch(T, V, 5, tokens, targets);
    lag_model_logits(state, half, tokens, 1, T, near, NULL);
    lag_model_logits(state, full, tokens, 1, T, wanted, NULL);
    tokens[60] = (tokens[60] + 1) % V;
    lag_model_logits(state, half, tokens, 1, T, changed, NULL);
    assert_memory_equal(near, changed, 60 * V * sizeof(*near));
    assert_memory_not_equal(near + 60 * V, changed + 60 * V, V * sizeof(*near));
    double error = 0, spread = 0;
    for (int i = 0; i < T * V; i++) {
        error += pow((double)(near[i] - wanted[i]), 2);
        spread += pow((double)wanted[i], 2);
    }
    assert_true(error > 0 && sqrt(error / spread) < 0.01);
    lag_work_destroy(full);
    lag_work_destroy(half);
    lag_state_destroy(state);
}

static void logits_are_causal_and_near(void **unused) {
    static const int HEAD_DIMS[] = {0, 7, 40};
    for (size_t i = 0; i < sizeof(HEAD_DIMS) / sizeof(*HEAD_DIMS); i++) check_logits(HEAD_DIMS[i]);
}

static void names_and_memory(void **unused) {
    const struct lag_spec spec = test_spec(2, 3, 48, 71, 97);
    enum lag_precision precision;
    assert_int_equal(lag_precision_parse("bf16", &precision), 0);
    assert_string_equal(lag_precision_name(precision), "bf16");
    assert_int_equal(lag_precision_parse("fp16", &precision), LAG_ENOTFOUND);
    assert_string_not_equal(lag_fingerprint(LAG_FP32), lag_fingerprint(LAG_BF16));
    const struct lag_work_shape half = {3, 71, 1, LAG_BF16, false}, full = {3, 71, 1, LAG_FP32, false};
    assert_true(lag_work_bytes(&spec, &half) > 0);
    assert_true(lag_work_bytes(&spec, &half) <= lag_work_bytes(&spec, &full));
    assert_true(lag_measured_core_rate(LAG_BF16) > 1e8);
}

/* Where the products are of another kind than the CPU's own, people are told, and so is the fingerprint. */
static void said_where_fp32_multiplies(void **unused) {
    const struct lag_products *products = lag_products(LAG_BF16);
    assert_null(lag_precision_note(LAG_FP32));
    if (products->k_a_word == 2) {
        assert_string_equal(products->name, "own bf16");
        assert_null(lag_precision_note(LAG_BF16));
    } else {
        assert_string_equal(products->name, "own bf16 by fp32");
        assert_non_null(strstr(lag_precision_note(LAG_BF16), "AVX-512 BF16"));
    }
}

static void refused_with_the_reason(void **unused) {
    const struct lag_spec spec = test_spec(2, 3, 48, 71, 97);
    struct lag_work *work = NULL;
    struct lag_error err = {0};
    assert_int_equal(lag_precision_check(LAG_FP32, &err), 0);
    const struct lag_work_shape half = {3, 71, 1, LAG_BF16, false};
    assert_int_equal(lag_work_create(&spec, &half, &work, &err), LAG_EUNSUPPORTED);
    assert_string_equal(err.pointer, "/precision");
    assert_non_null(strstr(err.text, "fp32"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(products), cmocka_unit_test(bad_numbers_show),
                                       cmocka_unit_test(same_bits_for_every_team),
                                       cmocka_unit_test(logits_are_causal_and_near),
                                       cmocka_unit_test(names_and_memory),
                                       cmocka_unit_test(said_where_fp32_multiplies)};
    const struct CMUnitTest without[] = {cmocka_unit_test(refused_with_the_reason)};
    int n_levels, failed = 0;
    const struct lag_vec *const *levels = lag_vec_levels(&n_levels);
    for (int i = 0; i < n_levels; i++) {
        lag_vec_use(levels[i]);
        if (lag_precision_check(LAG_BF16, NULL))
            failed += cmocka_run_group_tests_name(levels[i]->name, without, NULL, NULL);
        else
            failed += cmocka_run_group_tests_name(levels[i]->name, tests, NULL, NULL);
    }
    return failed;
}

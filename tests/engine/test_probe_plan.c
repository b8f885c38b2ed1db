/* How a probe plans its evaluations. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/lag.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_times(const struct lag_probe_plan *plan, const int64_t *wanted, size_t n) {
    assert_int_equal(plan->n_times, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(plan->times[i], wanted[i]);
}
#define CHECK_TIMES(plan, ...) \
    check_times(plan, (const int64_t[]){__VA_ARGS__}, LAG_COUNT(((const int64_t[]){__VA_ARGS__})))

static void test_times(void **state) {
    (void)state;
    struct lag_probe_plan plan;
    assert_int_equal(lag_probe_plan_init(50, 10, 8, 1, 1 << 20, 8, 64, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 2, 4, 8, 10, 16, 20, 25, 30, 32, 40, 50);
    assert_int_equal(plan.steps, 50);
    assert_int_equal(plan.n_batches, 8);
    assert_int_equal(plan.eval_sequences, 4);
    lag_probe_plan_deinit(&plan);
    assert_null(plan.times);
    assert_int_equal(lag_probe_plan_init(7, 100, 8, 1, 1 << 20, 1, 64, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 2, 3, 4, 7);
    assert_int_equal(plan.eval_sequences, 1);
    lag_probe_plan_deinit(&plan);
    assert_int_equal(lag_probe_plan_init(5, 1, 2, 1, 1 << 20, 3, 64, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 2, 3, 4, 5);
    assert_int_equal(plan.eval_sequences, 3);
    lag_probe_plan_deinit(&plan);
    for (int64_t k = 1; k <= 2; k++) { /* the shortest lags work */
        assert_int_equal(lag_probe_plan_init(k, 1, 8, 0.25, 64, 1, 64, &plan), 0);
        assert_int_equal(plan.times[0], 0);
        assert_int_equal(plan.times[plan.n_times - 1], k);
        lag_probe_plan_deinit(&plan);
    }
}

static void test_copy(void **state) {
    (void)state;
    struct lag_probe_plan plan, copy;
    assert_int_equal(lag_probe_plan_init(7, 100, 8, 1, 1 << 20, 1, 64, &plan), 0);
    assert_int_equal(lag_probe_plan_copy(&plan, &copy), 0);
    assert_int_equal(copy.n_batches, plan.n_batches);
    assert_int_equal(copy.steps, 7);
    lag_probe_plan_deinit(&plan); /* the copy has times of its own */
    CHECK_TIMES(&copy, 0, 1, 2, 3, 4, 7);
    lag_probe_plan_deinit(&copy);
}

static void test_share_by_batches(void **state) {
    (void)state;
    struct lag_probe_plan plan;
    /* 50 steps of 8 windows at 3 forwards each = 1200; 13 times of 4 windows: 7 batches make 364 / 1564 = 23.3 %, 8
     * make 416 / 1616 = 25.7 % */
    assert_int_equal(lag_probe_plan_init(50, 10, 32, 0.25, 8 * 64, 8, 64, &plan), 0);
    assert_int_equal(plan.n_times, 13);
    assert_int_equal(plan.n_batches, 7);
    assert_true(fabs(plan.eval_share - 364.0 / 1564) < 1e-12);
    lag_probe_plan_deinit(&plan);
    /* exactly the share is allowed: 8 steps × 3 = 24 leave 8 batches, so 0 1 2 4 8 are one time too many; 4 is k/2 */
    assert_int_equal(lag_probe_plan_init(8, 8, 9, 0.25, 8, 1, 8, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 4, 8);
    assert_int_equal(plan.n_batches, 2);
    assert_true(plan.eval_share == 0.25);
    lag_probe_plan_deinit(&plan);
}

static void test_times_are_given_up_last(void **state) {
    (void)state;
    struct lag_probe_plan plan;
    /* 20 steps × 3 = 60, a third of that = 20 batches, 10 times of two: 0 1 2 4 5 8 10 15 16 20 fit exactly */
    assert_int_equal(lag_probe_plan_init(20, 5, 9, 0.25, 8, 1, 8, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 2, 4, 5, 8, 10, 15, 16, 20);
    lag_probe_plan_deinit(&plan);
    /* 15 % of the whole: 10 batches: the powers go from the top, then every other multiple is not needed */
    assert_int_equal(lag_probe_plan_init(20, 5, 9, 0.15, 8, 1, 8, &plan), 0);
    CHECK_TIMES(&plan, 0, 5, 10, 15, 20);
    lag_probe_plan_deinit(&plan);
    assert_int_equal(lag_probe_plan_init(20, 5, 9, 0.10, 8, 1, 8, &plan), 0); /* 6 batches */
    CHECK_TIMES(&plan, 0, 10, 20);
    assert_int_equal(plan.n_batches, 2);
    lag_probe_plan_deinit(&plan);
    assert_int_equal(lag_probe_plan_init(40, 5, 9, 0.10, 8, 1, 8, &plan), 0); /* 13 batches: every other multiple */
    CHECK_TIMES(&plan, 0, 10, 20, 30, 40);
    lag_probe_plan_deinit(&plan);
    /* nothing fits: the least, said plainly */
    assert_int_equal(lag_probe_plan_init(20, 5, 9, 0.01, 8, 1, 8, &plan), 0);
    CHECK_TIMES(&plan, 0, 20);
    assert_int_equal(plan.n_batches, 2);
    assert_true(plan.eval_share == 4.0 / 64);
    lag_probe_plan_deinit(&plan);
}

static bool is_power(int64_t t) { return t > 0 && !(t & (t - 1)); }

static void test_properties(void **state) {
    (void)state;
    srand(2);
    for (int round = 0; round < 5000; round++) {
        struct lag_probe_plan plan;
        int64_t k = 1 + rand() % 300, every = 1 + rand() % 60;
        int wanted = 1 + rand() % 40, batch = 1 + rand() % 10, context = 1 + rand() % 100, accumulate = 1 + rand() % 4;
        double share = (1 + rand() % 20) / 20.0, step_tokens = (double)accumulate * batch * context;
        assert_int_equal(lag_probe_plan_init(k, every, wanted, share, (int64_t)step_tokens, batch, context, &plan), 0);
        assert_true(plan.times[0] == 0 && plan.times[plan.n_times - 1] == k);
        for (int i = 1; i < plan.n_times; i++) {
            int64_t t = plan.times[i];
            assert_true(t > plan.times[i - 1]);
            assert_true(t == k || t == k / 2 || t % LAG_MIN(every, k) == 0 || is_power(t));
        }
        assert_in_range(plan.n_batches, LAG_MIN(2, wanted), wanted);
        double eval = (double)plan.n_times * plan.n_batches * plan.eval_sequences * context;
        double train = 3 * k * step_tokens;
        assert_true(fabs(plan.eval_share - eval / (eval + train)) < 1e-12);
        if (plan.eval_share > share + 1e-9) assert_true(plan.n_times == 2 && plan.n_batches == LAG_MIN(2, wanted));
        double more = eval / plan.n_batches * (plan.n_batches + 1);
        if (plan.n_batches < wanted && plan.eval_share <= share) assert_true(more / (more + train) > share - 1e-9);
        lag_probe_plan_deinit(&plan);
    }
}

static void test_refusals(void **state) {
    (void)state;
    struct lag_probe_plan plan = {.n_batches = 77};
    assert_int_equal(lag_probe_plan_init(0, 1, 1, 0.25, 1, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(INT64_MAX, 1, 1, 0.25, 1, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 0, 1, 0.25, 1, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 1, 0, 0.25, 1, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 1, 1, 0, 1, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 1, 1, 1.01, 1, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 1, 1, NAN, 1, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 1, 1, 0.25, 0, 1, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 1, 1, 0.25, 1, 0, 1, &plan), LAG_EINVAL);
    assert_int_equal(lag_probe_plan_init(1, 1, 1, 0.25, 1, 1, 0, &plan), LAG_EINVAL);
    assert_int_equal(plan.n_batches, 77);
    /* a long lag with few times costs little */
    assert_int_equal(lag_probe_plan_init((int64_t)1 << 40, (int64_t)1 << 39, 4, 0.25, 1, 1, 1, &plan), 0);
    assert_int_equal(plan.n_times, 42);
    lag_probe_plan_deinit(&plan);
}

static void test_default_rewarm(void **state) {
    (void)state;
    static const int64_t cases[][2] = {{1, 1}, {4, 1}, {7, 1}, {8, 2}, {50, 12}, {200, 50}, {204, 50}, {10000, 50}};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) assert_int_equal(lag_default_rewarm(cases[i][0]), cases[i][1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),      cmocka_unit_test(test_copy),
        cmocka_unit_test(test_share_by_batches),
        cmocka_unit_test(test_times_are_given_up_last), cmocka_unit_test(test_properties),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_default_rewarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

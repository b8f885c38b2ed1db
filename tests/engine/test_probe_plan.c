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

static void check_full(const struct lag_probe_plan *plan, const int64_t *wanted, size_t n) {
    size_t found = 0;
    assert_int_equal(plan->n_full, n);
    for (int i = 0; i < plan->n_times; i++) {
        if (!plan->full[i]) continue;
        assert_true(found < n);
        assert_int_equal(plan->times[i], wanted[found++]);
    }
    assert_int_equal(found, n);
}
#define CHECK_FULL(plan, ...) \
    check_full(plan, (const int64_t[]){__VA_ARGS__}, LAG_COUNT(((const int64_t[]){__VA_ARGS__})))

/* Batches of one window of 8 tokens: a training step costs three of them for each window of its own. */
static int make(int64_t steps, int64_t every, int run, int wanted, double share, struct lag_probe_plan *ret) {
    const struct lag_probe_ask ask = {.steps = steps, .eval_every = every, .run_batches = run, .wanted_batches = wanted,
                                      .max_share = share, .step_tokens = 8, .rows = 1, .context = 8};
    return lag_probe_plan_init(&ask, ret);
}

static void test_times(void **state) {
    (void)state;
    struct lag_probe_plan plan;
    const struct lag_probe_ask ask = {.steps = 50, .eval_every = 10, .run_batches = 8, .wanted_batches = 20,
                                      .max_share = 1, .step_tokens = 1 << 20, .rows = 12, .context = 64};
    assert_int_equal(lag_probe_plan_init(&ask, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 2, 4, 8, 10, 16, 20, 25, 30, 32, 40, 50);
    CHECK_FULL(&plan, 0, 25, 30, 40, 50); /* multiples that were to be evaluated anyway */
    assert_int_equal(plan.steps, 50);
    assert_true(plan.n_batches == 16 && plan.stride == 2); /* 20 is no multiple of the run's 8 */
    assert_int_equal(plan.eval_sequences, 12);
    lag_probe_plan_deinit(&plan);
    assert_null(plan.times);
    assert_int_equal(make(7, 100, 3, 2, 1, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 2, 3, 4, 5, 6, 7);
    CHECK_FULL(&plan, 0, 3, 4, 5, 6, 7);
    assert_true(plan.n_batches == 3 && plan.stride == 1); /* never less than the run's own */
    lag_probe_plan_deinit(&plan);
    for (int64_t k = 1; k <= 3; k++) { /* the shortest lags work */
        assert_int_equal(make(k, 1, 2, 8, 0.25, &plan), 0);
        assert_int_equal(plan.times[0], 0);
        assert_int_equal(plan.times[plan.n_times - 1], k);
        assert_true(plan.full[0] && plan.full[plan.n_times - 1]);
        lag_probe_plan_deinit(&plan);
    }
}

static void test_copy(void **state) {
    (void)state;
    struct lag_probe_plan plan, copy;
    assert_int_equal(make(7, 100, 3, 9, 1, &plan), 0);
    assert_int_equal(lag_probe_plan_copy(&plan, &copy), 0);
    assert_true(copy.n_batches == plan.n_batches && copy.stride == plan.stride && copy.steps == 7);
    lag_probe_plan_deinit(&plan); /* the copy has times of its own */
    CHECK_TIMES(&copy, 0, 1, 2, 3, 4, 5, 6, 7);
    CHECK_FULL(&copy, 0, 3, 4, 5, 6, 7);
    lag_probe_plan_deinit(&copy);
}

/* 80 steps × 3 = 240, a third of that = 80 batches; the six full evaluations may take 40 of them. */
static void test_the_decision_comes_first(void **state) {
    (void)state;
    struct lag_probe_plan plan;
    assert_int_equal(make(80, 10, 2, 100, 0.25, &plan), 0);
    assert_true(plan.stride == 3 && plan.n_batches == 6); /* 6 × 6 = 36 */
    CHECK_FULL(&plan, 0, 40, 50, 60, 70, 80); /* the three multiples of the last half */
    CHECK_TIMES(&plan, 0, 1, 2, 4, 8, 10, 16, 20, 30, 32, 40, 50, 60, 64, 70, 80); /* and 10 × 2 = 20: all fit */
    assert_true(fabs(plan.eval_share - 56.0 / 296) < 1e-12);
    lag_probe_plan_deinit(&plan);
    assert_int_equal(make(80, 10, 2, 5, 0.25, &plan), 0); /* no more than is wanted */
    assert_true(plan.stride == 2 && plan.n_batches == 4);
    lag_probe_plan_deinit(&plan);
    /* exactly the half: 12 × 1 / 0.5 = 24 batches, of 24 steps × 3 at a quarter */
    assert_int_equal(make(24, 24, 1, 2, 0.25, &plan), 0);
    assert_true(plan.stride == 2);
    lag_probe_plan_deinit(&plan);
    assert_int_equal(make(23, 23, 1, 2, 0.25, &plan), 0);
    assert_true(plan.stride == 1);
    lag_probe_plan_deinit(&plan);
}

static void test_small_ones_go_first(void **state) {
    (void)state;
    struct lag_probe_plan plan;
    /* 24 steps × 3 = 72, a third = 24: 12 for the full ones on two batches each, 12 for small ones; all fit */
    assert_int_equal(make(24, 6, 1, 2, 0.25, &plan), 0);
    CHECK_FULL(&plan, 0, 12, 15, 18, 21, 24); /* one multiple, 18, is too few: evenly */
    CHECK_TIMES(&plan, 0, 1, 2, 4, 6, 8, 12, 15, 16, 18, 21, 24);
    lag_probe_plan_deinit(&plan);
    /* of many multiples some, evenly: 40, 45 … 65 are six */
    assert_int_equal(make(70, 5, 1, 1, 1, &plan), 0);
    CHECK_FULL(&plan, 0, 35, 40, 50, 60, 70);
    lag_probe_plan_deinit(&plan);
    /* a ninth of 72 = 8: full ones on one batch, and two more; powers go from the top */
    assert_int_equal(make(24, 6, 1, 2, 0.1, &plan), 0);
    CHECK_TIMES(&plan, 0, 1, 6, 12, 15, 18, 21, 24);
    assert_true(plan.eval_share <= 0.1);
    lag_probe_plan_deinit(&plan);
    /* 6: the full ones alone, exactly */
    assert_int_equal(make(24, 6, 1, 2, 6.0 / 78, &plan), 0);
    CHECK_TIMES(&plan, 0, 12, 15, 18, 21, 24);
    lag_probe_plan_deinit(&plan);
    /* 4: two of the last half go, the first one first */
    assert_int_equal(make(24, 6, 1, 2, 4.0 / 76, &plan), 0);
    CHECK_TIMES(&plan, 0, 12, 21, 24);
    lag_probe_plan_deinit(&plan);
    assert_int_equal(make(24, 6, 1, 2, 3.0 / 75, &plan), 0);
    CHECK_TIMES(&plan, 0, 12, 24);
    lag_probe_plan_deinit(&plan);
    /* nothing fits: the least, said plainly */
    assert_int_equal(make(24, 6, 5, 20, 0.01, &plan), 0);
    CHECK_TIMES(&plan, 0, 24);
    assert_true(plan.stride == 1 && plan.n_batches == 5 && plan.eval_share == 10.0 / 82);
    lag_probe_plan_deinit(&plan);
    /* every other multiple */
    assert_int_equal(make(240, 10, 1, 1, 22.0 / 742, &plan), 0);
    CHECK_TIMES(&plan, 0, 20, 40, 60, 80, 100, 120, 140, 150, 160, 180, 200, 210, 220, 240);
    lag_probe_plan_deinit(&plan);
}

static bool is_power(int64_t t) { return t > 0 && !(t & (t - 1)); }

static void test_properties(void **state) {
    (void)state;
    srand(2);
    for (int round = 0; round < 5000; round++) {
        struct lag_probe_plan plan;
        const double share = (1 + rand() % 20) / 20.0;
        struct lag_probe_ask ask = {.steps = 1 + rand() % 300, .eval_every = 1 + rand() % 60,
                                    .run_batches = 1 + rand() % 12, .wanted_batches = 1 + rand() % 40,
                                    .max_share = share, .rows = 1 + rand() % 10, .context = 1 + rand() % 100};
        ask.step_tokens = (int64_t)(1 + rand() % 4) * ask.rows * ask.context;
        assert_int_equal(lag_probe_plan_init(&ask, &plan), 0);
        const int64_t k = ask.steps;
        int n_full = 0;
        assert_true(plan.times[0] == 0 && plan.times[plan.n_times - 1] == k);
        assert_true(plan.full[0] && plan.full[plan.n_times - 1]);
        for (int i = 0; i < plan.n_times; i++) {
            const int64_t t = plan.times[i];
            assert_true(i == 0 || t > plan.times[i - 1]);
            assert_true(plan.full[i] ? t == 0 || t >= k / 2 : t % LAG_MIN(ask.eval_every, k) == 0 || is_power(t));
            n_full += plan.full[i];
        }
        assert_int_equal(plan.n_full, n_full);
        assert_int_equal(plan.n_batches, plan.stride * ask.run_batches);
        assert_in_range(plan.n_batches, ask.run_batches, LAG_MAX(ask.run_batches, ask.wanted_batches));
        const double n = plan.n_times - n_full + (double)n_full * plan.stride;
        const double eval = n * ask.run_batches * ask.rows * ask.context, train = 3.0 * (double)(k * ask.step_tokens);
        assert_true(fabs(plan.eval_share - eval / (eval + train)) < 1e-12);
        if (plan.eval_share > share + 1e-9) assert_true(plan.n_times == 2 && plan.stride == 1);
        const double full = (double)n_full * plan.n_batches * ask.rows * ask.context;
        if (plan.stride > 1 && share < 1) assert_true(full <= 0.5 * train * share / (1 - share) * (1 + 1e-9));
        lag_probe_plan_deinit(&plan);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct lag_probe_ask good = {.steps = 1, .eval_every = 1, .run_batches = 1, .wanted_batches = 1,
                                              .max_share = 0.25, .step_tokens = 1, .rows = 1, .context = 1};
    struct lag_probe_plan plan = {.n_batches = 77};
    struct lag_probe_ask bad[12];
    for (size_t i = 0; i < LAG_COUNT(bad); i++) bad[i] = good;
    bad[0].steps = 0;
    bad[1].steps = INT64_MAX;
    bad[2].eval_every = 0;
    bad[3].run_batches = 0;
    bad[4].wanted_batches = 0;
    bad[5].max_share = 0;
    bad[6].max_share = 1.01;
    bad[7].max_share = NAN;
    bad[8].step_tokens = 0;
    bad[9].rows = 0;
    bad[10].context = 0;
    bad[11].max_share = -1;
    for (size_t i = 0; i < LAG_COUNT(bad); i++)
        if (lag_probe_plan_init(&bad[i], &plan) != LAG_EINVAL) fail_msg("case %zu", i);
    assert_int_equal(plan.n_batches, 77);
    assert_int_equal(lag_probe_plan_init(&good, &plan), 0);
    lag_probe_plan_deinit(&plan);
    /* a long lag with few times costs little */
    struct lag_probe_ask long_one = good;
    long_one.steps = (int64_t)1 << 40;
    long_one.eval_every = (int64_t)1 << 39;
    assert_int_equal(lag_probe_plan_init(&long_one, &plan), 0);
    assert_int_equal(plan.n_times, 45);
    lag_probe_plan_deinit(&plan);
}

/* Each rung is looked at in full, and so is some of the half before it; a probe's first times do not move with how far
 * it may go. */
static void test_rungs(void **state) {
    (void)state;
    struct lag_probe_plan plan;
    struct lag_probe_ask ask = {.steps = 64, .eval_every = 100, .run_batches = 2, .wanted_batches = 2, .max_share = 1,
                                .step_tokens = 8, .rows = 1, .context = 8, .first_rung = 20};
    assert_int_equal(lag_probe_plan_init(&ask, &plan), 0);
    assert_int_equal(plan.steps, 64);
    CHECK_FULL(&plan, 0, 16, 20, 24, 28, 32, 40, 48, 56, 64);
    lag_probe_plan_deinit(&plan);
    ask.max_steps = 100;
    assert_int_equal(lag_probe_plan_init(&ask, &plan), 0);
    assert_int_equal(plan.steps, 100);
    CHECK_FULL(&plan, 0, 16, 20, 24, 28, 32, 40, 48, 56, 64, 73, 82, 91, 100);
    lag_probe_plan_deinit(&plan);
    ask.max_share = 0.01; /* what is looked at stays */
    assert_int_equal(lag_probe_plan_init(&ask, &plan), 0);
    CHECK_TIMES(&plan, 0, 32, 64, 100);
    lag_probe_plan_deinit(&plan);
    ask.first_rung = 65; /* beyond the lag */
    assert_int_equal(lag_probe_plan_init(&ask, &plan), LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_the_decision_comes_first),
        cmocka_unit_test(test_small_ones_go_first),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_rungs),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

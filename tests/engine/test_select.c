/* The verdict of a probe, from hand-made curves. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/lag.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_BATCHES 2
static const int64_t times[] = {0, 1, 2, 4, 8};

/* Means over two batches that lie ±0.01 around the given ones. */
static struct lag_curve curve(const double means[5], double losses[5 * N_BATCHES]) {
    for (int i = 0; i < 5; i++) {
        losses[2 * i] = means[i] - 0.01;
        losses[2 * i + 1] = means[i] + 0.01;
    }
    return (struct lag_curve){.eligible = true, .n_evals = 5, .t = times, .losses = losses};
}

struct pool {
    struct lag_curve curves[4];
    double losses[4][5 * N_BATCHES];
};
/* A preserves the function (best at 0), B wins at the lag, C lies between, N is the reference. */
static void fill(struct pool *pool) {
    static const double a[] = {3.0, 3.1, 3.1, 3.0, 2.9}, b[] = {3.6, 3.3, 3.0, 2.8, 2.7};
    static const double c[] = {3.4, 3.2, 3.2, 2.9, 2.8}, none[] = {3.0, 2.9, 2.8, 2.7, 2.6};
    pool->curves[0] = curve(a, pool->losses[0]);
    pool->curves[1] = curve(b, pool->losses[1]);
    pool->curves[2] = curve(c, pool->losses[2]);
    pool->curves[3] = curve(none, pool->losses[3]);
    pool->curves[3].eligible = false;
}

static void near(double value, double wanted) {
    if (!(fabs(value - wanted) < 1e-12)) fail_msg("%.17g, not %.17g", value, wanted);
}

static void test_verdict(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    lag_select(pool.curves, 4, N_BATCHES, 8, 3.0, &verdict);
    assert_int_equal(verdict.pick_at_0, 0);
    assert_int_equal(verdict.pick_at_lag, 1);
    assert_int_equal(verdict.runner_up, 2);
    near(verdict.margin, 0.1);
    near(verdict.margin_low, 0.1); /* both batches differ alike */
    near(verdict.margin_high, 0.1);
    assert_false(verdict.tied);
    near(verdict.tau_0, -1);     /* order 0: A C B; order 8: B C A */
    near(verdict.tau_half, 1);   /* order 4: B C A */
    assert_false(verdict.lag_short);
    lag_select(pool.curves, 4, N_BATCHES, 4, 3.0, &verdict);
    assert_int_equal(verdict.pick_at_lag, 1);
    near(verdict.tau_half, 1.0 / 3); /* order 2: B A C, order 4: B C A */
}

static void test_reference(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    pool.curves[3].eligible = true;
    lag_select(pool.curves, 4, N_BATCHES, 8, 3.0, &verdict);
    assert_int_equal(verdict.pick_at_lag, 3);
    assert_int_equal(verdict.pick_at_0, 0); /* equal means: the first */
    assert_int_equal(verdict.runner_up, 1);
}

static void test_diverged(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    pool.curves[1].diverged = true;
    pool.curves[1].n_evals = 2; /* it stopped early */
    lag_select(pool.curves, 4, N_BATCHES, 8, 3.0, &verdict);
    assert_int_equal(verdict.pick_at_lag, 2);
    assert_int_equal(verdict.runner_up, 0);
    near(verdict.tau_0, -1);
    assert_int_equal(lag_half_time(pool.curves, 4, 8), 4); /* the dropped one does not hold the others back */
    for (int i = 0; i < 3; i++) pool.curves[i].diverged = true;
    lag_select(pool.curves, 4, N_BATCHES, 8, 3.0, &verdict);
    assert_int_equal(verdict.pick_at_0, -1);
    assert_int_equal(verdict.pick_at_lag, -1);
    assert_int_equal(verdict.runner_up, -1);
    assert_true(isnan(verdict.margin) && isnan(verdict.margin_low) && isnan(verdict.tau_half) && isnan(verdict.tau_0));
    assert_false(verdict.tied || verdict.lag_short);
}

static void test_alone(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    lag_select(pool.curves, 1, N_BATCHES, 8, NAN, &verdict);
    assert_int_equal(verdict.pick_at_0, 0);
    assert_int_equal(verdict.pick_at_lag, 0);
    assert_int_equal(verdict.runner_up, -1);
    assert_true(isnan(verdict.margin) && isnan(verdict.margin_low) && isnan(verdict.margin_high));
    assert_true(isnan(verdict.tau_half) && isnan(verdict.tau_0));
    assert_false(verdict.tied || verdict.lag_short);
    lag_select(pool.curves, 0, N_BATCHES, 8, NAN, &verdict);
    assert_int_equal(verdict.pick_at_lag, -1);
}

static void test_tied(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    /* B 2.69 2.71, C 2.60 2.84: differences -0.09 and 0.13, mean 0.02 */
    pool.losses[2][8] = 2.60;
    pool.losses[2][9] = 2.84;
    lag_select(pool.curves, 3, N_BATCHES, 8, 3.0, &verdict);
    assert_int_equal(verdict.pick_at_lag, 1);
    near(verdict.margin, 0.02);
    assert_true(verdict.tied && verdict.margin_low < 0 && verdict.margin_high > 0);
    /* exactly equal: the first by index wins, tied */
    memcpy(pool.losses[2] + 8, pool.losses[1] + 8, 2 * sizeof(double));
    lag_select(pool.curves, 3, N_BATCHES, 8, 3.0, &verdict);
    assert_int_equal(verdict.pick_at_lag, 1);
    assert_int_equal(verdict.runner_up, 2);
    assert_true(verdict.margin == 0 && verdict.tied);
    near(verdict.tau_0, -2 / sqrt(2 * 3)); /* A C B against {B = C} A: pairs AB, AC turned, BC tied at the lag */
}

static void test_one_batch(void **state) {
    (void)state;
    const int64_t t[] = {0, 1};
    const double a[] = {2, 1}, b[] = {1, 2};
    const struct lag_curve curves[] = {{.eligible = true, .n_evals = 2, .t = t, .losses = a},
                                       {.eligible = true, .n_evals = 2, .t = t, .losses = b}};
    struct lag_verdict verdict;
    lag_select(curves, 2, 1, 1, 1.5, &verdict);
    assert_int_equal(verdict.pick_at_0, 1);
    assert_int_equal(verdict.pick_at_lag, 0);
    assert_true(verdict.margin == 1 && verdict.margin_low == -INFINITY && verdict.margin_high == INFINITY);
    assert_true(verdict.tied); /* one batch proves nothing */
    near(verdict.tau_half, -1);
    assert_int_equal(lag_half_time(curves, 2, 1), 0);
}

static void test_lag_short(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    const struct { double parent_loss; int64_t rewarm; int who; bool is_short; } cases[] = {
        {3.0, 0, 0, false}, {2.7 - 1e-9, 0, 0, true}, {NAN, 0, 0, false}, {3.0, 7, 0, false}, {3.0, 8, 0, true},
        {3.0, 9, 2, true}, {3.0, 9, 3, false} /* the reference cannot win */,
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        fill(&pool);
        pool.curves[cases[i].who].rewarm_steps = cases[i].rewarm;
        lag_select(pool.curves, 4, N_BATCHES, 8, cases[i].parent_loss, &verdict);
        if (verdict.lag_short != cases[i].is_short) fail_msg("case %zu", i);
    }
    fill(&pool);
    pool.curves[0].rewarm_steps = 8;
    pool.curves[0].diverged = true;
    lag_select(pool.curves, 4, N_BATCHES, 8, 3.0, &verdict);
    assert_false(verdict.lag_short);
    /* the shortest re-warm; a winner that stands first, just at the parent's loss and just above it */
    fill(&pool);
    pool.curves[0].rewarm_steps = 1;
    lag_select(pool.curves, 1, N_BATCHES, 1, 4.0, &verdict);
    assert_true(verdict.lag_short);
    double mean;
    int rank;
    pool.curves[0].rewarm_steps = 0;
    lag_rank_at(pool.curves, 1, N_BATCHES, 8, &mean, &rank);
    lag_select(pool.curves, 1, N_BATCHES, 8, mean, &verdict);
    assert_false(verdict.lag_short);
    lag_select(pool.curves, 1, N_BATCHES, 8, nextafter(mean, 0), &verdict);
    assert_true(verdict.lag_short);
}

/* Where the living ones share no evaluation there is no verdict, and what was told before stays. */
static void test_no_shared_time(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict = {.pick_at_lag = 77};
    fill(&pool);
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 3, 3.0, &verdict), LAG_EINVAL);
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, -1, 3.0, &verdict), LAG_EINVAL);
    pool.curves[2].n_evals = 3;
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 8, 3.0, &verdict), LAG_EINVAL);
    for (int i = 1; i < 4; i++) pool.curves[i].diverged = true; /* the first one lives on */
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 3, 3.0, &verdict), LAG_EINVAL);
    assert_int_equal(verdict.pick_at_lag, 77);
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 0, 3.0, &verdict), 0);
    assert_int_equal(verdict.pick_at_lag, 0);
    pool.curves[0].diverged = true; /* nobody lives: nobody wins, at any time */
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 3, 3.0, &verdict), 0);
    assert_int_equal(verdict.pick_at_lag, -1);
}

static void test_ranks(void **state) {
    (void)state;
    struct pool pool;
    double mean[4];
    int rank[4];
    fill(&pool);
    lag_rank_at(pool.curves, 4, N_BATCHES, 2, mean, rank);
    near(mean[0], 3.1);
    near(mean[3], 2.8);
    assert_int_equal(rank[0], 2);
    assert_int_equal(rank[1], 1);
    assert_int_equal(rank[2], 3);
    assert_int_equal(rank[3], 0); /* the reference is drawn, not ranked */
    lag_rank_at(pool.curves, 4, N_BATCHES, 3, mean, rank);
    for (int i = 0; i < 4; i++) assert_true(isnan(mean[i]) && rank[i] == 0);
    pool.curves[1].diverged = true;
    pool.curves[0].n_evals = 2;
    lag_rank_at(pool.curves, 3, N_BATCHES, 2, mean, rank);
    assert_true(isnan(mean[0]) && isnan(mean[1]));
    assert_true(rank[0] == 0 && rank[1] == 0 && rank[2] == 1);
    pool.losses[2][4] = NAN;
    lag_rank_at(pool.curves, 3, N_BATCHES, 2, mean, rank);
    assert_int_equal(rank[2], 0);
}

static void test_half_time(void **state) {
    (void)state;
    struct pool pool;
    static const int64_t other[] = {0, 1, 3, 5, 8};
    fill(&pool);
    assert_int_equal(lag_half_time(pool.curves, 4, 8), 4);
    assert_int_equal(lag_half_time(pool.curves, 4, 7), 2); /* 4 > 3.5 */
    assert_int_equal(lag_half_time(pool.curves, 4, 4), 2);
    assert_int_equal(lag_half_time(pool.curves, 4, 1), 0);
    pool.curves[2].t = other;
    assert_int_equal(lag_half_time(pool.curves, 4, 8), 1);
    assert_int_equal(lag_half_time(pool.curves, 0, 8), 0);
    assert_int_equal(lag_half_time(pool.curves, 1, 8), 4);
    static const int64_t later[] = {1, 2, 4, 8, 16}; /* no evaluation at 0 */
    for (int i = 0; i < 2; i++) pool.curves[i].t = later;
    assert_int_equal(lag_half_time(pool.curves, 2, 2), 1);
}

/* Against a plain restatement: sort by (mean, index). */
static void test_against_brute_force(void **state) {
    (void)state;
    srand(5);
    for (int round = 0; round < 2000; round++) {
        enum { N = 7, B = 3 };
        static const int64_t t[] = {0, 1, 2};
        double losses[N][3 * B], mean[N], at_0[N], at_2[N], b1[N], b2[N];
        int rank[N], n_ranked = 0, best = -1, second = -1;
        struct lag_curve curves[N];
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < 3 * B; j++) losses[i][j] = rand() % 5;
            curves[i] = (struct lag_curve){.eligible = rand() % 5 != 0, .diverged = rand() % 5 == 0, .n_evals = 3,
                                           .t = t, .losses = losses[i]};
        }
        struct lag_verdict verdict;
        lag_select(curves, N, B, 2, NAN, &verdict);
        lag_rank_at(curves, N, B, 2, mean, rank);
        for (int i = 0; i < N; i++) {
            at_2[i] = (losses[i][6] + losses[i][7] + losses[i][8]) / B;
            at_0[i] = (losses[i][0] + losses[i][1] + losses[i][2]) / B;
            if (!curves[i].eligible || curves[i].diverged) continue;
            b1[n_ranked] = at_0[i];
            b2[n_ranked++] = at_2[i];
            if (best < 0 || at_2[i] < at_2[best]) {
                second = best;
                best = i;
            } else if (second < 0 || at_2[i] < at_2[second]) {
                second = i;
            }
        }
        assert_int_equal(verdict.pick_at_lag, best);
        assert_int_equal(verdict.runner_up, second);
        if (best >= 0) assert_int_equal(rank[best], 1);
        if (second >= 0) assert_int_equal(rank[second], 2);
        double tau = lag_kendall_tau(b1, b2, n_ranked);
        assert_true(isnan(tau) ? isnan(verdict.tau_0) : fabs(tau - verdict.tau_0) < 1e-15);
        if (second >= 0) {
            struct lag_interval interval = lag_paired_interval(losses[second] + 6, losses[best] + 6, B, 0.95);
            assert_true(verdict.margin == interval.mean && verdict.margin >= 0);
            assert_int_equal(verdict.tied, interval.low <= 0 && interval.high >= 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdict),   cmocka_unit_test(test_reference), cmocka_unit_test(test_diverged),
        cmocka_unit_test(test_alone),     cmocka_unit_test(test_tied),      cmocka_unit_test(test_one_batch),
        cmocka_unit_test(test_lag_short), cmocka_unit_test(test_ranks),     cmocka_unit_test(test_half_time),
        cmocka_unit_test(test_against_brute_force), cmocka_unit_test(test_no_shared_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

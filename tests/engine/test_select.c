/* The verdict of a probe, from hand-made curves. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/verdict.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_BATCHES 2
enum { N_TIMES = 7 };
static const int64_t times[N_TIMES] = {0, 1, 2, 4, 6, 7, 8};
static const struct lag_rule rule = {.delta = 0.005, .look = 1, .p_end = NAN};
static bool tied[8];

/* Means over two batches that lie ±0.01 around the given ones; the last one is that of 6, 7 and 8. */
static struct lag_curve curve(const double means[5], double losses[N_TIMES * N_BATCHES]) {
    for (int i = 0; i < N_TIMES; i++) {
        losses[2 * i] = means[LAG_MIN(i, 4)] - 0.01;
        losses[2 * i + 1] = means[LAG_MIN(i, 4)] + 0.01;
    }
    return (struct lag_curve){.eligible = true, .decays_from = INT64_MAX, .n_evals = N_TIMES, .t = times,
                              .losses = losses};
}

/* Its two batches at 6, 7 and 8. */
static void set_late(double losses[N_TIMES * N_BATCHES], double first, double second) {
    for (int i = 4; i < N_TIMES; i++) {
        losses[2 * i] = first;
        losses[2 * i + 1] = second;
    }
}

struct pool {
    struct lag_curve curves[4];
    double losses[4][N_TIMES * N_BATCHES];
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
    pool->curves[3].reference = true;
}

static void near(double value, double wanted) {
    if (!(fabs(value - wanted) < 1e-12)) fail_msg("%.17g, not %.17g", value, wanted);
}

static void test_verdict(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_0, 0);
    assert_int_equal(verdict.pick_at_lag, 1);
    assert_int_equal(verdict.runner_up, 2);
    near(verdict.margin, 0.1);
    near(verdict.margin_low, 0.1); /* both batches differ alike */
    near(verdict.margin_high, 0.1);
    assert_int_equal(verdict.n_tail, 3); /* 4 is not beyond the half */
    assert_int_equal(verdict.n_tied, 1);
    assert_true(!tied[0] && tied[1] && !tied[2] && !tied[3]);
    assert_true(verdict.p_now == 1 && verdict.range == 0);
    near(verdict.tau_0, -1);     /* order 0: A C B; order 8: B C A */
    near(verdict.tau_half, 1);   /* order 4: B C A */
    near(verdict.gain, -0.1);    /* not growing is better */
    assert_int_equal(verdict.lag_short, LAG_SHORT_NONE_AHEAD);
    assert_int_equal(verdict.basis, LAG_BASIS_PROVISIONAL);
    lag_select(pool.curves, 4, N_BATCHES, 4, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_lag, 1);
    near(verdict.tau_half, 1.0 / 3); /* order 2: B A C, order 4: B C A */
}

static void test_reference(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    pool.curves[3].eligible = true;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_lag, 3);
    assert_int_equal(verdict.pick_at_0, 0); /* equal means: the first */
    assert_int_equal(verdict.n_at_0, 2);
    assert_int_equal(verdict.runner_up, 1);
    assert_true(isnan(verdict.gain) && isnan(verdict.gain_low) && isnan(verdict.gain_high));
    assert_true(verdict.lag_short == 0 && verdict.basis == LAG_BASIS_VERIFIED);
}

static void test_diverged(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    pool.curves[1].diverged = true;
    pool.curves[1].n_evals = 2; /* it stopped early */
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_lag, 2);
    assert_int_equal(verdict.runner_up, 0);
    near(verdict.tau_0, -1);
    assert_int_equal(lag_half_time(pool.curves, 4, 8), 4); /* the dropped one does not hold the others back */
    for (int i = 0; i < 3; i++) pool.curves[i].diverged = true;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_0, -1);
    assert_int_equal(verdict.pick_at_lag, -1);
    assert_int_equal(verdict.runner_up, -1);
    assert_true(isnan(verdict.margin) && isnan(verdict.margin_low) && isnan(verdict.tau_half) && isnan(verdict.tau_0));
    assert_true(isnan(verdict.p_now) && isnan(verdict.gain) && verdict.pick == -1 && verdict.n_at_0 == 0);
    assert_true(verdict.n_tied == 0 && verdict.lag_short == 0 && verdict.basis == LAG_BASIS_PROVISIONAL);
}

static void test_alone(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    lag_select(pool.curves, 1, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_0, 0);
    assert_int_equal(verdict.pick_at_lag, 0);
    assert_int_equal(verdict.runner_up, -1);
    assert_true(isnan(verdict.margin) && isnan(verdict.margin_low) && isnan(verdict.margin_high));
    assert_true(isnan(verdict.tau_half) && isnan(verdict.tau_0));
    assert_true(verdict.n_tied == 1 && verdict.p_now == 1); /* the best of one: nothing was compared */
    assert_true(verdict.lag_short == 0 && verdict.basis == LAG_BASIS_PROVISIONAL);
    lag_select(pool.curves, 0, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_lag, -1);
}

static void test_tied(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    /* B 2.69 2.71, C 2.60 2.84: differences -0.09 and 0.13, mean 0.02 */
    set_late(pool.losses[2], 2.60, 2.84);
    lag_select(pool.curves, 3, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_lag, 1);
    near(verdict.margin, 0.02);
    assert_true(verdict.n_tied == 2 && !tied[0] && tied[1] && tied[2]);
    assert_true(verdict.margin_low < 0 && verdict.margin_high > 0 && verdict.basis == LAG_BASIS_TIED);
    near(verdict.range, 0.02);
    assert_int_equal(verdict.pick, 1);
    /* exactly equal: the first by index, and there is nothing to decide */
    memcpy(pool.losses[2] + 8, pool.losses[1] + 8, 6 * sizeof(double));
    lag_select(pool.curves, 3, N_BATCHES, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_lag, 1);
    assert_int_equal(verdict.runner_up, 2);
    assert_true(verdict.margin == 0 && verdict.n_tied == 2 && verdict.p_now == 0.5);
    assert_true(verdict.basis == LAG_BASIS_NOTHING_TO_DECIDE && verdict.range == 0);
    near(verdict.tau_0, -2 / sqrt(2 * 3)); /* A C B against {B = C} A: pairs AB, AC turned, BC tied at the lag */
}

/* What does not matter is told by the range of the whole set, and the pool's order chooses. */
static void test_nothing_to_decide(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    set_late(pool.losses[0], 2.6, 2.808); /* A 2.704, B 2.7, C 2.702: differences of both signs */
    set_late(pool.losses[2], 2.75, 2.654);
    struct lag_rule coarse = {.delta = 0.004 + 1e-9, .look = 1, .p_end = NAN};
    lag_select(pool.curves, 4, N_BATCHES, 8, &coarse, &verdict, tied);
    assert_true(verdict.n_tied == 3 && verdict.pick_at_lag == 1 && verdict.runner_up == 2);
    near(verdict.range, 0.004);
    assert_int_equal(verdict.basis, LAG_BASIS_NOTHING_TO_DECIDE);
    assert_int_equal(verdict.pick, 0); /* the first of the pool, though not the lowest */
    near(verdict.gain, 2.6 - 2.704);   /* of what is taken */
    assert_false(verdict.by_prior);
    coarse.delta = 0.004 - 1e-9;
    lag_select(pool.curves, 4, N_BATCHES, 8, &coarse, &verdict, tied);
    assert_int_equal(verdict.basis, LAG_BASIS_TIED);
    assert_int_equal(verdict.pick, 1);
    /* With a prior: its first, who is not known being in the middle; and it decides nothing else. */
    static const struct { double prior[4]; int pick; bool used; } cases[] = {
        {{0.6, NAN, 0.7, 0}, 1, true}, {{0.6, 0.6, 0.4, 0}, 2, true}, {{0.2, 0.2, 0.3, 0}, 0, true},
        {{NAN, NAN, NAN, 0}, 0, false}};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        coarse.delta = 0.004 + 1e-9;
        coarse.prior = cases[i].prior;
        lag_select(pool.curves, 4, N_BATCHES, 8, &coarse, &verdict, tied);
        assert_int_equal(verdict.pick, cases[i].pick);
        assert_int_equal(verdict.by_prior, cases[i].used);
        coarse.delta = 0.004 - 1e-9;
        lag_select(pool.curves, 4, N_BATCHES, 8, &coarse, &verdict, tied);
        assert_true(verdict.pick == 1 && !verdict.by_prior);
    }
}

/* Verified: the only one left, beyond every other, growing has paid off, and no study says that orders do not hold. */
static void test_verified(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    for (int i = 0; i < N_TIMES * N_BATCHES; i++) pool.losses[3][i] += 0.2; /* none: 2.9 at 4, 2.8 at 8 */
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(verdict.basis == LAG_BASIS_VERIFIED && verdict.lag_short == 0);
    near(verdict.gain, 0.1);
    struct lag_rule known = rule;
    known.p_end = 0.9;
    lag_select(pool.curves, 4, N_BATCHES, 8, &known, &verdict, tied);
    assert_int_equal(verdict.basis, LAG_BASIS_VERIFIED);
    known.p_end = 0.89;
    lag_select(pool.curves, 4, N_BATCHES, 8, &known, &verdict, tied);
    assert_int_equal(verdict.basis, LAG_BASIS_PROVISIONAL);
    /* ahead of not growing at the lag, but not at the evaluation before it */
    pool.losses[3][10] = pool.losses[3][11] = 2.65;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(verdict.basis == LAG_BASIS_PROVISIONAL && verdict.lag_short == LAG_SHORT_NONE_AHEAD);
    pool.curves[3].diverged = true; /* then it says nothing */
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(verdict.basis == LAG_BASIS_VERIFIED && isnan(verdict.gain));
}

/* Sizes that differ are never judged by loss at equal steps alone. */
static void test_equal_flops(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    for (int i = 0; i < N_TIMES * N_BATCHES; i++) pool.losses[3][i] += 0.15; /* none: 2.75 at 8 */
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(isnan(verdict.gain_flops) && isnan(verdict.gain_flops_t)); /* what steps cost is not known */
    for (int i = 0; i < 4; i++) pool.curves[i].step_cost = i == 3 ? 1e9 : 2e9;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    near(verdict.gain, 0.05);
    near(verdict.gain_flops_t, 4);
    near(verdict.gain_flops, -0.05); /* b is at 2.8 then */
    assert_true(verdict.pick == 1 && !(verdict.lag_short & LAG_SHORT_FLOPS)); /* it is only the reference */
    pool.curves[3].eligible = true;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(verdict.pick_at_lag == 1 && verdict.pick == 3 && verdict.lag_short & LAG_SHORT_FLOPS);
    assert_true(verdict.basis == LAG_BASIS_PROVISIONAL && isnan(verdict.gain));
    near(verdict.gain_flops, -0.05);
    for (int i = 0; i < N_TIMES * N_BATCHES; i++) pool.losses[3][i] += 0.15; /* 2.9 */
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(verdict.pick == 1 && verdict.basis == LAG_BASIS_VERIFIED);
    near(verdict.gain_flops, 0.1);
    set_late(pool.losses[3], 2.6, 3.2); /* ahead at equal FLOPs by 0.1, and nobody knows it */
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(verdict.pick == 1 && verdict.lag_short & LAG_SHORT_FLOPS && verdict.basis != LAG_BASIS_VERIFIED);
    /* what it learned before its first step is charged: two steps of it, and then more than the other ever cost */
    for (int i = 0; i < 3; i++) pool.curves[i].start_cost = 2 * 2e9;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    near(verdict.gain_flops_t, 2);
    for (int i = 0; i < 3; i++) pool.curves[i].start_cost = 8.1e9;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(isnan(verdict.gain_flops));
    for (int i = 0; i < 3; i++) pool.curves[i].start_cost = 0;
    /* between two evaluations, by log t */
    for (int i = 0; i < 3; i++) pool.curves[i].step_cost = 3e9;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    near(verdict.gain_flops_t, 8.0 / 3);
    near(verdict.gain_flops, 2.9 - (3.0 - 0.2 * (log1p(8.0 / 3) - log1p(2)) / (log1p(4) - log1p(2))));
    pool.losses[1][4] = NAN; /* a batch that an evaluation leaves out counts nowhere */
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(isfinite(verdict.gain_flops) && isinf(verdict.gain_flops_high));
}

/* One evaluation is one draw of a curve that wobbles: nothing is verified by it. */
static void test_few_evaluations(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict;
    fill(&pool);
    for (int i = 0; i < N_TIMES * N_BATCHES; i++) pool.losses[3][i] += 0.4;
    lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
    assert_true(verdict.n_tail == 3 && verdict.basis == LAG_BASIS_VERIFIED);
    lag_select(pool.curves, 4, N_BATCHES, 7, &rule, &verdict, tied);
    assert_true(verdict.n_tail == 3 && verdict.basis == LAG_BASIS_VERIFIED); /* 4, 6, 7 */
    lag_select(pool.curves, 4, N_BATCHES, 4, &rule, &verdict, tied);
    assert_true(verdict.n_tail == 1 && verdict.lag_short == LAG_SHORT_EVALUATIONS);
    assert_true(verdict.n_tied == 1 && verdict.basis == LAG_BASIS_PROVISIONAL);
}

/* Near the second, far noisier than the third: the third decides that nothing is verified. */
static void test_a_noisy_third(void **state) {
    (void)state;
    enum { MANY = 64 };
    static double first[3 * MANY], second[3 * MANY], third[3 * MANY];
    static const int64_t t[] = {6, 7, 8};
    struct lag_verdict verdict;
    for (int i = 0; i < 3 * MANY; i++) {
        first[i] = 2;
        second[i] = 2.0040 + (i % 2 ? 0.0024 : -0.0024);
        third[i] = 2.0060 + (i % 2 ? 0.218 : -0.218);
    }
    const double *losses[] = {first, second, third};
    struct lag_curve curves[3];
    for (int i = 0; i < 3; i++)
        curves[i] = (struct lag_curve){.eligible = true, .decays_from = INT64_MAX, .n_evals = 3, .t = t,
                                       .losses = losses[i]};
    lag_select(curves, 3, MANY, 8, &rule, &verdict, tied);
    assert_true(verdict.margin_low > 0.0033 && verdict.margin_high < 0.0047);
    assert_true(verdict.basis == LAG_BASIS_TIED && tied[0] && !tied[1] && tied[2] && verdict.n_tied == 2);
    lag_select(curves, 2, MANY, 8, &rule, &verdict, tied);
    assert_int_equal(verdict.basis, LAG_BASIS_VERIFIED);
}

static void test_one_batch(void **state) {
    (void)state;
    const int64_t t[] = {0, 1};
    const double a[] = {2, 1}, b[] = {1, 2};
    const struct lag_curve curves[] = {{.eligible = true, .n_evals = 2, .t = t, .losses = a},
                                       {.eligible = true, .n_evals = 2, .t = t, .losses = b}};
    struct lag_verdict verdict;
    lag_select(curves, 2, 1, 1, &rule, &verdict, tied);
    assert_int_equal(verdict.pick_at_0, 1);
    assert_int_equal(verdict.pick_at_lag, 0);
    assert_true(verdict.margin == 1 && verdict.margin_low == -INFINITY && verdict.margin_high == INFINITY);
    assert_true(verdict.n_tied == 2 && verdict.basis == LAG_BASIS_TIED); /* one batch proves nothing */
    assert_true(verdict.p_now == 0.5);
    near(verdict.tau_half, -1);
    assert_int_equal(lag_half_time(curves, 2, 1), 0);
}

static void test_lag_short(void **state) {
    (void)state;
    const struct { int who; int64_t rewarm, warmup, decays; unsigned flags; } cases[] = {
        {0, 0, 0, INT64_MAX, 0}, {0, 5, 0, INT64_MAX, 0}, {0, 8, 0, INT64_MAX, LAG_SHORT_REWARM},
        {2, 9, 0, INT64_MAX, LAG_SHORT_REWARM}, {0, 0, 5, INT64_MAX, 0}, {1, 0, 8, INT64_MAX, LAG_SHORT_WARMUP},
        {0, 7, 0, INT64_MAX, LAG_SHORT_EVALUATIONS}, {0, 0, 7, INT64_MAX, LAG_SHORT_EVALUATIONS}, /* one lies behind */
        {0, 0, 0, 8, 0}, {0, 0, 0, 7, LAG_SHORT_DECAY},
        {0, 8, 8, 0, LAG_SHORT_REWARM | LAG_SHORT_WARMUP | LAG_SHORT_DECAY},
        {3, 9, 9, 0, 0} /* the reference cannot win */,
    };
    struct pool pool;
    struct lag_verdict verdict;
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        fill(&pool);
        pool.curves[3].reference = false;
        pool.curves[cases[i].who].rewarm_steps = cases[i].rewarm;
        pool.curves[cases[i].who].warmup_steps = cases[i].warmup;
        pool.curves[cases[i].who].decays_from = cases[i].decays;
        lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
        if (verdict.lag_short != cases[i].flags) fail_msg("case %zu: %u", i, verdict.lag_short);
        pool.curves[cases[i].who].diverged = true;
        lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied);
        assert_int_equal(verdict.lag_short, 0);
    }
}

/* Where the living ones share no evaluation there is no verdict, and what was told before stays. */
static void test_no_shared_time(void **state) {
    (void)state;
    struct pool pool;
    struct lag_verdict verdict = {.pick_at_lag = 77};
    fill(&pool);
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 3, &rule, &verdict, tied), LAG_EINVAL);
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, -1, &rule, &verdict, tied), LAG_EINVAL);
    pool.curves[2].n_evals = 3;
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 8, &rule, &verdict, tied), LAG_EINVAL);
    for (int i = 1; i < 4; i++) pool.curves[i].diverged = true; /* the first one lives on */
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 3, &rule, &verdict, tied), LAG_EINVAL);
    assert_int_equal(verdict.pick_at_lag, 77);
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 0, &rule, &verdict, tied), 0);
    assert_int_equal(verdict.pick_at_lag, 0);
    pool.curves[0].diverged = true; /* nobody lives: nobody wins, at any time */
    assert_int_equal(lag_select(pool.curves, 4, N_BATCHES, 3, &rule, &verdict, tied), 0);
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
    pool.losses[2][4] = NAN; /* left out: the other batch speaks */
    lag_rank_at(pool.curves, 3, N_BATCHES, 2, mean, rank);
    assert_true(rank[2] == 1 && mean[2] == pool.losses[2][5]);
    pool.losses[2][5] = NAN;
    lag_rank_at(pool.curves, 3, N_BATCHES, 2, mean, rank);
    assert_int_equal(rank[2], 0);
    /* equal ones share the lowest rank, and the next one counts them */
    fill(&pool);
    memcpy(pool.losses[0], pool.losses[2], sizeof(pool.losses[0]));
    lag_rank_at(pool.curves, 3, N_BATCHES, 8, mean, rank);
    assert_true(rank[0] == 2 && rank[1] == 1 && rank[2] == 2);
    lag_rank_at(pool.curves, 3, N_BATCHES, 0, mean, rank);
    assert_true(rank[0] == 1 && rank[1] == 3 && rank[2] == 1);
}

static void test_half_time(void **state) {
    (void)state;
    struct pool pool;
    static const int64_t other[N_TIMES] = {0, 1, 3, 5, 8, 9, 10};
    fill(&pool);
    assert_int_equal(lag_half_time(pool.curves, 4, 8), 4);
    assert_int_equal(lag_half_time(pool.curves, 4, 7), 2); /* 4 > 3.5 */
    assert_int_equal(lag_half_time(pool.curves, 4, 4), 2);
    assert_int_equal(lag_half_time(pool.curves, 4, 1), 0);
    pool.curves[2].t = other;
    assert_int_equal(lag_half_time(pool.curves, 4, 8), 1);
    assert_int_equal(lag_half_time(pool.curves, 0, 8), 0);
    assert_int_equal(lag_half_time(pool.curves, 1, 8), 4);
    static const int64_t later[N_TIMES] = {1, 2, 4, 8, 16, 32, 64}; /* no evaluation at 0 */
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
            curves[i] = (struct lag_curve){.eligible = rand() % 5 != 0, .diverged = rand() % 5 == 0,
                                           .decays_from = INT64_MAX, .n_evals = 3, .t = t, .losses = losses[i]};
        }
        struct lag_verdict verdict;
        lag_select(curves, N, B, 2, &rule, &verdict, tied);
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
        if (second >= 0) assert_int_equal(rank[second], at_2[second] > at_2[best] ? 2 : 1);
        double tau = lag_kendall_tau(b1, b2, n_ranked);
        assert_true(isnan(tau) ? isnan(verdict.tau_0) : fabs(tau - verdict.tau_0) < 1e-15);
        if (second >= 0) {
            const struct lag_tail tail = {1, {2}};
            const struct lag_pair pair = lag_compare(&curves[second], &curves[best], B, &tail);
            assert_true(verdict.margin == pair.mean && verdict.margin >= 0);
            assert_true(tied[best] && (verdict.n_tied > 1 || verdict.margin > 0));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdict),   cmocka_unit_test(test_reference), cmocka_unit_test(test_diverged),
        cmocka_unit_test(test_alone),     cmocka_unit_test(test_tied),      cmocka_unit_test(test_one_batch),
        cmocka_unit_test(test_lag_short), cmocka_unit_test(test_ranks),     cmocka_unit_test(test_half_time),
        cmocka_unit_test(test_against_brute_force), cmocka_unit_test(test_no_shared_time),
        cmocka_unit_test(test_nothing_to_decide), cmocka_unit_test(test_verified), cmocka_unit_test(test_equal_flops),
        cmocka_unit_test(test_few_evaluations), cmocka_unit_test(test_a_noisy_third),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

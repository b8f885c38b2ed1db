/* Pairs of candidates: by hand, against numpy and scipy (tests/golden/make_verdicts.py), and on planted curves whose
 * truth is known. */
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/verdict.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void close_to(double a, double b, double limit) {
    if (!(fabs(a - b) <= limit)) fail_msg("%.17g, not %.17g", a, b);
}

static struct lag_curve curve_of(int n_evals, const int64_t *t, const double *losses) {
    return (struct lag_curve){.eligible = true, .decays_from = INT64_MAX, .n_evals = n_evals, .t = t,
                              .losses = losses};
}

static void test_alphas(void **state) {
    (void)state;
    double sum = 0;
    for (int look = 1; look < 100000; look++) sum += lag_alpha_at_look(look);
    close_to(sum, LAG_ALPHA, 1e-6);
    close_to(lag_alpha_at_look(1), 0.030396, 1e-6);
}

/* --- one evaluation: the classic paired interval --- */

static void test_by_hand(void **state) {
    (void)state;
    /* differences 1 2 3: mean 2, s = 1, t(0.975, 2) = 4.302653 */
    static const int64_t t[] = {0};
    static const double a[] = {3, 5, 7}, b[] = {2, 3, 4};
    const struct lag_curve x = curve_of(1, t, a), y = curve_of(1, t, b);
    const struct lag_tail tail = {1, {0}}, other = {1, {1}};
    struct lag_pair pair = lag_compare(&x, &y, 3, &tail);
    struct lag_interval interval = lag_pair_interval(&pair, 0.95);
    assert_true(interval.mean == 2 && pair.df == 2);
    close_to(interval.low, 2 - 4.302652729 / sqrt(3), 1e-8);
    close_to(interval.high, 2 + 4.302652729 / sqrt(3), 1e-8);
    close_to(lag_pair_chance(&pair), 0.5 + 2 * sqrt(3) / (2 * sqrt(2 + 12)), 1e-12);
    pair = lag_compare(&x, &y, 1, &tail); /* one batch proves nothing */
    interval = lag_pair_interval(&pair, 0.95);
    assert_true(interval.mean == 1 && interval.low == -INFINITY && interval.high == INFINITY);
    assert_true(lag_pair_chance(&pair) == 0.5 && !lag_pair_beats(&pair, 0.4));
    pair = lag_compare(&x, &x, 3, &tail);
    interval = lag_pair_interval(&pair, 0.95);
    assert_true(interval.mean == 0 && interval.low == 0 && interval.high == 0);
    assert_true(lag_pair_chance(&pair) == 0.5 && !lag_pair_beats(&pair, 0.4));
    pair = lag_compare(&x, &y, 3, &other);
    assert_true(isnan(pair.mean) && isnan(lag_pair_chance(&pair)) && !lag_pair_beats(&pair, 0.4));
    /* alike on every batch: certain */
    static const double c[] = {4, 6, 8};
    const struct lag_curve z = curve_of(1, t, c);
    pair = lag_compare(&z, &x, 3, &tail);
    assert_true(pair.mean == 1 && pair.se == 0 && lag_pair_chance(&pair) == 1 && lag_pair_beats(&pair, 1e-9));
    pair = lag_compare(&x, &z, 3, &tail);
    assert_true(lag_pair_chance(&pair) == 0 && !lag_pair_beats(&pair, 0.4));
}

/* Two times: batches agree, times differ by ±0.1. S_u² = 0.02, halved: se 0.1, one degree of freedom. */
static void test_times_by_hand(void **state) {
    (void)state;
    static const int64_t t[] = {6, 8};
    static const double a[] = {2.1, 3.1, 1.9, 2.9}, b[] = {1, 2, 1, 2};
    const struct lag_curve x = curve_of(2, t, a), y = curve_of(2, t, b);
    const struct lag_tail tail = {2, {6, 8}};
    struct lag_pair pair = lag_compare(&x, &y, 2, &tail);
    close_to(pair.mean, 1, 1e-12);
    close_to(pair.se, 0.1, 1e-12);
    assert_int_equal(pair.df, 1);
    /* a straight line over three times is no wobble */
    static const int64_t t3[] = {5, 6, 8};
    static const double c[] = {1.5, 2.7, 1.6, 2.8, 1.8, 3.0}, d[] = {1, 2, 1, 2, 1, 2};
    const struct lag_curve u = curve_of(3, t3, c), v = curve_of(3, t3, d);
    const struct lag_tail three = {3, {5, 6, 8}};
    pair = lag_compare(&u, &v, 2, &three);
    close_to(pair.mean, (0.5 + 0.6 + 0.8) / 3 + 0.1, 1e-12);
    close_to(pair.se, 0.1, 1e-9); /* the batches' 0.2 apart: s / √2 */
}

/* --- the tail --- */

static void tails(const struct lag_curve *curves, int n, int64_t t, int n_wanted, int64_t first) {
    struct lag_tail tail;
    lag_tail_at(curves, n, 2, t, &tail);
    assert_int_equal(tail.n, n_wanted);
    if (n_wanted > 0) assert_true(tail.t[0] == first && tail.t[tail.n - 1] == t);
}

static void test_tail(void **state) {
    (void)state;
    static const int64_t t[] = {0, 1, 2, 4, 5, 6, 8, 10};
    double losses[2][16] = {0};
    struct lag_curve curves[2] = {curve_of(8, t, losses[0]), curve_of(8, t, losses[1])};
    tails(curves, 2, 10, 3, 6);
    tails(curves, 2, 8, 3, 5);
    tails(curves, 2, 0, 1, 0);
    tails(curves, 2, 1, 1, 1);
    tails(curves, 2, 7, 0, 0);
    curves[1].rewarm_steps = 6; /* the evaluation at 6 has seen nothing else */
    tails(curves, 2, 10, 2, 8);
    tails(curves, 2, 6, 3, 4);
    curves[1].rewarm_steps = 0;
    curves[0].warmup_steps = 6;
    tails(curves, 2, 10, 2, 8);
    curves[0].eligible = false; /* who cannot win sets no phase */
    tails(curves, 2, 10, 3, 6);
    curves[0] = curve_of(8, t, losses[0]);
    curves[0].decays_from = 8;
    tails(curves, 2, 8, 3, 5);
    tails(curves, 2, 10, 1, 10);
    curves[0].decays_from = INT64_MAX;
    losses[0][2 * 5] = losses[1][2 * 5] = NAN; /* at 6 on one batch of two */
    tails(curves, 2, 10, 2, 8);
    tails(curves, 2, 6, 1, 6);
}

/* --- goldens --- */

enum { MOST = 8, CELLS = 8 * 9 * 8 };

static double next(FILE *f) {
    double value;
    assert_int_equal(fscanf(f, "%lf", &value), 1);
    return value;
}

static bool next_case(FILE *f) {
    static double losses[CELLS];
    int64_t t[MOST + 1];
    double first;
    if (fscanf(f, "%lf", &first) != 1) return false;
    const int n = (int)first, n_batches = (int)next(f), m = (int)next(f);
    assert_true(n <= MOST && m <= MOST && n * (m + 1) * n_batches <= CELLS);
    for (int k = 0; k <= m; k++) t[k] = (int64_t)next(f);
    for (int i = 0; i < n * (m + 1) * n_batches; i++) losses[i] = next(f);
    struct lag_curve curves[MOST];
    for (int i = 0; i < n; i++) curves[i] = curve_of(m + 1, t, losses + i * (m + 1) * n_batches);
    const struct lag_rule rule = {.delta = 0, .look = 1, .p_end = NAN};
    struct lag_verdict verdict;
    struct lag_tail tail;
    bool tied[MOST];
    assert_int_equal(lag_select(curves, n, n_batches, t[m], &rule, &verdict, tied), 0);
    assert_int_equal(verdict.pick_at_lag, (int)next(f));
    assert_int_equal(verdict.runner_up, (int)next(f));
    assert_int_equal(verdict.n_at_0, (int)next(f));
    close_to(verdict.margin, next(f), 1e-12);
    close_to(verdict.margin_low, next(f), 1e-9);
    close_to(verdict.margin_high, next(f), 1e-9);
    close_to(verdict.p_now, next(f), 1e-9);
    assert_int_equal(verdict.n_tied, (int)next(f));
    for (int i = 0; i < n; i++) assert_int_equal(tied[i], (int)next(f));
    const bool best = next(f) != 0;
    assert_int_equal(verdict.basis == LAG_BASIS_VERIFIED, best && verdict.n_tied == 1 && m >= LAG_TAIL_LEAST);
    lag_tail_at(curves, n, n_batches, t[m], &tail);
    assert_int_equal(tail.n, m);
    const struct lag_pair pair = lag_compare(&curves[n - 1], &curves[0], n_batches, &tail);
    const struct lag_interval interval = lag_pair_interval(&pair, 0.95);
    close_to(pair.mean, next(f), 1e-12);
    close_to(pair.se, next(f), 1e-12);
    assert_int_equal(pair.df, (int)next(f));
    close_to(interval.low, next(f), 1e-9);
    close_to(interval.high, next(f), 1e-9);
    close_to(lag_pair_chance(&pair), next(f), 1e-9);
    return true;
}

static void test_goldens(void **state) {
    (void)state;
    LAG_CLEANUP(lag_fclose_p) FILE *f = fopen(GOLDEN_DIR "/verdicts.txt", "r");
    assert_non_null(f);
    int n = 0;
    while (next_case(f)) n++;
    assert_int_equal(n, 24);
}

/* --- planted curves --- */

enum { N = 6, B = 16, M = 6, N_T = M + 1, TRIALS = 2000 };

static double normal(uint64_t trial, uint64_t what, uint64_t index) {
    const double u = (double)(lag_rng_below(77 + trial, LAG_RNG_BATCH, (int64_t)what, 2 * index, 1u << 30) + 1);
    const double v = (double)lag_rng_below(77 + trial, LAG_RNG_BATCH, (int64_t)what, 2 * index + 1, 1u << 30);
    return sqrt(-2 * log(u / ((1u << 30) + 1))) * cos(2 * M_PI * v / (1u << 30));
}

/* Candidate i lies gap · i above the first, with noise a batch and a wobble over time, each of its own. */
static void plant(uint64_t trial, double gap, double noise, double wobble, double losses[N][N_T * B]) {
    for (uint64_t i = 0; i < N; i++) {
        for (uint64_t k = 0; k < N_T; k++) {
            const double moved = wobble * normal(trial, 2 + i, 1000 + k);
            for (uint64_t j = 0; j < B; j++)
                losses[i][k * B + j] = 3 + 0.2 * normal(trial, 1, j) + gap * (double)i + moved +
                                       noise * normal(trial, 2 + i, j) + 0.002 * normal(trial, 20 + i, k * B + j);
        }
    }
}

/* Of 2000 probes: how often the interval of the pair (1, 0) covers the truth, how often the set holds the truly best,
 * and how often a candidate is called verified. */
static void trial_all(double gap, double noise, double wobble, int *ret_covers, int *ret_holds, int *ret_verified) {
    static const int64_t t[N_T] = {0, 36, 42, 48, 54, 60, 64};
    static double losses[N][N_T * B];
    const struct lag_rule rule = {.delta = 0, .look = 1, .p_end = NAN};
    *ret_covers = *ret_holds = *ret_verified = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        struct lag_curve curves[N];
        struct lag_verdict verdict;
        struct lag_tail tail;
        bool tied[N];
        plant(trial, gap, noise, wobble, losses);
        for (int i = 0; i < N; i++) curves[i] = curve_of(N_T, t, losses[i]);
        assert_int_equal(lag_select(curves, N, B, 64, &rule, &verdict, tied), 0);
        lag_tail_at(curves, N, B, 64, &tail);
        const struct lag_pair pair = lag_compare(&curves[1], &curves[0], B, &tail);
        const struct lag_interval interval = lag_pair_interval(&pair, 0.95);
        *ret_covers += interval.low <= gap && gap <= interval.high;
        *ret_holds += tied[0];
        *ret_verified += verdict.basis == LAG_BASIS_VERIFIED;
    }
}

static void test_planted(void **state) {
    (void)state;
    static const struct { double gap, noise, wobble; } plants[] = {
        {0, 0.01, 0}, {0, 0.01, 0.006}, {0, 0, 0.006}, {0.004, 0.01, 0.006}, {0.02, 0.006, 0.003}};
    for (size_t i = 0; i < LAG_COUNT(plants); i++) {
        int covers, holds, verified;
        trial_all(plants[i].gap, plants[i].noise, plants[i].wobble, &covers, &holds, &verified);
        print_message("gap %g noise %g wobble %g: covers %.1f %%, set holds the best %.1f %%, verified %.1f %%\n",
                      plants[i].gap, plants[i].noise, plants[i].wobble, 100.0 * covers / TRIALS,
                      100.0 * holds / TRIALS, 100.0 * verified / TRIALS);
        assert_true(covers >= 0.93 * TRIALS);
        assert_true(holds >= 0.95 * TRIALS);
        if (plants[i].gap == 0) assert_true(verified <= LAG_ALPHA * TRIALS); /* exchangeable: each is a false one */
        if (plants[i].gap == 0.02) assert_true(verified >= 0.9 * TRIALS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alphas),         cmocka_unit_test(test_by_hand), cmocka_unit_test(test_times_by_hand),
        cmocka_unit_test(test_tail),           cmocka_unit_test(test_goldens), cmocka_unit_test(test_planted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

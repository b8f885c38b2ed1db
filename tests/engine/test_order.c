/* The chance that a leader's orders hold, asked of a calibration by what a probe shows. */
#include <lagd/base/check.h>
#include <lagd/engine/calibration.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 4, N_TIMES = 3, N_BATCHES = 2, A = 0, B = 1, C = 2, NONE = 3 };
static const int64_t times[N_TIMES] = {0, 50, 100};
static double losses[N][N_TIMES * N_BATCHES];
static struct lag_curve curves[N];
static struct lag_calibration calibration;

/* At 100 A leads, B is .1 behind and C .3, each the same on both batches; `none` lies at last at that time. */
static int set_up(void **state) {
    (void)state;
    static const double at[N][N_TIMES] = {{3, 2, 1}, {3, 2.1, 1.1}, {3, 2.2, 1.3}, {3, 2.3, 1.2}};
    for (int i = 0; i < N; i++) {
        for (int e = 0; e < N_TIMES; e++)
            for (int b = 0; b < N_BATCHES; b++)
                losses[i][e * N_BATCHES + b] = at[i][e] + (b ? 0.01 * (i + 1) : 0);
        curves[i] = (struct lag_curve){.eligible = i != NONE, .reference = i == NONE, .decays_from = INT64_MAX,
                                       .n_evals = N_TIMES, .t = times, .losses = losses[i]};
    }
    return 0;
}

/* Three studies that saw only this order; of n_kept of 10 in each it was kept. */
static void calibrate(struct lag_order order, int n_kept) {
    struct lag_kept_row rows[30];
    for (int i = 0; i < 30; i++) rows[i] = (struct lag_kept_row){i / 10, order, i % 10 < n_kept};
    lag_calibrate(rows, LAG_COUNT(rows), -1, &calibration);
}

static struct lag_probe_view view_of(const bool *preserving) {
    return (struct lag_probe_view){curves, N, N_BATCHES, 100, 1000, preserving};
}

static void near(double value, double wanted) {
    if (!(fabs(value - wanted) < 1e-12)) fail_msg("%.17g, not %.17g", value, wanted);
}

static void test_orders_are_found(void **state) {
    (void)state;
    static const bool preserving[N] = {true, false, true, true};
    double p_end[N];
    const struct lag_probe_view view = view_of(preserving);
    /* z of A and B: .1 and .105 ± .005 over two batches */
    calibrate((struct lag_order){.z = 21, .share = 0.1, .phase = LAG_PHASE_CONSTANT, .beyond_none = true,
                                 .kinds_differ = true}, 9);
    lag_p_end_of_leader(&calibration, &view, A, p_end);
    near(p_end[B], 0.9);
    near(p_end[C], 0.9); /* no order of equal kinds was seen: those of all kinds say it */
    assert_true(isnan(p_end[A]) && isnan(p_end[NONE]));
    lag_p_end_of_leader(&calibration, &view, B, p_end);
    near(p_end[A], 0.1); /* B is behind: that its order holds is that A's does not */
    near(p_end[C], 0.9);
    calibrate((struct lag_order){.z = 21, .share = 0.5, .phase = LAG_PHASE_CONSTANT, .beyond_none = true}, 9);
    lag_p_end_of_leader(&calibration, &view, A, p_end);
    assert_true(isnan(p_end[B])); /* so early nothing was seen */
}

static void test_what_divides_orders(void **state) {
    (void)state;
    double p_end[N];
    const struct lag_probe_view view = view_of(NULL);
    struct lag_kept_row rows[120];
    for (int i = 0; i < 120; i++) { /* each study saw four kinds: of ten two, five, seven and nine were kept */
        const enum lag_phase phase = i % 4 < 2 ? LAG_PHASE_CONSTANT : LAG_PHASE_DECAY;
        rows[i] = (struct lag_kept_row){i / 40, {.z = 21, .share = 0.1, .phase = phase, .beyond_none = i % 2 == 1},
                                        i / 4 % 10 < (int[]){2, 5, 7, 9}[i % 4]};
    }
    lag_calibrate(rows, LAG_COUNT(rows), -1, &calibration);
    lag_p_end_of_leader(&calibration, &view, A, p_end);
    near(p_end[B], 0.5);
    losses[NONE][2 * N_BATCHES] = losses[NONE][2 * N_BATCHES + 1] = 0.5; /* not growing is ahead at the last */
    lag_p_end_of_leader(&calibration, &view, A, p_end);
    near(p_end[B], 0.2);
    curves[B].decays_from = 99;
    lag_p_end_of_leader(&calibration, &view, A, p_end);
    near(p_end[B], 0.7);
    near(p_end[C], 0.7);
    curves[B].stopped = 1;
    lag_p_end_of_leader(&calibration, &view, A, p_end);
    assert_true(isnan(p_end[B]));
    near(p_end[C], 0.2);
    lag_p_end_of_leader(&calibration, &view, -1, p_end);
    assert_true(isnan(p_end[C]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_orders_are_found, set_up),
        cmocka_unit_test_setup(test_what_divides_orders, set_up),
    };
    return cmocka_run_group_tests_name("engine/order", tests, NULL, NULL);
}

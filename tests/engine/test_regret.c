/* What one pick has lost at the end, with its interval. */
#include <lagd/base/check.h>
#include <lagd/engine/verdict.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { BATCHES = 4, CANDIDATES = 4 };
static const int64_t end = 100;
static double losses[CANDIDATES][BATCHES];
static struct lag_curve curves[CANDIDATES];

/* B is best by .1 of A, C is worst, and `none` is not eligible; all batches differ alike but for a wobble of A's. */
static int set_up(void **state) {
    (void)state;
    static const double means[CANDIDATES] = {2.1, 2.0, 2.5, 1.9};
    static const double wobble[BATCHES] = {0.02, -0.02, 0.01, -0.01};
    for (int i = 0; i < CANDIDATES; i++) {
        for (int b = 0; b < BATCHES; b++) losses[i][b] = means[i] + b + (i == 0 ? wobble[b] : 0);
        curves[i] = (struct lag_curve){.eligible = i < 3, .reference = i == 3, .decays_from = INT64_MAX, .n_evals = 1,
                                       .t = &end, .losses = losses[i]};
    }
    return 0;
}

static struct lag_regret of(int pick) {
    struct lag_regret ret;
    lag_regret_of(curves, CANDIDATES, BATCHES, end, pick, &ret);
    return ret;
}

static void near(double value, double wanted) {
    if (!(fabs(value - wanted) < 1e-12)) fail_msg("%.17g, not %.17g", value, wanted);
}

static void it_is_told_against_the_best(void **state) {
    (void)state;
    const struct lag_regret a = of(0), b = of(1), c = of(2);
    assert_true(a.best == 1 && b.best == 1 && c.best == 1);
    near(a.regret, 0.1);
    near(a.of_spread, 0.2);
    near(b.regret, 0);
    near(b.low, 0);
    near(c.regret, 0.5);
    near(c.of_spread, 1);
    near(c.low, 0.5); /* B's batches differ from C's alike */
    assert_true(c.high >= 0.5 - 1e-12);
    assert_true(a.low > 0 && a.low < 0.1 && a.high > 0.1); /* sd .0183 over 4 batches: t(3) = 3.182 */
    near(a.high, 0.1 + 3.182446305284263 * sqrt(0.001 / 3) / 2);
}

static void who_did_not_come_to_the_end_is_left_out(void **state) {
    (void)state;
    curves[1].diverged = true;
    assert_int_equal(of(0).best, 0);
    near(of(0).regret, 0);
    near(of(2).regret, 0.4);
    assert_true(isnan(of(1).regret) && isnan(of(1).low) && isnan(of(1).high)); /* what was applied has diverged */
    assert_int_equal(of(1).best, 0);
    for (int i = 0; i < 3; i++) curves[i].diverged = true;
    assert_int_equal(of(0).best, -1);
    assert_true(isnan(of(0).regret));
}

/* Not growing may have been taken, and may even end best; else it is nobody's best. */
static void not_growing_may_be_the_pick(void **state) {
    (void)state;
    assert_int_equal(of(3).best, 3);
    near(of(3).regret, 0);
    for (int b = 0; b < BATCHES; b++) losses[3][b] += 0.3;
    assert_int_equal(of(3).best, 1);
    near(of(3).regret, 0.2);
    near(of(3).of_spread, 0.4);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)
int main(void) {
    const struct CMUnitTest tests[] = {TEST(it_is_told_against_the_best),
                                       TEST(who_did_not_come_to_the_end_is_left_out),
                                       TEST(not_growing_may_be_the_pick)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

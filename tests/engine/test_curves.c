/* Times and means of loss curves, from hand-made ones. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/verdict.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define B 2
static const int64_t t_all[] = {0, 1, 2, 4, 8}, t_other[] = {0, 2, 3, 8, 9};
static double losses[3][5 * B];

/* Two candidates that share 0, 2 and 8, and a third that has diverged after t = 0. */
static void fill(struct lag_curve curves[3]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 5 * B; j++) losses[i][j] = 10 * i + j;
    curves[0] = (struct lag_curve){.eligible = true, .n_evals = 5, .t = t_all, .losses = losses[0]};
    curves[1] = (struct lag_curve){.eligible = true, .n_evals = 5, .t = t_other, .losses = losses[1]};
    curves[2] = (struct lag_curve){.eligible = true, .diverged = true, .n_evals = 1, .t = t_all, .losses = losses[2]};
    for (int i = 0; i < 3; i++) curves[i].decays_from = INT64_MAX;
}

static void means(void **state) {
    (void)state;
    static const double x[] = {1, 2, 6};
    assert_true(lag_mean(x, 3) == 3);
    assert_true(lag_mean(x, 1) == 1);
    assert_true(isnan(lag_mean(x, 0)));
    static const double y[] = {1, NAN, 5}; /* a batch that was left out */
    assert_true(lag_loss_mean(y, 3) == 3 && lag_loss_count(y, 3) == 2);
    assert_true(lag_loss_mean(y, 1) == 1 && lag_loss_count(y, 1) == 1);
    assert_true(isnan(lag_loss_mean(y + 1, 1)) && lag_loss_count(y + 1, 1) == 0);
}

static void losses_at_a_time(void **state) {
    (void)state;
    struct lag_curve curves[3];
    fill(curves);
    assert_ptr_equal(lag_losses_at(&curves[1], B, 3), losses[1] + 2 * B);
    assert_ptr_equal(lag_losses_at(&curves[1], B, 0), losses[1]);
    assert_null(lag_losses_at(&curves[1], B, 1));
    assert_null(lag_losses_at(&curves[2], B, 8));
}

static void shared_times(void **state) {
    (void)state;
    struct lag_curve curves[3];
    int64_t got[5];
    fill(curves);
    assert_int_equal(lag_shared_time(curves, 3, INT64_MAX), 8);
    assert_int_equal(lag_shared_time(curves, 3, 8), 8);
    assert_int_equal(lag_shared_time(curves, 3, 7), 2);
    assert_int_equal(lag_shared_time(curves, 3, 1), 0);
    assert_int_equal(lag_shared_times(curves, 3, INT64_MAX, got, 5), 3);
    assert_true(got[0] == 0 && got[1] == 2 && got[2] == 8);
    assert_int_equal(lag_shared_times(curves, 3, 7, got, 5), 2);
    assert_int_equal(lag_shared_times(curves, 3, INT64_MAX, got, 2), 2); /* the latest ones */
    assert_true(got[0] == 2 && got[1] == 8);
    assert_int_equal(lag_half_time(curves, 3, 8), 2);
    curves[2].diverged = false; /* now it counts: it has 0 only */
    assert_int_equal(lag_shared_time(curves, 3, INT64_MAX), 0);
    curves[2].n_evals = 0;
    assert_int_equal(lag_shared_time(curves, 3, INT64_MAX), -1);
    assert_int_equal(lag_shared_times(curves, 3, INT64_MAX, got, 5), 0);
    assert_int_equal(lag_half_time(curves, 3, 8), 0);
    for (int i = 0; i < 3; i++) curves[i].diverged = true;
    assert_int_equal(lag_shared_time(curves, 3, INT64_MAX), -1);
    assert_int_equal(lag_shared_time(curves, 0, INT64_MAX), -1);
}

static void evaluated_times(void **state) {
    (void)state;
    static const int64_t wanted[] = {0, 1, 2, 3, 4, 8, 9};
    struct lag_curve curves[3];
    int64_t got[15];
    fill(curves);
    assert_int_equal(lag_evaluated_times(curves, 3, got), LAG_COUNT(wanted));
    assert_memory_equal(got, wanted, sizeof(wanted));
    assert_int_equal(lag_evaluated_times(curves, 0, got), 0);
}

/* Asked at an earlier shared time, the verdict is that of probes which ended there; at another it is refused. */
static void verdict_at_any_shared_time(void **state) {
    (void)state;
    srand(11);
    for (int round = 0; round < 300; round++) {
        struct lag_curve curves[3], ended[3];
        fill(curves);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 5 * B; j++) losses[i][j] = rand() % 7;
        for (int64_t t = -1; t < 11; t++) {
            const struct lag_rule rule = {.delta = 0.005, .look = 1, .p_end = NAN};
            struct lag_verdict verdict, wanted;
            bool tied[3], wanted_tied[3];
            const bool shared = t == 0 || t == 2 || t == 8;
            assert_int_equal(lag_select(curves, 3, B, t, &rule, &verdict, tied), shared ? 0 : LAG_EINVAL);
            if (!shared) continue;
            memcpy(ended, curves, sizeof(ended));
            for (int i = 0; i < 2; i++)
                while (ended[i].t[ended[i].n_evals - 1] > t) ended[i].n_evals--;
            assert_int_equal(lag_select(ended, 3, B, t, &rule, &wanted, wanted_tied), 0);
            assert_int_equal(verdict.pick_at_lag, wanted.pick_at_lag);
            assert_int_equal(verdict.runner_up, wanted.runner_up);
            assert_true(verdict.margin == wanted.margin && verdict.p_now == wanted.p_now);
            assert_int_equal(verdict.basis, wanted.basis);
            assert_true(verdict.tau_0 == wanted.tau_0 || (isnan(verdict.tau_0) && isnan(wanted.tau_0)));
            assert_true(verdict.tau_half == wanted.tau_half || (isnan(verdict.tau_half) && isnan(wanted.tau_half)));
            assert_int_equal(verdict.lag_short, wanted.lag_short);
            assert_memory_equal(tied, wanted_tied, sizeof(tied));
        }
    }
}

/* τ of a ranking is Kendall's over the means of those that are ranked at both times. */
static void tau_between_times(void **state) {
    (void)state;
    static const int64_t t[] = {0, 5};
    static const double a[] = {1, 3}, b[] = {2, 1}, c[] = {3, 2}, d[] = {0, 0};
    struct lag_curve curves[] = {{.eligible = true, .decays_from = INT64_MAX, .n_evals = 2, .t = t, .losses = a},
                                 {.eligible = true, .decays_from = INT64_MAX, .n_evals = 2, .t = t, .losses = b},
                                 {.eligible = true, .decays_from = INT64_MAX, .n_evals = 2, .t = t, .losses = c},
                                 {.eligible = false, .n_evals = 2, .t = t, .losses = d}};
    const double x[] = {1, 2, 3}, y[] = {3, 1, 2};
    assert_true(lag_tau_between(curves, 4, 1, 0, 5) == lag_kendall_tau(x, y, 3));
    curves[2].n_evals = 1; /* not evaluated at 5: left out */
    assert_true(lag_tau_between(curves, 4, 1, 0, 5) == -1);
    curves[1].diverged = true;
    assert_true(isnan(lag_tau_between(curves, 4, 1, 0, 5)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means),           cmocka_unit_test(losses_at_a_time),
        cmocka_unit_test(shared_times),    cmocka_unit_test(evaluated_times),
        cmocka_unit_test(tau_between_times), cmocka_unit_test(verdict_at_any_shared_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

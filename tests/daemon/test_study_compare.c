/* What growing costs beside a model from scratch: the FLOPs that reach a loss, and what is charged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evidence/study_compare_internal.h"

#include <lagd/base/check.h>

static bool near(double a, double b) { return fabs(a - b) <= 1e-9 * fabs(b); }

static void flops_are_interpolated_on_their_logarithm(void **state) {
    (void)state;
    double flops[] = {1e6, 1e8, 1e9, 1e10}, losses[] = {4, 2, 3, 1};
    const struct lagd_study_path path = {4, flops, losses};
    assert_true(near(lagd_study_path_reach(&path, 5), 1e6));
    assert_true(near(lagd_study_path_reach(&path, 4), 1e6));
    assert_true(near(lagd_study_path_reach(&path, 3), 1e7)); /* half the way of the loss, and of the logarithm */
    assert_true(near(lagd_study_path_reach(&path, 2), 1e8)); /* for the first time, though it rises again */
    assert_true(near(lagd_study_path_reach(&path, 1.5), 1e9 * pow(10, 0.75)));
    assert_true(near(lagd_study_path_reach(&path, 1), 1e10));
    assert_true(isnan(lagd_study_path_reach(&path, 0.9)));
}

enum { TIMES = 3 };
static int64_t times[TIMES] = {0, 10, 100};
static double first[TIMES] = {3.0, 2.5, 2.0}, second[TIMES] = {2.9, 2.6, 2.2};
static struct lagd_study_candidate candidates[2] = {{.eligible = true, .step_flops = 100, .means = first},
                                                    {.eligible = true, .step_flops = 100, .means = second}};
static struct lagd_study_point points[TIMES];
static int64_t scratch_steps[3] = {0, 50, 500};
static double scratch_losses[3] = {5, 3, 2.25};
static struct lagd_study_scratch scratch;

static void plant(struct lagd_study_result *result, int64_t sufficient, int pick) {
    memset(points, 0, sizeof(points));
    for (int k = 0; k < TIMES; k++) {
        points[k].t = times[k];
        points[k].regret.pick = pick;
        points[k].regret.lost_flops = 100 * (double)times[k];
    }
    scratch = (struct lagd_study_scratch){.step_flops = 100, .n_points = 3, .steps = scratch_steps,
                                          .losses = scratch_losses, .has_ended = true};
    *result = (struct lagd_study_result){.n_candidates = 2, .candidates = candidates, .n_times = TIMES, .times = times,
                                         .has_report = true, .n_scratch = 1, .scratch = &scratch,
                                         .report = {.n_points = TIMES, .points = points,
                                                    .sufficient_steps = sufficient}};
    result->study.horizon = 100;
    result->study.parent_flops = 1000;
    result->equal_loss = result->grown_flops = result->scratch_flops = result->speedup = NAN;
}

static void drop(struct lagd_study_result *result) {
    lagd_study_path_deinit(&result->grown);
    lagd_study_path_deinit(&result->from_scratch);
}

/* Charged: the parent, the pick's steps, and the other candidate's up to the lag. */
static void losers_are_charged_up_to_the_lag(void **state) {
    (void)state;
    struct lagd_study_result result;
    plant(&result, 10, 0);
    assert_int_equal(lagd_study_compare(&result, NULL), 0);
    assert_int_equal(result.charged_lag, 10);
    assert_int_equal(result.grown.n, TIMES);
    assert_true(near(result.grown.flops[0], 1000));
    assert_true(near(result.grown.flops[1], 1000 + 1000 + 1000));
    assert_true(near(result.grown.flops[2], 1000 + 10000 + 1000));
    assert_true(near(result.grown.losses[2], 2.0));
    drop(&result);
}

static void without_a_lag_all_are_charged_to_the_horizon(void **state) {
    (void)state;
    struct lagd_study_result result;
    plant(&result, -1, 1);
    assert_int_equal(lagd_study_compare(&result, NULL), 0);
    assert_int_equal(result.charged_lag, 100);
    assert_true(near(result.grown.flops[2], 1000 + 10000 + 10000));
    assert_true(near(result.grown.losses[2], 2.2)); /* of what is picked, not of the best */
    drop(&result);
}

static void they_are_compared_at_a_loss_that_both_reach(void **state) {
    (void)state;
    struct lagd_study_result result;
    plant(&result, 10, 0);
    assert_int_equal(lagd_study_compare(&result, NULL), 0);
    assert_int_equal(result.from_scratch.n, 2); /* nothing was spent at step 0 */
    assert_true(near(result.equal_loss, 2.25));
    assert_true(near(result.scratch_flops, 50000));
    assert_true(near(result.grown_flops, 3000 * pow(4, 0.5)));
    assert_true(near(result.speedup, result.scratch_flops / result.grown_flops));
    drop(&result);
}

static void a_baseline_that_trains_is_not_compared(void **state) {
    (void)state;
    struct lagd_study_result result;
    plant(&result, 10, 0);
    scratch.has_ended = false;
    assert_int_equal(lagd_study_compare(&result, NULL), 0);
    assert_int_equal(result.from_scratch.n, 0);
    assert_true(isnan(result.speedup) && isnan(result.equal_loss));
    drop(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flops_are_interpolated_on_their_logarithm),
        cmocka_unit_test(losers_are_charged_up_to_the_lag),
        cmocka_unit_test(without_a_lag_all_are_charged_to_the_horizon),
        cmocka_unit_test(they_are_compared_at_a_loss_that_both_reach),
        cmocka_unit_test(a_baseline_that_trains_is_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

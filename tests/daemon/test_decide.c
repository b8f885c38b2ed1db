/* The decision record from hand-made losses: picks, margins, ties, dropped candidates, and what the sentence says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/decide_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>

#define N_BATCHES 3
static const int64_t times[] = {0, 5, 10};

/* stack starts worst and wins; zero starts best; none is the reference; random diverged. */
static const double stack_losses[] = {4.0, 4.1, 4.2, 3.0, 3.1, 3.2, 2.00, 2.11, 2.19};
static const double zero_losses[] = {3.0, 3.1, 3.2, 2.8, 2.9, 3.0, 2.50, 2.60, 2.70};
static const double none_losses[] = {3.0, 3.1, 3.2, 2.9, 3.0, 3.1, 2.80, 2.90, 3.00};
static const double tied_losses[] = {3.5, 3.6, 3.7, 2.9, 3.0, 3.1, 2.05, 2.06, 2.25};

static struct lag_candidate_row candidates[4];
static struct lag_curve curves[4];
static struct lagd_curves set;
static struct lag_error err;

static void candidate(int index, const char *op, const double *losses, bool eligible, bool diverged) {
    snprintf(candidates[index].id, sizeof(candidates[index].id), "cand_%d", index);
    lag_copy(candidates[index].op, sizeof(candidates[index].op), op);
    candidates[index].flops = 1e9 * (index + 1);
    curves[index] = (struct lag_curve){
        .eligible = eligible, .diverged = diverged, .n_evals = diverged ? 1 : 3, .t = times, .losses = losses};
}

static int set_up(void **state) {
    (void)state;
    memset(&set, 0, sizeof(set));
    memset(&err, 0, sizeof(err));
    lag_copy(set.growth.id, sizeof(set.growth.id), "gr_1");
    set.growth.probe_steps = 10;
    set.growth.n_batches = N_BATCHES;
    set.growth.parent_loss = 3.1;
    set.candidates = candidates;
    set.curves = curves;
    set.n = 4;
    candidate(0, "zero_stack", zero_losses, true, false);
    candidate(1, "stack", stack_losses, true, false);
    candidate(2, "random", stack_losses, true, true);
    candidate(3, "none", none_losses, false, false);
    return 0;
}

static void contains(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void the_lag_changes_the_pick(void **state) {
    (void)state;
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.growth_id, "gr_1");
    assert_string_equal(row.candidate, "cand_1");
    assert_string_equal(row.pick_at_lag, "cand_1");
    assert_string_equal(row.pick_at_0, "cand_0");
    assert_string_equal(row.runner_up, "cand_0");
    assert_true(fabs(row.margin - 0.5) < 1e-12 && row.margin_low > 0 && row.margin_high > 0.5);
    assert_false(row.tied || row.lag_short);
    assert_true(row.tau_0 == -1);
    assert_true(row.flops == 1e10);
    assert_string_equal(row.decided_by, "lag");
    contains(row.verdict, "After a lag of 10 steps stack has the lowest validation loss, 2.1000");
    contains(row.verdict, "0.5000 ahead of zero_stack (95 % interval");
    contains(row.verdict, "Step 0 would have picked zero_stack, which is number 2");
    contains(row.verdict, "Not growing is at 2.9000 there, 0.8000 above it");
}

static void ties_are_said(void **state) {
    (void)state;
    candidate(0, "midas", tied_losses, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_true(row.tied && row.margin_low < 0 && row.margin_high > 0);
    contains(row.verdict, "tied with midas");
    contains(row.verdict, "contains 0");
}

static void short_lags_are_said(void **state) {
    (void)state;
    set.growth.parent_loss = 1.5;
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_true(row.lag_short);
    contains(row.verdict, "The lag is short");
}

static void the_reference_wins_only_when_allowed(void **state) {
    (void)state;
    candidate(3, "none", stack_losses, false, false);
    candidate(1, "stack", none_losses, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_0");
    contains(row.verdict, "below it");
    candidate(3, "none", stack_losses, true, false);
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_3");
}

static void nobody_left(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) curves[i].diverged = true;
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "");
    assert_string_equal(row.pick_at_0, "");
    assert_true(isnan(row.margin));
    contains(row.verdict, "No candidate can win");
    curves[3].diverged = false; /* the reference alone may not win either */
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "");
}

static void one_alone(void **state) {
    (void)state;
    curves[0].diverged = true;
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_1");
    assert_string_equal(row.runner_up, "");
    contains(row.verdict, "no other candidate");
    contains(row.verdict, "picked it too");
}

static void not_before_the_lag(void **state) {
    (void)state;
    struct lag_decision_row row = {.margin = 7};
    curves[0].n_evals = 2;
    assert_int_equal(lagd_decide(&set, &row, &err), LAG_ESTATE);
    assert_true(row.margin == 7);
    assert_int_equal(lagd_curves_common_t(&set, 10), 5);
    assert_int_equal(lagd_curves_common_t(&set, 4), 0);
    curves[0].n_evals = 0;
    assert_int_equal(lagd_curves_common_t(&set, 10), -1);
}

static void long_names_are_cut_not_spilled(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) memset(candidates[i].op, 'x', sizeof(candidates[i].op) - 1);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_true(strlen(row.verdict) < sizeof(row.verdict));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(the_lag_changes_the_pick, set_up),
                                       cmocka_unit_test_setup(ties_are_said, set_up),
                                       cmocka_unit_test_setup(short_lags_are_said, set_up),
                                       cmocka_unit_test_setup(the_reference_wins_only_when_allowed, set_up),
                                       cmocka_unit_test_setup(nobody_left, set_up),
                                       cmocka_unit_test_setup(one_alone, set_up),
                                       cmocka_unit_test_setup(not_before_the_lag, set_up),
                                       cmocka_unit_test_setup(long_names_are_cut_not_spilled, set_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

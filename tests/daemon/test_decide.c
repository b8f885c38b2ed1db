/* The decision record from hand-made losses: picks, margins, ties, dropped candidates, and what the sentence says. */
#include "evidence/decide_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N_BATCHES 3
static const int64_t times[] = {0, 5, 10};

/* stack starts worst and wins; zero starts best; none is the reference; random diverged. */
static const double stack_losses[] = {4.0, 4.1, 4.2, 3.0, 3.1, 3.2, 2.00, 2.11, 2.19};
static const double zero_losses[] = {3.0, 3.1, 3.2, 2.8, 2.9, 3.0, 2.50, 2.60, 2.70};
static const double none_losses[] = {3.0, 3.1, 3.2, 2.9, 3.0, 3.1, 2.80, 2.90, 3.00};
static const double tied_losses[] = {3.5, 3.6, 3.7, 2.9, 3.0, 3.1, 2.05, 2.06, 2.25};

enum { N = 4, N_MOST = 60 };
static struct lag_candidate_row candidates[N_MOST + 1];
static struct lag_curve curves[N_MOST + 1];
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
    set.n = N;
    candidate(0, "zero_stack", zero_losses, true, false);
    candidate(1, "stack", stack_losses, true, false);
    candidate(2, "random", stack_losses, true, true);
    candidate(3, "none", none_losses, false, false);
    candidate(N, "none", zero_losses, true, false); /* beyond the set: must not be looked at */
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
    static const char end[] = "). Step 0 would have picked zero_stack, which is number 2 at the lag."
                              " Not growing is at 2.9000 there, 0.8000 above it.";
    assert_string_equal(strstr(row.verdict, ")"), end); /* and of no one else */
}

static void one_batch_has_no_interval(void **state) {
    (void)state;
    static const double first[] = {3.0, 2.9, 2.5}, second[] = {4.0, 3.0, 2.0};
    set.growth.n_batches = 1;
    set.n = 2;
    candidate(0, "zero_stack", first, true, false);
    candidate(1, "stack", second, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_1");
    contains(row.verdict, ", 0.5000 ahead of zero_stack (one batch: no interval). Step 0");
}

static void a_first_pick_without_a_loss_at_the_lag_has_no_number(void **state) {
    (void)state;
    static const double lost[] = {3.0, 3.1, 3.2, 2.8, 2.9, 3.0, NAN, NAN, NAN};
    candidate(0, "zero_stack", lost, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_1");
    assert_string_equal(row.pick_at_0, "cand_0");
    contains(row.verdict, " Step 0 would have picked zero_stack. Not growing");
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
    assert_null(strstr(row.verdict, "Not growing")); /* it is the winner */
    static const double lost[] = {3.0, 3.1, 3.2, 2.8, 2.9, 3.0, INFINITY, 2, 2};
    candidate(3, "none", lost, false, false);
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_null(strstr(row.verdict, "Not growing"));
    candidate(0, "none", zero_losses, false, false); /* wherever it stands, and when it is no worse */
    candidate(1, "stack", zero_losses, true, false);
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    contains(row.verdict, " Not growing is at 2.6000 there, 0.0000 above it.");
}

static void nobody_left(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) curves[i].diverged = true;
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "");
    assert_string_equal(row.pick_at_0, "");
    assert_string_equal(row.pick_at_lag, "");
    assert_string_equal(row.runner_up, "");
    assert_true(isnan(row.margin) && isnan(row.margin_low) && isnan(row.margin_high));
    assert_true(isnan(row.tau) && isnan(row.tau_0));
    assert_int_equal(lag_shared_time(set.curves, set.n, 10), -1);
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
    set_up(state);
    for (int i = 1; i < N; i++) curves[i].diverged = true; /* the first one lives */
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_0");
}

static void not_before_the_lag(void **state) {
    (void)state;
    struct lag_decision_row row = {.margin = 7};
    curves[0].n_evals = 2;
    assert_int_equal(lagd_decide(&set, &row, &err), LAG_ESTATE);
    assert_true(row.margin == 7);
    assert_int_equal(lag_shared_time(set.curves, set.n, 10), 5);
    assert_int_equal(lag_shared_time(set.curves, set.n, 4), 0);
    curves[0].n_evals = 3;
    curves[1].n_evals = 2; /* what holds it back need not be the first */
    assert_int_equal(lag_shared_time(set.curves, set.n, 10), 5);
    assert_int_equal(lagd_decide(&set, &row, &err), LAG_ESTATE);
    curves[1].n_evals = 0;
    assert_int_equal(lag_shared_time(set.curves, set.n, 10), -1);
}

/* A sentence for each candidate that is not grown: far more than a row holds. */
static void cut(const char *winner) {
    static char whole[N_MOST * 80];
    static const char nothing[sizeof((struct lag_decision_row){0}.reason)];
    struct lag_decision_row row;
    candidate(1, winner, stack_losses, true, false);
    for (int i = 2; i < N_MOST; i++) candidate(i, "none", none_losses, false, false);
    set.n = 3;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    lag_copy(whole, sizeof(whole), row.verdict);
    size_t used = strlen(whole);
    for (int i = 3; i < N_MOST; i++) {
        used += (size_t)snprintf(whole + used, sizeof(whole) - used,
                                 " Not growing is at 2.9000 there, 0.8000 above it.");
    }
    assert_true(used > sizeof(row.verdict));
    set.n = N_MOST;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_int_equal(strlen(row.verdict), sizeof(row.verdict) - 1);
    assert_memory_equal(row.verdict, whole, sizeof(row.verdict) - 1);
    assert_memory_equal(row.reason, nothing, sizeof(nothing)); /* what lies behind it */
}

static void long_verdicts_are_cut_not_spilled(void **state) {
    (void)state;
    cut("stack");
    cut("stacks"); /* the end falls elsewhere in a sentence */
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_lag_changes_the_pick),
        TEST(one_batch_has_no_interval),
        TEST(a_first_pick_without_a_loss_at_the_lag_has_no_number),
        TEST(ties_are_said),
        TEST(short_lags_are_said),
        TEST(the_reference_wins_only_when_allowed),
        TEST(nobody_left),
        TEST(one_alone),
        TEST(not_before_the_lag),
        TEST(long_verdicts_are_cut_not_spilled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

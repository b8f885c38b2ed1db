/* The decision record from hand-made losses: picks, margins, ties, dropped candidates, and what the sentence says. */
#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
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
enum { N_TIMES = 5 };
static const int64_t times[N_TIMES] = {0, 5, 8, 9, 10};

/* stack starts worst and wins; zero starts best; none is the reference; random diverged. */
static const double stack_losses[] = {4.0, 4.1, 4.2, 3.0, 3.1, 3.2, 2.00, 2.11, 2.19};
static const double zero_losses[] = {3.0, 3.1, 3.2, 2.8, 2.9, 3.0, 2.50, 2.60, 2.70};
static const double none_losses[] = {3.0, 3.1, 3.2, 3.2, 3.3, 3.4, 2.80, 2.90, 3.00};
static const double tied_losses[] = {3.5, 3.6, 3.7, 2.9, 3.0, 3.1, 2.05, 2.06, 2.25};

enum { N = 4, N_MOST = 60 };
static struct lag_candidate_row candidates[N_MOST + 1];
static struct lag_curve curves[N_MOST + 1];
static struct lagd_curves set;
static struct lag_error err;

/* losses: at 0, at 5, and the same at 8, 9 and 10. */
static void candidate(int index, const char *op, const double *losses, bool eligible, bool diverged) {
    static double all[N_MOST + 1][N_TIMES * N_BATCHES];
    const size_t n = (size_t)set.growth.n_batches;
    for (size_t e = 0; e < N_TIMES; e++) memcpy(all[index] + e * n, losses + LAG_MIN(e, 2) * n, n * sizeof(*losses));
    snprintf(candidates[index].id, sizeof(candidates[index].id), "cand_%d", index);
    lag_copy(candidates[index].op, sizeof(candidates[index].op), op);
    candidates[index].flops = 1e9 * (index + 1);
    candidates[index].names[0] = '\0';
    curves[index] = (struct lag_curve){
        .eligible = eligible, .reference = strcmp(op, "none") == 0, .diverged = diverged, .decays_from = INT64_MAX,
        .n_evals = diverged ? 1 : N_TIMES, .t = times, .losses = all[index]};
}

static int set_up(void **state) {
    (void)state;
    memset(&set, 0, sizeof(set));
    memset(&err, 0, sizeof(err));
    lag_copy(set.growth.id, sizeof(set.growth.id), "gr_1");
    set.growth.probe_steps = 10;
    set.growth.n_batches = N_BATCHES;
    set.delta = 0.005;
    set.p_end = NAN;
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
    assert_string_equal(row.basis, "verified");
    assert_string_equal(row.tied_set, "cand_1");
    assert_string_equal(row.tied_at_0, "");
    assert_true(row.short_by == 0 && row.delta == 0.005 && isnan(row.p_end) && row.p_now > 0.99 && row.p_now <= 1);
    assert_true(fabs(row.gain - 0.8) < 1e-12 && row.gain_low > 0 && row.gain_high > 0.8);
    char end[512];
    snprintf(end, sizeof(end), "). Verified: it is better than every other at 95 %%, and than not growing. How often "
             "such an order holds to the end is not known: fewer than three studies. Growing has paid off within this "
             "lag: not growing is at 2.9000, and over the last 3 evaluations worse by 0.8000 (95 %% interval %.4f to "
             "%.4f). Ranking at step 0 would have picked zero_stack, which is number 2 at the "
             "lag.", row.gain_low, row.gain_high);
    assert_string_equal(strstr(row.verdict, ")"), end); /* and of no one else */
}

/* What studies say of the end, and what was stopped at a rung. */
static void what_is_known_of_the_end_counts(void **state) {
    (void)state;
    struct lag_decision_row row;
    set.p_end = 0.9;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.basis, "verified");
    assert_true(row.p_end == 0.9);
    contains(row.verdict, "than not growing. Of such orders 90 % held to the end in the studies here. Growing");
    set.p_end = 0.89;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.basis, "provisional");
    contains(row.verdict, "but it is not verified. Of such orders 89 % held to the end in the studies here.");
    set.p_end = NAN;
    curves[0].stopped = 1;
    curves[0].n_evals = 2;
    candidates[0].t = 5;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.basis, "provisional"); /* by one evaluation nobody knows who was ahead */
    assert_string_equal(row.runner_up, "");
    assert_true(row.p_now == 0.5);
    contains(row.verdict, "No other candidate is left to compare it with. 1 was stopped before, without being behind "
                          "it at 95 %.");
    contains(row.verdict, "Ranking at step 0 would have picked zero_stack, which was stopped after 5 steps.");
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
    contains(row.verdict, "Over its last 3 evaluations it is 0.5000 ahead of zero_stack (one batch: no interval). "
                          "Tied: 2 ");
    assert_string_equal(row.basis, "tied");
}

static void a_first_pick_without_a_loss_at_the_lag_has_no_number(void **state) {
    (void)state;
    static const double lost[] = {3.0, 3.1, 3.2, 2.8, 2.9, 3.0, NAN, NAN, NAN};
    candidate(0, "zero_stack", lost, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_1");
    assert_string_equal(row.pick_at_0, "cand_0");
    contains(row.verdict, " Ranking at step 0 would have picked zero_stack.");
    assert_string_equal(row.runner_up, "");
}

static void ties_are_said(void **state) {
    (void)state;
    candidate(0, "midas", tied_losses, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_true(row.tied && row.margin_low < 0 && row.margin_high > 0);
    assert_string_equal(row.basis, "tied");
    assert_string_equal(row.tied_set, "cand_0,cand_1");
    assert_string_equal(row.candidate, "cand_1");
    contains(row.verdict, "Tied: 2 candidates cannot be told apart at 95 % (validation batches only, one seed): midas "
                          "and stack.");
    contains(row.verdict, "Ranking at step 0 would have picked midas, which cannot be told apart from it.");
    set.delta = 0.1; /* they lie 0.02 apart: the first of the pool */
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.basis, "nothing_to_decide");
    assert_string_equal(row.candidate, "cand_0");
    assert_string_equal(row.pick_at_lag, "cand_1");
    contains(row.verdict, "Nothing to decide: 2 candidates cannot be told apart, and lie within 0.0200, less than the "
                          "0.1 that matters: midas and stack. midas is the first of them in the pool, and is taken.");
    contains(row.verdict, "Ranking at step 0 would have picked it too.");
    set.curves[0].rewarm_steps = 1000; /* a lag that is short says nothing of later */
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.basis, "nothing_to_decide");
    contains(row.verdict, "Nothing to decide yet: 2 candidates");
}

static void ties_at_step_0_are_said(void **state) {
    (void)state;
    static const double preserving[] = {3.0, 3.1, 3.2, 2.9, 3.0, 3.1, 2.70, 2.80, 2.90};
    candidate(2, "llama_pro", preserving, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.pick_at_0, "cand_0"); /* the first, and it is told that it cannot choose */
    assert_string_equal(row.tied_at_0, "cand_0,cand_2");
    contains(row.verdict, "Ranking at step 0 cannot choose: 2 candidates have the same loss there.");
}

static void two_of_one_operator_are_told_apart(void **state) {
    (void)state;
    struct lag_decision_row row;
    char label[LAGD_LABEL];
    candidate(0, "stack", zero_losses, true, false);
    lag_copy(candidates[0].strategy, sizeof(candidates[0].strategy), "stack optimizer=reset lr=continue seed=0");
    lag_copy(candidates[1].strategy, sizeof(candidates[1].strategy), "stack optimizer=reset lr=restart seed=0");
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    contains(row.verdict, "10 steps stack lr=restart has the lowest");
    contains(row.verdict, "ahead of stack lr=continue (95 %");
    lagd_candidate_label(candidates, N, 3, label);
    assert_string_equal(label, "none");
}

static void short_lags_are_said(void **state) {
    (void)state;
    static const double ahead[] = {3.0, 3.1, 3.2, 2.9, 3.0, 3.1, 1.80, 1.90, 2.00};
    static const int64_t few[] = {0, 5, 10};
    struct lag_decision_row row;
    candidate(3, "none", ahead, false, false);
    curves[0].rewarm_steps = 10;
    curves[1].warmup_steps = 10;
    curves[1].decays_from = 9;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_true(row.lag_short);
    assert_int_equal(row.short_by, LAG_SHORT_NONE_AHEAD | LAG_SHORT_REWARM | LAG_SHORT_WARMUP | LAG_SHORT_DECAY);
    assert_string_equal(row.basis, "provisional");
    contains(row.verdict, "Provisional: the others are behind it at 95 %, but it is not verified.");
    contains(row.verdict, "The lag is short: the first has not been ahead of not growing at the last two evaluations; "
                          "a re-warm of the learning rate, or a freeze of old layers, has hardly ended; a warm-up of "
                          "the learning rate has hardly ended; the schedule's decay began within the probe, and "
                          "changes orders.");
    contains(row.verdict, "Growing has not paid off within this lag: not growing is at 1.9000, better by 0.2000 (");
    for (int i = 0; lagd_short_names[i]; i++) assert_true(i < 6);
    assert_string_equal(lagd_short_names[3], "decay");
    for (int i = 0; i < N; i++) { /* without those at 8 and 9 */
        curves[i].t = few;
        curves[i].n_evals = curves[i].diverged ? 1 : 3;
    }
    curves[0].rewarm_steps = curves[1].warmup_steps = 0;
    curves[1].decays_from = INT64_MAX;
    candidate(3, "none", none_losses, false, false);
    curves[3].t = few;
    curves[3].n_evals = 3;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_int_equal(row.short_by, LAG_SHORT_EVALUATIONS);
    assert_string_equal(lagd_short_names[4], "evaluations");
    contains(row.verdict, "The lag is short: its last half has fewer than three full evaluations, and a curve wobbles");
}

/* Where steps of the grown cost more, equal steps alone decide nothing against not growing. */
static void sizes_are_compared_at_equal_flops(void **state) {
    (void)state;
    struct lag_decision_row row;
    for (int i = 0; i < N; i++) curves[i].step_cost = i == 3 ? 1e6 : 2e6;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_true(row.gain_flops_t == 5 && isfinite(row.gain_flops) && row.gain_flops < row.gain);
    contains(row.verdict, "Growing has paid off at equal steps: ");
    contains(row.verdict, " At equal FLOPs, its step 5, growing is ");
    candidate(3, "none", stack_losses, true, false);
    static const double grown[] = {4.0, 4.1, 4.2, 3.0, 3.1, 3.2, 1.999, 2.109, 2.189};
    candidate(1, "stack", grown, true, false);
    curves[1].step_cost = 2e6;
    curves[3].step_cost = 1e6;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.pick_at_lag, "cand_1");
    assert_string_equal(row.candidate, "cand_3");
    assert_string_equal(row.basis, "provisional");
    contains(row.verdict, "at equal FLOPs it is not ahead of not growing, which may be picked");
    contains(row.verdict, ": not growing is taken.");
}

static void the_reference_wins_only_when_allowed(void **state) {
    (void)state;
    candidate(3, "none", stack_losses, false, false);
    candidate(1, "stack", none_losses, true, false);
    struct lag_decision_row row;
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_0");
    contains(row.verdict, "Growing has not paid off within this lag: not growing is at 2.1000, and over the last 3 "
                          "evaluations better by 0.5000");
    candidate(3, "none", stack_losses, true, false);
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_string_equal(row.candidate, "cand_3");
    assert_null(strstr(row.verdict, "rowing")); /* it is the winner */
    assert_true(isnan(row.gain) && isnan(row.gain_low) && isnan(row.gain_high));
    static const double lost[] = {3.0, 3.1, 3.2, 2.8, 2.9, 3.0, INFINITY, 2, 2};
    candidate(3, "none", lost, false, false);
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    contains(row.verdict, "not growing is at inf");
    candidate(0, "none", zero_losses, false, false); /* wherever it stands, and when it is no worse */
    candidate(1, "stack", zero_losses, true, false);
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    contains(row.verdict, " Whether growing has paid off is open: not growing is at 2.6000, and over the last "
                          "3 evaluations worse by 0.0000 (95 % ");
}

/* At the lag it is worse, over the last evaluations better: the sentence tells which number is which. */
static void the_gain_tells_what_it_is_over(void **state) {
    (void)state;
    static const int64_t more[] = {0, 5, 8, 10};
    static const double stack[] = {4, 4.1, 4.2, 3, 3.1, 3.2, 2.9, 3, 3.1, 1.9, 2, 2.1},
                        none[] = {3, 3.1, 3.2, 2.9, 3, 3.1, 2.6, 2.7, 2.8, 2, 2.1, 2.2};
    struct lag_decision_row row;
    candidate(0, "stack", stack, true, false);
    candidate(1, "none", none, false, false);
    set.n = 2;
    for (int i = 0; i < set.n; i++) {
        curves[i].t = more;
        curves[i].n_evals = 4;
        curves[i].losses = i == 0 ? stack : none;
    }
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_true(fabs(row.gain + 0.1) < 1e-12);
    contains(row.verdict, "not growing is at 2.1000, and over the last 2 evaluations better by 0.1000 (");
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
    contains(row.verdict, "No other candidate is left");
    assert_string_equal(row.basis, "provisional"); /* compared with nobody */
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

/* Five names as long as names may be: more than a row holds. */
static void long_verdicts_are_cut_not_spilled(void **state) {
    (void)state;
    static char whole[4096];
    static const char nothing[sizeof((struct lag_decision_row){0}.reason)];
    struct lag_decision_row row;
    struct lag_verdict verdict;
    bool tied[N_MOST];
    double means[N_MOST];
    int ranks[N_MOST];
    for (int i = 0; i < 5; i++) {
        candidate(i, "stack", tied_losses, true, false);
        memset(candidates[i].names, 'a' + i, 300);
        candidates[i].names[300] = '\0';
    }
    set.n = 5;
    const struct lag_rule rule = {.delta = set.delta, .look = 1, .p_end = NAN};
    assert_int_equal(lag_select(curves, 5, N_BATCHES, 10, &rule, &verdict, tied), 0);
    lag_rank_at(curves, 5, N_BATCHES, 10, means, ranks);
    lagd_verdict_write(&set, &verdict, tied, means, ranks, whole, sizeof(whole));
    assert_true(strlen(whole) > sizeof(row.verdict));
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    assert_int_equal(strlen(row.verdict), sizeof(row.verdict) - 1);
    assert_memory_equal(row.verdict, whole, sizeof(row.verdict) - 1);
    assert_memory_equal(row.reason, nothing, sizeof(nothing)); /* what lies behind it */
}

/* A set as large as a pool can be: every id is told, and a sentence names a few. */
static void a_set_of_all(void **state) {
    (void)state;
    struct lag_decision_row row;
    set.n = N_MOST;
    for (int i = 0; i < N_MOST; i++) {
        candidate(i, "stack", tied_losses, true, false);
        snprintf(candidates[i].names, sizeof(candidates[i].names), "s%d", i);
    }
    assert_int_equal(lagd_decide(&set, &row, &err), 0);
    int n = 1;
    for (const char *p = row.tied_set; (p = strchr(p, ',')) != NULL; p++) n++;
    assert_int_equal(n, N_MOST);
    contains(row.tied_set, ",cand_59");
    contains(row.verdict, "s0, s1, s2, s3 and 56 more. s0 is the first of them");
    assert_string_equal(row.tied_at_0, row.tied_set);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_lag_changes_the_pick),
        TEST(what_is_known_of_the_end_counts),
        TEST(one_batch_has_no_interval),
        TEST(a_first_pick_without_a_loss_at_the_lag_has_no_number),
        TEST(ties_are_said),
        TEST(ties_at_step_0_are_said),
        TEST(two_of_one_operator_are_told_apart),
        TEST(a_set_of_all),
        TEST(short_lags_are_said),
        TEST(the_reference_wins_only_when_allowed),
        TEST(sizes_are_compared_at_equal_flops),
        TEST(the_gain_tells_what_it_is_over),
        TEST(nobody_left),
        TEST(one_alone),
        TEST(not_before_the_lag),
        TEST(long_verdicts_are_cut_not_spilled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

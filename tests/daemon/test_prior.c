/* The prior: cases from rows, the table over them, and what they say of a pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/prior.h>
#include <math.h>
#include <stdio.h>

enum { MOST = 6 };
struct one {
    const char *op, *state;
    double loss;
    bool left_out;
};

static struct lag_prior_growth_row growth(const char *basis, const char *pick, int64_t to, int64_t start) {
    struct lag_prior_growth_row row = {.from = {.n_layer = 2, .n_embd = 8, .n_inner = 32},
                                       .to = {.n_layer = to, .n_embd = 8, .n_inner = 32},
                                       .start_step = start, .max_steps = 100, .mode = "auto"};
    (void)lag_copy(row.basis, sizeof(row.basis), basis);
    (void)lag_copy(row.pick_at_lag, sizeof(row.pick_at_lag), pick);
    return row;
}

/* Ids are operators' names. */
static void add(struct lagd_prior *prior, const struct lag_prior_growth_row *row, const struct one *ones) {
    struct lag_prior_candidate_row rows[MOST] = {0};
    int n = 0;
    for (; n < MOST && ones[n].op; n++) {
        (void)lag_copy(rows[n].id, sizeof(rows[n].id), ones[n].op);
        (void)lag_copy(rows[n].op, sizeof(rows[n].op), ones[n].op);
        (void)lag_copy(rows[n].state, sizeof(rows[n].state), ones[n].state ? ones[n].state : "completed");
        rows[n].eligible = !ones[n].left_out;
        rows[n].loss_at_lag = ones[n].loss;
    }
    assert_int_equal(lagd_prior_add(prior, row, rows, n), 0);
}

static const struct lagd_prior_case *find(const struct lagd_prior *prior, const char *op) {
    for (size_t i = 0; i < prior->n_cases; i++)
        if (strcmp(prior->cases[i].op, op) == 0) return &prior->cases[i];
    return NULL;
}

static void cases_are_counted_honestly(void **state) {
    struct lagd_prior prior = {0};
    const struct one pool[MOST] = {{"stack", NULL, 2.0}, {"midas", NULL, 2.5}, {"lidas", NULL, 2.0},
                                   {"random", "diverged", NAN}, {"none", NULL, 1.0, true}};
    struct lag_prior_growth_row row = growth("verified", "stack", 4, 30);
    add(&prior, &row, pool);
    assert_int_equal(prior.n_cases, 4); /* none may not win */
    assert_null(find(&prior, "none"));
    assert_int_equal(find(&prior, "stack")->rank, 1);
    assert_int_equal(find(&prior, "lidas")->rank, 1); /* equal ones share the lowest */
    assert_int_equal(find(&prior, "midas")->rank, 3);
    assert_int_equal(find(&prior, "random")->rank, 4); /* who was dropped is last */
    assert_true(find(&prior, "stack")->won);
    assert_false(find(&prior, "lidas")->won);
    assert_int_equal(find(&prior, "stack")->factor, 1); /* 2, of (1.5, 2.5] */
    assert_int_equal(find(&prior, "stack")->share, 1);  /* .3, of (.1, .3] */
    assert_true(isnan(find(&prior, "midas")->regret));  /* a lag knows of none */
    lagd_prior_deinit(&prior);

    static const char *const open[] = {"tied", "nothing_to_decide", "provisional", "person"};
    for (size_t i = 0; i < LAG_COUNT(open); i++) {
        row = growth(open[i], "stack", 4, 30);
        add(&prior, &row, pool);
        assert_false(find(&prior, "stack")->won);
        lagd_prior_deinit(&prior);
    }
}

static void finals_come_from_completed_studies(void **state) {
    struct lagd_prior prior = {0};
    const struct one pool[MOST] = {{"stack", NULL, 2.0}, {"midas", NULL, 2.5}, {"random", NULL, 3.0}};
    struct lag_prior_growth_row row = growth("provisional", "stack", 9, 95);
    (void)lag_copy(row.mode, sizeof(row.mode), "study");
    add(&prior, &row, pool); /* of no study */
    (void)lag_copy(row.study_state, sizeof(row.study_state), "running");
    add(&prior, &row, pool);
    assert_int_equal(prior.n_cases, 0);
    (void)lag_copy(row.study_state, sizeof(row.study_state), "completed");
    add(&prior, &row, pool);
    assert_int_equal(prior.n_growths[1], 1);
    assert_true(find(&prior, "stack")->won && find(&prior, "stack")->is_final); /* nothing is tied with it at the end */
    assert_float_equal(find(&prior, "midas")->regret, 0.5, 1e-12);
    assert_float_equal(find(&prior, "midas")->of_spread, 0.5, 1e-12);
    assert_int_equal(find(&prior, "midas")->factor, 2);
    assert_int_equal(find(&prior, "midas")->share, 3);
    row.tied = true;
    lagd_prior_deinit(&prior);
    add(&prior, &row, pool);
    assert_false(find(&prior, "stack")->won);
    lagd_prior_deinit(&prior);
}

static void who_says_nothing_is_left_out(void **state) {
    struct lagd_prior prior = {0};
    const struct one alone[MOST] = {{"stack", NULL, 2.0}, {"none", NULL, 2.5, true}};
    const struct one dropped[MOST] = {{"stack", "diverged", NAN}, {"midas", "diverged", NAN}};
    const struct one unprobed[MOST] = {{"stack", NULL, 2.0}, {"midas", "cancelled", NAN}};
    const struct lag_prior_growth_row row = growth("verified", "stack", 4, 30);
    add(&prior, &row, alone);
    add(&prior, &row, dropped);
    add(&prior, &row, unprobed);
    assert_int_equal(prior.n_cases, 0);
    assert_int_equal(prior.n_growths[0], 0);
    lagd_prior_deinit(&prior);
}

static void the_table_holds_means(void **state) {
    struct lagd_prior prior = {0};
    struct lagd_prior_entry *entries = NULL;
    size_t n = 0;
    const struct one first[MOST] = {{"stack", NULL, 2.0}, {"midas", NULL, 2.5}, {"lidas", NULL, 3.0}};
    const struct one second[MOST] = {{"stack", NULL, 2.0}, {"midas", NULL, 1.5}};
    struct lag_prior_growth_row row = growth("verified", "stack", 4, 30);
    add(&prior, &row, first);
    row = growth("tied", "midas", 4, 20);
    add(&prior, &row, second);
    row = growth("provisional", "midas", 4, 5); /* another share */
    (void)lag_copy(row.study_state, sizeof(row.study_state), "completed");
    add(&prior, &row, second);
    assert_int_equal(lagd_prior_table(&prior, &entries, &n), 0);
    assert_int_equal(n, 5);
    static const char *const ops[] = {"lidas", "midas", "midas", "stack", "stack"};
    static const int shares[] = {1, 0, 1, 0, 1};
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(entries[i].op, ops[i]);
        assert_int_equal(entries[i].share, shares[i]);
    }
    const struct lagd_prior_tally *stack = &entries[4].lags, *midas = &entries[1].finals;
    assert_int_equal(stack->n_cases, 2);
    assert_int_equal(stack->n_wins, 1);
    assert_float_equal(stack->mean_rank, 1.5, 1e-12);
    assert_float_equal(stack->mean_ranked, 2.5, 1e-12);
    assert_float_equal(stack->place, 0.5, 1e-12);
    assert_true(isnan(stack->regret) && isnan(entries[4].finals.place));
    assert_int_equal(midas->n_wins, 1);
    assert_float_equal(midas->regret, 0, 1e-12);
    assert_float_equal(entries[3].finals.regret, 0.5, 1e-12);
    free(entries);
    lagd_prior_deinit(&prior);
}

/* --- what it says of a pool --- */

static void expect(const struct lagd_prior *prior, double factor, double share, int cases, const char *of,
                   const char *like, double stack, double midas) {
    struct lagd_growth_plan *plan = lag_calloc(1, sizeof(*plan));
    static const char *const ops[] = {"stack", "midas", "lidas", "none"};
    plan->n_candidates = 4;
    for (int i = 0; i < 4; i++) {
        (void)lag_copy(plan->candidates[i].op, sizeof(plan->candidates[i].op), ops[i]);
        plan->candidates[i].eligible = i < 3;
    }
    lagd_prior_rate(prior, factor, share, plan);
    assert_int_equal(plan->prior_cases, cases);
    assert_string_equal(plan->prior_of, of);
    assert_string_equal(plan->prior_like, like);
    const double known[] = {stack, midas};
    for (int i = 0; i < 2; i++) {
        if (isnan(known[i])) assert_true(isnan(plan->candidates[i].prior));
        else assert_float_equal(plan->candidates[i].prior, known[i], 1e-12);
    }
    assert_true(isnan(plan->candidates[2].prior) && isnan(plan->candidates[3].prior));
    free(plan);
}

static void finals_before_lags_and_like_before_unlike(void **state) {
    struct lagd_prior prior = {0};
    const struct one pool[MOST] = {{"stack", NULL, 2.0}, {"midas", NULL, 2.5}, {"none", NULL, 1, true}};
    const struct one turned[MOST] = {{"stack", NULL, 3.0}, {"midas", NULL, 2.5}};
    const struct one others[MOST] = {{"fuse", NULL, 3.0}, {"clone", NULL, 2.5}};
    struct lag_prior_growth_row row = growth("tied", "stack", 4, 30);
    for (int i = 0; i < 5; i++) add(&prior, &row, others); /* of these none is asked */
    for (int i = 0; i < 2; i++) add(&prior, &row, pool);
    expect(&prior, 2, .3, 0, "", "", NAN, NAN); /* too few */
    row = growth("tied", "stack", 4, 90);
    add(&prior, &row, turned);
    expect(&prior, 2, .3, 3, "lags", "factor", 1.5 / 4, 2.5 / 4);
    expect(&prior, 9, .3, 3, "lags", "any", 1.5 / 4, 2.5 / 4);
    row = growth("tied", "stack", 4, 30);
    add(&prior, &row, pool);
    expect(&prior, 2, .3, 3, "lags", "both", .5 / 4, 3.5 / 4);
    row = growth("provisional", "midas", 12, 90);
    (void)lag_copy(row.study_state, sizeof(row.study_state), "completed");
    for (int i = 0; i < 3; i++) add(&prior, &row, turned);
    expect(&prior, 2, .3, 3, "finals", "any", 3.5 / 4, .5 / 4); /* what ended so counts before what began so */
    lagd_prior_deinit(&prior);
}

static void a_factor_is_that_of_the_blocks(void **state) {
    struct lag_shape from = {.n_layer = 2, .n_embd = 8, .n_inner = 32}, to = from;
    to.n_layer = 6;
    assert_float_equal(lagd_prior_factor(&from, &to), 3, 1e-12);
    to.n_embd = 16;
    to.n_inner = 64;
    assert_float_equal(lagd_prior_factor(&from, &to), 12, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_are_counted_honestly),
        cmocka_unit_test(finals_come_from_completed_studies),
        cmocka_unit_test(who_says_nothing_is_left_out),
        cmocka_unit_test(the_table_holds_means),
        cmocka_unit_test(finals_before_lags_and_like_before_unlike),
        cmocka_unit_test(a_factor_is_that_of_the_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is said of a study: never more than its seeds and intervals can tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/study_fixture.h"

#include "encode/study_internal.h"

static char *read_out(const struct lagd_study_result *result) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lagd_study_read_out(result, &out);
    assert_false(out.failed);
    return lag_strbuf_take(&out);
}

static char *read_planted(struct study_fixture fixture) {
    struct lagd_study_result *result = study_fixture_create(&fixture);
    char *text = read_out(result);
    lagd_study_result_destroy(result);
    return text;
}

static void says(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("it does not say \"%s\":\n%s", part, text);
}

static void says_not(const char *text, const char *part) {
    if (strstr(text, part)) fail_msg("it says \"%s\":\n%s", part, text);
}

static void several_seeds_tell_the_transition(void **state) {
    (void)state;
    char *text = read_planted((struct study_fixture){.n_seeds = 3});
    says(text, "8 candidates were trained for 4000 steps after the growth, with 3 seeds.");
    says(text, "more than the difference that matters (delta, 0.005)");
    says(text, "Right after the growth random_bottom has the lowest loss");
    says(text, "The order becomes known at about t = ");
    says(text, "the best does in 3 of 3 seeds");
    says_not(text, "one seed");
    says_not(text, "scratch");
    says_not(text, "nan");
    free(text);
}

static void one_seed_tells_no_transition(void **state) {
    (void)state;
    char *text = read_planted((struct study_fixture){.n_seeds = 1});
    says(text, "another seed may tell otherwise");
    says_not(text, "The order becomes known");
    says(text, "whether that is a transition cannot be told from one seed");
    free(text);
}

static void nothing_is_read_into_equal_finals(void **state) {
    (void)state;
    char *text = read_planted((struct study_fixture){.n_seeds = 3, .flat = true});
    says(text, "cannot be told");
    says_not(text, "The order becomes known");
    says_not(text, "it misleads");
    free(text);
}

static void equal_losses_at_step_0_choose_nobody(void **state) {
    (void)state;
    char *text = read_planted((struct study_fixture){.n_seeds = 2, .ties_at_0 = true});
    says(text, "Right after the growth 6 candidates have exactly the same lowest loss, so that it cannot choose");
    free(text);
}

/* The bounds of step 0's regret decide what is said of it. */
static void step_0_is_judged_by_its_interval(void **state) {
    (void)state;
    static const struct { double low, high; const char *part; } cases[] = {
        {0.021, 0.04, "it misleads"}, {0.001, 0.019, "better than chance"}, {0.019, 0.03, "cannot be told"},
        {0.02, 0.02, "cannot be told"}};
    struct lagd_study_result *result = study_fixture_create(&(struct study_fixture){.n_seeds = 2});
    result->report.random = 0.02;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        result->report.points[0].regret.low = cases[i].low;
        result->report.points[0].regret.high = cases[i].high;
        char *text = read_out(result), *line = strstr(text, "Right after");
        line[strcspn(line, "\n")] = 0;
        says(line, cases[i].part);
        free(text);
    }
    lagd_study_result_destroy(result);
}

static void a_lag_suffices_or_none_does(void **state) {
    (void)state;
    struct lagd_study_result *result = study_fixture_create(&(struct study_fixture){.n_seeds = 2});
    result->report.sufficient_steps = 1000;
    result->report.sufficient_share = 0.25;
    char *some = read_out(result);
    says(some, "A lag of 1000 steps, 25.0 % of the horizon, suffices here");
    result->report.sufficient_steps = -1;
    char *none = read_out(result);
    says(none, "No lag shorter than the horizon is known to suffice");
    result->report.sufficient_steps = 0;
    char *at_0 = read_out(result);
    says(at_0, "No lag is needed here");
    free(some);
    free(none);
    free(at_0);
    lagd_study_result_destroy(result);
}

/* Only what was called verified is held to it. */
static void verdicts_are_told_with_what_they_were_worth(void **state) {
    (void)state;
    struct lagd_study_result *result = study_fixture_create(&(struct study_fixture){.n_seeds = 2});
    char *nothing = read_out(result);
    says_not(nothing, "verdicts");
    result->n_said = 2;
    result->said[0] = (struct lagd_study_said){"verified", 12, 11, 0.007};
    result->said[1] = (struct lagd_study_said){"tied", 30, 9, 0.031};
    char *some = read_out(result);
    says(some, "Of 42 verdicts that growths with lags from t = 1 on would have given here, 12 would have been "
               "verified, and the pick of 11 of these ends within delta of the best.");
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lagd_study_write_markdown(result, &out);
    says(out.data, "| tied | 30 | 9 | 0.0310 |");
    lag_strbuf_deinit(&out);
    result->said[0] = result->said[1];
    result->n_said = 1;
    char *none = read_out(result);
    says(none, "given here, 0 would have been verified.");
    free(nothing);
    free(some);
    free(none);
    lagd_study_result_destroy(result);
}

static void scratch_is_told_with_what_growing_is_charged(void **state) {
    (void)state;
    struct study_fixture fixture = {.n_seeds = 3, .scratch = true};
    struct lagd_study_result *result = study_fixture_create(&fixture);
    assert_true(isfinite(result->speedup));
    char *text = read_out(result);
    says(text, "times the FLOPs of growing to reach a loss of");
    says(text, "with all candidates up to t = ");
    result->speedup = NAN;
    char *without = read_out(result);
    says(without, "has not ended yet");
    free(text);
    free(without);
    lagd_study_result_destroy(result);
}

static void without_a_report_it_says_why(void **state) {
    (void)state;
    char *text = read_planted((struct study_fixture){.n_seeds = 0});
    assert_string_equal(text, "There is no result yet: no seed's candidates have all come to the horizon yet.");
    free(text);
}

static void every_line_is_a_sentence(void **state) {
    (void)state;
    for (int n = 0; n < 4; n++) {
        char *text = read_planted((struct study_fixture){.n_seeds = n, .scratch = n > 1});
        assert_null(strstr(text, "\n\n"));
        char *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            assert_int_equal(line[strlen(line) - 1], '.');
        free(text);
    }
}

static void markdown_holds_the_sentences_and_nobodys_markup(void **state) {
    (void)state;
    struct study_fixture fixture = {.n_seeds = 2, .label = "a|b<i>"};
    struct lagd_study_result *result = study_fixture_create(&fixture);
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lagd_study_write_markdown(result, &out);
    assert_false(out.failed);
    says(out.data, "# Study planted\n");
    says(out.data, "- 8 candidates were trained");
    says(out.data, "| a\\|b\\<i\\> |");
    says_not(out.data, "a|b");
    for (int i = 0; lagd_study_figures[i]; i++) says(out.data, lagd_study_figures[i]);
    lag_strbuf_deinit(&out);
    lagd_study_result_destroy(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_seeds_tell_the_transition),
        cmocka_unit_test(one_seed_tells_no_transition),
        cmocka_unit_test(nothing_is_read_into_equal_finals),
        cmocka_unit_test(equal_losses_at_step_0_choose_nobody),
        cmocka_unit_test(step_0_is_judged_by_its_interval),
        cmocka_unit_test(a_lag_suffices_or_none_does),
        cmocka_unit_test(verdicts_are_told_with_what_they_were_worth),
        cmocka_unit_test(scratch_is_told_with_what_growing_is_charged),
        cmocka_unit_test(without_a_report_it_says_why),
        cmocka_unit_test(every_line_is_a_sentence),
        cmocka_unit_test(markdown_holds_the_sentences_and_nobodys_markup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

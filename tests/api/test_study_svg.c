/* Figures of a study: each is there, says the same twice, escapes what people wrote, and draws what is known alone. */
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
#include "encode/svg_internal.h"

static char *draw(const struct lagd_study_result *result, const char *figure) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    assert_true(lagd_study_write_svg(result, figure, &out));
    assert_false(out.failed);
    return lag_strbuf_take(&out);
}

static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *p = strstr(text, part); p; p = strstr(p + 1, part)) n++;
    return n;
}

static void each_figure_is_there_and_the_same_twice(void **state) {
    (void)state;
    struct study_fixture fixture = {.n_seeds = 3, .scratch = true};
    struct lagd_study_result *first = study_fixture_create(&fixture), *second = study_fixture_create(&fixture);
    for (int i = 0; lagd_study_figures[i]; i++) {
        char *a = draw(first, lagd_study_figures[i]), *b = draw(second, lagd_study_figures[i]);
        assert_string_equal(a, b);
        assert_int_equal(count(a, "<svg "), 1);
        assert_true(count(a, "<path") > 20);
        assert_null(strstr(a, "nan"));
        assert_null(strstr(a, "inf"));
        assert_null(strstr(a, "style="));
        assert_null(strstr(a, "<style"));
        free(a);
        free(b);
    }
    char *all = draw(first, NULL);
    assert_int_equal(count(all, "<svg "), 6);
    free(all);
    lagd_study_result_destroy(first);
    lagd_study_result_destroy(second);
}

static void another_name_is_no_figure(void **state) {
    (void)state;
    struct lag_strbuf out = LAG_STRBUF_INIT;
    struct lagd_study_result *result = study_fixture_create(&(struct study_fixture){.n_seeds = 2});
    assert_false(lagd_study_write_svg(result, "losses", &out));
    assert_null(out.data);
    lagd_study_result_destroy(result);
}

static void names_are_text(void **state) {
    (void)state;
    struct study_fixture fixture = {.n_seeds = 2, .label = "<b>&\"x\"\x01"};
    struct lagd_study_result *result = study_fixture_create(&fixture);
    char *svg = draw(result, "curves");
    assert_null(strstr(svg, "<b>"));
    assert_null(strchr(svg, 1));
    assert_non_null(strstr(svg, "&lt;b&gt;&amp;&quot;x&quot; "));
    free(svg);
    lagd_study_result_destroy(result);
}

static void the_scatters_have_a_mark_for_each_candidate_and_seed(void **state) {
    (void)state;
    struct lagd_study_result *result = study_fixture_create(&(struct study_fixture){.n_seeds = 3});
    char *svg = draw(result, "scatter");
    assert_int_equal(count(svg, ", seed "), 2 * 8 * 3);
    assert_int_equal(count(svg, "Spearman"), 2);
    free(svg);
    result->report.finals[0] = NAN; /* it has diverged in the first seed */
    svg = draw(result, "scatter");
    assert_int_equal(count(svg, ", seed "), 2 * (8 * 3 - 1));
    free(svg);
    lagd_study_result_destroy(result);
}

static void what_is_not_known_is_not_drawn(void **state) {
    (void)state;
    struct lagd_study_result *result = study_fixture_create(&(struct study_fixture){.n_seeds = 2});
    result->report.transition.t = -1;
    result->report.sufficient_steps = -1;
    result->report.ceiling_accuracy = NAN;
    char *agreement = draw(result, "agreement"), *regret = draw(result, "regret");
    assert_null(strstr(agreement, "transition"));
    assert_null(strstr(agreement, "ceiling"));
    assert_null(strstr(regret, "suffices"));
    assert_null(strstr(agreement, "nan"));
    free(agreement);
    free(regret);
    lagd_study_result_destroy(result);
}

static void without_a_result_a_figure_says_so(void **state) {
    (void)state;
    struct lagd_study_result *result = study_fixture_create(&(struct study_fixture){.n_seeds = 0});
    for (int i = 0; lagd_study_figures[i]; i++) {
        char *svg = draw(result, lagd_study_figures[i]);
        assert_non_null(strstr(svg, "There is nothing to draw"));
        free(svg);
    }
    lagd_study_result_destroy(result);
}

static void labels_stand_apart(void **state) {
    (void)state;
    struct lagd_svg_label labels[20];
    struct lag_strbuf out = LAG_STRBUF_INIT;
    for (int i = 0; i < 20; i++) labels[i] = (struct lagd_svg_label){.index = i, .y = 100 + i % 3, .text = "x"};
    lagd_svg_labels(&out, labels, 20, 10, 30, 0, 320);
    for (int i = 0; i < 20; i++) {
        if (i > 0) assert_true(labels[i].placed - labels[i - 1].placed >= 14);
        assert_true(labels[i].placed >= 0 && labels[i].placed <= 320);
    }
    lag_strbuf_deinit(&out);
}

static void places_follow_the_axis(void **state) {
    (void)state;
    const struct lagd_svg_plot plot = {.left = 100, .top = 10, .width = 200, .height = 50,
                                       .x = {1, 100, .log = true}, .y = {0, 10}};
    assert_true(fabs(lagd_svg_x(&plot, 1) - 100) < 1e-9);
    assert_true(fabs(lagd_svg_x(&plot, 10) - 200) < 1e-9);
    assert_true(fabs(lagd_svg_x(&plot, 100) - 300) < 1e-9);
    assert_true(isnan(lagd_svg_x(&plot, 0)));
    assert_true(fabs(lagd_svg_y(&plot, 0) - 60) < 1e-9);
    assert_true(fabs(lagd_svg_y(&plot, 10) - 10) < 1e-9);
    struct lagd_svg_axis equal = {.log = false};
    lagd_svg_axis_fit(&equal, 2, 2);
    assert_true(equal.low < 2 && equal.high > 2);
    lagd_svg_axis_fit(&equal, NAN, NAN);
    assert_true(equal.low < equal.high);
}

static void numbers_have_prefixes(void **state) {
    (void)state;
    static const struct { double value; const char *unit, *text; } cases[] = {
        {0, "", "0"}, {1, "", "1"}, {512, "", "512"}, {1000, "", "1 k"}, {1500, "", "1.5 k"}, {999.6, "", "1 k"},
        {1.234e12, "FLOP", "1.23 TFLOP"}, {20e6, "FLOP", "20 MFLOP"}, {0.5, "FLOP", "0.5 FLOP"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[24];
        lagd_svg_si(cases[i].value, cases[i].unit, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_figure_is_there_and_the_same_twice),
        cmocka_unit_test(another_name_is_no_figure),
        cmocka_unit_test(names_are_text),
        cmocka_unit_test(the_scatters_have_a_mark_for_each_candidate_and_seed),
        cmocka_unit_test(what_is_not_known_is_not_drawn),
        cmocka_unit_test(without_a_result_a_figure_says_so),
        cmocka_unit_test(labels_stand_apart),
        cmocka_unit_test(places_follow_the_axis),
        cmocka_unit_test(numbers_have_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base/names.c: values by name, and refusals that list them all. */
#include "check_base.h"

#include <lagd/base/names.h>

static const char *const colours[] = {"red", "green", "blue", NULL};

static void a_name_is_its_index(void **state) {
    (void)state;
    assert_int_equal(lag_names_find(colours, "red"), 0);
    assert_int_equal(lag_names_find(colours, "blue"), 2);
    assert_int_equal(lag_names_find(colours, "gree"), -1);
    assert_int_equal(lag_names_find(colours, ""), -1);
}

static void a_refusal_lists_all_names(void **state) {
    struct lag_error err = {0};
    (void)state;
    assert_int_equal(lag_names_refuse(colours, "/paint/colour", "colour", "mauve", &err), LAG_EINVAL);
    assert_int_equal(err.code, LAG_EINVAL);
    assert_string_equal(err.pointer, "/paint/colour");
    assert_string_equal(err.text, "colour must be one of red, green, blue (got mauve)");
}

/* A list that is longer than the text ends early, within its bounds. */
static void a_long_list_is_cut(void **state) {
    static char name[201];
    const char *const names[] = {name, name, name, NULL};
    struct lag_error err = {0};
    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    assert_int_equal(lag_names_refuse(names, "/x", "x", "y", &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "x must be one of xxx"));
}

static void a_name_is_near_to_what_it_may_mean(void **state) {
    static const struct {
        const char *given, *known;
        int distance;
    } cases[] = {
        {"n_layer", "n_layer", 0}, {"N-Layer", "n_layer", 0}, {"maxruns", "max_runs", 0}, {"layers", "n_layer", 2},
        {"n_layr", "n_layer", 1}, {"n_laeyr", "n_layer", 1}, {"n_emdb", "n_embd", 1}, {"steps", "max_steps", 3},
        {"learning_rate", "rate", 3}, {"lr", "lr", 0}, {"l", "lr", LAG_NAMES_FAR}, {"lx", "lr", LAG_NAMES_FAR},
        {"model", "batch", LAG_NAMES_FAR}, {"", "lr", LAG_NAMES_FAR}, {"lr", "", LAG_NAMES_FAR},
        {"xx", "yyxxyy", LAG_NAMES_FAR},
    };
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        int distance = lag_names_distance(cases[i].given, cases[i].known);
        if (distance != cases[i].distance) fail_msg("%s, %s: %d", cases[i].given, cases[i].known, distance);
    }
    char longest[300];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(lag_names_distance(longest, longest), LAG_NAMES_FAR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_its_index),
        cmocka_unit_test(a_refusal_lists_all_names),
        cmocka_unit_test(a_long_list_is_cut),
        cmocka_unit_test(a_name_is_near_to_what_it_may_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

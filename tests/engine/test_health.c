/* Curves that are well, that went up, and that blew up; and spikes that are none of these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include <lagd/base/check.h>
#include <lagd/engine/health.h>

#define MOST 10
static const struct {
    const char *what;
    double losses[MOST]; /* 0 ends them */
    enum lag_health health;
} cases[] = {
    {"nothing yet", {0}, LAG_HEALTH_UNKNOWN},
    {"one", {5.5}, LAG_HEALTH_GOOD},
    {"falling", {5.5, 3.1, 2.2, 1.9}, LAG_HEALTH_GOOD},
    {"seeds and rounding move it a little", {5.5, 3.1, 2.2, 2.21, 2.19, 2.23}, LAG_HEALTH_GOOD},
    {"a spike, met once", {5.5, 3.1, 2.2, 6.9}, LAG_HEALTH_ABOVE_BEST},
    {"a spike that passed", {5.5, 3.1, 2.2, 6.9, 2.25, 2.1}, LAG_HEALTH_GOOD},
    {"a spike that goes back slowly", {5.5, 3.1, 2.2, 6.9, 2.6}, LAG_HEALTH_ABOVE_BEST},
    {"it blew up", {5.5, 3.1, 2.2, 6.9, 7.4}, LAG_HEALTH_DIVERGED},
    {"and stayed so", {5.5, 3.1, 2.2, 6.9, 7.4, 5.4, 5.4}, LAG_HEALTH_DIVERGED},
    {"and came back", {5.5, 3.1, 2.2, 6.9, 7.4, 2.5, 2.15}, LAG_HEALTH_GOOD},
    {"it learned its texts by heart", {5.5, 2.1, 1.9, 1.95, 2.0, 2.05}, LAG_HEALTH_ABOVE_BEST},
    {"for very long", {5.5, 2.1, 1.9, 2.1, 2.41, 2.45}, LAG_HEALTH_DIVERGED},
    {"a rate that was raised again", {2.0, 1.8, 1.75, 1.92, 1.88, 1.8}, LAG_HEALTH_GOOD},
    {"a growth that begins high", {5.9, 4.0, 2.6, 2.1}, LAG_HEALTH_GOOD},
    {"a growth whose first step is its best, by a little", {2.0, 2.05, 2.06, 2.0}, LAG_HEALTH_GOOD},
    {"not a number, once", {5.5, 3.0, NAN}, LAG_HEALTH_ABOVE_BEST},
    {"not a number, twice", {5.5, 3.0, NAN, INFINITY}, LAG_HEALTH_DIVERGED},
    {"from the beginning", {NAN}, LAG_HEALTH_DIVERGED},
    {"at the edge", {2.0, 2.5, 2.5}, LAG_HEALTH_DIVERGED},
    {"below the edge", {2.0, 2.4375, 2.5}, LAG_HEALTH_ABOVE_BEST},
};

static void test_table(void **state) {
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_losses losses = {0};
        for (int k = 0; k < MOST && cases[i].losses[k] != 0; k++) lag_losses_add(&losses, cases[i].losses[k]);
        enum lag_health health = lag_losses_judge(&losses);
        if (health != cases[i].health)
            fail_msg("%s: %s, not %s", cases[i].what, lag_health_name(health), lag_health_name(cases[i].health));
    }
}

/* Alarms are raised by what lasts, wherever the curve lies. */
static void test_it_is_the_distance_that_counts(void **state) {
    for (int shift = -3; shift <= 9; shift += 3) {
        for (size_t i = 0; i < LAG_COUNT(cases); i++) {
            struct lag_losses losses = {0};
            for (int k = 0; k < MOST && cases[i].losses[k] != 0; k++)
                lag_losses_add(&losses, cases[i].losses[k] + shift);
            assert_int_equal(lag_losses_judge(&losses), cases[i].health);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_it_is_the_distance_that_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

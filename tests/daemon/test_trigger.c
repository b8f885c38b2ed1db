/* When a stage of a growth plan begins, by trajectories made by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/trigger_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>

enum { STEPS = 4000 };
static double losses[STEPS + 1]; /* of steps 1 … */
static struct lagd_trigger trigger;
static char why[LAG_ROW_TEXT];
static struct lag_error err;

static int set_up(void **state) {
    (void)state;
    memset(losses, 0, sizeof(losses));
    lag_fields_defaults(&lagd_trigger_stored_fields, &trigger);
    why[0] = '\0';
    return 0;
}

static void be(const char *kind) { (void)lag_copy(trigger.kind, sizeof(trigger.kind), kind); }

/* As a thread knows it that has kept n losses, or all since the stage began. */
static struct lagd_trajectory at(int64_t since, int64_t step, int64_t n) {
    const int64_t first = LAG_MAX(since, step - n);
    return (struct lagd_trajectory){.since = since, .step = step, .losses = losses + first + 1,
                                    .n_losses = step - first};
}

/* The first step at which it fires; -1: never. What is kept, and where the thread began, make no difference. */
static int64_t first(int64_t since) {
    for (int64_t step = since; step <= STEPS; step++) {
        const struct lagd_trajectory whole = at(since, step, STEPS), kept = at(since, step,
                                                                              lagd_trigger_needs(&trigger));
        const bool fires = lagd_trigger_fires(&trigger, &whole, why);
        assert_int_equal(lagd_trigger_fires(&trigger, &kept, why), fires);
        if (fires) assert_true(lagd_trigger_looks_at(&trigger, since, step));
        if (fires) return step;
    }
    return -1;
}

/* --- steps, tokens, FLOPs --- */

static void what_is_counted(void **state) {
    (void)state;
    struct lagd_trajectory now = {.step = 99, .tokens = 990, .flops = 9.9e9};
    static const char *const kinds[] = {"step", "tokens", "flops"};
    trigger.step = 100;
    trigger.tokens = 991;
    trigger.flops = 1e10;
    for (size_t i = 0; i < LAG_COUNT(kinds); i++) {
        be(kinds[i]);
        assert_false(lagd_trigger_fires(&trigger, &now, why));
    }
    now = (struct lagd_trajectory){.step = 100, .tokens = 1000, .flops = 1e10};
    static const char *const texts[] = {"step 100 was reached", "991 tokens were trained on",
                                        "1e+10 FLOPs were spent on training"};
    for (size_t i = 0; i < LAG_COUNT(kinds); i++) {
        be(kinds[i]);
        assert_true(lagd_trigger_fires(&trigger, &now, why));
        assert_string_equal(why, texts[i]);
    }
    be("");
    assert_false(lagd_trigger_fires(&trigger, &now, why));
}

static void the_earliest_step(void **state) {
    (void)state;
    const struct lagd_trajectory from = {.since = 40, .step = 50, .tokens = 500, .flops = 5e6};
    trigger.step = 60;
    trigger.tokens = 601; /* ten a step */
    trigger.flops = 6.05e6;
    static const struct { const char *kind; int64_t step; } wanted[] = {{"step", 60}, {"tokens", 61}, {"flops", 61}};
    for (size_t i = 0; i < LAG_COUNT(wanted); i++) {
        be(wanted[i].kind);
        assert_int_equal(lagd_trigger_earliest(&trigger, &from, 10, 1e5), wanted[i].step);
    }
    be("slope");
    trigger.slope.window_steps = 160;
    trigger.slope.hold_steps = 35; /* four looks of ten */
    assert_int_equal(lagd_trigger_earliest(&trigger, &from, 10, 1e5), 40 + 200);
    trigger.slope.least_steps = 500;
    assert_int_equal(lagd_trigger_earliest(&trigger, &from, 10, 1e5), 540);
    trigger.slope.most_steps = 7;
    assert_int_equal(lagd_trigger_earliest(&trigger, &from, 10, 1e5), 50); /* not behind the run */
}

/* T_i = T i^alpha / sum of all: what was computed by hand. */
static void lengths(void **state) {
    (void)state;
    static const int64_t linear[] = {0, 100, 300, 600, 1000}, equal[] = {0, 250, 500, 750, 1000};
    static const int64_t squares[] = {0, 33, 167, 467, 1000};
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(lagd_prop_alpha(7, 1000, 1, 4, i), 7 + linear[i - 1]);
        assert_int_equal(lagd_prop_alpha(7, 1000, 0, 4, i), 7 + equal[i - 1]);
        assert_int_equal(lagd_prop_alpha(7, 1000, 2, 4, i), 7 + squares[i - 1]);
    }
}

/* --- slope --- */

static void be_slope(double below) {
    be("slope");
    trigger.slope.below = below;
    trigger.slope.window_steps = 160;
    trigger.slope.hold_steps = 80;
}

static void a_straight_line(void **state) {
    (void)state;
    be_slope(0.5);
    for (int i = 1; i <= STEPS; i++) losses[i] = 5 - 0.0004 * i;
    struct lagd_trajectory now = at(0, 1000, STEPS);
    assert_true(fabs(lagd_trigger_decline(&trigger, &now, 0) - 0.4) < 1e-9);
    assert_true(fabs(lagd_trigger_decline(&trigger, &now, 7) - 0.4) < 1e-9);
    assert_int_equal(first(0), 160 + 80);
    assert_int_equal(first(1001), 1001 + 240); /* what lies before the stage is not looked at */
    assert_non_null(strstr(why, "fell by 0.4 nats in 1000 steps at step 1161, less than 0.5"));
    trigger.slope.below = 0.4 - 1e-6; /* under it by nothing but the hysteresis */
    assert_int_equal(first(0), -1);
    now = at(900, 1000, STEPS);
    assert_true(isnan(lagd_trigger_decline(&trigger, &now, 0))); /* not enough of them */
}

static void it_flattens(void **state) {
    (void)state;
    be_slope(0.5);
    for (int i = 1; i <= STEPS; i++) losses[i] = 3 + 2 * exp(-i / 500.0);
    const int64_t fires = first(0);
    /* 4 exp(-i/500) nats in 1000 steps: below 0.5 from 1040 on, by the middle of the window, and held for 80 */
    assert_true(fires >= 1040 + 80 + 80 - 10 && fires <= 1040 + 80 + 80 + 20);
    trigger.slope.least_steps = 2000;
    assert_int_equal(first(0), 2000);
    trigger.slope.least_steps = 0;
    trigger.slope.most_steps = 303;
    assert_int_equal(first(0), 303);
    assert_non_null(strstr(why, "most_steps"));
}

/* A line that wobbles around the threshold: with no hysteresis it is never held, with it once it was below. */
static void hysteresis(void **state) {
    (void)state;
    be_slope(0.5);
    for (int i = 1; i <= STEPS; i++) losses[i] = 5 - 0.0005 * i + 0.01 * sin(i / 40.0);
    trigger.slope.hold_steps = 160; /* longer than it stays below */
    trigger.slope.hysteresis = 0;
    assert_int_equal(first(0), -1);
    trigger.slope.hysteresis = 1;
    assert_true(first(0) >= 320);
    /* and one that falls fast again is not flat any more */
    for (int i = 1; i <= STEPS; i++) losses[i] = i < 320 ? 5 : 5 - 0.01 * (i - 320);
    trigger.slope.hold_steps = 200;
    assert_int_equal(first(0), -1);
    for (int i = 1; i <= STEPS; i++) losses[i] = i < 700 ? 5 - 0.01 * i : -2;
    assert_true(first(0) >= 700 + 200);
}

static void noise_is_smoothed(void **state) {
    (void)state;
    be_slope(0.5);
    unsigned seed = 7;
    for (int i = 1; i <= STEPS; i++) {
        seed = seed * 1664525u + 1013904223u;
        losses[i] = 5 - 0.002 * i + 0.2 * ((double)(seed >> 8) / (1 << 24) - 0.5);
    }
    assert_int_equal(first(0), -1); /* falls by 2 nats in 1000 steps all the time */
    for (int i = 1; i <= STEPS; i++) losses[i] += 0.002 * i;
    trigger.slope.hysteresis = 3;
    assert_true(first(0) >= 240);
}

static void losses_that_are_no_numbers(void **state) {
    (void)state;
    be_slope(0.5);
    for (int i = 1; i <= STEPS; i++) losses[i] = 5;
    losses[300] = NAN;
    losses[301] = INFINITY;
    assert_int_equal(first(250), 310 + 240); /* once none of them is looked at */
}

static void short_windows(void **state) {
    (void)state;
    be_slope(0.5);
    for (int i = 1; i <= STEPS; i++) losses[i] = 5;
    trigger.slope.window_steps = 4;
    trigger.slope.hold_steps = 1;
    assert_int_equal(first(10), 15);
    trigger.slope.window_steps = 31; /* in pieces of one step */
    trigger.slope.hold_steps = 0;
    assert_int_equal(first(10), 10 + 31 + 15);
}

static void texts_come_back(void **state) {
    (void)state;
    char text[LAG_ROW_TEXT], again[LAG_ROW_TEXT];
    struct lagd_trigger read;
    be_slope(0.1);
    trigger.slope.most_steps = 1000000000;
    assert_int_equal(lagd_trigger_format(&trigger, text, NULL), 0);
    assert_int_equal(lagd_trigger_parse(text, &read, &err), 0);
    assert_int_equal(lagd_trigger_format(&read, again, NULL), 0);
    assert_string_equal(text, again);
    assert_true(read.slope.below == 0.1 && lagd_trigger_kind(&read) == LAGD_TRIGGER_SLOPE);
    assert_int_equal(lagd_trigger_parse("kind=moon\n", &read, &err), LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_counted, set_up), cmocka_unit_test_setup(the_earliest_step, set_up),
        cmocka_unit_test_setup(lengths, set_up), cmocka_unit_test_setup(a_straight_line, set_up),
        cmocka_unit_test_setup(it_flattens, set_up), cmocka_unit_test_setup(hysteresis, set_up),
        cmocka_unit_test_setup(noise_is_smoothed, set_up), cmocka_unit_test_setup(losses_that_are_no_numbers, set_up),
        cmocka_unit_test_setup(short_windows, set_up), cmocka_unit_test_setup(texts_come_back, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

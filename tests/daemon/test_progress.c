/* Patience, signs of life, and the status line. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exec/progress_internal.h"
#include <lagd/base/clock.h>

#define SECOND INT64_C(1000000000)

static void patience_follows_what_was_seen(void **state) {
    (void)state;
    unsetenv("LAGD_PATIENCE_MS");
    assert_int_equal(lagd_patience_ns(0), 600 * SECOND);
    assert_int_equal(lagd_patience_ns(1), 60 * SECOND);
    assert_int_equal(lagd_patience_ns(100 * SECOND), 500 * SECOND);
}

static void silence_is_judged_by_what_is_done(void **state) {
    (void)state;
    struct lagd_progress progress = {0};
    lagd_progress_begin(&progress);
    int64_t now = lag_clock_mono_ns();
    assert_false(lagd_progress_stuck(&progress, now + 599 * SECOND));
    assert_true(lagd_progress_stuck(&progress, now + 601 * SECOND));
    assert_int_equal(lagd_progress_do(&progress, LAGD_DOING_TRAINING), LAGD_DOING_OPENING);
    now = lag_clock_mono_ns();
    assert_false(lagd_progress_stuck(&progress, now + 599 * SECOND)); /* the first step may take its time */
    usleep(1000);
    assert_int_equal(lagd_progress_do(&progress, LAGD_DOING_TRAINING), LAGD_DOING_TRAINING);
    now = lag_clock_mono_ns();
    assert_false(lagd_progress_stuck(&progress, now + 59 * SECOND));
    assert_true(lagd_progress_stuck(&progress, now + 61 * SECOND)); /* now it is known how long steps are */
    static const enum lagd_doing waits[] = {LAGD_DOING_PROBING, LAGD_DOING_QUEUED, LAGD_DOING_AWAITING,
                                            LAGD_DOING_STORAGE};
    for (size_t i = 0; i < 4; i++) {
        (void)lagd_progress_do(&progress, waits[i]);
        assert_false(lagd_progress_stuck(&progress, now + 100000 * SECOND));
    }
    (void)lagd_progress_do(&progress, LAGD_DOING_CHECKPOINTING);
    now = lag_clock_mono_ns();
    assert_false(lagd_progress_stuck(&progress, now + 61 * SECOND)); /* and nothing of checkpoints */
}

static struct lagd_snapshot snapshot(const char *name, enum lagd_doing doing) {
    struct lagd_snapshot made = {
        .doing = doing, .step = 1200, .max_steps = 5000, .loss = 3.2149, .n_candidates = 11, .n_ended = 3};
    (void)snprintf(made.name, sizeof(made.name), "%s", name);
    return made;
}

static uint64_t line(const struct lagd_snapshot *runs, int n, const char *expected) {
    char text[400];
    uint64_t sign;
    lagd_status_line(runs, n, text, sizeof(text), &sign);
    assert_string_equal(text, expected);
    return sign;
}

static void the_line_says_what_is_done(void **state) {
    (void)state;
    struct lagd_snapshot runs[] = {snapshot("ts-6L", LAGD_DOING_TRAINING), snapshot("b", LAGD_DOING_PROBING)};
    uint64_t idle = line(runs, 0, "idle");
    uint64_t one = line(runs, 1, "training ts-6L step 1200/5000 loss 3.21");
    uint64_t two = line(runs, 2, "training ts-6L step 1200/5000 loss 3.21 · probing b 3/11 at step 1200/5000");
    assert_true(idle != one && one != two);
    runs[0].step = 1201;
    runs[0].doing = LAGD_DOING_QUEUED; /* numbers and short waits are no news */
    assert_true(line(runs, 1, "training ts-6L step 1201/5000 loss 3.21") == one);
    runs[0].doing = LAGD_DOING_CHECKPOINTING;
    assert_true(line(runs, 1, "checkpointing ts-6L step 1201/5000") == one);
    runs[1].n_ended = 4;
    assert_true(line(runs + 1, 1, "probing b 4/11 at step 1200/5000") != 0);
    runs[0].loss = NAN;
    runs[0].doing = LAGD_DOING_TRAINING;
    (void)line(runs, 1, "training ts-6L step 1201/5000");
    runs[0].max_steps = 0;
    runs[0].doing = LAGD_DOING_OPENING;
    (void)line(runs, 1, "opening ts-6L");
    runs[1].doing = LAGD_DOING_AWAITING;
    (void)line(runs + 1, 1, "awaiting approval of b step 1200/5000");
    runs[0].doing = LAGD_DOING_VERIFYING;
    (void)line(runs, 1, "reading the dataset of ts-6L");
    runs[1].doing = LAGD_DOING_STORAGE;
    (void)line(runs + 1, 1, "waiting for storage: b step 1200/5000");
}

static void many_runs_are_counted(void **state) {
    (void)state;
    struct lagd_snapshot runs[64];
    char text[400];
    uint64_t sign, before = 0;
    for (int i = 0; i < 64; i++)
        runs[i] = snapshot("a-rather-long-name-of-a-run-of-sixty-three-letters-0123456789-abc", LAGD_DOING_TRAINING);
    for (int n = 1; n <= 64; n++) {
        lagd_status_line(runs, n, text, sizeof(text), &sign);
        assert_true(strlen(text) < sizeof(text) && sign != before);
        before = sign;
    }
    assert_string_equal(strrchr(text, '\xb7') + 1, " 61 more");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience_follows_what_was_seen), cmocka_unit_test(silence_is_judged_by_what_is_done),
        cmocka_unit_test(the_line_says_what_is_done), cmocka_unit_test(many_runs_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which time is believed: numbers in, a time out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/calendar_internal.h"

#define DAY INT64_C(86400000)
#define NOW (20000 * DAY)
#define PATIENCE (30 * DAY)

static struct lagd_calendar calendar;

static int64_t begin(int64_t seen_ms, int64_t doubt_ms, int64_t wall_ms) {
    lagd_calendar_begin(&calendar, seen_ms, doubt_ms, wall_ms, 500, PATIENCE);
    return lagd_calendar_now_ms(&calendar, 500);
}

static void the_first_start_believes_the_clock(void **state) {
    (void)state;
    assert_int_equal(begin(0, 0, NOW), NOW);
    assert_int_equal(calendar.doubt_ms, 0);
    assert_int_equal(lagd_calendar_now_ms(&calendar, 1500), NOW + 1000);
}

static void a_start_after_a_while(void **state) {
    (void)state;
    static const int64_t plausible[] = {-DAY, 0, 1, DAY, 40 * DAY, 90 * DAY};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(begin(NOW, 0, NOW + plausible[i]), NOW + plausible[i]);
        assert_int_equal(calendar.doubt_ms, 0);
        /* a clock that is right again ends a doubt */
        assert_int_equal(begin(NOW, NOW - 3, NOW + plausible[i]), NOW + plausible[i]);
        assert_int_equal(calendar.doubt_ms, 0);
    }
    static const int64_t not[] = {-DAY - 1, -365 * DAY, -NOW, 90 * DAY + 1, 365 * DAY, 4000 * DAY};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(begin(NOW, 0, NOW + not[i]), NOW);
        assert_int_equal(calendar.doubt_ms, NOW);
        assert_int_equal(begin(NOW, NOW - 7, NOW + not[i]), NOW);
        assert_int_equal(calendar.doubt_ms, NOW - 7);
        assert_int_equal(begin(NOW, NOW - PATIENCE, NOW + not[i]), NOW + not[i]);
        assert_int_equal(calendar.doubt_ms, 0);
    }
}

static void a_clock_that_jumps_meanwhile(void **state) {
    (void)state;
    static const int64_t jumps[] = {4000 * DAY, 40 * DAY, DAY + 1, -DAY - 1, -NOW};
    for (int i = 0; i < 5; i++) {
        (void)begin(NOW, 0, NOW);
        assert_true(lagd_calendar_look(&calendar, NOW + jumps[i] + 100, 600, PATIENCE));
        assert_int_equal(lagd_calendar_now_ms(&calendar, 700), NOW + 200);
        assert_int_equal(calendar.doubt_ms, NOW + 100);
        assert_false(lagd_calendar_look(&calendar, NOW + jumps[i] + 200, 700, PATIENCE));
        assert_int_equal(calendar.doubt_ms, NOW + 100);
        assert_true(lagd_calendar_look(&calendar, NOW + 340, 800, PATIENCE)); /* set right, and 40 ms on */
        assert_int_equal(lagd_calendar_now_ms(&calendar, 900), NOW + 440);
        assert_int_equal(calendar.doubt_ms, 0);
    }
    (void)begin(NOW, 0, NOW);
    assert_false(lagd_calendar_look(&calendar, NOW + DAY, 500, PATIENCE)); /* a wrong time zone */
    assert_int_equal(lagd_calendar_now_ms(&calendar, 500), NOW + DAY);
}

static void doubt_ends_when_all_is_old_anyway(void **state) {
    (void)state;
    (void)begin(NOW, 0, NOW + 4000 * DAY);
    assert_false(lagd_calendar_look(&calendar, NOW + 4000 * DAY + PATIENCE - 1, 500 + PATIENCE - 1, PATIENCE));
    assert_int_equal(lagd_calendar_now_ms(&calendar, 500 + PATIENCE - 1), NOW + PATIENCE - 1);
    assert_true(lagd_calendar_look(&calendar, NOW + 4000 * DAY + PATIENCE, 500 + PATIENCE, PATIENCE));
    assert_int_equal(lagd_calendar_now_ms(&calendar, 500 + PATIENCE), NOW + 4000 * DAY + PATIENCE);
    assert_int_equal(calendar.doubt_ms, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_start_believes_the_clock),
        cmocka_unit_test(a_start_after_a_while),
        cmocka_unit_test(a_clock_that_jumps_meanwhile),
        cmocka_unit_test(doubt_ends_when_all_is_old_anyway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

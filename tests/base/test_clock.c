/* Times as text from a table, and clocks that run. */
#include "check_base.h"

#include <lagd/base/clock.h>
#include <time.h>

static void test_rfc3339_table(void **state) {
    static const struct {
        int64_t wall_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-5, "1970-01-01T00:00:00.000Z"},
        {1767323045678, "2026-01-02T03:04:05.678Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {4107542399999, "2100-02-28T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        char text[32];
        memset(text, 'x', sizeof(text));
        lag_clock_rfc3339(rows[i].wall_ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_clocks_run(void **state) {
    int64_t before_ns = lag_clock_mono_ns(), wall_ms = lag_clock_wall_ms();
    struct timespec pause = {.tv_nsec = 3000000};
    while (nanosleep(&pause, &pause) != 0) {}
    assert_true(lag_clock_mono_ns() - before_ns >= 3000000);
    struct timespec now; /* to the second: the same clock in the same unit */
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    assert_true(llabs(lag_clock_mono_ns() / 1000000000 - (int64_t)now.tv_sec) <= 60);
    assert_true(llabs(lag_clock_mono_ns() - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec)) < 1000000000);
    assert_true(wall_ms / 1000 - (int64_t)time(NULL) <= 1);
    assert_true((int64_t)time(NULL) - wall_ms / 1000 <= 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3339_table),
        cmocka_unit_test(test_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

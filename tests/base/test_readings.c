/* What the machine does is plausible, rates are of the time between two looks, and a busy loop is seen. */
#include "check_base.h"

#include <lagd/base/host.h>
#include <lagd/base/readings.h>
#include <math.h>

#define SECOND_NS INT64_C(1000000000)

static void test_the_first_look_has_no_rates(void **state) {
    struct lag_readings_before before = {0};
    struct lag_readings read;
    lag_readings_take(&before, 5 * SECOND_NS, &read);
    assert_true(isnan(read.cpu_share) && isnan(read.cpu_own));
    assert_true(isnan(read.read_bytes_per_s) && isnan(read.written_bytes_per_s));
    assert_int_equal(before.at_ns, 5 * SECOND_NS);
    assert_true(read.memory_own_bytes > 1e5 && read.memory_own_bytes < 1e12);
    assert_true(read.memory_used_bytes >= 0 && read.memory_used_bytes <= (double)lag_host_memory_total_bytes());
    assert_true(isnan(read.temperature_celsius) || (read.temperature_celsius > 0 && read.temperature_celsius < 150));
}

static void test_use_between_looks(void **state) {
    struct lag_readings_before before = {0};
    struct lag_readings read;
    lag_readings_take(&before, SECOND_NS, &read);
    const double begin_s = lag_host_cpu_seconds();
    volatile double sum = 0;
    while (lag_host_cpu_seconds() < begin_s + 0.2)
        for (int i = 0; i < 100000; i++) sum = sum + i;
    const double used_s = lag_host_cpu_seconds() - begin_s;
    lag_readings_take(&before, 3 * SECOND_NS, &read); /* two seconds, whatever the clock says */
    assert_true(read.cpu_own >= used_s / 2 && read.cpu_own < used_s / 2 + 0.1);
    assert_true(isnan(read.cpu_share) || (read.cpu_share > 0 && read.cpu_share <= 1));
    assert_true(isnan(read.written_bytes_per_s) || read.written_bytes_per_s >= 0);
}

/* As after a suspended machine, or a counter of another boot. */
static void test_what_went_back_tells_nothing(void **state) {
    struct lag_readings_before before = {.at_ns = SECOND_NS, .own_s = 1e9, .busy = 1e18, .all = 1e18,
                                         .read_bytes = 1e18, .written_bytes = 1e18};
    struct lag_readings read;
    lag_readings_take(&before, 2 * SECOND_NS, &read);
    assert_true(isnan(read.cpu_own) && isnan(read.cpu_share) && isnan(read.written_bytes_per_s));
    lag_readings_take(&before, 2 * SECOND_NS, &read);
    assert_true(isnan(read.cpu_own)); /* no time has passed */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_look_has_no_rates),
        cmocka_unit_test(test_use_between_looks),
        cmocka_unit_test(test_what_went_back_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

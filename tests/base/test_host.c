/* What the machine says of itself is plausible, and memory in use is seen. */
#include "check_base.h"

#include <lagd/base/host.h>
#include <lagd/base/mem.h>

static void test_numbers_are_plausible(void **state) {
    assert_true(lag_host_cpus() >= 1 && lag_host_cpus() <= 1 << 18);
    uint64_t total_bytes = lag_host_memory_total_bytes();
    assert_true(total_bytes > (uint64_t)64 << 20 && total_bytes < (uint64_t)1 << 50);
    uint64_t available_bytes = lag_host_memory_available_bytes();
    assert_true(available_bytes > 0 && available_bytes <= total_bytes);
    assert_true(strlen(lag_host_cpu_model()) > 0);
    assert_null(strchr(lag_host_cpu_model(), '\n'));
}

static void test_memory_in_use_is_seen(void **state) {
    const size_t bytes = 64 << 20;
    uint64_t before = lag_host_rss_bytes();
    char *block = lag_block_alloc(bytes);
    assert_non_null(block);
    for (size_t i = 0; i < bytes; i += 512) block[i] = (char)i;
    uint64_t during = lag_host_rss_bytes();
    lag_block_free(block, bytes);
    assert_true(during >= before + bytes / 2);
    assert_true(lag_host_peak_rss_bytes() + ((uint64_t)1 << 20) >= during);
}

static void test_cpu_time_grows(void **state) {
    double before = lag_host_cpu_seconds();
    volatile double sum = 0;
    while (lag_host_cpu_seconds() < before + 0.01) {
        for (int i = 0; i < 100000; i++) sum = sum + i;
    }
    assert_true(lag_host_cpu_seconds() > before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_plausible),
        cmocka_unit_test(test_memory_in_use_is_seen),
        cmocka_unit_test(test_cpu_time_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

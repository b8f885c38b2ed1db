/* Calibrations that were made before are found by their studies, and the oldest makes room. */
#include "evidence/calibration_kept_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { KEPT = 4 };

static void they_are_found_by_their_studies(void **state) {
    (void)state;
    static struct lag_calibration made, found;
    char key[32];
    int n = 0;
    assert_false(lagd_calibration_recall("", &found, &n));
    for (int i = 0; i <= KEPT; i++) {
        (void)snprintf(key, sizeof(key), "st_%d st_9 ", i);
        memset(&made, i + 1, sizeof(made));
        lagd_calibration_keep(key, &made, 10 + i);
    }
    for (int i = 0; i <= KEPT; i++) {
        (void)snprintf(key, sizeof(key), "st_%d st_9 ", i);
        assert_int_equal(lagd_calibration_recall(key, &found, &n), i > 0); /* the first made room for the last */
        if (i == 0) continue;
        memset(&made, i + 1, sizeof(made));
        assert_memory_equal(&found, &made, sizeof(made));
        assert_int_equal(n, 10 + i);
    }
    assert_false(lagd_calibration_recall("st_1 ", &found, &n)); /* another set of studies */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(they_are_found_by_their_studies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

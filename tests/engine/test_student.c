/* Student's t against printed tables and closed forms. */
#include "stats/student_internal.h"
#include <lagd/base/check.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void close_to(double a, double b, double limit) {
    if (!(fabs(a - b) <= limit)) fail_msg("%.17g, not %.17g", a, b);
}

/* Two-sided; ν = 1 is tan(π c / 2), ν = 2 is c √(2 / (1 - c²)), both exact. */
static void test_quantiles(void **state) {
    (void)state;
    static const struct { int nu; double confidence, t; } table[] = {
        {1, 0.95, 12.706}, {2, 0.95, 4.303}, {3, 0.95, 3.182}, {4, 0.95, 2.776}, {5, 0.95, 2.571}, {7, 0.95, 2.365},
        {10, 0.95, 2.228}, {15, 0.95, 2.131}, {20, 0.95, 2.086}, {30, 0.95, 2.042}, {120, 0.95, 1.980},
        {3, 0.99, 5.841}, {10, 0.99, 3.169}, {30, 0.90, 1.697}, {9, 0.999, 4.781}, {8, 0.5, 0.706},
    };
    for (size_t i = 0; i < LAG_COUNT(table); i++)
        close_to(lag_student_quantile(table[i].confidence, table[i].nu), table[i].t, 6e-4);
    for (double c = 0.1; c < 0.9999; c += 0.1) {
        close_to(lag_student_quantile(c, 1), tan(M_PI_2 * c), 1e-9);
        close_to(lag_student_quantile(c, 2), c * sqrt(2 / (1 - c * c)), 1e-9);
    }
    close_to(lag_student_quantile(0.95, 1000), 1.9623, 1e-4);
}

/* The one is the inverse of the other; ν = 1 is 1/2 + atan(t) / π, ν = 2 is 1/2 + t / (2 √(2 + t²)). */
static void test_probabilities(void **state) {
    (void)state;
    for (double t = -8; t <= 8; t += 0.25) {
        close_to(lag_student_below(t, 1), 0.5 + atan(t) / M_PI, 1e-14);
        close_to(lag_student_below(t, 2), 0.5 + t / (2 * sqrt(2 + t * t)), 1e-14);
        close_to(lag_student_below(t, 7) + lag_student_below(-t, 7), 1, 1e-14);
    }
    for (int nu = 1; nu < 40; nu += 3)
        for (double c = 0.05; c < 1; c += 0.15)
            close_to(lag_student_below(lag_student_quantile(c, nu), nu), 0.5 + c / 2, 1e-12);
    assert_true(lag_student_below(INFINITY, 3) == 1 && lag_student_below(-INFINITY, 3) == 0);
    assert_true(lag_student_below(0, 5) == 0.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rank correlations and the paired interval, against hand-computed values and brute force. */
#include <lagd/base/check.h>
#include <lagd/engine/lag.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void close_to(double value, double wanted, double tolerance) {
    if (!(fabs(value - wanted) <= tolerance)) fail_msg("%.17g, not %.17g", value, wanted);
}

static void test_kendall_by_hand(void **state) {
    (void)state;
    const double up[] = {1, 2, 3, 4}, down[] = {4, 3, 2, 1}, swap[] = {1, 3, 2, 4}, flat[] = {5, 5, 5, 5};
    assert_true(lag_kendall_tau(up, up, 4) == 1);
    assert_true(lag_kendall_tau(up, down, 4) == -1);
    close_to(lag_kendall_tau(up, swap, 4), 4.0 / 6, 1e-15); /* 5 concordant, 1 discordant of 6 */
    assert_true(isnan(lag_kendall_tau(up, flat, 4)));
    assert_true(isnan(lag_kendall_tau(up, up, 1)));
    assert_true(isnan(lag_kendall_tau(up, up, 0)));
    assert_true(lag_kendall_tau(up, up, 2) == 1);
    const double hole[] = {1, NAN, 3, 4};
    assert_true(isnan(lag_kendall_tau(up, hole, 4)));
    /* ties: a has pair (0,1) tied, b has pair (2,3) tied; 4 concordant pairs; (6-1)(6-1) under the root */
    const double a[] = {1, 1, 2, 3}, b[] = {1, 2, 3, 3};
    close_to(lag_kendall_tau(a, b, 4), 4.0 / 5, 1e-15);
}

static void test_spearman_by_hand(void **state) {
    (void)state;
    const double up[] = {1, 2, 3, 4, 5}, mixed[] = {2, 1, 4, 3, 5}, flat[] = {2, 2, 2, 2, 2}, far[] = {1, 2, 3, 4, 1e9};
    assert_true(lag_spearman(up, far, 5) == 1);
    close_to(lag_spearman(up, mixed, 5), 1 - 6.0 * 4 / (5 * 24), 1e-15); /* 1 - 6 Σd² / n(n²-1) */
    assert_true(isnan(lag_spearman(up, flat, 5)));
    assert_true(isnan(lag_spearman(up, up, 1)));
    /* mean ranks 1.5 1.5 3 against 1 2.5 2.5: Σxy = -0.5·-1 + -0.5·0.5 + 1·0.5 = 0.75, both Σ² = 1.5 */
    const double a[] = {7, 7, 9}, b[] = {1, 2, 2};
    close_to(lag_spearman(a, b, 3), 0.5, 1e-15);
}

/* τ_b from its definition by counts, ρ from sorted ranks. */
static double brute_kendall(const double *a, const double *b, int n) {
    double concordant = 0, discordant = 0, ties_a = 0, ties_b = 0, n0 = n * (n - 1) / 2.0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            double product = (a[i] - a[j]) * (b[i] - b[j]);
            concordant += product > 0;
            discordant += product < 0;
            ties_a += a[i] == a[j];
            ties_b += b[i] == b[j];
        }
    }
    return (concordant - discordant) / sqrt((n0 - ties_a) * (n0 - ties_b));
}
static int compare(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}
static void sorted_ranks(const double *x, int n, double *rank) {
    double sorted[64];
    memcpy(sorted, x, (size_t)n * sizeof(*x));
    qsort(sorted, (size_t)n, sizeof(*sorted), compare);
    for (int i = 0; i < n; i++) {
        double sum = 0, count = 0;
        for (int j = 0; j < n; j++) {
            if (sorted[j] == x[i]) {
                sum += j + 1;
                count++;
            }
        }
        rank[i] = sum / count;
    }
}
static double brute_spearman(const double *a, const double *b, int n) {
    double x[64], y[64], mx = 0, my = 0, xy = 0, xx = 0, yy = 0;
    sorted_ranks(a, n, x);
    sorted_ranks(b, n, y);
    for (int i = 0; i < n; i++) mx += x[i], my += y[i];
    mx /= n, my /= n; /* sums of halves are exact: a constant vector gives 0 / 0 */
    for (int i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
    }
    return xy / sqrt(xx * yy);
}
static void test_against_brute_force(void **state) {
    (void)state;
    srand(11);
    for (int round = 0; round < 3000; round++) {
        double a[20], b[20];
        int n = 2 + rand() % 19, values = 2 + rand() % 20;
        for (int i = 0; i < n; i++) {
            a[i] = rand() % values;
            b[i] = rand() % values;
        }
        double tau = brute_kendall(a, b, n), rho = brute_spearman(a, b, n);
        if (isfinite(tau)) close_to(lag_kendall_tau(a, b, n), tau, 1e-12);
        else assert_true(isnan(lag_kendall_tau(a, b, n)));
        if (isfinite(rho)) close_to(lag_spearman(a, b, n), rho, 1e-12);
        else assert_true(isnan(lag_spearman(a, b, n)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kendall_by_hand),     cmocka_unit_test(test_spearman_by_hand),
        cmocka_unit_test(test_against_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

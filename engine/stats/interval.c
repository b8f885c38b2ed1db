/* Paired intervals with Student's t. */
#include <lagd/engine/lag.h>
#include <math.h>

/* P(|T| ≤ √ν tan θ) for T of ν degrees of freedom: the finite series for whole ν of Abramowitz & Stegun 26.7.3 and
 * 26.7.4 (every term positive, so nothing cancels). */
static double student_two_sided(double theta, int nu) {
    const double s = sin(theta), c = cos(theta);
    double term = nu % 2 ? c : 1, sum = 0;
    for (int j = nu % 2 ? 3 : 2; j <= nu; j += 2) {
        sum += term;
        term *= c * c * (j - 1) / j;
    }
    if (nu % 2) return 2 / M_PI * (theta + s * sum);
    return s * sum;
}

/* The t with P(|T| ≤ t) = confidence: bisection over θ = atan(t / √ν), in which the probability rises steadily. */
static double student_quantile(double confidence, int nu) {
    double low = 0, high = M_PI_2;
    for (int i = 0; i < 100; i++) {
        double middle = low + (high - low) / 2;
        if (student_two_sided(middle, nu) < confidence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return sqrt(nu) * tan(low + (high - low) / 2);
}

struct lag_interval lag_paired_interval(const double *a, const double *b, int n, double confidence) {
    if (n < 1) return (struct lag_interval){NAN, NAN, NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) sum += a[i] - b[i];
    const double mean = sum / n;
    if (n == 1) return (struct lag_interval){mean, -INFINITY, INFINITY};
    for (int i = 0; i < n; i++) squares += (a[i] - b[i] - mean) * (a[i] - b[i] - mean);
    const double half = student_quantile(confidence, n - 1) * sqrt(squares / (n - 1) / n);
    return (struct lag_interval){mean, mean - half, mean + half};
}

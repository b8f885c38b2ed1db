/* Student's t: its probabilities and quantiles. */
#include "stats/student_internal.h"
#include <math.h>

/* P(|T| ≤ √ν tan θ) for T of ν degrees of freedom: the finite series for whole ν of Abramowitz & Stegun 26.7.3 and
 * 26.7.4 (every term positive, so nothing cancels). */
static double two_sided(double theta, int nu) {
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
double lag_student_quantile(double confidence, int nu) {
    double low = 0, high = M_PI_2;
    for (int i = 0; i < 100; i++) {
        double middle = low + (high - low) / 2;
        if (two_sided(middle, nu) < confidence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return sqrt(nu) * tan(low + (high - low) / 2);
}

double lag_student_below(double t, int nu) {
    return 0.5 + copysign(0.5 * two_sided(atan(fabs(t) / sqrt(nu)), nu), t);
}

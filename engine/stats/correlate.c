/* Correlation: Kendall's τ_b, Spearman's ρ and Pearson's r. */
#include "stats/pairs_internal.h"
#include <lagd/engine/lag.h>
#include <math.h>

static bool has_nan(const double *a, const double *b, int n) {
    for (int i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i])) return true;
    }
    return false;
}

/* Exactly: the mean of equal numbers may be off in its last digit. */
static bool is_constant(const double *x, int n) {
    for (int i = 1; i < n; i++)
        if (x[i] != x[0]) return false;
    return true;
}

static int order(double x, double y) { return (x > y) - (x < y); }

void lag_pairs_add(struct lag_pairs *pairs, double a_i, double a_j, double b_i, double b_j) {
    const int in_a = order(a_i, a_j), in_b = order(b_i, b_j);
    pairs->sum += in_a * in_b;
    pairs->untied_a += in_a != 0;
    pairs->untied_b += in_b != 0;
}

/* τ_b = (concordant - discordant) / √((n0 - n1)(n0 - n2)), n0 = n(n-1)/2, n1 and n2 = pairs tied in a and in b (Kendall
 * 1945). */
double lag_pairs_tau(const struct lag_pairs *pairs) {
    if (pairs->untied_a == 0 || pairs->untied_b == 0) return NAN;
    return pairs->sum / sqrt(pairs->untied_a * pairs->untied_b);
}

double lag_kendall_tau(const double *a, const double *b, int n) {
    struct lag_pairs pairs = {0};
    if (n < 2 || has_nan(a, b, n)) return NAN;
    for (int i = 0; i < n; i++) {
        for (int j = i + 1; j < n; j++) lag_pairs_add(&pairs, a[i], a[j], b[i], b[j]);
    }
    return lag_pairs_tau(&pairs);
}

/* Rank of x[i] from 1, ties at their mean rank. */
static double mean_rank(const double *x, int i, int n) {
    int below = 0, equal = 0;
    for (int j = 0; j < n; j++) {
        below += x[j] < x[i];
        equal += x[j] == x[i];
    }
    return below + (equal + 1) / 2.0;
}

double lag_pearson(const double *a, const double *b, int n) {
    const double mean_a = lag_mean(a, n), mean_b = lag_mean(b, n);
    double ab = 0, aa = 0, bb = 0;
    if (n < 2 || has_nan(a, b, n) || is_constant(a, n) || is_constant(b, n)) return NAN;
    for (int i = 0; i < n; i++) {
        ab += (a[i] - mean_a) * (b[i] - mean_b);
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
    }
    return fmin(1, fmax(-1, ab / sqrt(aa * bb)));
}

/* Pearson's correlation of the mean ranks. Their mean is (n+1)/2 whatever the ties. */
double lag_spearman(const double *a, const double *b, int n) {
    double ab = 0, aa = 0, bb = 0, middle = (n + 1) / 2.0;
    if (n < 2 || has_nan(a, b, n)) return NAN;
    for (int i = 0; i < n; i++) {
        double x = mean_rank(a, i, n) - middle, y = mean_rank(b, i, n) - middle;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if (aa == 0 || bb == 0) return NAN;
    return ab / sqrt(aa * bb);
}

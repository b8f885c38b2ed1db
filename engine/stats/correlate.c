/* Rank correlation: Kendall's τ_b and Spearman's ρ. */
#include "stats/pairs_internal.h"
#include <lagd/engine/lag.h>
#include <math.h>

static bool has_nan(const double *a, const double *b, int n) {
    for (int i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i])) return true;
    }
    return false;
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

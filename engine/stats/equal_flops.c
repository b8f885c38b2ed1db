/* Two candidates whose steps cost different amounts, at equal cost. */
#include <lagd/base/check.h>
#include <lagd/engine/verdict.h>
#include <math.h>
#include <stddef.h>

/* Evaluations around t, by their index: the latest up to it, and the first from it on. */
static bool find_around(const struct lag_curve *curve, double t, int *ret_before, int *ret_after) {
    *ret_before = *ret_after = -1;
    for (int i = 0; i < curve->n_evals; i++) {
        if ((double)curve->t[i] <= t) *ret_before = i;
        if ((double)curve->t[i] >= t && *ret_after < 0) *ret_after = i;
    }
    return *ret_before >= 0 && *ret_after >= 0;
}

struct lag_pair lag_compare_costs(const struct lag_curve *dear, const struct lag_curve *cheap, int n_batches,
                                  int64_t lag, double *ret_t) {
    const struct lag_pair unknown = {NAN, NAN, 1};
    const double *whole = lag_losses_at(cheap, n_batches, lag);
    int before, after, n = 0;
    *ret_t = NAN;
    if (!whole || !(cheap->step_cost > 0) || !(dear->step_cost > cheap->step_cost)) return unknown;
    const double t = ((double)lag * cheap->step_cost + cheap->start_cost - dear->start_cost) / dear->step_cost;
    if (!(t >= 0)) return unknown; /* what it learned before costs more than all of the other */
    if (!find_around(dear, t, &before, &after)) return unknown;
    const double *low = dear->losses + (size_t)before * (size_t)n_batches;
    const double *high = dear->losses + (size_t)after * (size_t)n_batches;
    const double span = log1p((double)dear->t[after]) - log1p((double)dear->t[before]);
    const double share = span > 0 ? (log1p(t) - log1p((double)dear->t[before])) / span : 0;
    double sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++) {
        const double mean = pass ? sum / n : 0;
        for (int j = 0; j < n_batches; j++) {
            const double difference = whole[j] - (low[j] + (high[j] - low[j]) * share);
            if (isnan(difference)) continue;
            if (pass) squares += (difference - mean) * (difference - mean);
            else sum += difference, n++;
        }
        if (n == 0) return unknown;
    }
    *ret_t = t;
    return (struct lag_pair){sum / n, n > 1 ? sqrt(squares / (n - 1) / n) : INFINITY, LAG_MAX(1, n - 1)};
}

/* What one pick has lost at the end, by the batches of the finals. */
#include "stats/student_internal.h"
#include <lagd/engine/verdict.h>
#include <math.h>
#include <stddef.h>

void lag_regret_bounds(const struct lag_curve *pick, const struct lag_curve *const *others, int n_others, int n_batches,
                       int64_t t, double *ret_low, double *ret_high) {
    const struct lag_tail tail = {1, {t}};
    double one = 0, all = 0; /* Student's t of the last df */
    int df = 0;
    *ret_low = *ret_high = 0;
    for (int j = 0; j < n_others; j++) {
        const struct lag_pair pair = lag_compare(pick, others[j], n_batches, &tail);
        if (pair.df != df) {
            df = pair.df;
            one = lag_student_quantile(LAG_CONFIDENCE, df);
            all = lag_student_quantile(1 - (1 - LAG_CONFIDENCE) / n_others, df);
        }
        *ret_high = fmax(*ret_high, pair.mean + one * pair.se);
        *ret_low = fmax(*ret_low, pair.mean - all * pair.se);
    }
}

static double final_of(const struct lag_curve *curve, int n_batches, int64_t t) {
    const double *losses = curve->diverged ? NULL : lag_losses_at(curve, n_batches, t);
    return losses ? lag_loss_mean(losses, n_batches) : NAN;
}

void lag_regret_of(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, int pick,
                   struct lag_regret *ret) {
    const struct lag_curve *others[LAG_REGRET_CURVES];
    const double mine = final_of(&curves[pick], n_batches, t);
    double best = mine, worst = mine;
    int n = 0;
    *ret = (struct lag_regret){.best = pick, .regret = NAN, .low = NAN, .high = NAN, .of_spread = NAN};
    for (int i = 0; i < n_curves && n < LAG_REGRET_CURVES; i++) {
        const double loss = final_of(&curves[i], n_batches, t);
        if (i == pick || !curves[i].eligible || isnan(loss)) continue;
        others[n++] = &curves[i];
        if (isnan(best) || loss < best) {
            best = loss;
            ret->best = i;
        }
        worst = fmax(worst, loss);
    }
    if (isnan(best)) ret->best = -1;
    if (isnan(mine)) return;
    ret->regret = mine - best;
    if (worst > best) ret->of_spread = ret->regret / (worst - best);
    if (n > 0) lag_regret_bounds(&curves[pick], others, n, n_batches, t, &ret->low, &ret->high);
}

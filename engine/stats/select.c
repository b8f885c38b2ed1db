/* The verdict of a probe. */
#include "stats/pairs_internal.h"
#include <lagd/base/error.h>
#include <lagd/engine/lag.h>
#include <math.h>
#include <stddef.h>

/* Mean over the batches; NaN when diverged or not evaluated. */
static double mean_at(const struct lag_curve *curve, int n_batches, int64_t t) {
    const double *losses = curve->diverged || n_batches < 1 ? NULL : lag_losses_at(curve, n_batches, t);
    return losses ? lag_mean(losses, n_batches) : NAN;
}

/* May this candidate be ranked at t, and with what mean? Infinite means are ranked last, NaN is not ranked. */
static bool rankable(const struct lag_curve *curve, int n_batches, int64_t t, double *ret_mean) {
    *ret_mean = mean_at(curve, n_batches, t);
    return curve->eligible && !isnan(*ret_mean);
}

void lag_rank_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, double *ret_mean,
                 int *ret_rank) {
    for (int i = 0; i < n_curves; i++) {
        double other;
        bool ranked = rankable(&curves[i], n_batches, t, &ret_mean[i]);
        ret_rank[i] = ranked;
        for (int j = 0; ranked && j < n_curves; j++) {
            if (j == i || !rankable(&curves[j], n_batches, t, &other)) continue;
            if (other < ret_mean[i] || (other == ret_mean[i] && j < i)) ret_rank[i]++;
        }
    }
}

/* The candidate with the lowest mean at t other than skip; -1 when there is none. */
static int pick_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, int skip) {
    int best = -1;
    double lowest = NAN, mean;
    for (int i = 0; i < n_curves; i++) {
        if (i == skip || !rankable(&curves[i], n_batches, t, &mean)) continue;
        if (best < 0 || mean < lowest) {
            best = i;
            lowest = mean;
        }
    }
    return best;
}

double lag_tau_between(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t_a, int64_t t_b) {
    struct lag_pairs pairs = {0};
    double ai, aj, bi, bj;
    for (int i = 0; i < n_curves; i++) {
        if (!rankable(&curves[i], n_batches, t_a, &ai) || !rankable(&curves[i], n_batches, t_b, &bi)) continue;
        for (int j = i + 1; j < n_curves; j++) {
            if (!rankable(&curves[j], n_batches, t_a, &aj) || !rankable(&curves[j], n_batches, t_b, &bj)) continue;
            lag_pairs_add(&pairs, ai, aj, bi, bj);
        }
    }
    return lag_pairs_tau(&pairs);
}

static bool is_short(const struct lag_curve *curves, int n_curves, int n_batches, int64_t lag, double parent_loss,
                     int winner) {
    for (int i = 0; i < n_curves; i++) {
        if (curves[i].eligible && !curves[i].diverged && curves[i].rewarm_steps > 0 && lag <= curves[i].rewarm_steps) {
            return true;
        }
    }
    return winner >= 0 && mean_at(&curves[winner], n_batches, lag) > parent_loss; /* false for NaN: unknown */
}

static bool all_diverged(const struct lag_curve *curves, int n_curves) {
    for (int i = 0; i < n_curves; i++)
        if (!curves[i].diverged) return false;
    return true;
}

int lag_select(const struct lag_curve *curves, int n_curves, int n_batches, int64_t lag, double parent_loss,
               struct lag_verdict *ret) {
    if ((lag < 0 || lag_shared_time(curves, n_curves, lag) != lag) && !all_diverged(curves, n_curves))
        return LAG_EINVAL;
    struct lag_verdict verdict = {.runner_up = -1, .margin = NAN, .margin_low = NAN, .margin_high = NAN};
    verdict.pick_at_0 = pick_at(curves, n_curves, n_batches, 0, -1);
    verdict.pick_at_lag = pick_at(curves, n_curves, n_batches, lag, -1);
    if (verdict.pick_at_lag >= 0) {
        verdict.runner_up = pick_at(curves, n_curves, n_batches, lag, verdict.pick_at_lag);
    }
    if (verdict.runner_up >= 0) {
        const struct lag_interval margin =
            lag_paired_interval(lag_losses_at(&curves[verdict.runner_up], n_batches, lag),
                                lag_losses_at(&curves[verdict.pick_at_lag], n_batches, lag), n_batches,
                                LAG_CONFIDENCE);
        verdict.margin = margin.mean;
        verdict.margin_low = margin.low;
        verdict.margin_high = margin.high;
        verdict.tied = margin.low <= 0 && margin.high >= 0;
    }
    verdict.tau_half = lag_tau_between(curves, n_curves, n_batches, lag_half_time(curves, n_curves, lag), lag);
    verdict.tau_0 = lag_tau_between(curves, n_curves, n_batches, 0, lag);
    verdict.lag_short = is_short(curves, n_curves, n_batches, lag, parent_loss, verdict.pick_at_lag);
    *ret = verdict;
    return 0;
}

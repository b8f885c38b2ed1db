/* The chance that a leader's order holds to the end, from what a probe has seen of it. */
#include <lagd/base/check.h>
#include <lagd/engine/calibration.h>
#include <math.h>

static bool is_ranked(const struct lag_curve *curve) {
    return curve->eligible && !curve->reference && !curve->diverged && curve->stopped == 0;
}

/* As in a study: until the longest re-warm or warm-up is over, and once the first decay has begun. */
static enum lag_phase phase_at(const struct lag_curve *curves, int n_curves, int64_t t) {
    int64_t warm_until = 0, decays_from = INT64_MAX;
    for (int i = 0; i < n_curves; i++) {
        if (!is_ranked(&curves[i])) continue;
        warm_until = LAG_MAX(warm_until, LAG_MAX(curves[i].rewarm_steps, curves[i].warmup_steps));
        decays_from = LAG_MIN(decays_from, curves[i].decays_from);
    }
    if (t > decays_from) return LAG_PHASE_DECAY;
    return t > warm_until ? LAG_PHASE_CONSTANT : LAG_PHASE_WARM;
}

static double mean_at(const struct lag_curve *curve, int n_batches, int64_t t) {
    const double *losses = lag_losses_at(curve, n_batches, t);
    return losses ? lag_loss_mean(losses, n_batches) : NAN;
}

/* Below `none` at t and at the evaluation before. */
static bool is_beyond_none(const struct lag_probe_view *view, int leader) {
    int64_t times[2];
    const int n = lag_shared_times(view->curves, view->n_curves, view->t, times, 2);
    for (int j = 0; j < view->n_curves; j++) {
        const struct lag_curve *none = &view->curves[j];
        if (!none->reference || none->diverged) continue;
        for (int i = 0; i < n; i++)
            if (!(mean_at(&view->curves[leader], view->n_batches, times[i]) <
                  mean_at(none, view->n_batches, times[i]))) return false;
        return n > 0;
    }
    return false;
}

static double chance_of(const struct lag_calibration *calibration, const struct lag_probe_view *view,
                        const struct lag_tail *tail, int leader, int other) {
    const struct lag_pair pair =
        lag_compare(&view->curves[other], &view->curves[leader], view->n_batches, tail);
    if (isnan(pair.mean) || pair.mean == 0) return NAN;
    const bool is_ahead = pair.mean > 0; /* over the tail; else the order is the other way round there */
    const bool *preserving = view->preserving;
    const struct lag_order order = {.z = fabs(pair.mean) / pair.se,
                                    .share = (double)view->t / (double)view->horizon,
                                    .phase = phase_at(view->curves, view->n_curves, view->t),
                                    .beyond_none = is_beyond_none(view, is_ahead ? leader : other),
                                    .kinds_differ = preserving && preserving[leader] != preserving[other]};
    const double p = lag_p_end(calibration, &order).p;
    return is_ahead ? p : 1 - p;
}

void lag_p_end_of_leader(const struct lag_calibration *calibration, const struct lag_probe_view *view, int leader,
                         double *ret_p_end) {
    struct lag_tail tail;
    lag_tail_at(view->curves, view->n_curves, view->n_batches, view->t, &tail);
    for (int i = 0; i < view->n_curves; i++) {
        const bool is_asked = leader >= 0 && i != leader && is_ranked(&view->curves[i]) &&
                              is_ranked(&view->curves[leader]) && view->horizon > 0;
        ret_p_end[i] = is_asked ? chance_of(calibration, view, &tail, leader, i) : NAN;
    }
}

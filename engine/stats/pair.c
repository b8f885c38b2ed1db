/* Two candidates compared over the tail of a probe. */
#include "stats/student_internal.h"
#include <lagd/base/check.h>
#include <lagd/engine/verdict.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>

/* --- the tail ---------------------------------------------------------------------------------------------------- */

/* An evaluation at t has seen the updates 0 … t - 1: it lies behind what ends, or begins, at t. */
static int phase_of(const struct lag_curve *curve, int64_t t) {
    const bool settled = t > curve->rewarm_steps && t > curve->warmup_steps;
    return settled + (t > curve->decays_from);
}

static bool in_one_phase(const struct lag_curve *curves, int n_curves, int64_t a, int64_t b) {
    for (int i = 0; i < n_curves; i++) {
        if (curves[i].diverged || curves[i].stopped > 0 || !curves[i].eligible) continue;
        if (phase_of(&curves[i], a) != phase_of(&curves[i], b)) return false;
    }
    return true;
}

/* How many batches the living ones were evaluated on at a shared t: the plan gives all the same. */
static int batches_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t) {
    int least = n_batches;
    for (int i = 0; i < n_curves; i++) {
        const bool counts = !curves[i].diverged && curves[i].stopped == 0;
        const double *losses = counts ? lag_losses_at(&curves[i], n_batches, t) : NULL;
        if (losses) least = LAG_MIN(least, lag_loss_count(losses, n_batches));
    }
    return least;
}

void lag_tail_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, struct lag_tail *ret) {
    int64_t times[LAG_TAIL_MAX];
    ret->n = 0;
    const int n = lag_shared_times(curves, n_curves, t, times, LAG_TAIL_MAX);
    if (n == 0 || times[n - 1] != t) return;
    const int wanted = batches_at(curves, n_curves, n_batches, t);
    for (int i = 0; i < n; i++) {
        const bool is_late = times[i] == t || times[i] > t / 2;
        if (is_late && in_one_phase(curves, n_curves, times[i], t) &&
            batches_at(curves, n_curves, n_batches, times[i]) == wanted) ret->t[ret->n++] = times[i];
    }
}

/* --- the pair ---------------------------------------------------------------------------------------------------- */

struct difference {
    double by_time[LAG_TAIL_MAX]; /* means over the batches */
    double mean, batch_variance;  /* of the means over time: their mean, and S_b² / B */
    int n_batches;                /* B */
};

/* false: an evaluation is missing. */
static bool rows_of(const struct lag_curve *curve, int n_batches, const struct lag_tail *tail, const double **ret) {
    for (int k = 0; k < tail->n; k++) {
        ret[k] = lag_losses_at(curve, n_batches, tail->t[k]);
        if (!ret[k]) return false;
    }
    return tail->n > 0;
}

/* A batch counts when each evaluation of both has it. Two passes, so that the variance loses no digits. */
static bool batch_mean(const double *const *a, const double *const *b, int n_times, int batch, double *ret) {
    double sum = 0;
    for (int k = 0; k < n_times; k++) sum += a[k][batch] - b[k][batch];
    *ret = sum / n_times;
    return !isnan(sum);
}

static bool find_difference(const double *const *a, const double *const *b, int n_batches, int n_times,
                            struct difference *ret) {
    double sum = 0, squares = 0, mean;
    int n = 0;
    for (int j = 0; j < n_batches; j++) {
        if (!batch_mean(a, b, n_times, j, &mean)) continue;
        sum += mean;
        n++;
    }
    if (n == 0) return false;
    ret->n_batches = n;
    ret->mean = sum / n;
    for (int k = 0; k < n_times; k++) ret->by_time[k] = 0;
    for (int j = 0; j < n_batches; j++) {
        if (!batch_mean(a, b, n_times, j, &mean)) continue;
        squares += (mean - ret->mean) * (mean - ret->mean);
        for (int k = 0; k < n_times; k++) ret->by_time[k] += (a[k][j] - b[k][j]) / n;
    }
    ret->batch_variance = n > 1 ? squares / (n - 1) / n : INFINITY;
    return true;
}

/* What is left of values[n] when their mean and, from three on, their linear trend over t are removed. Returns the
 * degrees of freedom that are left. */
static int remove_trend(const int64_t *t, int n, double *values) {
    double mean_t = 0, mean = 0, tt = 0, ty = 0;
    for (int k = 0; k < n; k++) {
        mean_t += (double)t[k] / n;
        mean += values[k] / n;
    }
    for (int k = 0; k < n; k++) {
        const double x = (double)t[k] - mean_t;
        tt += x * x;
        ty += x * (values[k] - mean);
    }
    const double slope = n > 2 ? ty / tt : 0;
    for (int k = 0; k < n; k++) values[k] -= mean + slope * ((double)t[k] - mean_t);
    return n > 2 ? n - 2 : n - 1;
}

/* (1 + 2 ρ₁) S_u² / m; changes by_time. */
static double time_variance(struct difference *difference, const struct lag_tail *tail, int *ret_df) {
    double *rest = difference->by_time, squares = 0, products = 0;
    const int n = tail->n;
    *ret_df = remove_trend(tail->t, n, rest);
    for (int k = 0; k < n; k++) squares += rest[k] * rest[k];
    for (int k = 1; k < n; k++) products += rest[k] * rest[k - 1];
    const double correlation = squares > 0 ? fmax(0, products / squares) : 0;
    return (1 + 2 * correlation) * squares / *ret_df / n;
}

/* Welch and Satterthwaite, rounded down: never more certain than it is. */
static int degrees(double batch, int batch_df, double time, int time_df) {
    const double sum = batch + time;
    if (!(time > 0) || !isfinite(sum)) return LAG_MAX(1, batch_df);
    const double df = sum * sum / (batch * batch / batch_df + time * time / time_df);
    return LAG_MAX(1, (int)fmin(df * (1 + 1e-12), INT_MAX));
}

struct lag_pair lag_compare(const struct lag_curve *a, const struct lag_curve *b, int n_batches,
                            const struct lag_tail *tail) {
    const double *rows_a[LAG_TAIL_MAX], *rows_b[LAG_TAIL_MAX];
    struct difference difference;
    const struct lag_pair unknown = {NAN, NAN, 1};
    if (!rows_of(a, n_batches, tail, rows_a) || !rows_of(b, n_batches, tail, rows_b)) return unknown;
    if (!find_difference(rows_a, rows_b, n_batches, tail->n, &difference)) return unknown;
    struct lag_pair pair = {difference.mean, sqrt(difference.batch_variance), LAG_MAX(1, difference.n_batches - 1)};
    if (tail->n < 2 || !isfinite(pair.se)) return pair;
    int time_df = 1;
    const double time = time_variance(&difference, tail, &time_df);
    pair.se = sqrt(difference.batch_variance + time);
    pair.df = degrees(difference.batch_variance, difference.n_batches - 1, time, time_df);
    return pair;
}

struct lag_interval lag_pair_interval(const struct lag_pair *pair, double confidence) {
    const double half = pair->se > 0 ? lag_student_quantile(confidence, pair->df) * pair->se : pair->se;
    return (struct lag_interval){pair->mean, pair->mean - half, pair->mean + half};
}

double lag_pair_chance(const struct lag_pair *pair) {
    if (isnan(pair->mean)) return NAN;
    if (pair->mean == 0) return 0.5;
    if (!(pair->se > 0)) return pair->mean > 0 ? 1 : 0;
    return lag_student_below(pair->mean / pair->se, pair->df);
}

bool lag_pair_beats(const struct lag_pair *pair, double alpha) {
    return pair->mean > 0 && lag_pair_chance(pair) > 1 - alpha;
}

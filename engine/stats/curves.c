/* Reading loss curves: at one time, and which times they share. */
#include <lagd/engine/lag.h>

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

double lag_mean(const double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    return n < 1 ? NAN : sum / n;
}

int lag_loss_count(const double *losses, int n_batches) {
    int n = 0;
    for (int i = 0; i < n_batches; i++) n += !isnan(losses[i]);
    return n;
}

double lag_loss_mean(const double *losses, int n_batches) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < n_batches; i++) {
        if (isnan(losses[i])) continue;
        sum += losses[i];
        n++;
    }
    return n < 1 ? NAN : sum / n;
}

double lag_small_mean(const double *losses, int n_batches, int stride) {
    double sum = 0;
    for (int i = 0; i < n_batches; i += stride) sum += losses[i];
    return n_batches < 1 ? NAN : sum / (n_batches / stride);
}

/* Index of t in the curve, -1 when not evaluated. */
static int find_time(const struct lag_curve *curve, int64_t t) {
    int low = 0, high = curve->n_evals - 1;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (curve->t[middle] < t) low = middle + 1;
        else high = middle;
    }
    return low == high && curve->t[low] == t ? low : -1;
}

const double *lag_losses_at(const struct lag_curve *curve, int n_batches, int64_t t) {
    const int i = find_time(curve, t);
    return i < 0 ? NULL : curve->losses + (int64_t)i * n_batches;
}

static bool is_on_its_way(const struct lag_curve *curve) { return !curve->diverged && curve->stopped == 0; }

static bool all_have(const struct lag_curve *curves, int n_curves, int64_t t) {
    for (int i = 0; i < n_curves; i++)
        if (is_on_its_way(&curves[i]) && find_time(&curves[i], t) < 0) return false;
    return true;
}

int64_t lag_shared_time(const struct lag_curve *curves, int n_curves, int64_t limit) {
    const struct lag_curve *first = NULL;
    for (int i = 0; i < n_curves && !first; i++)
        if (is_on_its_way(&curves[i])) first = &curves[i];
    int64_t best = -1;
    for (int e = 0; first && e < first->n_evals; e++) {
        const int64_t t = first->t[e];
        if (t <= limit && t > best && all_have(curves, n_curves, t)) best = t;
    }
    return best;
}

int lag_shared_times(const struct lag_curve *curves, int n_curves, int64_t limit, int64_t *ret, int size) {
    int n = 0;
    for (int64_t t; n < size && (t = lag_shared_time(curves, n_curves, limit)) >= 0; limit = t - 1) ret[n++] = t;
    for (int i = 0, j = n - 1; i < j; i++, j--) {
        const int64_t swap = ret[i];
        ret[i] = ret[j];
        ret[j] = swap;
    }
    return n;
}

int64_t lag_half_time(const struct lag_curve *curves, int n_curves, int64_t lag) {
    const int64_t t = lag_shared_time(curves, n_curves, lag / 2);
    return t < 0 ? 0 : t;
}

static int ascending(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int lag_evaluated_times(const struct lag_curve *curves, int n_curves, int64_t *ret) {
    size_t n = 0;
    int used = 0;
    for (int i = 0; i < n_curves; i++)
        for (int e = 0; e < curves[i].n_evals; e++) ret[n++] = curves[i].t[e];
    qsort(ret, n, sizeof(*ret), ascending);
    for (size_t i = 0; i < n; i++)
        if (used == 0 || ret[i] != ret[used - 1]) ret[used++] = ret[i];
    return used;
}

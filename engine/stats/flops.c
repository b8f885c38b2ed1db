/* Loss against FLOPs. */
#include <lagd/engine/study.h>
#include <math.h>

void lag_charge_flops(const int64_t *t, int n, double charged, double step_flops, double *ret) {
    for (int i = 0; i < n; i++) ret[i] = charged + (double)t[i] * step_flops;
}

double lag_loss_at_flops(const struct lag_flops_curve *curve, double flops) {
    for (int i = 0; i < curve->n; i++) {
        if (curve->flops[i] == flops) return curve->loss[i];
        if (i == 0 || !(curve->flops[i - 1] < flops && flops < curve->flops[i])) continue;
        const double way = log(flops / curve->flops[i - 1]) / log(curve->flops[i] / curve->flops[i - 1]);
        return curve->loss[i - 1] + way * (curve->loss[i] - curve->loss[i - 1]);
    }
    return NAN;
}

double lag_flops_at_loss(const struct lag_flops_curve *curve, double loss) {
    for (int i = 0; i < curve->n; i++) {
        if (!(curve->loss[i] <= loss)) continue;
        if (i == 0 || curve->loss[i] == loss) return curve->flops[i];
        const double way = (curve->loss[i - 1] - loss) / (curve->loss[i - 1] - curve->loss[i]);
        return curve->flops[i - 1] * pow(curve->flops[i] / curve->flops[i - 1], way);
    }
    return NAN;
}

static double lowest(const struct lag_flops_curve *curve) {
    double low = NAN;
    for (int i = 0; i < curve->n; i++) low = fmin(low, curve->loss[i]);
    return low;
}

double lag_speed_up(const struct lag_flops_curve *curve, const struct lag_flops_curve *scratch, double *ret_loss) {
    if (curve->n < 1 || scratch->n < 1) return NAN;
    *ret_loss = fmax(lowest(curve), lowest(scratch));
    return lag_flops_at_loss(scratch, *ret_loss) / lag_flops_at_loss(curve, *ret_loss);
}

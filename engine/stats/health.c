/* How a run's validation losses stand. */
#include <lagd/engine/health.h>

#include <lagd/base/check.h>
#include <math.h>

void lag_losses_add(struct lag_losses *losses, double loss) {
    if (!isfinite(loss)) loss = INFINITY;
    losses->before = losses->n > 0 ? losses->last : loss;
    losses->last = loss;
    losses->best = losses->n > 0 ? fmin(losses->best, loss) : loss;
    losses->n++;
}

enum lag_health lag_losses_judge(const struct lag_losses *losses) {
    if (losses->n == 0) return LAG_HEALTH_UNKNOWN;
    if (!isfinite(losses->best)) return LAG_HEALTH_DIVERGED;
    double last = losses->last - losses->best, before = losses->before - losses->best;
    if (last >= LAG_DIVERGED_NATS && before >= LAG_DIVERGED_NATS) return LAG_HEALTH_DIVERGED;
    return last >= LAG_ABOVE_BEST_NATS ? LAG_HEALTH_ABOVE_BEST : LAG_HEALTH_GOOD;
}

const char *lag_health_name(enum lag_health health) {
    static const char *const names[LAG_N_HEALTHS] = {"", "good", "above_best", "diverged"};
    LAG_ASSERT(health < LAG_N_HEALTHS);
    return names[health];
}

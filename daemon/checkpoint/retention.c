/* Which checkpoints of a run stay: the newest, the best, those of certain steps, and what is pinned. */
#include "checkpoint/retention_internal.h"

#include <math.h>

/* How many of the others are better than row i. */
static int64_t rank(const struct lagd_retained *rows, int n, int i) {
    int64_t better = 0;
    for (int j = 0; j < n; j++) {
        if (rows[j].pinned || isnan(rows[j].val_loss)) continue;
        better += rows[j].val_loss < rows[i].val_loss || (rows[j].val_loss == rows[i].val_loss && j < i);
    }
    return better;
}

void lagd_retain(const struct lagd_retained *rows, int n, const struct lagd_retention *rules, bool *ret_stays) {
    int64_t n_last = 0;
    for (int i = 0; i < n; i++) {
        ret_stays[i] = rows[i].pinned;
        if (rows[i].pinned) continue;
        bool recent = n_last++ < rules->keep_last;
        bool milestone = rules->keep_every > 0 && rows[i].step % rules->keep_every == 0;
        bool best = rules->keep_best > 0 && !isnan(rows[i].val_loss) && rank(rows, n, i) < rules->keep_best;
        ret_stays[i] = recent || milestone || best;
    }
}

struct lagd_retention lagd_retention_of(const struct lagd_run_config *config) {
    return (struct lagd_retention){config->keep_last, config->keep_best, config->keep_every};
}

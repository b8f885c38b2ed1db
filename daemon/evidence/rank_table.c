/* Losses and ranks of a growth over the whole probe, from the stored losses. */
#include <lagd/daemon/rank_table.h>

#include "evidence/decide_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>

static int collect_times(const struct lagd_curves *set, struct lagd_rank_table *table) {
    size_t n = 0;
    for (int i = 0; i < set->n; i++) n += (size_t)set->curves[i].n_evals;
    table->times = lag_calloc(n + 1, sizeof(*table->times));
    if (!table->times) return LAG_ENOMEM;
    table->n_times = lag_evaluated_times(set->curves, set->n, table->times);
    return 0;
}

/* A dropped candidate keeps its losses here: the report shows how it went wrong. */
static double mean_at(const struct lagd_curves *set, int index, int64_t t) {
    const double *losses = lag_losses_at(&set->curves[index], (int)set->growth.n_batches, t);
    const double mean = losses ? lag_loss_mean(losses, (int)set->growth.n_batches) : NAN;
    return isfinite(mean) ? mean : NAN;
}

static int fill(const struct lagd_curves *set, struct lagd_rank_table *table) {
    int rc = collect_times(set, table);
    if (rc < 0) return rc;
    size_t n = (size_t)set->n, n_cells = (size_t)table->n_times * n;
    table->n_candidates = set->n;
    table->means = lag_calloc(n_cells + 1, sizeof(*table->means));
    table->ranks = lag_calloc(n_cells + 1, sizeof(*table->ranks));
    double *ranked = lag_calloc(n + 1, sizeof(*ranked)); /* the means of those that are ranked: not asked for here */
    rc = table->means && table->ranks && ranked ? 0 : LAG_ENOMEM;
    for (int k = 0; k < table->n_times && rc == 0; k++) {
        int64_t t = table->times[k];
        /* Nothing is ranked where one that lives has not been evaluated: the ranks there stay 0. */
        if (lag_shared_time(set->curves, set->n, t) == t)
            lag_rank_at(set->curves, set->n, (int)set->growth.n_batches, t, ranked, table->ranks + (size_t)k * n);
        for (int i = 0; i < set->n; i++) table->means[(size_t)k * n + (size_t)i] = mean_at(set, i, t);
    }
    free(ranked);
    return rc;
}

int lagd_rank_table_create(struct lag_db *db, const char *growth_id, struct lagd_rank_table **ret,
                           struct lag_error *err) {
    struct lagd_curves *set = NULL;
    int rc = lagd_curves_load(db, growth_id, &set, err);
    if (rc < 0) return rc;
    struct lagd_rank_table *table = lag_calloc(1, sizeof(*table));
    rc = table ? fill(set, table) : LAG_ENOMEM;
    lagd_curves_destroy(set);
    if (rc < 0) {
        lagd_rank_table_destroy(table);
        return lag_error_set(err, rc, "out of memory while ranking growth %s", growth_id);
    }
    *ret = table;
    return 0;
}

void lagd_rank_table_destroy(struct lagd_rank_table *table) {
    if (!table) return;
    free(table->times);
    free(table->means);
    free(table->ranks);
    free(table);
}

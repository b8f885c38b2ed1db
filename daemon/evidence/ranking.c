/* Rankings and decisions read back from the stored probe losses. */
#include <lagd/daemon/ranking.h>

#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- loading ----------------------------------------------------------------------------------------------------- */

struct collect {
    struct lagd_curves *set;
    size_t capacity;
    bool failed;
};

static int collect_candidate(const struct lag_candidate_row *row, void *arg) {
    struct collect *collect = arg;
    struct lagd_curves *set = collect->set;
    if (lag_grow_array((void **)&set->candidates, &collect->capacity, (size_t)set->n + 1, sizeof(*set->candidates)) <
        0) {
        collect->failed = true;
        return 1;
    }
    set->candidates[set->n++] = *row;
    return 0;
}

static bool dropped(const char *state) {
    return lagd_state_has_ended(LAGD_MACHINE_CANDIDATE, state) && !lagd_candidate_is(state, LAGD_CANDIDATE_COMPLETED);
}

static int load_curve(struct lag_db *db, struct lagd_curves *set, int index, struct lag_error *err) {
    const struct lag_candidate_row *row = &set->candidates[index];
    int64_t *t = NULL;
    double *losses = NULL;
    int n = 0;
    if (set->growth.n_batches > 0) {
        int rc = lag_probe_losses_get(db, row->number, (int)set->growth.n_batches, &t, &losses, &n, err);
        if (rc < 0) return rc;
    }
    set->buffers[2 * index] = t;
    set->buffers[2 * index + 1] = losses;
    set->curves[index] = (struct lag_curve){.eligible = row->eligible, .diverged = dropped(row->state),
                                            .rewarm_steps = row->rewarm_steps, .n_evals = n, .t = t, .losses = losses};
    return 0;
}

int lagd_curves_load(struct lag_db *db, const char *growth_id, struct lagd_curves **ret, struct lag_error *err) {
    struct lagd_curves *set = lag_calloc(1, sizeof(*set));
    if (!set) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading growth %s", growth_id);
    struct collect collect = {.set = set};
    int rc = lag_growth_get(db, growth_id, &set->growth, err);
    if (rc < 0) goto fail;
    rc = lag_candidate_list(db, set->growth.id, collect_candidate, &collect, err);
    if (collect.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory while reading growth %s", growth_id);
    if (rc < 0) goto fail;
    set->curves = lag_calloc((size_t)set->n + 1, sizeof(*set->curves));
    set->buffers = lag_calloc(2 * (size_t)set->n + 1, sizeof(*set->buffers));
    if (!set->curves || !set->buffers) {
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory while reading growth %s", growth_id);
        goto fail;
    }
    for (int i = 0; i < set->n; i++) {
        rc = load_curve(db, set, i, err);
        if (rc < 0) goto fail;
    }
    *ret = set;
    return 0;
fail:
    lagd_curves_destroy(set);
    return rc;
}

void lagd_curves_destroy(struct lagd_curves *set) {
    if (!set) return;
    for (int i = 0; set->buffers && i < 2 * set->n; i++) free(set->buffers[i]);
    free(set->buffers);
    free(set->curves);
    free(set->candidates);
    free(set);
}

/* --- ranking ----------------------------------------------------------------------------------------------------- */

/* ranks: 1 … by order of means; the rest, 0, go last in order of position. */
static void order_entries(const int *ranks, int n, int *ret_order) {
    int used = 0;
    for (int rank = 1; rank <= n; rank++) {
        for (int i = 0; i < n; i++) {
            if (ranks[i] == rank) ret_order[used++] = i;
        }
    }
    for (int i = 0; i < n; i++) {
        if (ranks[i] <= 0 || ranks[i] > n) ret_order[used++] = i;
    }
}

static void fill_entries(const struct lagd_curves *set, int64_t t, struct lagd_ranking *ret) {
    double means[LAGD_STRATEGIES_MAX + 1], means_0[LAGD_STRATEGIES_MAX + 1];
    int ranks[LAGD_STRATEGIES_MAX + 1], ranks_0[LAGD_STRATEGIES_MAX + 1], order[LAGD_STRATEGIES_MAX + 1] = {0};
    int n_batches = (int)set->growth.n_batches;
    lag_rank_at(set->curves, set->n, n_batches, t, means, ranks);
    lag_rank_at(set->curves, set->n, n_batches, 0, means_0, ranks_0);
    order_entries(ranks, set->n, order);
    const double *best = ranks[order[0]] == 1 ? lag_losses_at(&set->curves[order[0]], n_batches, t) : NULL;
    ret->n_entries = set->n;
    for (int e = 0; e < set->n; e++) {
        int i = order[e];
        struct lagd_ranking_entry *entry = &ret->entries[e];
        *entry = (struct lagd_ranking_entry){.eligible = set->curves[i].eligible,
                                             .rank = ranks[i],
                                             .rank_at_0 = ranks_0[i],
                                             .mean = means[i],
                                             .margin_to_best = NAN,
                                             .low = NAN,
                                             .high = NAN};
        (void)lag_copy(entry->candidate, sizeof(entry->candidate), set->candidates[i].id);
        (void)lag_copy(entry->op, sizeof(entry->op), set->candidates[i].op);
        const double *own = lag_losses_at(&set->curves[i], n_batches, t);
        if (!best || !own || set->curves[i].diverged) continue;
        if (own == best) {
            entry->margin_to_best = entry->low = entry->high = 0;
            continue;
        }
        struct lag_interval interval = lag_paired_interval(own, best, n_batches, LAG_CONFIDENCE);
        entry->margin_to_best = interval.mean;
        entry->low = interval.low;
        entry->high = interval.high;
        if (ranks[i] == 2) ret->tied = interval.low <= 0 && interval.high >= 0;
    }
}

int lagd_ranking_compute(struct lag_db *db, const char *growth_id, int64_t t, struct lagd_ranking *ret,
                         struct lag_error *err) {
    struct lagd_curves *set = NULL;
    int rc = lagd_curves_load(db, growth_id, &set, err);
    if (rc < 0) return rc;
    struct lagd_ranking *ranking = lag_calloc(1, sizeof(*ranking));
    if (!ranking) {
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory while ranking growth %s", growth_id);
        goto out;
    }
    int64_t used = set->n > LAGD_STRATEGIES_MAX + 1 ? -1 : lag_shared_time(set->curves, set->n, t < 0 ? INT64_MAX : t);
    int64_t newest = used < 0 ? -1 : lag_shared_time(set->curves, set->n, INT64_MAX);
    if (used < 0 || (t > newest && newest < set->growth.probe_steps)) {
        rc = lag_error_set(err, LAG_ESTATE,
                           "not every living candidate of growth %s has been evaluated at step %lld yet",
                           set->growth.id, (long long)LAG_MAX(t, 0));
        goto out;
    }
    ranking->t = used;
    fill_entries(set, used, ranking);
    const int n_batches = (int)set->growth.n_batches;
    ranking->tau_0 = lag_tau_between(set->curves, set->n, n_batches, 0, used);
    ranking->tau_half = lag_tau_between(set->curves, set->n, n_batches, lag_half_time(set->curves, set->n, used), used);
    ranking->n_times = lag_shared_times(set->curves, set->n, INT64_MAX, ranking->times, (int)LAG_COUNT(ranking->times));
    *ret = *ranking;
    rc = 0;
out:
    free(ranking);
    lagd_curves_destroy(set);
    return rc;
}

int lagd_decision_recompute(struct lag_db *db, const char *growth_id, struct lag_decision_row *ret,
                            struct lag_error *err) {
    struct lagd_curves *set = NULL;
    int rc = lagd_curves_load(db, growth_id, &set, err);
    if (rc == 0) rc = lagd_decide(set, ret, err);
    lagd_curves_destroy(set);
    return rc;
}

/* Rankings and decisions read back from the stored probe losses. */
#include <lagd/daemon/ranking.h>

#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- ranking ----------------------------------------------------------------------------------------------------- */

/* ranks: 1 … by means, equal ones in order of position; the rest, 0, go last in order of position. */
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

/* Which look at the candidates one at t is, or would be. */
static int look_at(const struct lagd_curves *set, int64_t t) {
    int n = 0;
    while (n < set->n_looks && set->looks[n] < t) n++;
    return n + 1;
}

/* A stored decision rests on what was known of the end then. */
static void know_p_end(struct lag_db *db, struct lagd_curves *set) {
    struct lag_decision_row row;
    if (lag_decision_get(db, set->growth.id, &row, NULL) == 0) set->p_end = row.p_end;
}

/* The verdict that a decision at t would be, and each candidate beside its pick. */
static void fill_entries(const struct lagd_curves *set, int64_t t, struct lagd_ranking *ret) {
    double means[LAGD_STRATEGIES_MAX + 1], means_0[LAGD_STRATEGIES_MAX + 1];
    int ranks[LAGD_STRATEGIES_MAX + 1], ranks_0[LAGD_STRATEGIES_MAX + 1], order[LAGD_STRATEGIES_MAX + 1] = {0};
    bool tied[LAGD_STRATEGIES_MAX + 1];
    const bool at_lag = t == set->growth.probe_steps;
    const struct lag_rule rule = {.delta = set->delta, .look = look_at(set, t), .p_end = at_lag ? set->p_end : NAN};
    const int n_batches = (int)set->growth.n_batches;
    struct lag_verdict verdict = {.pick_at_lag = -1, .p_now = NAN};
    struct lag_tail tail;
    (void)lag_select(set->curves, set->n, n_batches, t, &rule, &verdict, tied); /* t is shared */
    lag_tail_at(set->curves, set->n, n_batches, t, &tail);
    lag_rank_at(set->curves, set->n, n_batches, t, means, ranks);
    lag_rank_at(set->curves, set->n, n_batches, 0, means_0, ranks_0);
    order_entries(ranks, set->n, order);
    ret->n_entries = set->n;
    ret->n_tied = verdict.n_tied;
    ret->n_tail = verdict.n_tail;
    ret->tied = verdict.n_tied > 1;
    ret->p_now = verdict.p_now;
    (void)lag_copy(ret->basis, sizeof(ret->basis), lag_basis_names[verdict.basis]);
    for (int e = 0; e < set->n; e++) {
        const int i = order[e], best = verdict.pick_at_lag;
        struct lagd_ranking_entry *entry = &ret->entries[e];
        *entry = (struct lagd_ranking_entry){.eligible = set->curves[i].eligible,
                                             .tied = tied[i],
                                             .rank = ranks[i],
                                             .rank_at_0 = ranks_0[i],
                                             .mean = means[i],
                                             .margin_to_best = NAN,
                                             .low = NAN,
                                             .high = NAN};
        (void)lag_copy(entry->candidate, sizeof(entry->candidate), set->candidates[i].id);
        (void)lag_copy(entry->op, sizeof(entry->op), set->candidates[i].op);
        lagd_candidate_label(set->candidates, set->n, i, entry->label);
        if (set->curves[i].stopped > 0)
            (void)lag_copy(entry->stopped, sizeof(entry->stopped), set->candidates[i].reason);
        if (best < 0 || set->curves[i].diverged) continue;
        const struct lag_pair pair = lag_compare(&set->curves[i], &set->curves[best], n_batches, &tail);
        const struct lag_interval interval = lag_pair_interval(&pair, LAG_CONFIDENCE);
        entry->margin_to_best = interval.mean;
        entry->low = interval.low;
        entry->high = interval.high;
    }
}

/* How far the probe is: nothing is ranked beyond what all have reached. */
static void count_reached(const struct lagd_curves *set, struct lagd_ranking *ret) {
    ret->n_candidates = set->n;
    for (int i = 0; i < set->n; i++) {
        const bool at_lag = lag_losses_at(&set->curves[i], (int)set->growth.n_batches, set->growth.probe_steps) != NULL;
        ret->n_reached += at_lag || set->curves[i].diverged || set->curves[i].stopped > 0;
    }
}

int lagd_ranking_compute(struct lag_db *db, const char *growth_id, int64_t t, struct lagd_ranking *ret,
                         struct lag_error *err) {
    struct lagd_curves *set = NULL;
    int rc = lagd_curves_load(db, growth_id, &set, err);
    if (rc < 0) return rc;
    know_p_end(db, set);
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
    count_reached(set, ranking);
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
    if (rc == 0) know_p_end(db, set);
    if (rc == 0) rc = lagd_decide(set, ret, err);
    lagd_curves_destroy(set);
    return rc;
}

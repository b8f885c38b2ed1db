/* The decision of a growth from its stored losses. */
#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_request.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_id(const struct lagd_curves *set, int index, char ret[LAG_ROW_ID]) {
    (void)lag_copy(ret, LAG_ROW_ID, index < 0 ? "" : set->candidates[index].id);
}

static void add_id(const struct lagd_curves *set, int index, char ret[LAG_ROW_SET]) {
    const size_t used = strlen(ret);
    (void)snprintf(ret + used, LAG_ROW_SET - used, "%s%s", used > 0 ? "," : "", set->candidates[index].id);
}

static void put_tied_at_0(const struct lagd_curves *set, const int *ranks_0, struct lag_decision_row *row) {
    for (int i = 0; i < set->n; i++)
        if (ranks_0[i] == 1) add_id(set, i, row->tied_at_0);
}

/* What the rule needs beside the verdict. */
struct numbers {
    double means[LAGD_STRATEGIES_MAX + 1], means_0[LAGD_STRATEGIES_MAX + 1];
    int ranks[LAGD_STRATEGIES_MAX + 1], ranks_0[LAGD_STRATEGIES_MAX + 1];
    bool tied[LAGD_STRATEGIES_MAX + 1];
};

static void fill(const struct lagd_curves *set, const struct lag_verdict *verdict, const struct numbers *numbers,
                 struct lag_decision_row *row) {
    row->margin = verdict->margin;
    row->margin_low = verdict->margin_low;
    row->margin_high = verdict->margin_high;
    row->gain = verdict->gain;
    row->gain_low = verdict->gain_low;
    row->gain_high = verdict->gain_high;
    row->gain_flops = verdict->gain_flops;
    row->gain_flops_low = verdict->gain_flops_low;
    row->gain_flops_high = verdict->gain_flops_high;
    row->gain_flops_t = verdict->gain_flops_t;
    row->tau = verdict->tau_half;
    row->tau_0 = verdict->tau_0;
    row->tied = verdict->n_tied > 1;
    row->lag_short = verdict->lag_short != 0;
    row->short_by = verdict->lag_short;
    row->p_now = verdict->p_now;
    (void)lag_copy(row->basis, sizeof(row->basis), lag_basis_names[verdict->basis]);
    put_id(set, verdict->pick, row->candidate);
    put_id(set, verdict->pick_at_lag, row->pick_at_lag);
    put_id(set, verdict->pick_at_0, row->pick_at_0);
    put_id(set, verdict->runner_up, row->runner_up);
    if (verdict->n_at_0 > 1) put_tied_at_0(set, numbers->ranks_0, row);
    for (int i = 0; i < set->n; i++) {
        if (numbers->tied[i]) add_id(set, i, row->tied_set);
        if (isfinite(set->candidates[i].flops)) row->flops += set->candidates[i].flops;
    }
}

int lagd_decide(const struct lagd_curves *set, struct lag_decision_row *ret, struct lag_error *err) {
    const int64_t lag = set->growth.probe_steps;
    const int n_batches = (int)set->growth.n_batches;
    const struct lag_rule rule = {.delta = set->delta, .look = LAG_MAX(1, set->n_looks), .p_end = set->p_end,
                                  .prior = set->prior};
    struct numbers numbers;
    struct lag_verdict verdict;
    LAG_ASSERT(set->n <= LAGD_STRATEGIES_MAX + 1);
    if (lag_select(set->curves, set->n, n_batches, lag, &rule, &verdict, numbers.tied) != 0)
        return lag_error_set(err, LAG_ESTATE, "not every candidate of growth %s has been evaluated at step %lld yet",
                             set->growth.id, (long long)lag);
    lag_rank_at(set->curves, set->n, n_batches, lag, numbers.means, numbers.ranks);
    lag_rank_at(set->curves, set->n, n_batches, 0, numbers.means_0, numbers.ranks_0);
    struct lag_decision_row row = {.decided_by = "lag", .delta = set->delta, .p_end = rule.p_end, .run_flops = NAN};
    (void)lag_copy(row.growth_id, sizeof(row.growth_id), set->growth.id);
    fill(set, &verdict, &numbers, &row);
    lagd_verdict_write(set, &verdict, numbers.tied, numbers.means, numbers.ranks, row.verdict, sizeof(row.verdict));
    *ret = row;
    return 0;
}

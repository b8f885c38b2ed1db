/* What an allocator says at a rung, from the stored losses. */
#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int lagd_rungs_of(const struct lag_growth_row *growth, const struct lagd_growth_request *request,
                  int64_t ret[LAG_RUNGS_MAX]) {
    if (growth->first_rung < 1) return 0;
    return lag_rungs(growth->first_rung, request->probe_steps, request->max_steps, ret);
}

/* --- in words ---------------------------------------------------------------------------------------------------- */

static void add_id(const struct lagd_curves *set, int index, char ret[LAG_ROW_SET]) {
    const size_t used = strlen(ret);
    (void)snprintf(ret + used, LAG_ROW_SET - used, "%s%s", used > 0 ? "," : "", set->candidates[index].id);
}

/* Why one was stopped, or goes on. */
static void say_fate(const struct lagd_curves *set, const struct lag_rung *rung, int index,
                     struct lagd_rung_decision *decision) {
    char leader[LAGD_LABEL] = "the leader";
    char *ret = decision->words[index];
    const int64_t t = decision->row.t;
    const int first = rung->verdict.pick_at_lag;
    if (first >= 0) lagd_candidate_label(set->candidates, set->n, first, leader);
    if (decision->fates[index] == LAG_FATE_TAKEN_UP) {
        (void)snprintf(ret, sizeof(decision->words[0]),
                       "taken up again at step %lld: no candidate that grows was ahead of not growing", (long long)t);
        return;
    }
    const double behind = first >= 0 ? decision->means[index] - decision->means[first] : NAN;
    const char *rule = set->allocator == LAG_ALLOCATE_HALVING ? "halving keeps the better half"
                                                              : "such an order holds to the end in most studies";
    (void)snprintf(ret, sizeof(decision->words[0]), "stopped at step %lld, %.4f behind %.100s: %s", (long long)t,
                   behind, leader, rule);
}

static const char *end_text(const struct lag_rung *rung) {
    if (rung->verdict.pick_at_lag < 0) return "nobody that may win is left";
    if (rung->verdict.basis == LAG_BASIS_VERIFIED) return "the verdict is verified";
    if (rung->verdict.basis == LAG_BASIS_NOTHING_TO_DECIDE) return "there is nothing to decide";
    return "it is as far as the probe goes";
}

static void say_rung(const struct lagd_curves *set, const struct lag_rung *rung, int64_t next,
                     struct lagd_rung_decision *decision) {
    char leader[LAGD_LABEL] = "", *ret = decision->row.reason;
    const size_t size = sizeof(decision->row.reason);
    if (rung->verdict.pick_at_lag >= 0)
        lagd_candidate_label(set->candidates, set->n, rung->verdict.pick_at_lag, leader);
    int n = snprintf(ret, size, "Step %lld: %s%s%s", (long long)decision->row.t, leader, leader[0] ? " leads, " : "",
                     rung->verdict.pick_at_lag >= 0 ? lag_basis_names[rung->verdict.basis] : "nobody leads");
    if (n < 0 || (size_t)n >= size) return;
    ret += n;
    const size_t left = size - (size_t)n;
    if (rung->step == LAG_STEP_END) (void)snprintf(ret, left, ". Decided here: %s.", end_text(rung));
    else if (rung->step == LAG_STEP_EXTEND)
        (void)snprintf(ret, left,
                       ". No candidate that grows has been ahead of not growing at the last two evaluations: extended "
                       "to step %lld, %d taken up again.", (long long)next, rung->n_taken_up);
    else (void)snprintf(ret, left, ". %d stopped, the others go on to step %lld.", rung->n_stopped, (long long)next);
}

/* --- the decision ------------------------------------------------------------------------------------------------ */

/* The rung after those that were looked at, and the one after that. */
static bool find_rung(const struct lagd_curves *set, int64_t *ret_t, int64_t *ret_next) {
    int64_t rungs[LAG_RUNGS_MAX];
    const int n = lag_rungs(LAG_MAX(1, set->growth.first_rung), set->steps, set->max_steps, rungs);
    if (set->growth.first_rung < 1 || set->n_looks >= n) return false;
    *ret_t = rungs[set->n_looks];
    *ret_next = set->n_looks + 1 < n ? rungs[set->n_looks + 1] : 0;
    return true;
}

int64_t lagd_rung_next(const struct lagd_curves *set) {
    int64_t t = 0, next;
    return find_rung(set, &t, &next) ? t : 0;
}

static void fill(const struct lagd_curves *set, const struct lag_rung *rung, struct lagd_rung_decision *ret) {
    struct lag_rung_row *row = &ret->row;
    (void)lag_copy(row->action, sizeof(row->action), lag_step_names[rung->step]);
    (void)lag_copy(row->basis, sizeof(row->basis), lag_basis_names[rung->verdict.basis]);
    if (rung->verdict.pick_at_lag >= 0)
        (void)lag_copy(row->leader, sizeof(row->leader), set->candidates[rung->verdict.pick_at_lag].id);
    row->p_now = rung->verdict.p_now;
    row->p_end = rung->p_end;
    for (int i = 0; i < set->n; i++) {
        if (ret->fates[i] == LAG_FATE_KEPT) add_id(set, i, row->kept);
        if (ret->fates[i] == LAG_FATE_STOPPED) add_id(set, i, row->stopped);
        if (ret->fates[i] == LAG_FATE_TAKEN_UP) add_id(set, i, row->taken_up);
        if (ret->fates[i] == LAG_FATE_STOPPED || ret->fates[i] == LAG_FATE_TAKEN_UP) say_fate(set, rung, i, ret);
    }
    say_rung(set, rung, ret->next, ret);
}

int lagd_rung_decide(const struct lagd_curves *set, const double *p_end, struct lagd_rung_decision *ret,
                     struct lag_error *err) {
    int ranks[LAGD_STRATEGIES_MAX + 1];
    bool tied[LAGD_STRATEGIES_MAX + 1];
    struct lag_rung rung;
    const int n_batches = (int)set->growth.n_batches;
    LAG_ASSERT(set->n <= LAGD_STRATEGIES_MAX + 1);
    *ret = (struct lagd_rung_decision){.row = {.r = set->n_looks + 1}};
    if (!find_rung(set, &ret->row.t, &ret->next))
        return lag_error_set(err, LAG_EINTERNAL, "growth %s has no rung after %d", set->growth.id, set->n_looks);
    const struct lag_look look = {.allocator = set->allocator, .number = set->n_looks + 1, .t = ret->row.t,
                                  .steps = set->steps, .next = ret->next, .delta = set->delta, .p_end = p_end,
                                  .preserving = set->preserving};
    if (lag_allocate(set->curves, set->n, n_batches, &look, &rung, ret->fates, tied) != 0)
        return lag_error_set(err, LAG_ESTATE, "not every candidate of growth %s has been evaluated at step %lld yet",
                             set->growth.id, (long long)ret->row.t);
    lag_rank_at(set->curves, set->n, n_batches, ret->row.t, ret->means, ranks);
    (void)lag_copy(ret->row.growth_id, sizeof(ret->row.growth_id), set->growth.id);
    ret->step = rung.step;
    fill(set, &rung, ret);
    return 0;
}

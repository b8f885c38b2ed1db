/* Where rungs may lie, and what they can save or take. */
#include "plan/rungs_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <inttypes.h>
#include <string.h>

_Static_assert(LAGD_RUNGS_MAX >= LAG_RUNGS_MAX, "a plan has room for all rungs");

enum lag_allocator lagd_allocator_of(const struct lagd_growth_request *request) {
    for (int i = 0; i < LAG_N_ALLOCATORS; i++)
        if (strcmp(request->allocator, lag_allocator_names[i]) == 0) return (enum lag_allocator)i;
    return LAG_ALLOCATE_ALL;
}

/* --- where ------------------------------------------------------------------------------------------------------- */

void lagd_phases_find(const struct lagd_schedule_piece *piece, int64_t start_step, const struct lag_strategy *strategy,
                      int64_t rewarm_steps, struct lag_curve *curve) {
    const int64_t start = LAG_MAX(0, start_step);
    const bool restarts = strategy && strategy->lr == LAG_LR_RESTART;
    const int64_t frozen = strategy ? LAG_MAX(0, strategy->freeze_steps) : 0; /* one that is kept changes no more */
    const struct lag_phases phases = lag_schedule_phases(
        &piece->schedule, restarts ? start : lagd_schedule_origin(piece, 0));
    /* What is released re-warms from there on, with lr rewarm; with rewarm_new the new layers have meanwhile. */
    const bool after = strategy && strategy->lr == LAG_LR_REWARM;
    curve->rewarm_steps = after ? frozen + rewarm_steps : LAG_MAX(frozen, rewarm_steps);
    curve->warmup_steps = LAG_MAX(0, phases.warm_until - start);
    curve->decays_from = phases.decays_from == INT64_MAX ? INT64_MAX : LAG_MAX(0, phases.decays_from - start);
}

int64_t lagd_first_rung(const struct lagd_growth_request *request, const struct lagd_schedule_piece *piece,
                        int64_t start_step, const struct lag_strategy *strategies, int n_strategies) {
    int64_t longest = 0;
    if (lagd_allocator_of(request) == LAG_ALLOCATE_ALL) return 0;
    for (int i = 0; i < n_strategies; i++) {
        const bool rewarms = strategies[i].lr == LAG_LR_REWARM || strategies[i].lr == LAG_LR_REWARM_NEW;
        struct lag_curve curve = {0};
        lagd_phases_find(piece, start_step, &strategies[i], rewarms ? strategies[i].rewarm_steps : 0, &curve);
        longest = LAG_MAX(longest, LAG_MAX(curve.rewarm_steps, curve.warmup_steps));
    }
    return longest + LAG_RUNG_SPIKE;
}

/* --- what is refused --------------------------------------------------------------------------------------------- */

int lagd_rungs_check(const struct lagd_growth_request *request, int64_t start, int64_t max_steps,
                     struct lag_error *err) {
    const enum lag_allocator allocator = lagd_allocator_of(request);
    if (strcmp(request->mode, "study") == 0 && allocator != LAG_ALLOCATE_ALL)
        return lag_error_at(err, LAG_EINVAL, "/probe/allocator",
                            "a growth of mode study trains every candidate to the end: leave probe/allocator at all");
    if (request->max_steps == 0) return 0;
    if (request->max_steps < request->probe_steps)
        return lag_error_at(err, LAG_EINVAL, "/probe/max_steps",
                            "probe/max_steps is %" PRId64 ", less than probe/steps, %" PRId64
                            ": ask for more, or for 0 to end at the lag", request->max_steps, request->probe_steps);
    if (request->max_steps > request->probe_steps && allocator != LAG_ALLOCATE_AUTO)
        return lag_error_at(err, LAG_EINVAL, "/probe/max_steps",
                            "only the allocator auto leads a probe beyond probe/steps: ask for probe/allocator auto, "
                            "or leave out probe/max_steps");
    if (request->max_steps > max_steps - start)
        return lag_error_at(err, LAG_EINVAL, "/probe/max_steps",
                            "a probe that is extended to %" PRId64 " steps from step %" PRId64 " would end beyond the "
                            "run's schedule/max_steps of %" PRId64 ": at most %" PRId64 " fit", request->max_steps,
                            start, max_steps, max_steps - start);
    return 0;
}

int lagd_rungs_check_first(const struct lagd_growth_request *request, int64_t first, struct lag_error *err) {
    if (first <= request->probe_steps) return 0;
    return lag_error_at(err, LAG_EINVAL, "/probe/steps",
                        "the allocator %s first looks at its candidates after step %" PRId64 ", once the longest "
                        "re-warm or warm-up of the pool (%" PRId64 " steps) and a spike after the growth (%d) are "
                        "over, but probe/steps is %" PRId64 ": ask for at least %" PRId64 ", or for the allocator all",
                        request->allocator, first, first - LAG_RUNG_SPIKE, LAG_RUNG_SPIKE, request->probe_steps,
                        first);
}

/* --- what it may cost -------------------------------------------------------------------------------------------- */

struct bill {
    const struct lag_probe_plan *probe;
    struct lagd_growth_plan *plan;
    int n_growing;
    int64_t steps; /* the lag */
};

/* FLOPs of a candidate up to t. */
static double flops_until(const struct bill *bill, const struct lagd_candidate_plan *candidate, int64_t t) {
    const struct lag_probe_plan *probe = bill->probe;
    double all = 0, made = 0;
    for (int i = 0; i < probe->n_times; i++) {
        const double batches = probe->full[i] ? probe->stride : 1;
        all += batches;
        if (probe->times[i] <= t) made += batches;
    }
    const double train =
        (candidate->flops - candidate->learn_flops - candidate->eval_flops) / (double)probe->steps;
    return candidate->learn_flops + train * (double)t + candidate->eval_flops * made / all;
}

static void add(const struct bill *bill, int index, int64_t t, struct lagd_growth_cost *cost) {
    cost->steps += t;
    cost->flops += flops_until(bill, &bill->plan->candidates[index], t);
}

static struct lagd_growth_cost all_to(const struct bill *bill, int64_t t) {
    struct lagd_growth_cost cost = {0};
    for (int i = 0; i < bill->plan->n_candidates; i++) add(bill, i, t, &cost);
    return cost;
}

/* All that grow are as large: it does not matter who goes. n_extra more stay through the first rung. */
static struct lagd_growth_cost halved(const struct bill *bill, int n_extra) {
    struct lagd_growth_cost cost = {0};
    int n = bill->n_growing;
    for (int r = 0; r < bill->plan->n_rungs; r++) {
        const int64_t t = bill->plan->rungs[r];
        int stay = t < bill->steps ? (n + 1) / 2 + (r == 0 ? n_extra : 0) : 0;
        stay = LAG_MIN(stay, n);
        for (int i = stay; i < n; i++) add(bill, i, t, &cost);
        n = stay;
    }
    add(bill, bill->plan->n_candidates - 1, bill->steps, &cost);
    return cost;
}

static bool has_both_kinds(const struct lagd_growth_plan *plan) {
    int n = 0;
    for (int i = 0; i + 1 < plan->n_candidates; i++) n += plan->candidates[i].function_preserving;
    return n > 0 && n < plan->n_candidates - 1;
}

/* At the first rung all go but the leader and the one that does not grow. */
static struct lagd_growth_cost won_at_once(const struct bill *bill) {
    struct lagd_growth_cost cost = {0};
    for (int i = 0; i < bill->plan->n_candidates; i++)
        add(bill, i, i == 0 || i == bill->plan->n_candidates - 1 ? bill->steps : bill->plan->rungs[0], &cost);
    return cost;
}

void lagd_rungs_cost(const struct lagd_growth_request *request, const struct lag_probe_plan *probe,
                     struct lagd_growth_plan *plan) {
    struct bill bill = {.probe = probe, .plan = plan, .steps = request->probe_steps,
                        .n_growing = plan->n_candidates - 1};
    plan->least = plan->most = all_to(&bill, probe->steps);
    if (plan->first_rung == 0) return;
    plan->n_rungs = lag_rungs(plan->first_rung, request->probe_steps, request->max_steps, plan->rungs);
    switch (lagd_allocator_of(request)) {
    case LAG_ALLOCATE_HALVING:
        plan->least = halved(&bill, 0);
        plan->most = halved(&bill, has_both_kinds(plan));
        break;
    case LAG_ALLOCATE_RACE:
        plan->least = won_at_once(&bill);
        break;
    default:
        plan->least = all_to(&bill, plan->rungs[0]);
    }
}

/* The verdict of a probe. */
#include "stats/pairs_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/allocate.h>
#include <math.h>
#include <stddef.h>

const char *const lag_basis_names[] = {
    [LAG_BASIS_VERIFIED] = "verified",
    [LAG_BASIS_PROVISIONAL] = "provisional",
    [LAG_BASIS_TIED] = "tied",
    [LAG_BASIS_NOTHING_TO_DECIDE] = "nothing_to_decide",
    [LAG_BASIS_PERSON] = "person",
    [LAG_N_BASES] = NULL,
};

double lag_alpha_at_look(int look) { return 6 * LAG_ALPHA / (M_PI * M_PI * look * look); }

/* --- ranks ------------------------------------------------------------------------------------------------------- */

/* Mean over the batches; NaN when diverged or not evaluated. */
static double mean_at(const struct lag_curve *curve, int n_batches, int64_t t) {
    const double *losses = curve->diverged || n_batches < 1 ? NULL : lag_losses_at(curve, n_batches, t);
    return losses ? lag_loss_mean(losses, n_batches) : NAN;
}

/* May this candidate be ranked at t, and with what mean? Infinite means are ranked last, NaN is not ranked. */
static bool rankable(const struct lag_curve *curve, int n_batches, int64_t t, double *ret_mean) {
    *ret_mean = mean_at(curve, n_batches, t);
    return curve->eligible && !isnan(*ret_mean);
}

void lag_rank_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, double *ret_mean,
                 int *ret_rank) {
    for (int i = 0; i < n_curves; i++) {
        double other;
        bool ranked = rankable(&curves[i], n_batches, t, &ret_mean[i]);
        ret_rank[i] = ranked;
        for (int j = 0; ranked && j < n_curves; j++)
            if (rankable(&curves[j], n_batches, t, &other)) ret_rank[i] += other < ret_mean[i];
    }
}

/* The first candidate with the lowest mean at t other than skip; -1 when there is none. */
static int pick_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, int skip) {
    int best = -1;
    double lowest = NAN, mean;
    for (int i = 0; i < n_curves; i++) {
        if (i == skip || !rankable(&curves[i], n_batches, t, &mean)) continue;
        if (best < 0 || mean < lowest) {
            best = i;
            lowest = mean;
        }
    }
    return best;
}

static int count_equal(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, int pick) {
    double lowest, mean;
    int n = 0;
    if (pick < 0 || !rankable(&curves[pick], n_batches, t, &lowest)) return 0;
    for (int i = 0; i < n_curves; i++) n += rankable(&curves[i], n_batches, t, &mean) && mean == lowest;
    return n;
}

double lag_tau_between(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t_a, int64_t t_b) {
    struct lag_pairs pairs = {0};
    double ai, aj, bi, bj;
    for (int i = 0; i < n_curves; i++) {
        if (!rankable(&curves[i], n_batches, t_a, &ai) || !rankable(&curves[i], n_batches, t_b, &bi)) continue;
        for (int j = i + 1; j < n_curves; j++) {
            if (!rankable(&curves[j], n_batches, t_a, &aj) || !rankable(&curves[j], n_batches, t_b, &bj)) continue;
            lag_pairs_add(&pairs, ai, aj, bi, bj);
        }
    }
    return lag_pairs_tau(&pairs);
}

/* --- the tied set ------------------------------------------------------------------------------------------------ */

/* What a verdict is made from. */
struct probe {
    const struct lag_curve *curves;
    int n_curves, n_batches, n_ranked;
    int64_t lag;
    double alpha; /* of this look */
    struct lag_tail tail;
};

static bool is_ranked(const struct probe *probe, int i) {
    double mean;
    return rankable(&probe->curves[i], probe->n_batches, probe->lag, &mean);
}

/* a - b over the tail. */
static struct lag_pair compare(const struct probe *probe, int a, int b) {
    return lag_compare(&probe->curves[a], &probe->curves[b], probe->n_batches, &probe->tail);
}

static bool is_beaten(const struct probe *probe, int i) {
    for (int j = 0; j < probe->n_curves; j++) {
        if (j == i || !is_ranked(probe, j)) continue;
        const struct lag_pair pair = compare(probe, i, j);
        if (lag_pair_beats(&pair, probe->alpha / (probe->n_ranked - 1))) return true;
    }
    return false;
}

static int find_tied(const struct probe *probe, int pick, bool *ret_tied) {
    int n = 0;
    for (int i = 0; i < probe->n_curves; i++) {
        ret_tied[i] = pick >= 0 && is_ranked(probe, i) && (i == pick || !is_beaten(probe, i));
        n += ret_tied[i];
    }
    return n;
}

/* Between the best and the worst of the set. */
static double range_of(const struct probe *probe, int pick, const bool *tied) {
    double low = 0, high = 0; /* the pick against itself */
    for (int i = 0; i < probe->n_curves; i++) {
        if (!tied[i] || i == pick) continue;
        const double mean = compare(probe, i, pick).mean;
        low = fmin(low, mean);
        high = fmax(high, mean);
    }
    return high - low;
}

static double place_of(const double *prior, int i) { return !prior || isnan(prior[i]) ? 0.5 : prior[i]; }

static int first_of(const bool *tied, int n, const double *prior) {
    int first = -1;
    for (int i = 0; i < n; i++)
        if (tied[i] && (first < 0 || place_of(prior, i) < place_of(prior, first))) first = i;
    return first;
}

static bool is_known(const bool *tied, int n, const double *prior) {
    for (int i = 0; prior && i < n; i++)
        if (tied[i] && !isnan(prior[i])) return true;
    return false;
}

/* --- is it verified? --------------------------------------------------------------------------------------------- */

static bool was_stopped(const struct lag_curve *curve) {
    return curve->eligible && !curve->diverged && curve->stopped > 0;
}

/* One that was stopped minus the pick, over the tail of when it was. An infinite se: too little was seen of it. */
static struct lag_pair compare_stopped(const struct probe *probe, int stopped, int pick) {
    struct lag_curve both[2] = {probe->curves[stopped], probe->curves[pick]};
    struct lag_tail tail = {.n = 0};
    both[0].stopped = 0;
    if (both[0].n_evals > 0) lag_tail_at(both, 2, probe->n_batches, both[0].t[both[0].n_evals - 1], &tail);
    if (tail.n < LAG_TAIL_LEAST) return (struct lag_pair){.se = INFINITY, .df = 1};
    return lag_compare(&both[0], &both[1], probe->n_batches, &tail);
}

/* Stopped ones that the pick did not beat while they were there, at what their look may use; *ret_n: all stopped. */
static int count_open(const struct probe *probe, int pick, int *ret_n) {
    int n_open = 0;
    *ret_n = 0;
    for (int j = 0; j < probe->n_curves; j++) {
        if (!was_stopped(&probe->curves[j])) continue;
        ++*ret_n;
        const struct lag_pair pair = pick < 0 ? (struct lag_pair){.se = INFINITY, .df = 1}
                                              : compare_stopped(probe, j, pick);
        n_open += !lag_pair_beats(&pair, lag_alpha_at_look(probe->curves[j].stopped) / 2);
    }
    return n_open;
}

static bool beats_all(const struct probe *probe, int pick) {
    for (int j = 0; j < probe->n_curves; j++) {
        if (j == pick || !is_ranked(probe, j)) continue;
        const struct lag_pair pair = compare(probe, j, pick);
        if (!lag_pair_beats(&pair, probe->alpha / 2)) return false;
    }
    return true;
}

/* Of those that were stopped it counts what was seen of them then. */
static double chance_now(const struct probe *probe, int pick) {
    double chance = 1;
    for (int j = 0; j < probe->n_curves; j++) {
        const bool is_stopped = was_stopped(&probe->curves[j]);
        if (j == pick || (!is_stopped && !is_ranked(probe, j))) continue;
        const struct lag_pair pair = is_stopped ? compare_stopped(probe, j, pick) : compare(probe, j, pick);
        chance -= 1 - lag_pair_chance(&pair);
    }
    return fmax(0, chance);
}

static int find_reference(const struct probe *probe) {
    for (int i = 0; i < probe->n_curves; i++)
        if (probe->curves[i].reference && !probe->curves[i].diverged) return i;
    return -1;
}

/* At the last two evaluations that all share, by the means. */
static bool is_ahead(const struct probe *probe, int pick, int reference) {
    int64_t times[2];
    const int n = lag_shared_times(probe->curves, probe->n_curves, probe->lag, times, 2);
    for (int i = 0; i < n; i++) {
        const double mean = mean_at(&probe->curves[pick], probe->n_batches, times[i]);
        if (!(mean < mean_at(&probe->curves[reference], probe->n_batches, times[i]))) return false;
    }
    return true;
}

/* The reference minus that one at equal FLOPs. */
static struct lag_interval compare_flops(const struct probe *probe, int reference, int pick, double *ret_t) {
    const struct lag_pair pair = lag_compare_costs(&probe->curves[pick], &probe->curves[reference], probe->n_batches,
                                                   probe->lag, ret_t);
    return lag_pair_interval(&pair, LAG_CONFIDENCE);
}

/* Where not growing may be picked, size is decided too: 1 growing is ahead at equal FLOPs, -1 behind, 0 that is open. 1
 * also where steps cost the same. */
static int judge_size(const struct probe *probe, int pick) {
    const int reference = find_reference(probe);
    double t;
    if (pick < 0 || reference < 0 || reference == pick || !probe->curves[reference].eligible) return 1;
    const struct lag_interval gain = compare_flops(probe, reference, pick, &t);
    return isnan(t) || gain.low > 0 ? 1 : gain.high < 0 ? -1 : 0;
}

static unsigned find_short(const struct probe *probe, int pick) {
    unsigned flags = 0;
    const int reference = find_reference(probe);
    if (pick < 0) return 0;
    if (reference >= 0 && reference != pick && !is_ahead(probe, pick, reference)) flags |= LAG_SHORT_NONE_AHEAD;
    if (judge_size(probe, pick) < 1) flags |= LAG_SHORT_FLOPS;
    for (int i = 0; i < probe->n_curves; i++) {
        const struct lag_curve *curve = &probe->curves[i];
        if (!curve->eligible || curve->diverged || curve->stopped > 0) continue;
        if (curve->rewarm_steps > 0 && probe->lag <= curve->rewarm_steps) flags |= LAG_SHORT_REWARM;
        if (curve->warmup_steps > 0 && probe->lag <= curve->warmup_steps) flags |= LAG_SHORT_WARMUP;
        if (probe->lag > curve->decays_from) flags |= LAG_SHORT_DECAY;
    }
    const bool is_cut = flags & (LAG_SHORT_REWARM | LAG_SHORT_WARMUP | LAG_SHORT_DECAY); /* the tail, by a phase */
    if (probe->tail.n < LAG_TAIL_LEAST && !is_cut) flags |= LAG_SHORT_EVALUATIONS;
    return flags;
}

static enum lag_basis find_basis(const struct probe *probe, const struct lag_rule *rule,
                                 const struct lag_verdict *verdict) {
    if (verdict->n_tied > 1)
        return verdict->range < rule->delta ? LAG_BASIS_NOTHING_TO_DECIDE : LAG_BASIS_TIED;
    const bool holds = isnan(rule->p_end) || rule->p_end >= LAG_ORDER_HOLDS;
    const bool is_verified = verdict->pick_at_lag >= 0 && verdict->n_open == 0 &&
                             probe->n_ranked + verdict->n_stopped > 1 && verdict->lag_short == 0 && holds &&
                             beats_all(probe, verdict->pick_at_lag);
    return is_verified ? LAG_BASIS_VERIFIED : LAG_BASIS_PROVISIONAL;
}

/* --- the verdict ------------------------------------------------------------------------------------------------- */

static void put_interval(const struct lag_pair *pair, double *ret_mean, double *ret_low, double *ret_high) {
    const struct lag_interval interval = lag_pair_interval(pair, LAG_CONFIDENCE);
    *ret_mean = interval.mean;
    *ret_low = interval.low;
    *ret_high = interval.high;
}

static bool all_have_ended(const struct lag_curve *curves, int n_curves) {
    for (int i = 0; i < n_curves; i++)
        if (!curves[i].diverged && curves[i].stopped == 0) return false;
    return true;
}

static void compare_pick(const struct probe *probe, struct lag_verdict *verdict) {
    const int reference = find_reference(probe);
    if (verdict->runner_up >= 0) {
        const struct lag_pair margin = compare(probe, verdict->runner_up, verdict->pick_at_lag);
        put_interval(&margin, &verdict->margin, &verdict->margin_low, &verdict->margin_high);
    }
    if (verdict->pick >= 0 && reference >= 0 && reference != verdict->pick) {
        const struct lag_pair gain = compare(probe, reference, verdict->pick);
        put_interval(&gain, &verdict->gain, &verdict->gain_low, &verdict->gain_high);
    }
    const int grown = verdict->pick == reference ? verdict->pick_at_lag : verdict->pick;
    if (grown < 0 || reference < 0 || reference == grown) return;
    const struct lag_interval dear = compare_flops(probe, reference, grown, &verdict->gain_flops_t);
    verdict->gain_flops = dear.mean;
    verdict->gain_flops_low = dear.low;
    verdict->gain_flops_high = dear.high;
}

static void find_picks(const struct probe *probe, struct lag_verdict *verdict) {
    const struct lag_curve *curves = probe->curves;
    verdict->pick_at_0 = pick_at(curves, probe->n_curves, probe->n_batches, 0, -1);
    verdict->n_at_0 = count_equal(curves, probe->n_curves, probe->n_batches, 0, verdict->pick_at_0);
    verdict->pick_at_lag = pick_at(curves, probe->n_curves, probe->n_batches, probe->lag, -1);
    verdict->runner_up = verdict->pick_at_lag < 0 ? -1 : pick_at(curves, probe->n_curves, probe->n_batches, probe->lag,
                                                                 verdict->pick_at_lag);
}

int lag_select(const struct lag_curve *curves, int n_curves, int n_batches, int64_t lag, const struct lag_rule *rule,
               struct lag_verdict *ret, bool *ret_tied) {
    if ((lag < 0 || lag_shared_time(curves, n_curves, lag) != lag) && !all_have_ended(curves, n_curves))
        return LAG_EINVAL;
    struct probe probe = {.curves = curves, .n_curves = n_curves, .n_batches = n_batches, .lag = lag,
                          .alpha = lag_alpha_at_look(rule->look)};
    struct lag_verdict verdict = {.margin = NAN, .margin_low = NAN, .margin_high = NAN, .gain = NAN, .gain_low = NAN,
                                  .gain_high = NAN, .gain_flops = NAN, .gain_flops_low = NAN, .gain_flops_high = NAN,
                                  .gain_flops_t = NAN, .p_now = NAN};
    lag_tail_at(curves, n_curves, n_batches, lag, &probe.tail);
    for (int i = 0; i < n_curves; i++) probe.n_ranked += is_ranked(&probe, i);
    find_picks(&probe, &verdict);
    verdict.n_tail = probe.tail.n;
    verdict.n_tied = find_tied(&probe, verdict.pick_at_lag, ret_tied);
    verdict.range = range_of(&probe, verdict.pick_at_lag, ret_tied);
    verdict.lag_short = find_short(&probe, verdict.pick_at_lag);
    verdict.n_open = count_open(&probe, verdict.pick_at_lag, &verdict.n_stopped);
    verdict.basis = find_basis(&probe, rule, &verdict);
    const bool nothing = verdict.basis == LAG_BASIS_NOTHING_TO_DECIDE;
    verdict.pick = nothing ? first_of(ret_tied, n_curves, rule->prior) : verdict.pick_at_lag;
    verdict.by_prior = nothing && is_known(ret_tied, n_curves, rule->prior);
    if (judge_size(&probe, verdict.pick) < 0) {
        verdict.pick = find_reference(&probe);
        verdict.basis = LAG_BASIS_PROVISIONAL;
        verdict.by_prior = false;
    }
    if (verdict.pick_at_lag >= 0) verdict.p_now = chance_now(&probe, verdict.pick_at_lag);
    compare_pick(&probe, &verdict);
    verdict.tau_half = lag_tau_between(curves, n_curves, n_batches, lag_half_time(curves, n_curves, lag), lag);
    verdict.tau_0 = lag_tau_between(curves, n_curves, n_batches, 0, lag);
    *ret = verdict;
    return 0;
}

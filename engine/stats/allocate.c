/* Who is probed on after a rung, and for how long. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/allocate.h>
#include <math.h>
#include <stddef.h>

const char *const lag_allocator_names[] = {
    [LAG_ALLOCATE_ALL] = "all",
    [LAG_ALLOCATE_HALVING] = "halving",
    [LAG_ALLOCATE_RACE] = "race",
    [LAG_ALLOCATE_AUTO] = "auto",
    [LAG_N_ALLOCATORS] = NULL,
};
const char *const lag_step_names[] = {"go_on", "end", "extend", NULL};

int lag_rungs(int64_t first, int64_t steps, int64_t max_steps, int64_t ret[LAG_RUNGS_MAX]) {
    int halvings = 0, n = 0;
    if (first < 1 || steps < first) return 0;
    while (steps >> (halvings + 1) >= first) halvings++;
    for (; halvings >= 0; halvings--) ret[n++] = steps >> halvings;
    while (ret[n - 1] < max_steps && n < LAG_RUNGS_MAX) {
        const int64_t t = ret[n - 1];
        ret[n++] = t > max_steps / 2 ? max_steps : 2 * t;
    }
    return n;
}

/* --- who is where ------------------------------------------------------------------------------------------------ */

struct look {
    const struct lag_curve *curves;
    int n_curves, n_batches, leader;
    const struct lag_look *ask;
    struct lag_tail tail;
    double means[LAG_ALLOCATE_MOST];
    int ranks[LAG_ALLOCATE_MOST];
};

static bool is_on_its_way(const struct lag_curve *curve) { return !curve->diverged && curve->stopped == 0; }

/* May it be dropped? The leader and the reference may not. */
static bool is_rival(const struct look *look, int i) {
    return i != look->leader && look->ranks[i] > 0 && !look->curves[i].reference;
}

int lag_leader_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t) {
    double means[LAG_ALLOCATE_MOST];
    int ranks[LAG_ALLOCATE_MOST];
    if (n_curves > LAG_ALLOCATE_MOST) return -1;
    lag_rank_at(curves, n_curves, n_batches, t, means, ranks);
    for (int i = 0; i < n_curves; i++)
        if (ranks[i] == 1) return i;
    return -1;
}

double lag_least_p_end(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, const double *p_end) {
    double means[LAG_ALLOCATE_MOST], least = NAN;
    int ranks[LAG_ALLOCATE_MOST];
    if (!p_end || n_curves > LAG_ALLOCATE_MOST) return NAN;
    const int leader = lag_leader_at(curves, n_curves, n_batches, t);
    lag_rank_at(curves, n_curves, n_batches, t, means, ranks);
    for (int i = 0; i < n_curves; i++)
        if (i != leader && ranks[i] > 0) least = fmin(least, p_end[i]); /* a number of the two, where one is NaN */
    return least;
}

/* --- halving ----------------------------------------------------------------------------------------------------- */

static bool preserves(const struct look *look, int i) { return look->ask->preserving && look->ask->preserving[i]; }

/* How many that grow are ahead of this one: by rank, of equal ones the first by index. */
static int count_ahead(const struct look *look, int i, bool of_its_kind) {
    int n = 0;
    for (int j = 0; j < look->n_curves; j++) {
        if (j == i || look->ranks[j] < 1 || look->curves[j].reference) continue;
        if (of_its_kind && preserves(look, j) != preserves(look, i)) continue;
        n += look->ranks[j] < look->ranks[i] || (look->ranks[j] == look->ranks[i] && j < i);
    }
    return n;
}

static bool halving_drops(const struct look *look, int i) {
    int n = 0;
    for (int j = 0; j < look->n_curves; j++) n += look->ranks[j] > 0 && !look->curves[j].reference;
    if (count_ahead(look, i, false) < (n + 1) / 2) return false;
    return look->ask->number > 1 || count_ahead(look, i, true) > 0;
}

/* --- racing ------------------------------------------------------------------------------------------------------ */

static bool race_drops(const struct look *look, int i) {
    int n_ranked = 0;
    if (!look->ask->p_end || !(look->ask->p_end[i] >= LAG_ORDER_HOLDS)) return false;
    if (look->tail.n < LAG_TAIL_LEAST) return false; /* one draw of a curve that wobbles drops nobody */
    for (int j = 0; j < look->n_curves; j++) n_ranked += look->ranks[j] > 0;
    const double alpha = lag_alpha_at_look(look->ask->number) / LAG_MAX(2, n_ranked - 1);
    const struct lag_pair pair =
        lag_compare(&look->curves[i], &look->curves[look->leader], look->n_batches, &look->tail);
    return lag_pair_beats(&pair, alpha);
}

/* --- how long ---------------------------------------------------------------------------------------------------- */

/* Nothing that more steps could show would change the decision, or its basis. */
static bool needs_no_more(const struct lag_verdict *verdict) {
    return verdict->basis == LAG_BASIS_VERIFIED ||
           (verdict->basis == LAG_BASIS_NOTHING_TO_DECIDE && verdict->lag_short == 0);
}

static bool has_not_paid_off(const struct look *look, const struct lag_verdict *verdict) {
    return verdict->lag_short & LAG_SHORT_NONE_AHEAD || look->curves[look->leader].reference;
}

static enum lag_step find_step(const struct look *look, const struct lag_verdict *verdict) {
    const bool is_auto = look->ask->allocator == LAG_ALLOCATE_AUTO;
    if (look->leader < 0 || look->ask->next <= look->ask->t) return LAG_STEP_END;
    if (look->ask->t >= look->ask->steps)
        return is_auto && has_not_paid_off(look, verdict) ? LAG_STEP_EXTEND : LAG_STEP_END;
    return is_auto && needs_no_more(verdict) ? LAG_STEP_END : LAG_STEP_ON;
}

/* Whom the leader left behind is taken up again when the leader itself is found to be behind: what stopped it is worth
 * nothing then. */
static enum lag_fate find_fate(const struct look *look, enum lag_step step, int i) {
    const struct lag_curve *curve = &look->curves[i];
    if (!is_on_its_way(curve))
        return step == LAG_STEP_EXTEND && !curve->diverged ? LAG_FATE_TAKEN_UP : LAG_FATE_OUT;
    if (step != LAG_STEP_ON || !is_rival(look, i)) return LAG_FATE_KEPT;
    const bool drops = look->ask->allocator == LAG_ALLOCATE_HALVING ? halving_drops(look, i) : race_drops(look, i);
    return drops ? LAG_FATE_STOPPED : LAG_FATE_KEPT;
}

int lag_allocate(const struct lag_curve *curves, int n_curves, int n_batches, const struct lag_look *ask,
                 struct lag_rung *ret, enum lag_fate *ret_fate, bool *ret_tied) {
    struct look look = {.curves = curves, .n_curves = n_curves, .n_batches = n_batches, .ask = ask};
    struct lag_rung rung = {0};
    if (ask->allocator == LAG_ALLOCATE_ALL || n_curves > LAG_ALLOCATE_MOST) return LAG_EINVAL;
    rung.p_end = lag_least_p_end(curves, n_curves, n_batches, ask->t, ask->p_end);
    const struct lag_rule rule = {.delta = ask->delta, .look = ask->number, .p_end = rung.p_end};
    if (lag_select(curves, n_curves, n_batches, ask->t, &rule, &rung.verdict, ret_tied) != 0) return LAG_EINVAL;
    look.leader = rung.verdict.pick_at_lag;
    lag_rank_at(curves, n_curves, n_batches, ask->t, look.means, look.ranks);
    lag_tail_at(curves, n_curves, n_batches, ask->t, &look.tail);
    rung.step = find_step(&look, &rung.verdict);
    for (int i = 0; i < n_curves; i++) {
        ret_fate[i] = find_fate(&look, rung.step, i);
        rung.n_kept += ret_fate[i] == LAG_FATE_KEPT;
        rung.n_stopped += ret_fate[i] == LAG_FATE_STOPPED;
        rung.n_taken_up += ret_fate[i] == LAG_FATE_TAKEN_UP;
    }
    *ret = rung;
    return 0;
}

/* The prior: cases from the rows of decided growths, the table over them, and what they say of a pool. */
#include <lagd/daemon/prior.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/verdict.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const double lagd_prior_factors[LAGD_PRIOR_FACTORS] = {1.5, 2.5, 4.5, INFINITY};
const double lagd_prior_shares[LAGD_PRIOR_SHARES] = {0.1, 0.3, 0.6, INFINITY};

static int bin_of(double value, const double *ends, int n) {
    int i = 0;
    while (i < n - 1 && !(value <= ends[i])) i++;
    return i;
}

/* Attention and the feed-forward layer of each block. */
static double block_params(const struct lag_shape *shape) {
    const double width = (double)shape->n_embd, inner = shape->n_inner > 0 ? (double)shape->n_inner : 4 * width;
    return (double)shape->n_layer * (4 * width * width + 2 * width * inner);
}

double lagd_prior_factor(const struct lag_shape *from, const struct lag_shape *to) {
    return block_params(to) / fmax(1, block_params(from));
}

static double share_of(int64_t start, int64_t max_steps) {
    return (double)LAG_MAX(0, start) / (double)LAG_MAX(1, max_steps);
}

/* --- cases ------------------------------------------------------------------------------------------------------- */

/* Its loss; infinite: it was dropped; NaN: it is not ranked, as one that was never probed. */
static double standing(const struct lag_prior_candidate_row *row) {
    if (!row->eligible) return NAN;
    if (lagd_candidate_is(row->state, LAGD_CANDIDATE_COMPLETED))
        return isfinite(row->loss_at_lag) ? row->loss_at_lag : INFINITY;
    const bool dropped = lagd_candidate_is(row->state, LAGD_CANDIDATE_DIVERGED) ||
                         lagd_candidate_is(row->state, LAGD_CANDIDATE_STOPPED);
    return dropped ? INFINITY : NAN;
}

struct field { int n; double best, worst; }; /* who is ranked in a growth */

static struct field field_of(const struct lag_prior_candidate_row *rows, int n) {
    struct field field = {0, INFINITY, -INFINITY};
    for (int i = 0; i < n; i++) {
        const double loss = standing(&rows[i]);
        field.n += !isnan(loss);
        if (!isfinite(loss)) continue;
        field.best = fmin(field.best, loss);
        field.worst = fmax(field.worst, loss);
    }
    return field;
}

static int rank_of(const struct lag_prior_candidate_row *rows, int n, double loss) {
    int rank = 1;
    for (int i = 0; i < n; i++) rank += standing(&rows[i]) < loss;
    return rank;
}

static bool has_won(const struct lag_prior_growth_row *growth, const struct lag_prior_candidate_row *row,
                    bool is_final) {
    if (strcmp(growth->pick_at_lag, row->id) != 0) return false;
    return is_final ? !growth->tied : strcmp(growth->basis, lag_basis_names[LAG_BASIS_VERIFIED]) == 0;
}

int lagd_prior_add(struct lagd_prior *prior, const struct lag_prior_growth_row *growth,
                   const struct lag_prior_candidate_row *rows, int n) {
    const struct field field = field_of(rows, n);
    const bool is_final = lagd_study_is(growth->study_state, LAGD_STUDY_COMPLETED);
    if (field.n < 2 || !isfinite(field.best) || (!is_final && strcmp(growth->mode, "study") == 0)) return 0;
    if (lag_grow_array((void **)&prior->cases, &prior->capacity, prior->n_cases + (size_t)n, sizeof(*prior->cases)) < 0)
        return LAG_ENOMEM;
    const double factor = lagd_prior_factor(&growth->from, &growth->to), spread = field.worst - field.best;
    for (int i = 0; i < n; i++) {
        const double loss = standing(&rows[i]);
        if (isnan(loss)) continue;
        struct lagd_prior_case *one = &prior->cases[prior->n_cases++];
        *one = (struct lagd_prior_case){.growth = prior->n_all, .is_final = is_final, .n_ranked = field.n,
                                        .factor = bin_of(factor, lagd_prior_factors, LAGD_PRIOR_FACTORS),
                                        .share = bin_of(share_of(growth->start_step, growth->max_steps),
                                                        lagd_prior_shares, LAGD_PRIOR_SHARES),
                                        .rank = rank_of(rows, n, loss), .won = has_won(growth, &rows[i], is_final),
                                        .regret = NAN, .of_spread = NAN};
        (void)lag_copy(one->op, sizeof(one->op), rows[i].op);
        if (!is_final || !isfinite(loss)) continue;
        one->regret = loss - field.best;
        if (spread > 0) one->of_spread = one->regret / spread;
    }
    prior->n_growths[is_final]++;
    prior->n_all++;
    return 0;
}

/* --- from the database --- */

struct loading {
    struct lag_db *db;
    struct lagd_prior prior;
    struct lag_prior_candidate_row rows[LAGD_STRATEGIES_MAX + 1];
    int n;
    struct lag_error *err;
};

static int add_candidate(const struct lag_prior_candidate_row *row, void *arg) {
    struct loading *loading = arg;
    if (loading->n < (int)LAG_COUNT(loading->rows)) loading->rows[loading->n++] = *row;
    return 0;
}

static int add_growth(const struct lag_prior_growth_row *row, void *arg) {
    struct loading *loading = arg;
    loading->n = 0;
    int rc = lag_prior_candidates(loading->db, row->growth_id, add_candidate, loading, loading->err);
    return rc == 0 ? lagd_prior_add(&loading->prior, row, loading->rows, loading->n) : rc;
}

int lagd_prior_load(struct lag_db *db, struct lagd_prior *ret, struct lag_error *err) {
    struct loading *loading = lag_calloc(1, sizeof(*loading));
    int rc = loading ? 0 : LAG_ENOMEM;
    *ret = (struct lagd_prior){0};
    if (loading) {
        loading->db = db;
        loading->err = err;
        rc = lag_prior_growths(db, LAGD_PRIOR_GROWTHS_MAX, add_growth, loading, err);
        *ret = loading->prior;
    }
    free(loading);
    if (rc < 0) lagd_prior_deinit(ret);
    return rc == LAG_ENOMEM ? lag_error_set(err, rc, "out of memory for the prior") : rc;
}

void lagd_prior_deinit(struct lagd_prior *prior) {
    free(prior->cases);
    *prior = (struct lagd_prior){0};
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static double place_of(const struct lagd_prior_case *one) {
    return (double)(one->rank - 1) / (double)(one->n_ranked - 1);
}

static int by_kind(const void *a, const void *b) {
    const struct lagd_prior_entry *x = a, *y = b;
    const int by_op = strcmp(x->op, y->op);
    return by_op ? by_op : x->factor != y->factor ? x->factor - y->factor : x->share - y->share;
}

static struct lagd_prior_entry *entry_of(struct lagd_prior_entry *entries, size_t *n,
                                         const struct lagd_prior_case *one) {
    for (size_t i = 0; i < *n; i++)
        if (entries[i].factor == one->factor && entries[i].share == one->share && strcmp(entries[i].op, one->op) == 0)
            return &entries[i];
    struct lagd_prior_entry *entry = &entries[(*n)++];
    *entry = (struct lagd_prior_entry){.factor = one->factor, .share = one->share};
    (void)lag_copy(entry->op, sizeof(entry->op), one->op);
    return entry;
}

/* Sums; n_regrets and n_spreads: of how many. */
struct sums { int n_regrets, n_spreads; };

static void add_case(struct lagd_prior_tally *tally, struct sums *sums, const struct lagd_prior_case *one) {
    tally->n_cases++;
    tally->n_wins += one->won;
    tally->mean_rank += one->rank;
    tally->mean_ranked += one->n_ranked;
    tally->place += place_of(one);
    if (!isnan(one->regret)) {
        tally->regret += one->regret;
        sums->n_regrets++;
    }
    if (!isnan(one->of_spread)) {
        tally->of_spread += one->of_spread;
        sums->n_spreads++;
    }
}

static void divide(struct lagd_prior_tally *tally, const struct sums *sums) {
    const double n = tally->n_cases > 0 ? tally->n_cases : NAN;
    tally->mean_rank /= n;
    tally->mean_ranked /= n;
    tally->place /= n;
    tally->regret = sums->n_regrets > 0 ? tally->regret / sums->n_regrets : NAN;
    tally->of_spread = sums->n_spreads > 0 ? tally->of_spread / sums->n_spreads : NAN;
}

int lagd_prior_table(const struct lagd_prior *prior, struct lagd_prior_entry **ret, size_t *ret_n) {
    struct lagd_prior_entry *entries = lag_calloc(prior->n_cases + 1, sizeof(*entries));
    struct sums(*sums)[2] = lag_calloc(prior->n_cases + 1, sizeof(*sums));
    size_t n = 0;
    if (!entries || !sums) {
        free(entries);
        free(sums);
        return LAG_ENOMEM;
    }
    for (size_t i = 0; i < prior->n_cases; i++) {
        const struct lagd_prior_case *one = &prior->cases[i];
        struct lagd_prior_entry *entry = entry_of(entries, &n, one);
        add_case(one->is_final ? &entry->finals : &entry->lags, &sums[entry - entries][one->is_final], one);
    }
    for (size_t i = 0; i < n; i++) {
        divide(&entries[i].lags, &sums[i][0]);
        divide(&entries[i].finals, &sums[i][1]);
    }
    free(sums);
    qsort(entries, n, sizeof(*entries), by_kind);
    *ret = entries;
    *ret_n = n;
    return 0;
}

/* --- what it says of a pool -------------------------------------------------------------------------------------- */

enum like { LIKE_BOTH, LIKE_FACTOR, LIKE_ANY, N_LIKES };
static const char *const like_names[N_LIKES] = {"both", "factor", "any"};

struct asking {
    const struct lagd_prior *prior;
    const struct lagd_growth_plan *plan;
    int factor, share;
    bool finals;
    enum like like;
};

static bool counts(const struct asking *ask, const struct lagd_prior_case *one) {
    if (one->is_final != ask->finals) return false;
    if (ask->like <= LIKE_FACTOR && one->factor != ask->factor) return false;
    return ask->like != LIKE_BOTH || one->share == ask->share;
}

static bool is_asked(const struct asking *ask, const char *op) {
    for (int i = 0; i < ask->plan->n_candidates; i++)
        if (ask->plan->candidates[i].eligible && strcmp(ask->plan->candidates[i].op, op) == 0) return true;
    return false;
}

/* Cases of a growth follow each other. */
static int count_growths(const struct asking *ask) {
    int n = 0, last = -1;
    for (size_t i = 0; i < ask->prior->n_cases; i++) {
        const struct lagd_prior_case *one = &ask->prior->cases[i];
        if (one->growth == last || !counts(ask, one) || !is_asked(ask, one->op)) continue;
        last = one->growth;
        n++;
    }
    return n;
}

static double rate(const struct asking *ask, const char *op) {
    double sum = 0.5;
    int n = 0;
    for (size_t i = 0; i < ask->prior->n_cases; i++) {
        const struct lagd_prior_case *one = &ask->prior->cases[i];
        if (!counts(ask, one) || strcmp(one->op, op) != 0) continue;
        sum += place_of(one);
        n++;
    }
    return n > 0 ? sum / (n + 1) : NAN;
}

void lagd_prior_rate(const struct lagd_prior *prior, double factor, double share, struct lagd_growth_plan *plan) {
    struct asking ask = {.prior = prior, .plan = plan,
                         .factor = bin_of(factor, lagd_prior_factors, LAGD_PRIOR_FACTORS),
                         .share = bin_of(share, lagd_prior_shares, LAGD_PRIOR_SHARES)};
    plan->prior_cases = 0;
    plan->prior_of[0] = plan->prior_like[0] = '\0';
    for (int i = 0; i < plan->n_candidates; i++) plan->candidates[i].prior = NAN;
    for (int k = 0; k < 2 * N_LIKES; k++) {
        ask.finals = k < N_LIKES;
        ask.like = (enum like)(k % N_LIKES);
        const int n = count_growths(&ask);
        if (n < LAGD_PRIOR_LEAST) continue;
        plan->prior_cases = n;
        (void)lag_copy(plan->prior_of, sizeof(plan->prior_of), ask.finals ? "finals" : "lags");
        (void)lag_copy(plan->prior_like, sizeof(plan->prior_like), like_names[ask.like]);
        for (int i = 0; i < plan->n_candidates; i++)
            if (plan->candidates[i].eligible) plan->candidates[i].prior = rate(&ask, plan->candidates[i].op);
        return;
    }
}

int lagd_prior_know(struct lag_db *db, int64_t start, int64_t max_steps, struct lagd_growth_plan *plan,
                    struct lag_error *err) {
    struct lagd_prior prior;
    int rc = lagd_prior_load(db, &prior, err);
    if (rc < 0) return rc;
    lagd_prior_rate(&prior, lagd_prior_factor(&plan->from, &plan->to), share_of(start, max_steps), plan);
    lagd_prior_deinit(&prior);
    return 0;
}

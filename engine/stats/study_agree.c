/* How well the losses at t tell the order of the finals: correlations, their bootstrap, and who they rest on. */
#include "stats/pairs_internal.h"
#include "stats/study_internal.h"
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of one group at one time. A pair's sign is +1 where both times order it alike, -1 where not, 0 of a tie. Lanes hold
 * at most n²/4 ≤ 16384 (LAG_STUDY_CANDIDATES). */
struct signs {
    int n, n_blocks;
    lag_lanes *above; /* [n][n_blocks] signs of the pairs (i, j > i) */
    int *ties_a, *ties_b; /* [n] class of equal values: the first index of it; -1: not ranked here */
    bool tied_a, tied_b;  /* is any class larger than one? */
    double *sum, *untied_a, *untied_b; /* [n] of the pairs that i is in */
};

/* What the draws need besides: [n_groups][LAG_STUDY_DRAWS], from the finals alone. */
struct untied {
    double *none, *finals; /* pairs of two candidates that differ; and whose finals do */
};

/* What the draws add up at one time, [LAG_STUDY_DRAWS]. */
struct sums { double *all, *drawn, *n_all, *n_drawn; };

static int order(double x, double y) { return (x > y) - (x < y); }

static bool find_ties(const double *x, int n, int *ret_class) {
    bool tied = false;
    for (int i = 0; i < n; i++) {
        ret_class[i] = isnan(x[i]) ? -1 : i;
        for (int j = 0; j < i && ret_class[i] == i; j++)
            if (x[j] == x[i]) ret_class[i] = ret_class[j];
        tied |= ret_class[i] >= 0 && ret_class[i] != i;
    }
    return tied;
}

static void fill_signs(const double *a, const double *b, struct signs *signs) {
    const int n = signs->n;
    int16_t *above = (int16_t *)signs->above;
    memset(signs->above, 0, (size_t)n * (size_t)signs->n_blocks * sizeof(*signs->above));
    for (int i = 0; i < n; i++) signs->sum[i] = signs->untied_a[i] = signs->untied_b[i] = 0;
    for (int i = 0; i < n; i++) {
        for (int j = i + 1; j < n; j++) {
            if (isnan(a[i]) || isnan(a[j])) continue;
            const int in_a = order(a[i], a[j]), in_b = order(b[i], b[j]);
            above[i * signs->n_blocks * LAG_LANES + j] = (int16_t)(in_a * in_b);
            signs->sum[i] += in_a * in_b;
            signs->sum[j] += in_a * in_b;
            signs->untied_a[i] += in_a != 0;
            signs->untied_a[j] += in_a != 0;
            signs->untied_b[i] += in_b != 0;
            signs->untied_b[j] += in_b != 0;
        }
    }
    signs->tied_a = find_ties(a, n, signs->ties_a);
    signs->tied_b = find_ties(b, n, signs->ties_b);
}

/* --- a draw ------------------------------------------------------------------------------------------------------ */

/* Pairs of drawn candidates that are in different classes; two of one candidate are a tie. */
static double count_untied(const int16_t *weights, const int *classes, int n) {
    double in_class[LAG_STUDY_CANDIDATES] = {0}, total = 0, tied = 0;
    for (int i = 0; i < n; i++) {
        if (classes[i] < 0) continue;
        in_class[classes[i]] += weights[i];
        total += weights[i];
    }
    for (int i = 0; i < n; i++) tied += in_class[i] * in_class[i];
    return (total * total - tied) / 2;
}

static double sum_signs(const struct signs *signs, const lag_lanes *drawn) {
    const int16_t *weights = (const int16_t *)drawn;
    lag_lanes total = {0};
    for (int i = 0; i < signs->n; i++) {
        if (weights[i] == 0) continue;
        const lag_lanes *row = signs->above + i * signs->n_blocks;
        lag_lanes sum = {0};
        for (int b = i / LAG_LANES; b < signs->n_blocks; b++) sum += row[b] * drawn[b];
        total += sum * weights[i];
    }
    double all = 0;
    for (int lane = 0; lane < LAG_LANES; lane++) all += total[lane];
    return all;
}

static void count_finals(const struct lag_study_draws *draws, const struct signs *signs, double *ret_none,
                         double *ret_finals) {
    int each[LAG_STUDY_CANDIDATES];
    for (int i = 0; i < signs->n; i++) each[i] = signs->ties_b[i] < 0 ? -1 : i;
    for (int d = 0; d < LAG_STUDY_DRAWS; d++) {
        const int16_t *weights = (const int16_t *)(draws->candidates + d * draws->n_blocks);
        ret_none[d] = count_untied(weights, each, signs->n);
        ret_finals[d] = signs->tied_b ? count_untied(weights, signs->ties_b, signs->n) : ret_none[d];
    }
}

/* Returns the variance over the draws of candidates of this group's τ about its own. */
static double add_draws(const struct lag_study_draws *draws, const struct signs *signs, int g, double own,
                        const struct untied *untied, struct sums *sums) {
    double squares = 0;
    int n = 0;
    for (int d = 0; d < LAG_STUDY_DRAWS; d++) {
        const lag_lanes *drawn = draws->candidates + d * draws->n_blocks;
        const double in_b = untied->finals[g * LAG_STUDY_DRAWS + d], times = draws->groups[d * draws->n_groups + g];
        const double in_a = signs->tied_a ? count_untied((const int16_t *)drawn, signs->ties_a, signs->n)
                                          : untied->none[g * LAG_STUDY_DRAWS + d];
        sums->drawn[d] += times * own;
        sums->n_drawn[d] += times;
        if (!(in_a > 0 && in_b > 0)) continue;
        const double tau = sum_signs(signs, drawn) / sqrt(in_a * in_b);
        sums->all[d] += tau;
        sums->n_all[d]++;
        squares += (tau - own) * (tau - own);
        n++;
    }
    return n > 0 ? squares / n : 0;
}

static double accuracy(double tau) { return (tau + 1) / 2; }

/* What the groups in which τ is known say together. */
struct spread { double tau, squares, within; int n; };

static void add_spread(struct spread *spread, double tau, double within) {
    spread->tau += tau;
    spread->squares += tau * tau;
    spread->within += within;
    spread->n++;
}

/* The share of the groups' differences that is their own, as a factor of deviations. The rest is what each group's few
 * candidates leave open, and comes with the draws of candidates: over G groups, these vary by V = σ_c² + σ² / G
 * together, and by W = σ_c² + σ² in one group; the groups vary by S² = σ_g² + σ². */
static double own_share(const struct spread *spread, double together) {
    const int n = spread->n;
    if (n < 2) return 0;
    const double between = (spread->squares - spread->tau * spread->tau / n) / (n - 1);
    const double shared = fmax(0, spread->within / n - together) * n / (n - 1);
    return between > 0 ? sqrt(fmax(0, between - shared) / between) : 0;
}

/* The draws of pair accuracy, and its interval. */
static void close_draws(const struct lag_study_draws *draws, const struct spread *spread, struct sums *sums,
                        struct lag_study_agreement *agreement, double *ret_curve) {
    const double tau = agreement->tau_b;
    double together = 0;
    for (int d = 0; d < LAG_STUDY_DRAWS; d++) {
        sums->all[d] = sums->all[d] / sums->n_all[d] - tau;
        sums->drawn[d] = sums->drawn[d] / sums->n_drawn[d] - tau;
        if (!isnan(sums->all[d])) together += sums->all[d] * sums->all[d] / LAG_STUDY_DRAWS;
    }
    const double by_groups = draws->widen_groups * own_share(spread, together);
    const bool is_drawn = draws->widen_groups > 0 || draws->widen_candidates > 0;
    for (int d = 0; d < LAG_STUDY_DRAWS; d++) {
        const double moved = draws->widen_candidates * sums->all[d] + by_groups * sums->drawn[d];
        ret_curve[d] = is_drawn ? accuracy(tau + moved) : NAN;
        sums->all[d] = fmin(1, fmax(0, ret_curve[d]));
        if (isnan(ret_curve[d])) sums->all[d] = NAN;
    }
    agreement->low = lag_study_quantile(sums->all, LAG_STUDY_DRAWS, (1 - LAG_CONFIDENCE) / 2);
    agreement->high = lag_study_quantile(sums->all, LAG_STUDY_DRAWS, (1 + LAG_CONFIDENCE) / 2);
}

/* --- one time ---------------------------------------------------------------------------------------------------- */

static double tau_of(double sum, double untied_a, double untied_b) {
    return untied_a > 0 && untied_b > 0 ? sum / sqrt(untied_a * untied_b) : NAN;
}

static double total(const double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    return sum / 2; /* a pair is in two sums */
}

/* A mean over the groups in which it is known. */
struct known { double sum; int n; };

static void add_known(struct known *known, double x) {
    if (isnan(x)) return;
    known->sum += x;
    known->n++;
}

static double mean_known(const struct known *known) { return known->n > 0 ? known->sum / known->n : NAN; }

struct point_sums { struct known pearson, spearman, tau, beyond, without[LAG_STUDY_CANDIDATES]; };

static double tau_beyond(const double *a, const double *b, int n, double delta) {
    struct lag_pairs pairs = {0};
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            if (fabs(b[i] - b[j]) > delta) lag_pairs_add(&pairs, a[i], a[j], b[i], b[j]);
    return lag_pairs_tau(&pairs);
}

/* Returns τ. */
static double add_group(const double *a, const double *b, double delta, const struct signs *signs,
                        struct point_sums *sums) {
    double x[LAG_STUDY_CANDIDATES], y[LAG_STUDY_CANDIDATES];
    int n = 0;
    for (int i = 0; i < signs->n; i++) {
        if (isnan(a[i])) continue;
        x[n] = a[i];
        y[n++] = b[i];
    }
    const double sum = total(signs->sum, signs->n), in_a = total(signs->untied_a, signs->n),
                 in_b = total(signs->untied_b, signs->n), tau = tau_of(sum, in_a, in_b);
    add_known(&sums->pearson, lag_pearson(x, y, n));
    add_known(&sums->spearman, lag_spearman(x, y, n));
    add_known(&sums->tau, tau);
    add_known(&sums->beyond, tau_beyond(x, y, n, delta));
    for (int i = 0; i < signs->n; i++)
        add_known(&sums->without[i],
                  tau_of(sum - signs->sum[i], in_a - signs->untied_a[i], in_b - signs->untied_b[i]));
    return tau;
}

static void put_point(const struct point_sums *sums, int n, struct lag_study_agreement *ret) {
    ret->pearson = mean_known(&sums->pearson);
    ret->spearman = mean_known(&sums->spearman);
    ret->tau_b = mean_known(&sums->tau);
    ret->pair_accuracy = accuracy(ret->tau_b);
    ret->beyond_delta = accuracy(mean_known(&sums->beyond));
    ret->without_low = ret->without_high = NAN;
    for (int i = 0; i < n; i++) {
        const double without = accuracy(mean_known(&sums->without[i]));
        ret->without_low = fmin(ret->without_low, without);
        ret->without_high = fmax(ret->without_high, without);
    }
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

static void cut(double **memory, size_t n, double **ret) {
    *ret = *memory;
    *memory += n;
}

int lag_study_agree(const struct lag_study_table *table, const struct lag_study_draws *draws,
                    struct lag_study_point *points, double *ret_curves) {
    const size_t n = (size_t)table->n_ranked, n_cells = (size_t)table->n_groups * LAG_STUDY_DRAWS;
    LAG_CLEANUP(lag_free_p) double *memory = lag_calloc(2 * n_cells + 4 * LAG_STUDY_DRAWS + 3 * n, sizeof(*memory));
    LAG_CLEANUP(lag_free_p) int *classes = lag_calloc(2 * n, sizeof(*classes));
    LAG_CLEANUP(lag_free_p) lag_lanes *above = lag_calloc(n * (size_t)draws->n_blocks, sizeof(*above));
    if (!memory || !classes || !above) return LAG_ENOMEM;
    struct signs signs = {.n = table->n_ranked, .n_blocks = draws->n_blocks, .above = above, .ties_a = classes,
                          .ties_b = classes + n};
    struct untied untied;
    struct sums sums;
    double *rest = memory;
    double **const all_sums[] = {&sums.all, &sums.drawn, &sums.n_all, &sums.n_drawn};
    double *const first_sum = rest;
    for (int i = 0; i < 4; i++) cut(&rest, LAG_STUDY_DRAWS, all_sums[i]);
    cut(&rest, n_cells, &untied.none);
    cut(&rest, n_cells, &untied.finals);
    cut(&rest, n, &signs.sum);
    cut(&rest, n, &signs.untied_a);
    cut(&rest, n, &signs.untied_b);
    for (int k = 0; k < table->n_times; k++) {
        struct point_sums point = {0};
        struct spread spread = {0};
        memset(first_sum, 0, 4 * LAG_STUDY_DRAWS * sizeof(*first_sum));
        for (int g = 0; g < table->n_groups; g++) {
            const double *a = lag_study_row(table, g, k), *b = lag_study_finals(table, g);
            const size_t at = (size_t)g * LAG_STUDY_DRAWS;
            fill_signs(a, b, &signs);
            if (k == 0) count_finals(draws, &signs, untied.none + at, untied.finals + at);
            const double tau = add_group(a, b, table->study->delta, &signs, &point);
            if (!isnan(tau)) add_spread(&spread, tau, add_draws(draws, &signs, g, tau, &untied, &sums));
        }
        put_point(&point, table->n_ranked, &points[k].agreement);
        close_draws(draws, &spread, &sums, &points[k].agreement, ret_curves + (size_t)k * LAG_STUDY_DRAWS);
    }
    return 0;
}

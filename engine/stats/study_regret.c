/* What is lost by picking at t, beside a random pick, and what the probing takes. */
#include "stats/study_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>

/* --- the pick of a group ----------------------------------------------------------------------------------------- */

/* The lowest of the known ones; n_best of them are equal to it. */
struct range { double low, high, mean; int first_low, n_low, n; };

static struct range range_of(const double *x, int n) {
    struct range range = {.low = INFINITY, .high = -INFINITY, .mean = 0, .first_low = -1};
    for (int i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        range.n++;
        range.mean += x[i];
        range.high = fmax(range.high, x[i]);
        if (range.first_low < 0 || x[i] < range.low) {
            range.low = x[i];
            range.first_low = i;
            range.n_low = 0;
        }
        range.n_low += x[i] == range.low;
    }
    range.mean /= range.n;
    return range;
}

/* Regret of the pick by row; of exact ties their mean. */
static double regret_of(const double *row, const double *finals, const struct range *picked, const struct range *final,
                        int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        if (row[i] == picked->low) sum += finals[i] - final->low;
    return sum / picked->n_low;
}

static const struct lag_study_group *group_of(const struct lag_study_table *table, int g) {
    return &table->study->groups[table->groups[g].group];
}

static double steps_until(const struct lag_curve *curve, int64_t t) {
    if (!curve->diverged) return (double)t;
    return curve->n_evals < 1 ? 0 : (double)LAG_MIN(t, curve->t[curve->n_evals - 1]);
}

/* --- intervals --------------------------------------------------------------------------------------------------- */

/* Of one candidate's regret by the batches of the finals. */
static void batch_interval(const struct lag_study_table *table, int g, int pick, double *ret_low, double *ret_high) {
    const struct lag_study_group *group = group_of(table, g);
    const double *finals = lag_study_finals(table, g);
    const struct lag_curve *others[LAG_STUDY_CANDIDATES];
    int n = 0;
    for (int j = 0; j < table->n_ranked; j++)
        if (j != pick && !isnan(finals[j])) others[n++] = &group->curves[table->candidates[j]];
    lag_regret_bounds(&group->curves[table->candidates[pick]], others, n, group->n_batches, table->study->horizon,
                      ret_low, ret_high);
}

/* Bounds by the batches, made when first asked for: [n_groups][n_ranked], NaN before. */
struct bounds { double *low, *high; };

/* Of a group's pick by row; of exact ties the mean of their bounds. */
static void add_batches(const struct lag_study_table *table, const struct bounds *bounds, int g, const double *row,
                        const struct range *picked, struct lag_interval *sum) {
    for (int i = 0; i < table->n_ranked; i++) {
        if (row[i] != picked->low) continue;
        double *low = &bounds->low[g * table->n_ranked + i], *high = &bounds->high[g * table->n_ranked + i];
        if (isnan(*low)) batch_interval(table, g, i, low, high);
        sum->low += *low / picked->n_low / table->n_groups;
        sum->high += *high / picked->n_low / table->n_groups;
    }
}

/* By the groups, and at least as wide as by the batches. */
static void find_interval(const struct lag_study_draws *draws, const double *by_group,
                          const struct lag_interval *batches, struct lag_study_regret *regret) {
    double means[LAG_STUDY_DRAWS];
    for (int d = 0; d < LAG_STUDY_DRAWS; d++) {
        double moved = 0;
        for (int g = 0; g < draws->n_groups; g++)
            moved += draws->groups[d * draws->n_groups + g] * (by_group[g] - regret->regret);
        means[d] = fmax(0, regret->regret + draws->widen_groups * moved / draws->n_groups);
    }
    regret->low = fmin(batches->low, lag_study_quantile(means, LAG_STUDY_DRAWS, (1 - LAG_CONFIDENCE) / 2));
    regret->high = fmax(batches->high, lag_study_quantile(means, LAG_STUDY_DRAWS, (1 + LAG_CONFIDENCE) / 2));
}

/* --- one time ---------------------------------------------------------------------------------------------------- */

static double own_flops(const struct lag_study_table *table, int g, int k, int candidate) {
    return group_of(table, g)->curves[candidate].start_cost +
           (double)table->times[k] * table->study->step_flops[candidate];
}

/* All candidates up to t, and of these the picked ones' own. */
static void add_cost(const struct lag_study_table *table, int g, int k, const struct range *picked,
                     struct lag_study_regret *regret) {
    const struct lag_study *study = table->study;
    const double *row = lag_study_row(table, g, k), share = 1.0 / table->n_groups;
    for (int i = 0; i < study->n_candidates; i++) {
        const double steps = steps_until(&group_of(table, g)->curves[i], table->times[k]);
        const double start = group_of(table, g)->curves[i].start_cost;
        const double flops = study->step_flops ? start + steps * study->step_flops[i] : NAN;
        regret->probe_steps += share * steps;
        regret->probe_flops += share * flops;
        regret->lost_flops += share * flops;
    }
    for (int i = 0; study->step_flops && i < table->n_ranked; i++)
        if (row[i] == picked->low)
            regret->lost_flops -= share * own_flops(table, g, k, table->candidates[i]) / picked->n_low;
}

/* The candidate that most groups pick, the first of equal ones. */
static void find_common_pick(const int *picks, int n_groups, int n_candidates, struct lag_study_regret *regret) {
    regret->pick = -1;
    for (int i = 0; i < n_candidates; i++) {
        int n = 0;
        for (int g = 0; g < n_groups; g++) n += picks[g] == i;
        if (n <= regret->n_picked) continue;
        regret->pick = i;
        regret->n_picked = n;
    }
}

static void find_regret(const struct lag_study_table *table, const struct lag_study_draws *draws, int k,
                        const struct bounds *bounds, double *by_group, struct lag_study_report *report) {
    struct lag_study_regret regret = {0};
    struct lag_interval batches = {0};
    int n_spread = 0;
    int *picks = report->picks + (size_t)k * (size_t)report->n_groups;
    for (int g = 0; g < table->n_groups; g++) {
        const double *row = lag_study_row(table, g, k), *finals = lag_study_finals(table, g);
        const struct range picked = range_of(row, table->n_ranked), final = range_of(finals, table->n_ranked);
        const double spread = final.high - final.low;
        by_group[g] = regret_of(row, finals, &picked, &final, table->n_ranked);
        regret.regret += by_group[g] / table->n_groups;
        if (spread > 0) regret.of_spread += by_group[g] / spread;
        n_spread += spread > 0;
        picks[table->groups[g].group] = table->candidates[picked.first_low];
        report->n_tied[(size_t)k * (size_t)report->n_groups + (size_t)table->groups[g].group] = picked.n_low;
        add_cost(table, g, k, &picked, &regret);
        add_batches(table, bounds, g, row, &picked, &batches);
    }
    regret.of_spread = n_spread > 0 ? regret.of_spread / n_spread : NAN;
    find_common_pick(picks, report->n_groups, report->n_candidates, &regret);
    find_interval(draws, by_group, &batches, &regret);
    report->points[k].regret = regret;
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

/* What does not depend on t. */
static void find_others(const struct lag_study_table *table, struct lag_study_report *report) {
    double prior = 0;
    int n_prior = 0;
    report->spread = report->random = 0;
    for (int g = 0; g < table->n_groups; g++) {
        const double *finals = lag_study_finals(table, g);
        const struct range final = range_of(finals, table->n_ranked);
        report->spread += (final.high - final.low) / table->n_groups;
        report->random += (final.mean - final.low) / table->n_groups;
        for (int i = 0; i < table->n_ranked; i++) {
            if (table->candidates[i] != table->study->prior || isnan(finals[i])) continue;
            prior += finals[i] - final.low;
            n_prior++;
        }
    }
    report->prior = n_prior > 0 ? prior / n_prior : NAN;
}

static void find_sufficient(struct lag_study_report *report, const struct lag_study *study) {
    report->sufficient_steps = -1;
    report->sufficient_share = NAN;
    for (int k = report->n_points - 2; k >= 0 && report->points[k].regret.high <= study->delta; k--) {
        report->sufficient_steps = report->points[k].t;
        report->sufficient_share = report->points[k].share;
    }
}

int lag_study_regrets(const struct lag_study_table *table, const struct lag_study_draws *draws,
                      struct lag_study_report *report) {
    const size_t n_groups = (size_t)table->n_groups, n_bounds = n_groups * (size_t)table->n_ranked;
    LAG_CLEANUP(lag_free_p) double *memory = lag_calloc(2 * n_bounds + n_groups, sizeof(*memory));
    if (!memory) return LAG_ENOMEM;
    const struct bounds bounds = {memory, memory + n_bounds};
    for (size_t i = 0; i < n_bounds; i++) bounds.low[i] = NAN;
    for (int i = 0; i < report->n_points * report->n_groups; i++) report->picks[i] = -1;
    for (int k = 0; k < table->n_times; k++)
        find_regret(table, draws, k, &bounds, memory + 2 * n_bounds, report);
    find_others(table, report);
    find_sufficient(report, table->study);
    return 0;
}

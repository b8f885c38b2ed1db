/* A study's report, put together from its parts. */
#include "stats/study_internal.h"
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>

/* --- reliability ------------------------------------------------------------------------------------------------- */

/* Variance of x over the ranked ones of a group, by its sums. */
struct moments { double sum, squares; int n; };

static double variance(const struct moments *moments) {
    return (moments->squares - moments->sum * moments->sum / moments->n) / (moments->n - 1);
}

/* The losses of the i-th ranked candidate at the horizon; NULL: it is not ranked in this group. */
static const double *final_losses(const struct lag_study_table *table, int g, int i) {
    const struct lag_study_group *group = &table->study->groups[table->groups[g].group];
    const struct lag_curve *curve = &group->curves[table->candidates[i]];
    return lag_study_ranks(curve) ? lag_losses_at(curve, group->n_batches, table->study->horizon) : NULL;
}

static bool batch_is_whole(const struct lag_study_table *table, int g, int batch) {
    for (int i = 0; i < table->n_ranked; i++) {
        const double *losses = final_losses(table, g, i);
        if (losses && isnan(losses[batch])) return false;
    }
    return true;
}

/* Cronbach's α = B/(B - 1) (1 - Σ S_b² / S²) over the B batches that all have. Each batch is taken against its own
 * mean over the candidates, so that the sums of squares lose no digits. */
static double reliability(const struct lag_study_table *table, int g) {
    double totals[LAG_STUDY_CANDIDATES] = {0}, items = 0;
    int n_batches = 0;
    for (int b = 0; b < table->study->groups[table->groups[g].group].n_batches; b++) {
        struct moments item = {0};
        double middle = 0;
        if (!batch_is_whole(table, g, b)) continue;
        for (int pass = 0; pass < 2; pass++) {
            item = (struct moments){0};
            for (int i = 0; i < table->n_ranked; i++) {
                const double *losses = final_losses(table, g, i);
                if (!losses) continue;
                const double x = losses[b] - middle;
                item.sum += x;
                item.squares += x * x;
                item.n++;
                if (pass == 1) totals[i] += x;
            }
            middle += item.sum / item.n;
        }
        items += variance(&item);
        n_batches++;
    }
    struct moments all = {0};
    for (int i = 0; i < table->n_ranked; i++) {
        if (!final_losses(table, g, i)) continue;
        all.sum += totals[i];
        all.squares += totals[i] * totals[i];
        all.n++;
    }
    if (n_batches < 2 || !(variance(&all) > 0)) return NAN;
    return fmin(1, fmax(0, n_batches / (n_batches - 1.0) * (1 - items / variance(&all))));
}

double lag_study_ceiling(const struct lag_study_table *table) {
    double sum = 0;
    int n = 0;
    for (int g = 0; g < table->n_groups; g++) {
        const double alpha = reliability(table, g);
        if (isnan(alpha)) continue;
        sum += alpha;
        n++;
    }
    return n > 0 ? sum / n : NAN;
}

/* --- the report -------------------------------------------------------------------------------------------------- */

static int allocate(const struct lag_study_table *table, struct lag_study_report *report) {
    const size_t points = (size_t)report->n_points, groups = (size_t)report->n_groups;
    report->points = lag_calloc(points, sizeof(*report->points));
    report->finals = lag_calloc(groups * (size_t)report->n_candidates, sizeof(*report->finals));
    report->picks = lag_calloc(points * groups, sizeof(*report->picks));
    report->n_tied = lag_calloc(points * groups, sizeof(*report->n_tied));
    report->n_ranked = lag_calloc(groups, sizeof(*report->n_ranked));
    if (!report->points || !report->finals || !report->picks || !report->n_tied || !report->n_ranked)
        return LAG_ENOMEM;
    for (int k = 0; k < report->n_points; k++) {
        const int64_t t = table->times[k];
        report->points[k] = (struct lag_study_point){
            .t = t, .share = (double)t / (double)table->study->horizon, .phase = lag_study_phase(table, t)};
    }
    return 0;
}

static void fill_finals(const struct lag_study *study, struct lag_study_report *report) {
    for (int g = 0; g < study->n_groups; g++) {
        const struct lag_study_group *group = &study->groups[g];
        for (int i = 0; i < study->n_candidates; i++) {
            const struct lag_curve *curve = &group->curves[i];
            const double *losses = lag_losses_at(curve, group->n_batches, study->horizon);
            report->finals[g * study->n_candidates + i] =
                losses && !curve->diverged ? lag_loss_mean(losses, group->n_batches) : NAN;
            report->n_ranked[g] += lag_study_ranks(curve);
            report->n_diverged += curve->diverged;
        }
    }
}

static int fill(const struct lag_study_table *table, const struct lag_study_draws *draws,
                struct lag_study_report *report) {
    const size_t n_curves = (size_t)table->n_times * LAG_STUDY_DRAWS;
    LAG_CLEANUP(lag_free_p) double *curves = lag_calloc(n_curves, sizeof(*curves));
    if (!curves) return LAG_ENOMEM;
    int rc = allocate(table, report);
    if (rc == 0) rc = lag_study_agree(table, draws, report->points, curves);
    if (rc == 0) rc = lag_study_breaks(table, curves, report);
    if (rc == 0) rc = lag_study_regrets(table, draws, report);
    if (rc != 0) return rc;
    fill_finals(table->study, report);
    report->ceiling = lag_study_ceiling(table);
    report->ceiling_accuracy = 0.5 + asin(report->ceiling) / M_PI; /* of a bivariate normal */
    return 0;
}

int lag_study_report_init(const struct lag_study *study, struct lag_study_report *ret) {
    struct lag_study_table table;
    struct lag_study_draws draws = {0};
    int rc = lag_study_table_init(study, &table);
    if (rc != 0) return rc;
    struct lag_study_report report = {.n_points = table.n_times, .n_groups = study->n_groups,
                                      .n_candidates = study->n_candidates};
    rc = lag_study_draws_init(table.n_groups, table.n_ranked, &draws);
    if (rc == 0) rc = fill(&table, &draws, &report);
    lag_study_draws_deinit(&draws);
    lag_study_table_deinit(&table);
    if (rc == 0) *ret = report;
    else lag_study_report_deinit(&report);
    return rc;
}

void lag_study_report_deinit(struct lag_study_report *report) {
    free(report->points);
    free(report->finals);
    free(report->picks);
    free(report->n_tied);
    free(report->n_ranked);
    *report = (struct lag_study_report){0};
}

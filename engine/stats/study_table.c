/* A study's means as one table: which candidates are ranked, at which times, and in which phase. */
#include "stats/study_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <math.h>
#include <stdlib.h>

const char *const lag_phase_names[] = {
    [LAG_PHASE_WARM] = "warm",
    [LAG_PHASE_CONSTANT] = "constant",
    [LAG_PHASE_DECAY] = "decay",
    [LAG_N_PHASES] = NULL,
};

bool lag_study_ranks(const struct lag_curve *curve) {
    return curve->eligible && !curve->reference && !curve->diverged;
}

const double *lag_study_row(const struct lag_study_table *table, int g, int k) {
    return table->groups[g].means + (size_t)k * (size_t)table->n_ranked;
}

const double *lag_study_finals(const struct lag_study_table *table, int g) {
    return lag_study_row(table, g, table->n_times - 1);
}

enum lag_phase lag_study_phase(const struct lag_study_table *table, int64_t t) {
    if (t > table->decays_from) return LAG_PHASE_DECAY;
    return t > table->warm_until ? LAG_PHASE_CONSTANT : LAG_PHASE_WARM;
}

static int count_ranked(const struct lag_study *study, int group) {
    int n = 0;
    for (int i = 0; i < study->n_candidates; i++) n += lag_study_ranks(&study->groups[group].curves[i]);
    return n;
}

/* Was the candidate evaluated at t, on one batch at least? */
static bool has(const struct lag_study_group *group, int i, int64_t t) {
    const double *losses = lag_losses_at(&group->curves[i], group->n_batches, t);
    return losses && lag_loss_count(losses, group->n_batches) > 0;
}

static bool is_shared(const struct lag_study_table *table, int64_t t) {
    for (int g = 0; g < table->n_groups; g++) {
        const struct lag_study_group *group = &table->study->groups[table->groups[g].group];
        for (int i = 0; i < table->study->n_candidates; i++)
            if (lag_study_ranks(&group->curves[i]) && !has(group, i, t)) return false;
    }
    return true;
}

/* The first ranked curve has every time that all share. */
static const struct lag_curve *first_curve(const struct lag_study_table *table) {
    const struct lag_curve *curves = table->study->groups[table->groups[0].group].curves;
    while (!lag_study_ranks(curves)) curves++;
    return curves;
}

static int find_groups(struct lag_study_table *table) {
    const struct lag_study *study = table->study;
    table->groups = lag_calloc((size_t)study->n_groups, sizeof(*table->groups));
    if (!table->groups) return LAG_ENOMEM;
    for (int g = 0; g < study->n_groups; g++)
        if (count_ranked(study, g) >= 2) table->groups[table->n_groups++].group = g;
    return table->n_groups > 0 ? 0 : LAG_EINVAL;
}

static int find_times(struct lag_study_table *table) {
    const struct lag_curve *first = first_curve(table);
    table->times = lag_calloc((size_t)LAG_MAX(1, first->n_evals), sizeof(*table->times));
    if (!table->times) return LAG_ENOMEM;
    for (int e = 0; e < first->n_evals && first->t[e] <= table->study->horizon; e++)
        if (is_shared(table, first->t[e])) table->times[table->n_times++] = first->t[e];
    const bool ends = table->n_times > 0 && table->times[table->n_times - 1] == table->study->horizon;
    return ends ? 0 : LAG_EINVAL;
}

static int find_candidates(struct lag_study_table *table) {
    const struct lag_study *study = table->study;
    table->candidates = lag_calloc((size_t)study->n_candidates, sizeof(*table->candidates));
    if (!table->candidates) return LAG_ENOMEM;
    for (int i = 0; i < study->n_candidates; i++) {
        bool is_ranked = false;
        for (int g = 0; g < table->n_groups; g++)
            is_ranked |= lag_study_ranks(&study->groups[table->groups[g].group].curves[i]);
        if (is_ranked) table->candidates[table->n_ranked++] = i;
    }
    return 0;
}

static void find_phases(struct lag_study_table *table) {
    table->warm_until = 0;
    table->decays_from = INT64_MAX;
    for (int g = 0; g < table->n_groups; g++) {
        for (int i = 0; i < table->n_ranked; i++) {
            const struct lag_curve *curve =
                &table->study->groups[table->groups[g].group].curves[table->candidates[i]];
            if (!lag_study_ranks(curve)) continue;
            table->warm_until = LAG_MAX(table->warm_until, LAG_MAX(curve->rewarm_steps, curve->warmup_steps));
            table->decays_from = LAG_MIN(table->decays_from, curve->decays_from);
        }
    }
}

static void fill_group(struct lag_study_table *table, int g) {
    const struct lag_study_group *group = &table->study->groups[table->groups[g].group];
    for (int i = 0; i < table->n_ranked; i++) {
        const struct lag_curve *curve = &group->curves[table->candidates[i]];
        for (int k = 0; k < table->n_times; k++)
            table->groups[g].means[k * table->n_ranked + i] =
                lag_study_ranks(curve)
                    ? lag_loss_mean(lag_losses_at(curve, group->n_batches, table->times[k]), group->n_batches)
                    : NAN;
    }
}

/* By the first of their means that differs; who is not ranked comes first. */
static bool is_behind(const struct lag_study_table *table, const double *a, const double *b) {
    for (int i = 0; i < table->n_times * table->n_ranked; i++) {
        if (isnan(a[i]) != isnan(b[i])) return isnan(b[i]);
        if (!isnan(a[i]) && a[i] != b[i]) return a[i] > b[i];
    }
    return false;
}

/* Any order that depends on nothing else will do. */
static void sort_groups(struct lag_study_table *table) {
    for (int g = 1; g < table->n_groups; g++) {
        const struct lag_study_rows moved = table->groups[g];
        int at = g;
        for (; at > 0 && is_behind(table, table->groups[at - 1].means, moved.means); at--)
            table->groups[at] = table->groups[at - 1];
        table->groups[at] = moved;
    }
}

static int fill_means(struct lag_study_table *table) {
    const size_t block = (size_t)table->n_times * (size_t)table->n_ranked;
    table->means = lag_calloc((size_t)table->n_groups * block, sizeof(*table->means));
    if (!table->means) return LAG_ENOMEM;
    for (int g = 0; g < table->n_groups; g++) {
        table->groups[g].means = table->means + (size_t)g * block;
        fill_group(table, g);
    }
    sort_groups(table);
    return 0;
}

int lag_study_table_init(const struct lag_study *study, struct lag_study_table *ret) {
    static int (*const parts[])(struct lag_study_table *table) = {find_groups, find_times, find_candidates,
                                                                  fill_means};
    *ret = (struct lag_study_table){.study = study};
    if (study->n_groups < 1 || study->n_candidates < 2 || study->n_candidates > LAG_STUDY_CANDIDATES)
        return LAG_EINVAL;
    int rc = 0;
    for (size_t i = 0; i < LAG_COUNT(parts) && rc == 0; i++) rc = parts[i](ret);
    if (rc != 0) lag_study_table_deinit(ret);
    else find_phases(ret);
    return rc;
}

void lag_study_table_deinit(struct lag_study_table *table) {
    free(table->candidates);
    free(table->times);
    free(table->groups);
    free(table->means);
    *table = (struct lag_study_table){0};
}

/* What the parts of a study's report share: the table of means, and the bootstrap's draws. Pure. Thread: any. */
#pragma once
#include <lagd/engine/study.h>

/* The means of the ranked candidates, at the times that all groups share. Groups with fewer than two ranked ones are
 * left out. The groups stand in an order that their means alone give, so sums do not depend on the caller's order. */
struct lag_study_rows {
    int group;     /* the caller's index */
    double *means; /* [n_times][n_ranked], NaN: not ranked in this group */
};
struct lag_study_table {
    const struct lag_study *study;
    int n_groups, n_ranked, n_times;
    int *candidates; /* [n_ranked] the caller's index: ranked in at least one group */
    int64_t *times;  /* [n_times], the last is the horizon */
    struct lag_study_rows *groups;  /* [n_groups] */
    double *means;   /* of all groups, which groups[].means point into */
    int64_t warm_until, decays_from;/* of the learning rate, over all ranked */
};
/* LAG_EINVAL and LAG_ENOMEM as lag_study_report_init; *ret is zero then. */
int lag_study_table_init(const struct lag_study *study, struct lag_study_table *ret);
void lag_study_table_deinit(struct lag_study_table *table);
/* [n_ranked] at the k-th time of group g in the table's order. */
const double *lag_study_row(const struct lag_study_table *table, int g, int k);
const double *lag_study_finals(const struct lag_study_table *table, int g);
bool lag_study_ranks(const struct lag_curve *curve);
enum lag_phase lag_study_phase(const struct lag_study_table *table, int64_t t);

/* LAG_STUDY_DRAWS draws with replacement: how often each group, and each candidate, is in them. Fewer than two groups,
 * or fewer than three candidates: each once, in every draw. */
typedef int16_t lag_lanes __attribute__((vector_size(16), may_alias));
enum { LAG_LANES = 8 };
struct lag_study_draws {
    int n_groups, n_ranked, n_blocks;
    int16_t *groups;       /* [draws][n_groups] */
    lag_lanes *candidates; /* [draws][n_blocks], zero behind the last candidate */
    double widen_groups, widen_candidates; /* factors of the deviations; 0: not drawn */
};
int lag_study_draws_init(int n_groups, int n_ranked, struct lag_study_draws *ret); /* LAG_ENOMEM */
void lag_study_draws_deinit(struct lag_study_draws *draws);
/* The quantile (0 … 1) of the values that are not NaN, linear between them. NaN of none. Sorts values, NaN
 * last. */
double lag_study_quantile(double *values, int n, double share);

/* Fills points[n_times].agreement, and ret_curves[n_times][LAG_STUDY_DRAWS]: the pair accuracy of each draw. */
int lag_study_agree(const struct lag_study_table *table, const struct lag_study_draws *draws,
                    struct lag_study_point *points, double *ret_curves); /* LAG_ENOMEM */
/* Fills of the report points[].regret, picks, n_tied, spread, random, prior, and the sufficient lag. LAG_ENOMEM. */
int lag_study_regrets(const struct lag_study_table *table, const struct lag_study_draws *draws,
                      struct lag_study_report *report);
double lag_study_ceiling(const struct lag_study_table *table);
/* Of points[].agreement.pair_accuracy and their draws: transition and largest of the report. LAG_ENOMEM. */
int lag_study_breaks(const struct lag_study_table *table, const double *curves, struct lag_study_report *report);

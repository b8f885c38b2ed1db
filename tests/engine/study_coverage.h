/* How often a study's intervals hold the truth, at a step before the planted break and at one behind it. */
#pragma once
#include "study_fixture.h"

struct coverage {
    double early, late, early_width, late_width; /* of pair accuracy */
    double early_regret, late_regret;
};
enum { EARLY = 4, LATE = PLANTED_TIMES - 3, TRUTH_DRAWS = 300 };

/* E τ = 2/π asin ρ of a bivariate normal; noise is of the mean over the batches. */
static inline double true_accuracy(const struct plant *plant, bool is_late) {
    const double own = plant->own * plant->own, noise = plant->noise * plant->noise / plant->n_batches;
    const double final = 1 + own, wobble = plant->wobble * plant->wobble;
    const double rho = is_late ? final / sqrt((final + noise) * (final + wobble + noise))
                               : plant->early / sqrt((final + noise) * (1 + own / 4 + noise));
    return 0.5 + asin(rho) / M_PI;
}

/* The regret that the pick of a further group of these candidates would have, on average. */
static inline double true_regret(const struct plant *plant, uint64_t seed, bool is_late) {
    const double noise = plant->noise / sqrt(plant->n_batches);
    double sum = 0;
    for (uint64_t d = 0; d < TRUTH_DRAWS; d++) {
        double best = INFINITY, lowest = INFINITY, picked = 0;
        for (int i = 0; i < plant->n; i++) {
            const uint64_t who = (uint64_t)i, id = d * 256 + who;
            const double q = plant_normal(seed, 0, who), y = plant_normal(seed, 1, who);
            const double final = q + plant->own * plant_normal(seed, 1001, id);
            const double late = final + plant->wobble * plant_normal(seed, 1002, id);
            const double early = plant->early * q + sqrt(1 - plant->early * plant->early) * y +
                                 0.5 * plant->own * plant_normal(seed, 1002, id);
            const double seen = (is_late ? late : early) + noise * plant_normal(seed, 1003, id);
            const double measured = final + noise * plant_normal(seed, 1004, id);
            best = fmin(best, measured);
            if (seen >= lowest) continue;
            lowest = seen;
            picked = measured;
        }
        sum += 0.01 * (picked - best) / TRUTH_DRAWS;
    }
    return sum;
}

/* Of one group it is about its own pick. */
static inline double own_regret(const struct planted *planted, int pick) {
    double best = INFINITY;
    for (int i = 0; i < planted->study.n_candidates; i++) best = fmin(best, planted->truth[i]);
    return planted->truth[pick] - best;
}

/* The truth of the regret takes time; where it is not asked for its coverage is 0. */
static inline struct coverage cover(const struct plant *plant, uint64_t first_seed, int trials, bool asks_regret) {
    struct coverage sum = {0};
    for (int trial = 0; trial < trials; trial++) {
        const uint64_t seed = first_seed * 100000 + (uint64_t)trial;
        struct planted planted;
        struct lag_study_report report;
        plant_study(plant, seed, &planted);
        assert_int_equal(lag_study_report_init(&planted.study, &report), 0);
        for (int is_late = 0; is_late < 2; is_late++) {
            const int k = is_late ? LATE : EARLY;
            const struct lag_study_point *point = &report.points[k];
            const double accuracy = true_accuracy(plant, is_late);
            const double regret = !asks_regret ? NAN
                                : plant->n_groups > 1 ? true_regret(plant, seed, is_late)
                                                      : own_regret(&planted, report.picks[k]);
            *(is_late ? &sum.late : &sum.early) +=
                (double)(point->agreement.low <= accuracy && accuracy <= point->agreement.high) / trials;
            *(is_late ? &sum.late_width : &sum.early_width) +=
                (point->agreement.high - point->agreement.low) / trials;
            *(is_late ? &sum.late_regret : &sum.early_regret) +=
                (double)(point->regret.low <= regret + 1e-12 && regret <= point->regret.high + 1e-12) / trials;
        }
        lag_study_report_deinit(&report);
        plant_free(&planted);
    }
    return sum;
}

static inline void print_coverage(const struct plant *plant, const struct coverage *coverage) {
    printf("%2d groups, %2d candidates: accuracy %.1f %% (width %.2f) and %.1f %% (%.2f), regret %.1f %% and %.1f %%\n",
           plant->n_groups, plant->n, 100 * coverage->early, coverage->early_width, 100 * coverage->late,
           coverage->late_width, 100 * coverage->early_regret, 100 * coverage->late_regret);
}

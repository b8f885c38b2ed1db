/* Studies for tests: planted ones, whose truth is known. */
#pragma once
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/study.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline void close_to(double a, double b, double limit) {
    if (!(fabs(a - b) <= limit) && !(isnan(a) && isnan(b))) fail_msg("%.17g, not %.17g", a, b);
}

static inline struct lag_curve fixture_curve(int n_evals, const int64_t *t, const double *losses) {
    return (struct lag_curve){.eligible = true, .decays_from = INT64_MAX, .n_evals = n_evals, .t = t,
                              .losses = losses};
}

/* Candidate i ends at q_i + own · x_gi, in units of .01; from step `at` on its curve is that and a wobble; before, it
 * lies at early · q_i + √(1 - early²) y_i, with some noise of the group. All letters are N(0, 1). */
struct plant {
    int n_groups, n, n_batches;
    double early, own, wobble, noise; /* noise: of one batch */
    int64_t at;
    bool shuffled; /* the finals mean nothing: each group's in an order of its own */
};

#define PLANTED_TIMES 20
static const int64_t planted_t[PLANTED_TIMES] = {0,   1,   2,   4,   8,   16,   32,   64,   128,  256,
                                                 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096};
struct planted {
    struct lag_study study;
    struct lag_study_group *groups;
    struct lag_curve *curves; /* [n_groups][n] */
    double *losses;           /* [n_groups][n][PLANTED_TIMES][n_batches] */
    double *truth;            /* [n_groups][n] finals without the batches' noise */
};

static inline double plant_normal(uint64_t seed, uint64_t what, uint64_t index) {
    return lag_rng_normal(seed, LAG_RNG_BATCH, what, index);
}

static inline double plant_final(const struct plant *plant, uint64_t seed, int g, int i) {
    return plant_normal(seed, 0, (uint64_t)i) + plant->own * plant_normal(seed, 3, (uint64_t)(g * 256 + i));
}

static inline void plant_curve(const struct plant *plant, uint64_t seed, int g, int i, double final, double *losses) {
    const uint64_t id = (uint64_t)(g * 256 + i), who = (uint64_t)i;
    const double q = plant_normal(seed, 0, who), y = plant_normal(seed, 1, who);
    const double early = plant->early * q + sqrt(1 - plant->early * plant->early) * y +
                         0.5 * plant->own * plant_normal(seed, 2, id);
    double wobble = 0;
    for (int k = 0; k < PLANTED_TIMES; k++) {
        wobble = 0.7 * wobble + 0.714 * plant->wobble * plant_normal(seed, 4 + (uint64_t)k, id);
        const double late = k + 1 < PLANTED_TIMES ? plant_final(plant, seed, g, i) + wobble : final;
        for (int b = 0; b < plant->n_batches; b++)
            losses[k * plant->n_batches + b] =
                3 + 0.1 * (b % 3) + 0.01 * ((planted_t[k] < plant->at ? early : late) +
                                            plant->noise * plant_normal(seed, 100 + id, (uint64_t)(k * 512 + b)));
    }
}

static inline void plant_study(const struct plant *plant, uint64_t seed, struct planted *ret) {
    const int n_curves = plant->n_groups * plant->n;
    const size_t block = (size_t)PLANTED_TIMES * (size_t)plant->n_batches;
    ret->groups = calloc((size_t)plant->n_groups, sizeof(*ret->groups));
    ret->curves = calloc((size_t)n_curves, sizeof(*ret->curves));
    ret->truth = calloc((size_t)n_curves, sizeof(*ret->truth));
    ret->losses = calloc((size_t)n_curves * block, sizeof(*ret->losses));
    assert_true(ret->groups && ret->curves && ret->truth && ret->losses);
    for (int g = 0; g < plant->n_groups; g++) {
        ret->groups[g] = (struct lag_study_group){ret->curves + g * plant->n, plant->n_batches};
        const int turn = plant->shuffled ? (int)lag_rng_below(seed, LAG_RNG_NOISE, 1, (uint64_t)g,
                                                              (uint64_t)plant->n) : 0;
        for (int i = 0; i < plant->n; i++) {
            const int at = g * plant->n + i;
            double *losses = ret->losses + (size_t)at * block;
            const double final = plant_final(plant, plant->shuffled ? ~seed : seed, g, (i + turn) % plant->n);
            plant_curve(plant, seed, g, i, final, losses);
            ret->curves[at] = fixture_curve(PLANTED_TIMES, planted_t, losses);
            ret->truth[at] = 3.1 + 0.01 * final;
        }
    }
    ret->study = (struct lag_study){.n_groups = plant->n_groups, .n_candidates = plant->n, .groups = ret->groups,
                                    .horizon = planted_t[PLANTED_TIMES - 1], .delta = 0.005, .prior = -1};
}

static inline void plant_free(struct planted *planted) {
    free(planted->groups);
    free(planted->curves);
    free(planted->truth);
    free(planted->losses);
}

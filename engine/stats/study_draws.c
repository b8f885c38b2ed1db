/* The bootstrap of a study: which groups and candidates each draw holds, and quantiles over the draws. */
#include "stats/student_internal.h"
#include "stats/study_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/rng.h>
#include <math.h>
#include <stdlib.h>

#define KEY UINT64_C(0x6C61676473747564) /* fixed: a report that is made again is the same */
#define NORMAL_97_5 1.959963984540054
enum { OF_GROUPS, OF_CANDIDATES };

/* Draws of n out of n vary by (n - 1)/n of what the n vary by. */
static double unbiased(int n) { return sqrt((double)n / (n - 1)); }

/* And a few groups ask for Student's t. */
static double widening(int n) { return lag_student_quantile(LAG_CONFIDENCE, n - 1) / NORMAL_97_5 * unbiased(n); }

/* n draws of n, counted. is_drawn false: each once. */
static void draw(bool is_drawn, int number, int what, int n, int16_t *ret_count) {
    for (int i = 0; i < n; i++) {
        const uint64_t index = (uint64_t)i << 1 | (uint64_t)what;
        ret_count[is_drawn ? lag_rng_below(KEY, LAG_RNG_BOOTSTRAP, (uint64_t)number, index, (uint64_t)n)
                           : (uint64_t)i]++;
    }
}

int lag_study_draws_init(int n_groups, int n_ranked, struct lag_study_draws *ret) {
    const bool draws_groups = n_groups >= 2, draws_candidates = n_ranked >= 3;
    struct lag_study_draws draws = {
        .n_groups = n_groups,
        .n_ranked = n_ranked,
        .n_blocks = (n_ranked + LAG_LANES - 1) / LAG_LANES,
        .widen_groups = draws_groups ? widening(n_groups) : 0,
        .widen_candidates = draws_candidates ? unbiased(n_ranked) : 0,
    };
    draws.groups = lag_calloc(LAG_STUDY_DRAWS * (size_t)n_groups, sizeof(*draws.groups));
    draws.candidates = lag_calloc(LAG_STUDY_DRAWS * (size_t)draws.n_blocks, sizeof(*draws.candidates));
    if (!draws.groups || !draws.candidates) {
        lag_study_draws_deinit(&draws);
        return LAG_ENOMEM;
    }
    for (int d = 0; d < LAG_STUDY_DRAWS; d++) {
        draw(draws_groups, d, OF_GROUPS, n_groups, draws.groups + (size_t)d * (size_t)n_groups);
        draw(draws_candidates, d, OF_CANDIDATES, n_ranked,
             (int16_t *)(draws.candidates + (size_t)d * (size_t)draws.n_blocks));
    }
    *ret = draws;
    return 0;
}

void lag_study_draws_deinit(struct lag_study_draws *draws) {
    free(draws->groups);
    free(draws->candidates);
    *draws = (struct lag_study_draws){0};
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double lag_study_quantile(double *values, int n, double share) {
    int known = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(values[i])) values[known++] = values[i];
    for (int i = known; i < n; i++) values[i] = NAN;
    if (known == 0) return NAN;
    qsort(values, (size_t)known, sizeof(*values), ascending);
    const double place = share * (known - 1);
    const int below = (int)place;
    if (below + 1 >= known || values[below] == values[below + 1]) return values[below];
    return values[below] + (place - below) * (values[below + 1] - values[below]);
}

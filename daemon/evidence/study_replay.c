/* Allocators over a study's stored curves: what each would have picked, and for how many steps. */
#include "evidence/study_replay_internal.h"

#include "evidence/decide_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/replay.h>
#include <math.h>
#include <stdlib.h>

/* Shares of the horizon: as far as a probe may go for its pick to be worth it. auto begins with half of that. */
static const struct { enum lag_allocator allocator; int lag_part, max_part; } replays[] = {
    {LAG_ALLOCATE_HALVING, 2, 2}, {LAG_ALLOCATE_RACE, 2, 2}, {LAG_ALLOCATE_AUTO, 4, 2}};

struct replaying {
    struct lagd_study_result *result;
    const struct lag_calibration *calibration; /* NULL: fewer than three other studies */
};

static const struct lagd_curves *set_of(const struct replaying *replaying, int seed) {
    return replaying->result->owned[seed];
}

static int64_t first_rung(const struct lagd_curves *set) {
    int64_t longest = 0;
    for (int i = 0; i < set->n; i++) {
        const struct lag_curve *curve = &set->curves[i];
        if (curve->eligible) longest = LAG_MAX(longest, LAG_MAX(curve->rewarm_steps, curve->warmup_steps));
    }
    return longest + LAG_RUNG_SPIKE;
}

/* Of the range of the seed's finals. */
static double spread_of(const struct replaying *replaying, int seed) {
    const struct lagd_study_findings *found = &replaying->result->report;
    double low = NAN, high = NAN;
    for (int i = 0; i < found->n_candidates; i++) {
        if (!replaying->result->candidates[i].eligible || replaying->result->candidates[i].reference) continue;
        const double final = found->finals[seed * found->n_candidates + i];
        low = fmin(low, final);
        high = fmax(high, final);
    }
    return high - low;
}

/* One seed; false: there is no rung in it. */
static int replay_seed(const struct replaying *replaying, int seed, struct lagd_study_allocator *allocator,
                       enum lag_allocator which) {
    const struct lagd_curves *set = set_of(replaying, seed);
    const struct lag_study_group group = {set->curves, (int)set->growth.n_batches};
    const struct lag_replay_ask ask = {.allocator = which, .group = &group, .n_candidates = set->n,
                                       .first_rung = first_rung(set), .steps = allocator->lag,
                                       .max_steps = allocator->max_steps, .horizon = replaying->result->study.horizon,
                                       .delta = replaying->result->study.delta, .preserving = set->preserving,
                                       .calibration = replaying->calibration};
    struct lag_replay found;
    int rc = lag_replay_run(&ask, &found);
    if (rc != 0) return rc;
    const double n = replaying->result->n_seeds, spread = spread_of(replaying, seed);
    allocator->choices[seed] = (struct lagd_study_choice){found.pick, found.t, found.regret};
    allocator->regret += found.regret / n;
    allocator->of_spread += (spread > 0 ? found.regret / spread : NAN) / n;
    allocator->probe_steps += found.steps / n;
    allocator->share_of_all += found.steps / ((double)set->n * (double)ask.horizon) / n;
    return 0;
}

/* Every seed has a rung, or it is left out. */
static int replay(const struct replaying *replaying, size_t which, struct lag_error *err) {
    struct lagd_study_result *result = replaying->result;
    const int64_t horizon = result->study.horizon;
    struct lagd_study_allocator *allocator = &result->allocators[result->n_allocators];
    *allocator = (struct lagd_study_allocator){.name = lag_allocator_names[replays[which].allocator],
                                               .lag = horizon / replays[which].lag_part,
                                               .max_steps = horizon / replays[which].max_part};
    allocator->choices = lag_calloc((size_t)result->n_seeds, sizeof(*allocator->choices));
    if (!allocator->choices) return lag_error_set(err, LAG_ENOMEM, "out of memory while replaying a study");
    result->n_allocators++;
    for (int seed = 0; seed < result->n_seeds; seed++) {
        int rc = replay_seed(replaying, seed, allocator, replays[which].allocator);
        if (rc == LAG_ENOMEM) return lag_error_set(err, rc, "out of memory while replaying a study");
        if (rc == 0) continue;
        free(allocator->choices);
        result->n_allocators--;
        return 0;
    }
    return 0;
}

int lagd_study_replay(struct lag_db *db, struct lagd_study_result *result, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lag_calibration *calibration = lag_calloc(1, sizeof(*calibration));
    struct replaying replaying = {.result = result};
    int n_studies = 0;
    result->allocators = lag_calloc(LAG_COUNT(replays), sizeof(*result->allocators));
    if (!calibration || !result->allocators)
        return lag_error_set(err, LAG_ENOMEM, "out of memory while replaying a study");
    int rc = lagd_calibration_load(db, result->study.id, calibration, &n_studies, err);
    if (n_studies >= LAG_KEPT_STUDIES) replaying.calibration = calibration;
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(replays); i++) rc = replay(&replaying, i, err);
    return rc;
}

void lagd_study_replay_deinit(struct lagd_study_result *result) {
    for (int i = 0; i < result->n_allocators; i++) free(result->allocators[i].choices);
    free(result->allocators);
}

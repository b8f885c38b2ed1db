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

static int run(const struct replaying *replaying, int seed, enum lag_allocator which, int64_t lag, int64_t max_steps,
               struct lag_replay *ret) {
    const struct lagd_curves *set = set_of(replaying, seed);
    const struct lag_study_group group = {set->curves, (int)set->growth.n_batches};
    const struct lag_replay_ask ask = {.allocator = which, .group = &group, .n_candidates = set->n,
                                       .first_rung = first_rung(set), .steps = lag, .max_steps = max_steps,
                                       .horizon = replaying->result->study.horizon,
                                       .delta = replaying->result->study.delta, .preserving = set->preserving,
                                       .calibration = replaying->calibration};
    return lag_replay_run(&ask, ret);
}

/* One seed. LAG_EINVAL: there is no rung in it. */
static int replay_seed(const struct replaying *replaying, int seed, struct lagd_study_allocator *allocator,
                       enum lag_allocator which) {
    struct lag_replay found;
    int rc = run(replaying, seed, which, allocator->lag, allocator->max_steps, &found);
    if (rc != 0) return rc;
    const double n = replaying->result->n_seeds, spread = spread_of(replaying, seed);
    const double all = (double)set_of(replaying, seed)->n * (double)replaying->result->study.horizon;
    allocator->choices[seed] = (struct lagd_study_choice){found.pick, found.t, found.regret,
                                                          lag_basis_names[found.basis]};
    allocator->regret += found.regret / n;
    allocator->of_spread += (spread > 0 ? found.regret / spread : NAN) / n;
    allocator->probe_steps += found.steps / n;
    allocator->share_of_all += found.steps / all / n;
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

/* --- what verdicts are worth ------------------------------------------------------------------------------------- */

static void count_said(struct lagd_study_result *result, struct lagd_study_said said[LAG_N_BASES],
                       const struct lag_replay *found) {
    struct lagd_study_said *of = &said[found->basis];
    if (found->pick < 0 || isnan(found->regret)) return;
    of->n++;
    of->n_within_delta += found->regret <= result->study.delta;
    of->largest_regret = fmax(of->largest_regret, found->regret);
}

/* Of the times that fall into one part of the axis of log t the first; never the horizon, where all is known. */
static bool is_looked_at(const struct lagd_study_findings *found, int k) {
    const double parts = LAGD_SAID_TIMES / log1p((double)found->points[found->n_points - 1].t);
    if (found->points[k].t < 1 || k == found->n_points - 1) return false;
    return found->n_points <= LAGD_SAID_TIMES || k == 0 ||
           (int)(parts * log1p((double)found->points[k].t)) != (int)(parts * log1p((double)found->points[k - 1].t));
}

/* The verdicts on all candidates, at lags from the first evaluation on. */
static int weigh_verdicts(const struct replaying *replaying, struct lag_error *err) {
    struct lagd_study_result *result = replaying->result;
    const struct lagd_study_findings *found = &result->report;
    struct lagd_study_said said[LAG_N_BASES] = {0};
    struct lag_replay one;
    for (int k = 0; k < found->n_points; k++) {
        for (int seed = 0; is_looked_at(found, k) && seed < result->n_seeds; seed++) {
            int rc = run(replaying, seed, LAG_ALLOCATE_ALL, found->points[k].t, 0, &one);
            if (rc == LAG_ENOMEM) return lag_error_set(err, rc, "out of memory while replaying a study");
            if (rc == 0) count_said(result, said, &one);
        }
    }
    for (int basis = 0; basis < LAG_N_BASES; basis++) {
        if (said[basis].n == 0) continue;
        said[basis].basis = lag_basis_names[basis];
        result->said[result->n_said++] = said[basis];
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
    return rc == 0 ? weigh_verdicts(&replaying, err) : rc;
}

void lagd_study_replay_deinit(struct lagd_study_result *result) {
    for (int i = 0; i < result->n_allocators; i++) free(result->allocators[i].choices);
    free(result->allocators);
}

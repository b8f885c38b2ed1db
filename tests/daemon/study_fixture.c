/* A study with planted losses. */
#include "study_fixture.h"

#include "evidence/study_compare_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/engine/study.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 16, CANDIDATES = 9, HORIZON = 4000, TURN = 1000, DECAY = 3200 };
static const int64_t times[] = {0,   1,    2,    4,    8,    16,   32,   64,   128,  256, 500,
                                512, 1000, 1024, 1500, 2000, 2048, 2500, 3000, 3500, 4000};
static const char *const labels[CANDIDATES] = {"stack",     "interleave", "gradual_stack", "midas", "llama_pro",
                                               "zero_stack", "random",    "random_bottom", "none"};

/* --- losses ------------------------------------------------------------------------------------------------------ */

static double noise(uint64_t *state) {
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        *state = *state * 6364136223846793005ull + 1442695040888963407ull;
        sum += (double)(*state >> 40) / (1 << 24) - 0.5;
    }
    return sum;
}

/* Where a candidate stands among the eight: at first in the order of index, at last in another one. */
static double place(const struct study_fixture *fixture, int candidate, int64_t t) {
    static const double last[CANDIDATES] = {0, 2, 1, 3, 4, 5, 7, 6, 9.5};
    const double turned = 1 / (1 + pow(TURN / ((double)t + 1), 3));
    if (candidate == CANDIDATES - 1) return t == 0 ? 0 : 9.5 - 3 * exp(-(double)t / 600);
    return (1 - turned) * (7 - candidate) + turned * (fixture->flat ? 3 : last[candidate]);
}

static bool keeps(const struct study_fixture *fixture, int candidate, int64_t t) {
    return t == 0 && fixture->ties_at_0 && candidate < CANDIDATES - 3;
}

static double loss(const struct study_fixture *fixture, int seed, int candidate, int64_t t, uint64_t *state) {
    const double base = 2.1 + 0.35 * exp(-(double)t / 900) + 0.004 * seed;
    if (keeps(fixture, candidate, t)) return base;
    const double spike = t == 0 ? 0.06 * (fixture->ties_at_0 ? candidate : 7 - candidate) : 0;
    return base + spike + 0.0055 * place(fixture, candidate, t) + 0.006 * noise(state);
}

/* --- the result -------------------------------------------------------------------------------------------------- */

static void *need(size_t n, size_t size) {
    void *block = lag_calloc(n, size);
    if (!block) abort();
    return block;
}

static double *curve_losses(const struct study_fixture *fixture, struct lagd_study_result *result, int seed,
                            int candidate) {
    uint64_t state = (uint64_t)seed * 977 + (uint64_t)candidate * 31 + 7;
    double *losses = need(LAG_COUNT(times) * BATCHES, sizeof(*losses));
    struct lagd_study_candidate *row = &result->candidates[candidate];
    for (size_t k = 0; k < LAG_COUNT(times); k++) {
        double sum = 0;
        const double mean = loss(fixture, seed, candidate, times[k], &state);
        for (int b = 0; b < BATCHES; b++) {
            losses[k * BATCHES + (size_t)b] = mean + 0.02 * (b - BATCHES / 2) +
                                                (keeps(fixture, candidate, times[k]) ? 0 : 0.002 * noise(&state));
            sum += losses[k * BATCHES + (size_t)b];
        }
        row->losses[(size_t)seed * LAG_COUNT(times) + k] = sum / BATCHES;
        row->means[k] += sum / BATCHES / fixture->n_seeds;
    }
    return losses;
}

static void describe(const struct study_fixture *fixture, struct lagd_study_result *result) {
    for (int i = 0; i < CANDIDATES; i++) {
        struct lagd_study_candidate *candidate = &result->candidates[i];
        const bool reference = i == CANDIDATES - 1;
        *candidate = (struct lagd_study_candidate){.eligible = !reference, .reference = reference,
                                                   .n_params = reference ? 30000 : 70000,
                                                   .step_flops = reference ? 2e7 : 5e7};
        (void)snprintf(candidate->op, sizeof(candidate->op), "%s", labels[i]);
        (void)snprintf(candidate->label, sizeof(candidate->label), "%s",
                       i == 0 && fixture->label ? fixture->label : labels[i]);
        candidate->means = need(LAG_COUNT(times), sizeof(double));
        candidate->losses = need(LAG_COUNT(times) * (size_t)fixture->n_seeds, sizeof(double));
    }
}

static void add_scratch(struct lagd_study_result *result) {
    struct lagd_study_scratch *scratch = &result->scratch[result->n_scratch++];
    scratch->step_flops = 5e7;
    (void)snprintf(scratch->state, sizeof(scratch->state), "completed");
    scratch->has_ended = true;
    scratch->n_points = 13;
    scratch->steps = need(13, sizeof(*scratch->steps));
    scratch->losses = need(13, sizeof(*scratch->losses));
    for (int i = 0; i < 13; i++) {
        scratch->steps[i] = i * 1500;
        scratch->losses[i] = 2.07 + 2 * exp(-(double)i * 0.33);
    }
}

static void report(const struct study_fixture *fixture, struct lagd_study_result *result) {
    struct lag_curve (*curves)[CANDIDATES] = need((size_t)fixture->n_seeds, sizeof(*curves));
    struct lag_study_group *groups = need((size_t)fixture->n_seeds, sizeof(*groups));
    double flops[CANDIDATES];
    for (int g = 0; g < fixture->n_seeds; g++) {
        for (int i = 0; i < CANDIDATES; i++) {
            curves[g][i] = (struct lag_curve){.eligible = i < CANDIDATES - 1, .reference = i == CANDIDATES - 1,
                                              .rewarm_steps = 50, .decays_from = DECAY,
                                              .n_evals = LAG_COUNT(times), .t = times,
                                              .losses = curve_losses(fixture, result, g, i)};
            flops[i] = result->candidates[i].step_flops;
        }
        groups[g] = (struct lag_study_group){curves[g], BATCHES};
        result->seeds[g].seed = g + 1;
    }
    const struct lag_study study = {fixture->n_seeds, CANDIDATES, groups, HORIZON, 0.005, flops, -1};
    struct lag_study_report found;
    if (lag_study_report_init(&study, &found) != 0) abort();
    if (lagd_study_findings_init(&found, &result->report, NULL) != 0) abort();
    lag_study_report_deinit(&found);
    for (int g = 0; g < fixture->n_seeds; g++)
        for (int i = 0; i < CANDIDATES; i++) free((void *)curves[g][i].losses);
    free(groups);
    free(curves);
}

struct lagd_study_result *study_fixture_create(const struct study_fixture *fixture) {
    struct lagd_study_result *result = need(1, sizeof(*result));
    const size_t n_seeds = (size_t)fixture->n_seeds;
    lagd_study_request_defaults(&result->request);
    if (fixture->scratch) (void)snprintf(result->request.baselines, sizeof(result->request.baselines), "none,scratch");
    result->equal_loss = result->grown_flops = result->scratch_flops = result->speedup = NAN;
    result->charged_lag = -1;
    result->n_planned = fixture->n_seeds;
    (void)snprintf(result->study.name, sizeof(result->study.name), "planted");
    (void)snprintf(result->study.parent_name, sizeof(result->study.parent_name), "small");
    result->study.horizon = HORIZON;
    result->study.delta = 0.005;
    result->study.parent_flops = 4e10;
    result->candidates = need(CANDIDATES, sizeof(*result->candidates));
    result->seeds = need(n_seeds + 1, sizeof(*result->seeds));
    result->scratch = need(1, sizeof(*result->scratch));
    if (fixture->n_seeds == 0) {
        (void)snprintf(result->why_not, sizeof(result->why_not), "no seed's candidates have all come to the horizon "
                       "yet");
        return result;
    }
    result->n_seeds = fixture->n_seeds;
    result->n_candidates = CANDIDATES;
    result->n_times = LAG_COUNT(times);
    result->times = need(LAG_COUNT(times), sizeof(*result->times));
    memcpy(result->times, times, sizeof(times));
    describe(fixture, result);
    report(fixture, result);
    result->has_report = true;
    if (fixture->scratch) add_scratch(result);
    if (lagd_study_compare(result, NULL) != 0) abort();
    return result;
}


/* The result of a study, from the rows of its growths. */
#include <lagd/daemon/study_report.h>

#include "evidence/decide_internal.h"
#include "evidence/study_compare_internal.h"
#include "evidence/study_replay_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/study.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct lag_error *err) {
    return lag_error_set(err, LAG_ENOMEM, "out of memory while reading a study");
}

/* --- its runs ---------------------------------------------------------------------------------------------------- */

struct runs {
    struct lag_study_run_row *rows;
    size_t capacity;
    int n;
    bool failed;
};

static int add_run(const struct lag_study_run_row *row, void *arg) {
    struct runs *runs = arg;
    if (lag_grow_array((void **)&runs->rows, &runs->capacity, (size_t)runs->n + 1, sizeof(*runs->rows)) < 0) {
        runs->failed = true;
        return 1;
    }
    runs->rows[runs->n++] = *row;
    return 0;
}

static void drop_runs(struct runs *runs) { free(runs->rows); }

/* The growth of a seed once it is decided: only then has every candidate ended. */
static bool is_decided(struct lag_db *db, const struct lag_study_run_row *row) {
    struct lag_growth_row growth;
    if (strcmp(row->role, "candidates") != 0 || !row->growth_id[0]) return false;
    if (lag_growth_get(db, row->growth_id, &growth, NULL) != 0) return false;
    return lagd_growth_is(growth.state, LAGD_GROWTH_DECIDED) || lagd_growth_is(growth.state, LAGD_GROWTH_APPLYING) ||
           lagd_growth_is(growth.state, LAGD_GROWTH_APPLIED);
}

static void name_run(struct lag_db *db, const char *id, char ret_name[LAG_ROW_NAME], char *ret_state) {
    struct lag_run_row run;
    if (lag_run_get(db, id, &run, NULL) != 0) return;
    (void)lag_copy(ret_name, LAG_ROW_NAME, run.name);
    if (ret_state) (void)lag_copy(ret_state, LAG_ROW_STATE, run.state);
}

/* --- candidates -------------------------------------------------------------------------------------------------- */

static double step_flops(const struct lagd_run_config *config, const struct lag_shape *shape) {
    struct lag_spec spec;
    lagd_run_spec(config, &spec);
    lagd_spec_take_shape(&spec, shape);
    return (double)(config->sequences * config->tokens_per_sequence * config->accumulate) *
           lag_flops_token_train(&spec, (int)config->tokens_per_sequence);
}

/* Names and costs, from the first seed: all have the same pool. */
static int describe(struct lagd_study_result *result, const struct lagd_curves *set, struct lag_error *err) {
    result->n_candidates = set->n;
    result->candidates = lag_calloc((size_t)set->n + 1, sizeof(*result->candidates));
    if (!result->candidates) return no_memory(err);
    for (int i = 0; i < set->n; i++) {
        const struct lag_candidate_row *row = &set->candidates[i];
        struct lagd_study_candidate *candidate = &result->candidates[i];
        *candidate = (struct lagd_study_candidate){.eligible = set->curves[i].eligible,
                                                   .reference = set->curves[i].reference, .n_params = row->n_params,
                                                   .step_flops = set->curves[i].step_cost,
                                                   .learn_flops = set->curves[i].start_cost};
        (void)lag_copy(candidate->op, sizeof(candidate->op), row->op);
        (void)lag_copy(candidate->strategy, sizeof(candidate->strategy), row->strategy);
        lagd_candidate_label(set->candidates, set->n, i, candidate->label);
    }
    return 0;
}

static int add_seed(struct lag_db *db, struct lagd_study_result *result, const struct lag_study_run_row *row,
                    struct lag_error *err) {
    struct lagd_curves *set = NULL;
    int rc = lagd_curves_load(db, row->growth_id, &set, err);
    if (rc < 0) return rc;
    result->owned[result->n_owned++] = set;
    if (!result->candidates) rc = describe(result, set, err);
    if (rc < 0) return rc;
    if (set->n != result->n_candidates)
        return lag_error_set(err, LAG_ECORRUPT, "growth %s of the study has other candidates than the first seed's",
                             row->growth_id);
    struct lagd_study_seed *seed = &result->seeds[result->n_seeds];
    seed->candidates = lag_calloc((size_t)set->n + 1, sizeof(*seed->candidates));
    if (!seed->candidates) return no_memory(err);
    result->n_seeds++;
    seed->seed = row->seed;
    (void)lag_copy(seed->run, sizeof(seed->run), row->run_id);
    (void)lag_copy(seed->growth, sizeof(seed->growth), row->growth_id);
    name_run(db, row->run_id, seed->run_name, NULL);
    for (int i = 0; i < set->n; i++) memcpy(seed->candidates[i], set->candidates[i].id, sizeof(seed->candidates[i]));
    return 0;
}

/* --- the curves of all ------------------------------------------------------------------------------------------- */

static const struct lagd_curves *set_of(const struct lagd_study_result *result, int seed) {
    return result->owned[seed];
}

static double loss_at(const struct lagd_study_result *result, int seed, int candidate, int64_t t) {
    const struct lagd_curves *set = set_of(result, seed);
    const int n_batches = (int)set->growth.n_batches;
    const double *losses = lag_losses_at(&set->curves[candidate], n_batches, t);
    return losses ? lag_loss_mean(losses, n_batches) : NAN;
}

static int average(struct lagd_study_result *result, struct lag_error *err) {
    const struct lagd_curves *first = set_of(result, 0);
    size_t n = 0;
    for (int i = 0; i < first->n; i++) n += (size_t)first->curves[i].n_evals;
    result->times = lag_calloc(n + 1, sizeof(*result->times));
    if (!result->times) return no_memory(err);
    result->n_times = lag_evaluated_times(first->curves, first->n, result->times);
    const size_t n_times = (size_t)result->n_times;
    for (int i = 0; i < result->n_candidates; i++) {
        struct lagd_study_candidate *candidate = &result->candidates[i];
        candidate->means = lag_calloc(n_times + 1, sizeof(*candidate->means));
        candidate->losses = lag_calloc(n_times * (size_t)result->n_seeds + 1, sizeof(*candidate->losses));
        if (!candidate->means || !candidate->losses) return no_memory(err);
        for (size_t k = 0; k < n_times; k++) {
            for (int g = 0; g < result->n_seeds; g++) {
                const double loss = loss_at(result, g, i, result->times[k]);
                candidate->losses[(size_t)g * n_times + k] = loss;
                candidate->means[k] += loss / result->n_seeds;
            }
        }
    }
    return 0;
}

/* What the first seed's growth was told: the first by the prior; without one, the first of the pool. */
static int pick_of_prior(const struct lagd_curves *set) {
    int first = -1;
    double lowest = NAN;
    for (int i = 0; i < set->n; i++) {
        const double place = set->prior && !isnan(set->prior[i]) ? set->prior[i] : 0.5;
        if (!set->curves[i].eligible || set->curves[i].reference || (first >= 0 && place >= lowest)) continue;
        first = i;
        lowest = place;
    }
    return first;
}

static int report(struct lagd_study_result *result, struct lag_error *err) {
    struct lag_study_group groups[LAGD_STUDY_SEEDS_MAX];
    double flops[LAGD_STRATEGIES_MAX + 1];
    LAG_ASSERT(result->n_seeds <= LAGD_STUDY_SEEDS_MAX && result->n_candidates <= LAGD_STRATEGIES_MAX + 1);
    for (int g = 0; g < result->n_seeds; g++)
        groups[g] = (struct lag_study_group){set_of(result, g)->curves, (int)set_of(result, g)->growth.n_batches};
    result->prior_pick = pick_of_prior(set_of(result, 0));
    result->prior_cases = set_of(result, 0)->growth.prior_cases;
    for (int i = 0; i < result->n_candidates; i++) flops[i] = result->candidates[i].step_flops;
    const struct lag_study study = {.n_groups = result->n_seeds, .n_candidates = result->n_candidates,
                                    .groups = groups, .horizon = result->study.horizon, .delta = result->study.delta,
                                    .step_flops = flops,
                                    .prior = result->prior_pick};
    struct lag_study_report found;
    int rc = lag_study_report_init(&study, &found);
    if (rc == LAG_ENOMEM) return no_memory(err);
    if (rc == 0) {
        rc = lagd_study_findings_init(&found, &result->report, err);
        lag_study_report_deinit(&found);
        result->has_report = rc == 0;
        return rc;
    }
    (void)snprintf(result->why_not, sizeof(result->why_not),
                   "fewer than two candidates of a seed have come to the horizon: the others have diverged");
    return 0;
}

/* --- baselines from scratch -------------------------------------------------------------------------------------- */

/* Up to the step at which the study has it end: a person may extend it afterwards. */
static int read_points(struct lag_db *db, struct lagd_study_scratch *scratch, int64_t max_steps,
                       struct lag_error *err) {
    struct lag_series_row series;
    struct lag_point_cursor *cursor = NULL;
    size_t steps_capacity = 0, losses_capacity = 0;
    int64_t step;
    double value;
    if (lag_series_find(db, scratch->run, "val/loss", &series, NULL) != 0) return 0;
    int rc = lag_point_cursor_open(db, series.id, 0, &cursor, err);
    while (rc == 0 && (rc = lag_point_cursor_next(cursor, &step, &value, err)) == 1) {
        if (step > max_steps) continue;
        const size_t n = (size_t)scratch->n_points + 1;
        rc = lag_grow_array((void **)&scratch->steps, &steps_capacity, n, sizeof(*scratch->steps)) < 0 ||
                     lag_grow_array((void **)&scratch->losses, &losses_capacity, n, sizeof(*scratch->losses)) < 0
                 ? no_memory(err) : 0;
        if (rc != 0) break;
        scratch->steps[scratch->n_points] = step;
        scratch->losses[scratch->n_points++] = value;
    }
    lag_point_cursor_close(cursor);
    return rc < 0 ? rc : 0;
}

static int add_scratch(struct lag_db *db, struct lagd_study_result *result, const struct lag_study_run_row *row,
                       struct lag_error *err) {
    struct lag_run_row run;
    struct lagd_run_config config;
    if (strcmp(row->role, "scratch") != 0 || !row->run_id[0] || lag_run_get(db, row->run_id, &run, NULL) != 0) return 0;
    struct lagd_study_scratch *scratch = &result->scratch[result->n_scratch];
    int rc = lagd_run_config_parse(run.config, &config, err);
    if (rc < 0) return rc;
    *scratch = (struct lagd_study_scratch){.seed = row->seed, .step_flops = step_flops(&config, &config.shape)};
    result->n_scratch++;
    (void)lag_copy(scratch->run, sizeof(scratch->run), run.id);
    (void)lag_copy(scratch->run_name, sizeof(scratch->run_name), run.name);
    (void)lag_copy(scratch->state, sizeof(scratch->state), run.state);
    rc = read_points(db, scratch, row->max_steps, err);
    scratch->has_ended = scratch->n_points > 0 && (lagd_run_is(run.state, LAGD_RUN_COMPLETED) ||
                                                   scratch->steps[scratch->n_points - 1] == row->max_steps);
    return rc;
}

/* --- putting it together ----------------------------------------------------------------------------------------- */

static int gather(struct lag_db *db, struct lagd_study_result *result, const struct runs *runs,
                  struct lag_error *err) {
    int rc = 0;
    const size_t n = (size_t)runs->n + 1;
    result->owned = lag_calloc(n, sizeof(*result->owned));
    result->seeds = lag_calloc(n, sizeof(*result->seeds));
    result->scratch = lag_calloc(n, sizeof(*result->scratch));
    if (!result->owned || !result->seeds || !result->scratch) return no_memory(err);
    for (int i = 0; rc == 0 && i < runs->n; i++) {
        result->n_planned += strcmp(runs->rows[i].role, "candidates") == 0;
        if (is_decided(db, &runs->rows[i])) rc = add_seed(db, result, &runs->rows[i], err);
        if (rc == 0) rc = add_scratch(db, result, &runs->rows[i], err);
    }
    if (rc < 0) return rc;
    if (result->n_seeds == 0) {
        (void)snprintf(result->why_not, sizeof(result->why_not), "no seed's candidates have all come to the horizon "
                       "yet");
        return 0;
    }
    if (result->n_seeds < result->n_planned)
        (void)snprintf(result->why_not, sizeof(result->why_not), "%d of %d seeds have come to the horizon",
                       result->n_seeds, result->n_planned);
    rc = average(result, err);
    if (rc == 0) rc = report(result, err);
    if (rc == 0 && result->has_report) rc = lagd_study_replay(db, result, err);
    return rc == 0 ? lagd_study_compare(result, err) : rc;
}

int lagd_study_result_create(struct lag_db *db, const char *study, struct lagd_study_result **ret,
                             struct lag_error *err) {
    struct lagd_study_result *result = lag_calloc(1, sizeof(*result));
    LAG_CLEANUP(drop_runs) struct runs runs = {0};
    if (!result) return no_memory(err);
    result->equal_loss = result->grown_flops = result->scratch_flops = result->speedup = NAN;
    result->charged_lag = result->prior_pick = -1;
    lagd_study_request_defaults(&result->request);
    int rc = lag_study_get(db, study, &result->study, err);
    if (rc == 0) rc = lag_fields_parse(&lagd_study_fields, &result->request, result->study.request, err);
    if (rc == 0) rc = lag_study_run_list(db, result->study.id, add_run, &runs, err);
    if (runs.failed) rc = no_memory(err);
    if (rc == 0) rc = gather(db, result, &runs, err);
    if (rc < 0) {
        lagd_study_result_destroy(result);
        return rc;
    }
    *ret = result;
    return 0;
}

void lagd_study_result_destroy(struct lagd_study_result *result) {
    if (!result) return;
    for (int i = 0; i < result->n_owned; i++) lagd_curves_destroy(result->owned[i]);
    for (int i = 0; i < result->n_seeds; i++) free(result->seeds[i].candidates);
    for (int i = 0; i < result->n_candidates; i++) {
        free(result->candidates[i].means);
        free(result->candidates[i].losses);
    }
    for (int i = 0; i < result->n_scratch; i++) {
        free(result->scratch[i].steps);
        free(result->scratch[i].losses);
    }
    lagd_study_findings_deinit(&result->report);
    lagd_study_path_deinit(&result->grown);
    lagd_study_path_deinit(&result->from_scratch);
    free(result->owned);
    free(result->seeds);
    free(result->candidates);
    free(result->scratch);
    lagd_study_replay_deinit(result);
    free(result->times);
    free(result);
}

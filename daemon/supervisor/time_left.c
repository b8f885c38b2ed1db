/* What runs, growths and studies will still take: of a run from where it is to its last step, with the growths that it
 * is still to go through. */
#include "plan/batches_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include "plan/speeds_internal.h"
#include "plan/trigger_internal.h"
#include "stages/ahead_internal.h"
#include "stages/stage_rows_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/cost.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* FLOP/s of the run's team in steps and in validations; 0: not known. */
struct pace {
    double train, eval;
};

struct way {
    const struct lag_run_row *run;
    struct lagd_run_config config;
    struct lag_spec spec; /* as far as the way was summed up */
    int64_t at;           /* the same: steps */
    struct pace pace;
};

/* --- a growth on the way --- */

struct probes {
    int64_t steps, n;
};

static int count_steps(const struct lag_candidate_row *row, void *arg) {
    struct probes *probes = arg;
    probes->steps += LAG_MAX(row->t, 0);
    probes->n++;
    return 0;
}

/* Of all steps of the candidates of a growth. */
static double share_done(struct lag_db *db, const struct lag_growth_row *row) {
    struct probes probes = {0};
    struct lag_error err;
    if (lag_candidate_list(db, row->id, count_steps, &probes, &err) < 0 || probes.n == 0) return 0;
    return fmin(1, (double)probes.steps / (double)(probes.n * LAG_MAX(row->probe_steps, 1)));
}

/* --- sums --- */

static void add(struct lagd_left *sum, double flops, double seconds) {
    sum->flops += flops;
    sum->seconds += seconds;
}

/* Validations of the run as it is there: of step 0, of a growth's parent, and on the way. */
static void evaluate(const struct way *way, int64_t n, struct lagd_left *sum) {
    const struct lagd_run_config *config = &way->config;
    const double context = (double)config->tokens_per_sequence, sequences = (double)config->sequences;
    const double flops = (double)n * lag_flops_token_forward(&way->spec, (int)context) * context * sequences *
                         (double)config->eval_batches;
    add(sum, flops, flops / way->pace.eval);
}

static void go_to(struct way *way, int64_t to, struct lagd_left *sum) {
    const struct lagd_run_config *config = &way->config;
    const int64_t from = way->at, every = config->eval_every, last = way->run->max_steps;
    if (to <= from) return;
    const double context = (double)config->tokens_per_sequence, sequences = (double)config->sequences;
    const double train = (double)(to - from) * lag_flops_token_train(&way->spec, (int)context) * context * sequences *
                         (double)config->accumulate;
    add(sum, train, train / way->pace.train);
    evaluate(way, to / every - from / every + (to >= last && last % every != 0), sum);
    way->at = to;
}

/* share: of the probe that is to come. Returns what the winner trains on, tokens of a sequence; 0: as before. */
static int64_t probe(struct lagd_supervisor *s, struct lag_db *db, const struct way *way,
                     struct lagd_growth_request *request, double share, struct lagd_left *sum) {
    struct lagd_growth_plan *plan = NULL;
    struct lag_run_row run = *way->run;
    run.step = way->at;
    lagd_shape_of_spec(&way->spec, &run.shape);
    if (lagd_batches_add(&run, LAG_MAX(0, way->at - 1), way->config.tokens_per_sequence, NULL) < 0) return 0;
    request->at_step = -1; /* where it begins is where the way has come to */
    if (lagd_growth_plan_make(db, request, &run, s->deps.n_threads, &plan, NULL) < 0) return 0;
    lagd_supervisor_predict(s, &run, plan);
    add(sum, plan->flops_total * share, plan->seconds_guess * share);
    const int64_t tokens = plan->tokens_per_sequence;
    free(plan);
    return tokens;
}

/* The winner goes on from where its probe ended. */
static void go_through(struct lagd_supervisor *s, struct lag_db *db, struct way *way, const struct lag_growth_row *row,
                       struct lagd_left *sum) {
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *request = lag_calloc(1, sizeof(*request));
    const bool waits = lagd_growth_is(row->state, LAGD_GROWTH_QUEUED);
    const bool is_probed = waits || lagd_growth_is(row->state, LAGD_GROWTH_PROBING);
    go_to(way, LAG_MAX(waits ? row->at_step : row->start_step, way->at), sum);
    if (is_probed && isnan(row->parent_loss)) evaluate(way, 1, sum);
    if (is_probed && request && lagd_ahead_request(db, row, request, NULL) == 0)
        (void)probe(s, db, way, request, waits ? 1 : 1 - share_done(db, row), sum);
    way->at += row->probe_steps;
    lagd_spec_take_shape(&way->spec, &row->to);
    (void)lagd_batches_with(way->run, row->tokens_per_sequence, &way->config, NULL);
}

/* A stage of the plan begins when its trigger may fire at the earliest. */
static void go_through_stage(struct lagd_supervisor *s, struct lag_db *db, struct way *way, int64_t since, double flops,
                             const struct lag_stage_row *row, struct lagd_left *sum) {
    LAG_CLEANUP(lag_free_p) struct lagd_stage_request *request = lag_calloc(1, sizeof(*request));
    const struct lagd_run_config *config = &way->config;
    const int64_t tokens = config->sequences * config->tokens_per_sequence * config->accumulate;
    struct lag_shape from;
    struct lag_shape to;
    if (!request || lagd_stage_request_of(row, request, NULL) != 0) return;
    const struct lagd_trajectory at = {.since = since, .step = way->at, .tokens = way->at * tokens, .flops = flops};
    const double step_flops = (double)tokens * lag_flops_token_train(&way->spec, (int)config->tokens_per_sequence);
    const int64_t begins = lagd_trigger_earliest(&request->trigger, &at, tokens, step_flops);
    if (begins > way->run->max_steps - request->growth.probe_steps) return; /* the run ends before it */
    go_to(way, begins, sum);
    evaluate(way, 1, sum);
    const int64_t longer = probe(s, db, way, &request->growth, 1, sum);
    way->at += request->growth.probe_steps;
    lagd_shape_of_spec(&way->spec, &from);
    if (lagd_shape_aim(&from, &request->growth.target, &to, NULL) < 0) return;
    lagd_spec_take_shape(&way->spec, &to);
    (void)lagd_batches_with(way->run, longer, &way->config, NULL);
}

/* What the run itself has spent by then: of each probe, the winner's part at most. */
static void go_through_plan(struct lagd_supervisor *s, struct lag_db *db, struct way *way, struct lagd_left *sum) {
    struct lag_plan_row plan;
    struct lagd_stage_list list = {0};
    if (lag_plan_get(db, way->run->id, &plan, NULL) != 1 || lagd_stages_read(db, way->run->id, &list, NULL) != 0)
        return;
    const int n_begun = lagd_stages_begun(&list);
    int64_t since = lagd_stages_since(&list, n_begun, plan.start_step);
    for (int i = n_begun; i < list.n; i++) {
        go_through_stage(s, db, way, since, way->run->flops + sum->flops, &list.rows[i], sum);
        since = way->at;
    }
    lagd_stages_deinit(&list);
}

static bool find_pace(struct lagd_supervisor *s, struct way *way) {
    const struct lagd_run_config *config = &way->config;
    struct lagd_speed speed;
    const double tokens = (double)(config->sequences * config->tokens_per_sequence * config->accumulate);
    const double flops = tokens * lag_flops_token_train(&way->spec, (int)config->tokens_per_sequence);
    (void)lagd_speeds_get(s->deps.speeds, way->run->id, flops, &speed);
    double core = lag_measured_core_rate(lagd_run_precision(config)) * LAGD_STEP_EFFICIENCY;
    if (config->recompute) core /= LAGD_RECOMPUTE_TIME;
    const double train = speed.train > 0 ? speed.train : core, eval = speed.eval > 0 ? speed.eval : train;
    const int64_t limit = config->threads > 0 ? config->threads : s->deps.n_threads;
    /* Teams take turns at the processors. */
    const int n_active = LAG_MAX(atomic_load(&s->deps.totals.runs_active), 1);
    const double share = (double)LAG_MIN(limit, s->deps.n_threads) / n_active;
    way->pace = (struct pace){train * share, eval * share};
    return way->pace.train > 0 && way->pace.eval > 0;
}

static void sum_up(struct lagd_supervisor *s, struct lag_db *db, struct way *way, struct lagd_left *ret) {
    struct lagd_ahead ahead = {0};
    if (lagd_ahead_read(db, way->run->id, &ahead, NULL) < 0) return;
    *ret = (struct lagd_left){0, 0};
    if (way->run->step == 0 && way->run->flops <= 0) evaluate(way, 1, ret);
    for (int i = 0; i < ahead.n; i++) go_through(s, db, way, &ahead.rows[i], ret);
    go_through_plan(s, db, way, ret);
    go_to(way, way->run->max_steps, ret);
    lagd_ahead_deinit(&ahead);
}

static bool goes_on(const struct lag_run_row *run) {
    return lagd_run_is(run->state, LAGD_RUN_RUNNING) || lagd_run_is(run->state, LAGD_RUN_GROWING);
}

/* What the run takes once it goes on; seconds NaN: no pace is known. */
static void left_once_on(struct lagd_supervisor *s, struct lag_db *db, const struct lag_run_row *run,
                         struct lagd_left *ret) {
    *ret = (struct lagd_left){NAN, NAN};
    if (lagd_state_has_ended(LAGD_MACHINE_RUN, run->state)) return;
    LAG_CLEANUP(lag_free_p) struct way *way = lag_calloc(1, sizeof(*way));
    if (!way) return;
    way->run = run;
    way->at = run->step;
    if (lagd_run_spec_of_row(run, &way->config, &way->spec, NULL) < 0) return;
    const bool known = find_pace(s, way);
    sum_up(s, db, way, ret);
    if (!known) ret->seconds = NAN;
}

void lagd_supervisor_left(struct lagd_supervisor *s, struct lag_db *db, const struct lag_run_row *run,
                          struct lagd_left *ret) {
    left_once_on(s, db, run, ret);
    if (!goes_on(run)) ret->seconds = NAN;
}

double lagd_supervisor_growth_left(struct lagd_supervisor *s, struct lag_db *db, const struct lag_growth_row *growth) {
    LAG_CLEANUP(lag_free_p) struct way *way = lag_calloc(1, sizeof(*way));
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *request = lag_calloc(1, sizeof(*request));
    struct lagd_left sum = {0, 0};
    struct lag_run_row run;
    if (!way || !request || !lagd_growth_is(growth->state, LAGD_GROWTH_PROBING)) return NAN;
    if (lag_run_get(db, growth->run_id, &run, NULL) < 0 || !goes_on(&run)) return NAN;
    way->run = &run;
    way->at = growth->start_step;
    if (lagd_run_spec_of_row(&run, &way->config, &way->spec, NULL) < 0 || !find_pace(s, way)) return NAN;
    if (lagd_ahead_request(db, growth, request, NULL) != 0) return NAN;
    if (isnan(growth->parent_loss)) evaluate(way, 1, &sum);
    probe(s, db, way, request, 1 - share_done(db, growth), &sum);
    return sum.seconds;
}

/* --- a study ----------------------------------------------------------------------------------------------------- */

/* Its runs by role: those that have all before them are alike, and say what those take that are not made yet. */
struct study_left {
    struct lagd_supervisor *s;
    struct lag_db *db;
    double seconds, longest[2];
    int n_missing[2];
    bool unknown;
};

static int add_study_run(const struct lag_study_run_row *row, void *arg) {
    struct study_left *sum = arg;
    const int role = strcmp(row->role, "scratch") == 0;
    struct lagd_left left;
    struct lag_run_row run;
    if (!row->run_id[0]) {
        sum->n_missing[role]++;
        return 0;
    }
    if (lag_run_get(sum->db, row->run_id, &run, NULL) < 0) return 0; /* deleted: nobody waits for it */
    if (lagd_state_has_ended(LAGD_MACHINE_RUN, run.state)) return 0;
    left_once_on(sum->s, sum->db, &run, &left);
    if (isnan(left.seconds)) sum->unknown = true;
    sum->seconds += left.seconds;
    sum->longest[role] = fmax(sum->longest[role], left.seconds);
    return 0;
}

double lagd_supervisor_study_left(struct lagd_supervisor *s, struct lag_db *db, const struct lag_study_row *study) {
    struct study_left sum = {.s = s, .db = db};
    if (!lagd_study_is(study->state, LAGD_STUDY_RUNNING)) return NAN;
    if (lag_study_run_list(db, study->id, add_study_run, &sum, NULL) < 0 || sum.unknown) return NAN;
    for (int role = 0; role < 2; role++) {
        if (sum.n_missing[role] > 0 && sum.longest[role] <= 0) return NAN;
        sum.seconds += sum.n_missing[role] * sum.longest[role];
    }
    return sum.seconds;
}

/* How long a run will take from where it is to its last step, with the growths that it is still to go through. */
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include "plan/speeds_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/cost.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD_MAX 16

/* FLOP/s of the run's team in steps and in validations. */
struct pace {
    double train, eval;
};

struct ahead {
    int64_t begins; /* at this step, or at once */
    bool is_probed; /* candidates train, or will */
    struct lag_growth_row row;
};

struct way {
    const struct lag_run_row *run;
    struct lagd_run_config config;
    struct lag_spec spec; /* as far as the way was summed up */
    struct pace pace;
    struct ahead ahead[AHEAD_MAX];
    int n_ahead;
    double done; /* share of the probe under way */
};

/* --- what lies ahead --- */

static int collect(const struct lag_growth_row *row, void *arg) {
    struct way *way = arg;
    if (lagd_state_has_ended(LAGD_MACHINE_GROWTH, row->state) || lagd_growth_is(row->state, LAGD_GROWTH_APPLIED) ||
        way->n_ahead == AHEAD_MAX) return 0;
    bool waits = lagd_growth_is(row->state, LAGD_GROWTH_QUEUED);
    struct ahead *ahead = &way->ahead[way->n_ahead++];
    *ahead = (struct ahead){.row = *row, .begins = LAG_MAX(waits ? row->at_step : row->start_step, way->run->step),
                            .is_probed = waits || lagd_growth_is(row->state, LAGD_GROWTH_PROBING)};
    return 0;
}

static int by_begin(const void *left, const void *right) {
    const struct ahead *a = left, *b = right;
    return (a->begins > b->begins) - (a->begins < b->begins);
}

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

/* --- seconds --- */

static double of_steps(const struct way *way, int64_t from, int64_t to) {
    const struct lagd_run_config *config = &way->config;
    if (to <= from) return 0;
    const double context = (double)config->tokens_per_sequence, sequences = (double)config->sequences;
    const double train = lag_flops_token_train(&way->spec, (int)context) * context * sequences *
                         (double)config->accumulate;
    const double eval = lag_flops_token_forward(&way->spec, (int)context) * context * sequences *
                        (double)config->eval_batches;
    const double n_evals = (double)(to / config->eval_every - from / config->eval_every);
    return (double)(to - from) * train / way->pace.train + n_evals * eval / way->pace.eval;
}

static double of_probe(struct lagd_supervisor *s, const struct way *way, const struct ahead *ahead) {
    struct lagd_growth_request *request = lag_calloc(1, sizeof(*request));
    struct lagd_growth_plan *plan = NULL;
    struct lag_run_row run = *way->run;
    struct lag_error err;
    double seconds = 0;
    run.step = LAG_MAX(ahead->begins, 0);
    lagd_shape_of_spec(&way->spec, &run.shape);
    if (request) lagd_growth_request_defaults(request);
    if (request && lag_fields_parse(&lagd_growth_fields, request, ahead->row.request, &err) == 0 &&
        lagd_growth_plan_make(request, &run, s->deps.n_threads, &plan, &err) == 0) {
        lagd_supervisor_predict(s, &run, plan);
        seconds = plan->seconds_guess;
    }
    free(plan);
    free(request);
    return seconds;
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

static double sum_up(struct lagd_supervisor *s, struct lag_db *db, struct way *way) {
    double seconds = 0;
    int64_t at = way->run->step;
    for (int i = 0; i < way->n_ahead; i++) {
        const struct ahead *ahead = &way->ahead[i];
        seconds += of_steps(way, at, ahead->begins);
        if (ahead->is_probed) {
            bool now = lagd_growth_is(ahead->row.state, LAGD_GROWTH_PROBING);
            seconds += of_probe(s, way, ahead) * (now ? 1 - share_done(db, &ahead->row) : 1);
        }
        at = ahead->begins + ahead->row.probe_steps; /* the winner goes on from where its probe ended */
        lagd_spec_take_shape(&way->spec, &ahead->row.to);
    }
    return seconds + of_steps(way, at, way->run->max_steps);
}

double lagd_supervisor_seconds_left(struct lagd_supervisor *s, struct lag_db *db, const struct lag_run_row *run) {
    bool goes_on = lagd_run_is(run->state, LAGD_RUN_RUNNING) || lagd_run_is(run->state, LAGD_RUN_GROWING);
    struct way *way = goes_on ? lag_calloc(1, sizeof(*way)) : NULL;
    struct lag_error err;
    double seconds = NAN;
    if (!way) return NAN;
    way->run = run;
    if (lagd_run_spec_of_row(run, &way->config, &way->spec, NULL) == 0 && find_pace(s, way) &&
        lag_growth_list(db, run->id, INT32_MAX, collect, way, &err) == 0) {
        qsort(way->ahead, (size_t)way->n_ahead, sizeof(way->ahead[0]), by_begin);
        seconds = sum_up(s, db, way);
    }
    free(way);
    return seconds;
}

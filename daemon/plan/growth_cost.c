/* What a growth will take: its peak of memory, and the time until its verdict. */
#include "plan/growth_cost_internal.h"

#include "plan/batches_internal.h"
#include "plan/run_config_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/engine/learn.h>
#include <lagd/engine/probe.h>
#include <math.h>
#include <string.h>

/* Three files, hashed, synced and read back, where none as large was written yet. */
#define CHECKPOINT_BYTES_PER_S 250e6

/* --- memory ------------------------------------------------------------------------------------------------------ */

struct sizes {
    uint64_t state, probe; /* of a state alone, and with what a probe works in */
};

static bool measure(const struct lagd_run_config *config, struct sizes *ret) {
    struct lag_spec spec;
    const struct lag_work_shape one_thread = lagd_run_work_shape(config, 1);
    lagd_run_spec(config, &spec);
    uint64_t work = lag_work_bytes(&spec, &one_thread);
    ret->state = lag_state_bytes(&spec);
    return ret->state > 0 && work > 0 && lag_add_u64(ret->state, work, &ret->probe);
}

/* At most n_workers candidates live at once. The one that does not grow is smaller than the others: it is counted as
 * one of them only when all live at once. Each may read all models of a fusion while it begins. Beside them lies the
 * state of the best candidate that has ended. */
static bool add_candidates(const struct lagd_growth_load *load, const struct sizes *parent, const struct sizes *grown,
                           uint64_t *sum) {
    int live = LAG_MAX(1, LAG_MIN(load->n_candidates, load->n_workers));
    bool all = live == load->n_candidates && live > 1;
    uint64_t probes = 0;
    uint64_t parents = 0, learning = 0;
    bool fits = lag_mul_u64(grown->probe, (uint64_t)(all ? live - 1 : live), &probes) && lag_add_u64(*sum, probes, sum);
    fits = fits && lag_mul_u64((uint64_t)load->parents_bytes, (uint64_t)live, &parents) &&
           lag_add_u64(*sum, parents, sum);
    fits = fits && lag_mul_u64((uint64_t)load->learn_bytes, (uint64_t)LAG_MIN(live, load->n_learning), &learning) &&
           lag_add_u64(*sum, learning, sum);
    if (fits && all) fits = lag_add_u64(*sum, parent->probe, sum);
    if (fits && !all && load->keeps_best && load->n_candidates > 1) fits = lag_add_u64(*sum, grown->state, sum);
    return fits;
}

void lagd_growth_batches(const struct lag_step_config *step, const struct lag_probe_plan *probe, int64_t first_step,
                         struct lag_kept_batches *ret) {
    *ret = (struct lag_kept_batches){.seed = step->seed, .first_step = first_step, .n_steps = probe->steps,
                                     .accumulate = step->accumulate, .batch = step->batch,
                                     .eval = lagd_eval_set(probe), .context = step->context};
}

struct lag_eval_set lagd_eval_set(const struct lag_probe_plan *plan) {
    return (struct lag_eval_set){.n_batches = plan->n_batches, .stride = plan->stride, .rows = plan->eval_sequences,
                                 .window = plan->window};
}

int lagd_probe_plan_make(const struct lagd_growth_request *request, int64_t first_rung,
                         const struct lagd_run_config *config, const struct lag_step_config *step,
                         struct lag_probe_plan *ret) {
    const bool study = strcmp(request->mode, "study") == 0;
    const struct lag_probe_ask ask = {.steps = request->probe_steps,
                                      .eval_every = request->eval_every,
                                      .first_rung = first_rung,
                                      .max_steps = request->max_steps,
                                      .run_batches = (int)config->eval_batches,
                                      .wanted_batches = (int)(study ? config->eval_batches : request->eval_batches),
                                      .max_share = study ? 1 : request->max_eval_share,
                                      .step_tokens = (int64_t)step->accumulate * step->batch * step->context,
                                      .rows = step->batch,
                                      .context = step->context};
    return lag_probe_plan_init(&ask, ret);
}

static uint64_t batches_bytes(const struct lagd_growth_load *load, const struct lagd_run_config *grown) {
    struct lag_step_config step;
    struct lag_kept_batches batches;
    lagd_run_step_config(grown, load->run->lr_scale, &step);
    lagd_growth_batches(&step, load->probe, 0, &batches);
    return lag_kept_bytes(&batches);
}

/* While the winner is applied: what the growth did is measured on the parent, the winner's state and one more that is
 * grown for it, with all threads, and all models of a fusion at hand. What was learned is learned once more. */
static uint64_t measuring_bytes(const struct lagd_growth_load *load, const struct lagd_run_config *grown_config,
                                const struct sizes *parent, const struct sizes *grown, int n_threads) {
    struct lag_spec spec;
    struct lagd_run_config config = *load->config; /* on sequences as long as before */
    config.shape = grown_config->shape;
    const int threads = (int)(config.threads > 0 ? LAG_MIN(config.threads, n_threads) : n_threads);
    const struct lag_work_shape shape = lagd_run_work_shape(&config, threads);
    lagd_run_spec(&config, &spec);
    uint64_t sum = LAGD_OVERHEAD_BYTES;
    const uint64_t parts[] = {parent->state, grown->state, load->keeps_best ? grown->state : 0,
                              lag_work_bytes(&spec, &shape), (uint64_t)load->parents_bytes,
                              (uint64_t)load->learn_bytes};
    for (size_t i = 0; i < LAG_COUNT(parts); i++)
        if (!lag_add_u64(sum, parts[i], &sum)) return UINT64_MAX;
    return sum;
}

/* The batches are there before the candidates, while the parent is validated, which still has all that the run has. */
int64_t lagd_growth_peak(const struct lagd_growth_load *load, int n_threads) {
    struct lagd_run_estimate before, after;
    struct lagd_run_config grown_config = *load->config;
    struct sizes parent, grown;
    grown_config.shape = load->to;
    if (lagd_batches_with(load->run, load->tokens_per_sequence, &grown_config, NULL) < 0) return INT64_MAX;
    const uint64_t batches = batches_bytes(load, &grown_config);
    uint64_t sum = LAGD_OVERHEAD_BYTES + batches;
    bool fits = measure(load->config, &parent) && measure(&grown_config, &grown) &&
                lag_add_u64(sum, parent.state, &sum) && add_candidates(load, &parent, &grown, &sum) &&
                sum <= INT64_MAX && lagd_run_estimate(load->config, n_threads, &before, NULL) == 0 &&
                lagd_run_estimate(&grown_config, n_threads, &after, NULL) == 0;
    const uint64_t measuring = fits ? measuring_bytes(load, &grown_config, &parent, &grown, n_threads) : UINT64_MAX;
    if (!fits || measuring > INT64_MAX) return INT64_MAX;
    sum = LAG_MAX(sum, measuring);
    return LAG_MAX(LAG_MAX((int64_t)sum, before.memory_bytes + (int64_t)batches), after.memory_bytes);
}

int lagd_candidate_cost(const struct lagd_candidate_load *load, struct lagd_candidate_plan *candidate,
                        struct lagd_growth_plan *plan, struct lag_error *err) {
    struct lag_learn_cost learning;
    const int rc = lag_learn_cost(load->strategy, load->from, load->to, load->step, &learning, err);
    if (rc < 0) return rc;
    candidate->learn_steps = learning.steps;
    candidate->learn_flops = (double)learning.steps * learning.step_flops;
    candidate->flops = candidate->learn_flops + lag_probe_flops(load->to, load->step, load->probe);
    candidate->eval_flops = lag_probe_eval_flops(load->to, load->step, load->probe);
    plan->n_learning += learning.steps > 0;
    plan->learn_bytes = LAG_MAX(plan->learn_bytes, (int64_t)LAG_MIN(learning.bytes, (uint64_t)INT64_MAX));
    return 0;
}

/* --- time -------------------------------------------------------------------------------------------------------- */

/* FLOP/s of one probe, guessed from the run's own steps. A probe alone on the machine is as fast as a step that one
 * thread makes (alone). When every thread has a probe, each is slower than that, since they share memory, but faster
 * than a thread of the run's team (train), whose members wait for each other: halfway between the two. In between it
 * goes linearly with the number of workers. */
static double step_rate(const struct lagd_speed *speed, int n_workers, int n_threads) {
    if (!(speed->alone > 0) || n_threads < 2) return speed->train;
    const double crowded = 0.5 * (speed->alone + speed->train);
    const double crowd = fmin(1, (double)(n_workers - 1) / (n_threads - 1));
    return speed->alone + (crowded - speed->alone) * crowd;
}

/* FLOP/s of one probe in steps and in evaluations. What probes have shown counts first, then the run's own steps. */
static void choose_rates(const struct lagd_growth_pace *pace, int n_workers, double *ret_train, double *ret_eval) {
    const struct lagd_speed *speed = &pace->speed;
    const double machine = pace->core_rate * LAGD_STEP_EFFICIENCY, step = step_rate(speed, n_workers, pace->n_threads);
    *ret_train = speed->probe_train > 0 ? speed->probe_train : step;
    const bool known = *ret_train > 0;
    if (!known) *ret_train = machine / (pace->recompute ? LAGD_RECOMPUTE_TIME : 1);
    *ret_eval = speed->probe_eval;
    if (!(*ret_eval > 0) && speed->train > 0) *ret_eval = speed->eval * step / speed->train;
    if (!(*ret_eval > 0)) *ret_eval = known ? *ret_train : machine;
}

/* Seconds until the last candidate ends, when each takes the worker that is free first. */
static double makespan(const struct lagd_growth_plan *plan, double train, double eval) {
    double ends[LAGD_STRATEGIES_MAX + 1] = {0}, last = 0;
    int n_workers = (int)LAG_MAX(1, LAG_MIN(plan->n_workers, LAGD_STRATEGIES_MAX + 1));
    for (int i = 0; i < plan->n_candidates; i++) {
        const struct lagd_candidate_plan *candidate = &plan->candidates[i];
        int first = 0;
        for (int w = 1; w < n_workers; w++)
            if (ends[w] < ends[first]) first = w;
        ends[first] += (candidate->flops - candidate->eval_flops) / train + candidate->eval_flops / eval;
        last = fmax(last, ends[first]);
    }
    return last;
}

/* The time of small checkpoints is that of their syncs, and tells nothing about large ones: what is beyond the mean is
 * taken to be written at the mean's rate or at the usual one, whichever is faster. */
static double checkpoint_seconds(const struct lagd_growth_pace *pace) {
    const double mean_rate = pace->mean_checkpoint_s > 0 ? pace->mean_checkpoint_bytes / pace->mean_checkpoint_s : 0;
    const double rate = fmax(mean_rate, CHECKPOINT_BYTES_PER_S);
    return pace->mean_checkpoint_s + fmax(0, pace->checkpoint_bytes - pace->mean_checkpoint_bytes) / rate;
}

void lagd_growth_time(struct lagd_growth_plan *plan, const struct lagd_growth_pace *pace) {
    double train = 0, eval = 0;
    choose_rates(pace, (int)plan->n_workers, &train, &eval);
    const struct lagd_speed *speed = &pace->speed;
    const double team_train = (speed->train > 0 ? speed->train : train) * pace->n_threads;
    const double team_eval = (speed->eval > 0 ? speed->eval : eval) * pace->n_threads;
    /* Claims for compute slots are served in turn: with more of them than slots everyone waits its share. */
    const double probing = fmax(1, (double)(plan->n_workers + pace->n_others) / pace->n_threads);
    const double n_small = (double)(plan->n_times - plan->n_full) + (double)(plan->n_full * plan->eval_stride);
    const double parent_flops = plan->candidates[plan->n_candidates - 1].eval_flops / fmax(1, n_small);
    plan->seconds_guess = 0.5 * pace->step_flops / team_train + checkpoint_seconds(pace) +
                          parent_flops / team_eval + makespan(plan, train, eval) * probing;
    const bool known = speed->train > 0 || speed->probe_train > 0;
    const char *basis = pace->is_own ? "run" : "other_runs";
    (void)lag_copy(plan->time_basis, sizeof(plan->time_basis), known ? basis : "machine");
}

/* One probe on a worker of the pool: slots before each step, rows after it. */
#include "exec/slots_internal.h"
#include "growth/growth_internal.h"
#include "plan/run_config_internal.h"
#include "plan/speeds_internal.h"
#include "records/transact_internal.h"
#include "train/flops_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/engine/cost.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EVALS 64

struct lagd_probe {
    struct lagd_job job; /* first: the pool's view */
    struct lagd_run *run;
    const struct lagd_round *round;
    const struct lag_candidate_row *candidate;
    bool again;
    bool ended; /* under run->wishes.lock */
    struct lag_probe_job what;
    struct lagd_recorder recorder;
    struct lagd_probe_result result;
    double step_flops, eval_flops;
    int hook_rc; /* a write that failed: ends the probe */
    int64_t began_ns, compute_ns, report_due_ns;
    /* evaluations that are not stored yet */
    int64_t eval_times[MAX_EVALS];
    double *losses; /* [MAX_EVALS][n_batches] */
    int n_evals, n_batches, n_mismatches;
};

static void keep_first(struct lagd_probe *probe, int rc) {
    if (probe->hook_rc == 0) probe->hook_rc = rc;
}

/* --- hooks: on the worker --- */

static int begin(void *arg) {
    struct lagd_probe *probe = arg;
    int n = 0;
    if (probe->hook_rc != 0) return probe->hook_rc;
    lagd_job_waits(&probe->job);
    int rc = lagd_slots_acquire(probe->run->deps->slots, 1, &probe->job.cancelled, &n);
    lagd_job_beat(&probe->job);
    probe->began_ns = lag_clock_mono_ns();
    return rc;
}

static void end(void *arg) {
    struct lagd_probe *probe = arg;
    probe->compute_ns = lag_clock_mono_ns() - probe->began_ns;
    lagd_slots_release(probe->run->deps->slots, 1);
    atomic_fetch_add(&probe->run->deps->totals.probe_ns, probe->compute_ns);
}

static double mean(const double *losses, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += losses[i];
    return sum / n;
}

static int tell_mismatch(struct lag_db *db, const struct lagd_probe *probe, int64_t t, struct lag_error *err) {
    char message[LAG_ROW_TEXT];
    (void)snprintf(
        message, sizeof(message),
        "validation losses computed again after %lld probe steps differ from the stored ones, which are kept",
        (long long)t);
    const struct lag_event event = {.type = LAG_EVENT_DETERMINISM_MISMATCH, .run_id = probe->run->id,
                                    .growth_id = probe->candidate->growth_id, .candidate_id = probe->candidate->id,
                                    .step = t, .value = LAG_NO_VALUE, .message = message};
    return lag_event_put(db, &event, err);
}

static int write_evals(struct lag_db *db, struct lagd_probe *probe, struct lag_error *err) {
    int rc = 0;
    probe->n_mismatches = 0;
    for (int i = 0; rc == 0 && i < probe->n_evals; i++) {
        const double *losses = probe->losses + (size_t)i * (size_t)probe->n_batches;
        const int64_t t = probe->eval_times[i];
        bool mismatch = false;
        rc = lag_probe_losses_put(db, probe->candidate->number, t, losses, probe->n_batches, &mismatch, err);
        if (rc == 0 && mismatch) rc = tell_mismatch(db, probe, t, err);
        if (rc == 0 && t == 0 && !probe->again)
            rc = lag_candidate_set_losses(db, probe->candidate->id, mean(losses, probe->n_batches), NAN, err);
        probe->n_mismatches += mismatch;
    }
    return rc;
}

static int write_report(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_probe *probe = arg;
    int rc = write_evals(db, probe, err);
    if (rc != 0 || probe->again) return rc;
    return lag_candidate_set_progress(db, probe->candidate->id, probe->result.t, probe->result.flops, err);
}

/* What is not stored yet, in one transaction. A probe that a crash ends begins anew, so nothing needs to be stored
 * before its end; the wait for the disk is kept to a small part of its time. While the disk is full that takes as long
 * as it takes. */
static void report(struct lagd_probe *probe) {
    if (probe->again && probe->n_evals == 0) return;
    int64_t began_ns = lag_clock_mono_ns();
    lagd_job_waits(&probe->job);
    keep_first(probe, lagd_write_patiently(probe->run->deps, write_report, probe, &probe->job.cancelled,
                                           &probe->result.err));
    lagd_job_beat(&probe->job);
    atomic_fetch_add(&probe->run->deps->totals.mismatches, probe->n_mismatches);
    probe->n_evals = 0;
    probe->report_due_ns = lagd_report_due_ns(began_ns, lag_clock_mono_ns());
}

static void report_if_due(struct lagd_probe *probe) {
    if (probe->n_evals == MAX_EVALS || lag_clock_mono_ns() >= probe->report_due_ns) report(probe);
}

static void step(void *arg, int64_t t, const struct lag_step_result *result) {
    struct lagd_probe *probe = arg;
    int64_t at = probe->round->run->book.growth.start_step + t;
    const struct { enum lagd_key key; double value; } points[] = {
        {LAGD_TRAIN_LOSS, result->loss}, {LAGD_LR, result->lr}, {LAGD_GRAD_NORM, result->grad_norm}};
    for (size_t i = 0; i < LAG_COUNT(points); i++)
        keep_first(probe, lagd_recorder_add(&probe->recorder, points[i].key, at, points[i].value, &probe->result.err));
    probe->result.t = t;
    probe->result.flops += probe->step_flops;
    atomic_fetch_add(&probe->run->deps->totals.probe_steps, 1);
    lagd_job_beat(&probe->job);
    lagd_speeds_add(probe->run->deps->speeds, probe->run->id, LAGD_SPEED_PROBE_TRAIN, probe->step_flops,
                    probe->compute_ns, 1);
    LAG_FP("probe.step");
    report_if_due(probe);
}

static void eval(void *arg, int64_t t, const double *losses, int n_batches) {
    struct lagd_probe *probe = arg;
    double loss = mean(losses, n_batches);
    memcpy(probe->losses + (size_t)probe->n_evals * (size_t)n_batches, losses, (size_t)n_batches * sizeof(*losses));
    probe->eval_times[probe->n_evals++] = t;
    probe->result.flops += probe->eval_flops;
    if (t == probe->what.plan->steps) probe->result.loss_at_lag = loss;
    lagd_speeds_add(probe->run->deps->speeds, probe->run->id, LAGD_SPEED_PROBE_EVAL, probe->eval_flops,
                    probe->compute_ns, 1);
    LAG_FP("probe.eval");
    keep_first(probe, lagd_recorder_add(&probe->recorder, LAGD_VAL_LOSS, probe->round->run->book.growth.start_step + t,
                                        loss, &probe->result.err));
    report_if_due(probe);
}

/* --- the job --- */

static void run_probe(struct lagd_job *job) {
    struct lagd_probe *probe = (struct lagd_probe *)job;
    struct lagd_probe_result *result = &probe->result;
    const struct lag_probe_hooks hooks = {.arg = probe, .begin = begin, .end = end, .step = step, .eval = eval};
    atomic_fetch_add(&probe->run->deps->totals.probes_active, 1);
    lagd_job_waits(job);
    const int64_t now_ns = lag_clock_mono_ns();
    probe->report_due_ns = lagd_report_due_ns(now_ns, now_ns);
    result->rc = lagd_recorder_open(&probe->recorder, probe->run->deps, probe->candidate->id, false, &job->cancelled,
                                    &result->err);
    lagd_job_beat(job);
    if (result->rc == 0)
        result->rc = lag_probe_run(&probe->what, &hooks, NULL, &result->state, result->reason, &result->err);
    if (result->rc >= 0 && probe->n_evals > 0) report(probe);
    if (result->rc == 0 && probe->hook_rc != 0) result->rc = probe->hook_rc;
    int rc = lagd_recorder_flush(&probe->recorder, &result->err);
    if (result->rc >= 0 && rc != 0) result->rc = rc;
    atomic_fetch_sub(&probe->run->deps->totals.probes_active, 1);
}

static void tell_ended(struct lagd_job *job) {
    struct lagd_probe *probe = (struct lagd_probe *)job;
    struct lagd_run *run = probe->run;
    (void)pthread_mutex_lock(&run->wishes.lock);
    if (!job->ran) probe->result.rc = LAG_ECANCELED;
    probe->ended = true;
    (void)pthread_cond_broadcast(&run->wishes.woken);
    (void)pthread_mutex_unlock(&run->wishes.lock);
}

static int describe(struct lagd_probe *probe, struct lag_error *err) {
    const struct lagd_round *round = probe->round;
    struct lagd_run *run = probe->run;
    probe->what = (struct lag_probe_job){.parent = run->trainer.state,
                                         .target = run->trainer.state->layout.spec,
                                         .dataset = run->trainer.dataset,
                                         .config = run->trainer.step,
                                         .precision = lagd_run_precision(&run->book.config),
                                         .recompute = run->book.config.recompute,
                                         .plan = &round->plan,
                                         .parent_loss = run->book.growth.parent_loss,
                                         .divergence_bound = round->request.divergence_bound,
                                         .divergence_grace = round->plan.steps / 4};
    int rc = lag_strategy_parse(probe->candidate->strategy, &probe->what.strategy, err);
    if (rc != 0) return rc;
    if (probe->candidate->rewarm_steps > 0) probe->what.strategy.rewarm_steps = probe->candidate->rewarm_steps;
    bool grows = strcmp(probe->candidate->op, "none") != 0;
    if (grows) probe->what.target.n_layer = (int)run->book.growth.n_layer_to;
    const struct lag_spec *spec = &probe->what.target;
    probe->step_flops = (double)lagd_run_step_tokens(run) * lag_flops_token_train(spec, run->trainer.step.context);
    probe->eval_flops = (double)round->plan.n_batches * round->plan.eval_sequences * run->trainer.step.context *
                        lag_flops_token_forward(spec, run->trainer.step.context);
    return 0;
}

int lagd_probe_start(struct lagd_round *round, int index, bool again, struct lagd_probe **ret, struct lag_error *err) {
    struct lagd_probe *probe = lag_calloc(1, sizeof(*probe));
    if (!probe) return lag_error_set(err, LAG_ENOMEM, "out of memory for a probe");
    probe->job.run = run_probe;
    probe->job.done = tell_ended;
    probe->run = round->run;
    probe->round = round;
    probe->candidate = &round->candidates[index];
    probe->again = again;
    probe->result.loss_at_lag = NAN;
    probe->n_batches = round->plan.n_batches;
    probe->losses = lag_calloc((size_t)MAX_EVALS * (size_t)probe->n_batches, sizeof(*probe->losses));
    int rc =
        probe->losses ? describe(probe, err) : lag_error_set(err, LAG_ENOMEM, "out of memory for a probe's losses");
    if (rc == 0) {
        rc = lagd_pool_submit(round->run->deps->probes, &probe->job);
        if (rc != 0) (void)lag_error_set(err, rc, "the probe pool is stopping");
    }
    if (rc != 0) {
        free(probe->losses);
        free(probe);
        return rc;
    }
    *ret = probe;
    return 0;
}

bool lagd_probe_ended(const struct lagd_probe *probe) {
    return probe->ended;
}

void lagd_probe_cancel(struct lagd_probe *probe) {
    lagd_pool_cancel(probe->run->deps->probes, &probe->job);
}

void lagd_probe_finish(struct lagd_probe *probe, struct lagd_probe_result *ret) {
    if (ret) *ret = probe->result;
    else lag_state_destroy(probe->result.state);
    free(probe->losses);
    free(probe);
}

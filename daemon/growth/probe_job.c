/* One probe on a worker of the pool: slots before each step, rows after it. */
#include "growth/probe_internal.h"

#include "checkpoint/checkpoint_internal.h"
#include "exec/slots_internal.h"
#include "growth/probe_state_internal.h"
#include "plan/speeds_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/engine/witness.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EVALS 64
#define VERIFY_MS 40 /* between two looks at a dataset that the run finds out about */

struct lagd_probe {
    struct lagd_job job; /* first: the pool's view */
    struct lagd_probe_spec spec;
    struct lagd_probe_loans loans;
    struct lag_probe_plan plan; /* a copy */
    bool ended;                 /* under the waiter's lock */
    struct lagd_probe_keeper keeper;
    struct lagd_recorder recorder;
    struct lagd_probe_result result;
    int hook_rc; /* a write that failed: ends the probe */
    int64_t began_ns, compute_ns, report_due_ns;
    /* evaluations that are not stored yet */
    int64_t eval_times[MAX_EVALS];
    double *losses; /* [MAX_EVALS][n_batches] */
    int n_evals, n_mismatches;
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
    int rc = lagd_slots_acquire(probe->loans.deps->slots, 1, &probe->job.cancelled, &n);
    lagd_job_beat(&probe->job);
    probe->began_ns = lag_clock_mono_ns();
    return rc;
}

static void end(void *arg) {
    struct lagd_probe *probe = arg;
    probe->compute_ns = lag_clock_mono_ns() - probe->began_ns;
    lagd_slots_release(probe->loans.deps->slots, 1);
    atomic_fetch_add(&probe->loans.deps->totals.probe_ns, probe->compute_ns);
    probe->keeper.computed_ns += probe->compute_ns;
}

static int tell_mismatch(struct lag_db *db, const struct lagd_probe *probe, int64_t t, struct lag_error *err) {
    char message[LAG_ROW_TEXT];
    (void)snprintf(
        message, sizeof(message),
        "validation losses computed again after %lld probe steps differ from the stored ones, which are kept",
        (long long)t);
    const struct lag_event event = {.type = LAG_EVENT_DETERMINISM_MISMATCH, .run_id = probe->spec.run_id,
                                    .growth_id = probe->spec.growth_id, .candidate_id = probe->spec.candidate_id,
                                    .step = t, .value = LAG_NO_VALUE, .message = message};
    return lag_event_put(db, &event, err);
}

static int write_evals(struct lag_db *db, struct lagd_probe *probe, struct lag_error *err) {
    int rc = 0;
    probe->n_mismatches = 0;
    for (int i = 0; rc == 0 && i < probe->n_evals; i++) {
        const double *losses = probe->losses + (size_t)i * (size_t)probe->plan.n_batches;
        const int64_t t = probe->eval_times[i];
        bool mismatch = false;
        rc = lag_probe_losses_put(db, probe->spec.candidate_number, t, losses, probe->plan.n_batches, &mismatch, err);
        if (rc == 0 && mismatch) rc = tell_mismatch(db, probe, t, err);
        if (rc == 0 && t == 0 && !probe->spec.again)
            rc = lag_candidate_set_losses(db, probe->spec.candidate_id, lag_loss_mean(losses, probe->plan.n_batches),
                                          NAN, err);
        probe->n_mismatches += mismatch;
    }
    return rc;
}

static int write_report(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_probe *probe = arg;
    int rc = write_evals(db, probe, err);
    if (rc != 0 || probe->spec.again) return rc;
    return lag_candidate_set_progress(db, probe->spec.candidate_id, probe->result.t, probe->result.flops, err);
}

/* What is not stored yet, in one transaction. A probe that a crash ends goes on from its kept state or begins anew, so
 * nothing needs to be stored before the next state or its end; the wait for the disk is kept to a small part of its
 * time. While the disk is full that takes as long as it takes. */
static void report(struct lagd_probe *probe) {
    if (probe->spec.again && probe->n_evals == 0) return;
    int64_t began_ns = lag_clock_mono_ns();
    lagd_job_waits(&probe->job);
    keep_first(probe, lagd_write_patiently(probe->loans.deps, write_report, probe, &probe->job.cancelled,
                                           &probe->result.err));
    lagd_job_beat(&probe->job);
    atomic_fetch_add(&probe->loans.deps->totals.mismatches, probe->n_mismatches);
    probe->n_evals = 0;
    probe->report_due_ns = lagd_report_due_ns(began_ns, lag_clock_mono_ns());
}

static void report_if_due(struct lagd_probe *probe) {
    if (probe->n_evals == MAX_EVALS || lag_clock_mono_ns() >= probe->report_due_ns) report(probe);
}

/* Numbers are stored once and for all, so none is told that may come from another file: where its stamp has changed,
 * the run finds out whether it is one. */
static bool knows_dataset(struct lagd_probe *probe) {
    enum lag_sight sight = LAG_SIGHT_OTHER;
    int rc = lag_dataset_look(probe->loans.dataset, &sight, &probe->result.err);
    while (rc == 0 && sight == LAG_SIGHT_OTHER) {
        lagd_wishes_post(probe->loans.waiter, LAGD_WISH_VERIFY, NULL);
        lagd_job_waits(&probe->job);
        lagd_pause_ms(VERIFY_MS, &probe->job.cancelled);
        lagd_job_beat(&probe->job);
        rc = lag_dataset_look(probe->loans.dataset, &sight, &probe->result.err);
        if (rc == 0 && sight == LAG_SIGHT_OTHER && atomic_load(&probe->job.cancelled)) rc = LAG_ECANCELED;
    }
    keep_first(probe, rc);
    return rc == 0;
}

static void stepped(struct lagd_probe *probe, int64_t t, const struct lag_step_result *result) {
    if (!knows_dataset(probe)) return;
    int64_t at = probe->spec.start_step + t;
    const struct { enum lagd_key key; double value; } points[] = {
        {LAGD_TRAIN_LOSS, result->loss}, {LAGD_LR, result->lr}, {LAGD_GRAD_NORM, result->grad_norm}};
    for (size_t i = 0; i < LAG_COUNT(points); i++)
        keep_first(probe, lagd_recorder_add(&probe->recorder, points[i].key, at, points[i].value, &probe->result.err));
    probe->result.t = t;
    probe->result.flops += probe->spec.step_flops;
    atomic_fetch_add(&probe->loans.deps->totals.probe_steps, 1);
    lagd_job_beat(&probe->job);
    lagd_speeds_add(probe->loans.deps->speeds, probe->spec.run_id, LAGD_SPEED_PROBE_TRAIN, probe->spec.step_flops,
                    probe->compute_ns, 1);
    LAG_FP("probe.step");
    report_if_due(probe);
}

/* A step that trains maps: no number of it is kept but what it cost. */
static void learned(struct lagd_probe *probe) {
    if (!knows_dataset(probe)) return;
    probe->result.flops += probe->spec.learn_step_flops;
    lagd_job_beat(&probe->job);
    lagd_speeds_add(probe->loans.deps->speeds, probe->spec.run_id, LAGD_SPEED_PROBE_TRAIN, probe->spec.learn_step_flops,
                    probe->compute_ns, 1);
    LAG_FP("probe.learn");
    report_if_due(probe);
}

static double eval_flops(const struct lagd_probe *probe, bool full) {
    return probe->spec.small_flops * (full ? probe->plan.stride : 1);
}

/* The candidate's val/loss goes on from the run's, on the same windows; what decides is the mean of all of them. */
static void evaluated(struct lagd_probe *probe, int64_t t, bool full, const double *losses) {
    if (!knows_dataset(probe)) return;
    const int n_batches = probe->plan.n_batches;
    const double loss = lag_small_mean(losses, n_batches, probe->plan.stride), flops = eval_flops(probe, full);
    memcpy(probe->losses + (size_t)probe->n_evals * (size_t)n_batches, losses, (size_t)n_batches * sizeof(*losses));
    probe->eval_times[probe->n_evals++] = t;
    probe->result.flops += flops;
    if (t == probe->spec.to) probe->result.loss_at_lag = lag_loss_mean(losses, n_batches);
    lagd_speeds_add(probe->loans.deps->speeds, probe->spec.run_id, LAGD_SPEED_PROBE_EVAL, flops, probe->compute_ns, 1);
    LAG_FP("probe.eval");
    keep_first(probe, lagd_recorder_add(&probe->recorder, LAGD_VAL_LOSS, probe->spec.start_step + t, loss,
                                        &probe->result.err));
    report_if_due(probe);
}

static void record(void *arg, const struct lag_probe_record *said) {
    if (said->kind == LAG_PROBE_LEARN) learned(arg);
    else if (said->kind == LAG_PROBE_STEP) stepped(arg, said->t, &said->step);
    else evaluated(arg, said->t, said->full, said->losses);
}

/* --- the job --- */

/* The rows of all steps before the state: a probe that goes on from it does not say them again. */
static void keep_state(struct lagd_probe *probe, const struct lag_state *state) {
    keep_first(probe, lagd_recorder_flush(&probe->recorder, &probe->result.err));
    report(probe); /* a write, and with it what the recorder has queued */
    if (probe->hook_rc != 0) return;
    lagd_job_waits(&probe->job);
    lagd_probe_keeper_write(&probe->keeper, probe->loans.deps, &probe->spec, state);
    lagd_job_beat(&probe->job);
}

/* The models that a fusion takes in are read for as long as it takes. Maps are learned whole: what ends that in between
 * loses it, and it comes to the same bits when it is done again. */
static int begin_engine(struct lagd_probe *probe, const struct lag_probe_hooks *hooks, struct lag_probe **ret,
                        struct lag_error *err) {
    const struct lag_strategy *strategy = &probe->spec.engine.strategy;
    const struct lagd_probe_loans *loans = &probe->loans;
    struct lag_state *read[LAG_FUSE_MAX] = {NULL};
    int rc = 0;
    for (int i = 0; i < strategy->n_parents && rc == 0; i++) {
        lagd_job_waits(&probe->job);
        rc = lagd_checkpoint_load(loans->deps, strategy->parents[i].name, &read[i], NULL, err);
        lagd_job_beat(&probe->job);
    }
    LAG_FP("probe.parents");
    const struct lag_state *const others[] = {read[0], read[1], read[2]};
    static_assert(LAG_COUNT(others) == LAG_FUSE_MAX, "each parent has its place");
    if (rc == 0)
        rc = lag_probe_create(&probe->spec.engine, loans->parent, strategy->n_parents ? others : NULL, loans->dataset,
                              NULL, hooks, ret, err);
    if (rc == 0) rc = lag_probe_learn(*ret, loans->parent, err);
    for (int i = 0; i < LAG_FUSE_MAX; i++) lag_state_destroy(read[i]);
    return rc;
}

/* From the growth on, or from the state that an earlier process kept. */
static int open_engine(struct lagd_probe *probe, const struct lag_probe_hooks *hooks, struct lag_probe **ret,
                       struct lag_error *err) {
    const struct lagd_probe_spec *spec = &probe->spec;
    const struct lagd_probe_loans *loans = &probe->loans;
    if (LAG_FP_FAIL("probe.no_memory")) return lag_error_set(err, LAG_ENOMEM, "out of memory: failpoint");
    lagd_job_waits(&probe->job);
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *state = NULL;
    int rc = lagd_probe_state_load(loans->deps, spec, &state, err);
    lagd_job_beat(&probe->job);
    if (rc != 0) return rc;
    if (!state) return begin_engine(probe, hooks, ret, err);
    rc = lag_probe_restore(&spec->engine, &state, spec->start_step, loans->dataset, NULL, hooks, ret, err);
    if (rc != 0) return rc;
    /* The same sums as on the way there. */
    probe->result.t = lag_probe_t(*ret);
    for (int64_t i = 0; i < spec->learn_steps; i++) probe->result.flops += spec->learn_step_flops;
    for (int64_t t = 0, i = 0; t <= probe->result.t; t++) {
        if (t > 0) probe->result.flops += spec->step_flops;
        if (i >= probe->plan.n_times || probe->plan.times[i] != t) continue;
        probe->result.flops += eval_flops(probe, probe->plan.full[i]);
        i++;
    }
    return 0;
}

/* Stopped by a pause, or with the daemon: it goes on from where it is. */
static bool goes_on_later(const struct lagd_probe *probe) {
    struct lagd_wishes *waiter = probe->loans.waiter;
    return !probe->spec.again && probe->loans.deps->probe_checkpoint_s > 0 && atomic_load(&waiter->interrupt) &&
           !lagd_wishes_has(waiter, LAGD_WISH_CANCEL);
}

static int go(struct lagd_probe *probe, struct lag_error *err) {
    const struct lag_probe_hooks hooks = {.arg = probe, .begin = begin, .end = end, .record = record};
    struct lagd_probe_result *result = &probe->result;
    LAG_CLEANUP(lag_probe_destroy_p) struct lag_probe *engine = NULL;
    int rc = open_engine(probe, &hooks, &engine, err);
    int64_t begun = rc == 0 ? lag_probe_t(engine) : 0, whole = begun; /* whole: with its evaluation */
    while (rc == 0 && lag_probe_t(engine) < probe->spec.to) {
        rc = lag_probe_follow(engine, &probe->plan, lag_probe_t(engine) + 1, err);
        if (rc == 0) whole = lag_probe_t(engine);
        const bool on_its_way = rc == 0 && !probe->spec.again && lag_probe_t(engine) < probe->spec.to;
        if (on_its_way && lagd_probe_keeper_due(&probe->keeper, probe->loans.deps))
            keep_state(probe, lag_probe_state(engine));
    }
    if (rc == LAG_ECANCELED && engine && whole > begun && whole == lag_probe_t(engine) && goes_on_later(probe))
        keep_state(probe, lag_probe_state(engine));
    if (rc == LAG_PROBE_DIVERGED) (void)lag_copy(result->reason, sizeof(result->reason), lag_probe_reason(engine));
    if (rc == 0 && !probe->spec.is_kept) result->state = lag_probe_take_state(engine);
    else if (rc == 0 && whole > begun) keep_state(probe, lag_probe_state(engine));
    return rc;
}

static void run_probe(struct lagd_job *job) {
    struct lagd_probe *probe = (struct lagd_probe *)job;
    struct lagd_probe_result *result = &probe->result;
    struct lagd_deps *deps = probe->loans.deps;
    atomic_fetch_add(&deps->totals.probes_active, 1);
    lagd_job_waits(job);
    const int64_t now_ns = lag_clock_mono_ns();
    probe->report_due_ns = lagd_report_due_ns(now_ns, now_ns);
    result->rc = lagd_recorder_open(&probe->recorder, deps, probe->spec.candidate_id, false, &job->cancelled,
                                    &result->err);
    lagd_job_beat(job);
    if (result->rc == 0) result->rc = go(probe, &result->err);
    if (result->rc >= 0 && probe->n_evals > 0) report(probe);
    if (result->rc == 0 && probe->hook_rc != 0) result->rc = probe->hook_rc;
    int rc = lagd_recorder_flush(&probe->recorder, &result->err);
    if (result->rc >= 0 && rc != 0) result->rc = rc;
    atomic_fetch_sub(&deps->totals.probes_active, 1);
}

static void tell_ended(struct lagd_job *job) {
    struct lagd_probe *probe = (struct lagd_probe *)job;
    struct lagd_wishes *waiter = probe->loans.waiter;
    (void)pthread_mutex_lock(&waiter->lock);
    if (!job->ran) probe->result.rc = LAG_ECANCELED;
    probe->ended = true;
    (void)pthread_cond_broadcast(&waiter->woken);
    (void)pthread_mutex_unlock(&waiter->lock);
}

static void destroy(struct lagd_probe *probe) {
    lag_probe_plan_deinit(&probe->plan);
    free(probe->losses);
    free(probe);
}

int lagd_probe_start(const struct lagd_probe_spec *spec, const struct lagd_probe_loans *loans, struct lagd_probe **ret,
                     struct lag_error *err) {
    struct lagd_probe *probe = lag_calloc(1, sizeof(*probe));
    if (!probe) return lag_error_set(err, LAG_ENOMEM, "out of memory for a probe");
    probe->job.run = run_probe;
    probe->job.done = tell_ended;
    probe->spec = *spec;
    probe->loans = *loans;
    lagd_probe_keeper_init(&probe->keeper, loans->deps, &spec->engine.target);
    probe->result.loss_at_lag = NAN;
    probe->losses = lag_calloc((size_t)MAX_EVALS * (size_t)loans->plan->n_batches, sizeof(*probe->losses));
    int rc = probe->losses ? lag_probe_plan_copy(loans->plan, &probe->plan) : LAG_ENOMEM;
    if (rc != 0) (void)lag_error_set(err, rc, "out of memory for a probe's losses");
    if (rc == 0) {
        rc = lagd_pool_submit(loans->deps->probes, &probe->job);
        if (rc != 0) (void)lag_error_set(err, rc, "the probe pool is stopping");
    }
    if (rc == 0) *ret = probe;
    else destroy(probe);
    return rc;
}

bool lagd_probe_ended(const struct lagd_probe *probe) {
    return probe->ended;
}

void lagd_probe_cancel(struct lagd_probe *probe) {
    lagd_pool_cancel(probe->loans.deps->probes, &probe->job);
}

void lagd_probe_finish(struct lagd_probe *probe, struct lagd_probe_result *ret) {
    if (ret) *ret = probe->result;
    else lag_state_destroy(probe->result.state);
    destroy(probe);
}

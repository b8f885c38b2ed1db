/* Training: one update with its points, validation, progress and checkpoints. */
#include "train/run_steps_internal.h"

#include "exec/slots_internal.h"
#include "plan/run_config_internal.h"
#include "plan/speeds_internal.h"
#include "records/causes_internal.h"
#include "records/transact_internal.h"
#include "train/flops_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_health_internal.h"
#include "train/run_keep_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/lag.h>
#include <lagd/engine/cost.h>
#include <lagd/storage/runs.h>
#include <math.h>

#define SHORT_ALONE_NS (250 * INT64_C(1000000))
#define LONGEST_ALONE_NS (5000 * INT64_C(1000000))
enum { FIRST_ALONE = 8, N_ALONE = 5, FIRST_LONG_ALONE = 3, N_LONG_ALONE = 2 };

static bool is_evaluated(const struct lagd_run *run, int64_t step) {
    return step % run->book.config.eval_every == 0 || step == run->book.config.max_steps;
}

static int write_progress(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_run_row *row = arg;
    return lag_run_set_progress(db, row->id, row->step, row->tokens, row->flops, err);
}

/* Tells the row where the run is, now and then. */
static int report(struct lagd_run *run, struct lag_error *err) {
    int64_t now = lag_clock_mono_ns();
    if (now < run->pace.report_due_ns) return 0;
    int rc = lagd_recorder_flush(&run->book.recorder, err);
    if (rc == 0) rc = lag_store_write(run->deps->store, write_progress, &run->book.row, err);
    run->pace.report_due_ns = lagd_report_due_ns(now, lag_clock_mono_ns());
    if (rc == 0) lagd_run_storage_works(run);
    return lagd_run_survive(run, rc, err);
}

/* --- validation --- */

/* Never interrupted: its point belongs to the step that was made. */
static int evaluate(struct lagd_run *run, struct lag_error *err) {
    const struct lag_eval_set set = {(int)run->book.config.eval_batches, 1, run->trainer.step.batch};
    const int n_batches = set.n_batches;
    int n_slots = 0;
    LAG_CLEANUP(lag_free_p) double *losses = lag_calloc((size_t)n_batches, sizeof(*losses));
    if (!losses) return lag_error_set(err, LAG_ENOMEM, "out of memory for a validation");
    (void)lagd_progress_do(&run->progress, LAGD_DOING_QUEUED);
    int rc = lagd_slots_acquire(run->deps->slots, run->trainer.n_members, NULL, &n_slots);
    if (rc != 0) return rc;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_VALIDATING);
    lag_team_set_active(run->trainer.team, n_slots);
    int64_t began = lag_clock_mono_ns();
    rc = lag_evaluate(run->trainer.state, run->trainer.work, run->trainer.dataset, &set, true,
                      run->trainer.step.context, losses, run->trainer.team, err);
    int64_t compute_ns = lag_clock_mono_ns() - began;
    lagd_slots_release(run->deps->slots, n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    if (rc != 0) return rc;
    lagd_speeds_add(run->deps->speeds, run->id, LAGD_SPEED_EVAL,
                    lagd_run_evaluation_flops(run, &run->trainer.state->layout.spec,
                                                              run->trainer.step.context), compute_ns, n_slots);
    rc = lagd_run_check_dataset(run, true, err);
    if (rc != 0) return rc;
    const double mean = lag_mean(losses, n_batches);
    rc = lagd_recorder_add(&run->book.recorder, LAGD_VAL_LOSS, run->trainer.state->step, mean, err);
    rc = lagd_run_survive(run, rc, err);
    if (rc == 0) lagd_run_health_note(run, mean);
    return rc == 0 ? lagd_run_check_path(run, err) : rc;
}

/* --- checkpoints --- */

/* Right where the schedule begins to decay, so that this can be undone. */
static bool begins_to_decay(const struct lagd_run *run) {
    const struct lag_state *state = run->trainer.state;
    return lag_schedule_phases(&run->trainer.step.schedule, state->schedule_origin).decays_from == state->step;
}

/* A checkpoint that does not fit is tried again at the next interval; nothing is lost but time after a crash. */
static int checkpoint_if_due(struct lagd_run *run, struct lag_error *err) {
    int64_t step = run->trainer.state->step;
    const bool decays = begins_to_decay(run);
    if ((step % run->book.config.checkpoint_every != 0 && !decays) || step >= run->book.config.max_steps ||
        run->book.checkpoint_step == step)
        return 0;
    int rc = lagd_run_checkpoint(run, decays ? LAGD_KIND_PRE_DECAY : "periodic", NULL, err);
    if (rc == 0) rc = lagd_run_check_path(run, err);
    if (!lagd_is_trouble(rc)) return rc;
    lagd_warn(run->deps, run->id, step, "no checkpoint at step %lld, tried again %lld steps on: %.400s",
              (long long)step, (long long)run->book.config.checkpoint_every, err->text);
    return 0;
}

/* --- one update --- */

static int record_step(struct lagd_run *run, const struct lag_step_result *result, int64_t compute_ns,
                       struct lag_error *err) {
    int64_t now = lag_clock_mono_ns();
    int64_t since_ns = run->pace.step_ended_ns > 0 ? now - run->pace.step_ended_ns : compute_ns;
    run->pace.step_ended_ns = now;
    const double values[LAGD_N_KEYS] = {
        [LAGD_TRAIN_LOSS] = result->loss, [LAGD_LR] = result->lr, [LAGD_GRAD_NORM] = result->grad_norm,
        [LAGD_TOKENS_PER_S] = (double)lagd_run_step_tokens(run) * 1e9 / (double)LAG_MAX(since_ns, 1),
        [LAGD_STEP_MS] = (double)compute_ns / 1e6};
    int rc = 0;
    for (int key = 0; rc == 0 && key < LAGD_N_KEYS; key++) {
        if (key == LAGD_VAL_LOSS || key == LAGD_VAL_BPB) continue;
        rc = lagd_run_survive(
            run, lagd_recorder_add(&run->book.recorder, (enum lagd_key)key, run->trainer.state->step, values[key], err),
            err);
    }
    atomic_fetch_add(&run->deps->totals.steps, 1);
    atomic_fetch_add(&run->deps->totals.tokens, lagd_run_step_tokens(run));
    atomic_fetch_add(&run->deps->totals.step_ns, compute_ns);
    return rc;
}

/* One thread makes a few early steps. That changes no bit of their results, and its speed tells how long probes will
 * take. Two steps are enough for a large model, whose team hardly waits. For a very large one it would take too long.
 */
static bool goes_alone(const struct lagd_run *run, int n_slots) {
    const bool is_short = run->pace.team_ns < SHORT_ALONE_NS;
    const int first = is_short ? FIRST_ALONE : FIRST_LONG_ALONE, n = is_short ? N_ALONE : N_LONG_ALONE;
    return n_slots > 1 && run->pace.n_steps >= first && run->pace.n_steps < first + n &&
           run->pace.team_ns < LONGEST_ALONE_NS;
}

/* The update alone, with compute slots. */
static int train(struct lagd_run *run, struct lag_step_result *ret, int64_t *ret_ns, struct lag_error *err) {
    int n_slots = 0;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_QUEUED);
    int rc = lagd_slots_acquire(run->deps->slots, run->trainer.n_members, &run->wishes.interrupt, &n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    if (rc != 0) return lag_error_set(err, rc, "interrupted");
    int64_t began = lag_clock_mono_ns();
    const bool alone = goes_alone(run, n_slots);
    lag_team_set_active(run->trainer.team, alone ? 1 : n_slots);
    if (LAG_FP_FAIL("train.nonfinite")) {
        *ret = (struct lag_step_result){.loss = NAN, .grad_norm = NAN, .lr = NAN};
        rc = LAG_TRAIN_NONFINITE;
    } else {
        rc = lag_train_step(run->trainer.state, run->trainer.work, run->trainer.dataset, &run->trainer.step,
                            run->trainer.team, ret, err);
    }
    *ret_ns = lag_clock_mono_ns() - began;
    lagd_slots_release(run->deps->slots, n_slots);
    const double flops = (double)lagd_run_step_tokens(run) *
                         lag_flops_token_train(&run->trainer.state->layout.spec, run->trainer.step.context);
    lagd_speeds_add(run->deps->speeds, run->id, alone ? LAGD_SPEED_ALONE : LAGD_SPEED_TRAIN, flops, *ret_ns,
                    alone ? 1 : n_slots);
    run->pace.n_steps++;
    run->pace.team_ns = *ret_ns * (alone ? 1 : n_slots);
    return rc;
}

int lagd_run_evaluate_first(struct lagd_run *run, struct lag_error *err) {
    int rc = evaluate(run, err);
    if (rc != 0) return rc;
    run->evaluate_first = false;
    run->book.row.flops += lagd_run_first_flops(run, run->trainer.step.context);
    return 0;
}

int lagd_run_step(struct lagd_run *run, struct lag_step_result *ret_result, struct lag_error *err) {
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    LAG_FP("run.before_step");
    int64_t compute_ns = 0;
    int rc = train(run, ret_result, &compute_ns, err);
    if (rc == 0 || rc == LAG_TRAIN_NONFINITE) {
        int known = lagd_run_check_dataset(run, false, err);
        if (known != 0) return known;
    }
    if (rc != 0) return rc;
    LAG_FP("run.after_step");
    int64_t step = run->trainer.state->step;
    lagd_run_take_schedule(run); /* of the next one */
    run->book.row.step = step;
    atomic_store(&run->progress.step, step);
    atomic_store(&run->progress.loss, ret_result->loss);
    run->book.row.tokens += lagd_run_step_tokens(run);
    run->book.row.flops += lagd_run_flops(run, &run->trainer.state->layout.spec, run->trainer.step.context, step - 1,
                                          step);
    rc = record_step(run, ret_result, compute_ns, err);
    if (rc == 0 && is_evaluated(run, step)) rc = evaluate(run, err);
    if (rc == 0) rc = report(run, err);
    if (rc == 0) rc = checkpoint_if_due(run, err);
    return rc;
}

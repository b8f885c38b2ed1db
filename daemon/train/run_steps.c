/* Training: one update with its points, validation, progress and checkpoints. */
#include "plan/run_config_internal.h"
#include "train/run_parts_internal.h"
#include "exec/slots_internal.h"
#include "plan/speeds_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/cost.h>
#include <lagd/storage/runs.h>
#include <math.h>

#define REPORT_NS (250 * INT64_C(1000000))
#define REPORT_SHARE 50 /* the report waits for the disk: at most one part in so many of the time */
#define SHORT_ALONE_NS (250 * INT64_C(1000000))
#define LONGEST_ALONE_NS (5000 * INT64_C(1000000))
enum { STORAGE_WAIT_MS = 500, FIRST_ALONE = 8, N_ALONE = 5, FIRST_LONG_ALONE = 3, N_LONG_ALONE = 2 };

int64_t lagd_run_step_tokens(const struct lagd_run *run) {
    return (int64_t)run->step.accumulate * run->step.batch * run->step.context;
}

static double evaluation_flops(const struct lagd_run *run, const struct lag_spec *spec) {
    double tokens = (double)run->config.eval_batches * run->step.batch * run->step.context;
    return tokens * lag_flops_token_forward(spec, run->step.context);
}

static bool is_evaluated(const struct lagd_run *run, int64_t step) {
    return step % run->config.eval_every == 0 || step == run->config.max_steps;
}

double lagd_run_flops(const struct lagd_run *run, int n_layer, int64_t from, int64_t to) {
    if (to <= from) return 0;
    struct lag_spec spec = run->state->layout.spec;
    spec.n_layer = n_layer;
    double step_flops = (double)lagd_run_step_tokens(run) * lag_flops_token_train(&spec, run->step.context);
    int64_t every = run->config.eval_every, last = run->config.max_steps;
    int64_t n_evaluations = to / every - from / every + (to >= last && from < last && last % every != 0);
    return (double)(to - from) * step_flops + (double)n_evaluations * evaluation_flops(run, &spec);
}

double lagd_run_first_flops(const struct lagd_run *run) {
    struct lag_spec spec = run->state->layout.spec;
    spec.n_layer = (int)run->config.n_layer;
    return evaluation_flops(run, &spec);
}

/* --- the store --- */

int lagd_run_wait_for_storage(struct lagd_run *run, const char *why, struct lag_error *err) {
    char reason[400];
    (void)lag_copy(reason, sizeof(reason), why);
    if (!run->storage_fails) lagd_warn(run->deps, run->id, run->state->step, "the run waits for storage: %s", reason);
    run->storage_fails = true;
    enum lagd_doing before = lagd_progress_do(&run->progress, LAGD_DOING_STORAGE);
    int rc = LAG_EIO;
    while (rc != 0 && !atomic_load(&run->interrupt)) {
        lagd_pause_ms(STORAGE_WAIT_MS, &run->interrupt);
        struct lag_error again = {0};
        rc = lag_store_flush(run->deps->store, &again);
        if (rc == 0) rc = lagd_recorder_flush(&run->recorder, &again);
    }
    (void)lagd_progress_do(&run->progress, before);
    return rc == 0 ? 0 : lag_error_set(err, LAG_ECANCELED, "interrupted while storage did not work: %s", reason);
}

/* After a write that was waited for. */
static void storage_works(struct lagd_run *run) {
    if (!run->storage_fails) return;
    run->storage_fails = false;
    lagd_warn(run->deps, run->id, run->state->step, "storage works again, the run goes on");
}

static int survive(struct lagd_run *run, int rc, struct lag_error *err) {
    if (!lagd_is_storage_trouble(rc)) return rc;
    char why[400];
    (void)lag_copy(why, sizeof(why), err->text);
    return lagd_run_wait_for_storage(run, why, err);
}

static int write_progress(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_run_row *row = arg;
    return lag_run_set_progress(db, row->id, row->step, row->tokens, row->flops, err);
}

/* Tells the row where the run is, now and then. */
static int report(struct lagd_run *run, struct lag_error *err) {
    int64_t now = lag_clock_mono_ns();
    if (now < run->report_due_ns) return 0;
    int rc = lagd_recorder_flush(&run->recorder, err);
    if (rc == 0) rc = lag_store_write(run->deps->store, write_progress, &run->row, err);
    int64_t ended = lag_clock_mono_ns();
    run->report_due_ns = ended + LAG_MAX(REPORT_NS, REPORT_SHARE * (ended - now));
    if (rc == 0) storage_works(run);
    return survive(run, rc, err);
}

/* --- validation --- */

/* Never interrupted: its point belongs to the step that was made. */
static int evaluate(struct lagd_run *run, struct lag_error *err) {
    int n_batches = (int)run->config.eval_batches, n_slots = 0;
    LAG_CLEANUP(lag_free_p) double *losses = lag_calloc((size_t)n_batches, sizeof(*losses));
    if (!losses) return lag_error_set(err, LAG_ENOMEM, "out of memory for a validation");
    (void)lagd_progress_do(&run->progress, LAGD_DOING_QUEUED);
    int rc = lagd_slots_acquire(run->deps->slots, run->n_members, NULL, &n_slots);
    if (rc != 0) return rc;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_VALIDATING);
    lag_team_set_active(run->team, n_slots);
    int64_t began = lag_clock_mono_ns();
    rc = lag_evaluate(run->state, run->work, run->dataset, n_batches, run->step.batch, run->step.context, losses,
                      run->team, err);
    int64_t compute_ns = lag_clock_mono_ns() - began;
    lagd_slots_release(run->deps->slots, n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    if (rc != 0) return rc;
    lagd_speeds_add(run->deps->speeds, run->id, LAGD_SPEED_EVAL, evaluation_flops(run, &run->state->layout.spec),
                    compute_ns, n_slots);
    double sum = 0;
    for (int i = 0; i < n_batches; i++) sum += losses[i];
    return survive(run, lagd_recorder_add(&run->recorder, LAGD_VAL_LOSS, run->state->step, sum / n_batches, err), err);
}

/* --- checkpoints --- */

int lagd_run_keep(struct lagd_run *run, const struct lag_state *state, const struct lagd_checkpoint_request *request,
                  struct lagd_move *move, struct lag_error *err) {
    struct lagd_checkpoint_request whole = *request;
    whole.run_id = run->id;
    whole.tokens = state->step * lagd_run_step_tokens(run);
    whole.seed = (uint64_t)run->config.seed;
    whole.precision = lagd_run_precision(&run->config);
    whole.retention = lagd_run_retention(&run->config);
    whole.extra = lagd_move_write;
    whole.extra_arg = move;
    enum lagd_doing before = lagd_progress_do(&run->progress, LAGD_DOING_CHECKPOINTING);
    int rc = lagd_recorder_flush(&run->recorder, err);
    if (rc == 0) rc = lagd_checkpoint_make(run->deps, state, &whole, NULL, err);
    (void)lagd_progress_do(&run->progress, before);
    if (rc != 0) {
        lagd_move_drop(move);
        return rc;
    }
    lagd_move_committed(move);
    run->checkpoint_step = state->step;
    storage_works(run);
    return 0;
}

int lagd_run_keep_patiently(struct lagd_run *run, const struct lag_state *state,
                            const struct lagd_checkpoint_request *request, struct lagd_move *move,
                            struct lag_error *err) {
    for (;;) {
        int rc = lagd_run_keep(run, state, request, move, err);
        if (!lagd_is_storage_trouble(rc)) return rc;
        char why[400];
        (void)lag_copy(why, sizeof(why), err->text);
        rc = lagd_run_wait_for_storage(run, why, err);
        if (rc != 0) return rc;
    }
}

int lagd_run_checkpoint(struct lagd_run *run, const char *kind, struct lagd_move *move, struct lag_error *err) {
    struct lagd_move progress = {.run = run, .progress = true};
    const struct lagd_checkpoint_request request = {.kind = kind, .growth_text = run->origin.growth_text,
                                                    .parent_sha256 = run->origin.parent_sha256};
    return lagd_run_keep(run, run->state, &request, move ? move : &progress, err);
}

/* A checkpoint that does not fit is tried again at the next interval; nothing is lost but time after a crash. */
static int checkpoint_if_due(struct lagd_run *run, struct lag_error *err) {
    int64_t step = run->state->step;
    if (step % run->config.checkpoint_every != 0 || step >= run->config.max_steps || run->checkpoint_step == step)
        return 0;
    int rc = lagd_run_checkpoint(run, "periodic", NULL, err);
    if (!lagd_is_storage_trouble(rc)) return rc;
    lagd_warn(run->deps, run->id, step, "no checkpoint at step %lld, tried again %lld steps on: %.400s",
              (long long)step, (long long)run->config.checkpoint_every, err->text);
    return 0;
}

/* --- one update --- */

static int record_step(struct lagd_run *run, const struct lag_step_result *result, int64_t compute_ns,
                       struct lag_error *err) {
    int64_t now = lag_clock_mono_ns();
    int64_t since_ns = run->step_ended_ns > 0 ? now - run->step_ended_ns : compute_ns;
    run->step_ended_ns = now;
    const double values[LAGD_N_KEYS] = {
        [LAGD_TRAIN_LOSS] = result->loss, [LAGD_LR] = result->lr, [LAGD_GRAD_NORM] = result->grad_norm,
        [LAGD_TOKENS_PER_S] = (double)lagd_run_step_tokens(run) * 1e9 / (double)LAG_MAX(since_ns, 1),
        [LAGD_STEP_MS] = (double)compute_ns / 1e6};
    int rc = 0;
    for (int key = 0; rc == 0 && key < LAGD_N_KEYS; key++) {
        if (key == LAGD_VAL_LOSS) continue;
        rc = survive(run, lagd_recorder_add(&run->recorder, (enum lagd_key)key, run->state->step, values[key], err),
                     err);
    }
    atomic_fetch_add(&run->deps->totals.steps, 1);
    atomic_fetch_add(&run->deps->totals.tokens, lagd_run_step_tokens(run));
    atomic_fetch_add(&run->deps->totals.step_ns, compute_ns);
    return rc;
}

/* A few early steps are made by one thread, which changes no bit of their results: how fast it is tells how long probes
 * will take. Of a large model, whose team hardly waits, two are enough; of a very large one they would take too long. */
static bool goes_alone(const struct lagd_run *run, int n_slots) {
    const bool is_short = run->team_ns < SHORT_ALONE_NS;
    const int first = is_short ? FIRST_ALONE : FIRST_LONG_ALONE, n = is_short ? N_ALONE : N_LONG_ALONE;
    return n_slots > 1 && run->n_steps >= first && run->n_steps < first + n && run->team_ns < LONGEST_ALONE_NS;
}

/* The update alone, with compute slots. */
static int train(struct lagd_run *run, struct lag_step_result *ret, int64_t *ret_ns, struct lag_error *err) {
    int n_slots = 0;
    (void)lagd_progress_do(&run->progress, LAGD_DOING_QUEUED);
    int rc = lagd_slots_acquire(run->deps->slots, run->n_members, &run->interrupt, &n_slots);
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    if (rc != 0) return lag_error_set(err, rc, "interrupted");
    int64_t began = lag_clock_mono_ns();
    const bool alone = goes_alone(run, n_slots);
    lag_team_set_active(run->team, alone ? 1 : n_slots);
    if (LAG_FP_FAIL("train.nonfinite")) {
        *ret = (struct lag_step_result){.loss = NAN, .grad_norm = NAN, .lr = NAN};
        rc = LAG_TRAIN_NONFINITE;
    } else {
        rc = lag_train_step(run->state, run->work, run->dataset, &run->step, run->team, ret, err);
    }
    *ret_ns = lag_clock_mono_ns() - began;
    lagd_slots_release(run->deps->slots, n_slots);
    const double flops = (double)lagd_run_step_tokens(run) *
                         lag_flops_token_train(&run->state->layout.spec, run->step.context);
    lagd_speeds_add(run->deps->speeds, run->id, alone ? LAGD_SPEED_ALONE : LAGD_SPEED_TRAIN, flops, *ret_ns,
                    alone ? 1 : n_slots);
    run->n_steps++;
    run->team_ns = *ret_ns * (alone ? 1 : n_slots);
    return rc;
}

int lagd_run_evaluate_first(struct lagd_run *run, struct lag_error *err) {
    int rc = evaluate(run, err);
    if (rc != 0) return rc;
    run->evaluate_first = false;
    run->row.flops += lagd_run_first_flops(run);
    return 0;
}

int lagd_run_step(struct lagd_run *run, struct lag_error *err) {
    (void)lagd_progress_do(&run->progress, LAGD_DOING_TRAINING);
    LAG_FP("run.before_step");
    struct lag_step_result result;
    int64_t compute_ns = 0;
    int rc = train(run, &result, &compute_ns, err);
    if (rc == LAG_TRAIN_NONFINITE) return lagd_run_rollback(run, &result, err);
    if (rc != 0) return rc;
    LAG_FP("run.after_step");
    int64_t step = run->state->step;
    run->row.step = step;
    atomic_store(&run->progress.step, step);
    atomic_store(&run->progress.loss, result.loss);
    run->row.tokens += lagd_run_step_tokens(run);
    run->row.flops += lagd_run_flops(run, run->state->layout.spec.n_layer, step - 1, step);
    rc = record_step(run, &result, compute_ns, err);
    if (rc == 0 && is_evaluated(run, step)) rc = evaluate(run, err);
    if (rc == 0) rc = report(run, err);
    if (rc == 0) rc = checkpoint_if_due(run, err);
    return rc;
}

/* What a run needs before its first step: configuration, dataset, state, growth, memory. */
#include "train/run_open_internal.h"

#include "checkpoint/checkpoint_internal.h"
#include "plan/batches_internal.h"
#include "plan/run_config_internal.h"
#include "records/transact_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_health_internal.h"
#include "train/run_history_internal.h"
#include "train/run_move_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <string.h>

/* --- growth --- */

static int read_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_run *run = arg;
    struct lag_run_row row;
    int rc = lag_run_get(db, run->id, &row, err);
    if (rc != 0) return rc;
    (void)lag_copy(run->book.row.growth_id, sizeof(run->book.row.growth_id), row.growth_id);
    run->book.has_growth = false;
    if (row.growth_id[0] == '\0') return 0;
    struct lag_growth_row *growth = &run->book.growth;
    rc = lag_growth_get(db, row.growth_id, growth, err);
    if (rc == 0 && !lagd_state_find(LAGD_MACHINE_GROWTH, growth->state))
        rc = lag_error_set(err, LAG_ECORRUPT, "growth %s is stored in the state \"%s\", which this lagd does not know",
                           growth->id, growth->state);
    run->book.has_growth = rc == 0;
    return rc;
}

int lagd_run_read_growth(struct lagd_run *run, struct lag_error *err) {
    return lagd_read(run->deps, read_growth, run, err);
}

bool lagd_run_in_growth(const struct lagd_run *run) {
    return run->book.has_growth && !lagd_growth_is(run->book.growth.state, LAGD_GROWTH_QUEUED) &&
           run->trainer.state->step >= run->book.growth.start_step;
}

/* --- state and memory --- */

/* Once where training begins on a CPU that has the precision by other means only. */
static void tell_precision(const struct lagd_run *run, int64_t step) {
    const char *note = lag_precision_note(lagd_run_precision(&run->book.config));
    if (note) lagd_warn(run->deps, run->id, step, "%s", note);
}

void lagd_run_take_schedule(struct lagd_run *run) {
    struct lag_state *state = run->trainer.state;
    const struct lagd_schedule_piece *piece = lagd_schedules_at(&run->book.schedules, state->step);
    run->trainer.step.schedule = piece->schedule;
    state->schedule_origin = lagd_schedule_origin(piece, state->schedule_origin);
}

int lagd_run_take_batch(struct lagd_run *run, struct lag_error *err) {
    struct lagd_run_config *config = &run->book.config;
    struct lag_step_config *step = &run->trainer.step;
    int rc = lagd_batches_at(&run->book.row, run->trainer.state->step, config, err);
    if (rc != 0) return rc;
    step->batch = (int)config->sequences;
    step->context = (int)config->tokens_per_sequence;
    step->accumulate = (int)config->accumulate;
    return 0;
}

int lagd_run_load_state(struct lagd_run *run, struct lag_state **ret, int64_t *ret_step, struct lag_error *err) {
    struct lag_checkpoint_row row;
    int rc = lagd_checkpoint_latest_with(run->deps, run->id, ret, &row, &run->book.origin, err);
    if (rc == 0) {
        *ret_step = row.step;
        run->book.has_final = strcmp(row.kind, "final") == 0;
        const char *now = lag_fingerprint(lagd_run_precision(&run->book.config));
        if (strcmp(row.fingerprint, now) != 0) {
            lagd_warn(run->deps, run->id, row.step,
                      "the checkpoint was written by another machine or library (%s, now %s): from here on results are "
                      "not bit-comparable with before", row.fingerprint, now);
            tell_precision(run, row.step);
        }
        return 0;
    }
    if (rc != LAG_ENOTFOUND) return rc;
    if (run->book.row.model_id[0] && !run->book.row.origin_run[0])
        return lag_error_set(err, LAG_EAWAY, "none of its checkpoints is left, and a run that was made of a model "
                             "cannot begin without one: make it of %s again", run->book.row.model_name);
    if (run->book.row.origin_run[0])
        return lag_error_set(err, LAG_EAWAY, "none of its checkpoints is left, and a run that was forked cannot begin "
                             "at step 0: fork %s again", run->book.row.origin_name);
    struct lag_spec spec;
    lagd_run_spec(&run->book.config, &spec);
    run->book.origin = (struct lag_checkpoint_meta){0};
    rc = lag_state_create(&spec, ret, err);
    if (rc != 0) return rc;
    lag_state_init(*ret, (uint64_t)run->book.config.seed);
    lag_state_shut_gates(*ret);
    tell_precision(run, 0);
    *ret_step = -1;
    return 0;
}

int lagd_run_equip(struct lagd_run *run, struct lag_error *err) {
    lag_work_destroy(run->trainer.work);
    run->trainer.work = NULL;
    if (!run->trainer.team) {
        int limit = run->book.config.threads > 0 ? (int)run->book.config.threads : run->deps->n_threads;
        run->trainer.n_members = LAG_MAX(1, LAG_MIN(limit, run->deps->n_threads));
        int rc = lag_team_create(run->trainer.n_members, &run->trainer.team, err);
        if (rc != 0) return rc;
    }
    const struct lag_work_shape shape = lagd_run_work_shape(&run->book.config, run->trainer.n_members);
    return lag_work_create(&run->trainer.state->layout.spec, &shape, &run->trainer.work, err);
}

int lagd_run_ready(struct lagd_run *run, struct lag_error *err) {
    return run->trainer.work ? 0 : lagd_run_equip(run, err);
}

void lagd_run_lay_down(struct lagd_run *run) {
    lag_work_destroy(run->trainer.work);
    run->trainer.work = NULL;
}

int lagd_run_open(struct lagd_run *run, struct lag_error *err) {
    int rc = lagd_run_config_parse(run->book.row.config, &run->book.config, err);
    if (rc != 0) return rc;
    lagd_run_step_config(&run->book.config, run->book.row.lr_scale, &run->trainer.step);
    rc = lagd_schedules_of(&run->book.row, &run->book.config, &run->book.schedules, err);
    if (rc == 0) rc = lagd_run_read_growth(run, err);
    if (rc == 0) rc = lagd_run_open_dataset(run, err);
    if (rc == 0) rc = lagd_run_load_state(run, &run->trainer.state, &run->book.checkpoint_step, err);
    if (rc == 0) rc = lagd_run_take_batch(run, err);
    if (rc == 0) rc = lagd_run_reopen_growth(run, err);
    if (rc == 0) rc = lagd_recorder_open(&run->book.recorder, run->deps, run->id, true, &run->wishes.quit, err);
    if (rc == 0) rc = lagd_run_equip(run, err);
    if (rc != 0) return rc;
    run->evaluate_first = run->trainer.state->step == 0;
    lagd_run_take_schedule(run);
    rc = lagd_run_rewind(run, err);
    if (rc != 0) return rc;
    LAG_FP("run.opened");
    struct lagd_move move = {.run = run, .progress = true, .run_event = LAGD_RUN_ON_STARTED};
    if (lagd_run_in_growth(run)) move.run_event = LAGD_RUN_ON_STARTED_GROWING;
    rc = lagd_move_make(&move, err);
    run->is_open = rc == 0;
    if (rc == 0) lagd_run_health_read(run);
    return rc;
}

void lagd_run_close(struct lagd_run *run) {
    lag_work_destroy(run->trainer.work);
    lag_team_destroy(run->trainer.team);
    lag_state_destroy(run->trainer.state);
    lag_dataset_close(run->trainer.dataset);
    run->trainer.work = NULL;
    run->trainer.team = NULL;
    run->trainer.state = NULL;
    run->trainer.dataset = NULL;
}

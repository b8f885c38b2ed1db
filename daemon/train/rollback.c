/* Back to the last good checkpoint: after a step that was not finite, or on a file that had changed.
 *
 * The first time at a place the run only goes back (the fault may have been the machine's). Each further time the
 * learning rate is halved; after three halvings the run is given up. A place lasts until a checkpoint beyond it is
 * written. The rate is stored before a step is made with it, so that a run that crashes here takes the same path again:
 * going back is what a restart does as well. Where newer checkpoints are damaged, the rate stays as low as it is.
 *
 * What is told of the run agrees at each commit: its step, its tokens and its last points. A run that goes back drops
 * the points beyond its state in the transaction that says so. A run that is given up has not gone back: it stands
 * where it last had numbers, and its points lead there. */
#include "train/rollback_internal.h"

#include "records/transact_internal.h"
#include "train/run_health_internal.h"
#include "train/run_history_internal.h"
#include "train/run_move_internal.h"
#include "train/run_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HALVINGS_MAX = 3, EVENT_PAGE = 500 };

struct rollback {
    struct lagd_run *run;
    int64_t step, checkpoint_step; /* where it happened, the newest checkpoint before (0: the start) */
    int n_before;                  /* rollbacks at this place so far */
    double lr_scale;
    char message[LAG_ROW_TEXT];
    int64_t cursor;
    int n_page;
};

static int count_event(const struct lag_event_row *event, void *arg) {
    struct rollback *rollback = arg;
    rollback->cursor = event->seq;
    rollback->n_page++;
    if (lag_event_is(event->type, LAG_EVENT_RUN_ROLLBACK) && event->step > rollback->checkpoint_step)
        rollback->n_before++;
    /* Whoever resumes a run that was given up begins anew, as one does that was taken back and is paused there. */
    bool given_up = lag_event_is(event->type, LAG_EVENT_RUN_STATE) && lagd_run_is(event->state, LAGD_RUN_FAILED);
    bool taken_back = lag_event_is(event->type, LAG_EVENT_RUN_STATE) && lagd_run_is(event->state, LAGD_RUN_PAUSED) &&
                      event->step <= rollback->checkpoint_step;
    if (given_up || taken_back) rollback->n_before = 0;
    return 0;
}

static int count_before(struct lag_db *db, void *arg, struct lag_error *err) {
    struct rollback *rollback = arg;
    int rc = 0;
    do {
        rollback->n_page = 0;
        rc = lag_event_list(db, rollback->cursor, rollback->run->id, EVENT_PAGE, count_event, rollback, err);
    } while (rc == 0 && rollback->n_page == EVENT_PAGE);
    return rc;
}

static int store(struct lag_db *db, void *arg, struct lag_error *err) {
    struct rollback *rollback = arg;
    struct lagd_run *run = rollback->run;
    int rc = lagd_run_drop_ahead(db, run, err);
    if (rc == 0)
        rc = lag_run_set_rollback(db, run->id, rollback->lr_scale, run->book.row.n_rollbacks + 1, rollback->step, err);
    const struct lag_event event = {.type = LAG_EVENT_RUN_ROLLBACK, .run_id = run->id, .step = rollback->step,
                                    .value = rollback->lr_scale, .message = rollback->message};
    return rc == 0 ? lag_event_put(db, &event, err) : rc;
}

static int give_up(const struct rollback *rollback, const char *what, struct lag_error *err) {
    const struct lagd_run *run = rollback->run;
    return lag_error_set(
        err, LAG_ENONFINITE,
        "the %s of step %lld is not finite, also with the learning rate halved %d times (%g × %g); resume tries again "
        "from the newest checkpoint, with a lower optim/lr if you change that; or start anew with a longer "
        "schedule/warmup_steps or a smaller optim/grad_clip, and check the data",
        what, (long long)rollback->step, HALVINGS_MAX, run->book.config.lr, run->book.row.lr_scale);
}

/* The run's state becomes that of the last good checkpoint. The old one is given up first: admission promised memory
 * for one. On an error there may be none. */
static int go_back(struct lagd_run *run, struct lag_error *err) {
    const struct lag_spec spec = run->trainer.state->layout.spec;
    lag_state_destroy(run->trainer.state);
    run->trainer.state = NULL;
    int rc = lagd_run_load_state(run, &run->trainer.state, &run->book.checkpoint_step, err);
    if (rc != 0) return rc;
    run->evaluate_first = run->trainer.state->step == 0;
    lagd_run_take_schedule(run);
    rc = lagd_run_take_batch(run, err);
    if (rc == 0) rc = lagd_run_reopen_growth(run, err);
    if (rc == 0) rc = lagd_run_rewind(run, err);
    if (rc == 0 && !lag_spec_equal(&run->trainer.state->layout.spec, &spec)) lagd_run_lay_down(run);
    return rc;
}

struct taking_back {
    struct lagd_run *run;
    double lr_scale;
};

static int store_taken_back(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct taking_back *back = arg;
    const struct lag_run_row *row = &back->run->book.row;
    int rc = lagd_run_drop_ahead(db, back->run, err);
    if (rc != 0 || back->lr_scale <= row->lr_scale) return rc;
    return lag_run_set_rollback(db, row->id, back->lr_scale, row->n_rollbacks, row->rollback_step, err);
}

/* Rollbacks since then were those of another file: the rate is that of the checkpoint again. One that a person gave
 * since has begun anew with 1. */
int lagd_run_take_back(struct lagd_run *run, struct lag_error *err) {
    struct taking_back back = {.run = run};
    struct lagd_move move = {.run = run, .progress = true, .extra = store_taken_back, .extra_arg = &back};
    int rc = lagd_recorder_flush(&run->book.recorder, err);
    if (rc == 0) rc = go_back(run, err);
    if (rc != 0) return rc;
    back.lr_scale = LAG_MAX(run->book.row.lr_scale, run->book.checkpoint_step < 0 ? 1 : run->book.origin.lr_scale);
    atomic_store(&run->progress.step, run->trainer.state->step);
    rc = lagd_move_make_until(&move, &run->wishes.stop, err);
    if (rc == 0) run->book.row.lr_scale = run->trainer.step.lr_scale = back.lr_scale;
    if (rc == 0) lagd_run_health_read(run);
    return rc;
}

int lagd_run_rollback(struct lagd_run *run, const struct lag_step_result *result, struct lag_error *err) {
    struct rollback rollback = {.run = run, .step = run->trainer.state->step + 1, .lr_scale = run->book.row.lr_scale,
                                .checkpoint_step = LAG_MAX(run->book.checkpoint_step, 0)};
    const char *what = isfinite(result->loss) ? "gradient norm" : "training loss";
    int rc = lagd_recorder_flush(&run->book.recorder, err);
    if (rc == 0) rc = lagd_read(run->deps, count_before, &rollback, err);
    if (rc == 0 && rollback.n_before > HALVINGS_MAX) rc = give_up(&rollback, what, err);
    if (rc == 0) rc = go_back(run, err);
    if (rc != 0) return rc;
    if (rollback.n_before > 0) rollback.lr_scale *= 0.5;
    (void)snprintf(rollback.message, sizeof(rollback.message), "the %s of step %lld is not finite: back to step %lld%s",
                   what, (long long)rollback.step, (long long)run->trainer.state->step,
                   rollback.n_before > 0 ? ", with half the learning rate" : "");
    struct lagd_move move = {.run = run, .progress = true, .extra = store, .extra_arg = &rollback};
    rc = lagd_run_cut_ahead(run, &run->wishes.quit, err);
    if (rc == 0) rc = lagd_move_make(&move, err);
    if (rc != 0) return rc;
    run->book.row.lr_scale = run->trainer.step.lr_scale = rollback.lr_scale;
    run->book.row.n_rollbacks++;
    run->book.row.rollback_step = rollback.step;
    atomic_store(&run->progress.step, run->trainer.state->step);
    atomic_fetch_add(&run->deps->totals.rollbacks, 1);
    lagd_run_health_read(run);
    return 0;
}

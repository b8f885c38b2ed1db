/* The thread of a run: its loop, and the wishes that reach it. */
#include "runs/run_internal.h"

#include "exec/slots_internal.h"
#include "growth/growth_round_internal.h"
#include "growth/next_stage_internal.h"
#include "process/tell_internal.h"
#include "records/causes_internal.h"
#include "records/transact_internal.h"
#include "train/rollback_internal.h"
#include "train/run_dataset_internal.h"
#include "train/run_history_internal.h"
#include "train/run_keep_internal.h"
#include "train/run_lend_internal.h"
#include "train/run_move_internal.h"
#include "train/run_open_internal.h"
#include "train/run_steps_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <lagd/daemon/messages.h>
#include <lagd/daemon/states.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lagd_run_wish(struct lagd_run *run, unsigned wishes, const char *reason) {
    lagd_wishes_post(&run->wishes, wishes, reason);
    lagd_slots_wake(run->deps->slots);
}

/* --- the end by a wish --- */

/* What a wish that ends the thread does, by rank. */
static const struct ending {
    unsigned wish;
    enum lagd_run_event event;
    bool checkpoints, ends_growth;
} endings[] = {
    {LAGD_WISH_CANCEL, LAGD_RUN_ON_CANCEL, false, true},
    {LAGD_WISH_STOP, LAGD_RUN_ON_STOPPED, true, false},
    {LAGD_WISH_PAUSE, LAGD_RUN_ON_PAUSE, true, false},
};

static int end_by_wish(struct lagd_run *run, unsigned wishes, const char *reason, struct lag_error *err) {
    const struct ending *ending = endings;
    while (!(wishes & ending->wish)) ending++;
    struct lagd_move move = {.run = run, .run_event = ending->event, .reason = reason,
                             .progress = run->trainer.state != NULL,
                             .ends_growth = ending->ends_growth && run->book.has_growth};
    if (move.ends_growth) move.growth_event = LAGD_GROWTH_ON_WITHDRAWN;
    move.unless_ended = true;
    if (ending->checkpoints && run->trainer.state && run->book.checkpoint_step != run->trainer.state->step) {
        int rc = lagd_run_checkpoint(run, "pause", &move, err);
        if (rc == 0) return 0;
        if (run->dataset_trouble && ending->event == LAGD_RUN_ON_PAUSE) return rc; /* paused as well, but taken back */
        lagd_warn(run->deps, run->id, run->trainer.state->step,
                  "no checkpoint at its end (%s); it will go on from step %lld: %.400s",
                  lagd_machine_event_name(LAGD_MACHINE_RUN, ending->event),
                  (long long)LAG_MAX(run->book.checkpoint_step, 0), err->text);
    }
    /* A row must not say that a run goes on which has no thread: only the daemon's end cuts the wait for the disk
     * short. */
    for (;;) {
        int rc = lagd_move_make_until(&move, &run->wishes.stop, err);
        if (!lagd_is_trouble(rc) || atomic_load(&run->wishes.stop)) return rc;
        lagd_pause_ms(LAGD_STORAGE_RETRY_MS, &run->wishes.stop);
    }
}

/* While its dataset was read, before anything of the run was loaded. The row still says queued: that is right for a
 * daemon that stops. */
static int end_unopened(struct lagd_run *run, struct lag_error *err) {
    char reason[LAG_ROW_TEXT];
    unsigned wishes = lagd_wishes_take(&run->wishes, LAGD_WISHES_ENDING, reason);
    bool stops = wishes & LAGD_WISH_STOP && !(wishes & LAGD_WISH_CANCEL);
    return stops ? 0 : end_by_wish(run, wishes, reason[0] ? reason : NULL, err);
}

/* --- the loop --- */

/* The last checkpoint, and what it makes old goes, before the run is called completed: a crash between the two leaves a
 * run that has nothing to do but that. */
static int finish(struct lagd_run *run, struct lag_error *err) {
    const struct lagd_checkpoint_request request = {.kind = "final", .growth_text = run->book.origin.growth_text,
                                                    .parent_sha256 = run->book.origin.parent_sha256};
    struct lagd_move move = {
        .run = run, .run_event = LAGD_RUN_ON_COMPLETED, .progress = true, .ends_growth = run->book.has_growth};
    if (run->book.has_growth) {
        move.growth_event = LAGD_GROWTH_ON_WITHDRAWN;
        move.unless_ended = true;
        move.reason = "the run reached its last step";
    }
    struct lagd_move progress = {.run = run, .progress = true};
    bool kept = run->book.has_final && run->book.checkpoint_step == run->trainer.state->step;
    int rc = kept ? 0 : lagd_run_keep_patiently(run, run->trainer.state, &request, &progress, err);
    LAG_FP("run.final");
    return rc == 0 ? lagd_move_make(&move, err) : rc;
}

/* A growth may have been asked for, decided or ended by a person, also between the thread's first look and its first
 * step: then the run is called growing though nothing grows. */
static int look_at_growth(struct lagd_run *run, struct lag_error *err) {
    lagd_next_stage_forget(run);
    int rc = lagd_run_read_growth(run, err);
    bool over = lagd_state_has_ended(LAGD_MACHINE_GROWTH, run->book.growth.state);
    if (rc != 0 || (run->book.has_growth && !over)) return rc;
    if (!run->book.has_growth && lagd_run_is(run->book.row.state, LAGD_RUN_RUNNING)) return 0;
    struct lagd_move move = {.run = run, .run_event = LAGD_RUN_ON_GROWTH_ENDED, .ends_growth = run->book.has_growth};
    return lagd_move_make(&move, err);
}

static bool growth_is_due(const struct lagd_run *run) {
    if (!run->book.has_growth) return false;
    if (!lagd_growth_is(run->book.growth.state, LAGD_GROWTH_QUEUED)) return lagd_run_in_growth(run);
    return run->trainer.state->step >= run->book.growth.at_step &&
           run->trainer.state->step < run->book.config.max_steps;
}

static int manual_checkpoint(struct lagd_run *run, struct lag_error *err) {
    int rc = lagd_run_checkpoint(run, "manual", NULL, err);
    if (!lagd_is_trouble(rc)) return rc;
    lagd_warn(run->deps, run->id, run->trainer.state->step, "the checkpoint asked for was not written: %.400s",
              err->text);
    return 0;
}

static int step(struct lagd_run *run, struct lag_error *err) {
    struct lag_step_result result;
    int rc = lagd_run_step(run, &result, err);
    if (rc == 0) lagd_next_stage_note(run, result.loss);
    return rc == LAG_TRAIN_NONFINITE ? lagd_run_rollback(run, &result, err) : rc;
}

/* One turn of the loop. *ret_ended: the run has reached a state in which no thread works on it. */
static int turn(struct lagd_run *run, bool *ret_ended, struct lag_error *err) {
    char reason[LAG_ROW_TEXT];
    unsigned wishes = lagd_wishes_take(&run->wishes, ~0u, reason);
    int rc = 0;
    if (wishes & LAGD_WISHES_ENDING) {
        *ret_ended = true;
        return end_by_wish(run, wishes, reason[0] ? reason : NULL, err);
    }
    if (wishes & LAGD_WISH_COPY) lagd_run_lend(run);
    if (wishes & LAGD_WISH_CHECKPOINT) rc = manual_checkpoint(run, err);
    bool called_growing = !run->book.has_growth && lagd_run_is(run->book.row.state, LAGD_RUN_GROWING);
    if (rc == 0 && ((wishes & LAGD_WISH_GROWTH) || called_growing)) rc = look_at_growth(run, err);
    if (rc != 0) return rc;
    if (!growth_is_due(run) && (rc = lagd_run_ready(run, err)) != 0) return rc;
    if (run->evaluate_first) return lagd_run_evaluate_first(run, err);
    if (growth_is_due(run)) {
        rc = lagd_growth_round(run, err);
        lagd_next_stage_forget(run);
        return rc;
    }
    const bool goes_on = run->trainer.state->step < run->book.config.max_steps;
    bool begun = false;
    if (goes_on && (rc = lagd_next_stage_look(run, &begun, err)) != 0) return rc;
    if (begun) return 0;
    if (goes_on) return step(run, err);
    rc = finish(run, err);
    *ret_ended = rc == 0;
    return rc;
}

/* What was trained since the last checkpoint is given up where the dataset's file may have been another one, and kept
 * where it was the registered one. true: the run is where it will go on from, and its row says so. */
static bool settle(struct lagd_run *run) {
    struct lag_error err = {0};
    struct lagd_move move = {.run = run, .progress = true};
    int rc = 0;
    if (!run->trainer.state) return false;
    if (run->dataset_trouble == LAGD_DATASET_CHANGED) rc = lagd_run_take_back(run, &err);
    else if (run->book.checkpoint_step != run->trainer.state->step) rc = lagd_run_checkpoint(run, "pause", &move, &err);
    if (rc != 0)
        lag_log(LAG_LOG_WARNING, "run %s will go on from its last checkpoint: %s", run->id, err.text);
    return rc == 0;
}

static void say_reason(const struct lagd_run *run, const struct lag_error *why, bool lacks, bool settled,
                       const char *hint, char *ret) {
    char where[120] = "";
    if (lacks && settled && run->dataset_trouble == LAGD_DATASET_CHANGED)
        (void)snprintf(where, sizeof(where), "; the run went back to step %lld, from before the change",
                       (long long)run->trainer.state->step);
    (void)snprintf(ret, LAG_ROW_TEXT, "%.500s%s%s", why->text, where,
                   lacks ? "; resume the run once the dataset is back" : hint);
}

/* What a run posts that cannot go on. A wish that came before it was opened is done without its state. */
static enum lagd_run_event end_event(struct lagd_run *run, const struct lagd_judgement *judgement) {
    unsigned wishes = lagd_wishes_take(&run->wishes, LAGD_WISH_CANCEL | LAGD_WISH_PAUSE, NULL);
    if (wishes & LAGD_WISH_CANCEL) return LAGD_RUN_ON_CANCEL;
    bool waits = judgement->run_event == LAGD_RUN_ON_SHORT;
    return waits && (wishes & LAGD_WISH_PAUSE) ? LAGD_RUN_ON_PAUSE : judgement->run_event;
}

/* The growth of a run that is paused stays where it is. */
static enum lagd_growth_event growth_end(const struct lagd_run *run, enum lagd_run_event event) {
    if (!run->book.has_growth) return LAGD_GROWTH_ON_NOTHING;
    return event == LAGD_RUN_ON_FAILED   ? LAGD_GROWTH_ON_FAILED
           : event == LAGD_RUN_ON_CANCEL ? LAGD_GROWTH_ON_WITHDRAWN
                                         : LAGD_GROWTH_ON_NOTHING;
}

/* It cannot go on: what it met decides whether it waits, is paused or has failed. */
static void give_up(struct lagd_run *run, int rc, const struct lag_error *why) {
    const struct lagd_judgement *judgement = lagd_judge(rc);
    bool lacks = judgement->run_event == LAGD_RUN_ON_HINDERED && lagd_run_lacks_dataset(run);
    bool settled = lacks && settle(run);
    enum lagd_run_event event = end_event(run, judgement);
    char reason[LAG_ROW_TEXT];
    say_reason(run, why, lacks, settled, judgement->hint, reason);
    const struct lagd_about about = {run->id, run->book.has_growth ? run->book.growth.id : NULL, run->book.row.step,
                                     NULL};
    lagd_tell(LAG_LOG_ERROR, &about, "run %s %s: %s", run->id,
              event == LAGD_RUN_ON_FAILED ? "failed" : "cannot go on", reason);
    struct lagd_move move = {.run = run, .run_event = event, .unless_ended = true, .reason = reason,
                             .growth_event = growth_end(run, event)};
    move.ends_growth = move.growth_event != LAGD_GROWTH_ON_NOTHING;
    struct lag_error err = {0};
    if (run->is_open) { /* where it stands is told with it */
        move.progress = true;
        move.extra = lagd_run_drop_ahead;
        move.extra_arg = run;
        (void)lagd_recorder_flush(&run->book.recorder, NULL);
        (void)lagd_run_cut_ahead(run, &run->wishes.stop, NULL);
    }
    int moved = lagd_write_patiently(run->deps, lagd_move_write, &move, &run->wishes.stop, &err);
    if (moved == 0) lagd_move_committed(&move);
    else lag_log(LAG_LOG_ERROR, "and that could not be stored: %s", err.text);
}

/* A daemon that stops leaves the row as it is: found so at the next start, the run is resumed. */
static bool is_left(const struct lagd_run *run, int rc) {
    return atomic_load(&run->wishes.stop) && (lagd_is_trouble(rc) || rc == LAG_ECANCELED);
}

/* Whatever failed, failed since the database was removed or replaced: the daemon will ask for a last checkpoint. */
static bool lost_files(struct lagd_run *run, int rc) {
    if (!lagd_is_trouble(rc) || lag_store_look(run->deps->store, NULL) == 0) return false;
    while (!atomic_load(&run->wishes.stop)) lagd_pause_ms(LAGD_STORAGE_RETRY_MS, &run->wishes.stop);
    return true;
}

static int go(struct lagd_run *run, struct lag_error *err) {
    bool ended = false;
    atomic_store(&run->progress.max_steps, run->book.config.max_steps);
    atomic_store(&run->progress.step, run->trainer.state->step);
    const struct lagd_about about = {run->id, NULL, run->trainer.state->step, LAGD_MESSAGE_RUN_STARTED};
    lagd_tell(LAG_LOG_INFO, &about, "run %s (%s) trains from step %lld on", run->id, run->book.row.name,
              (long long)run->trainer.state->step);
    int rc = 0;
    while (rc == 0 && !ended) {
        rc = turn(run, &ended, err);
        bool by_wish = rc == LAG_ECANCELED && atomic_load(&run->wishes.interrupt);
        bool by_cancel =
            lagd_is_trouble(rc) && atomic_load(&run->wishes.quit) && !atomic_load(&run->wishes.stop);
        if (ended || !run->trainer.state) continue;
        if (by_wish || by_cancel || lost_files(run, rc)) rc = 0; /* the wish is looked at next */
    }
    return rc;
}

static void live(void *arg) {
    struct lagd_run *run = arg;
    struct lag_error err = {0};
    atomic_fetch_add(&run->deps->totals.runs_active, 1);
    int rc = lagd_run_open(run, &err);
    bool unopened = rc == LAG_ECANCELED && !run->trainer.state && atomic_load(&run->wishes.interrupt);
    if (rc == 0) rc = go(run, &err);
    else if (unopened) rc = end_unopened(run, &err);
    if (rc != 0 && !is_left(run, rc)) give_up(run, rc, &err);
    lagd_run_lend_no_more(run);
    lagd_next_stage_drop(run);
    lagd_run_close(run);
    atomic_fetch_sub(&run->deps->totals.runs_active, 1);
    if (run->ended) run->ended(run->arg, run->id);
}

/* --- life --- */

int lagd_run_start(struct lagd_deps *deps, const struct lag_run_row *row, lagd_run_ended_fn *ended, void *arg,
                   struct lagd_run **ret, struct lag_error *err) {
    struct lagd_run *run = lag_calloc(1, sizeof(*run));
    if (!run) return lag_error_set(err, LAG_ENOMEM, "out of memory for a run's thread");
    run->deps = deps;
    run->book.row = *row;
    run->ended = ended;
    run->arg = arg;
    run->book.checkpoint_step = -1;
    (void)lag_copy(run->id, sizeof(run->id), row->id);
    lagd_progress_begin(&run->progress);
    lagd_wishes_init(&run->wishes);
    int rc = lag_thread_start(&run->thread, "run", 0, live, run, err);
    if (rc != 0) {
        lagd_wishes_deinit(&run->wishes);
        free(run);
        return rc;
    }
    *ret = run;
    return 0;
}

void lagd_run_join(struct lagd_run *run) {
    if (!run) return;
    (void)pthread_join(run->thread, NULL);
    lagd_wishes_deinit(&run->wishes);
    free(run);
}

int lagd_run_ask_copy(struct lagd_run *run, struct lagd_copy_ask *ask) {
    return lagd_wishes_ask_copy(&run->wishes, ask);
}

const struct lagd_progress *lagd_run_progress(const struct lagd_run *run) {
    return &run->progress;
}

/* Transitions of a run and its growth: rows and events in one transaction. */
#include "train/run_move_internal.h"

#include "process/tell_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <string.h>

static int put_event(struct lag_db *db, const struct lagd_move *move, enum lag_event_type type, const char *state,
                     struct lag_error *err) {
    const struct lagd_run *run = move->run;
    const struct lag_event event = {.type = type, .run_id = run->id,
                                    .growth_id = type == LAG_EVENT_RUN_STATE ? NULL : run->book.growth.id, .state = state,
                                    .step = run->book.row.step, .message = move->reason};
    return lag_event_put(db, &event, err);
}

/* --- the transaction --- */

static int move_growth(struct lag_db *db, struct lagd_move *move, struct lag_error *err) {
    const struct lagd_run *run = move->run;
    struct lag_growth_row now;
    int rc = lag_growth_get(db, run->book.growth.id, &now, err);
    if (rc == 0 && move->growth_from && strcmp(now.state, move->growth_from) != 0)
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s now, not %s", now.id, now.state, move->growth_from);
    if (rc == 0 && move->growth_state && strcmp(now.state, move->growth_state) != 0) {
        rc = lag_growth_set_state(db, now.id, move->growth_state, move->reason ? move->reason : "", err);
        if (rc == 0) rc = put_event(db, move, LAG_EVENT_GROWTH_STATE, move->growth_state, err);
    }
    if (rc == 0 && move->ends_growth) rc = lagd_tx_candidates_end(db, &now, move->reason, &move->released, err);
    if (rc == 0 && move->ends_growth) rc = lag_run_set_growth(db, run->id, "", err);
    return rc;
}

int lagd_move_write(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_move *move = arg;
    const struct lagd_run *run = move->run;
    int rc = 0;
    if (run->book.has_growth && (move->growth_from || move->growth_state || move->ends_growth))
        rc = move_growth(db, move, err);
    if (rc == 0 && move->run_state && strcmp(move->run_state, run->book.row.state) != 0) {
        rc = lag_run_set_state(db, run->id, move->run_state, move->reason ? move->reason : "", err);
        if (rc == 0) rc = put_event(db, move, LAG_EVENT_RUN_STATE, move->run_state, err);
    }
    if (rc == 0 && move->progress)
        rc = lag_run_set_progress(db, run->id, run->book.row.step, run->book.row.tokens, run->book.row.flops, err);
    if (rc == 0 && move->extra) rc = move->extra(db, move->extra_arg, err);
    return rc;
}

void lagd_move_committed(struct lagd_move *move) {
    struct lagd_run *run = move->run;
    const struct lagd_about about = {run->id, run->book.has_growth ? run->book.growth.id : NULL, run->book.row.step,
                                     NULL};
    if (move->growth_state && run->book.has_growth) {
        lagd_tell(LAG_LOG_INFO, &about, "growth %s of %s: %s", run->book.growth.id, run->id, move->growth_state);
        (void)lag_copy(run->book.growth.state, sizeof(run->book.growth.state), move->growth_state);
    }
    if (move->ends_growth) {
        run->book.has_growth = false;
        run->book.row.growth_id[0] = '\0';
    }
    if (move->run_state && strcmp(move->run_state, run->book.row.state) != 0) {
        lagd_tell(LAG_LOG_INFO, &about, "run %s: %s at step %lld%s%s", run->id, move->run_state,
                  (long long)run->book.row.step, move->reason ? ": " : "", move->reason ? move->reason : "");
        (void)lag_copy(run->book.row.state, sizeof(run->book.row.state), move->run_state);
    }
    lagd_released_remove(run->deps, &move->released);
}

void lagd_move_drop(struct lagd_move *move) {
    lagd_released_drop(&move->released);
}

int lagd_move_make(struct lagd_move *move, struct lag_error *err) {
    return lagd_move_make_until(move, &move->run->wishes.quit, err);
}

int lagd_move_make_until(struct lagd_move *move, const _Atomic bool *cancel, struct lag_error *err) {
    struct lagd_run *run = move->run;
    int rc = lagd_recorder_flush(&run->book.recorder, err);
    if (rc == 0) rc = lagd_write_patiently(run->deps, lagd_move_write, move, cancel, err);
    if (rc == 0) lagd_move_committed(move);
    else lagd_move_drop(move);
    return rc;
}

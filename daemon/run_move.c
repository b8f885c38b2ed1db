/* Transitions of a run and its growth: rows and events in one transaction. */
#include "run_parts_internal.h"
#include "transact_internal.h"

#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>
#include <string.h>

static int put_event(struct lag_db *db, const struct lagd_move *move, const char *type, const char *candidate_id,
                     const char *state, struct lag_error *err) {
    const struct lagd_run *run = move->run;
    struct lag_event_row event = LAG_EVENT_INIT("");
    (void)lag_copy(event.type, sizeof(event.type), type);
    (void)lag_copy(event.run_id, sizeof(event.run_id), run->id);
    if (strcmp(type, "run.state") != 0) (void)lag_copy(event.growth_id, sizeof(event.growth_id), run->growth.id);
    if (candidate_id) (void)lag_copy(event.candidate_id, sizeof(event.candidate_id), candidate_id);
    (void)lag_copy(event.state, sizeof(event.state), state);
    event.step = run->row.step;
    if (move->reason) (void)lag_copy(event.message, sizeof(event.message), move->reason);
    return lag_event_insert(db, &event, err);
}

/* --- the end of a growth: what its candidates leave behind --- */

struct ending {
    struct lag_candidate_row *rows; /* those to be changed */
    size_t n, capacity;
    bool failed;
};

static bool has_ended(const struct lag_candidate_row *row) {
    return strcmp(row->state, "queued") != 0 && strcmp(row->state, "running") != 0;
}

static int collect(const struct lag_candidate_row *row, void *arg) {
    struct ending *ending = arg;
    if (has_ended(row) && row->checkpoint[0] == '\0') return 0;
    if (lag_grow_array((void **)&ending->rows, &ending->capacity, ending->n + 1, sizeof(*ending->rows)) != 0) {
        ending->failed = true;
        return LAG_ENOMEM;
    }
    ending->rows[ending->n++] = *row;
    return 0;
}

static int release_checkpoint(struct lag_db *db, struct lagd_move *move, const struct lag_candidate_row *candidate,
                              struct lag_error *err) {
    struct lag_checkpoint_row row;
    int rc = lag_checkpoint_get(db, candidate->checkpoint, &row, err);
    if (rc == LAG_ENOTFOUND) return 0;
    if (rc == 0 && lag_grow_array((void **)&move->released, &move->released_capacity, move->n_released + 1,
                                  sizeof(*move->released)) != 0)
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory at the end of a growth");
    if (rc == 0) rc = lag_candidate_set_checkpoint(db, candidate->id, "", err);
    if (rc == 0) rc = lag_checkpoint_delete(db, row.id, err);
    if (rc == 0) (void)lag_copy(move->released[move->n_released++].path, LAG_ROW_PATH, row.path);
    return rc;
}

static int end_candidates(struct lag_db *db, struct lagd_move *move, struct lag_error *err) {
    struct ending ending = {0};
    move->n_released = 0;
    int rc = lag_candidate_list(db, move->run->growth.id, collect, &ending, err);
    if (ending.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory at the end of a growth");
    for (size_t i = 0; rc == 0 && i < ending.n; i++) {
        const struct lag_candidate_row *row = &ending.rows[i];
        if (!has_ended(row)) {
            rc = lag_candidate_set_state(db, row->id, "cancelled", move->reason ? move->reason : "", err);
            if (rc == 0) rc = put_event(db, move, "candidate.state", row->id, "cancelled", err);
        }
        if (rc == 0 && row->checkpoint[0] != '\0') rc = release_checkpoint(db, move, row, err);
    }
    free(ending.rows);
    return rc;
}

/* --- the transaction --- */

static int move_growth(struct lag_db *db, struct lagd_move *move, struct lag_error *err) {
    const struct lagd_run *run = move->run;
    struct lag_growth_row now;
    int rc = lag_growth_get(db, run->growth.id, &now, err);
    if (rc == 0 && move->growth_from && strcmp(now.state, move->growth_from) != 0)
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s now, not %s", now.id, now.state, move->growth_from);
    if (rc == 0 && move->growth_state && strcmp(now.state, move->growth_state) != 0) {
        rc = lag_growth_set_state(db, now.id, move->growth_state, move->reason ? move->reason : "", err);
        if (rc == 0) rc = put_event(db, move, "growth.state", NULL, move->growth_state, err);
    }
    if (rc == 0 && move->ends_growth) rc = end_candidates(db, move, err);
    if (rc == 0 && move->ends_growth) rc = lag_run_set_growth(db, run->id, "", err);
    return rc;
}

int lagd_move_write(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_move *move = arg;
    const struct lagd_run *run = move->run;
    int rc = 0;
    if (run->has_growth && (move->growth_from || move->growth_state || move->ends_growth))
        rc = move_growth(db, move, err);
    if (rc == 0 && move->run_state && strcmp(move->run_state, run->row.state) != 0) {
        rc = lag_run_set_state(db, run->id, move->run_state, move->reason ? move->reason : "", err);
        if (rc == 0) rc = put_event(db, move, "run.state", NULL, move->run_state, err);
    }
    if (rc == 0 && move->progress)
        rc = lag_run_set_progress(db, run->id, run->row.step, run->row.tokens, run->row.flops, err);
    if (rc == 0 && move->extra) rc = move->extra(db, move->extra_arg, err);
    return rc;
}

void lagd_move_committed(struct lagd_move *move) {
    struct lagd_run *run = move->run;
    if (move->growth_state && run->has_growth) {
        lag_log(LAG_LOG_INFO, "growth %s of %s: %s", run->growth.id, run->id, move->growth_state);
        (void)lag_copy(run->growth.state, sizeof(run->growth.state), move->growth_state);
    }
    if (move->ends_growth) {
        run->has_growth = false;
        run->row.growth_id[0] = '\0';
    }
    if (move->run_state && strcmp(move->run_state, run->row.state) != 0) {
        lag_log(LAG_LOG_INFO, "run %s: %s at step %lld%s%s", run->id, move->run_state, (long long)run->row.step,
                move->reason ? ": " : "", move->reason ? move->reason : "");
        (void)lag_copy(run->row.state, sizeof(run->row.state), move->run_state);
    }
    for (size_t i = 0; i < move->n_released; i++) lagd_checkpoint_remove_folder(run->deps, move->released[i].path);
    lagd_move_drop(move);
}

void lagd_move_drop(struct lagd_move *move) {
    free(move->released);
    move->released = NULL;
    move->n_released = move->released_capacity = 0;
}

int lagd_move_make(struct lagd_move *move, struct lag_error *err) {
    struct lagd_run *run = move->run;
    int rc = lagd_recorder_flush(&run->recorder, err);
    if (rc == 0) rc = lagd_write_patiently(run->deps, lagd_move_write, move, &run->quit, err);
    if (rc == 0) lagd_move_committed(move);
    else lagd_move_drop(move);
    return rc;
}

/* What the candidates of a growth leave behind when it ends: states that are not at an end, and checkpoints kept for a
 * person's choice. */
#include "records/leftovers_internal.h"

#include "records/folders_internal.h"

#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <stdlib.h>
#include <string.h>

struct ending {
    struct lag_candidate_row *rows; /* those to be changed: the list must not change while it is walked */
    size_t n, capacity;
    bool failed;
};

static bool has_ended(const struct lag_candidate_row *row) {
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_CANDIDATE, row->state);
    return state && state->terminal;
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

static int put_cancelled(struct lag_db *db, const struct lag_growth_row *growth, const struct lag_candidate_row *row,
                         const char *reason, struct lag_error *err) {
    const struct lag_event event = {.type = LAG_EVENT_CANDIDATE_STATE, .run_id = growth->run_id, .growth_id = growth->id,
                                    .candidate_id = row->id, .state = "cancelled", .step = growth->start_step,
                                    .value = LAG_NO_VALUE, .message = reason};
    int rc = lag_candidate_set_state(db, row->id, "cancelled", reason, err);
    return rc == 0 ? lag_event_put(db, &event, err) : rc;
}

static int release(struct lag_db *db, const struct lag_candidate_row *candidate, struct lagd_released *released,
                   struct lag_error *err) {
    struct lag_checkpoint_row row;
    int rc = lag_checkpoint_get(db, candidate->checkpoint, &row, err);
    if (rc == LAG_ENOTFOUND) return 0;
    if (rc == 0 &&
        lag_grow_array((void **)&released->paths, &released->capacity, released->n + 1, sizeof(*released->paths)) != 0)
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory at the end of a growth");
    if (rc == 0) rc = lag_candidate_set_checkpoint(db, candidate->id, "", err);
    if (rc == 0) rc = lag_checkpoint_delete(db, row.id, err);
    if (rc == 0) (void)lag_copy(released->paths[released->n++], LAG_ROW_PATH, row.path);
    return rc;
}

int lagd_tx_candidates_end(struct lag_db *db, const struct lag_growth_row *growth, const char *reason,
                           struct lagd_released *released, struct lag_error *err) {
    struct ending ending = {0};
    released->n = 0; /* a transaction may be tried again */
    int rc = lag_candidate_list(db, growth->id, collect, &ending, err);
    if (ending.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory at the end of a growth");
    for (size_t i = 0; rc == 0 && i < ending.n; i++) {
        const struct lag_candidate_row *row = &ending.rows[i];
        if (!has_ended(row)) rc = put_cancelled(db, growth, row, reason ? reason : "", err);
        if (rc == 0 && row->checkpoint[0] != '\0') rc = release(db, row, released, err);
    }
    free(ending.rows);
    return rc;
}

void lagd_released_remove(const struct lagd_deps *deps, struct lagd_released *released) {
    for (size_t i = 0; i < released->n; i++) lagd_folder_remove(deps, released->paths[i]);
    lagd_released_drop(released);
}

void lagd_released_drop(struct lagd_released *released) {
    free(released->paths);
    *released = (struct lagd_released){0};
}

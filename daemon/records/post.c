/* A change of state and the event that tells of it, in one transaction. */
#include "records/post_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>

int lagd_tx_run_state(struct lag_db *db, const char *run_id, const char *state, const char *reason,
                      struct lag_error *err) {
    int rc = lag_run_set_state(db, run_id, state, reason, err);
    if (rc < 0) return rc;
    const struct lag_event event = {.type = LAG_EVENT_RUN_STATE, .run_id = run_id, .state = state, .step = LAG_NO_STEP,
                                    .message = reason};
    return lag_event_put(db, &event, err);
}

int lagd_tx_growth_state(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                         struct lag_error *err) {
    int rc = lag_growth_set_state(db, growth->id, state, reason, err);
    if (rc < 0) return rc;
    const struct lag_event event = {.type = LAG_EVENT_GROWTH_STATE, .run_id = growth->run_id, .growth_id = growth->id,
                                    .state = state, .step = LAG_NO_STEP, .message = reason};
    return lag_event_put(db, &event, err);
}

int lagd_tx_growth_end(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                       struct lagd_released *released, struct lag_error *err) {
    int rc = lagd_tx_candidates_end(db, growth, reason, released, err);
    if (rc == 0) rc = lagd_tx_growth_state(db, growth, state, reason, err);
    if (rc == 0) rc = lag_run_set_growth(db, growth->run_id, "", err);
    return rc;
}

struct run_state {
    const char *run_id, *state, *reason;
};

static int write_run_state(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct run_state *change = arg;
    return lagd_tx_run_state(db, change->run_id, change->state, change->reason, err);
}

int lagd_put_run_state(struct lagd_deps *deps, const char *run_id, const char *state, const char *reason,
                       struct lag_error *err) {
    struct run_state change = {run_id, state, reason};
    return lag_store_write(deps->store, write_run_state, &change, err);
}

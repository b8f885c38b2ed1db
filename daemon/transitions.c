/* A change of state and the event that tells of it, in one transaction. */
#include <stdlib.h>

#include "lagd/base/error.h"
#include "lagd/base/mem.h"
#include "lagd/daemon/states.h"
#include "lagd/storage/events.h"
#include "lagd/storage/growths.h"
#include "lagd/storage/runs.h"
#include "supervisor_internal.h"

int lagd_tx_event(struct lag_db *db, const char *type, const char *run_id, const char *growth_id, const char *state,
                  const char *message, struct lag_error *err) {
    struct lag_event_row event = LAG_EVENT_INIT("");
    (void)lag_copy(event.type, sizeof(event.type), type);
    (void)lag_copy(event.run_id, sizeof(event.run_id), run_id ? run_id : "");
    (void)lag_copy(event.growth_id, sizeof(event.growth_id), growth_id ? growth_id : "");
    (void)lag_copy(event.state, sizeof(event.state), state ? state : "");
    (void)lag_copy(event.message, sizeof(event.message), message ? message : "");
    return lag_event_insert(db, &event, err);
}

int lagd_tx_run_state(struct lag_db *db, const char *run_id, const char *state, const char *reason, struct lag_error *err) {
    int status = lag_run_set_state(db, run_id, state, reason, err);
    if (status < 0) return status;
    return lagd_tx_event(db, "run.state", run_id, NULL, state, reason, err);
}

int lagd_tx_growth_state(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                         struct lag_error *err) {
    int status = lag_growth_set_state(db, growth->id, state, reason, err);
    if (status < 0) return status;
    return lagd_tx_event(db, "growth.state", growth->run_id, growth->id, state, reason, err);
}

/* Candidates that are not at an end, collected first: the list must not change while it is walked. */
struct pending {
    char (*ids)[LAG_ROW_ID];
    size_t n, capacity;
    bool failed;
};

static int collect_pending(const struct lag_candidate_row *row, void *arg) {
    struct pending *pending = arg;
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_CANDIDATE, row->state);
    if (state && state->terminal) return 0;
    if (lag_grow_array((void **)&pending->ids, &pending->capacity, pending->n + 1, sizeof(*pending->ids)) < 0) {
        pending->failed = true;
        return 1;
    }
    (void)lag_copy(pending->ids[pending->n++], LAG_ROW_ID, row->id);
    return 0;
}

static int cancel_candidates(struct lag_db *db, const struct lag_growth_row *growth, const char *reason, struct lag_error *err) {
    struct pending pending = {0};
    int status = lag_candidate_list(db, growth->id, collect_pending, &pending, err);
    if (pending.failed) status = lag_error_set(err, LAG_ENOMEM, "out of memory while ending growth %s", growth->id);
    for (size_t i = 0; i < pending.n && status == 0; i++) {
        status = lag_candidate_set_state(db, pending.ids[i], "cancelled", reason, err);
    }
    free(pending.ids);
    return status < 0 ? status : 0;
}

int lagd_tx_growth_end(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                       struct lag_error *err) {
    int status = cancel_candidates(db, growth, reason, err);
    if (status == 0) status = lagd_tx_growth_state(db, growth, state, reason, err);
    if (status == 0) status = lag_run_set_growth(db, growth->run_id, "", err);
    return status;
}

struct run_state {
    const char *run_id, *state, *reason;
};

static int write_run_state(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct run_state *change = arg;
    return lagd_tx_run_state(db, change->run_id, change->state, change->reason, err);
}

int lagd_put_run_state(struct lagd_deps *deps, const char *run_id, const char *state, const char *reason, struct lag_error *err) {
    struct run_state change = {run_id, state, reason};
    return lag_store_write(deps->store, write_run_state, &change, err);
}

/* Removes rows that nobody sees any more, for as long as a step may last. */
#include "sweep_internal.h"
#include "guard_internal.h"
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/storage/events.h>
#include <lagd/storage/keys.h>

#define ROWS_BETWEEN_LOOKS 250 /* at the clock */

bool lag_sweep_wanted(const struct lag_sweep *sweep) {
    return sweep->rows_left || sweep->events_before_ms || sweep->keys_before_ms;
}

/* Some rows of the first kind that is wanted; where none was left, the kind is no longer wanted. */
static int remove_some(struct lag_db *db, struct lag_sweep *sweep, struct lag_error *err) {
    int64_t n = 0;
    int rc;
    if (sweep->rows_left) {
        rc = lag_deleted_sweep(db, ROWS_BETWEEN_LOOKS, &n, err);
        sweep->rows_left = n > 0;
    } else if (sweep->events_before_ms) {
        rc = lag_event_prune(db, sweep->events_before_ms, ROWS_BETWEEN_LOOKS, &n, err);
        if (n < ROWS_BETWEEN_LOOKS) sweep->events_before_ms = 0;
    } else {
        rc = lag_key_prune(db, sweep->keys_before_ms, ROWS_BETWEEN_LOOKS, &n, err);
        if (n < ROWS_BETWEEN_LOOKS) sweep->keys_before_ms = 0;
    }
    sweep->n_removed += n;
    return rc;
}

static int step(struct lag_db *db, struct lag_sweep *sweep, int64_t budget_ns, struct lag_error *err) {
    int64_t until_ns = lag_clock_mono_ns() + budget_ns;
    int rc = 0;
    while (!rc && lag_sweep_wanted(sweep) && lag_clock_mono_ns() < until_ns) rc = remove_some(db, sweep, err);
    return rc;
}

int lag_sweep_transaction(struct lag_db *db, struct lag_sweep *sweep, int64_t budget_ns, struct lag_guard *guard,
                          atomic_uint_least64_t *version, struct lag_error *err) {
    const int64_t n_removed = sweep->n_removed;
    int rc = lag_db_exec(db, "BEGIN IMMEDIATE", err);
    if (rc) return rc;
    rc = step(db, sweep, budget_ns, err);
    if (!rc && sweep->n_removed != n_removed) rc = lag_guard_renew(guard, db, err); /* else nothing is written */
    LAG_FP("sweep.before_commit");
    if (!rc) {
        atomic_fetch_add(version, 1);
        rc = lag_db_exec(db, "COMMIT", err);
        atomic_fetch_add(version, 1);
    }
    if (rc && !sqlite3_get_autocommit(db->handle)) (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    if (!rc) LAG_FP("sweep.committed");
    return rc;
}

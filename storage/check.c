/* Is the file whole? Asked at every start, for a bounded time, and by tests without a bound. */
#include "db_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/store.h>
#include <stdio.h>
#include <string.h>

#define STEPS_BETWEEN_LOOKS 1000 /* of SQLite's machine, between two looks at the clock: some microseconds */

struct budget {
    int64_t end_ns;
    bool is_spent;
};

static int look_at_clock(void *arg) {
    struct budget *budget = arg;
    budget->is_spent = lag_clock_mono_ns() >= budget->end_ns;
    return budget->is_spent;
}

/* What the system would not read, or for which there was no memory, is told by the check in a sentence too. */
static int refuse(struct lag_db *db, const char *what, struct lag_error *err) {
    int refused = lag_db_refused_read(db->handle), result = SQLITE_OK;
    const char *at = strstr(what, "error code=");
    if (at && sscanf(at, "error code=%d", &result) == 1) result &= 0xff;
    if (result == SQLITE_NOMEM) return lag_error_set(err, LAG_ENOMEM, "no memory to check %s", db->path);
    if (refused || result == SQLITE_IOERR)
        return lag_error_set(err, LAG_EIO, "%s cannot be read (%s): see what the system's log tells of the disk, then "
                             "start lagd again", db->path, refused ? strerror(refused) : what);
    return lag_error_set(err, LAG_ECORRUPT,
                         "%s is damaged (%s): copy the state directory, then restore lagd.db from "
                         "a backup, or begin in another state directory", db->path, what);
}

/* 0 = good, 1 = the time was up, or an error. A row other than "ok" tells of damage: its first column is a sentence, or
 * of foreign_key_check the table that refers to a missing row. */
static int check_with(struct lag_db *db, const char *pragma, const struct budget *budget, struct lag_error *err) {
    char what[300];
    sqlite3_stmt *stmt = NULL;
    int result = sqlite3_prepare_v2(db->handle, pragma, -1, &stmt, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(stmt);
    int rc = 0;
    if (result == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        (void)snprintf(what, sizeof what, "%s: %s", pragma, text ? text : "no memory");
        if (!text || strcmp(text, "ok")) rc = refuse(db, what, err);
    } else if ((result & 0xff) == SQLITE_INTERRUPT && budget->is_spent) {
        rc = 1;
    } else if (result != SQLITE_DONE) {
        (void)snprintf(what, sizeof what, "%s: %s", pragma, sqlite3_errmsg(db->handle));
        rc = lag_db_error(db, result, "cannot be checked", err);
        if (rc == LAG_ECORRUPT) rc = refuse(db, what, err);
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

int lag_db_check(struct lag_db *db, int64_t budget_ms, struct lag_error *err) {
    struct budget budget = {.end_ns = lag_clock_mono_ns() + budget_ms * 1000000};
    if (budget_ms > 0) sqlite3_progress_handler(db->handle, STEPS_BETWEEN_LOOKS, look_at_clock, &budget);
    int rc = check_with(db, budget_ms > 0 ? "PRAGMA quick_check(1)" : "PRAGMA integrity_check(1)", &budget, err);
    if (rc == 0) rc = check_with(db, "PRAGMA foreign_key_check", &budget, err);
    sqlite3_progress_handler(db->handle, 0, NULL, NULL);
    return rc;
}

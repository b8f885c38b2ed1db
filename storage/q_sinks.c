/* Queries of the sinks of notifications, and of what was told of a run already. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/storage/sinks.h>

static const char sql_get[] = "SELECT after_seq FROM sinks WHERE name = ?";

int lag_sink_get(struct lag_db *db, const char *name, int64_t *ret_after, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_get, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, name);
    if ((rc = lag_stmt_step(stmt, err)) == 1) *ret_after = lag_col_i64(stmt, "after_seq");
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_put[] =
    "INSERT INTO sinks (name, after_seq, updated_ms) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
    "after_seq = excluded.after_seq, updated_ms = excluded.updated_ms";

int lag_sink_put(struct lag_db *db, const char *name, int64_t after, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_put, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, name);
    lag_bind_i64(stmt, after);
    lag_bind_i64(stmt, lag_clock_wall_ms());
    return lag_stmt_run(stmt, err);
}

static const char sql_delete[] = "DELETE FROM sinks WHERE name = ?";

int lag_sink_delete(struct lag_db *db, const char *name, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_delete, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, name);
    return lag_stmt_run(stmt, err);
}

/* From the end of the run's events: the newest of the two kinds decides. */
static const char sql_told[] =
    "SELECT type = 'run.trouble' AS told FROM events WHERE run_id = ? AND (type = 'run.trouble' OR "
    "(type = 'run.state' AND state IN ('running', 'growing'))) ORDER BY seq DESC LIMIT 1";

int lag_run_trouble_told(struct lag_db *db, const char *run_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_told, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    if ((rc = lag_stmt_step(stmt, err)) == 1) rc = (int)lag_col_i64(stmt, "told");
    lag_stmt_close(stmt);
    return rc;
}

/* Queries of the calendar and of the newest ids. */
#include "table_internal.h"
#include <lagd/base/error.h>
#include <lagd/storage/calendar.h>

static const char sql_get[] =
    "SELECT 1 AS stored, seen_ms, doubt_ms FROM calendar WHERE one = 1 UNION ALL "
    "SELECT 0, coalesce((SELECT ts_ms FROM events WHERE seq = (SELECT max(seq) FROM events)), 0), 0";

int lag_calendar_get(struct lag_db *db, struct lag_calendar_row *ret, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_get, &stmt, err);
    if (rc) return rc;
    rc = lag_stmt_step(stmt, err);
    if (rc == 1) {
        *ret = (struct lag_calendar_row){lag_col_i64(stmt, "seen_ms"), lag_col_i64(stmt, "doubt_ms")};
        rc = (int)lag_col_i64(stmt, "stored");
    }
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_set[] =
    "INSERT INTO calendar (one, seen_ms, doubt_ms) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET "
    "seen_ms = excluded.seen_ms, doubt_ms = excluded.doubt_ms";

int lag_calendar_set(struct lag_db *db, const struct lag_calendar_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, row->seen_ms);
    lag_bind_i64(stmt, row->doubt_ms);
    return lag_stmt_run(stmt, err);
}

static const char sql_newest[] =
    "SELECT max(id) AS id FROM runs UNION ALL SELECT max(id) FROM datasets UNION ALL SELECT max(id) FROM growths "
    "UNION ALL SELECT max(id) FROM candidates UNION ALL SELECT max(id) FROM checkpoints "
    "UNION ALL SELECT max(id) FROM studies UNION ALL SELECT max(id) FROM models "
    "UNION ALL SELECT max(id) FROM tokenizers";

int lag_ids_newest(struct lag_db *db, void (*each)(const char *id, void *arg), void *arg, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_newest, &stmt, err);
    if (rc) return rc;
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        char id[64] = "";
        lag_col_text(stmt, "id", id, sizeof id);
        if (*id) each(id, arg);
    }
    lag_stmt_close(stmt);
    return rc;
}

/* Queries of idempotency keys and the answers stored with them. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/keys.h>
#include <stdlib.h>

#define COLUMNS(first, next)                                                                                           \
    first(key) next(fingerprint) next(resource) next(created_ms) next(status) next(headers)
#define STORED(first, next) COLUMNS(first, next) next(body) /* of any length: not a member of the row */
#define C(...) LAG_COLUMN(struct lag_key_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C

static const char sql_put[] =
    "INSERT " LAG_SQL_INTO("idempotency", STORED)
    "ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, "
    "resource = coalesce(excluded.resource, resource), created_ms = excluded.created_ms, status = excluded.status, "
    "headers = excluded.headers, body = excluded.body "
    "WHERE (status = 0 AND fingerprint = excluded.fingerprint) OR created_ms < ?";

int lag_key_put(struct lag_db *db, const struct lag_key_row *row, const char *body, struct lag_error *err) {
    struct lag_key_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_put, &stmt, err);
    if (rc) return rc;
    lag_bind_row(stmt, columns, &stored);
    lag_bind_text(stmt, body ? body : "");
    lag_bind_i64(stmt, stored.created_ms - LAG_KEY_LIFE_MS);
    rc = lag_stmt_run(stmt, err);
    if (rc || lag_db_changes(db)) return rc;
    return lag_error_set(err, LAG_EEXIST, "the idempotency key %s was used meanwhile", row->key);
}

static const char sql_find[] = LAG_SQL_SELECT(STORED, "idempotency") "WHERE key = ? AND created_ms >= ?";

/* The body has any length, so it is the one column that is not read by the table. */
static int take_body(struct lag_stmt *stmt, char **ret, struct lag_error *err) {
    const char *text = (const char *)sqlite3_column_text(stmt->handle, lag_col_find(stmt, "body"));
    char *copy = text ? lag_strdup(text) : NULL;
    if (text && !copy) return lag_error_set(err, LAG_ENOMEM, "no memory for a stored answer");
    *ret = copy;
    return 0;
}

int lag_key_find(struct lag_db *db, const char *key, int64_t now_ms, struct lag_key_row *ret, char **ret_body,
                 struct lag_error *err) {
    struct lag_key_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_find, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, key);
    lag_bind_i64(stmt, now_ms - LAG_KEY_LIFE_MS);
    rc = lag_row_next(stmt, columns, &row, err);
    if (rc == 1) {
        int taken = ret_body ? take_body(stmt, ret_body, err) : 0;
        if (taken < 0) rc = taken;
        else *ret = row;
    }
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_forget[] = "DELETE FROM idempotency WHERE key = ?";

int lag_key_forget(struct lag_db *db, const char *key, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_forget, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, key);
    return lag_stmt_run(stmt, err);
}

static const char sql_prune[] =
    "DELETE FROM idempotency WHERE key IN "
    "(SELECT key FROM idempotency WHERE created_ms < ? ORDER BY created_ms LIMIT ?)";

int lag_key_prune(struct lag_db *db, int64_t before_ms, int limit, int64_t *ret_n, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_prune, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, before_ms);
    lag_bind_i64(stmt, limit);
    rc = lag_stmt_run(stmt, err);
    if (!rc) *ret_n = lag_db_changes(db);
    return rc;
}

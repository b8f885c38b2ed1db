/* Statements: prepared once a connection, bound and read with every slip of the calling code noticed. */
#include "db_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/rows.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int prepare(struct lag_db *db, const char *sql, struct lag_stmt **ret, struct lag_error *err) {
    if (lag_grow_array((void **)&db->stmts, &db->cap_stmts, db->n_stmts + 1, sizeof *db->stmts))
        return lag_error_set(err, LAG_ENOMEM, "no memory for a database statement");
    struct lag_stmt *stmt = lag_calloc(1, sizeof *stmt);
    if (!stmt) return lag_error_set(err, LAG_ENOMEM, "no memory for a database statement");
    int result = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, NULL);
    if (result != SQLITE_OK) {
        free(stmt);
        return lag_db_error(db, result, "cannot prepare a statement", err);
    }
    stmt->db = db;
    stmt->sql = sql;
    stmt->n_params = sqlite3_bind_parameter_count(stmt->handle);
    stmt->n_columns = sqlite3_column_count(stmt->handle);
    db->stmts[db->n_stmts++] = stmt;
    *ret = stmt;
    return 0;
}

int lag_stmt_open(struct lag_db *db, const char *sql, struct lag_stmt **ret, struct lag_error *err) {
    struct lag_stmt *stmt = NULL;
    /* A text in use (a list whose callback asks the same again) is prepared once more. */
    for (size_t i = 0; i < db->n_stmts && !stmt; i++)
        if (db->stmts[i]->sql == sql && !db->stmts[i]->busy) stmt = db->stmts[i];
    if (!stmt) {
        int rc = prepare(db, sql, &stmt, err);
        if (rc) return rc;
    }
    if (db->writer && !sqlite3_stmt_readonly(stmt->handle) && sqlite3_get_autocommit(db->handle))
        return lag_error_set(err, LAG_EINTERNAL, "a write outside of a transaction: %s", sql);
    stmt->busy = true;
    stmt->columns_found = false;
    stmt->n_bound = stmt->next_column = 0;
    stmt->started = stmt->ended = false;
    stmt->defect = NULL;
    *ret = stmt;
    return 0;
}

void lag_stmt_rewind(struct lag_stmt *stmt) {
    (void)sqlite3_reset(stmt->handle); /* repeats the code of the last step, which was reported there */
    stmt->n_bound = stmt->next_column = 0;
    stmt->started = stmt->ended = false;
}

void lag_stmt_close(struct lag_stmt *stmt) {
    if (!stmt) return;
    lag_stmt_rewind(stmt);
    (void)sqlite3_clear_bindings(stmt->handle);
    stmt->busy = false;
}

static void bound(struct lag_stmt *stmt, int result) {
    if (result != SQLITE_OK) stmt->defect = "a parameter cannot be bound";
}

void lag_bind_i64(struct lag_stmt *stmt, int64_t value) {
    bound(stmt, sqlite3_bind_int64(stmt->handle, ++stmt->n_bound, value));
}

void lag_bind_real(struct lag_stmt *stmt, double value) {
    int at = ++stmt->n_bound;
    bound(stmt, isfinite(value) ? sqlite3_bind_double(stmt->handle, at, value) : sqlite3_bind_null(stmt->handle, at));
}

void lag_bind_text(struct lag_stmt *stmt, const char *value) {
    int at = ++stmt->n_bound;
    bound(stmt, value && *value ? sqlite3_bind_text(stmt->handle, at, value, -1, SQLITE_STATIC)
                                : sqlite3_bind_null(stmt->handle, at));
}

int lag_stmt_defect(const struct lag_stmt *stmt, struct lag_error *err) {
    return lag_error_set(err, LAG_EINTERNAL, "%s in: %s", stmt->defect, stmt->sql);
}

int lag_stmt_step(struct lag_stmt *stmt, struct lag_error *err) {
    if (!stmt->started && stmt->n_bound != stmt->n_params) stmt->defect = "a parameter was left unbound";
    if (stmt->defect) return lag_stmt_defect(stmt, err);
    stmt->started = true;
    if (stmt->ended) return 0; /* SQLite would begin again */
    int result = sqlite3_step(stmt->handle);
    if (result == SQLITE_ROW) return 1;
    stmt->ended = true;
    if (result == SQLITE_DONE) return 0;
    return lag_db_error(stmt->db, result, "the database refused a statement", err);
}

int lag_stmt_run(struct lag_stmt *stmt, struct lag_error *err) {
    int rc;
    do rc = lag_stmt_step(stmt, err);
    while (rc == 1);
    lag_stmt_close(stmt);
    return rc;
}

/* Columns are asked for in about the order of the SELECT, so the search begins behind the last one found. */
int lag_col_find(struct lag_stmt *stmt, const char *name) {
    for (int i = 0; i < stmt->n_columns; i++) {
        int at = (stmt->next_column + i) % stmt->n_columns;
        const char *present = sqlite3_column_name(stmt->handle, at);
        if (present && !strcmp(present, name)) {
            stmt->next_column = at + 1;
            return at;
        }
    }
    stmt->defect = "a column is missing";
    return -1;
}

int64_t lag_col_i64(struct lag_stmt *stmt, const char *name) {
    int at = lag_col_find(stmt, name);
    return at < 0 ? 0 : sqlite3_column_int64(stmt->handle, at);
}

double lag_col_real(struct lag_stmt *stmt, const char *name) {
    int at = lag_col_find(stmt, name);
    if (at < 0 || sqlite3_column_type(stmt->handle, at) == SQLITE_NULL) return NAN;
    return sqlite3_column_double(stmt->handle, at);
}

void lag_col_text(struct lag_stmt *stmt, const char *name, char *ret, size_t size) {
    int at = lag_col_find(stmt, name);
    const char *text = at < 0 ? NULL : (const char *)sqlite3_column_text(stmt->handle, at);
    (void)lag_copy(ret, size, text ? text : ""); /* written from a member of the same size: nothing is cut */
}

int lag_stmt_run_one(struct lag_stmt *stmt, const char *what, const char *id, struct lag_error *err) {
    struct lag_db *db = stmt->db;
    int rc = lag_stmt_run(stmt, err);
    if (rc) return rc;
    return lag_db_changes(db) ? 0 : lag_error_set(err, LAG_ENOTFOUND, "%s %s does not exist", what, id);
}

int lag_stmt_each_id(struct lag_db *db, const char *sql, int (*each)(const char *id, void *), void *arg,
                     struct lag_error *err) {
    struct lag_stmt *stmt;
    char id[LAG_ROW_ID];
    int rc = lag_stmt_open(db, sql, &stmt, err);
    if (rc) return rc;
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        lag_col_text(stmt, "id", id, sizeof id);
        if ((rc = each(id, arg)) != 0) break;
    }
    lag_stmt_close(stmt);
    return rc;
}

int lag_stmt_first_id(struct lag_db *db, const char *sql, const char *key, char *ret, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, key);
    if ((rc = lag_stmt_step(stmt, err)) == 1) lag_col_text(stmt, "id", ret, LAG_ROW_ID);
    lag_stmt_close(stmt);
    return rc;
}

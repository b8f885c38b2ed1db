#include "db_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/runs.h>

#define C(member) LAG_COLUMN(struct lag_dataset_row, member)
static const struct lag_column columns[] = {
    C(id), C(name), C(origin), C(path), C(format), C(n_bytes), C(n_tokens), C(max_id), C(vocab_size), C(sha256),
    C(created_ms),
};
#undef C
#define SELECT                                                                                                         \
    "SELECT id, name, origin, path, format, n_bytes, n_tokens, max_id, vocab_size, sha256, created_ms FROM datasets "

static const char sql_insert[] =
    "INSERT INTO datasets (id, name, origin, path, format, n_bytes, n_tokens, max_id, vocab_size, sha256, created_ms) "
    "VALUES (:id, :name, :origin, :path, :format, :n_bytes, :n_tokens, :max_id, :vocab_size, :sha256, :created_ms)";

int lag_dataset_insert(struct lag_db *db, const struct lag_dataset_row *row, struct lag_error *err) {
    struct lag_dataset_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_insert, &stmt, err);
    if (rc) return rc;
    lag_bind_row(stmt, columns, LAG_COUNT(columns), &stored);
    rc = lag_stmt_run(stmt, err);
    if (rc != LAG_EEXIST) return rc;
    return lag_error_at(err, rc, "/name", "a dataset named %s exists already: choose another name", row->name);
}

static const char sql_by_id[] = SELECT "WHERE id = ?";
static const char sql_by_name[] = SELECT "WHERE name = ?";

static int find(struct lag_db *db, const char *sql, const char *key, struct lag_dataset_row *ret,
                struct lag_error *err) {
    struct lag_dataset_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, key);
    rc = lag_stmt_one(stmt, columns, LAG_COUNT(columns), &row, err);
    if (rc == 1) *ret = row;
    return rc;
}

int lag_dataset_get(struct lag_db *db, const char *id_or_name, struct lag_dataset_row *ret, struct lag_error *err) {
    int rc = find(db, sql_by_id, id_or_name, ret, err);
    if (rc == 0) rc = find(db, sql_by_name, id_or_name, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "dataset %s does not exist", id_or_name);
    return rc < 0 ? rc : 0;
}

static const char sql_list[] = SELECT "ORDER BY created_ms DESC, id DESC";

int lag_dataset_list(struct lag_db *db, int (*each)(const struct lag_dataset_row *, void *), void *arg,
                     struct lag_error *err) {
    struct lag_dataset_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        lag_col_row(stmt, columns, LAG_COUNT(columns), &row);
        if ((rc = each(&row, arg))) break;
    }
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_user[] = "SELECT name FROM runs WHERE dataset_id = ? LIMIT 1";
static const char sql_delete[] = "DELETE FROM datasets WHERE id = ?";

int lag_dataset_delete(struct lag_db *db, const char *id, struct lag_error *err) {
    char run[LAG_ROW_NAME] = "";
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_user, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    if ((rc = lag_stmt_step(stmt, err)) == 1) lag_col_text(stmt, "name", run, sizeof run);
    lag_stmt_close(stmt);
    if (rc == 1)
        return lag_error_set(err, LAG_ESTATE, "dataset %s is used by run %s: delete that run first", id, run);
    if (rc < 0 || (rc = lag_stmt_open(db, sql_delete, &stmt, err))) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "dataset", id, err);
}

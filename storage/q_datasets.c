/* Queries of datasets. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/stamp.h>
#include <lagd/storage/runs.h>

#define COLUMNS(first, next)                                                                                           \
    first(id) next(name) next(origin) next(path) next(format) next(n_bytes) next(n_tokens) next(max_id)                \
    next(vocab_size) next(sha256) next(created_ms) next(device) next(inode) next(mtime_ns) next(ctime_ns)          \
    next(state) next(reason) next(n_bytes_done) next(tokenizer_id) next(tokenizer_name) next(tokenizer_sha256)       \
    next(text_path) next(text_sha256) next(text_bytes) next(documents) next(document_field)
#define C(...) LAG_COLUMN(struct lag_dataset_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "datasets")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("datasets", COLUMNS);

int lag_dataset_insert(struct lag_db *db, const struct lag_dataset_row *row, struct lag_error *err) {
    struct lag_dataset_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    if (!stored.state[0]) (void)lag_copy(stored.state, sizeof(stored.state), "ready");
    int rc = lag_row_insert(db, sql_insert, columns, &stored, err);
    if (rc != LAG_EEXIST) return rc;
    return lag_error_at(err, rc, "/name", "a dataset named %s exists already: choose another name", row->name);
}

static const char sql_by_id[] = SELECT "WHERE id = ?";
static const char sql_by_name[] = SELECT "WHERE name = ?";

int lag_dataset_get(struct lag_db *db, const char *id_or_name, struct lag_dataset_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_by_id, id_or_name, columns, ret, err);
    if (rc == 0 && !lag_id_is(id_or_name, "ds")) rc = lag_row_find(db, sql_by_name, id_or_name, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "dataset %s does not exist", id_or_name);
    return rc < 0 ? rc : 0;
}

static const char sql_list[] = SELECT "ORDER BY id DESC";

int lag_dataset_list(struct lag_db *db, int (*each)(const struct lag_dataset_row *, void *), void *arg,
                     struct lag_error *err) {
    struct lag_dataset_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_state[] = "UPDATE datasets SET state = ?, reason = ? WHERE id = ?";

int lag_dataset_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                          struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "dataset", id, err);
}

static const char sql_done[] = "UPDATE datasets SET n_bytes_done = ? WHERE id = ?";

int lag_dataset_set_done(struct lag_db *db, const char *id, int64_t n_bytes_done, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_done, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, n_bytes_done);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "dataset", id, err);
}

static const char sql_found[] =
    "UPDATE datasets SET format = ?, n_tokens = ?, max_id = ?, vocab_size = ?, sha256 = ?, n_bytes_done = n_bytes, "
    "device = ?, inode = ?, mtime_ns = ?, ctime_ns = ? WHERE id = ? AND n_bytes = ?";

int lag_dataset_set_found(struct lag_db *db, const struct lag_dataset_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_found, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, row->format);
    lag_bind_i64(stmt, row->n_tokens);
    lag_bind_i64(stmt, row->max_id);
    lag_bind_i64(stmt, row->vocab_size);
    lag_bind_text(stmt, row->sha256);
    lag_bind_i64(stmt, row->device);
    lag_bind_i64(stmt, row->inode);
    lag_bind_i64(stmt, row->mtime_ns);
    lag_bind_i64(stmt, row->ctime_ns);
    lag_bind_text(stmt, row->id);
    lag_bind_i64(stmt, row->n_bytes);
    return lag_stmt_run_one(stmt, "dataset", row->id, err);
}

static const char sql_tokenized[] =
    "UPDATE datasets SET n_bytes = ?, tokenizer_sha256 = ?, text_sha256 = ?, text_bytes = ?, vocab_size = ? "
    "WHERE id = ?";

int lag_dataset_set_tokenized(struct lag_db *db, const struct lag_dataset_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_tokenized, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, row->n_bytes);
    lag_bind_text(stmt, row->tokenizer_sha256);
    lag_bind_text(stmt, row->text_sha256);
    lag_bind_i64(stmt, row->text_bytes);
    lag_bind_i64(stmt, row->vocab_size);
    lag_bind_text(stmt, row->id);
    return lag_stmt_run_one(stmt, "dataset", row->id, err);
}

static const char sql_stamp[] =
    "UPDATE datasets SET device = ?, inode = ?, mtime_ns = ?, ctime_ns = ? WHERE id = ? AND n_bytes = ?";

int lag_dataset_set_stamp(struct lag_db *db, const char *id, const struct lag_stamp *stamp, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_stamp, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, stamp->device);
    lag_bind_i64(stmt, stamp->inode);
    lag_bind_i64(stmt, stamp->mtime_ns);
    lag_bind_i64(stmt, stamp->ctime_ns);
    lag_bind_text(stmt, id);
    lag_bind_i64(stmt, stamp->n_bytes);
    return lag_stmt_run_one(stmt, "dataset", id, err);
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

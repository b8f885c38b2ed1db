/* Queries of tokenizers. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/storage/tokenizers.h>

#define COLUMNS(first, next)                                                                                           \
    first(id) next(name) next(origin) next(path) next(request) next(dataset_id) next(base_id) next(state)              \
    next(reason) next(n_done) next(n_all) next(kind) next(pattern) next(vocab_size) next(n_merges) next(n_added)       \
    next(eos) next(bos) next(eos_token) next(bos_token) next(byte_level) next(n_bytes) next(sha256) next(created_ms)
#define C(...) LAG_COLUMN(struct lag_tokenizer_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "tokenizers")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("tokenizers", COLUMNS);

int lag_tokenizer_insert(struct lag_db *db, const struct lag_tokenizer_row *row, struct lag_error *err) {
    struct lag_tokenizer_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    int rc = lag_row_insert(db, sql_insert, columns, &stored, err);
    if (rc != LAG_EEXIST) return rc;
    return lag_error_at(err, rc, "/name", "a tokenizer named %s exists already: choose another name", row->name);
}

static const char sql_by_id[] = SELECT "WHERE id = ?";
static const char sql_by_name[] = SELECT "WHERE name = ?";

int lag_tokenizer_get(struct lag_db *db, const char *id_or_name, struct lag_tokenizer_row *ret,
                      struct lag_error *err) {
    int rc = lag_row_find(db, sql_by_id, id_or_name, columns, ret, err);
    if (rc == 0 && !lag_id_is(id_or_name, "tok")) rc = lag_row_find(db, sql_by_name, id_or_name, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "tokenizer %s does not exist", id_or_name);
    return rc < 0 ? rc : 0;
}

static const char sql_list[] = SELECT "ORDER BY id DESC";

int lag_tokenizer_list(struct lag_db *db, int (*each)(const struct lag_tokenizer_row *, void *), void *arg,
                       struct lag_error *err) {
    struct lag_tokenizer_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_state[] = "UPDATE tokenizers SET state = ?, reason = ? WHERE id = ?";

int lag_tokenizer_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                            struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "tokenizer", id, err);
}

static const char sql_done[] = "UPDATE tokenizers SET n_done = ?, n_all = ? WHERE id = ?";

int lag_tokenizer_set_done(struct lag_db *db, const char *id, int64_t n_done, int64_t n_all, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_done, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, n_done);
    lag_bind_i64(stmt, n_all);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "tokenizer", id, err);
}

static const char sql_found[] =
    "UPDATE tokenizers SET n_done = n_all, kind = ?, pattern = ?, vocab_size = ?, n_merges = ?, n_added = ?, eos = ?, "
    "bos = ?, eos_token = ?, bos_token = ?, byte_level = ?, n_bytes = ?, sha256 = ? WHERE id = ?";

int lag_tokenizer_set_found(struct lag_db *db, const struct lag_tokenizer_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_found, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, row->kind);
    lag_bind_text(stmt, row->pattern);
    lag_bind_i64(stmt, row->vocab_size);
    lag_bind_i64(stmt, row->n_merges);
    lag_bind_i64(stmt, row->n_added);
    lag_bind_i64(stmt, row->eos);
    lag_bind_i64(stmt, row->bos);
    lag_bind_text(stmt, row->eos_token);
    lag_bind_text(stmt, row->bos_token);
    lag_bind_i64(stmt, row->byte_level);
    lag_bind_i64(stmt, row->n_bytes);
    lag_bind_text(stmt, row->sha256);
    lag_bind_text(stmt, row->id);
    return lag_stmt_run_one(stmt, "tokenizer", row->id, err);
}

static const char sql_user[] = "SELECT name FROM datasets WHERE tokenizer_id = ? LIMIT 1";
static const char sql_delete[] = "DELETE FROM tokenizers WHERE id = ?";

int lag_tokenizer_is_free(struct lag_db *db, const char *id, struct lag_error *err) {
    char dataset[LAG_ROW_NAME] = "";
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_user, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    if ((rc = lag_stmt_step(stmt, err)) == 1) lag_col_text(stmt, "name", dataset, sizeof dataset);
    lag_stmt_close(stmt);
    if (rc != 1) return rc;
    return lag_error_set(err, LAG_ESTATE, "dataset %s has its tokens from it: delete that dataset first", dataset);
}

int lag_tokenizer_delete(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_tokenizer_is_free(db, id, err);
    if (rc < 0 || (rc = lag_stmt_open(db, sql_delete, &stmt, err))) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "tokenizer", id, err);
}

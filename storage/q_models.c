/* Queries of models that were brought, with their files and ignored tensors. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/storage/models.h>
#include <lagd/storage/tokenizers.h>

#define COLUMNS(first, next)                                                                                           \
    first(id) next(name) next(path) next(state) next(reason) next(n_bytes) next(n_bytes_done)                          \
    LAG_SHAPE_COLUMNS(next, , shape) next(norm_eps) next(n_params) next(dtype) next(tokenizer) next(tokenizer_size)    \
    next(created_ms)
#define C(...) LAG_COLUMN(struct lag_model_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "models")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("models", COLUMNS);

int lag_model_insert(struct lag_db *db, const struct lag_model_row *row, struct lag_error *err) {
    struct lag_model_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    int rc = lag_row_insert(db, sql_insert, columns, &stored, err);
    if (rc != LAG_EEXIST) return rc;
    return lag_error_at(err, rc, "/name", "a model named %s exists already: choose another name", row->name);
}

static const char sql_by_id[] = SELECT "WHERE id = ?";
static const char sql_by_name[] = SELECT "WHERE name = ?";

int lag_model_get(struct lag_db *db, const char *id_or_name, struct lag_model_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_by_id, id_or_name, columns, ret, err);
    if (rc == 0 && !lag_id_is(id_or_name, "md")) rc = lag_row_find(db, sql_by_name, id_or_name, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "model %s does not exist", id_or_name);
    return rc < 0 ? rc : 0;
}

static const char sql_list[] = SELECT "ORDER BY id DESC";

int lag_model_list(struct lag_db *db, int (*each)(const struct lag_model_row *, void *), void *arg,
                   struct lag_error *err) {
    struct lag_model_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_state[] = "UPDATE models SET state = ?, reason = ? WHERE id = ?";

int lag_model_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                        struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "model", id, err);
}

static const char sql_done[] = "UPDATE models SET n_bytes = ?, n_bytes_done = ? WHERE id = ?";

int lag_model_set_done(struct lag_db *db, const char *id, int64_t n_bytes, int64_t n_bytes_done,
                       struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_done, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, n_bytes);
    lag_bind_i64(stmt, n_bytes_done);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "model", id, err);
}

static const char sql_found[] =
    "UPDATE models SET n_bytes = ?, n_bytes_done = ?, n_layer = ?, n_head = ?, n_embd = ?, n_inner = ?, "
    "n_positions = ?, vocab_size = ?, head_dim = ?, norm_eps = ?, n_params = ?, dtype = ?, tokenizer = ?, "
    "tokenizer_size = ? "
    "WHERE id = ?";

int lag_model_set_found(struct lag_db *db, const struct lag_model_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_found, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, row->n_bytes);
    lag_bind_i64(stmt, row->n_bytes_done);
    lag_bind_i64(stmt, row->shape.n_layer);
    lag_bind_i64(stmt, row->shape.n_head);
    lag_bind_i64(stmt, row->shape.n_embd);
    lag_bind_i64(stmt, row->shape.n_inner);
    lag_bind_i64(stmt, row->shape.n_positions);
    lag_bind_i64(stmt, row->shape.vocab_size);
    lag_bind_i64(stmt, row->shape.head_dim);
    lag_bind_real(stmt, row->norm_eps);
    lag_bind_i64(stmt, row->n_params);
    lag_bind_text(stmt, row->dtype);
    lag_bind_text(stmt, row->tokenizer);
    lag_bind_i64(stmt, row->tokenizer_size);
    lag_bind_text(stmt, row->id);
    return lag_stmt_run_one(stmt, "model", row->id, err);
}

/* --- files and ignored tensors ----------------------------------------------------------------------------------- */

#define FILES(first, next) first(model_id) next(name) next(n_bytes) next(sha256)
#define C(...) LAG_COLUMN(struct lag_model_file_row, __VA_ARGS__)
static const struct lag_column file_rows[] = {FILES(C, C)};
static const struct lag_columns file_columns = LAG_COLUMNS(file_rows);
#undef C
static const char sql_file_insert[] = "INSERT " LAG_SQL_INTO("model_files", FILES);
static const char sql_files[] = LAG_SQL_SELECT(FILES, "model_files") "WHERE model_id = ? ORDER BY name";

int lag_model_file_insert(struct lag_db *db, const struct lag_model_file_row *row, struct lag_error *err) {
    return lag_row_insert(db, sql_file_insert, file_columns, row, err);
}

int lag_model_files(struct lag_db *db, const char *model_id, int (*each)(const struct lag_model_file_row *, void *),
                    void *arg, struct lag_error *err) {
    struct lag_model_file_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_files, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, model_id);
    while ((rc = lag_row_next(stmt, file_columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

#define IGNORED(first, next) first(model_id) next(name) next(file) next(dtype) next(shape)
#define C(...) LAG_COLUMN(struct lag_model_ignored_row, __VA_ARGS__)
static const struct lag_column ignored_rows[] = {IGNORED(C, C)};
static const struct lag_columns ignored_columns = LAG_COLUMNS(ignored_rows);
#undef C
static const char sql_ignored_insert[] = "INSERT " LAG_SQL_INTO("model_ignored", IGNORED);
static const char sql_ignored[] = LAG_SQL_SELECT(IGNORED, "model_ignored") "WHERE model_id = ? ORDER BY name, file";

int lag_model_ignored_insert(struct lag_db *db, const struct lag_model_ignored_row *row, struct lag_error *err) {
    return lag_row_insert(db, sql_ignored_insert, ignored_columns, row, err);
}

int lag_model_ignored(struct lag_db *db, const char *model_id,
                      int (*each)(const struct lag_model_ignored_row *, void *), void *arg, struct lag_error *err) {
    struct lag_model_ignored_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_ignored, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, model_id);
    while ((rc = lag_row_next(stmt, ignored_columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

/* --- deleting ---------------------------------------------------------------------------------------------------- */

static const char sql_user[] = "SELECT name FROM runs WHERE model_id = ? LIMIT 1";
static const char sql_delete[] = "DELETE FROM models WHERE id = ?";

int lag_model_delete(struct lag_db *db, const char *id, struct lag_error *err) {
    char run[LAG_ROW_NAME] = "";
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_user, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    if ((rc = lag_stmt_step(stmt, err)) == 1) lag_col_text(stmt, "name", run, sizeof run);
    lag_stmt_close(stmt);
    if (rc == 1)
        return lag_error_set(err, LAG_ESTATE, "run %s is of this model and takes its tokenizer from it: delete that "
                             "run first", run);
    if (rc == 0) rc = lag_tokenizer_is_free(db, id, err);
    if (rc < 0 || (rc = lag_stmt_open(db, sql_delete, &stmt, err))) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "model", id, err);
}

/* Queries of checkpoints and their files. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>

#define COLUMNS(first, next)                                                                                           \
    first(id) next(run_id) next(candidate_id) next(kind) next(path) next(step)                                         \
    LAG_SHAPE_COLUMNS(next, , shape) next(gated) next(masked_until) next(n_bytes)                                      \
    next(fingerprint) next(keep) next(created_ms)
#define FILE_COLUMNS(first, next) first(checkpoint_id) next(name) next(n_bytes) next(sha256)
#define C(...) LAG_COLUMN(struct lag_checkpoint_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C
#define C(...) LAG_COLUMN(struct lag_checkpoint_file_row, __VA_ARGS__)
static const struct lag_column file_column_rows[] = {FILE_COLUMNS(C, C)};
static const struct lag_columns file_columns = LAG_COLUMNS(file_column_rows);
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "checkpoints")

static const char sql_insert_file[] = "INSERT " LAG_SQL_INTO("checkpoint_files", FILE_COLUMNS);

static int insert_file(struct lag_db *db, const char *id, const struct lag_checkpoint_file_row *file,
                       struct lag_error *err) {
    struct lag_checkpoint_file_row stored = *file;
    (void)lag_copy(stored.checkpoint_id, sizeof stored.checkpoint_id, id);
    return lag_row_insert(db, sql_insert_file, file_columns, &stored, err);
}

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("checkpoints", COLUMNS);

int lag_checkpoint_insert(struct lag_db *db, const struct lag_checkpoint_row *row,
                          const struct lag_checkpoint_file_row *files, int n_files, struct lag_error *err) {
    struct lag_checkpoint_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    int rc = lag_row_insert(db, sql_insert, columns, &stored, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_set(err, rc, "run %s%s%s does not exist", row->run_id,
                             *row->candidate_id ? " or candidate " : "", row->candidate_id);
    if (rc == LAG_EEXIST) return lag_error_set(err, rc, "checkpoint %s exists already", row->id);
    for (int i = 0; i < n_files && !rc; i++) rc = insert_file(db, row->id, &files[i], err);
    return rc;
}

static const char sql_get[] = SELECT "WHERE id = ?";

int lag_checkpoint_get(struct lag_db *db, const char *id, struct lag_checkpoint_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_get, id, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "checkpoint %s does not exist", id);
    return rc < 0 ? rc : 0;
}

static const char sql_latest[] = SELECT
    "WHERE run_id = ? AND candidate_id IS NULL ORDER BY step DESC, id DESC LIMIT 1";

int lag_checkpoint_latest(struct lag_db *db, const char *run_id, struct lag_checkpoint_row *ret,
                          struct lag_error *err) {
    int rc = lag_row_find(db, sql_latest, run_id, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "run %s has no checkpoint", run_id);
    return rc < 0 ? rc : 0;
}

/* Of one run in the order of lag_checkpoint_latest, so that retention and resume agree on which is newest. */
static const char sql_list_run[] = SELECT "WHERE run_id = ? ORDER BY step DESC, id DESC";
static const char sql_list_all[] = SELECT "ORDER BY id DESC";

int lag_checkpoint_list(struct lag_db *db, const char *run_id, int (*each)(const struct lag_checkpoint_row *, void *),
                        void *arg, struct lag_error *err) {
    struct lag_checkpoint_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, run_id ? sql_list_run : sql_list_all, &stmt, err);
    if (rc) return rc;
    if (run_id) lag_bind_text(stmt, run_id);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_files[] =
    LAG_SQL_SELECT(FILE_COLUMNS, "checkpoint_files") "WHERE checkpoint_id = ? ORDER BY name";

int lag_checkpoint_files(struct lag_db *db, const char *id, int (*each)(const struct lag_checkpoint_file_row *, void *),
                         void *arg, struct lag_error *err) {
    struct lag_checkpoint_file_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_files, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    while ((rc = lag_row_next(stmt, file_columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_set_keep[] = "UPDATE checkpoints SET keep = ? WHERE id = ?";

int lag_checkpoint_set_keep(struct lag_db *db, const char *id, bool keep, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_keep, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, keep);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "checkpoint", id, err);
}

static const char sql_delete[] = "DELETE FROM checkpoints WHERE id = ?";

int lag_checkpoint_delete(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_delete, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "checkpoint", id, err);
}

/* What it lies for has not been made of it yet: the runs of a study, or the audit of a growth. */
static const char sql_needed[] =
    "SELECT id FROM growths WHERE audit = 'wanted' AND parent_checkpoint = ?1 AND "
    "state NOT IN ('rejected', 'cancelled', 'failed') UNION ALL "
    "SELECT s.id FROM studies AS s JOIN study_runs AS m ON m.study_id = s.id WHERE "
    "s.state NOT IN ('completed', 'cancelled', 'failed') AND s.parent_checkpoint = ?1 AND m.stage = 'planned' LIMIT 1";

int lag_checkpoint_is_needed(struct lag_db *db, const char *id, char ret_by[LAG_ROW_ID], struct lag_error *err) {
    return lag_stmt_first_id(db, sql_needed, id, ret_by, err);
}

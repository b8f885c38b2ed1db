/* Queries of growth plans and their stages. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/stages.h>

/* --- plans --- */

#define PLAN_COLUMNS(first, next)                                                                                      \
    first(run_id) next(start_step) next(alpha) next(steps) next(revision) next(created_ms) next(updated_ms)
#define C(...) LAG_COLUMN(struct lag_plan_row, __VA_ARGS__)
static const struct lag_column plan_rows[] = {PLAN_COLUMNS(C, C)};
static const struct lag_columns plan_columns = LAG_COLUMNS(plan_rows);
#undef C

static const char sql_plan_get[] = LAG_SQL_SELECT(PLAN_COLUMNS, "plans") "WHERE run_id = ?";

int lag_plan_get(struct lag_db *db, const char *run_id, struct lag_plan_row *ret, struct lag_error *err) {
    return lag_row_find(db, sql_plan_get, run_id, plan_columns, ret, err);
}

#define REVISION_BITS 20 /* beside the milliseconds at which it was made */

int64_t lag_plan_tag(const struct lag_plan_row *row) {
    return row->revision > 0 ? row->created_ms << REVISION_BITS | (row->revision & ((1 << REVISION_BITS) - 1)) : 0;
}

static const char sql_plan_put[] =
    "INSERT " LAG_SQL_INTO("plans", PLAN_COLUMNS)
    "ON CONFLICT (run_id) DO UPDATE SET start_step = excluded.start_step, alpha = excluded.alpha, "
    "steps = excluded.steps, revision = revision + 1, updated_ms = excluded.updated_ms";

int lag_plan_put(struct lag_db *db, const struct lag_plan_row *row, struct lag_error *err) {
    struct lag_plan_row stored = *row;
    stored.revision = 1;
    stored.created_ms = stored.updated_ms = lag_clock_wall_ms();
    int rc = lag_row_insert(db, sql_plan_put, plan_columns, &stored, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "run %s does not exist", row->run_id);
    return rc;
}

static const char sql_plan_touch[] = "UPDATE plans SET revision = revision + 1, updated_ms = ? WHERE run_id = ?";

static int touch(struct lag_db *db, const char *run_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_plan_touch, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, run_id);
    return lag_stmt_run_one(stmt, "the plan of run", run_id, err);
}

static const char sql_plan_delete[] = "DELETE FROM plans WHERE run_id = ?";

int lag_plan_delete(struct lag_db *db, const char *run_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_plan_delete, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    return lag_stmt_run(stmt, err);
}

/* --- stages --- */

#define COLUMNS(first, next)                                                                                           \
    first(id) next(run_id) next(position) next(state) next(fired_step) next(fired_ms) next(growth_id)                  \
    next(memory_bytes) next(reason) next(begins) next(request) next(pool)
#define C(...) LAG_COLUMN(struct lag_stage_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "stages")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("stages", COLUMNS);

int lag_stage_insert(struct lag_db *db, const struct lag_stage_row *row, struct lag_error *err) {
    int rc = lag_row_insert(db, sql_insert, columns, row, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "run %s has no plan", row->run_id);
    return rc;
}

static const char sql_get[] = SELECT "WHERE id = ?";

int lag_stage_get(struct lag_db *db, const char *id, struct lag_stage_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_get, id, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "stage %s does not exist", id);
    return rc < 0 ? rc : 0;
}

static const char sql_list[] = SELECT "WHERE run_id = ? ORDER BY position";

int lag_stage_list(struct lag_db *db, const char *run_id, int (*each)(const struct lag_stage_row *, void *), void *arg,
                   struct lag_error *err) {
    struct lag_stage_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_set_state[] = "UPDATE stages SET state = ?, reason = ? WHERE id = ?";

int lag_stage_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                        struct lag_error *err) {
    struct lag_stmt *stmt;
    struct lag_stage_row row;
    int rc = lag_stage_get(db, id, &row, err);
    if (rc == 0) rc = touch(db, row.run_id, err);
    if (rc == 0) rc = lag_stmt_open(db, sql_set_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "stage", id, err);
}

static const char sql_set_fired[] = "UPDATE stages SET fired_step = ?, fired_ms = ?, growth_id = ? WHERE id = ?";

int lag_stage_set_fired(struct lag_db *db, const char *id, int64_t step, const char *growth_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_fired, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, step);
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, growth_id);
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "stage", id, err);
}

static const char sql_delete[] = "DELETE FROM stages WHERE run_id = ? AND position > ?";

int lag_stages_delete(struct lag_db *db, const char *run_id, int64_t after, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_delete, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    lag_bind_i64(stmt, after);
    return lag_stmt_run(stmt, err);
}

static const char sql_memory[] =
    "SELECT coalesce(max(memory_bytes), 0) AS bytes FROM stages WHERE run_id = ? AND state = 'planned'";

int lag_stages_memory(struct lag_db *db, const char *run_id, int64_t *ret_bytes, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_memory, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    if ((rc = lag_stmt_step(stmt, err)) == 1) *ret_bytes = lag_col_i64(stmt, "bytes");
    lag_stmt_close(stmt);
    return rc < 0 ? rc : 0;
}

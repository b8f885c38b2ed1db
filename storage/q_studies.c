/* Queries of studies and of the runs they are made of. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/storage/studies.h>

#define COLUMNS(first, next)                                                                                           \
    first(id) next(name) next(state) next(parent_run) next(parent_name) next(parent_checkpoint) next(start_step)       \
    next(horizon) next(delta) next(parent_flops) next(revision) next(created_ms) next(updated_ms) next(reason)         \
    next(request) next(pool)               \
    next(config) next(decay_fraction) next(growth_id) next(priority)
#define C(...) LAG_COLUMN(struct lag_study_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "studies")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("studies", COLUMNS);

int lag_study_insert(struct lag_db *db, const struct lag_study_row *row, struct lag_error *err) {
    struct lag_study_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    if (!stored.updated_ms) stored.updated_ms = stored.created_ms;
    int rc = lag_row_insert(db, sql_insert, columns, &stored, err);
    if (rc != LAG_EEXIST) return rc;
    return lag_error_at(err, rc, "/name", "a study named %s exists already: choose another name", row->name);
}

static const char sql_by_id[] = SELECT "WHERE id = ?";
static const char sql_by_name[] = SELECT "WHERE name = ?";

int lag_study_get(struct lag_db *db, const char *id_or_name, struct lag_study_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_by_id, id_or_name, columns, ret, err);
    if (rc == 0 && !lag_id_is(id_or_name, "st")) rc = lag_row_find(db, sql_by_name, id_or_name, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "study %s does not exist", id_or_name);
    return rc < 0 ? rc : 0;
}

static const char sql_list[] = SELECT "ORDER BY id DESC LIMIT ?";
static const char sql_list_alive[] =
    SELECT "WHERE state NOT IN ('completed', 'cancelled', 'failed') ORDER BY id DESC LIMIT ?";

int lag_study_list(struct lag_db *db, bool alive, int limit, int (*each)(const struct lag_study_row *, void *),
                   void *arg, struct lag_error *err) {
    struct lag_study_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, alive ? sql_list_alive : sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, limit);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_of_growth[] = SELECT "WHERE growth_id = ? ORDER BY id DESC LIMIT 1";

int lag_study_of_growth(struct lag_db *db, const char *growth_id, struct lag_study_row *ret, struct lag_error *err) {
    return lag_row_find(db, sql_of_growth, growth_id, columns, ret, err);
}

/* ?1: the study of low priority that asks. */
#define UNDER_WAY "state NOT IN ('completed', 'cancelled', 'failed') AND state <> 'paused'"
#define LOW_RUN                                                                                                        \
    "EXISTS (SELECT 1 FROM study_runs AS m JOIN studies AS s ON s.id = m.study_id WHERE m.run_id = runs.id AND "       \
    "s.priority < 0)"
static const char sql_gives_way[] =
    "SELECT 1 FROM runs WHERE state IN ('queued', 'running', 'growing') AND NOT " LOW_RUN " AND NOT EXISTS "
    "(SELECT 1 FROM growths AS g WHERE g.id = runs.growth_id AND runs.state = 'growing' AND "
    "g.state = 'awaiting_approval') "
    "UNION ALL SELECT 1 FROM runs WHERE waits = 1 AND NOT " LOW_RUN " "
    "UNION ALL SELECT 1 FROM studies WHERE " UNDER_WAY " AND (priority >= 0 OR id < ?1) AND id <> ?1 LIMIT 1";

int lag_study_gives_way(struct lag_db *db, const char *study_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_gives_way, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, study_id);
    rc = lag_stmt_step(stmt, err);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_touch_growth[] = "UPDATE growths SET revision = revision + 1, updated_ms = ? "
                                       "WHERE id = (SELECT growth_id FROM studies WHERE id = ?)";

static int touch_growth(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_touch_growth, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, id);
    return lag_stmt_run(stmt, err);
}

#define TOUCH "revision = revision + 1, updated_ms = ? WHERE id = ?"

static int touch(struct lag_stmt *stmt, const char *id, struct lag_error *err) {
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "study", id, err);
}

static const char sql_set_state[] = "UPDATE studies SET state = ?, reason = ?, " TOUCH;

int lag_study_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                        struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    rc = touch(stmt, id, err);
    return rc ? rc : touch_growth(db, id, err);
}

static const char sql_set_reason[] = "UPDATE studies SET reason = ?, " TOUCH " AND state = ?";

int lag_study_set_reason(struct lag_db *db, const char *id, const char *state, const char *reason,
                         struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_reason, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, reason);
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, id);
    lag_bind_text(stmt, state);
    rc = lag_stmt_run(stmt, err);
    return rc ? rc : touch_growth(db, id, err);
}

static const char sql_forget[] = "UPDATE growths SET audit = NULL, audit_reason = NULL "
                                 "WHERE id = (SELECT growth_id FROM studies WHERE id = ?)";
static const char sql_delete[] = "DELETE FROM studies WHERE id = ?";

int lag_study_delete(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = touch_growth(db, id, err);
    if (rc || (rc = lag_stmt_open(db, sql_forget, &stmt, err))) return rc;
    lag_bind_text(stmt, id);
    rc = lag_stmt_run(stmt, err);
    if (rc || (rc = lag_stmt_open(db, sql_delete, &stmt, err))) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "study", id, err);
}

/* --- its runs --- */

#define RUN_COLUMNS(first, next)                                                                                       \
    first(study_id) next(position) next(role) next(seed) next(max_steps) next(stage) next(run_id) next(growth_id)
#define C(...) LAG_COLUMN(struct lag_study_run_row, __VA_ARGS__)
static const struct lag_column run_column_rows[] = {RUN_COLUMNS(C, C)};
static const struct lag_columns run_columns = LAG_COLUMNS(run_column_rows);
#undef C
#define SELECT_RUNS LAG_SQL_SELECT(RUN_COLUMNS, "study_runs")

static const char sql_run_insert[] = "INSERT " LAG_SQL_INTO("study_runs", RUN_COLUMNS);

int lag_study_run_insert(struct lag_db *db, const struct lag_study_run_row *row, struct lag_error *err) {
    return lag_row_insert(db, sql_run_insert, run_columns, row, err);
}

static const char sql_run_list[] = SELECT_RUNS "WHERE study_id = ? ORDER BY position";

int lag_study_run_list(struct lag_db *db, const char *study_id, int (*each)(const struct lag_study_run_row *, void *),
                       void *arg, struct lag_error *err) {
    struct lag_study_run_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_run_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, study_id);
    while ((rc = lag_row_next(stmt, run_columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_run_set[] =
    "UPDATE study_runs SET stage = ?, run_id = ?, growth_id = ? WHERE position = ? AND study_id = ?";

int lag_study_run_set(struct lag_db *db, const struct lag_study_run_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_run_set, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, row->stage);
    lag_bind_text(stmt, row->run_id);
    lag_bind_text(stmt, row->growth_id);
    lag_bind_i64(stmt, row->position);
    lag_bind_text(stmt, row->study_id);
    return lag_stmt_run_one(stmt, "study", row->study_id, err);
}

static const char sql_of_run[] = SELECT_RUNS "WHERE run_id = ?";

int lag_study_of_run(struct lag_db *db, const char *run_id, struct lag_study_run_row *ret, struct lag_error *err) {
    return lag_row_find(db, sql_of_run, run_id, run_columns, ret, err);
}

/* Queries of candidates of a growth. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define STORED(first, next)                                                                                            \
    first(id) next(growth_id) next(position) next(op) next(strategy) next(names) next(recipe) next(eligible)           \
    next(state) next(reason) next(t) next(n_params) next(rewarm_steps) next(loss_at_0) next(loss_at_lag) next(flops)   \
    next(checkpoint) next(prior)
#define COLUMNS(first, next) first(number) STORED(next, next) /* the database numbers them */
#define C(...) LAG_COLUMN(struct lag_candidate_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
static const struct lag_columns stored_columns = {column_rows + 1, LAG_COUNT(column_rows) - 1};
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "candidates")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("candidates", STORED);

int lag_candidate_insert(struct lag_db *db, const struct lag_candidate_row *row, int64_t *ret_number,
                         struct lag_error *err) {
    int rc = lag_row_insert(db, sql_insert, stored_columns, row, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "growth %s does not exist", row->growth_id);
    if (rc == LAG_EEXIST)
        return lag_error_set(err, rc, "growth %s has a candidate at position %lld already", row->growth_id,
                             (long long)row->position);
    if (!rc && ret_number) *ret_number = sqlite3_last_insert_rowid(db->handle);
    return rc;
}

static const char sql_delete[] = "DELETE FROM candidates WHERE growth_id = ?";

int lag_candidates_delete(struct lag_db *db, const char *growth_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_delete, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    return lag_stmt_run(stmt, err);
}

static const char sql_get[] = SELECT "WHERE id = ?";

int lag_candidate_get(struct lag_db *db, const char *id, struct lag_candidate_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_get, id, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "candidate %s does not exist", id);
    return rc < 0 ? rc : 0;
}

static const char sql_list[] = SELECT "WHERE growth_id = ? ORDER BY position";

int lag_candidate_list(struct lag_db *db, const char *growth_id, int (*each)(const struct lag_candidate_row *, void *),
                       void *arg, struct lag_error *err) {
    struct lag_candidate_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_touch_growth[] = "UPDATE growths SET revision = revision + 1, updated_ms = ? "
                                       "WHERE id = (SELECT growth_id FROM candidates WHERE id = ?)";

/* A growth is shown with its candidates: when one changes, so does the growth's revision. */
static int finish(struct lag_stmt *stmt, const char *id, struct lag_error *err) {
    struct lag_db *db = stmt->db;
    lag_bind_text(stmt, id);
    int rc = lag_stmt_run_one(stmt, "candidate", id, err);
    if (rc || (rc = lag_stmt_open(db, sql_touch_growth, &stmt, err))) return rc;
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, id);
    return lag_stmt_run(stmt, err);
}

static const char sql_set_state[] = "UPDATE candidates SET state = ?, reason = ? WHERE id = ?";

int lag_candidate_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                            struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    return finish(stmt, id, err);
}

static const char sql_set_progress[] = "UPDATE candidates SET t = ?, flops = ? WHERE id = ?";

int lag_candidate_set_progress(struct lag_db *db, const char *id, int64_t t, double flops, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_progress, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, t);
    lag_bind_real(stmt, flops);
    return finish(stmt, id, err);
}

static const char sql_set_losses[] =
    "UPDATE candidates SET loss_at_0 = coalesce(?, loss_at_0), loss_at_lag = coalesce(?, loss_at_lag) WHERE id = ?";

int lag_candidate_set_losses(struct lag_db *db, const char *id, double loss_at_0, double loss_at_lag,
                             struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_losses, &stmt, err);
    if (rc) return rc;
    lag_bind_real(stmt, loss_at_0);
    lag_bind_real(stmt, loss_at_lag);
    return finish(stmt, id, err);
}

static const char sql_set_checkpoint[] = "UPDATE candidates SET checkpoint = ? WHERE id = ?";

int lag_candidate_set_checkpoint(struct lag_db *db, const char *id, const char *checkpoint_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_checkpoint, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, checkpoint_id);
    return finish(stmt, id, err);
}

static const char sql_owner[] =
    "SELECT g.run_id, c.growth_id, c.id AS candidate_id FROM candidates AS c JOIN growths AS g ON g.id = c.growth_id "
    "WHERE c.id = ?1 UNION ALL SELECT id, NULL, NULL FROM runs WHERE id = ?1";

int lag_candidate_owner(struct lag_db *db, const char *owner, struct lag_event_row *ret_ids, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_owner, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, owner);
    if ((rc = lag_stmt_step(stmt, err)) == 1) {
        lag_col_text(stmt, "run_id", ret_ids->run_id, sizeof ret_ids->run_id);
        lag_col_text(stmt, "growth_id", ret_ids->growth_id, sizeof ret_ids->growth_id);
        lag_col_text(stmt, "candidate_id", ret_ids->candidate_id, sizeof ret_ids->candidate_id);
    }
    lag_stmt_close(stmt);
    return rc < 0 ? rc : 0;
}

#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define C(member) LAG_COLUMN(struct lag_candidate_row, member)
static const struct lag_column columns[] = {
    C(number), /* given by the database */
    C(id), C(growth_id), C(position), C(op), C(strategy), C(names), C(recipe), C(eligible), C(state), C(reason), C(t),
    C(n_params), C(rewarm_steps), C(loss_at_0), C(loss_at_lag), C(flops), C(checkpoint),
};
#undef C
#define SELECT                                                                                                         \
    "SELECT number, id, growth_id, position, op, strategy, names, recipe, eligible, state, reason, t, n_params, "      \
    "rewarm_steps, loss_at_0, loss_at_lag, flops, checkpoint FROM candidates "

static const char sql_insert[] =
    "INSERT INTO candidates (id, growth_id, position, op, strategy, names, recipe, eligible, state, reason, t, "
    "n_params, rewarm_steps, loss_at_0, loss_at_lag, flops, checkpoint) VALUES (:id, :growth_id, :position, :op, "
    ":strategy, :names, :recipe, :eligible, :state, :reason, :t, :n_params, :rewarm_steps, :loss_at_0, :loss_at_lag, "
    ":flops, :checkpoint)";

int lag_candidate_insert(struct lag_db *db, const struct lag_candidate_row *row, int64_t *ret_number,
                         struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_insert, &stmt, err);
    if (rc) return rc;
    lag_bind_row(stmt, columns + 1, LAG_COUNT(columns) - 1, row);
    rc = lag_stmt_run(stmt, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "growth %s does not exist", row->growth_id);
    if (rc == LAG_EEXIST)
        return lag_error_set(err, rc, "growth %s has a candidate at position %lld already", row->growth_id,
                             (long long)row->position);
    if (!rc && ret_number) *ret_number = sqlite3_last_insert_rowid(db->handle);
    return rc;
}

static const char sql_get[] = SELECT "WHERE id = ?";

int lag_candidate_get(struct lag_db *db, const char *id, struct lag_candidate_row *ret, struct lag_error *err) {
    struct lag_candidate_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_get, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    rc = lag_stmt_one(stmt, columns, LAG_COUNT(columns), &row, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "candidate %s does not exist", id);
    if (rc < 0) return rc;
    *ret = row;
    return 0;
}

static const char sql_list[] = SELECT "WHERE growth_id = ? ORDER BY position";

int lag_candidate_list(struct lag_db *db, const char *growth_id, int (*each)(const struct lag_candidate_row *, void *),
                       void *arg, struct lag_error *err) {
    struct lag_candidate_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        lag_col_row(stmt, columns, LAG_COUNT(columns), &row);
        if ((rc = each(&row, arg))) break;
    }
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

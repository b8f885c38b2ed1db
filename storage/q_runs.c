#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/runs.h>

#define C(member) LAG_COLUMN(struct lag_run_row, member)
static const struct lag_column columns[] = {
    C(id), C(name), C(dataset_id), C(state), C(n_layer), C(n_head), C(n_embd), C(n_inner), C(n_positions),
    C(vocab_size), C(n_params), C(step), C(max_steps), C(tokens), C(flops), C(lr_scale), C(n_rollbacks),
    C(rollback_step), C(growth_id), C(revision), C(created_ms), C(updated_ms), C(reason), C(config),
    C(dataset_name), /* joined, not stored */
};
#undef C
#define N_STORED (LAG_COUNT(columns) - 1)
#define SELECT                                                                                                         \
    "SELECT r.id, r.name, r.dataset_id, r.state, r.n_layer, r.n_head, r.n_embd, r.n_inner, r.n_positions, "            \
    "r.vocab_size, r.n_params, r.step, r.max_steps, r.tokens, r.flops, r.lr_scale, r.n_rollbacks, r.rollback_step, "   \
    "r.growth_id, r.revision, r.created_ms, r.updated_ms, r.reason, r.config, d.name AS dataset_name "                 \
    "FROM runs AS r LEFT JOIN datasets AS d ON d.id = r.dataset_id "

static const char sql_insert[] =
    "INSERT INTO runs (id, name, dataset_id, state, n_layer, n_head, n_embd, n_inner, n_positions, vocab_size, "
    "n_params, step, max_steps, tokens, flops, lr_scale, n_rollbacks, rollback_step, growth_id, revision, created_ms, "
    "updated_ms, reason, config) VALUES (:id, :name, :dataset_id, :state, :n_layer, :n_head, :n_embd, :n_inner, "
    ":n_positions, :vocab_size, :n_params, :step, :max_steps, :tokens, :flops, :lr_scale, :n_rollbacks, "
    ":rollback_step, :growth_id, :revision, :created_ms, :updated_ms, :reason, :config)";

int lag_run_insert(struct lag_db *db, const struct lag_run_row *row, struct lag_error *err) {
    struct lag_run_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    if (!stored.updated_ms) stored.updated_ms = stored.created_ms;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_insert, &stmt, err);
    if (rc) return rc;
    lag_bind_row(stmt, columns, N_STORED, &stored);
    rc = lag_stmt_run(stmt, err);
    if (rc == LAG_EEXIST)
        return lag_error_at(err, rc, "/name", "a run named %s exists already: choose another name", row->name);
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, rc, "/dataset", "dataset %s does not exist", row->dataset_id);
    return rc;
}

static const char sql_by_id[] = SELECT "WHERE r.id = ?";
static const char sql_by_name[] = SELECT "WHERE r.name = ?";

static int find(struct lag_db *db, const char *sql, const char *key, struct lag_run_row *ret, struct lag_error *err) {
    struct lag_run_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, key);
    rc = lag_stmt_one(stmt, columns, LAG_COUNT(columns), &row, err);
    if (rc == 1) *ret = row;
    return rc;
}

int lag_run_get(struct lag_db *db, const char *id_or_name, struct lag_run_row *ret, struct lag_error *err) {
    int rc = find(db, sql_by_id, id_or_name, ret, err);
    if (rc == 0) rc = find(db, sql_by_name, id_or_name, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "run %s does not exist", id_or_name);
    return rc < 0 ? rc : 0;
}

/* ?1, ?2 cursor, ?3 states or NULL, ?4 limit. The cursor of the first page lies behind every row. */
static const char sql_list[] = SELECT
    "WHERE (r.created_ms, r.id) < (?1, ?2) AND (?3 IS NULL OR instr(',' || ?3 || ',', ',' || r.state || ',') > 0) "
    "ORDER BY r.created_ms DESC, r.id DESC LIMIT ?4";

int lag_run_list(struct lag_db *db, const char *states, int64_t before_ms, const char *before_id, int limit,
                 int (*each)(const struct lag_run_row *, void *), void *arg, struct lag_error *err) {
    bool is_first = before_ms == 0 && (!before_id || !*before_id);
    struct lag_run_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, is_first ? INT64_MAX : before_ms);
    lag_bind_text(stmt, is_first ? "~" : before_id);
    lag_bind_text(stmt, states);
    lag_bind_i64(stmt, limit);
    while ((rc = lag_stmt_step(stmt, err)) == 1) {
        lag_col_row(stmt, columns, LAG_COUNT(columns), &row);
        if ((rc = each(&row, arg))) break;
    }
    lag_stmt_close(stmt);
    return rc;
}

#define TOUCH "revision = revision + 1, updated_ms = ? WHERE id = ?"

static int touch(struct lag_stmt *stmt, const char *id, struct lag_error *err) {
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "run", id, err);
}

static const char sql_set_state[] = "UPDATE runs SET state = ?, reason = ?, " TOUCH;

int lag_run_set_state(struct lag_db *db, const char *id, const char *state, const char *reason, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    return touch(stmt, id, err);
}

static const char sql_set_progress[] = "UPDATE runs SET step = ?, tokens = ?, flops = ?, " TOUCH;

int lag_run_set_progress(struct lag_db *db, const char *id, int64_t step, int64_t tokens, double flops,
                         struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_progress, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, step);
    lag_bind_i64(stmt, tokens);
    lag_bind_real(stmt, flops);
    return touch(stmt, id, err);
}

static const char sql_set_shape[] = "UPDATE runs SET n_layer = ?, n_params = ?, " TOUCH;

int lag_run_set_shape(struct lag_db *db, const char *id, int64_t n_layer, int64_t n_params, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_shape, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, n_layer);
    lag_bind_i64(stmt, n_params);
    return touch(stmt, id, err);
}

static const char sql_set_growth[] = "UPDATE runs SET growth_id = ?, " TOUCH;

int lag_run_set_growth(struct lag_db *db, const char *id, const char *growth_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_growth, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    return touch(stmt, id, err);
}

static const char sql_set_rollback[] = "UPDATE runs SET lr_scale = ?, n_rollbacks = ?, rollback_step = ?, " TOUCH;

int lag_run_set_rollback(struct lag_db *db, const char *id, double lr_scale, int64_t n_rollbacks, int64_t rollback_step,
                         struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_rollback, &stmt, err);
    if (rc) return rc;
    lag_bind_real(stmt, lr_scale);
    lag_bind_i64(stmt, n_rollbacks);
    lag_bind_i64(stmt, rollback_step);
    return touch(stmt, id, err);
}

static const char sql_set_config[] = "UPDATE runs SET name = ?, config = ?, " TOUCH;

int lag_run_set_config(struct lag_db *db, const char *id, const char *name, const char *config, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_config, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, name);
    lag_bind_text(stmt, config);
    rc = touch(stmt, id, err);
    if (rc == LAG_EEXIST)
        return lag_error_at(err, rc, "/name", "a run named %s exists already: choose another name", name);
    return rc;
}

/* Growths, candidates, probe losses, decisions and checkpoints follow by foreign keys; series have none. */
static const char sql_delete[] = "DELETE FROM runs WHERE id = ?";

int lag_run_delete(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_series_delete_candidates(db, id, err);
    if (!rc) rc = lag_series_delete_owner(db, id, err);
    if (rc || (rc = lag_stmt_open(db, sql_delete, &stmt, err))) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "run", id, err);
}

/* Queries of runs. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/storage/runs.h>

#define STORED(first, next)                                                                                            \
    first(id) next(name) next(dataset_id) next(state) LAG_SHAPE_COLUMNS(next, , shape) next(gated)                  \
    next(masked_until) next(n_params) next(step)                                                                       \
    next(max_steps) next(tokens) next(flops) next(lr_scale) next(n_rollbacks) next(rollback_step) next(growth_id)      \
    next(revision) next(created_ms) next(updated_ms) next(reason) next(waits) next(origin_run) next(origin_name)       \
    next(origin_checkpoint) next(origin_step) next(model_id) next(model_name) next(schedules) next(health)             \
    next(config) next(batches)
#define C(...) LAG_COLUMN(struct lag_run_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {STORED(C, C) C(dataset_name)}; /* the last one is joined */
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
static const struct lag_columns stored_columns = {column_rows, LAG_COUNT(column_rows) - 1};
#undef C
#define NAME_IN_R(column, ...) "r." #column
#define NEXT_NAME_IN_R(column, ...) ", r." #column
#define SELECT                                                                                                         \
    "SELECT " STORED(NAME_IN_R, NEXT_NAME_IN_R) ", d.name AS dataset_name "                                            \
    "FROM runs AS r LEFT JOIN datasets AS d ON d.id = r.dataset_id "

/* What a run is found by, from its configuration. The same as in migration 22. */
#define AT(key) "instr(config, char(10) || '" key "=')"
#define LINE(key)                                                                                                      \
    "iif(" AT(key) ", substr(config, " AT(key) " + 6, instr(substr(config, " AT(key) " + 6) || char(10), char(10)) "   \
    "- 1), '') AS " key
static const char sql_set_words[] =
    "UPDATE runs SET (tags, words) = (SELECT tags, lower(id || ' ' || name || ' ' || tags || ' ' || note) "
    "FROM (SELECT " LINE("tags") ", " LINE("note") ")) WHERE id = ?";

static int set_words(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_words, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "run", id, err);
}

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("runs", STORED);

int lag_run_insert(struct lag_db *db, const struct lag_run_row *row, struct lag_error *err) {
    struct lag_run_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    if (!stored.updated_ms) stored.updated_ms = stored.created_ms;
    int rc = lag_row_insert(db, sql_insert, stored_columns, &stored, err);
    if (rc == LAG_EEXIST)
        return lag_error_at(err, rc, "/name", "a run named %s exists already: choose another name", row->name);
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, rc, "/dataset", "dataset %s does not exist", row->dataset_id);
    return rc ? rc : set_words(db, row->id, err);
}

static const char sql_by_id[] = SELECT "WHERE r.id = ?";
static const char sql_by_name[] = SELECT "WHERE r.name = ?";

int lag_run_get(struct lag_db *db, const char *id_or_name, struct lag_run_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_by_id, id_or_name, columns, ret, err);
    if (rc == 0 && !lag_id_is(id_or_name, "run")) rc = lag_row_find(db, sql_by_name, id_or_name, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "run %s does not exist", id_or_name);
    return rc < 0 ? rc : 0;
}

/* ?1 cursor, ?2 states or NULL, ?3 limit. The cursor of the first page lies behind every row. */
static const char sql_list[] = SELECT
    "WHERE r.id < ?1 AND (?2 IS NULL OR instr(',' || ?2 || ',', ',' || r.state || ',') > 0) "
    "ORDER BY r.id DESC LIMIT ?3";

int lag_run_list(struct lag_db *db, const char *states, const char *before_id, int limit,
                 int (*each)(const struct lag_run_row *, void *), void *arg, struct lag_error *err) {
    struct lag_run_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, before_id && *before_id ? before_id : "~");
    lag_bind_text(stmt, states);
    lag_bind_i64(stmt, limit);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

#define TOUCH "revision = revision + 1, updated_ms = ? WHERE id = ?"

static int touch(struct lag_stmt *stmt, const char *id, struct lag_error *err) {
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "run", id, err);
}

static const char sql_touch[] = "UPDATE runs SET " TOUCH;

int lag_run_touch(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_touch, &stmt, err);
    return rc ? rc : touch(stmt, id, err);
}

static const char sql_set_state[] = "UPDATE runs SET state = ?, reason = ?, waits = 0, " TOUCH;

int lag_run_set_state(struct lag_db *db, const char *id, const char *state, const char *reason, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    return touch(stmt, id, err);
}

static const char sql_set_waits[] = "UPDATE runs SET waits = ?, " TOUCH;

int lag_run_set_waits(struct lag_db *db, const char *id, bool waits, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_waits, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, waits);
    return touch(stmt, id, err);
}

static const char sql_waiting[] = "SELECT id FROM runs WHERE waits = 1";

int lag_run_list_waiting(struct lag_db *db, int (*each)(const char *id, void *), void *arg, struct lag_error *err) {
    return lag_stmt_each_id(db, sql_waiting, each, arg, err);
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

static const char sql_set_shape[] =
    "UPDATE runs SET n_layer = ?, n_head = ?, n_embd = ?, n_inner = ?, n_positions = ?, vocab_size = ?, head_dim = ?, "
    "n_params = ?, " TOUCH;

int lag_run_set_shape(struct lag_db *db, const char *id, const struct lag_shape *shape, int64_t n_params,
                      struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_shape, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, shape->n_layer);
    lag_bind_i64(stmt, shape->n_head);
    lag_bind_i64(stmt, shape->n_embd);
    lag_bind_i64(stmt, shape->n_inner);
    lag_bind_i64(stmt, shape->n_positions);
    lag_bind_i64(stmt, shape->vocab_size);
    lag_bind_i64(stmt, shape->head_dim);
    lag_bind_i64(stmt, n_params);
    return touch(stmt, id, err);
}

static const char sql_set_held[] = "UPDATE runs SET gated = ?, masked_until = ?, " TOUCH;

int lag_run_set_held(struct lag_db *db, const char *id, bool gated, int64_t masked_until, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_held, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, gated);
    lag_bind_i64(stmt, masked_until);
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

static const char sql_set_health[] = "UPDATE runs SET health = ?, " TOUCH;

int lag_run_set_health(struct lag_db *db, const char *id, const char *health, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_health, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, health);
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
    return rc ? rc : set_words(db, id, err);
}

static const char sql_set_batches[] = "UPDATE runs SET batches = ?, " TOUCH;

int lag_run_set_batches(struct lag_db *db, const char *id, const char *batches, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_batches, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, batches);
    return touch(stmt, id, err);
}

static const char sql_set_schedules[] = "UPDATE runs SET max_steps = ?, config = ?, schedules = ?, " TOUCH;

int lag_run_set_schedules(struct lag_db *db, const char *id, int64_t max_steps, const char *config,
                          const char *schedules, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_schedules, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, max_steps);
    lag_bind_text(stmt, config);
    lag_bind_text(stmt, schedules);
    return touch(stmt, id, err);
}

static const char sql_probe_flops[] =
    "SELECT coalesce((SELECT sum(parent_flops) FROM growths WHERE run_id = ?1), 0) + "
    "coalesce((SELECT sum(c.flops) FROM growths AS g JOIN candidates AS c ON c.growth_id = g.id "
    "LEFT JOIN decisions AS d ON d.growth_id = g.id AND g.state = 'applied' "
    "WHERE g.run_id = ?1 AND c.id IS NOT d.candidate), 0) AS flops";

int lag_run_probe_flops(struct lag_db *db, const char *id, double *ret, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_probe_flops, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    rc = lag_stmt_step(stmt, err);
    if (rc == 1) *ret = lag_col_real(stmt, "flops");
    lag_stmt_close(stmt);
    return rc < 0 ? rc : 0;
}

/* Growths, candidates, decisions and checkpoints follow by foreign keys; points and losses of probes are swept. */
static const char sql_delete[] = "DELETE FROM runs WHERE id = ?";

int lag_run_delete(struct lag_db *db, const char *id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_deleted_note_run(db, id, err);
    if (rc || (rc = lag_stmt_open(db, sql_delete, &stmt, err))) return rc;
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "run", id, err);
}

/* Queries of growths. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define COLUMNS(first, next)                                                                                           \
    first(id) next(run_id) next(state) next(mode) next(at_step) next(start_step) next(parent_checkpoint)               \
    LAG_SHAPE_COLUMNS(next, from_, from) LAG_SHAPE_COLUMNS(next, to_, to) next(probe_steps) next(n_batches)            \
    next(eval_sequences) next(parent_loss) next(revision) next(created_ms) next(updated_ms) next(reason) next(request) \
    next(eval_stride) next(parent_flops) next(first_rung) next(prior_cases) next(prior_of) next(prior_like) \
    next(audit) next(audit_reason) next(tokens_per_sequence)
#define C(...) LAG_COLUMN(struct lag_growth_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "growths")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("growths", COLUMNS);

int lag_growth_insert(struct lag_db *db, const struct lag_growth_row *row, struct lag_error *err) {
    struct lag_growth_row stored = *row;
    if (!stored.created_ms) stored.created_ms = lag_clock_wall_ms();
    if (!stored.updated_ms) stored.updated_ms = stored.created_ms;
    int rc = lag_row_insert(db, sql_insert, columns, &stored, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "run %s does not exist", row->run_id);
    return rc;
}

static const char sql_get[] = SELECT "WHERE id = ?";

int lag_growth_get(struct lag_db *db, const char *id, struct lag_growth_row *ret, struct lag_error *err) {
    int rc = lag_row_find(db, sql_get, id, columns, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "growth %s does not exist", id);
    return rc < 0 ? rc : 0;
}

static const char sql_list_run[] = SELECT "WHERE run_id = ? ORDER BY id LIMIT ?";
static const char sql_list_all[] = SELECT "ORDER BY id LIMIT ?";

int lag_growth_list(struct lag_db *db, const char *run_id, int limit,
                    int (*each)(const struct lag_growth_row *, void *), void *arg, struct lag_error *err) {
    struct lag_growth_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, run_id ? sql_list_run : sql_list_all, &stmt, err);
    if (rc) return rc;
    if (run_id) lag_bind_text(stmt, run_id);
    lag_bind_i64(stmt, limit);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

#define TOUCH "revision = revision + 1, updated_ms = ? WHERE id = ?"

static int touch(struct lag_stmt *stmt, const char *id, struct lag_error *err) {
    lag_bind_i64(stmt, lag_clock_wall_ms());
    lag_bind_text(stmt, id);
    return lag_stmt_run_one(stmt, "growth", id, err);
}

static const char sql_set_state[] = "UPDATE growths SET state = ?, reason = ?, " TOUCH;

int lag_growth_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                         struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_state, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, state);
    lag_bind_text(stmt, reason);
    return touch(stmt, id, err);
}

static const char sql_set_parent[] =
    "UPDATE growths SET start_step = ?, parent_checkpoint = ?, n_batches = ?, eval_sequences = ?, eval_stride = ?, "
    TOUCH;

int lag_growth_set_parent(struct lag_db *db, const struct lag_growth_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_parent, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, row->start_step);
    lag_bind_text(stmt, row->parent_checkpoint);
    lag_bind_i64(stmt, row->n_batches);
    lag_bind_i64(stmt, row->eval_sequences);
    lag_bind_i64(stmt, row->eval_stride);
    return touch(stmt, row->id, err);
}

static const char sql_set_parent_loss[] = "UPDATE growths SET parent_loss = ?, parent_flops = ?, " TOUCH;

int lag_growth_set_parent_loss(struct lag_db *db, const char *id, double loss, double flops, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_parent_loss, &stmt, err);
    if (rc) return rc;
    lag_bind_real(stmt, loss);
    lag_bind_real(stmt, flops);
    return touch(stmt, id, err);
}

static const char sql_set_probe_steps[] = "UPDATE growths SET probe_steps = ?, " TOUCH;

int lag_growth_set_probe_steps(struct lag_db *db, const char *id, int64_t steps, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_probe_steps, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, steps);
    return touch(stmt, id, err);
}

static const char sql_first_queued[] =
    "SELECT id FROM growths WHERE state = 'queued' AND run_id = ? ORDER BY at_step, id LIMIT 1";

int lag_growth_first_queued(struct lag_db *db, const char *run_id, char ret_id[LAG_ROW_ID], struct lag_error *err) {
    return lag_stmt_first_id(db, sql_first_queued, run_id, ret_id, err);
}

static const char sql_set_pool[] = "UPDATE growths SET pool = ?, " TOUCH;

int lag_growth_set_pool(struct lag_db *db, const char *id, const char *pool, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_pool, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, pool);
    return touch(stmt, id, err);
}

static const char sql_get_pool[] = "SELECT pool FROM growths WHERE id = ?";

int lag_growth_get_pool(struct lag_db *db, const char *id, char ret[LAG_ROW_POOL], struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_get_pool, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, id);
    rc = lag_stmt_step(stmt, err);
    if (rc == 1) lag_col_text(stmt, "pool", ret, LAG_ROW_POOL);
    lag_stmt_close(stmt);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "growth %s does not exist", id);
    return rc < 0 ? rc : 0;
}

#define SET_SHAPE(side)                                                                                                \
    side "_n_layer = ?, " side "_n_head = ?, " side "_n_embd = ?, " side "_n_inner = ?, " side "_n_positions = ?, "    \
    side "_vocab_size = ?, " side "_head_dim = ?, "
static const char sql_set_plan[] = "UPDATE growths SET " SET_SHAPE("from") SET_SHAPE("to")
    "first_rung = ?, n_batches = ?, eval_sequences = ?, eval_stride = ?, prior_cases = ?, prior_of = ?, "
    "prior_like = ?, tokens_per_sequence = ?, " TOUCH;

static void bind_shape(struct lag_stmt *stmt, const struct lag_shape *shape) {
    lag_bind_i64(stmt, shape->n_layer);
    lag_bind_i64(stmt, shape->n_head);
    lag_bind_i64(stmt, shape->n_embd);
    lag_bind_i64(stmt, shape->n_inner);
    lag_bind_i64(stmt, shape->n_positions);
    lag_bind_i64(stmt, shape->vocab_size);
    lag_bind_i64(stmt, shape->head_dim);
}

int lag_growth_set_plan(struct lag_db *db, const struct lag_growth_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_plan, &stmt, err);
    if (rc) return rc;
    bind_shape(stmt, &row->from);
    bind_shape(stmt, &row->to);
    lag_bind_i64(stmt, row->first_rung);
    lag_bind_i64(stmt, row->n_batches);
    lag_bind_i64(stmt, row->eval_sequences);
    lag_bind_i64(stmt, row->eval_stride);
    lag_bind_i64(stmt, row->prior_cases);
    lag_bind_text(stmt, row->prior_of);
    lag_bind_text(stmt, row->prior_like);
    lag_bind_i64(stmt, row->tokens_per_sequence);
    return touch(stmt, row->id, err);
}

static const char sql_set_audit[] = "UPDATE growths SET audit = ?, audit_reason = ?, " TOUCH;

int lag_growth_set_audit(struct lag_db *db, const char *id, const char *audit, const char *reason,
                         struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_audit, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, audit);
    lag_bind_text(stmt, reason);
    return touch(stmt, id, err);
}

static const char sql_to_audit[] = "SELECT id FROM growths WHERE audit = 'wanted' AND state = 'applied' ORDER BY id";

int lag_growth_list_to_audit(struct lag_db *db, int (*each)(const char *id, void *), void *arg, struct lag_error *err) {
    return lag_stmt_each_id(db, sql_to_audit, each, arg, err);
}

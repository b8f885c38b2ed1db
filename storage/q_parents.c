/* Queries of the models that growths fuse. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define COLUMNS(first, next)                                                                                           \
    first(growth_id) next(checkpoint_id) next(run_id) next(run_name) next(step) next(memory_bytes) next(sha256)
#define C(...) LAG_COLUMN(struct lag_growth_parent_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("growth_parents", COLUMNS);

int lag_growth_parent_insert(struct lag_db *db, const struct lag_growth_parent_row *row, struct lag_error *err) {
    int rc = lag_row_insert(db, sql_insert, columns, row, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "growth %s does not exist", row->growth_id);
    return rc;
}

static const char sql_list[] =
    LAG_SQL_SELECT(COLUMNS, "growth_parents") "WHERE growth_id = ? ORDER BY checkpoint_id";

int lag_growth_parent_list(struct lag_db *db, const char *growth_id,
                           int (*each)(const struct lag_growth_parent_row *, void *), void *arg,
                           struct lag_error *err) {
    struct lag_growth_parent_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_delete[] = "DELETE FROM growth_parents WHERE growth_id = ?";

int lag_growth_parents_delete(struct lag_db *db, const char *growth_id, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_delete, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    return lag_stmt_run(stmt, err);
}

/* A growth until it has ended, or its audit has its runs; a stage that has not begun; a study until its runs are made.
 * Of the last two the text of the pool says it. */
static const char sql_fused[] =
    "SELECT g.id AS id FROM growth_parents AS p JOIN growths AS g ON g.id = p.growth_id WHERE p.checkpoint_id = ?1 AND "
    "g.state NOT IN ('rejected', 'cancelled', 'failed') AND (g.state <> 'applied' OR g.audit = 'wanted') UNION ALL "
    "SELECT id FROM stages WHERE state = 'planned' AND instr(pool, ?1) > 0 UNION ALL "
    "SELECT s.id FROM studies AS s WHERE s.state NOT IN ('completed', 'cancelled', 'failed') AND instr(s.pool, ?1) > 0 "
    "LIMIT 1";

int lag_checkpoint_is_fused(struct lag_db *db, const char *id, char ret_by[LAG_ROW_ID], struct lag_error *err) {
    return lag_stmt_first_id(db, sql_fused, id, ret_by, err);
}

static const char sql_fused_run[] =
    "SELECT g.id AS id FROM checkpoints AS c JOIN growth_parents AS p ON p.checkpoint_id = c.id JOIN growths AS g ON "
    "g.id = p.growth_id WHERE c.run_id = ?1 AND g.run_id <> ?1 AND g.state NOT IN ('rejected', 'cancelled', 'failed') "
    "AND (g.state <> 'applied' OR g.audit = 'wanted') LIMIT 1";

int lag_run_is_fused(struct lag_db *db, const char *id, char ret_by[LAG_ROW_ID], struct lag_error *err) {
    return lag_stmt_first_id(db, sql_fused_run, id, ret_by, err);
}

/* Queries of the rungs of growths. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define COLUMNS(first, next)                                                                                           \
    first(growth_id) next(r) next(t) next(action) next(kept) next(stopped) next(taken_up) next(leader) next(basis)     \
    next(p_now) next(p_end) next(reason) next(decided_ms)
#define C(...) LAG_COLUMN(struct lag_rung_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("rungs", COLUMNS);

int lag_rung_insert(struct lag_db *db, const struct lag_rung_row *row, struct lag_error *err) {
    struct lag_rung_row stored = *row;
    if (!stored.decided_ms) stored.decided_ms = lag_clock_wall_ms();
    int rc = lag_row_insert(db, sql_insert, columns, &stored, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "growth %s does not exist", row->growth_id);
    return rc;
}

static const char sql_list[] = LAG_SQL_SELECT(COLUMNS, "rungs") "WHERE growth_id = ? ORDER BY r";

int lag_rung_list(struct lag_db *db, const char *growth_id, int (*each)(const struct lag_rung_row *, void *), void *arg,
                  struct lag_error *err) {
    struct lag_rung_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, growth_id);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

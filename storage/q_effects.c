/* Queries of what growths did to their models. */
#include "table_internal.h"
#include <lagd/base/error.h>
#include <lagd/storage/growths.h>

#define COLUMNS(first, next)                                                                                           \
    first(growth_id) next(loss_before) next(loss_after) next(logit_change) next(preserved) next(new_share)             \
    next(connection_rate) next(rms_ratios) next(measured_ms)
#define C(...) LAG_COLUMN(struct lag_effect_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
#undef C

static const char sql_put[] = "INSERT OR REPLACE " LAG_SQL_INTO("effects", COLUMNS);

int lag_effect_put(struct lag_db *db, const struct lag_effect_row *row, struct lag_error *err) {
    int rc = lag_row_insert(db, sql_put, columns, row, err);
    if (rc == LAG_ENOTFOUND) return lag_error_set(err, rc, "growth %s does not exist", row->growth_id);
    return rc;
}

static const char sql_get[] = LAG_SQL_SELECT(COLUMNS, "effects") "WHERE growth_id = ?";

int lag_effect_find(struct lag_db *db, const char *growth_id, struct lag_effect_row *ret, struct lag_error *err) {
    return lag_row_find(db, sql_get, growth_id, columns, ret, err);
}

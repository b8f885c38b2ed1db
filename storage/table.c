/* Rows by the list of their columns: bound to an INSERT, read from a SELECT. */
#include "table_internal.h"
#include <lagd/base/error.h>
#include <string.h>

void lag_bind_row(struct lag_stmt *stmt, struct lag_columns columns, const void *row) {
    for (size_t i = 0; i < columns.n; i++) {
        const struct lag_column *c = &columns.rows[i];
        const char *member = (const char *)row + c->offset;
        const char *parameter = sqlite3_bind_parameter_name(stmt->handle, stmt->n_bound + 1);
        if (!parameter || strcmp(parameter + 1, c->name)) stmt->defect = "a parameter and a column differ";
        switch (c->type) {
        case LAG_COL_I64: lag_bind_i64(stmt, *(const int64_t *)(const void *)member); break;
        case LAG_COL_REAL: lag_bind_real(stmt, *(const double *)(const void *)member); break;
        case LAG_COL_BOOL: lag_bind_i64(stmt, *(const bool *)member); break;
        case LAG_COL_TEXT: lag_bind_text(stmt, member); break;
        }
    }
}

static void read_column(struct lag_stmt *stmt, const struct lag_column *c, char *member) {
    switch (c->type) {
    case LAG_COL_I64: *(int64_t *)(void *)member = lag_col_i64(stmt, c->name); break;
    case LAG_COL_REAL: *(double *)(void *)member = lag_col_real(stmt, c->name); break;
    case LAG_COL_BOOL: *(bool *)member = lag_col_i64(stmt, c->name) != 0; break;
    case LAG_COL_TEXT: lag_col_text(stmt, c->name, member, c->size); break;
    }
}

int lag_row_next(struct lag_stmt *stmt, struct lag_columns columns, void *ret_row, struct lag_error *err) {
    int rc = lag_stmt_step(stmt, err);
    if (rc != 1) return rc;
    /* All columns are looked for before one is read, so that a defect leaves the row as it was. */
    for (size_t i = 0; i < columns.n && !stmt->columns_found; i++)
        (void)lag_col_find(stmt, columns.rows[i].name);
    if (stmt->defect) return lag_stmt_defect(stmt, err);
    stmt->columns_found = true;
    for (size_t i = 0; i < columns.n; i++)
        read_column(stmt, &columns.rows[i], (char *)ret_row + columns.rows[i].offset);
    return 1;
}

int lag_row_one(struct lag_stmt *stmt, struct lag_columns columns, void *ret_row, struct lag_error *err) {
    int rc = lag_row_next(stmt, columns, ret_row, err);
    lag_stmt_close(stmt);
    return rc;
}

int lag_row_find(struct lag_db *db, const char *sql, const char *key, struct lag_columns columns, void *ret_row,
                 struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, key);
    return lag_row_one(stmt, columns, ret_row, err);
}

int lag_row_insert(struct lag_db *db, const char *sql, struct lag_columns columns, const void *row,
                   struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql, &stmt, err);
    if (rc) return rc;
    lag_bind_row(stmt, columns, row);
    return lag_stmt_run(stmt, err);
}

/* Inside storage: the columns of a table, listed once. Thread: owner of db.
 *
 * A list is a macro that calls first(column) for its first column and next(column) for each other one:
 *     #define COLUMNS(first, next) first(id) next(name) next(to_n_layer, to.n_layer)
 * A column is stored in the member of the same name, or in the one that is named behind it. What a query needs comes
 * from the list: the names of its SELECT, names and parameters of its INSERT, and where in the row each value lies. */
#pragma once
#include "db_internal.h"
#include <lagd/base/check.h>

#define LAG_SQL_NAME(column, ...) #column
#define LAG_SQL_NEXT_NAME(column, ...) ", " #column
#define LAG_SQL_VALUE(column, ...) ":" #column
#define LAG_SQL_NEXT_VALUE(column, ...) ", :" #column
/* "SELECT id, name, … FROM table " and "INTO table (id, name, …) VALUES (:id, :name, …) " */
#define LAG_SQL_SELECT(list, table) "SELECT " list(LAG_SQL_NAME, LAG_SQL_NEXT_NAME) " FROM " table " "
#define LAG_SQL_INTO(table, list)                                                                                      \
    "INTO " table " (" list(LAG_SQL_NAME, LAG_SQL_NEXT_NAME) ") VALUES ("                                              \
    list(LAG_SQL_VALUE, LAG_SQL_NEXT_VALUE) ") "

enum lag_column_type { LAG_COL_I64, LAG_COL_REAL, LAG_COL_BOOL, LAG_COL_TEXT };
struct lag_column {
    const char *name;
    enum lag_column_type type;
    size_t offset, size;
};
struct lag_columns {
    const struct lag_column *rows;
    size_t n;
};
#define LAG_MEMBER_OF(column, member, ...) member
#define LAG_COLUMN_AT(row, column, member)                                                                             \
    {#column,                                                                                                          \
     _Generic(((row *)0)->member,                                                                                      \
         int64_t: LAG_COL_I64, double: LAG_COL_REAL, bool: LAG_COL_BOOL, char *: LAG_COL_TEXT),                        \
     offsetof(row, member), sizeof(((row *)0)->member)},
/* One row of a table of struct lag_column, its comma included. */
#define LAG_COLUMN(row, column, ...) LAG_COLUMN_IN(row, column, LAG_MEMBER_OF(column, ##__VA_ARGS__, column, ))
#define LAG_COLUMN_IN(row, column, member) LAG_COLUMN_AT(row, column, member)
#define LAG_COLUMNS(array) ((struct lag_columns){array, LAG_COUNT(array)})

/* Binds all columns; the parameters of the text must be named after them (":id, :name, …"). */
void lag_bind_row(struct lag_stmt *stmt, struct lag_columns columns, const void *row);
/* Steps, and reads the row that came: 1 = a row, 0 = the end, negative = error. */
int lag_row_next(struct lag_stmt *stmt, struct lag_columns columns, void *ret_row, struct lag_error *err);
/* As lag_row_next, and closes, whatever happens. *ret_row is untouched unless a row came. */
int lag_row_one(struct lag_stmt *stmt, struct lag_columns columns, void *ret_row, struct lag_error *err);
/* The row that sql finds by its only parameter: 1 = found, 0 = none, negative = error. */
int lag_row_find(struct lag_db *db, const char *sql, const char *key, struct lag_columns columns, void *ret_row,
                 struct lag_error *err);
/* Runs an INSERT made by LAG_SQL_INTO. */
int lag_row_insert(struct lag_db *db, const char *sql, struct lag_columns columns, const void *row,
                   struct lag_error *err);

/* Queries of series: what points belong to, and how many there are. */
#include "q_internal.h"
#include "table_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <lagd/storage/series.h>

#define STORED(first, next)                                                                                            \
    first(owner) next(key) next(exact) next(n_points) next(first_step) next(last_step) next(last_value)                \
    next(min_value) next(min_step)
#define COLUMNS(first, next) first(id) STORED(next, next) /* the database numbers them */
#define C(...) LAG_COLUMN(struct lag_series_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
static const struct lag_columns stored_columns = {column_rows + 1, LAG_COUNT(column_rows) - 1};
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "series")

static const char sql_find[] = SELECT "WHERE owner = ? AND key = ?";

static int find(struct lag_db *db, const char *owner, const char *key, struct lag_series_row *ret,
                struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_find, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, owner);
    lag_bind_text(stmt, key);
    return lag_row_one(stmt, columns, ret, err);
}

int lag_series_find(struct lag_db *db, const char *owner, const char *key, struct lag_series_row *ret,
                    struct lag_error *err) {
    int rc = find(db, owner, key, ret, err);
    if (rc == 0) return lag_error_set(err, LAG_ENOTFOUND, "%s has no series %s", owner, key);
    return rc < 0 ? rc : 0;
}

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("series", STORED);

int lag_series_open(struct lag_db *db, const char *owner, const char *key, bool exact, int64_t *ret_id,
                    struct lag_error *err) {
    struct lag_series_row row;
    int rc = find(db, owner, key, &row, err);
    if (rc < 0) return rc;
    if (rc == 1) {
        *ret_id = row.id;
        return 0;
    }
    row = (struct lag_series_row){.exact = exact, .last_step = -1, .last_value = NAN, .min_value = NAN,
                                  .min_step = -1};
    if (lag_copy(row.owner, sizeof row.owner, owner) || lag_copy(row.key, sizeof row.key, key))
        return lag_error_set(err, LAG_ETOOBIG, "the name of series %s of %s is too long", key, owner);
    rc = lag_row_insert(db, sql_insert, stored_columns, &row, err);
    if (!rc) *ret_id = sqlite3_last_insert_rowid(db->handle);
    return rc;
}

static const char sql_by_id[] = SELECT "WHERE id = ?";

int lag_series_by_id(struct lag_db *db, int64_t id, struct lag_series_row *ret, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_by_id, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, id);
    return lag_row_one(stmt, columns, ret, err);
}

int lag_series_whose(struct lag_db *db, int64_t id, struct lag_series_row *ret, struct lag_event_row *ret_ids,
                     struct lag_error *err) {
    struct lag_series_row row;
    struct lag_event_row ids = {.step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    int rc = lag_series_by_id(db, id, &row, err);
    if (rc <= 0) return rc;
    if ((rc = lag_candidate_owner(db, row.owner, &ids, err))) return rc;
    *ret = row;
    *ret_ids = ids;
    return 1;
}

static const char sql_list[] = SELECT "WHERE owner = ? ORDER BY key";

int lag_series_list(struct lag_db *db, const char *owner, int (*each)(const struct lag_series_row *, void *), void *arg,
                    struct lag_error *err) {
    struct lag_series_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_list, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, owner);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_set_counts[] =
    "UPDATE series SET n_points = ?, first_step = ?, last_step = ?, last_value = ?, min_value = ?, min_step = ? "
    "WHERE id = ?";

int lag_series_set_counts(struct lag_db *db, const struct lag_series_row *row, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_set_counts, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, row->n_points);
    lag_bind_i64(stmt, row->first_step);
    lag_bind_i64(stmt, row->last_step);
    lag_bind_real(stmt, row->last_value);
    lag_bind_real(stmt, row->min_value);
    lag_bind_i64(stmt, row->min_step);
    lag_bind_i64(stmt, row->id);
    return lag_stmt_run(stmt, err);
}

#define LOWEST "(SELECT min(value) FROM points WHERE series = ?1)"
static const char sql_recount[] =
    "UPDATE series SET n_points = n_points + ?2, "
    "first_step = coalesce((SELECT min(step) FROM points WHERE series = ?1), 0), "
    "last_step = coalesce((SELECT max(step) FROM points WHERE series = ?1), -1), "
    "last_value = (SELECT value FROM points WHERE series = ?1 ORDER BY step DESC LIMIT 1), "
    "min_value = CASE WHEN key GLOB 'val/*' THEN " LOWEST " END, min_step = CASE WHEN key GLOB 'val/*' THEN "
    "coalesce((SELECT min(step) FROM points WHERE series = ?1 AND value = " LOWEST "), -1) ELSE -1 END WHERE id = ?1";

int lag_series_recount(struct lag_db *db, int64_t id, int64_t n_new, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_recount, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, id);
    lag_bind_i64(stmt, n_new);
    return lag_stmt_run(stmt, err);
}

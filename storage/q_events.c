/* Queries of events. */
#include "table_internal.h"
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>

#define STORED(first, next)                                                                                            \
    first(ts_ms) next(type) next(run_id) next(growth_id) next(candidate_id) next(state) next(step) next(value)         \
    next(message)
#define COLUMNS(first, next) first(seq) STORED(next, next) /* the database numbers them */
#define C(...) LAG_COLUMN(struct lag_event_row, __VA_ARGS__)
static const struct lag_column column_rows[] = {COLUMNS(C, C)};
static const struct lag_columns columns = LAG_COLUMNS(column_rows);
static const struct lag_columns stored_columns = {column_rows + 1, LAG_COUNT(column_rows) - 1};
#undef C
#define SELECT LAG_SQL_SELECT(COLUMNS, "events")

static const char sql_insert[] = "INSERT " LAG_SQL_INTO("events", STORED);

/* A text of a field that the type has, or none. */
static void fill(char *ret, size_t size, const char *text, unsigned has) {
    LAG_ASSERT(has || !text || !text[0]);
    (void)lag_copy(ret, size, text ? text : "");
}

static void fill_row(const struct lag_event *event, struct lag_event_row *row) {
    const struct lag_event_kind *kind = lag_event_kind(event->type);
    unsigned has = kind->fields;
    row->ts_ms = lag_clock_wall_ms();
    (void)lag_copy(row->type, sizeof row->type, kind->name);
    fill(row->run_id, sizeof row->run_id, event->run_id, has & LAG_EVENT_HAS_RUN);
    fill(row->growth_id, sizeof row->growth_id, event->growth_id, has & LAG_EVENT_HAS_GROWTH);
    fill(row->candidate_id, sizeof row->candidate_id, event->candidate_id, has & LAG_EVENT_HAS_CANDIDATE);
    fill(row->state, sizeof row->state, event->state, has & LAG_EVENT_HAS_STATE);
    row->step = has & LAG_EVENT_HAS_STEP ? event->step : LAG_NO_STEP;
    row->value = has & LAG_EVENT_HAS_VALUE ? event->value : LAG_NO_VALUE;
    fill(row->message, sizeof row->message, event->message, true);
}

int lag_event_put(struct lag_db *db, const struct lag_event *event, struct lag_error *err) {
    struct lag_event_row row = {0};
    fill_row(event, &row);
    int rc = lag_row_insert(db, sql_insert, stored_columns, &row, err);
    if (!rc) db->last_event_seq = sqlite3_last_insert_rowid(db->handle);
    return rc;
}

static const char sql_list_all[] = SELECT "WHERE seq > ? ORDER BY seq LIMIT ?";
static const char sql_list_run[] = SELECT "WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?";

int lag_event_list(struct lag_db *db, int64_t after, const char *run_id, int limit,
                   int (*each)(const struct lag_event_row *, void *), void *arg, struct lag_error *err) {
    struct lag_event_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, run_id ? sql_list_run : sql_list_all, &stmt, err);
    if (rc) return rc;
    if (run_id) lag_bind_text(stmt, run_id);
    lag_bind_i64(stmt, after);
    lag_bind_i64(stmt, limit);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_before_last[] = "SELECT seq FROM events WHERE run_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?";

int lag_event_before_last(struct lag_db *db, const char *run_id, int n, int64_t *ret_seq, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_before_last, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    lag_bind_i64(stmt, n);
    rc = lag_stmt_step(stmt, err);
    if (rc >= 0) *ret_seq = rc == 1 ? lag_col_i64(stmt, "seq") : 0;
    lag_stmt_close(stmt);
    return rc < 0 ? rc : 0;
}

static const char sql_told_at[] = "SELECT 1 FROM events WHERE run_id = ? AND type = ? AND step = ? LIMIT 1";

int lag_event_told_at(struct lag_db *db, const char *run_id, enum lag_event_type type, int64_t step,
                      struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_told_at, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    lag_bind_text(stmt, lag_event_kind(type)->name);
    lag_bind_i64(stmt, step);
    rc = lag_stmt_step(stmt, err);
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_marks[] =
    SELECT "WHERE run_id = ? AND type IN ('run.rollback', 'run.diverged') ORDER BY seq DESC LIMIT ?";

int lag_event_marks(struct lag_db *db, const char *run_id, int limit, int (*each)(const struct lag_event_row *, void *),
                    void *arg, struct lag_error *err) {
    struct lag_event_row row;
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_marks, &stmt, err);
    if (rc) return rc;
    lag_bind_text(stmt, run_id);
    lag_bind_i64(stmt, limit);
    while ((rc = lag_row_next(stmt, columns, &row, err)) == 1 && (rc = each(&row, arg)) == 0);
    lag_stmt_close(stmt);
    return rc;
}

/* Two subqueries: each of min and max alone is one look into the tree, both together walk it. */
static const char sql_bounds[] =
    "SELECT coalesce((SELECT min(seq) FROM events), 0) AS first, coalesce((SELECT max(seq) FROM events), 0) AS last";

int lag_event_bounds(struct lag_db *db, int64_t *ret_first, int64_t *ret_last, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_bounds, &stmt, err);
    if (rc) return rc;
    if ((rc = lag_stmt_step(stmt, err)) == 1) {
        *ret_first = lag_col_i64(stmt, "first");
        *ret_last = lag_col_i64(stmt, "last");
        rc = 0;
    }
    lag_stmt_close(stmt);
    return rc;
}

/* Only from the front, so that no gap arises where the wall clock jumped; the newest stays, so that bounds keep
 * telling where the numbering stands. Looks at no more rows than it may remove, and one. */
#define PRUNE_END "(SELECT max(seq) FROM (SELECT seq FROM events WHERE seq > 0 ORDER BY seq LIMIT ?2 + 1))"
static const char sql_prune[] =
    "DELETE FROM events WHERE seq < coalesce((SELECT seq FROM events WHERE seq > 0 AND seq <= " PRUNE_END
    " AND ts_ms >= ?1 ORDER BY seq LIMIT 1), " PRUNE_END ")";

int lag_event_prune(struct lag_db *db, int64_t before_ms, int limit, int64_t *ret_n, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_prune, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, before_ms);
    lag_bind_i64(stmt, limit);
    rc = lag_stmt_run(stmt, err);
    if (!rc) *ret_n = lag_db_changes(db);
    return rc;
}

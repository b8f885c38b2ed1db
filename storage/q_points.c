/* Queries of points: stored in batches, compared with what is there, thinned for display. */
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* By series and step, so that neighbours in the tree are written together; the first to arrive of equals first. */
static int by_place(const void *left, const void *right) {
    const struct lag_queued_point *a = left, *b = right;
    if (a->point.series != b->point.series) return a->point.series < b->point.series ? -1 : 1;
    if (a->point.step != b->point.step) return a->point.step < b->point.step ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

struct mismatch {
    int64_t n, step; /* how many in this batch; the first */
    double stored, computed;
};

/* One event a series and batch: a run that went astray differs in every point from there on. */
static int tell_mismatch(struct lag_db *db, const struct lag_series_row *series, const struct mismatch *mismatch,
                         struct lag_error *err) {
    struct lag_event_row ids = {0};
    char more[64] = "", message[LAG_ROW_TEXT];
    int rc = lag_candidate_owner(db, series->owner, &ids, err);
    if (rc) return rc;
    if (mismatch->n > 1) (void)snprintf(more, sizeof more, " (and %lld more)", (long long)mismatch->n - 1);
    (void)snprintf(message, sizeof message, "%s at step %lld: stored %.17g, recomputed %.17g%s", series->key,
                   (long long)mismatch->step, mismatch->stored, mismatch->computed, more);
    const struct lag_event event = {.type = LAG_EVENT_DETERMINISM_MISMATCH, .run_id = ids.run_id,
                                    .growth_id = ids.growth_id, .candidate_id = ids.candidate_id,
                                    .step = mismatch->step, .value = mismatch->computed, .message = message};
    return lag_event_put(db, &event, err);
}

static const char sql_insert[] = "INSERT INTO points (series, step, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
static const char sql_stored[] = "SELECT value FROM points WHERE series = ? AND step = ?";

static int compare(struct lag_stmt *stored, const struct lag_point *point, struct mismatch *mismatch,
                   struct lag_error *err) {
    lag_stmt_rewind(stored);
    lag_bind_i64(stored, point->series);
    lag_bind_i64(stored, point->step);
    int rc = lag_stmt_step(stored, err);
    if (rc != 1) return rc;
    double value = lag_col_real(stored, "value");
    if (lag_same_stored(value, point->value)) return 0;
    if (!mismatch->n++) {
        mismatch->step = point->step;
        mismatch->stored = value;
        mismatch->computed = point->value;
    }
    return 0;
}

static void take_lowest(const struct lag_point *point, struct lag_series_row *series) {
    if (strncmp(series->key, "val/", 4) != 0 || !isfinite(point->value) || point->value > series->min_value) return;
    if (point->value == series->min_value && point->step > series->min_step) return;
    series->min_value = point->value + 0.0; /* as it is stored: no -0 */
    series->min_step = point->step;
}

static int put_point(struct lag_stmt *insert, struct lag_stmt *stored, const struct lag_point *point,
                     struct lag_series_row *series, struct mismatch *mismatch, struct lag_error *err) {
    lag_stmt_rewind(insert);
    lag_bind_i64(insert, point->series);
    lag_bind_i64(insert, point->step);
    lag_bind_real(insert, point->value);
    int rc = lag_stmt_step(insert, err);
    if (rc) return rc;
    if (lag_db_changes(insert->db) == 0) return series->exact ? compare(stored, point, mismatch, err) : 0;
    if (series->n_points == 0 || point->step < series->first_step) series->first_step = point->step;
    if (series->n_points == 0 || point->step > series->last_step) {
        series->last_step = point->step;
        series->last_value = point->value;
    }
    series->n_points++;
    take_lowest(point, series);
    return 0;
}

/* points: n of one series, sorted. */
static int put_series(struct lag_db *db, const struct lag_queued_point *points, size_t n, struct lag_stmt *insert,
                      struct lag_stmt *stored, struct lag_error *err) {
    struct lag_series_row series;
    struct mismatch mismatch = {0};
    int rc = lag_series_by_id(db, points[0].point.series, &series, err);
    if (rc < 0) return rc;
    /* Deleted while its points were on their way: they go too. */
    if (rc == 0 || !strncmp(series.owner, LAG_DELETED_OWNER, sizeof LAG_DELETED_OWNER - 1)) return 0;
    int64_t before = series.n_points;
    for (size_t i = 0; i < n; i++)
        if ((rc = put_point(insert, stored, &points[i].point, &series, &mismatch, err)) < 0) return rc;
    if (series.n_points != before && (rc = lag_series_set_counts(db, &series, err))) return rc;
    return mismatch.n ? tell_mismatch(db, &series, &mismatch, err) : 0;
}

int lag_points_put(struct lag_db *db, struct lag_queued_point *points, size_t n, struct lag_error *err) {
    struct lag_stmt *insert = NULL, *stored = NULL;
    int rc = lag_stmt_open(db, sql_insert, &insert, err);
    if (!rc) rc = lag_stmt_open(db, sql_stored, &stored, err);
    if (!rc) qsort(points, n, sizeof *points, by_place);
    for (size_t i = 0, end; i < n && !rc; i = end) {
        for (end = i + 1; end < n && points[end].point.series == points[i].point.series;) end++;
        rc = put_series(db, points + i, end - i, insert, stored, err);
    }
    lag_stmt_close(stored);
    lag_stmt_close(insert);
    return rc;
}

static const char sql_truncate[] = "DELETE FROM points WHERE series = ? AND step > ?";

struct truncation {
    struct lag_db *db;
    int64_t after_step;
    struct lag_error *err;
};

static int truncate_series(const struct lag_series_row *series, void *arg) {
    const struct truncation *truncation = arg;
    struct lag_db *db = truncation->db;
    struct lag_stmt *stmt;
    if (series->last_step <= truncation->after_step) return 0;
    int rc = lag_stmt_open(db, sql_truncate, &stmt, truncation->err);
    if (rc) return rc;
    lag_bind_i64(stmt, series->id);
    lag_bind_i64(stmt, truncation->after_step);
    if ((rc = lag_stmt_run(stmt, truncation->err))) return rc;
    return lag_series_recount(db, series->id, -lag_db_changes(db), truncation->err);
}

int lag_points_truncate(struct lag_db *db, const char *owner, int64_t after_step, struct lag_error *err) {
    struct truncation truncation = {.db = db, .after_step = after_step, .err = err};
    return lag_series_list(db, owner, truncate_series, &truncation, err);
}

static const char sql_adopt[] =
    "INSERT INTO points (series, step, value) SELECT ?1, step, value FROM points WHERE series = ?2 AND step > ?3 "
    "AND step <= ?4 ORDER BY step ON CONFLICT DO NOTHING";

struct adoption {
    struct lag_db *db;
    const char *run_id;
    int64_t after_step, until_step;
    struct lag_error *err;
};

static int adopt_series(const struct lag_series_row *series, void *arg) {
    const struct adoption *adoption = arg;
    struct lag_db *db = adoption->db;
    struct lag_stmt *stmt;
    int64_t target;
    int rc = lag_series_open(db, adoption->run_id, series->key, series->exact, &target, adoption->err);
    if (!rc) rc = lag_stmt_open(db, sql_adopt, &stmt, adoption->err);
    if (rc) return rc;
    lag_bind_i64(stmt, target);
    lag_bind_i64(stmt, series->id);
    lag_bind_i64(stmt, adoption->after_step);
    lag_bind_i64(stmt, adoption->until_step);
    if ((rc = lag_stmt_run(stmt, adoption->err))) return rc;
    return lag_series_recount(db, target, lag_db_changes(db), adoption->err);
}

int lag_points_adopt(struct lag_db *db, const char *run_id, const char *candidate_id, int64_t after_step,
                     int64_t until_step, struct lag_error *err) {
    struct adoption adoption = {.db = db, .run_id = run_id, .after_step = after_step, .until_step = until_step,
                                .err = err};
    return lag_series_list(db, candidate_id, adopt_series, &adoption, err);
}

static const char sql_walk[] =
    "SELECT step, value FROM points WHERE series = ? AND step >= ? AND step <= ? ORDER BY step";
static const char sql_count[] =
    "SELECT count(*) AS n FROM (SELECT 1 FROM points WHERE series = ? AND step >= ? AND step <= ? LIMIT ?)";

static int bind_range(struct lag_db *db, const char *sql, int64_t series, int64_t from, int64_t to,
                      struct lag_stmt **ret,
                      struct lag_error *err) {
    int rc = lag_stmt_open(db, sql, ret, err);
    if (rc) return rc;
    lag_bind_i64(*ret, series);
    lag_bind_i64(*ret, from);
    lag_bind_i64(*ret, to);
    return 0;
}

/* Is every point its own bucket? Then nothing need be thinned at all. Counts no further than it must. */
static int fits(struct lag_db *db, int64_t series, int64_t from, int64_t to, int max_buckets, bool *ret,
                struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = bind_range(db, sql_count, series, from, to, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, (int64_t)max_buckets + 1);
    if ((rc = lag_stmt_step(stmt, err)) == 1) *ret = lag_col_i64(stmt, "n") <= max_buckets;
    lag_stmt_close(stmt);
    return rc < 0 ? rc : 0;
}

static void add_to_bucket(struct lag_bucket *bucket, int64_t step, bool is_null, double value) {
    bucket->step = step;
    bucket->n++;
    if (is_null) {
        bucket->n_null++;
        return;
    }
    /* The negations are true for the NaN of an empty bucket as well. */
    if (!(bucket->min <= value)) bucket->min = value;
    if (!(bucket->max >= value)) bucket->max = value;
    bucket->last = value;
    bucket->sum += value;
}

int lag_points_thin(struct lag_db *db, int64_t series, int64_t from, int64_t to, int max_buckets,
                    struct lag_bucket *ret_buckets, int *ret_n, int64_t *ret_total, struct lag_error *err) {
    struct lag_series_row row;
    struct lag_stmt *stmt;
    bool all = false;
    if (max_buckets < 1) return lag_error_set(err, LAG_EINVAL, "at least one bucket is needed");
    int rc = lag_series_by_id(db, series, &row, err);
    if (rc == 0) rc = lag_error_set(err, LAG_ENOTFOUND, "series %lld does not exist", (long long)series);
    if (rc < 0) return rc;
    from = LAG_MAX(from, row.first_step);
    to = LAG_MIN(to, row.last_step);
    int n = 0;
    int64_t total = 0;
    if (from <= to) {
        if ((rc = fits(db, series, from, to, max_buckets, &all, err))) return rc;
        uint64_t span = (uint64_t)to - (uint64_t)from; /* steps less one: cannot overflow */
        uint64_t width = all ? 1 : span / (uint64_t)max_buckets + 1, present = 0;
        if (width == 0) width = UINT64_MAX; /* one bucket for all 2^64 steps */
        if ((rc = bind_range(db, sql_walk, series, from, to, &stmt, err))) return rc;
        int at_step = lag_col_find(stmt, "step"), at_value = lag_col_find(stmt, "value");
        for (; (rc = lag_stmt_step(stmt, err)) == 1; total++) {
            int64_t step = sqlite3_column_int64(stmt->handle, at_step);
            bool is_null = sqlite3_column_type(stmt->handle, at_value) == SQLITE_NULL;
            uint64_t place = ((uint64_t)step - (uint64_t)from) / width;
            /* The bound holds whatever is written between the count and this walk. */
            if (n == 0 || (place != present && n < max_buckets))
                ret_buckets[n++] = (struct lag_bucket){.min = NAN, .max = NAN, .last = NAN};
            present = place;
            add_to_bucket(&ret_buckets[n - 1], step, is_null, sqlite3_column_double(stmt->handle, at_value));
        }
        lag_stmt_close(stmt);
        if (rc < 0) return rc;
    }
    *ret_n = n;
    *ret_total = total;
    return 0;
}

static const char sql_last[] =
    "SELECT coalesce((SELECT max(step) FROM points WHERE series = ?1 AND step <= ?2), -1) AS step, "
    "(SELECT value FROM points WHERE series = ?1 AND step <= ?2 AND value IS NOT NULL ORDER BY step DESC LIMIT 1) "
    "AS value";

int lag_points_last(struct lag_db *db, int64_t series, int64_t to, int64_t *ret_step, double *ret_value,
                    struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_last, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, series);
    lag_bind_i64(stmt, to);
    if ((rc = lag_stmt_step(stmt, err)) == 1) {
        *ret_step = lag_col_i64(stmt, "step");
        *ret_value = lag_col_real(stmt, "value");
        rc = 0;
    }
    lag_stmt_close(stmt);
    return rc;
}

struct lag_point_cursor {
    struct lag_stmt *stmt;
};

int lag_point_cursor_open(struct lag_db *db, int64_t series, int64_t from, struct lag_point_cursor **ret,
                          struct lag_error *err) {
    struct lag_point_cursor *cursor = lag_calloc(1, sizeof *cursor);
    if (!cursor) return lag_error_set(err, LAG_ENOMEM, "no memory to read points");
    int rc = bind_range(db, sql_walk, series, from, INT64_MAX, &cursor->stmt, err);
    if (rc) {
        free(cursor);
        return rc;
    }
    *ret = cursor;
    return 0;
}

int lag_point_cursor_next(struct lag_point_cursor *cursor, int64_t *ret_step, double *ret_value,
                          struct lag_error *err) {
    int rc = lag_stmt_step(cursor->stmt, err);
    if (rc != 1) return rc;
    *ret_step = lag_col_i64(cursor->stmt, "step");
    *ret_value = lag_col_real(cursor->stmt, "value");
    return 1;
}

void lag_point_cursor_close(struct lag_point_cursor *cursor) {
    if (!cursor) return;
    lag_stmt_close(cursor->stmt);
    free(cursor);
}

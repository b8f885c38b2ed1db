/* Points that grow old: fewer of them, each the mean of those in whose place it stands. */
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdlib.h>

/* A stretch of steps that becomes one point. */
struct stretch {
    int64_t step;
    double sum;
    int64_t n;
    bool as_it_was; /* one point, in its place */
};
struct stretches {
    struct stretch *all;
    size_t n, capacity;
};

static int add(struct stretches *list, int64_t step, int64_t width, double value, struct lag_error *err) {
    int64_t place = step - step % width;
    if (!isfinite(value)) return 0;
    if (list->n == 0 || list->all[list->n - 1].step != place) {
        if (lag_grow_array((void **)&list->all, &list->capacity, list->n + 1, sizeof(*list->all)) < 0)
            return lag_error_set(err, LAG_ENOMEM, "out of memory while old points are thinned");
        list->all[list->n++] = (struct stretch){.step = place, .as_it_was = step == place};
    } else {
        list->all[list->n - 1].as_it_was = false;
    }
    list->all[list->n - 1].sum += value;
    list->all[list->n - 1].n++;
    return 0;
}

static int read_stretches(struct lag_db *db, int64_t series, int64_t before, int64_t width, struct stretches *ret,
                          struct lag_error *err) {
    struct lag_point_cursor *cursor;
    int64_t step;
    double value;
    int rc = lag_point_cursor_open(db, series, 0, &cursor, err);
    if (rc) return rc;
    while ((rc = lag_point_cursor_next(cursor, &step, &value, err)) == 1 && step < before)
        if ((rc = add(ret, step, width, value, err)) < 0) break;
    lag_point_cursor_close(cursor);
    return rc < 0 ? rc : 0;
}

static const char sql_mean[] = "INSERT INTO points (series, step, value) VALUES (?, ?, ?) "
                               "ON CONFLICT (series, step) DO UPDATE SET value = excluded.value";

static int write_means(struct lag_db *db, int64_t series, const struct stretches *list, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_mean, &stmt, err);
    if (rc) return rc;
    for (size_t i = 0; i < list->n && !rc; i++) {
        const struct stretch *one = &list->all[i];
        if (one->as_it_was) continue;
        lag_stmt_rewind(stmt);
        lag_bind_i64(stmt, series);
        lag_bind_i64(stmt, one->step);
        lag_bind_real(stmt, one->sum / (double)one->n);
        rc = lag_stmt_step(stmt, err);
    }
    lag_stmt_close(stmt);
    return rc;
}

static const char sql_rest[] = "DELETE FROM points WHERE series = ?1 AND step < ?2 AND (?3 = 0 OR step % ?3 <> 0)";
static const char sql_count[] =
    "UPDATE series SET n_points = (SELECT count(*) FROM points WHERE series = ?1) WHERE id = ?1";

static int drop_rest(struct lag_db *db, int64_t series, int64_t before, int64_t width, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_rest, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, series);
    lag_bind_i64(stmt, before);
    lag_bind_i64(stmt, width);
    return lag_stmt_run(stmt, err);
}

static int count_again(struct lag_db *db, int64_t series, struct lag_error *err) {
    struct lag_stmt *stmt;
    int rc = lag_stmt_open(db, sql_count, &stmt, err);
    if (rc) return rc;
    lag_bind_i64(stmt, series);
    rc = lag_stmt_run(stmt, err);
    return rc ? rc : lag_series_recount(db, series, 0, err);
}

int lag_points_coarsen(struct lag_db *db, int64_t series, int64_t before, int64_t width, struct lag_error *err) {
    struct stretches list = {0};
    int rc = 0;
    if (width > 0) {
        before -= before % width;
        rc = read_stretches(db, series, before, width, &list, err);
        if (!rc) rc = write_means(db, series, &list, err);
    }
    free(list.all);
    if (!rc) rc = drop_rest(db, series, before, width, err);
    return rc ? rc : count_again(db, series, err);
}

/* Queries of series and points. Points are clustered by (series, step); the series row carries count and last value, so
 * that lists never touch points. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

/* Finds or makes the series (owner, key). Writer only when it does not exist yet. */
int lag_series_open(struct lag_db *db, const char *owner, const char *key, bool exact, int64_t *ret_id,
                    struct lag_error *err);
int lag_series_find(struct lag_db *db, const char *owner, const char *key, struct lag_series_row *ret,
                    struct lag_error *err);
int lag_series_list(struct lag_db *db, const char *owner, int (*each)(const struct lag_series_row *, void *), void *arg,
                    struct lag_error *err); /* by key */
/* The series of a number, and whose it is: ret_ids gets run_id, and growth_id and candidate_id when a candidate owns
 * it. 1 = found, 0 = there is none. */
int lag_series_whose(struct lag_db *db, int64_t id, struct lag_series_row *ret, struct lag_event_row *ret_ids,
                     struct lag_error *err);
/* Removes the points of owner with step > after (rollback) and mends counts and last values. */
int lag_points_truncate(struct lag_db *db, const char *owner, int64_t after_step, struct lag_error *err);
/* The candidate's points with after_step < step ≤ until_step become points of the run, key by key; existing ones of the
 * run stay, and the candidate keeps its own as the record of the probe. */
int lag_points_adopt(struct lag_db *db, const char *run_id, const char *candidate_id, int64_t after_step,
                     int64_t until_step, struct lag_error *err);

/* Whose series the machine's are; their steps are seconds since 1970. */
#define LAG_MACHINE_OWNER "machine"
/* Points of a series that is not exact with step < before become one each `width` steps, the mean of those from there
 * on, whose step is a multiple of width; before is lowered to one. width 0: they go. Again is the same. Writer. */
int lag_points_coarsen(struct lag_db *db, int64_t series, int64_t before, int64_t width, struct lag_error *err);

struct lag_bucket { int64_t step; double min, max, last, sum; int64_t n, n_null; }; /* step of the last point; last: the
 * last that is not NULL; NaN when all are NULL; sum: of those that are not NULL */
/* Thins points with from ≤ step ≤ to into at most max_buckets buckets of equal step width, in order; when there are
 * no more points than buckets, each has one of its own. ret_buckets: room for max_buckets. *ret_total: points in the
 * range. */
int lag_points_thin(struct lag_db *db, int64_t series, int64_t from, int64_t to, int max_buckets,
                    struct lag_bucket *ret_buckets, int *ret_n, int64_t *ret_total, struct lag_error *err);
/* The last point with step ≤ to: its step (-1: there is none), and the last value there or before that is not NULL
 * (NaN: none). Looks from the end, so that it is quick in a long series. */
int lag_points_last(struct lag_db *db, int64_t series, int64_t to, int64_t *ret_step, double *ret_value,
                    struct lag_error *err);
/* Walks points in step order from step ≥ from. */
struct lag_point_cursor;
int lag_point_cursor_open(struct lag_db *db, int64_t series, int64_t from, struct lag_point_cursor **ret,
                          struct lag_error *err);
/* 1 = a point (NULL value as NaN), 0 = end, negative = error. */
int lag_point_cursor_next(struct lag_point_cursor *cursor, int64_t *ret_step, double *ret_value, struct lag_error *err);
void lag_point_cursor_close(struct lag_point_cursor *cursor);

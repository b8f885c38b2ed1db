/* Points: kept, compared, counted, thinned, walked, truncated, adopted, made fewer as they grow old. */
#include "fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/strbuf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int last_event(const struct lag_event_row *row, void *arg) {
    *(struct lag_event_row *)arg = *row;
    return 0;
}

static int64_t n_events(struct fixture *f) {
    int64_t first, last;
    assert_ok(f, lag_event_bounds(f->reader, &first, &last, &f->err));
    return last;
}

static struct lag_series_row series_of(struct fixture *f, const char *owner, const char *key) {
    struct lag_series_row row = {0};
    assert_ok(f, lag_series_find(f->reader, owner, key, &row, &f->err));
    return row;
}

static void test_counts(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true);
    assert_int_equal(open_series(f, "run_1", "train/loss", true), id);
    struct lag_series_row row = series_of(f, "run_1", "train/loss");
    assert_true(row.id == id && row.exact && row.n_points == 0 && row.last_step == -1 && isnan(row.last_value));
    put_points(f, (struct lag_point[]){{id, 5, 0.5}, {id, 3, 0.25}, {id, 4, NAN}}, 3);
    row = series_of(f, "run_1", "train/loss");
    assert_true(row.n_points == 3 && row.first_step == 3 && row.last_step == 5 && row.last_value == 0.5);
    put_points(f, (struct lag_point[]){{id, 6, INFINITY}, {id, 2, 1}}, 2);
    row = series_of(f, "run_1", "train/loss");
    assert_true(row.n_points == 5 && row.first_step == 2 && row.last_step == 6 && isnan(row.last_value));
    assert_int_equal(n_events(f), 0);
}

static void test_compare(void **state) {
    struct fixture *f = *state;
    int64_t of_run = open_series(f, "run_1", "train/loss", true);
    int64_t of_candidate = open_series(f, "cand_2", "val/loss", true);
    int64_t speed = open_series(f, "run_1", "perf/tokens_per_s", false);
    const struct lag_point first[] = {{of_run, 1, 0.1}, {of_run, 2, NAN}, {of_run, 3, -0.0}, {of_candidate, 7, 2},
        {of_candidate, 8, 2}, {speed, 1, 100}};
    struct lag_event_row event;
    put_points(f, first, LAG_COUNT(first));
    put_points(f, first, LAG_COUNT(first));
    put_points(f, (struct lag_point[]){{speed, 1, 90}}, 1);
    assert_int_equal(n_events(f), 0);
    put_points(f, (struct lag_point[]){{of_run, 1, nextafter(0.1, 1)}, {of_run, 9, 1}}, 2);
    assert_ok(f, lag_event_list(f->reader, 0, NULL, 10, last_event, &event, &f->err));
    assert_int_equal(event.seq, 1);
    assert_string_equal(event.type, "determinism.mismatch");
    assert_string_equal(event.run_id, "run_1");
    assert_string_equal(event.growth_id, "");
    assert_int_equal(event.step, 1);
    assert_string_equal(event.message,
                        "train/loss at step 1: stored 0.10000000000000001, recomputed 0.10000000000000002");
    /* One event a series and batch, with the ids of all that a candidate belongs to. */
    put_points(f, (struct lag_point[]){{of_candidate, 7, 3}, {of_candidate, 8, NAN}}, 2);
    assert_ok(f, lag_event_list(f->reader, 0, NULL, 10, last_event, &event, &f->err));
    assert_int_equal(event.seq, 2);
    assert_string_equal(event.run_id, "run_1");
    assert_string_equal(event.growth_id, "gr_1");
    assert_string_equal(event.candidate_id, "cand_2");
    assert_string_equal(event.message, "val/loss at step 7: stored 2, recomputed 3 (and 1 more)");
    /* The stored value stays. */
    struct lag_bucket bucket[16];
    int n;
    int64_t total;
    assert_ok(f, lag_points_thin(f->reader, of_run, 0, 2, 16, bucket, &n, &total, &f->err));
    assert_true(n == 2 && total == 2 && bucket[0].last == 0.1 && isnan(bucket[1].last) && bucket[1].n_null == 1);
    assert_int_equal(series_of(f, "run_1", "train/loss").n_points, 4);
}

static void test_twice_in_one_batch(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true);
    put_points(f, (struct lag_point[]){{id, 1, 5}, {id, 2, 6}, {id, 1, 7}}, 3);
    assert_int_equal(n_events(f), 1); /* the first to come stays */
    struct lag_point_cursor *cursor;
    int64_t step;
    double value;
    assert_ok(f, lag_point_cursor_open(f->reader, id, 0, &cursor, &f->err));
    assert_int_equal(lag_point_cursor_next(cursor, &step, &value, &f->err), 1);
    assert_true(step == 1 && value == 5);
    lag_point_cursor_close(cursor);
}

#define N_MANY 20000
static void put_many(struct fixture *f, int64_t id, int64_t every) {
    struct lag_point *points = calloc(N_MANY, sizeof *points);
    assert_non_null(points);
    for (int i = 0; i < N_MANY; i++) points[i] = (struct lag_point){id, i * every, 1 + 0.0001 * (i % 7)};
    points[12345].value = 99;
    points[777].value = -99;
    points[15000].value = NAN;
    put_points(f, points, N_MANY);
    free(points);
}

static void test_thin(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true);
    put_many(f, id, 3);
    struct lag_bucket buckets[500];
    int n;
    int64_t total;
    for (int max = 1; max <= 500; max = max * 3 + 1) {
        double low = INFINITY, high = -INFINITY;
        int64_t sum = 0, n_null = 0, before = -1;
        assert_ok(f, lag_points_thin(f->reader, id, INT64_MIN, INT64_MAX, max, buckets, &n, &total, &f->err));
        assert_in_range(n, 1, max);
        for (int i = 0; i < n; i++) {
            assert_true(buckets[i].step > before && buckets[i].n > 0);
            before = buckets[i].step;
            sum += buckets[i].n;
            n_null += buckets[i].n_null;
            low = fmin(low, buckets[i].min);
            high = fmax(high, buckets[i].max);
        }
        assert_true(low == -99 && high == 99 && n_null == 1 && before == (N_MANY - 1) * 3);
        assert_true(sum == N_MANY && total == N_MANY);
        assert_true(buckets[n - 1].last == 1 + 0.0001 * ((N_MANY - 1) % 7));
    }
}

static void test_thin_ranges(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true), far = open_series(f, "run_1", "val/loss", true);
    struct lag_bucket buckets[100];
    int n = -1;
    int64_t total;
    assert_ok(f, lag_points_thin(f->reader, id, 0, 100, 100, buckets, &n, &total, &f->err));
    assert_true(n == 0 && total == 0);
    put_many(f, id, 10);
    assert_ok(f, lag_points_thin(f->reader, id, 100, 350, 100, buckets, &n, &total, &f->err));
    assert_true(n == 26 && total == 26 && buckets[0].step == 100 && buckets[25].step == 350);
    assert_ok(f, lag_points_thin(f->reader, id, 101, 109, 100, buckets, &n, &total, &f->err));
    assert_true(n == 0 && total == 0);
    assert_ok(f, lag_points_thin(f->reader, id, 9, 5, 100, buckets, &n, &total, &f->err));
    assert_true(n == 0 && total == 0);
    assert_int_equal(lag_points_thin(f->reader, 999, 0, 1, 100, buckets, &n, &total, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_points_thin(f->reader, id, 0, 1, 0, buckets, &n, &total, &f->err), LAG_EINVAL);
    /* Steps so far apart that their distance is no int64_t. */
    put_points(f, (struct lag_point[]){{far, INT64_MIN, 1}, {far, 0, 2}, {far, INT64_MAX, 3}}, 3);
    assert_ok(f, lag_points_thin(f->reader, far, INT64_MIN, INT64_MAX, 2, buckets, &n, &total, &f->err));
    assert_true(n == 2 && total == 3 && buckets[1].max == 3);
    assert_ok(f, lag_points_thin(f->reader, far, INT64_MIN, INT64_MAX, 1, buckets, &n, &total, &f->err));
    assert_true(n == 1 && buckets[0].n == 3 && buckets[0].min == 1 && buckets[0].max == 3);
}

static void test_cursor(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true), step, n = 0;
    double value;
    struct lag_point_cursor *cursor, *other;
    put_points(f, (struct lag_point[]){{id, 3, NAN}, {id, 1, 1}, {id, 2, 2}}, 3);
    assert_ok(f, lag_point_cursor_open(f->reader, id, 2, &cursor, &f->err));
    assert_ok(f, lag_point_cursor_open(f->reader, id, 0, &other, &f->err)); /* two at a time, of the same text */
    assert_int_equal(lag_point_cursor_next(cursor, &step, &value, &f->err), 1);
    assert_true(step == 2 && value == 2);
    while (lag_point_cursor_next(other, &step, &value, &f->err) == 1) n++;
    assert_int_equal(n, 3);
    assert_int_equal(lag_point_cursor_next(cursor, &step, &value, &f->err), 1);
    assert_true(step == 3 && isnan(value));
    assert_int_equal(lag_point_cursor_next(cursor, &step, &value, &f->err), 0);
    assert_int_equal(lag_point_cursor_next(cursor, &step, &value, &f->err), 0);
    lag_point_cursor_close(cursor);
    lag_point_cursor_close(other);
    lag_point_cursor_close(NULL);
}

static int truncate_run(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_points_truncate(db, "run_1", *(int64_t *)arg, err);
}

static void test_truncate(void **state) {
    struct fixture *f = *state;
    int64_t a = open_series(f, "run_1", "train/loss", true), b = open_series(f, "run_1", "val/loss", true);
    int64_t other = open_series(f, "cand_1", "train/loss", true), after = 2;
    put_points(f, (struct lag_point[]){{a, 1, 10}, {a, 2, 20}, {a, 3, 30}, {a, 4, 40}, {b, 3, 7}, {other, 4, 1}}, 6);
    write_ok(f, truncate_run, &after);
    struct lag_series_row row = series_of(f, "run_1", "train/loss");
    assert_true(row.n_points == 2 && row.first_step == 1 && row.last_step == 2 && row.last_value == 20);
    row = series_of(f, "run_1", "val/loss");
    assert_true(row.n_points == 0 && row.last_step == -1 && isnan(row.last_value));
    assert_int_equal(series_of(f, "cand_1", "train/loss").n_points, 1);
    /* Points queued before a write are there when it runs: the truncation takes them. */
    assert_ok(f, lag_store_points(f->store, (struct lag_point[]){{a, 8, 1}, {a, 9, 1}}, 2, &f->err));
    write_ok(f, truncate_run, &after);
    row = series_of(f, "run_1", "train/loss");
    assert_true(row.n_points == 2 && row.last_step == 2);
    /* The way on from there differs, and that is no mismatch. */
    put_points(f, (struct lag_point[]){{a, 3, 31}}, 1);
    assert_int_equal(n_events(f), 0);
}

/* The points up to a step, and those behind it. */
static int adopt(struct lag_db *db, void *arg, struct lag_error *err) {
    const int64_t *until = arg;
    int rc = lag_points_adopt(db, "run_1", "cand_1", 100, *until, err);
    return rc ? rc : lag_points_adopt(db, "run_1", "cand_1", *until, INT64_MAX, err);
}

static int adopt_some(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_points_adopt(db, "run_1", "cand_1", 100, 102, err);
}

static int add_key(const struct lag_series_row *row, void *arg) {
    lag_strbuf_printf(arg, "%s ", row->key);
    return 0;
}

static void test_adopt(void **state) {
    struct fixture *f = *state;
    int64_t of_run = open_series(f, "run_1", "train/loss", true), train = open_series(f, "cand_1", "train/loss", true);
    int64_t val = open_series(f, "cand_1", "val/loss", false);
    put_points(f, (struct lag_point[]){{of_run, 99, 1}, {of_run, 100, 2}, {of_run, 101, 3}, {train, 100, 9},
        {train, 101, 9},
        {train, 102, 4}, {train, 103, 5}, {val, 100, 1}, {val, 103, 2}}, 9);
    write_ok(f, adopt_some, NULL);
    struct lag_series_row some = series_of(f, "run_1", "train/loss");
    assert_true(some.n_points == 4 && some.last_step == 102 && some.last_value == 4);
    for (int64_t until = 100; until < 105; until++) {
        write_ok(f, adopt, &until);
        struct lag_series_row row = series_of(f, "run_1", "train/loss");
        assert_true(row.n_points == 5 && row.first_step == 99 && row.last_step == 103 && row.last_value == 5);
        row = series_of(f, "run_1", "val/loss");
        assert_true(row.n_points == 1 && row.first_step == 103 && row.last_value == 2 && !row.exact);
        assert_int_equal(series_of(f, "cand_1", "train/loss").n_points, 4); /* the probe's record stays */
    }
    int64_t step;
    double value;
    struct lag_point_cursor *cursor;
    assert_ok(f, lag_point_cursor_open(f->reader, of_run, 101, &cursor, &f->err));
    assert_int_equal(lag_point_cursor_next(cursor, &step, &value, &f->err), 1);
    assert_true(step == 101 && value == 3); /* the run's own stays */
    lag_point_cursor_close(cursor);
    struct lag_strbuf keys = LAG_STRBUF_INIT;
    assert_ok(f, lag_series_list(f->reader, "run_1", add_key, &keys, &f->err));
    assert_string_equal(keys.data, "train/loss val/loss ");
    lag_strbuf_deinit(&keys);
}

struct coarsening {
    int64_t series, before, width;
};

static int coarsen(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct coarsening *c = arg;
    return lag_points_coarsen(db, c->series, c->before, c->width, err);
}

static void expect_points(struct fixture *f, int64_t series, const struct lag_point *points, int n) {
    struct lag_bucket buckets[32];
    int64_t total;
    int n_buckets;
    assert_ok(f, lag_points_thin(f->reader, series, 0, 1000, 32, buckets, &n_buckets, &total, &f->err));
    assert_int_equal(n_buckets, n);
    for (int i = 0; i < n; i++)
        assert_true(buckets[i].step == points[i].step && fabs(buckets[i].last - points[i].value) < 1e-12);
    struct lag_series_row row = series_of(f, "machine", "cpu/share");
    assert_true(row.n_points == n && row.first_step == points[0].step && row.last_step == points[n - 1].step);
}

/* Old points become means of equal stretches, again and again the same; new ones and other series stay. */
static void test_coarsen(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, LAG_MACHINE_OWNER, "cpu/share", false);
    int64_t other = open_series(f, "run_1", "train/loss", true);
    put_points(f, (struct lag_point[]){{id, 3, 1}, {id, 11, 2}, {id, 12, 4}, {id, 19, 6}, {id, 20, 3}, {id, 21, 5},
                                       {id, 33, 7}, {id, 34, 8}, {other, 3, 1}, {other, 4, 2}}, 10);
    for (int again = 0; again < 2; again++) {
        assert_ok(f, lag_store_write(f->store, coarsen, &(struct coarsening){id, 34, 10}, &f->err));
        expect_points(f, id, (struct lag_point[]){{id, 0, 1}, {id, 10, 4}, {id, 20, 4}, {id, 33, 7}, {id, 34, 8}}, 5);
    }
    assert_ok(f, lag_store_write(f->store, coarsen, &(struct coarsening){id, 40, 20}, &f->err));
    expect_points(f, id, (struct lag_point[]){{id, 0, 2.5}, {id, 20, 19.0 / 3}}, 2);
    assert_ok(f, lag_store_write(f->store, coarsen, &(struct coarsening){id, 20, 0}, &f->err));
    expect_points(f, id, (struct lag_point[]){{id, 20, 19.0 / 3}}, 1);
    assert_int_equal(series_of(f, "run_1", "train/loss").n_points, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_compare, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_twice_in_one_batch, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_thin, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_thin_ranges, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_cursor, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_truncate, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_adopt, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_coarsen, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What may be many rows goes a few at a time: it is hidden at once, removed in bounded steps, and an end in between is
 * made good by the next start. */
#include "fixture.h"
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/check.h>
#include <lagd/storage/keys.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 2000, TIMES = 300, LOSSES = 3 };

static void expect_number(struct fixture *f, const char *sql, int64_t expected) {
    int64_t n = -1;
    assert_ok(f, lag_db_integer(f->reader, sql, &n, &f->err));
    if (n != expected) fail_msg("%s: %lld, not %lld", sql, (long long)n, (long long)expected);
}

static int put_losses(struct lag_db *db, void *arg, struct lag_error *err) {
    static const double values[LOSSES] = {1, 2, 3};
    int rc = 0;
    for (int t = 0; t < TIMES && !rc; t++) rc = lag_probe_losses_put(db, 1, t, values, LOSSES, NULL, err);
    return rc;
}

/* run_1 and its candidate with many points and losses; run_2 with a few. */
static void fill(struct fixture *f) {
    struct lag_point *points = calloc(2 * POINTS, sizeof *points);
    assert_non_null(points);
    int64_t of_run = open_series(f, "run_1", "train/loss", true), of_candidate = open_series(f, "cand_1", "loss", true);
    for (int i = 0; i < POINTS; i++) {
        points[2 * i] = (struct lag_point){of_run, i, i};
        points[2 * i + 1] = (struct lag_point){of_candidate, i, i};
    }
    put_points(f, points, 2 * POINTS);
    free(points);
    put_points(f, (struct lag_point[]){{open_series(f, "run_2", "train/loss", true), 7, 1}}, 1);
    write_ok(f, put_losses, NULL);
}

static int delete_run(struct lag_db *db, void *arg, struct lag_error *err) { return lag_run_delete(db, "run_1", err); }

static void test_deleted_run(void **state) {
    struct fixture *f = *state;
    struct lag_series_row series;
    struct lag_run_row run;
    struct lag_candidate_row candidate;
    int64_t n_removed = 0;
    fill(f);
    write_ok(f, delete_run, NULL);
    assert_int_equal(lag_run_get(f->reader, "run_1", &run, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_candidate_get(f->reader, "cand_1", &candidate, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_series_find(f->reader, "run_1", "train/loss", &series, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_series_find(f->reader, "cand_1", "loss", &series, &f->err), LAG_ENOTFOUND);
    wait_for_sweep(f);
    assert_false(lag_store_sweeps(f->store, &n_removed));
    assert_true(n_removed >= 2 * POINTS + TIMES * LOSSES);
    expect_number(f, "SELECT count(*) FROM points", 1);
    expect_number(f, "SELECT count(*) FROM series", 1);
    expect_number(f, "SELECT count(*) FROM probe_losses", 0);
    expect_number(f, "SELECT count(*) FROM deleted", 0);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

static int64_t count(struct lag_db *db, const char *table) {
    char sql[64];
    int64_t n = -1;
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    assert_int_equal(lag_db_integer(db, sql, &n, NULL), 0);
    return n;
}

static void begin(struct lag_db *db) { assert_int_equal(lag_db_exec(db, "BEGIN IMMEDIATE", NULL), 0); }
static void end(struct lag_db *db) { assert_int_equal(lag_db_exec(db, "COMMIT", NULL), 0); }

/* Neither the deletion nor a step of the sweep touches more points and losses than it may. Half-way the process ends;
 * the next one goes on. */
static void test_bounded_steps_and_an_end_between_them(void **state) {
    struct fixture *f = *state;
    struct lag_db *db;
    int64_t n = 1, n_steps = 0;
    fill(f);
    fixture_close(f);
    assert_ok(f, lag_db_open(f->dir, LAG_DB_WRITER, &db, &f->err));
    const int64_t n_points = count(db, "points"), n_losses = count(db, "probe_losses");
    begin(db);
    assert_ok(f, lag_run_delete(db, "run_1", &f->err));
    end(db);
    assert_int_equal(count(db, "points"), n_points);
    assert_int_equal(count(db, "probe_losses"), n_losses);
    while (n > 0 && count(db, "points") > n_points - POINTS / 2) {
        int64_t before = count(db, "points") + count(db, "probe_losses");
        begin(db);
        assert_ok(f, lag_deleted_sweep(db, 100, &n, &f->err));
        end(db);
        int64_t gone = before - count(db, "points") - count(db, "probe_losses");
        assert_in_range(gone, 0, 100 + LOSSES);
        n_steps++;
    }
    assert_true(n > 0 && n_steps > 10);
    lag_db_close(db);
    fixture_open(f);
    wait_for_sweep(f);
    expect_number(f, "SELECT count(*) FROM points", 1);
    expect_number(f, "SELECT count(*) FROM probe_losses", 0);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

/* A late evaluation of a candidate that is gone must not stay for ever, nor a late point. */
static void test_what_comes_late(void **state) {
    struct fixture *f = *state;
    fill(f);
    write_ok(f, delete_run, NULL);
    put_points(f, (struct lag_point[]){{1, POINTS + 1, 1}}, 1);
    assert_int_equal(lag_store_write(f->store, put_losses, NULL, &f->err), LAG_ENOTFOUND);
    wait_for_sweep(f);
    expect_number(f, "SELECT count(*) FROM points", 1);
    expect_number(f, "SELECT count(*) FROM probe_losses", 0);
}

static int put_events(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_event event = {.type = LAG_EVENT_RUN_STATE, .step = LAG_NO_STEP};
    int rc = 0;
    for (int i = 0; i < *(int *)arg && !rc; i++) rc = lag_event_put(db, &event, err);
    return rc;
}

static int put_keys(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = 0;
    for (int i = 0; i < *(int *)arg && !rc; i++) {
        struct lag_key_row row = {.fingerprint = "f", .created_ms = 1000 + i};
        (void)snprintf(row.key, sizeof row.key, "k%d", i);
        rc = lag_key_put(db, &row, NULL, err);
    }
    return rc;
}

static void test_prune(void **state) {
    struct fixture *f = *state;
    int n = 1000;
    write_ok(f, put_events, &n);
    write_ok(f, put_keys, &n);
    wait_for_sweep(f);
    lag_store_prune(f->store, 0, 1000 + 400);
    wait_for_sweep(f);
    expect_number(f, "SELECT count(*) FROM events", 1000);
    expect_number(f, "SELECT count(*) FROM idempotency", 600);
    expect_number(f, "SELECT min(created_ms) FROM idempotency", 1400);
    lag_store_prune(f->store, INT64_MAX, 0);
    wait_for_sweep(f);
    expect_number(f, "SELECT count(*) FROM events", 1);
    expect_number(f, "SELECT max(seq) FROM events", 1000);
    expect_number(f, "SELECT count(*) FROM idempotency", 600);
}

struct pruning {
    int64_t before_ms, n;
};
static int prune_some(struct lag_db *db, void *arg, struct lag_error *err) {
    struct pruning *pruning = arg;
    return lag_event_prune(db, pruning->before_ms, 100, &pruning->n, err);
}

/* From the front, a bounded number; never past one that is young enough, nor the newest. */
static void test_prune_in_steps(void **state) {
    struct fixture *f = *state;
    int n = 250;
    write_ok(f, put_events, &n);
    fixture_close(f);
    run_sql(f, "UPDATE events SET ts_ms = seq; UPDATE events SET ts_ms = 5000 WHERE seq = 180");
    fixture_open(f);
    struct pruning pruning = {.before_ms = 1000};
    static const int64_t gone[] = {100, 79, 0};
    for (size_t i = 0; i < LAG_COUNT(gone); i++) {
        write_ok(f, prune_some, &pruning);
        assert_int_equal(pruning.n, gone[i]);
    }
    expect_number(f, "SELECT min(seq) FROM events", 180);
    pruning.before_ms = INT64_MAX;
    write_ok(f, prune_some, &pruning);
    assert_int_equal(pruning.n, 70);
    expect_number(f, "SELECT min(seq) FROM events", 250);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deleted_run, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_bounded_steps_and_an_end_between_them, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_what_comes_late, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_prune, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_prune_in_steps, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

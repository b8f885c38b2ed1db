/* The store as its users see it: isolation of writes, order, readers, events, a second writer. */
#include "fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/thread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int add_event(struct lag_db *db, struct lag_error *err, const char *message) {
    const struct lag_event event = {.type = LAG_EVENT_SYSTEM_WARNING, .step = LAG_NO_STEP, .message = message};
    return lag_event_put(db, &event, err);
}

struct job {
    struct fixture *f;
    int number, rc;
    struct lag_error err;
    pthread_t thread;
};

/* Every fourth fails after it has written; one of those by its own doing, the others by a constraint. */
static int write_two(struct lag_db *db, void *arg, struct lag_error *err) {
    struct job *job = arg;
    struct lag_run_row run;
    char name[32];
    (void)snprintf(name, sizeof name, "run_j%d", job->number);
    run = sample_run(name, name);
    int rc = lag_run_insert(db, &run, err);
    if (!rc) rc = add_event(db, err, name);
    if (rc || job->number % 4) return rc;
    if (job->number == 8) return lag_error_set(err, LAG_ESTATE, "changed my mind");
    return lag_run_insert(db, &run, err);
}

static void run_job(void *arg) {
    struct job *job = arg;
    job->rc = lag_store_write(job->f->store, write_two, job, &job->err);
}

static void test_isolation(void **state) {
    struct fixture *f = *state;
    struct job jobs[32] = {0};
    struct lag_run_row run;
    for (int i = 0; i < (int)LAG_COUNT(jobs); i++) {
        jobs[i].f = f;
        jobs[i].number = i;
        assert_ok(f, lag_thread_start(&jobs[i].thread, "job", 0, run_job, &jobs[i], &f->err));
    }
    int64_t first, last, n_good = 0;
    for (int i = 0; i < (int)LAG_COUNT(jobs); i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "run_j%d", i);
        assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
        bool fails = i % 4 == 0;
        assert_int_equal(jobs[i].rc, fails ? i == 8 ? LAG_ESTATE : LAG_EEXIST : 0);
        assert_int_equal(lag_run_get(f->reader, name, &run, &f->err), fails ? LAG_ENOTFOUND : 0);
        if (i == 8) assert_string_equal(jobs[i].err.text, "changed my mind");
        n_good += !fails;
    }
    /* Events of undone writes are gone, and their numbers are given again: no gaps. */
    assert_ok(f, lag_event_bounds(f->reader, &first, &last, &f->err));
    assert_true(first == 1 && last == n_good);
}

struct heard {
    atomic_llong last;
    atomic_int n;
};
static void hear(void *arg, int64_t last_seq) {
    struct heard *heard = arg;
    atomic_store(&heard->last, last_seq);
    atomic_fetch_add(&heard->n, 1);
}
static int say(struct lag_db *db, void *arg, struct lag_error *err) { return add_event(db, err, "x"); }
static int say_and_fail(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = add_event(db, err, "x");
    return rc ? rc : lag_error_set(err, LAG_ESTATE, "no");
}
static int nothing(struct lag_db *db, void *arg, struct lag_error *err) { return 0; }

static void test_events_are_told(void **state) {
    struct fixture *f = *state;
    struct heard heard = {0};
    lag_store_on_events(f->store, hear, &heard);
    write_ok(f, say, NULL);
    assert_true(atomic_load(&heard.last) == 1 && atomic_load(&heard.n) == 1);
    assert_int_equal(lag_store_write(f->store, say_and_fail, NULL, &f->err), LAG_ESTATE);
    write_ok(f, nothing, NULL);
    assert_int_equal(atomic_load(&heard.n), 1);
    int64_t id = open_series(f, "run_1", "train/loss", true);
    put_points(f, (struct lag_point[]){{id, 1, 1}, {id, 1, 2}}, 2);
    assert_true(atomic_load(&heard.last) == 2 && atomic_load(&heard.n) == 2);
}

struct versions {
    struct lag_store *store;
    uint64_t inside, told;
};
static int look_inside(struct lag_db *db, void *arg, struct lag_error *err) {
    struct versions *seen = arg;
    seen->inside = lag_store_version(seen->store);
    return add_event(db, err, "x");
}
static void look_when_told(void *arg, int64_t last_seq) {
    struct versions *seen = arg;
    seen->told = lag_store_version(seen->store);
}

struct told {
    int64_t n, sum_of_steps;
    size_t most_at_once;
};

static void count_told(void *arg, const struct lag_point *points, size_t n_points) {
    struct told *told = arg;
    for (size_t i = 0; i < n_points; i++) told->sum_of_steps += points[i].step;
    told->n += (int64_t)n_points;
    if (n_points > told->most_at_once) told->most_at_once = n_points;
}

/* All points of a commit are told, however many, some at a time. */
static void test_points_are_told(void **state) {
    struct fixture *f = *state;
    static struct lag_point points[1000];
    struct told told = {0};
    int64_t id = open_series(f, "run_1", "train/loss", true);
    for (int i = 0; i < 1000; i++) points[i] = (struct lag_point){id, i + 1, 0.5};
    lag_store_on_points(f->store, count_told, &told);
    put_points(f, points, 1000); /* returns after the commit; what is told is told before the next one */
    write_ok(f, nothing, NULL);
    lag_store_on_points(f->store, NULL, NULL);
    assert_true(told.n == 1000 && told.sum_of_steps == 500500);
    assert_true(told.most_at_once > 0 && told.most_at_once < 1000);
    assert_int_equal(lag_store_queue_length(f->store), 0);
}

static void test_version_changes_with_commits(void **state) {
    struct fixture *f = *state;
    struct versions seen = {f->store, 1, 1};
    uint64_t before = lag_store_version(f->store);
    lag_store_on_events(f->store, look_when_told, &seen);
    write_ok(f, look_inside, &seen);
    assert_int_equal(before % 2, 0);
    assert_int_equal(seen.inside, before);
    assert_int_equal(seen.told, before + 2);
    assert_int_equal(lag_store_version(f->store), before + 2);
    int64_t id = open_series(f, "run_1", "train/loss", true);
    before = lag_store_version(f->store);
    put_points(f, (struct lag_point[]){{id, 1, 1}}, 1);
    assert_true(lag_store_version(f->store) > before);
    assert_int_equal(lag_store_version(f->store) % 2, 0);
}

struct nested {
    struct lag_store *store;
    int rc;
};
static int write_inside(struct lag_db *db, void *arg, struct lag_error *err) {
    struct nested *nested = arg;
    nested->rc = lag_store_write(nested->store, nothing, NULL, NULL);
    return 0;
}

static void test_nested_write_is_refused(void **state) {
    struct fixture *f = *state;
    struct nested nested = {f->store, 0};
    write_ok(f, write_inside, &nested);
    assert_int_equal(nested.rc, LAG_EINTERNAL);
}

static int seen_points(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_series_row row;
    int rc = lag_series_find(db, "run_1", "train/loss", &row, err);
    *(int64_t *)arg = row.n_points;
    return rc;
}

static void test_points_before_writes(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true), seen;
    for (int i = 0; i < 50; i++) {
        assert_ok(f, lag_store_points(f->store, (struct lag_point[]){{id, i, 1}}, 1, &f->err));
        write_ok(f, seen_points, &seen);
        assert_int_equal(seen, i + 1);
        assert_int_equal(lag_store_queue_length(f->store), 0);
    }
}

static void test_group_commit_in_time(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true);
    assert_ok(f, lag_store_points(f->store, (struct lag_point[]){{id, 1, 1}}, 1, &f->err));
    assert_int_equal(lag_store_queue_length(f->store), 1);
    for (int i = 0; i < 1000 && lag_store_queue_length(f->store); i++) usleep(5000); /* 100 ms,
    more on a busy machine */
    assert_int_equal(lag_store_queue_length(f->store), 0);
    struct lag_series_row row;
    assert_ok(f, lag_series_find(f->reader, "run_1", "train/loss", &row, &f->err));
    assert_int_equal(row.n_points, 1);
}

static void test_more_than_the_queue_holds(void **state) {
    struct fixture *f = *state;
    enum { N = 300000 };
    int64_t id = open_series(f, "run_1", "train/loss", true);
    struct lag_point *points = calloc(N, sizeof *points);
    assert_non_null(points);
    for (int i = 0; i < N; i++) points[i] = (struct lag_point){id, i, i};
    put_points(f, points, N);
    free(points);
    struct lag_series_row row;
    assert_ok(f, lag_series_find(f->reader, "run_1", "train/loss", &row, &f->err));
    assert_true(row.n_points == N && row.last_value == N - 1);
    assert_true(lag_store_wal_bytes(f->dir) < 40000000); /* the log was copied on the way */
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

/* A reader's view holds still, and holds whole transactions only. */
static atomic_bool stop;
static int move_two(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = lag_run_set_progress(db, "run_1", *(int *)arg, 0, 0, err);
    return rc ? rc : lag_run_set_progress(db, "run_2", *(int *)arg, 0, 0, err);
}
static void move_always(void *arg) {
    struct fixture *f = arg;
    for (int i = 0; !atomic_load(&stop); i++) (void)lag_store_write(f->store, move_two, &i, NULL);
}
static int insert_second(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_run_row row = sample_run("run_2", "second");
    return lag_run_insert(db, &row, err);
}

static void test_readers_see_whole_transactions(void **state) {
    struct fixture *f = *state;
    struct lag_run_row first, second, again;
    pthread_t thread;
    write_ok(f, insert_second, NULL);
    atomic_store(&stop, false);
    assert_ok(f, lag_thread_start(&thread, "mover", 0, move_always, f, &f->err));
    int64_t before = -1, n_changes = 0;
    for (int64_t end = lag_clock_mono_ns() + 700000000; lag_clock_mono_ns() < end;) {
        assert_ok(f, lag_reader_begin(f->reader, &f->err));
        assert_ok(f, lag_run_get(f->reader, "run_1", &first, &f->err));
        assert_ok(f, lag_run_get(f->reader, "run_2", &second, &f->err));
        assert_ok(f, lag_run_get(f->reader, "run_1", &again, &f->err));
        lag_reader_end(f->reader);
        assert_true(first.step == second.step && first.step == again.step);
        n_changes += first.step != before;
        before = first.step;
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    lag_reader_end(f->reader);
    assert_true(n_changes > 1);
}

static void test_stuck_reader(void **state) {
    struct fixture *f = *state;
    struct lag_run_row row;
    int64_t id = open_series(f, "run_1", "train/loss", true);
    assert_ok(f, lag_reader_begin(f->reader, &f->err));
    assert_ok(f, lag_run_get(f->reader, "run_1", &row, &f->err));
    for (int round = 0; round < 12; round++) {
        struct lag_point points[2000];
        for (int i = 0; i < 2000; i++) points[i] = (struct lag_point){id, (i * 7919) % 50000 * 12 + round, 1};
        put_points(f, points, 2000);
    }
    lag_reader_end(f->reader);
    uint64_t grown = lag_store_wal_bytes(f->dir);
    for (int round = 0; round < 12; round++) { /* once it is gone, the log is used from its start again */
        struct lag_point points[2000];
        for (int i = 0; i < 2000; i++) points[i] = (struct lag_point){id, 700000 + (i * 7919) % 50000 * 12 + round, 1};
        put_points(f, points, 2000);
    }
    assert_true(lag_store_wal_bytes(f->dir) <= grown + 6000000);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

/* The daemon's lock keeps a second daemon out; should another program write all the same, nothing breaks, and the
 * store says so. */
static void write_as_stranger(const char *path) {
    sqlite3 *db;
    if (sqlite3_open(path, &db)) _exit(1);
    (void)sqlite3_busy_timeout(db, 10000);
    if (sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL)) _exit(2);
    for (int i = 0; i < 50; i++)
        if (sqlite3_exec(db, "UPDATE runs SET tokens = tokens + 1", NULL, NULL, NULL)) _exit(3);
    (void)sqlite3_close(db);
    _exit(0);
}

static int last_message(const struct lag_event_row *row, void *arg) {
    *(struct lag_event_row *)arg = *row;
    return 0;
}

static void test_second_writer(void **state) {
    struct fixture *f = *state;
    char path[300];
    int64_t first, last;
    int status = -1;
    for (int i = 0; i < 60; i++) write_ok(f, move_two, &i); /* our own commits are no strangers */
    assert_ok(f, lag_event_bounds(f->reader, &first, &last, &f->err));
    assert_int_equal(last, 0);
    (void)snprintf(path, sizeof path, "%s/lagd.db", f->dir);
    pid_t child = fork();
    if (child == 0) write_as_stranger(path);
    while (waitpid(child, &status, WNOHANG) == 0) {
        int step = 7;
        write_ok(f, move_two, &step);
    }
    assert_int_equal(status, 0);
    write_ok(f, nothing, NULL);
    struct lag_event_row event;
    struct lag_run_row row;
    assert_ok(f, lag_event_list(f->reader, 0, NULL, 1, last_message, &event, &f->err));
    assert_string_equal(event.type, "system.warning");
    assert_string_equal(event.message,
                        "another program wrote to lagd.db while lagd runs: stop it, two writers can damage the file");
    assert_ok(f, lag_run_get(f->reader, "run_2", &row, &f->err));
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

static int with_second_run(void **state) {
    (void)fixture_store(state);
    write_ok(*state, insert_second, NULL);
    return 0;
}

static void test_close_commits(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true);
    assert_ok(f, lag_store_points(f->store, (struct lag_point[]){{id, 1, 1}, {id, 2, 1}}, 2, &f->err));
    fixture_close(f);
    assert_int_equal(lag_store_wal_bytes(f->dir), 0);
    fixture_open(f);
    struct lag_series_row row;
    assert_ok(f, lag_series_find(f->reader, "run_1", "train/loss", &row, &f->err));
    assert_int_equal(row.n_points, 2);
    lag_store_close(NULL);
    lag_reader_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_isolation, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_events_are_told, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_points_are_told, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_version_changes_with_commits, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_nested_write_is_refused, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_points_before_writes, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_group_commit_in_time, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_more_than_the_queue_holds, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_readers_see_whole_transactions, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_stuck_reader, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_second_writer, with_second_run, fixture_end),
        cmocka_unit_test_setup_teardown(test_close_commits, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

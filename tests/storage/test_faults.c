/* What is acknowledged stays: SIGKILL right after a write; a full disk; an I/O error. The parent opens no store
 * before it forks, so that each child reads its own failpoints. */
#include "fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/fs.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define check(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, f->err.text);                             \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* Runs fn in a child and returns its status as waitpid has it. */
static int in_child(struct fixture *f, void (*fn)(struct fixture *)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        fn(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void set_up_rows(struct fixture *f) {
    int64_t id = 0;
    fixture_open(f);
    write_ok(f, fixture_rows, NULL);
    id = open_series(f, "run_1", "train/loss", true);
    check(id == 1);
    fixture_close(f);
}

static int next_step(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_run_row run;
    int rc = lag_run_get(db, "run_1", &run, err);
    if (!rc) rc = lag_run_set_progress(db, "run_1", run.step + 1, 0, 0, err);
    const struct lag_event event = {.type = LAG_EVENT_RUN_STATE, .step = run.step + 1};
    return rc ? rc : lag_event_put(db, &event, err);
}

static void write_and_die(struct fixture *f) {
    check(!lag_store_open(f->dir, &f->store, &f->err));
    struct lag_point point = {1, lag_clock_mono_ns(), 0.5};
    check(!lag_store_points(f->store, &point, 1, &f->err));
    check(!lag_store_write(f->store, next_step, NULL, &f->err));
    (void)kill(getpid(), SIGKILL);
}

#define N_KILLS 200
static void verify_kills(struct fixture *f) {
    struct lag_run_row run;
    struct lag_series_row series;
    int64_t first, last;
    fixture_open(f);
    check(!lag_run_get(f->reader, "run_1", &run, &f->err) && run.step == 5 + N_KILLS);
    check(!lag_event_bounds(f->reader, &first, &last, &f->err) && first == 1 && last == N_KILLS);
    check(!lag_series_find(f->reader, "run_1", "train/loss", &series, &f->err) && series.n_points == N_KILLS);
    check(!lag_db_check(f->reader, 0, &f->err));
    fixture_close(f);
}

static void test_kill_after_write(void **state) {
    struct fixture *f = *state;
    assert_int_equal(in_child(f, set_up_rows), 0);
    for (int i = 0; i < N_KILLS; i++) {
        int status = in_child(f, write_and_die);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    assert_int_equal(in_child(f, verify_kills), 0);
}

static void set_limit(rlim_t bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit)) _exit(3);
}

static int insert_note(struct lag_db *db, void *arg, struct lag_error *err) {
    char message[LAG_ROW_TEXT] = "";
    memset(message, 'x', sizeof message - 1);
    const struct lag_event event = {.type = LAG_EVENT_SYSTEM_WARNING, .step = LAG_NO_STEP, .message = message};
    for (int i = 0; i < 200; i++) {
        int rc = lag_event_put(db, &event, err);
        if (rc) return rc;
    }
    return 0;
}

/* A look while the next commit is on its way must not see the trouble as over. */
static int look_and_insert(struct lag_db *db, void *arg, struct lag_error *err) {
    struct fixture *f = arg;
    check(lag_store_check(f->store, &f->err) == LAG_ENOSPC);
    return insert_note(db, NULL, err);
}

/* Shared by both ways of filling a disk: release() makes room again. */
static void fill_up(struct fixture *f, void (*release)(struct fixture *)) {
    int64_t before, after, first;
    int rc = 0, n_good = 0;
    check(!lag_store_open(f->dir, &f->store, &f->err));
    check(!lag_reader_open(f->dir, &f->reader, &f->err));
    while (n_good < 1000 && !(rc = lag_store_write(f->store, insert_note, NULL, &f->err))) n_good++;
    check(rc == LAG_ENOSPC);
    check(strstr(f->err.text, "the disk is full: free some space there"));
    check(!lag_event_bounds(f->reader, &first, &before, &f->err) && before == 200 * n_good);
    check(lag_store_write(f->store, look_and_insert, f, &f->err) == LAG_ENOSPC);
    check(lag_store_check(f->store, &f->err) == LAG_ENOSPC);
    /* Points stay queued; flush tells; later ones are taken too. */
    struct lag_point points[30000];
    for (int i = 0; i < 30000; i++) points[i] = (struct lag_point){1, i, i};
    check(!lag_store_points(f->store, points, 30000, &f->err));
    check(lag_store_flush(f->store, &f->err) == LAG_ENOSPC);
    check(lag_store_queue_length(f->store) == 30000);
    check(lag_store_write(f->store, next_step, NULL, &f->err) == LAG_ENOSPC);
    release(f);
    check(!lag_store_write(f->store, next_step, NULL, &f->err));
    (void)lag_store_flush(f->store, NULL); /* what failed meanwhile */
    check(!lag_store_flush(f->store, &f->err));
    check(lag_store_queue_length(f->store) == 0);
    check(!lag_store_check(f->store, &f->err));
    struct lag_series_row series;
    struct lag_run_row run;
    check(!lag_series_find(f->reader, "run_1", "train/loss", &series, &f->err) && series.n_points == 30000);
    check(!lag_run_get(f->reader, "run_1", &run, &f->err) && run.step == 6);
    check(!lag_event_bounds(f->reader, &first, &after, &f->err) && after == before + 1);
    check(!lag_db_check(f->reader, 0, &f->err));
    fixture_close(f);
}

static void lift_limit(struct fixture *f) { set_limit(RLIM_INFINITY); }
static void fill_to_limit(struct fixture *f) {
    set_limit(800 * 1024);
    fill_up(f, lift_limit);
}

static void test_file_size_limit(void **state) {
    struct fixture *f = *state;
    assert_int_equal(in_child(f, set_up_rows), 0);
    assert_int_equal(in_child(f, fill_to_limit), 0);
}

/* The trouble is over, and nobody writes: that is noticed all the same, and not before. */
static void be_quiet(struct fixture *f) {
    int rc = 0;
    set_limit(800 * 1024);
    check(!lag_store_open(f->dir, &f->store, &f->err));
    check(!lag_reader_open(f->dir, &f->reader, &f->err));
    for (int i = 0; i < 1000 && !(rc = lag_store_write(f->store, insert_note, NULL, &f->err)); i++) {}
    check(rc == LAG_ENOSPC);
    set_limit(0); /* not even one page */
    (void)sleep(3);
    check(lag_store_check(f->store, &f->err) == LAG_ENOSPC);
    lift_limit(f);
    for (int i = 0; i < 6000 && lag_store_check(f->store, NULL); i++) (void)usleep(10000);
    check(!lag_store_check(f->store, &f->err));
    check(!lag_store_write(f->store, next_step, NULL, &f->err));
    check(!lag_db_check(f->reader, 0, &f->err));
    fixture_close(f);
}

static void test_trouble_ends_unasked(void **state) {
    struct fixture *f = *state;
    assert_int_equal(in_child(f, set_up_rows), 0);
    assert_int_equal(in_child(f, be_quiet), 0);
}

static void remove_ballast(struct fixture *f) {
    char path[300];
    (void)snprintf(path, sizeof path, "%s/ballast", f->dir);
    check(!unlink(path));
}
static void fill_tmpfs(struct fixture *f) {
    char path[300];
    if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS)) _exit(77);
    (void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("none", f->dir, "tmpfs", 0, "size=6m")) _exit(77);
    set_up_rows(f);
    (void)snprintf(path, sizeof path, "%s/ballast", f->dir);
    FILE *file = fopen(path, "w");
    check(file);
    for (int i = 0; i < 1024; i++) check(fwrite(f, 1, 256, file) == 256);
    for (int i = 0; i < 15 * 1024; i++) check(fwrite(f, 1, 256, file) == 256); /* 4 MiB in all */
    check(!fclose(file));
    fill_up(f, remove_ballast);
}

static void test_full_file_system(void **state) {
    int status = in_child(*state, fill_tmpfs);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("mount namespaces are not to be had here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

#ifdef LAG_FAILPOINTS
/* The third commit of this process fails as an fsync would. Nothing after it may claim to be stored. */
static void fail_a_commit(struct fixture *f) {
    int64_t first, last;
    if (setenv("LAGD_FAILPOINTS", "store.commit_io=fail@3", 1)) _exit(3);
    check(!lag_store_open(f->dir, &f->store, &f->err));
    check(!lag_reader_open(f->dir, &f->reader, &f->err));
    check(!lag_store_write(f->store, next_step, NULL, &f->err));
    check(!lag_store_write(f->store, next_step, NULL, &f->err));
    check(lag_store_write(f->store, next_step, NULL, &f->err) == LAG_EIO);
    check(lag_store_write(f->store, next_step, NULL, &f->err) == LAG_EIO);
    check(!strncmp(f->err.text, "the database cannot be written until lagd is restarted: ", 56));
    struct lag_point point = {1, 1, 1};
    check(lag_store_points(f->store, &point, 1, &f->err) == LAG_EIO);
    check(lag_store_flush(f->store, &f->err) == LAG_EIO);
    check(!lag_event_bounds(f->reader, &first, &last, &f->err) && last == 2);
    fixture_close(f);
    check(!lag_store_open(f->dir, &f->store, &f->err));
    check(!lag_store_write(f->store, next_step, NULL, &f->err));
    lag_store_close(f->store);
}

static void test_io_error(void **state) {
    struct fixture *f = *state;
    assert_int_equal(in_child(f, set_up_rows), 0);
    assert_int_equal(in_child(f, fail_a_commit), 0);
}

/* A write whose answer never came is there whole or not at all. */
static void die_around_commit(struct fixture *f, const char *failpoint, bool is_stored) {
    struct lag_run_row before, after;
    int64_t first, events_before, events_after;
    int status;
    assert_ok(f, lag_reader_open(f->dir, &f->reader, &f->err));
    assert_ok(f, lag_run_get(f->reader, "run_1", &before, &f->err));
    assert_ok(f, lag_event_bounds(f->reader, &first, &events_before, &f->err));
    lag_reader_close(f->reader);
    f->reader = NULL;
    pid_t child = fork();
    if (child == 0) {
        if (setenv("LAGD_FAILPOINTS", failpoint, 1)) _exit(3);
        write_and_die(f);
        _exit(4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_ok(f, lag_reader_open(f->dir, &f->reader, &f->err));
    assert_ok(f, lag_run_get(f->reader, "run_1", &after, &f->err));
    assert_ok(f, lag_event_bounds(f->reader, &first, &events_after, &f->err));
    assert_int_equal(after.step - before.step, is_stored);
    assert_int_equal(events_after - events_before, is_stored);
    lag_reader_close(f->reader);
    f->reader = NULL;
}

static void test_kill_around_commit(void **state) {
    struct fixture *f = *state;
    assert_int_equal(in_child(f, set_up_rows), 0);
    for (int i = 0; i < 5; i++) {
        die_around_commit(f, "store.before_commit=kill", false);
        die_around_commit(f, "store.after_commit=kill", true);
        die_around_commit(f, "store.points_committed=kill", true);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill_after_write, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_file_size_limit, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_trouble_ends_unasked, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_full_file_system, fixture_folder, fixture_end),
#ifdef LAG_FAILPOINTS
        cmocka_unit_test_setup_teardown(test_io_error, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_kill_around_commit, fixture_folder, fixture_end),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

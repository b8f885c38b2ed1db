/* How long the store waits for a lock that another process has. */
#include "fixture.h"

#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

/* Says so once it may write, and keeps that for ever. A program of its own: after fork alone SQLite would have the
 * store's locks in memory, and for ever those that it held at that moment. */
static void hold(const char *path, int tell) {
    sqlite3 *db;
    if (sqlite3_open(path, &db) || sqlite3_busy_timeout(db, 10000) || /* the store may write at this moment */
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL))
        _exit(1);
    if (write(tell, "x", 1) != 1) _exit(2);
    for (;;) (void)pause();
}

static pid_t start_holder(struct fixture *f) {
    char path[300], byte;
    int ends[2];
    (void)snprintf(path, sizeof path, "%s/lagd.db", f->dir);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        if (dup2(ends[1], STDOUT_FILENO) < 0) _exit(3);
        (void)execl("/proc/self/exe", "holder", path, (char *)NULL);
        _exit(4);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return child;
}

static int nothing(struct lag_db *db, void *arg, struct lag_error *err) { return 0; }

static int64_t time_of_a_write(struct fixture *f, int expected) {
    int64_t began_ns = lag_clock_mono_ns();
    assert_int_equal(lag_store_write(f->store, nothing, NULL, &f->err), expected);
    return lag_clock_mono_ns() - began_ns;
}

/* In a hurry it is given up early, as what passes, and the next write after it goes well. Opening ends a hurry. */
static void test_hurry(void **state) {
    struct fixture *f = *state;
    pid_t holder = start_holder(f);
    lag_store_hurry_at(lag_clock_mono_ns());
    for (int i = 0; i < 2; i++) assert_true(time_of_a_write(f, LAG_EBUSY) < 4 * SECOND_NS);
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    (void)time_of_a_write(f, 0);
    fixture_close(f);
    fixture_open(f);
    holder = start_holder(f);
    assert_true(time_of_a_write(f, LAG_EBUSY) > 4 * SECOND_NS);
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    (void)time_of_a_write(f, 0);
}

int main(int argc, char **argv) {
    if (argc == 2) hold(argv[1], STDOUT_FILENO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hurry, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reads that the system refuses, once or for a while: they are told as what they are, tell nothing of what lies in the
 * files, and break nothing. */
#include "fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <lagd/base/check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Which reads are refused: lagd's own or SQLite's, of the file that has this end, after so many others, so many. */
enum reader { LAGD, SQLITE, N_READERS };
enum { ALWAYS = 1000000 };
static struct {
    _Atomic(enum reader) reader;
    _Atomic(const char *) end; /* the store reads by itself, too: after what failed it looks again */
    atomic_long n_before, n_left;
} refused;

static void refuse(enum reader reader, const char *end, long n_before, long n) {
    atomic_store(&refused.n_before, n_before);
    atomic_store(&refused.n_left, n);
    atomic_store(&refused.reader, reader);
    atomic_store(&refused.end, end);
}

static void refuse_none(void) { refuse(LAGD, NULL, 0, 0); }

static bool refuses(enum reader reader, int fd) {
    char link[40], path[400];
    const char *end = atomic_load(&refused.end);
    if (!end || reader != atomic_load(&refused.reader)) return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    size_t length = strlen(end);
    if (n < (ssize_t)length || strcmp(path + n - length, end) != 0) return false;
    if (atomic_fetch_sub(&refused.n_before, 1) > 0) return false;
    return atomic_fetch_sub(&refused.n_left, 1) > 0;
}

static ssize_t read_or_refuse(enum reader reader, int fd, void *data, size_t n_bytes, off64_t offset) {
    if (!refuses(reader, fd)) return syscall(SYS_pread64, fd, data, n_bytes, offset);
    errno = EIO;
    return -1;
}

/* The linker leads what is linked into this program to the first; SQLite, a library of its own, finds the second. */
ssize_t __wrap_pread64(int fd, void *data, size_t n_bytes, off64_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t n_bytes, off64_t offset) {
    return read_or_refuse(LAGD, fd, data, n_bytes, offset);
}
__attribute__((visibility("default"))) ssize_t pread64(int fd, void *data, size_t n_bytes, off64_t offset) {
    return read_or_refuse(SQLITE, fd, data, n_bytes, offset);
}

static int touch(struct lag_db *db, void *arg, struct lag_error *err) {
    static int64_t step; /* each write changes something */
    return lag_run_set_progress(db, "run_1", ++step, 1, 1, err);
}

/* As if somebody had written there: its token is read again. */
static void set_time(struct fixture *f) {
    char path[300];
    (void)snprintf(path, sizeof path, "%s/lagd.db", f->dir);
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
}

static void is_well(struct fixture *f) {
    assert_ok(f, lag_store_look(f->store, &f->err));
    write_ok(f, touch, NULL);
    assert_ok(f, lag_store_look(f->store, &f->err));
    assert_ok(f, lag_store_check(f->store, &f->err));
}

static const char *const ends[] = {"/lagd.db-wal", "/lagd.db"};

static void test_looks_and_commits(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < LAG_COUNT(ends); i++) {
        for (int n = 1; n <= 3; n++) {
            set_time(f);
            refuse(LAGD, ends[i], 0, n == 3 ? ALWAYS : n);
            is_well(f);
            is_well(f);
            assert_true(atomic_load(&refused.n_left) <= (n == 3 ? ALWAYS - 3 : 0));
            refuse_none();
            is_well(f);
        }
    }
}

/* The log is copied into the file, in part and whole, and begins anew. */
static void copy_log(struct fixture *f, int64_t series) {
    static int64_t n_points; /* each goes to another page than the one before */
    for (int round = 0; round < 10; round++) {
        struct lag_point points[4000];
        for (size_t i = 0; i < LAG_COUNT(points); i++)
            points[i] = (struct lag_point){series, n_points++ * 7919 % 1000003, 1};
        put_points(f, points, LAG_COUNT(points));
        assert_ok(f, lag_store_look(f->store, &f->err));
    }
}

static void test_copies_of_the_log(void **state) {
    struct fixture *f = *state;
    int64_t series = open_series(f, "run_1", "train/loss", true);
    for (size_t i = 0; i < LAG_COUNT(ends); i++) {
        refuse(LAGD, ends[i], 3, ALWAYS);
        for (int n = 0; n < 3; n++) copy_log(f, series);
        assert_ok(f, lag_reader_begin(f->reader, &f->err)); /* holds the log back from here on */
        struct lag_run_row row;
        assert_ok(f, lag_run_get(f->reader, "run_1", &row, &f->err));
        copy_log(f, series);
        assert_true(atomic_load(&refused.n_left) < ALWAYS - 5);
        refuse_none();
        is_well(f);
        copy_log(f, series);
        lag_reader_end(f->reader);
        copy_log(f, series);
        is_well(f);
    }
}

/* A lagd that dies while its log could not be read leaves files that the next one takes as its own. */
static void test_killed_meanwhile(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    for (size_t i = 0; i < LAG_COUNT(ends); i++) {
        pid_t child = fork();
        if (child == 0) {
            int rc = lag_store_open(f->dir, &f->store, &f->err);
            for (int n = 0; n < 6 && !rc; n++) {
                if (n == 3) refuse(LAGD, ends[i], 0, ALWAYS);
                rc = lag_store_write(f->store, touch, NULL, &f->err);
            }
            _exit(rc ? 1 : 0);
        }
        int status = 1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        fixture_open(f);
        assert_string_equal(lag_store_found(f->store), "");
        struct lag_run_row row;
        assert_ok(f, lag_run_get(f->reader, "run_1", &row, &f->err));
        assert_int_equal(row.tokens, 1);
        is_well(f);
        fixture_close(f);
    }
}

/* --- a start ----------------------------------------------------------------------------------------------------- */

/* As the daemon opens it. */
static int start(struct fixture *f) {
    int rc = lag_store_open(f->dir, &f->store, &f->err);
    if (!rc) rc = lag_reader_open(f->dir, &f->reader, &f->err);
    return rc ? rc : lag_db_check(f->reader, 60000, &f->err);
}

/* Dies with a log that is not copied. */
static void leave_a_log(struct fixture *f) {
    pid_t child = fork();
    if (child == 0) {
        int rc = lag_store_open(f->dir, &f->store, &f->err);
        for (int n = 0; n < 3 && !rc; n++) rc = lag_store_write(f->store, touch, NULL, &f->err);
        _exit(rc ? 1 : 0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Each read of a start, one after the other. */
static void test_a_start(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    leave_a_log(f);
    for (int reader = LAGD; reader < N_READERS; reader++) {
        for (size_t i = 0; i < LAG_COUNT(ends); i++) {
            int n_told = 0;
            for (long n = 0;; n++) {
                refuse((enum reader)reader, ends[i], n, 1);
                int rc = start(f);
                bool was_refused = atomic_load(&refused.n_left) < 1;
                refuse_none();
                fixture_close(f);
                if (rc != 0 && (rc != LAG_EIO || strstr(f->err.text, "backup") || strstr(f->err.text, "damaged")))
                    fail_msg("reader %d, %s, read %ld: %d: %s", reader, ends[i], n, rc, f->err.text);
                n_told += rc != 0;
                leave_a_log(f);
                if (!was_refused) break;
            }
            assert_true(n_told >= 2);
        }
    }
    assert_ok(f, start(f));
    assert_string_equal(lag_store_found(f->store), "");
    fixture_close(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_looks_and_commits, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_copies_of_the_log, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_killed_meanwhile, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_a_start, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The files under an open database are watched: one that is removed, replaced, overwritten or cut is noticed, and no
 * write is acknowledged after that. */
#include "fixture.h"
#include <fcntl.h>
#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *in_dir(const struct fixture *f, const char *name) {
    static char paths[4][400]; /* few at once */
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", f->dir, name);
    return path;
}

static int touch(struct lag_db *db, void *arg, struct lag_error *err) {
    static int64_t step; /* each write changes something */
    return lag_run_set_progress(db, "run_1", ++step, 1, 1, err);
}

static void take(struct fixture *f, const char *name) { assert_int_equal(unlink(in_dir(f, name)), 0); }

/* cp: the same inode with other contents. */
static void overwrite(struct fixture *f, const char *name, const char *with) {
    char *data;
    size_t length;
    assert_ok(f, lag_fs_read_file(in_dir(f, with), 100000000, &data, &length, &f->err));
    int fd = open(in_dir(f, name), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_ok(f, lag_fs_write_all(fd, data, length, &f->err));
    (void)close(fd);
    free(data);
}

static void replace(struct fixture *f, const char *name, const char *with) {
    take(f, name);
    int fd = open(in_dir(f, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)close(fd);
    overwrite(f, name, with);
}

static void remove_db(struct fixture *f) { take(f, "lagd.db"); }
static void remove_log(struct fixture *f) { take(f, "lagd.db-wal"); }
static void remove_index(struct fixture *f) { take(f, "lagd.db-shm"); }
static void rename_folder(struct fixture *f) {
    char to[300];
    (void)snprintf(to, sizeof to, "%s-moved", f->dir);
    assert_int_equal(rename(f->dir, to), 0);
}
static void replace_db(struct fixture *f) { replace(f, "lagd.db", "old.db"); }
static void replace_log(struct fixture *f) { replace(f, "lagd.db-wal", "old.db-wal"); }
static void overwrite_db(struct fixture *f) { overwrite(f, "lagd.db", "old.db"); }
static void overwrite_log(struct fixture *f) { overwrite(f, "lagd.db-wal", "old.db-wal"); }
static void cut_db(struct fixture *f) { assert_int_equal(truncate(in_dir(f, "lagd.db"), 0), 0); }
static void cut_log(struct fixture *f) { assert_int_equal(truncate(in_dir(f, "lagd.db-wal"), 5000), 0); }

static const struct {
    void (*harm)(struct fixture *f);
    const char *text;
    bool moved;
} harms[] = {
    {remove_db, "lagd.db was removed while", false},
    {remove_log, "lagd.db-wal was removed or replaced while", false},
    {remove_index, "lagd.db-shm was removed or replaced while", false},
    {rename_folder, "lagd.db was removed while", true},
    {replace_db, "lagd.db was replaced by another file while", false},
    {replace_log, "lagd.db-wal was removed or replaced while", false},
    {overwrite_db, "lagd.db was overwritten while", false},
    {overwrite_log, "lagd.db-wal was overwritten while", false},
    {cut_db, "lagd.db was overwritten while", false},
    {cut_log, "lagd.db-wal was cut while", false},
};

static void copy(struct fixture *f, const char *from, const char *to) {
    int fd = open(in_dir(f, from), O_RDONLY | O_CLOEXEC);
    (void)unlink(in_dir(f, to));
    assert_ok(f, lag_fs_copy(fd, in_dir(f, to), NULL, NULL, &f->err));
    (void)close(fd);
}

/* A store with an older file and log beside it, as of an earlier day, and a log with some commits. The copies are made
 * while nobody has the file open: closing one of its descriptors would drop SQLite's locks. */
static void begin(struct fixture *f) {
    fixture_open(f);
    if (!lag_fs_exists(in_dir(f, "old.db"))) {
        write_ok(f, fixture_rows, NULL);
        copy(f, "lagd.db-wal", "old.db-wal");
        fixture_close(f);
        copy(f, "lagd.db", "old.db");
        fixture_open(f);
    }
    write_ok(f, touch, NULL);
    fixture_close(f);
    fixture_open(f);
    for (int i = 0; i < 3; i++) write_ok(f, touch, NULL);
    assert_int_equal(lag_store_look(f->store, &f->err), 0);
}

/* In a process of its own: what happens to files under an open SQLite is nobody else's to clean up. */
static void harmed(struct fixture *f, size_t i, bool by_write) {
    begin(f);
    harms[i].harm(f);
    int rc = by_write ? lag_store_write(f->store, touch, NULL, &f->err) : lag_store_look(f->store, &f->err);
    if (rc != LAG_EIO || !strstr(f->err.text, harms[i].text)) fail_msg("%zu: %d: %s", i, rc, f->err.text);
    rc = lag_store_write(f->store, touch, NULL, &f->err); /* from now on none */
    if (rc != LAG_EIO || !strstr(f->err.text, harms[i].text)) fail_msg("%zu: %d: %s", i, rc, f->err.text);
    assert_int_equal(lag_store_check(f->store, &f->err), LAG_EIO);
    assert_true(lag_store_silence_ns(f->store) > 0);
    if (harms[i].moved) {
        char from[300];
        (void)snprintf(from, sizeof from, "%s-moved", f->dir);
        assert_int_equal(rename(from, f->dir), 0);
    }
    fixture_close(f);
    assert_ok(f, lag_fs_remove_tree(f->dir, &f->err));
    assert_int_equal(mkdir(f->dir, 0700), 0);
}

static void test_noticed_by_a_look(void **state) {
    for (size_t i = 0; i < LAG_COUNT(harms); i++) harmed(*state, i, false);
}

/* A commit whose log is another file may also fail by itself; what counts is that nobody is told that it succeeded. */
static void test_noticed_before_acknowledging(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < LAG_COUNT(harms); i++) {
        if (harms[i].harm == overwrite_log || harms[i].harm == cut_log || harms[i].harm == cut_db) continue;
        harmed(f, i, true);
    }
}

/* Our own copies of the log, of all kinds, are no harm. */
static void test_own_work_is_no_harm(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    write_ok(f, fixture_rows, NULL);
    int64_t id = open_series(f, "run_1", "train/loss", true);
    for (int round = 0; round < 8; round++) {
        struct lag_point points[2000];
        for (int i = 0; i < 2000; i++) points[i] = (struct lag_point){id, (i * 7919) % 50000 * 12 + round, 1};
        put_points(f, points, 2000);
        assert_ok(f, lag_store_look(f->store, &f->err));
    }
    write_ok(f, touch, NULL);
    assert_ok(f, lag_store_look(f->store, &f->err));
}

/* Another program must not copy the log, but it loses nothing by it: the store goes on. */
static void test_copied_by_another_program(void **state) {
    struct fixture *f = *state;
    begin(f);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        int result = sqlite3_open(in_dir(f, "lagd.db"), &db);
        if (!result) result = sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
        _exit(result);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(f, lag_store_look(f->store, &f->err));
    write_ok(f, touch, NULL);
    assert_ok(f, lag_store_look(f->store, &f->err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_noticed_by_a_look, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_noticed_before_acknowledging, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_own_work_is_no_harm, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_copied_by_another_program, fixture_folder, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

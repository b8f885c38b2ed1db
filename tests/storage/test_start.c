/* The log is not trusted blindly: after a kill, whatever befalls lagd.db, its log or its mark, either all that was
 * acknowledged is there or the start is refused, and recovery goes on with what is whole. */
#include "fixture.h"
#include "db_internal.h"
#include "migrate_internal.h"
#include "start_internal.h"
#include <fcntl.h>
#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_WRITES = 12, HEADER = 32, FRAME = 24 + 4096 };
static const char *const names[] = {"lagd.db", "lagd.db-wal", "lagd.db-mark"};

static char *in_dir(const struct fixture *f, const char *name) {
    static char paths[4][400]; /* one test at a time, and few at once */
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", f->dir, name);
    return path;
}

static void copy_file(const char *from, const char *to) {
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    (void)unlink(to);
    assert_true(fd >= 0);
    assert_int_equal(lag_fs_copy(fd, to, NULL, NULL, NULL), 0);
    (void)close(fd);
}

/* Keeps the three files under names with this suffix, or brings them back. */
static void keep(const struct fixture *f, const char *suffix, bool back) {
    for (size_t i = 0; i < LAG_COUNT(names); i++) {
        char kept[60];
        (void)snprintf(kept, sizeof kept, "%s%s", names[i], suffix);
        const char *from = in_dir(f, back ? kept : names[i]), *to = in_dir(f, back ? names[i] : kept);
        if (lag_fs_exists(from)) copy_file(from, to);
        else (void)unlink(to);
    }
    (void)unlink(in_dir(f, "lagd.db-shm"));
}

static int add_tokens(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_run_set_progress(db, "run_1", 7, *(int *)arg, 1, err);
}

/* A process that commits n writes, the last of which sets the run's tokens to first + n - 1, and is killed. */
static void write_and_die(struct fixture *f, int first, int n) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct lag_store *store;
        if (lag_store_open(f->dir, &store, &f->err)) _exit(1);
        for (int i = first; i < first + n; i++)
            if (lag_store_write(store, add_tokens, &i, &f->err)) _exit(2);
        (void)raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

/* Rows were acknowledged up to tokens = 1 + N_WRITES. */
static int killed(void **state) {
    (void)fixture_store(state);
    struct fixture *f = *state;
    fixture_close(f);
    keep(f, ".old", false);
    write_and_die(f, 2, N_WRITES);
    keep(f, ".new", false);
    return 0;
}

static int64_t tokens(struct fixture *f) {
    struct lag_run_row row;
    fixture_open(f);
    assert_ok(f, lag_run_get(f->reader, "run_1", &row, &f->err));
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
    fixture_close(f);
    return row.tokens;
}

static bool is_refused(struct fixture *f, const char *why) {
    int rc = lag_store_open(f->dir, &f->store, &f->err);
    if (rc == 0) return false;
    if (rc != LAG_ECORRUPT || !strstr(f->err.text, why) || !strstr(f->err.text, "'lagd recover'"))
        fail_msg("%d: %s", rc, f->err.text);
    return true;
}

static void flip(const char *path, int64_t at, int bit) {
    unsigned char byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (unsigned char)(1 << bit);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static void recover(struct fixture *f, const char *said) {
    char *text = NULL;
    assert_ok(f, lag_store_recover(f->dir, &text, &f->err));
    if (!strstr(text, said)) fail_msg("%s", text);
    free(text);
}

/* Every field of every frame's header and of the log's, and places in the pages. */
static void test_flipped_bits(void **state) {
    struct fixture *f = *state;
    struct stat log;
    int n_refused = 0, n_tries = 0;
    assert_int_equal(stat(in_dir(f, "lagd.db-wal"), &log), 0);
    for (int64_t at = 0; at < log.st_size; at += at < HEADER ? 5 : (at - HEADER) % FRAME < 24 ? 5 : 1367) {
        keep(f, ".new", true);
        flip(in_dir(f, "lagd.db-wal"), at, (int)(at % 8));
        n_tries++;
        if (is_refused(f, "acknowledged")) {
            n_refused++;
            continue;
        }
        fixture_close(f);
        assert_int_equal(tokens(f), 1 + N_WRITES);
    }
    assert_true(n_tries > 60);
    assert_int_equal(n_refused, n_tries); /* all of this log was acknowledged */
}

/* Without the mark (of an earlier lagd, or unreadable) the log is still judged by itself: two commits behind a bad
 * frame are damage; one may be what a power cut left of a commit that nobody was told of. */
static void test_flipped_bits_without_mark(void **state) {
    struct fixture *f = *state;
    struct stat log;
    assert_int_equal(stat(in_dir(f, "lagd.db-wal"), &log), 0);
    int64_t n_frames = (log.st_size - HEADER) / FRAME;
    for (int kind = 0; kind < 3; kind++) {
        keep(f, ".new", true);
        if (kind == 0) assert_int_equal(unlink(in_dir(f, "lagd.db-mark")), 0);
        else flip(in_dir(f, "lagd.db-mark"), 30 * kind, 1);
        flip(in_dir(f, "lagd.db-wal"), HEADER + 4 * FRAME + 700, 3);
        assert_true(is_refused(f, "commits lie behind it"));
    }
    keep(f, ".new", true);
    assert_int_equal(unlink(in_dir(f, "lagd.db-mark")), 0);
    flip(in_dir(f, "lagd.db-wal"), HEADER + (n_frames - 1) * FRAME + 700, 3);
    fixture_open(f);
    assert_non_null(strstr(lag_store_found(f->store), "as a power cut leaves it"));
    fixture_close(f);
    assert_int_equal(tokens(f), N_WRITES);
}

static void test_recovery(void **state) {
    struct fixture *f = *state;
    char *text = NULL;
    flip(in_dir(f, "lagd.db-wal"), HEADER + 6 * FRAME + 100, 0);
    assert_true(is_refused(f, "acknowledged"));
    assert_true(is_refused(f, "acknowledged")); /* the refusal changed nothing */
    recover(f, "The log is used up to its damage.");
    int64_t left = tokens(f);
    assert_true(left > 1 && left < 1 + N_WRITES);
    assert_ok(f, lag_store_recover(f->dir, &text, &f->err));
    assert_non_null(strstr(text, "nothing to recover"));
    free(text);
}

/* The case that is the worst of all: a part of the log was copied into the file, and the damage lies before its end. To
 * go on with what stands before the damage would put old pages over new ones. */
static void test_damage_in_the_copied_part(void **state) {
    struct fixture *f = *state;
    struct lag_start start;
    struct lag_facts facts = {.db_bytes = 40960, .token = {.now = "b"}, .has_mark = true, .same_boot = true,
        .log = {.has_header = true, .salts = {1, 2}, .n_frames = 30, .n_behind = 9},
        .mark = {.file = "b", .newest = "c", .salts = {1, 2}, .n_frames = 100, .n_copied = 50}};
    lag_start_judge(&facts, &start);
    assert_int_equal(start.finding, LAG_START_DAMAGED);
    assert_true(start.sets_log_aside);
    facts.log.n_frames = 60;
    lag_start_judge(&facts, &start);
    assert_int_equal(start.finding, LAG_START_DAMAGED);
    assert_false(start.sets_log_aside);
    facts.log.n_frames = 100; /* what lies behind was never acknowledged */
    lag_start_judge(&facts, &start);
    assert_int_equal(start.finding, LAG_START_GOOD);
    facts.same_boot = false; /* the mark may be older than the log */
    lag_start_judge(&facts, &start);
    assert_int_equal(start.finding, LAG_START_DAMAGED);
    (void)f;
}

static void test_old_file_beside_new_log(void **state) {
    struct fixture *f = *state;
    for (int has_mark = 1; has_mark >= 0; has_mark--) {
        keep(f, ".new", true);
        copy_file(in_dir(f, "lagd.db.old"), in_dir(f, "lagd.db"));
        if (!has_mark) assert_int_equal(unlink(in_dir(f, "lagd.db-mark")), 0);
        /* The file that the log went on from is the old one: they belong together. */
        assert_int_equal(tokens(f), 1 + N_WRITES);
    }
    /* A day later they do not. */
    keep(f, ".new", true);
    assert_int_equal(tokens(f), 1 + N_WRITES);
    write_and_die(f, 100, 3);
    keep(f, ".later", false);
    for (int has_mark = 1; has_mark >= 0; has_mark--) {
        keep(f, ".later", true);
        copy_file(in_dir(f, "lagd.db.old"), in_dir(f, "lagd.db"));
        if (!has_mark) assert_int_equal(unlink(in_dir(f, "lagd.db-mark")), 0);
        assert_true(is_refused(f, "written for another lagd.db"));
        recover(f, "The log is not used: it is now lagd.db-wal.set-aside-");
        assert_int_equal(tokens(f), 5120); /* as the backup has it */
    }
}

static void test_old_log_beside_new_file(void **state) {
    struct fixture *f = *state;
    assert_int_equal(tokens(f), 1 + N_WRITES); /* ends in order, the log is empty */
    write_and_die(f, 100, 3);
    assert_int_equal(tokens(f), 102);
    copy_file(in_dir(f, "lagd.db-wal.new"), in_dir(f, "lagd.db-wal"));
    assert_true(is_refused(f, "written for another lagd.db"));
    recover(f, "The log is not used");
    assert_int_equal(tokens(f), 102);
}

static void test_log_is_gone(void **state) {
    struct fixture *f = *state;
    for (int kind = 0; kind < 3; kind++) {
        keep(f, ".new", true);
        int rc = kind == 0   ? unlink(in_dir(f, "lagd.db-wal"))
                 : kind == 1 ? truncate(in_dir(f, "lagd.db-wal"), 0)
                             : truncate(in_dir(f, "lagd.db-wal"), HEADER + 3 * FRAME + 100);
        assert_int_equal(rc, 0);
        assert_true(is_refused(f, "acknowledged"));
        recover(f, "is whole");
        assert_true(tokens(f) != 1 + N_WRITES);
    }
}

/* Not refused, but told: people put backups back, and start anew. */
static void test_told(void **state) {
    struct fixture *f = *state;
    assert_int_equal(tokens(f), 1 + N_WRITES);
    copy_file(in_dir(f, "lagd.db.old"), in_dir(f, "lagd.db"));
    fixture_open(f);
    assert_non_null(strstr(lag_store_found(f->store), "is not the one that lagd wrote last"));
    fixture_close(f);
    assert_int_equal(tokens(f), 5120);
    keep(f, ".new", true);
    assert_int_equal(unlink(in_dir(f, "lagd.db")), 0);
    fixture_open(f);
    assert_non_null(strstr(lag_store_found(f->store), "lagd.db is gone: a new one is begun"));
    fixture_close(f);
    fixture_open(f);
    assert_string_equal(lag_store_found(f->store), "");
}

/* SQLite's shell, say, opens the file after a crash: it copies the log and removes it. Nothing is lost. */
static void test_copied_by_another_program(void **state) {
    struct fixture *f = *state;
    run_sql(f, "UPDATE runs SET step = step");
    assert_false(lag_fs_exists(in_dir(f, "lagd.db-wal")));
    fixture_open(f);
    assert_string_equal(lag_store_found(f->store), "");
    fixture_close(f);
    assert_int_equal(tokens(f), 1 + N_WRITES);
}

/* The file and the log as a kill right after the migrations leaves them: no token in the file yet. */
static void make_first_log(struct fixture *f) {
    struct lag_db *db;
    for (size_t i = 0; i < LAG_COUNT(names); i++) (void)unlink(in_dir(f, names[i]));
    pid_t child = fork();
    if (child == 0) {
        int rc = lag_db_open(f->dir, LAG_DB_WRITER, &db, &f->err);
        if (!rc) rc = lag_schema_migrate(db, lag_migrations, lag_n_migrations, &f->err);
        _exit(rc != 0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(lag_store_wal_bytes(f->dir) > 0);
}

/* Killed at each commit of the first start, and with the log half copied: the next start is not refused. */
static void test_kills_at_the_first_start(void **state) {
    struct fixture *f = *state;
    for (int n = 1; n <= 4; n++) {
        pid_t child = fork();
        if (child == 0) {
            (void)lag_store_open(f->dir, &f->store, &f->err);
            _exit(0); /* without its close */
        }
        assert_int_equal(waitpid(child, NULL, 0), child);
        fixture_open(f);
        assert_string_equal(lag_store_found(f->store), "");
        if (n == 1) write_ok(f, fixture_rows, NULL);
        fixture_close(f);
    }
    /* With the log uncopied: no token in the file yet. */
    make_first_log(f);
    fixture_open(f);
    assert_string_equal(lag_store_found(f->store), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flipped_bits, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_flipped_bits_without_mark, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_recovery, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_damage_in_the_copied_part, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_old_file_beside_new_log, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_old_log_beside_new_file, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_log_is_gone, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_told, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_copied_by_another_program, killed, fixture_end),
        cmocka_unit_test_setup_teardown(test_kills_at_the_first_start, fixture_folder, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

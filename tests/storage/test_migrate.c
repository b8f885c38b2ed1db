/* Opening: what is refused, with which words; what is upgraded, and that a failed upgrade changes nothing. */
#include "fixture.h"
#include "db_internal.h"
#include "migrate_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/storage/keys.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The newest schema and the one after it; test_new compares. */
#define NEWEST "29"
#define NEXT "30"

static char *in_dir(const struct fixture *f, const char *name) {
    static char path[400]; /* one test at a time */
    (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return path;
}

static void sha_of_file(const struct fixture *f, char *ret) {
    assert_int_equal(lag_sha256_file(in_dir(f, "lagd.db"), ret, NULL), 0);
}

/* Opening fails with this code and text ("%s" stands for the folder), and the file stays as it was. */
static void expect_refusal(struct fixture *f, int code, const char *format) {
    char expected[800], before[LAG_SHA256_HEX] = "", after[LAG_SHA256_HEX] = "";
    size_t n = 0;
    for (const char *at = format; *at && n < sizeof expected - sizeof f->dir; at++) {
        if (at[0] == '%' && at[1] == 's') n += (size_t)snprintf(expected + n, sizeof expected - n, "%s", f->dir), at++;
        else expected[n++] = *at;
    }
    expected[n] = '\0';
    bool exists = lag_fs_exists(in_dir(f, "lagd.db"));
    if (exists) sha_of_file(f, before);
    assert_int_equal(lag_store_open(f->dir, &f->store, &f->err), code);
    assert_string_equal(f->err.text, expected);
    assert_null(f->store);
    if (exists) sha_of_file(f, after);
    assert_string_equal(before, after);
}

static void test_new(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(lag_n_migrations, atoi(NEWEST));
    assert_int_equal(atoi(NEXT), atoi(NEWEST) + 1);
    assert_int_equal(lag_db_schema_version(f->reader), lag_n_migrations);
    int64_t n;
    assert_ok(f, lag_db_integer(f->reader, "SELECT count(*) FROM schema_history WHERE program = '" LAGD_VERSION
        "' AND length(sha256) = 64 AND applied_ms > 0", &n, &f->err));
    assert_int_equal(n, lag_n_migrations);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
    assert_true(lag_store_db_bytes(f->dir) > 0);
    fixture_close(f);
    assert_int_equal(lag_store_wal_bytes(f->dir), 0);
    fixture_open(f); /* nothing to do the second time */
    assert_ok(f, lag_db_integer(f->reader, "SELECT count(*) FROM schema_history", &n, &f->err));
    assert_int_equal(n, lag_n_migrations);
    assert_false(lag_fs_exists(in_dir(f, "lagd.db.schema-1")));
}

static void test_blank_file(void **state) {
    struct fixture *f = *state;
    assert_ok(f, lag_fs_write_file(f->dir, "lagd.db", "", 0, &f->err)); /* as a power cut may leave it */
    fixture_open(f);
    assert_int_equal(lag_db_schema_version(f->reader), lag_n_migrations);
}

static void test_newer(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    run_sql(f, "PRAGMA user_version = 99; INSERT INTO schema_history VALUES (99, '7.1.0', 'x', 1)");
    expect_refusal(f, LAG_EVERSION, "%s/lagd.db has schema 99, written by lagd 7.1.0, but this is lagd " LAGD_VERSION
        ", which knows schemas up to " NEWEST ": start that lagd again, or restore the copy made before the upgrade");
    struct lag_db *reader;
    assert_int_equal(lag_reader_open(f->dir, &reader, &f->err), LAG_EVERSION);
}

static void test_edited_migration(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    run_sql(f, "UPDATE schema_history SET sha256 = 'x'");
    expect_refusal(f, LAG_ECORRUPT, "%s/lagd.db: the history row of schema 1 does not match this lagd " LAGD_VERSION
        " (written by an unreleased build?): use the lagd that wrote it, or another state directory");
}

static void test_foreign(void **state) {
    struct fixture *f = *state;
    run_sql(f, "CREATE TABLE t (a); PRAGMA application_id = 17; PRAGMA user_version = 1");
    expect_refusal(f, LAG_ECORRUPT,
                   "%s/lagd.db belongs to another program (application_id 0x00000011, not 0x6c616764): "
        "move it away, or choose another state directory");
}

/* SQLite databases of programs that set no mark. */
static void test_foreign_without_mark(void **state) {
    struct fixture *f = *state;
    static const char refusal[] = "%s/lagd.db belongs to another program (application_id 0x00000000, not 0x6c616764): "
        "move it away, or choose another state directory";
    run_sql(f, "CREATE TABLE t (a)");
    expect_refusal(f, LAG_ECORRUPT, refusal);
    run_sql(f, "DROP TABLE t; PRAGMA user_version = 1");
    expect_refusal(f, LAG_ECORRUPT, refusal);
}

/* One row a schema, numbered without gaps: anything else is another program's doing. */
static void test_history(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    static const char *const changes[] = {
        "DELETE FROM schema_history WHERE version = 1",
        "INSERT INTO schema_history SELECT 1, program, sha256, applied_ms FROM schema_history WHERE version = 2; "
        "INSERT INTO schema_history VALUES (" NEXT ", '1', 'x', 1)",
        "DELETE FROM schema_history WHERE version >= " NEWEST,
    };
    for (size_t i = 0; i < LAG_COUNT(changes); i++) {
        run_sql(f, changes[i]);
        assert_int_equal(lag_store_open(f->dir, &f->store, &f->err), LAG_ECORRUPT);
        assert_non_null(strstr(f->err.text, ": the history row of schema "));
    }
}

static void test_garbage(void **state) {
    struct fixture *f = *state;
    char noise[5000];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)(i * 131 + 7);
    assert_ok(f, lag_fs_write_file(f->dir, "lagd.db", noise, sizeof noise, &f->err));
    expect_refusal(f, LAG_ECORRUPT, "%s/lagd.db is not a SQLite database: restore it from a backup, or move it away to "
        "start anew");
}

static void test_truncated(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    struct stat st;
    assert_int_equal(stat(in_dir(f, "lagd.db"), &st), 0);
    assert_int_equal(truncate(in_dir(f, "lagd.db"), st.st_size - 4096), 0);
    expect_refusal(f, LAG_ECORRUPT, "%s/lagd.db is damaged or cut short: restore it from a backup, or move it away to "
        "start anew");
    static const off_t lengths[] = {4096, 3000, 512, 100, 2};
    for (size_t i = 0; i < LAG_COUNT(lengths); i++) {
        assert_int_equal(truncate(in_dir(f, "lagd.db"), lengths[i]), 0);
        assert_int_equal(lag_store_open(f->dir, &f->store, &f->err), LAG_ECORRUPT);
    }
}

/* Where the schema is told cannot be read: it does not even open. */
static void test_damaged_history(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    damage_root_page(f, "schema_history");
    char before[LAG_SHA256_HEX], after[LAG_SHA256_HEX];
    sha_of_file(f, before);
    assert_int_equal(lag_store_open(f->dir, &f->store, &f->err), LAG_ECORRUPT);
    assert_null(f->store);
    sha_of_file(f, after);
    assert_string_equal(before, after);
}

/* Rows cannot be read: it opens, whoever asks for them is told, and the check finds it. */
static void test_damaged_rows(void **state) {
    struct fixture *f = *state;
    fixture_open(f);
    write_ok(f, fixture_rows, NULL);
    fixture_close(f);
    damage_root_page(f, "runs");
    fixture_open(f);
    struct lag_run_row row;
    struct lag_dataset_row dataset;
    assert_int_equal(lag_run_get(f->reader, "run_1", &row, &f->err), LAG_ECORRUPT);
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &dataset, &f->err)); /* what is good stays readable */
    assert_int_equal(lag_db_check(f->reader, 0, &f->err), LAG_ECORRUPT);
}

static void test_missing(void **state) {
    struct fixture *f = *state;
    struct lag_store *store = NULL;
    struct lag_db *reader = NULL;
    char expected[400];
    assert_int_equal(lag_store_open(in_dir(f, "nowhere"), &store, &f->err), LAG_ENOTFOUND);
    (void)snprintf(expected, sizeof expected, "the state directory %s/nowhere: No such file or directory", f->dir);
    assert_string_equal(f->err.text, expected);
    assert_int_equal(lag_reader_open(f->dir, &reader, &f->err), LAG_ENOTFOUND);
    (void)snprintf(expected, sizeof expected, "the database %s/lagd.db: No such file or directory", f->dir);
    assert_string_equal(f->err.text, expected);
    assert_ok(f, lag_fs_write_file(f->dir, "file", "x", 1, &f->err));
    assert_int_equal(lag_store_open(in_dir(f, "file"), &store, &f->err), LAG_EINVAL);
    (void)snprintf(expected, sizeof expected, "the state directory %s/file is not a directory", f->dir);
    assert_string_equal(f->err.text, expected);
    assert_int_equal(mkdir(in_dir(f, "lagd.db"), 0700), 0);
    assert_int_equal(lag_store_open(f->dir, &store, &f->err), LAG_EINVAL);
    (void)snprintf(expected, sizeof expected, "%s/lagd.db is not a regular file", f->dir);
    assert_string_equal(f->err.text, expected);
}

/* In a child that is nobody: root may write everywhere. */
static void test_read_only(void **state) {
    struct fixture *f = *state;
    char expected[400];
    assert_int_equal(chmod(f->dir, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        struct lag_store *store;
        if (geteuid() == 0 && (setgid(65534) || setuid(65534))) _exit(77);
        (void)snprintf(expected, sizeof expected, "cannot write in the state directory %s: Permission denied", f->dir);
        int rc = lag_store_open(f->dir, &store, &f->err);
        _exit(rc == LAG_EDENIED && !strcmp(f->err.text, expected) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(f->dir, 0755), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_int_equal(status, 0);
}

static const char good_next[] =
    "ALTER TABLE runs ADD COLUMN note TEXT; CREATE TABLE tags (run_id TEXT NOT NULL) STRICT;";
static const char bad_next[] = "ALTER TABLE runs ADD COLUMN note TEXT; CREATE TABLE runs (x);";
static const char orphan_next[] = "DELETE FROM datasets;";

/* All migrations that there are, and one more. */
static int migrate_further(struct fixture *f, const char *sql) {
    struct lag_migration all[32];
    assert_true(lag_n_migrations < (int)LAG_COUNT(all));
    memcpy(all, lag_migrations, (size_t)lag_n_migrations * sizeof all[0]);
    all[lag_n_migrations] = (struct lag_migration){lag_n_migrations + 1, "00" NEXT "_test", sql};
    struct lag_db *db;
    assert_ok(f, lag_db_open(f->dir, LAG_DB_WRITER, &db, &f->err));
    int rc = lag_schema_migrate(db, all, lag_n_migrations + 1, &f->err);
    int64_t keys = 0;
    assert_int_equal(lag_db_integer(db, "PRAGMA foreign_keys", &keys, NULL), 0);
    assert_int_equal(keys, 1);
    lag_db_close(db);
    return rc;
}

static void test_golden(void **state) {
    struct fixture *f = *state;
    make_old(f, 1);
    fixture_open(f);
    struct lag_run_row run;
    struct lag_growth_row growth;
    struct lag_candidate_row candidate;
    struct lag_decision_row decision;
    struct lag_checkpoint_row checkpoint;
    struct lag_series_row series;
    assert_ok(f, lag_run_get(f->reader, "first", &run, &f->err));
    assert_true(run.revision == 7 && run.max_steps == 600);
    assert_string_equal(run.config, "schedule/max_steps=600");
    assert_ok(f, lag_growth_get(f->reader, "gr_1", &growth, &f->err));
    assert_true(growth.parent_loss == 2.5 && growth.eval_sequences == 32 && growth.eval_stride == 1);
    assert_ok(f, lag_candidate_get(f->reader, "cand_1", &candidate, &f->err));
    assert_true(candidate.loss_at_lag == 2.25 && candidate.number == 1);
    assert_ok(f, lag_decision_get(f->reader, "gr_1", &decision, &f->err));
    assert_true(decision.lag_short && !decision.tied && isnan(decision.tau_0));
    assert_string_equal(decision.basis, "provisional"); /* of before: never verified */
    assert_string_equal(decision.tied_set, decision.pick_at_lag);
    assert_true(decision.short_by == 0 && isnan(decision.p_now) && isnan(decision.gain));
    assert_ok(f, lag_checkpoint_latest(f->reader, "run_1", &checkpoint, &f->err));
    assert_string_equal(checkpoint.id, "ckpt_1");
    assert_ok(f, lag_series_find(f->reader, "run_1", "train/loss", &series, &f->err));
    put_points(f, (struct lag_point[]){{series.id, 1, 5.5}, {series.id, 2, NAN}, {series.id, 3, 4.75}}, 3);
    int64_t first, last;
    assert_ok(f, lag_event_bounds(f->reader, &first, &last, &f->err));
    assert_true(first == 1 && last == 1); /* equal: no mismatch */
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

static int put_key(struct lag_db *db, void *arg, struct lag_error *err) { return lag_key_put(db, arg, "{}", err); }

/* From the schema of 0.1.0 to the newest: the tables that came are there and work, and the copy is as it was. */
static void test_upgrade_of_golden(void **state) {
    struct fixture *f = *state;
    int64_t n = 0;
    make_old(f, 1);
    fixture_open(f);
    assert_int_equal(lag_db_schema_version(f->reader), lag_n_migrations);
    assert_ok(f, lag_db_integer(f->reader, "SELECT count(*) FROM idempotency", &n, &f->err));
    assert_int_equal(n, 0);
    struct lag_key_row row = {.key = "k", .fingerprint = "f", .resource = "run_1", .status = 201}, found;
    write_ok(f, put_key, &row);
    assert_int_equal(lag_key_find(f->reader, "k", 0, &found, NULL, &f->err), 1);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
    fixture_close(f);
    sqlite3 *copy;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(in_dir(f, "lagd.db.schema-1"), &copy, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(copy, "SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'idempotency'), "
        "(SELECT max(version) FROM schema_history), (SELECT count(*) FROM runs)", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 0);
    assert_int_equal(sqlite3_column_int(stmt, 1), 1);
    assert_int_equal(sqlite3_column_int(stmt, 2), 1);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(copy);
    fixture_open(f); /* nothing to do the second time */
    assert_int_equal(lag_key_find(f->reader, "k", 0, &found, NULL, &f->err), 1);
}

static void test_upgrade(void **state) {
    struct fixture *f = *state;
    int64_t n = 0;
    make_old(f, 1);
    assert_ok(f, migrate_further(f, good_next));
    struct lag_db *db;
    assert_ok(f, lag_db_open(f->dir, LAG_DB_READER, &db, &f->err));
    assert_int_equal(lag_db_schema_version(db), lag_n_migrations + 1);
    assert_ok(f, lag_db_integer(db, "SELECT count(*) FROM schema_history", &n, &f->err));
    assert_int_equal(n, lag_n_migrations + 1);
    assert_ok(f, lag_db_integer(db, "SELECT step FROM runs WHERE note IS NULL", &n, &f->err));
    assert_int_equal(n, 5);
    lag_db_close(db);
    expect_refusal(f, LAG_EVERSION, "%s/lagd.db has schema " NEXT ", written by lagd " LAGD_VERSION
        ", but this is lagd " LAGD_VERSION ", which knows schemas up to " NEWEST
        ": start that lagd again, or restore the copy made before the upgrade");
    /* The copy made before is schema 1 and opens again, by way of its own upgrade. */
    char copy[400];
    (void)snprintf(copy, sizeof copy, "%s", in_dir(f, "lagd.db.schema-1"));
    assert_int_equal(remove(in_dir(f, "lagd.db-wal")), 0);
    assert_int_equal(rename(copy, in_dir(f, "lagd.db")), 0);
    fixture_open(f);
    struct lag_run_row run;
    assert_ok(f, lag_run_get(f->reader, "run_1", &run, &f->err));
}

static void test_failed_upgrade(void **state) {
    struct fixture *f = *state;
    make_old(f, 1);
    assert_int_equal(migrate_further(f, bad_next), LAG_EINTERNAL);
    assert_memory_equal(f->err.text, "schema " NEXT " (00" NEXT "_test) was not applied, nothing changed: ", 54);
    assert_int_equal(migrate_further(f, orphan_next), LAG_ECORRUPT);
    assert_string_equal(f->err.text, "schema " NEXT " (00" NEXT "_test) was not applied, nothing changed: "
        "1 rows refer to missing ones");
    fixture_open(f); /* those before the failed one hold */
    assert_int_equal(lag_db_schema_version(f->reader), lag_n_migrations);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_blank_file, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_newer, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_edited_migration, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_foreign, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_foreign_without_mark, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_history, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_garbage, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_truncated, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_damaged_history, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_damaged_rows, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_missing, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_read_only, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_golden, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_upgrade_of_golden, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_upgrade, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_failed_upgrade, fixture_folder, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

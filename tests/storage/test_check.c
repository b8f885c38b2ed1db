/* The check of the file: each kind of damage is found, a good file is good, and time that is up is told. */
#include "fixture.h"
#include <lagd/base/check.h>
#include <stdio.h>
#include <string.h>

#define SHORT_MS 60000 /* a bound that no test reaches */
#define ADVICE ": copy the state directory, then restore lagd.db from a backup, or begin in another state directory"

/* Closes the store, changes the file through SQLite without any guard, and opens a reader. */
static void damage_by(struct fixture *f, const char *sql) {
    fixture_close(f);
    run_sql(f, sql);
    assert_ok(f, lag_reader_open(f->dir, &f->reader, &f->err));
}

static void expect_damage(struct fixture *f, int64_t budget_ms, const char *what) {
    char expected[700];
    (void)snprintf(expected, sizeof expected, "%s/lagd.db is damaged (%s)" ADVICE, f->dir, what);
    assert_int_equal(lag_db_check(f->reader, budget_ms, &f->err), LAG_ECORRUPT);
    assert_string_equal(f->err.text, expected);
}

static void test_good(void **state) {
    struct fixture *f = *state;
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
    assert_ok(f, lag_db_check(f->reader, SHORT_MS, &f->err));
}

/* A row refers to one that is not there. */
static void test_missing_parent(void **state) {
    struct fixture *f = *state;
    damage_by(f, "PRAGMA foreign_keys = OFF; DELETE FROM datasets");
    expect_damage(f, 0, "PRAGMA foreign_key_check: runs");
    expect_damage(f, SHORT_MS, "PRAGMA foreign_key_check: runs");
}

/* A value that its column does not allow: the quick check reads every row. */
static void test_null_in_row(void **state) {
    struct fixture *f = *state;
    damage_by(f, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'reason        TEXT', "
              "'reason        TEXT NOT NULL') WHERE name = 'runs'; UPDATE runs SET reason = NULL");
    expect_damage(f, 0, "PRAGMA integrity_check(1): NULL value in runs.reason");
    expect_damage(f, SHORT_MS, "PRAGMA quick_check(1): NULL value in runs.reason");
}

/* An index that does not hold a row of its table: only the check without a bound compares them. */
static void test_index_without_row(void **state) {
    struct fixture *f = *state;
    damage_by(f, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '(dataset_id)', "
              "'(dataset_id) WHERE dataset_id = ''x''') WHERE name = 'runs_by_dataset'; "
              "PRAGMA writable_schema = RESET; UPDATE runs SET dataset_id = 'ds_2'; "
              "INSERT INTO datasets (id, name, origin, path, format, n_bytes, n_tokens, max_id, vocab_size, sha256, "
              "created_ms) SELECT 'ds_2', 'other', origin, path, format, "
              "n_bytes, n_tokens, max_id, vocab_size, sha256, created_ms FROM datasets; PRAGMA writable_schema = ON; "
              "UPDATE sqlite_schema SET sql = replace(sql, ' WHERE dataset_id = ''x''', '') "
              "WHERE name = 'runs_by_dataset'");
    expect_damage(f, 0, "PRAGMA integrity_check(1): row 1 missing from index runs_by_dataset");
    assert_ok(f, lag_db_check(f->reader, SHORT_MS, &f->err));
}

/* Bytes of a page are overwritten: SQLite cannot even follow the tree. */
static void test_page(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    damage_root_page(f, "candidates");
    assert_ok(f, lag_reader_open(f->dir, &f->reader, &f->err));
    assert_int_equal(lag_db_check(f->reader, 0, &f->err), LAG_ECORRUPT);
    assert_non_null(strstr(f->err.text, "lagd.db is damaged (PRAGMA integrity_check(1): "));
    assert_int_equal(lag_db_check(f->reader, SHORT_MS, &f->err), LAG_ECORRUPT);
    assert_non_null(strstr(f->err.text, "lagd.db is damaged (PRAGMA quick_check(1): "));
    assert_non_null(strstr(f->err.text, ADVICE));
}

/* More points than a millisecond reads: told by 1, and the connection is as good as before. */
static void test_time_is_up(void **state) {
    struct fixture *f = *state;
    int64_t id = open_series(f, "run_1", "train/loss", true);
    char sql[300];
    (void)snprintf(sql, sizeof sql, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n LIMIT 300000) "
                   "INSERT INTO points SELECT %lld, i, i * 0.5 FROM n", (long long)id);
    damage_by(f, sql);
    assert_int_equal(lag_db_check(f->reader, 1, &f->err), 1);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
    struct lag_run_row run;
    assert_ok(f, lag_run_get(f->reader, "run_1", &run, &f->err));
}

static int move_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_growth_set_state(db, "gr_1", "probing", "", err);
}

static int move_run(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_run_set_state(db, "run_1", "paused", "", err);
}

/* Damage that a write meets while the store is open is nobody's fault: told as a device that fails, and nothing is
 * written after it. */
static void test_damage_under_an_open_store(void **state) {
    struct fixture *f = *state;
    fixture_close(f);
    damage_root_page(f, "growths");
    fixture_open(f);
    write_ok(f, move_run, NULL);
    assert_int_equal(lag_store_write(f->store, move_growth, NULL, &f->err), LAG_EIO);
    assert_non_null(strstr(f->err.text, "the database is damaged: stop lagd, copy the state directory, and restore"));
    assert_int_equal(lag_store_write(f->store, move_run, NULL, &f->err), LAG_EIO);
    assert_non_null(strstr(f->err.text, "until lagd is restarted: the database is damaged"));
    assert_int_equal(lag_store_check(f->store, &f->err), LAG_EIO);
    assert_int_equal(lag_store_look(f->store, &f->err), 0); /* the files are lagd's own all the same */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_missing_parent, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_null_in_row, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_index_without_row, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_page, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_time_is_up, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_damage_under_an_open_store, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

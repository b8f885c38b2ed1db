/* The statement layer refuses what a caller does wrong, and what it reads cannot shift. */
#include "fixture.h"
#include "table_internal.h"
#include <lagd/base/check.h>
#include <math.h>
#include <string.h>

static void test_bind_and_read(void **state) {
    struct fixture *f = *state;
    static const char sql[] = "SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d";
    struct lag_stmt *stmt, *again;
    char text[8];
    assert_ok(f, lag_stmt_open(f->reader, sql, &stmt, &f->err));
    lag_bind_i64(stmt, INT64_MIN);
    lag_bind_real(stmt, 0.1);
    lag_bind_text(stmt, "");
    lag_bind_real(stmt, NAN);
    assert_int_equal(lag_stmt_step(stmt, &f->err), 1);
    assert_true(isnan(lag_col_real(stmt, "d")) && lag_col_real(stmt, "b") == 0.1 && lag_col_i64(stmt,
                                                                                                "a") == INT64_MIN);
    lag_col_text(stmt, "c", text, sizeof text);
    assert_string_equal(text, "");
    /* In use: the same text is prepared a second time; free: it is found again. */
    assert_ok(f, lag_stmt_open(f->reader, sql, &again, &f->err));
    assert_ptr_not_equal(stmt, again);
    lag_stmt_close(again);
    lag_stmt_close(stmt);
    assert_ok(f, lag_stmt_open(f->reader, sql, &again, &f->err));
    assert_ptr_equal(stmt, again);
    lag_stmt_close(again);
    lag_stmt_close(NULL);
}

static void test_unbound(void **state) {
    struct fixture *f = *state;
    static const char sql[] = "SELECT ? AS a, ? AS b";
    struct lag_stmt *stmt;
    assert_ok(f, lag_stmt_open(f->reader, sql, &stmt, &f->err));
    lag_bind_i64(stmt, 1);
    assert_int_equal(lag_stmt_step(stmt, &f->err), LAG_EINTERNAL);
    assert_string_equal(f->err.text, "a parameter was left unbound in: SELECT ? AS a, ? AS b");
    lag_stmt_close(stmt);
    assert_ok(f, lag_stmt_open(f->reader, sql, &stmt, &f->err));
    for (int i = 0; i < 3; i++) lag_bind_i64(stmt, 1);
    assert_int_equal(lag_stmt_run(stmt, &f->err), LAG_EINTERNAL);
    assert_false(stmt->busy);
}

struct pair {
    int64_t a;
    bool b;
};

static void test_columns_by_name(void **state) {
    struct fixture *f = *state;
    static const char sql[] = "SELECT 1 AS b, 2 AS a", missing[] = "SELECT 1 AS b", bad[] = "SELECT :b AS b, :a AS a";
    static const struct lag_column rows[] = {LAG_COLUMN(struct pair, a) LAG_COLUMN(struct pair, b)};
    static const struct lag_columns columns = LAG_COLUMNS(rows);
    struct pair pair;
    struct lag_stmt *stmt;
    assert_ok(f, lag_stmt_open(f->reader, sql, &stmt, &f->err));
    assert_int_equal(lag_row_one(stmt, columns, &pair, &f->err), 1);
    assert_true(pair.a == 2 && pair.b);
    pair.b = false;
    assert_ok(f, lag_stmt_open(f->reader, missing, &stmt, &f->err));
    assert_int_equal(lag_row_one(stmt, columns, &pair, &f->err), LAG_EINTERNAL);
    assert_string_equal(f->err.text, "a column is missing in: SELECT 1 AS b");
    assert_true(pair.a == 2 && !pair.b); /* untouched */
    assert_ok(f, lag_stmt_open(f->reader, bad, &stmt, &f->err));
    lag_bind_row(stmt, columns, &pair);
    assert_int_equal(lag_stmt_run(stmt, &f->err), LAG_EINTERNAL);
    assert_string_equal(f->err.text, "a parameter and a column differ in: SELECT :b AS b, :a AS a");
}

static void test_guards(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *sql;
        int64_t value;
    } settings[] = {{"PRAGMA query_only", 1}, {"PRAGMA mmap_size", 0}, {"PRAGMA trusted_schema", 0},
        {"PRAGMA cell_size_check", 1}, {"PRAGMA foreign_keys", 1}, {"PRAGMA wal_autocheckpoint", 0},
        {"PRAGMA application_id", 0x6c616764}};
    int64_t value;
    for (size_t i = 0; i < LAG_COUNT(settings); i++) {
        assert_ok(f, lag_db_integer(f->reader, settings[i].sql, &value, &f->err));
        assert_int_equal(value, settings[i].value);
    }
    assert_int_equal(lag_db_exec(f->reader, "DELETE FROM runs", &f->err), LAG_EDENIED);
    assert_true(lag_db_exec(f->reader, "ATTACH ':memory:' AS x", &f->err) < 0);
    assert_true(lag_db_exec(f->reader, "SELECT load_extension('x')", &f->err) < 0);
    /* A reader that asks the storage functions to write is refused as well. */
    int64_t id;
    assert_int_equal(lag_series_open(f->reader, "run_1", "new", true, &id, &f->err), LAG_EDENIED);
}

static int pause_run(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_run_set_state(db, "run_1", "paused", "", err);
}

/* Views and triggers of a file that somebody else has edited are not run. */
static void test_foreign_code_is_not_run(void **state) {
    struct fixture *f = *state;
    int64_t n = -1;
    fixture_close(f);
    run_sql(f, "CREATE VIEW v AS SELECT count(*) AS n FROM runs; "
            "CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM candidates; END");
    fixture_open(f);
    assert_true(lag_db_integer(f->reader, "SELECT n FROM v", &n, &f->err) < 0);
    write_ok(f, pause_run, NULL);
    assert_ok(f, lag_db_integer(f->reader, "SELECT count(*) FROM candidates", &n, &f->err));
    assert_int_equal(n, 2);
}

static int check_writer(struct lag_db *db, void *arg, struct lag_error *err) {
    static const struct {
        const char *sql;
        int64_t value;
    } settings[] = {{"PRAGMA synchronous", 2}, {"PRAGMA mmap_size", 0}, {"PRAGMA trusted_schema", 0},
        {"PRAGMA cell_size_check", 1}, {"PRAGMA foreign_keys", 1}, {"PRAGMA wal_autocheckpoint", 0},
        {"PRAGMA secure_delete", 2}, {"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1}};
    for (size_t i = 0; i < LAG_COUNT(settings); i++) {
        int64_t value = -1;
        int rc = lag_db_integer(db, settings[i].sql, &value, err);
        if (rc) return rc;
        if (value != settings[i].value)
            return lag_error_set(err, LAG_EINVAL, "%s is %lld", settings[i].sql, (long long)value);
    }
    if (!lag_db_exec(db, "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema", NULL))
        return lag_error_set(err, LAG_EINVAL, "the schema can be edited");
    return 0;
}

static void test_writer_guards(void **state) { write_ok(*state, check_writer, NULL); }

static void test_write_outside(void **state) {
    struct fixture *f = *state;
    struct lag_db *db;
    int64_t id;
    lag_store_close(f->store);
    f->store = NULL;
    assert_ok(f, lag_db_open(f->dir, LAG_DB_WRITER, &db, &f->err));
    assert_int_equal(lag_series_open(db, "run_1", "new", true, &id, &f->err), LAG_EINTERNAL);
    assert_memory_equal(f->err.text, "a write outside of a transaction: INSERT", 40);
    lag_db_close(db);
}

/* What SQLite could not do for now passes; it is no defect that ends what met it. */
static void test_refused_locks_pass(void **state) {
    struct fixture *f = *state;
    static const int refused[] = {SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL};
    for (size_t i = 0; i < LAG_COUNT(refused); i++) {
        assert_int_equal(lag_db_error(f->reader, refused[i], "a statement", &f->err), LAG_EBUSY);
        assert_int_equal(lag_code_cause(f->err.code), LAG_CAUSE_PASSES);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bind_and_read, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_unbound, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_columns_by_name, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_guards, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_foreign_code_is_not_run, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_writer_guards, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_write_outside, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_refused_locks_pass, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

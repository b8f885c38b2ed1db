/* Rows of earlier schemas: growths of schema 2, which knew depths only, come through the upgrade with whole shapes,
 * whatever their state; uploads of schema 3 lose the place where the state directory was. */
#include "fixture.h"
#include "db_internal.h"
#include "migrate_internal.h"
#include <lagd/base/check.h>
#include <stdio.h>
#include <string.h>

/* All states that a growth had under schema 2. */
static const char *const states[] = {"queued", "probing", "awaiting_approval", "decided", "applying", "applied",
    "rejected", "cancelled", "failed"};

/* A second run with other axes, and a growth of it in each state, with a candidate, a decision and losses. */
static void add_growths(struct fixture *f) {
    char sql[2000];
    run_sql(f, "INSERT INTO runs VALUES ('run_2', 'second', 'ds_1', 'paused', 2, 2, 64, 200, 32, 300, 500000, 5, 600, "
            "5120, 1.5e12, 1.0, 0, -1, NULL, 7, 2000, 2001, NULL, 'x=1')");
    for (size_t i = 0; i < LAG_COUNT(states); i++) {
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO growths VALUES ('gr_s%zu', 'run_2', '%s', 'manual', %zu, -1, NULL, 2, "
                       "%zu, 40, 3, 16, NULL, 5, %zu, 4001, 'why %zu', 'target/n_layer=%zu'); "
                       "INSERT INTO candidates VALUES (%zu, 'cand_s%zu', 'gr_s%zu', 0, 'stack', 'stack', 'stack', '0 1 "
                       "0', 1, "
                       "'queued', NULL, 0, 100, 0, NULL, NULL, 0.0, NULL); "
                       "INSERT INTO decisions VALUES ('gr_s%zu', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
                       "NULL, "
                       "0, 0, 'lag', NULL, NULL, 1); INSERT INTO probe_losses VALUES (%zu, 0, 0, 2.5)",
                       i, states[i], i, 3 + i, 4000 + i, i, 3 + i, 100 + i, i, i, i, 100 + i);
        run_sql(f, sql);
    }
}

static int count(const struct lag_growth_row *row, void *arg) {
    int *n = arg;
    char expected[40];
    (void)snprintf(expected, sizeof expected, "gr_s%d", *n);
    assert_string_equal(row->id, expected);
    assert_string_equal(row->state, states[*n]);
    assert_shape(row->from, 2, 2, 64, 200, 32, 300);
    assert_shape(row->to, 3 + *n, 2, 64, 200, 32, 300);
    (void)snprintf(expected, sizeof expected, "why %d", *n);
    assert_string_equal(row->reason, expected);
    (void)snprintf(expected, sizeof expected, "target/n_layer=%d", 3 + *n);
    assert_string_equal(row->request, expected);
    assert_true(row->at_step == *n && row->start_step == -1 && row->probe_steps == 40 && row->n_batches == 3);
    assert_true(row->eval_sequences == 16 && row->revision == 5 && row->created_ms == 4000 + *n);
    assert_int_equal(row->updated_ms, 4001);
    assert_string_equal(row->mode, "manual");
    ++*n;
    return 0;
}

static void expect_number(struct fixture *f, const char *sql, int64_t expected) {
    int64_t n = -1;
    assert_ok(f, lag_db_integer(f->reader, sql, &n, &f->err));
    if (n != expected) fail_msg("%s: %lld, not %lld", sql, (long long)n, (long long)expected);
}

static void test_growths_in_every_state(void **state) {
    struct fixture *f = *state;
    make_old(f, 2);
    add_growths(f);
    fixture_open(f);
    assert_int_equal(lag_db_schema_version(f->reader), lag_n_migrations);
    int n = 0;
    assert_ok(f, lag_growth_list(f->reader, "run_2", 100, count, &n, &f->err));
    assert_int_equal(n, LAG_COUNT(states));
    struct lag_growth_row growth;
    assert_ok(f, lag_growth_get(f->reader, "gr_1", &growth, &f->err));
    assert_shape(growth.from, 3, 4, 128, 512, 64, 256);
    assert_shape(growth.to, 6, 4, 128, 512, 64, 256);
    assert_string_equal(growth.parent_checkpoint, "ckpt_1");
    assert_true(growth.parent_loss == 2.5 && growth.start_step == 300);
    /* What hangs on a growth is still there, and still goes with it. */
    expect_number(f, "SELECT count(*) FROM candidates", 1 + LAG_COUNT(states));
    expect_number(f, "SELECT count(*) FROM decisions", 1 + LAG_COUNT(states));
    expect_number(f, "SELECT count(*) FROM probe_losses", 2 + LAG_COUNT(states));
    expect_number(f, "SELECT count(*) FROM pragma_foreign_key_list('candidates') WHERE \"table\" = 'growths'", 1);
    expect_number(f, "SELECT count(*) FROM pragma_index_list('growths') WHERE name LIKE 'growths_by_%'", 1);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

static int delete_run(struct lag_db *db, void *arg, struct lag_error *err) { return lag_run_delete(db, arg, err); }

static void test_growths_go_with_their_run(void **state) {
    struct fixture *f = *state;
    make_old(f, 2);
    add_growths(f);
    fixture_open(f);
    write_ok(f, delete_run, (char[]){"run_2"});
    expect_number(f, "SELECT count(*) FROM growths", 1);
    expect_number(f, "SELECT count(*) FROM candidates", 1);
    wait_for_sweep(f);
    expect_number(f, "SELECT count(*) FROM probe_losses", 2);
}

static void test_checkpoints_have_shapes(void **state) {
    struct fixture *f = *state;
    struct lag_checkpoint_row row;
    make_old(f, 2);
    fixture_open(f);
    assert_ok(f, lag_checkpoint_get(f->reader, "ckpt_1", &row, &f->err));
    assert_shape(row.shape, 3, 4, 128, 512, 64, 256);
    assert_ok(f, lag_checkpoint_get(f->reader, "ckpt_2", &row, &f->err));
    assert_shape(row.shape, 6, 4, 128, 512, 64, 256);
}

/* Uploads of any state directory, also of one that has been moved since, become relative; other paths stay. */
static void test_uploads_become_relative(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *origin, *before, *after;
    } rows[] = {
        {"upload", "/var/lib/lagd/datasets/ds_p0/words.txt", "datasets/ds_p0/words.txt"},
        {"upload", "/mnt/datasets/old place/datasets/ds_p1/data.bin", "datasets/ds_p1/data.bin"},
        {"upload", "/var/lib/lagd/datasets/ds_p9/words.txt", "/var/lib/lagd/datasets/ds_p9/words.txt"},
        {"file", "/data/datasets/ds_p3/words.txt", "/data/datasets/ds_p3/words.txt"},
        {"upload", "datasets/ds_p4/words.txt", "datasets/ds_p4/words.txt"},
    };
    char sql[500], id[40];
    make_old(f, 3);
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        (void)snprintf(sql, sizeof sql, "INSERT INTO datasets VALUES ('ds_p%zu', 'p%zu', '%s', '%s', 'text', 10, 10, "
                       "9, 256, NULL, 1)", i, i, rows[i].origin, rows[i].before);
        run_sql(f, sql);
    }
    fixture_open(f);
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        struct lag_dataset_row row;
        (void)snprintf(id, sizeof id, "ds_p%zu", i);
        assert_ok(f, lag_dataset_get(f->reader, id, &row, &f->err));
        assert_string_equal(row.path, rows[i].after);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_growths_in_every_state, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_growths_go_with_their_run, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_checkpoints_have_shapes, fixture_folder, fixture_end),
        cmocka_unit_test_setup_teardown(test_uploads_become_relative, fixture_folder, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

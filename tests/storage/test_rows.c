/* What the store adds to a row: times, numbers, revisions; and names that are taken. */
#include "fixture.h"
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/stamp.h>
#include <stdlib.h>

#define DEFINE_WRITE(name, query)                                                                                      \
    static int name(struct lag_db *db, void *arg, struct lag_error *err) { return query(db, arg, err); }
DEFINE_WRITE(insert_dataset, lag_dataset_insert)
DEFINE_WRITE(insert_run, lag_run_insert)
DEFINE_WRITE(insert_growth, lag_growth_insert)
DEFINE_WRITE(put_decision, lag_decision_put)
static int insert_checkpoint(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_checkpoint_insert(db, arg, NULL, 0, err);
}

struct renaming {
    const char *id, *name;
};

static int rename_run(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct renaming *renaming = arg;
    return lag_run_set_config(db, renaming->id, renaming->name, "seed=7\n", err);
}

static void test_run_config(void **state) {
    struct fixture *f = *state;
    struct lag_run_row row, other = sample_run("run_2", "second");
    write_ok(f, insert_run, &other);
    write_ok(f, rename_run, &(struct renaming){"run_1", "third"});
    assert_ok(f, lag_run_get(f->reader, "third", &row, &f->err));
    assert_string_equal(row.id, "run_1");
    assert_string_equal(row.config, "seed=7\n");
    assert_int_equal(row.revision, 2);
    assert_int_equal(lag_store_write(f->store, rename_run, &(struct renaming){"run_2", "third"}, &f->err), LAG_EEXIST);
    assert_string_equal(f->err.text, "a run named third exists already: choose another name");
    assert_string_equal(f->err.pointer, "/name");
    assert_int_equal(lag_store_write(f->store, rename_run, &(struct renaming){"run_9", "x"}, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "run run_9 does not exist");
}

/* A row without a time gets the present one; one with a time keeps it. */
static void test_times(void **state) {
    struct fixture *f = *state;
    const int64_t before = lag_clock_wall_ms();
    struct lag_dataset_row dataset = sample_dataset("ds_2", "other");
    struct lag_run_row run = sample_run("run_2", "second");
    struct lag_growth_row growth = sample_growth("gr_2", "run_1");
    struct lag_decision_row decision = {.growth_id = "gr_2", .decided_by = "lag"};
    struct lag_checkpoint_row checkpoint = {.id = "ckpt_1", .run_id = "run_1", .kind = "manual", .path = "x"};
    dataset.created_ms = run.created_ms = run.updated_ms = growth.created_ms = growth.updated_ms = 0;
    write_ok(f, insert_dataset, &dataset);
    write_ok(f, insert_run, &run);
    write_ok(f, insert_growth, &growth);
    write_ok(f, put_decision, &decision);
    write_ok(f, insert_checkpoint, &checkpoint);
    assert_ok(f, lag_dataset_get(f->reader, "ds_2", &dataset, &f->err));
    assert_ok(f, lag_run_get(f->reader, "run_2", &run, &f->err));
    assert_ok(f, lag_growth_get(f->reader, "gr_2", &growth, &f->err));
    assert_ok(f, lag_decision_get(f->reader, "gr_2", &decision, &f->err));
    assert_ok(f, lag_checkpoint_get(f->reader, "ckpt_1", &checkpoint, &f->err));
    const int64_t after = lag_clock_wall_ms(), times[] = {dataset.created_ms, run.created_ms, run.updated_ms,
        growth.created_ms, growth.updated_ms, decision.decided_ms, checkpoint.created_ms};
    for (size_t i = 0; i < LAG_COUNT(times); i++)
        if (times[i] < before || times[i] > after) fail_msg("time %zu is %lld", i, (long long)times[i]);
    assert_ok(f, lag_growth_get(f->reader, "gr_1", &growth, &f->err));
    assert_true(growth.created_ms == 3000 && growth.updated_ms == 3000);
}

static int insert_third(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_candidate_row row = sample_candidate("cand_3", "gr_1", 2);
    return lag_candidate_insert(db, &row, arg, err);
}

static void test_candidate_number(void **state) {
    struct fixture *f = *state;
    struct lag_candidate_row row;
    int64_t number = 0;
    write_ok(f, insert_third, &number);
    assert_ok(f, lag_candidate_get(f->reader, "cand_3", &row, &f->err));
    assert_int_equal(number, 3);
    assert_int_equal(row.number, number);
}

static void test_whose_series(void **state) {
    struct fixture *f = *state;
    const int64_t of_run = open_series(f, "run_1", "train/loss", true);
    const int64_t of_candidate = open_series(f, "cand_2", "val/loss", true);
    struct lag_series_row series;
    struct lag_event_row ids;
    assert_int_equal(lag_series_whose(f->reader, of_run, &series, &ids, &f->err), 1);
    assert_string_equal(series.key, "train/loss");
    assert_string_equal(ids.run_id, "run_1");
    assert_string_equal(ids.growth_id, "");
    assert_int_equal(lag_series_whose(f->reader, of_candidate, &series, &ids, &f->err), 1);
    assert_string_equal(series.key, "val/loss");
    assert_string_equal(ids.run_id, "run_1");
    assert_string_equal(ids.growth_id, "gr_1");
    assert_string_equal(ids.candidate_id, "cand_2");
    assert_int_equal(lag_series_whose(f->reader, 99, &series, &ids, &f->err), 0);
}

#define EVALUATIONS 100
static int put_many_losses(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = 0;
    for (int t = 0; t < EVALUATIONS && !rc; t++)
        rc = lag_probe_losses_put(db, 1, t, (const double[]){t, t + 0.5, -t}, 3, NULL, err);
    return rc;
}

/* More evaluations than a table that grows has room for at first. */
static void test_many_evaluations(void **state) {
    struct fixture *f = *state;
    int64_t *t = NULL;
    double *losses = NULL;
    int n = 0;
    write_ok(f, put_many_losses, NULL);
    assert_ok(f, lag_probe_losses_get(f->reader, 1, 3, &t, &losses, &n, &f->err));
    assert_int_equal(n, EVALUATIONS);
    for (int i = 0; i < n; i++)
        assert_true(t[i] == i && losses[3 * i] == i && losses[3 * i + 1] == i + 0.5 && losses[3 * i + 2] == -i);
    free(t);
    free(losses);
}

static int set_stamp(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_set_stamp(db, "ds_1", arg, err);
}

/* What the file was when it was hashed; a stamp of another size belongs to another file. */
static void test_stamps(void **state) {
    struct fixture *f = *state;
    struct lag_dataset_row row;
    struct lag_stamp stamp = {11, -12, 4404445, 13, INT64_MAX};
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &row, &f->err));
    assert_true(row.device == 0 && row.inode == 0 && row.mtime_ns == 0 && row.ctime_ns == 0);
    write_ok(f, set_stamp, &stamp);
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &row, &f->err));
    assert_true(row.device == 11 && row.inode == -12 && row.mtime_ns == 13 && row.ctime_ns == INT64_MAX);
    stamp.n_bytes++;
    assert_int_equal(lag_store_write(f->store, set_stamp, &stamp, &f->err), LAG_ENOTFOUND);
}

static int set_found(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_set_found(db, arg, err);
}
static int set_done(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_set_done(db, "ds_1", *(const int64_t *)arg, err);
}
static int set_failed(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_dataset_set_state(db, arg, "failed", "no text", err);
}

/* A dataset on its way: how far it is, what was found, and what went wrong. One that says nothing is ready. */
static void test_registration(void **state) {
    struct fixture *f = *state;
    struct lag_dataset_row row, found = sample_dataset("ds_1", "kjv");
    int64_t n_done = 77;
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &row, &f->err));
    assert_string_equal(row.state, "ready");
    write_ok(f, set_done, &n_done);
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &row, &f->err));
    assert_int_equal(row.n_bytes_done, 77);
    found.n_tokens = 5;
    found.max_id = 6;
    found.vocab_size = 7;
    found.inode = 8;
    write_ok(f, set_found, &found);
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &row, &f->err));
    assert_true(row.n_tokens == 5 && row.max_id == 6 && row.vocab_size == 7 && row.inode == 8);
    assert_int_equal(row.n_bytes_done, row.n_bytes);
    found.n_bytes++;
    assert_int_equal(lag_store_write(f->store, set_found, &found, &f->err), LAG_ENOTFOUND);
    write_ok(f, set_failed, (char[]){"ds_1"});
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &row, &f->err));
    assert_string_equal(row.state, "failed");
    assert_string_equal(row.reason, "no text");
    assert_int_equal(lag_store_write(f->store, set_failed, (char[]){"ds_9"}, &f->err), LAG_ENOTFOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_run_config, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_stamps, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_registration, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_times, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_candidate_number, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_whose_series, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_many_evaluations, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

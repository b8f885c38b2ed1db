/* No query passes a failure over: a write outside of a transaction, a query of a table that cannot be read. */
#include "fixture.h"
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/keys.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef int call_fn(struct lag_db *db, struct lag_error *err);
#define CALL(name, ...)                                                                                                \
    static int name(struct lag_db *db, struct lag_error *err) { return __VA_ARGS__; }

#define DEFINE_EACH(name, row)                                                                                         \
    static int name(const struct row *r, void *arg) { return 0; }
DEFINE_EACH(each_dataset, lag_dataset_row)
DEFINE_EACH(each_run, lag_run_row)
DEFINE_EACH(each_growth, lag_growth_row)
DEFINE_EACH(each_candidate, lag_candidate_row)
DEFINE_EACH(each_checkpoint, lag_checkpoint_row)
DEFINE_EACH(each_file, lag_checkpoint_file_row)
DEFINE_EACH(each_series, lag_series_row)
DEFINE_EACH(each_event, lag_event_row)

/* --- writes ------------------------------------------------------------------------------------------------------ */

static const struct lag_shape shape = {1, 1, 1, 1, 1, 1};
static const double losses[2] = {1, 2};
static const struct lag_checkpoint_row checkpoint = {.id = "ckpt_9", .run_id = "run_1", .kind = "manual", .path = "x"};
static const struct lag_decision_row decision = {.growth_id = "gr_1", .decided_by = "lag"};
static const struct lag_event event = {.type = LAG_EVENT_RUN_STATE, .run_id = "run_1", .state = "paused"};
static const struct lag_key_row key = {.key = "k", .fingerprint = "f"};

CALL(insert_dataset, lag_dataset_insert(db, (struct lag_dataset_row[]){sample_dataset("ds_9", "other")}, err))
CALL(delete_dataset, lag_dataset_delete(db, "ds_2", err))
CALL(insert_run, lag_run_insert(db, (struct lag_run_row[]){sample_run("run_9", "other")}, err))
CALL(set_run_state, lag_run_set_state(db, "run_1", "paused", "", err))
CALL(set_run_progress, lag_run_set_progress(db, "run_1", 1, 1, 1, err))
CALL(set_run_held, lag_run_set_held(db, "run_1", true, 1, err))
CALL(set_run_shape, lag_run_set_shape(db, "run_1", &shape, 1, err))
CALL(set_run_growth, lag_run_set_growth(db, "run_1", "", err))
CALL(set_run_rollback, lag_run_set_rollback(db, "run_1", 1, 1, 1, err))
CALL(set_run_schedules, lag_run_set_schedules(db, "run_1", 9, "", "", err))
CALL(set_run_batches, lag_run_set_batches(db, "run_1", "", err))
CALL(set_run_config, lag_run_set_config(db, "run_1", "x", "", err))
CALL(delete_run, lag_run_delete(db, "run_1", err))
CALL(insert_growth, lag_growth_insert(db, (struct lag_growth_row[]){sample_growth("gr_9", "run_1")}, err))
CALL(set_growth_state, lag_growth_set_state(db, "gr_1", "probing", "", err))
CALL(set_growth_parent, lag_growth_set_parent(db, &(struct lag_growth_row){.id = "gr_1", .start_step = 1}, err))
CALL(set_growth_loss, lag_growth_set_parent_loss(db, "gr_1", 1, 2, err))
CALL(insert_candidate,
     lag_candidate_insert(db, (struct lag_candidate_row[]){sample_candidate("cand_9", "gr_1", 9)}, NULL, err))
CALL(set_candidate_state, lag_candidate_set_state(db, "cand_1", "done", "", err))
CALL(set_candidate_progress, lag_candidate_set_progress(db, "cand_1", 1, 1, err))
CALL(set_candidate_losses, lag_candidate_set_losses(db, "cand_1", 1, 1, err))
CALL(set_candidate_checkpoint, lag_candidate_set_checkpoint(db, "cand_1", "", err))
CALL(put_losses, lag_probe_losses_put(db, 1, 0, losses, 2, NULL, err))
CALL(put_decision, lag_decision_put(db, &decision, err))
CALL(put_effect, lag_effect_put(db, (struct lag_effect_row[]){{.growth_id = "gr_1"}}, err))
CALL(insert_checkpoint, lag_checkpoint_insert(db, &checkpoint, NULL, 0, err))
CALL(set_checkpoint_keep, lag_checkpoint_set_keep(db, "ckpt_1", true, err))
CALL(delete_checkpoint, lag_checkpoint_delete(db, "ckpt_1", err))
CALL(open_series_new, lag_series_open(db, "run_1", "new", true, (int64_t[]){0}, err))
CALL(put_point, lag_points_put(db, (struct lag_queued_point[]){{{1, 1, 1}, 0}}, 1, err))
CALL(truncate_points, lag_points_truncate(db, "run_1", 0, err))
CALL(adopt_points, lag_points_adopt(db, "run_1", "cand_1", 0, 9, err))
CALL(insert_event, lag_event_put(db, &event, err))
CALL(prune_events, lag_event_prune(db, 0, 9, (int64_t[]){0}, err))
CALL(put_key, lag_key_put(db, &key, NULL, err))
CALL(prune_keys, lag_key_prune(db, 0, 9, (int64_t[]){0}, err))

static call_fn *const writes[] = {insert_dataset, delete_dataset, insert_run, set_run_state, set_run_progress,
    set_run_held, set_run_shape, set_run_growth, set_run_rollback, set_run_config, set_run_schedules, set_run_batches,
    delete_run, insert_growth, set_growth_state,
    set_growth_parent, set_growth_loss, insert_candidate, set_candidate_state, set_candidate_progress,
    set_candidate_losses, set_candidate_checkpoint, put_losses, put_decision, put_effect, insert_checkpoint,
    set_checkpoint_keep, delete_checkpoint, open_series_new, put_point, truncate_points, adopt_points, insert_event,
    prune_events, put_key, prune_keys};

static void test_writes_outside_of_a_transaction(void **state) {
    struct fixture *f = *state;
    struct lag_db *db;
    (void)open_series(f, "run_1", "train/loss", true);
    put_points(f, (struct lag_point[]){{1, 5, 1}}, 1);
    (void)open_series(f, "cand_1", "train/loss", true);
    lag_store_close(f->store);
    f->store = NULL;
    assert_ok(f, lag_db_open(f->dir, LAG_DB_WRITER, &db, &f->err));
    for (size_t i = 0; i < LAG_COUNT(writes); i++) {
        int rc = writes[i](db, &f->err);
        if (rc != LAG_EINTERNAL || strncmp(f->err.text, "a write outside of a transaction: ", 34) != 0)
            fail_msg("write %zu is %d: %s", i, rc, f->err.text);
    }
    lag_db_close(db);
}

/* --- tables that cannot be read ---------------------------------------------------------------------------------- */

CALL(get_dataset, lag_dataset_get(db, "ds_1", &(struct lag_dataset_row){0}, err))
CALL(list_datasets, lag_dataset_list(db, each_dataset, NULL, err))
CALL(get_run, lag_run_get(db, "run_1", &(struct lag_run_row){0}, err))
CALL(list_runs, lag_run_list(db, NULL, "", 9, each_run, NULL, err))
CALL(get_growth, lag_growth_get(db, "gr_1", &(struct lag_growth_row){0}, err))
CALL(list_growths, lag_growth_list(db, "run_1", 9, each_growth, NULL, err))
CALL(get_candidate, lag_candidate_get(db, "cand_1", &(struct lag_candidate_row){0}, err))
CALL(list_candidates, lag_candidate_list(db, "gr_1", each_candidate, NULL, err))
CALL(get_decision, lag_decision_get(db, "gr_1", &(struct lag_decision_row){0}, err))
CALL(find_effect, lag_effect_find(db, "gr_1", &(struct lag_effect_row){0}, err))
CALL(get_checkpoint, lag_checkpoint_get(db, "ckpt_1", &(struct lag_checkpoint_row){0}, err))
CALL(latest_checkpoint, lag_checkpoint_latest(db, "run_1", &(struct lag_checkpoint_row){0}, err))
CALL(list_checkpoints, lag_checkpoint_list(db, "run_1", each_checkpoint, NULL, err))
CALL(list_files, lag_checkpoint_files(db, "ckpt_1", each_file, NULL, err))
CALL(find_series, lag_series_find(db, "run_1", "train/loss", &(struct lag_series_row){0}, err))
CALL(list_series, lag_series_list(db, "run_1", each_series, NULL, err))
CALL(whose_series, lag_series_whose(db, 1, &(struct lag_series_row){0}, &(struct lag_event_row){0}, err))
CALL(open_series_old, lag_series_open(db, "run_1", "train/loss", true, (int64_t[]){0}, err))
CALL(thin_points, lag_points_thin(db, 1, 0, 9, 2, (struct lag_bucket[2]){0}, (int[]){0}, (int64_t[]){0}, err))
CALL(list_events, lag_event_list(db, 0, "run_1", 9, each_event, NULL, err))
CALL(bound_events, lag_event_bounds(db, (int64_t[]){0}, (int64_t[]){0}, err))
CALL(find_last, lag_points_last(db, 1, 9, (int64_t[]){0}, (double[]){0}, err))
CALL(find_key, lag_key_find(db, "k", 0, &(struct lag_key_row){0}, NULL, err))
static int get_losses(struct lag_db *db, struct lag_error *err) {
    int64_t *t = NULL;
    double *values = NULL;
    int n, rc = lag_probe_losses_get(db, 1, 2, &t, &values, &n, err);
    free(t);
    free(values);
    return rc;
}
static int walk_points(struct lag_db *db, struct lag_error *err) {
    struct lag_point_cursor *cursor;
    int rc = lag_point_cursor_open(db, 1, 0, &cursor, err);
    if (rc) return rc;
    rc = lag_point_cursor_next(cursor, (int64_t[]){0}, (double[]){0}, err);
    lag_point_cursor_close(cursor);
    return rc;
}

static const struct {
    const char *table;
    call_fn *calls[4];
} reads[] = {
    {"datasets", {get_dataset, list_datasets}},
    {"runs", {get_run, list_runs}},
    {"growths", {get_growth, list_growths}},
    {"candidates", {get_candidate, list_candidates}},
    {"probe_losses", {get_losses}},
    {"decisions", {get_decision}},
    {"effects", {find_effect}},
    {"checkpoints", {get_checkpoint, latest_checkpoint, list_checkpoints}},
    {"checkpoint_files", {list_files}},
    {"series", {find_series, list_series, whose_series, open_series_old}},
    {"points", {thin_points, walk_points, find_last}},
    {"events", {list_events, bound_events}},
    {"idempotency", {find_key}},
};

static int write_rows(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_checkpoint_row row = checkpoint;
    struct lag_checkpoint_file_row file = {.name = "a", .sha256 = "b"};
    (void)lag_copy(row.id, sizeof row.id, "ckpt_1");
    int rc = lag_checkpoint_insert(db, &row, &file, 1, err);
    if (!rc) rc = put_losses(db, err);
    if (!rc) rc = put_decision(db, err);
    if (!rc) rc = put_effect(db, err);
    if (!rc) rc = insert_event(db, err);
    return rc ? rc : put_key(db, err);
}

static void test_tables_that_cannot_be_read(void **state) {
    struct fixture *f = *state;
    (void)open_series(f, "run_1", "train/loss", true);
    put_points(f, (struct lag_point[]){{1, 5, 1}, {1, 6, 1}}, 2);
    write_ok(f, write_rows, NULL);
    for (size_t i = 0; i < LAG_COUNT(reads); i++)
        for (size_t k = 0; k < 4 && reads[i].calls[k]; k++) {
            int rc = reads[i].calls[k](f->reader, &f->err);
            if (rc < 0) fail_msg("%s, call %zu, is %d before: %s", reads[i].table, k, rc, f->err.text);
        }
    fixture_close(f);
    for (size_t i = 0; i < LAG_COUNT(reads); i++) damage_root_page(f, reads[i].table);
    fixture_open(f);
    for (size_t i = 0; i < LAG_COUNT(reads); i++)
        for (size_t k = 0; k < 4 && reads[i].calls[k]; k++) {
            int rc = reads[i].calls[k](f->reader, &f->err);
            if (rc != LAG_ECORRUPT) fail_msg("%s, call %zu, is %d", reads[i].table, k, rc);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writes_outside_of_a_transaction, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_tables_that_cannot_be_read, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

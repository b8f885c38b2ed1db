/* Runs on a real store: whatever interrupts them, points and weights come out the same. */
#include "../slow.h"
#include "run_fixture.h"

#include <lagd/base/fs.h>
#include <lagd/engine/train.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEPS = 40 };

static struct fixture fixture;
static char undisturbed[LAG_ROW_ID]; /* completed in one go on one thread */

static void create(const char *name, char ret_id[LAG_ROW_ID]) {
    struct lagd_run_config config;
    fixture_config(&config, name, STEPS);
    fixture_create_run(&fixture, &config, ret_id);
}

static int set_up(void **unused) {
    assert_int_equal(lag_engine_setup(NULL), 0);
    fixture_open(&fixture, 2);
    struct lagd_run_config config;
    fixture_config(&config, "undisturbed", STEPS);
    config.threads = 1;
    fixture_create_run(&fixture, &config, undisturbed);
    fixture_run_to(&fixture, undisturbed, "completed");
    return 0;
}

static int tear_down(void **unused) {
    fixture_close(&fixture);
    return 0;
}

static void test_completes_with_all_its_points(void **unused) {
    struct lag_run_row row;
    fixture_get_run(&fixture, undisturbed, &row);
    assert_int_equal(row.step, STEPS);
    assert_int_equal(row.tokens, STEPS * 4 * 16);
    assert_true(row.flops > 0);
    assert_int_equal(fixture_count_points(&fixture, undisturbed, "train/loss"), STEPS);
    assert_int_equal(fixture_count_points(&fixture, undisturbed, "optim/lr"), STEPS);
    assert_int_equal(fixture_count_points(&fixture, undisturbed, "optim/grad_norm"), STEPS);
    assert_int_equal(fixture_count_points(&fixture, undisturbed, "perf/step_ms"), STEPS);
    assert_int_equal(fixture_count_points(&fixture, undisturbed, "val/loss"), STEPS / 5 + 1);
    double first = fixture_point(&fixture, undisturbed, "val/loss", 0),
           last = fixture_point(&fixture, undisturbed, "val/loss", STEPS);
    assert_true(fabs(first - log(256)) < 0.1);
    assert_true(last < first - 0.5);
    assert_int_equal(fixture_count_events(&fixture, undisturbed, "run.state", "running"), 1);
    assert_int_equal(fixture_count_events(&fixture, undisturbed, "run.state", "completed"), 1);
}

static void test_keeps_the_last_checkpoints(void **unused) {
    struct lag_checkpoint_row rows[16];
    int n = fixture_checkpoints(&fixture, undisturbed, rows, 16);
    assert_int_equal(n, 4);
    assert_string_equal(rows[0].kind, "final");
    assert_int_equal(rows[0].step, STEPS);
    assert_int_equal(rows[1].step, 35);
    assert_string_equal(rows[2].kind, "pre_decay"); /* beside them: 3 of warm-up, 29 of 37 at the peak, and the last */
    assert_int_equal(rows[2].step, 33);
    assert_true(rows[2].keep && !rows[1].keep);
    assert_int_equal(rows[3].step, 28);
    assert_int_equal(fixture_count_folders(&fixture, undisturbed), 4);
}

static void test_threads_do_not_matter(void **unused) {
    char id[LAG_ROW_ID];
    create("two-threads", id);
    fixture_run_to(&fixture, id, "completed");
    fixture_assert_equal_runs(&fixture, undisturbed, id);
}

static void end_with(const char *id, int64_t step, unsigned wish, const char *state) {
    struct lagd_run *run = fixture_start(&fixture, id);
    fixture_wait_step(&fixture, id, step);
    lagd_run_wish(run, wish, "test");
    lagd_run_join(run);
    struct lag_run_row row;
    fixture_get_run(&fixture, id, &row);
    assert_string_equal(row.state, state);
    assert_string_equal(row.reason, "test");
}

/* A run in small pieces must be slow enough to be met on its way. */
static void create_long(const char *name, int64_t steps, char ret_id[LAG_ROW_ID]) {
    struct lagd_run_config config;
    fixture_config(&config, name, steps);
    config.checkpoint_every = 1000;
    config.eval_every = 50;
    fixture_create_run(&fixture, &config, ret_id);
}

static void test_pause_and_stop_change_nothing(void **unused) {
    char whole[LAG_ROW_ID], pieces[LAG_ROW_ID];
    create_long("whole", 1500, whole);
    create_long("pieces", 1500, pieces);
    end_with(pieces, 20, LAGD_WISH_PAUSE, "paused");
    end_with(pieces, 200, LAGD_WISH_STOP, "interrupted");
    end_with(pieces, 400, LAGD_WISH_PAUSE, "paused");
    fixture_run_to(&fixture, pieces, "completed");
    fixture_run_to(&fixture, whole, "completed");
    fixture_assert_equal_runs(&fixture, whole, pieces);
    assert_int_equal(fixture_count_events(&fixture, pieces, "determinism.mismatch", NULL), 0);
}

static void test_company_does_not_matter(void **unused) {
    char ids[3][LAG_ROW_ID];
    struct lagd_run *runs[3];
    for (int i = 0; i < 3; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "company-%d", i);
        create(name, ids[i]);
    }
    for (int i = 0; i < 3; i++) runs[i] = fixture_start(&fixture, ids[i]);
    for (int i = 0; i < 3; i++) lagd_run_join(runs[i]);
    for (int i = 0; i < 3; i++) fixture_assert_equal_runs(&fixture, undisturbed, ids[i]);
}

static void test_cancel_ends_it(void **unused) {
    char id[LAG_ROW_ID];
    create_long("cancelled", 100000, id);
    end_with(id, 5, LAGD_WISH_CANCEL, "cancelled");
    struct lag_run_row row;
    fixture_get_run(&fixture, id, &row);
    assert_true(row.step >= 5 && row.step < 100000);
}

static void test_checkpoint_on_demand(void **unused) {
    char id[LAG_ROW_ID];
    create_long("on-demand", 100000, id);
    struct lagd_run *run = fixture_start(&fixture, id);
    fixture_wait_step(&fixture, id, 3);
    lagd_run_wish(run, LAGD_WISH_CHECKPOINT, NULL);
    struct lag_checkpoint_row rows[4];
    for (unsigned i = 0; i < 5000 * slow() && fixture_checkpoints(&fixture, id, rows, 4) == 0; i++) (void)usleep(1000);
    const struct lagd_progress *progress = lagd_run_progress(run);
    assert_true(atomic_load(&progress->step) > 0 && atomic_load(&progress->max_steps) == 100000);
    assert_true(atomic_load(&progress->doing) != LAGD_DOING_OPENING);
    lagd_run_wish(run, LAGD_WISH_CANCEL, NULL);
    lagd_run_join(run);
    assert_int_equal(fixture_checkpoints(&fixture, id, rows, 4), 1);
    assert_string_equal(rows[0].kind, "manual");
}

static void damage(const struct lag_checkpoint_row *row) {
    char path[1200];
    (void)snprintf(path, sizeof(path), "%s/%s/model.safetensors", fixture.dir, row->path);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, -5, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -5, SEEK_END), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
}

static void test_damaged_checkpoints_are_passed_over(void **unused) {
    char whole[LAG_ROW_ID], id[LAG_ROW_ID];
    struct lagd_run_config config;
    fixture_config(&config, "unharmed", 2000);
    config.checkpoint_every = 50;
    fixture_create_run(&fixture, &config, whole);
    (void)snprintf(config.name, sizeof(config.name), "damaged");
    fixture_create_run(&fixture, &config, id);
    end_with(id, 120, LAGD_WISH_STOP, "interrupted");
    struct lag_checkpoint_row rows[8];
    int n = fixture_checkpoints(&fixture, id, rows, 8);
    assert_int_equal(n, 3);
    damage(&rows[0]);
    damage(&rows[1]);
    char aside[1200];
    (void)snprintf(aside, sizeof(aside), "%s/%s.damaged", fixture.dir, rows[0].path);
    fixture_run_to(&fixture, id, "completed");
    assert_true(lag_fs_exists(aside));
    assert_int_equal(fixture_count_events(&fixture, id, "checkpoint.damaged", NULL), 2);
    assert_int_equal(fixture_count_events(&fixture, id, "determinism.mismatch", NULL), 0);
    fixture_run_to(&fixture, whole, "completed");
    fixture_assert_equal_runs(&fixture, whole, id);
}

static void test_a_full_disk_stops_no_training(void **unused) {
    char id[LAG_ROW_ID];
    create("no-space", id);
    fixture.deps.min_free_bytes = INT64_MAX / 2;
    struct lagd_run *run = fixture_start(&fixture, id);
    fixture_wait_step(&fixture, id, STEPS);
    struct lag_checkpoint_row rows[4];
    assert_int_equal(fixture_checkpoints(&fixture, id, rows, 4), 0);
    assert_true(fixture_count_events(&fixture, id, "system.warning", NULL) >= 5);
    /* It cannot complete before its last state is kept. */
    struct lag_run_row row;
    fixture_get_run(&fixture, id, &row);
    assert_string_equal(row.state, "running");
    fixture.deps.min_free_bytes = 0;
    lagd_run_join(run);
    fixture_get_run(&fixture, id, &row);
    assert_string_equal(row.state, "completed");
    fixture_assert_equal_runs(&fixture, undisturbed, id);
}

static void test_a_changed_text_is_refused(void **unused) {
    char id[LAG_ROW_ID];
    create("other-text", id);
    FILE *file = fopen(fixture.dataset.path, "r+");
    assert_non_null(file);
    assert_int_equal(fputc('X', file), 'X');
    assert_int_equal(fclose(file), 0);
    fixture_run_to(&fixture, id, "paused"); /* it may come back */
    struct lag_run_row row;
    fixture_get_run(&fixture, id, &row);
    assert_non_null(strstr(row.reason, "not the file that was registered"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completes_with_all_its_points),
        cmocka_unit_test(test_keeps_the_last_checkpoints),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_pause_and_stop_change_nothing),
        cmocka_unit_test(test_company_does_not_matter),
        cmocka_unit_test(test_cancel_ends_it),
        cmocka_unit_test(test_checkpoint_on_demand),
        cmocka_unit_test(test_damaged_checkpoints_are_passed_over),
        cmocka_unit_test(test_a_full_disk_stops_no_training),
        cmocka_unit_test(test_a_changed_text_is_refused), /* last */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* The main job through commands: add a text, train, grow, sample, pause and resume, stop and go on. */
#include "growth_fixture.h"

#include <lagd/daemon/ranking.h>

static struct fixture f;

static int set_up(void **state) {
    (void)state;
    memset(&f, 0, sizeof(f));
    fixture_make_dir(&f);
    fixture_start(&f);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    fixture_stop(&f);
    fixture_remove(&f);
    return 0;
}

static void get_growth(const char *id, struct lag_growth_row *ret, struct lag_decision_row *ret_decision,
                       struct lag_decision_row *ret_again) {
    struct lag_db *db = NULL;
    struct lag_error err = {0};
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, &err), 0);
    assert_int_equal(lag_growth_get(db, id, ret, &err), 0);
    if (ret_decision) assert_int_equal(lag_decision_get(db, id, ret_decision, &err), 0);
    if (ret_again) assert_int_equal(lagd_decision_recompute(db, id, ret_again, &err), 0);
    lag_reader_close(db);
}

static void trains_grows_and_samples(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    fixture_add_text(&f, "words");
    struct lagd_run_config *config = fixture_run_config("first", 120);
    config->start = false;
    fixture_create_run(&f, config, 0, run);
    struct lagd_command *command = fixture_growth_command("first", 4, 8);
    command->u.growth->at_step = 40;
    assert_int_equal(fixture_call(&f, command), 0);
    memcpy(growth, command->id, sizeof(growth));
    lagd_command_destroy(command);
    command = fixture_growth_command("first", 4, 8); /* one at a time */
    assert_int_equal(fixture_call(&f, command), LAG_ESTATE);
    lagd_command_destroy(command);
    fixture_do(&f, LAGD_RUN_RESUME, "first", 0, NULL);
    fixture_wait(&f, "first", "completed");
    struct lag_run_row row;
    fixture_row(&f, "first", &row);
    assert_int_equal(row.shape.n_layer, 4);
    assert_int_equal(row.step, 120);
    assert_string_equal(row.growth_id, "");
    struct lag_growth_row grown;
    struct lag_decision_row decision, again;
    get_growth(growth, &grown, &decision, &again);
    assert_string_equal(grown.state, "applied");
    assert_int_equal(grown.start_step, 40);
    assert_string_equal(decision.candidate, again.candidate);
    assert_string_equal(decision.verdict, again.verdict);
    assert_true(decision.margin == again.margin && decision.flops == again.flops);
    command = fixture_command(LAGD_GENERATE, "first");
    struct lagd_generate_request *request = command->u.generate = calloc(1, sizeof(*request));
    request->n_tokens = 20;
    request->temperature = 0.8;
    snprintf(request->prompt, sizeof(request->prompt), "the ");
    assert_int_equal(fixture_call(&f, command), 0);
    assert_int_equal(command->n_text, 20);
    assert_int_equal(command->step, 120);
    lagd_command_destroy(command);
    fixture_do(&f, LAGD_RUN_PAUSE, "first", LAG_ESTATE, NULL);
    fixture_do(&f, LAGD_DATASET_DELETE, "words", LAG_ESTATE, NULL);
    fixture_do(&f, LAGD_RUN_DELETE, "first", 0, NULL);
    fixture_do(&f, LAGD_DATASET_DELETE, "words", 0, NULL);
}

static void asks_in_manual_mode(void **state) {
    (void)state;
    char growth[LAG_ROW_ID];
    fixture_add_text(&f, "words");
    fixture_create_run(&f, fixture_run_config("asked", 60), 0, NULL);
    struct lagd_command *command = fixture_growth_command("asked", 3, 4);
    snprintf(command->u.growth->mode, sizeof(command->u.growth->mode), "manual");
    assert_int_equal(fixture_call(&f, command), 0);
    memcpy(growth, command->id, sizeof(growth));
    lagd_command_destroy(command);
    fixture_wait_growth(&f, growth, "awaiting_approval");
    struct lag_growth_row row;
    struct lag_decision_row decision;
    get_growth(growth, &row, &decision, NULL);
    assert_string_not_equal(decision.runner_up, "");
    fixture_stop(&f); /* waiting survives a restart */
    fixture_start(&f);
    command = fixture_command(LAGD_GROWTH_DECIDE, growth);
    command->u.decide.approve = true;
    (void)lag_copy(command->u.decide.candidate, LAG_ROW_ID, decision.runner_up);
    assert_int_equal(fixture_call(&f, command), LAG_EINVAL); /* an override says why */
    lagd_command_destroy(command);
    command = fixture_command(LAGD_GROWTH_DECIDE, growth);
    command->u.decide.approve = true;
    (void)lag_copy(command->u.decide.candidate, LAG_ROW_ID, decision.runner_up);
    snprintf(command->reason, sizeof(command->reason), "I like it better");
    assert_int_equal(fixture_call(&f, command), 0);
    lagd_command_destroy(command);
    fixture_wait_growth(&f, growth, "applied");
    struct lag_decision_row after;
    get_growth(growth, &row, &after, NULL);
    assert_string_equal(after.candidate, decision.runner_up);
    assert_string_equal(after.decided_by, "user");
    fixture_wait(&f, "asked", "completed");
}

static void pauses_and_goes_on_after_a_stop(void **state) {
    (void)state;
    fixture_add_text(&f, "words");
    fixture_create_run(&f, fixture_run_config("long", 100000), 0, NULL);
    fixture_wait(&f, "long", "running");
    fixture_do(&f, LAGD_RUN_PAUSE, "long", 0, NULL);
    fixture_do(&f, LAGD_RUN_RESUME, "long", 0, NULL); /* crosses the pause */
    fixture_wait(&f, "long", "running");
    fixture_stop(&f);
    struct lag_run_row before, after;
    fixture_row(&f, "long", &before);
    assert_string_equal(before.state, "interrupted");
    fixture_start(&f);
    fixture_wait(&f, "long", "running");
    fixture_row(&f, "long", &after);
    assert_true(after.step >= before.step);
    fixture_do(&f, LAGD_RUN_CANCEL, "long", 0, NULL);
    fixture_wait(&f, "long", "cancelled");
}

static void refuses_what_does_not_fit(void **state) {
    (void)state;
    fixture_add_text(&f, "words");
    struct lagd_run_config *config = fixture_run_config("big", 10);
    config->shape.n_layer = 512;
    config->shape.n_embd = 65536;
    config->shape.n_head = 256;
    config->sequences = 1024;
    fixture_create_run(&f, config, LAG_EFIT, NULL);
    config = fixture_run_config("lost", 10);
    snprintf(config->dataset, sizeof(config->dataset), "nothing");
    fixture_create_run(&f, config, LAG_EINVAL, NULL);
    fixture_create_run(&f, fixture_run_config("twin", 10), 0, NULL);
    fixture_create_run(&f, fixture_run_config("twin", 10), LAG_EEXIST, NULL);
    fixture_do(&f, LAGD_RUN_PAUSE, "nobody", LAG_ENOTFOUND, NULL);
    fixture_wait(&f, "twin", "completed");
}

static void queues_beyond_max_runs(void **state) {
    (void)state;
    fixture_stop(&f);
    f.config.max_runs = 1;
    fixture_start(&f);
    fixture_add_text(&f, "words");
    fixture_create_run(&f, fixture_run_config("one", 100000), 0, NULL);
    fixture_create_run(&f, fixture_run_config("two", 10), 0, NULL);
    fixture_wait(&f, "one", "running");
    fixture_wait(&f, "two", "queued");
    fixture_do(&f, LAGD_RUN_PAUSE, "one", 0, NULL);
    fixture_wait(&f, "two", "completed");
    fixture_wait(&f, "one", "paused");
}

static int read_again(void *arg, struct lagd_config *ret, struct lagd_config_source *ret_sources,
                      struct lag_error *err) {
    const struct lagd_config *fresh = arg;
    if (fresh->max_runs == 13) return lag_error_set(err, LAG_EINVAL, "thirteen");
    *ret = *fresh;
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++)
        (void)lag_copy(ret_sources[i].text, sizeof(ret_sources[i].text), "read again");
    return 0;
}

static void origin_is(const char *path, const char *source, bool waiting) {
    struct lagd_config_origins origins;
    lagd_supervisor_origins(f.s, &origins);
    const struct lag_field *field = lag_fields_find(&lagd_config_fields, path);
    assert_string_equal(origins.sources[field - lagd_config_fields.rows].text, source);
    assert_int_equal(origins.waiting[field - lagd_config_fields.rows], waiting);
}

/* As the api does: told of a reload, it asks for the configuration. */
static void on_events(void *arg, int64_t last_seq) {
    struct lagd_config *heard = arg;
    if (last_seq == 0) lagd_supervisor_config(f.s, heard);
}

static void reloads_what_may_change(void **state) {
    (void)state;
    static struct lagd_config heard;
    struct lagd_config fresh = f.config, now;
    lagd_supervisor_on_events(f.s, on_events, &heard);
    fixture_do(&f, LAGD_RELOAD, NULL, LAG_EUNSUPPORTED, NULL);
    lagd_supervisor_on_reload(f.s, read_again, &fresh);
    fresh.max_runs = 7;
    fresh.connection_limit = 5; /* needs a restart */
    fixture_do(&f, LAGD_RELOAD, NULL, 0, NULL);
    lagd_supervisor_config(f.s, &now);
    assert_int_equal(now.max_runs, 7);
    assert_int_equal(heard.max_runs, 7);
    origin_is("train/max_runs", "read again", false);
    origin_is("server/connection_limit", "", true);
    origin_is("storage/keep_checkpoints", "read again", false); /* the same value, said elsewhere */
    assert_int_equal(now.connection_limit, f.config.connection_limit);
    fresh.max_runs = 13;
    fixture_do(&f, LAGD_RELOAD, NULL, LAG_EINVAL, NULL);
    fresh.max_runs = 3;
    lag_copy(fresh.listen, sizeof(fresh.listen), "0.0.0.0:1"); /* does not pass the check: nothing changes */
    fixture_do(&f, LAGD_RELOAD, NULL, LAG_EDENIED, NULL);
    lagd_supervisor_config(f.s, &now);
    assert_int_equal(now.max_runs, 7);
}

static int add_file(const char *name, const char *path, char *ret_pointer) {
    struct lagd_command *command = fixture_command(LAGD_DATASET_ADD, NULL);
    struct lagd_dataset_add *add = command->u.dataset = calloc(1, sizeof(*add));
    snprintf(add->path, sizeof(add->path), "%s", path);
    snprintf(add->name, sizeof(add->name), "%s", name);
    int status = fixture_call(&f, command);
    memcpy(ret_pointer, command->err.pointer, sizeof(command->err.pointer));
    if (status == LAG_EDENIED) assert_non_null(strstr(command->err.text, "storage/dataset_roots"));
    lagd_command_destroy(command);
    return status;
}

static void registers_files_below_the_roots_only(void **state) {
    (void)state;
    char root[300], path[400], outside[400], pointer[128];
    snprintf(root, sizeof(root), "%s/texts", f.dir);
    assert_int_equal(mkdir(root, 0700), 0);
    snprintf(path, sizeof(path), "%s/a.txt", root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 200; i++) fprintf(file, "line %d of a small text\n", i);
    fclose(file);
    snprintf(outside, sizeof(outside), "%s/link", root);
    assert_int_equal(symlink("/etc/hostname", outside), 0);
    assert_int_equal(add_file("a", path, pointer), LAG_EDENIED); /* no roots set */
    fixture_stop(&f);
    snprintf(f.config.dataset_roots, sizeof(f.config.dataset_roots), "%s", root);
    fixture_start(&f);
    assert_int_equal(add_file("a", path, pointer), 0);
    assert_int_equal(add_file("b", "a.txt", pointer), 0);
    assert_int_equal(add_file("a", path, pointer), LAG_EEXIST);
    assert_string_equal(pointer, "/name");
    assert_true(add_file("c", outside, pointer) < 0);
    assert_string_equal(pointer, "/path");
    assert_int_equal(add_file("c", "/etc/passwd", pointer), LAG_EDENIED);
    snprintf(outside, sizeof(outside), "%s/../up", root);
    assert_true(add_file("c", outside, pointer) < 0);
    assert_int_equal(add_file("c", "../up", pointer) < 0, 1);
    assert_int_equal(add_file("c", "missing.txt", pointer), LAG_ENOTFOUND);
    assert_int_equal(add_file("bad name", path, pointer), LAG_EINVAL);
    fixture_do(&f, LAGD_DATASET_DELETE, "a", 0, NULL);
    assert_true(lag_fs_exists(path)); /* a registered file is never removed */
}

static void cancels_growths(void **state) {
    (void)state;
    fixture_add_text(&f, "words");
    fixture_create_run(&f, fixture_run_config("slow", 100000), 0, NULL);
    char growth[LAG_ROW_ID];
    struct lag_run_row row;
    for (int late = 0; late < 2; late++) {
        struct lagd_command *command = fixture_growth_command("slow", 6, late ? 20000 : 10);
        command->u.growth->at_step = late ? -1 : 90000;
        if (fixture_call(&f, command) < 0) fail_msg("%s", command->err.text);
        memcpy(growth, command->id, sizeof(growth));
        lagd_command_destroy(command);
        if (late) fixture_wait_growth(&f, growth, "probing");
        fixture_do(&f, LAGD_GROWTH_CANCEL, growth, 0, NULL);
        fixture_wait_growth(&f, growth, "cancelled");
        fixture_wait(&f, "slow", "running");
        for (unsigned i = 0; i < 500 * slow(); i++) {
            fixture_row(&f, "slow", &row);
            if (!row.growth_id[0]) break;
            usleep(10000);
        }
        assert_string_equal(row.growth_id, "");
        assert_int_equal(row.shape.n_layer, 2);
        fixture_do(&f, LAGD_GROWTH_CANCEL, growth, LAG_ESTATE, NULL);
    }
    fixture_do(&f, LAGD_RUN_CANCEL, "slow", 0, NULL);
    fixture_wait(&f, "slow", "cancelled");
}

/* Everything at once, and then the stop: all is answered, nothing hangs, runs are left to go on. */
static void stops_in_the_middle_of_all(void **state) {
    (void)state;
    fixture_add_text(&f, "words");
    fixture_create_run(&f, fixture_run_config("one", 1000000), 0, NULL);
    fixture_create_run(&f, fixture_run_config("two", 1000000), 0, NULL);
    struct lagd_command *command = fixture_growth_command("two", 8, 50000);
    assert_int_equal(fixture_call(&f, command), 0);
    char growth[LAG_ROW_ID];
    memcpy(growth, command->id, sizeof(growth));
    lagd_command_destroy(command);
    fixture_wait_growth(&f, growth, "probing");
    fixture_do(&f, LAGD_RUN_CHECKPOINT, "one", 0, NULL);
    int64_t began_ns = lag_clock_mono_ns();
    fixture_stop(&f);
    assert_true(lag_clock_mono_ns() - began_ns < slow() * INT64_C(5000000000));
    struct lag_run_row row;
    fixture_row(&f, "one", &row);
    assert_string_equal(row.state, "interrupted");
    fixture_row(&f, "two", &row);
    assert_string_equal(row.state, "interrupted");
    assert_string_equal(row.growth_id, growth);
    fixture_start(&f);
    fixture_wait(&f, "two", "growing");
    fixture_do(&f, LAGD_RUN_CANCEL, "two", 0, NULL);
    fixture_wait_growth(&f, growth, "cancelled");
    fixture_wait(&f, "two", "cancelled");
}

int main(void) {
    struct lag_error err = {0};
    if (lag_engine_setup(&err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trains_grows_and_samples, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asks_in_manual_mode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pauses_and_goes_on_after_a_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_does_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queues_beyond_max_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reloads_what_may_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(registers_files_below_the_roots_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancels_growths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stops_in_the_middle_of_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

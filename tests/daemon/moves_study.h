/* For test_moves: studies, through all rows of their table. */
#pragma once
#include "moves_fixture.h"

#include <lagd/storage/studies.h>

static void study(const char *name, int64_t horizon) {
    struct lagd_command *command = fixture_command(LAGD_STUDY_CREATE, NULL);
    struct lagd_study_request *request = command->u.study = calloc(1, sizeof(*request));
    lagd_study_request_defaults(request);
    snprintf(request->name, sizeof(request->name), "%s", name);
    snprintf(request->parent_run, sizeof(request->parent_run), "parent");
    request->target.n_layer = 4;
    request->horizon = horizon;
    request->eval_batches = 2;
    request->eval_every = 1000;
    request->growth.n_strategies = 2;
    request->growth.strategies[0] = (struct lagd_strategy_request){.op = "stack", .rewarm_steps = -1, .seed = -1};
    request->growth.strategies[1] = (struct lagd_strategy_request){.op = "interleave", .rewarm_steps = -1, .seed = -1};
    if (fixture_call(&f, command) != 0) fail_msg("%s", command->err.text);
    lagd_command_destroy(command);
}

static int keep_run(const struct lag_study_run_row *row, void *arg) {
    *(struct lag_study_run_row *)arg = *row;
    return 1;
}

/* Waits until the study is in the state and its run in the other ("" = any), up to 30 s. */
static void wait_study(const char *name, const char *state, const char *run_state, struct lag_study_run_row *ret) {
    struct lag_study_row row;
    struct lag_study_run_row item;
    struct lag_run_row run;
    for (unsigned i = 0; i < 3000 * slow(); i++, usleep(10000)) {
        struct lag_db *db = NULL;
        memset(&item, 0, sizeof(item));
        memset(&run, 0, sizeof(run));
        assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
        assert_int_equal(lag_study_get(db, name, &row, NULL), 0);
        (void)lag_study_run_list(db, row.id, keep_run, &item, NULL);
        if (item.run_id[0]) (void)lag_run_get(db, item.run_id, &run, NULL);
        lag_reader_close(db);
        if (ret) *ret = item;
        if (strcmp(row.state, state) == 0 && (!run_state[0] || strcmp(run.state, run_state) == 0)) return;
    }
    fail_msg("study %s is %s (%s), its run %s", name, row.state, row.reason, run.state);
}

static void make_parent(void) {
    char run[LAG_ROW_ID];
    struct lagd_run_config *config = fixture_run_config("parent", 12);
    snprintf(config->schedule, sizeof(config->schedule), "constant");
    fixture_create_run(&f, config, 0, run);
    RUN(run, "queued running completed");
}

static void a_study_is_steered(void **state) {
    (void)state;
    make_parent();
    study("steered", LONG / 2);
    wait_study("steered", "running", "growing", NULL);
    fixture_do(&f, LAGD_STUDY_PAUSE, "steered", 0, NULL);
    wait_study("steered", "paused", "paused", NULL);
    fixture_do(&f, LAGD_STUDY_PAUSE, "steered", LAG_ESTATE, NULL);
    restart();
    wait_study("steered", "paused", "paused", NULL);
    fixture_do(&f, LAGD_STUDY_RESUME, "steered", 0, NULL);
    wait_study("steered", "running", "growing", NULL);
    fixture_do(&f, LAGD_STUDY_CANCEL, "steered", 0, NULL);
    wait_study("steered", "cancelled", "cancelled", NULL);
    fixture_do(&f, LAGD_STUDY_DELETE, "steered", 0, NULL);
    study("waits", LONG / 2);
    fixture_do(&f, LAGD_STUDY_PAUSE, "waits", 0, NULL);
    fixture_do(&f, LAGD_STUDY_CANCEL, "waits", 0, NULL);
    wait_study("waits", "cancelled", "", NULL);
}

static void a_study_ends(void **state) {
    (void)state;
    struct lag_study_run_row item;
    make_parent();
    study("whole", 8);
    wait_study("whole", "completed", "completed", &item);
    GROWTH(item.growth_id, "queued probing decided applying applied");
    study("broken", LONG / 2);
    wait_study("broken", "running", "growing", &item);
    fixture_do(&f, LAGD_GROWTH_CANCEL, item.growth_id, 0, NULL); /* a person does */
    wait_study("broken", "failed", "cancelled", NULL);
}

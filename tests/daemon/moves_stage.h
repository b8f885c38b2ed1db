/* Of test_moves.c: stages of a run's growth plan. */
#pragma once
#include "moves_fixture.h"

#include <lagd/storage/stages.h>

static struct lagd_command *plan_command(const char *run, int n, const int64_t *targets, const int64_t *steps) {
    struct lagd_command *command = fixture_command(LAGD_PLAN_SET, run);
    command->u.plan = calloc(1, sizeof(*command->u.plan));
    for (int i = 0; i < n; i++) {
        struct lagd_stage_request *stage = &command->u.plan->stages[command->u.plan->n++];
        lagd_growth_request_defaults(&stage->growth);
        lag_fields_defaults(&lagd_trigger_stored_fields, &stage->trigger);
        stage->growth.target.n_layer = targets[i];
        stage->growth.probe_steps = 4;
        stage->growth.eval_batches = 2;
        stage->growth.n_strategies = 1;
        lagd_strategy_request_defaults(&stage->growth.strategies[0]);
        /* of three layers, which a run that did not grow has not got */
        (void)lag_copy(stage->growth.strategies[0].op, 32, i == 1 ? "range" : "stack");
        if (i == 1) {
            stage->growth.strategies[0].n_params = 1;
            (void)lag_copy(stage->growth.strategies[0].params[0].name, 16, "block");
            stage->growth.strategies[0].params[0].value = 3;
            (void)lag_copy(stage->growth.mode, sizeof(stage->growth.mode), "auto");
        } else {
            (void)lag_copy(stage->growth.mode, sizeof(stage->growth.mode), "manual");
        }
        stage->growth.pool[0] = '\0';
        (void)lag_copy(stage->trigger.kind, sizeof(stage->trigger.kind), "step");
        stage->trigger.step = steps[i];
    }
    return command;
}

struct stage_states {
    char text[256];
};

static int add_stage(const struct lag_stage_row *row, void *arg) {
    struct stage_states *states = arg;
    const size_t used = strlen(states->text);
    (void)snprintf(states->text + used, sizeof(states->text) - used, "%s%s", used ? " " : "", row->state);
    return 0;
}

static void expect_stages(const char *run, const char *wanted) {
    struct stage_states states = {""};
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_stage_list(db, run, add_stage, &states, NULL), 0);
    lag_reader_close(db);
    assert_string_equal(states.text, wanted);
}

static void stages_begin_and_are_skipped(void **state) {
    (void)state;
    static const int64_t targets[] = {3, 5}, steps[] = {10, 20};
    char run[LAG_ROW_ID];
    struct lag_run_row row;
    struct lag_growth_row growth;
    struct lag_db *db = NULL;
    create("staged", 40, false, run);
    struct lagd_command *command = plan_command("staged", 2, targets, steps);
    assert_int_equal(fixture_call(&f, command), 0);
    lagd_command_destroy(command);
    expect_stages(run, "planned planned");
    fixture_do(&f, LAGD_RUN_RESUME, "staged", 0, NULL);
    do {
        usleep(1000);
        fixture_row(&f, run, &row);
    } while (!row.growth_id[0]);
    fixture_wait_growth(&f, row.growth_id, "awaiting_approval");
    expect_stages(run, "begun planned");
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_growth_get(db, row.growth_id, &growth, NULL), 0);
    lag_reader_close(db);
    assert_int_equal(growth.start_step, 10);
    decide(row.growth_id, false);
    RUN(run, "paused queued running growing running completed");
    expect_stages(run, "begun skipped");
}

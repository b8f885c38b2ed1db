/* Every row of the tables of states (records/states.c), by what it is for: a real supervisor, its commands and its
 * threads make the moves, and the events tell them. The last test asks that no row was left out. A row that is deleted
 * makes one of these fail: what it was for does not happen. */
#include "moves_dataset.h"
#include "moves_model.h"
#include "moves_tokenizer.h"
#include "moves_stage.h"
#include "moves_study.h"

enum { N_POOL = 9 }; /* the default pool of 2 → 4 layers: eight operators differ; and none */

/* --- the tests --- */

/* The first: the second opening of a run in this process takes half a second (see main), so the pause is asked of a run
 * that is still queued and reaches it in its growth. */
static void a_manual_growth_and_a_pause_in_it(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    create("asked", 60, false, run);
    grow("asked", "manual", 0, 4, growth);
    fixture_do(&f, LAGD_RUN_RESUME, "asked", 0, NULL);
    fixture_wait_growth(&f, growth, "awaiting_approval");
    restart();
    fixture_do(&f, LAGD_RUN_PAUSE, "asked", 0, NULL);
    RUN(run, "paused queued running growing interrupted queued growing paused");
    fixture_do(&f, LAGD_RUN_RESUME, "asked", 0, NULL);
    RUN(run, "paused queued running growing interrupted queued growing paused queued growing");
    decide(growth, true);
    GROWTH(growth, "queued probing awaiting_approval decided applying applied");
    RUN(run, "paused queued running growing interrupted queued growing paused queued growing running completed");
}

static void a_growth_is_found_and_applied(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    int n[LAGD_N_CANDIDATE_STATES];
    create("auto", 60, false, run);
    grow("auto", "auto", 20, 4, growth);
    fixture_do(&f, LAGD_RUN_RESUME, "auto", 0, NULL);
    RUN(run, "paused queued running growing running completed");
    GROWTH(growth, "queued probing decided applying applied");
    count_candidates(growth, n);
    assert_int_equal(n[LAGD_CANDIDATE_COMPLETED], N_POOL);
    struct whose whose = {.run_id = run, .growth_id = growth};
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_event_list(db, 0, NULL, 100000, check_whose, &whose, NULL), 0);
    lag_reader_close(db);
    assert_int_equal(whose.n_started, N_POOL);
    assert_int_equal(whose.n_completed, N_POOL);
    assert_int_equal(whose.n_created, 1);
}

static void a_person_ends_a_growth_anywhere(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    int n[LAGD_N_CANDIDATE_STATES];
    create("slow", LONG, true, run);
    grow("slow", "manual", -1, 4, growth);
    fixture_wait_growth(&f, growth, "awaiting_approval");
    decide(growth, false);
    GROWTH(growth, "queued probing awaiting_approval rejected");
    RUN(run, "queued running growing running");
    grow("slow", "manual", -1, 4, growth);
    fixture_wait_growth(&f, growth, "awaiting_approval");
    fixture_do(&f, LAGD_GROWTH_CANCEL, growth, 0, NULL);
    GROWTH(growth, "queued probing awaiting_approval cancelled");
    RUN(run, "queued running growing running growing running");
    grow("slow", "auto", -1, LONG / 2, growth);
    fixture_wait_growth(&f, growth, "probing");
    do {
        usleep(1000);
        count_candidates(growth, n); /* as many as there are threads begin */
    } while (n[LAGD_CANDIDATE_RUNNING] == 0);
    fixture_do(&f, LAGD_GROWTH_CANCEL, growth, 0, NULL);
    GROWTH(growth, "queued probing cancelled");
    RUN(run, "queued running growing running growing running growing running");
    count_candidates(growth, n);
    assert_int_equal(n[LAGD_CANDIDATE_CANCELLED], N_POOL);
    grow("slow", "auto", LONG / 2, 4, growth);
    fixture_do(&f, LAGD_GROWTH_CANCEL, growth, 0, NULL);
    GROWTH(growth, "queued cancelled");
    struct lag_run_row row;
    do {
        usleep(1000);
        fixture_row(&f, run, &row);
    } while (row.growth_id[0] && strcmp(row.state, "running") == 0);
    RUN(run, "queued running growing running growing running growing running");
}

static void extend(const char *run, int64_t max_steps, int want) {
    struct lagd_command *command = fixture_command(LAGD_RUN_EXTEND, run);
    command->u.extension = calloc(1, sizeof(*command->u.extension));
    lag_fields_defaults(&lagd_extension_fields, command->u.extension);
    command->u.extension->config.max_steps = max_steps;
    command->u.extension->given = 1; /* max_steps is the first row */
    assert_string_equal(lagd_extension_fields.rows[0].path, "max_steps");
    assert_int_equal(fixture_call(&f, command), want);
    lagd_command_destroy(command);
}

static void a_run_goes_on_beyond_its_end(void **state) {
    (void)state;
    char run[LAG_ROW_ID];
    create("ends", 30, false, run);
    extend("ends", 30, 0);
    RUN(run, "paused queued running completed");
    extend("ends", 30, LAG_EINVAL);
    extend("ends", 50, 0);
    RUN(run, "paused queued running completed queued running completed");
    create("cut", 30, false, run);
    fixture_do(&f, LAGD_RUN_CANCEL, "cut", 0, NULL);
    extend("cut", 50, LAG_ESTATE);
    RUN(run, "paused cancelled");
}

static void runs_are_paused_and_cancelled_anywhere(void **state) {
    (void)state;
    char one[LAG_ROW_ID], two[LAG_ROW_ID], three[LAG_ROW_ID], growth[LAG_ROW_ID];
    fixture_stop(&f);
    f.config.max_runs = 1;
    fixture_start(&f);
    create("one", LONG, true, one);
    RUN(one, "queued running");
    create("two", LONG, true, two);
    create("three", LONG, true, three);
    fixture_do(&f, LAGD_RUN_PAUSE, "two", 0, NULL);
    fixture_do(&f, LAGD_RUN_CANCEL, "two", 0, NULL);
    fixture_do(&f, LAGD_RUN_CANCEL, "three", 0, NULL);
    RUN(two, "queued paused cancelled");
    RUN(three, "queued cancelled");
    fixture_do(&f, LAGD_RUN_PAUSE, "one", 0, NULL);
    fixture_do(&f, LAGD_RUN_RESUME, "one", 0, NULL);
    RUN(one, "queued running paused queued running");
    restart();
    RUN(one, "queued running paused queued running interrupted queued running");
    fixture_do(&f, LAGD_RUN_CANCEL, "one", 0, NULL);
    RUN(one, "queued running paused queued running interrupted queued running cancelled");
    create("four", LONG, true, one);
    grow("four", "auto", -1, LONG / 2, growth);
    RUN(one, "queued running growing");
    fixture_do(&f, LAGD_RUN_CANCEL, "four", 0, NULL);
    RUN(one, "queued running growing cancelled");
    GROWTH(growth, "queued probing cancelled");
}

/* A crash leaves any state behind. What cannot be read is paused, with its growth in any state; it may be cancelled. */
static void the_next_daemon_puts_runs_in_order(void **state) {
    (void)state;
    static const struct {
        const char *name, *run_state, *growth_state, *run, *growth;
        bool broken, pauses;
    } cases[] = {
        {"a", "running", NULL, "paused interrupted queued", NULL, false, false},
        {"b", "growing", "probing", "paused interrupted queued", "queued", false, false},
        {"c", "growing", "probing", "paused interrupted paused", "queued", false, true},
        {"d", "paused", "queued", "paused", "queued", true, false},
        {"e", "queued", "probing", "paused paused", "queued", true, false},
        {"f", "running", "awaiting_approval", "paused interrupted paused", "queued", true, false},
        {"g", "growing", "decided", "paused interrupted paused", "queued", true, false},
        {"h", "interrupted", "applying", "paused paused", "queued", true, false},
    };
    enum { N = sizeof(cases) / sizeof(*cases) };
    char runs[N][LAG_ROW_ID], growths[N][LAG_ROW_ID];
    for (int i = 0; i < N; i++) {
        struct lagd_run_config *config = fixture_run_config(cases[i].name, 60);
        config->start = false;
        if (cases[i].pauses) lag_copy(config->on_crash, sizeof(config->on_crash), "pause");
        fixture_create_run(&f, config, 0, runs[i]);
        if (cases[i].growth_state) grow(cases[i].name, "auto", 0, 4, growths[i]);
    }
    fixture_stop(&f);
    struct lag_store *store = NULL;
    assert_int_equal(lag_store_open(f.config.state_dir, &store, NULL), 0);
    for (int i = 0; i < N; i++)
        put_states(store, (struct put){.run = runs[i], .run_state = cases[i].run_state, .growth = growths[i],
                                       .growth_state = cases[i].growth_state,
                                       .config = cases[i].broken ? "nonsense=1\n" : NULL});
    lag_store_close(store);
    assert_int_equal(lagd_supervisor_create(&f.config, &f.s, NULL), 0); /* its loop does not run */
    lagd_supervisor_destroy(f.s);
    for (int i = 0; i < N; i++) {
        RUN(runs[i], cases[i].run);
        if (cases[i].growth) GROWTH(growths[i], cases[i].growth);
    }
    fixture_start(&f);
    for (int i = 0; i < N; i++) {
        if (!cases[i].broken) continue;
        fixture_do(&f, LAGD_RUN_RESUME, runs[i], LAG_EINVAL, NULL); /* the reason is told */
        fixture_do(&f, LAGD_RUN_CANCEL, runs[i], 0, NULL);
        GROWTH(growths[i], "queued cancelled");
    }
}

/* No growth explains three layers: the run is paused, its growth stays where it was. */
static void what_does_not_fit_together_is_paused(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    create("odd", 60, false, run);
    grow("odd", "auto", 0, 4, growth);
    put_states(lagd_supervisor_store(f.s), (struct put){.run = run, .n_layer = 3});
    fixture_do(&f, LAGD_RUN_RESUME, "odd", 0, NULL);
    RUN(run, "paused queued paused");
    GROWTH(growth, "queued");
    put_states(lagd_supervisor_store(f.s), (struct put){.run = run, .n_layer = 2});
    fixture_do(&f, LAGD_RUN_RESUME, "odd", 0, NULL);
    GROWTH(growth, "queued probing decided applying applied");
}

/* What is asked of it cannot be read: the growth fails, whatever its state is, and its run goes on. */
static void a_growth_that_cannot_be_read_fails_alone(void **state) {
    (void)state;
    static const enum lagd_growth_state states[] = {LAGD_GROWTH_QUEUED, LAGD_GROWTH_PROBING, LAGD_GROWTH_AWAITING,
                                                    LAGD_GROWTH_DECIDED, LAGD_GROWTH_APPLYING};
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        char name[16], run[LAG_ROW_ID];
        struct lag_growth_row row = {.mode = "auto", .request = "nonsense=1\n", .start_step = 0, .probe_steps = 4,
                                     .parent_loss = __builtin_nan("")};
        struct lag_error err = {0};
        snprintf(name, sizeof(name), "odd-%zu", i);
        create(name, 60, false, run);
        snprintf(row.id, sizeof(row.id), "gr_odd_%zu", i);
        lag_copy(row.run_id, sizeof(row.run_id), run);
        lag_copy(row.state, sizeof(row.state), lagd_state_name(LAGD_MACHINE_GROWTH, (int)states[i]));
        if (lag_store_write(lagd_supervisor_store(f.s), insert_growth, &row, &err) != 0) fail_msg("%s", err.text);
        fixture_do(&f, LAGD_RUN_RESUME, name, 0, NULL);
        GROWTH(row.id, "failed");
        RUN(run, i == 0 ? "paused queued running completed" : "paused queued growing running completed");
    }
}

/* Its own numbers: the run fails, with the growth that waits for it. A person may go on from the newest checkpoint. */
static void a_run_fails_and_is_resumed(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    struct lagd_run_config *config = fixture_run_config("diverges", LONG);
    config->start = false;
    config->lr = 10;
    config->weight_decay = 10;
    config->warmup_steps = 0;
    config->grad_clip = 0;
    config->checkpoint_every = 5;
    snprintf(config->schedule, sizeof(config->schedule), "constant");
    fixture_create_run(&f, config, 0, run);
    grow("diverges", "auto", LONG / 2, 4, growth);
    fixture_do(&f, LAGD_RUN_RESUME, "diverges", 0, NULL);
    RUN(run, "paused queued running failed");
    GROWTH(growth, "queued failed");
    fixture_do(&f, LAGD_RUN_RESUME, "diverges", 0, NULL);
    RUN(run, "paused queued running failed queued running failed");
}

/* At its start, while it trains and while it grows: it is paused, and goes on by itself. */
static void what_may_pass_is_tried_again(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    struct lag_run_row row;
    create("short", 60, false, run);
    grow("short", "manual", 0, 4, growth);
    allow_descriptors(3);
    fixture_do(&f, LAGD_RUN_RESUME, "short", 0, NULL);
    wait_paused("short");
    allow_descriptors(0);
    fixture_row(&f, run, &row);
    assert_true(row.waits);
    assert_non_null(strstr(row.reason, "Too many open files"));
    assert_non_null(strstr(row.reason, "tried again by itself"));
    fixture_wait_growth(&f, growth, "awaiting_approval");
    RUN(run, "paused queued paused queued running growing");
    fixture_row(&f, run, &row);
    assert_false(row.waits);
    allow_descriptors(3);
    decide(growth, true);
    wait_paused("short");
    allow_descriptors(0);
    fixture_do(&f, LAGD_RUN_RESUME, "short", 0, NULL); /* rather than to wait for it */
    GROWTH(growth, "queued probing awaiting_approval decided applying applied");
    RUN(run, "paused queued paused queued running growing paused queued growing running completed");
    create("trains", LONG, true, run);
    RUN(run, "queued running");
    allow_descriptors(3);
    grow("trains", "auto", -1, 4, growth);
    wait_paused("trains");
    fixture_do(&f, LAGD_RUN_PAUSE, "trains", 0, NULL); /* it shall not go on by itself */
    allow_descriptors(0);
    fixture_row(&f, run, &row);
    assert_false(row.waits);
    fixture_do(&f, LAGD_RUN_RESUME, "trains", 0, NULL);
    GROWTH(growth, "queued probing decided applying applied");
    RUN(run, "queued running paused queued running growing running");
}

/* One candidate cannot be built, all others leave any bound: nobody wins, and the run goes on as it was. */
static void candidates_diverge_and_fail(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    int n[LAGD_N_CANDIDATE_STATES];
    struct lagd_run_config *config = fixture_run_config("wild", 12);
    config->start = false;
    config->lr = 3;
    config->warmup_steps = 0;
    config->grad_clip = 0;
    fixture_create_run(&f, config, 0, run);
    struct lagd_command *command = fixture_growth_command("wild", 4, 8);
    command->u.growth->divergence_bound = 0.5;
    command->u.growth->at_step = 0;
    fixture_grow(&f, command, growth);
    struct lag_error err = {0};
    if (lag_store_write(lagd_supervisor_store(f.s), add_unbuildable, growth, &err) != 0) fail_msg("%s", err.text);
    fixture_do(&f, LAGD_RUN_RESUME, "wild", 0, NULL);
    GROWTH(growth, "queued probing failed");
    RUN(run, "paused queued running growing running completed");
    count_candidates(growth, n);
    assert_int_equal(n[LAGD_CANDIDATE_FAILED], 1);
    assert_int_equal(n[LAGD_CANDIDATE_DIVERGED], N_POOL);
}

/* A race is on, and an order is taken to hold (a failpoint says so instead of studies): the one that is far behind is
 * stopped. At the lag not growing is still ahead of both, so the probe is extended, and takes it up again. */
static void candidates_are_stopped_and_taken_up(void **state) {
    (void)state;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    int n[LAGD_N_CANDIDATE_STATES];
    create("raced", 500, false, run);
    struct lagd_command *command = fixture_growth_command("raced", 4, 32);
    struct lagd_growth_request *request = command->u.growth;
    snprintf(request->allocator, sizeof(request->allocator), "auto");
    request->max_steps = 64;
    request->at_step = 400;
    request->delta = 0;
    request->n_strategies = 2;
    for (int i = 0; i < 2; i++)
        request->strategies[i] = (struct lagd_strategy_request){.op = "stack", .optimizer = "inherit", .lr = "continue",
                                                                .rewarm_steps = -1, .seed = -1, .n_params = i,
                                                                .freeze_old = LAGD_FREEZE_UNSAID,
                                                                .params = {{"noise", 0.8}}};
    fixture_grow(&f, command, growth);
    fixture_do(&f, LAGD_RUN_RESUME, "raced", 0, NULL);
    GROWTH(growth, "queued probing decided applying applied");
    RUN(run, "paused queued running growing running completed");
    count_candidates(growth, n);
    assert_int_equal(n[LAGD_CANDIDATE_COMPLETED], 3);
}

static void a_run_waits_for_its_dataset(void **state) {
    (void)state;
    char trains[LAG_ROW_ID], grows[LAG_ROW_ID], growth[LAG_ROW_ID];
    create("trains", LONG, true, trains);
    create("grows", LONG, true, grows);
    grow("grows", "auto", -1, LONG / 2, growth);
    RUN(trains, "queued running");
    RUN(grows, "queued running growing");
    GROWTH(growth, "queued probing");
    assert_int_equal(cut("datasets/*/words.txt", 3000), 1);
    RUN(trains, "queued running paused");
    RUN(grows, "queued running growing paused");
    GROWTH(growth, "queued probing");
    fixture_do(&f, LAGD_RUN_RESUME, "trains", 0, NULL);
    RUN(trains, "queued running paused queued paused");
}

/* All checkpoints are damaged: the applied growth comes again, and the one behind it is withdrawn. */
static void a_lost_growth_is_applied_again(void **state) {
    (void)state;
    char run[LAG_ROW_ID], first[LAG_ROW_ID], second[LAG_ROW_ID];
    create("lost", LONG, false, run);
    grow("lost", "auto", 20, 4, first);
    fixture_do(&f, LAGD_RUN_RESUME, "lost", 0, NULL);
    fixture_wait_growth(&f, first, "applied");
    struct lagd_command *command = fixture_growth_command("lost", 6, 4);
    command->u.growth->at_step = LONG / 2;
    fixture_grow(&f, command, second);
    fixture_do(&f, LAGD_RUN_PAUSE, "lost", 0, NULL);
    assert_true(cut("runs/*/ckpt-*/manifest.json", 10) >= 2);
    fixture_do(&f, LAGD_RUN_RESUME, "lost", 0, NULL);
    GROWTH(first, "queued probing decided applying applied decided applying applied");
    RUN(run, "paused queued running growing running paused queued running growing running");
    GROWTH(second, "queued"); /* and it is its turn again */
    struct lag_run_row row;
    fixture_row(&f, run, &row);
    assert_string_equal(row.growth_id, second);
}

static void what_no_row_allows_is_refused(void **state) {
    (void)state;
    char run[LAG_ROW_ID];
    struct lag_run_row before, after;
    create("still", 60, false, run);
    fixture_row(&f, run, &before);
    lag_log_setup(0, 0);
    check_refused((struct lagd_post){.machine = LAGD_MACHINE_RUN, .id = run, .event = LAGD_RUN_ON_STARTED}, LAG_ESTATE,
                  "is paused: no row of the table is for \"started\" there");
    struct lag_run_row copy = before;
    lag_copy(copy.id, sizeof(copy.id), "run_new");
    check_refused((struct lagd_post){.machine = LAGD_MACHINE_RUN, .row = &copy, .event = LAGD_RUN_ON_STARTED},
                  LAG_ESTATE, "no row of the table");
    const struct lagd_post late = {.machine = LAGD_MACHINE_RUN, .id = run, .event = LAGD_RUN_ON_RESUME,
                                   .seen = "queued"};
    check_refused(late, LAG_ESTATE, "is paused now, not queued");
    static const char *const nobody[] = {"run nobody", "growth nobody", "candidate nobody", "dataset nobody",
                                         "study nobody", "stage nobody", "model nobody",
                                         "tokenizer nobody"};
    for (int m = 0; m < LAGD_N_MACHINES; m++)
        check_refused((struct lagd_post){.machine = (enum lagd_machine)m, .id = "nobody", .event = 1}, LAG_ENOTFOUND,
                      nobody[m]);
    char growth[LAG_ROW_ID];
    grow("still", "auto", 0, 4, growth);
    check_refused((struct lagd_post){.machine = LAGD_MACHINE_GROWTH, .id = growth, .event = LAGD_GROWTH_ON_APPLIED},
                  LAG_ESTATE, "growth gr_");
    fixture_do(&f, LAGD_GROWTH_CANCEL, growth, 0, NULL);
    fixture_row(&f, run, &after);
    assert_int_equal(after.revision, before.revision + 3); /* the growth came, was cancelled, and went */
    RUN(run, "paused");
    put_states(lagd_supervisor_store(f.s), (struct put){.run = run, .run_state = "dreaming"});
    check_refused((struct lagd_post){.machine = LAGD_MACHINE_RUN, .id = run, .event = LAGD_RUN_ON_RESUME}, LAG_ECORRUPT,
                  "is stored in the state \"dreaming\", which this lagd does not know");
    fixture_do(&f, LAGD_RUN_RESUME, "still", LAG_ESTATE, NULL);
    restart(); /* leaves it alone, and serves the others */
    RUN(run, "paused");
}

static void no_row_was_left_out(void **state) {
    (void)state;
    int n_left = 0;
    for (int m = 0; m < LAGD_N_MACHINES; m++) {
        enum lagd_machine machine = (enum lagd_machine)m;
        size_t n;
        const struct lagd_transition *rows = lagd_transitions(machine, &n);
        for (size_t i = 0; i < n; i++) {
            if (lagd_post_uses(machine, i) > 0) continue;
            const char *from = rows[i].from == LAGD_NOWHERE ? "nowhere" : lagd_state_name(machine, rows[i].from);
            fprintf(stderr, "machine %d: nothing used \"%s\" from %s\n", m,
                    lagd_machine_event_name(machine, rows[i].event), from);
            n_left++;
        }
    }
    assert_int_equal(n_left, 0);
}

int main(void) {
    struct lag_error err = {0};
    static const char failpoints[] = "run.opened=sleep:500@2,rung.order_holds=fail";
    if (setenv("LAGD_FAILPOINTS", failpoints, 1) != 0 || lag_engine_setup(&err) < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manual_growth_and_a_pause_in_it, set_up, tear_down), /* first: see there */
        cmocka_unit_test_setup_teardown(a_growth_is_found_and_applied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_person_ends_a_growth_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_are_paused_and_cancelled_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_goes_on_beyond_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_study_is_steered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_study_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_daemon_puts_runs_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_together_is_paused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_growth_that_cannot_be_read_fails_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_fails_and_is_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_pass_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(candidates_diverge_and_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(candidates_are_stopped_and_taken_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_waits_for_its_dataset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dataset_is_registered_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_model_is_imported_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tokenizer_is_made_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_growth_is_applied_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stages_begin_and_are_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_row_allows_is_refused, set_up, tear_down),
        cmocka_unit_test(no_row_was_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

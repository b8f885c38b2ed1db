/* Every row of the tables of states (records/states.c), by what it is for: a real supervisor, its commands and its
 * threads make the moves, and the events tell them. The last test asks that no row was left out. A row that is deleted
 * makes one of these fail: what it was for does not happen. */
#include "growth_fixture.h"

#include "records/post_internal.h"

#include <glob.h>
#include <lagd/storage/events.h>

#define LONG 1000000 /* steps: such a run is met on its way */

static struct fixture f;

static int set_up(void **state) {
    (void)state;
    memset(&f, 0, sizeof(f));
    fixture_make_dir(&f);
    fixture_start(&f);
    fixture_add_text(&f, "words");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_stop(&f);
    fixture_remove(&f);
    return 0;
}

/* --- what the events tell --- */

struct told {
    enum lag_event_type type;
    const char *id;
    char states[512], reason[LAG_ROW_TEXT];
};

static int add_state(const struct lag_event_row *row, void *arg) {
    struct told *told = arg;
    const char *id = told->type == LAG_EVENT_RUN_STATE ? row->run_id : row->growth_id;
    if (!lag_event_is(row->type, told->type) || strcmp(id, told->id) != 0) return 0;
    size_t n = strlen(told->states);
    snprintf(told->states + n, sizeof(told->states) - n, "%s%s", n > 0 ? " " : "", row->state);
    lag_copy(told->reason, sizeof(told->reason), row->message);
    return 0;
}

static void read_states(struct told *told) {
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    told->states[0] = '\0';
    assert_int_equal(lag_event_list(db, 0, NULL, 100000, add_state, told, NULL), 0);
    lag_reader_close(db);
}

/* All states that the run or growth has had, waited for up to 10 s. */
static void expect(enum lag_event_type type, const char *id, const char *states) {
    struct told told = {.type = type, .id = id};
    for (unsigned i = 0; i < 1000 * slow(); i++) {
        read_states(&told);
        if (strcmp(told.states, states) == 0) return;
        usleep(10000);
    }
    fail_msg("%s was %s (%s), not %s", id, told.states, told.reason, states);
}
#define RUN(id, states) expect(LAG_EVENT_RUN_STATE, id, states)
#define GROWTH(id, states) expect(LAG_EVENT_GROWTH_STATE, id, states)

static int count_candidate(const struct lag_candidate_row *row, void *arg) {
    ((int *)arg)[lagd_state_index(LAGD_MACHINE_CANDIDATE, row->state)]++;
    return 0;
}

static void count_candidates(const char *growth_id, int ret[LAGD_N_CANDIDATE_STATES]) {
    struct lag_db *db = NULL;
    memset(ret, 0, LAGD_N_CANDIDATE_STATES * sizeof(*ret));
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_candidate_list(db, growth_id, count_candidate, ret, NULL), 0);
    lag_reader_close(db);
}

/* Events of candidates that say of whom they are and how it went; and how many runs were told to be created. */
struct whose {
    const char *run_id, *growth_id;
    int n_started, n_completed, n_created;
};

static int check_whose(const struct lag_event_row *row, void *arg) {
    struct whose *whose = arg;
    if (lag_event_is(row->type, LAG_EVENT_RUN_CREATED)) whose->n_created++;
    if (!lag_event_is(row->type, LAG_EVENT_CANDIDATE_STATE)) return 0;
    assert_string_equal(row->run_id, whose->run_id);
    assert_string_equal(row->growth_id, whose->growth_id);
    assert_int_equal(strncmp(row->candidate_id, "cand_", 5), 0);
    bool completed = lagd_candidate_is(row->state, LAGD_CANDIDATE_COMPLETED);
    assert_int_equal(row->step, completed ? 4 : 0);
    assert_int_equal(row->value > 0, completed); /* none is NaN */
    whose->n_started += lagd_candidate_is(row->state, LAGD_CANDIDATE_RUNNING);
    whose->n_completed += completed;
    return 0;
}

/* --- asking --- */

static void create(const char *name, int64_t max_steps, bool start, char ret_id[LAG_ROW_ID]) {
    struct lagd_run_config *config = fixture_run_config(name, max_steps);
    config->start = start;
    fixture_create_run(&f, config, 0, ret_id);
}

static void grow(const char *run, const char *mode, int64_t at_step, int64_t steps, char ret_id[LAG_ROW_ID]) {
    struct lagd_command *command = fixture_growth_command(run, 4, steps);
    snprintf(command->u.growth->mode, sizeof(command->u.growth->mode), "%s", mode);
    command->u.growth->at_step = at_step;
    fixture_grow(&f, command, ret_id);
}

static void decide(const char *growth, bool approve) {
    struct lagd_command *command = fixture_command(LAGD_GROWTH_DECIDE, growth);
    command->u.decide.approve = approve;
    if (fixture_call(&f, command) != 0) fail_msg("%s", command->err.text);
    lagd_command_destroy(command);
}

static void restart(void) {
    fixture_stop(&f);
    fixture_start(&f);
}

/* --- states that cannot be met on their way are put --- */

struct put {
    const char *run, *run_state, *config;
    const char *growth, *growth_state;
    int n_layer;
};

static int write_put(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct put *put = arg;
    int rc = 0;
    if (put->run_state) rc = lag_run_set_state(db, put->run, put->run_state, "", err);
    if (rc == 0 && put->config) rc = lag_run_set_config(db, put->run, put->run, put->config, err);
    if (rc == 0 && put->n_layer) {
        const struct lag_shape shape = {put->n_layer, 2, 16, 64, 16, 256};
        rc = lag_run_set_shape(db, put->run, &shape, 1, err);
    }
    if (rc == 0 && put->growth_state) rc = lag_growth_set_state(db, put->growth, put->growth_state, "", err);
    return rc;
}

static void put_states(struct lag_store *store, struct put put) {
    struct lag_error err = {0};
    if (lag_store_write(store, write_put, &put, &err) != 0) fail_msg("%s", err.text);
}

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
    assert_int_equal(n[LAGD_CANDIDATE_COMPLETED], 11);
    struct whose whose = {.run_id = run, .growth_id = growth};
    struct lag_db *db = NULL;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_event_list(db, 0, NULL, 100000, check_whose, &whose, NULL), 0);
    lag_reader_close(db);
    assert_int_equal(whose.n_started, 11);
    assert_int_equal(whose.n_completed, 11);
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
    assert_int_equal(n[LAGD_CANDIDATE_CANCELLED], 11);
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

/* A crash leaves any state behind. What cannot be read fails, with its growth in any state. */
static void the_next_daemon_puts_runs_in_order(void **state) {
    (void)state;
    static const struct {
        const char *name, *run_state, *growth_state, *run, *growth;
        bool broken, pauses;
    } cases[] = {
        {"a", "running", NULL, "paused interrupted queued", NULL, false, false},
        {"b", "growing", "probing", "paused interrupted queued", "queued", false, false},
        {"c", "growing", "probing", "paused interrupted paused", "queued", false, true},
        {"d", "paused", "queued", "paused failed", "queued cancelled", true, false},
        {"e", "queued", "probing", "paused failed", "queued cancelled", true, false},
        {"f", "running", "awaiting_approval", "paused failed", "queued cancelled", true, false},
        {"g", "growing", "decided", "paused failed", "queued cancelled", true, false},
        {"h", "interrupted", "applying", "paused failed", "queued cancelled", true, false},
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
}

/* A run that cannot be opened fails, and its growth with it, whatever its state is. */
static void a_growth_fails_with_its_run(void **state) {
    (void)state;
    static const enum lagd_growth_state states[] = {LAGD_GROWTH_QUEUED, LAGD_GROWTH_PROBING, LAGD_GROWTH_AWAITING,
                                                    LAGD_GROWTH_DECIDED, LAGD_GROWTH_APPLYING};
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        char name[16], run[LAG_ROW_ID], growth[LAG_ROW_ID];
        snprintf(name, sizeof(name), "odd-%zu", i);
        create(name, 60, false, run);
        grow(name, "auto", 0, 4, growth);
        put_states(lagd_supervisor_store(f.s),
                   (struct put){.run = run, .n_layer = 3, .growth = growth,
                                .growth_state = lagd_state_name(LAGD_MACHINE_GROWTH, (int)states[i])});
        fixture_do(&f, LAGD_RUN_RESUME, name, 0, NULL);
        RUN(run, "paused queued failed"); /* no growth explains three layers */
        GROWTH(growth, "queued failed");
    }
}

static int add_unbuildable(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_candidate_row row = {.position = 11, .eligible = true, .op = "llama_pro",
                                    .strategy = "llama_pro every=50", .loss_at_0 = __builtin_nan(""),
                                    .loss_at_lag = __builtin_nan("")};
    const struct lagd_post post = {.machine = LAGD_MACHINE_CANDIDATE, .event = LAGD_CANDIDATE_ON_CREATED, .row = &row};
    lag_copy(row.id, sizeof(row.id), "cand_unbuildable");
    lag_copy(row.growth_id, sizeof(row.growth_id), arg);
    return lagd_tx_post(db, &post, NULL, err);
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
    assert_int_equal(n[LAGD_CANDIDATE_DIVERGED], 11);
}

/* Truncates the files that a pattern below the state directory names, and tells how many. */
static size_t cut(const char *pattern, off_t length) {
    char path[1700];
    glob_t found = {0};
    snprintf(path, sizeof(path), "%s/%s", f.config.state_dir, pattern);
    if (glob(path, 0, NULL, &found) != 0) return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) assert_int_equal(truncate(found.gl_pathv[i], length), 0);
    size_t n = found.gl_pathc;
    globfree(&found);
    return n;
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
    GROWTH(second, "queued cancelled");
    RUN(run, "paused queued running growing running paused queued running growing running");
}

/* --- what is refused --- */

struct try {
    struct lagd_post post;
    int to;
};

static int post(struct lag_db *db, void *arg, struct lag_error *err) {
    struct try *try = arg;
    return lagd_tx_post(db, &try->post, &try->to, err);
}

static void check_refused(struct lagd_post tried, int rc, const char *text) {
    struct try try = {.post = tried, .to = LAGD_NOWHERE};
    struct lag_error err = {0};
    assert_int_equal(lag_store_write(lagd_supervisor_store(f.s), post, &try, &err), rc);
    if (!strstr(err.text, text)) fail_msg("%s", err.text);
    assert_int_equal(try.to, LAGD_NOWHERE);
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
    static const char *const nobody[] = {"run nobody", "growth nobody", "candidate nobody"};
    for (int m = 0; m < LAGD_N_MACHINES; m++)
        check_refused((struct lagd_post){.machine = (enum lagd_machine)m, .id = "nobody", .event = 1}, LAG_ENOTFOUND,
                      nobody[m]);
    char growth[LAG_ROW_ID];
    grow("still", "auto", 0, 4, growth);
    check_refused((struct lagd_post){.machine = LAGD_MACHINE_GROWTH, .id = growth, .event = LAGD_GROWTH_ON_APPLIED},
                  LAG_ESTATE, "growth gr_");
    fixture_do(&f, LAGD_GROWTH_CANCEL, growth, 0, NULL);
    fixture_row(&f, run, &after);
    assert_int_equal(after.revision, before.revision + 2); /* the growth came and went */
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
    if (setenv("LAGD_FAILPOINTS", "run.opened=sleep:500@2", 1) != 0 || lag_engine_setup(&err) < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manual_growth_and_a_pause_in_it, set_up, tear_down), /* first: see there */
        cmocka_unit_test_setup_teardown(a_growth_is_found_and_applied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_person_ends_a_growth_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_are_paused_and_cancelled_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_daemon_puts_runs_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_growth_fails_with_its_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(candidates_diverge_and_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_waits_for_its_dataset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_growth_is_applied_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_row_allows_is_refused, set_up, tear_down),
        cmocka_unit_test(no_row_was_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

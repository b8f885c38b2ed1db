/* Recovery on a database as a crash leaves it: what becomes of runs, their growths and their folders. */
#include "rows_fixture.h"

#include "records/leftovers_internal.h"
#include "records/unlisted_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/run_config.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>

static struct fixture f;
static struct lag_store *store;
static char configs[2][LAG_ROW_CONFIG]; /* on_crash resume, pause */

static int insert_checkpoint(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_checkpoint_insert(db, arg, NULL, 0, err);
}
static int insert_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_growth_row *row = arg;
    int status = lag_growth_insert(db, row, err);
    return status < 0 ? status : lag_run_set_growth(db, row->run_id, row->id, err);
}

static void put(lag_write_fn *fn, void *row) { rows_put(store, fn, row); }

static void run_row(const char *id, const char *state, const char *config) { rows_put_run(store, id, state, config); }

static void growth_row(const char *id, const char *run, const char *state) {
    struct lag_growth_row row = {.mode = "auto",
                                 .at_step = -1,
                                 .start_step = -1,
                                 .from = {.n_layer = 2},
                                 .to = {.n_layer = 4},
                                 .probe_steps = 5,
                                 .n_batches = 2,
                                 .eval_sequences = 2,
                                 .parent_loss = __builtin_nan("")};
    snprintf(row.id, sizeof(row.id), "gr_%s", id);
    snprintf(row.run_id, sizeof(row.run_id), "run_%s", run);
    snprintf(row.state, sizeof(row.state), "%s", state);
    put(insert_growth, &row);
}

static void mark(const char *format, const char *id) {
    char dir[1600];
    snprintf(dir, sizeof(dir), format, f.config.state_dir, id);
    assert_int_equal(lagd_unlisted_mark(dir, NULL), 0);
    assert_true(lagd_unlisted_is_marked(dir));
}

static void make_file(const char *format, const char *id) {
    char dir[1600], path[1700];
    struct lag_error err = {0};
    snprintf(dir, sizeof(dir), format, f.config.state_dir, id);
    if (lag_fs_mkdirs(dir, &err) < 0) fail_msg("%s", err.text);
    snprintf(path, sizeof(path), "%s/file", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static bool exists(const char *format, const char *id) {
    char path[1600];
    snprintf(path, sizeof(path), format, f.config.state_dir, id);
    return lag_fs_exists(path);
}

/* 26 characters, so that folders count as a run's */
#define A "0000000000000000000000000a"
#define B "0000000000000000000000000b"
#define C "0000000000000000000000000c"
#define D "0000000000000000000000000d"
#define E "0000000000000000000000000e"
#define F "0000000000000000000000000f"
#define G "0000000000000000000000000g"
#define H "0000000000000000000000000h"
#define UNKNOWN "0000000000000000000000000z"
#define GONE "0000000000000000000000000y"

static int set_up(void **state) {
    (void)state;
    rows_begin(&f, &store);
    rows_config("resume", configs[0]);
    rows_config("pause", configs[1]);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    fixture_remove(&f);
    return 0;
}

static void recover(void) { rows_start(&f, &store); }

static void check_run(const char *id, const char *state, const char *growth) {
    struct lag_run_row row;
    char name[72];
    snprintf(name, sizeof(name), "run_%s", id);
    fixture_row(&f, name, &row);
    if (strcmp(row.state, state) != 0) fail_msg("%s is %s (%s)", id, row.state, row.reason);
    assert_string_equal(row.growth_id, growth);
}

static int count_interrupted(const struct lag_event_row *row, void *arg) {
    if (strcmp(row->type, "run.state") == 0 && strcmp(row->state, "interrupted") == 0) ++*(int *)arg;
    return 0;
}

static void runs_come_to_rest(void **state) {
    (void)state;
    run_row(A, "running", configs[0]);
    run_row(B, "running", configs[1]);
    run_row(C, "interrupted", configs[1]); /* stopped in good order: on_crash does not ask */
    run_row(D, "paused", configs[0]);
    run_row(E, "completed", configs[0]);
    run_row(F, "growing", "nonsense=1\n");
    run_row(G, "queued", configs[0]);
    recover();
    check_run(A, "queued", "");
    check_run(B, "paused", "");
    check_run(C, "queued", "");
    check_run(D, "paused", "");
    check_run(E, "completed", "");
    check_run(F, "paused", "");
    check_run(G, "queued", "");
    struct lag_db *db = NULL;
    int n = 0;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_event_list(db, 0, NULL, 1000, count_interrupted, &n, NULL), 0);
    lag_reader_close(db);
    assert_int_equal(n, 3); /* A, B and F */
}

static void growths_keep_their_place(void **state) {
    (void)state;
    run_row(A, "growing", configs[0]);
    growth_row("a", A, "probing");
    run_row(B, "growing", configs[0]);
    growth_row("b", B, "applied");
    run_row(C, "growing", "nonsense=1\n");
    growth_row("c", C, "probing");
    run_row(D, "paused", configs[0]);
    growth_row("d", D, "queued");
    recover();
    check_run(A, "queued", "gr_a");
    check_run(B, "queued", "");
    check_run(C, "paused", "gr_c");
    check_run(D, "paused", "gr_d");
    struct lag_db *db = NULL;
    struct lag_growth_row row;
    assert_int_equal(lag_reader_open(f.config.state_dir, &db, NULL), 0);
    assert_int_equal(lag_growth_get(db, "gr_a", &row, NULL), 0);
    assert_string_equal(row.state, "probing");
    assert_int_equal(lag_growth_get(db, "gr_c", &row, NULL), 0);
    assert_string_equal(row.state, "probing"); /* its run rests until its configuration can be read */
    lag_reader_close(db);
}

static void folders_are_tidied(void **state) {
    (void)state;
    run_row(A, "paused", configs[0]);
    struct lag_checkpoint_row listed = {.id = "ckpt_00000000000000000000000001", .run_id = "run_" A, .kind = "periodic",
                                        .path = "runs/run_" A "/ckpt-00000010-listed", .step = 10,
                                        .shape = {.n_layer = 2}};
    put(insert_checkpoint, &listed);
    make_file("%s/runs/run_%s/ckpt-00000010-listed", A);
    make_file("%s/runs/run_%s/ckpt-00000020-0123456789", A);
    make_file("%s/runs/run_%s/ckpt-00000030-half.tmp-77", A);
    make_file("%s/runs/run_%s/ckpt-00000005-bad.damaged", A);
    make_file("%s/runs/run_%s/my notes", A);
    make_file("%s/runs/run_%s/ckpt-00000010-other", UNKNOWN);
    make_file("%s/datasets/ds_%s/data", GONE);
    make_file("%s/datasets/ds_%s/data", UNKNOWN);
    mark("%s/runs/run_%s", GONE);
    mark("%s/runs/run_%s", A); /* a deletion that was not made */
    mark("%s/datasets/ds_%s", GONE);
    make_file("%s/runs/run_%s/ckpt-my own", A);
    make_file("%s/uploads/%s", "half");
    recover();
    assert_false(exists("%s/runs/run_%s", GONE));
    assert_false(exists("%s/runs/run_%s/.unlisted", A));
    assert_false(exists("%s/datasets/ds_%s", GONE));
    assert_true(exists("%s/datasets/ds_%s/data", UNKNOWN));
    assert_true(exists("%s/runs/run_%s/ckpt-00000010-listed", A));
    assert_false(exists("%s/runs/run_%s/ckpt-00000020-0123456789", A));
    assert_false(exists("%s/runs/run_%s/ckpt-00000030-half.tmp-77", A));
    assert_true(exists("%s/runs/run_%s/ckpt-00000005-bad.damaged", A));
    assert_true(exists("%s/runs/run_%s/my notes", A));
    assert_true(exists("%s/runs/run_%s/ckpt-00000010-other", UNKNOWN));
    assert_true(exists("%s/runs/run_%s/ckpt-my own/file", A));
    assert_true(exists("%s/uploads/%s", "half/file"));
}

static int insert_candidate(struct lag_db *db, void *arg, struct lag_error *err) {
    int64_t number = 0;
    return lag_candidate_insert(db, arg, &number, err);
}

/* The states of probes stay while their growth goes on, and no longer; that of a stranger is set aside. */
static void states_of_probes_are_tidied(void **state) {
    (void)state;
    static const struct { const char *id, *state, *growth; bool stays; } cases[] = {
        {"cand_" A, "queued", "gr_a", true},    {"cand_" B, "running", "gr_a", true},
        {"cand_" C, "completed", "gr_a", true}, {"cand_" D, "completed", "gr_b", false},
        {"cand_" E, "running", "gr_b", false},  {"cand_" F, NULL, "gr_a", false},
        {"cand_" G ".aside", NULL, "gr_a", true}, {"cand_" H, "running", "gr_a", true}};
    run_row(A, "growing", configs[0]);
    growth_row("b", A, "applied");
    growth_row("a", A, "probing");
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_candidate_row row = {.position = (int64_t)i, .op = "stack", .strategy = "stack"};
        snprintf(row.id, sizeof(row.id), "%s", cases[i].id);
        snprintf(row.growth_id, sizeof(row.growth_id), "%s", cases[i].growth);
        if (cases[i].state) snprintf(row.state, sizeof(row.state), "%s", cases[i].state);
        if (cases[i].state) put(insert_candidate, &row);
        make_file(i == 7 ? "%s/runs/run_" A "/probe-%s.aside/manifest.json"  /* known again */
                         : "%s/runs/run_" A "/probe-%s/manifest.json", cases[i].id);
    }
    make_file("%s/runs/run_%s/probe-notes", A);
    recover();
    for (size_t i = 0; i < LAG_COUNT(cases); i++)
        if (exists("%s/runs/run_" A "/probe-%s", cases[i].id) != cases[i].stays) fail_msg("%s", cases[i].id);
    assert_true(exists("%s/runs/run_%s/probe-notes", A));
    assert_true(exists("%s/runs/run_" A "/probe-%s.aside/manifest.json", cases[5].id));
    assert_true(exists("%s/runs/run_" A "/probe-%s/manifest.json", cases[6].id));
    assert_true(exists("%s/runs/run_" A "/probe-%s/manifest.json", cases[7].id));
}

static int end_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_growth_row growth;
    int rc = lag_growth_get(db, "gr_a", &growth, err);
    return rc == 0 ? lagd_tx_growth_end(db, &growth, LAGD_GROWTH_ON_CANCEL, "enough", arg, err) : rc;
}

/* A growth that ends without its run's thread gives up the states of all its candidates' probes. */
static void ended_growths_give_up_states_of_probes(void **state) {
    (void)state;
    static const char *const states[] = {"queued", "running", "completed", "diverged"};
    struct lagd_leftovers leftovers = {0};
    run_row(A, "growing", configs[0]);
    growth_row("a", A, "probing");
    for (size_t i = 0; i < LAG_COUNT(states); i++) {
        struct lag_candidate_row row = {.position = (int64_t)i, .op = "stack", .strategy = "stack"};
        snprintf(row.growth_id, sizeof(row.growth_id), "gr_a");
        snprintf(row.id, sizeof(row.id), "cand_%zu", i);
        snprintf(row.state, sizeof(row.state), "%s", states[i]);
        put(insert_candidate, &row);
    }
    put(end_growth, &leftovers);
    assert_int_equal(leftovers.n, LAG_COUNT(states));
    for (size_t i = 0; i < LAG_COUNT(states); i++) {
        char path[LAG_ROW_PATH];
        snprintf(path, sizeof(path), "runs/run_" A "/probe-cand_%zu", i);
        assert_string_equal(leftovers.paths[i], path);
    }
    lagd_leftovers_drop(&leftovers);
    lag_store_close(store);
    store = NULL;
}

/* The dataset's file is gone: the run is paused with the reason, as it may come back, and the daemon serves. */
static void a_run_that_cannot_go_on_stops_alone(void **state) {
    (void)state;
    run_row(A, "running", configs[0]);
    lag_store_close(store);
    store = NULL;
    fixture_start(&f);
    fixture_wait(&f, "run_" A, "paused");
    struct lag_run_row row;
    fixture_row(&f, "run_" A, &row);
    assert_true(row.reason[0] != 0);
    fixture_do(&f, LAGD_PING, NULL, 0, NULL);
    fixture_stop(&f);
}

int main(void) {
    struct lag_error err = {0};
    if (lag_engine_setup(&err) < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_come_to_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(growths_keep_their_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_are_tidied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(states_of_probes_are_tidied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ended_growths_give_up_states_of_probes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_cannot_go_on_stops_alone, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

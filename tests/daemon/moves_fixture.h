/* For test_moves: what the events tell, what is asked, and states that are put. All of one supervisor, f. */
#pragma once
#include "growth_fixture.h"

#include "records/post_internal.h"

#include <glob.h>
#include <lagd/storage/events.h>
#include <sys/resource.h>

static struct fixture f;
#define LONG 1000000 /* steps: such a run is met on its way */

static int set_up(void **state) {
    (void)state;
    memset(&f, 0, sizeof(f));
    fixture_make_dir(&f);
    lag_copy(f.config.dataset_roots, sizeof(f.config.dataset_roots), f.config.state_dir); /* models come from there */
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

static int insert_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_growth_row *row = arg;
    int rc = lag_growth_insert(db, row, err);
    return rc == 0 ? lag_run_set_growth(db, row->run_id, row->id, err) : rc;
}

static int add_unbuildable(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_candidate_row row = {.position = 9, .eligible = true, .op = "llama_pro",
                                    .strategy = "llama_pro every=50", .loss_at_0 = __builtin_nan(""),
                                    .loss_at_lag = __builtin_nan("")};
    const struct lagd_post post = {.machine = LAGD_MACHINE_CANDIDATE, .event = LAGD_CANDIDATE_ON_CREATED, .row = &row};
    lag_copy(row.id, sizeof(row.id), "cand_unbuildable");
    lag_copy(row.growth_id, sizeof(row.growth_id), arg);
    return lagd_tx_post(db, &post, NULL, err);
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

/* --- shortage --- */

/* Descriptors are short, as they may be for a while. The poll of the supervisor needs the first three. */
static void allow_descriptors(rlim_t n) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = n ? n : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Asked without a descriptor: the run cannot be told to checkpoint, and the answer names its state. */
static void wait_paused(const char *run) {
    for (unsigned i = 0; i < 1000 * slow(); i++) {
        struct lagd_command *command = fixture_command(LAGD_RUN_CHECKPOINT, run);
        (void)fixture_call(&f, command);
        bool paused = strcmp(command->state, "paused") == 0;
        lagd_command_destroy(command);
        if (paused) return;
        usleep(10000);
    }
    fail_msg("%s is not paused", run);
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

/* Death at every failpoint of a run with a growth. The next process ends with the same history, bit for bit. */
#include "run_fixture.h"

#include "records/folders_internal.h"

#include <fcntl.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/engine/train.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 30, AT = 10, LAG = 6 };
static const char *const usual[] = {"llama_pro", "midas", "stack", ""};
/* Steps 10 to 21: the probe's six, and six of the run that it becomes. */
static const char *const freezing[] = {"llama_pro optimizer=reset lr=restart freeze_old=12", ""};
static const char *const *pool = usual;

static const char *const deaths[] = {
    "run.before_step@1", "run.before_step@9", "run.after_step@10", "run.after_step@18", "checkpoint.row@1",
    "checkpoint.row@2", "checkpoint.row@3", "checkpoint.row@4", "checkpoint.listed@1", "checkpoint.listed@2",
    "checkpoint.listed@3", "checkpoint.before_rename@2", "growth.parent@1", "growth.probing@1", "probe.step@1",
    "probe.step@9", "probe.step@20", "probe.eval@1", "probe.eval@8", "candidate.completed@1", "candidate.completed@3",
    "candidate.completed@4", "decision.before_commit@1", "decision.after_commit@1", "growth.before_apply@1",
    "growth.after_apply@1", "store.before_commit@12", "store.after_commit@20", NULL,
};
/* In the probe; at the end of the growth; of the run frozen, at its release, and later. */
static const char *const deaths_frozen[] = {"probe.step@4", "growth.after_apply@1", "run.after_step@13",
                                            "run.after_step@16", "run.before_step@18", "run.after_step@20", NULL};

static char program[512];
static char expected[65];

static void create(struct fixture *fixture, char ret_run[LAG_ROW_ID], char ret_growth[LAG_ROW_ID]) {
    struct lagd_run_config config;
    struct lagd_growth_request request;
    fixture_config(&config, "subject", STEPS);
    fixture_create_run(fixture, &config, ret_run);
    fixture_growth_request(&request, AT, LAG);
    fixture_create_growth(fixture, ret_run, &request, pool, ret_growth);
}

static void expect(void) {
    struct fixture fixture;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    fixture_open(&fixture, 2);
    create(&fixture, run, growth);
    fixture_run_to(&fixture, run, "completed");
    fixture_digest(&fixture, run, growth, expected);
    fixture_close(&fixture);
}

static int set_up(void **unused) {
    assert_int_equal(lag_engine_setup(NULL), 0);
    expect();
    return 0;
}

/* The process that is to die. */
static int victim(const char *dir, const char *run_id, int n_threads) {
    struct fixture fixture;
    if (lag_engine_setup(NULL) != 0) return 1;
    fixture_reopen(&fixture, dir, n_threads);
    fixture_run_to(&fixture, run_id, "completed");
    fixture_leave(&fixture);
    return 0;
}

/* *ret_signal: what ended it, 0 when it came to its end. */
static void run_victim(const char *dir, const char *run_id, int n_threads, const char *failpoints, int *ret_signal) {
    char spec[160];
    (void)snprintf(spec, sizeof(spec), "LAGD_FAILPOINTS=%s", failpoints);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const environment[] = {spec, NULL};
        char *const arguments[] = {program, (char[]){"victim"}, (char *)(uintptr_t)dir, (char *)(uintptr_t)run_id,
                                   (char[]){(char)('0' + n_threads), '\0'}, NULL};
        (void)execve(program, arguments, environment);
        _exit(127);
    }
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    *ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void die_at_each(const char *const *list) {
    for (size_t i = 0; list[i]; i++) {
        struct fixture fixture;
        char run[LAG_ROW_ID], growth[LAG_ROW_ID], digest[65], dir[64];
        fixture_open(&fixture, 2);
        create(&fixture, run, growth);
        fixture_leave(&fixture);
        (void)lag_copy(dir, sizeof(dir), fixture.dir);
        int signal_number = 0;
        const char *count = strchr(list[i], '@');
        char failpoints[96];
        (void)snprintf(failpoints, sizeof(failpoints), "%.*s=kill%s", (int)(count - list[i]), list[i], count);
        run_victim(dir, run, 2, failpoints, &signal_number);
        if (signal_number != SIGKILL) fail_msg("%s was not reached", list[i]);
        fixture_reopen(&fixture, dir, 2);
        fixture_run_to(&fixture, run, "completed");
        fixture_digest(&fixture, run, growth, digest);
        if (strcmp(digest, expected) != 0) fail_msg("after death at %s the history is another", list[i]);
        assert_int_equal(fixture_count_events(&fixture, run, "determinism.mismatch", NULL), 0);
        fixture_close(&fixture);
    }
}

static void test_every_death(void **unused) { die_at_each(deaths); }

static void test_death_while_frozen(void **unused) {
    char usual_digest[65];
    (void)lag_copy(usual_digest, sizeof(usual_digest), expected);
    pool = freezing;
    expect();
    die_at_each(deaths_frozen);
    pool = usual;
    (void)lag_copy(expected, sizeof(expected), usual_digest);
}

/* --- a probe goes on from the state that it kept --- */

/* One worker, so that the candidates (those of the pool, and none) are probed one after the other: a probe asks LAG - 1
 * times whether its state is due, and the n-th step of all is known. */
enum { N_CANDIDATES = 4, PROBE_STEPS = N_CANDIDATES * LAG };

static void find_state(struct fixture *fixture, const char *run, const char *growth, int position,
                       char ret[LAGD_STATE_PATH]) {
    struct lag_candidate_row rows[N_CANDIDATES];
    char relative[LAG_ROW_PATH];
    assert_int_equal(fixture_candidates(fixture, growth, rows, N_CANDIDATES), N_CANDIDATES);
    lagd_probe_state_path(run, rows[position].id, relative);
    lagd_state_path(&fixture->deps, relative, ret);
}

static void keep(const char *path) { assert_true(lag_fs_exists(path)); }
static void lose(const char *path) { assert_int_equal(lag_fs_remove_tree(path, NULL), 0); }
static void damage(const char *path) {
    char file[LAGD_STATE_PATH + 32];
    (void)snprintf(file, sizeof(file), "%s/model.safetensors", path);
    const int fd = open(file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xff\xff", 2, 4000), 2);
    (void)close(fd);
}
static void cut(const char *path) {
    char file[LAGD_STATE_PATH + 32];
    (void)snprintf(file, sizeof(file), "%s/optimizer.safetensors", path);
    assert_int_equal(truncate(file, 1000), 0);
}

static const struct {
    const char *failpoints;
    int position;                   /* of the candidate whose probe is killed */
    void (*between)(const char *state);
    int n_left;                     /* probe steps that the next process makes */
} survivals[] = {
    {"probe.state_due=fail@3,probe.step=kill@5", 0, keep, PROBE_STEPS - 3},
    {"probe.state_due=fail@1,probe.state_due=fail@4,probe.step=kill@5", 0, keep, PROBE_STEPS - 4},
    /* the third goes on; the best of the first two, which was in memory only, is built again from its own */
    {"probe.state_due=fail@5,probe.state_due=fail@10,probe.state_due=fail@14,probe.step=kill@18", 2, keep,
     2 + LAG + 1},
    {"probe.state_due=fail@2,probe.eval=kill@4", 0, keep, PROBE_STEPS - 2},
    {"probe.state_due=fail@5,probe.state_written=kill@1", 0, keep, PROBE_STEPS - 5},
    {"probe.state_due=fail@2,probe.state_due=fail@4,probe.state_written=kill@2", 0, keep, PROBE_STEPS - 4},
    /* parent's and this one: killed before it has its name, so there is none */
    {"probe.state_due=fail@2,checkpoint.before_rename=kill@2", 0, NULL, PROBE_STEPS},
    {"probe.state_due=fail@3,probe.step=kill@5", 0, lose, PROBE_STEPS},
    {"probe.state_due=fail@3,probe.step=kill@5", 0, damage, PROBE_STEPS},
    {"probe.state_due=fail@3,probe.step=kill@5", 0, cut, PROBE_STEPS},
};

static int64_t finish_after(struct fixture *fixture, const char *dir, const char *run, const char *growth, int i) {
    char digest[65];
    fixture_reopen(fixture, dir, 1);
    fixture_run_to(fixture, run, "completed");
    fixture_digest(fixture, run, growth, digest);
    if (strcmp(digest, expected) != 0) fail_msg("after %s the history is another", survivals[i].failpoints);
    assert_int_equal(fixture_count_events(fixture, run, "determinism.mismatch", NULL), 0);
    struct lag_checkpoint_row checkpoints[32];
    const int n = fixture_checkpoints(fixture, run, checkpoints, 32);
    for (int c = 0; c < n; c++) assert_string_not_equal(checkpoints[c].kind, "candidate");
    for (int position = 0; position < N_CANDIDATES; position++) {
        char state[LAGD_STATE_PATH];
        find_state(fixture, run, growth, position, state);
        assert_false(lag_fs_exists(state)); /* none is left behind */
    }
    return atomic_load(&fixture->deps.totals.probe_steps);
}

static void test_probe_goes_on(void **unused) {
    for (int i = 0; i < (int)(sizeof(survivals) / sizeof(*survivals)); i++) {
        struct fixture fixture;
        char run[LAG_ROW_ID], growth[LAG_ROW_ID], dir[64], state[LAGD_STATE_PATH];
        int signal_number = 0;
        fixture_open(&fixture, 1);
        create(&fixture, run, growth);
        find_state(&fixture, run, growth, survivals[i].position, state);
        fixture_leave(&fixture);
        (void)lag_copy(dir, sizeof(dir), fixture.dir);
        run_victim(dir, run, 1, survivals[i].failpoints, &signal_number);
        if (signal_number != SIGKILL) fail_msg("%s was not reached", survivals[i].failpoints);
        if (survivals[i].between) survivals[i].between(state);
        const int64_t n_steps = finish_after(&fixture, dir, run, growth, i);
        if (n_steps != survivals[i].n_left)
            fail_msg("after %s (case %d) %d probe steps were made, not %d", survivals[i].failpoints, i, (int)n_steps,
                     survivals[i].n_left);
        fixture_close(&fixture);
    }
}

/* The state of another candidate under this one's name is not taken. */
static void test_states_are_not_mistaken(void **unused) {
    struct fixture fixture;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID], dir[64], state[LAGD_STATE_PATH], other[LAGD_STATE_PATH];
    int signal_number = 0;
    fixture_open(&fixture, 1);
    create(&fixture, run, growth);
    find_state(&fixture, run, growth, 0, state);
    find_state(&fixture, run, growth, 1, other);
    fixture_leave(&fixture);
    (void)lag_copy(dir, sizeof(dir), fixture.dir);
    run_victim(dir, run, 1, survivals[0].failpoints, &signal_number);
    assert_int_equal(signal_number, SIGKILL);
    assert_int_equal(rename(state, other), 0);
    assert_int_equal(finish_after(&fixture, dir, run, growth, 0), PROBE_STEPS);
    fixture_close(&fixture);
}

/* --- going back far ---------------------------------------------------------------------------------------------- */

/* More steps than points are cut at once, so that the way back to the start takes several transactions, also where the
 * last thousand are not committed yet. */
enum { FAR_STEPS = 2150 };

static void create_far(struct fixture *fixture, const char *name, char ret_run[LAG_ROW_ID]) {
    struct lagd_run_config config;
    fixture_config(&config, name, FAR_STEPS);
    config.checkpoint_every = 10 * FAR_STEPS;
    (void)lag_copy(config.schedule, sizeof(config.schedule), "constant"); /* no decay, where one would be kept */
    config.eval_every = 100;
    fixture_create_run(fixture, &config, ret_run);
}

/* Whole, or killed after the first or second stretch of points had gone: in the end there is the same history. */
static void test_far_rollback(void **unused) {
    static const struct {
        const char *failpoints;
        int signal_number;
    } ways[] = {{"train.nonfinite=fail@2140", 0},
                {"train.nonfinite=fail@2140,run.cut=kill@1", SIGKILL},
                {"train.nonfinite=fail@2140,run.cut=kill@2", SIGKILL}};
    struct fixture fixture;
    char undisturbed[LAG_ROW_ID], runs[3][LAG_ROW_ID], dir[64];
    fixture_open(&fixture, 1);
    create_far(&fixture, "undisturbed", undisturbed);
    fixture_run_to(&fixture, undisturbed, "completed");
    for (int i = 0; i < 3; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "far-%d", i);
        create_far(&fixture, name, runs[i]);
    }
    fixture_leave(&fixture);
    (void)lag_copy(dir, sizeof(dir), fixture.dir);
    for (int i = 0; i < 3; i++) {
        int signal_number = 0;
        run_victim(dir, runs[i], 1, ways[i].failpoints, &signal_number);
        if (signal_number != ways[i].signal_number) fail_msg("%s: signal %d", ways[i].failpoints, signal_number);
    }
    fixture_reopen(&fixture, dir, 1);
    for (int i = 0; i < 3; i++) {
        struct lag_run_row row;
        if (ways[i].signal_number) fixture_run_to(&fixture, runs[i], "completed");
        fixture_get_run(&fixture, runs[i], &row);
        assert_string_equal(row.state, "completed");
        assert_int_equal(row.n_rollbacks, ways[i].signal_number ? 0 : 1);
        fixture_assert_equal_runs(&fixture, undisturbed, runs[i]);
    }
    fixture_close(&fixture);
}

int main(int n_arguments, char **arguments) {
    if (n_arguments == 5 && strcmp(arguments[1], "victim") == 0)
        return victim(arguments[2], arguments[3], atoi(arguments[4]));
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_death),
                                       cmocka_unit_test(test_death_while_frozen),
                                       cmocka_unit_test(test_probe_goes_on),
                                       cmocka_unit_test(test_states_are_not_mistaken),
                                       cmocka_unit_test(test_far_rollback)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}

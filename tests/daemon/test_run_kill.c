/* Death at every failpoint of a run with a growth. The next process ends with the same history, bit for bit. */
#include "run_fixture.h"

#include <lagd/base/mem.h>
#include <lagd/engine/train.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 30, AT = 10, LAG = 6 };
static const char *const pool[] = {"stack", "midas", "llama_pro", ""};

static const char *const deaths[] = {
    "run.before_step@1", "run.before_step@9", "run.after_step@10", "run.after_step@18", "checkpoint.row@1",
    "checkpoint.row@2", "checkpoint.row@3", "checkpoint.row@4", "checkpoint.listed@1", "checkpoint.listed@2",
    "checkpoint.listed@3", "checkpoint.before_rename@2", "growth.parent@1", "growth.probing@1", "probe.step@1",
    "probe.step@9", "probe.step@20", "probe.eval@1", "probe.eval@8", "candidate.completed@1", "candidate.completed@3",
    "candidate.completed@4", "decision.before_commit@1", "decision.after_commit@1", "growth.before_apply@1",
    "growth.after_apply@1", "store.before_commit@12", "store.after_commit@20",
};

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

static int set_up(void **unused) {
    struct fixture fixture;
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    assert_int_equal(lag_engine_setup(NULL), 0);
    fixture_open(&fixture, 2);
    create(&fixture, run, growth);
    fixture_run_to(&fixture, run, "completed");
    fixture_digest(&fixture, run, growth, expected);
    fixture_close(&fixture);
    return 0;
}

/* The process that is to die. */
static int victim(const char *dir, const char *run_id) {
    struct fixture fixture;
    if (lag_engine_setup(NULL) != 0) return 1;
    fixture_reopen(&fixture, dir, 2);
    fixture_run_to(&fixture, run_id, "completed");
    fixture_leave(&fixture);
    return 0;
}

/* *ret_signal: what ended it, 0 when it came to its end. */
static void run_victim(const char *dir, const char *run_id, const char *death, int *ret_signal) {
    char spec[96];
    const char *count = strchr(death, '@');
    (void)snprintf(spec, sizeof(spec), "LAGD_FAILPOINTS=%.*s=kill%s", (int)(count - death), death, count);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const environment[] = {spec, NULL};
        char *const arguments[] = {program, (char[]){"victim"}, (char *)(uintptr_t)dir, (char *)(uintptr_t)run_id,
                                   NULL};
        (void)execve(program, arguments, environment);
        _exit(127);
    }
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    *ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_every_death(void **unused) {
    for (size_t i = 0; i < sizeof(deaths) / sizeof(*deaths); i++) {
        struct fixture fixture;
        char run[LAG_ROW_ID], growth[LAG_ROW_ID], digest[65], dir[64];
        fixture_open(&fixture, 2);
        create(&fixture, run, growth);
        fixture_leave(&fixture);
        (void)lag_copy(dir, sizeof(dir), fixture.dir);
        int signal_number = 0;
        run_victim(dir, run, deaths[i], &signal_number);
        if (signal_number != SIGKILL) fail_msg("%s was not reached", deaths[i]);
        fixture_reopen(&fixture, dir, 2);
        fixture_run_to(&fixture, run, "completed");
        fixture_digest(&fixture, run, growth, digest);
        if (strcmp(digest, expected) != 0) fail_msg("after death at %s the history is another", deaths[i]);
        assert_int_equal(fixture_count_events(&fixture, run, "determinism.mismatch", NULL), 0);
        fixture_close(&fixture);
    }
}

int main(int n_arguments, char **arguments) {
    if (n_arguments == 4 && strcmp(arguments[1], "victim") == 0) return victim(arguments[2], arguments[3]);
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_death)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}

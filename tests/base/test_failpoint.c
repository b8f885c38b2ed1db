/* Each case runs in a child process: the variable is read once a process. */
#include "check_base.h"

#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The wait status of a child that runs body with the given failpoints. */
static int in_child(const char *failpoints, int (*body)(void)) {
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setenv("LAGD_FAILPOINTS", failpoints, 1);
        _exit(body());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Bit n = the nth passing of "here" was told to fail. */
static int three_passings(void) {
    int seen = 0;
    for (int i = 0; i < 3; i++) seen |= LAG_FP_FAIL("here") << i;
    return seen;
}

static int slow_passing(void) {
    int64_t before_ns = lag_clock_mono_ns();
    LAG_FP("here");
    return lag_clock_mono_ns() - before_ns >= 30000000;
}

static void test_actions(void **state) {
    static const struct {
        const char *failpoints;
        int seen;
    } rows[] = {
        {"", 0}, {"there=fail", 0}, {"here=fail", 1}, {"here=fail@2", 2}, {"here=fail@1,there=kill,here=fail@3", 5},
        {"here", 0}, {"here=explode", 0}, {"here=fail@0", 0}, {"here=fail@x", 0}, {"=fail,here=fail", 1},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        int status = in_child(rows[i].failpoints, three_passings);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) != rows[i].seen) fail_msg("%s: %d", rows[i].failpoints, WEXITSTATUS(status));
    }
    int status = in_child("here=kill@2", three_passings);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(WEXITSTATUS(in_child("here=sleep:30", slow_passing)), 1);
    assert_int_equal(WEXITSTATUS(in_child("here=sleep:30@2", slow_passing)), 0);
}

static char *folder;

static int write_old(void) { return -lag_fs_write_file(folder, "f", "old", 3, NULL); }
static int write_new(void) { return -lag_fs_write_file(folder, "f", "new", 3, NULL); }

static void check_file(const char *expected) {
    char *path = lag_asprintf("%s/f", folder), *data = NULL;
    size_t length = 0;
    assert_int_equal(lag_fs_read_file(path, 100, &data, &length, NULL), 0);
    assert_string_equal(data, expected);
    free(data);
    free(path);
}

static void test_the_file_survives_each_point(void **state) {
    static const struct {
        const char *point, *expected;
    } rows[] = {{"fs.before_fsync", "old"}, {"fs.before_rename", "old"}, {"fs.after_rename", "new"}};
    folder = make_temporary_folder();
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        char failpoints[64];
        assert_int_equal(in_child("", write_old), 0);
        (void)snprintf(failpoints, sizeof(failpoints), "%s=fail", rows[i].point);
        assert_int_equal(WEXITSTATUS(in_child(failpoints, write_new)), -LAG_EIO);
        check_file(rows[i].expected);
        assert_int_equal(in_child("", write_old), 0);
        (void)snprintf(failpoints, sizeof(failpoints), "%s=kill", rows[i].point);
        assert_true(WIFSIGNALED(in_child(failpoints, write_new)));
        check_file(rows[i].expected);
    }
    assert_int_equal(lag_fs_remove_tree(folder, NULL), 0);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_the_file_survives_each_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

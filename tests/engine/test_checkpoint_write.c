/* Writing checkpoints: whatever fails meanwhile, the name holds the old one or the new one, whole. */
#include "checkpoint_fixture.h"
#include <lagd/base/check.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void replacing_keeps_one(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_state *s = fixture_state(), *back = NULL;
    for (int i = 0; i < 3; i++) {
        s->step = i;
        write_fixture(dir, s);
        assert_int_equal(lag_checkpoint_read(dir, &back, NULL, NULL), 0);
        assert_int_equal(back->step, i);
        lag_state_destroy(back);
        assert_int_equal(n_entries(*state), 1);
        assert_int_equal(n_entries(dir), 4);
    }
    lag_state_destroy(s);
}

/* What a child does to its own process before it writes below folder; the error's text must hold says. */
struct trouble {
    const char *failpoints;
    void (*prepare)(const char *folder);
    const char *says;
};

static void limit_file_size(const char *folder) {
    sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}) != 0) _exit(98);
}
/* The folder is root's, and this is nobody; or it is ours, and read-only. */
static void lose_rights(const char *folder) {
    if (chmod(folder, 0555) != 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)) _exit(98);
}
/* A file system of 100 KB over the folder, seen by this process only. */
static void fill_the_disk(const char *folder) {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=100k") != 0)
        _exit(97);
}

/* Writes in a child; returns the code (0 … -255), or 1 when the child was killed. A process reads its failpoints once,
 * at the first that it passes: this test comes first and never writes by itself. */
static int write_in_child(const char *dir, int64_t step, struct trouble trouble) {
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct lag_error err = {0};
        struct lag_checkpoint_files files;
        char folder[512];
        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(dir, '/') - dir), dir);
        if (trouble.failpoints) setenv("LAGD_FAILPOINTS", trouble.failpoints, 1);
        if (trouble.prepare) trouble.prepare(folder);
        struct lag_state *s = fixture_state();
        s->step = step;
        const int rc = lag_checkpoint_write(dir, s, &fixture_meta, &files, &err);
        if (rc != 0 && (!strstr(err.text, dir) || (trouble.says && !strstr(err.text, trouble.says)))) {
            fprintf(stderr, "text: %s\n", err.text);
            _exit(99);
        }
        _exit(-rc);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? -WEXITSTATUS(status) : 1;
}
#define NO_TROUBLE (struct trouble){0}
#define AT_FAILPOINT(...) (struct trouble){__VA_ARGS__}

static void assert_step(const char *dir, int64_t step) {
    struct lag_state *back = NULL;
    struct lag_error err = {0};
    if (lag_checkpoint_read(dir, &back, NULL, &err) != 0) fail_msg("read: %s", err.text);
    assert_int_equal(back->step, step);
    lag_state_destroy(back);
}

static void failed_writes_keep_the_old_one(void **state) {
    const char *dir = fixture_path(state, "c");
    assert_int_equal(write_in_child(dir, 1, NO_TROUBLE), 0);
    assert_int_equal(write_in_child(dir, 2, (struct trouble){NULL, limit_file_size, "File too large"}), LAG_ENOSPC);
    assert_step(dir, 1);
    assert_int_equal(n_entries(*state), 1);
    assert_int_equal(write_in_child(dir, 2, (struct trouble){NULL, lose_rights, "denied"}), LAG_EDENIED);
    assert_int_equal(chmod(*state, 0700), 0);
    assert_step(dir, 1);
    const int full = write_in_child(dir, 2, (struct trouble){NULL, fill_the_disk, "bytes; 1"});
    if (full != -97) assert_int_equal(full, LAG_ENOSPC); /* -97: no right to mount */
    assert_step(dir, 1);
    assert_int_equal(n_entries(*state), 1);
    assert_int_equal(write_in_child(fixture_path(state, "missing/c"), 2, NO_TROUBLE), LAG_ENOTFOUND);
}

#ifdef LAG_FAILPOINTS
static void failing_calls_keep_the_old_one(void **state) {
    const char *dir = fixture_path(state, "c");
    assert_int_equal(write_in_child(dir, 1, NO_TROUBLE), 0);
    for (int n = 1; n <= 20; n++) { /* the n-th write fails */
        char failpoints[64];
        snprintf(failpoints, sizeof failpoints, "checkpoint.write_error=fail@%d", n);
        assert_int_equal(write_in_child(dir, 2, AT_FAILPOINT(failpoints)), LAG_EIO);
        assert_step(dir, 1);
        assert_int_equal(n_entries(*state), 1);
    }
    const struct trouble full = {"checkpoint.disk_full=fail@5", NULL, "are free"};
    assert_int_equal(write_in_child(dir, 2, full), LAG_ENOSPC);
    assert_step(dir, 1);
    assert_int_equal(write_in_child(dir, 2, AT_FAILPOINT("checkpoint.verify_error=fail")), LAG_ECORRUPT);
    assert_step(dir, 1);
    const struct trouble both = {"checkpoint.no_exchange=fail,checkpoint.verify_error=fail"};
    assert_int_equal(write_in_child(dir, 2, both), LAG_ECORRUPT);
    assert_step(dir, 1);
    const char *fresh = fixture_path(state, "d");
    assert_int_equal(write_in_child(fresh, 2, AT_FAILPOINT("checkpoint.verify_error=fail")), LAG_ECORRUPT);
    assert_int_equal(n_entries(*state), 1);
    assert_int_equal(write_in_child(dir, 2, AT_FAILPOINT("checkpoint.no_exchange=fail")), 0);
    assert_step(dir, 2);
    assert_int_equal(n_entries(*state), 1);
    assert_int_equal(n_entries(dir), 4);
}

/* Killed anywhere: the name holds the old one or the new one, whole; what is left over is swept. */
static void kills_keep_one(void **state) {
    static const struct {
        const char *failpoints;
        int64_t step;
    } kills[] = {
        {"checkpoint.begin=kill", 1}, {"checkpoint.before_fsync=kill", 1}, {"checkpoint.before_fsync=kill@4", 1},
        {"checkpoint.before_rename=kill", 1}, {"checkpoint.after_rename=kill", 3}, {"checkpoint.verified=kill", 3},
    };
    const char *dir = fixture_path(state, "c");
    for (size_t i = 0; i < LAG_COUNT(kills); i++) {
        assert_int_equal(write_in_child(dir, 1, NO_TROUBLE), 0);
        assert_int_equal(write_in_child(dir, 3, AT_FAILPOINT(kills[i].failpoints)), 1);
        assert_step(dir, kills[i].step);
        assert_int_equal(lag_checkpoint_sweep(*state, NULL), 0);
        assert_step(dir, kills[i].step);
        assert_int_equal(n_entries(*state), 1);
    }
}
#endif

/* As a writer leaves it that died between two renames. */
static void sweeping_gives_names_back(void **state) {
    const char *dir = fixture_path(state, "c");
    assert_int_equal(write_in_child(dir, 1, NO_TROUBLE), 0);
    assert_int_equal(rename(dir, fixture_path(state, "c.old-77")), 0);
    assert_int_equal(mkdir(fixture_path(state, "c.tmp-77"), 0700), 0);
    assert_int_equal(mkdir(fixture_path(state, "note.tmp-x"), 0700), 0);
    assert_int_equal(lag_checkpoint_sweep(*state, NULL), 0);
    assert_step(dir, 1);
    assert_int_equal(n_entries(*state), 2);
    assert_int_equal(lag_checkpoint_sweep(fixture_path(state, "missing"), NULL), 0);
}

static void bad_states_are_not_written(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_checkpoint_files files;
    struct lag_error err = {0};
    struct lag_state *s = fixture_state();
    s->v[s->layout.tensors[3].offset + 1] = NAN;
    assert_int_equal(lag_checkpoint_write(dir, s, &fixture_meta, &files, &err), LAG_ENONFINITE);
    assert_non_null(strstr(err.text, "v.transformer.h.0.ln_1.bias"));
    s->v[s->layout.tensors[3].offset + 1] = 0;
    s->segments[2].age = -1;
    assert_int_equal(lag_checkpoint_write(dir, s, &fixture_meta, &files, NULL), LAG_EINVAL);
    s->segments[2].age = 0;
    s->n_segments--;
    assert_int_equal(lag_checkpoint_write(dir, s, &fixture_meta, &files, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "transformer.ln_f.bias: it has no segment"));
    assert_int_equal(n_entries(*state), 0);
    lag_state_destroy(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failed_writes_keep_the_old_one, fixture_folder, fixture_remove),
#ifdef LAG_FAILPOINTS
        cmocka_unit_test_setup_teardown(failing_calls_keep_the_old_one, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(kills_keep_one, fixture_folder, fixture_remove),
#endif
        cmocka_unit_test_setup_teardown(sweeping_gives_names_back, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(bad_states_are_not_written, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(replacing_keeps_one, fixture_folder, fixture_remove),
    };
    return cmocka_run_group_tests_name("engine/checkpoint_write", tests, NULL, NULL);
}

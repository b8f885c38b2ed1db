/* Configuration: layers, unknown keys, bad values, checks, the sample file, and the command line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <lagd/daemon/options.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/config.h>

static char dir[128], file[256];
static struct lagd_config config;
static struct lagd_config_source sources[64];
static struct lag_error err;

static int set_up(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/lagd-config-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/lagd.conf", dir);
    memset(&err, 0, sizeof(err));
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    return lag_fs_remove_tree(dir, NULL);
}

static void put(const char *name, const char *text) {
    assert_int_equal(lag_fs_write_file(dir, name, text, strlen(text), &err), 0);
}

static const char *source_of(const char *path) {
    return sources[lag_fields_find(&lagd_config_fields, path) - lagd_config_fields.rows].text;
}

static int load(void) { return lagd_config_load(file, NULL, 0, &config, sources, &err); }

static void presets_alone(void **state) {
    (void)state;
    put("lagd.conf", "");
    assert_int_equal(load(), 0);
    assert_string_equal(config.listen, "127.0.0.1:7437");
    assert_int_equal(config.upload_limit_bytes, INT64_C(1) << 30);
    assert_int_equal(config.body_limit_bytes, 65536);
    assert_string_equal(source_of("server/listen"), "preset");
}

static void later_layers_win(void **state) {
    (void)state;
    char drop_ins[256], expected[300];
    snprintf(drop_ins, sizeof(drop_ins), "%s/lagd.conf.d", dir);
    assert_int_equal(mkdir(drop_ins, 0700), 0);
    put("lagd.conf",
        "# comment\n[train]\nthreads = 1\nmax_runs = 2\n[storage]\nkeep_checkpoints = 5\n\n[log]\nlevel = error\n");
    assert_int_equal(lag_fs_write_file(drop_ins, "20.conf", "[train]\nmax_runs=7\n", 19, &err), 0);
    assert_int_equal(lag_fs_write_file(drop_ins, "10.conf", "[train]\nmax_runs=6\nthreads=3\n", 29, &err), 0);
    assert_int_equal(lag_fs_write_file(drop_ins, "ignored.txt", "nonsense", 8, &err), 0);
    assert_int_equal(setenv("LAGD_STORAGE_KEEP_CHECKPOINTS", "9", 1), 0);
    assert_int_equal(setenv("LAGD_LOG_LEVEL", "warning", 1), 0);
    const struct lagd_config_flag flags[] = {{"log/level", "debug"}};
    int status = lagd_config_load(file, flags, 1, &config, sources, &err);
    unsetenv("LAGD_STORAGE_KEEP_CHECKPOINTS");
    unsetenv("LAGD_LOG_LEVEL");
    assert_int_equal(status, 0);
    assert_int_equal(config.threads, 3);
    assert_int_equal(config.max_runs, 7);
    assert_int_equal(config.keep_checkpoints, 9);
    assert_string_equal(config.log_level, "debug");
    snprintf(expected, sizeof(expected), "%s/20.conf:2", drop_ins);
    assert_string_equal(source_of("train/max_runs"), expected);
    assert_string_equal(source_of("storage/keep_checkpoints"), "environment LAGD_STORAGE_KEEP_CHECKPOINTS");
    assert_string_equal(source_of("log/level"), "flag");
}

static void refuses_with_file_and_line(void **state) {
    (void)state;
    static const struct { const char *text; int line; const char *word; } cases[] = {
        {"[server]\nlisten = 127.0.0.1:1\nlissten = x\n", 3, "lissten"},
        {"[sever]\n\nlisten = 127.0.0.1:1\n", 3, "sever"},
        {"[train]\nthreads = -1\n", 2, "threads"},
        {"[train]\nthreads = many\n", 2, "threads"},
        {"[train]\n# one\nthreads = 1\nthreads = 2\n", 4, "twice"},
        {"[log]\nlevel = loud\n", 2, "error, warning, info, debug"},
        {"[storage]\nmin_free_bytes = 5 apples\n", 2, "bytes"},
        {"just words\n", 1, "neither"},
        {"[train\nthreads = 1\n", 1, "neither"},
        {"threads = 1\n", 1, "threads"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char place[300];
        put("lagd.conf", cases[i].text);
        snprintf(place, sizeof(place), "%s:%d: ", file, cases[i].line);
        memset(&err, 0, sizeof(err));
        int status = load();
        if (status >= 0 || !strstr(err.text, place) || !strstr(err.text, cases[i].word)) {
            fprintf(stderr, "case %zu: %d \"%s\"\n", i, status, err.text);
            fail();
        }
    }
}

static void long_lines(void **state) {
    (void)state;
    char text[8192];
    lag_copy(text, sizeof(text), "[server]\nallowed_hosts = ");
    size_t n = strlen(text);
    memset(text + n, 'a', 6000);
    text[n + 6000] = '\0';
    put("lagd.conf", text);
    assert_true(load() < 0);
    assert_non_null(strstr(err.text, ":2: "));
}

static void a_missing_file_is_an_error(void **state) {
    (void)state;
    assert_true(load() < 0);
    assert_non_null(strstr(err.text, file));
}

static void bad_environment_and_flags(void **state) {
    (void)state;
    put("lagd.conf", "");
    setenv("LAGD_TRAIN_THREADS", "some", 1);
    assert_true(load() < 0);
    unsetenv("LAGD_TRAIN_THREADS");
    assert_non_null(strstr(err.text, "LAGD_TRAIN_THREADS"));
    const struct lagd_config_flag flags[] = {{"train/none", "1"}};
    assert_true(lagd_config_load(file, flags, 1, &config, NULL, &err) < 0);
}

static void the_sample_is_the_defaults(void **state) {
    (void)state;
    char *sample = lagd_options_sample();
    assert_non_null(sample);
    put("lagd.conf", sample);
    free(sample);
    if (load() < 0) fail_msg("%s", err.text);
    struct lagd_config fresh = {0};
    lag_fields_defaults(&lagd_config_fields, &fresh);
    assert_memory_equal(&fresh, &config, sizeof(fresh));
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++) {
        if (!strstr(source_of(lagd_config_fields.rows[i].path), "lagd.conf:"))
            fail_msg("%s is not in the sample", lagd_config_fields.rows[i].path);
    }
}

static void help_names_every_key(void **state) {
    (void)state;
    char *help = lagd_options_help();
    assert_non_null(help);
    for (size_t i = 0; i < lagd_config_fields.n_rows; i++)
        assert_non_null(strstr(help, lagd_config_fields.rows[i].path));
    free(help);
}

static int check(void) {
    memset(&err, 0, sizeof(err));
    return lagd_config_check(&config, &err);
}

static void checks_what_ranges_cannot_say(void **state) {
    (void)state;
    char token[256];
    put("lagd.conf", "");
    assert_int_equal(load(), 0);
    assert_int_equal(check(), 0);
    static const char *const loopback[] = {"127.0.0.1:0", "localhost:80", "[::1]:7437", "127.9.9.9:1"};
    for (size_t i = 0; i < 4; i++) {
        lag_copy(config.listen, sizeof(config.listen), loopback[i]);
        if (check() != 0) fail_msg("%s: %s", loopback[i], err.text);
    }
    static const char *const outside[] = {"0.0.0.0:7437", "[::]:7437", "10.0.0.1:1", "example.org:80"};
    for (size_t i = 0; i < 4; i++) {
        lag_copy(config.listen, sizeof(config.listen), outside[i]);
        assert_int_equal(check(), LAG_EDENIED);
        assert_string_equal(err.pointer, "auth/token_file");
    }
    static const char *const wrong[] = {"7437",   "127.0.0.1",  "127.0.0.1:", ":80", "127.0.0.1:65536",
                                        "::1:80", "127.0.0.1:x"};
    for (size_t i = 0; i < 7; i++) {
        lag_copy(config.listen, sizeof(config.listen), wrong[i]);
        assert_int_equal(check(), LAG_EINVAL);
        assert_string_equal(err.pointer, "server/listen");
    }
    snprintf(token, sizeof(token), "%s/token", dir);
    put("token", "0123456789abcdef0123\n");
    lag_copy(config.listen, sizeof(config.listen), "0.0.0.0:7437");
    lag_copy(config.token_file, sizeof(config.token_file), token);
    assert_int_equal(chmod(token, 0644), 0);
    assert_int_equal(check(), LAG_EDENIED);
    assert_int_equal(chmod(token, 0600), 0);
    assert_int_equal(check(), 0);
    put("token", "short\n");
    assert_int_equal(chmod(token, 0600), 0);
    assert_int_equal(check(), LAG_EINVAL);
    lag_copy(config.listen, sizeof(config.listen), "");
    config.token_file[0] = '\0';
    assert_int_equal(check(), LAG_EINVAL);
    lag_copy(config.socket, sizeof(config.socket), "relative.sock");
    assert_int_equal(check(), LAG_EINVAL);
    lag_copy(config.socket, sizeof(config.socket), "/run/x.sock");
    assert_int_equal(check(), 0);
    lag_copy(config.dataset_roots, sizeof(config.dataset_roots), "/nowhere/at/all");
    assert_int_equal(check(), LAG_EINVAL);
    assert_string_equal(err.pointer, "storage/dataset_roots");
    snprintf(config.dataset_roots, sizeof(config.dataset_roots), "%s,/", dir);
    assert_int_equal(check(), 0);
    lag_copy(config.state_dir, sizeof(config.state_dir), "state");
    assert_int_equal(check(), LAG_EINVAL);
}

static int parse(struct lagd_options *options, const char *a, const char *b) {
    char name[] = "lagd", first[128] = "", second[128] = "";
    if (a) snprintf(first, sizeof(first), "%s", a);
    if (b) snprintf(second, sizeof(second), "%s", b);
    char *argv[] = {name, a ? first : NULL, b ? second : NULL, NULL};
    memset(&err, 0, sizeof(err));
    return lagd_options_parse(1 + (a != NULL) + (b != NULL), argv, options, &err);
}

static void command_line(void **state) {
    (void)state;
    static struct lagd_options options;
    char here[1024], expected[1100];
    assert_int_equal(parse(&options, NULL, NULL), 0);
    assert_int_equal(options.mode, LAGD_MODE_SERVE);
    assert_int_equal(parse(&options, "--state-dir", "some/where"), 0);
    assert_int_equal(options.n_flags, 1);
    assert_string_equal(options.flags[0].path, "storage/state_dir");
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(expected, sizeof(expected), "%s/some/where", here);
    assert_string_equal(options.flags[0].value, expected);
    assert_int_equal(parse(&options, "--check-config", NULL), 0);
    assert_int_equal(options.mode, LAGD_MODE_CHECK);
    assert_int_equal(parse(&options, "--version", NULL), 0);
    assert_int_equal(options.mode, LAGD_MODE_VERSION);
    assert_int_equal(parse(&options, "--state-dir", NULL), LAG_EINVAL);
    assert_non_null(strstr(err.text, "--state-dir"));
    assert_int_equal(parse(&options, "--nonsense", NULL), LAG_EINVAL);
    assert_non_null(strstr(err.text, "--nonsense"));
    assert_int_equal(parse(&options, "stray", NULL), LAG_EINVAL);
    assert_int_equal(parse(&options, "--set", "train/nothing=1"), LAG_EINVAL);
    assert_int_equal(parse(&options, "--set", "train/max_runs"), LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(presets_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(later_layers_win, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_with_file_and_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_file_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_environment_and_flags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_sample_is_the_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(help_names_every_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checks_what_ranges_cannot_say, set_up, tear_down),
        cmocka_unit_test(command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

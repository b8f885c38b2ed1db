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
        {"[train\nthreads = 1\n", 1, "]"},
        {"[train] threads = 1\n", 1, "behind"},
        {"[train]\n= 1\n", 2, "neither"},
        {"[storage]\ndataset_roots = /a,\n/b\n", 2, "empty items"},
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

/* Neither the line nor what stands behind the value has a bound, only the value has. */
static void long_lines(void **state) {
    (void)state;
    char text[16384];
    for (int n_bytes = 150; n_bytes < 500; n_bytes += 7) {
        int n = snprintf(text, sizeof(text), "[server]\nallowed_hosts = %0*d ; %0*d\n# %0*d\nconnection_limit = 77",
                         n_bytes, 1, 3000, 2, 9000, 3);
        assert_true(n > 12000 && n < (int)sizeof(text));
        put("lagd.conf", text);
        if (load() != 0) fail_msg("%d bytes: %s", n_bytes, err.text);
        assert_int_equal(strlen(config.allowed_hosts), n_bytes);
        assert_int_equal(config.connection_limit, 77);
        assert_string_equal(strrchr(source_of("server/connection_limit"), ':'), ":4");
    }
    (void)snprintf(text, sizeof(text), "[server]\nallowed_hosts = %06000d", 1);
    put("lagd.conf", text);
    assert_int_equal(load(), LAG_EINVAL);
    assert_non_null(strstr(err.text, ":2: server/allowed_hosts must have at most 511 bytes"));
}

/* All ways in which the same three values are written. */
static void forms_of_files(void **state) {
    (void)state;
    static const char *const same[] = {
        "[train]\nmax_runs = 2\nthreads = 3\n[storage]\ndataset_roots = /a, /b\n",
        "\xef\xbb\xbf[train]\r\nmax_runs = 2\r\nthreads = 3\r\n\r\n[storage]\r\ndataset_roots = /a,/b\r\n",
        "  [ train ] ; compute\n\tmax_runs=2\n  threads:3 ; three\n[storage]#\n dataset_roots = /a,/b",
        "[storage]\ndataset_roots = /a, ; first\n  # between\n\t/b ; last\n[train]\nmax_runs = 2\nthreads = 3",
        "[storage]\ndataset_roots =\t/a,\n  /b\n[train]\n; x\n\n  \n# y\nmax_runs = 2\n  threads = 3\n",
        "[train]\nmax_runs = 2\n[storage]\ndataset_roots = /a,/b\n[train]\nthreads = 3\n",
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        put("lagd.conf", same[i]);
        if (load() != 0) fail_msg("%zu: %s", i, err.text);
        assert_int_equal(config.max_runs, 2);
        assert_int_equal(config.threads, 3);
        assert_string_equal(config.dataset_roots, "/a,/b");
    }
    put("lagd.conf", "[storage]\nstate_dir = /a;b=c:d#e\n");
    assert_int_equal(load(), 0);
    assert_string_equal(config.state_dir, "/a;b=c:d#e");
}

static void bytes_that_are_no_text(void **state) {
    (void)state;
    assert_int_equal(lag_fs_write_file(dir, "lagd.conf", "[train]\nmax_runs = 2\nth\0reads = 3\n", 34, &err), 0);
    assert_int_equal(load(), LAG_EINVAL);
    assert_non_null(strstr(err.text, ":3: there is a NUL byte"));
    static char large[(1 << 20) + 2];
    memset(large, '#', sizeof(large));
    assert_int_equal(lag_fs_write_file(dir, "lagd.conf", large, sizeof(large), &err), 0);
    assert_int_equal(load(), LAG_EINVAL);
    assert_non_null(strstr(err.text, "larger than 1 MiB"));
    assert_int_equal(lagd_config_load("/dev/null", NULL, 0, &config, NULL, &err), 0);
    assert_true(lagd_config_load(dir, NULL, 0, &config, NULL, &err) < 0);
}

static void names_that_were_meant(void **state) {
    (void)state;
    static const struct { const char *text, *meant; } cases[] = {
        {"[train]\nmaxruns = 2\n", "did you mean train/max_runs?"},
        {"[train]\nmax-run = 2\n", "did you mean train/max_runs?"},
        {"[server]\nthreads = 2\n", "did you mean train/threads?"},
        {"[sevrer]\nlisten = x\n", "did you mean server/listen?"},
        {"[train]\nflavour = 2\n", "lagd --print-config lists the keys"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("lagd.conf", cases[i].text);
        assert_int_equal(load(), LAG_EINVAL);
        if (!strstr(err.text, cases[i].meant)) fail_msg("%zu: %s", i, err.text);
    }
}

static char told[1024];
static void note(void *arg, const char *text) {
    (void)arg;
    lag_copy(told + strlen(told), sizeof(told) - strlen(told), text);
}

static void variables_that_nothing_reads(void **state) {
    (void)state;
    const int n_before = lagd_config_unknown_variables(note, NULL); /* of whoever runs this test */
    static const struct { const char *name, *meant; } cases[] = {
        {"LAGD_TRAIN_MAXRUNS", "did you mean LAGD_TRAIN_MAX_RUNS?"},
        {"LAGD_SERVER_LITSEN", "did you mean LAGD_SERVER_LISTEN?"},
        {"LAGD_LISTEN", "did you mean LAGD_SERVER_LISTEN?"},
        {"lagd_log_level", "did you mean LAGD_LOG_LEVEL?"},
        {"LAGD_", "lists the keys"},
        {"LAGD_QWERTZUIOP", "lists the keys"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(setenv(cases[i].name, "1", 1), 0);
        *told = '\0';
        assert_int_equal(lagd_config_unknown_variables(note, NULL), n_before + 1);
        if (!strstr(told, cases[i].meant) || !strstr(told, cases[i].name)) fail_msg("%s: %s", cases[i].name, told);
        unsetenv(cases[i].name);
    }
    static const char *const known[] = {"LAGD_TRAIN_MAX_RUNS", "LAGD_HOST", "LAGD_SOCKET", "LAGD_TOKEN_FILE"};
    for (size_t i = 0; i < 4; i++) setenv(known[i], "1", 0);
    assert_int_equal(lagd_config_unknown_variables(note, NULL), n_before);
    for (size_t i = 0; i < 4; i++) unsetenv(known[i]);
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
    put("token", "  0123456789abcdef0123 \r\n");
    assert_int_equal(chmod(token, 0600), 0);
    assert_int_equal(check(), 0);
    put("token", "      15-characters\n      "); /* white space at the ends does not count */
    assert_int_equal(chmod(token, 0600), 0);
    assert_int_equal(check(), LAG_EINVAL);
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

static void verbs(void **state) {
    (void)state;
    static struct lagd_options options;
    char here[1024], expected[1100];
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(expected, sizeof(expected), "%s/a/b", here);
    assert_int_equal(parse(&options, "backup", "a/b"), 0);
    assert_int_equal(options.mode, LAGD_MODE_BACKUP);
    assert_string_equal(options.backup_dir, expected);
    assert_int_equal(parse(&options, "backup", NULL), LAG_EINVAL);
    assert_non_null(strstr(err.text, "needs DIR"));
    assert_int_equal(parse(&options, "recover", NULL), 0);
    assert_int_equal(options.mode, LAGD_MODE_RECOVER);
    assert_int_equal(parse(&options, "recover", "--threads=1"), 0); /* flags may follow */
    assert_int_equal(options.n_flags, 1);
    assert_int_equal(parse(&options, "recover", "more"), LAG_EINVAL);
    assert_non_null(strstr(err.text, "unexpected argument more"));
    assert_int_equal(parse(&options, "restore", NULL), LAG_EINVAL);
    assert_int_equal(parse(&options, "--help", "backup"), 0); /* asks only */
    assert_int_equal(options.mode, LAGD_MODE_HELP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(presets_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(later_layers_win, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_with_file_and_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forms_of_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_were_meant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(variables_that_nothing_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_file_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_environment_and_flags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_sample_is_the_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(help_names_every_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checks_what_ranges_cannot_say, set_up, tear_down),
        cmocka_unit_test(command_line),
        cmocka_unit_test(verbs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

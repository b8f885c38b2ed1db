/* Command lines: the table of commands, words, options, and wrong usage. */
#include "check_cli.h"
#include "command_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>

#define MAX_ARGS 12
static int parse(struct ctl_call *call, struct lag_error *err, ...) {
    char *argv[MAX_ARGS] = {(char *)"lagctl"};
    int argc = 1;
    va_list words;
    va_start(words, err);
    for (char *word; argc < MAX_ARGS && (word = va_arg(words, char *)); argc++) argv[argc] = word;
    va_end(words);
    memset(err, 0, sizeof(*err));
    return ctl_parse(argc, argv, call, err);
}
#define PARSE(...) parse(&call, &err, __VA_ARGS__, NULL)

static void test_the_table_is_sound(void **state) {
    size_t n;
    const struct ctl_command *rows = ctl_commands(&n);
    assert_true(n >= 30);
    for (size_t i = 0; i < n; i++) {
        char kind[32];
        bool optional;
        assert_ptr_equal(ctl_command_find(rows[i].words), &rows[i]);
        assert_true(strlen(rows[i].help) > 10 && rows[i].help[strlen(rows[i].help) - 1] == '.');
        assert_true(rows[i].run || (rows[i].method && rows[i].path && rows[i].view));
        for (int k = 0; ctl_argument_get(&rows[i], k, kind, &optional); k++) assert_null(strpbrk(kind, "[] "));
        for (const struct ctl_option *a = rows[i].options; a->name; a++) {
            assert_true(!a->sends || *a->sends == '?' || *a->sends == '/');
            for (const struct ctl_option *b = a + 1; b->name; b++) {
                assert_string_not_equal(a->name, b->name);
                assert_true(!a->letter || a->letter != b->letter);
            }
            for (const struct ctl_option *g = ctl_global_options; g->name; g++) {
                assert_string_not_equal(a->name, g->name);
                assert_true(!a->letter || a->letter != g->letter);
            }
        }
        /* every {NAME} of the path is an argument */
        for (const char *p = rows[i].path; p && (p = strchr(p, '{')); p++) {
            char name[32];
            (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(p + 1, "}"), p + 1);
            assert_non_null(strstr(rows[i].arguments, name));
        }
    }
}

static void test_words_and_arguments(void **state) {
    struct ctl_call call;
    struct lag_error err;
    assert_int_equal(PARSE("run", "pause", "first"), 0);
    assert_string_equal(call.command->words, "run pause");
    assert_string_equal(ctl_argument(&call, "RUN"), "first");
    assert_int_equal(PARSE("grow", "first", "--to", "6"), 0);
    assert_string_equal(call.command->words, "grow");
    assert_string_equal(ctl_argument(&call, "RUN"), "first");
    assert_int_equal(ctl_value_int(&call, "to", -1), 6);
    assert_int_equal(PARSE("grow", "list"), 0);
    assert_string_equal(call.command->words, "grow list");
    assert_null(ctl_argument(&call, "RUN"));
    assert_int_equal(PARSE("generate", "a", "--", "--help"), 0);
    assert_string_equal(ctl_argument(&call, "PROMPT"), "--help");
    assert_false(call.help);
}

static void test_options(void **state) {
    struct ctl_call call;
    struct lag_error err;
    assert_int_equal(PARSE("--socket", "/s", "-ojson", "run", "create", "-f", "x.json", "--name=a=b", "-q"), 0);
    assert_string_equal(ctl_value(&call, "socket"), "/s");
    assert_string_equal(ctl_value(&call, "output"), "json");
    assert_string_equal(ctl_value(&call, "file"), "x.json");
    assert_string_equal(ctl_value(&call, "name"), "a=b");
    assert_non_null(ctl_value(&call, "quiet"));
    assert_null(ctl_value(&call, "dry-run"));
    assert_int_equal(PARSE("events", "-fn5", "-n", "7"), 0); /* here -f is a flag; the last -n counts */
    assert_non_null(ctl_value(&call, "follow"));
    assert_int_equal(ctl_value_int(&call, "tail", -1), 7);
    assert_int_equal(PARSE("metrics", "a", "-k", "x", "-k", "y"), 0);
    assert_int_equal(call.n_values, 2);
    assert_int_equal(PARSE("run", "show", "--help"), 0); /* help needs no argument */
    assert_true(call.help);
    assert_null(call.group);
    const char *const forms[][2] = {{"run", "--help"}, {"run", "-h"}, {"--help", "run"}, {"ckpt", "--help"}};
    for (size_t i = 0; i < LAG_COUNT(forms); i++) { /* a group has help as well */
        assert_int_equal(PARSE(forms[i][0], forms[i][1]), 0);
        assert_true(call.help);
        assert_null(call.command);
        assert_string_equal(call.group, forms[i][forms[i][0][0] == '-']);
    }
    assert_int_equal(PARSE("grow", "--help"), 0); /* which is a command, too */
    assert_string_equal(call.command->words, "grow");
    assert_int_equal(PARSE("nothing", "--help"), LAG_EINVAL);
}

static void test_wrong_usage(void **state) {
    struct ctl_call call;
    struct lag_error err;
    const struct {
        const char *a, *b, *c, *d, *text;
    } rows[] = {
        {"nothing", NULL, NULL, NULL, "there is no command 'nothing'"},
        {"run", NULL, NULL, NULL, "'run' needs one of: create, list"},
        {"run", "fly", NULL, NULL, "there is no command 'run fly'; there is create"},
        {"run", "show", NULL, NULL, "needs RUN"},
        {"run", "show", "", NULL, "RUN must not be empty"},
        {"run", "show", "a", "b", "takes no 'b'"},
        {"ps", "--fast", NULL, NULL, "no option --fast"},
        {"ps", "-x", NULL, NULL, "no option -x"},
        {"ps", "--all=1", NULL, NULL, "--all takes no value"},
        {"ps", "-o", NULL, NULL, "-o needs a value: table|json"},
        {"ps", "-o", "xml", NULL, "'xml' is none of table|json"},
        {"ps", "-o", "jso", NULL, "is none of"},
        {"events", "--after", "x", NULL, "'x' is no whole number"},
        {"events", "--after", "-1", NULL, "no whole number"},
        {"generate", "-t", "hot", NULL, "'hot' is no number"},
        {"wait", "--timeout", "1y", NULL, "'1y' is no time"},
        {"completion", "fish", NULL, NULL, "'fish' is none of bash|zsh"},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        assert_int_equal(parse(&call, &err, rows[i].a, rows[i].b, rows[i].c, rows[i].d, NULL), LAG_EINVAL);
        if (!strstr(err.text, rows[i].text)) fail_msg("'%s' is not in '%s'", rows[i].text, err.text);
    }
}

static void test_durations(void **state) {
    assert_int_equal(ctl_duration_ms("90"), 90000);
    assert_int_equal(ctl_duration_ms("250ms"), 250);
    assert_int_equal(ctl_duration_ms("5m"), 300000);
    assert_int_equal(ctl_duration_ms("1h"), 3600000);
    assert_int_equal(ctl_duration_ms("2d"), 172800000);
    assert_int_equal(ctl_duration_ms("h"), -1);
    assert_int_equal(ctl_duration_ms("1.5h"), -1);
    assert_int_equal(ctl_duration_ms("999999999999999"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_sound),
        cmocka_unit_test(test_words_and_arguments),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

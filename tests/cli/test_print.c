/* Answers as tables, cells and JSON, and the exit status of each. */
#include "check_cli.h"
#include "ctl_internal.h"
#include "draw_internal.h"

#include <lagd/base/error.h>

static const struct ctl_column columns[] = {{"NAME", "name", CTL_TEXT},
                                            {"N", "deep.n", CTL_INT},
                                            {"LOSS", "latest.val/loss", CTL_LOSS},
                                            {"STATE", "state", CTL_STATE},
                                            {NULL, NULL, 0}};

static json_t *rows(void) {
    json_t *value = json_loads(
        "[{\"name\": \"a\", \"deep\": {\"n\": 5}, \"latest\": {\"val/loss\": 2.30471}, \"state\": \"failed\"},"
        " {\"name\": \"tr\\u00e4ge\\u001b[2J\", \"deep\": null, \"latest\": {}, \"state\": \"ok\"}]",
        0, NULL);
    assert_non_null(value);
    return value;
}

static void test_tables(void **state) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *value = rows();
    ctl_table(&out, columns, value, false, false, 0);
    assert_holds(&out, "NAME       N    LOSS  STATE\n"
                       "a          5  2.3047  failed\n"
                       "träge [2J  -       -  ok\n"); /* no escape sequence of another's making */
    ctl_table(&out, columns, value, true, true, 0);
    assert_non_null(strstr(out.data, "\033[31mfailed\033[0m\n"));
    assert_non_null(strstr(out.data, "  –       –  "));
    lag_strbuf_deinit(&out);
    ctl_table(&out, columns, value, true, false, 18); /* no line is wider than the terminal */
    for (char *line = out.data, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        assert_true(ctl_width(line) <= 18);
    }
    lag_strbuf_deinit(&out);
    json_decref(value);
}

static void test_cells(void **state) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    json_t *value =
        json_loads("{\"n\": 34688, \"x\": 0.1, \"yes\": true, \"list\": [\"a\", 2], \"s\": \"a\\tb\"}", 0, NULL);
    const struct {
        struct ctl_column column;
        bool raw;
        const char *text;
    } cells[] = {{{"", "n", CTL_COUNT}, false, "34.7k"}, {{"", "n", CTL_COUNT}, true, "34688"},
                 {{"", "x", CTL_LOSS}, true, "0.1"},     {{"", "yes", CTL_TEXT}, false, "yes"},
                 {{"", "yes", CTL_TEXT}, true, "true"},  {{"", "list", CTL_LIST}, false, "a, 2"},
                 {{"", "s", CTL_TEXT}, true, "a b"}};
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        ctl_cell(&out, value, &cells[i].column, cells[i].raw);
        assert_holds(&out, cells[i].text);
    }
    ctl_say(&out, "{n} of {nothing}{s}, {list}", value);
    assert_holds(&out, "34688 of a b, a, 2");
    json_decref(value);
}

/* Numbers are as short as they can be and read back the same. */
static void test_json(void **state) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    const char *text = "{\"a\":[0.1,1e-08,2.304728194850138,5,-3.0,null,true],\"b\":{\"c\":\"q\\\"\\\\\\n\\u0001ä\"},"
                       "\"d\":[{\"e\":1}],\"f\":[],\"g\":{}}";
    json_t *value = json_loads(text, 0, NULL);
    ctl_json_write(&out, value, 0);
    assert_holds(&out, text);
    ctl_json_write(&out, value, 2);
    json_t *again = json_loads(out.data, 0, NULL);
    assert_true(json_equal(value, again));
    assert_non_null(strstr(out.data, "\n  \"d\": [\n    {\n      \"e\": 1\n    }\n  ],\n"));
    lag_strbuf_deinit(&out);
    json_decref(again);
    json_decref(value);
}

static void test_clean(void **state) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    ctl_clean(&out,
              "a\033]0;x\007\nb\t\xc2\x9b"
              "31m\xff\x7fö",
              false);
    assert_holds(&out, "a ]0;x  b ?31m? ö");
    ctl_clean(&out, "a\nb\tc\033", true);
    assert_holds(&out, "a\nb\tc?");
}

static void test_terminal(void **state) {
    assert_true(ctl_term_is_utf8(NULL, NULL, "en_US.UTF-8"));
    assert_true(ctl_term_is_utf8("", "", "C.utf8"));
    assert_true(ctl_term_is_utf8("de_DE.UTF-8@euro", "C", "C"));
    assert_false(ctl_term_is_utf8("C", NULL, "en_US.UTF-8"));
    assert_false(ctl_term_is_utf8(NULL, "de_DE.ISO-8859-1", "en_US.UTF-8"));
    assert_false(ctl_term_is_utf8(NULL, NULL, NULL));
    assert_string_equal(ctl_term_colour(false, "failed"), "");
    assert_string_not_equal(ctl_term_colour(true, "failed"), "");
}

static void test_exit_statuses(void **state) {
    const struct {
        long status;
        int exit_status;
    } table[] = {{200, 0}, {204, 0}, {400, 1}, {401, 5}, {403, 5}, {404, 3},
                 {409, 4}, {412, 4}, {422, 1}, {500, 1}, {503, 1}, {504, 7}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(ctl_exit_of_status(table[i].status), table[i].exit_status);
}

static void test_places(void **state) {
    struct ctl_place place;
    struct lag_error err = {0};
    assert_int_equal(setenv("LAGD_SOCKET", "/env.sock", 1), 0);
    assert_int_equal(setenv("LAGD_HOST", "env:1", 1), 0);
    assert_int_equal(ctl_place_find(NULL, NULL, &place, &err), 0);
    assert_string_equal(place.socket, "/env.sock");
    assert_int_equal(ctl_place_find(NULL, "h:2/", &place, &err), 0);
    assert_string_equal(place.url, "http://h:2");
    assert_string_equal(place.socket, "");
    assert_int_equal(ctl_place_find(NULL, "unix:/u.sock", &place, &err), 0);
    assert_string_equal(place.socket, "/u.sock");
    assert_int_equal(unsetenv("LAGD_SOCKET"), 0);
    assert_int_equal(ctl_place_find(NULL, NULL, &place, &err), 0);
    assert_string_equal(place.url, "http://env:1");
    assert_int_equal(ctl_place_find("/s", "h", &place, &err), LAG_EINVAL);
    assert_int_equal(ctl_place_find(NULL, "ftp://h", &place, &err), LAG_EINVAL);
    assert_int_equal(ctl_place_find("", NULL, &place, &err), LAG_EINVAL);
    struct lag_strbuf out = LAG_STRBUF_INIT;
    ctl_escape(&out, "a/b c%ä-._~:");
    assert_holds(&out, "a%2Fb%20c%25%C3%A4-._~:");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables),   cmocka_unit_test(test_cells),
                                       cmocka_unit_test(test_json),     cmocka_unit_test(test_clean),
                                       cmocka_unit_test(test_terminal), cmocka_unit_test(test_exit_statuses),
                                       cmocka_unit_test(test_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

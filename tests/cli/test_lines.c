/* Answers that come line by line: JSON lines and server-sent events, whole or broken. */
#include "check_cli.h"

#include "ctl_internal.h"

struct seen {
    struct lag_strbuf text;
    int stop_at;
};

static int note(void *arg, json_t *event) {
    struct seen *seen = arg;
    lag_strbuf_printf(&seen->text, "%s%d ", ctl_json_text(event, "type"),
                      (int)json_integer_value(json_object_get(event, "seq")));
    return json_integer_value(json_object_get(event, "seq")) == seen->stop_at ? 7 : 0;
}

/* The same whatever pieces the bytes come in. */
static void check(bool sse, const char *bytes, const char *expected) {
    size_t length = strlen(bytes);
    for (size_t piece = 1; piece <= length; piece++) {
        struct ctl_lines lines = {.sse = sse};
        struct seen seen = {LAG_STRBUF_INIT, -1};
        lag_strbuf_append(&seen.text, "");
        for (size_t at = 0; at < length; at += piece)
            assert_int_equal(ctl_lines_feed(&lines, bytes + at, length - at < piece ? length - at : piece, note, &seen),
                             0);
        assert_holds(&seen.text, expected);
        ctl_lines_deinit(&lines);
    }
}

static void test_lines_of_json(void **state) {
    check(false, "{\"seq\":1,\"type\":\"a\"}\n\n{\"seq\":2,\"type\":\"b\"}\r\n{\"seq\":3", "a1 b2 ");
}

static void test_server_sent_events(void **state) {
    check(true,
          "retry: 2000\n\n: hb\n\nid: 1\nevent: run.state\ndata: {\"seq\":1,\"type\":\"x\"}\n\n"
          "event: caught-up\ndata: {}\n\ndata:{\"seq\":2,\ndata: \"type\":\"y\"}\r\n\r\nevent: odd\ndata: text\n\n"
          "data: {\"seq\":9}",
          "x1 caught-up0 y2 ");
}

static void test_what_cannot_be_read(void **state) {
    struct ctl_lines lines = {0};
    struct seen seen = {LAG_STRBUF_INIT, 0};
    assert_int_equal(ctl_lines_feed(&lines, "<html>\n", 7, note, &seen), -1);
    ctl_lines_deinit(&lines);
    assert_null(seen.text.data);
}

static void test_the_taker_ends_it(void **state) {
    struct ctl_lines lines = {0};
    struct seen seen = {LAG_STRBUF_INIT, 1};
    assert_int_equal(ctl_lines_feed(&lines, "{\"seq\":1}\n{\"seq\":2}\n", 20, note, &seen), 7);
    assert_holds(&seen.text, "1 ");
    ctl_lines_deinit(&lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines_of_json), cmocka_unit_test(test_server_sent_events),
                                       cmocka_unit_test(test_what_cannot_be_read),
                                       cmocka_unit_test(test_the_taker_ends_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

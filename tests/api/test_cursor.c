/* Cursors come back as they were made; everything else is refused and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "request/cursor_internal.h"

#include <lagd/base/check.h>

#define ULID "01hf7yat00000000000000000a"

static void cursors_come_back(void **state) {
    (void)state;
    static const struct {
        int64_t number;
        const char *prefix, *id, *text;
    } list[] = {
        {1700000000123, "run", "run_" ULID, "1700000000123.run_" ULID},
        {1, "gr", "gr_" ULID, "1.gr_" ULID},
        {INT64_MAX, "ckpt", "ckpt_7zzzzzzzzzzzzzzzzzzzzzzzzz", "9223372036854775807.ckpt_7zzzzzzzzzzzzzzzzzzzzzzzzz"},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        char text[LAGD_CURSOR_SIZE], id[LAG_ROW_ID];
        int64_t number = 0;
        lagd_cursor_format(list[i].number, list[i].id, text);
        assert_string_equal(text, list[i].text);
        assert_int_equal(lagd_cursor_parse(text, list[i].prefix, &number, id), 0);
        assert_int_equal(number, list[i].number);
        assert_string_equal(id, list[i].id);
    }
}

static void nothing_else_is_a_cursor(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "1",
        "1.",
        ".run_" ULID,
        "1.run_",
        "1run_" ULID,
        "x.run_" ULID,
        "-1.run_" ULID,
        "0.run_" ULID,
        "1.5.run_" ULID,
        " 1.run_" ULID,
        "1 .run_" ULID,
        "1. run_" ULID,
        "9223372036854775808.run_" ULID,
        "0000000000000000000000001.run_" ULID, /* longer than any number */
        "1.gr_" ULID,                          /* of another list */
        "1.RUN_" ULID,
        "1.run_" ULID ".x",
        "1.run_" ULID "0",
        "1.run_01hf7yat0000000000000000a",
        "1.run_01hf7yat00000000000000000u", /* no letter of Crockford's */
    };
    for (size_t i = 0; i < LAG_COUNT(bad); i++) {
        char id[LAG_ROW_ID] = "untouched";
        int64_t number = 77;
        if (lagd_cursor_parse(bad[i], "run", &number, id) != -1) fail_msg("'%s' is taken for a cursor", bad[i]);
        assert_int_equal(number, 77);
        assert_string_equal(id, "untouched");
    }
}

/* The largest number and the longest id of a row fit into a cursor. */
static void the_longest_fits(void **state) {
    (void)state;
    char id[LAG_ROW_ID], text[LAGD_CURSOR_SIZE], want[2 * LAGD_CURSOR_SIZE];
    memset(id, 'a', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    lagd_cursor_format(INT64_MAX, id, text);
    (void)snprintf(want, sizeof(want), "9223372036854775807.%s", id);
    assert_string_equal(text, want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_come_back),
        cmocka_unit_test(nothing_else_is_a_cursor),
        cmocka_unit_test(the_longest_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

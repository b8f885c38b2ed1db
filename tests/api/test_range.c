/* One byte range of a file of 100 bytes: what is served, what is ignored and what lies outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door/range_internal.h"

#include <lagd/base/check.h>

enum { PART = 1, IGNORED = 0, OUTSIDE = -1 };

static const struct row {
    const char *text;
    int want;
    uint64_t first, length;
} rows[] = {
    {"bytes=0-0", PART, 0, 1},
    {"bytes=0-", PART, 0, 100},
    {"bytes=0-98", PART, 0, 99},
    {"bytes=0-99", PART, 0, 100},
    {"bytes=0-100", PART, 0, 100},
    {"bytes=99-", PART, 99, 1},
    {"bytes=99-99", PART, 99, 1},
    {"bytes=10-19", PART, 10, 10},
    {"bytes=010-019", PART, 10, 10},
    {"bytes=10-1000", PART, 10, 90},
    {"bytes=0-18446744073709551615", PART, 0, 100},
    /* the last bytes */
    {"bytes=-1", PART, 99, 1},
    {"bytes=-99", PART, 1, 99},
    {"bytes=-100", PART, 0, 100},
    {"bytes=-101", PART, 0, 100},
    {"bytes=-18446744073709551615", PART, 0, 100},
    /* outside */
    {"bytes=100-", OUTSIDE, 0, 0},
    {"bytes=100-100", OUTSIDE, 0, 0},
    {"bytes=18446744073709551615-", OUTSIDE, 0, 0},
    {"bytes=-0", OUTSIDE, 0, 0},
    /* malformed, other units, several parts, numbers that are too long */
    {"", IGNORED, 0, 0},
    {"bytes", IGNORED, 0, 0},
    {"bytes=", IGNORED, 0, 0},
    {"bytes=-", IGNORED, 0, 0},
    {"bytes=5", IGNORED, 0, 0},
    {"bytes=5-4", IGNORED, 0, 0},
    {"bytes=100-99", IGNORED, 0, 0},
    {"bytes=0-1,3-4", IGNORED, 0, 0},
    {"bytes=0-1 ", IGNORED, 0, 0},
    {"bytes= 0-1", IGNORED, 0, 0},
    {"bytes=a-b", IGNORED, 0, 0},
    {"bytes=1-b", IGNORED, 0, 0},
    {"bytes=--1", IGNORED, 0, 0},
    {"bytes=+1-2", IGNORED, 0, 0},
    {"lines=1-2", IGNORED, 0, 0},
    {"Bytes=1-2", IGNORED, 0, 0},
    {"bytes=18446744073709551616-", IGNORED, 0, 0},
    {"bytes=0-18446744073709551616", IGNORED, 0, 0},
    {"bytes=-18446744073709551616", IGNORED, 0, 0},
    {"bytes=0000000000000000000000001-2", IGNORED, 0, 0},
};

static void expect(const struct row *row, uint64_t size) {
    const struct lagd_range before = {77, 78};
    struct lagd_range range = before;
    int got = lagd_range_parse(row->text, size, &range);
    if (got != row->want) fail_msg("'%s' of %d bytes gives %d", row->text, (int)size, got);
    assert_int_equal(range.first, got == PART ? row->first : before.first);
    assert_int_equal(range.length, got == PART ? row->length : before.length);
}

static void ranges_of_a_file(void **state) {
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(rows); i++) expect(&rows[i], 100);
}

static void ranges_of_an_empty_file(void **state) {
    (void)state;
    static const struct row empty[] = {
        {"bytes=0-", OUTSIDE, 0, 0},
        {"bytes=0-0", OUTSIDE, 0, 0},
        {"bytes=-1", OUTSIDE, 0, 0},
        {"bytes=-", IGNORED, 0, 0},
    };
    for (size_t i = 0; i < LAG_COUNT(empty); i++) expect(&empty[i], 0);
}

static void ranges_of_the_largest_file(void **state) {
    (void)state;
    static const struct row large[] = {
        {"bytes=18446744073709551613-18446744073709551614", PART, UINT64_MAX - 2, 2},
        {"bytes=18446744073709551614-", PART, UINT64_MAX - 1, 1},
        {"bytes=18446744073709551615-", OUTSIDE, 0, 0},
        {"bytes=0-", PART, 0, UINT64_MAX},
    };
    for (size_t i = 0; i < LAG_COUNT(large); i++) expect(&large[i], UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_a_file),
        cmocka_unit_test(ranges_of_an_empty_file),
        cmocka_unit_test(ranges_of_the_largest_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

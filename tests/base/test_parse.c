/* What strict parsing takes and what it refuses. */
#include "check_base.h"

#include <lagd/base/parse.h>
#include <math.h>

static void test_i64(void **state) {
    static const struct {
        const char *text;
        int status;
        int64_t value;
    } rows[] = {
        {"0", 0, 0}, {"-0", 0, 0}, {"12", 0, 12}, {"-12", 0, -12}, {"007", 0, 7},
        {"9223372036854775807", 0, INT64_MAX}, {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -1, 0}, {"-9223372036854775809", -1, 0}, {"99999999999999999999", -1, 0},
        {"", -1, 0}, {"-", -1, 0}, {"+1", -1, 0}, {" 1", -1, 0}, {"1 ", -1, 0}, {"1.0", -1, 0}, {"0x10", -1, 0},
        {"--1", -1, 0}, {"1e3", -1, 0},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        int64_t value = 4711;
        assert_int_equal(lag_parse_i64(rows[i].text, &value), rows[i].status);
        assert_true(value == (rows[i].status ? 4711 : rows[i].value));
    }
}

static void test_u64(void **state) {
    uint64_t value = 4711;
    assert_int_equal(lag_parse_u64("18446744073709551615", &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(lag_parse_u64("18446744073709551616", &value), -1);
    assert_int_equal(lag_parse_u64("-1", &value), -1);
    assert_true(value == UINT64_MAX);
}

static void test_double(void **state) {
    static const struct {
        const char *text;
        int status;
        double value;
    } rows[] = {
        {"0", 0, 0}, {"1.5", 0, 1.5}, {"-2e3", 0, -2000}, {".5", 0, 0.5}, {"3.", 0, 3}, {"0x1.8p1", 0, 3},
        {"1e308", 0, 1e308}, {"1e-320", 0, 1e-320}, {"1e-999", 0, 0},
        {"1e309", -1, 0}, {"inf", -1, 0}, {"nan", -1, 0}, {"-inf", -1, 0}, {"", -1, 0}, {" 1", -1, 0}, {"1 ", -1, 0},
        {"+1", -1, 0}, {"1,5", -1, 0}, {"e5", -1, 0}, {"1e", -1, 0}, {"1.5x", -1, 0}, {"-", -1, 0}, {".", -1, 0},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        double value = 4711;
        if (lag_parse_double(rows[i].text, &value) != rows[i].status) fail_msg("'%s'", rows[i].text);
        assert_true(value == (rows[i].status ? 4711 : rows[i].value));
    }
}

static void test_bool(void **state) {
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    static const char *const bad[] = {"", "True", "t", "y", " on", "2", "truetrue"};
    bool value;
    for (size_t i = 0; i < 4; i++) {
        value = false;
        assert_int_equal(lag_parse_bool(yes[i], &value), 0);
        assert_true(value);
        assert_int_equal(lag_parse_bool(no[i], &value), 0);
        assert_false(value);
    }
    for (size_t i = 0; i < LAG_COUNT(bad); i++) assert_int_equal(lag_parse_bool(bad[i], &value), -1);
}

static void test_bytes(void **state) {
    static const struct {
        const char *text;
        int status;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0}, {"65536", 0, 65536}, {"64K", 0, 65536}, {"3M", 0, 3 << 20}, {"2G", 0, (uint64_t)2 << 30},
        {"1T", 0, (uint64_t)1 << 40}, {"16777215T", 0, (uint64_t)16777215 << 40},
        {"16777216T", -1, 0}, {"", -1, 0}, {"K", -1, 0}, {"1KB", -1, 0}, {"1.5G", -1, 0}, {"-1K", -1, 0}, {"1k", -1, 0},
        {"1 K", -1, 0}, {"1P", -1, 0}, {"00000000000000000000000000001", -1, 0},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        uint64_t value = 4711;
        if (lag_parse_bytes(rows[i].text, &value) != rows[i].status) fail_msg("'%s'", rows[i].text);
        assert_true(value == (rows[i].status ? 4711 : rows[i].value));
    }
}

static void test_names(void **state) {
    static const char *const good[] = {"a", "A-b_c.9", "_x", "9"};
    static const char *const bad[] = {"", ".a", "-a", "..", "a/b", "a b", "a\n", "\xc3\xa9", "a:b"};
    char long_name[70];
    memset(long_name, 'n', sizeof(long_name));
    long_name[64] = '\0';
    assert_true(lag_name_valid(long_name));
    long_name[64] = 'n';
    long_name[65] = '\0';
    assert_false(lag_name_valid(long_name));
    for (size_t i = 0; i < LAG_COUNT(good); i++) assert_true(lag_name_valid(good[i]));
    for (size_t i = 0; i < LAG_COUNT(bad); i++) assert_false(lag_name_valid(bad[i]));
}

static void test_utf8(void **state) {
    static const struct {
        const char *text;
        size_t length;
    } rows[] = {
        {"", 0}, {"a", 1}, {"\x7f", 1}, {"\xc2\x80", 2}, {"\xdf\xbf", 2}, {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3},
        {"\xef\xbf\xbf", 3}, {"\xf0\x90\x80\x80", 4}, {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0}, {"\xc0\xaf", 0}, {"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 0}, {"\xed\xa0\x80", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"\xff", 0}, {"\xc3", 0}, {"\xe2\x82", 0},
        {"\xe2\x82" "a", 0},
        {"\xf0\x9f\x98", 0},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        if (lag_utf8_length(rows[i].text) != rows[i].length) fail_msg("row %zu", i);
    }
}

static void test_utf8_mark(void **state) {
    assert_int_equal(lag_utf8_mark("\xef\xbb\xbf{}", 5), 3);
    assert_int_equal(lag_utf8_mark("\xef\xbb\xbf", 3), 3);
    assert_int_equal(lag_utf8_mark("\xef\xbb\xbf", 2), 0);
    assert_int_equal(lag_utf8_mark("{}\xef\xbb\xbf", 5), 0);
    assert_int_equal(lag_utf8_mark("", 0), 0);
}

static void test_bytes_for_people(void **state) {
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"}, {12, "12 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {1258291, "1.2 MiB"},
                 {188951445504, "176 GiB"}, {107321753, "102 MiB"}, {UINT64_MAX, "16.0 EiB"}};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        char text[16];
        lag_bytes_text(cases[i].bytes, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_i64),   cmocka_unit_test(test_u64),   cmocka_unit_test(test_double),
        cmocka_unit_test(test_bool),  cmocka_unit_test(test_bytes), cmocka_unit_test(test_names),
        cmocka_unit_test(test_utf8),  cmocka_unit_test(test_bytes_for_people),
        cmocka_unit_test(test_utf8_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

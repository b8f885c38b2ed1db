/* One call is one line, levels are kept, long lines are cut. */
#include "check_base.h"

#include <lagd/base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Runs with standard error in a pipe; returns what was written (static). */
static const char *captured(void (*act)(void)) {
    static char text[16384];
    int ends[2], kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    act();
    (void)dup2(kept, STDERR_FILENO);
    (void)close(ends[1]);
    (void)close(kept);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0) length += (size_t)got;
    text[length] = '\0';
    (void)close(ends[0]);
    return text;
}

static void log_dirty(void) { lag_log(LAG_LOG_WARNING, "a\nb\t\x1b[31m %d \xc3\xa9", 7); }
static void log_all_levels(void) {
    lag_log(LAG_LOG_ERROR, "e");
    lag_log(LAG_LOG_WARNING, "w");
    lag_log(LAG_LOG_INFO, "i");
    lag_log(LAG_LOG_DEBUG, "d");
}
static void log_long(void) {
    static char text[10000];
    memset(text, '\n', sizeof(text) - 1);
    errno = EBADF;
    lag_log(LAG_LOG_ERROR, "%s", text);
    assert_int_equal(errno, EBADF);
}

static void test_one_call_is_one_line(void **state) {
    lag_log_setup(LAG_LOG_INFO, 1);
    assert_string_equal(captured(log_dirty), "<4>a\\nb\\t\\x1b[31m 7 \xc3\xa9\n");
    lag_log_setup(LAG_LOG_INFO, 0);
    const char *line = captured(log_dirty);
    assert_int_equal(line[4], '-');
    assert_int_equal(line[23], 'Z');
    assert_string_equal(line + 24, " warning: a\\nb\\t\\x1b[31m 7 \xc3\xa9\n");
}

static void test_long_lines_are_cut(void **state) {
    lag_log_setup(LAG_LOG_INFO, 1);
    const char *line = captured(log_long);
    size_t length = strlen(line);
    assert_true(length > 3000 && length < 4097);
    assert_string_equal(line + length - 4, "...\n");
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

static void test_levels(void **state) {
    lag_log_setup(LAG_LOG_WARNING, 1);
    assert_string_equal(captured(log_all_levels), "<3>e\n<4>w\n");
    lag_log_set_level(LAG_LOG_DEBUG);
    assert_string_equal(captured(log_all_levels), "<3>e\n<4>w\n<6>i\n<7>d\n");
    enum lag_log_level level = LAG_LOG_INFO;
    assert_int_equal(lag_log_level_parse("debug", &level), 0);
    assert_int_equal(level, LAG_LOG_DEBUG);
    assert_true(lag_log_level_parse("loud", &level) < 0);
    assert_int_equal(level, LAG_LOG_DEBUG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call_is_one_line),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

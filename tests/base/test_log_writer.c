/* A reader of the log that stands still, that is gone, and that comes back. */
#include "check_base.h"

#include <lagd/base/clock.h>
#include <lagd/base/log.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define N_FLOOD 6000 /* lines of 100 bytes: more than a pipe and the queue hold */

static int kept = -1, reader = -1;
static char got[2 << 20];
static size_t n_got;

/* Standard error becomes a pipe that nobody reads yet. */
static int begin(void **state) {
    int ends[2];
    kept = dup(STDERR_FILENO);
    if (pipe(ends) < 0 || dup2(ends[1], STDERR_FILENO) < 0 || close(ends[1]) < 0) return -1;
    reader = ends[0];
    n_got = 0;
    lag_log_setup(LAG_LOG_INFO, 1);
    struct lag_error err;
    return lag_log_start(&err);
}

static int end(void **state) {
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    if (reader >= 0) (void)close(reader);
    return 0;
}

/* Reads until the text is there, or all writers are gone. */
static bool read_until(const char *text) {
    while (!text || !strstr(got, text)) {
        ssize_t n = read(reader, got + n_got, sizeof(got) - 1 - n_got);
        if (n <= 0) return false;
        n_got += (size_t)n;
        got[n_got] = '\0';
    }
    return true;
}

static size_t count(const char *text) {
    size_t n = 0;
    for (const char *at = got; (at = strstr(at, text)) != NULL; at++) n++;
    return n;
}

static void flood(void) {
    for (int i = 0; i < N_FLOOD; i++) lag_log(LAG_LOG_INFO, "line %05d %.80s", i, "................................"
                                              "................................................");
}

static void test_a_line_is_out_when_the_call_returns(void **state) {
    lag_log(LAG_LOG_INFO, "first");
    assert_int_equal(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(reader, got, sizeof(got)), 9);
    assert_memory_equal(got, "<6>first\n", 9);
    lag_log_stop();
    lag_log(LAG_LOG_INFO, "after the end");
    assert_int_equal(read(reader, got, sizeof(got)), 17);
}

static void test_a_reader_that_stands_still_holds_nobody_up(void **state) {
    uint64_t lost_before = lag_log_n_lost();
    int64_t began_ns = lag_clock_mono_ns();
    flood();
    /* without a bound it would stand here for ever */
    assert_true(lag_clock_mono_ns() - began_ns < INT64_C(60000000000));
    uint64_t n_lost = lag_log_n_lost() - lost_before;
    assert_true(n_lost > 0 && n_lost < N_FLOOD);
    assert_true(read_until("are lost"));
    char told[64];
    (void)snprintf(told, sizeof(told), "<4>log: %llu lines before this one are lost", (unsigned long long)n_lost);
    assert_non_null(strstr(got, told));
    assert_int_equal(count("line "), N_FLOOD - n_lost);
    lag_log(LAG_LOG_INFO, "back");
    assert_true(read_until("<6>back\n"));
    assert_int_equal(count("are lost"), 1);
    assert_int_equal(lag_log_n_lost() - lost_before, n_lost);
    lag_log_stop();
}

static void test_a_reader_that_is_gone_is_counted_and_told_later(void **state) {
    uint64_t lost_before = lag_log_n_lost();
    int ends[2];
    (void)close(reader);
    for (int i = 0; i < 3; i++) lag_log(LAG_LOG_INFO, "nobody reads this");
    assert_int_equal(lag_log_n_lost() - lost_before, 3);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    reader = ends[0];
    lag_log(LAG_LOG_INFO, "a new one");
    assert_true(read_until("a new one\n"));
    assert_non_null(strstr(got, "<4>log: 3 lines before this one are lost"));
    assert_null(strstr(got, "nobody"));
    lag_log_stop();
}

static void test_a_descriptor_that_others_made_non_blocking_loses_nothing(void **state) {
    uint64_t lost_before = lag_log_n_lost();
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK), 0);
    for (int i = 0; i < 1000; i++) lag_log(LAG_LOG_INFO, "line %05d %.90s", i, "................................"
                                           "..........................................................");
    lag_log(LAG_LOG_INFO, "last");
    assert_true(read_until("<6>last\n"));
    assert_int_equal(count("line "), 1000);
    assert_int_equal(lag_log_n_lost(), lost_before);
    lag_log_stop();
}

/* The last of this program: its writer stands still for ever. */
static void test_the_end_does_not_wait_for_ever(void **state) {
    uint64_t lost_before = lag_log_n_lost();
    flood();
    uint64_t n_lost = lag_log_n_lost() - lost_before;
    lag_log_stop();
    lag_log(LAG_LOG_INFO, "after the end");
    assert_int_equal(lag_log_n_lost() - lost_before, n_lost + 1);
}

int main(void) {
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_is_out_when_the_call_returns, begin, end),
        cmocka_unit_test_setup_teardown(test_a_reader_that_stands_still_holds_nobody_up, begin, end),
        cmocka_unit_test_setup_teardown(test_a_reader_that_is_gone_is_counted_and_told_later, begin, end),
        cmocka_unit_test_setup_teardown(test_a_descriptor_that_others_made_non_blocking_loses_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_the_end_does_not_wait_for_ever, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

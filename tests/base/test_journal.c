/* Messages to a journal that is a socket of this test. */
#include "check_base.h"

#include <lagd/base/log.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char path[64], got[16384];
static int journal = -1, errors = -1;

static void name_stream(ino_t plus) {
    struct stat info;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &info), 0);
    (void)snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)info.st_dev, (unsigned long)(info.st_ino + plus));
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
}

/* Standard error becomes a pipe, and a socket of the test's own the journal. */
static int set_up(void **state) {
    int ends[2];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(path, sizeof(path), "/tmp/lagd-journal-%ld", (long)getpid());
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (journal < 0 || bind(journal, (struct sockaddr *)&address, sizeof(address)) < 0 || pipe(ends) < 0) return -1;
    if (dup2(ends[1], STDERR_FILENO) < 0 || close(ends[1]) < 0) return -1;
    errors = ends[0];
    return setenv("LAGD_JOURNAL_SOCKET", path, 1);
}

static const char *received(int fd) {
    ssize_t n = read(fd, got, sizeof(got) - 1);
    got[n < 0 ? 0 : n] = '\0';
    return got;
}

static void test_another_stream_is_not_the_journal(void **state) {
    static const char *const wrong[] = {"", "1", "1:", ":1", "a:b", "99999999999999999999999999:1", "-1:-1"};
    (void)unsetenv("JOURNAL_STREAM");
    assert_int_equal(lag_log_to_journal(), 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(setenv("JOURNAL_STREAM", wrong[i], 1), 0);
        assert_int_equal(lag_log_to_journal(), 0);
    }
    name_stream(1);
    assert_int_equal(lag_log_to_journal(), 0);
}

static void test_fields_are_lines_of_one_datagram(void **state) {
    name_stream(0);
    lag_log_setup(LAG_LOG_INFO, 0);
    assert_int_equal(lag_log_to_journal(), 1);
    const struct lag_log_field fields[] = {{"LAGD_RUN", "run_1"}, {"LAGD_STEP", ""}, {"LAGD_GROWTH", NULL},
                                           {"REQUEST_ID", "x\nPRIORITY=0"}, {0}};
    lag_log_fields(LAG_LOG_WARNING, fields, "a\nMESSAGE_ID=%d", 7);
    assert_string_equal(received(journal),
                        "PRIORITY=4\nSYSLOG_IDENTIFIER=lagd\nMESSAGE=a\\nMESSAGE_ID=7\nLAGD_RUN=run_1\n"
                                           "REQUEST_ID=x\\nPRIORITY=0\n");
    lag_log(LAG_LOG_ERROR, "plain");
    assert_string_equal(received(journal), "PRIORITY=3\nSYSLOG_IDENTIFIER=lagd\nMESSAGE=plain\n");
    lag_log_fields(LAG_LOG_DEBUG, fields, "below the level");
    assert_int_equal(read(journal, got, sizeof(got)), -1);
}

static void test_the_longest_fits(void **state) {
    static char text[20000];
    memset(text, '\x01', sizeof(text) - 1);
    const struct lag_log_field fields[] = {{"A", text}, {"B", text}, {"C", text}, {"D", text}, {"E", text}, {"F", text},
                                           {"G", text}, {"H", text}, {"I", text}, {"J", text}, {"K", text}, {"L", text},
                                           {"M", text}, {"N", text}, {"O", text}, {"P", text}, {0}};
    lag_log_fields(LAG_LOG_INFO, fields, "%s", text);
    size_t length = strlen(received(journal));
    assert_true(length > 4096 && length <= 8192);
    assert_int_equal(got[length - 1], '\n');
}

/* A datagram socket that nobody reads makes its senders wait, as a journal that is stopped does. */
static void test_a_journal_that_stands_still_holds_nobody_up(void **state) {
    struct lag_error err;
    struct pollfd more = {.fd = journal, .events = POLLIN};
    uint64_t lost_before = lag_log_n_lost(), n_got = 0;
    assert_int_equal(lag_log_start(&err), 0);
    for (int i = 0; i < 6000; i++) lag_log(LAG_LOG_INFO, "line %d, as long as many of them are in practice", i);
    uint64_t n_lost = lag_log_n_lost() - lost_before;
    assert_true(n_lost > 0);
    const char *text = "";
    while (!strstr(text, "are lost") && poll(&more, 1, 60000) > 0) {
        text = received(journal);
        n_got += strstr(text, "line ") != NULL;
    }
    char told[64];
    (void)snprintf(told, sizeof(told), "MESSAGE=log: %llu lines before", (unsigned long long)n_lost);
    assert_non_null(strstr(text, told));
    assert_non_null(strstr(text, "PRIORITY=4\n"));
    lag_log_stop();
    assert_int_equal(n_got, 6000 - n_lost);
}

static void test_without_the_journal_lines_have_priorities(void **state) {
    const struct lag_log_field fields[] = {{"LAGD_RUN", "run_1"}, {0}};
    (void)close(journal);
    (void)unlink(path);
    lag_log_fields(LAG_LOG_WARNING, fields, "it is gone");
    assert_string_equal(received(errors), "<4>it is gone\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_another_stream_is_not_the_journal),
                                       cmocka_unit_test(test_fields_are_lines_of_one_datagram),
                                       cmocka_unit_test(test_the_longest_fits),
                                       cmocka_unit_test(test_a_journal_that_stands_still_holds_nobody_up),
                                       cmocka_unit_test(test_without_the_journal_lines_have_priorities)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}

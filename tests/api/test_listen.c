/* Listening sockets: addresses that are and are not one, what a socket is bound to, and files that are in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/listen_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>

static char dir[64];

static int set_up(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/lagd-listen-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    return rmdir(dir); /* fails when a test left something */
}

/* The promises of every descriptor: it listens, does not block, and is closed in programs that are started. */
static void expect_listening(int fd) {
    int listens = 0;
    socklen_t size = sizeof(listens);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size), 0);
    assert_true(listens);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void addresses_are_told_as_bound(void **state) {
    (void)state;
    static const struct {
        const char *address, *host, *text;
        bool beyond_loopback;
    } list[] = {
        {"127.0.0.1:0", "127.0.0.1", "http://127.0.0.1:", false},
        {"127.8.9.10:0", "127.8.9.10", "http://127.8.9.10:", false},
        {"[::1]:0", "[::1]", "http://[::1]:", false},
        {"0.0.0.0:0", "0.0.0.0", "http://0.0.0.0:", true},
        {"[::]:0", "[::]", "http://[::]:", true},
    };
    for (size_t i = 0; i < LAG_COUNT(list); i++) {
        struct lagd_address address;
        struct lag_error err = {0};
        int fd = -1, status = lagd_listen_tcp(list[i].address, &fd, &address, &err);
        if (status < 0 && list[i].address[0] == '[') continue; /* a machine without IPv6 */
        if (status != 0) fail_msg("%s: %s", list[i].address, err.text);
        size_t n = strlen(list[i].text);
        assert_string_equal(address.host, list[i].host);
        assert_int_equal(strncmp(address.text, list[i].text, n), 0);
        assert_true(atoi(address.text + n) > 0); /* the port that the system chose */
        assert_int_equal(address.beyond_loopback, list[i].beyond_loopback);
        expect_listening(fd);
        close(fd);
    }
}

static void what_is_no_address_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",        "127.0.0.1",       ":1",              "127.0.0.1:",           "127.0.0.1:x",   "127.0.0.1:-1",
        "[::1:2",  "::1]:2",          "[]:2",            "127.0.0.1:99999999",   "127.0.0.1:65536", "127.0.0.1:1 ",
        "127.0.0.1: 1", "127.0.0.1:0x10", "[::1]", "no such host:1", "127.0.0.1:0000000000000001"};
    for (size_t i = 0; i < LAG_COUNT(bad); i++) {
        struct lagd_address address;
        struct lag_error err = {0};
        int fd = -7;
        if (lagd_listen_tcp(bad[i], &fd, &address, &err) != LAG_EINVAL) fail_msg("'%s' is taken", bad[i]);
        assert_string_equal(err.pointer, "server/listen");
        assert_int_equal(fd, -7);
    }
}

static void taken_ports_are_busy(void **state) {
    (void)state;
    struct lagd_address address;
    struct lag_error err = {0};
    int first = -1, second = -1;
    assert_int_equal(lagd_listen_tcp("127.0.0.1:0", &first, &address, &err), 0);
    char text[sizeof(address.text)];
    (void)lag_copy(text, sizeof(text), address.text + strlen("http://"));
    assert_int_equal(lagd_listen_tcp(text, &second, &address, &err), LAG_EBUSY);
    assert_non_null(strstr(err.text, text));
    assert_string_equal(err.pointer, "server/listen");
    assert_int_equal(second, -1);
    close(first);
    assert_int_equal(lagd_listen_tcp(text, &second, &address, &err), 0); /* at once, whatever waits in the kernel */
    close(second);
}

static void unix_sockets_are_taken_with_care(void **state) {
    (void)state;
    struct lag_error err = {0};
    struct lagd_address address;
    struct stat info;
    char path[108], text[160];
    int fd = -1, other = -1;
    (void)snprintf(path, sizeof(path), "%s/s", dir);
    assert_int_equal(lagd_listen_unix(path, &fd, &err), 0);
    expect_listening(fd);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
    assert_int_equal(lagd_address_of(fd, &address, &err), 0);
    (void)snprintf(text, sizeof(text), "unix socket %s", path);
    assert_string_equal(address.text, text);
    assert_string_equal(address.host, "");
    assert_false(address.beyond_loopback);

    assert_int_equal(lagd_listen_unix(path, &other, &err), LAG_EBUSY); /* somebody answers on it */
    assert_non_null(strstr(err.text, path));
    assert_int_equal(other, -1);
    assert_int_equal(stat(path, &info), 0);
    close(fd); /* now it is a leftover */
    assert_int_equal(lagd_listen_unix(path, &fd, &err), 0);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void files_in_the_way_are_left_alone(void **state) {
    (void)state;
    struct lag_error err = {0};
    struct stat info;
    char path[108], longest[120], target[108];
    int fd = -1;
    (void)snprintf(path, sizeof(path), "%s/t", dir);
    assert_int_equal(lag_fs_write_file(dir, "t", "x", 1, &err), 0);
    assert_int_equal(lagd_listen_unix(path, &fd, &err), LAG_EEXIST);
    assert_string_equal(err.pointer, "server/socket");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 1);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(target, sizeof(target), "%s/nowhere", dir);
    assert_int_equal(symlink(target, path), 0); /* a link is no socket, wherever it leads */
    assert_int_equal(lagd_listen_unix(path, &fd, &err), LAG_EEXIST);
    assert_int_equal(unlink(path), 0);

    memset(longest, 'a', sizeof(longest));
    longest[sizeof(((struct sockaddr_un *)0)->sun_path)] = '\0'; /* one byte too long */
    assert_int_equal(lagd_listen_unix(longest, &fd, &err), LAG_EINVAL);
    (void)snprintf(path, sizeof(path), "%s/none/s", dir);
    assert_true(lagd_listen_unix(path, &fd, &err) < 0); /* the folder is missing */
    assert_int_equal(fd, -1);
}

static void sockets_of_others_are_told_too(void **state) {
    (void)state;
    struct lag_error err = {0};
    struct lagd_address address;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "lagd-test-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
                                                            (socklen_t)n), 0);
    assert_int_equal(lagd_address_of(fd, &address, &err), 0);
    char want[160];
    (void)snprintf(want, sizeof(want), "unix socket @%s", name.sun_path + 1);
    assert_string_equal(address.text, want);
    close(fd);
    assert_true(lagd_address_of(fd, &address, &err) < 0); /* closed: there is nothing to tell */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_told_as_bound),      cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(taken_ports_are_busy),             cmocka_unit_test(unix_sockets_are_taken_with_care),
        cmocka_unit_test(files_in_the_way_are_left_alone),  cmocka_unit_test(sockets_of_others_are_told_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

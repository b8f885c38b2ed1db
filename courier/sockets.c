/* The unix socket that requests come in by. */
#include "courier_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_PASSED 3       /* sd_listen_fds(3) */
#define PATIENCE_MS 5000     /* for a request to come in whole */

/* Does $LISTEN_FDS speak of this process? */
static bool is_passed(void) {
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    int64_t owner, n;
    return pid && fds && lag_parse_i64(pid, &owner) == 0 && owner == (int64_t)getpid() &&
           lag_parse_i64(fds, &n) == 0 && n == 1;
}

int courier_listen(const char *path, int *ret_fd, struct lag_error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (is_passed()) {
        *ret_fd = FIRST_PASSED;
        return 0;
    }
    if (!path)
        return lag_error_set(err, LAG_EINVAL, "no socket was passed: start it by lagd-notify.socket, or name one by "
                             "--socket PATH");
    if (lag_copy(address.sun_path, sizeof(address.sun_path), path) != 0)
        return lag_error_set(err, LAG_EINVAL, "the path of the socket is too long: %s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return lag_error_errno(err, errno, "cannot open a socket");
    (void)unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0) {
        int error_number = errno;
        (void)close(fd);
        return lag_error_errno(err, error_number, "cannot listen at %s", path);
    }
    *ret_fd = fd;
    return 0;
}

int courier_accept(int listener, int idle_ms, int *ret_fd, struct lag_error *err) {
    for (;;) {
        struct pollfd look = {.fd = listener, .events = POLLIN};
        int n = poll(&look, 1, idle_ms);
        if (n == 0) return 1;
        int fd = n > 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
        if (fd >= 0) {
            *ret_fd = fd;
            return 0;
        }
        if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
            return lag_error_errno(err, errno, "cannot take a client");
    }
}

int courier_receive(int fd, char *text, size_t size, struct courier_request *ret, struct lag_error *err) {
    const int64_t until_ms = lag_clock_mono_ns() / 1000000 + PATIENCE_MS;
    size_t length = 0;
    for (;;) {
        struct pollfd look = {.fd = fd, .events = POLLIN};
        int64_t left_ms = until_ms - lag_clock_mono_ns() / 1000000;
        if (left_ms <= 0) return lag_error_set(err, LAG_EIO, "the request did not come in time");
        if (poll(&look, 1, (int)left_ms) <= 0) continue;
        ssize_t got = recv(fd, text + length, size - 1 - length, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return lag_error_set(err, LAG_EIO, "the client went");
        if (got < 0) continue;
        length += (size_t)got;
        text[length] = '\0';
        int rc = courier_parse(text, length, ret, err);
        if (rc != 1) return rc;
        if (length == size - 1) return lag_error_set(err, LAG_EINVAL, "the request is too large");
    }
}

/* What does not go out at once is for a client that does not read. */
void courier_answer(int fd, long status, const char *text) {
    char answer[700];
    int n = snprintf(answer, sizeof(answer), "HTTP/1.1 %03ld %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%.300s\n", status,
                     status / 100 == 2 ? "OK" : "Refused", strnlen(text, 300) + 1, text);
    ssize_t ignored = send(fd, answer, (size_t)n, MSG_NOSIGNAL);
    (void)ignored;
}

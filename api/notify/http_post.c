/* A small HTTP client: a request, and of the answer what is needed to know whether it was taken. */
#include "notify/http_post_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_MAX 4096 /* bytes of an answer that are looked at */

static int stopped(struct lag_error *err) { return lag_error_set(err, LAG_ECANCELED, "lagd is stopping"); }

static int wait_for(const struct lagd_post_request *request, int fd, short events, struct lag_error *err) {
    struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = request->stop_fd, .events = POLLIN}};
    for (;;) {
        int64_t left_ms = (request->deadline_ns - lag_clock_mono_ns()) / 1000000;
        if (left_ms <= 0) return lag_error_set(err, LAG_EBUSY, "it did not answer in time");
        int n = poll(fds, LAG_COUNT(fds), (int)LAG_MIN(left_ms, 60000));
        if (n < 0 && errno != EINTR) return lag_error_errno(err, errno, "cannot wait for the webhook");
        if (n > 0 && fds[1].revents) return stopped(err);
        if (n > 0 && fds[0].revents) return 0;
    }
}

/* --- the connection ---------------------------------------------------------------------------------------------- */

union place {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t find_place(const struct lagd_hook *hook, const char *helper, union place *ret) {
    const char *path = hook->socket[0] ? hook->socket : helper;
    memset(ret, 0, sizeof(*ret));
    if (path) {
        ret->local.sun_family = AF_UNIX;
        (void)lag_copy(ret->local.sun_path, sizeof(ret->local.sun_path), path);
        return sizeof(ret->local);
    }
    if (inet_pton(AF_INET6, hook->host, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)hook->port);
        return sizeof(ret->v6);
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons((uint16_t)hook->port);
    (void)inet_pton(AF_INET, hook->host, &ret->v4.sin_addr);
    return sizeof(ret->v4);
}

static int finish_connect(const struct lagd_post_request *request, int fd, struct lag_error *err) {
    int error_number = 0;
    socklen_t size = sizeof(error_number);
    int rc = wait_for(request, fd, POLLOUT, err);
    if (rc != 0) return rc;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size);
    return error_number ? lag_error_errno(err, error_number, "cannot connect") : 0;
}

/* 1: this process may not open such a socket, as in the sandbox of the service. */
static int connect_to(const struct lagd_post_request *request, const char *helper, int *ret_fd,
                      struct lag_error *err) {
    union place place;
    socklen_t size = find_place(request->hook, helper, &place);
    int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPERM || errno == EACCES) && place.any.sa_family != AF_UNIX)
        return 1;
    if (fd < 0) return lag_error_errno(err, errno, "cannot open a socket");
    *ret_fd = fd;
    if (connect(fd, &place.any, size) == 0) return 0;
    if (errno == EINPROGRESS) return finish_connect(request, fd, err);
    if (helper)
        return lag_error_errno(err, errno, "cannot reach lagd-notify at %s (systemctl enable --now lagd-notify.socket)",
                               helper);
    return lag_error_errno(err, errno, "cannot connect");
}

/* --- request and answer ------------------------------------------------------------------------------------------ */

static int send_all(const struct lagd_post_request *request, int fd, const char *data, size_t length,
                    struct lag_error *err) {
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            length -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) {
            int rc = wait_for(request, fd, POLLOUT, err);
            if (rc != 0) return rc;
        } else if (sent < 0 && errno != EINTR) {
            return lag_error_errno(err, errno, "cannot send");
        }
    }
    return 0;
}

/* Interim answers (1xx) are passed over. true: the head of the last one is whole. */
static const char *final_head(const char *answer) {
    for (;;) {
        const char *end = strstr(answer, "\r\n\r\n");
        if (!end || strncmp(answer, "HTTP/1.", 7) != 0) return end ? answer : NULL;
        if (strncmp(answer + 8, " 1", 2) != 0) return answer;
        answer = end + 4;
    }
}

/* Until the head is there, with what came beside it; to_end: until the other side has said all. */
static int receive(const struct lagd_post_request *request, int fd, bool to_end, char ret[ANSWER_MAX],
                   struct lag_error *err) {
    size_t n = 0;
    ret[0] = '\0';
    while (n < ANSWER_MAX - 1 && (to_end || !final_head(ret))) {
        ssize_t got = recv(fd, ret + n, ANSWER_MAX - 1 - n, 0);
        if (got == 0) break;
        if (got > 0) {
            n += (size_t)got;
            ret[n] = '\0';
        } else if (errno == EAGAIN) {
            int rc = wait_for(request, fd, POLLIN, err);
            if (rc != 0) return rc;
        } else if (errno != EINTR) {
            return lag_error_errno(err, errno, "cannot read the answer");
        }
    }
    if (n == 0) return lag_error_set(err, LAG_EIO, "the connection was closed without an answer");
    return 0;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static int judge(const char *answer, bool by_helper, struct lag_error *err) {
    const char *head = final_head(answer);
    if (!head || strncmp(head, "HTTP/1.", 7) != 0 || strlen(head) < 12 || !is_digit(head[9]) || !is_digit(head[10]) ||
        !is_digit(head[11]))
        return lag_error_set(err, LAG_EIO, "the answer is not HTTP/1.1");
    if (head[9] == '2') return 0;
    const char *text = strstr(head, "\r\n\r\n") + 4;
    int n = (int)strcspn(text, "\r\n");
    if (by_helper && strncmp(head + 9, "502", 3) == 0 && n > 0)
        return lag_error_set(err, LAG_EIO, "%.*s", LAG_MIN(n, 300), text);
    return lag_error_set(err, LAG_EIO, "the answer was HTTP status %.3s", head + 9);
}

static int exchange(const struct lagd_post_request *request, int fd, const char *helper, struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    char answer[ANSWER_MAX];
    const struct lagd_hook *hook = request->hook;
    /* A proxy is told the whole address. */
    if (helper) lag_strbuf_printf(&text, "POST %s HTTP/1.1\r\nHost: lagd-notify\r\n", hook->url);
    else if (hook->socket[0]) lag_strbuf_printf(&text, "POST %s HTTP/1.1\r\nHost: localhost\r\n", hook->target);
    else lag_strbuf_printf(&text, strchr(hook->host, ':') ? "POST %s HTTP/1.1\r\nHost: [%s]:%d\r\n"
                                                         : "POST %s HTTP/1.1\r\nHost: %s:%d\r\n",
                           hook->target, hook->host, hook->port);
    lag_strbuf_printf(&text, "User-Agent: lagd/" LAGD_VERSION "\r\nContent-Type: application/json\r\n"
                      "Content-Length: %zu\r\nConnection: close\r\n%s\r\n", request->n_body, request->headers);
    lag_strbuf_append_n(&text, request->body, request->n_body);
    int rc = text.failed ? lag_error_set(err, LAG_ENOMEM, "out of memory")
                         : send_all(request, fd, text.data, text.length, err);
    lag_strbuf_deinit(&text);
    if (rc == 0) rc = receive(request, fd, helper != NULL, answer, err);
    return rc == 0 ? judge(answer, helper != NULL, err) : rc;
}

int lagd_http_post(const struct lagd_post_request *request, struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int fd = -1;
    const char *helper = request->hook->by_helper ? request->helper : NULL;
    int rc = connect_to(request, helper, &fd, err);
    if (rc == 1) rc = connect_to(request, helper = request->helper, &fd, err);
    return rc == 0 ? exchange(request, fd, helper, err) : rc;
}

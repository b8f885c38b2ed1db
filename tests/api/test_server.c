/* A whole server on a socket, with a real supervisor behind it: framing on the wire, deadlines, sockets, waiting. */
#include "../daemon/supervisor_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "http/server_internal.h"
#include "http/sockets_internal.h"
#include <lagd/api/server.h>
#include <lagd/base/check.h>

static struct fixture f;
static struct lagd_server *server;
static int port;

static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int set_up(void **state) {
    (void)state;
    struct lag_error err = {0};
    memset(&f, 0, sizeof(f));
    fixture_make_dir(&f);
    port = free_port();
    snprintf(f.config.listen, sizeof(f.config.listen), "127.0.0.1:%d", port);
    assert_true((size_t)snprintf(f.config.socket, sizeof(f.config.socket), "%.80s/s", f.dir) < sizeof(f.config.socket));
    assert_int_equal(lag_engine_setup(&err), 0);
    assert_int_equal(lagd_supervisor_create(&f.config, &f.s, &err), 0);
    int status = lagd_server_start(f.s, &lagd_routes, NULL, &server, &err);
    if (status < 0) fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&f.thread, NULL, fixture_loop, &f), 0);
    f.started = true;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    lagd_supervisor_stop(f.s);
    pthread_join(f.thread, NULL);
    lagd_server_stop(server);
    lagd_supervisor_destroy(f.s);
    assert_int_equal(f.status, 0);
    fixture_remove(&f);
    return 0;
}

static int dial(void) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int dial_unix(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.config.socket);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* What comes until the server closes, or is silent for the time; the text is terminated. */
static size_t receive(int fd, char *text, size_t size, int silence_ms, bool *ret_closed) {
    size_t n = 0;
    *ret_closed = false;
    while (n + 1 < size) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, silence_ms) <= 0) break;
        ssize_t got = recv(fd, text + n, size - n - 1, 0);
        if (got <= 0) {
            *ret_closed = true;
            break;
        }
        n += (size_t)got;
    }
    text[n] = '\0';
    return n;
}

static void put(int fd, const char *data, size_t n) { (void)!send(fd, data, n, MSG_NOSIGNAL); }

static int count(const char *text, const char *what) {
    int n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) n++;
    return n;
}

static int status_of(const char *answer) { return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0; }

static void ask(int fd, const char *request, char *answer, size_t size) {
    bool closed;
    put(fd, request, strlen(request));
    receive(fd, answer, size, 3000, &closed);
    close(fd);
}

#define H "Host: localhost\r\n"
#define SMUGGLED "GET /api/v1/version HTTP/1.1\r\n" H "\r\n"
#define J "Content-Type: application/json\r\n"

struct vector {
    const char *data;
    int status;
    bool own; /* the library's own refusal: its status line comes twice */
};

/* Each is followed by a second request, which must never be answered on the same connection. */
static const struct vector closing[] = {
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
     false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400,
     false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: gzip\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: identity\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 400,
     false},
    {"POST /api/v1/runs HTTP/1.0\r\n" H J "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length : 3\r\n\r\n{} ", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length\t: 3\r\n\r\n{} ", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: +2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 0x2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: -2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 2,2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 99999999999999999999\r\n\r\n{}", 413, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "X Y: 1\r\nContent-Length: 2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "X\x01: 1\r\nContent-Length: 2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H H J "Content-Length: 2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" J "Content-Length: 2\r\n\r\n{}", 400, false},
    {"GET /api/v1/version HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, false},
    {"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400, false},
    {"GET /api/v1/version HTTP/1.1\r\n\r\n", 400, false},
    {"GET /api/v1/version HTTP/1.0\r\n\r\n", 400, false},
    {"GET http://evil/api/v1/version HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET //evil/api/v1/version HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET api/v1/version HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET /api/v1/%00 HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET /api/v1/version?a=%00 HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET /api\\v1 HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET /api/v1/version%2 HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET /api/v1/version#x HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET /api/v1/\x80 HTTP/1.1\r\n" H "\r\n", 400, false},
    {"GET /api/v1/../../etc/passwd HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /api/v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /api/v1/checkpoints/a/files/..%2f..%2flagd.db HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /api/v1/version HTTP/2.0\r\n" H "\r\n", 505, true},
    {"GET /nowhere HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /api/v1/runs/nobody HTTP/1.1\r\n" H "\r\n", 404, false},
    {"G\x01T / HTTP/1.1\r\n" H "\r\n", 400, false},
    {"BREW /api/v1/runs HTTP/1.1\r\n" H "\r\n", 405, false},
    {"get /api/v1/runs HTTP/1.1\r\n" H "\r\n", 405, false},
    {"TRACE /api/v1/runs HTTP/1.1\r\n" H "\r\n", 405, false},
    {"PUT /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 2\r\n\r\n{}", 405, false},
    {"CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n", 400, false},
    {"OPTIONS * HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}", 400, false},
    {"GET /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 2\r\n\r\n{}", 400, false},
    {"DELETE /api/v1/runs/x HTTP/1.1\r\n" H J "Content-Length: 2\r\n\r\n{}", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}", 415, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 0\r\n\r\n", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H "\r\n", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 2\r\n\r\n[]", 400, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 2\r\n\r\n{}", 422, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n", 413, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 422, false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n",
     422, false},
    {"POST /api/v1/runs/x/pause HTTP/1.1\r\n" H "\r\n", 404, false},
    {"POST /api/v1/runs/x/pause HTTP/1.1\r\n" H "Origin: http://evil.example\r\n\r\n", 403, false},
    {"POST /api/v1/runs/x/pause HTTP/1.1\r\n" H "Sec-Fetch-Site: cross-site\r\n\r\n", 403, false},
    {"POST /api/v1/runs/x/pause HTTP/1.1\r\n" H J "Content-Length: 12\r\n\r\n{\"reason\":1}", 422, false},
    {"POST /api/v1/datasets HTTP/1.1\r\n" H "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nab", 422, false},
    {"POST /api/v1/datasets?name=x HTTP/1.1\r\n" H "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nab", 422,
     false},
    {"POST /api/v1/runs HTTP/1.1\r\n" H
     "Content-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
     400, false},
};

static void nothing_is_smuggled(void **state) {
    (void)state;
    static char answer[32768], request[4096];
    assert_true(LAG_COUNT(closing) >= 60);
    for (size_t i = 0; i < LAG_COUNT(closing); i++) {
        bool closed;
        int fd = dial();
        snprintf(request, sizeof(request), "%s%s", closing[i].data,
                 strstr(closing[i].data, "100-continue") ? "" : SMUGGLED);
        put(fd, request, strlen(request));
        receive(fd, answer, sizeof(answer), 3000, &closed);
        close(fd);
        int n = count(answer, "HTTP/1.1 ");
        if (status_of(answer) != closing[i].status || !closed || n > 1 + closing[i].own ||
            strstr(answer, "\"version\"")) {
            fail_msg("%s\n-- %d answers, %s:\n%s", closing[i].data, n, closed ? "closed" : "open", answer);
        }
        if (closing[i].own) continue;
        assert_non_null(strstr(answer, "Connection: close"));
        assert_non_null(strstr(answer, "Content-Type: application/problem+json"));
        assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff"));
        assert_non_null(strstr(answer, "\"request_id\":\"req_"));
    }
}

#define RAW(text) {text, sizeof(text) - 1}

/* What is behind a NUL byte is hidden from whoever reads texts; a proxy may have read on. */
static void nul_bytes_are_seen(void **state) {
    (void)state;
    static const struct {
        const char *data;
        size_t n;
    } requests[] = {
        RAW("GET /api/v1/version HTTP/1.1\r\nHost: localhost\0.evil\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\r\nHost: localhost\0\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\r\nHost: localhost\0.evil\r\nX: y\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\r\nX: \0y\r\nHost: localhost\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\r\nHost:\0 localhost\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\n\0X: y\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nX\0Z: y\r\n\r\n"),
        RAW("GET /api/v1/version\0/../runs HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        RAW("GET\0X /api/v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\0\r\nHost: localhost\r\n\r\n"),
        RAW("GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"), /* folded */
    };
    static char answer[32768];
    for (size_t i = 0; i < LAG_COUNT(requests); i++) {
        bool closed;
        int fd = dial();
        put(fd, requests[i].data, requests[i].n);
        receive(fd, answer, sizeof(answer), 3000, &closed);
        close(fd);
        if (status_of(answer) != 400 || !closed || count(answer, "HTTP/1.1 ") != 1)
            fail_msg("request %zu: %s", i, answer);
    }
    /* and nothing else is taken for one */
    static const char *const good[] = {
        "GET /api/v1/version HTTP/1.1\r\n" H "Connection: close\r\nX:\r\nY: \t a b \t\r\nZ:z\r\n\r\n",
        "GET /api/v1/version?pretty=%74rue HTTP/1.1\r\nX:   \r\nConnection: close\r\n" H "\r\n",
        "GET /api/v1/version HTTP/1.1\nHost: localhost\nConnection: close\n\n",
        "\r\nGET /api/v1/version HTTP/1.1\r\nX:\r\nConnection: close\r\n" H "\r\n",
    };
    for (size_t i = 0; i < LAG_COUNT(good); i++) {
        ask(dial(), good[i], answer, sizeof(answer));
        if (status_of(answer) != 200) fail_msg("%s\n%s", good[i], answer);
    }
}

static void good_connections_stay(void **state) {
    (void)state;
    static char answer[32768];
    bool closed;
    int fd = dial();
    const char *three = SMUGGLED SMUGGLED "HEAD /api/v1/version HTTP/1.1\r\n" H "\r\n"
                                          "OPTIONS /api/v1/runs HTTP/1.1\r\n" H "\r\n";
    put(fd, three, strlen(three));
    receive(fd, answer, sizeof(answer), 500, &closed);
    assert_true(closed); /* by the last: only GET and HEAD keep a connection */
    assert_int_equal(count(answer, "Connection: close"), 1);
    assert_int_equal(count(answer, "HTTP/1.1 200 OK"), 3);
    assert_int_equal(count(answer, "HTTP/1.1 204 "), 1);
    assert_int_equal(count(answer, "\"version\""), 2);
    assert_non_null(strstr(answer, "Allow: GET, HEAD, POST, OPTIONS"));
    static const char *const headers[] = {"X-Content-Type-Options: nosniff",
                                          "Referrer-Policy: no-referrer",
                                          "Cross-Origin-Resource-Policy: same-origin",
                                          "Content-Security-Policy: default-src 'none'",
                                          "Cache-Control: no-store",
                                          "X-Request-Id: req_"};
    for (size_t i = 0; i < LAG_COUNT(headers); i++) assert_int_equal(count(answer, headers[i]), 4);
    close(fd);
    ask(dial_unix(), "GET /api/v1/version HTTP/1.1\r\n" H "Connection: close\r\n\r\n", answer, sizeof(answer));
    assert_int_equal(status_of(answer), 200);
}

static void long_bodies_are_refused(void **state) {
    (void)state;
    static char body[300000], answer[8192];
    char head[256];
    snprintf(head, sizeof(head), "POST /api/v1/runs HTTP/1.1\r\n" H J "Content-Length: 200000\r\n\r\n");
    int fd = dial();
    put(fd, head, strlen(head));
    memset(body, ' ', sizeof(body));
    put(fd, body, 200000);
    ask(fd, "", answer, sizeof(answer));
    assert_int_equal(status_of(answer), 413);
    /* not told before: counted, in pieces of one byte too */
    fd = dial();
    snprintf(head, sizeof(head), "POST /api/v1/runs HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\n\r\n");
    put(fd, head, strlen(head));
    for (int i = 0; i < 50000; i++) memcpy(body + 6 * i, "1\r\na\r\n", 6);
    put(fd, body, 300000);
    put(fd, body, 300000);
    ask(fd, "0\r\n\r\n", answer, sizeof(answer));
    assert_int_equal(status_of(answer), 413);
    /* a target and headers beyond all measure */
    fd = dial();
    memset(body, 'a', 5000);
    memcpy(body, "GET /", 5);
    put(fd, body, 5000);
    ask(fd, " HTTP/1.1\r\n" H "\r\n", answer, sizeof(answer));
    assert_int_equal(status_of(answer), 414);
    fd = dial();
    put(fd, "GET / HTTP/1.1\r\n" H, strlen("GET / HTTP/1.1\r\n" H));
    for (int i = 0; i < 100; i++) put(fd, "X: y\r\n", 6);
    ask(fd, "\r\n", answer, sizeof(answer));
    assert_int_equal(status_of(answer), 431);
}

static void a_client_that_goes_away_leaves_nothing(void **state) {
    (void)state;
    static char answer[8192];
    char path[1100];
    int fd = dial();
    const char *half =
        "POST /api/v1/datasets?name=half HTTP/1.1\r\n" H "Content-Type: text/plain\r\nContent-Length: 1000\r\n\r\nabc";
    put(fd, half, strlen(half));
    usleep(200000);
    close(fd);
    snprintf(path, sizeof(path), "%s/uploads", f.config.state_dir);
    assert_true(lag_fs_exists(path));
    for (int i = 0; i < 100 && rmdir(path) < 0; i++) usleep(20000); /* works once it is empty */
    assert_false(lag_fs_exists(path));
    /* while a command is under way, and while it waits for an event */
    for (int i = 0; i < 20; i++) {
        const char *request = i % 2 ? "POST /api/v1/runs/nobody/pause HTTP/1.1\r\n" H "\r\n"
                                    : "GET /api/v1/events?wait=1&topics=growth HTTP/1.1\r\n" H "\r\n";
        fd = dial();
        put(fd, request, strlen(request));
        usleep(1000);
        close(fd);
    }
    ask(dial(), "GET /api/v1/version HTTP/1.1\r\n" H "Connection: close\r\n\r\n", answer, sizeof(answer));
    assert_int_equal(status_of(answer), 200);
}

static void *add_text_later(void *arg) {
    (void)arg;
    char answer[4096];
    char body[4096];
    static char request[8192];
    usleep(150000);
    for (size_t i = 0; i + 1 < sizeof(body); i++) body[i] = "the quick brown fox "[i % 20];
    body[sizeof(body) - 1] = '\0';
    snprintf(request, sizeof(request),
             "POST /api/v1/datasets?name=later HTTP/1.1\r\n" H
             "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    ask(dial(), request, answer, sizeof(answer));
    assert_int_equal(status_of(answer), 201);
    return NULL;
}

static void events_wake_who_waits(void **state) {
    (void)state;
    static char answer[8192];
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, add_text_later, NULL), 0);
    int64_t begin = lag_clock_mono_ns();
    const char *request = "GET /api/v1/events?wait=20 HTTP/1.1\r\n" H "Connection: close\r\n\r\n";
    int fd = dial();
    bool closed;
    put(fd, request, strlen(request));
    receive(fd, answer, sizeof(answer), 20000, &closed);
    close(fd);
    pthread_join(thread, NULL);
    assert_true(lag_clock_mono_ns() - begin < slow() * INT64_C(5000000000));
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "dataset.added"));
    assert_non_null(strstr(answer, "X-Next-After: "));
    /* and time does */
    begin = lag_clock_mono_ns();
    fd = dial();
    request = "GET /api/v1/events?wait=1&topics=growth HTTP/1.1\r\n" H "Connection: close\r\n\r\n";
    put(fd, request, strlen(request));
    receive(fd, answer, sizeof(answer), 20000, &closed);
    close(fd);
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "X-Next-After: "));
    assert_null(strstr(answer, "X-Next-After: 0")); /* events of other topics were passed over */
    int64_t waited = lag_clock_mono_ns() - begin;
    assert_true(waited > INT64_C(900000000) && waited < slow() * INT64_C(3000000000));
}

static void slow_connections_are_closed(void **state) {
    (void)state;
    /* Ten seconds later, as if the head still were not whole. */
    char answer[1024];
    bool closed;
    int fd = dial();
    put(fd, "GET / HT", 8);
    usleep(100000);
    int64_t now_ns = lag_clock_mono_ns();
    assert_int_equal(lagd_sockets_close_late(server->sockets, now_ns).n_slow, 0);
    assert_int_equal(lagd_sockets_close_late(server->sockets, now_ns + LAGD_HEADER_DEADLINE_NS).n_slow, 1);
    assert_int_equal(lagd_sockets_close_late(server->sockets, now_ns + LAGD_HEADER_DEADLINE_NS).n_slow, 0);
    receive(fd, answer, sizeof(answer), 3000, &closed);
    assert_true(closed);
    close(fd);
}

/* Each ten seconds must bring their share (1 KiB a second), however fast the beginning was. */
static void slow_bodies_are_cut_off(void **state) {
    (void)state;
    static char bytes[12000];
    const char *head = "POST /api/v1/datasets?name=slow HTTP/1.1\r\n" H
                       "Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\n";
    const int64_t second_ns = INT64_C(1000000000);
    memset(bytes, 'a', sizeof(bytes));
    for (int i = 0; i < 2; i++) { /* one byte; then more than the share of ten seconds, and nothing more */
        int fd = dial();
        char answer[1024];
        bool closed;
        put(fd, head, strlen(head));
        put(fd, bytes, i == 0 ? 1 : sizeof(bytes));
        usleep(200000);
        int64_t now_ns = lag_clock_mono_ns();
        assert_int_equal(lagd_sockets_close_late(server->sockets, now_ns + 9 * second_ns).n_slow, 0);
        assert_int_equal(lagd_sockets_close_late(server->sockets, now_ns + 10 * second_ns).n_slow, 1);
        receive(fd, answer, sizeof(answer), 3000, &closed);
        assert_true(closed);
        close(fd);
    }
}

/* Connections that take long over a head have 2 s where there are many, but those that have a place keep it. */
static void a_crowd_has_less_time(void **state) {
    (void)state;
    int fds[70], waiting = dial(); /* more than half of server/connection_limit */
    const int64_t soon_ns = INT64_C(3000000000);
    const char *wait = "GET /api/v1/events?wait=20&topics=growth HTTP/1.1\r\n" H "\r\n";
    put(waiting, wait, strlen(wait));
    fds[0] = dial();
    put(fds[0], "GET / HT", 8);
    usleep(200000);
    assert_int_equal(lagd_sockets_close_late(server->sockets, lag_clock_mono_ns() + soon_ns).n_crowded, 0);
    for (size_t i = 1; i < LAG_COUNT(fds); i++) {
        fds[i] = dial();
        put(fds[i], "GET / HT", 8);
    }
    usleep(300000);
    assert_int_equal(lagd_sockets_close_late(server->sockets, lag_clock_mono_ns()).n_crowded, 0);
    const struct lagd_late late = lagd_sockets_close_late(server->sockets, lag_clock_mono_ns() + soon_ns);
    assert_true(late.n_crowded >= (int)LAG_COUNT(fds) && late.n_slow == 0);
    for (size_t i = 0; i < LAG_COUNT(fds); i++) {
        char answer[1024];
        bool closed;
        receive(fds[i], answer, sizeof(answer), 3000, &closed);
        assert_true(closed);
        close(fds[i]);
    }
    struct pollfd look = {.fd = waiting, .events = POLLIN};
    assert_int_equal(poll(&look, 1, 0), 0);
    close(waiting);
}

static void many_at_once(void **state) {
    (void)state;
    static char answer[16384];
    int fds[60];
    for (size_t i = 0; i < LAG_COUNT(fds); i++) {
        fds[i] = i % 3 ? dial() : dial_unix();
        const char *request = i % 2 ? "POST /api/v1/runs/nobody/resume HTTP/1.1\r\n" H "\r\n"
                                    : "GET /api/v1/version HTTP/1.1\r\n" H "Connection: close\r\n\r\n";
        put(fds[i], request, strlen(request));
    }
    for (size_t i = 0; i < LAG_COUNT(fds); i++) {
        bool closed;
        receive(fds[i], answer, sizeof(answer), 3000, &closed);
        assert_int_equal(status_of(answer), i % 2 ? 404 : 200);
        close(fds[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_smuggled),         cmocka_unit_test(good_connections_stay),
        cmocka_unit_test(long_bodies_are_refused),     cmocka_unit_test(a_client_that_goes_away_leaves_nothing),
        cmocka_unit_test(events_wake_who_waits),       cmocka_unit_test(slow_connections_are_closed),
        cmocka_unit_test(nul_bytes_are_seen),
        cmocka_unit_test(slow_bodies_are_cut_off),     cmocka_unit_test(a_crowd_has_less_time),
        cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

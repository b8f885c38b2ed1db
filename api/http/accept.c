/* A worker of the HTTP library that finds no descriptor or memory for a connection accepts no more until one of its
 * connections ends; and none may end for hours, where streams are all it has. So where clients wait in the queue, each
 * worker is given a connection that ends at once. While the shortage lasts, none can be made, and it stays as it is. */
#include "http/accept_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/log.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS INT64_C(1000000000) /* longer than a worker that has much to do leaves a client waiting */
#define TELL_AGAIN_NS (60 * INT64_C(1000000000))
#define PAUSE_MS 100

void lagd_accept_init(struct lagd_accept *accept, int fd) {
    *accept = (struct lagd_accept){.fd = fd};
    for (unsigned i = 0; i < LAGD_HTTP_WORKERS; i++) accept->nudges[i] = -1;
}

static void end_nudge(int *nudge) {
    if (*nudge >= 0) (void)close(*nudge);
    *nudge = -1;
}

void lagd_accept_deinit(struct lagd_accept *accept) {
    for (unsigned i = 0; i < LAGD_HTTP_WORKERS; i++) end_nudge(&accept->nudges[i]);
}

/* One at a time: a worker that is held up is not given more and more of them. */
static bool is_under_way(int fd) {
    char byte;
    return fd >= 0 && recv(fd, &byte, 1, 0) < 0 && (errno == EAGAIN || errno == EINTR);
}

static void nudge(int *fd, struct MHD_Daemon *daemon, unsigned worker) {
    if (is_under_way(*fd)) return;
    end_nudge(fd);
    *fd = lagd_worker_connect(daemon, worker);
    if (*fd >= 0) (void)shutdown(*fd, SHUT_WR);
}

void lagd_accept_look(struct lagd_accept *accept, struct MHD_Daemon *daemon, int64_t now_ns) {
    struct pollfd queue = {.fd = accept->fd, .events = POLLIN};
    if (poll(&queue, 1, 0) <= 0 || !(queue.revents & POLLIN)) {
        accept->waited_since_ns = 0;
        lagd_accept_deinit(accept);
        return;
    }
    if (!accept->waited_since_ns) accept->waited_since_ns = now_ns;
    if (now_ns - accept->waited_since_ns < PATIENCE_NS) return;
    accept->waited_since_ns = now_ns;
    for (unsigned i = 0; i < LAGD_HTTP_WORKERS; i++) nudge(&accept->nudges[i], daemon, i);
}

/* A worker without any connection tries again without a pause; it is given one here, as nobody else waits for it. */
void lagd_accept_heard(struct lagd_accept *accept, const char *format, const char *where) {
    if (!strstr(format, "resource limit at")) return;
    int64_t now_ns = lag_clock_mono_ns(), told_ns = atomic_load(&accept->told_ns);
    if ((!told_ns || now_ns - told_ns > TELL_AGAIN_NS) &&
        atomic_compare_exchange_strong(&accept->told_ns, &told_ns, now_ns))
        lag_log(LAG_LOG_WARNING,
                "http: no descriptor or memory is free for another client on %s; clients wait until some is; if that "
                "lasts, raise the limit (LimitNOFILE=), or lower server/connection_limit",
                where);
    if (strstr(format, "FIRST connection")) (void)poll(NULL, 0, PAUSE_MS);
}

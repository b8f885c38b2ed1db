/* A request to /healthz over a connection of lagd's own. One from outside would not do: when all places are taken it
 * waits in the listener's queue, and then a busy server looks like a dead one. */
#include "http/ping_internal.h"

#include "http/worker_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERVAL_NS (5 * INT64_C(1000000000)) /* below LAGD_IDLE_SECONDS, or the library closes the connection */

static const char question[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/* Takes in what came. A connection that has ended is no answer; it is made again. */
static void receive(struct lagd_ping *ping) {
    char answer[1024];
    ssize_t n;
    while ((n = recv(ping->fd, answer, sizeof(answer), 0)) > 0) ping->asked_ns = 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    (void)close(ping->fd);
    ping->fd = -1;
}

int64_t lagd_ping_ask(struct lagd_ping *ping, struct MHD_Daemon *daemon, unsigned worker, int64_t now_ns) {
    if (ping->fd >= 0) receive(ping);
    if (ping->fd < 0) {
        ping->fd = lagd_worker_connect(daemon, worker);
        if (ping->fd < 0) {
            ping->asked_ns = 0; /* every place is taken: nothing can be said */
            return 0;
        }
        ping->due_ns = now_ns;
    }
    if (now_ns >= ping->due_ns) {
        (void)send(ping->fd, question, sizeof(question) - 1, MSG_NOSIGNAL);
        ping->due_ns = now_ns + INTERVAL_NS;
        if (!ping->asked_ns) ping->asked_ns = now_ns;
    }
    return ping->asked_ns ? now_ns - ping->asked_ns : 0;
}

void lagd_ping_end(struct lagd_ping *ping) {
    if (ping->fd >= 0) (void)close(ping->fd);
    ping->fd = -1;
}

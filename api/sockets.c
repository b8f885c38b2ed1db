/* Accepted sockets and their absolute deadlines. */
#include <stdlib.h>
#include <sys/socket.h>

#include "lagd/base/clock.h"
#include "lagd/base/log.h"
#include "lagd/base/mem.h"
#include "lagd/base/thread.h"
#include "server_internal.h"

#define TICK_NS (250 * INT64_C(1000000))

static void add_locked(struct lagd_server *server, struct lagd_socket *socket) {
    socket->next = server->sockets;
    if (socket->next) socket->next->previous = socket;
    server->sockets = socket;
}

static void remove_locked(struct lagd_server *server, struct lagd_socket *socket) {
    if (socket->next) socket->next->previous = socket->previous;
    if (socket->previous)
        socket->previous->next = socket->next;
    else
        server->sockets = socket->next;
}

/* Called before the library closes the descriptor, so that the reaper never meets a number that means another file. */
void lagd_socket_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode code) {
    struct lagd_server *server = cls;
    struct lagd_socket *socket = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        socket = info ? lag_calloc(1, sizeof(*socket)) : NULL;
        *socket_context = socket;
        if (!socket) return; /* its requests are refused: they find no socket */
        socket->fd = info->connect_fd;
        socket->deadline_ns = lag_clock_mono_ns() + LAGD_HEADER_DEADLINE_NS;
        (void)pthread_mutex_lock(&server->lock);
        add_locked(server, socket);
        (void)pthread_mutex_unlock(&server->lock);
    } else if (socket) {
        (void)pthread_mutex_lock(&server->lock);
        remove_locked(server, socket);
        (void)pthread_mutex_unlock(&server->lock);
        free(socket);
        *socket_context = NULL;
    }
}

void lagd_socket_deadline(struct lagd_server *server, struct lagd_socket *socket, int64_t from_now_ns) {
    (void)pthread_mutex_lock(&server->lock);
    socket->deadline_ns = from_now_ns ? lag_clock_mono_ns() + from_now_ns : 0;
    (void)pthread_mutex_unlock(&server->lock);
}

static void reap(void *arg) {
    struct lagd_server *server = arg;
    (void)pthread_mutex_lock(&server->lock);
    while (!server->draining) {
        int64_t now = lag_clock_mono_ns();
        atomic_store(&server->reaped_ns, now);
        for (struct lagd_socket *socket = server->sockets; socket; socket = socket->next) {
            if (!socket->deadline_ns || now < socket->deadline_ns) continue;
            socket->deadline_ns = 0;
            (void)shutdown(socket->fd, SHUT_RDWR);
            lag_log(LAG_LOG_DEBUG, "http: closed a connection that was too slow");
        }
        lagd_wake_expired_locked(server, now);
        if (server->reload_wanted) {
            server->reload_wanted = false;
            (void)pthread_mutex_unlock(&server->lock);
            lagd_server_reload(server);
            (void)pthread_mutex_lock(&server->lock);
            continue;
        }
        (void)lag_cond_wait_until(&server->changed, &server->lock, now + TICK_NS);
    }
    (void)pthread_mutex_unlock(&server->lock);
}

int lagd_reaper_start(struct lagd_server *server, struct lag_error *err) {
    int status = lag_thread_start(&server->reaper, "lagd-reaper", 0, reap, server, err);
    server->reaper_started = status == 0;
    return status;
}

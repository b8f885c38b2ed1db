/* Keeps a list of the accepted sockets, and shuts down those that are late. */
#include "http/sockets_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct lagd_socket {
    int fd;
    int64_t deadline_ns; /* 0: none */
    struct lagd_socket *next, *previous;
};
struct lagd_sockets {
    pthread_mutex_t lock;
    struct lagd_socket *first;
};

int lagd_sockets_create(struct lagd_sockets **ret) {
    struct lagd_sockets *sockets = lag_calloc(1, sizeof(*sockets));
    if (!sockets) return LAG_ENOMEM;
    (void)pthread_mutex_init(&sockets->lock, NULL);
    *ret = sockets;
    return 0;
}

void lagd_sockets_destroy(struct lagd_sockets *sockets) {
    if (!sockets) return;
    (void)pthread_mutex_destroy(&sockets->lock);
    free(sockets);
}

static void add(struct lagd_sockets *sockets, struct lagd_socket *socket) {
    (void)pthread_mutex_lock(&sockets->lock);
    socket->next = sockets->first;
    if (socket->next) socket->next->previous = socket;
    sockets->first = socket;
    (void)pthread_mutex_unlock(&sockets->lock);
}

static void forget(struct lagd_sockets *sockets, struct lagd_socket *socket) {
    (void)pthread_mutex_lock(&sockets->lock);
    if (socket->next) socket->next->previous = socket->previous;
    if (socket->previous)
        socket->previous->next = socket->next;
    else
        sockets->first = socket->next;
    (void)pthread_mutex_unlock(&sockets->lock);
}

/* Called before the library closes the descriptor, so that the list never holds a number that means another file. */
void lagd_socket_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode code) {
    struct lagd_sockets *sockets = cls;
    struct lagd_socket *socket = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        socket = info ? lag_calloc(1, sizeof(*socket)) : NULL;
        *socket_context = socket;
        if (!socket) return;
        socket->fd = info->connect_fd;
        socket->deadline_ns = lag_clock_mono_ns() + LAGD_HEADER_DEADLINE_NS;
        add(sockets, socket);
    } else if (socket) {
        forget(sockets, socket);
        free(socket);
        *socket_context = NULL;
    }
}

int lagd_socket_fd(const struct lagd_socket *socket) { return socket->fd; }

void lagd_socket_deadline(struct lagd_sockets *sockets, struct lagd_socket *socket, int64_t from_now_ns) {
    if (!socket) return;
    (void)pthread_mutex_lock(&sockets->lock);
    socket->deadline_ns = from_now_ns ? lag_clock_mono_ns() + from_now_ns : 0;
    (void)pthread_mutex_unlock(&sockets->lock);
}

int lagd_sockets_close_late(struct lagd_sockets *sockets, int64_t now_ns) {
    int n = 0;
    (void)pthread_mutex_lock(&sockets->lock);
    for (struct lagd_socket *socket = sockets->first; socket; socket = socket->next) {
        if (!socket->deadline_ns || now_ns < socket->deadline_ns) continue;
        socket->deadline_ns = 0;
        (void)shutdown(socket->fd, SHUT_RDWR);
        lag_log(LAG_LOG_DEBUG, "http: closed a connection that was too slow");
        n++;
    }
    (void)pthread_mutex_unlock(&sockets->lock);
    return n;
}

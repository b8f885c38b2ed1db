/* Keeps a list of the accepted sockets, and shuts down those that are late. */
#include "http/sockets_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

struct lagd_socket {
    int fd;
    int64_t deadline_ns; /* 0: none */
    int64_t crowded_ns;  /* the deadline in a crowd; 0: it stays */
    struct lagd_socket *next, *previous;
};
struct lagd_sockets {
    pthread_mutex_t lock;
    struct lagd_socket *first;
    int n_passing_most; /* more are a crowd */
};

int lagd_sockets_create(int n_passing, struct lagd_sockets **ret) {
    struct lagd_sockets *sockets = lag_calloc(1, sizeof(*sockets));
    if (!sockets) return LAG_ENOMEM;
    (void)pthread_mutex_init(&sockets->lock, NULL);
    sockets->n_passing_most = n_passing;
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

static void set(struct lagd_socket *socket, enum lagd_stay stay, int64_t from_now_ns) {
    const int64_t now_ns = lag_clock_mono_ns();
    const int64_t crowded_ns = stay == LAGD_SOCKET_READS ? LAGD_CROWDED_NS : LAGD_CROWDED_ANSWER_NS;
    socket->deadline_ns = from_now_ns ? now_ns + from_now_ns : 0;
    socket->crowded_ns = from_now_ns && stay != LAGD_SOCKET_STAYS ? now_ns + crowded_ns : 0;
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
        set(socket, LAGD_SOCKET_READS, LAGD_HEADER_DEADLINE_NS);
        add(sockets, socket);
    } else if (socket) {
        forget(sockets, socket);
        free(socket);
        *socket_context = NULL;
    }
}

int lagd_socket_fd(const struct lagd_socket *socket) { return socket->fd; }

void lagd_socket_deadline(struct lagd_sockets *sockets, struct lagd_socket *socket, enum lagd_stay stay,
                          int64_t from_now_ns) {
    if (!socket) return;
    (void)pthread_mutex_lock(&sockets->lock);
    set(socket, stay, from_now_ns);
    (void)pthread_mutex_unlock(&sockets->lock);
}

static bool is_crowded_locked(const struct lagd_sockets *sockets) {
    int n = 0;
    for (const struct lagd_socket *socket = sockets->first; socket; socket = socket->next) n += socket->crowded_ns != 0;
    return n > sockets->n_passing_most;
}

struct lagd_late lagd_sockets_close_late(struct lagd_sockets *sockets, int64_t now_ns) {
    struct lagd_late late = {0};
    (void)pthread_mutex_lock(&sockets->lock);
    bool crowded = is_crowded_locked(sockets);
    for (struct lagd_socket *socket = sockets->first; socket; socket = socket->next) {
        bool slow = socket->deadline_ns && now_ns >= socket->deadline_ns;
        bool in_the_way = crowded && socket->crowded_ns && now_ns >= socket->crowded_ns;
        if (!slow && !in_the_way) continue;
        socket->deadline_ns = socket->crowded_ns = 0;
        (void)shutdown(socket->fd, SHUT_RDWR);
        lag_log(LAG_LOG_DEBUG, "http: closed a connection that was too slow%s", slow ? "" : ", as there are very many");
        late.n_slow += slow;
        late.n_crowded += !slow;
    }
    (void)pthread_mutex_unlock(&sockets->lock);
    return late;
}

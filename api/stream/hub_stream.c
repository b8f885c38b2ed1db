/* Streams: opened and closed by their connection's worker, suspended by their reader, resumed by the hub. */
#include "stream/hub_parts_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What the kernel keeps for a follower that does not read; it holds minutes of events. */
#define SEND_BUFFER_BYTES 65536
/* A peer that vanished without a word is found within 30 s. Keepalive finds it after 10 s; a heartbeat under way holds
 * keepalive back, and is given up after 10 s. The next sweep then sees it. */
#define USER_TIMEOUT_MS 10000
#define KEEPALIVE_IDLE_S 6
#define KEEPALIVE_INTERVAL_S 2
#define KEEPALIVE_COUNT 2

static void set_up_socket(int fd) {
    static const struct {
        int level, option, value;
    } options[] = {
        {SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
        {IPPROTO_TCP, TCP_NODELAY, 1},
    };
    for (size_t i = 0; i < LAG_COUNT(options); i++) { /* the TCP ones fail on unix sockets, which need none */
        (void)setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof(options[i].value));
    }
}

static int refuse_locked(struct lagd_hub *hub, struct lag_error *err) {
    hub->n_refused++;
    return lag_error_set(err, LAG_EBUSY, "%d clients follow events already (server/max_streams)", hub->n_streams);
}

static void add_locked(struct lagd_hub *hub, struct lagd_stream *stream) {
    stream->next = hub->streams;
    if (stream->next) stream->next->previous = stream;
    hub->streams = stream;
    hub->n_streams++;
    hub->n_opened++;
    if (stream->feed.topics & LAGD_TOPIC_METRIC) atomic_fetch_add(&hub->n_metric_streams, 1);
}

int lagd_stream_open(struct lagd_hub *hub, struct MHD_Connection *connection, int fd, const struct lagd_feed *feed,
                     struct lagd_stream **ret, struct lag_error *err) {
    struct lagd_stream *stream = lag_calloc(1, sizeof(*stream));
    int status = 0;
    if (!stream) return lag_error_set(err, LAG_EBUSY, "out of memory");
    *stream = (struct lagd_stream){.hub = hub, .connection = connection, .fd = fd, .feed = *feed};
    (void)pthread_mutex_lock(&hub->lock);
    if (hub->stopping)
        status = lag_error_set(err, LAG_ECANCELED, "the daemon is stopping");
    else if (hub->n_streams >= hub->max_streams)
        status = refuse_locked(hub, err);
    else
        add_locked(hub, stream);
    (void)pthread_mutex_unlock(&hub->lock);
    if (status < 0) {
        free(stream);
        return status;
    }
    set_up_socket(fd);
    *ret = stream;
    return 0;
}

void lagd_stream_close(void *arg) {
    struct lagd_stream *stream = arg;
    if (!stream) return;
    struct lagd_hub *hub = stream->hub;
    (void)pthread_mutex_lock(&hub->lock);
    if (stream->next) stream->next->previous = stream->previous;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        hub->streams = stream->next;
    hub->n_streams--;
    if (stream->feed.topics & LAGD_TOPIC_METRIC) atomic_fetch_sub(&hub->n_metric_streams, 1);
    lagd_feed_deinit(&stream->feed);
    (void)pthread_cond_broadcast(&hub->changed);
    (void)pthread_mutex_unlock(&hub->lock);
    free(stream);
}

/* Suspending under the lock: whoever resumes holds it too, so no wake-up can fall between looking and suspending. */
ssize_t lagd_stream_read(void *arg, char *buffer, size_t size) {
    struct lagd_stream *stream = arg;
    struct lagd_hub *hub = stream->hub;
    bool wants_page = false;
    (void)pthread_mutex_lock(&hub->lock);
    ssize_t n = stream->dead ? -1 : lagd_feed_read(&stream->feed, &hub->board, buffer, size);
    if (n == 0 && stream->feed.phase != LAGD_FEED_OVER) {
        wants_page = stream->feed.phase == LAGD_FEED_BACKLOG;
        stream->waiting = true;
        MHD_suspend_connection(stream->connection);
        n = LAGD_STREAM_WAIT;
    }
    (void)pthread_mutex_unlock(&hub->lock);
    if (wants_page) lagd_hub_wake(hub);
    return n;
}

void lagd_hub_resume_locked(struct lagd_stream *stream) {
    if (!stream->waiting || stream->loading) return;
    stream->waiting = false;
    MHD_resume_connection(stream->connection);
}

void lagd_hub_resume_pending_locked(struct lagd_hub *hub) {
    for (struct lagd_stream *stream = hub->streams; stream; stream = stream->next) {
        if (stream->waiting && lagd_feed_pending(&stream->feed, &hub->board)) lagd_hub_resume_locked(stream);
    }
}

/* The library does not look at a suspended connection, so this does. A connection that the other side closed in both
 * directions is dead. One that is closed for sending only may still read. It is sent a heartbeat at once: if nobody is
 * there, the answer is a reset, which the next look finds. */
static void judge(struct lagd_stream *stream, short seen) {
    if (seen & (POLLERR | POLLHUP | POLLNVAL)) {
        stream->dead = true;
        stream->hub->n_dead++;
        lagd_hub_resume_locked(stream);
    } else if ((seen & POLLRDHUP) && !stream->probed) {
        stream->probed = true;
        stream->feed.seen_beat = stream->hub->board.beat - 1;
        if (stream->feed.phase == LAGD_FEED_LIVE) lagd_hub_resume_locked(stream);
    }
}

/* The descriptors are good: a stream is closed, under the lock, before its connection is. */
void lagd_hub_sweep_locked(struct lagd_hub *hub) {
    struct pollfd looks[64];
    struct lagd_stream *looked_at[64];
    for (struct lagd_stream *stream = hub->streams; stream;) {
        nfds_t n = 0;
        for (; stream && n < LAG_COUNT(looks); stream = stream->next) {
            if (!stream->waiting) continue;
            looks[n] = (struct pollfd){.fd = stream->fd, .events = POLLRDHUP};
            looked_at[n++] = stream;
        }
        if (poll(looks, n, 0) <= 0) continue;
        for (nfds_t i = 0; i < n; i++) judge(looked_at[i], looks[i].revents);
    }
}

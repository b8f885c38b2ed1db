/* Threads for handlers that take long, and their queue. A place (server/max_reads) bounds its length. */
#include "http/heavy_internal.h"

#include "http/transport_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS_MAX = 16 };

struct worker {
    struct lagd_heavy *heavy;
    pthread_t thread;
    struct lagd_transport *transport; /* under the lock; NULL: idle */
};
struct lagd_heavy {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct lagd_transport *first, **last; /* those that wait */
    bool stopping;
    int n;
    struct worker workers[THREADS_MAX];
};

static struct lagd_transport *take_locked(struct lagd_heavy *heavy) {
    struct lagd_transport *transport = heavy->first;
    heavy->first = transport->next_waiting;
    if (!heavy->first) heavy->last = &heavy->first;
    if (heavy->stopping) atomic_store(&transport->broken_off, true);
    return transport;
}

/* What waits is taken also at the end: every request is resumed. */
static void work(void *arg) {
    struct worker *worker = arg;
    struct lagd_heavy *heavy = worker->heavy;
    (void)pthread_mutex_lock(&heavy->lock);
    for (;;) {
        while (!heavy->first && !heavy->stopping) (void)pthread_cond_wait(&heavy->changed, &heavy->lock);
        if (!heavy->first) break;
        struct lagd_transport *transport = worker->transport = take_locked(heavy);
        (void)pthread_mutex_unlock(&heavy->lock);
        LAG_FP("http.aside");
        int outcome = lagd_transport_work_aside(transport);
        (void)pthread_mutex_lock(&heavy->lock);
        worker->transport = NULL;
        transport->outcome = outcome;
        transport->has_outcome = true;
        MHD_resume_connection(transport->connection); /* from here on the worker may free the request */
    }
    (void)pthread_mutex_unlock(&heavy->lock);
}

int lagd_heavy_create(int n, struct lagd_heavy **ret, struct lag_error *err) {
    struct lagd_heavy *heavy = lag_calloc(1, sizeof(*heavy));
    if (!heavy) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    (void)pthread_mutex_init(&heavy->lock, NULL);
    (void)pthread_cond_init(&heavy->changed, NULL);
    heavy->last = &heavy->first;
    for (; heavy->n < n && heavy->n < THREADS_MAX; heavy->n++) {
        struct worker *worker = &heavy->workers[heavy->n];
        worker->heavy = heavy;
        int status = lag_thread_start(&worker->thread, "lagd-heavy", 0, work, worker, err);
        if (status < 0) {
            lagd_heavy_stop(heavy);
            lagd_heavy_destroy(heavy);
            return status;
        }
    }
    *ret = heavy;
    return 0;
}

void lagd_heavy_stop(struct lagd_heavy *heavy) {
    if (!heavy) return;
    (void)pthread_mutex_lock(&heavy->lock);
    heavy->stopping = true;
    for (int i = 0; i < heavy->n; i++) {
        if (heavy->workers[i].transport) atomic_store(&heavy->workers[i].transport->broken_off, true);
    }
    (void)pthread_cond_broadcast(&heavy->changed);
    (void)pthread_mutex_unlock(&heavy->lock);
    for (int i = 0; i < heavy->n; i++) (void)pthread_join(heavy->workers[i].thread, NULL);
    heavy->n = 0;
}

void lagd_heavy_destroy(struct lagd_heavy *heavy) {
    if (!heavy) return;
    (void)pthread_cond_destroy(&heavy->changed);
    (void)pthread_mutex_destroy(&heavy->lock);
    free(heavy);
}

int lagd_heavy_post(struct lagd_heavy *heavy, struct lagd_transport *transport) {
    (void)pthread_mutex_lock(&heavy->lock);
    if (heavy->stopping) {
        (void)pthread_mutex_unlock(&heavy->lock);
        return lag_error_set(&transport->request.err, LAG_ECANCELED, "the daemon is stopping");
    }
    MHD_suspend_connection(transport->connection);
    transport->next_waiting = NULL;
    *heavy->last = transport;
    heavy->last = &transport->next_waiting;
    (void)pthread_cond_signal(&heavy->changed);
    (void)pthread_mutex_unlock(&heavy->lock);
    return 0;
}

static bool is_gone(const struct lagd_transport *transport) {
    struct pollfd look = {.fd = transport->request.fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0 && look.revents != 0;
}

void lagd_heavy_sweep(struct lagd_heavy *heavy) {
    (void)pthread_mutex_lock(&heavy->lock);
    for (struct lagd_transport *transport = heavy->first; transport; transport = transport->next_waiting) {
        if (is_gone(transport)) atomic_store(&transport->broken_off, true);
    }
    for (int i = 0; i < heavy->n && heavy->first; i++) {
        struct lagd_transport *transport = heavy->workers[i].transport;
        if (transport && is_gone(transport)) atomic_store(&transport->broken_off, true);
    }
    (void)pthread_mutex_unlock(&heavy->lock);
}

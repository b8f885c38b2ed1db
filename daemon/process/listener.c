/* Who hears of commits. */
#include "process/listener_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdlib.h>

struct lagd_listener {
    pthread_mutex_t lock; /* the four below; held while they are called */
    void (*events_fn)(void *arg, int64_t last_seq);
    void *events_arg;
    void (*points_fn)(void *arg, const struct lag_point *points, size_t n_points);
    void *points_arg;
};

int lagd_listener_create(struct lagd_listener **ret, struct lag_error *err) {
    struct lagd_listener *listener = lag_calloc(1, sizeof(*listener));
    if (!listener) return lag_error_set(err, LAG_ENOMEM, "out of memory while starting");
    (void)pthread_mutex_init(&listener->lock, NULL);
    *ret = listener;
    return 0;
}

void lagd_listener_destroy(struct lagd_listener *listener) {
    if (!listener) return;
    (void)pthread_mutex_destroy(&listener->lock);
    free(listener);
}

void lagd_listener_on_events(struct lagd_listener *listener, void (*fn)(void *arg, int64_t last_seq), void *arg) {
    (void)pthread_mutex_lock(&listener->lock);
    listener->events_fn = fn;
    listener->events_arg = arg;
    (void)pthread_mutex_unlock(&listener->lock);
}

void lagd_listener_on_points(struct lagd_listener *listener,
                             void (*fn)(void *arg, const struct lag_point *points, size_t n_points), void *arg) {
    (void)pthread_mutex_lock(&listener->lock);
    listener->points_fn = fn;
    listener->points_arg = arg;
    (void)pthread_mutex_unlock(&listener->lock);
}

void lagd_listener_events(void *arg, int64_t last_seq) {
    struct lagd_listener *listener = arg;
    (void)pthread_mutex_lock(&listener->lock);
    if (listener->events_fn) listener->events_fn(listener->events_arg, last_seq);
    (void)pthread_mutex_unlock(&listener->lock);
}

void lagd_listener_points(void *arg, const struct lag_point *points, size_t n_points) {
    struct lagd_listener *listener = arg;
    (void)pthread_mutex_lock(&listener->lock);
    if (listener->points_fn) listener->points_fn(listener->points_arg, points, n_points);
    (void)pthread_mutex_unlock(&listener->lock);
}

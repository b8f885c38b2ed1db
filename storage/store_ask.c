/* What anybody may ask of the store at any time, and who is called after commits. */
#include "store_internal.h"
#include "guard_internal.h"
#include <lagd/base/clock.h>

int lag_store_copy_error(struct lag_error *to, const struct lag_error *from) {
    if (to) *to = *from;
    return from->code;
}

void lag_store_break_locked(struct lag_store *store, const struct lag_error *err) {
    if (store->broken.code) return;
    store->broken = *err;
    store->broken.code = LAG_EIO; /* the disk or the file, to those who write it is one */
    (void)lag_error_wrap(&store->broken, "the database cannot be written until lagd is restarted");
}

int64_t lag_store_silence_ns(struct lag_store *store) {
    int64_t now_ns = lag_clock_mono_ns();
    pthread_mutex_lock(&store->mutex);
    int64_t silence_ns = store->asked_ns ? now_ns - store->asked_ns : 0;
    if (!store->asked_ns) store->asked_ns = now_ns;
    if (store->broken.code) silence_ns = INT64_MAX;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
    return silence_ns;
}

void lag_store_prune(struct lag_store *store, int64_t events_before_ms, int64_t keys_before_ms) {
    pthread_mutex_lock(&store->mutex);
    store->sweep.events_before_ms = events_before_ms;
    store->sweep.keys_before_ms = keys_before_ms;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
}

bool lag_store_sweeps(struct lag_store *store, int64_t *ret_n_removed) {
    pthread_mutex_lock(&store->mutex);
    bool wanted = lag_sweep_wanted(&store->sweep);
    *ret_n_removed = store->sweep.n_removed;
    pthread_mutex_unlock(&store->mutex);
    return wanted;
}

int lag_store_check(struct lag_store *store, struct lag_error *err) {
    int rc = 0;
    pthread_mutex_lock(&store->mutex);
    if (store->broken.code) rc = lag_store_copy_error(err, &store->broken);
    else if (store->is_failing) rc = lag_store_copy_error(err, &store->failure);
    pthread_mutex_unlock(&store->mutex);
    return rc;
}

void lag_store_break(struct lag_store *store, const struct lag_error *why) {
    pthread_mutex_lock(&store->mutex);
    lag_store_break_locked(store, why);
    pthread_cond_signal(&store->work);
    pthread_cond_broadcast(&store->done);
    pthread_mutex_unlock(&store->mutex);
}

int lag_store_look(struct lag_store *store, struct lag_error *err) {
    struct lag_error lost = {0};
    if (!lag_guard_look(store->guard, &lost)) return 0;
    lag_store_break(store, &lost);
    return lag_store_check(store, err);
}

const char *lag_store_found(const struct lag_store *store) { return store->found; }

size_t lag_store_queue_length(const struct lag_store *store) { return atomic_load(&store->length); }

void lag_store_on_events(struct lag_store *store, void (*fn)(void *arg, int64_t last_seq), void *arg) {
    pthread_mutex_lock(&store->mutex);
    store->on_events = fn;
    store->on_events_arg = arg;
    pthread_mutex_unlock(&store->mutex);
}

void lag_store_on_points(struct lag_store *store,
                         void (*fn)(void *arg, const struct lag_point *points, size_t n_points), void *arg) {
    pthread_mutex_lock(&store->mutex);
    store->on_points = fn;
    store->on_points_arg = arg;
    pthread_mutex_unlock(&store->mutex);
}

uint64_t lag_store_version(const struct lag_store *store) { return atomic_load(&store->version); }

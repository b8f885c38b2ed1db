/* Four times a second: closes late sockets, wakes requests whose time is over or whose client is gone, lets
 * listeners accept again after a shortage, and reloads when asked to. */
#include "http/reaper_internal.h"

#include "http/heavy_internal.h"
#include "http/listeners_internal.h"
#include "http/server_internal.h"
#include "http/sockets_internal.h"
#include "http/wait_internal.h"
#include "request/places_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define TICK_NS (250 * INT64_C(1000000))
#define SECOND_NS INT64_C(1000000000)

struct lagd_reaper {
    struct lagd_server *server; /* borrowed */
    pthread_t thread;
    _Atomic int64_t turned_ns; /* the last round */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop, reload_wanted;
};

/* Until the next tick, a reload or the end; true: reload. */
static bool wait_for_work(struct lagd_reaper *reaper, int64_t until_ns, bool *ret_stop) {
    (void)pthread_mutex_lock(&reaper->lock);
    if (!reaper->stop && !reaper->reload_wanted)
        (void)lag_cond_wait_until(&reaper->changed, &reaper->lock, until_ns);
    bool reload = reaper->reload_wanted;
    reaper->reload_wanted = false;
    *ret_stop = reaper->stop;
    (void)pthread_mutex_unlock(&reaper->lock);
    return reload;
}

static void close_late(struct lagd_server *server, int64_t now_ns) {
    const struct lagd_late late = lagd_sockets_close_late(server->sockets, now_ns);
    lagd_places_count_cut(server->services.places, LAGD_CUT_SLOW, late.n_slow);
    lagd_places_count_cut(server->services.places, LAGD_CUT_CROWDED, late.n_crowded);
}

static void reap(void *arg) {
    struct lagd_reaper *reaper = arg;
    int64_t sweep_ns = 0;
    bool stop = false;
    while (!stop) {
        int64_t now_ns = lag_clock_mono_ns();
        atomic_store(&reaper->turned_ns, now_ns);
        close_late(reaper->server, now_ns);
        lagd_waits_expire(reaper->server->waits, now_ns);
        lagd_listeners_look(reaper->server->listeners, now_ns);
        if (now_ns >= sweep_ns) {
            sweep_ns = now_ns + SECOND_NS;
            lagd_waits_sweep(reaper->server->waits);
            lagd_heavy_sweep(reaper->server->heavy);
        }
        if (wait_for_work(reaper, now_ns + TICK_NS, &stop) && !stop) lagd_server_reload(reaper->server);
    }
}

static void destroy(struct lagd_reaper *reaper) {
    (void)pthread_cond_destroy(&reaper->changed);
    (void)pthread_mutex_destroy(&reaper->lock);
    free(reaper);
}

int lagd_reaper_start(struct lagd_server *server, struct lagd_reaper **ret, struct lag_error *err) {
    struct lagd_reaper *reaper = lag_calloc(1, sizeof(*reaper));
    if (!reaper) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    reaper->server = server;
    (void)pthread_mutex_init(&reaper->lock, NULL);
    lag_cond_init(&reaper->changed);
    int status = lag_thread_start(&reaper->thread, "lagd-reaper", 0, reap, reaper, err);
    if (status < 0) {
        destroy(reaper);
        return status;
    }
    *ret = reaper;
    return 0;
}

static void tell(struct lagd_reaper *reaper, bool *wish) {
    (void)pthread_mutex_lock(&reaper->lock);
    *wish = true;
    (void)pthread_cond_signal(&reaper->changed);
    (void)pthread_mutex_unlock(&reaper->lock);
}

void lagd_reaper_want_reload(struct lagd_reaper *reaper) { tell(reaper, &reaper->reload_wanted); }

void lagd_reaper_stop(struct lagd_reaper *reaper) {
    if (!reaper) return;
    tell(reaper, &reaper->stop);
    (void)pthread_join(reaper->thread, NULL);
    destroy(reaper);
}

int64_t lagd_reaper_silence_ns(const struct lagd_reaper *reaper, int64_t now_ns) {
    int64_t turned_ns = atomic_load(&reaper->turned_ns);
    return turned_ns && now_ns - turned_ns > SECOND_NS ? now_ns - turned_ns : 0;
}

/* Suspends requests, and resumes them when what they wait for is there. */
#include "http/wait_internal.h"

#include "http/server_internal.h"
#include "http/transport_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

struct lagd_waits {
    struct lagd_news *news;
    pthread_mutex_t lock;
    pthread_cond_t changed;       /* a command was answered */
    int n_commands;               /* posted and not answered */
    struct lagd_transport *first; /* of those that wait for an event */
};

int lagd_waits_create(struct lagd_news *news, struct lagd_waits **ret) {
    struct lagd_waits *waits = lag_calloc(1, sizeof(*waits));
    if (!waits) return LAG_ENOMEM;
    waits->news = news;
    (void)pthread_mutex_init(&waits->lock, NULL);
    lag_cond_init(&waits->changed);
    *ret = waits;
    return 0;
}

void lagd_waits_destroy(struct lagd_waits *waits) {
    if (!waits) return;
    (void)pthread_cond_destroy(&waits->changed);
    (void)pthread_mutex_destroy(&waits->lock);
    free(waits);
}

/* --- for a command's answer -------------------------------------------------------------------------------------- */

static void command_done(struct lagd_command *command) {
    struct lagd_transport *transport = command->arg;
    struct lagd_waits *waits = transport->server->waits;
    (void)pthread_mutex_lock(&waits->lock);
    transport->request.answered = true;
    MHD_resume_connection(transport->connection); /* from here on the worker may free the request */
    waits->n_commands--;
    (void)pthread_cond_broadcast(&waits->changed);
    (void)pthread_mutex_unlock(&waits->lock);
}

static void wait_command(struct lagd_waits *waits, struct lagd_transport *transport) {
    struct lagd_request *request = &transport->request;
    struct lagd_command *command = request->command;
    command->done = command_done;
    command->arg = transport;
    MHD_suspend_connection(transport->connection);
    (void)pthread_mutex_lock(&waits->lock);
    waits->n_commands++;
    bool draining = atomic_load(&waits->news->draining);
    (void)pthread_mutex_unlock(&waits->lock);
    int status = draining ? LAG_ECANCELED : lagd_supervisor_post(request->supervisor, command);
    if (status == 0) return; /* neither request nor command may be touched any more */
    command->status =
        lag_error_set(&command->err, status,
                      status == LAG_ECANCELED ? "the daemon is stopping" : "too many commands wait; try again");
    command_done(command);
}

/* --- for the next event ------------------------------------------------------------------------------------------ */

static void wait_event(struct lagd_waits *waits, struct lagd_transport *transport) {
    MHD_suspend_connection(transport->connection);
    (void)pthread_mutex_lock(&waits->lock);
    if (atomic_load(&waits->news->draining) ||
        atomic_load(&waits->news->n_events) != transport->request.wait_seen) {
        MHD_resume_connection(transport->connection); /* something came while the handler looked */
    } else {
        transport->next_waiting = waits->first;
        waits->first = transport;
    }
    (void)pthread_mutex_unlock(&waits->lock);
}

void lagd_wait(struct lagd_waits *waits, struct lagd_transport *transport) {
    if (transport->request.wait_for_event)
        wait_event(waits, transport);
    else
        wait_command(waits, transport);
}

static void expire_locked(struct lagd_waits *waits, int64_t now_ns) {
    for (struct lagd_transport **link = &waits->first; *link;) {
        struct lagd_transport *transport = *link;
        if (now_ns < transport->request.wait_until_ns) {
            link = &transport->next_waiting;
            continue;
        }
        *link = transport->next_waiting;
        MHD_resume_connection(transport->connection);
    }
}

void lagd_waits_tell(struct lagd_waits *waits) {
    (void)pthread_mutex_lock(&waits->lock);
    (void)atomic_fetch_add(&waits->news->n_events, 1);
    expire_locked(waits, INT64_MAX);
    (void)pthread_mutex_unlock(&waits->lock);
}

void lagd_waits_expire(struct lagd_waits *waits, int64_t now_ns) {
    (void)pthread_mutex_lock(&waits->lock);
    expire_locked(waits, now_ns);
    (void)pthread_mutex_unlock(&waits->lock);
}

/* The library does not look at a suspended connection. One that the other side closed for sending only is answered
 * early: who waits for an event must be content with none. */
static bool is_gone(const struct lagd_transport *transport) {
    struct pollfd look = {.fd = transport->request.fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0 && look.revents != 0;
}

void lagd_waits_sweep(struct lagd_waits *waits) {
    (void)pthread_mutex_lock(&waits->lock);
    for (struct lagd_transport *transport = waits->first; transport; transport = transport->next_waiting) {
        if (is_gone(transport)) transport->request.wait_until_ns = 1; /* long ago */
    }
    expire_locked(waits, lag_clock_mono_ns());
    (void)pthread_mutex_unlock(&waits->lock);
}

int lagd_waits_drain(struct lagd_waits *waits, int64_t wait_ns) {
    int64_t until_ns = lag_clock_mono_ns() + wait_ns;
    (void)pthread_mutex_lock(&waits->lock);
    atomic_store(&waits->news->draining, true);
    expire_locked(waits, INT64_MAX);
    while (waits->n_commands > 0 && lag_clock_mono_ns() < until_ns)
        (void)lag_cond_wait_until(&waits->changed, &waits->lock, until_ns);
    int n_left = waits->n_commands;
    (void)pthread_mutex_unlock(&waits->lock);
    return n_left;
}

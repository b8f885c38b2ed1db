/* Starts and stops the server, and takes in what the daemon tells it. */
#include "http/server_internal.h"

#include "http/heavy_internal.h"
#include "http/listeners_internal.h"
#include "http/policy_internal.h"
#include "http/reaper_internal.h"
#include "http/reply_internal.h"
#include "http/sockets_internal.h"
#include "http/wait_internal.h"
#include "notify/notifier_internal.h"
#include "request/counters_internal.h"
#include "request/idempotency_internal.h"
#include "request/kept_internal.h"
#include "request/places_internal.h"
#include "request/readers_internal.h"
#include "site/static_internal.h"
#include "stream/hub_internal.h"

#include <lagd/api/server.h>
#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/supervisor.h>
#include <jansson.h>
#include <stdlib.h>

#define STOP_WAIT_NS (15 * INT64_C(1000000000))

/* --- what the daemon tells and asks ------------------------------------------------------------------------------ */

/* On the reaper's thread: the supervisor holds its own lock while it tells of a change. */
void lagd_server_reload(struct lagd_server *server) {
    struct lag_error err = {0};
    bool rotated = false;
    int status = lagd_policy_reload(server->policy, server->services.supervisor,
                                      lagd_listeners_beyond_loopback(server->listeners), &rotated, &err);
    if (rotated) lagd_hub_expel(server->services.hub);
    if (status < 0) lag_log(LAG_LOG_ERROR, "http: the old token stays: %s", err.text);
}

/* last_seq 0: the configuration changed. */
static void on_events(void *arg, int64_t last_seq) {
    struct lagd_server *server = arg;
    if (last_seq > 0) {
        lagd_waits_tell(server->waits);
        lagd_hub_wake(server->services.hub);
        lagd_notifier_wake(server->services.notifier, false);
    } else {
        lagd_notifier_wake(server->services.notifier, true);
        lagd_reaper_want_reload(server->reaper);
    }
}

/* The longest silence of all threads. */
static int64_t silence_ns(void *arg) {
    struct lagd_server *server = arg;
    int64_t now_ns = lag_clock_mono_ns();
    int64_t reaper_ns = lagd_reaper_silence_ns(server->reaper, now_ns);
    int64_t hub_ns = lagd_hub_silence_ns(server->services.hub);
    int64_t workers_ns = lagd_listeners_silence_ns(server->listeners, now_ns);
    int64_t longest_ns = LAG_MAX(reaper_ns, hub_ns);
    return LAG_MAX(longest_ns, workers_ns);
}

/* --- start and stop ---------------------------------------------------------------------------------------------- */

static int make_services(struct lagd_server *server, struct lag_error *err) {
    struct lagd_services *services = &server->services;
    const char *state_dir = lagd_supervisor_state_dir(services->supervisor);
    const struct lagd_auth *auth;
    const struct lagd_config *config = lagd_policy_acquire(server->policy, &auth);
    int status = lagd_hub_create(state_dir, (int)config->max_streams, &services->hub, err);
    if (status == 0) status = lagd_heavy_create((int)config->max_reads, &server->heavy, err);
    if (status == 0 && (lagd_readers_create(state_dir, &services->readers) < 0 ||
                        lagd_places_create(config, &services->places) < 0 ||
                        lagd_sockets_create((int)config->connection_limit / 2, &server->sockets) < 0 ||
                        lagd_keys_create(&services->keys) < 0 || lagd_kept_create(&services->kept) < 0 ||
                        lagd_http_counters_create(services->routes, &services->counters) < 0 ||
                        lagd_static_load(config->web_dir, &services->files) < 0))
        status = lag_error_set(err, LAG_ENOMEM, "out of memory");
    lagd_policy_release(server->policy);
    return status;
}

static int make_parts(struct lagd_server *server, struct lag_error *err) {
    int status = lagd_policy_create(server->services.supervisor, &server->policy, err);
    if (status == 0) status = make_services(server, err);
    if (status == 0) status = lagd_notifier_start(server->services.supervisor, &server->services.notifier, err);
    if (status < 0) return status;
    if (lagd_listeners_create(&server->listeners) < 0 ||
        lagd_waits_create(&server->services.news, &server->waits) < 0 || lagd_refusals_create(&server->refusals) < 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory");
    return lagd_reaper_start(server, &server->reaper, err);
}

int lagd_server_start(struct lagd_supervisor *supervisor, const struct lagd_route_table *routes,
                      const struct lagd_passed *passed, struct lagd_server **ret, struct lag_error *err) {
    struct lagd_server *server = lag_calloc(1, sizeof(*server));
    if (!server) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    server->services.supervisor = supervisor;
    server->services.routes = routes;
    json_object_seed(0); /* before there are threads */
    int status = make_parts(server, err);
    if (status == 0) {
        lagd_supervisor_on_events(supervisor, on_events, server);
        lagd_supervisor_on_points(supervisor, lagd_hub_points, server->services.hub);
        lagd_supervisor_on_watch(supervisor, silence_ns, server);
        status = lagd_listeners_open(server->listeners, server, passed, err);
    }
    if (status < 0) {
        lagd_server_stop(server);
        return status;
    }
    *ret = server;
    return 0;
}

static void destroy(struct lagd_server *server) {
    struct lagd_services *services = &server->services;
    lagd_listeners_close(server->listeners); /* ends all requests */
    lagd_hub_destroy(services->hub);
    lagd_notifier_destroy(services->notifier);
    lagd_heavy_destroy(server->heavy);
    lagd_readers_destroy(services->readers);
    lagd_places_destroy(services->places);
    lagd_keys_destroy(services->keys);
    lagd_kept_destroy(services->kept);
    lagd_http_counters_destroy(services->counters);
    lagd_static_destroy(services->files);
    lagd_waits_destroy(server->waits);
    lagd_sockets_destroy(server->sockets);
    lagd_refusals_destroy(server->refusals);
    lagd_policy_destroy(server->policy);
    free(server);
}

void lagd_server_stop(struct lagd_server *server) {
    if (!server) return;
    struct lagd_supervisor *supervisor = server->services.supervisor;
    lagd_listeners_quiesce(server->listeners);
    lagd_supervisor_on_events(supervisor, NULL, NULL);
    lagd_supervisor_on_points(supervisor, NULL, NULL);
    lagd_hub_stop(server->services.hub);
    lagd_supervisor_on_watch(supervisor, NULL, NULL);
    lagd_notifier_stop(server->services.notifier);
    lagd_heavy_stop(server->heavy);
    int n_left = server->waits ? lagd_waits_drain(server->waits, STOP_WAIT_NS) : 0;
    lagd_reaper_stop(server->reaper);
    if (n_left > 0) {
        /* Their answers may still come and would meet freed requests: rather leave everything as it is. */
        lag_log(LAG_LOG_ERROR, "http: %d commands were not answered; the server is left behind", n_left);
        return;
    }
    destroy(server);
}

/* Starts and stops the server; readers and the waiting side of handlers. */
#include "lagd/api/server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters_internal.h"
#include "kept_internal.h"
#include "lagd/base/check.h"
#include "lagd/base/clock.h"
#include "lagd/base/log.h"
#include "lagd/base/mem.h"
#include "lagd/base/thread.h"
#include "server_internal.h"
#include "static_internal.h"

#define STOP_WAIT_NS (15 * INT64_C(1000000000))

/* --- what the daemon tells --------------------------------------------------------------------------------------- */

/* On the reaper's thread: the supervisor holds its own lock while it tells of a change. */
void lagd_server_reload(struct lagd_server *server) {
    struct lag_error err = {0};
    struct lagd_auth auth;
    struct lagd_config *config = lag_calloc(1, sizeof(*config));
    if (!config) return;
    lagd_supervisor_config(server->supervisor, config);
    int status = lagd_auth_load(config->token_file, &auth, &err);
    if (status == 0 && !auth.configured && server->beyond_loopback)
        status = lag_error_set(&err, LAG_EDENIED, "the API can be reached from outside this machine: set auth/token_file");
    (void)pthread_rwlock_wrlock(&server->config_lock);
    server->config = *config;
    bool rotated = status == 0 && auth.configured &&
                   (!server->auth.configured || strcmp(auth.digest, server->auth.digest) != 0);
    if (status == 0) server->auth = auth;
    (void)pthread_rwlock_unlock(&server->config_lock);
    if (rotated) lagd_hub_expel(server->hub);
    if (status < 0) lag_log(LAG_LOG_ERROR, "http: the old token stays: %s", err.text);
    free(config);
}

static void on_events(void *arg, int64_t last_seq) {
    struct lagd_server *server = arg;
    if (last_seq > 0) {
        lagd_wake_events(server);
        lagd_hub_wake(server->hub);
        return;
    }
    (void)pthread_mutex_lock(&server->lock);
    server->reload_wanted = true;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
}

/* --- readers ----------------------------------------------------------------------------------------------------- */

int lagd_reader_take(struct lagd_server *server, struct lag_db **ret, struct lag_error *err) {
    struct lag_db *db = NULL;
    (void)pthread_mutex_lock(&server->lock);
    if (server->n_readers > 0) db = server->readers[--server->n_readers];
    (void)pthread_mutex_unlock(&server->lock);
    if (!db) return lag_reader_open(server->state_dir, ret, err);
    *ret = db;
    return 0;
}

void lagd_reader_give(struct lagd_server *server, struct lag_db *db) {
    if (!db) return;
    lag_reader_end(db);
    (void)pthread_mutex_lock(&server->lock);
    if ((size_t)server->n_readers < LAG_COUNT(server->readers)) {
        server->readers[server->n_readers++] = db;
        db = NULL;
    }
    (void)pthread_mutex_unlock(&server->lock);
    if (db) lag_reader_close(db);
}

int lagd_request_db(struct lagd_request *request, struct lag_db **ret) {
    struct lagd_transport *transport = request->transport;
    if (!transport->db) {
        int status = lagd_reader_take(request->server, &transport->db, &request->err);
        if (status < 0) return status;
    }
    *ret = transport->db;
    return 0;
}

/* --- what handlers wait for -------------------------------------------------------------------------------------- */

int lagd_request_post(struct lagd_request *request, struct lagd_command *command) {
    if (!command) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    request->command = command;
    request->answered = false;
    if (request->idempotency_key) {
        (void)lag_copy(command->key, sizeof(command->key), request->idempotency_key);
        (void)lag_copy(command->fingerprint, sizeof(command->fingerprint), request->idem.fingerprint);
    }
    return LAGD_WAIT;
}

int lagd_request_answer(struct lagd_request *request) {
    struct lagd_command *command = request->command;
    if (command->status == 0) return 0;
    request->err = command->err;
    request->err.code = command->status;
    return command->status;
}

int lagd_request_wait_event(struct lagd_request *request, int64_t until_ns) {
    request->wait_for_event = true;
    request->wait_until_ns = until_ns;
    return LAGD_WAIT;
}

const struct lagd_static *lagd_request_static(const struct lagd_request *request) { return request->server->files; }

bool lagd_request_draining(const struct lagd_request *request) {
    struct lagd_server *server = request->server;
    (void)pthread_mutex_lock(&server->lock);
    bool draining = server->draining;
    (void)pthread_mutex_unlock(&server->lock);
    return draining;
}

uint64_t lagd_request_event_count(const struct lagd_request *request) {
    struct lagd_server *server = request->server;
    (void)pthread_mutex_lock(&server->lock);
    uint64_t n = server->n_events;
    (void)pthread_mutex_unlock(&server->lock);
    return n;
}

/* --- start and stop ---------------------------------------------------------------------------------------------- */

static int prepare(struct lagd_server *server, struct lag_error *err) {
    lagd_supervisor_config(server->supervisor, &server->config);
    (void)lag_copy(server->state_dir, sizeof(server->state_dir), lagd_supervisor_state_dir(server->supervisor));
    int status = lagd_auth_load(server->config.token_file, &server->auth, err);
    if (status == 0 && (lagd_http_counters_create(&server->counters) < 0 || lagd_kept_create(&server->kept) < 0))
        status = lag_error_set(err, LAG_ENOMEM, "out of memory");
    if (status == 0)
        status = lagd_hub_create(server->state_dir, (int)server->config.max_streams, &server->hub, err);
    if (status == 0 && lagd_static_load(server->config.web_dir, &server->files) < 0)
        status = lag_error_set(err, LAG_ENOMEM, "out of memory");
    return status;
}

int lagd_server_start(struct lagd_supervisor *supervisor, const struct lagd_passed *passed, struct lagd_server **ret,
                      struct lag_error *err) {
    struct lagd_server *server = lag_calloc(1, sizeof(*server));
    if (!server) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    server->supervisor = supervisor;
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_rwlock_init(&server->config_lock, NULL);
    lag_cond_init(&server->changed);
    json_object_seed(0); /* before there are threads */
    int status = prepare(server, err);
    if (status == 0) status = lagd_reaper_start(server, err);
    if (status == 0) {
        lagd_supervisor_on_events(supervisor, on_events, server);
        lagd_supervisor_on_points(supervisor, lagd_hub_points, server->hub);
        lagd_supervisor_on_watch(supervisor, lagd_ping_silence_ns, server);
        status = lagd_listeners_open(server, passed, err);
    }
    if (status < 0) {
        lagd_server_stop(server);
        return status;
    }
    *ret = server;
    return 0;
}

/* Wakes everything that waits and gives the commands under way time to come back. */
static bool drain(struct lagd_server *server) {
    int64_t until = lag_clock_mono_ns() + STOP_WAIT_NS;
    (void)pthread_mutex_lock(&server->lock);
    server->draining = true;
    lagd_wake_expired_locked(server, INT64_MAX);
    (void)pthread_cond_broadcast(&server->changed);
    while (server->n_commands > 0 && lag_clock_mono_ns() < until) {
        (void)lag_cond_wait_until(&server->changed, &server->lock, until);
    }
    bool drained = server->n_commands == 0;
    (void)pthread_mutex_unlock(&server->lock);
    return drained;
}

void lagd_server_stop(struct lagd_server *server) {
    if (!server) return;
    lagd_listeners_quiesce(server);
    lagd_supervisor_on_events(server->supervisor, NULL, NULL);
    lagd_supervisor_on_points(server->supervisor, NULL, NULL);
    lagd_hub_stop(server->hub);
    lagd_supervisor_on_watch(server->supervisor, NULL, NULL);
    bool drained = drain(server);
    if (server->reaper_started) (void)pthread_join(server->reaper, NULL);
    if (!drained) {
        /* Their answers may still come and would meet freed requests: rather leave everything as it is. */
        lag_log(LAG_LOG_ERROR, "http: %d commands were not answered; the server is left behind", server->n_commands);
        return;
    }
    lagd_listeners_close(server);
    lagd_hub_destroy(server->hub);
    while (server->n_readers > 0) lag_reader_close(server->readers[--server->n_readers]);
    lagd_http_counters_destroy(server->counters);
    lagd_kept_destroy(server->kept);
    lagd_static_destroy(server->files);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_rwlock_destroy(&server->config_lock);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

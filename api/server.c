/* Starts and stops the server; readers and the waiting side of handlers. */
#include "lagd/api/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters_internal.h"
#include "lagd/base/check.h"
#include "lagd/base/clock.h"
#include "lagd/base/log.h"
#include "lagd/base/mem.h"
#include "lagd/base/thread.h"
#include "server_internal.h"

#define N_WORKERS 2u
#define WORKER_STACK_BYTES ((size_t)1 << 20)
#define CONNECTION_MEMORY_BYTES ((size_t)32768)
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
    (void)pthread_rwlock_wrlock(&server->config_lock);
    server->config = *config;
    if (status == 0) server->auth = auth;
    (void)pthread_rwlock_unlock(&server->config_lock);
    if (status < 0) lag_log(LAG_LOG_ERROR, "http: the old token stays: %s", err.text);
    free(config);
}

static void on_events(void *arg, int64_t last_seq) {
    struct lagd_server *server = arg;
    if (last_seq > 0) {
        lagd_wake_events(server);
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

static void __attribute__((format(printf, 2, 0))) log_library(void *arg, const char *format, va_list arguments) {
    char text[512];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    lag_log(LAG_LOG_DEBUG, "http: %s", text);
}

/* The library calls this where it cannot go on, and demands that it never returns. */
static void panic(void *arg, const char *file, unsigned int line, const char *reason) {
    lag_log(LAG_LOG_ERROR, "http: the HTTP library gave up at %s:%u: %s", file ? file : "?", line,
            reason ? reason : "no reason");
    __builtin_trap(); /* stops at once with a core, as abort would; state on disk is what was acknowledged */
}

/* The library's threads inherit the mask: signals belong to the supervisor alone. Its own strictness is off: all it
 * adds is a refusal of requests without Host, which it answers with a doubled status line; the guard refuses them as a
 * problem. */
static struct MHD_Daemon *start_library(struct lagd_server *server, int fd) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC, 0, NULL, NULL,
        lagd_transport_access, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_THREAD_POOL_SIZE, N_WORKERS, MHD_OPTION_THREAD_STACK_SIZE, WORKER_STACK_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->config.connection_limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, LAGD_IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_URI_LOG_CALLBACK, lagd_transport_begin, server, MHD_OPTION_NOTIFY_COMPLETED, lagd_transport_end,
        server, MHD_OPTION_NOTIFY_CONNECTION, lagd_socket_notify, server, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!daemon) (void)close(fd);
    return daemon;
}

static int listen_all(struct lagd_server *server, struct lag_error *err) {
    char bound[320];
    int fd = -1, status = 0;
    const char *where = server->config.listen;
    if (*where) {
        status = lagd_listen_tcp(where, &fd, bound, server->bound_host, err);
        if (status < 0) return status;
        server->tcp = start_library(server, fd);
        if (!server->tcp) return lag_error_set(err, LAG_EIO, "the HTTP library cannot serve %s", where);
        lag_log(LAG_LOG_INFO, "http: listening on http://%s", bound);
    }
    where = server->config.socket;
    if (!*where) return 0;
    status = lagd_listen_unix(where, &fd, err);
    if (status < 0) return status;
    (void)lag_copy(server->socket_path, sizeof(server->socket_path), where);
    server->local = start_library(server, fd);
    if (!server->local) return lag_error_set(err, LAG_EIO, "the HTTP library cannot serve %s", where);
    lag_log(LAG_LOG_INFO, "http: listening on unix socket %s", where);
    return 0;
}

static int prepare(struct lagd_server *server, struct lag_error *err) {
    lagd_supervisor_config(server->supervisor, &server->config);
    (void)lag_copy(server->state_dir, sizeof(server->state_dir), lagd_supervisor_state_dir(server->supervisor));
    int status = lagd_auth_load(server->config.token_file, &server->auth, err);
    if (status == 0 && lagd_http_counters_create(&server->counters) < 0)
        status = lag_error_set(err, LAG_ENOMEM, "out of memory");
    return status;
}

int lagd_server_start(struct lagd_supervisor *supervisor, struct lagd_server **ret, struct lag_error *err) {
    struct lagd_server *server = lag_calloc(1, sizeof(*server));
    if (!server) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    server->supervisor = supervisor;
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_rwlock_init(&server->config_lock, NULL);
    lag_cond_init(&server->changed);
    json_object_seed(0); /* before there are threads */
    MHD_set_panic_func(panic, NULL);
    int status = prepare(server, err);
    if (status == 0) status = lagd_reaper_start(server, err);
    if (status == 0) {
        lagd_supervisor_on_events(supervisor, on_events, server);
        status = listen_all(server, err);
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
    int quiet_tcp = server->tcp ? MHD_quiesce_daemon(server->tcp) : -1;
    int quiet_local = server->local ? MHD_quiesce_daemon(server->local) : -1;
    if (*server->socket_path) (void)unlink(server->socket_path);
    lagd_supervisor_on_events(server->supervisor, NULL, NULL);
    bool drained = drain(server);
    if (server->reaper_started) (void)pthread_join(server->reaper, NULL);
    if (!drained) {
        /* Their answers may still come and would meet freed requests: rather leave everything as it is. */
        lag_log(LAG_LOG_ERROR, "http: %d commands were not answered; the server is left behind", server->n_commands);
        return;
    }
    if (server->tcp) MHD_stop_daemon(server->tcp);
    if (server->local) MHD_stop_daemon(server->local);
    if (quiet_tcp >= 0) (void)close(quiet_tcp);
    if (quiet_local >= 0) (void)close(quiet_local);
    while (server->n_readers > 0) lag_reader_close(server->readers[--server->n_readers]);
    lagd_http_counters_destroy(server->counters);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_rwlock_destroy(&server->config_lock);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

/* The listeners: who listens where, each served by a daemon of the HTTP library. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lagd/api/server.h"
#include "lagd/base/check.h"
#include "lagd/base/log.h"
#include "lagd/base/mem.h"
#include "server_internal.h"

#define WORKER_STACK_BYTES ((size_t)1 << 20)
#define CONNECTION_MEMORY_BYTES ((size_t)32768)
#define OTHER_DESCRIPTORS 256

/* --- the library ------------------------------------------------------------------------------------------------- */

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

/* Streams take connections of their own, so that they never keep others out. */
static unsigned connection_limit(const struct lagd_server *server) {
    return (unsigned)(server->config.connection_limit + server->config.max_streams);
}

/* All listeners may be full; the rest is for the database, checkpoints and datasets. */
static void raise_descriptor_limit(const struct lagd_server *server, int n_listeners) {
    rlim_t wanted = (rlim_t)n_listeners * connection_limit(server) + OTHER_DESCRIPTORS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = LAG_MIN(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == wanted) return;
    lag_log(LAG_LOG_WARNING, "http: %llu open files are allowed, %llu may be needed: raise the limit (LimitNOFILE=), or "
            "lower server/connection_limit and server/max_streams", (unsigned long long)limit.rlim_cur,
            (unsigned long long)wanted);
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
        MHD_OPTION_THREAD_POOL_SIZE, LAGD_HTTP_WORKERS, MHD_OPTION_THREAD_STACK_SIZE, WORKER_STACK_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, connection_limit(server), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, LAGD_IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_URI_LOG_CALLBACK, lagd_transport_begin, server, MHD_OPTION_NOTIFY_COMPLETED, lagd_transport_end,
        server, MHD_OPTION_NOTIFY_CONNECTION, lagd_socket_notify, server, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!daemon) (void)close(fd);
    return daemon;
}

/* --- listeners --------------------------------------------------------------------------------------------------- */

/* Serves fd, which it takes, failed or not. */
static int add(struct lagd_server *server, int fd, const char *where, struct lag_error *err) {
    if (server->n_listeners == (int)LAG_COUNT(server->listeners)) {
        (void)close(fd);
        return lag_error_set(err, LAG_EINVAL, "more than %zu listening sockets", LAG_COUNT(server->listeners));
    }
    struct MHD_Daemon *daemon = start_library(server, fd);
    if (!daemon) return lag_error_set(err, LAG_EIO, "the HTTP library cannot serve %s", where);
    struct lagd_listener *listener = &server->listeners[server->n_listeners++];
    *listener = (struct lagd_listener){.daemon = daemon, .quiet_fd = -1};
    for (size_t i = 0; i < LAG_COUNT(listener->pings); i++) listener->pings[i].fd = -1;
    return 0;
}

static void allow_host(struct lagd_server *server, const char *host) {
    size_t length = strlen(server->bound_hosts);
    (void)snprintf(server->bound_hosts + length, sizeof(server->bound_hosts) - length, "%s%s", length ? "," : "", host);
}

static int open_passed(struct lagd_server *server, const struct lagd_passed *passed, struct lag_error *err) {
    lag_log(LAG_LOG_INFO,
            "http: %d sockets were passed by the service manager; server/listen and server/socket are not used", passed->n);
    for (int i = 0; i < passed->n; i++) {
        struct lagd_address address;
        int fd = passed->fds[i], status = lagd_address_of(fd, &address, err);
        if (status == 0 && address.beyond_loopback && !server->auth.configured) {
            status = lag_error_at(err, LAG_EDENIED, "auth/token_file",
                                  "the passed socket %.300s can be reached from outside this machine: set "
                                  "auth/token_file, or let lagd.socket listen on 127.0.0.1", address.text);
        }
        if (status < 0) {
            while (i < passed->n) (void)close(passed->fds[i++]);
            return status;
        }
        server->beyond_loopback |= address.beyond_loopback;
        if (*address.host) allow_host(server, address.host);
        status = add(server, fd, address.text, err);
        if (status < 0) {
            while (++i < passed->n) (void)close(passed->fds[i]);
            return status;
        }
        lag_log(LAG_LOG_INFO, "http: listening on %s", address.text);
    }
    return 0;
}

static int open_configured(struct lagd_server *server, struct lag_error *err) {
    int fd = -1, status = 0;
    const char *where = server->config.listen;
    if (*where) {
        struct lagd_address address;
        status = lagd_listen_tcp(where, &fd, &address, err);
        if (status < 0) return status;
        server->beyond_loopback = address.beyond_loopback;
        allow_host(server, address.host);
        status = add(server, fd, where, err);
        if (status < 0) return status;
        lag_log(LAG_LOG_INFO, "http: listening on %s", address.text);
    }
    where = server->config.socket;
    if (!*where) return 0;
    status = lagd_listen_unix(where, &fd, err);
    if (status < 0) return status;
    (void)lag_copy(server->socket_path, sizeof(server->socket_path), where);
    status = add(server, fd, where, err);
    if (status < 0) return status;
    lag_log(LAG_LOG_INFO, "http: listening on unix socket %s", where);
    return 0;
}

int lagd_listeners_open(struct lagd_server *server, const struct lagd_passed *passed, struct lag_error *err) {
    bool has_passed = passed && passed->n > 0;
    MHD_set_panic_func(panic, NULL);
    raise_descriptor_limit(server, has_passed ? passed->n : 2);
    return has_passed ? open_passed(server, passed, err) : open_configured(server, err);
}

/* A passed unix socket is the service manager's: only our own file is removed. */
void lagd_listeners_quiesce(struct lagd_server *server) {
    for (int i = 0; i < server->n_listeners; i++) {
        struct lagd_listener *listener = &server->listeners[i];
        listener->quiet_fd = MHD_quiesce_daemon(listener->daemon);
    }
    if (*server->socket_path) (void)unlink(server->socket_path);
}

void lagd_listeners_close(struct lagd_server *server) {
    for (int i = 0; i < server->n_listeners; i++) {
        for (size_t k = 0; k < LAGD_HTTP_WORKERS; k++) lagd_ping_end(&server->listeners[i].pings[k]);
        MHD_stop_daemon(server->listeners[i].daemon);
        if (server->listeners[i].quiet_fd >= 0) (void)close(server->listeners[i].quiet_fd);
    }
    server->n_listeners = 0;
}

/* The listeners: who listens where, each served by a daemon of the HTTP library. */
#include "http/listeners_internal.h"

#include "http/accept_internal.h"
#include "http/bad_length_internal.h"
#include "http/listen_internal.h"
#include "http/ping_internal.h"
#include "http/policy_internal.h"
#include "http/server_internal.h"
#include "http/sockets_internal.h"
#include "http/transport_internal.h"
#include "request/places_internal.h"
#include "site/static_internal.h"

#include <lagd/api/server.h>
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKER_STACK_BYTES ((size_t)1 << 20)
#define CONNECTION_MEMORY_BYTES ((size_t)32768)
#define OTHER_DESCRIPTORS ((rlim_t)256) /* for the database, checkpoints and datasets */
#define DESCRIPTORS_MOST ((rlim_t)65536)
#define CONNECTIONS_LEAST ((rlim_t)8)

struct listener {
    int fd; /* while the library does not own it: before it serves, and once it accepts no more; else -1 */
    char where[320];
    struct MHD_Daemon *daemon;
    struct lagd_ping pings[LAGD_HTTP_WORKERS];
    struct lagd_accept accept;
};
struct lagd_listeners {
    struct listener list[LAGD_PASSED_MAX];
    int n;
    char socket_path[108]; /* of our own unix socket */
    char hosts[1024];
    bool beyond_loopback;
    atomic_bool serving; /* the list is complete, and all of them accept */
};

/* --- the library ------------------------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 0))) log_library(void *arg, const char *format, va_list arguments) {
    struct listener *listener = arg;
    char text[512];
    lagd_heads_heard(format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    lag_log(LAG_LOG_DEBUG, "http: %s", text);
    lagd_accept_heard(&listener->accept, format, listener->where);
}

/* The library calls this where it cannot go on, and demands that it never returns. */
static void panic(void *arg, const char *file, unsigned int line, const char *reason) {
    lag_log(LAG_LOG_ERROR, "http: the HTTP library gave up at %s:%u: %s", file ? file : "?", line,
            reason ? reason : "no reason");
    __builtin_trap(); /* stops at once with a core, as abort would; state on disk is what was acknowledged */
}

/* Streams take connections of their own, so that they never keep others out. */
static unsigned connection_limit(const struct lagd_config *config) {
    return (unsigned)(config->connection_limit + config->max_streams);
}

/* Raises the limit as far as that goes, and tells what it is then. */
static rlim_t raise_descriptor_limit(rlim_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return wanted;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = LAG_MIN(limit.rlim_max, LAG_MAX(wanted, DESCRIPTORS_MOST));
    return limit.rlim_cur <= before || setrlimit(RLIMIT_NOFILE, &limit) < 0 ? before : limit.rlim_cur;
}

/* All listeners and places may be full, and still the database, checkpoints and datasets can be opened: where the
 * limit is too low for all, clients get less. *ret: connections of each listener. */
static void share_descriptors(const struct lagd_config *config, int n_listeners, struct lagd_places *places,
                              unsigned *ret) {
    rlim_t wanted = (rlim_t)n_listeners * connection_limit(config) + (rlim_t)lagd_places_descriptors(places) +
                    OTHER_DESCRIPTORS;
    rlim_t allowed = raise_descriptor_limit(wanted);
    *ret = connection_limit(config);
    if (allowed >= wanted) return;
    rlim_t others = LAG_MIN(OTHER_DESCRIPTORS, allowed / 2), clients = allowed - others;
    lagd_places_fit(places, (long)(clients / 4));
    clients -= LAG_MIN(clients, (rlim_t)lagd_places_descriptors(places));
    *ret = (unsigned)LAG_MIN((rlim_t)*ret, LAG_MAX(clients / (rlim_t)n_listeners, CONNECTIONS_LEAST));
    lag_log(LAG_LOG_WARNING,
            "http: %llu open files are allowed and %llu may be needed: each listener takes %u connections only, so "
            "that checkpoints can always be written; raise the limit (LimitNOFILE=), or lower server/connection_limit "
            "and server/max_streams",
            (unsigned long long)allowed, (unsigned long long)wanted, *ret);
}

/* The library's threads inherit the mask: signals belong to the supervisor alone. The library's strictness is off. All
 * it would add is a refusal of requests without Host, with a doubled status line; the guard refuses them as a
 * problem. */
static struct MHD_Daemon *start_library(struct lagd_server *server, unsigned limit, struct listener *listener) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC, 0, NULL, NULL,
        lagd_transport_access, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, listener, MHD_OPTION_LISTEN_SOCKET,
        listener->fd,
        MHD_OPTION_THREAD_POOL_SIZE, LAGD_HTTP_WORKERS, MHD_OPTION_THREAD_STACK_SIZE, WORKER_STACK_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, LAGD_IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_URI_LOG_CALLBACK, lagd_transport_begin, server, MHD_OPTION_NOTIFY_COMPLETED, lagd_transport_end,
        server, MHD_OPTION_NOTIFY_CONNECTION, lagd_socket_notify, server->sockets, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

/* Takes fd. */
static void add(struct lagd_listeners *listeners, int fd, const struct lagd_address *address) {
    LAG_ASSERT(listeners->n < (int)LAG_COUNT(listeners->list));
    struct listener *listener = &listeners->list[listeners->n++];
    *listener = (struct listener){.fd = fd};
    for (size_t i = 0; i < LAG_COUNT(listener->pings); i++) listener->pings[i].fd = -1;
    lagd_accept_init(&listener->accept, fd);
    (void)lag_copy(listener->where, sizeof(listener->where), address->text);
    listeners->beyond_loopback |= address->beyond_loopback;
    if (!*address->host) return;
    size_t n = strlen(listeners->hosts);
    (void)snprintf(listeners->hosts + n, sizeof(listeners->hosts) - n, "%s%s", n ? "," : "", address->host);
}

static int open_passed(struct lagd_listeners *listeners, const struct lagd_passed *passed, bool has_token,
                       struct lag_error *err) {
    int status = 0;
    lag_log(LAG_LOG_INFO,
            "http: %d sockets were passed by the service manager; server/listen and server/socket are not used",
            passed->n);
    for (int i = 0; i < passed->n; i++) {
        struct lagd_address address;
        int told = lagd_address_of(passed->fds[i], &address, status == 0 ? err : NULL);
        if (told < 0) address = (struct lagd_address){.text = "?"};
        add(listeners, passed->fds[i], &address); /* all are taken, failed or not */
        if (status == 0) status = told;
        if (status == 0 && address.beyond_loopback && !has_token) {
            status = lag_error_at(err, LAG_EDENIED, "auth/token_file",
                                  "the passed socket %.300s can be reached from outside this machine: set "
                                  "auth/token_file, or let lagd.socket listen on 127.0.0.1",
                                  address.text);
        }
    }
    return status;
}

static int open_configured(struct lagd_listeners *listeners, const struct lagd_config *config, struct lag_error *err) {
    struct lagd_address address;
    int fd = -1;
    if (*config->listen) {
        int status = lagd_listen_tcp(config->listen, &fd, &address, err);
        if (status < 0) return status;
        add(listeners, fd, &address);
    }
    if (!*config->socket) return 0;
    int status = lagd_listen_unix(config->socket, &fd, err);
    if (status < 0) return status;
    (void)lag_copy(listeners->socket_path, sizeof(listeners->socket_path), config->socket);
    address = (struct lagd_address){0};
    (void)snprintf(address.text, sizeof(address.text), "unix socket %s", config->socket);
    add(listeners, fd, &address);
    return 0;
}

/* What to open in a browser. An address that stands for every one of this machine is no place to go to. */
static bool find_base(const struct listener *listener, char *ret, size_t size) {
    const char *where = listener->where, *port = strrchr(where, ':');
    if (strncmp(where, "http://", 7) != 0) return false;
    size_t n_host = (size_t)(port - (where + 7));
    bool any = strncmp(where + 7, "0.0.0.0", n_host) == 0 || strncmp(where + 7, "[::]", n_host) == 0;
    (void)snprintf(ret, size, "http://%.*s%s", any ? 9 : (int)n_host, any ? "localhost" : where + 7, port);
    return true;
}

/* For those who ask, before anybody does. */
static void note_dashboard(struct lagd_server *server, const struct lagd_listeners *listeners) {
    char base[sizeof(listeners->list[0].where)];
    if (!lagd_static_find(server->services.files, "index.html")) return;
    for (int i = 0; i < listeners->n; i++) {
        if (!find_base(&listeners->list[i], base, sizeof(base))) continue;
        (void)snprintf(server->services.dashboard, sizeof(server->services.dashboard), "%.100s/", base);
        return;
    }
}

static void tell_dashboard(const struct lagd_server *server, const struct listener *listener) {
    char base[sizeof(listener->where)];
    if (!find_base(listener, base, sizeof(base))) return;
    if (lagd_static_find(server->services.files, "index.html"))
        lag_log(LAG_LOG_INFO, "dashboard: open %s/ in a browser", base);
    else
        lag_log(LAG_LOG_INFO, "dashboard: not there, as this lagd was built without it (./dev build fetches what it "
                "needs by npm); the API is at %s/api/v1", base);
}

/* The list is complete before the first request comes: workers read it without a lock. */
static int serve(struct lagd_listeners *listeners, struct lagd_server *server, unsigned limit, struct lag_error *err) {
    note_dashboard(server, listeners);
    for (int i = 0; i < listeners->n; i++) {
        struct listener *listener = &listeners->list[i];
        listener->daemon = start_library(server, limit, listener);
        if (!listener->daemon) return lag_error_set(err, LAG_EIO, "the HTTP library cannot serve %s", listener->where);
        listener->fd = -1;
        lag_log(LAG_LOG_INFO, "http: listening on %s", listener->where);
        tell_dashboard(server, listener);
    }
    atomic_store(&listeners->serving, true);
    return 0;
}

int lagd_listeners_create(struct lagd_listeners **ret) {
    struct lagd_listeners *listeners = lag_calloc(1, sizeof(*listeners));
    if (!listeners) return LAG_ENOMEM;
    *ret = listeners;
    return 0;
}

int lagd_listeners_open(struct lagd_listeners *listeners, struct lagd_server *server, const struct lagd_passed *passed,
                        struct lag_error *err) {
    const struct lagd_auth *auth;
    const struct lagd_config *config = lagd_policy_acquire(server->policy, &auth);
    bool has_passed = passed && passed->n > 0;
    MHD_set_panic_func(panic, NULL);
    unsigned limit = 0;
    share_descriptors(config, has_passed ? passed->n : 2, server->services.places, &limit);
    int status = has_passed ? open_passed(listeners, passed, auth->configured, err)
                            : open_configured(listeners, config, err);
    lagd_policy_release(server->policy);
    return status < 0 ? status : serve(listeners, server, limit, err);
}

/* --- while they serve, and the end ------------------------------------------------------------------------------- */

const char *lagd_listeners_hosts(const struct lagd_listeners *listeners) { return listeners->hosts; }

bool lagd_listeners_beyond_loopback(const struct lagd_listeners *listeners) { return listeners->beyond_loopback; }

int64_t lagd_listeners_silence_ns(struct lagd_listeners *listeners, int64_t now_ns) {
    int64_t longest_ns = 0;
    for (int i = 0; i < listeners->n; i++) {
        struct listener *listener = &listeners->list[i];
        for (unsigned worker = 0; listener->daemon && worker < LAGD_HTTP_WORKERS; worker++) {
            int64_t silence_ns = lagd_ping_ask(&listener->pings[worker], listener->daemon, worker, now_ns);
            longest_ns = LAG_MAX(longest_ns, silence_ns);
        }
    }
    return longest_ns;
}

void lagd_listeners_look(struct lagd_listeners *listeners, int64_t now_ns) {
    if (!atomic_load(&listeners->serving)) return;
    for (int i = 0; i < listeners->n; i++)
        lagd_accept_look(&listeners->list[i].accept, listeners->list[i].daemon, now_ns);
}

/* A passed unix socket is the service manager's: only our own file is removed. */
void lagd_listeners_quiesce(struct lagd_listeners *listeners) {
    if (!listeners) return;
    atomic_store(&listeners->serving, false);
    for (int i = 0; i < listeners->n; i++) {
        struct listener *listener = &listeners->list[i];
        if (listener->daemon) listener->fd = MHD_quiesce_daemon(listener->daemon);
    }
    if (*listeners->socket_path) (void)unlink(listeners->socket_path);
}

void lagd_listeners_close(struct lagd_listeners *listeners) {
    if (!listeners) return;
    for (int i = 0; i < listeners->n; i++) {
        struct listener *listener = &listeners->list[i];
        for (size_t k = 0; k < LAGD_HTTP_WORKERS; k++) lagd_ping_end(&listener->pings[k]);
        lagd_accept_deinit(&listener->accept);
        if (listener->daemon) MHD_stop_daemon(listener->daemon);
        if (listener->fd >= 0) (void)close(listener->fd);
    }
    free(listeners);
}

/* The server's inside: listeners, sockets with deadlines, requests that wait, readers. `lock` protects what is below
 * it. */
#pragma once
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "auth_internal.h"
#include "hub_internal.h"
#include "lagd/api/server.h"
#include "lagd/daemon/config.h"
#include "request_internal.h"

#define LAGD_HEADER_DEADLINE_NS (10 * INT64_C(1000000000))
#define LAGD_BODY_DEADLINE_NS (30 * INT64_C(1000000000))
#define LAGD_IDLE_SECONDS 15u
#define LAGD_HTTP_WORKERS 2u

struct lagd_http_counters;
struct lagd_kept;
struct lagd_static;

/* An accepted socket. The reaper shuts it down when its deadline has passed (the library's time-outs are idle ones);
 * closing stays the library's. */
struct lagd_socket {
    int fd;
    int64_t deadline_ns; /* 0: none */
    struct lagd_socket *next, *previous;
};

/* A connection from ourselves to one worker of the library. Thread: main. */
struct lagd_ping {
    int fd;           /* -1: none */
    int64_t asked_ns; /* when the unanswered question was sent, 0 = all are answered */
    int64_t due_ns;   /* of the next question */
};

/* One listening socket and the daemon of the library that serves it. */
struct lagd_listener {
    struct MHD_Daemon *daemon;
    int quiet_fd; /* the socket, once it accepts no more; -1 before */
    struct lagd_ping pings[LAGD_HTTP_WORKERS];
};

enum lagd_phase { LAGD_PHASE_HEAD, LAGD_PHASE_BODY, LAGD_PHASE_DRAIN, LAGD_PHASE_HANDLE, LAGD_PHASE_ANSWERED };

/* One request on its connection. Lives from the request line to the end of the answer. */
struct lagd_transport {
    struct lagd_request request;
    struct MHD_Connection *connection;
    struct lagd_socket *socket;
    enum lagd_phase phase;
    char raw[LAGD_TARGET_MAX + 2];
    int64_t begun_ns;
    struct lagd_verdict early; /* a problem to be told once the body has been read away */
    char allow[96];
    char if_match[128], if_none_match[128], range[64], accept[256], accept_encoding[128], last_event_id[32],
        idempotency_key[LAG_KEY_SIZE];
    char *body;
    size_t n_body, body_capacity;
    uint64_t n_drained;
    int64_t body_limit_bytes;
    struct lag_db *db;
    bool failed;
    struct lagd_transport *next_waiting;
    bool waiting;
};

struct lagd_server {
    struct lagd_supervisor *supervisor;
    char state_dir[1024], socket_path[108];
    char bound_hosts[1024];  /* of all listeners, as in Host headers, ',' between */
    bool beyond_loopback;    /* a listener can be reached from outside: a token is needed */
    struct lagd_listener listeners[LAGD_PASSED_MAX];
    int n_listeners;
    pthread_t reaper;
    bool reaper_started;
    _Atomic int64_t reaped_ns; /* the reaper's last round */
    struct lagd_http_counters *counters;
    struct lagd_hub *hub;
    struct lagd_kept *kept;
    struct lagd_static *files; /* of the dashboard */

    pthread_rwlock_t config_lock;
    struct lagd_config config;
    struct lagd_auth auth;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool draining, reload_wanted;
    int n_commands; /* posted and not answered */
    uint64_t n_events;
    int64_t refusals_second, n_refusals;
    struct lagd_transport *waiting;
    struct lagd_request *keys; /* that hold an idempotency key */
    struct lagd_socket *sockets;
    struct lag_db *readers[8]; /* idle ones */
    int n_readers;
};

/* What a listening socket is bound to. */
struct lagd_address {
    char text[320];       /* "http://127.0.0.1:40123", "unix socket /run/lagd.sock" */
    char host[256];       /* as in a Host header; "" of a unix socket */
    bool beyond_loopback; /* can be reached from another machine */
};

/* listen.c: descriptors, non-blocking and close-on-exec */
int lagd_listen_tcp(const char *address, int *ret_fd, struct lagd_address *ret, struct lag_error *err);
int lagd_listen_unix(const char *path, int *ret_fd, struct lag_error *err);
int lagd_address_of(int fd, struct lagd_address *ret, struct lag_error *err);

/* ping.c: for lagd_supervisor_on_watch, arg is the server */
int64_t lagd_ping_silence_ns(void *arg);
void lagd_ping_end(struct lagd_ping *ping);

/* listeners.c */
int lagd_listeners_open(struct lagd_server *server, const struct lagd_passed *passed, struct lag_error *err);
void lagd_listeners_quiesce(struct lagd_server *server); /* accepts no more */
void lagd_listeners_close(struct lagd_server *server);

void lagd_socket_notify(void *server, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);
void lagd_socket_deadline(struct lagd_server *server, struct lagd_socket *socket, int64_t from_now_ns); /* 0: none */
int lagd_reaper_start(struct lagd_server *server, struct lag_error *err);

/* transport.c: callbacks of the library */
void *lagd_transport_begin(void *server, const char *raw_target, struct MHD_Connection *connection);
enum MHD_Result lagd_transport_access(void *server, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data, size_t *size,
                                      void **context);
void lagd_transport_end(void *server, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode code);

/* wait.c: suspends and wakes */
void lagd_wait(struct lagd_transport *transport);
void lagd_wake_events(struct lagd_server *server);
void lagd_wake_expired_locked(struct lagd_server *server, int64_t now_ns);

enum MHD_Result lagd_reply(struct lagd_transport *transport);

/* server.c */
void lagd_server_reload(struct lagd_server *server);
int lagd_reader_take(struct lagd_server *server, struct lag_db **ret, struct lag_error *err);
void lagd_reader_give(struct lagd_server *server, struct lag_db *db);

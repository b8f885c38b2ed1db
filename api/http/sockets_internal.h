/* Accepted sockets and their absolute deadlines (the HTTP library's time-outs are idle ones). A socket whose deadline
 * has passed is shut down; closing it stays the library's. Thread: any. */
#pragma once
#include <microhttpd.h>
#include <stdint.h>

#define LAGD_HEADER_DEADLINE_NS (10 * INT64_C(1000000000))
#define LAGD_BODY_WINDOW_NS (10 * INT64_C(1000000000)) /* in which a body brings server/body_rate_bytes each second */
#define LAGD_BODY_DEADLINE_NS (30 * INT64_C(1000000000)) /* of one that is no upload */
#define LAGD_IDLE_SECONDS 15u
/* Where many connections pass, each has only so long for a head or body, or between requests; and to take an answer. */
#define LAGD_CROWDED_NS (2 * INT64_C(1000000000))
#define LAGD_CROWDED_ANSWER_NS (10 * INT64_C(1000000000))

struct lagd_socket;
struct lagd_sockets;

/* n_passing: more connections than these, beside those that stay, are a crowd. LAG_ENOMEM. */
int lagd_sockets_create(int n_passing, struct lagd_sockets **ret);
void lagd_sockets_destroy(struct lagd_sockets *sockets);
/* For the library (MHD_OPTION_NOTIFY_CONNECTION); cls: the sockets. The connection's context is its struct lagd_socket,
 * or NULL when there was no memory: then its requests are refused. */
void lagd_socket_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);
int lagd_socket_fd(const struct lagd_socket *socket);
/* What a connection is about from now on, and until when; 0: no end, it stays. socket may be NULL. */
enum lagd_stay {
    LAGD_SOCKET_READS,  /* a head or body */
    LAGD_SOCKET_WRITES, /* an answer */
    LAGD_SOCKET_STAYS,  /* has a place of its own: a crowd does not shorten its time */
};
void lagd_socket_deadline(struct lagd_sockets *sockets, struct lagd_socket *socket, enum lagd_stay stay,
                          int64_t from_now_ns);
/* Shuts down those whose deadline has passed, and in a crowd those that take long; returns how many of both. */
struct lagd_late {
    int n_slow, n_crowded;
};
struct lagd_late lagd_sockets_close_late(struct lagd_sockets *sockets, int64_t now_ns);

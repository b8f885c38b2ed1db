/* Accepted sockets and their absolute deadlines (the HTTP library's time-outs are idle ones). A socket whose deadline
 * has passed is shut down; closing it stays the library's. Thread: any. */
#pragma once
#include <microhttpd.h>
#include <stdint.h>

#define LAGD_HEADER_DEADLINE_NS (10 * INT64_C(1000000000))
#define LAGD_BODY_DEADLINE_NS (30 * INT64_C(1000000000))
#define LAGD_IDLE_SECONDS 15u

struct lagd_socket;
struct lagd_sockets;

int lagd_sockets_create(struct lagd_sockets **ret); /* LAG_ENOMEM */
void lagd_sockets_destroy(struct lagd_sockets *sockets);
/* For the library (MHD_OPTION_NOTIFY_CONNECTION); cls: the sockets. The connection's context is its struct lagd_socket,
 * or NULL when there was no memory: then its requests are refused. */
void lagd_socket_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);
int lagd_socket_fd(const struct lagd_socket *socket);
/* 0: none. socket may be NULL. */
void lagd_socket_deadline(struct lagd_sockets *sockets, struct lagd_socket *socket, int64_t from_now_ns);
/* Shuts down those whose deadline has passed; returns how many. */
int lagd_sockets_close_late(struct lagd_sockets *sockets, int64_t now_ns);

/* The listening sockets, each served by a daemon of the HTTP library. Thread: main. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
struct lag_error;
struct lagd_listeners;
struct lagd_passed;
struct lagd_server;

int lagd_listeners_create(struct lagd_listeners **ret); /* LAG_ENOMEM */
/* Opens the passed sockets, which it takes, or, without any, those that the configuration names; then serves them. */
int lagd_listeners_open(struct lagd_listeners *listeners, struct lagd_server *server, const struct lagd_passed *passed,
                        struct lag_error *err);
void lagd_listeners_quiesce(struct lagd_listeners *listeners); /* accepts no more */
void lagd_listeners_close(struct lagd_listeners *listeners);   /* ends and frees everything */

/* Hosts that they are bound to, as in Host headers, ',' between. Thread: any, while they serve. */
const char *lagd_listeners_hosts(const struct lagd_listeners *listeners);
/* One of them can be reached from another machine: a token is needed. Thread: any. */
bool lagd_listeners_beyond_loopback(const struct lagd_listeners *listeners);
/* Lets those go on that stopped accepting for want of descriptors or memory. Several times a second. Thread: reaper. */
void lagd_listeners_look(struct lagd_listeners *listeners, int64_t now_ns);
/* For how long a worker has not answered; 0: all do. */
int64_t lagd_listeners_silence_ns(struct lagd_listeners *listeners, int64_t now_ns);

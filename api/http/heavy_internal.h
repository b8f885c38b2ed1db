/* Heavy work: handlers that read very many rows are called on threads of their own, so that the HTTP library's, which
 * serve all connections, answer small requests meanwhile. */
#pragma once
struct lag_error;
struct lagd_heavy;
struct lagd_server;
struct lagd_transport;

/* n threads. */
int lagd_heavy_create(int n, struct lagd_heavy **ret, struct lag_error *err);
/* Breaks off what is under way and what waits, and waits for its end. Thread: main. */
void lagd_heavy_stop(struct lagd_heavy *heavy);
void lagd_heavy_destroy(struct lagd_heavy *heavy);
/* Suspends the request until its handler was called, with the outcome in transport->outcome. It may be answered and
 * gone when this returns 0. LAG_ECANCELED: lagd is stopping. Thread: the connection's worker. */
int lagd_heavy_post(struct lagd_heavy *heavy, struct lagd_transport *transport);
/* Breaks off the work of clients that are gone, where others wait for it. Thread: any. */
void lagd_heavy_sweep(struct lagd_heavy *heavy);

/* The handler of the request. In transport.c. */
int lagd_transport_work_aside(struct lagd_transport *transport);

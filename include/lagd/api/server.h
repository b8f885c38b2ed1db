/* The HTTP server: REST under /api/v1 on a TCP address and a unix socket, or on sockets that the service manager
 * passed. Thread: main. */
#pragma once
struct lag_error;
struct lagd_route_table;
struct lagd_server;
struct lagd_supervisor;

/* Listening stream sockets that this process was started with (sd_listen_fds(3)). */
#define LAGD_PASSED_MAX 8
struct lagd_passed {
    int fds[LAGD_PASSED_MAX];
    int n; /* 0 = none */
};
/* Takes what $LISTEN_FDS names, when it is meant for this process, and unsets the variables. LAG_EINVAL: one of them is
 * no listening unix or internet socket. Before other threads are made. */
int lagd_passed_take(struct lagd_passed *ret, struct lag_error *err);

/* All that the API can do. */
extern const struct lagd_route_table lagd_routes;

/* Listens on the passed sockets and owns them from then on; without any (or NULL), as the supervisor's configuration
 * says. Answers from then on, by routes. A stale unix socket is replaced, a live one is LAG_EBUSY. LAG_EDENIED: a
 * passed socket can be reached from outside and there is no token. Errors name the address and what to change. */
int lagd_server_start(struct lagd_supervisor *supervisor, const struct lagd_route_table *routes,
                      const struct lagd_passed *passed, struct lagd_server **ret, struct lag_error *err);
/* Ends open requests, closes the listeners; no command of the api is under way afterwards. */
void lagd_server_stop(struct lagd_server *server);

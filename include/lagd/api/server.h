/* The HTTP server: REST under /api/v1 on a TCP address and a unix socket. Thread: main. */
#pragma once
struct lag_error;
struct lagd_server;
struct lagd_supervisor;

/* Listens as the supervisor's configuration says and answers from then on. A stale unix socket is replaced, a live one
 * is LAG_EBUSY. Errors name the address and what to change. */
int lagd_server_start(struct lagd_supervisor *supervisor, struct lagd_server **ret, struct lag_error *err);
/* Ends open requests, closes the listeners; no command of the api is under way afterwards. */
void lagd_server_stop(struct lagd_server *server);

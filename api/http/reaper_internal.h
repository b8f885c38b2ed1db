/* The thread that looks after time: late sockets, waits that are over, and reloads, which must not be done on the
 * thread that tells of them. */
#pragma once
#include <stdint.h>
struct lag_error;
struct lagd_reaper;
struct lagd_server;

int lagd_reaper_start(struct lagd_server *server, struct lagd_reaper **ret, struct lag_error *err);
/* Ends the thread. */
void lagd_reaper_stop(struct lagd_reaper *reaper);
/* Asks for lagd_server_reload on this thread. Thread: any. */
void lagd_reaper_want_reload(struct lagd_reaper *reaper);
/* For how long the thread has gone without a round; 0 while that is not more than usual. Thread: any. */
int64_t lagd_reaper_silence_ns(const struct lagd_reaper *reaper, int64_t now_ns);

/* Takes the configuration anew and reads the token. In server.c. */
void lagd_server_reload(struct lagd_server *server);

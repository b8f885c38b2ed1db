/* Signals as bytes on a pipe, for a poll loop. */
#pragma once
struct lag_error;

/* From now on SIGTERM, SIGINT and SIGHUP arrive as their numbers, one byte each, on *ret_fd (owned by this part);
 * SIGPIPE, SIGUSR1 and SIGUSR2 are ignored. The second SIGTERM or SIGINT ends the process at once, as if it had no
 * handler: all that was acknowledged is on disk. Thread: main, before other threads are made. */
int lagd_signals_open(int *ret_fd, struct lag_error *err);
void lagd_signals_close(void);

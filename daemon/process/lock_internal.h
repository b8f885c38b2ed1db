/* One daemon a state directory: an open-file-description lock on lagd.lock, which holds the PID as text. The kernel
 * drops it with the process, however that ends. */
#pragma once
struct lag_error;

/* LAG_EBUSY names the PID of the holder; LAG_EUNSUPPORTED: a network file system, where SQLite's log is not safe.
 * Owned descriptor in *ret_fd; closing it gives the lock back. */
int lagd_lock_take(const char *state_dir, int *ret_fd, struct lag_error *err);

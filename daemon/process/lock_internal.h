/* One daemon a state directory: an open-file-description lock on lagd.lock, which holds the PID as text, and one on
 * the directory itself, which keeps a second daemon out where lagd.lock was removed. The kernel drops both with the
 * process, however that ends. Thread: one at a time. */
#pragma once
#include <sys/types.h>
struct lag_error;

struct lagd_lock {
    int fd, dir_fd; /* -1: not held */
    dev_t device;   /* of lagd.lock */
    ino_t inode;
};
#define LAGD_LOCK_INIT {.fd = -1, .dir_fd = -1}

/* LAG_EBUSY names the PID of the holder; LAG_EUNSUPPORTED: a network file system, where SQLite's log is not safe;
 * LAG_EDENIED: the directory is another user's and anybody may write there. */
int lagd_lock_take(const char *state_dir, struct lagd_lock *ret, struct lag_error *err);
/* 0, or LAG_EIO: lagd.lock was removed or replaced. */
int lagd_lock_look(const char *state_dir, const struct lagd_lock *lock, struct lag_error *err);
void lagd_lock_give(struct lagd_lock *lock);

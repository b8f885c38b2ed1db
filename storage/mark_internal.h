/* Inside storage: lagd.db-mark, which says how much of the log was acknowledged. It is written after each commit,
 * before anybody is told, without an fsync: after a kill it is exact, after a power cut it may say less than was
 * acknowledged, never more. Thread: owner of the descriptor. */
#pragma once
#include "log_internal.h"

struct lag_mark {
    int64_t page;             /* of log_mark, in the file */
    char file[LAG_LOG_TOKEN];     /* token in the file when the log was last copied into it */
    char newest[LAG_LOG_TOKEN];   /* token committed last, in the log or the file */
    uint32_t salts[2];        /* of the log; 0 while it is empty */
    int64_t n_frames;         /* acknowledged in it */
    int64_t n_copied;         /* of which the file has so many, durably */
    char boot[37];            /* id of the system's start */
};
#define LAG_MARK_NAME "lagd.db-mark"

/* 1 = read, 0 = there is none (or it does not verify, which is as good as none), or an error. */
int lag_mark_read(const char *dir, struct lag_mark *ret, struct lag_error *err);
/* Creates the file or empties it; durable with its folder. Owned descriptor. */
int lag_mark_create(const char *dir, int *ret_fd, struct lag_error *err);
/* Overwrites it; durable: fsync. The boot id is filled in by lag_mark_boot before. */
int lag_mark_write(int fd, const struct lag_mark *mark, bool durable, struct lag_error *err);
void lag_mark_boot(char ret[37]);
int lag_mark_remove(const char *dir, struct lag_error *err); /* durably; a missing one is no error */

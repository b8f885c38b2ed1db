/* Inside storage: watches over the three files of the open database. Are they still those that lie at their paths, and
 * has nobody overwritten them? After each commit and each copy of the log it writes the mark. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
struct lag_db;
struct lag_error;
struct lag_guard;

/* n_frames: of the log, where it could not be copied at once. Changes nothing in the database. Thread: owner of db. */
int lag_guard_open(const char *dir, struct lag_db *db, int64_t n_frames, struct lag_guard **ret,
                   struct lag_error *err);
void lag_guard_close(struct lag_guard *guard); /* after the last connection of this process; takes NULL */

/* The storage thread holds the guard while it changes the files: look then leaves out what changes. Thread: any. */
void lag_guard_hold(struct lag_guard *guard);
void lag_guard_release(struct lag_guard *guard);
/* The next renew writes one in any case. Held. */
void lag_guard_want_token(struct lag_guard *guard);
/* In a transaction: writes a new token where the log was copied since the last. Held. */
int lag_guard_renew(struct lag_guard *guard, struct lag_db *db, struct lag_error *err);
/* After a commit, the log n_frames long; before it is acknowledged. Held. As look, and the mark. */
int lag_guard_committed(struct lag_guard *guard, int64_t n_frames, struct lag_error *err);
/* After n_copied of n_frames were copied into the file; 0, 0: the log is empty. Held. */
int lag_guard_copied(struct lag_guard *guard, int64_t n_frames, int64_t n_copied, struct lag_error *err);
/* 0, or LAG_EIO with which file was removed, replaced or overwritten, and what to do. Thread: any. */
int lag_guard_look(struct lag_guard *guard, struct lag_error *err);

/* Registrations of datasets under way: one job each, that reads the whole file on a worker. The row says so from the
 * beginning, so a daemon that ends meanwhile begins to read again at its next start. Small files and large ones have
 * workers of their own. Thread: main, unless said otherwise. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/base/stamp.h>
#include <lagd/storage/rows.h>
struct lagd_command;
struct lagd_commands;

#define LAGD_SMALL_SCAN_BYTES (INT64_C(64) << 20) /* read in about a second; a request waits for it */
#define LAGD_TOKENS_NAME "tokens.bin" /* in datasets/<id>, of one whose text is tokenised */
#define LAGD_SCANS_MAX 16                         /* that wait or run, of each size */

struct lagd_registrations;
int lagd_registrations_create(struct lagd_deps *deps, struct lagd_registrations **ret, struct lag_error *err);
/* Ends those that run; their rows stay. A request that waits for one is answered that it is under way. */
void lagd_registrations_stop(struct lagd_registrations *all);
void lagd_registrations_destroy(struct lagd_registrations *all); /* after the stop */

/* LAG_EBUSY: no more of this size. */
int lagd_registrations_admit(struct lagd_registrations *all, int64_t n_bytes, struct lag_error *err);
/* The name of the dataset that this file is being registered as, into ret; false: it is not. */
bool lagd_registrations_find_file(struct lagd_registrations *all, const struct lag_stamp *stamp,
                                  char ret[LAG_ROW_NAME]);
/* Begins to read the file of a stored row. Takes fd, on failure too. command (may be NULL) is answered once that has
 * ended, at due_ns (monotonic) at the latest; it is taken on 0. */
int lagd_registrations_begin(struct lagd_registrations *all, const struct lag_dataset_row *row, int fd,
                             struct lagd_command *command, int64_t due_ns, struct lag_error *err);
/* The row was deleted: its job, if it has one, ends. */
void lagd_registrations_cancel(struct lagd_registrations *all, const char *dataset_id);
void lagd_registrations_answer_late(struct lagd_registrations *all, int64_t now_ns);
/* As if it had not been asked for: its row, the Idempotency-Key of who asked ("" for none) and what was uploaded go.
 * For who is told by the answer. Thread: any. */
void lagd_registration_withdraw(struct lagd_deps *deps, const struct lag_dataset_row *row, const char *key);
/* Stored as failed, and what was uploaded is removed. Thread: any. */
void lagd_registration_refuse(struct lagd_deps *deps, const struct lag_dataset_row *row, const char *reason);

/* For the watchdog and /system. Thread: any, until the stop. */
bool lagd_registrations_stuck(struct lagd_registrations *all, int64_t now_ns);
size_t lagd_registrations_waiting(struct lagd_registrations *all);

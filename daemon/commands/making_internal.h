/* Tokenizers that are being made: one job each, that reads one or trains it on a worker. The row says so from the
 * beginning, so a daemon that ends meanwhile begins again at its next start. Thread: main, unless said otherwise. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/storage/rows.h>

#define LAGD_MAKINGS_MAX 16 /* that wait or run */
struct lagd_makings;

int lagd_makings_create(struct lagd_deps *deps, struct lagd_makings **ret, struct lag_error *err);
/* Ends those that run; their rows stay. */
void lagd_makings_stop(struct lagd_makings *all);
void lagd_makings_destroy(struct lagd_makings *all); /* after the stop; NULL is allowed */

int lagd_makings_admit(struct lagd_makings *all, struct lag_error *err); /* LAG_EBUSY: no more */
/* Begins to make a stored row. It is read from the file or folder relative below root; or, where its request says so,
 * it learns from dataset. LAG_ECANCELED: lagd is stopping. */
int lagd_makings_begin(struct lagd_makings *all, const struct lag_tokenizer_row *row, const char *root,
                       const char *relative, const struct lag_dataset_row *dataset, struct lag_error *err);
/* The row was deleted. true: a job has its folder, and removes it; false: nobody has. */
bool lagd_makings_cancel(struct lagd_makings *all, const char *tokenizer_id);
/* As if it had not been asked for: its row, its folder and the Idempotency-Key of who asked ("" for none) go. Thread:
 * any. */
void lagd_making_withdraw(struct lagd_deps *deps, const struct lag_tokenizer_row *row, const char *key);
/* Stored as failed, with the reason. Thread: any. */
void lagd_making_refuse(struct lagd_deps *deps, const struct lag_tokenizer_row *row, const char *reason);

/* For the watchdog and /system. Thread: any, until the stop. */
bool lagd_makings_stuck(struct lagd_makings *all, int64_t now_ns);
size_t lagd_makings_waiting(struct lagd_makings *all);

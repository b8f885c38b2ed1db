/* Imports of models under way: one job each, that copies a folder and checks it on a worker. The row says so from the
 * beginning, so a daemon that ends meanwhile begins again at its next start. Thread: main, unless said otherwise. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/storage/rows.h>

#define LAGD_IMPORTS_MAX 16 /* that wait or run */
struct lagd_imports;

int lagd_imports_create(struct lagd_deps *deps, struct lagd_imports **ret, struct lag_error *err);
/* Ends those that run; their rows stay. */
void lagd_imports_stop(struct lagd_imports *all);
void lagd_imports_destroy(struct lagd_imports *all); /* after the stop; NULL is allowed */

int lagd_imports_admit(struct lagd_imports *all, struct lag_error *err); /* LAG_EBUSY: no more */
/* Begins to copy the folder relative below root for a stored row. LAG_ECANCELED: lagd is stopping. */
int lagd_imports_begin(struct lagd_imports *all, const struct lag_model_row *row, const char *root,
                       const char *relative, struct lag_error *err);
/* The row was deleted. true: a job has its folder, and removes it; false: nobody has. */
bool lagd_imports_cancel(struct lagd_imports *all, const char *model_id);
/* As if it had not been asked for: its row and the Idempotency-Key of who asked ("" for none) go. For who is told by
 * the answer, before anything was copied. Thread: any. */
void lagd_import_withdraw(struct lagd_deps *deps, const struct lag_model_row *row, const char *key);
/* Stored as failed, with the reason. Thread: any. */
void lagd_import_refuse(struct lagd_deps *deps, const struct lag_model_row *row, const char *reason);

/* For the watchdog and /system. Thread: any, until the stop. */
bool lagd_imports_stuck(struct lagd_imports *all, int64_t now_ns);
size_t lagd_imports_waiting(struct lagd_imports *all);

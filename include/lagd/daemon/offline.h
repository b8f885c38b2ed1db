/* What lagd does instead of serving: `lagd backup DIR` and `lagd recover`. Thread: main. */
#pragma once
#include <lagd/daemon/config.h>
#include <stdio.h>
struct lag_error;

/* Copies the state directory into the new or empty folder dir, also while a lagd works in it: the database of one
 * moment, every checkpoint and every upload that it lists, each file compared with its stored SHA-256. It appears under
 * its name when it is whole and durable, not before; it is a state directory of its own. Progress and warnings go to
 * out. 0; LAGD_BACKUP_PARTS: made, but for checkpoints and uploads that are damaged where they lie, which were named;
 * LAG_EEXIST: dir is not empty; LAG_ECANCELED: SIGINT or SIGTERM came, and nothing is left. */
#define LAGD_BACKUP_PARTS 1
int lagd_backup(const struct lagd_config *config, const char *dir, FILE *out, struct lag_error *err);

/* lag_store_recover, with the lock of the state directory. LAG_EBUSY: a lagd works there. *ret_text: free(). */
int lagd_recover_log(const struct lagd_config *config, char **ret_text, struct lag_error *err);

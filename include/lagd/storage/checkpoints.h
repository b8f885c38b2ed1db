/* Queries of checkpoints and their files. A row exists only after the folder was verified. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

int lag_checkpoint_insert(struct lag_db *db, const struct lag_checkpoint_row *row,
                          const struct lag_checkpoint_file_row *files, int n_files, struct lag_error *err);
int lag_checkpoint_get(struct lag_db *db, const char *id, struct lag_checkpoint_row *ret, struct lag_error *err);
/* The newest of a run (candidates' excluded) by (step, created, id); LAG_ENOTFOUND when there is none. */
int lag_checkpoint_latest(struct lag_db *db, const char *run_id, struct lag_checkpoint_row *ret, struct lag_error *err);
int lag_checkpoint_list(struct lag_db *db, const char *run_id, int (*each)(const struct lag_checkpoint_row *, void *),
                        void *arg, struct lag_error *err); /* newest first, as latest (NULL = all: by created) */
int lag_checkpoint_files(struct lag_db *db, const char *id, int (*each)(const struct lag_checkpoint_file_row *, void *),
                         void *arg, struct lag_error *err);
int lag_checkpoint_set_keep(struct lag_db *db, const char *id, bool keep, struct lag_error *err);
int lag_checkpoint_delete(struct lag_db *db, const char *id, struct lag_error *err);
/* Whether a study whose runs are not all made yet, or a growth that will be audited, goes on from it: 1, with the id of
 * that, or 0. */
int lag_checkpoint_is_needed(struct lag_db *db, const char *id, char ret_by[LAG_ROW_ID], struct lag_error *err);

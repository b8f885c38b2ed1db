/* Queries of runs and datasets. Functions that write take the storage thread's connection (inside lag_store_write).
 * get: 0, or LAG_ENOTFOUND naming what was asked. Lists call each() per row in the stated order; non-zero from each()
 * ends the list and is returned. Thread: owner of db. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;
struct lag_stamp;

/* LAG_EEXIST: name */
int lag_dataset_insert(struct lag_db *db, const struct lag_dataset_row *row, struct lag_error *err);
int lag_dataset_get(struct lag_db *db, const char *id_or_name, struct lag_dataset_row *ret, struct lag_error *err);
int lag_dataset_list(struct lag_db *db, int (*each)(const struct lag_dataset_row *, void *), void *arg,
                     struct lag_error *err);
int lag_dataset_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                          struct lag_error *err);
int lag_dataset_set_done(struct lag_db *db, const char *id, int64_t n_bytes_done, struct lag_error *err);
/* What a scan has found, and the stamp. LAG_ENOTFOUND: also when the file had another size. */
/* What came of its text: the token file's size, hashes, text_bytes, vocab_size. */
int lag_dataset_set_tokenized(struct lag_db *db, const struct lag_dataset_row *row, struct lag_error *err);
int lag_dataset_set_found(struct lag_db *db, const struct lag_dataset_row *row, struct lag_error *err);
/* The file was hashed at this stamp. LAG_ENOTFOUND: also when the stamp has another size than the dataset. */
int lag_dataset_set_stamp(struct lag_db *db, const char *id, const struct lag_stamp *stamp, struct lag_error *err);
int lag_dataset_delete(struct lag_db *db, const char *id, struct lag_error *err); /* LAG_ESTATE while a run uses it */

int lag_run_insert(struct lag_db *db, const struct lag_run_row *row, struct lag_error *err); /* LAG_EEXIST: name */
int lag_run_get(struct lag_db *db, const char *id_or_name, struct lag_run_row *ret, struct lag_error *err);
/* Newest first, which is by id; states: comma-separated or NULL; before_id: rows behind that one ("": all). */
int lag_run_list(struct lag_db *db, const char *states, const char *before_id, int limit,
                 int (*each)(const struct lag_run_row *, void *), void *arg, struct lag_error *err);
/* Ids of those that wait (row.waits). */
int lag_run_list_waiting(struct lag_db *db, int (*each)(const char *id, void *), void *arg, struct lag_error *err);
/* Each bumps revision and updated_ms. */
int lag_run_touch(struct lag_db *db, const char *id, struct lag_error *err); /* that alone */
int lag_run_set_state(struct lag_db *db, const char *id, const char *state, const char *reason, struct lag_error *err);
/* A new state ends it. */
int lag_run_set_waits(struct lag_db *db, const char *id, bool waits, struct lag_error *err);
int lag_run_set_progress(struct lag_db *db, const char *id, int64_t step, int64_t tokens, double flops,
                         struct lag_error *err);
int lag_run_set_shape(struct lag_db *db, const char *id, const struct lag_shape *shape, int64_t n_params,
                      struct lag_error *err);
/* What of the present model is held back. */
int lag_run_set_held(struct lag_db *db, const char *id, bool gated, int64_t masked_until, struct lag_error *err);
int lag_run_set_growth(struct lag_db *db, const char *id, const char *growth_id, struct lag_error *err);
int lag_run_set_rollback(struct lag_db *db, const char *id, double lr_scale, int64_t n_rollbacks, int64_t rollback_step,
                         struct lag_error *err);
int lag_run_set_health(struct lag_db *db, const char *id, const char *health, struct lag_error *err);
/* Another name (LAG_EEXIST: taken) and configuration. */
int lag_run_set_config(struct lag_db *db, const char *id, const char *name, const char *config, struct lag_error *err);
/* Another last step, with the configuration and the schedules that lead there. */
int lag_run_set_schedules(struct lag_db *db, const char *id, int64_t max_steps, const char *config,
                          const char *schedules, struct lag_error *err);
int lag_run_set_batches(struct lag_db *db, const char *id, const char *batches, struct lag_error *err);
/* FLOPs of the run's growths that its own do not count: of all candidates but the applied winners, whose probes are
 * steps of the run, and of the validations of parents. */
int lag_run_probe_flops(struct lag_db *db, const char *id, double *ret, struct lag_error *err);
/* Deletes the run with everything of its: growths, candidates, points, checkpoints' rows. */
int lag_run_delete(struct lag_db *db, const char *id, struct lag_error *err);

/* Queries of models that were brought. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

int lag_model_insert(struct lag_db *db, const struct lag_model_row *row, struct lag_error *err); /* LAG_EEXIST: name */
int lag_model_get(struct lag_db *db, const char *id_or_name, struct lag_model_row *ret, struct lag_error *err);
/* Newest first. */
int lag_model_list(struct lag_db *db, int (*each)(const struct lag_model_row *, void *), void *arg,
                   struct lag_error *err);
int lag_model_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                        struct lag_error *err);
int lag_model_set_done(struct lag_db *db, const char *id, int64_t n_bytes, int64_t n_bytes_done,
                       struct lag_error *err);
/* What the import has found: shape, dtype, tokenizer and all that follows; its files and ignored tensors are inserted
 * apart. */
int lag_model_set_found(struct lag_db *db, const struct lag_model_row *row, struct lag_error *err);
int lag_model_file_insert(struct lag_db *db, const struct lag_model_file_row *row, struct lag_error *err);
int lag_model_ignored_insert(struct lag_db *db, const struct lag_model_ignored_row *row, struct lag_error *err);
/* By name. */
int lag_model_files(struct lag_db *db, const char *model_id, int (*each)(const struct lag_model_file_row *, void *),
                    void *arg, struct lag_error *err);
int lag_model_ignored(struct lag_db *db, const char *model_id,
                      int (*each)(const struct lag_model_ignored_row *, void *), void *arg, struct lag_error *err);
int lag_model_delete(struct lag_db *db, const char *id, struct lag_error *err); /* LAG_ESTATE while a run is of it */

/* Queries of tokenizers. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

/* LAG_EEXIST: name */
int lag_tokenizer_insert(struct lag_db *db, const struct lag_tokenizer_row *row, struct lag_error *err);
int lag_tokenizer_get(struct lag_db *db, const char *id_or_name, struct lag_tokenizer_row *ret, struct lag_error *err);
/* Newest first. */
int lag_tokenizer_list(struct lag_db *db, int (*each)(const struct lag_tokenizer_row *, void *), void *arg,
                       struct lag_error *err);
int lag_tokenizer_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                            struct lag_error *err);
int lag_tokenizer_set_done(struct lag_db *db, const char *id, int64_t n_done, int64_t n_all, struct lag_error *err);
/* What its file was found to be: kind and all that follows. */
int lag_tokenizer_set_found(struct lag_db *db, const struct lag_tokenizer_row *row, struct lag_error *err);
/* LAG_ESTATE while a dataset has its tokens from this tokenizer or model. */
int lag_tokenizer_is_free(struct lag_db *db, const char *id, struct lag_error *err);
int lag_tokenizer_delete(struct lag_db *db, const char *id, struct lag_error *err); /* LAG_ESTATE while it is used */

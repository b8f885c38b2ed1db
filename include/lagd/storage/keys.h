/* Queries of idempotency keys (draft-ietf-httpapi-idempotency-key-header). Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

/* The key with its answer; body NULL: none yet. created_ms 0: now. A row of the same key is replaced when it has
 * outlived LAG_KEY_LIFE_MS, or when it is of the same request and waits for its answer; else LAG_EEXIST, and it
 * stays. */
int lag_key_put(struct lag_db *db, const struct lag_key_row *row, const char *body, struct lag_error *err);
/* 1 = found and not outlived at now_ms, 0 = not. *ret_body is owned and may become NULL; ret_body may be NULL. */
int lag_key_find(struct lag_db *db, const char *key, int64_t now_ms, struct lag_key_row *ret, char **ret_body,
                 struct lag_error *err);
int lag_key_forget(struct lag_db *db, const char *key, struct lag_error *err); /* its request had no effect */
/* Removes up to limit keys that are older. *ret_n: how many went. */
int lag_key_prune(struct lag_db *db, int64_t before_ms, int limit, int64_t *ret_n, struct lag_error *err);

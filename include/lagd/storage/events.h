/* Queries of events: append-only, numbered without gaps within one database. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

#define LAG_EVENT_INIT(type_) {.type = type_, .step = -1, .value = __builtin_nan("")}
/* seq and ts_ms are filled in. Write it in the same transaction as the change it tells of. */
int lag_event_insert(struct lag_db *db, const struct lag_event_row *row, struct lag_error *err);
/* seq > after, ascending; run_id NULL = all. */
int lag_event_list(struct lag_db *db, int64_t after, const char *run_id, int limit,
                   int (*each)(const struct lag_event_row *, void *), void *arg, struct lag_error *err);
/* The event of the run behind which there are n others: 0 when there are not that many. */
int lag_event_before_last(struct lag_db *db, const char *run_id, int n, int64_t *ret_seq, struct lag_error *err);
/* 0, 0 when empty */
int lag_event_bounds(struct lag_db *db, int64_t *ret_first, int64_t *ret_last, struct lag_error *err);
int lag_event_prune(struct lag_db *db, int64_t before_ms, struct lag_error *err);

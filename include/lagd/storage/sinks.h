/* Queries of how far the sinks of notifications have got. Conventions as in runs.h. */
#pragma once
#include <stdint.h>
struct lag_db;
struct lag_error;

/* 1 = found, 0 = none. *ret_after: seq of the last event that is done with. */
int lag_sink_get(struct lag_db *db, const char *name, int64_t *ret_after, struct lag_error *err);
int lag_sink_put(struct lag_db *db, const char *name, int64_t after, struct lag_error *err);
int lag_sink_delete(struct lag_db *db, const char *name, struct lag_error *err); /* no error where there is none */
/* Has a run.trouble of the run been told since it trained last? 1 or 0. */
int lag_run_trouble_told(struct lag_db *db, const char *run_id, struct lag_error *err);

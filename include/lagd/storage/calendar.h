/* Queries of what must not depend on the clock alone. Conventions as in runs.h. */
#pragma once
#include <stdint.h>
struct lag_db;
struct lag_error;

struct lag_calendar_row {
    int64_t seen_ms, doubt_ms; /* 0: none */
};
/* 1 = stored, 0 = never. Where it was never stored, ret->seen_ms is the time of the newest event, or 0. */
int lag_calendar_get(struct lag_db *db, struct lag_calendar_row *ret, struct lag_error *err);
int lag_calendar_set(struct lag_db *db, const struct lag_calendar_row *row, struct lag_error *err);
/* The highest id of each table, so that new ones can follow it. */
int lag_ids_newest(struct lag_db *db, void (*each)(const char *id, void *arg), void *arg, struct lag_error *err);

/* Queries of events: append-only, numbered without gaps within one database. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/event_types.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

#define LAG_NO_STEP (-1)
#define LAG_NO_VALUE __builtin_nan("")
/* What an event tells. Texts are borrowed; NULL: none. Only fields that its type has may be given; step and value of
 * other types are not looked at. */
struct lag_event {
    enum lag_event_type type;
    const char *run_id, *growth_id, *candidate_id, *state, *message;
    int64_t step;
    double value;
};
/* Makes the row, with number and time. Write it in the same transaction as the change it tells of. */
int lag_event_put(struct lag_db *db, const struct lag_event *event, struct lag_error *err);
/* seq > after, ascending; run_id NULL = all. */
int lag_event_list(struct lag_db *db, int64_t after, const char *run_id, int limit,
                   int (*each)(const struct lag_event_row *, void *), void *arg, struct lag_error *err);
/* The event of the run behind which there are n others: 0 when there are not that many. */
int lag_event_before_last(struct lag_db *db, const char *run_id, int n, int64_t *ret_seq, struct lag_error *err);
/* Has one of this type been told of the run at that step? 1 or 0. */
int lag_event_told_at(struct lag_db *db, const char *run_id, enum lag_event_type type, int64_t step,
                      struct lag_error *err);
/* The last limit events of the run that belong on its curves, run.rollback and run.diverged; newest first. */
int lag_event_marks(struct lag_db *db, const char *run_id, int limit, int (*each)(const struct lag_event_row *, void *),
                    void *arg, struct lag_error *err);
/* 0, 0 when empty */
int lag_event_bounds(struct lag_db *db, int64_t *ret_first, int64_t *ret_last, struct lag_error *err);
/* Removes up to limit events that are older, the first ones first; the newest of all stays. *ret_n: how many went. */
int lag_event_prune(struct lag_db *db, int64_t before_ms, int limit, int64_t *ret_n, struct lag_error *err);

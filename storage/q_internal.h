/* Inside storage: what one query file asks of another. Conventions as in lagd/storage/runs.h. */
#pragma once
#include <lagd/storage/rows.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
struct lag_db;
struct lag_error;

/* Columns of a shape, for a table's list: prefix##n_layer, … in the members of a struct lag_shape. */
#define LAG_SHAPE_COLUMNS(next, prefix, member)                                                                        \
    next(prefix##n_layer, member.n_layer) next(prefix##n_head, member.n_head) next(prefix##n_embd, member.n_embd)      \
    next(prefix##n_inner, member.n_inner) next(prefix##n_positions, member.n_positions)                                \
    next(prefix##vocab_size, member.vocab_size) next(prefix##head_dim, member.head_dim)

/* Owner of a series whose points are on their way out: this and its number. */
#define LAG_DELETED_OWNER "deleted/"
/* Hides the series of a run and of its candidates, and notes what is to be swept once the run's row has gone. */
int lag_deleted_note_run(struct lag_db *db, const char *run_id, struct lag_error *err);
/* Removes about limit rows of what was noted. *ret_n: how many went; 0: nothing is left. */
int lag_deleted_sweep(struct lag_db *db, int limit, int64_t *ret_n, struct lag_error *err);
/* Into a series come n_new points (may be negative: points went), and its first, last and value are looked up. */
int lag_series_recount(struct lag_db *db, int64_t id, int64_t n_new, struct lag_error *err);
/* 1 = found, 0 = none. */
int lag_series_by_id(struct lag_db *db, int64_t id, struct lag_series_row *ret, struct lag_error *err);
int lag_series_set_counts(struct lag_db *db, const struct lag_series_row *row, struct lag_error *err);

struct lag_queued_point {
    struct lag_point point;
    uint64_t order; /* of arrival */
};
/* Sorts the points, inserts them and compares those that exist. Points of a series that was deleted are dropped. */
int lag_points_put(struct lag_db *db, struct lag_queued_point *points, size_t n, struct lag_error *err);

/* Whose owner is: run_id always, growth_id and candidate_id when it is a candidate; all "" when it is nobody. */
int lag_candidate_owner(struct lag_db *db, const char *owner, struct lag_event_row *ret_ids, struct lag_error *err);

/* Equal bits, after what storing does to them: not finite is NULL, and -0 reads back as 0. */
static inline bool lag_same_stored(double stored, double computed) {
    if (!isfinite(stored) || !isfinite(computed)) return !isfinite(stored) && !isfinite(computed);
    computed += 0.0; /* stored has been through it */
    return !memcmp(&stored, &computed, sizeof stored);
}

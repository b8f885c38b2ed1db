/* What every candidate of a growth had lost at every evaluated step, and its rank then. Thread: owner of db. */
#pragma once
#include <stdint.h>
struct lag_db;
struct lag_error;

struct lagd_rank_table {
    int n_times, n_candidates;
    int64_t *times;    /* [n_times] probe steps at which any candidate was evaluated, ascending */
    double *means;     /* [n_times][n_candidates] by position, in nats; NaN: not evaluated then, or not finite */
    int *ranks;        /* the same form; 1 = best, 0 = not ranked (see lag_rank_at) */
};
/* *ret is owned: lagd_rank_table_destroy. An unprobed growth has no times. */
int lagd_rank_table_create(struct lag_db *db, const char *growth_id, struct lagd_rank_table **ret,
                           struct lag_error *err);
void lagd_rank_table_destroy(struct lagd_rank_table *table); /* takes NULL */

/* Which checkpoints of a run stay. Pure: rows in, verdict out. */
#pragma once
#include <lagd/daemon/run_config.h>
#include <stdbool.h>
#include <stdint.h>

struct lagd_retention {
    int64_t keep_last;  /* the newest ones, at least 1 */
    int64_t keep_best;  /* those with the lowest validation loss; equal losses: the newer one */
    int64_t keep_every; /* those at multiples of so many steps; 0 = none */
};
struct lagd_retained {
    int64_t step;
    double val_loss; /* the last one known at that step; NaN = none */
    bool pinned; /* always kept and never counted: around a growth, of a candidate, needed by a study, or asked for by
                    a person */
};
/* rows: newest first. ret_stays[n]. */
void lagd_retain(const struct lagd_retained *rows, int n, const struct lagd_retention *rules, bool *ret_stays);
struct lagd_retention lagd_retention_of(const struct lagd_run_config *config); /* what a run asks for */

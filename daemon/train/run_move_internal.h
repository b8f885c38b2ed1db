/* Transitions of a run and its growth: each is one transaction with its events. */
#pragma once
#include "records/leftovers_internal.h"
#include "train/run_parts_internal.h"

struct lagd_move {
    struct lagd_run *run;
    const char *run_state;        /* NULL = stays */
    const char *growth_from;      /* the growth must be in this state, else LAG_ESTATE; NULL = any */
    const char *growth_state;     /* NULL = stays */
    const char *reason;           /* of what changes state; NULL = none */
    bool progress;                /* step, tokens and FLOPs of run->row */
    bool ends_growth;             /* the run has no growth any more; its candidates that have not ended are cancelled
                                   * and those of them with checkpoints give them up */
    lag_write_fn *extra;          /* last in the transaction; may be NULL */
    void *extra_arg;
    struct lagd_released released; /* removed by lagd_move_committed */
};
lag_write_fn lagd_move_write; /* arg: struct lagd_move; for use inside another transaction */
void lagd_move_committed(struct lagd_move *move); /* after its commit: run->row and run->growth follow. Frees */
void lagd_move_drop(struct lagd_move *move); /* after it was not committed */
/* All of it; waits while the disk refuses, unless the run quits (or until *cancel). */
int lagd_move_make(struct lagd_move *move, struct lag_error *err);
int lagd_move_make_until(struct lagd_move *move, const _Atomic bool *cancel, struct lag_error *err);

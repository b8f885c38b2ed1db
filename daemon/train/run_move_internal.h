/* Events of a run and its growth that are posted together: in one transaction, with what else belongs to them. */
#pragma once
#include "records/leftovers_internal.h"
#include "records/post_internal.h"
#include "train/run_parts_internal.h"

struct lagd_move {
    struct lagd_run *run;
    enum lagd_run_event run_event;
    enum lagd_growth_event growth_event; /* LAG_ESTATE: the growth is not as this thread knows it */
    bool unless_ended;            /* growth_event is left out when a person has ended the growth meanwhile */
    const char *reason;           /* of what changes state; NULL = none */
    const char *growth_reason;    /* of the growth, where the run has none; NULL = as reason */
    bool progress;                /* step, tokens and FLOPs of run->row */
    bool ends_growth;             /* the run has no growth any more; its candidates that have not ended are cancelled
                                   * and those of them with checkpoints give them up */
    lag_write_fn *extra;          /* last in the transaction; may be NULL */
    void *extra_arg;
    struct lagd_leftovers leftovers; /* removed by lagd_move_committed */
    int run_to, growth_to;        /* set by lagd_move_write: the states afterwards, LAGD_NOWHERE = not posted */
};
lag_write_fn lagd_move_write; /* arg: struct lagd_move; for use inside another transaction */
void lagd_move_committed(struct lagd_move *move); /* after its commit: run->row and run->growth follow. Frees */
void lagd_move_drop(struct lagd_move *move); /* after it was not committed */
/* All of it; waits while the disk refuses, unless the run quits (or until *cancel). */
int lagd_move_make(struct lagd_move *move, struct lag_error *err);
int lagd_move_make_until(struct lagd_move *move, const _Atomic bool *cancel, struct lag_error *err);

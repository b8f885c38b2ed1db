/* Who is probed on, and for how long: the allocators. Pure, as lag.h: losses at a rung in, what to do and the verdict
 * out. A rung is a time at which all candidates that are on their way are evaluated in full and looked at together.
 * Times in steps since the growth. Thread: any. */
#pragma once
#include <lagd/engine/verdict.h>

enum lag_allocator {
    LAG_ALLOCATE_ALL,     /* every candidate to the lag: no rungs */
    LAG_ALLOCATE_HALVING, /* at each rung the worse half goes; the best of those that preserve their parent's function,
                             and of those that do not, stay through the first */
    LAG_ALLOCATE_RACE,    /* who is behind now, in an order that holds to the end as calibrated, goes */
    LAG_ALLOCATE_AUTO,    /* race; ends early once the verdict needs no more, and goes beyond the lag while no candidate
                             that grows is ahead of not growing */
    LAG_N_ALLOCATORS
};
enum { LAG_ALLOCATE_MOST = 256 }; /* candidates */
extern const char *const lag_allocator_names[]; /* NULL-terminated: "all", "halving", "race", "auto" */

/* Steps that a spike after a growth may take, beyond the longest re-warm or warm-up: no rung lies before. */
#define LAG_RUNG_SPIKE 16
enum { LAG_RUNGS_MAX = 64 };
/* The rungs: r0 · 2^r, of which the lag (steps) is one: r0 is the least such that is not below first. After the lag
 * they go on doubling up to max_steps, which is the last; 0, or no more than steps: none goes on. Returns how many:
 * 0 where steps is below first, or a number is < 1. */
int lag_rungs(int64_t first, int64_t steps, int64_t max_steps, int64_t ret[LAG_RUNGS_MAX]);

/* The order of two holds to the end at least so likely, where a candidate is dropped for it or a verdict verified. */
#define LAG_ORDER_HOLDS 0.9

struct lag_look {
    enum lag_allocator allocator;
    int number;              /* 1, 2, …: of the rung */
    int64_t t, steps;        /* the rung, and the lag */
    int64_t next;            /* the rung after this one; 0: this is the last */
    double delta;
    const double *p_end;     /* [n]: the chance that the order of the leader and this one holds to the end; NaN: not
                                known. NULL: of none */
    const bool *preserving;  /* [n]: keeps its parent's function; NULL: none does */
};
enum lag_step { LAG_STEP_ON, LAG_STEP_END, LAG_STEP_EXTEND }; /* to the next rung; decide now; beyond the lag */
extern const char *const lag_step_names[];   /* NULL-terminated: "go_on", "end", "extend" */
enum lag_fate {
    LAG_FATE_OUT,      /* has diverged, or was stopped before and stays so */
    LAG_FATE_KEPT,
    LAG_FATE_STOPPED,  /* here */
    LAG_FATE_TAKEN_UP  /* was stopped before, and goes on */
};
struct lag_rung {
    enum lag_step step;
    struct lag_verdict verdict; /* if it ended here */
    double p_end;               /* the least of those known of the leader's orders; NaN: none is */
    int n_kept, n_stopped, n_taken_up;
};
/* The leader, of whose orders p_end is asked: the lowest mean at t of all that may win; -1: nobody. */
int lag_leader_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t);
/* The least p_end of the leader's orders with those that are ranked at t; NaN: none is known. */
double lag_least_p_end(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, const double *p_end);
/* What to do at a rung. ret_fate[n_curves]. The reference is never stopped. LAG_EINVAL as lag_select, for
 * ALL, and for too many. */
int lag_allocate(const struct lag_curve *curves, int n_curves, int n_batches, const struct lag_look *look,
                 struct lag_rung *ret, enum lag_fate *ret_fate, bool *ret_tied);

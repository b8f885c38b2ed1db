/* What an allocator would have done with a study's candidates. Pure, as lag.h. Thread: any. */
#pragma once
#include <lagd/engine/allocate.h>
#include <lagd/engine/calibration.h>

struct lag_replay_ask {
    enum lag_allocator allocator;
    const struct lag_study_group *group; /* one seed × parent, every candidate up to the horizon */
    int n_candidates;
    int64_t first_rung, steps, max_steps; /* as lag_rungs takes them; ALL has the lag alone */
    int64_t horizon;
    double delta;
    const bool *preserving;               /* [n_candidates]; NULL: none does */
    const struct lag_calibration *calibration; /* of other studies; NULL: nothing is known of the end */
};
struct lag_replay {
    int pick;             /* -1: nobody may win */
    int64_t t;            /* where it was decided */
    int n_looks;
    enum lag_basis basis;
    double regret;        /* final loss of the pick above the best final; NaN: no pick, or no finals */
    double steps;         /* that all candidates were trained for, together */
};
/* The looks are at the last shared evaluations at or before the rungs. LAG_EINVAL: there is no rung, or none was
 * evaluated; LAG_ENOMEM. Nothing is written then. */
int lag_replay_run(const struct lag_replay_ask *ask, struct lag_replay *ret);

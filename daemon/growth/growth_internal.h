/* The inside of a growth: growth_round.c (its phases), growth_probe.c (its candidates), growth_apply.c (the winner),
 * probe_job.c (one probe on a worker). Thread: the run's, unless said otherwise. */
#pragma once
#include "exec/pool_internal.h"
#include "train/run_parts_internal.h"

#include <lagd/daemon/growth_request.h>
#include <lagd/engine/probe.h>

struct lagd_probe;
struct lagd_round {
    struct lagd_run *run;
    struct lagd_growth_request request;
    struct lag_probe_plan plan;
    struct lag_candidate_row *candidates; /* [n], by position, as stored */
    struct lagd_probe **probes;           /* [n], NULL where none is under way */
    int n, n_active;
    struct lag_state *best;               /* of the best eligible candidate that ended in this process (mode auto) */
    int best_index;                       /* -1: none */
    int ending;                           /* whose end is being stored; -1: of none */
};

/* --- growth_probe.c --- */
/* Phase probing: probes what has not ended yet, then decides. LAG_ESTATE: someone changed the growth. */
int lagd_round_probe(struct lagd_round *round, struct lag_error *err);
/* Probes one candidate again for its state; its rows are compared with what is computed. */
int lagd_round_rebuild(struct lagd_round *round, int index, struct lag_state **ret, struct lag_error *err);
/* After a wish: LAG_ECANCELED for CANCEL and STOP; LAG_ESTATE when the growth has another state than before. */
int lagd_round_check(struct lagd_round *round, struct lag_error *err);

/* --- growth_decide.c --- */
int lagd_round_decide(struct lagd_round *round, struct lag_error *err);

/* --- growth_apply.c --- */
int lagd_round_apply(struct lagd_round *round, struct lag_error *err);

/* --- probe_job.c --- */
struct lagd_probe_result {
    int rc;                       /* as lag_probe_run */
    char reason[256];
    struct lag_error err;
    struct lag_state *state;      /* owned, when rc is 0 */
    int64_t t;
    double flops, loss_at_lag;
};
/* again: the candidate has ended before, its row stays as it is. round and its candidate must stay until the end. */
int lagd_probe_start(struct lagd_round *round, int index, bool again, struct lagd_probe **ret, struct lag_error *err);
/* Under run->lock. */
bool lagd_probe_ended(const struct lagd_probe *probe);
void lagd_probe_cancel(struct lagd_probe *probe);
/* Takes the result of an ended probe and frees it. ret NULL: dropped. */
void lagd_probe_finish(struct lagd_probe *probe, struct lagd_probe_result *ret);

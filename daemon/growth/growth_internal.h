/* The inside of a growth: growth_round.c (its phases), growth_probe.c (its candidates), growth_apply.c (the winner).
 * Thread: the run's, unless said otherwise. */
#pragma once
#include "growth/probe_internal.h"

#include <lagd/daemon/growth_request.h>

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
/* After a wish: LAG_ECANCELED for PAUSE, CANCEL and STOP; LAG_ESTATE when the growth has another state than before. */
int lagd_round_check(struct lagd_round *round, struct lag_error *err);

/* --- growth_decide.c --- */
int lagd_round_decide(struct lagd_round *round, struct lag_error *err);

/* --- growth_apply.c --- */
int lagd_round_apply(struct lagd_round *round, struct lag_error *err);

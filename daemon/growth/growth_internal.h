/* The inside of a growth: growth_round.c (its phases), growth_probe.c (its candidates), growth_rungs.c (who of them is
 * probed on), growth_apply.c (the winner).
 * Thread: the run's, unless said otherwise. */
#pragma once
#include "growth/probe_internal.h"

#include <lagd/daemon/growth_request.h>
#include <lagd/engine/allocate.h>

struct lagd_round {
    struct lagd_run *run;
    struct lagd_growth_request request;
    struct lag_probe_plan plan;
    struct lag_step_config step;          /* of candidates that grow: their sequences may be longer than the run's */
    struct lag_candidate_row *candidates; /* [n], by position, as stored */
    struct lagd_probe **probes;           /* [n], NULL where none is under way */
    int n, n_active;
    struct lag_state *best;               /* of the best eligible candidate that ended in this process (mode auto) */
    int best_index;                       /* -1: none */
    int ending;                           /* whose end is being stored; -1: of none */
    int64_t rungs[LAG_RUNGS_MAX];         /* [n_rungs]; none: every candidate goes to the lag */
    int n_rungs, n_looked;                /* of these, with a row */
    bool is_looked_out;                   /* the last row ends the probe */
    bool *arrived;                        /* [n]: at the present rung, in this process; its state is on disk */
};

/* --- growth_probe.c --- */
/* Phase probing: probes what has not ended yet, then decides. LAG_ESTATE: someone changed the growth. */
int lagd_round_probe(struct lagd_round *round, struct lag_error *err);
/* Probes one candidate again for its state; its rows are compared with what is computed. */
int lagd_round_rebuild(struct lagd_round *round, int index, struct lag_state **ret, struct lag_error *err);
/* After a wish: LAG_ECANCELED for PAUSE, CANCEL and STOP; LAG_ESTATE when the growth has another state than before. */
int lagd_round_check(struct lagd_round *round, struct lag_error *err);

/* --- growth_rungs.c --- */
/* Reads how far the looks are, of round->candidates. */
int lagd_round_read_rungs(struct lagd_round *round, struct lag_db *db, struct lag_error *err);
/* Is there a rung that the candidates are on their way to? */
bool lagd_round_has_rung(const struct lagd_round *round);
int64_t lagd_round_target(const struct lagd_round *round); /* that rung, or where the probe ends */
/* All that are on their way have arrived: stores what the allocator says, and follows it. */
int lagd_round_look(struct lagd_round *round, struct lag_error *err);

/* --- growth_decide.c --- */
int lagd_round_decide(struct lagd_round *round, struct lag_error *err);

/* --- growth_measure.c --- */
/* What the candidate's growth of the run's present state does to it. LAG_ECANCELED: the run is to stop. */
int lagd_round_measure(struct lagd_round *round, int index, struct lag_effect_row *ret, struct lag_error *err);

/* --- growth_apply.c --- */
int lagd_round_apply(struct lagd_round *round, struct lag_error *err);

/* From probe losses to the decision record, and the reading of those losses. The decision is a pure function of the
 * stored rows, so that it can be made again from them at any time. */
#pragma once
#include <lagd/daemon/ranking.h>
#include <lagd/engine/allocate.h>
#include <lagd/engine/train.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

/* The probe losses of a growth, candidates by position. candidates[i].state "diverged", "cancelled" or "failed" takes
 * it out of the ranking; one that was stopped is ranked up to there. */
struct lagd_curves {
    struct lag_growth_row growth;
    double delta; /* the difference that matters, as its request says */
    enum lag_allocator allocator;
    int64_t steps, max_steps, horizon; /* the lag and its limit, as asked; steps from the growth to the run's last */
    int64_t looks[LAG_RUNGS_MAX];      /* [n_looks]: the rungs that were looked at */
    int n_looks;
    struct lag_spec specs[2];          /* of the parent, of the grown model, … */
    struct lag_step_config step;       /* … and what a step of the latter sees; no more of it is set */
    double step_costs[2];              /* FLOPs of a training step: of the parent's shape, of the grown one */
    double last_p_end;                 /* as the last of them says */
    double p_end;                      /* for the decision; NaN until it is asked (lagd_p_end_know) */
    int n;
    struct lag_candidate_row *candidates; /* [n] */
    struct lag_curve *curves;             /* [n], pointing into the buffers */
    bool *preserving;                     /* [n]: keeps its parent's function */
    double *prior;                        /* [n]: places by the prior; NULL: the growth was told none */
    void **buffers;                       /* [2 n] */
};
/* Reads growth, candidates and losses. Thread: owner of db. *ret is owned: lagd_curves_destroy. */
int lagd_curves_load(struct lag_db *db, const char *growth_id, struct lagd_curves **ret, struct lag_error *err);
void lagd_curves_destroy(struct lagd_curves *curves);

/* The decision record: picks, the tied set, its basis, margin and gain, Kendall τ, FLOPs, the verdict in words.
 * decided_by "lag"; decided_ms is left 0, run_flops NaN. candidate "" = nobody may win (all diverged): the run goes on
 * as it was. Every living candidate must have been evaluated at t = growth.probe_steps, else LAG_ESTATE. Pure. */
int lagd_decide(const struct lagd_curves *curves, struct lag_decision_row *ret, struct lag_error *err);

/* The verdict in sentences: who is ahead, on what basis, what step 0 would have picked, whether growing has paid off,
 * and why the lag may be too short. Cut where ret ends. tied[n], means[n] and ranks[n] at the lag. Pure. */
void lagd_verdict_write(const struct lagd_curves *curves, const struct lag_verdict *verdict, const bool *tied,
                        const double *means, const int *ranks, char *ret, size_t size);

/* What an allocator says at the rung t, the next after those that the set knows: the row, and for each candidate its
 * fate and the words for it (of those that are stopped or taken up). decided_ms is left 0. LAG_ESTATE: not every
 * candidate that is on its way has been evaluated at t yet. Pure. */
struct lagd_rung_decision {
    struct lag_rung_row row;
    enum lag_step step;
    int64_t next; /* the rung after; 0: none */
    enum lag_fate fates[LAGD_STRATEGIES_MAX + 1];
    char words[LAGD_STRATEGIES_MAX + 1][256];
    double means[LAGD_STRATEGIES_MAX + 1]; /* at t; NaN: not there */
};
int lagd_rung_decide(const struct lagd_curves *curves, const double *p_end, struct lagd_rung_decision *ret,
                     struct lag_error *err);
/* The rungs of a growth, as its row and its request say; returns how many. */
int lagd_rungs_of(const struct lag_growth_row *growth, const struct lagd_growth_request *request,
                  int64_t ret[LAG_RUNGS_MAX]);

/* What the completed studies of this database say: at most the newest 64, without the one of id but (NULL: all). Reads
 * all their losses, unless the same studies were asked for before; *ret_n_studies: how many count. */
struct lag_calibration;
int lagd_calibration_load(struct lag_db *db, const char *but, struct lag_calibration *ret, int *ret_n_studies,
                          struct lag_error *err);
/* How likely the order of the leader at t and each other candidate is to hold to the end: ret_p_end[n]. NaN: not known,
 * as where there are fewer than three studies. */
int lagd_p_end_know(struct lag_db *db, const struct lagd_curves *curves, int64_t t, double *ret_p_end,
                    struct lag_error *err);
/* The rung that comes after those that the set knows; 0: none. */
int64_t lagd_rung_next(const struct lagd_curves *curves);

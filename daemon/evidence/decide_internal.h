/* From probe losses to the decision record, and the reading of those losses. The decision is a pure function of the
 * stored rows, so that it can be made again from them at any time. */
#pragma once
#include <lagd/daemon/ranking.h>
#include <lagd/engine/verdict.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

/* The probe losses of a growth, candidates by position. candidates[i].state "diverged", "cancelled" or "failed" takes
 * it out of the ranking. */
struct lagd_curves {
    struct lag_growth_row growth;
    double delta; /* the difference that matters, as its request says */
    int n;
    struct lag_candidate_row *candidates; /* [n] */
    struct lag_curve *curves;             /* [n], pointing into the buffers */
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

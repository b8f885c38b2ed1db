/* From probe losses to the decision record, and the reading of those losses. The decision is a pure function of the
 * stored rows, so that it can be made again from them at any time. */
#pragma once
#include <lagd/engine/lag.h>
#include <lagd/storage/rows.h>
struct lag_db;
struct lag_error;

/* The probe losses of a growth, candidates by position. candidates[i].state "diverged", "cancelled" or "failed" takes
 * it out of the ranking. */
struct lagd_curves {
    struct lag_growth_row growth;
    int n;
    struct lag_candidate_row *candidates; /* [n] */
    struct lag_curve *curves;             /* [n], pointing into the buffers */
    void **buffers;                       /* [2 n] */
};
/* Reads growth, candidates and losses. Thread: owner of db. *ret is owned: lagd_curves_destroy. */
int lagd_curves_load(struct lag_db *db, const char *growth_id, struct lagd_curves **ret, struct lag_error *err);
void lagd_curves_destroy(struct lagd_curves *curves);

/* The decision record: pick, runner-up, margin, Kendall τ, FLOPs and a verdict in one or two sentences. decided_by
 * "lag"; decided_ms is left 0. candidate "" = nobody may win (all diverged): the run goes on as it was. Every living
 * candidate must have been evaluated at t = growth.probe_steps, else LAG_ESTATE. Pure. */
int lagd_decide(const struct lagd_curves *curves, struct lag_decision_row *ret, struct lag_error *err);

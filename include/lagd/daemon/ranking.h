/* Verdicts made again from the stored rows of a growth. Thread: owner of db. */
#pragma once
#include <lagd/daemon/growth_request.h>
struct lag_db;

/* Ranking of a growth at probe step t, recomputed from the stored losses. */
struct lagd_ranking_entry {
    char candidate[LAG_ROW_ID], op[32];
    bool eligible;
    int rank, rank_at_0;
    double mean, margin_to_best, low, high;
};
struct lagd_ranking {
    int64_t t;                  /* the evaluated time used: the last one ≤ the asked */
    int n_entries;
    struct lagd_ranking_entry entries[LAGD_STRATEGIES_MAX + 1]; /* by rank, unranked last */
    double tau_0, tau_half;
    bool tied;
    int n_times;
    int64_t times[512];
};
/* t -1: the latest step that every living candidate has reached. LAG_ESTATE: not all have reached t. Thread: owner of
 * db. */
int lagd_ranking_compute(struct lag_db *db, const char *growth_id, int64_t t, struct lagd_ranking *ret,
                         struct lag_error *err);
/* The decision made again from the stored rows: equal to the stored one unless a person overrode it. */
int lagd_decision_recompute(struct lag_db *db, const char *growth_id, struct lag_decision_row *ret,
                            struct lag_error *err);

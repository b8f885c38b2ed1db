/* Verdicts made again from the stored rows of a growth. Thread: owner of db. */
#pragma once
#include <lagd/daemon/growth_request.h>
struct lag_db;

/* What a candidate is called beside the others: its operator; where another has the same, the first of its names; and
 * where these are the same, too, the operator with what of its strategy the others have not. */
#define LAGD_LABEL LAG_ROW_STRATEGY
void lagd_candidate_label(const struct lag_candidate_row *rows, int n, int index, char ret[LAGD_LABEL]);

/* Names of the bits of a decision's short_by, NULL-terminated: none_ahead, rewarm, warmup, decay,
 * evaluations. */
extern const char *const lagd_short_names[];

/* Ranking of a growth at probe step t, recomputed from the stored losses. */
struct lagd_ranking_entry {
    char candidate[LAG_ROW_ID], op[32], label[LAGD_LABEL];
    char stopped[256];          /* why its probe ended at a rung; "": it did not */
    bool eligible, tied;        /* tied: it cannot be told apart from the best */
    int rank, rank_at_0;        /* equal means share the lowest rank; 0: not ranked */
    double mean;                /* at t */
    double margin_to_best, low, high; /* over the tail of t (engine/verdict.h); NaN: not known */
};
struct lagd_ranking {
    int64_t t;                  /* the evaluated time used: the last one ≤ the asked */
    int n_entries;
    struct lagd_ranking_entry entries[LAGD_STRATEGIES_MAX + 1]; /* by rank, unranked last */
    double tau_0, tau_half;
    int n_tied, n_tail;         /* members of the tied set; evaluations that the margins rest on */
    bool tied;                  /* more than one member */
    double p_now;               /* at least so likely is the first one the best now; NaN: nobody is ranked */
    char basis[20];             /* what a decision at t would rest on */
    int n_candidates, n_reached; /* all, and those that have ended or were evaluated at the lag */
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

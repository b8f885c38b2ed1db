/* The prior: what growths of this database that were decided before say of operators. By operator, growth factor and
 * share of training done: how often each won, its ranks, and, where a study trained all to the end, its regret.
 *
 * Lags are the rankings at which growths were decided; finals are those at the horizon of completed studies. A win of
 * the first is a verified verdict, of the second an end from which no other can be told apart: a tie is never a win.
 * Ranks are among the candidates of a growth that may win, equal ones share the lowest; who diverged or was stopped is
 * last. Thread: any; where a database is read, its owner. */
#pragma once
#include <lagd/daemon/growth_plan.h>
struct lag_db;
struct lag_error;

#define LAGD_PRIOR_GROWTHS_MAX 256 /* the newest, that are read */
enum { LAGD_PRIOR_LEAST = 3 };     /* growths of a kind, before they are relied on */

/* Bins: a value lies in the first whose end it does not exceed. The last ends at infinity. */
#define LAGD_PRIOR_FACTORS 4
#define LAGD_PRIOR_SHARES 4
extern const double lagd_prior_factors[LAGD_PRIOR_FACTORS], lagd_prior_shares[LAGD_PRIOR_SHARES];
/* By how much the parameters of the blocks grow: the depth's ratio, where depth alone grows. */
double lagd_prior_factor(const struct lag_shape *from, const struct lag_shape *to);

/* One candidate of one growth. */
struct lagd_prior_case {
    int growth;                 /* which growth of the prior, from 0, newest first */
    bool is_final;
    char op[32];
    int factor, share;          /* bins */
    int rank, n_ranked;
    bool won;
    double regret, of_spread;   /* of finals; NaN: not known */
};
struct lagd_prior {
    int n_growths[2];           /* that lags and finals are of */
    size_t n_cases, capacity;
    struct lagd_prior_case *cases;
    int n_all;                  /* growths looked at and taken */
};
/* Adds a growth with its candidates, unless it says nothing: fewer than two ranked, or of a study that has not
 * completed. LAG_ENOMEM. */
int lagd_prior_add(struct lagd_prior *prior, const struct lag_prior_growth_row *growth,
                   const struct lag_prior_candidate_row *candidates, int n_candidates);
/* Of the newest LAGD_PRIOR_GROWTHS_MAX growths that have a decision. *ret: lagd_prior_deinit, also of zeros. */
int lagd_prior_load(struct lag_db *db, struct lagd_prior *ret, struct lag_error *err);
void lagd_prior_deinit(struct lagd_prior *prior);

/* Means over the cases of a kind; NaN: not known. */
struct lagd_prior_tally {
    int n_cases, n_wins;
    double mean_rank, mean_ranked; /* and of how many */
    double place;                  /* (rank - 1)/(ranked - 1): 0 first, 1 last */
    double regret, of_spread;
};
struct lagd_prior_entry {
    char op[32];
    int factor, share;
    struct lagd_prior_tally lags, finals;
};
/* The table: by operator, then factor, then share. *ret is owned: free(). LAG_ENOMEM. */
int lagd_prior_table(const struct lagd_prior *prior, struct lagd_prior_entry **ret, size_t *ret_n);

/* What is said of each candidate of a plan: finals where at least LAGD_PRIOR_LEAST growths of them know one of its
 * operators, else lags; of each first those with its factor and share, then with its factor, then any. Its place is
 * the mean of its operator's, one half counted as a case more; NaN: not known. Pure. */
void lagd_prior_rate(const struct lagd_prior *prior, double factor, double share, struct lagd_growth_plan *plan);
/* The same from the database, for a growth that begins at start of max_steps. */
int lagd_prior_know(struct lag_db *db, int64_t start, int64_t max_steps, struct lagd_growth_plan *plan,
                    struct lag_error *err);

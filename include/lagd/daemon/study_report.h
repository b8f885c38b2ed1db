/* What a study has found, computed anew from the rows of its growths whenever it is asked: the same to the last bit
 * each time. Thread: owner of db; what was made belongs to the caller. */
#pragma once
#include <lagd/daemon/ranking.h>
#include <lagd/daemon/study_findings.h>
#include <lagd/daemon/study_request.h>
#include <lagd/storage/studies.h>

/* A seed whose candidates have all come to the horizon, or diverged. */
struct lagd_study_seed {
    int64_t seed;
    char run[LAG_ROW_ID], run_name[LAG_ROW_NAME], growth[LAG_ROW_ID];
    char (*candidates)[LAG_ROW_ID]; /* [n_candidates] */
};
struct lagd_study_candidate {
    char op[32], label[LAGD_LABEL], strategy[LAG_ROW_STRATEGY];
    bool eligible, reference;
    int64_t n_params;
    double step_flops, learn_flops; /* of a training step; of what it learns before */
    double *means;                  /* [n_times] mean over the seeds of its loss then; NaN: some lack it */
    double *losses;                 /* [n_seeds][n_times] NaN: it was not evaluated then */
};
/* A baseline from scratch. */
struct lagd_study_scratch {
    int64_t seed;
    char run[LAG_ROW_ID], run_name[LAG_ROW_NAME], state[LAG_ROW_STATE];
    double step_flops;
    bool has_ended;                 /* it came to the step at which the study has it end, whatever it did then */
    int n_points;                   /* until there */
    int64_t *steps;                 /* [n_points] */
    double *losses;
};
/* Loss against the FLOPs that were spent to reach it, ascending. */
struct lagd_study_path {
    int n;
    double *flops, *losses; /* [n] */
};
/* What an allocator would have done with these candidates; what studies say of the end comes from the other ones. */
struct lagd_study_allocator {
    const char *name;           /* as in probe/allocator */
    int64_t lag, max_steps;     /* as it was asked */
    double regret, of_spread;   /* averaged over the seeds; NaN: not known */
    double probe_steps, share_of_all; /* of one seed; of what training all to the horizon takes */
    struct lagd_study_choice { int pick; int64_t t; double regret; const char *basis; } *choices; /* [n_seeds]; pick
                                   -1: nobody */
};
/* What verdicts of one basis were worth: of all candidates, in every seed, at up to LAGD_SAID_TIMES lags. */
enum { LAGD_SAID_TIMES = 24, LAGD_SAID_BASES = 8 };
struct lagd_study_said {
    const char *basis;
    int n, n_within_delta;      /* verdicts with a pick; those whose pick ends within delta of the best */
    double largest_regret;
};
struct lagd_study_result {
    struct lag_study_row study;
    struct lagd_study_request request;
    int n_planned;                  /* seeds that the study has */
    int n_seeds, n_candidates, n_scratch;
    struct lagd_study_seed *seeds;
    struct lagd_study_candidate *candidates;
    struct lagd_study_scratch *scratch;
    int n_times;
    int64_t *times;                 /* all at which candidates were evaluated, ascending */
    bool has_report;                /* at least one seed is there, and can be ranked */
    char why_not[256];              /* else: what is missing */
    struct lagd_study_findings report; /* its seeds are these, in their order */
    int prior_pick;                 /* what the prior would have picked: without one the first of the pool; -1 */
    int64_t prior_cases;            /* growths that it was made of, when the study's were asked for; 0: no prior */
    /* Growing: the parent, all candidates up to charged_lag (the sufficient lag, else the horizon), and then what that
     * lag picks. From scratch: the mean of the baselines that have ended. Empty: not known. */
    int64_t charged_lag;
    struct lagd_study_path grown, from_scratch;
    /* The loss that both reach, the higher of their two lowest; the FLOPs that reach it; the second over the first.
     * NaN: not known. */
    double equal_loss, grown_flops, scratch_flops, speedup;
    int n_allocators;
    struct lagd_study_allocator *allocators;
    int n_said;
    struct lagd_study_said said[LAGD_SAID_BASES]; /* of the bases that came up */
    void **owned;                   /* curves that the report's input pointed into */
    int n_owned;
};
int lagd_study_result_create(struct lag_db *db, const char *study, struct lagd_study_result **ret,
                             struct lag_error *err);
void lagd_study_result_destroy(struct lagd_study_result *result); /* takes NULL */

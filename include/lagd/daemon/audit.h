/* Audits: a study of an old decision, so that what it lost becomes known. It is made of the growth's own parent and
 * candidates, with the run's own seed, configuration and schedule, so that what trained in the growth trains again with
 * the same bits, and goes on to the step at which the run ends when the audit is made. It gives way to everything else
 * that wants to compute. Its FLOPs are those of its own runs, never the audited one's. Thread: owner of db. */
#pragma once
#include <lagd/daemon/study_request.h>

/* The request and plan of the audit of a growth. LAG_ENOTFOUND. LAG_ESTATE where it cannot be audited: it is not
 * applied, is of a study, has an audit, its parent's checkpoint is gone, or too few steps are left; the text says
 * which. *ret_request and *ret_plan are owned: free(), lagd_study_plan_destroy. */
int lagd_audit_plan_read(struct lag_db *db, const char *growth_id, int n_threads,
                         struct lagd_study_request **ret_request, struct lagd_study_plan **ret_plan,
                         struct lag_error *err);

/* What the audit of a decision tells. */
struct lagd_audit {
    char state[LAG_ROW_STATE];   /* "" = there is none; wanted, refused, or that of its study */
    char reason[LAG_ROW_TEXT];
    char study[LAG_ROW_ID], study_name[LAG_ROW_NAME]; /* "" before it is made */
    /* Once the study is completed: final loss of what was applied above the best, with its interval of 95 % over the
     * validation batches, and over the range of the finals. NaN: not known. */
    double regret, low, high, of_spread;
    char best[LAG_ROW_ID];       /* the growth's own candidate that ended best; "" = not known */
    double flops;                /* spent by the audit's candidates so far; NaN = no study */
};
int lagd_audit_read(struct lag_db *db, const struct lag_growth_row *growth, struct lagd_audit *ret,
                    struct lag_error *err);

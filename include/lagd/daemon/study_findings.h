/* What the curves of a study say: the engine's report, told to those who do not know the engine. Losses in nats, times
 * in steps since the growth; NaN: not known, or it means nothing here. Thread: any. */
#pragma once
#include <stdint.h>
struct lag_study_report;
struct lag_error;

/* Of the learning rate: until the longest re-warm or warm-up of all that are ranked is over, and once the first decay
 * has begun. */
enum lagd_phase { LAGD_PHASE_WARM, LAGD_PHASE_CONSTANT, LAGD_PHASE_DECAY, LAGD_N_PHASES };
extern const char *const lagd_phase_names[]; /* NULL-terminated: "warm", "constant", "decay" */

/* Loss at t against final loss, averaged over the seeds. Pair accuracy is (τ_b + 1)/2, with its interval of 95 %. */
struct lagd_study_agreement {
    double pearson, spearman, tau_b, pair_accuracy, low, high;
    double beyond_delta;              /* pair accuracy over the pairs that end further apart than delta */
    double without_low, without_high; /* the least and most of it when any one candidate is left out */
};
/* Final loss of the pick minus the best final, averaged over the seeds, with its interval of 95 %. */
struct lagd_study_regret {
    int pick, n_picked;               /* most often picked, and in how many seeds; -1: nobody */
    double regret, low, high;
    double of_spread;                 /* over the range of the finals; 1: the worst */
    double probe_steps, probe_flops;  /* of all candidates, `none` too, up to t; of one seed */
    double lost_flops;                /* of these, without the pick's own */
};
struct lagd_study_point {
    int64_t t;
    double share; /* of the horizon */
    enum lagd_phase phase;
    struct lagd_study_agreement agreement;
    struct lagd_study_regret regret;
};
/* A break of pair accuracy into two levels. */
struct lagd_study_break {
    int64_t t, before;      /* the first evaluation of the new level, and the last of the old one; -1: no break */
    int64_t low, high;      /* it lies in (low, high], 95 %; -1: not asked */
    double level_before, level_after, height, height_low, height_high;
    enum lagd_phase into;   /* the phase that begins there; WARM: none does */
};
struct lagd_study_findings {
    int n_points, n_seeds, n_candidates;
    struct lagd_study_point *points; /* every t that all ranked share, ascending; the last is the horizon */
    double *finals;     /* [n_seeds][n_candidates]; NaN: diverged, or not evaluated at the horizon */
    int *n_tied;        /* [n_points][n_seeds] how many tie for the pick */
    int n_diverged;
    double spread, random, prior, ceiling, ceiling_accuracy;
    struct lagd_study_break transition; /* within the constant learning rate; t = -1: none */
    struct lagd_study_break largest;    /* over all times */
    int64_t sufficient_steps;   /* from this t on the upper bound of the regret stays within delta; -1: from none */
    double sufficient_share;    /* of the horizon; NaN */
};
/* Copies the engine's report. LAG_ENOMEM; *ret is as it was then. */
int lagd_study_findings_init(const struct lag_study_report *report, struct lagd_study_findings *ret,
                             struct lag_error *err);
void lagd_study_findings_deinit(struct lagd_study_findings *findings);

/* What a study shows: candidates that were trained to the horizon, and what each lag would have picked of them.
 *
 * Pure, as lag.h: a report that is made again from the stored rows is the same to the last bit, in whatever order the
 * groups come; the bootstrap draws by Philox with a fixed key. Losses in nats, times in steps since the growth. NaN:
 * not known, or it means nothing here. A report owns its arrays; the input stays the caller's. Thread: any.
 *
 * Ranked in a group is who is eligible, no reference, and has not diverged in it. `none` is never ranked or picked. */
#pragma once
#include <lagd/engine/verdict.h>

enum { LAG_STUDY_CANDIDATES = 256, LAG_STUDY_DRAWS = 1000 };

/* One seed × parent: the same candidates in the same order in each group, on the group's own batches. */
struct lag_study_group {
    const struct lag_curve *curves; /* [n_candidates] */
    int n_batches;
};
struct lag_study {
    int n_groups, n_candidates;     /* ≥ 1; at most LAG_STUDY_CANDIDATES */
    const struct lag_study_group *groups;
    int64_t horizon;                /* H: the finals are the losses then */
    double delta;                   /* a smaller difference does not matter */
    const double *step_flops;       /* [n_candidates] of one training step; NULL: not known */
    int prior;                      /* the candidate that the prior would pick; -1: none */
};

/* Of the learning rate: until the longest re-warm or warm-up of all that are ranked is over, and once the first decay
 * has begun. An evaluation at t has seen the updates 0 … t - 1. */
enum lag_phase { LAG_PHASE_WARM, LAG_PHASE_CONSTANT, LAG_PHASE_DECAY, LAG_N_PHASES };
extern const char *const lag_phase_names[]; /* NULL-terminated: "warm", "constant", "decay" */

/* Loss at t against final loss. Correlations are over the ranked of each group, then averaged over the groups in which
 * they are known (not: fewer than two, or all equal). Pair accuracy is (τ_b + 1)/2.
 * The interval (95 %) is of the pair accuracy, by draws with replacement: of candidates, the same in each group, and of
 * groups. What the groups' few candidates leave open is counted once, with the candidates; the groups' own part is
 * widened to Student's t of so few. Of fewer than three candidates only groups are drawn, of one group only candidates;
 * NaN where neither can be. An order that every group keeps whole has an interval of no width. */
struct lag_study_agreement {
    double pearson, spearman, tau_b, pair_accuracy, low, high;
    double beyond_delta;              /* pair accuracy over the pairs whose finals in the group differ by > delta */
    double without_low, without_high; /* the least and most pair accuracy when any one candidate is left out */
};
/* What is lost by picking at t: final loss of the pick minus the best final. The pick of a group has the lowest mean
 * then; of exact ties the mean regret. Averaged over groups. The interval (95 %, never below 0) is by draws of groups,
 * widened to Student's t; and at least as wide as the batches of the finals leave open, by lag_compare of the pick with
 * each other candidate: the largest upper bound, and the largest lower one at 5 %/(n - 1), averaged over groups. One
 * group: the batches alone. A few groups do not know of a regret that none of them had. */
struct lag_study_regret {
    int pick, n_picked;               /* most often picked, the first of equal ones, and in how many groups; -1 */
    double regret, low, high;
    double of_spread;                 /* regret over the range of the group's finals, averaged; 1: the worst */
    double probe_steps, probe_flops;  /* `all@t`: all candidates, `none` too, up to t or where they diverged; a group */
    double lost_flops;                /* of these, without the pick's own */
};
struct lag_study_point {
    int64_t t;
    double share; /* t/H */
    enum lag_phase phase;
    struct lag_study_agreement agreement;
    struct lag_study_regret regret;
};

/* A break of pair accuracy into two levels, by least squares; each time weighs as much as its part of the axis of
 * log t. At least two evaluations lie on either side; 0 and H, where the order is that of the finals, on neither. */
struct lag_study_break {
    int64_t t, before;      /* the first evaluation of the new level, and the last of the old one; -1: no break */
    int64_t low, high;      /* the break lies in (low, high], 95 %; -1: not asked */
    double level_before, level_after;
    double height, height_low, height_high; /* 95 % over all places at once, as the place was chosen by the data */
    enum lag_phase into;    /* DECAY or CONSTANT when the learning rate changed its phase within (before, t]: a jump at
                               the schedule, not a transition; else WARM */
};

struct lag_study_report {
    int n_points, n_groups, n_candidates;
    struct lag_study_point *points; /* every t ≥ 0 that all ranked share, ascending; the last is H */
    double *finals;     /* [n_groups][n_candidates]; NaN: diverged, or (a reference) not evaluated at H */
    int *picks;         /* [n_points][n_groups] the pick, the first of exact ties */
    int *n_tied;        /* [n_points][n_groups] how many tie for it */
    int *n_ranked;      /* [n_groups] */
    int n_diverged;     /* over all groups; who diverged is left out of them, at every t */
    double spread;      /* range of the finals, averaged over the groups */
    double random, prior;       /* regret of a random pick, and of the prior's (NaN: none, or it is not ranked) */
    double ceiling;     /* reliability of the finals, 0 … 1: split halves of the batches by Spearman and Brown, the mean
                           over all ways to halve them (Cronbach's α), averaged over the groups */
    double ceiling_accuracy;    /* the pair accuracy of so reliable finals with a second measurement of them */
    struct lag_study_break transition; /* within the constant learning rate; t = -1: none, it may be no rise */
    struct lag_study_break largest;    /* over all times; into says whether it is a jump at the schedule */
    int64_t sufficient_steps;   /* from this t < H on the upper bound of the regret stays ≤ delta; -1: from none */
    double sufficient_share;    /* of H; NaN */
};
/* A group with fewer than two ranked counts in nothing but finals and n_ranked. LAG_EINVAL: no other group, too many
 * candidates, or a ranked one that was not evaluated at H. LAG_ENOMEM. Both leave *ret as it was. 100 candidates, 20
 * groups, 200 times and 512 batches take about 4 s, 10 candidates, 6 groups and 40 times 20 ms: time goes with groups ×
 * times × candidates². */
int lag_study_report_init(const struct lag_study *study, struct lag_study_report *ret);
void lag_study_report_deinit(struct lag_study_report *report);

/* Loss against FLOPs, flops > 0 and ascending; between two of them loss is taken to be straight over log FLOPs. */
struct lag_flops_curve { int n; const double *flops, *loss; };
/* ret[n]: a candidate's FLOPs at t[n], when charged (base, evaluations, lost_flops of the losers) were spent before. */
void lag_charge_flops(const int64_t *t, int n, double charged, double step_flops, double *ret);
double lag_loss_at_flops(const struct lag_flops_curve *curve, double flops); /* NaN outside of the curve */
double lag_flops_at_loss(const struct lag_flops_curve *curve, double loss);  /* the first so low; NaN: never */
/* FLOPs that scratch takes over those that the curve takes, at the lowest loss that both reach; NaN, and *ret_loss
 * untouched, where one has no point. */
double lag_speed_up(const struct lag_flops_curve *curve, const struct lag_flops_curve *scratch, double *ret_loss);

/* What a probe allows to say: pairs of candidates over the tail of a probe, the set that cannot be told apart, and the
 * verdict. Pure, as lag.h: a verdict can be made again from the stored rows alone. Losses in nats. Thread: any. */
#pragma once
#include <lagd/engine/lag.h>

#define LAG_ALPHA 0.05 /* the chance of a wrong verdict that all looks at one probe share */
/* The part of LAG_ALPHA that look r = 1, 2, … may use: 6 α / (π² r²), which adds up to α. */
double lag_alpha_at_look(int look);

/* The evaluations that a comparison at t rests on: the shared ones in (t/2, t] on as many batches as the one at t, all
 * inside one phase of the learning rate. One evaluation alone is a single draw of a curve that wobbles. */
enum { LAG_TAIL_MAX = 512 };
struct lag_tail {
    int n;                     /* 0: t is not shared */
    int64_t t[LAG_TAIL_MAX];   /* ascending, the last is t; the latest ones where there are more */
};
void lag_tail_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, struct lag_tail *ret);

/* The difference a - b over B batches and m evaluations. Its variance is S_b²/B + (1 + 2 ρ₁) S_u²/m: S_b² over batches
 * of the means over time; S_u² over times of the means over batches, their linear trend removed (m ≥ 3), and ρ₁ ≥ 0
 * their autocorrelation at lag 1. m = 1: the first term alone. Degrees of freedom by Welch and Satterthwaite. */
struct lag_pair {
    double mean, se; /* se infinite: one batch proves nothing */
    int df;
};
/* NaN when a curve lacks an evaluation of the tail. */
struct lag_pair lag_compare(const struct lag_curve *a, const struct lag_curve *b, int n_batches,
                            const struct lag_tail *tail);
/* cheap after lag steps minus dear after the steps that cost as much, *ret_t, between two of its evaluations by log t;
 * over the batches that all of these have. NaN, and NaN: the costs are equal or not known. */
struct lag_pair lag_compare_costs(const struct lag_curve *dear, const struct lag_curve *cheap, int n_batches,
                                  int64_t lag, double *ret_t);
struct lag_interval { double mean, low, high; };
struct lag_interval lag_pair_interval(const struct lag_pair *pair, double confidence); /* two-sided Student t */
/* Student's P(mean of the pair > 0), from what was seen: 0.5 of an exact tie. */
double lag_pair_chance(const struct lag_pair *pair);
/* Is a - b above 0 at this one-sided error? */
bool lag_pair_beats(const struct lag_pair *pair, double alpha);

/* What kind of decision it is. */
enum lag_basis {
    LAG_BASIS_VERIFIED,           /* one candidate is left, the best against all others, and growing has paid off */
    LAG_BASIS_PROVISIONAL,        /* one is left, but something of that is missing: the flags of lag_short say what */
    LAG_BASIS_TIED,               /* several cannot be told apart */
    LAG_BASIS_NOTHING_TO_DECIDE,  /* nor do they differ by as much as matters */
    LAG_BASIS_PERSON,             /* a person chose another one */
    LAG_N_BASES
};
extern const char *const lag_basis_names[]; /* NULL-terminated: "verified", … */

/* Why a lag is too short to trust the ranks. */
enum lag_short {
    LAG_SHORT_NONE_AHEAD = 1, /* the leader has not beaten `none` at the last two evaluations */
    LAG_SHORT_REWARM = 2,     /* a re-warm of the learning rate reaches up to the lag */
    LAG_SHORT_WARMUP = 4,     /* a warm-up does: of the run, or of a restart */
    LAG_SHORT_DECAY = 8,      /* the schedule's decay begins before the lag */
    LAG_SHORT_EVALUATIONS = 16, /* the tail has fewer than LAG_TAIL_LEAST evaluations, and for none of these reasons */
    LAG_SHORT_FLOPS = 32 /* not growing may be picked, and is not behind at equal FLOPs */
};
enum { LAG_TAIL_LEAST = 3 }; /* with fewer it is not known how a curve wobbles beside its trend */

struct lag_rule {
    double delta; /* a smaller difference does not matter */
    int look;     /* how many verdicts on this probe before, and this one */
    double p_end; /* chance that the order holds to the end of training; NaN: not known */
    const double *prior; /* [n_curves] places, 0 first to 1 last, NaN: not known; NULL: there is no prior */
};

struct lag_verdict {
    int pick;                   /* what the rule takes; -1: nobody may win */
    int pick_at_0, n_at_0;      /* with the lowest loss at t = 0, the first of n_at_0 equal ones; -1 = none eligible */
    int pick_at_lag, runner_up; /* with the lowest at the lag, and the next; -1 = none */
    double margin, margin_low, margin_high; /* runner-up minus pick_at_lag over the tail, at 95 %; NaN when alone */
    double gain, gain_low, gain_high;       /* `none` minus pick over the tail; NaN: it is `none`, or there is none */
    /* The same at equal FLOPs, where steps of the two cost different amounts: `none` at the lag, the pick (or, where
     * this made `none` the pick, pick_at_lag) at its step gain_flops_t. */
    double gain_flops, gain_flops_low, gain_flops_high, gain_flops_t;
    double p_now;               /* at least so likely is pick_at_lag the best of all now: 1 - Σ P(another is better);
                                   of one that was stopped, when it was */
    double range;               /* of the tied set's means over the tail */
    int n_tail, n_tied;         /* evaluations in the tail; members of the tied set */
    bool by_prior;              /* there was nothing to decide, and the prior knows one of the set */
    int n_stopped, n_open;      /* that an allocator stopped, and those of them that the pick did not beat then */
    enum lag_basis basis;
    unsigned lag_short;         /* enum lag_short, together */
    double tau_half, tau_0;     /* Kendall τ_b of the ranks at about lag/2, and at t = 0, with those at the lag; NaN:
                                   under two candidates */
};
/* The verdict at t = lag: any time that all candidates which have not diverged share. ret_tied[n_curves]: the tied set:
 * every candidate that no other beats at α_r / (n - 1), one-sided, and pick_at_lag. Of a set of several that differ by
 * less than delta the first by the prior is taken, who is not known being in the middle; of equal ones, and without a
 * prior, the first by index. Verified: nothing but the pick is in the set, it beats every other at
 * α_r / 2, and beat every stopped one so when that was stopped, no flag of lag_short is up, and p_end is unknown or at
 * least 0.9.
 * Sizes that differ are never judged by loss at equal steps alone: where `none` may be picked and is ahead at equal
 * FLOPs at 95 %, it is the pick, provisionally.
 * LAG_EINVAL where they do not share it; nothing is written then. Where all have diverged nobody wins. */
int lag_select(const struct lag_curve *curves, int n_curves, int n_batches, int64_t lag, const struct lag_rule *rule,
               struct lag_verdict *ret, bool *ret_tied);

/* --- what a pick has lost, at an evaluation t that all have, as the last of a study --- */

/* Of the pick's regret, by the batches at t: it is at least every difference to another candidate, and the largest of
 * them. 95 %, the lower bound at 5 %/n_others; never below 0. */
void lag_regret_bounds(const struct lag_curve *pick, const struct lag_curve *const *others, int n_others, int n_batches,
                       int64_t t, double *ret_low, double *ret_high);
enum { LAG_REGRET_CURVES = 256 };
struct lag_regret {
    int best;                      /* with the lowest loss of pick and all eligible ones; -1: nobody was evaluated */
    double regret, low, high;      /* loss of the pick above it, with its interval; NaN: not known */
    double of_spread;              /* over the range of their losses; NaN: they are equal */
};
/* Who has diverged, or was not evaluated at t, is left out. The pick need not be eligible, as not growing. */
void lag_regret_of(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, int pick,
                   struct lag_regret *ret);

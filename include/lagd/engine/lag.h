/* Landscape-Aware Growing (Karp, Saunshi, Miryoosefi, Reddi, Kumar, arXiv 2406.02469): rank candidates by their loss
 * after a small lag of training instead of at initialisation.
 *
 * The functions of this header are pure: numbers in, verdict out; no clock, lock, disk or log, so a verdict can be
 * recomputed from the stored rows alone. Losses are in nats. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* One candidate's validation losses: t[n_evals] (increasing, t[0] = 0), losses[n_evals][n_batches] on the same batches
 * for all candidates. */
struct lag_curve {
    bool eligible;  /* may win; the reference `none` only when allowed */
    bool diverged;  /* dropped: never ranked, never wins */
    int64_t rewarm_steps;
    int n_evals;
    const int64_t *t;
    const double *losses;
};

struct lag_verdict {
    int pick_at_0, pick_at_lag; /* candidate with the lowest mean loss at t = 0 and at the lag; -1 = none eligible */
    int runner_up;              /* second at the lag, -1 when alone */
    double margin;              /* runner-up minus winner at the lag, mean over batches; NaN when alone */
    double margin_low, margin_high; /* 95 % interval of the paired differences (Student t) */
    bool tied;                  /* the interval contains 0 */
    double tau_half; /* Kendall τ_b between the ranks at about lag/2 and at the lag; NaN: under two candidates */
    double tau_0;               /* the same between t = 0 and the lag */
    bool lag_short;             /* lag ≤ the longest re-warm, or the winner is still above the parent's loss at t = 0 */
};
/* The verdict at t = lag: any time that all candidates which have not diverged share, not only the end of their probes.
 * LAG_EINVAL where they do not share it. parent_loss: validation loss of the parent (candidate none at t = 0), NaN when
 * unknown. Equal means are ordered by candidate index. Where all have diverged nobody wins. */
int lag_select(const struct lag_curve *curves, int n_curves, int n_batches, int64_t lag, double parent_loss,
               struct lag_verdict *ret);
/* ret_mean[n_curves] at t (NaN: diverged, or t not evaluated) and ret_rank[n_curves]: 1 = best; 0 = not
 * ranked: diverged, not evaluated at t, or not eligible. The correlations leave out the same ones. */
void lag_rank_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, double *ret_mean,
                 int *ret_rank);
/* Kendall's τ_b between the means at two times, over the candidates that are ranked at both. */
double lag_tau_between(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t_a, int64_t t_b);

/* A curve's losses [n_batches] at t, borrowed; NULL: not evaluated then. */
const double *lag_losses_at(const struct lag_curve *curve, int n_batches, int64_t t);
/* The latest t ≤ limit at which every candidate that has not diverged was evaluated. -1: none, or all diverged. */
int64_t lag_shared_time(const struct lag_curve *curves, int n_curves, int64_t limit);
/* The latest ones of these times, at most size, in ascending order; returns how many. */
int lag_shared_times(const struct lag_curve *curves, int n_curves, int64_t limit, int64_t *ret, int size);
/* The shared time nearest to lag/2 from below; 0 when there is none. */
int64_t lag_half_time(const struct lag_curve *curves, int n_curves, int64_t lag);
/* Every t at which any of them was evaluated, once, in ascending order; returns how many. ret has room for the n_evals
 * of all curves together. */
int lag_evaluated_times(const struct lag_curve *curves, int n_curves, int64_t *ret);

#define LAG_CONFIDENCE 0.95 /* of the intervals in verdicts and rankings */
double lag_mean(const double *x, int n); /* NaN of none */
/* Kendall's τ_b (ties handled; Kendall 1945) of two score vectors; NaN when n < 2 or one is constant. */
double lag_kendall_tau(const double *a, const double *b, int n);
/* Spearman's ρ with mean ranks. */
double lag_spearman(const double *a, const double *b, int n);
struct lag_interval { double mean, low, high; };
/* Mean of a[i] - b[i] and its two-sided Student-t interval; n = 1 gives an infinite interval. */
struct lag_interval lag_paired_interval(const double *a, const double *b, int n, double confidence);

/* When a probe evaluates and on how many batches. */
struct lag_probe_plan {
    int64_t steps;    /* k, the lag */
    int n_times;
    int64_t *times;   /* 0, 1, 2, 4, 8 …, every eval_every, k/2, k */
    int n_batches;    /* per evaluation, as many as the share allows, at least 2, at most wanted */
    int eval_sequences; /* windows a batch */
    double eval_share;/* evaluation's part of the probe's FLOPs, as planned */
};
/* step_tokens: tokens of one training step; context: tokens a window. max_share 0.25 by default. To fit the
 * share it takes fewer batches (down to 2), then drops powers of two from the largest, then every other multiple of
 * eval_every; 0 and k stay, so a very short probe may exceed it. LAG_EINVAL: a number < 1, or a share outside
 * (0, 1]. */
int lag_probe_plan_init(int64_t steps, int64_t eval_every, int wanted_batches, double max_share, int64_t step_tokens,
                        int batch, int context, struct lag_probe_plan *ret);
int lag_probe_plan_copy(const struct lag_probe_plan *plan, struct lag_probe_plan *ret); /* LAG_ENOMEM */
void lag_probe_plan_deinit(struct lag_probe_plan *plan);
/* n when a re-warm is asked without a length: min(50, lag/4), at least 1. */
int64_t lag_default_rewarm(int64_t lag);

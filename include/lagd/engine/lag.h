/* Landscape-Aware Growing (Karp, Saunshi, Miryoosefi, Reddi, Kumar, arXiv 2406.02469): rank candidates by their loss
 * after a small lag of training instead of at initialisation.
 *
 * The functions of this header are pure: numbers in, verdict out; no clock, lock, disk or log, so a verdict can be
 * recomputed from the stored rows alone. Losses are in nats. Thread: any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* One candidate's validation losses: t[n_evals] (increasing, t[0] = 0), losses[n_evals][n_batches] on the same batches
 * for all candidates. Evaluations are finite; NaN stands for a batch that an evaluation left out. */
struct lag_curve {
    bool eligible;  /* may win; the reference `none` only when allowed */
    bool reference; /* the candidate that does not grow */
    bool diverged;  /* dropped: never ranked, never wins */
    int stopped;    /* an allocator ended its probe at its last evaluation, in the look of this number; 0: it did not.
                       It is ranked up to there, and what is shared after is shared by the others */
    /* Where its learning rate changes its kind, in steps since the growth: a re-warm or warm-up is over at its end, the
     * schedule's decay begins at decays_from (INT64_MAX: never). */
    int64_t rewarm_steps, warmup_steps, decays_from;
    double step_cost; /* FLOPs of a training step; 0: not known, taken to be that of the others */
    double start_cost; /* FLOPs before its first step, of learning how it grows */
    int n_evals;
    const int64_t *t;
    const double *losses;
};

/* ret_mean[n_curves] at t (NaN: diverged, or t not evaluated) and ret_rank[n_curves]: 1 = best, equal means share the
 * lowest rank; 0 = not ranked: diverged, not evaluated at t, or not eligible. The correlations leave out the same
 * ones. */
void lag_rank_at(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t, double *ret_mean,
                 int *ret_rank);
/* Kendall's τ_b between the means at two times, over the candidates that are ranked at both. */
double lag_tau_between(const struct lag_curve *curves, int n_curves, int n_batches, int64_t t_a, int64_t t_b);

/* A curve's losses [n_batches] at t, borrowed; NULL: not evaluated then. */
const double *lag_losses_at(const struct lag_curve *curve, int n_batches, int64_t t);
/* The latest t ≤ limit at which every candidate was evaluated that has neither diverged nor been stopped. -1: none. */
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
/* Of a row of losses: the mean of the batches that were evaluated, NaN of none, and how many they are. */
double lag_loss_mean(const double *losses, int n_batches);
double lag_small_mean(const double *losses, int n_batches, int stride); /* of the batches 0, stride, 2 stride … */
int lag_loss_count(const double *losses, int n_batches);
/* Kendall's τ_b (ties handled; Kendall 1945) of two score vectors; NaN when n < 2 or one is constant. */
double lag_kendall_tau(const double *a, const double *b, int n);
/* Spearman's ρ with mean ranks, and Pearson's r; NaN as above. */
double lag_spearman(const double *a, const double *b, int n);
double lag_pearson(const double *a, const double *b, int n);
/* When a probe evaluates, and on what. An evaluation is small, on what its run validates on (data.h, lag_eval_set), or
 * full, on stride times as much. */
struct lag_probe_plan {
    int64_t steps;    /* the last time: k, the lag, or as far as an allocator may lead beyond it */
    int n_times, n_full;
    int64_t *times;   /* 0, k and k/2; up to three more of the last half, multiples of eval_every where it has them;
                         the same of each rung (allocate.h); then 1, 2, 4, 8 … and every eval_every */
    bool *full;       /* [n_times]: the first row of these is full, the rest small */
    int n_batches, stride; /* of the full set; a small evaluation takes every stride-th batch */
    int eval_sequences; /* windows a batch: as many as a training batch has sequences */
    int window;         /* tokens a window */
    double eval_share;/* evaluation's part of the probe's FLOPs, as planned */
};
struct lag_probe_ask {
    int64_t steps, eval_every;
    int64_t first_rung, max_steps; /* as lag_rungs takes them; 0: k is looked at alone */
    int run_batches;    /* of the run's own validation: the small set */
    int wanted_batches; /* of a full evaluation, at most: in multiples of run_batches, and at least these */
    double max_share;   /* of the probe's FLOPs, for evaluation */
    int64_t step_tokens;/* of one training step */
    int rows, context;  /* windows of a batch, tokens of a window */
};
/* What decides comes first: the full evaluations, on as many batches as fit into half of the share (at least the small
 * set), then small ones as far as the share goes. Where even the least does not fit, the others of the last half go,
 * then k/2; 0, the rungs and k stay, so a short probe may exceed the share. LAG_EINVAL: a number < 1, a share outside
 * (0, 1], or k before the first rung. */
int lag_probe_plan_init(const struct lag_probe_ask *ask, struct lag_probe_plan *ret);
int lag_probe_plan_copy(const struct lag_probe_plan *plan, struct lag_probe_plan *ret); /* LAG_ENOMEM */
void lag_probe_plan_deinit(struct lag_probe_plan *plan);
/* Steps of a re-warm that is asked without a length. They do not depend on the lag: the first steps of a strategy are
 * the same for every lag. */
#define LAG_REWARM_STEPS 50

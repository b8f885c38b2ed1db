/* How likely an order of two candidates holds to the end of training, by what stored studies saw. Pure, as lag.h.
 * Thread: any. */
#pragma once
#include <lagd/engine/study.h>
#include <stddef.h>

/* An order of two candidates, as a probe at t sees it. The leader is ahead in the mean over the tail at t. */
struct lag_order {
    double z;         /* mean over the standard error of lag_compare over the tail, ≥ 0; infinite: certain */
    double share;     /* t/H */
    enum lag_phase phase;
    bool beyond_none; /* the leader's mean is below that of `none` at t and at the evaluation before */
    bool kinds_differ;/* one of them preserves its parent's function and one does not */
};
struct lag_kept_row {
    int study;        /* rows of one study stand together: it is the cluster */
    struct lag_order order;
    double kept;      /* was the leader ahead at the horizon? 1, 0, or 0.5 of an exact tie */
};

/* The orders of every pair of ranked candidates, at every t < H that all groups share. Of more than 24 times some are
 * taken, evenly on log t, and of more than LAG_KEPT_ROWS rows about so many, by fixed draws. Pairs that tie at t have
 * no order. preserving[n_candidates]; NULL: all alike. number: what rows call the study. *ret is the caller's to free,
 * NULL when there are none. LAG_EINVAL and LAG_ENOMEM as lag_study_report_init; nothing is written then. A study of the
 * largest size takes about 3 s. */
enum { LAG_KEPT_ROWS = 8192 };
int lag_study_orders(const struct lag_study *study, const bool *preserving, int number, struct lag_kept_row **ret,
                     size_t *ret_n);

/* The share of orders that were kept among those like it; its interval (95 %) is Wilson's for so many independent
 * orders as the differences between studies allow: at most one a study where they all agree. */
struct lag_kept {
    double p, low, high;     /* NaN: too few are known */
    int n_studies;
    double n_pairs;
};
enum { LAG_KEPT_STUDIES = 3, LAG_KEPT_PAIRS = 30 }; /* fewer, and nothing is said */
enum { LAG_Z_BINS = 5, LAG_SHARE_BINS = 5, LAG_KEPT_CELLS = 2 * 2 * 3 * 25 + 2 * 3 * 25 + 2 * 25 + 25 + 5 };
extern const double lag_z_edges[LAG_Z_BINS - 1], lag_share_edges[LAG_SHARE_BINS - 1]; /* a bin holds its lower edge */

/* Sums over the rows of a cell, by study: of rows n and kept rows k. */
struct lag_kept_cell { double n, kept, n_n, n_kept, kept_kept; int n_studies; };
struct lag_calibration { struct lag_kept_cell cells[LAG_KEPT_CELLS]; };
/* skip: a study that is left out; -1: none. */
void lag_calibrate(const struct lag_kept_row *rows, size_t n, int skip, struct lag_calibration *ret);
/* Of the orders like this one: first in all five, then without kinds, without phase, without beyond_none, and by share
 * alone: the first of these that has enough studies and pairs. NaN where none has. */
struct lag_kept lag_p_end(const struct lag_calibration *calibration, const struct lag_order *order);
/* A probe at t, a time that all who are on their way share; it grew horizon steps before the end of training. */
struct lag_probe_view {
    const struct lag_curve *curves;
    int n_curves, n_batches;
    int64_t t, horizon;
    const bool *preserving; /* [n_curves]; NULL: all alike */
};
/* The chance that the order of the leader and each other one holds: ret_p_end[n_curves]. Where the other is ahead over
 * the tail, that its order does not. NaN: not known, or it is not ranked. */
void lag_p_end_of_leader(const struct lag_calibration *calibration, const struct lag_probe_view *view, int leader,
                         double *ret_p_end);
/* By z and share alone, for a table; n_pairs is 0 where there are none. */
struct lag_kept lag_kept_bin(const struct lag_calibration *calibration, int z_bin, int share_bin);

/* Brier score of p_end: of each study by the others (from two on), the mean of (p - kept)², averaged over studies; and
 * of one p for all, the others' share. NaN of fewer than LAG_KEPT_STUDIES studies, or where nothing was said. */
struct lag_brier { double score, of_share; int n_studies; };
struct lag_brier lag_brier_of(const struct lag_kept_row *rows, size_t n);

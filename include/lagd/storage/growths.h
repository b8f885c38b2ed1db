/* Queries of growths, candidates, probe losses and decisions. Conventions as in runs.h. */
#pragma once
#include <lagd/storage/rows.h>
#include <stddef.h>
struct lag_db;
struct lag_error;

int lag_growth_insert(struct lag_db *db, const struct lag_growth_row *row, struct lag_error *err);
int lag_growth_get(struct lag_db *db, const char *id, struct lag_growth_row *ret, struct lag_error *err);
/* Oldest first; run_id NULL = all. */
int lag_growth_list(struct lag_db *db, const char *run_id, int limit,
                    int (*each)(const struct lag_growth_row *, void *), void *arg, struct lag_error *err);
/* The first of a run's that are queued, by the step asked for and then by age: 1 with its id, 0 = none. */
int lag_growth_first_queued(struct lag_db *db, const char *run_id, char ret_id[LAG_ROW_ID], struct lag_error *err);
/* The pool that was asked for, as the daemon wrote it; "" where it was not kept, as before schema 16. */
int lag_growth_set_pool(struct lag_db *db, const char *id, const char *pool, struct lag_error *err);
int lag_growth_get_pool(struct lag_db *db, const char *id, char ret[LAG_ROW_POOL], struct lag_error *err);
/* What is planned of row before it begins: the shapes, first_rung, n_batches, eval_sequences, eval_stride, and
 * the prior. */
int lag_growth_set_plan(struct lag_db *db, const struct lag_growth_row *row, struct lag_error *err);
int lag_growth_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                         struct lag_error *err);
/* The parent is fixed, of row: start_step, parent_checkpoint, n_batches, eval_sequences, eval_stride. */
int lag_growth_set_parent(struct lag_db *db, const struct lag_growth_row *row, struct lag_error *err);
int lag_growth_set_parent_loss(struct lag_db *db, const char *id, double loss, double flops, struct lag_error *err);
/* How far its candidates are probed. */
int lag_growth_set_probe_steps(struct lag_db *db, const char *id, int64_t steps, struct lag_error *err);

/* Whether its decision is audited: "" (it is not), wanted, made, refused and why. */
int lag_growth_set_audit(struct lag_db *db, const char *id, const char *audit, const char *reason,
                         struct lag_error *err);
/* Ids of the applied ones whose audit is wanted, oldest first. */
int lag_growth_list_to_audit(struct lag_db *db, int (*each)(const char *id, void *), void *arg, struct lag_error *err);

/* A rung that is there already is an error (LAG_EEXIST). List: by r. */
int lag_rung_insert(struct lag_db *db, const struct lag_rung_row *row, struct lag_error *err);
int lag_rung_list(struct lag_db *db, const char *growth_id, int (*each)(const struct lag_rung_row *, void *), void *arg,
                  struct lag_error *err);

/* The models that a growth fuses with its run's own, by checkpoint. */
int lag_growth_parent_insert(struct lag_db *db, const struct lag_growth_parent_row *row, struct lag_error *err);
int lag_growth_parent_list(struct lag_db *db, const char *growth_id,
                           int (*each)(const struct lag_growth_parent_row *, void *), void *arg,
                           struct lag_error *err);
int lag_growth_parents_delete(struct lag_db *db, const char *growth_id, struct lag_error *err); /* all of a growth */
/* 1 with the id of a growth, stage or study that still fuses this checkpoint; 0: none does. */
int lag_checkpoint_is_fused(struct lag_db *db, const char *id, char ret_by[LAG_ROW_ID], struct lag_error *err);
/* The same of any checkpoint of a run, by a growth of another run. */
int lag_run_is_fused(struct lag_db *db, const char *id, char ret_by[LAG_ROW_ID], struct lag_error *err);

int lag_candidate_insert(struct lag_db *db, const struct lag_candidate_row *row, int64_t *ret_number,
                         struct lag_error *err);
int lag_candidates_delete(struct lag_db *db, const char *growth_id, struct lag_error *err); /* all of a growth */
int lag_candidate_get(struct lag_db *db, const char *id, struct lag_candidate_row *ret, struct lag_error *err);
int lag_candidate_list(struct lag_db *db, const char *growth_id, int (*each)(const struct lag_candidate_row *, void *),
                       void *arg, struct lag_error *err); /* by position */
int lag_candidate_set_state(struct lag_db *db, const char *id, const char *state, const char *reason,
                            struct lag_error *err);
int lag_candidate_set_progress(struct lag_db *db, const char *id, int64_t t, double flops, struct lag_error *err);
/* loss_at_0 / loss_at_lag when finite; NaN leaves the stored value. */
int lag_candidate_set_losses(struct lag_db *db, const char *id, double loss_at_0, double loss_at_lag,
                             struct lag_error *err);
int lag_candidate_set_checkpoint(struct lag_db *db, const char *id, const char *checkpoint_id, struct lag_error *err);

/* Per-batch validation losses at evaluation time t, NaN: left out by it. Rows that exist are compared like points: a
 * difference keeps the stored one and sets *ret_mismatch. */
int lag_probe_losses_put(struct lag_db *db, int64_t candidate_number, int64_t t, const double *losses, int n_batches,
                         bool *ret_mismatch, struct lag_error *err);
/* All of one candidate: t ascending. *ret_t [n_evals], *ret_losses [n_evals][n_batches] (left out: NaN), both free()d
 * by the caller. */
int lag_probe_losses_get(struct lag_db *db, int64_t candidate_number, int n_batches, int64_t **ret_t,
                         double **ret_losses, int *ret_n_evals, struct lag_error *err);

/* Of one time alone: ret_losses[n_batches], NaN where there is none; 1 = some are there, 0 = none. */
int lag_probe_losses_at(struct lag_db *db, int64_t candidate_number, int64_t t, int n_batches, double *ret_losses,
                        struct lag_error *err);

int lag_decision_put(struct lag_db *db, const struct lag_decision_row *row, struct lag_error *err); /* replaces */
int lag_decision_get(struct lag_db *db, const char *growth_id, struct lag_decision_row *ret, struct lag_error *err);

/* What an applied growth did to its model: replaces. 1 = found, 0 = none. */
int lag_effect_put(struct lag_db *db, const struct lag_effect_row *row, struct lag_error *err);
int lag_effect_find(struct lag_db *db, const char *growth_id, struct lag_effect_row *ret, struct lag_error *err);

/* What the prior is made of: growths with a decision, newest first, at most limit; and a growth's candidates, in order
 * of position. */
int lag_prior_growths(struct lag_db *db, int limit, int (*each)(const struct lag_prior_growth_row *, void *), void *arg,
                      struct lag_error *err);
int lag_prior_candidates(struct lag_db *db, const char *growth_id,
                         int (*each)(const struct lag_prior_candidate_row *, void *), void *arg,
                         struct lag_error *err);

/* How long a run's training sequences are. Its configuration says it for the start, and each growth that has changed it
 * is a line of the row's batches: "from tokens_per_sequence". A step sees as many tokens as before, always: sequences
 * and micro-batches follow from that, so that schedules, tokens and comparisons mean what they meant. Thread: any. */
#pragma once
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/run_config.h>
struct lag_error;

#define LAGD_BATCHES_MAX 32

/* Batches of as many tokens a step as before, in sequences of so many: config's sequences, tokens_per_sequence and
 * accumulate. A micro-batch has no more tokens than before where one sequence fits into it. false: they do not divide;
 * config stays. */
bool lagd_batch_cut(struct lagd_run_config *config, int64_t tokens_per_sequence);
/* The batches of a run whose state is at this step: config's as the configuration has them, or a growth has made them.
 * LAG_ECORRUPT: the text cannot be read. */
int lagd_batches_at(const struct lag_run_row *row, int64_t step, struct lagd_run_config *config, struct lag_error *err);
/* The batches that the run would have with such sequences; 0: config stays as it is. */
int lagd_batches_with(const struct lag_run_row *row, int64_t tokens_per_sequence, struct lagd_run_config *config,
                      struct lag_error *err);
/* From the update after this step on, sequences have so many tokens: a line more in row->batches; those that would
 * begin there or later go. 0: the row stays as it is. LAG_ESTATE: there are too many. */
int lagd_batches_add(struct lag_run_row *row, int64_t from, int64_t tokens_per_sequence, struct lag_error *err);

/* What a growth trains on. */
struct lagd_batch_aim {
    const struct lagd_run_config *config; /* with the batches of when the growth begins */
    int64_t n_positions_before, n_positions; /* of the model then, and of the grown one */
    int64_t asked;                        /* batch/tokens_per_sequence of the request; 0: nothing is */
    int64_t longest;                      /* that the dataset has; 0: not known */
};
/* *ret: tokens of a sequence after the growth; 0: as before. A run whose sequences fill its context goes on so where
 * the context grows: with the longest ones that a step's tokens divide into. note, where there is something to say:
 * what does not fit. Errors point to "/batch/tokens_per_sequence" and name what would do. */
struct lag_db;
int64_t lagd_batch_longest(struct lag_db *db, const char *dataset); /* by id or name; 0: not known */
int lagd_batch_choose(const struct lagd_batch_aim *aim, int64_t *ret, char note[LAGD_BATCH_NOTE],
                      struct lag_error *err);

/* The checkpoints of a run's thread, and its waits for the store. */
#pragma once
#include "checkpoint/checkpoint_internal.h"
#include "train/run_move_internal.h"
#include "train/run_parts_internal.h"

/* Checkpoint of the run's state with move (may be NULL) in its transaction. None is made of what was trained on a file
 * that is not known to be the registered one: see run_dataset_internal.h. */
int lagd_run_checkpoint(struct lagd_run *run, const char *kind, struct lagd_move *move, struct lag_error *err);
/* The checkpoint of a state of this run with move in its transaction; request says kind, id, growth_text, parent_sha256
 * and keep, the rest is filled in. patiently: waits for what may come back, and LAGD_MENDED_NS for what a person has to
 * mend; LAG_ECANCELED when interrupted meanwhile. */
#define LAGD_MENDED_NS (10 * INT64_C(1000000000))
int lagd_run_keep(struct lagd_run *run, const struct lag_state *state, const struct lagd_checkpoint_request *request,
                  struct lagd_move *move, struct lag_error *err);
int lagd_run_keep_patiently(struct lagd_run *run, const struct lag_state *state,
                            const struct lagd_checkpoint_request *request, struct lagd_move *move,
                            struct lag_error *err);
/* Waits until the store takes writes again. LAG_ECANCELED: interrupted. */
int lagd_run_wait_for_storage(struct lagd_run *run, const char *why, struct lag_error *err);
/* rc of a write: where it tells of storage trouble, that is waited out; else it is returned. */
int lagd_run_survive(struct lagd_run *run, int rc, struct lag_error *err);
/* After a write that was waited for: says so once when storage had not worked before. */
void lagd_run_storage_works(struct lagd_run *run);

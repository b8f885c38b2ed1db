/* A run that begins at step 0 from a model that was brought, or from a checkpoint, by the steps of a fork: plan here,
 * then lagd_fork_copy, lagd_fork_write and lagd_fork_settle. */
#pragma once
#include "checkpoint/fork_internal.h"

#define LAGD_KIND_START "start" /* of its first checkpoint */

/* As lagd_fork_plan. config: as asked for. Errors carry pointers. Thread: owner of db. */
int lagd_begin_plan(struct lag_db *db, int n_threads, const struct lagd_run_from *from,
                    const struct lagd_run_config *config, struct lagd_fork *ret, struct lag_error *err);
/* The state that it begins with, as its first checkpoint; part of lagd_fork_copy, with its errors. The weights and two
 * moments are in memory meanwhile. Thread: any but main and storage. */
int lagd_begin_files(const struct lagd_deps *deps, struct lagd_fork *fork, struct lag_checkpoint_files *ret,
                     struct lag_error *err);

/* The rows of a run that goes on beyond its last step: begin, write, end, in this order. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/daemon/extension.h>

struct lagd_extending {
    const struct lagd_extension *plan;
    bool stays;                       /* paused as it is, with another configuration */
    struct lag_checkpoint_row *ahead; /* those that it goes back behind */
    size_t n_ahead, capacity;
};
/* Marks the folders that are to go. Thread: owner of db. */
int lagd_extending_begin(const struct lagd_deps *deps, struct lag_db *db, struct lagd_extending *extending,
                         struct lag_error *err);
/* A lag_write_fn. LAG_ESTATE: the run has changed since it was planned. Thread: storage, inside a transaction. */
int lagd_extension_write(struct lag_db *db, void *extending, struct lag_error *err);
/* rc: what the transaction, or begin, returned. Thread: any but the storage thread. */
void lagd_extending_end(const struct lagd_deps *deps, struct lagd_extending *extending, int rc);
/* LAG_ESTATE: a study that has not ended compares the run with others, so nobody else changes what it trains; or the
 * study has ended, and what its report is computed from would be dropped. Thread: owner of db. */
int lagd_study_leads(struct lag_db *db, const struct lag_run_row *run, bool drops, struct lag_error *err);

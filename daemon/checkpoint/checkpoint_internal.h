/* Checkpoints of a run as folders and rows: writing them, finding the newest good one. Thread: the run's, or that of a
 * service that reads. */
#pragma once
#include "checkpoint/retention_internal.h"
#include "process/deps_internal.h"

#include <lagd/engine/checkpoint.h>
#include <lagd/engine/precision.h>
#include <lagd/storage/rows.h>
struct lag_state;

#define LAGD_KIND_PRE_DECAY "pre_decay" /* where the decay of a schedule begins: kept, so that it can be undone */

/* --- checkpoint_make.c --- */
struct lagd_checkpoint_request {
    const char *run_id, *candidate_id, *kind, *growth_text, *parent_sha256; /* kind as in rows.h */
    const char *id; /* lag_id_new("ckpt") by the caller, who needs it in extra; NULL: a new one */
    const struct lag_run_row *run; /* whose origin and lr_scale manifests tell; NULL: of none */
    int64_t tokens;
    uint64_t seed;
    enum lag_precision precision;
    bool keep;
    struct lagd_retention retention; /* the run's; keep_last 0 = the daemon's */
    lag_write_fn *extra;             /* runs in the transaction of the row; may be NULL */
    void *extra_arg;
};
/* Writes a checkpoint folder of state and the row, with event, in one go; applies retention. */
int lagd_checkpoint_make(struct lagd_deps *deps, const struct lag_state *state,
                         const struct lagd_checkpoint_request *request, struct lag_checkpoint_row *ret,
                         struct lag_error *err);
/* LAG_ENOSPC: one of this shape would leave less than storage/min_free_bytes. */
int lagd_checkpoint_check_space(const struct lagd_deps *deps, const struct lag_spec *shape, struct lag_error *err);

/* --- checkpoint_load.c --- */
/* Loads the newest good checkpoint of the run: a damaged one is set aside (renamed *.damaged, row deleted, event) and
 * the one before is taken. LAG_ENOTFOUND when the run has none, LAG_EAWAY when no good one is there and the files of
 * some are missing (their rows stay), LAG_ESTATE when they are retired faster than read. By its id: LAG_ENOTFOUND also
 * when it was retired meanwhile. */
int lagd_checkpoint_load_latest(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_error *err);
int lagd_checkpoint_load(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_error *err);
/* The same, with what the manifest says. latest_with is for the run's own thread: where an older one is good, newer
 * ones whose files are missing are listed no more. */
int lagd_checkpoint_latest_with(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                                struct lag_error *err);
int lagd_checkpoint_with(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                         struct lag_error *err);
/* Hash of the weights' file of a checkpoint; "" when it is not known. */
int lagd_checkpoint_model_sha256(const struct lagd_deps *deps, const char *checkpoint_id, char ret[LAG_SHA256_HEX],
                                 struct lag_error *err);

/* A run's thread: loads the latest checkpoint (or initialises), trains, evaluates, checkpoints, grows.
 *
 * While the thread lives, it alone writes the run's row, its growths, candidates and checkpoints (through the store,
 * one transaction a transition, event included); before and after, the supervisor does. Growth requests are the
 * exception. The supervisor writes, and then wishes LAGD_WISH_GROWTH:
 * - create: the growth's row (queued), all its candidates' (queued, in pool order, `none` last; recipe, rewarm_steps and
 *   eligible as planned) and run.growth_id, in one transaction;
 * - cancel: in one transaction checks that the growth's state allows it and sets it cancelled. The thread's own steps
 *   look at the state in their transactions, so neither can overtake the other;
 * - decide, of a growth awaiting approval: the decision row (candidate, decided_by user, reason) with the state decided,
 *   or the state rejected.
 * The thread does the rest: candidates, their checkpoints, the run's state and growth_id. Without a thread the supervisor
 * also cancels the candidates and clears run.growth_id. A thread that starts finds any of these states and carries on
 * from there; a growth that has ended but is still named by run.growth_id is cleared. */
#pragma once
#include "process/deps_internal.h"
#include "checkpoint/retention_internal.h"
#include <lagd/daemon/run_config.h>
#include "exec/progress_internal.h"
#include <lagd/engine/precision.h>
#include <pthread.h>
struct lagd_run;

enum lagd_run_wish {
    LAGD_WISH_PAUSE = 1,      /* checkpoint, state paused, end the thread */
    LAGD_WISH_CANCEL = 2,     /* state cancelled, end (a growth under way is cancelled too) */
    LAGD_WISH_CHECKPOINT = 4, /* write one at the next boundary, go on */
    LAGD_WISH_STOP = 8,       /* the daemon stops: checkpoint, state interrupted, end. Probes are left as they are */
    LAGD_WISH_GROWTH = 16,    /* look at the growth row again: asked for, cancelled, or decided by a person */
};
/* Called on the run's thread when it ends; the supervisor joins afterwards. */
typedef void lagd_run_ended_fn(void *arg, const char *run_id);

/* row: state queued or interrupted, or growing after a crash. Starts the thread; it writes state running itself. */
int lagd_run_start(struct lagd_deps *deps, const struct lag_run_row *row, lagd_run_ended_fn *ended, void *arg,
                   struct lagd_run **ret, struct lag_error *err);
void lagd_run_wish(struct lagd_run *run, unsigned wishes, const char *reason); /* Thread: any */
void lagd_run_join(struct lagd_run *run);                 /* waits for the end and frees */
const char *lagd_run_id(const struct lagd_run *run);
/* What the thread does now; lives as long as the run. */
const struct lagd_progress *lagd_run_progress(const struct lagd_run *run);

/* Writes a checkpoint folder of state and the row, with event, in one go; applies retention. kind as in rows.h.
 * extra (may be NULL) runs in the same transaction as the row. */
struct lag_state;
struct lagd_checkpoint_request {
    const char *run_id, *candidate_id, *kind, *growth_text, *parent_sha256;
    const char *id; /* lag_id_new("ckpt") by the caller, who needs it in extra; NULL: a new one */
    int64_t tokens;
    uint64_t seed;
    enum lag_precision precision;
    bool keep;
    struct lagd_retention retention; /* the run's; keep_last 0 = the daemon's */
    lag_write_fn *extra;
    void *extra_arg;
};
int lagd_checkpoint_make(struct lagd_deps *deps, const struct lag_state *state,
                         const struct lagd_checkpoint_request *request, struct lag_checkpoint_row *ret,
                         struct lag_error *err);
/* Loads the newest good checkpoint of the run: a damaged one is set aside (renamed *.damaged, row deleted, event) and
 * the one before is taken. LAG_ENOTFOUND when the run has none. */
int lagd_checkpoint_load_latest(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_error *err);
int lagd_checkpoint_load(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_error *err);
/* Opens the dataset of a row for reading, checking that the file is still what was registered. */
struct lag_dataset;
int lagd_dataset_open_row(const struct lag_dataset_row *row, struct lag_dataset **ret, struct lag_error *err);

/* A run's thread: loads the latest checkpoint (or initialises), trains, evaluates, checkpoints, grows.
 *
 * While the thread lives, it alone writes the run's row, its growths, candidates and checkpoints (through the store,
 * one transaction a transition, event included); before and after, the supervisor does. Growth requests are the
 * exception. The supervisor writes, and then wishes LAGD_WISH_GROWTH:
 * - create: the growth's row (queued), all its candidates' (queued, in pool order, `none` last; recipe, rewarm_steps
 * and eligible as planned) and run.growth_id, in one transaction;
 * - cancel: in one transaction checks that the growth's state allows it and sets it cancelled. The thread's own steps
 *   look at the state in their transactions, so neither can overtake the other;
 * - decide, of a growth awaiting approval: the decision row (candidate, decided_by user, reason) with the state
 * decided, or the state rejected. The thread does the rest: candidates, their checkpoints, the run's state and
 * growth_id. Without a thread the supervisor also cancels the candidates and clears run.growth_id. A thread that starts
 * finds any of these states and carries on from there; a growth that has ended but is still named by run.growth_id is
 * cleared. */
#pragma once
#include "exec/progress_internal.h"
#include "process/deps_internal.h"
#include "train/wishes_internal.h"

#include <lagd/storage/rows.h>
struct lagd_run;

/* Called on the run's thread when it ends; the supervisor joins afterwards. */
typedef void lagd_run_ended_fn(void *arg, const char *run_id);

/* row: queued. Starts the thread; it posts itself that the run has started. */
int lagd_run_start(struct lagd_deps *deps, const struct lag_run_row *row, lagd_run_ended_fn *ended, void *arg,
                   struct lagd_run **ret, struct lag_error *err);
void lagd_run_wish(struct lagd_run *run, unsigned wishes, const char *reason); /* Thread: any */
int lagd_run_ask_copy(struct lagd_run *run, struct lagd_copy_ask *ask); /* as lagd_wishes_ask_copy */
void lagd_run_join(struct lagd_run *run);                                      /* waits for the end and frees */
/* What the thread does now; lives as long as the run. */
const struct lagd_progress *lagd_run_progress(const struct lagd_run *run);

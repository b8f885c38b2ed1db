/* The end of a growth, with what its candidates leave behind: those not at an end are cancelled, and the checkpoints of
 * all are given up. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/daemon/states.h>
#include <lagd/storage/rows.h>
struct lag_db;

/* Folders of checkpoints whose rows went in a transaction, and of probes that it ended: to be removed once it is
 * committed. */
struct lagd_leftovers {
    char (*paths)[LAG_ROW_PATH]; /* relative to the state directory */
    size_t n, capacity;
};
/* Both inside a transaction; they may be called again when that was rolled back. reason may be NULL.
 * leave: of a growth that has ended, also in this transaction; growth is its row from before. It is the turn of the
 * run's next one, and the run has none of its points but where it was applied. */
int lagd_tx_growth_leave(struct lag_db *db, const struct lag_growth_row *growth, const char *reason,
                         struct lagd_leftovers *leftovers, struct lag_error *err);
/* The event is posted, unless the growth has ended already; and leave. */
int lagd_tx_growth_end(struct lag_db *db, const struct lag_growth_row *growth, enum lagd_growth_event event,
                       const char *reason, struct lagd_leftovers *leftovers, struct lag_error *err);
/* Of a run that has come to an end: its growths that have not begun are withdrawn; what they leave is added. */
int lagd_tx_growths_withdraw(struct lag_db *db, const char *run_id, const char *reason,
                             struct lagd_leftovers *leftovers, struct lag_error *err);
/* After the commit; and when there was none. Both free. */
void lagd_leftovers_remove(const struct lagd_deps *deps, struct lagd_leftovers *leftovers);
void lagd_leftovers_drop(struct lagd_leftovers *leftovers);

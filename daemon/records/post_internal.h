/* Changes of state with the events that tell of them, written at once. Thread: any but the storage thread. */
#pragma once
#include "process/deps_internal.h"
#include "records/leftovers_internal.h"

#include <lagd/storage/rows.h>

int lagd_put_run_state(struct lagd_deps *deps, const char *run_id, const char *state, const char *reason,
                       struct lag_error *err);
/* The same inside a transaction that is under way. */
int lagd_tx_run_state(struct lag_db *db, const char *run_id, const char *state, const char *reason,
                      struct lag_error *err);
int lagd_tx_growth_state(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                         struct lag_error *err);
/* The growth ends without effect, its candidates with it; run.growth_id is cleared. */
int lagd_tx_growth_end(struct lag_db *db, const struct lag_growth_row *growth, const char *state, const char *reason,
                       struct lagd_released *released, struct lag_error *err);

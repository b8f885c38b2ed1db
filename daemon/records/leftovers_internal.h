/* The end of a growth's candidates: those not at an end are cancelled, and the checkpoints of all are given up. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/storage/rows.h>
struct lag_db;

/* Folders of checkpoints whose rows went in a transaction: to be removed once it is committed. */
struct lagd_released {
    char (*paths)[LAG_ROW_PATH]; /* relative to the state directory */
    size_t n, capacity;
};
/* Inside a transaction; may be called again when that was rolled back. reason may be NULL. */
int lagd_tx_candidates_end(struct lag_db *db, const struct lag_growth_row *growth, const char *reason,
                           struct lagd_released *released, struct lag_error *err);
void lagd_released_remove(const struct lagd_deps *deps, struct lagd_released *released); /* after the commit. Frees */
void lagd_released_drop(struct lagd_released *released); /* after it was not committed. Frees */

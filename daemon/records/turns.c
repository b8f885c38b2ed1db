/* Whose turn it is of a run's growths. */
#include "records/turns_internal.h"

#include <lagd/base/error.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <string.h>

/* 1: the one that the run names has begun, or has ended and still is to be left: nobody overtakes it. */
static int is_busy(struct lag_db *db, const struct lag_run_row *run, const char *left, struct lag_error *err) {
    struct lag_growth_row growth;
    if (!run->growth_id[0] || (left && strcmp(run->growth_id, left) == 0)) return 0;
    int rc = lag_growth_get(db, run->growth_id, &growth, err);
    if (rc != 0) return rc == LAG_ENOTFOUND ? 0 : rc;
    return !lagd_growth_is(growth.state, LAGD_GROWTH_QUEUED);
}

int lagd_tx_growth_turn(struct lag_db *db, const char *run_id, const char *left, struct lag_error *err) {
    struct lag_run_row run;
    char next[LAG_ROW_ID] = "";
    int rc = lag_run_get(db, run_id, &run, err);
    if (rc == 0) rc = is_busy(db, &run, left, err);
    if (rc != 0) return rc < 0 ? rc : 0;
    rc = lag_growth_first_queued(db, run_id, next, err);
    if (rc < 0 || strcmp(next, run.growth_id) == 0) return rc < 0 ? rc : 0;
    return lag_run_set_growth(db, run_id, next, err);
}

/* The one way by which a state changes: code posts an event, the table (states.c) decides, and row and event row are
 * written in one commit. Thread: storage, inside a transaction, unless said otherwise. */
#pragma once
#include "process/deps_internal.h"

#include <lagd/daemon/states.h>
#include <lagd/storage/events.h>

struct lagd_post {
    enum lagd_machine machine;
    int event;          /* of the machine's enum */
    const char *id;     /* whose state */
    void *row;          /* at its creation, instead of id: what is inserted. Its state is filled in */
    const char *seen;   /* the state in which the caller saw it, and for which the event is meant; NULL = any */
    const char *reason; /* stored and told; NULL = none */
    int64_t step;       /* told; LAG_NO_STEP = none */
    double value;       /* told of candidates; LAG_NO_VALUE = none */
};
/* *ret_to (may be NULL): the state afterwards. LAG_ESTATE, and nothing is written: it is not as seen, since another was
 * quicker; or the table has no row for the event, which is a defect and logged. LAG_ECORRUPT: the stored state is not
 * known. */
int lagd_tx_post(struct lag_db *db, const struct lagd_post *post, int *ret_to, struct lag_error *err);
/* The same for what has no step to tell. */
int lagd_tx_run_event(struct lag_db *db, const char *run_id, enum lagd_run_event event, const char *reason,
                      struct lag_error *err);
int lagd_tx_growth_event(struct lag_db *db, const char *growth_id, enum lagd_growth_event event, const char *reason,
                         struct lag_error *err);
/* In a transaction of its own. Thread: any but the storage thread. */
int lagd_put_run_event(const struct lagd_deps *deps, const char *run_id, enum lagd_run_event event, const char *reason,
                       struct lag_error *err);
#ifdef LAG_FAILPOINTS
/* How often the table's row was used in this process. Thread: any. */
int lagd_post_uses(enum lagd_machine machine, size_t row);
#endif

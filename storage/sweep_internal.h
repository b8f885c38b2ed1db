/* What may go, removed a little at a time: rows of deleted runs, old events, old idempotency keys. Each step is a
 * transaction of its own and short, so nobody waits long, whatever there is to remove; a crash between two of them
 * leaves the rest to the next start. Thread: storage; struct lag_sweep is guarded by the store's mutex. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
struct lag_db;
struct lag_error;
struct lag_guard;

struct lag_sweep {
    int64_t events_before_ms, keys_before_ms; /* what is older goes; 0: nothing */
    bool rows_left;                           /* of deleted runs, perhaps */
    int64_t due_ns;                           /* of the next step; earlier when nobody has work for the thread … */
    int64_t latest_ns;                        /* … and at the latest, whoever has */
    int64_t n_removed;                        /* rows since the start */
};
bool lag_sweep_wanted(const struct lag_sweep *sweep);
/* One transaction, which removes rows for about budget_ns, in the order above. What came to its end is no longer wanted
 * in *sweep, a copy of the caller's; after a failure it is to be thrown away. version: see lag_store_version. The guard
 * is held. */
int lag_sweep_transaction(struct lag_db *db, struct lag_sweep *sweep, int64_t budget_ns, struct lag_guard *guard,
                          atomic_uint_least64_t *version, struct lag_error *err);

/* Short ways to the store for threads that work on runs. */
#pragma once
#include "process/deps_internal.h"

/* Runs fn on a read-only connection inside one consistent view. fn has the form of a write so that one function can
 * serve both. LAG_ECORRUPT is told as LAG_EIO: what the database holds is no run's own fault. Thread: any. */
int lagd_read(const struct lagd_deps *deps, lag_write_fn *fn, void *arg, struct lag_error *err);
/* lag_store_write; while something outside refuses (lagd_is_trouble) it waits and tries again, since nothing
 * may be acted on before it is stored. Gives up with the store's error once *cancel is true (NULL: tries once). fn must
 * be ready to be called again. Thread: any but the storage thread. */
int lagd_write_patiently(const struct lagd_deps *deps, lag_write_fn *fn, void *arg, const _Atomic bool *cancel,
                         struct lag_error *err);
#define LAGD_STORAGE_RETRY_MS 500 /* between two tries of what waits for the disk */
/* After a write that failed with this code: is it known that nothing of it is stored? Where an error came with the
 * commit itself it may be on disk all the same, and then nothing that belongs to it may be undone: the next start,
 * which reads what is there, decides. */
bool lagd_is_undone(int code);
/* Sleeps up to ms, ends early when *cancel becomes true. */
void lagd_pause_ms(int ms, const _Atomic bool *cancel);
/* Inserts a system.warning for a run (run_id may be NULL) in a transaction of its own, and logs it; failure to store it
 * is only logged. */
void lagd_warn(const struct lagd_deps *deps, const char *run_id, int64_t step, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

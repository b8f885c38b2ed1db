/* The store: one file, lagd.db, one writing connection owned by one thread, which is also the only checkpointer of
 * the write-ahead log (the packaged SQLite can lose pages when two connections commit and checkpoint at once).
 * Everyone else reads through connections of their own, opened read-only.
 *
 * Acknowledged = durable: lag_store_write returns after the commit is on disk (synchronous=FULL). Writes that wait
 * together are committed together, each in its own savepoint: one that fails takes only itself back. A full disk
 * fails all that wait (LAG_ENOSPC, nothing of theirs is stored) and passes; after an I/O error, an fsync that failed
 * above all, every write is refused with LAG_EIO until the store is opened anew. */
#pragma once
#include <lagd/storage/rows.h>
#include <stdbool.h>
#include <stddef.h>
struct lag_error;
struct lag_store;
struct lag_db; /* a connection; belongs to one thread at a time */

/* Opens or creates dir/lagd.db, migrates it, starts the thread. Errors: LAG_EVERSION (written by a newer lagd, names
 * the version), LAG_ECORRUPT (says which check failed; nothing is changed), LAG_EDENIED, LAG_ENOSPC. A log that is
 * damaged, gone or of another file is LAG_ECORRUPT too, until lag_store_recover. */
int lag_store_open(const char *dir, struct lag_store **ret, struct lag_error *err);
/* Goes on with what is whole where lag_store_open refused the log: keeps copies of lagd.db and its log, drops what
 * cannot be read, and checks all that is left. *ret_text says what was done, in sentences; free(). Nobody has the
 * database open. LAG_ECORRUPT: what is left is damaged too; the copies are there. */
int lag_store_recover(const char *dir, char **ret_text, struct lag_error *err);
/* Commits what waits, checkpoints the log, ends the thread. Readers must be closed before. */
void lag_store_close(struct lag_store *store);

/* Runs fn on the storage thread inside a transaction and waits for the commit. fn must not block, and may be called
 * once only. Thread: any but the storage thread. */
typedef int lag_write_fn(struct lag_db *db, void *arg, struct lag_error *err);
int lag_store_write(struct lag_store *store, lag_write_fn *fn, void *arg, struct lag_error *err);
/* Queues points for group commit (within 100 ms) and returns; waits only while the queue is full. A point that exists
 * already is compared: equal bits are fine, a difference in an exact series is kept as stored and becomes an event
 * determinism.mismatch (one a series and batch). Points of a series that was deleted meanwhile are dropped. Later
 * writes of any thread see points queued before them. LAG_ENOSPC: the disk and the queue are full; sending the same
 * points again later is safe. LAG_EIO: as below. Thread: any. */
int lag_store_points(struct lag_store *store, const struct lag_point *points, size_t n_points, struct lag_error *err);
/* Waits until everything queued before is committed. The first error of a group commit since the last call is
 * returned here (disk full, for one); points are kept and tried again every second. */
int lag_store_flush(struct lag_store *store, struct lag_error *err);
/* Asks the storage thread for a sign of life without waiting for it, and tells for how many nanoseconds the oldest
 * question has gone unanswered (0: none has). INT64_MAX: the database takes no writes until a restart. Thread: any. */
int64_t lag_store_silence_ns(struct lag_store *store);
/* How the last commit went, also while the next one is tried: 0, or its error (LAG_ENOSPC, or LAG_EIO: nothing is
 * written until a restart). After one that failed the store tries again every second, also when nobody writes, so it is
 * known when the trouble is over. Thread: any. */
int lag_store_check(struct lag_store *store, struct lag_error *err);
/* Looks whether lagd.db, its log and its index are still the files that lie in the state directory, and not written by
 * others; where not, the store is broken: nothing is acknowledged any more, LAG_EIO and why. Quick: once a second, say.
 * Thread: any. */
int lag_store_look(struct lag_store *store, struct lag_error *err);
/* From now on every write is refused with LAG_EIO and this reason. Thread: any. */
void lag_store_break(struct lag_store *store, const struct lag_error *why);
/* What people should know of what opening found, "" when all was well. Thread: any. */
const char *lag_store_found(const struct lag_store *store);
/* Changes with every commit, and is odd while one is under way: what was read while it stayed the same even number is
 * what the database holds. Thread: any. */
uint64_t lag_store_version(const struct lag_store *store);
/* Asks for the removal of events and idempotency keys that are older (0: of none), a few at a time, between the writes
 * of others. Rows of deleted runs are removed in the same way, unasked. Thread: any; does not wait. */
void lag_store_prune(struct lag_store *store, int64_t events_before_ms, int64_t keys_before_ms);
/* Is anything of that left to be done? *ret_n_removed: rows removed so since the start. Thread: any. */
bool lag_store_sweeps(struct lag_store *store, int64_t *ret_n_removed);
/* From that moment of the monotonic clock on (INT64_MAX: never, as after lag_store_open) no connection of this process
 * waits more than about half a second for a lock: LAG_EBUSY, not ten seconds later. For stops. Thread: any. */
void lag_store_hurry_at(int64_t mono_ns);
/* What waits now, for metrics. */
size_t lag_store_queue_length(const struct lag_store *store);
/* Called on the storage thread after a commit that wrote events, with the last sequence number. Set before use. */
void lag_store_on_events(struct lag_store *store, void (*fn)(void *arg, int64_t last_seq), void *arg);

/* Called on the storage thread after a commit that wrote points, with some of them at a time, until all were told;
 * points that were stored before are told again. fn must be quick and must not call the store. Set before use. */
void lag_store_on_points(struct lag_store *store,
                         void (*fn)(void *arg, const struct lag_point *points, size_t n_points), void *arg);

/* A reading connection: SQLITE_OPEN_READONLY, query_only. Thread: its owner. */
int lag_reader_open(const char *dir, struct lag_db **ret, struct lag_error *err);
void lag_reader_close(struct lag_db *db);
/* What is read ends with LAG_ECANCELED soon after *stop is set; NULL: no more. Borrowed. */
void lag_reader_stop_when(struct lag_db *db, const _Atomic bool *stop);
/* A consistent view over several queries. end is safe to call always. */
int lag_reader_begin(struct lag_db *db, struct lag_error *err);
void lag_reader_end(struct lag_db *db);
int lag_db_schema_version(struct lag_db *db);
bool lag_db_is_damaged(struct lag_db *db); /* was that what the last call met: pages that SQLite cannot follow? */
/* Reads the whole file and says whether it is whole: 0; LAG_ECORRUPT with the first damage and what to do; 1 = the time
 * was up before all was read, and what was read is good. budget_ms 0: no bound, and indexes are compared with their
 * tables as well (PRAGMA integrity_check instead of quick_check). Missing parents are damage too. */
int lag_db_check(struct lag_db *db, int64_t budget_ms, struct lag_error *err);
uint64_t lag_store_db_bytes(const char *dir);
uint64_t lag_store_wal_bytes(const char *dir);
const char *lag_sqlite_version(void);

/* The storage thread: takes points and writes from all threads, and commits those that wait together. */
#include "db_internal.h"
#include "guard_internal.h"
#include "mark_internal.h"
#include "migrate_internal.h"
#include "q_internal.h"
#include "start_internal.h"
#include "store_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <lagd/storage/events.h>
#include <lagd/storage/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS 50000000LL     /* points wait at most this long before their commit begins */
#define RETRY_NS 1000000000LL  /* between attempts while the disk is full */
#define BIG_BATCH 8192         /* points that are not made to wait */
#define CAPACITY 131072        /* points queued before senders wait (4 MiB) */
#define CHECKPOINT_PAGES 1000  /* log length at which it is copied into the file */
#define RESTART_PAGES 4000     /* length (16 MiB) at which readers are waited for, briefly, so that it starts anew */
#define RESTART_WAIT_MS 50
#define TOLD_AT_ONCE 64        /* points */
#define SWEEP_NS 10000000LL    /* a step of the sweep; it rests at least as long as the step took */
#define SWEEP_LATEST_NS 250000000LL /* whatever else there is to do */

static int on_commit(void *arg, sqlite3 *handle, const char *name, int n_pages) {
    ((struct lag_store *)arg)->log_pages = n_pages;
    return SQLITE_OK;
}

/* The log is copied between transactions, by this connection only. Failures leave it as it is: it holds everything. */
static int checkpoint_log(struct lag_store *store, int mode, struct lag_error *err) {
    int n_log = -1, n_copied = -1;
    (void)sqlite3_busy_timeout(store->db->handle, RESTART_WAIT_MS);
    if (store->guard) lag_guard_hold(store->guard);
    int result = sqlite3_wal_checkpoint_v2(store->db->handle, NULL, mode, &n_log, &n_copied), rc = 0;
    if (n_log >= 0) store->log_pages = n_log;
    if (store->guard && n_log >= 0 && n_copied >= 0) rc = lag_guard_copied(store->guard, n_log, n_copied, err);
    if (store->guard) lag_guard_release(store->guard);
    (void)sqlite3_busy_timeout(store->db->handle, 5000);
    store->next_checkpoint = n_log == n_copied ? CHECKPOINT_PAGES : LAG_MAX(n_log, 0) + CHECKPOINT_PAGES;
    if (result == SQLITE_OK || (result & 0xff) == SQLITE_BUSY) return rc;
    return lag_db_error(store->db, result, "cannot copy the write-ahead log into the database", err);
}

/* Only one connection may write: SQLite before 3.51.3 can lose pages when two do. Tells once a change. */
static int watch_strangers(struct lag_store *store, struct lag_error *err) {
    int64_t version;
    int rc = lag_db_integer(store->db, "PRAGMA data_version", &version, err);
    if (rc || version == store->data_version) return rc;
    store->data_version = version;
    const struct lag_event event = {
        .type = LAG_EVENT_SYSTEM_WARNING, .step = LAG_NO_STEP,
        .message = "another program wrote to lagd.db while lagd runs: stop it, two writers can damage the file"};
    return lag_event_put(store->db, &event, err);
}

static bool in_transaction(const struct lag_store *store) { return !sqlite3_get_autocommit(store->db->handle); }

/* Each write in its own savepoint. Returns an error only when the whole transaction was lost. */
static int run_write(struct lag_store *store, struct write *write, struct lag_error *err) {
    struct lag_db *db = store->db;
    int64_t seq = db->last_event_seq;
    int rc = lag_db_exec(db, "SAVEPOINT one", err);
    if (rc) return rc;
    write->rc = write->fn(db, write->arg, write->err);
    if ((write->rc == LAG_ECORRUPT || write->rc == LAG_EIO) && lag_db_is_damaged(db))
        return lag_error_set(err, write->rc, "%s", write->err->text);
    if (!in_transaction(store))
        return lag_error_set(err, write->rc < 0 ? write->rc : LAG_EIO,
                             "the database gave up a transaction: %s",
                             write->err ? write->err->text : "no reason known");
    if (write->rc) {
        db->last_event_seq = seq;
        if ((rc = lag_db_exec(db, "ROLLBACK TO one", err))) return rc;
    }
    return lag_db_exec(db, "RELEASE one", err);
}

static void tell_points(const struct lag_store *store) {
    struct lag_point some[TOLD_AT_ONCE];
    const struct queue *taken = &store->taken;
    if (!store->on_points) return;
    for (size_t i = 0, n; i < taken->n; i += n) {
        for (n = 0; n < TOLD_AT_ONCE && i + n < taken->n; n++) some[n] = taken->points[i + n].point;
        store->on_points(store->on_points_arg, some, n);
    }
}

/* With the guard held. */
static int commit_batch(struct lag_store *store, struct write *writes, struct lag_error *err) {
    struct lag_db *db = store->db;
    db->last_event_seq = 0;
    int rc = lag_db_exec(db, "BEGIN IMMEDIATE", err);
    if (rc) return rc;
    rc = watch_strangers(store, err);
    if (!rc) rc = lag_guard_renew(store->guard, db, err);
    if (!rc && store->taken.n) rc = lag_points_put(db, store->taken.points, store->taken.n, err);
    for (struct write *write = writes; write && !rc; write = write->next) rc = run_write(store, write, err);
    LAG_FP("store.before_commit");
    if (!rc && LAG_FP_FAIL("store.commit_io"))
        rc = lag_error_set(err, LAG_EIO, "%s: the database refused a command: failpoint store.commit_io", db->path);
    if (!rc) {
        atomic_fetch_add(&store->version, 1);
        rc = lag_db_exec(db, "COMMIT", err);
        LAG_FP("store.committed");
        if (!rc && LAG_FP_FAIL("store.commit_unknown"))
            rc = lag_error_set(err, LAG_EIO, "%s: a commit that was made failed: failpoint store.commit_unknown",
                               db->path);
        atomic_fetch_add(&store->version, 1); /* before anybody is told */
        if (!rc) rc = lag_guard_committed(store->guard, store->log_pages, err);
    }
    if (rc && in_transaction(store)) (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int run_transaction(struct lag_store *store, struct write *writes, struct lag_error *err) {
    struct lag_db *db = store->db;
    lag_guard_hold(store->guard);
    if (!writes && !store->taken.n) lag_guard_want_token(store->guard); /* it is known only by writing */
    int rc = commit_batch(store, writes, err);
    lag_guard_release(store->guard);
    if (rc) return rc;
    LAG_FP("store.after_commit");
    if (store->taken.n) LAG_FP("store.points_committed");
    tell_points(store);
    if (db->last_event_seq && store->on_events) store->on_events(store->on_events_arg, db->last_event_seq);
    return 0;
}

/* Moves pending points behind those that a failed commit left. Mutex held. */
static int take_points(struct lag_store *store, struct lag_error *err) {
    struct queue *pending = &store->pending, *taken = &store->taken;
    if (taken->n == 0) {
        struct queue swap = *taken;
        *taken = *pending;
        *pending = swap;
    } else if (pending->n) {
        if (lag_grow_array((void **)&taken->points, &taken->capacity, taken->n + pending->n, sizeof *taken->points))
            return lag_error_set(err, LAG_ENOMEM, "no memory for queued points");
        memcpy(taken->points + taken->n, pending->points, pending->n * sizeof *taken->points);
        taken->n += pending->n;
        pending->n = 0;
    }
    store->n_taken = taken->n;
    return 0;
}

/* Tells everybody who waits how the batch went. Mutex held. */
static void finish_batch(struct lag_store *store, struct write *writes, const struct lag_error *err) {
    for (struct write *write = writes, *next; write; write = next) {
        next = write->next; /* the sender's stack: gone once done is seen */
        if (err->code) write->rc = lag_store_copy_error(write->err, err);
        write->done = true;
    }
    if (err->code) {
        store->failed_batch = store->batch;
        store->failure = *err;
        store->is_failing = true;
        if (store->n_taken && !store->trouble.code) store->trouble = *err; /* writers were told */
        store->due_ns = lag_clock_mono_ns() + RETRY_NS;
        /* After a failed fsync the kernel may have dropped the pages: trying again could succeed and lie. */
        if (err->code == LAG_EIO || err->code == LAG_ECORRUPT) lag_store_break_locked(store, err);
    } else {
        store->is_failing = false;
        store->n_committed += store->taken.n;
        store->taken.n = store->n_taken = 0;
        store->due_ns = lag_clock_mono_ns() + TICK_NS; /* for what was queued meanwhile */
    }
    atomic_store(&store->length, store->pending.n + store->n_taken);
    pthread_cond_broadcast(&store->done);
}

/* Mutex held; given up while the log is copied. */
static void copy_long_log(struct lag_store *store) {
    struct lag_error err = {0};
    if (store->log_pages < store->next_checkpoint) return;
    pthread_mutex_unlock(&store->mutex);
    int rc = checkpoint_log(store,
                            store->log_pages >= RESTART_PAGES ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
                            &err);
    pthread_mutex_lock(&store->mutex);
    /* A full disk is met again by the next write that it concerns. */
    if (rc == LAG_EIO || rc == LAG_ECORRUPT) lag_store_break_locked(store, &err);
    pthread_cond_broadcast(&store->done);
}

/* Mutex held; given up while the database works. */
static void run_batch(struct lag_store *store) {
    struct write *writes = store->first;
    struct lag_error err = {0};
    store->first = NULL;
    store->last = &store->first;
    store->batch++;
    int rc = store->broken.code ? lag_store_copy_error(&err, &store->broken) : take_points(store, &err);
    if (!rc && (writes || store->taken.n || store->is_failing)) {
        pthread_mutex_unlock(&store->mutex);
        rc = run_transaction(store, writes, &err);
        /* Damage that shows while runs train is met as a device that fails: nobody's fault, and lagd stops in order. */
        if (rc == LAG_ECORRUPT) {
            rc = err.code = LAG_EIO;
            (void)lag_error_wrap(&err, "the database is damaged: stop lagd, copy the state directory, and restore a "
                                 "backup");
        }
        pthread_mutex_lock(&store->mutex);
    }
    if (store->db->leaves_rows) store->sweep.rows_left = true;
    store->db->leaves_rows = false;
    finish_batch(store, writes, &err);
    if (!rc) copy_long_log(store);
}

/* What was asked for meanwhile stays asked for. */
static void take_swept(struct lag_sweep *sweep, const struct lag_sweep *before, const struct lag_sweep *after) {
    if (sweep->events_before_ms == before->events_before_ms) sweep->events_before_ms = after->events_before_ms;
    if (sweep->keys_before_ms == before->keys_before_ms) sweep->keys_before_ms = after->keys_before_ms;
    sweep->rows_left = after->rows_left;
    sweep->n_removed = after->n_removed;
}

/* Mutex held; given up while the database works. Readers see no difference, so nobody is told. */
static void run_sweep(struct lag_store *store) {
    const struct lag_sweep before = store->sweep;
    struct lag_sweep after = before;
    struct lag_error err = {0};
    pthread_mutex_unlock(&store->mutex);
    int64_t began_ns = lag_clock_mono_ns();
    lag_guard_hold(store->guard);
    int rc = lag_sweep_transaction(store->db, &after, SWEEP_NS, store->guard, &store->version, &err);
    if (!rc) rc = lag_guard_committed(store->guard, store->log_pages, &err);
    lag_guard_release(store->guard);
    int64_t ended_ns = lag_clock_mono_ns();
    pthread_mutex_lock(&store->mutex);
    store->sweep.due_ns = ended_ns + (rc ? RETRY_NS : ended_ns - began_ns);
    store->sweep.latest_ns = LAG_MAX(store->sweep.due_ns, ended_ns + SWEEP_LATEST_NS);
    if (!rc) {
        take_swept(&store->sweep, &before, &after);
        copy_long_log(store);
    } else if (rc == LAG_EIO || rc == LAG_ECORRUPT) {
        lag_store_break_locked(store, &err);
        pthread_cond_broadcast(&store->done);
    }
}

static bool is_work(const struct lag_store *store, int64_t now_ns) {
    size_t n_points = store->pending.n + store->n_taken;
    if (store->first) return true;
    if (store->broken.code) return false;
    if ((n_points || store->is_failing) && now_ns >= store->due_ns) return true; /* is the trouble over? */
    return store->pending.n >= BIG_BATCH && store->n_taken == 0;
}

static bool sweep_is_due(const struct lag_store *store, int64_t now_ns, int64_t due_ns) {
    return !store->broken.code && lag_sweep_wanted(&store->sweep) && now_ns >= due_ns;
}

static void wait_for_work(struct lag_store *store) {
    int64_t until_ns = INT64_MAX;
    if (!store->broken.code && (store->is_failing || store->pending.n + store->n_taken)) until_ns = store->due_ns;
    if (!store->broken.code && lag_sweep_wanted(&store->sweep)) until_ns = LAG_MIN(until_ns, store->sweep.due_ns);
    if (until_ns == INT64_MAX) pthread_cond_wait(&store->work, &store->mutex);
    else (void)lag_cond_wait_until(&store->work, &store->mutex, until_ns);
}

static void storage_thread(void *arg) {
    struct lag_store *store = arg;
    pthread_mutex_lock(&store->mutex);
    while (!store->closing) {
        int64_t now_ns = lag_clock_mono_ns();
        store->asked_ns = 0;
        if (sweep_is_due(store, now_ns, store->sweep.latest_ns)) run_sweep(store);
        else if (is_work(store, now_ns)) run_batch(store);
        else if (sweep_is_due(store, now_ns, store->sweep.due_ns)) run_sweep(store);
        else wait_for_work(store);
    }
    if (store->first || store->pending.n + store->n_taken) run_batch(store);
    pthread_mutex_unlock(&store->mutex);
}

static void destroy(struct lag_store *store) {
    if (!store) return;
    lag_db_close(store->db);
    lag_guard_close(store->guard);
    free(store->pending.points);
    free(store->taken.points);
    pthread_cond_destroy(&store->work);
    pthread_cond_destroy(&store->done);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

LAG_DEFINE_CLEANUP(struct lag_store, destroy_p, destroy)

int lag_store_open(const char *dir, struct lag_store **ret, struct lag_error *err) {
    LAG_CLEANUP(destroy_p) struct lag_store *store = lag_calloc(1, sizeof *store);
    if (!store) return lag_error_set(err, LAG_ENOMEM, "no memory for the store");
    store->last = &store->first;
    store->next_checkpoint = CHECKPOINT_PAGES;
    lag_store_hurry_at(INT64_MAX);
    pthread_mutex_init(&store->mutex, NULL);
    lag_cond_init(&store->work);
    lag_cond_init(&store->done);
    int rc = lag_start_admit(dir, store->found, sizeof store->found, err);
    if (!rc) rc = lag_db_open(dir, LAG_DB_WRITER, &store->db, err);
    if (!rc) rc = lag_schema_migrate(store->db, lag_migrations, lag_n_migrations, err);
    if (!rc) rc = lag_mark_remove(dir, err); /* it tells of the log as it was */
    if (!rc) rc = checkpoint_log(store, SQLITE_CHECKPOINT_TRUNCATE, err);
    if (rc) return rc;
    (void)sqlite3_limit(store->db->handle, SQLITE_LIMIT_ATTACHED, 0); /* the copy before an upgrade needed it */
    (void)sqlite3_wal_hook(store->db->handle, on_commit, store);
    rc = lag_guard_open(dir, store->db, store->log_pages, &store->guard, err);
    if (!rc) rc = lag_db_integer(store->db, "PRAGMA data_version", &store->data_version, err);
    if (rc) return rc;
    store->sweep.rows_left = true; /* perhaps: an earlier process may have ended in between */
    if ((rc = lag_thread_start(&store->thread, "lagd-store", 0, storage_thread, store, err))) return rc;
    store->has_thread = true;
    *ret = LAG_TAKE(store);
    return 0;
}

void lag_store_close(struct lag_store *store) {
    if (!store) return;
    if (store->has_thread) {
        pthread_mutex_lock(&store->mutex);
        store->closing = true;
        pthread_cond_broadcast(&store->work);
        pthread_cond_broadcast(&store->done);
        pthread_mutex_unlock(&store->mutex);
        (void)pthread_join(store->thread, NULL);
    }
    if (!store->broken.code) (void)checkpoint_log(store, SQLITE_CHECKPOINT_TRUNCATE, NULL);
    destroy(store);
}

int lag_store_write(struct lag_store *store, lag_write_fn *fn, void *arg, struct lag_error *err) {
    /* The write's own text is needed also when the caller wants none. */
    struct lag_error own = {0};
    struct write write = {.fn = fn, .arg = arg, .err = &own};
    if (pthread_equal(pthread_self(), store->thread))
        return lag_error_set(err, LAG_EINTERNAL, "a write inside of a write would wait for itself");
    pthread_mutex_lock(&store->mutex);
    if (store->closing) {
        pthread_mutex_unlock(&store->mutex);
        return lag_error_set(err, LAG_ECANCELED, "the database is being closed");
    }
    *store->last = &write;
    store->last = &write.next;
    pthread_cond_signal(&store->work);
    while (!write.done) pthread_cond_wait(&store->done, &store->mutex);
    pthread_mutex_unlock(&store->mutex);
    if (write.rc && err) *err = own;
    return write.rc;
}

/* Room for one more at least. Waits while the queue is full, but not on a disk that stays full. Mutex held. */
static int wait_for_room(struct lag_store *store, struct lag_error *err) {
    uint64_t batch = store->batch;
    while (!store->closing && !store->broken.code && store->pending.n + store->n_taken >= CAPACITY) {
        if (store->failed_batch > batch) return lag_store_copy_error(err, &store->failure);
        pthread_cond_signal(&store->work);
        pthread_cond_wait(&store->done, &store->mutex);
    }
    if (store->broken.code) return lag_store_copy_error(err, &store->broken);
    if (store->closing) return lag_error_set(err, LAG_ECANCELED, "the database is being closed");
    return 0;
}

static int queue_points(struct lag_store *store, const struct lag_point *points, size_t n, struct lag_error *err) {
    struct queue *pending = &store->pending;
    if (lag_grow_array((void **)&pending->points, &pending->capacity, pending->n + n, sizeof *pending->points))
        return lag_error_set(err, LAG_ENOMEM, "no memory for queued points");
    if (pending->n + store->n_taken == 0) store->due_ns = lag_clock_mono_ns() + TICK_NS;
    bool wake = pending->n == 0 || pending->n + n >= BIG_BATCH;
    for (size_t i = 0; i < n; i++)
        pending->points[pending->n++] = (struct lag_queued_point){.point = points[i], .order = store->order++};
    atomic_store(&store->length, pending->n + store->n_taken);
    if (wake) pthread_cond_signal(&store->work);
    return 0;
}

int lag_store_points(struct lag_store *store, const struct lag_point *points, size_t n_points, struct lag_error *err) {
    int rc = 0;
    pthread_mutex_lock(&store->mutex);
    while (n_points && !rc) {
        if ((rc = wait_for_room(store, err))) break;
        size_t n = LAG_MIN(n_points, CAPACITY - (store->pending.n + store->n_taken));
        if ((rc = queue_points(store, points, n, err))) break;
        points += n;
        n_points -= n;
    }
    pthread_mutex_unlock(&store->mutex);
    return rc;
}

int lag_store_flush(struct lag_store *store, struct lag_error *err) {
    int rc = 0;
    pthread_mutex_lock(&store->mutex);
    uint64_t target = store->order, batch = store->batch;
    while (store->n_committed < target && store->failed_batch <= batch && !store->broken.code && !store->closing) {
        store->due_ns = 0;
        pthread_cond_signal(&store->work);
        pthread_cond_wait(&store->done, &store->mutex);
    }
    if (store->trouble.code) {
        rc = lag_store_copy_error(err, &store->trouble);
        store->trouble = (struct lag_error){0};
    } else if (store->broken.code) {
        rc = lag_store_copy_error(err, &store->broken);
    } else if (store->n_committed < target) {
        rc = lag_error_set(err, LAG_ECANCELED, "the database is being closed");
    }
    pthread_mutex_unlock(&store->mutex);
    return rc;
}

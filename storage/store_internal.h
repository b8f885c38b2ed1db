/* Inside storage: what the store is made of. The storage thread (store.c) works; others ask (store_ask.c). */
#pragma once
#include "db_internal.h"
#include "q_internal.h"
#include "sweep_internal.h"
#include <lagd/base/error.h>
#include <lagd/storage/store.h>
#include <pthread.h>
#include <stdatomic.h>
struct lag_guard;

struct write {
    lag_write_fn *fn;
    void *arg;
    struct lag_error *err;
    int rc;
    bool done;
    struct write *next;
};
struct queue {
    struct lag_queued_point *points;
    size_t n, capacity;
};
struct lag_store {
    struct lag_db *db; /* storage thread only, once started */
    struct lag_guard *guard;
    char found[400]; /* what the start found, "" when all was well */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* guards all below but taken */
    pthread_cond_t work, done;
    struct write *first, **last;
    struct queue pending, taken; /* taken: storage thread only; kept over failed commits */
    size_t n_taken;              /* taken.n, for others */
    uint64_t order;              /* points ever queued */
    uint64_t n_committed;        /* points ever committed */
    uint64_t batch, failed_batch;/* numbers of the newest batch begun, and failed */
    int64_t due_ns;              /* when waiting points are to be committed */
    bool closing;
    int64_t asked_ns;            /* of the oldest unanswered question for a sign of life, 0 = all are answered */
    struct lag_error trouble;    /* the first failure of a group commit since the last flush */
    struct lag_error failure;    /* the last one */
    bool is_failing;             /* since failure, nothing was committed */
    struct lag_error broken;     /* code != 0: the file cannot be trusted to sync any more */
    void (*on_events)(void *arg, int64_t last_seq);
    void *on_events_arg;
    void (*on_points)(void *arg, const struct lag_point *points, size_t n_points);
    void *on_points_arg;
    atomic_size_t length;
    atomic_uint_least64_t version; /* of what readers see; odd: about to change */
    int64_t data_version;        /* storage thread: changes when another connection commits */
    int log_pages, next_checkpoint;
    struct lag_sweep sweep;
};

/* To a caller that may want no text. Returns the code. */
int lag_store_copy_error(struct lag_error *to, const struct lag_error *from);
/* From now on every write is refused, with the first reason. Mutex held. */
void lag_store_break_locked(struct lag_store *store, const struct lag_error *err);

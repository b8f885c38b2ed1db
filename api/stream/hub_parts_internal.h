/* The hub's inside. `lock` guards the board, the list of streams and their feeds; `points_lock` what the storage thread
 * leaves here, so that it never waits for a follower's copying. Order: lock before points_lock. */
#pragma once
#include "stream/hub_internal.h"
#include "stream/points_internal.h"

#include <lagd/storage/store.h>
#include <pthread.h>
#include <stdatomic.h>

#define LAGD_POINTS_WAITING 16384

struct lagd_stream {
    struct lagd_hub *hub;
    struct MHD_Connection *connection;
    int fd;
    struct lagd_feed feed;
    bool waiting; /* suspended; only then may others resume it */
    bool loading; /* the hub reads for it, without the lock: it stays suspended */
    bool probed, dead;
    struct lagd_stream *next, *previous;
};

struct lagd_hub {
    char state_dir[1024];
    pthread_t thread;
    bool has_thread;
    struct lag_db *db;          /* the thread's */
    struct lagd_points *points; /* the thread's */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a stream closed */
    struct lagd_board board;
    struct lagd_stream *streams;
    int max_streams, n_streams;
    bool stopping;
    int64_t n_opened, n_refused, n_events, n_batches, n_dead;

    _Atomic int64_t turned_ns;   /* the thread's last round */
    atomic_int n_metric_streams; /* 0: points are not kept */
    pthread_mutex_t points_lock;
    pthread_cond_t wake;
    bool woken, stop;
    struct lag_point *waiting_points; /* [LAGD_POINTS_WAITING] */
    struct lag_point *taken_points;
    size_t n_waiting_points;
};

/* hub_stream.c; lock is held */
void lagd_hub_resume_locked(struct lagd_stream *stream);
void lagd_hub_resume_pending_locked(struct lagd_hub *hub);
/* Finds streams whose peer is gone. */
void lagd_hub_sweep_locked(struct lagd_hub *hub);

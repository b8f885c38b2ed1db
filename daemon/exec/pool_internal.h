/* A pool of worker threads: the local executor. It knows nothing of what a job does. A job is described by a struct
 * that begins with struct lagd_job; every submitted job ends in exactly one done(), run or not. */
#pragma once
#include <lagd/base/error.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lagd_pool;

struct lagd_job {
    void (*run)(struct lagd_job *job);   /* on a worker; looks at cancelled now and then */
    void (*done)(struct lagd_job *job); /* on the worker (or the canceller, when it never ran); last touch of the job */
    _Atomic bool cancelled;
    bool ran;
    _Atomic int64_t beat_ns;             /* last sign of life, set by the pool when it begins; 0: waits for others */
    int64_t longest_ns;                  /* silence expected at most, from which patience follows; 0: not known */
    struct lagd_job *next;               /* the pool's */
};
int lagd_pool_create(const char *name, int n_workers, struct lagd_pool **ret, struct lag_error *err);
/* Cancels what waits and what runs, then joins. */
void lagd_pool_destroy(struct lagd_pool *pool);
int lagd_pool_submit(struct lagd_pool *pool, struct lagd_job *job); /* LAG_ECANCELED once stopping */
void lagd_pool_cancel(struct lagd_pool *pool, struct lagd_job *job); /* harmless when it has ended but not been freed */
size_t lagd_pool_waiting(struct lagd_pool *pool);
/* A sign of life of a running job; waits: from here it waits for others (slots, storage) until the next one. */
void lagd_job_beat(struct lagd_job *job);
void lagd_job_waits(struct lagd_job *job);
/* true when a running job has been silent for longer than it may. Thread: main. */
bool lagd_pool_stuck(struct lagd_pool *pool, int64_t now_ns);

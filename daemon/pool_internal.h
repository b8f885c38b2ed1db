/* A pool of worker threads: the local executor. It knows nothing of what a job does. A job is described by a struct
 * that begins with struct lagd_job; every submitted job ends in exactly one done(), run or not. */
#pragma once
#include <lagd/base/error.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
struct lagd_pool;

struct lagd_job {
    void (*run)(struct lagd_job *job);   /* on a worker; looks at cancelled now and then */
    void (*done)(struct lagd_job *job);  /* on the worker (or the canceller, when it never ran); last touch of the job */
    _Atomic bool cancelled;
    bool ran;
    struct lagd_job *next;               /* the pool's */
};
int lagd_pool_create(const char *name, int n_workers, struct lagd_pool **ret, struct lag_error *err);
/* Cancels what waits and what runs, then joins. */
void lagd_pool_destroy(struct lagd_pool *pool);
int lagd_pool_submit(struct lagd_pool *pool, struct lagd_job *job); /* LAG_ECANCELED once stopping */
void lagd_pool_cancel(struct lagd_pool *pool, struct lagd_job *job); /* harmless when it has ended but not been freed */
size_t lagd_pool_waiting(struct lagd_pool *pool);

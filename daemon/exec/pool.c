/* Workers that run jobs: the local executor. */
#include "exec/pool_internal.h"

#include "exec/progress_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct worker {
    struct lagd_pool *pool;
    pthread_t thread;
    struct lagd_job *job; /* what it runs now, under the pool's lock */
};

struct lagd_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct lagd_job *first, **last;
    size_t n_waiting;
    bool stopping;
    int n_workers, n_started;
    struct worker *workers;
};

/* The next job, marked as run by this worker; NULL when the pool stops. Called with the lock held. */
static struct lagd_job *take(struct lagd_pool *pool, struct worker *worker) {
    while (!pool->first && !pool->stopping) (void)pthread_cond_wait(&pool->changed, &pool->lock);
    struct lagd_job *job = pool->first;
    if (!job) return NULL;
    pool->first = job->next;
    if (!pool->first) pool->last = &pool->first;
    pool->n_waiting--;
    job->ran = true;
    lagd_job_beat(job);
    worker->job = job;
    return job;
}

static void work(void *arg) {
    struct worker *worker = arg;
    struct lagd_pool *pool = worker->pool;
    (void)pthread_mutex_lock(&pool->lock);
    for (struct lagd_job *job; (job = take(pool, worker)) != NULL;) {
        (void)pthread_mutex_unlock(&pool->lock);
        job->run(job);
        (void)pthread_mutex_lock(&pool->lock);
        worker->job = NULL; /* before done(), after which the job may be gone */
        (void)pthread_mutex_unlock(&pool->lock);
        job->done(job);
        (void)pthread_mutex_lock(&pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

int lagd_pool_create(const char *name, int n_workers, struct lagd_pool **ret, struct lag_error *err) {
    LAG_ASSERT(n_workers >= 1);
    struct lagd_pool *pool = lag_calloc(1, sizeof(*pool));
    struct worker *workers = lag_calloc((size_t)n_workers, sizeof(*workers));
    if (!pool || !workers) {
        free(pool);
        free(workers);
        return lag_error_set(err, LAG_ENOMEM, "out of memory for %d workers", n_workers);
    }
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->changed, NULL);
    pool->last = &pool->first;
    pool->n_workers = n_workers;
    pool->workers = workers;
    for (int i = 0; i < n_workers; i++) {
        char thread_name[32];
        (void)snprintf(thread_name, sizeof(thread_name), "%.10s-%d", name, i);
        workers[i].pool = pool;
        int rc = lag_thread_start(&workers[i].thread, thread_name, 0, work, &workers[i], err);
        if (rc != 0) {
            lagd_pool_destroy(pool);
            return rc;
        }
        pool->n_started++;
    }
    *ret = pool;
    return 0;
}

/* Takes all that waits out of the queue; flags what runs. */
static struct lagd_job *stop(struct lagd_pool *pool) {
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    struct lagd_job *waiting = pool->first;
    pool->first = NULL;
    pool->last = &pool->first;
    pool->n_waiting = 0;
    for (int i = 0; i < pool->n_started; i++)
        if (pool->workers[i].job) atomic_store(&pool->workers[i].job->cancelled, true);
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->lock);
    return waiting;
}

void lagd_pool_destroy(struct lagd_pool *pool) {
    if (!pool) return;
    for (struct lagd_job *job = stop(pool), *next; job; job = next) {
        next = job->next;
        atomic_store(&job->cancelled, true);
        job->done(job);
    }
    for (int i = 0; i < pool->n_started; i++) (void)pthread_join(pool->workers[i].thread, NULL);
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

int lagd_pool_submit(struct lagd_pool *pool, struct lagd_job *job) {
    int rc = LAG_ECANCELED;
    (void)pthread_mutex_lock(&pool->lock);
    if (!pool->stopping) {
        job->ran = false;
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->n_waiting++;
        (void)pthread_cond_signal(&pool->changed);
        rc = 0;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return rc;
}

void lagd_pool_cancel(struct lagd_pool *pool, struct lagd_job *job) {
    bool waited = false;
    (void)pthread_mutex_lock(&pool->lock);
    atomic_store(&job->cancelled, true);
    for (struct lagd_job **link = &pool->first; *link; link = &(*link)->next) {
        if (*link != job) continue;
        *link = job->next;
        if (pool->last == &job->next) pool->last = link;
        pool->n_waiting--;
        waited = true;
        break;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (waited) job->done(job);
}

size_t lagd_pool_waiting(struct lagd_pool *pool) {
    (void)pthread_mutex_lock(&pool->lock);
    size_t n = pool->n_waiting;
    (void)pthread_mutex_unlock(&pool->lock);
    return n;
}

void lagd_job_beat(struct lagd_job *job) {
    atomic_store(&job->beat_ns, lag_clock_mono_ns());
}

void lagd_job_waits(struct lagd_job *job) {
    atomic_store(&job->beat_ns, 0);
}

bool lagd_pool_stuck(struct lagd_pool *pool, int64_t now_ns) {
    bool stuck = false;
    (void)pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < pool->n_started; i++) {
        const struct lagd_job *job = pool->workers[i].job;
        int64_t beat_ns = job ? atomic_load(&job->beat_ns) : 0;
        if (beat_ns == 0) continue;
        int64_t patience_ns = lagd_patience_ns(job->longest_ns);
        if (now_ns - beat_ns > patience_ns) stuck = true;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return stuck;
}

/* The start of every thread: signals blocked, named, with a stack that is given. */
#include <lagd/base/thread.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct start {
    lag_thread_fn *fn;
    void *arg;
    char name[16];
};

static void *run_thread(void *arg) {
    struct start start = *(struct start *)arg;
    free(arg);
    (void)pthread_setname_np(pthread_self(), start.name);
    start.fn(start.arg);
    return NULL;
}

static int create(pthread_t *ret, size_t stack_bytes, struct start *start) {
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed) return failed;
    if (stack_bytes) failed = pthread_attr_setstacksize(&attributes, LAG_MAX(stack_bytes, (size_t)PTHREAD_STACK_MIN));
    if (!failed) {
        /* A new thread inherits the mask: block everything here, so that no signal can reach it even at its start. */
        sigset_t all, before;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        failed = pthread_create(ret, &attributes, run_thread, start);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return failed;
}

int lag_thread_start(pthread_t *ret, const char *name, size_t stack_bytes, lag_thread_fn *fn, void *arg,
                     struct lag_error *err) {
    struct start *start = lag_calloc(1, sizeof(*start));
    if (!start) return lag_error_set(err, LAG_ENOMEM, "out of memory while starting thread %s", name);
    start->fn = fn;
    start->arg = arg;
    (void)lag_copy(start->name, sizeof(start->name), name);
    pthread_t thread;
    int failed = create(&thread, stack_bytes, start);
    if (failed) {
        free(start);
        return lag_error_errno(err, failed, "cannot start thread %s (raise the limit of tasks, or use fewer threads)",
                               name);
    }
    *ret = thread;
    return 0;
}

void lag_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

int lag_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t mono_deadline_ns) {
    if (mono_deadline_ns < 0) mono_deadline_ns = 0;
    struct timespec deadline = {
        .tv_sec = (time_t)(mono_deadline_ns / 1000000000),
        .tv_nsec = (long)(mono_deadline_ns % 1000000000),
    };
    return pthread_cond_timedwait(cond, mutex, &deadline) == ETIMEDOUT;
}

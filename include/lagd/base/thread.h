/* Named threads. Every thread of lagd is started here: signals blocked, name set, stack given. */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <stddef.h>
struct lag_error;

typedef void lag_thread_fn(void *arg);
/* name: at most 15 characters, shown by ps -L. stack_bytes 0 = the default. Join with pthread_join. Thread: any. */
int lag_thread_start(pthread_t *ret, const char *name, size_t stack_bytes, lag_thread_fn *fn, void *arg,
                     struct lag_error *err);
/* Condition variable on the monotonic clock. */
void lag_cond_init(pthread_cond_t *cond);
/* Waits until mono_deadline_ns; 0 = woken, 1 = the deadline passed. The mutex is held by the caller. */
int lag_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t mono_deadline_ns);

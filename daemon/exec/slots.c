/* Compute slots: never more threads compute than the budget has, and who waits longest is served first. */
#include "exec/slots_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdlib.h>

/* A claimant that waits; lives on its own stack, in the order of arrival. */
struct waiter {
    struct waiter *next;
};

struct lagd_slots {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int budget, used, n_holders, n_waiters;
    struct waiter *first, **last;
};

int lagd_slots_create(int budget, struct lagd_slots **ret, struct lag_error *err) {
    if (budget < 1) return lag_error_set(err, LAG_EINVAL, "the compute budget must be at least 1, not %d", budget);
    struct lagd_slots *slots = lag_calloc(1, sizeof(*slots));
    if (!slots) return lag_error_set(err, LAG_ENOMEM, "out of memory for the compute slots");
    (void)pthread_mutex_init(&slots->lock, NULL);
    (void)pthread_cond_init(&slots->changed, NULL);
    slots->budget = budget;
    slots->last = &slots->first;
    *ret = slots;
    return 0;
}

void lagd_slots_destroy(struct lagd_slots *slots) {
    if (!slots) return;
    LAG_ASSERT(slots->used == 0 && !slots->first);
    (void)pthread_cond_destroy(&slots->changed);
    (void)pthread_mutex_destroy(&slots->lock);
    free(slots);
}

static void leave_queue(struct lagd_slots *slots, struct waiter *waiter) {
    struct waiter **link = &slots->first;
    while (*link != waiter) link = &(*link)->next;
    *link = waiter->next;
    if (slots->last == &waiter->next) slots->last = link;
    slots->n_waiters--;
}

/* What the first in the queue may take now; the caller counts among the waiters. */
static int share(const struct lagd_slots *slots, int want) {
    int free_slots = slots->budget - slots->used;
    int n_claimants = slots->n_waiters + slots->n_holders;
    int fair = LAG_MAX(1, slots->budget / n_claimants);
    return LAG_MIN(want, LAG_MIN(free_slots, fair));
}

int lagd_slots_acquire(struct lagd_slots *slots, int want, const _Atomic bool *cancel, int *ret_n) {
    if (want < 1) want = 1;
    struct waiter waiter = {0};
    int rc = 0;
    (void)pthread_mutex_lock(&slots->lock);
    *slots->last = &waiter;
    slots->last = &waiter.next;
    slots->n_waiters++;
    while (slots->first != &waiter || slots->used == slots->budget) {
        if (cancel && atomic_load(cancel)) break;
        (void)pthread_cond_wait(&slots->changed, &slots->lock);
    }
    if (cancel && atomic_load(cancel)) {
        rc = LAG_ECANCELED;
    } else {
        *ret_n = share(slots, want);
        slots->used += *ret_n;
        slots->n_holders++;
    }
    leave_queue(slots, &waiter);
    (void)pthread_cond_broadcast(&slots->changed); /* the next one is first now */
    (void)pthread_mutex_unlock(&slots->lock);
    return rc;
}

void lagd_slots_release(struct lagd_slots *slots, int n) {
    (void)pthread_mutex_lock(&slots->lock);
    LAG_ASSERT(n >= 1 && n <= slots->used);
    slots->used -= n;
    slots->n_holders--;
    (void)pthread_cond_broadcast(&slots->changed);
    (void)pthread_mutex_unlock(&slots->lock);
}

void lagd_slots_wake(struct lagd_slots *slots) {
    (void)pthread_mutex_lock(&slots->lock);
    (void)pthread_cond_broadcast(&slots->changed);
    (void)pthread_mutex_unlock(&slots->lock);
}

int lagd_slots_used(struct lagd_slots *slots) {
    (void)pthread_mutex_lock(&slots->lock);
    int used = slots->used;
    (void)pthread_mutex_unlock(&slots->lock);
    return used;
}

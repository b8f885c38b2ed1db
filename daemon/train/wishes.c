/* What others wish of a run's thread. */
#include "train/wishes_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/thread.h>

void lagd_wishes_init(struct lagd_wishes *wishes) {
    (void)pthread_mutex_init(&wishes->lock, NULL);
    lag_cond_init(&wishes->woken);
}

void lagd_wishes_deinit(struct lagd_wishes *wishes) {
    (void)pthread_cond_destroy(&wishes->woken);
    (void)pthread_mutex_destroy(&wishes->lock);
}

void lagd_wishes_post(struct lagd_wishes *wishes, unsigned wish, const char *reason) {
    (void)pthread_mutex_lock(&wishes->lock);
    wishes->posted |= wish;
    if (wish & LAGD_WISHES_ENDING) {
        (void)lag_copy(wishes->reason, sizeof(wishes->reason), reason ? reason : "");
        atomic_store(&wishes->interrupt, true);
    }
    if (wish & (LAGD_WISH_CANCEL | LAGD_WISH_STOP)) atomic_store(&wishes->quit, true);
    if (wish & LAGD_WISH_STOP) atomic_store(&wishes->stop, true);
    (void)pthread_cond_broadcast(&wishes->woken);
    (void)pthread_mutex_unlock(&wishes->lock);
}

unsigned lagd_wishes_take(struct lagd_wishes *wishes, unsigned mask, char *ret_reason) {
    (void)pthread_mutex_lock(&wishes->lock);
    unsigned taken = wishes->posted & mask;
    wishes->posted &= ~mask;
    if (ret_reason) (void)lag_copy(ret_reason, LAG_ROW_TEXT, wishes->reason);
    (void)pthread_mutex_unlock(&wishes->lock);
    return taken;
}

bool lagd_wishes_has(struct lagd_wishes *wishes, unsigned mask) {
    (void)pthread_mutex_lock(&wishes->lock);
    const bool has = wishes->posted & mask;
    (void)pthread_mutex_unlock(&wishes->lock);
    return has;
}

void lagd_wishes_wait(struct lagd_wishes *wishes, unsigned mask) {
    (void)pthread_mutex_lock(&wishes->lock);
    while (!(wishes->posted & mask)) (void)pthread_cond_wait(&wishes->woken, &wishes->lock);
    (void)pthread_mutex_unlock(&wishes->lock);
}

int lagd_wishes_ask_copy(struct lagd_wishes *wishes, struct lagd_copy_ask *ask) {
    int rc = 0;
    (void)pthread_mutex_lock(&wishes->lock);
    if (wishes->lends_no_more) {
        rc = LAG_ENOTFOUND;
    } else if (wishes->n_asks >= LAGD_COPY_ASKS_MAX) {
        rc = LAG_EBUSY;
    } else {
        ask->next = wishes->asks;
        wishes->asks = ask;
        wishes->n_asks++;
        wishes->posted |= LAGD_WISH_COPY;
    }
    (void)pthread_mutex_unlock(&wishes->lock);
    return rc;
}

struct lagd_copy_ask *lagd_wishes_take_asks(struct lagd_wishes *wishes, bool last) {
    (void)pthread_mutex_lock(&wishes->lock);
    struct lagd_copy_ask *asks = wishes->asks;
    wishes->asks = NULL;
    wishes->n_asks = 0;
    wishes->lends_no_more = wishes->lends_no_more || last;
    (void)pthread_mutex_unlock(&wishes->lock);
    return asks;
}

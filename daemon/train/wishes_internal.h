/* What others wish of a run's thread: posted from any thread, taken by the run's own at its next boundary. */
#pragma once
#include <lagd/storage/rows.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
struct lag_error;
struct lag_state;

enum lagd_run_wish {
    LAGD_WISH_PAUSE = 1,      /* checkpoint, state paused, end the thread */
    LAGD_WISH_CANCEL = 2,     /* state cancelled, end (a growth under way is cancelled too) */
    LAGD_WISH_CHECKPOINT = 4, /* write one at the next boundary, go on */
    LAGD_WISH_STOP = 8,       /* the daemon stops: checkpoint, state interrupted, end. Probes are left as they are */
    LAGD_WISH_VERIFY = 64,    /* a probe waits, as the dataset's file may have changed: find out */
    LAGD_WISH_GROWTH = 16,    /* look at the growth row again: asked for, cancelled, or decided by a person */
    LAGD_WISH_COPY = 32,      /* hand copies to those who asked (lagd_wishes_ask_copy) */
};
/* Those that end the thread. */
enum { LAGD_WISHES_ENDING = LAGD_WISH_PAUSE | LAGD_WISH_CANCEL | LAGD_WISH_STOP };

/* Somebody who wants the weights of a run that has no checkpoint yet, as they are at its next boundary. */
struct lagd_copy_ask {
    /* Called once, on the run's thread; it must not block. copy is owned and holds weights alone. NULL with why: there
     * is none; NULL without: a checkpoint tells as much by now, or the thread ended before it had one. */
    void (*done)(struct lagd_copy_ask *ask, struct lag_state *copy, const struct lag_error *why);
    struct lagd_copy_ask *next;
};
enum { LAGD_COPY_ASKS_MAX = 4 }; /* that wait at once: each copy takes memory */

struct lagd_wishes {
    pthread_mutex_t lock;      /* also guards that a probe of the run has ended */
    pthread_cond_t woken;      /* a wish came, or a probe ended */
    unsigned posted;           /* under lock */
    char reason[LAG_ROW_TEXT]; /* of the last one that ends the thread, under lock */
    struct lagd_copy_ask *asks; /* under lock, as the next two */
    int n_asks;
    bool lends_no_more;        /* a checkpoint is there, or the thread ends */
    _Atomic bool interrupt;    /* PAUSE, CANCEL or STOP is wished: leave the queue for slots */
    _Atomic bool quit;         /* CANCEL or STOP is wished: waits for the disk end, too */
    _Atomic bool stop;         /* STOP is wished: the thread ends even when that cannot be stored */
};
void lagd_wishes_init(struct lagd_wishes *wishes);
void lagd_wishes_deinit(struct lagd_wishes *wishes);
/* reason may be NULL. Thread: any. */
void lagd_wishes_post(struct lagd_wishes *wishes, unsigned wish, const char *reason);
/* Takes those in mask; ret_reason (LAG_ROW_TEXT bytes) may be NULL. Thread: any. */
unsigned lagd_wishes_take(struct lagd_wishes *wishes, unsigned mask, char *ret_reason);
/* Takes ask on 0. LAG_EBUSY: too many wait; LAG_ENOTFOUND: look at the checkpoints. Thread: any. */
int lagd_wishes_ask_copy(struct lagd_wishes *wishes, struct lagd_copy_ask *ask);
/* All that ask, each to be answered. last: none is taken from now on. */
struct lagd_copy_ask *lagd_wishes_take_asks(struct lagd_wishes *wishes, bool last);
/* Is one of mask posted, and not yet taken? Thread: any. */
bool lagd_wishes_has(struct lagd_wishes *wishes, unsigned mask);
/* Waits until one of mask is posted, and leaves it there. */
void lagd_wishes_wait(struct lagd_wishes *wishes, unsigned mask);

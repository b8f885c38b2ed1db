/* Jobs of a pool that a row each stands for: they can be counted, and found by the row's id when a person deletes it.
 * Thread: any, but that begin and end of a list are the main thread's. */
#pragma once
#include "exec/pool_internal.h"
#include <pthread.h>

struct lagd_listed {
    struct lagd_job job;      /* first: the pool knows only this */
    struct lagd_listed *next; /* the list's, as is gone */
    const char *id;           /* of its row; the job's own */
    bool gone;                /* a person has deleted the row */
};
struct lagd_list {
    pthread_mutex_t lock;
    struct lagd_listed *first;
    struct lagd_pool *pool;
};

/* After a failure it is to be ended all the same. */
int lagd_list_init(struct lagd_list *list, const char *name, struct lag_error *err);
void lagd_list_stop(struct lagd_list *list);   /* cancels what waits and what runs, and waits for its end */
void lagd_list_deinit(struct lagd_list *list); /* stops it first */
int lagd_list_count(struct lagd_list *list);
/* LAG_ECANCELED: lagd is stopping; the job is the caller's again, and neither of its functions is called. */
int lagd_list_submit(struct lagd_list *list, struct lagd_listed *listed, struct lag_error *err);
/* Out of the list. true: its row was deleted. */
bool lagd_list_take_out(struct lagd_list *list, struct lagd_listed *listed);
/* The row was deleted: its job is cancelled. false: there is none. */
bool lagd_list_cancel(struct lagd_list *list, const char *id);

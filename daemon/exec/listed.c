/* Jobs of a pool that a row each stands for. */
#include "exec/listed_internal.h"

#include <string.h>

int lagd_list_init(struct lagd_list *list, const char *name, struct lag_error *err) {
    *list = (struct lagd_list){0};
    (void)pthread_mutex_init(&list->lock, NULL);
    return lagd_pool_create(name, 1, &list->pool, err);
}

void lagd_list_stop(struct lagd_list *list) {
    lagd_pool_destroy(list->pool);
    list->pool = NULL;
}

void lagd_list_deinit(struct lagd_list *list) {
    lagd_list_stop(list);
    (void)pthread_mutex_destroy(&list->lock);
}

int lagd_list_count(struct lagd_list *list) {
    int n = 0;
    (void)pthread_mutex_lock(&list->lock);
    for (const struct lagd_listed *one = list->first; one; one = one->next) n++;
    (void)pthread_mutex_unlock(&list->lock);
    return n;
}

int lagd_list_submit(struct lagd_list *list, struct lagd_listed *listed, struct lag_error *err) {
    (void)pthread_mutex_lock(&list->lock);
    listed->next = list->first;
    list->first = listed;
    (void)pthread_mutex_unlock(&list->lock);
    if (lagd_pool_submit(list->pool, &listed->job) == 0) return 0;
    (void)lagd_list_take_out(list, listed);
    return lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
}

bool lagd_list_take_out(struct lagd_list *list, struct lagd_listed *listed) {
    (void)pthread_mutex_lock(&list->lock);
    struct lagd_listed **link = &list->first;
    while (*link != listed) link = &(*link)->next;
    *link = listed->next;
    const bool gone = listed->gone;
    (void)pthread_mutex_unlock(&list->lock);
    return gone;
}

bool lagd_list_cancel(struct lagd_list *list, const char *id) {
    bool found = false;
    (void)pthread_mutex_lock(&list->lock);
    for (struct lagd_listed *one = list->first; one; one = one->next) {
        if (strcmp(one->id, id) != 0) continue;
        one->gone = found = true;
        atomic_store(&one->job.cancelled, true);
    }
    (void)pthread_mutex_unlock(&list->lock);
    return found;
}

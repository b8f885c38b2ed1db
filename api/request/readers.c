/* Lends reading connections to requests and exports, and keeps the idle ones. */
#include "request/readers_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/storage/store.h>
#include <pthread.h>
#include <stdlib.h>

struct lagd_readers {
    char state_dir[1024];
    pthread_mutex_t lock;
    struct lag_db *idle[8];
    int n_idle;
};

int lagd_readers_create(const char *state_dir, struct lagd_readers **ret) {
    struct lagd_readers *readers = lag_calloc(1, sizeof(*readers));
    if (!readers) return LAG_ENOMEM;
    (void)lag_copy(readers->state_dir, sizeof(readers->state_dir), state_dir);
    (void)pthread_mutex_init(&readers->lock, NULL);
    *ret = readers;
    return 0;
}

void lagd_readers_destroy(struct lagd_readers *readers) {
    if (!readers) return;
    while (readers->n_idle > 0) lag_reader_close(readers->idle[--readers->n_idle]);
    (void)pthread_mutex_destroy(&readers->lock);
    free(readers);
}

int lagd_reader_take(struct lagd_readers *readers, struct lag_db **ret, struct lag_error *err) {
    struct lag_db *db = NULL;
    (void)pthread_mutex_lock(&readers->lock);
    if (readers->n_idle > 0) db = readers->idle[--readers->n_idle];
    (void)pthread_mutex_unlock(&readers->lock);
    if (db) {
        *ret = db;
        return 0;
    }
    int rc = lag_reader_open(readers->state_dir, ret, err);
    if (rc == LAG_ENOTFOUND && err) err->code = LAG_EIO; /* it is not what was asked for that is missing */
    return rc == LAG_ENOTFOUND ? LAG_EIO : rc;
}

void lagd_reader_give(struct lagd_readers *readers, struct lag_db *db) {
    if (!db) return;
    lag_reader_end(db);
    (void)pthread_mutex_lock(&readers->lock);
    if ((size_t)readers->n_idle < LAG_COUNT(readers->idle)) {
        readers->idle[readers->n_idle++] = db;
        db = NULL;
    }
    (void)pthread_mutex_unlock(&readers->lock);
    if (db) lag_reader_close(db);
}

/* Calibrations that were made before. What a completed study says of the end never changes, and its runs cannot be
 * deleted before it: a calibration follows from the ids of its studies alone. */
#include "evidence/calibration_kept_internal.h"

#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4 }; /* that of decisions, and those of reports, which leave their own study out */

struct slot {
    char *key; /* NULL: empty */
    struct lag_calibration calibration;
    int n_studies;
};

/* One a process: runs' threads and those that answer requests ask for the same, and none of them owns it. */
static struct {
    pthread_mutex_t lock;
    struct slot slots[SLOTS];
    unsigned next;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool lagd_calibration_recall(const char *key, struct lag_calibration *ret, int *ret_n_studies) {
    bool found = false;
    (void)pthread_mutex_lock(&kept.lock);
    for (int i = 0; i < SLOTS && !found; i++) {
        const struct slot *slot = &kept.slots[i];
        if (!slot->key || strcmp(slot->key, key) != 0) continue;
        *ret = slot->calibration;
        *ret_n_studies = slot->n_studies;
        found = true;
    }
    (void)pthread_mutex_unlock(&kept.lock);
    return found;
}

void lagd_calibration_keep(const char *key, const struct lag_calibration *calibration, int n_studies) {
    char *own = lag_strdup(key);
    if (!own) return; /* it is made again */
    (void)pthread_mutex_lock(&kept.lock);
    struct slot *slot = &kept.slots[kept.next++ % SLOTS];
    char *old = slot->key;
    *slot = (struct slot){own, *calibration, n_studies};
    (void)pthread_mutex_unlock(&kept.lock);
    free(old);
}

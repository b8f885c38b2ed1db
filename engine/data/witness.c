/* Windows that were read since the file was last seen to be as registered. */
#include "data/data_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/witness.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

/* At so many noted windows a reader looks itself; beyond the most the file cannot be compared any more. */
enum { LOOK_WINDOWS = 1 << 14, MOST_WINDOWS = 1 << 20 };

struct window {
    uint64_t start, digest;
    int context;
};
struct lag_witness {
    pthread_mutex_t lock;
    bool trusts, fresh;
    struct lag_stamp stamp;
    struct window *windows;
    size_t n, capacity, look_at;
    bool lost; /* windows were read that are not noted */
};

struct lag_witness *lag_witness_create(void) {
    struct lag_witness *witness = lag_calloc(1, sizeof(*witness));
    if (witness) (void)pthread_mutex_init(&witness->lock, NULL);
    return witness;
}

void lag_witness_destroy(struct lag_witness *witness) {
    if (!witness) return;
    (void)pthread_mutex_destroy(&witness->lock);
    free(witness->windows);
    free(witness);
}

static void forget(struct lag_witness *witness) {
    witness->n = 0;
    witness->look_at = LOOK_WINDOWS;
    witness->lost = false;
}

void lag_witness_trust(struct lag_witness *witness, const struct lag_stamp *stamp, bool fresh) {
    (void)pthread_mutex_lock(&witness->lock);
    witness->trusts = true;
    witness->fresh = fresh;
    witness->stamp = *stamp;
    if (!fresh) forget(witness);
    (void)pthread_mutex_unlock(&witness->lock);
}

/* Windows are noted after they were read: those that are noted by now were read from a file of this stamp. */
static int look(struct lag_witness *witness, int fd, enum lag_sight *ret, struct lag_error *err) {
    struct lag_stamp now;
    const int rc = lag_stamp_of_fd(fd, &now, err);
    if (rc != 0) return rc;
    *ret = !witness->trusts || !lag_stamp_equal(&now, &witness->stamp) ? LAG_SIGHT_OTHER
           : witness->fresh                                            ? LAG_SIGHT_FRESH
                                                                       : LAG_SIGHT_SAME;
    if (*ret == LAG_SIGHT_SAME) forget(witness);
    return 0;
}

int lag_witness_look(struct lag_witness *witness, int fd, enum lag_sight *ret, struct lag_error *err) {
    (void)pthread_mutex_lock(&witness->lock);
    const int rc = look(witness, fd, ret, err);
    (void)pthread_mutex_unlock(&witness->lock);
    return rc;
}

/* Many windows: now and then a look, which forgets them as long as nothing has changed. */
static bool has_room(struct lag_witness *witness, int fd) {
    enum lag_sight ignored;
    if (witness->n >= witness->look_at) {
        (void)look(witness, fd, &ignored, NULL);
        if (witness->n > 0) witness->look_at = witness->n + LOOK_WINDOWS;
    }
    return witness->n < MOST_WINDOWS && lag_grow_array((void **)&witness->windows, &witness->capacity, witness->n + 1,
                                                       sizeof(*witness->windows)) == 0;
}

void lag_witness_note(struct lag_witness *witness, int fd, uint64_t start, int context, uint64_t digest) {
    (void)pthread_mutex_lock(&witness->lock);
    if (witness->trusts) {
        if (has_room(witness, fd)) witness->windows[witness->n++] = (struct window){start, digest, context};
        else witness->lost = true;
    }
    (void)pthread_mutex_unlock(&witness->lock);
}

static bool take(struct lag_witness *witness, size_t index, struct window *ret) {
    (void)pthread_mutex_lock(&witness->lock);
    const bool there = index < witness->n;
    if (there) *ret = witness->windows[index];
    (void)pthread_mutex_unlock(&witness->lock);
    return there;
}

int lag_witness_compare(struct lag_witness *witness, const struct lag_dataset *dataset, const _Atomic bool *cancel,
                        struct lag_error *err) {
    struct window window;
    (void)pthread_mutex_lock(&witness->lock);
    const bool lost = witness->lost;
    (void)pthread_mutex_unlock(&witness->lock);
    if (lost)
        return lag_error_set(err, LAG_ECORRUPT, "too much was read since the file was last known to be as registered");
    for (size_t i = 0; take(witness, i, &window); i++) {
        uint64_t digest = 0;
        if (cancel && atomic_load(cancel)) return lag_error_set(err, LAG_ECANCELED, "interrupted");
        const int rc = lag_dataset_digest(dataset, window.start, window.context, &digest, err);
        if (rc != 0) return rc;
        if (digest != window.digest)
            return lag_error_set(err, LAG_ECORRUPT,
                                 "for a while the file was another one: a window at token %" PRIu64 " has changed",
                                 window.start);
    }
    return 0;
}

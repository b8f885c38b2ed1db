/* Batches that are kept for many readers: each is read once, for whoever asks first. */
#include "data/data_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Slots lie one after the other: validation batches, then micro-batches from the first step on. A slot is ids
 * [rows][context + 1]: the tokens of a row are all but the last of them, its targets all but the first. */
struct layout {
    size_t n_validation, n_training;     /* slots */
    size_t validation_ids, training_ids; /* ids a slot */
};

struct lag_kept {
    struct lag_kept_batches what;
    struct layout layout;
    pthread_mutex_t filling;
    int32_t *ids;
    _Atomic bool filled[]; /* [n_validation + n_training]: set for good, after its ids */
};

static uint64_t n_ids(int rows, int context) { return (uint64_t)rows * ((uint64_t)context + 1); }

/* The first ones that fit; validation, which is asked for again at every evaluation, before training. */
static struct layout lay_out(const struct lag_kept_batches *what) {
    LAG_ASSERT(what->accumulate >= 1 && what->batch >= 1 && what->context >= 1);
    const uint64_t n_batches = what->eval.rows > 0 ? (uint64_t)LAG_MAX(0, what->eval.n_batches) : 0;
    const uint64_t n_steps = (uint64_t)LAG_MAX(0, what->n_steps);
    const uint64_t validation_ids = n_ids(LAG_MAX(0, what->eval.rows), what->context);
    const uint64_t training_ids = n_ids(what->batch, what->context);
    const uint64_t validation_bytes = validation_ids * sizeof(int32_t) + sizeof(bool);
    const uint64_t training_bytes = training_ids * sizeof(int32_t) + sizeof(bool);
    const uint64_t n_validation = LAG_MIN(n_batches, LAG_KEPT_LIMIT_BYTES / validation_bytes);
    const uint64_t fit = (LAG_KEPT_LIMIT_BYTES - n_validation * validation_bytes) / training_bytes;
    const uint64_t n_training = LAG_MIN(LAG_MIN(n_steps, fit) * (uint64_t)what->accumulate, fit);
    return (struct layout){n_validation, n_training, validation_ids, training_ids};
}

static size_t ids_bytes(const struct layout *layout) {
    const size_t n = layout->n_validation * layout->validation_ids + layout->n_training * layout->training_ids;
    return n * sizeof(int32_t);
}

static size_t header_bytes(const struct layout *layout) {
    return sizeof(struct lag_kept) + (layout->n_validation + layout->n_training) * sizeof(_Atomic bool);
}

uint64_t lag_kept_bytes(const struct lag_kept_batches *what) {
    const struct layout layout = lay_out(what);
    return header_bytes(&layout) + lag_block_bytes(ids_bytes(&layout));
}

struct lag_kept *lag_kept_create(const struct lag_kept_batches *what) {
    const struct layout layout = lay_out(what);
    struct lag_kept *kept = LAG_FP_FAIL("dataset.keep") ? NULL : lag_calloc(1, header_bytes(&layout));
    if (!kept) return NULL;
    kept->what = *what;
    kept->layout = layout;
    kept->ids = lag_block_alloc(ids_bytes(&layout));
    if (kept->ids && pthread_mutex_init(&kept->filling, NULL) == 0) return kept;
    lag_block_free(kept->ids, ids_bytes(&layout));
    free(kept);
    return NULL;
}

void lag_kept_destroy(struct lag_kept *kept) {
    if (!kept) return;
    (void)pthread_mutex_destroy(&kept->filling);
    lag_block_free(kept->ids, ids_bytes(&kept->layout));
    free(kept);
}

static bool find_validation(const struct lag_kept *kept, const struct lag_batch *batch, size_t *ret) {
    const struct lag_eval_set *eval = &kept->what.eval;
    if (batch->n_batches != eval->n_batches || batch->stride != eval->stride || batch->rows != eval->rows) return false;
    *ret = (size_t)batch->index;
    return *ret < kept->layout.n_validation;
}

static bool find_training(const struct lag_kept *kept, const struct lag_batch *batch, size_t *ret) {
    const struct lag_kept_batches *what = &kept->what;
    if (batch->seed != what->seed || batch->rows != what->batch || batch->index >= what->accumulate) return false;
    const uint64_t ahead = (uint64_t)batch->step - (uint64_t)what->first_step; /* of an earlier step: huge */
    if (ahead >= kept->layout.n_training) return false;
    const size_t at = ahead * (size_t)what->accumulate + (size_t)batch->index;
    *ret = kept->layout.n_validation + at;
    return at < kept->layout.n_training;
}

/* The slot of a batch; false when it has none. */
static bool find(const struct lag_kept *kept, const struct lag_batch *batch, size_t *ret) {
    if (batch->window != kept->what.context) return false;
    return batch->n_batches > 0 ? find_validation(kept, batch, ret) : find_training(kept, batch, ret);
}

static int32_t *ids_of(const struct lag_kept *kept, size_t slot) {
    const struct layout *layout = &kept->layout;
    if (slot < layout->n_validation) return kept->ids + slot * layout->validation_ids;
    int32_t *training = kept->ids + layout->n_validation * layout->validation_ids;
    return training + (slot - layout->n_validation) * layout->training_ids;
}

/* One reader at a time: they read one file, and who comes second for a batch must wait anyway. */
static int fill(struct lag_kept *kept, size_t slot, const struct lag_dataset *dataset, const struct lag_batch *batch,
                struct lag_error *err) {
    int rc = 0;
    (void)pthread_mutex_lock(&kept->filling);
    if (!atomic_load_explicit(&kept->filled[slot], memory_order_relaxed)) {
        int32_t *ids = ids_of(kept, slot);
        struct lag_batch whole = *batch;
        whole.begin = 0;
        whole.context = batch->window;
        rc = lag_dataset_read(dataset, &whole, (size_t)batch->window + 1, ids, ids + 1, err);
        if (rc == 0) atomic_store_explicit(&kept->filled[slot], true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&kept->filling);
    return rc;
}

int lag_kept_answer(struct lag_kept *kept, const struct lag_dataset *dataset, const struct lag_batch *batch,
                    int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err) {
    size_t slot;
    if (!find(kept, batch, &slot)) return LAG_NOT_KEPT;
    if (!atomic_load_explicit(&kept->filled[slot], memory_order_acquire)) {
        const int rc = fill(kept, slot, dataset, batch, err);
        if (rc != 0) return rc;
    }
    const int32_t *ids = ids_of(kept, slot) + batch->begin;
    const size_t context = (size_t)batch->context;
    for (size_t row = 0; row < (size_t)batch->rows; row++, ids += batch->window + 1) {
        memcpy(ret_tokens + row * context, ids, context * sizeof(*ids));
        memcpy(ret_targets + row * context, ids + 1, context * sizeof(*ids));
    }
    return 0;
}

/* Batches: which windows, and reading them. */
#include "data/data_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/rng.h>
#include <lagd/engine/witness.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_TOKENS = 2048 }; /* tokens a pread: the buffers fit the stack */

struct lag_dataset {
    int fd;
    struct lag_dataset_info info;
    struct lag_kept *kept; /* NULL: nothing is */
    struct lag_witness *witness;
};

int lag_dataset_open(int fd, const struct lag_dataset_info *info, struct lag_dataset **ret, struct lag_error *err) {
    struct stat st;
    int rc = 0;
    struct lag_witness *witness = NULL;
    struct lag_dataset *dataset = NULL;
    if (fstat(fd, &st) != 0)
        rc = lag_error_errno(err, errno, "cannot inspect the dataset's file");
    else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != info->n_bytes)
        rc = lag_error_set(err, LAG_ECORRUPT, "the dataset's file changed since it was registered: it has %" PRId64
                           " bytes instead of %" PRIu64 "; register it again", (int64_t)st.st_size, info->n_bytes);
    else if (!(witness = lag_witness_create()) || !(dataset = malloc(sizeof *dataset)))
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory");
    if (rc != 0) {
        lag_witness_destroy(witness);
        (void)close(fd);
        return rc;
    }
    *dataset = (struct lag_dataset){fd, *info, NULL, witness};
    *ret = dataset;
    return 0;
}

void lag_dataset_close(struct lag_dataset *dataset) {
    if (!dataset) return;
    lag_kept_destroy(dataset->kept);
    lag_witness_destroy(dataset->witness);
    (void)close(dataset->fd);
    free(dataset);
}

const struct lag_dataset_info *lag_dataset_info(const struct lag_dataset *dataset) { return &dataset->info; }

/* Window starts of the parts: a window is context inputs and the target of the last one. 0 when none fits. */
static uint64_t n_starts(uint64_t n_tokens, int context) {
    return n_tokens > (uint64_t)context ? n_tokens - (uint64_t)context : 0;
}

int lag_dataset_check(const struct lag_dataset_info *info, int context, int vocab_size, struct lag_error *err) {
    if (context < 1) return lag_error_at(err, LAG_EINVAL, "/model/n_positions", "a context of %d: at least 1", context);
    if (vocab_size < info->vocab_size)
        return lag_error_at(err, LAG_EINVAL, "/model/vocab_size",
                            "the model's vocabulary of %d is smaller than the dataset's: at least %d is needed",
                            vocab_size, info->vocab_size);
    const uint64_t n_validation = lag_dataset_n_validation(info); /* never the larger part */
    if (n_starts(n_validation, context) == 0)
        return lag_error_at(err, LAG_EINVAL, "/model/n_positions",
                            "the validation part (the last 10 %%) has %" PRIu64 " tokens, but a context of %d needs "
                            "%d: use a context of at most %" PRIu64 ", or a dataset of at least %" PRIu64 " tokens",
                            n_validation, context, context + 1, n_validation - 1, 10 * ((uint64_t)context + 1));
    return 0;
}

int64_t lag_dataset_longest(const struct lag_dataset_info *info) {
    const uint64_t n_validation = lag_dataset_n_validation(info);
    return n_validation > 1 ? (int64_t)n_validation - 1 : 0;
}

static int changed(const struct lag_dataset *dataset, uint64_t token, struct lag_error *err, const char *what) {
    return lag_error_set(err, LAG_ECORRUPT, "the dataset's file changed since it was registered: %s at token %" PRIu64
                         " of %" PRIu64 "; restore the file, or register it again and start a new run", what, token,
                         dataset->info.n_tokens);
}

/* ids[0 … n-1] = tokens first … first+n-1; n ≤ READ_TOKENS. */
static int read_tokens(const struct lag_dataset *dataset, uint64_t first, size_t n, uint32_t *ret_ids,
                       struct lag_error *err) {
    uint8_t bytes[READ_TOKENS * 4];
    const unsigned width = lag_token_format_width(dataset->info.format);
    const uint64_t offset = lag_token_format_offset(dataset->info.format) + first * width;
    const int64_t got = lag_pread_full(dataset->fd, bytes, n * width, offset);
    if (got < 0) return lag_error_errno(err, errno, "cannot read the dataset's file");
    if ((uint64_t)got != n * width) return changed(dataset, first + (uint64_t)got / width, err, "it ends");
    if (lag_tokens_decode(bytes, width, n, ret_ids) < (uint32_t)dataset->info.vocab_size) return 0;
    size_t at = 0;
    while (ret_ids[at] < (uint32_t)dataset->info.vocab_size) at++;
    return changed(dataset, first + at, err, "an id beyond the vocabulary");
}

static uint64_t digest_ids(uint64_t digest, const uint32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        digest = (digest ^ ids[i]) * 0x9e3779b97f4a7c15u;
        digest ^= digest >> 32;
    }
    return digest;
}

int lag_dataset_digest(const struct lag_dataset *dataset, uint64_t start, int context, uint64_t *ret,
                       struct lag_error *err) {
    uint32_t ids[READ_TOKENS];
    const uint64_t n_window = (uint64_t)context + 1;
    uint64_t digest = 0;
    for (uint64_t done = 0; done < n_window;) {
        const size_t n = (size_t)LAG_MIN((uint64_t)READ_TOKENS, n_window - done);
        const int rc = read_tokens(dataset, start + done, n, ids, err);
        if (rc != 0) return rc;
        digest = digest_ids(digest, ids, n);
        done += n;
    }
    *ret = digest;
    return 0;
}

/* One row: context inputs from start on, and the same shifted by one. */
static int read_window(const struct lag_dataset *dataset, uint64_t start, int context, int32_t *ret_tokens,
                       int32_t *ret_targets, struct lag_error *err) {
    uint32_t ids[READ_TOKENS];
    const uint64_t n_window = (uint64_t)context + 1;
    uint64_t digest = 0;
    for (uint64_t done = 0; done < n_window;) {
        const size_t n = (size_t)LAG_MIN((uint64_t)READ_TOKENS, n_window - done);
        const int rc = read_tokens(dataset, start + done, n, ids, err);
        if (rc != 0) return rc;
        for (size_t i = 0; i < n; i++) {
            const uint64_t at = done + i;
            if (at < (uint64_t)context) ret_tokens[at] = (int32_t)ids[i];
            if (at > 0) ret_targets[at - 1] = (int32_t)ids[i];
        }
        digest = digest_ids(digest, ids, n);
        done += n;
    }
    lag_witness_note(dataset->witness, dataset->fd, start, context, digest);
    return 0;
}

static int check_part(uint64_t starts, int context, const char *part, struct lag_error *err) {
    if (context >= 1 && starts > 0) return 0;
    return lag_error_at(err, LAG_EINVAL, "/model/n_positions", "no window of context %d fits the %s part",
                        context, part);
}

static uint64_t find_start(const struct lag_dataset_info *info, const struct lag_batch *batch, uint64_t starts,
                           int row) {
    uint64_t window = (uint64_t)batch->index * (uint64_t)batch->rows + (uint64_t)row;
    if (batch->n_batches == 0) return lag_rng_below(batch->seed, LAG_RNG_BATCH, (uint64_t)batch->step, window, starts);
    /* Batch i × stride + r has the windows r of those that lie between the i-th small batch's and their next ones. */
    const uint64_t stride = (uint64_t)batch->stride, small = (uint64_t)batch->index / stride;
    window = (small * (uint64_t)batch->rows + (uint64_t)row) * stride + (uint64_t)batch->index % stride;
    const uint64_t n_windows = (uint64_t)batch->n_batches * (uint64_t)batch->rows;
    return lag_dataset_n_training(info) + (uint64_t)((unsigned __int128)window * starts / n_windows);
}

int lag_dataset_read(const struct lag_dataset *dataset, const struct lag_batch *batch, size_t stride,
                     int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err) {
    const struct lag_dataset_info *info = &dataset->info;
    const bool trains = batch->n_batches == 0;
    const uint64_t n_tokens = trains ? lag_dataset_n_training(info) : lag_dataset_n_validation(info);
    const uint64_t starts = n_starts(n_tokens, batch->window);
    int rc = check_part(starts, batch->window, trains ? "training" : "validation", err);
    for (int row = 0; rc == 0 && row < batch->rows; row++) {
        const uint64_t start = find_start(info, batch, starts, row) + (uint64_t)batch->begin;
        const size_t at = (size_t)row * stride;
        rc = read_window(dataset, start, batch->context, ret_tokens + at, ret_targets + at, err);
    }
    return rc;
}

static int get_batch(const struct lag_dataset *dataset, const struct lag_batch *batch, int32_t *ret_tokens,
                     int32_t *ret_targets, struct lag_error *err) {
    int rc = LAG_NOT_KEPT;
    if (dataset->kept) rc = lag_kept_answer(dataset->kept, dataset, batch, ret_tokens, ret_targets, err);
    if (rc != LAG_NOT_KEPT) return rc;
    return lag_dataset_read(dataset, batch, (size_t)batch->context, ret_tokens, ret_targets, err);
}

int lag_dataset_batch(const struct lag_dataset *dataset, uint64_t seed, int64_t step, int micro, int batch, int context,
                      int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err) {
    const struct lag_batch asked = {.seed = seed, .step = step, .index = micro, .rows = batch, .window = context,
                                    .context = context};
    return get_batch(dataset, &asked, ret_tokens, ret_targets, err);
}

int lag_dataset_validation(const struct lag_dataset *dataset, const struct lag_eval_set *set, int index, int begin,
                           int context, int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err) {
    LAG_ASSERT(index >= 0 && index < set->n_batches && set->stride >= 1 && set->n_batches % set->stride == 0);
    const struct lag_batch asked = {.index = index, .n_batches = set->n_batches, .stride = set->stride,
                                    .rows = set->rows, .window = set->window > 0 ? set->window : context,
                                    .begin = begin, .context = context};
    LAG_ASSERT(begin >= 0 && begin <= asked.window - context);
    return get_batch(dataset, &asked, ret_tokens, ret_targets, err);
}

int lag_dataset_keep(struct lag_dataset *dataset, const struct lag_kept_batches *what, struct lag_error *err) {
    lag_dataset_forget(dataset);
    dataset->kept = lag_kept_create(what);
    return dataset->kept ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for the batches of a dataset");
}

void lag_dataset_forget(struct lag_dataset *dataset) {
    lag_kept_destroy(dataset->kept);
    dataset->kept = NULL;
}

/* --- is the file what was registered? --- */

int lag_dataset_fd(const struct lag_dataset *dataset) { return dataset->fd; }

int lag_dataset_replace(struct lag_dataset *dataset, int fd, struct lag_error *err) {
    /* The number stays: whoever reads finds the one file or the other. */
    const int failed = dup3(fd, dataset->fd, O_CLOEXEC) < 0 ? errno : 0;
    (void)close(fd);
    return failed ? lag_error_errno(err, failed, "cannot take over the dataset's new file") : 0;
}

void lag_dataset_trust(struct lag_dataset *dataset, const struct lag_stamp *stamp, bool fresh) {
    lag_witness_trust(dataset->witness, stamp, fresh);
}

int lag_dataset_look(const struct lag_dataset *dataset, enum lag_sight *ret, struct lag_error *err) {
    return lag_witness_look(dataset->witness, dataset->fd, ret, err);
}

int lag_dataset_reread(struct lag_dataset *dataset, const _Atomic bool *cancel, struct lag_error *err) {
    return lag_witness_compare(dataset->witness, dataset, cancel, err);
}

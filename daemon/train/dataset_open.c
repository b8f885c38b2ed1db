/* Opening a dataset: the file must still be what was registered. */
#include "train/dataset_open_internal.h"

#include "records/folders_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/engine/data.h>
#include <lagd/engine/witness.h>
#include <lagd/storage/runs.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Up to here the whole file is hashed at each opening, and no wish cuts that short: it takes about 0.2 s. */
enum { QUICK_BYTES = 256 * 1024 * 1024, CHUNK_BYTES = 1 << 20 };
enum { TRIES_MAX = 3 };

LAG_DEFINE_CLEANUP(struct lag_sha256, sha256_destroy_p, lag_sha256_destroy)

/* --- hashing ----------------------------------------------------------------------------------------------------- */

static int read_chunk(int fd, char *chunk, size_t length, int64_t offset, size_t *ret, struct lag_error *err) {
    ssize_t got = pread(fd, chunk, length, (off_t)offset);
    while (got < 0 && errno == EINTR) got = pread(fd, chunk, length, (off_t)offset);
    if (got < 0) return lag_error_errno(err, errno, "it cannot be read");
    *ret = (size_t)got;
    return 0;
}

bool lagd_dataset_is_quick(const struct lag_dataset_row *row) { return row->n_bytes <= QUICK_BYTES; }

static bool is_cancelled(const struct lagd_reading *reading, const struct lag_dataset_row *row) {
    return !lagd_dataset_is_quick(row) && reading->cancel && atomic_load(reading->cancel);
}

static int hash_fd(const struct lagd_reading *reading, const struct lag_dataset_row *row, int fd,
                   char ret_hex[LAG_SHA256_HEX], struct lag_error *err) {
    const int64_t n_bytes = row->n_bytes;
    LAG_CLEANUP(lag_free_p) char *chunk = malloc(CHUNK_BYTES);
    LAG_CLEANUP(sha256_destroy_p) struct lag_sha256 *hash = NULL;
    if (!chunk || lag_sha256_create(&hash) != 0) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    for (int64_t offset = 0; offset < n_bytes;) {
        size_t got = 0;
        if (is_cancelled(reading, row)) return lag_error_set(err, LAG_ECANCELED, "interrupted");
        LAG_FP("dataset.hash");
        int rc = read_chunk(fd, chunk, (size_t)LAG_MIN((int64_t)CHUNK_BYTES, n_bytes - offset), offset, &got, err);
        if (rc != 0) return rc;
        if (got == 0) break;
        lag_sha256_update(hash, chunk, got);
        offset += (int64_t)got;
        if (reading->progress) (void)lagd_progress_do(reading->progress, LAGD_DOING_VERIFYING);
    }
    lag_sha256_finish(LAG_TAKE(hash), ret_hex);
    return 0;
}

static int verify_once(const struct lagd_reading *reading, const struct lag_dataset_row *row, int fd,
                       struct lag_stamp *ret_stamp, bool *ret_settled, struct lag_error *err) {
    struct lag_stamp after;
    char hex[LAG_SHA256_HEX];
    int rc = lag_stamp_of_fd(fd, ret_stamp, err);
    if (rc != 0) return rc;
    if (ret_stamp->n_bytes != row->n_bytes)
        return lag_error_set(err, LAG_ECORRUPT, "it is not the file that was registered (it has %lld bytes, not %lld)",
                             (long long)ret_stamp->n_bytes, (long long)row->n_bytes);
    rc = hash_fd(reading, row, fd, hex, err);
    if (rc != 0) return rc;
    if (row->sha256[0] != '\0' && strcmp(hex, row->sha256) != 0)
        return lag_error_set(err, LAG_ECORRUPT, "it is not the file that was registered (its SHA-256 differs)");
    rc = lag_stamp_of_fd(fd, &after, err);
    *ret_settled = rc == 0 && lag_stamp_equal(&after, ret_stamp);
    return rc;
}

static int name_file(const struct lagd_reading *reading, const struct lag_dataset_row *row, int rc,
                     struct lag_error *err) {
    char path[LAGD_STATE_PATH];
    if (rc == 0) return 0;
    lagd_dataset_path(reading->deps, row, path);
    (void)lag_error_wrap(err, "dataset %s: %s", row->name, path);
    return rc;
}

int lagd_dataset_verify(const struct lagd_reading *reading, const struct lag_dataset_row *row, int fd,
                        struct lag_stamp *ret_stamp, bool *ret_fresh, struct lag_error *err) {
    enum lagd_doing before = LAGD_DOING_OPENING;
    if (reading->progress) before = lagd_progress_do(reading->progress, LAGD_DOING_VERIFYING);
    bool settled = false;
    int rc = 0;
    for (int i = 0; rc == 0 && !settled && i < TRIES_MAX; i++) {
        const int64_t began_ms = lag_clock_wall_ms();
        rc = verify_once(reading, row, fd, ret_stamp, &settled, err);
        if (rc == 0) *ret_fresh = lag_stamp_is_fresh(ret_stamp, began_ms);
    }
    if (rc == 0 && !settled) rc = lag_error_set(err, LAG_ECORRUPT, "it is being written to");
    if (reading->progress) (void)lagd_progress_do(reading->progress, before);
    return name_file(reading, row, rc, err);
}

/* --- stamps ------------------------------------------------------------------------------------------------------ */

bool lagd_dataset_has_stamp(const struct lag_dataset_row *row, const struct lag_stamp *stamp) {
    const struct lag_stamp stored = {row->device, row->inode, row->n_bytes, row->mtime_ns, row->ctime_ns};
    return lag_stamp_equal(&stored, stamp);
}

struct stamping {
    const char *id;
    const struct lag_stamp *stamp;
};

static int write_stamp(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct stamping *stamping = arg;
    return lag_dataset_set_stamp(db, stamping->id, stamping->stamp, err);
}

/* Without it the file is hashed once more than need be. */
void lagd_dataset_trust(const struct lagd_reading *reading, const struct lag_dataset_row *row,
                        struct lag_dataset *dataset, const struct lag_stamp *stamp, bool fresh) {
    struct stamping stamping = {row->id, stamp};
    struct lag_error err = {0};
    lag_dataset_trust(dataset, stamp, fresh);
    if (fresh || lagd_dataset_has_stamp(row, stamp)) return;
    if (lag_store_write(reading->deps->store, write_stamp, &stamping, &err) != 0)
        lag_log(LAG_LOG_WARNING, "dataset %s: when its file was last changed is not stored: %s", row->name, err.text);
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

int lagd_dataset_open_path(const struct lagd_deps *deps, const struct lag_dataset_row *row, int *ret_fd,
                           struct lag_error *err) {
    char folder[LAGD_STATE_PATH];
    lagd_dataset_path(deps, row, folder);
    char *slash = strrchr(folder, '/');
    if (!row->path[0] || !slash || slash[1] == '\0')
        return lag_error_set(err, LAG_ECORRUPT, "dataset %s is stored without the name of its file", row->name);
    *slash = '\0';
    int rc = lag_fs_open_beneath(folder[0] ? folder : "/", slash + 1, ret_fd, err);
    return rc != 0 ? lag_error_wrap(err, "dataset %s", row->name) : 0;
}

static int trust_fd(const struct lagd_reading *reading, const struct lag_dataset_row *row, struct lag_dataset *dataset,
                    struct lag_error *err) {
    struct lag_stamp stamp;
    bool fresh = false;
    int rc = lag_stamp_of_fd(lag_dataset_fd(dataset), &stamp, err);
    if (rc != 0) return name_file(reading, row, rc, err);
    if (lagd_dataset_is_quick(row) || !lagd_dataset_has_stamp(row, &stamp))
        rc = lagd_dataset_verify(reading, row, lag_dataset_fd(dataset), &stamp, &fresh, err);
    if (rc == 0) lagd_dataset_trust(reading, row, dataset, &stamp, fresh);
    return rc;
}

int lagd_dataset_open_row(const struct lagd_reading *reading, const struct lag_dataset_row *row,
                          struct lag_dataset **ret, struct lag_error *err) {
    struct lag_dataset_info info = {.n_bytes = (uint64_t)row->n_bytes, .n_tokens = (uint64_t)row->n_tokens,
                                    .max_id = (uint32_t)row->max_id, .vocab_size = (int)row->vocab_size};
    (void)lag_copy(info.sha256, sizeof(info.sha256), row->sha256);
    if (lag_token_format_parse(row->format, &info.format) != 0)
        return lag_error_set(err, LAG_ECORRUPT, "dataset %s has the unknown format \"%s\"", row->name, row->format);
    struct lag_dataset *dataset = NULL;
    int fd = -1;
    int rc = lagd_dataset_open_path(reading->deps, row, &fd, err);
    if (rc != 0) return rc;
    rc = lag_dataset_open(fd, &info, &dataset, err);
    if (rc != 0) return lag_error_wrap(err, "dataset %s", row->name);
    rc = trust_fd(reading, row, dataset, err);
    if (rc == 0) *ret = dataset;
    else lag_dataset_close(dataset);
    return rc;
}

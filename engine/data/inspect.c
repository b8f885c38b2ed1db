/* Registration of a dataset: one streaming pass that counts, range-checks and hashes. */
#include "data/data_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/hash.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK_BYTES = 256 * 1024 }; /* a multiple of every token width and of the header */

LAG_DEFINE_CLEANUP(struct lag_sha256, sha256_destroy_p, lag_sha256_destroy)

struct scan {
    const char *file_name;
    bool guessed;        /* uint16 follows from the file's name alone */
    struct lag_token_layout layout;
    uint32_t limit;      /* every id is below it */
    uint32_t largest;
    uint8_t *bytes;      /* [CHUNK_BYTES] */
    uint32_t *ids;       /* [CHUNK_BYTES] */
};

static int report_id(const struct scan *scan, uint64_t first, size_t n, struct lag_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (scan->ids[i] < scan->limit) continue;
        return lag_error_set(err, LAG_EINVAL, "%s: token %" PRIu64 " is %" PRIu32 ", but ids must be below %" PRIu32
                             ": wrong vocabulary size or wrong format", scan->file_name, first + i, scan->ids[i],
                             scan->limit);
    }
    return 0;
}

/* Tokens of the chunk at file offset, which begins and ends between tokens. */
static int scan_chunk(struct scan *scan, uint64_t offset, size_t length, struct lag_error *err) {
    const size_t skip = offset < scan->layout.offset_bytes ? scan->layout.offset_bytes - (size_t)offset : 0;
    const size_t n = (length - LAG_MIN(skip, length)) / scan->layout.width_bytes;
    if (n == 0) return 0;
    if (offset == 0 && scan->guessed) {
        const int rc = lag_data_refuse_width(scan->bytes, length, scan->file_name, err);
        if (rc != 0) return rc;
    }
    const uint32_t largest = lag_tokens_decode(scan->bytes + skip, scan->layout.width_bytes, n, scan->ids);
    const uint64_t first = (offset + skip - scan->layout.offset_bytes) / scan->layout.width_bytes;
    if (largest >= scan->limit) return report_id(scan, first, n, err);
    scan->largest = LAG_MAX(scan->largest, largest);
    return 0;
}

static int read_chunk(struct scan *scan, int fd, uint64_t offset, size_t length, struct lag_error *err) {
    const int64_t got = lag_pread_full(fd, scan->bytes, length, offset);
    if (got < 0) return lag_error_errno(err, errno, "%s: cannot read", scan->file_name);
    if ((uint64_t)got == length) return scan_chunk(scan, offset, length, err);
    return lag_error_set(err, LAG_EINVAL, "%s: the file shrank while it was read: register it when nothing writes to "
                         "it", scan->file_name);
}

static int scan_file(struct scan *scan, int fd, uint64_t n_bytes, const struct lag_scan_watch *watch,
                     char ret_sha256[65], struct lag_error *err) {
    LAG_CLEANUP(sha256_destroy_p) struct lag_sha256 *hash = NULL;
    int rc = lag_sha256_create(&hash);
    if (rc != 0) return lag_error_set(err, rc, "%s: cannot start SHA-256", scan->file_name);
    for (uint64_t offset = 0; offset < n_bytes;) {
        if (watch && !watch->goes_on(watch->arg, offset))
            return lag_error_set(err, LAG_ECANCELED, "%s: cancelled", scan->file_name);
        const size_t length = (size_t)LAG_MIN((uint64_t)CHUNK_BYTES, n_bytes - offset);
        rc = read_chunk(scan, fd, offset, length, err);
        if (rc != 0) return rc;
        lag_sha256_update(hash, scan->bytes, length);
        offset += length;
    }
    lag_sha256_finish(LAG_TAKE(hash), ret_sha256);
    return 0;
}

static int file_size(int fd, const char *file_name, uint64_t *ret_bytes, struct lag_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return lag_error_errno(err, errno, "%s: cannot inspect", file_name);
    if (!S_ISREG(st.st_mode)) return lag_error_set(err, LAG_EINVAL, "%s: not a regular file", file_name);
    *ret_bytes = (uint64_t)st.st_size;
    return 0;
}

static int find_layout(int fd, uint64_t n_bytes, const char *file_name, const char *format_name,
                       struct lag_token_layout *ret, struct lag_error *err) {
    uint8_t head[LAG_TOKEN_HEADER_BYTES];
    const int64_t n_head = lag_pread_full(fd, head, sizeof head, 0);
    if (n_head < 0) return lag_error_errno(err, errno, "%s: cannot read", file_name);
    return lag_token_layout_find(head, (size_t)n_head, n_bytes, file_name, format_name, ret, err);
}

/* What is known before anything but the head was read. buffers [CHUNK_BYTES] and [CHUNK_BYTES], owned in the scan. */
static int begin_scan(struct scan *scan, int fd, const char *format_name, int declared_vocab, uint64_t *ret_bytes,
                      struct lag_error *err) {
    if (declared_vocab < 0 || declared_vocab > LAG_MAX_VOCAB)
        return lag_error_set(err, LAG_EINVAL, "vocabulary size %d: allowed are 1 to %d, or none", declared_vocab,
                             LAG_MAX_VOCAB);
    int rc = file_size(fd, scan->file_name, ret_bytes, err);
    if (rc == 0) rc = find_layout(fd, *ret_bytes, scan->file_name, format_name, &scan->layout, err);
    if (rc != 0) return rc;
    scan->guessed = scan->layout.format == LAG_TOKENS_NANOGPT && lag_token_format_is_auto(format_name);
    scan->limit = declared_vocab ? (uint32_t)declared_vocab : lag_token_format_limit(scan->layout.format);
    scan->bytes = malloc(CHUNK_BYTES);
    scan->ids = malloc(CHUNK_BYTES * sizeof *scan->ids);
    if (!scan->bytes || !scan->ids) return lag_error_set(err, LAG_ENOMEM, "%s: out of memory", scan->file_name);
    return 0;
}

static void end_scan(struct scan *scan) {
    free(scan->bytes);
    free(scan->ids);
}

int lag_dataset_glance(int fd, const char *file_name, const char *format_name, int declared_vocab,
                       enum lag_token_format *ret, struct lag_error *err) {
    struct scan scan = {.file_name = file_name};
    uint64_t n_bytes = 0;
    int rc = begin_scan(&scan, fd, format_name, declared_vocab, &n_bytes, err);
    if (rc == 0) rc = read_chunk(&scan, fd, 0, (size_t)LAG_MIN((uint64_t)CHUNK_BYTES, n_bytes), err);
    if (rc == 0) *ret = scan.layout.format;
    end_scan(&scan);
    return rc;
}

static int inspect(struct scan *scan, int fd, const struct lag_scan_watch *watch, struct lag_dataset_info *info,
                   struct lag_error *err) {
    uint64_t n_bytes_after;
    int rc = scan_file(scan, fd, info->n_bytes, watch, info->sha256, err);
    if (rc == 0) rc = file_size(fd, scan->file_name, &n_bytes_after, err);
    if (rc != 0) return rc;
    if (n_bytes_after != info->n_bytes)
        return lag_error_set(err, LAG_EINVAL, "%s: the file grew while it was read: register it when nothing writes "
                             "to it", scan->file_name);
    info->format = scan->layout.format;
    info->n_tokens = scan->layout.n_tokens;
    info->max_id = scan->largest;
    return 0;
}

int lag_dataset_inspect(int fd, const char *file_name, const char *format_name, int declared_vocab,
                        const struct lag_scan_watch *watch, struct lag_dataset_info *ret, struct lag_error *err) {
    struct lag_dataset_info info = {0};
    struct scan scan = {.file_name = file_name};
    int rc = begin_scan(&scan, fd, format_name, declared_vocab, &info.n_bytes, err);
    if (rc == 0) rc = inspect(&scan, fd, watch, &info, err);
    end_scan(&scan);
    if (rc != 0) return rc;
    info.vocab_size = info.format == LAG_TOKENS_TEXT ? 256 : declared_vocab ? declared_vocab : (int)scan.largest + 1;
    *ret = info;
    return 0;
}

/* A small table of files and their hashes: rows by inode, in which the latest stay, as many as a checkpoint has files.
 */
#include "checkpoint/hashes_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/stamp.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 256, WAYS = 4, READ_BYTES = 1 << 20 };

struct known {
    struct lag_stamp stamp;
    char hex[LAG_SHA256_HEX]; /* "" = nothing is known here */
};
struct row {
    struct known known[WAYS];
    unsigned next; /* the place that is taken next */
};
struct lagd_hashes {
    pthread_mutex_t mutex; /* guards rows */
    struct row rows[ROWS];
};

int lagd_hashes_create(struct lagd_hashes **ret, struct lag_error *err) {
    struct lagd_hashes *hashes = lag_calloc(1, sizeof(*hashes));
    if (!hashes) return lag_error_set(err, LAG_ENOMEM, "out of memory for hashes of files");
    (void)pthread_mutex_init(&hashes->mutex, NULL);
    *ret = hashes;
    return 0;
}

void lagd_hashes_destroy(struct lagd_hashes *hashes) {
    if (!hashes) return;
    (void)pthread_mutex_destroy(&hashes->mutex);
    free(hashes);
}

/* Inodes that are made together lie side by side. */
static struct row *row_of(struct lagd_hashes *hashes, const struct lag_stamp *stamp) {
    return &hashes->rows[((uint64_t)stamp->inode + 31 * (uint64_t)stamp->device) % ROWS];
}

bool lagd_hashes_find(struct lagd_hashes *hashes, int fd, char ret_hex[LAG_SHA256_HEX], int64_t *ret_n_bytes) {
    struct lag_stamp stamp;
    *ret_n_bytes = -1;
    if (lag_stamp_of_fd(fd, &stamp, NULL) != 0) return false;
    *ret_n_bytes = stamp.n_bytes;
    (void)pthread_mutex_lock(&hashes->mutex);
    const struct row *row = row_of(hashes, &stamp);
    const struct known *known = row->known;
    while (known < row->known + WAYS && !(known->hex[0] != '\0' && lag_stamp_equal(&known->stamp, &stamp))) known++;
    bool found = known < row->known + WAYS;
    if (found) memcpy(ret_hex, known->hex, LAG_SHA256_HEX);
    (void)pthread_mutex_unlock(&hashes->mutex);
    return found;
}

static int read_all(int fd, struct lag_sha256 *hash, const _Atomic bool *cancelled, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *buffer = malloc(READ_BYTES);
    if (!buffer) return lag_error_set(err, LAG_ENOMEM, "out of memory while hashing a file");
    for (off_t at = 0;;) {
        if (cancelled && atomic_load(cancelled)) return lag_error_set(err, LAG_ECANCELED, "lagd is stopping");
        ssize_t got = pread(fd, buffer, READ_BYTES, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return lag_error_errno(err, errno, "cannot read a file");
        if (got == 0) return 0;
        lag_sha256_update(hash, buffer, (size_t)got);
        at += got;
    }
}

static int hash_file(int fd, const _Atomic bool *cancelled, char ret_hex[LAG_SHA256_HEX], struct lag_error *err) {
    struct lag_sha256 *hash = NULL;
    int rc = lag_sha256_create(&hash);
    if (rc != 0) return lag_error_set(err, rc, "cannot begin a SHA-256");
    rc = read_all(fd, hash, cancelled, err);
    if (rc == 0) lag_sha256_finish(hash, ret_hex);
    else lag_sha256_destroy(hash);
    return rc;
}

int lagd_hashes_compute(struct lagd_hashes *hashes, int fd, const _Atomic bool *cancelled,
                        char ret_hex[LAG_SHA256_HEX], struct lag_error *err) {
    struct lag_stamp before, after;
    char hex[LAG_SHA256_HEX] = "";
    int rc = lag_stamp_of_fd(fd, &before, err);
    if (rc == 0) rc = hash_file(fd, cancelled, hex, err);
    if (rc == 0) rc = lag_stamp_of_fd(fd, &after, err);
    if (rc != 0) return rc;
    /* Losing its name, as retention makes it, is not being written to. */
    if (before.n_bytes != after.n_bytes || before.mtime_ns != after.mtime_ns)
        return lag_error_set(err, LAG_EBUSY, "a file was written to while it was read");
    (void)pthread_mutex_lock(&hashes->mutex);
    struct row *row = row_of(hashes, &after);
    struct known *known = &row->known[row->next++ % WAYS];
    known->stamp = after;
    memcpy(known->hex, hex, sizeof(hex));
    (void)pthread_mutex_unlock(&hashes->mutex);
    memcpy(ret_hex, hex, sizeof(hex));
    return 0;
}

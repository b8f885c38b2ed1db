/* Uploads: streamed to disk with a limit, removed unless they are taken over. */
#include "request/upload_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/commands.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_EVERY_BYTES (1 << 20) /* at the space that is free */

struct lagd_upload {
    char dir[1100], path[1200];
    int fd;
    int64_t n_bytes, limit_bytes, min_free_bytes, next_look_bytes;
    struct lag_sha256 *hash; /* NULL: not asked for */
    char sha256[LAG_SHA256_HEX];
};

static int check_space(const struct lagd_upload *upload, int64_t need_bytes, struct lag_error *err) {
    uint64_t free_bytes;
    int status = lag_fs_free_bytes(upload->dir, &free_bytes, err);
    if (status < 0) return status;
    uint64_t need = (uint64_t)need_bytes + (uint64_t)upload->min_free_bytes;
    if (free_bytes >= need) return 0;
    return lag_error_set(
        err, LAG_ENOSPC,
        "%llu bytes are free where uploads go; this one needs %llu, of which %lld stay free (storage/min_free_bytes)",
        (unsigned long long)free_bytes, (unsigned long long)need, (long long)upload->min_free_bytes);
}

static int too_big(const struct lagd_upload *upload, struct lag_error *err) {
    return lag_error_set(err, LAG_ETOOBIG, "an upload may have %lld bytes (server/upload_limit_bytes)",
                         (long long)upload->limit_bytes);
}

int lagd_upload_create(const char *state_dir, const char *id, int64_t limit_bytes, int64_t min_free_bytes,
                       int64_t expected_bytes, struct lagd_upload **ret, struct lag_error *err) {
    struct lagd_upload *upload = lag_calloc(1, sizeof(*upload));
    if (!upload) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    upload->fd = -1;
    upload->limit_bytes = limit_bytes;
    upload->min_free_bytes = min_free_bytes;
    (void)snprintf(upload->dir, sizeof(upload->dir), "%s/uploads", state_dir);
    (void)snprintf(upload->path, sizeof(upload->path), "%s/%s" LAGD_UPLOAD_END, upload->dir, id);
    int status = expected_bytes > limit_bytes ? too_big(upload, err) : lag_fs_mkdirs(upload->dir, err);
    if (status == 0) status = check_space(upload, expected_bytes, err);
    if (status == 0) {
        upload->fd = open(upload->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (upload->fd < 0) status = lag_error_errno(err, errno, "cannot store the upload");
    }
    if (status < 0) {
        lagd_upload_destroy(upload);
        return status;
    }
    *ret = upload;
    return 0;
}

int lagd_upload_write(struct lagd_upload *upload, const void *data, size_t length, struct lag_error *err) {
    if (length > (uint64_t)(upload->limit_bytes - upload->n_bytes)) return too_big(upload, err);
    int status = 0;
    if (upload->n_bytes + (int64_t)length > upload->next_look_bytes) {
        status = check_space(upload, LAG_MAX((int64_t)length, LOOK_EVERY_BYTES), err);
        upload->next_look_bytes = upload->n_bytes + (int64_t)length + LOOK_EVERY_BYTES;
    }
    if (status == 0) status = lag_fs_write_all(upload->fd, data, length, err);
    if (status < 0) return lag_error_wrap(err, "cannot store the upload");
    upload->n_bytes += (int64_t)length;
    if (upload->hash) lag_sha256_update(upload->hash, data, length);
    return 0;
}

int lagd_upload_hash(struct lagd_upload *upload, struct lag_error *err) {
    return lag_sha256_create(&upload->hash) == 0 ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory");
}

const char *lagd_upload_sha256(const struct lagd_upload *upload) { return upload->sha256; }

int lagd_upload_finish(struct lagd_upload *upload, struct lag_error *err) {
    if (upload->hash) lag_sha256_finish(upload->hash, upload->sha256);
    upload->hash = NULL;
    int fd = upload->fd;
    upload->fd = -1;
    int failed = fsync(fd) < 0 ? errno : 0;
    if (close(fd) < 0 && !failed) failed = errno;
    return failed ? lag_error_errno(err, failed, "cannot store the upload") : 0;
}

const char *lagd_upload_path(const struct lagd_upload *upload) { return upload->path; }

void lagd_upload_destroy(struct lagd_upload *upload) {
    if (!upload) return;
    if (upload->fd >= 0) (void)close(upload->fd);
    if (upload->hash) lag_sha256_destroy(upload->hash);
    (void)unlink(upload->path); /* the name is this request's own: nobody else makes it again */
    free(upload);
}

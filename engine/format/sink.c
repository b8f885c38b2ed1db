/* Writing with a hash. */
#include "format/sink_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20, FILE_MODE = 0640 };

int lag_sink_open(const char *dir, const char *name, uint64_t need_bytes, struct lag_sink *ret, struct lag_error *err) {
    struct lag_sink sink = {.fd = -1};
    int rc = 0;
    sink.path = lag_asprintf("%s/%s", dir, name);
    if (!sink.path || lag_sha256_create(&sink.hash) != 0) {
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory while writing %s/%s", dir, name);
    } else if ((sink.fd = open(sink.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE)) < 0) {
        rc = lag_error_errno(err, errno, "cannot create %s", sink.path);
    } else if (need_bytes > 0 && fallocate(sink.fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)need_bytes) != 0 &&
               (errno == ENOSPC || errno == EDQUOT || errno == EIO)) { /* other errors: it cannot be reserved here */
        rc = lag_error_errno(err, errno, "cannot reserve %llu bytes for %s", (unsigned long long)need_bytes, sink.path);
    }
    if (rc != 0) lag_sink_deinit(&sink);
    else *ret = sink;
    return rc;
}

int lag_sink_write(struct lag_sink *sink, const void *data, size_t length, struct lag_error *err) {
    const char *bytes = data;
    while (length > 0) {
        const size_t n = LAG_MIN(length, (size_t)CHUNK_BYTES);
        if (LAG_FP_FAIL("checkpoint.write_error")) return lag_error_errno(err, EIO, "cannot write %s", sink->path);
        if (LAG_FP_FAIL("checkpoint.disk_full")) return lag_error_errno(err, ENOSPC, "cannot write %s", sink->path);
        const int rc = lag_fs_write_all(sink->fd, bytes, n, err);
        if (rc != 0) return err ? lag_error_wrap(err, "%s", sink->path) : rc;
        lag_sha256_update(sink->hash, bytes, n);
        sink->n_bytes += n;
        bytes += n;
        length -= n;
    }
    return 0;
}

int lag_sink_finish(struct lag_sink *sink, char ret_sha256[LAG_SHA256_HEX], struct lag_error *err) {
    char sha256[LAG_SHA256_HEX];
    lag_sha256_finish(LAG_TAKE(sink->hash), sha256);
    if (!sha256[0]) return lag_error_set(err, LAG_EINTERNAL, "SHA-256 of %s failed", sink->path);
    LAG_FP("checkpoint.before_fsync");
    if (fsync(sink->fd) != 0) return lag_error_errno(err, errno, "cannot make %s durable", sink->path);
    const int closed = close(sink->fd);
    sink->fd = -1;
    if (closed != 0) return lag_error_errno(err, errno, "cannot close %s", sink->path);
    memcpy(ret_sha256, sha256, sizeof sha256);
    return 0;
}

void lag_sink_deinit(struct lag_sink *sink) {
    if (sink->fd >= 0) (void)close(sink->fd);
    lag_sha256_destroy(sink->hash);
    free(sink->path);
    *sink = (struct lag_sink){.fd = -1};
}

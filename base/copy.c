/* Copies of whole files: shared blocks where the file system can, else byte by byte; hashed and durable. */
#include <lagd/base/fs.h>

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/hash.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20, FILE_MODE = 0640 };

LAG_DEFINE_CLEANUP(struct lag_sha256, sha256_destroy_p, lag_sha256_destroy)

/* Reads all of from; writes it to to unless that is -1; hashes it where hash is not NULL. */
static int pump(int from, int to, struct lag_sha256 *hash, const struct lag_fs_watch *watch, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) void *piece = lag_calloc(1, PIECE_BYTES);
    if (!piece) return lag_error_set(err, LAG_ENOMEM, "out of memory for a copy");
    for (off_t at = 0;;) {
        ssize_t got = pread(from, piece, PIECE_BYTES, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return lag_error_errno(err, errno, "cannot read the file that is copied");
        if (got == 0) return 0;
        int rc = to >= 0 ? lag_fs_write_all(to, piece, (size_t)got, err) : 0;
        if (rc < 0) return rc;
        if (hash) lag_sha256_update(hash, piece, (size_t)got);
        at += got;
        if (watch && watch->each(watch->arg, (size_t)got)) return lag_error_set(err, LAG_ECANCELED, "interrupted");
    }
}

static int copy_into(int from, int to, char *ret_sha256, const struct lag_fs_watch *watch, struct lag_error *err) {
    LAG_CLEANUP(sha256_destroy_p) struct lag_sha256 *hash = NULL;
    if (ret_sha256 && lag_sha256_create(&hash)) return lag_error_set(err, LAG_ENOMEM, "out of memory for a hash");
    bool is_shared = ioctl(to, FICLONE, from) == 0;
    int rc = !is_shared || hash ? pump(from, is_shared ? -1 : to, hash, watch, err) : 0;
    if (rc < 0) return rc;
    if (fsync(to)) return lag_error_errno(err, errno, "cannot make the copy durable");
    if (hash) lag_sha256_finish(LAG_TAKE(hash), ret_sha256);
    return 0;
}

int lag_fs_copy(int from_fd, const char *to, char *ret_sha256, const struct lag_fs_watch *watch,
                struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0) return lag_error_errno(err, errno, "cannot create %s", to);
    int rc = copy_into(from_fd, fd, ret_sha256, watch, err);
    if (rc == 0) return 0;
    (void)unlink(to);
    return err ? lag_error_wrap(err, "%s", to) : rc;
}

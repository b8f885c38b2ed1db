/* Which file it is, and when it was last written to. */
#include <lagd/base/stamp.h>

#include <lagd/base/error.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static int64_t time_ns(struct timespec time) { return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec; }

static int take(const struct stat *info, struct lag_stamp *ret, struct lag_error *err) {
    if (!S_ISREG(info->st_mode)) return lag_error_set(err, LAG_EINVAL, "not a regular file");
    *ret = (struct lag_stamp){.device = (int64_t)info->st_dev, .inode = (int64_t)info->st_ino,
                              .n_bytes = (int64_t)info->st_size, .mtime_ns = time_ns(info->st_mtim),
                              .ctime_ns = time_ns(info->st_ctim)};
    return 0;
}

int lag_stamp_of_fd(int fd, struct lag_stamp *ret, struct lag_error *err) {
    struct stat info;
    if (fstat(fd, &info) != 0) return lag_error_errno(err, errno, "cannot examine the file");
    return take(&info, ret, err);
}

int lag_stamp_of_path(const char *path, struct lag_stamp *ret, struct lag_error *err) {
    struct stat info;
    if (lstat(path, &info) != 0) return lag_error_errno(err, errno, "cannot examine %s", path);
    return take(&info, ret, err);
}

bool lag_stamp_same_file(const struct lag_stamp *a, const struct lag_stamp *b) {
    return a->device == b->device && a->inode == b->inode;
}

bool lag_stamp_equal(const struct lag_stamp *a, const struct lag_stamp *b) {
    return lag_stamp_same_file(a, b) && a->n_bytes == b->n_bytes && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}

/* A time far ahead is no recent one: it was set by hand, or the file server's clock is another. */
static bool is_recent(int64_t time_ns, int64_t now_ms) {
    return llabs(now_ms - time_ns / 1000000) < LAG_STAMP_TICK_MS;
}

bool lag_stamp_is_fresh(const struct lag_stamp *stamp, int64_t now_ms) {
    return is_recent(stamp->mtime_ns, now_ms) || is_recent(stamp->ctime_ns, now_ms);
}

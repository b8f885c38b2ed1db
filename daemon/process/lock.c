/* The lock of the state directory: one daemon at a time. */
#include "process/lock_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_NAME "lagd.lock"

/* statfs(2) types of file systems on which locks or shared memory may not hold between machines */
static const unsigned network_types[] = {0x6969 /* NFS */, 0x517b /* SMB */, 0xff534d42 /* CIFS */,
                                         0xfe534d42 /* SMB2 */};

static int check_local(const char *state_dir, struct lag_error *err) {
    struct statfs info;
    if (statfs(state_dir, &info) < 0) return lag_error_errno(err, errno, "cannot examine %s", state_dir);
    for (size_t i = 0; i < LAG_COUNT(network_types); i++) {
        if ((unsigned)info.f_type == network_types[i]) {
            return lag_error_at(err, LAG_EUNSUPPORTED, "storage/state_dir", "%s is on a network file system, where the "
                                "database is not safe: choose a folder on a local disk", state_dir);
        }
    }
    return 0;
}

static int refuse_busy(int fd, const char *state_dir, struct lag_error *err) {
    char pid[32] = "";
    ssize_t n = fd >= 0 ? pread(fd, pid, sizeof(pid) - 1, 0) : 0;
    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\r\n")] = '\0';
    return lag_error_at(err, LAG_EBUSY, "storage/state_dir",
                        "%s is in use by lagd with PID %s; stop it, or choose another "
                        "state directory",
                        state_dir, *pid ? pid : "unknown");
}

/* Whoever may write in a folder can put a link or another database in the place of any file there. */
static int check_owner(const char *state_dir, int dir_fd, struct lag_error *err) {
    struct stat info;
    if (fstat(dir_fd, &info) < 0) return lag_error_errno(err, errno, "cannot examine %s", state_dir);
    if (!(info.st_mode & S_IWOTH)) return 0;
    if (info.st_uid != geteuid())
        return lag_error_at(err, LAG_EDENIED, "storage/state_dir", "%s belongs to another user, and everybody may "
                            "write there: make a folder of lagd's own (chown it, chmod 750) the state directory",
                            state_dir);
    lag_log(LAG_LOG_WARNING, "everybody may write in %s: chmod 750 it, or others can replace its files", state_dir);
    return 0;
}

static int lock_folder(const char *state_dir, struct lagd_lock *lock, struct lag_error *err) {
    lock->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock->dir_fd < 0) return lag_error_errno(err, errno, "cannot open folder %s", state_dir);
    int rc = check_owner(state_dir, lock->dir_fd, err);
    if (rc < 0 || flock(lock->dir_fd, LOCK_EX | LOCK_NB) == 0) return rc;
    if (errno != EWOULDBLOCK) return lag_error_errno(err, errno, "cannot lock %s", state_dir);
    LAG_CLEANUP(lag_close_p) int fd = openat(lock->dir_fd, LOCK_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return refuse_busy(fd, state_dir, err);
}

static int lock_file(const char *state_dir, struct lagd_lock *lock, struct lag_error *err) {
    struct stat info;
    char pid[32];
    lock->fd = openat(lock->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (lock->fd < 0) return lag_error_errno(err, errno, "cannot open %s/" LOCK_NAME, state_dir);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(lock->fd, F_OFD_SETLK, &whole) < 0) {
        if (errno == EAGAIN || errno == EACCES) return refuse_busy(lock->fd, state_dir, err);
        return lag_error_errno(err, errno, "cannot lock %s/" LOCK_NAME, state_dir);
    }
    int length = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (fstat(lock->fd, &info) < 0 || ftruncate(lock->fd, 0) < 0)
        return lag_error_errno(err, errno, "cannot write %s/" LOCK_NAME, state_dir);
    int rc = lag_fs_write_all(lock->fd, pid, (size_t)length, err); /* it was just opened: from its beginning */
    if (rc < 0) (void)lag_error_wrap(err, "%s/" LOCK_NAME, state_dir);
    if (rc < 0) return rc;
    lock->device = info.st_dev;
    lock->inode = info.st_ino;
    return 0;
}

int lagd_lock_take(const char *state_dir, struct lagd_lock *ret, struct lag_error *err) {
    struct lagd_lock lock = LAGD_LOCK_INIT;
    int rc = lag_fs_mkdirs(state_dir, err);
    if (rc == 0) rc = check_local(state_dir, err);
    if (rc == 0) rc = lock_folder(state_dir, &lock, err);
    if (rc == 0) rc = lock_file(state_dir, &lock, err);
    if (rc == 0) *ret = lock;
    else lagd_lock_give(&lock);
    return rc;
}

int lagd_lock_look(const char *state_dir, const struct lagd_lock *lock, struct lag_error *err) {
    struct stat info;
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/" LOCK_NAME, state_dir);
    bool is_there = lstat(path, &info) == 0;
    if (!is_there && errno != ENOENT && errno != ENOTDIR) return 0; /* no memory, say: that tells nothing */
    if (is_there && info.st_ino == lock->inode && info.st_dev == lock->device) return 0;
    return lag_error_set(err, LAG_EIO, "%s was %s while lagd works in that folder: stop lagd, look what else is "
                         "missing there, and start it again", path, is_there ? "replaced by another file" : "removed");
}

void lagd_lock_give(struct lagd_lock *lock) {
    if (lock->fd >= 0) (void)close(lock->fd);
    if (lock->dir_fd >= 0) (void)close(lock->dir_fd);
    *lock = (struct lagd_lock)LAGD_LOCK_INIT;
}

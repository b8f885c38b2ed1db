/* The lock of the state directory: one daemon at a time. */
#include "process/lock_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

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
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\r\n")] = '\0';
    return lag_error_at(err, LAG_EBUSY, "storage/state_dir",
                        "%s is in use by lagd with PID %s; stop it, or choose another "
                        "state directory",
                        state_dir, *pid ? pid : "unknown");
}

int lagd_lock_take(const char *state_dir, int *ret_fd, struct lag_error *err) {
    int rc = lag_fs_mkdirs(state_dir, err);
    if (rc == 0) rc = check_local(state_dir, err);
    if (rc < 0) return rc;
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/lagd.lock", state_dir);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory while locking %s", state_dir);
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) return lag_error_errno(err, errno, "cannot open %s", path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno == EAGAIN || errno == EACCES) return refuse_busy(fd, state_dir, err);
        return lag_error_errno(err, errno, "cannot lock %s", path);
    }
    char pid[32];
    int length = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)length, 0) != length) {
        return lag_error_errno(err, errno, "cannot write %s", path);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

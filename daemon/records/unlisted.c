/* The mark of a folder in the state directory (datasets/<id>, runs/<id>, runs/<id>/ckpt-…) that may be without a row: a
 * dataset's before its row is inserted, and each of them while its row is deleted. A restart removes a marked folder
 * that has no row; one without mark may belong to another copy of the database, and stays. */
#include "records/unlisted_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* No file of a dataset, run or checkpoint begins with '.'. */
#define MARK ".unlisted"

int lagd_unlisted_mark(const char *dir, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" MARK, dir);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory while marking %s", dir);
    int rc = lag_fs_mkdirs(dir, err);
    if (rc < 0) return rc;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) return lag_error_errno(err, errno, "cannot write %s", path);
    (void)close(fd);
    return lag_fs_fsync_dir(dir, err);
}

void lagd_unlisted_unmark(const char *dir) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" MARK, dir);
    if (path) (void)unlink(path); /* if it stays, the next start removes it */
}

bool lagd_unlisted_is_marked(const char *dir) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" MARK, dir);
    return path && lag_fs_exists(path);
}

int lagd_unlisted_remove(const char *dir, struct lag_error *err) { return lag_fs_remove_marked(dir, MARK, err); }

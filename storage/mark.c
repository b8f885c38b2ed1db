/* The mark beside the log: one line of text of fixed length, with a checksum, overwritten in place. */
#include "mark_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 256, SUM_BYTES = 17, SUMMED_BYTES = LINE_BYTES - SUM_BYTES - 7 /* a multiple of 8 */ };

static void sum_of(const char *line, char ret[SUM_BYTES]) {
    uint32_t sum[2] = {0, 0};
    lag_log_sum(false, (const unsigned char *)line, SUMMED_BYTES, sum);
    (void)snprintf(ret, SUM_BYTES, "%08" PRIx32 "%08" PRIx32, sum[0], sum[1]);
}

static int parse(const char *line, struct lag_mark *ret) {
    char sum[SUM_BYTES];
    struct lag_mark mark = {0};
    sum_of(line, sum);
    if (memcmp(line + SUMMED_BYTES, sum, SUM_BYTES - 1)) return 0;
    int n = sscanf(line, "lagd-mark 1 page=%" SCNd64 " file=%32s newest=%32s salts=%8" SCNx32 "%8" SCNx32
                   " frames=%" SCNd64 " copied=%" SCNd64 " boot=%36s", &mark.page, mark.file, mark.newest,
                   &mark.salts[0], &mark.salts[1], &mark.n_frames, &mark.n_copied, mark.boot);
    if (n != 8) return 0;
    *ret = mark;
    return 1;
}

int lag_mark_read(const char *dir, struct lag_mark *ret, struct lag_error *err) {
    char line[LINE_BYTES + 1] = "";
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" LAG_MARK_NAME, dir);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "cannot open %s", path);
    ssize_t got = pread(fd, line, LINE_BYTES, 0);
    if (got < 0) return lag_error_errno(err, errno, "cannot read %s", path);
    return got == LINE_BYTES ? parse(line, ret) : 0;
}

int lag_mark_create(const char *dir, int *ret_fd, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" LAG_MARK_NAME, dir);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0) return lag_error_errno(err, errno, "cannot open %s", path);
    if (ftruncate(fd, 0)) return lag_error_errno(err, errno, "cannot write %s", path);
    int rc = lag_fs_fsync_dir(dir, err);
    if (rc) return rc;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int lag_mark_write(int fd, const struct lag_mark *mark, bool durable, struct lag_error *err) {
    char line[LINE_BYTES + 1], sum[SUM_BYTES];
    int n = snprintf(line, sizeof line, "lagd-mark 1 page=%" PRId64 " file=%s newest=%s salts=%08" PRIx32 "%08" PRIx32
                     " frames=%" PRId64 " copied=%" PRId64 " boot=%s ", mark->page, mark->file, mark->newest,
                     mark->salts[0], mark->salts[1], mark->n_frames, mark->n_copied, mark->boot);
    if (n < 0 || n > SUMMED_BYTES) return lag_error_set(err, LAG_EINTERNAL, "the mark of the log is too long");
    memset(line + n, ' ', (size_t)(LINE_BYTES - n));
    sum_of(line, sum);
    memcpy(line + SUMMED_BYTES, sum, SUM_BYTES - 1);
    line[LINE_BYTES - 1] = '\n';
    ssize_t written;
    do written = pwrite(fd, line, LINE_BYTES, 0);
    while (written < 0 && errno == EINTR);
    if (written != LINE_BYTES || (durable && fdatasync(fd)))
        return lag_error_errno(err, written < 0 || written == LINE_BYTES ? errno : EIO,
                               "cannot write " LAG_MARK_NAME);
    return 0;
}

void lag_mark_boot(char ret[37]) {
    LAG_CLEANUP(lag_fclose_p) FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file || !fgets(ret, 37, file) || strlen(ret) != 36) (void)lag_copy(ret, 37, "unknown");
}

int lag_mark_remove(const char *dir, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/" LAG_MARK_NAME, dir);
    if (!path) return lag_error_set(err, LAG_ENOMEM, "no memory to open the database");
    if (unlink(path)) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "cannot remove %s", path);
    return lag_fs_fsync_dir(dir, err);
}

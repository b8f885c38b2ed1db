/* Preloaded: writes down every change of files and folders below RECORD_DIR, in order, to the file RECORD_LOG.
 * power.py makes of it the disks that a power loss could have left. Changes through mappings are not seen: lagd makes
 * none but to SQLite's -shm, which nobody trusts after a crash. */
#include "open_mode.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What changed; power.py knows them by these numbers. */
enum change { CREATE = 1, WRITE, CUT, RENAME, EXCHANGE, UNLINK, MKDIR, RMDIR, SYNC };

/* In front of each record; behind it the two paths and the data. Little-endian, 40 bytes. */
struct record {
    uint32_t change, n_path, n_to, n_data;
    uint64_t inode;
    int64_t at;
    uint64_t reserved;
};

/* Globals: what is preloaded has no caller that could hold its state. */
static char folder[512];
static size_t folder_length;
static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the log's order is that of the changes */

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RECORD_LOG"), *dir = getenv("RECORD_DIR");
    if (!path || !dir) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    log_fd = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 500L); /* out of the way of those that lagd counts on */
    (void)syscall(SYS_close, fd);
    (void)snprintf(folder, sizeof folder, "%s", dir);
    folder_length = strlen(folder);
}

static bool is_below(const char *path) {
    return log_fd >= 0 && strncmp(path, folder, folder_length) == 0 && path[folder_length] == '/';
}

/* The path of an open file, if it counts. */
static bool path_of(int fd, char path[PATH_MAX]) {
    char link[64];
    if (log_fd < 0) return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlink, link, path, PATH_MAX - 1L);
    path[n > 0 ? n : 0] = '\0';
    return is_below(path);
}

/* The whole path of a name, if it counts. */
static bool whole_path(int dir, const char *name, char path[PATH_MAX]) {
    char parent[PATH_MAX];
    if (log_fd < 0) return false;
    if (*name == '/') {
        (void)snprintf(path, PATH_MAX, "%s", name);
    } else {
        if (dir < 0 || (!path_of(dir, parent) && strcmp(parent, folder) != 0)) return false;
        if (snprintf(path, PATH_MAX, "%s/%s", parent, name) >= PATH_MAX) return false;
    }
    return is_below(path);
}

static uint64_t inode_of(int fd) {
    struct stat info;
    return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

static void put(const void *data, size_t n) {
    const char *bytes = data;
    for (long done; n > 0; bytes += done, n -= (size_t)done)
        if ((done = syscall(SYS_write, log_fd, bytes, n)) <= 0) return;
}

/* Mutex held; errno stays. */
static void note(enum change change, uint64_t inode, const char *path, const char *to, int64_t at, const void *data,
                 size_t n) {
    int error = errno;
    const struct record record = {.change = change, .n_path = path ? (uint32_t)strlen(path) : 0,
                                  .n_to = to ? (uint32_t)strlen(to) : 0, .n_data = (uint32_t)n, .inode = inode,
                                  .at = at};
    put(&record, sizeof record);
    if (path) put(path, record.n_path);
    if (to) put(to, record.n_to);
    if (n) put(data, n);
    errno = error;
}

#define EXPORT __attribute__((visibility("default")))
#define REAL(type, name, parameters)                                                                                   \
    static type(*real) parameters;                                                                                     \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

/* A call that changes what path or fd names: made and noted in one. good: what to note when it went well. */
#define CHANGER(type, name, parameters, arguments, counts, good)                                                       \
    EXPORT type name parameters;                                                                                       \
    EXPORT type name parameters {                                                                                      \
        REAL(type, name, parameters);                                                                                  \
        char from[PATH_MAX], into[PATH_MAX] = "";                                                                      \
        if (!(counts)) return real arguments;                                                                          \
        (void)into;                                                                                                    \
        (void)pthread_mutex_lock(&mutex);                                                                              \
        type status = real arguments;                                                                                  \
        if (status >= 0) good;                                                                                         \
        (void)pthread_mutex_unlock(&mutex);                                                                            \
        return status;                                                                                                 \
    }

/* Where write(2) wrote: up to where the file's offset stands now. */
static int64_t written_at(int fd, ssize_t n) { return (int64_t)lseek(fd, 0, SEEK_CUR) - n; }

CHANGER(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n), path_of(fd, from),
        note(WRITE, inode_of(fd), NULL, NULL, written_at(fd, status), data, (size_t)status))
CHANGER(ssize_t, pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), path_of(fd, from),
        note(WRITE, inode_of(fd), NULL, NULL, at, data, (size_t)status))
CHANGER(ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at), path_of(fd, from),
        note(WRITE, inode_of(fd), NULL, NULL, at, data, (size_t)status))
CHANGER(int, fsync, (int fd), (fd), path_of(fd, from) || strcmp(from, folder) == 0,
        note(SYNC, inode_of(fd), from, NULL, 0, NULL, 0))
CHANGER(int, fdatasync, (int fd), (fd), path_of(fd, from), note(SYNC, inode_of(fd), from, NULL, 0, NULL, 0))
CHANGER(int, ftruncate, (int fd, off_t n), (fd, n), path_of(fd, from), note(CUT, inode_of(fd), NULL, NULL, n, NULL, 0))
CHANGER(int, ftruncate64, (int fd, off64_t n), (fd, n), path_of(fd, from),
        note(CUT, inode_of(fd), NULL, NULL, n, NULL, 0))
CHANGER(int, mkdir, (const char *path, mode_t mode), (path, mode), whole_path(AT_FDCWD, path, from),
        note(MKDIR, 0, from, NULL, 0, NULL, 0))
CHANGER(int, unlink, (const char *path), (path), whole_path(AT_FDCWD, path, from),
        note(UNLINK, 0, from, NULL, 0, NULL, 0))
CHANGER(int, rmdir, (const char *path), (path), whole_path(AT_FDCWD, path, from),
        note(RMDIR, 0, from, NULL, 0, NULL, 0))
CHANGER(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), whole_path(dir, path, from),
        note(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, from, NULL, 0, NULL, 0))
CHANGER(int, rename, (const char *path, const char *to), (path, to),
        whole_path(AT_FDCWD, path, from) && whole_path(AT_FDCWD, to, into), note(RENAME, 0, from, into, 0, NULL, 0))
CHANGER(int, renameat2, (int dir, const char *path, int to_dir, const char *to, unsigned flags),
        (dir, path, to_dir, to, flags), whole_path(dir, path, from) && whole_path(to_dir, to, into),
        note(flags & RENAME_EXCHANGE ? EXCHANGE : RENAME, 0, from, into, 0, NULL, 0))
CHANGER(int, mkostemp, (char *path, int flags), (path, flags), whole_path(AT_FDCWD, path, from),
        note(CREATE, inode_of(status), path, NULL, 0, NULL, 0))
CHANGER(int, mkostemp64, (char *path, int flags), (path, flags), whole_path(AT_FDCWD, path, from),
        note(CREATE, inode_of(status), path, NULL, 0, NULL, 0))

/* A file that is opened with O_CREAT is new unless it was there; one with O_TRUNC is empty. Mutex held. */
static void note_open(int fd, const char *path, int flags, bool existed) {
    if (!existed) note(CREATE, inode_of(fd), path, NULL, 0, NULL, 0);
    else if (flags & O_TRUNC) note(CUT, inode_of(fd), NULL, NULL, 0, NULL, 0);
}

#define OPENER(name, first, dir_argument, dir)                                                                         \
    EXPORT int name(first const char *path, int flags, ...);                                                           \
    EXPORT int name(first const char *path, int flags, ...) {                                                          \
        REAL(int, name, (first const char *, int, ...));                                                               \
        char whole[PATH_MAX];                                                                                          \
        mode_t mode = OPEN_MODE(flags);                                                                                \
        if (!(flags & (O_CREAT | O_TRUNC)) || !whole_path(dir, path, whole))                                           \
            return real(dir_argument path, flags, mode);                                                               \
        (void)pthread_mutex_lock(&mutex);                                                                              \
        struct stat info;                                                                                              \
        bool existed = lstat(whole, &info) == 0;                                                                       \
        int fd = real(dir_argument path, flags, mode);                                                                 \
        if (fd >= 0) note_open(fd, whole, flags, existed);                                                             \
        (void)pthread_mutex_unlock(&mutex);                                                                            \
        return fd;                                                                                                     \
    }
#define NOTHING
#define DIR_PARAMETER int dir,
#define DIR_ARGUMENT dir,
OPENER(open, NOTHING, NOTHING, AT_FDCWD)
OPENER(open64, NOTHING, NOTHING, AT_FDCWD)
OPENER(openat, DIR_PARAMETER, DIR_ARGUMENT, dir)
OPENER(openat64, DIR_PARAMETER, DIR_ARGUMENT, dir)

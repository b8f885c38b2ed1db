/* Files and folders: whole files, durable writes and renames, whole trees, paths below a root. */
#include <lagd/base/fs.h>

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILE_MODE = 0640, DIR_MODE = 0750, MAX_DEPTH = 100, MAX_RETRIES = 1000 };

int lag_fs_write_all(int fd, const void *data, size_t length, struct lag_error *err) {
    const char *bytes = data;
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0) {
            if (errno == EINTR) continue;
            return lag_error_errno(err, errno, "cannot write %zu bytes", length);
        }
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

int lag_fs_fsync_dir(const char *path, struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return lag_error_errno(err, errno, "cannot open folder %s", path);
    if (fsync(fd) != 0) return lag_error_errno(err, errno, "cannot make folder %s durable", path);
    return 0;
}

/* Fills and syncs the temporary file. fsync is called once: after a failure the kernel may have dropped the pages. */
static int fill_file(int fd, const char *path, const void *data, size_t length, struct lag_error *err) {
    if (fchmod(fd, FILE_MODE) != 0) return lag_error_errno(err, errno, "cannot set the mode of %s", path);
    int status = lag_fs_write_all(fd, data, length, err);
    if (status < 0) return err ? lag_error_wrap(err, "%s", path) : status;
    if (LAG_FP_FAIL("fs.before_fsync")) return lag_error_errno(err, EIO, "cannot make %s durable", path);
    if (fsync(fd) != 0) return lag_error_errno(err, errno, "cannot make %s durable", path);
    return 0;
}

static int write_temporary(char *temporary, const void *data, size_t length, struct lag_error *err) {
    LAG_CLEANUP(lag_close_p) int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return lag_error_errno(err, errno, "cannot create %s", temporary);
    int status = fill_file(fd, temporary, data, length, err);
    if (status < 0) (void)unlink(temporary);
    return status;
}

int lag_fs_write_file(const char *dir, const char *name, const void *data, size_t length, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", dir, name);
    LAG_CLEANUP(lag_free_p) char *temporary = lag_asprintf("%s/.%s.tmpXXXXXX", dir, name);
    if (!path || !temporary) return lag_error_set(err, LAG_ENOMEM, "out of memory while writing %s/%s", dir, name);
    int status = write_temporary(temporary, data, length, err);
    if (status < 0) return status;
    int failed = LAG_FP_FAIL("fs.before_rename") ? EIO : rename(temporary, path) != 0 ? errno : 0;
    if (failed) {
        (void)unlink(temporary);
        return lag_error_errno(err, failed, "cannot rename %s to %s", temporary, path);
    }
    if (LAG_FP_FAIL("fs.after_rename")) return lag_error_errno(err, EIO, "cannot make folder %s durable", dir);
    return lag_fs_fsync_dir(dir, err);
}

/* Reads until the end of the file, whatever its size said: it may grow or lie (as in /proc). */
static int read_to_end(int fd, size_t max_bytes, size_t hint, const char *path, char **ret_data, size_t *ret_length,
                       struct lag_error *err) {
    size_t capacity = 0, length = 0;
    LAG_CLEANUP(lag_free_p) void *data = NULL;
    if (lag_grow_array(&data, &capacity, LAG_MIN(hint, max_bytes) + 2, 1) != 0) {
        return lag_error_set(err, LAG_ENOMEM, "out of memory while reading %s", path);
    }
    for (;;) {
        if (lag_grow_array(&data, &capacity, length + 2, 1) != 0) {
            return lag_error_set(err, LAG_ENOMEM, "out of memory while reading %s", path);
        }
        ssize_t got = read(fd, (char *)data + length, capacity - length - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return lag_error_errno(err, errno, "cannot read %s", path);
        if (got == 0) break;
        length += (size_t)got;
        if (length > max_bytes) {
            return lag_error_set(err, LAG_ETOOBIG, "%s is larger than the limit of %zu bytes", path, max_bytes);
        }
    }
    ((char *)data)[length] = '\0';
    *ret_data = LAG_TAKE(data);
    *ret_length = length;
    return 0;
}

int lag_fs_read_file(const char *path, size_t max_bytes, char **ret_data, size_t *ret_length, struct lag_error *err) {
    /* NONBLOCK: opening a FIFO must not wait for a writer. */
    LAG_CLEANUP(lag_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return lag_error_errno(err, errno, "cannot open %s", path);
    struct stat info;
    if (fstat(fd, &info) != 0) return lag_error_errno(err, errno, "cannot examine %s", path);
    if (!S_ISREG(info.st_mode)) return lag_error_set(err, LAG_EINVAL, "%s is not a regular file", path);
    if (info.st_size > 0 && (uint64_t)info.st_size > max_bytes) {
        return lag_error_set(err, LAG_ETOOBIG, "%s is larger than the limit of %zu bytes", path, max_bytes);
    }
    return read_to_end(fd, max_bytes, (size_t)info.st_size, path, ret_data, ret_length, err);
}

/* The folder in which path lies. free(). */
static char *parent_of(const char *path) {
    char *parent = lag_strdup(path);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    if (!parent || !slash) {
        free(parent);
        return parent ? lag_strdup(".") : NULL;
    }
    slash[slash == parent] = '\0'; /* the parent of "/x" is "/" */
    return parent;
}

static int fsync_parent(const char *path, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *parent = parent_of(path);
    if (!parent) return lag_error_set(err, LAG_ENOMEM, "out of memory while making %s durable", path);
    return lag_fs_fsync_dir(parent, err);
}

/* A new folder whose name is not durable goes again, so that a next try makes it so. */
static int make_folder(const char *path, struct lag_error *err) {
    if (mkdir(path, DIR_MODE) != 0)
        return errno == EEXIST ? 0 : lag_error_errno(err, errno, "cannot create folder %s", path);
    int status = LAG_FP_FAIL("fs.new_folder") ? lag_error_errno(err, EIO, "cannot make folder %s durable", path)
                                              : fsync_parent(path, err);
    if (status == LAG_EDENIED) return 0; /* a parent that may be written but not read cannot be asked */
    if (status < 0) (void)rmdir(path);
    return status;
}

int lag_fs_mkdirs(const char *path, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *prefix = lag_strdup(path);
    if (!prefix) return lag_error_set(err, LAG_ENOMEM, "out of memory while creating folder %s", path);
    for (char *p = prefix + 1; *prefix; p++) {
        char end = *p;
        if (end && end != '/') continue;
        *p = '\0';
        int status = make_folder(prefix, err);
        if (status < 0) return status;
        *p = end;
        if (!end) break;
    }
    struct stat info;
    if (stat(path, &info) != 0) return lag_error_errno(err, errno, "cannot create folder %s", path);
    if (!S_ISDIR(info.st_mode)) return lag_error_set(err, LAG_EPATH, "%s exists and is not a folder", path);
    return 0;
}

static int remove_below(int parent_fd, const char *name, const char *last, int depth, struct lag_error *err);

/* One pass over an open folder, but for the entry last; counts what it removed. */
static int remove_entries(DIR *dir, const char *last, int depth, size_t *n_removed, struct lag_error *err) {
    rewinddir(dir);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) return errno ? lag_error_errno(err, errno, "cannot list a folder that is to be removed") : 0;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (last && strcmp(entry->d_name, last) == 0) continue;
        int status = remove_below(dirfd(dir), entry->d_name, NULL, depth + 1, err);
        if (status < 0) return status;
        *n_removed += 1;
    }
}

/* All else is gone, and durably, before last goes. */
static int remove_last(DIR *dir, const char *last, struct lag_error *err) {
    if (fsync(dirfd(dir)) != 0) return lag_error_errno(err, errno, "cannot make what was removed durable");
    LAG_FP("fs.before_last");
    if (unlinkat(dirfd(dir), last, 0) == 0 || errno == ENOENT) return 0;
    return lag_error_errno(err, errno, "cannot remove %s", last);
}

static int empty_folder(DIR *dir, const char *last, int depth, struct lag_error *err) {
    int status;
    size_t n_removed;
    do { /* a folder that changes while it is read may hide entries: again until a pass finds nothing */
        n_removed = 0;
        status = remove_entries(dir, last, depth, &n_removed, err);
    } while (status == 0 && n_removed > 0);
    return status == 0 && last ? remove_last(dir, last, err) : status;
}

static int remove_below(int parent_fd, const char *name, const char *last, int depth, struct lag_error *err) {
    if (depth > MAX_DEPTH) {
        return lag_error_set(err, LAG_ETOOBIG, "%s lies more than %d folders deep; remove it by hand", name, MAX_DEPTH);
    }
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT) return 0;
        return lag_error_errno(err, errno, "cannot remove %s", name);
    }
    if (fd < 0) return errno == ENOENT ? 0 : lag_error_errno(err, errno, "cannot open folder %s", name);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return lag_error_set(err, LAG_ENOMEM, "out of memory while removing %s", name);
    }
    int status = empty_folder(dir, last, depth, err);
    (void)closedir(dir);
    if (status < 0) return status;
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    return lag_error_errno(err, errno, "cannot remove folder %s", name);
}

int lag_fs_remove_tree(const char *path, struct lag_error *err) {
    return lag_fs_remove_marked(path, NULL, err);
}

int lag_fs_remove_marked(const char *path, const char *last, struct lag_error *err) {
    int status = remove_below(AT_FDCWD, path, last, 0, err);
    return status < 0 && err ? lag_error_wrap(err, "%s", path) : status;
}

int lag_fs_rename_durable(const char *from, const char *to, struct lag_error *err) {
    if (LAG_FP_FAIL("fs.before_rename")) return lag_error_errno(err, EIO, "cannot rename %s to %s", from, to);
    if (rename(from, to) != 0) return lag_error_errno(err, errno, "cannot rename %s to %s", from, to);
    if (LAG_FP_FAIL("fs.after_rename")) return lag_error_errno(err, EIO, "cannot make the new name %s durable", to);
    return fsync_parent(to, err);
}

/* openat2(2); glibc has no wrapper. EAGAIN: a rename elsewhere raced with the walk. */
static int open_below(int root_fd, const char *relative, uint64_t flags) {
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    for (int i = 0;; i++) {
        long fd = syscall(SYS_openat2, root_fd, relative, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || i == MAX_RETRIES) return (int)fd;
    }
}

static int refuse_open(int error_number, const char *root, const char *relative, struct lag_error *err) {
    if (error_number == ENOSYS) {
        return lag_error_set(err, LAG_EUNSUPPORTED,
                             "this kernel has no openat2 (Linux 5.6), so %s cannot be opened safely below %s", relative,
                             root);
    }
    if (error_number == ELOOP) {
        return lag_error_set(err, LAG_EDENIED, "%s goes through a symbolic link; name the file itself, below %s",
                             relative, root);
    }
    if (error_number == EXDEV) {
        return lag_error_set(err, LAG_EDENIED, "%s leads out of %s; name a file below it", relative, root);
    }
    return lag_error_errno(err, error_number, "cannot open %s below %s", relative, root);
}

int lag_fs_open_beneath(const char *root, const char *relative, int *ret_fd, struct lag_error *err) {
    if (!*relative || *relative == '/') {
        return lag_error_set(err, LAG_EDENIED, "the path must be relative to %s (got '%s')", root, relative);
    }
    LAG_CLEANUP(lag_close_p) int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0) return lag_error_errno(err, errno, "cannot open folder %s", root);
    /* Opening a device may already act on it, so this is first opened as a path only. A regular file is then opened
     * for reading, and checked again. */
    LAG_CLEANUP(lag_close_p) int handle = open_below(root_fd, relative, O_PATH);
    if (handle < 0) return refuse_open(errno, root, relative, err);
    struct stat info;
    bool regular = fstat(handle, &info) == 0 && S_ISREG(info.st_mode);
    LAG_CLEANUP(lag_close_p) int fd = -1;
    if (regular) {
        fd = open_below(root_fd, relative, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) return refuse_open(errno, root, relative, err);
        regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    }
    if (!regular) return lag_error_set(err, LAG_EDENIED, "%s below %s is not a regular file", relative, root);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int lag_fs_free_bytes(const char *path, uint64_t *ret_bytes, struct lag_error *err) {
    struct statvfs info;
    if (statvfs(path, &info) != 0) return lag_error_errno(err, errno, "cannot examine the file system of %s", path);
    *ret_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return 0;
}

bool lag_fs_exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

/* open(2) takes the lowest descriptor that is free, and those below are there already. */
int lag_fs_open_standard(struct lag_error *err) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        if (open("/dev/null", O_RDWR) != fd)
            return lag_error_errno(err, errno, "descriptor %d is closed and /dev/null cannot be opened for it", fd);
    }
    return 0;
}

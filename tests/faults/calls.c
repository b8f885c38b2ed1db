/* The calls that are counted and may fail: tables of functions of the C library, each with its kind, what makes a call
 * count, and what it returns when it fails. */
#include "faults.h"
#include "open_mode.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* The real function, looked for once. (Two threads may both look: they find the same.) */
#define REAL(type, name, parameters)                                                                                   \
    static type(*real) parameters;                                                                                     \
    if (!real) *(void **)&real = fault_real(#name)

/* A function that either fails or is called. */
#define CALL(type, name, parameters, arguments, kind, counts, failure)                                                 \
    EXPORT type name parameters;                                                                                       \
    EXPORT type name parameters {                                                                                      \
        REAL(type, name, parameters);                                                                                  \
        if ((counts) && fault_strikes(FAULT_##kind)) return failure;                                                   \
        return real arguments;                                                                                         \
    }

#define BY_FD(type, name, parameters, arguments, kind)                                                                 \
    CALL(type, name, parameters, arguments, kind, fault_counts_fd(fd), -1)
#define BY_PATH(type, name, parameters, arguments, kind)                                                               \
    CALL(type, name, parameters, arguments, kind, fault_counts_path(AT_FDCWD, path), -1)
#define BY_AT(type, name, parameters, arguments, kind)                                                                 \
    CALL(type, name, parameters, arguments, kind, fault_counts_path(dir, path), -1)

/* --- files ------------------------------------------------------------------------------------------------------ */

BY_FD(ssize_t, pread, (int fd, void *data, size_t n, off_t at), (fd, data, n, at), READ)
BY_FD(ssize_t, pread64, (int fd, void *data, size_t n, off64_t at), (fd, data, n, at), READ)
BY_FD(int, fsync, (int fd), (fd), SYNC)
BY_FD(int, fdatasync, (int fd), (fd), SYNC)
BY_FD(int, ftruncate, (int fd, off_t n), (fd, n), SIZE)
BY_FD(int, ftruncate64, (int fd, off64_t n), (fd, n), SIZE)
BY_FD(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), SIZE)
BY_FD(int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n), SIZE)
BY_FD(int, fchmod, (int fd, mode_t mode), (fd, mode), STAT)
BY_FD(int, fstat, (int fd, struct stat *info), (fd, info), STAT)
BY_FD(int, fstat64, (int fd, struct stat64 *info), (fd, info), STAT)
BY_PATH(int, stat, (const char *path, struct stat *info), (path, info), STAT)
BY_PATH(int, stat64, (const char *path, struct stat64 *info), (path, info), STAT)
BY_PATH(int, lstat, (const char *path, struct stat *info), (path, info), STAT)
BY_PATH(int, lstat64, (const char *path, struct stat64 *info), (path, info), STAT)
BY_PATH(int, statvfs, (const char *path, struct statvfs *info), (path, info), STAT)
BY_PATH(int, statvfs64, (const char *path, struct statvfs64 *info), (path, info), STAT)
BY_PATH(int, access, (const char *path, int mode), (path, mode), STAT)
BY_PATH(int, chmod, (const char *path, mode_t mode), (path, mode), STAT)
BY_PATH(int, mkdir, (const char *path, mode_t mode), (path, mode), MKDIR)
BY_AT(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), MKDIR)
BY_PATH(int, unlink, (const char *path), (path), REMOVE)
BY_PATH(int, rmdir, (const char *path), (path), REMOVE)
BY_AT(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), REMOVE)
BY_PATH(int, rename, (const char *path, const char *to), (path, to), RENAME)
BY_AT(int, renameat, (int dir, const char *path, int to_dir, const char *to), (dir, path, to_dir, to), RENAME)
BY_AT(int, renameat2, (int dir, const char *path, int to_dir, const char *to, unsigned flags),
      (dir, path, to_dir, to, flags), RENAME)
BY_PATH(int, link, (const char *path, const char *to), (path, to), RENAME)
BY_AT(int, linkat, (int dir, const char *path, int to_dir, const char *to, int flags), (dir, path, to_dir, to, flags),
      RENAME)
BY_PATH(int, mkostemp, (char *path, int flags), (path, flags), OPEN)
BY_PATH(int, mkostemp64, (char *path, int flags), (path, flags), OPEN)

CALL(DIR *, opendir, (const char *path), (path), LIST, fault_counts_path(AT_FDCWD, path), NULL)
CALL(DIR *, fdopendir, (int fd), (fd), LIST, fault_counts_fd(fd), NULL)
CALL(struct dirent *, readdir, (DIR * dir), (dir), LIST, fault_counts_fd(dirfd(dir)), NULL)
CALL(struct dirent64 *, readdir64, (DIR * dir), (dir), LIST, fault_counts_fd(dirfd(dir)), NULL)
CALL(int, scandir64,
     (const char *path, struct dirent64 ***list, int (*filter)(const struct dirent64 *),
      int (*order)(const struct dirent64 **, const struct dirent64 **)),
     (path, list, filter, order), LIST, fault_counts_path(AT_FDCWD, path), -1)
CALL(FILE *, fopen, (const char *path, const char *mode), (path, mode), OPEN, fault_counts_path(AT_FDCWD, path), NULL)
CALL(FILE *, fopen64, (const char *path, const char *mode), (path, mode), OPEN, fault_counts_path(AT_FDCWD, path), NULL)

#define OPEN(name, first, dir_argument, dir_of)                                                                        \
    EXPORT int name(first const char *path, int flags, ...);                                                           \
    EXPORT int name(first const char *path, int flags, ...) {                                                          \
        REAL(int, name, (first const char *, int, ...));                                                               \
        mode_t mode = OPEN_MODE(flags);                                                                                \
        if (fault_counts_path(dir_of, path) && fault_strikes(FAULT_OPEN)) return -1;                                   \
        return real(dir_argument path, flags, mode);                                                                   \
    }
#define NOTHING
#define DIR_PARAMETER int dir,
#define DIR_ARGUMENT dir,
OPEN(open, NOTHING, NOTHING, AT_FDCWD)
OPEN(open64, NOTHING, NOTHING, AT_FDCWD)
OPEN(openat, DIR_PARAMETER, DIR_ARGUMENT, dir)
OPEN(openat64, DIR_PARAMETER, DIR_ARGUMENT, dir)
/* What a fortified program calls instead. */
BY_PATH(int, __open_2, (const char *path, int flags), (path, flags), OPEN)
BY_PATH(int, __open64_2, (const char *path, int flags), (path, flags), OPEN)
BY_AT(int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags), OPEN)
BY_AT(int, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags), OPEN)
BY_FD(ssize_t, __pread_chk, (int fd, void *data, size_t n, off_t at, size_t size), (fd, data, n, at, size), READ)
BY_FD(ssize_t, __pread64_chk, (int fd, void *data, size_t n, off64_t at, size_t size), (fd, data, n, at, size), READ)

/* openat2(2) has no function of its own; other system calls pass. */
EXPORT long syscall(long number, ...);
EXPORT long syscall(long number, ...) {
    REAL(long, syscall, (long, ...));
    long a[6];
    va_list more;
    va_start(more, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
    va_end(more);
    bool opens = number == SYS_openat2 && fault_counts_path((int)a[0], (const char *)a[1]);
    if (opens && fault_strikes(FAULT_OPEN)) return -1;
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Sockets are read and written by the same functions. */
#define BY_FD_OR_SOCKET(type, name, parameters, arguments, kind)                                                       \
    EXPORT type name parameters;                                                                                       \
    EXPORT type name parameters {                                                                                      \
        REAL(type, name, parameters);                                                                                  \
        if (fault_counts_fd(fd) ? fault_strikes(FAULT_##kind) : fault_is_socket(fd) && fault_strikes(FAULT_NET))       \
            return -1;                                                                                                 \
        return real arguments;                                                                                         \
    }
BY_FD_OR_SOCKET(ssize_t, read, (int fd, void *data, size_t n), (fd, data, n), READ)
BY_FD_OR_SOCKET(ssize_t, __read_chk, (int fd, void *data, size_t n, size_t size), (fd, data, n, size), READ)
BY_FD_OR_SOCKET(ssize_t, readv, (int fd, const struct iovec *parts, int n), (fd, parts, n), READ)
BY_FD_OR_SOCKET(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), WRITE)

/* Writing may also stop half way. */
#define WRITER(name, parameters, all, half)                                                                            \
    EXPORT ssize_t name parameters;                                                                                    \
    EXPORT ssize_t name parameters {                                                                                   \
        REAL(ssize_t, name, parameters);                                                                               \
        bool file = fault_counts_fd(fd);                                                                               \
        if (file ? fault_strikes(FAULT_WRITE) : fault_is_socket(fd) && fault_strikes(FAULT_NET)) return -1;            \
        if (file && n > 1 && fault_strikes(FAULT_SHORT)) return real half;                                             \
        return real all;                                                                                               \
    }
WRITER(write, (int fd, const void *data, size_t n), (fd, data, n), (fd, data, n / 2))
WRITER(pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), (fd, data, n / 2, at))
WRITER(pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at), (fd, data, n / 2, at))

EXPORT int close(int fd) {
    REAL(int, close, (int));
    bool fails = fault_counts_fd(fd) && fault_strikes(FAULT_CLOSE);
    int error = errno, status = real(fd);
    if (fails) errno = error;
    return fails ? -1 : status;
}

/* Giving a lock up does not fail. */
#define LOCKER(name)                                                                                                   \
    EXPORT int name(int fd, int command, ...);                                                                         \
    EXPORT int name(int fd, int command, ...) {                                                                        \
        REAL(int, name, (int, int, ...));                                                                              \
        va_list more;                                                                                                  \
        va_start(more, command);                                                                                       \
        void *argument = va_arg(more, void *);                                                                         \
        va_end(more);                                                                                                  \
        bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;   \
        locks = locks && ((const struct flock *)argument)->l_type != F_UNLCK;                                          \
        if (locks && fault_counts_fd(fd) && fault_strikes(FAULT_LOCK)) return -1;                                      \
        return real(fd, command, argument);                                                                            \
    }
LOCKER(fcntl)
LOCKER(fcntl64)
BY_FD(int, flock, (int fd, int operation), (fd, operation), LOCK)

/* --- threads, memory, sockets ----------------------------------------------------------------------------------- */

CALL(int, pthread_create, (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *arg),
     (thread, how, run, arg), THREAD, true, errno)

CALL(void *, mmap, (void *at, size_t n, int protection, int flags, int fd, off_t offset),
     (at, n, protection, flags, fd, offset), MAP, true, MAP_FAILED)
CALL(void *, mmap64, (void *at, size_t n, int protection, int flags, int fd, off64_t offset),
     (at, n, protection, flags, fd, offset), MAP, true, MAP_FAILED)

#define MAKER(name, parameters, arguments) CALL(int, name, parameters, arguments, SOCKET, true, -1)
MAKER(socket, (int domain, int kind, int protocol), (domain, kind, protocol))
MAKER(bind, (int fd, const struct sockaddr *address, socklen_t n), (fd, address, n))
MAKER(listen, (int fd, int backlog), (fd, backlog))
MAKER(accept, (int fd, struct sockaddr *address, socklen_t *n), (fd, address, n))
MAKER(accept4, (int fd, struct sockaddr *address, socklen_t *n, int flags), (fd, address, n, flags))
MAKER(epoll_create1, (int flags), (flags))
MAKER(eventfd, (unsigned count, int flags), (count, flags))
MAKER(pipe2, (int fds[2], int flags), (fds, flags))
/* Only adding takes memory; the rest does not fail. */
CALL(int, epoll_ctl, (int fd, int operation, int on, struct epoll_event *event), (fd, operation, on, event), SOCKET,
     operation == EPOLL_CTL_ADD, -1)

#define MESSENGER(name, parameters, arguments) CALL(ssize_t, name, parameters, arguments, NET, true, -1)
MESSENGER(recv, (int fd, void *data, size_t n, int flags), (fd, data, n, flags))
MESSENGER(send, (int fd, const void *data, size_t n, int flags), (fd, data, n, flags))
MESSENGER(sendto,
          (int fd, const void *data, size_t n, int flags, const struct sockaddr *address, socklen_t n_address),
          (fd, data, n, flags, address, n_address))
MESSENGER(sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
MESSENGER(sendfile, (int to, int from, off_t *at, size_t n), (to, from, at, n))
MESSENGER(sendfile64, (int to, int from, off64_t *at, size_t n), (to, from, at, n))

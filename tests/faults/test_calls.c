/* The library that is preloaded lets exactly those calls fail that the plan names. It is preloaded into this program
 * too, which arms each kind of call in turn and makes every call of the table below. FAULTS_DIR: a folder that it
 * may make. */
#include "faults.h"
#include <lagd/base/hash.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the calls work on: a file in the folder, open for both, its path, the folder, a pair of sockets. */
struct place {
    const char *folder;
    char path[512], other[512];
    int fd, sockets[2];
    char data[16];
};

static void *nothing(void *arg) { return arg; }

static int start_thread(void) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, nothing, NULL);
    if (error) errno = error;
    return error ? -1 : pthread_join(thread, NULL);
}

static int aligned(void) {
    void *p = NULL;
    int error = posix_memalign(&p, 64, 64);
    if (error) errno = error;
    free(p);
    return error ? -1 : 0;
}

/* 0, or -1 when a pointer is what a failed call gives. */
static int given(void *p) {
    int error = errno;
    free(p);
    errno = error;
    return p ? 0 : -1;
}

static int closed(int fd) { return fd < 0 ? -1 : (int)syscall(SYS_close, fd); }

static int listed(DIR *dir) {
    if (!dir) return -1;
    (void)closedir(dir);
    return 0;
}

static int read_folder(const char *path) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0), error;
    DIR *dir = fdopendir(fd);
    if (!dir) return -1;
    errno = 0;
    (void)readdir(dir);
    error = errno;
    (void)closedir(dir);
    errno = error;
    return error ? -1 : 0;
}

static int mapped(void *p) { return p == MAP_FAILED ? -1 : munmap(p, 4096); }

static int locked(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    return fcntl(fd, F_SETLK, &lock);
}

static int beneath(const struct place *place) {
    int dir = (int)syscall(SYS_openat, AT_FDCWD, place->folder, O_PATH | O_DIRECTORY, 0);
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
    int fd = (int)syscall(SYS_openat2, dir, "file", &how, sizeof how), error = errno;
    (void)syscall(SYS_close, dir);
    errno = error;
    return closed(fd);
}

static int rename_there_and_back(const struct place *place) {
    if (rename(place->path, place->other)) return -1;
    return rename(place->other, place->path);
}

static int make_and_remove(const struct place *place) {
    if (mkdir(place->other, 0700)) return -1;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, place->other, AT_REMOVEDIR);
}

static int remove_made(const struct place *place) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, place->other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)syscall(SYS_close, fd);
    int status = unlink(place->other), error = errno;
    (void)syscall(SYS_unlinkat, AT_FDCWD, place->other, 0);
    errno = error;
    return status;
}

static int close_copy(int fd) {
    int copy = (int)syscall(SYS_dup, fd);
    return close(copy);
}

static int all_of(ssize_t n, size_t wanted) { return n == (ssize_t)wanted ? 0 : n < 0 ? -1 : -2; }

/* kind | call, as 0, -1, or -2 for half of it */
#define ACTS(X)                                                                                                        \
    X(ALLOC, given(malloc(10)))                                                                                        \
    X(ALLOC, given(calloc(2, 10)))                                                                                     \
    X(ALLOC, given(realloc(NULL, 20)))                                                                                 \
    X(ALLOC, given(aligned_alloc(64, 64)))                                                                             \
    X(ALLOC, aligned())                                                                                                \
    X(MAP, mapped(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))                                    \
    X(OPEN, closed(open(place->path, O_RDONLY)))                                                                       \
    X(OPEN, closed(openat(AT_FDCWD, place->path, O_RDWR | O_CREAT, 0600)))                                             \
    X(OPEN, beneath(place))                                                                                            \
    X(READ, all_of(read(place->fd, place->data, 0), 0))                                                                \
    X(READ, all_of(pread(place->fd, place->data, 4, 0), 4))                                                            \
    X(WRITE, all_of(pwrite(place->fd, "four", 4, 0), 4))                                                               \
    X(WRITE, all_of(write(place->fd, "four", 4), 4))                                                                   \
    X(SYNC, fsync(place->fd))                                                                                          \
    X(SYNC, fdatasync(place->fd))                                                                                      \
    X(SIZE, ftruncate(place->fd, 64))                                                                                  \
    X(SIZE, fallocate(place->fd, 0, 0, 64))                                                                            \
    X(RENAME, rename_there_and_back(place))                                                                            \
    X(REMOVE, remove_made(place))                                                                                      \
    X(MKDIR, make_and_remove(place))                                                                                   \
    X(CLOSE, close_copy(place->fd))                                                                                    \
    X(STAT, fstat(place->fd, &info))                                                                                   \
    X(STAT, lstat(place->path, &info))                                                                                 \
    X(STAT, statvfs(place->path, &system))                                                                             \
    X(STAT, access(place->path, R_OK))                                                                                 \
    X(LIST, listed(opendir(place->folder)))                                                                            \
    X(LIST, read_folder(place->folder))                                                                                \
    X(LOCK, locked(place->fd))                                                                                         \
    X(THREAD, start_thread())                                                                                          \
    X(SOCKET, closed(socket(AF_UNIX, SOCK_STREAM, 0)))                                                                 \
    X(SOCKET, closed(eventfd(0, 0)))                                                                                   \
    X(NET, all_of(send(place->sockets[0], "four", 4, 0), 4))                                                           \
    X(NET, all_of(write(place->sockets[0], "four", 4), 4))                                                             \
    X(NET, all_of(recv(place->sockets[1], place->data, 4, 0), 4))

/* Makes every call, without memory only those that want some; what they gave, and errno. Nothing is printed meanwhile:
 * that takes memory. */
enum { MAX_ACTS = 64 };
static int act_all(struct place *place, bool memory, int *results, int *errors) {
    struct stat info;
    struct statvfs system;
    int n = 0;
#define ACT(kind, call)                                                                                                \
    errno = 0;                                                                                                         \
    results[n] = memory || FAULT_##kind == FAULT_ALLOC ? (call) : 0;                                                   \
    errors[n++] = errno;
    ACTS(ACT)
#undef ACT
    return n;
}

static const struct {
    enum fault_kind kind;
    const char *call;
} acts[] = {
#define ROW(kind, call) {FAULT_##kind, #call},
    ACTS(ROW)
#undef ROW
};

static struct fault_shared *map_plan(void) {
    int fd = open(getenv("FAULTS_MAP"), O_RDWR);
    void *p = mmap(NULL, sizeof(struct fault_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return p == MAP_FAILED ? NULL : p;
}

static void arm(struct fault_shared *plan, enum fault_kind kind, uint64_t site, uint64_t first, uint64_t count) {
    plan->kind = kind;
    plan->site = site;
    plan->first = first;
    plan->count = count;
    atomic_store(&plan->n_failed, 0);
    plan->error = EXDEV; /* none of these calls gives it by itself */
    atomic_store(&plan->armed, 1);
}

/* Every call of the kind fails, or none where the folder is another one; no other does. Returns for how many that is
 * not so. */
static int check_kind(struct fault_shared *plan, struct place *place, enum fault_kind armed, bool counts) {
    int results[MAX_ACTS], errors[MAX_ACTS], n_wrong = 0;
    arm(plan, armed, 0, 1, UINT64_MAX);
    int n = act_all(place, armed != FAULT_ALLOC, results, errors);
    atomic_store(&plan->armed, 0);
    for (int i = 0; i < n; i++) {
        bool file = acts[i].kind >= FAULT_OPEN && acts[i].kind <= FAULT_LOCK;
        int expected = acts[i].kind == armed && (counts || !file) ? -1 : 0;
        if (armed == FAULT_SHORT && counts && acts[i].kind == FAULT_WRITE) expected = -2;
        bool right = results[i] == expected && (expected != -1 || errors[i] == (armed == FAULT_ALLOC ? ENOMEM : EXDEV));
        if (!right) {
            (void)printf("%s with %s armed: %d, not %d (%s)\n", acts[i].call, plan->kinds[armed], results[i], expected,
                         strerror(errors[i]));
            n_wrong++;
        }
    }
    return n_wrong;
}

__attribute__((noinline)) static void call_twice(int fd, int *failed) {
    failed[0] = fsync(fd);
    failed[1] = fsync(fd);
}

/* Of two places one fails at its first call, and later at its third; the other never does. */
static int check_site(struct fault_shared *plan, int fd) {
    static const int expected[4][2] = {{-1, 0}, {0, 0}, {-1, 0}, {0, 0}};
    int n_wrong = 0, failed[2];
    memset(plan->sites, 0, sizeof plan->sites); /* an earlier run of this program may have counted there */
    atomic_store(&plan->failed_site, 0);
    arm(plan, FAULT_SYNC, 0, atomic_load(&plan->calls[FAULT_SYNC]) + 1, 1);
#pragma GCC unroll 1
    for (int round = 0; round < 4; round++) { /* one place in the program, so that its stack is one */
        call_twice(fd, failed);
        for (int i = 0; i < 2; i++) n_wrong += failed[i] != expected[round][i];
        if (round == 0) arm(plan, FAULT_SYNC, atomic_load(&plan->failed_site), 3, 1);
    }
    atomic_store(&plan->armed, 0);
    if (n_wrong) (void)printf("%d calls of two places are not as they should be\n", n_wrong);
    return n_wrong;
}

/* Hashes take no memory: no digest is ever missing, and libcrypto has nothing to trip over. */
static int check_hash(struct fault_shared *plan) {
    char digest[LAG_SHA256_HEX] = "";
    arm(plan, FAULT_ALLOC, 0, 1, UINT64_MAX);
    lag_sha256_bytes("abc", 3, digest);
    atomic_store(&plan->armed, 0);
    bool right = strcmp(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0;
    if (!right) (void)printf("without memory the digest is '%s'\n", digest);
    return !right;
}

int main(void) {
    struct fault_shared *plan = map_plan();
    struct place place = {.folder = getenv("FAULTS_DIR")}, outside = {.folder = "/tmp"};
    int n_wrong = 0;
    char outside_folder[] = "/tmp/lagd-calls-XXXXXX";
    if (!plan || atomic_load(&plan->magic) != FAULT_MAGIC) return printf("the library is not preloaded\n");
    (void)mkdir(place.folder, 0700);
    outside.folder = mkdtemp(outside_folder);
    for (int i = 0; i < 2; i++) {
        struct place *at = i ? &outside : &place;
        (void)snprintf(at->path, sizeof at->path, "%s/file", at->folder);
        (void)snprintf(at->other, sizeof at->other, "%s/other", at->folder);
        at->fd = open(at->path, O_RDWR | O_CREAT, 0600);
        if (at->fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, at->sockets)) return printf("no place at %s\n", at->path);
        if (write(at->fd, "something", 9) != 9) return printf("cannot write %s\n", at->path);
        if (write(at->sockets[0], at->path, 500) != 500) return printf("cannot send\n"); /* enough for every recv */
        for (int kind = 0; kind < FAULT_N_KINDS; kind++) n_wrong += check_kind(plan, at, kind, at == &place);
    }
    n_wrong += check_site(plan, place.fd);
    n_wrong += check_hash(plan);
    (void)unlink(outside.path);
    (void)rmdir(outside.folder);
    return n_wrong != 0;
}

/* What the library that is preloaded (fault.c, calls.c, heap.c) and its driver (walk.py) share: one mapped file.
 *
 * The library counts calls that may fail. A call belongs to a kind (a row of FAULT_KINDS) and to a site: the hash of
 * the stack that leads to it, which is the same in every process of one build. The driver arms one fault in the plan;
 * the library lets those calls fail and says in the report which it was. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Kinds, and what their calls do. Files count below the folder FAULTS_DIR only. */
#define FAULT_KINDS(X)                                                                                                 \
    X(ALLOC, "alloc")   /* memory of the C library's heap */                                                           \
    X(MAP, "map")       /* mmap, mremap: anonymous memory, and files */                                                \
    X(OPEN, "open")     /* files and folders are opened or created */                                                  \
    X(READ, "read")     /* files are read */                                                                           \
    X(WRITE, "write")   /* files are written */                                                                        \
    X(SHORT, "short")   /* no error: half of what is to be written is written */                                       \
    X(SYNC, "sync")     /* fsync, fdatasync */                                                                         \
    X(SIZE, "size")     /* files are cut or given blocks */                                                            \
    X(RENAME, "rename")                                                                                                \
    X(REMOVE, "remove")                                                                                                \
    X(MKDIR, "mkdir")                                                                                                  \
    X(CLOSE, "close")   /* the file is closed all the same, as Linux does */                                           \
    X(STAT, "stat")     /* files, folders and file systems are looked at; modes are set */                             \
    X(LIST, "list")     /* folders are read */                                                                         \
    X(LOCK, "lock")     /* locks on files */                                                                           \
    X(THREAD, "thread") /* threads are started */                                                                      \
    X(SOCKET, "socket") /* sockets and what else waits for events are made or accepted */                              \
    X(NET, "net")       /* sockets are read and written */

#define FAULT_KIND(name, text) FAULT_##name,
enum fault_kind { FAULT_KINDS(FAULT_KIND) FAULT_N_KINDS };
#undef FAULT_KIND

enum {
    FAULT_MAGIC = 0x7a6c7431,
    FAULT_SITES = 1 << 15,  /* slots of the table; a power of two */
    FAULT_FRAMES = 13,      /* of a stack, as they are told */
    FAULT_DEPTH = 40,       /* of a stack, as it is looked at */
    FAULT_IMAGES = 32,
    FAULT_NAME = 96,
};

/* All words are little-endian. A frame is (image << 48) + offset in that image, image 0 is the program itself. */
struct fault_site {
    _Atomic uint64_t site; /* 0: free */
    _Atomic uint64_t n;    /* calls there */
    uint64_t kind;
    uint64_t frames[FAULT_FRAMES];
};

struct fault_shared {
    _Atomic uint32_t magic;
    /* The plan, by the driver: calls first … first + count - 1 of this kind, at this site or (0) at any. */
    _Atomic uint32_t armed;
    uint32_t kind;
    int32_t error;
    uint64_t site;
    uint64_t first, count;
    /* The report: calls that failed, and the first of them. */
    _Atomic uint64_t n_failed;
    _Atomic uint64_t failed_site;
    _Atomic uint64_t lost; /* sites for which the table had no slot */
    _Atomic uint64_t calls[32];
    char images[FAULT_IMAGES][FAULT_NAME];
    char kinds[32][16];
    struct fault_site sites[FAULT_SITES];
};

/* Counts a call of this kind, and says whether it has to fail; errno is set then. */
bool fault_strikes(enum fault_kind kind);
/* Is this open file, or this path below that folder, one of those that count? */
bool fault_counts_fd(int fd);
bool fault_counts_path(int folder, const char *path);
bool fault_is_socket(int fd);
/* The function of this name that would be called without this library. */
void *fault_real(const char *name);

/* Counting of calls by their stacks, and the decision whether one fails. */
#include "faults.h"
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct image {
    uintptr_t begin, end, base;
    bool own; /* this library */
};

/* Globals: what is preloaded has no caller that could hold its state. Written by the constructor only. */
static struct fault_shared *shared;
static struct image images[FAULT_IMAGES];
static size_t n_images;
static char folder[512];
static size_t folder_length;
/* This thread is inside this library: what it calls there does not count. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

void *fault_real(const char *name) {
    bool before = inside;
    inside = true;
    void *function = dlsym(RTLD_NEXT, name);
    inside = before;
    return function;
}

static int note_image(struct dl_phdr_info *info, size_t size, void *arg) {
    struct image *image = &images[n_images];
    const char *name = strrchr(info->dlpi_name, '/');
    if (n_images == FAULT_IMAGES) return 1;
    *image = (struct image){.begin = UINTPTR_MAX, .base = info->dlpi_addr};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD) continue;
        uintptr_t begin = info->dlpi_addr + part->p_vaddr, end = begin + part->p_memsz;
        if (begin < image->begin) image->begin = begin;
        if (end > image->end) image->end = end;
    }
    image->own = (uintptr_t)note_image >= image->begin && (uintptr_t)note_image < image->end;
    (void)snprintf(shared->images[n_images++], FAULT_NAME, "%s", name ? name + 1 : info->dlpi_name);
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    static const char *const names[FAULT_N_KINDS] = {
#define NAME(name, text) text,
        FAULT_KINDS(NAME)
#undef NAME
    };
    const char *path = getenv("FAULTS_MAP"), *dir = getenv("FAULTS_DIR");
    if (!path || !dir) return;
    inside = true;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && syscall(SYS_ftruncate, fd, sizeof *shared) == 0) {
        void *memory = (void *)syscall(SYS_mmap, NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
        if (memory != MAP_FAILED) shared = memory;
    }
    if (fd >= 0) (void)syscall(SYS_close, fd);
    if (shared) {
        void *frames[2];
        (void)backtrace(frames, 2); /* loads what it needs, and that takes memory */
        (void)snprintf(folder, sizeof folder, "%s", dir);
        folder_length = strlen(folder);
        (void)dl_iterate_phdr(note_image, NULL);
        for (int i = 0; i < FAULT_N_KINDS; i++)
            (void)snprintf(shared->kinds[i], sizeof shared->kinds[i], "%s", names[i]);
        atomic_store(&shared->magic, FAULT_MAGIC);
    }
    inside = false;
}

/* The frame of an address, or 0 when it is this library's or nobody's. */
static uint64_t frame_of(uintptr_t address) {
    for (size_t i = 0; i < n_images; i++) {
        if (address < images[i].begin || address >= images[i].end) continue;
        return images[i].own ? 0 : ((uint64_t)i << 48) + (address - images[i].base);
    }
    return 0;
}

/* The two innermost frames, whoever they are of, and all of the program itself: libraries call themselves in more ways
 * than matter here. Returns how many. */
static size_t look_at_stack(uint64_t *frames) {
    void *addresses[FAULT_DEPTH];
    int depth = backtrace(addresses, FAULT_DEPTH);
    size_t n = 0;
    for (int i = 0; i < depth && n < FAULT_FRAMES; i++) {
        uint64_t frame = frame_of((uintptr_t)addresses[i]);
        if (frame && (n < 2 || frame >> 48 == 0)) frames[n++] = frame;
    }
    return n;
}

static uint64_t hash_of(enum fault_kind kind, const uint64_t *frames, size_t n) {
    uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)kind;
    for (size_t i = 0; i < n; i++) hash = (hash ^ frames[i]) * 0x100000001b3u, hash ^= hash >> 29;
    return hash ? hash : 1;
}

/* The slot of this site; NULL when the table is full. */
static struct fault_site *find_site(enum fault_kind kind) {
    uint64_t frames[FAULT_FRAMES] = {0};
    uint64_t hash = hash_of(kind, frames, look_at_stack(frames));
    for (size_t i = 0; i < FAULT_SITES; i++) {
        struct fault_site *site = &shared->sites[(hash + i) & (FAULT_SITES - 1)];
        uint64_t found = 0;
        if (atomic_compare_exchange_strong(&site->site, &found, hash)) {
            site->kind = kind;
            memcpy(site->frames, frames, sizeof frames);
            return site;
        }
        if (found == hash) return site;
    }
    (void)atomic_fetch_add(&shared->lost, 1);
    return NULL;
}

/* Does the plan want the call that is number n of the kind and number n_here of its site? */
static bool planned(enum fault_kind kind, uint64_t site, uint64_t n, uint64_t n_here) {
    if (!atomic_load(&shared->armed) || shared->kind != kind) return false;
    if (shared->site && shared->site != site) return false;
    uint64_t at = shared->site ? n_here : n;
    return at >= shared->first && at - shared->first < shared->count;
}

/* An armed plan is about one kind, and over once its calls have failed: looking at stacks takes most of the time. */
static bool matters(enum fault_kind kind) {
    if (!atomic_load(&shared->armed)) return true;
    return shared->kind == kind && atomic_load(&shared->n_failed) < shared->count;
}

__attribute__((noinline)) bool fault_strikes(enum fault_kind kind) {
    if (!shared || inside || !matters(kind)) return false;
    int before = errno;
    inside = true;
    uint64_t n = atomic_fetch_add(&shared->calls[kind], 1) + 1, none = 0;
    struct fault_site *site = find_site(kind);
    uint64_t n_here = site ? atomic_fetch_add(&site->n, 1) + 1 : 0;
    bool strikes = site && planned(kind, site->site, n, n_here);
    if (strikes) {
        (void)atomic_compare_exchange_strong(&shared->failed_site, &none, site->site);
        (void)atomic_fetch_add(&shared->n_failed, 1);
    }
    inside = false;
    errno = strikes ? shared->error : before;
    return strikes;
}

static bool below(const char *path) {
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || !path[folder_length]);
}

/* Where the descriptor leads, in text[0 … size - 1]. */
static bool link_of(int fd, char *text, size_t size) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlink, path, text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

bool fault_counts_fd(int fd) {
    char text[1024];
    int before = errno;
    bool counts = shared && !inside && fd > STDERR_FILENO && link_of(fd, text, sizeof text) && below(text);
    errno = before;
    return counts;
}

bool fault_counts_path(int dir, const char *path) {
    if (!shared || inside || !path) return false;
    if (*path != '/' && dir >= 0) return fault_counts_fd(dir);
    return below(path);
}

bool fault_is_socket(int fd) {
    char text[64];
    int before = errno;
    bool is = shared && !inside && link_of(fd, text, sizeof text) && strncmp(text, "socket:", 7) == 0;
    errno = before;
    return is;
}

/* The heap: every function that gives memory, and free for what was given before the real one was found. */
#include "faults.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* dlsym(3) may ask for memory before it has found the real functions: it gets some of this, which is never given back.
 */
static _Alignas(64) char early[1 << 14];
static _Atomic size_t n_early;
static _Atomic bool looking;

static bool is_early(const void *p) { return (const char *)p >= early && (const char *)p < early + sizeof early; }

static void *give_early(size_t n) {
    size_t at = atomic_fetch_add(&n_early, (n + 63) & ~(size_t)63);
    return at + n <= sizeof early ? early + at : NULL;
}

/* Looks for the real function once; while that goes on in this process, `early` is what there is. */
#define REAL(type, name, parameters, meanwhile)                                                                        \
    static type(*real) parameters;                                                                                     \
    if (!real) {                                                                                                       \
        if (atomic_exchange(&looking, true)) return meanwhile;                                                         \
        *(void **)&real = fault_real(#name);                                                                           \
        atomic_store(&looking, false);                                                                                 \
    }

/* No other errno: the C library takes for granted that memory fails by this one. */
static bool fails(void) {
    if (!fault_strikes(FAULT_ALLOC)) return false;
    errno = ENOMEM;
    return true;
}

EXPORT void *malloc(size_t n) {
    REAL(void *, malloc, (size_t), give_early(n))
    return fails() ? NULL : real(n);
}

EXPORT void *calloc(size_t n, size_t size) {
    REAL(void *, calloc, (size_t, size_t), give_early(n * size))
    return fails() ? NULL : real(n, size);
}

static void *move_early(const void *old, size_t n) {
    void *moved = malloc(n);
    size_t there = (size_t)(early + sizeof early - (const char *)old);
    if (moved) memcpy(moved, old, n < there ? n : there);
    return moved;
}

EXPORT void *realloc(void *old, size_t n) {
    REAL(void *, realloc, (void *, size_t), old ? move_early(old, n) : give_early(n))
    if (old && is_early(old)) return move_early(old, n);
    return fails() ? NULL : real(old, n);
}

EXPORT void *reallocarray(void *old, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t n) {
    REAL(int, posix_memalign, (void **, size_t, size_t), ENOMEM)
    return fails() ? ENOMEM : real(ret, alignment, n);
}

EXPORT void *aligned_alloc(size_t alignment, size_t n) {
    REAL(void *, aligned_alloc, (size_t, size_t), NULL)
    return fails() ? NULL : real(alignment, n);
}

EXPORT void free(void *p) {
    REAL(void, free, (void *), (void)0)
    if (p && !is_early(p)) real(p);
}

/* Memory that is checked: zeroed, growing, aligned. */
#include <lagd/base/mem.h>

#include <lagd/base/check.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE_BYTES = 64, HUGE_BYTES = 2 << 20 };

/* From this size on blocks are mapped. Under AddressSanitizer never, so that an overrun of a block is seen. */
#ifdef __SANITIZE_ADDRESS__
static const size_t map_from_bytes = SIZE_MAX;
#else
static const size_t map_from_bytes = HUGE_BYTES;
#endif

void *lag_calloc(size_t count, size_t size) {
    uint64_t bytes;
    if (!lag_mul_u64(count, size, &bytes) || bytes > PTRDIFF_MAX) return NULL;
    return calloc(count ? count : 1, size ? size : 1);
}

int lag_grow_array(void **array, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity) return 0;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted < need) {
        if (wanted > SIZE_MAX / 2) return -1;
        wanted *= 2;
    }
    uint64_t bytes;
    if (!lag_mul_u64(wanted, size, &bytes) || bytes > PTRDIFF_MAX) return -1;
    void *grown = realloc(*array, (size_t)bytes);
    if (!grown) return -1;
    *array = grown;
    *capacity = wanted;
    return 0;
}

char *lag_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *lag_asprintf(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return length < 0 ? NULL : text;
}

/* The size that is really mapped: whole huge pages. 0 when it does not fit in a size_t. */
static size_t mapped_bytes(size_t bytes) {
    if (bytes > PTRDIFF_MAX - 2 * (size_t)HUGE_BYTES) return 0;
    return (size_t)lag_ceil_div(bytes, HUGE_BYTES) * HUGE_BYTES;
}

static void *map_block(size_t bytes) {
    size_t length = mapped_bytes(bytes);
    if (length == 0) return NULL;
    /* One huge page more than needed, and the ends cut off, so that the block begins at a huge page. */
    char *base = mmap(NULL, length + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    size_t head = (HUGE_BYTES - (uintptr_t)base % HUGE_BYTES) % HUGE_BYTES;
    size_t tail = HUGE_BYTES - head;
    if (head) (void)munmap(base, head);
    if (tail) (void)munmap(base + head + length, tail);
    (void)madvise(base + head, length, MADV_HUGEPAGE); /* only advice: without it the block is right, too */
    return base + head;
}

size_t lag_block_bytes(size_t bytes) {
    if (bytes >= map_from_bytes) return mapped_bytes(bytes);
    return (size_t)lag_ceil_div(bytes ? bytes : 1, LINE_BYTES) * LINE_BYTES;
}

void *lag_block_alloc(size_t bytes) {
    if (bytes >= map_from_bytes) return map_block(bytes);
    size_t length = (size_t)lag_ceil_div(bytes ? bytes : 1, LINE_BYTES) * LINE_BYTES;
    if (bytes > PTRDIFF_MAX - LINE_BYTES) return NULL;
    void *block = NULL;
    if (posix_memalign(&block, LINE_BYTES, length) != 0) return NULL;
    memset(block, 0, length);
    return block;
}

void lag_block_free(void *block, size_t bytes) {
    if (!block) return;
    if (bytes >= map_from_bytes) {
        (void)munmap(block, mapped_bytes(bytes));
    } else {
        free(block);
    }
}

int lag_copy(char *dst, size_t size, const char *src) {
    LAG_ASSERT(size > 0);
    size_t length = strnlen(src, size);
    bool cut = length == size;
    if (cut) length = size - 1;
    memmove(dst, src, length);
    dst[length] = '\0';
    return cut ? -1 : 0;
}

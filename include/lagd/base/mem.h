/* Checked and aligned memory. Thread: any. Sizes in bytes. NULL means out of memory or overflow. */
#pragma once
#include <stddef.h>

/* count × size bytes set to zero; free with free(). */
void *lag_calloc(size_t count, size_t size);
/* Grows an array of *capacity items of size bytes to hold at least need items; doubles. 0, or -1 with nothing
 * changed. */
int lag_grow_array(void **array, size_t *capacity, size_t need, size_t size);
char *lag_strdup(const char *text);
char *lag_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* 64-byte aligned, zeroed; large blocks come from mmap with huge pages advised. free with lag_block_free(block,
 * bytes). */
void *lag_block_alloc(size_t bytes);
/* What a block of that size takes, the rounding to huge pages included. */
size_t lag_block_bytes(size_t bytes);
void lag_block_free(void *block, size_t bytes);
/* Copies src into dst[size] and always terminates; returns 0, or -1 when it was cut. */
int lag_copy(char *dst, size_t size, const char *src);

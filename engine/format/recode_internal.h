/* The tensors of a safetensors file in another dtype, as a stream of bytes: the same names, shapes and metadata.
 *
 * F32 becomes F32, BF16 or F16. A number is rounded to the nearest of the new type, and where two are as near to the
 * even one (IEEE 754's default). Memory: the header, and LAG_RECODE_CHUNK_BYTES. Thread: one owner. */
#pragma once
#include "format/safetensors_internal.h"
#include <lagd/base/strbuf.h>
#include <sys/types.h>

#define LAG_RECODE_CHUNK_BYTES (64u << 10)

/* What is changed on the way. begin may take entries out of the header; adjust sees the elements of each that is left,
 * by its number, as F32. */
struct lag_recode_edit {
    int (*begin)(void *arg, struct lag_st_file *file, struct lag_error *err);
    void (*adjust)(const void *arg, size_t entry, uint64_t at, size_t n, float *values);
    void *arg; /* outlives the stream */
};

struct lag_recode {
    struct lag_st_file file;
    enum lag_st_dtype dtype;
    struct lag_recode_edit edit; /* begin NULL: none */
    struct lag_strbuf head; /* length and header of what comes out */
    uint64_t n_bytes;       /* all that comes out */
    size_t head_taken, entry;
    uint64_t at;            /* elements of the entry that are in the chunk or went out */
    char *chunk;
    size_t n_chunk, taken;
};

uint16_t lag_f16_of(float value);
uint16_t lag_bf16_of(float value);

/* fd: the file; it is taken on 0. edit: NULL where nothing is changed. LAG_EUNSUPPORTED: a tensor is not F32, or has
 * more than two dimensions. */
int lag_recode_open(int fd, enum lag_st_dtype dtype, const struct lag_recode_edit *edit, struct lag_recode *ret,
                    struct lag_error *err);
/* Reads all elements: LAG_ENONFINITE where one is not finite, or would not be in the new dtype. The stream stays where
 * it is. */
int lag_recode_check(struct lag_recode *recode, struct lag_error *err);
/* The next bytes, at most size; 0: the end; negative: a failure. */
ssize_t lag_recode_read(struct lag_recode *recode, void *buffer, size_t size, struct lag_error *err);
void lag_recode_close(struct lag_recode *recode);

/* Safetensors in another dtype, chunk by chunk. */
#include "format/recode_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_ELEMENTS = LAG_RECODE_CHUNK_BYTES / sizeof(float) };

#define F32_INFINITY 0x7f800000u
#define F16_INFINITY 0x7c00u
#define F16_LEAST_TOO_LARGE 0x477ff000u /* 65520: as near to 65504, the largest, as to 65536, which is infinity */
#define BF16_LEAST_TOO_LARGE 0x7f7f8000u /* the same of 3.39e38 and 2^128 */
#define F16_LEAST_NORMAL 0x38800000u    /* 2^-14 */
#define F16_REBIAS 0x38000000u          /* (127 - 15) << 23 */

uint16_t lag_f16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > F32_INFINITY) return sign | F16_INFINITY | 0x200u;
    if (bits >= F16_LEAST_TOO_LARGE) return sign | F16_INFINITY;
    /* Below the least normal the steps are 2^-24, and their number is the fraction; 1024 of them are that normal. */
    if (bits < F16_LEAST_NORMAL) return sign | (uint16_t)lrintf(fabsf(value) * 0x1p24f);
    return sign | (uint16_t)((bits - F16_REBIAS + 0xfffu + (bits >> 13 & 1u)) >> 13);
}

uint16_t lag_bf16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > F32_INFINITY) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static uint64_t n_elements(const struct lag_st_entry *entry) { return (entry->end - entry->begin) / sizeof(float); }

static int make_sources(const struct lag_st_header *header, struct lag_st_source *sources, struct lag_error *err) {
    for (size_t i = 0; i < header->n_entries; i++) {
        const struct lag_st_entry *entry = &header->entries[i];
        struct lag_st_source *source = &sources[i];
        if (entry->dtype != LAG_ST_F32 || entry->n_dims > 2)
            return lag_error_set(err, LAG_EUNSUPPORTED, "tensor %.100s: %s with %u dimensions cannot be converted",
                                 entry->name, lag_st_dtype_name(entry->dtype), entry->n_dims);
        if (lag_copy(source->name, sizeof source->name, entry->name) < 0)
            return lag_error_set(err, LAG_EUNSUPPORTED, "tensor %.100s: its name is too long", entry->name);
        source->n_dims = entry->n_dims;
        memcpy(source->dims, entry->dims, sizeof source->dims);
    }
    return 0;
}

static int prepare(struct lag_recode *recode, struct lag_error *err) {
    const struct lag_st_header *header = &recode->file.header;
    LAG_CLEANUP(lag_free_p) struct lag_st_source *sources = lag_calloc(header->n_entries, sizeof *sources);
    recode->chunk = malloc(LAG_RECODE_CHUNK_BYTES);
    if (!recode->chunk || (!sources && header->n_entries > 0))
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's header");
    int rc = make_sources(header, sources, err);
    if (rc == 0)
        rc = lag_st_format_head(header->metadata, header->n_metadata, sources, header->n_entries, recode->dtype,
                                &recode->head, err);
    recode->n_bytes = recode->head.length;
    for (size_t i = 0; i < header->n_entries; i++)
        recode->n_bytes += n_elements(&header->entries[i]) * (lag_st_dtype_bits(recode->dtype) / 8);
    return rc;
}

int lag_recode_open(int fd, enum lag_st_dtype dtype, const struct lag_recode_edit *edit, struct lag_recode *ret,
                    struct lag_error *err) {
    LAG_ASSERT(dtype == LAG_ST_F32 || dtype == LAG_ST_BF16 || dtype == LAG_ST_F16);
    struct lag_recode recode = {.file = {.fd = -1}, .dtype = dtype};
    if (edit) recode.edit = *edit;
    int rc = lag_st_open_fd(fd, LAG_ST_MAX_HEADER_BYTES, &recode.file, err);
    if (rc == 0 && edit) rc = edit->begin(edit->arg, &recode.file, err);
    if (rc == 0) rc = prepare(&recode, err);
    if (rc == 0) {
        *ret = recode;
        return 0;
    }
    recode.file.fd = -1; /* the caller's */
    lag_recode_close(&recode);
    return rc;
}

void lag_recode_close(struct lag_recode *recode) {
    lag_st_close(&recode->file);
    lag_strbuf_deinit(&recode->head);
    free(recode->chunk);
    recode->chunk = NULL;
}

/* The next elements of the entry, as they lie in the file or the edit makes them; their number. */
static int load(struct lag_recode *recode, const struct lag_st_entry *entry, uint64_t at, size_t *ret_n,
                struct lag_error *err) {
    const size_t n = (size_t)LAG_MIN((uint64_t)CHUNK_ELEMENTS, n_elements(entry) - at);
    *ret_n = n;
    const int rc = lag_st_read_at(recode->file.fd, recode->chunk, n * sizeof(float),
                                  recode->file.header.data_offset + entry->begin + at * sizeof(float), err);
    if (rc == 0 && recode->edit.begin)
        recode->edit.adjust(recode->edit.arg, (size_t)(entry - recode->file.header.entries), at, n,
                            (float *)(void *)recode->chunk);
    return rc;
}

/* In place: an element's new bytes lie at or before its old ones. */
static void convert(struct lag_recode *recode, size_t n) {
    for (size_t i = 0; recode->dtype != LAG_ST_F32 && i < n; i++) {
        float value;
        memcpy(&value, recode->chunk + i * sizeof value, sizeof value);
        const uint16_t half = recode->dtype == LAG_ST_F16 ? lag_f16_of(value) : lag_bf16_of(value);
        memcpy(recode->chunk + i * sizeof half, &half, sizeof half);
    }
    recode->n_chunk = n * (lag_st_dtype_bits(recode->dtype) / 8);
    recode->taken = 0;
}

static int fill(struct lag_recode *recode, struct lag_error *err) {
    const struct lag_st_header *header = &recode->file.header;
    size_t n = 0;
    recode->n_chunk = recode->taken = 0;
    while (recode->entry < header->n_entries && recode->at == n_elements(&header->entries[recode->entry])) {
        recode->entry++;
        recode->at = 0;
    }
    if (recode->entry == header->n_entries) return 0;
    const int rc = load(recode, &header->entries[recode->entry], recode->at, &n, err);
    if (rc != 0) return rc;
    convert(recode, n);
    recode->at += n;
    return 0;
}

ssize_t lag_recode_read(struct lag_recode *recode, void *buffer, size_t size, struct lag_error *err) {
    if (recode->head_taken < recode->head.length) {
        const size_t n = LAG_MIN(size, recode->head.length - recode->head_taken);
        memcpy(buffer, recode->head.data + recode->head_taken, n);
        recode->head_taken += n;
        return (ssize_t)n;
    }
    if (recode->taken == recode->n_chunk) {
        const int rc = fill(recode, err);
        if (rc != 0) return rc;
    }
    const size_t n = LAG_MIN(size, recode->n_chunk - recode->taken);
    memcpy(buffer, recode->chunk + recode->taken, n);
    recode->taken += n;
    return (ssize_t)n;
}

/* The bits of the least magnitude that the dtype cannot hold: it is rounded to infinity, or is infinite itself. */
static uint32_t least_too_large(enum lag_st_dtype dtype) {
    return dtype == LAG_ST_F16 ? F16_LEAST_TOO_LARGE : dtype == LAG_ST_BF16 ? BF16_LEAST_TOO_LARGE : F32_INFINITY;
}

static uint32_t magnitude_at(const struct lag_recode *recode, size_t i) {
    uint32_t bits;
    memcpy(&bits, recode->chunk + i * sizeof bits, sizeof bits);
    return bits & 0x7fffffffu;
}

static int check_chunk(const struct lag_recode *recode, const struct lag_st_entry *entry, uint64_t at, size_t n,
                       struct lag_error *err) {
    const uint32_t limit = least_too_large(recode->dtype);
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) largest = LAG_MAX(largest, magnitude_at(recode, i));
    if (largest < limit) return 0;
    size_t i = 0;
    while (magnitude_at(recode, i) < limit) i++;
    float value;
    memcpy(&value, recode->chunk + i * sizeof value, sizeof value);
    return lag_error_set(err, LAG_ENONFINITE, "tensor %.100s: element %" PRIu64 " is %.9g, which %s cannot hold: %s",
                         entry->name, at + i, (double)value, lag_st_dtype_name(recode->dtype),
                         recode->dtype == LAG_ST_F16 ? "take bf16 or f32" : "take f32");
}

int lag_recode_check(struct lag_recode *recode, struct lag_error *err) {
    const struct lag_st_header *header = &recode->file.header;
    LAG_ASSERT(recode->taken == recode->n_chunk); /* the chunk holds nothing that is still to go out */
    for (size_t i = 0; i < header->n_entries; i++) {
        const struct lag_st_entry *entry = &header->entries[i];
        size_t n = 0;
        for (uint64_t at = 0; at < n_elements(entry); at += n) {
            int rc = load(recode, entry, at, &n, err);
            if (rc == 0) rc = check_chunk(recode, entry, at, n, err);
            if (rc != 0) return rc;
        }
    }
    recode->n_chunk = recode->taken = 0;
    return 0;
}

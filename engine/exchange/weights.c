/* The numbers of a folder: checked, and loaded. */
#include "exchange/import_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 256 * 1024 };

/* Infinity and NaN have all bits of the exponent set. The index of the first such element, n: there is none. */
static size_t find_not_finite(enum lag_st_dtype dtype, const void *data, size_t n) {
    const uint32_t *wide = data;
    const uint16_t *half = data;
    const uint16_t exponent = dtype == LAG_ST_F16 ? 0x7c00 : 0x7f80;
    unsigned found = 0; /* a loop without an exit is a vector loop */
    size_t i = 0;
    if (dtype == LAG_ST_F32) {
        for (size_t k = 0; k < n; k++) found |= (wide[k] & 0x7f800000u) == 0x7f800000u;
        if (!found) return n;
        while ((wide[i] & 0x7f800000u) != 0x7f800000u) i++;
        return i;
    }
    for (size_t k = 0; k < n; k++) found |= (half[k] & exponent) == exponent;
    if (!found) return n;
    while ((half[i] & exponent) != exponent) i++;
    return i;
}

static int read_chunk(const struct lag_import_place *place, uint64_t at, void *chunk, size_t n_bytes,
                      struct lag_error *err) {
    const struct lag_st_file *file = &place->shard->file;
    const int rc = lag_st_read_at(file->fd, chunk, n_bytes, file->header.data_offset + place->entry->begin + at, err);
    return rc != 0 && err ? lag_error_wrap(err, "%s", place->shard->name) : rc;
}

static int check_place(const struct lag_import_place *place, void *chunk, const struct lag_fs_watch *watch,
                       struct lag_error *err) {
    const struct lag_st_entry *entry = place->entry;
    const uint64_t n_bytes = entry->end - entry->begin;
    const size_t width = lag_st_dtype_bits(entry->dtype) / 8;
    for (uint64_t at = 0; at < n_bytes; at += CHUNK_BYTES) {
        const size_t size = (size_t)LAG_MIN((uint64_t)CHUNK_BYTES, n_bytes - at), n = size / width;
        const int rc = read_chunk(place, at, chunk, size, err);
        if (rc != 0) return rc;
        const size_t i = find_not_finite(entry->dtype, chunk, n);
        if (i < n)
            return lag_error_set(err, LAG_ENONFINITE, "%s: tensor %.100s: element %llu is not finite",
                                 place->shard->name, entry->name, (unsigned long long)(at / width + i));
        if (watch && watch->each(watch->arg, size) != 0) return LAG_ECANCELED;
    }
    return 0;
}

static int refuse_head(const struct lag_import_place *head, struct lag_error *err) {
    return lag_error_set(err, LAG_EINVAL, "%s: tensor %.100s is not the embedding bit for bit: lagd's head is tied to "
                         "it", head->shard->name, head->entry->name);
}

static int check_head(const struct lag_import *import, char *chunk, struct lag_error *err) {
    const struct lag_import_place *head = &import->head, *wte = &import->places[import->layout.first[LAG_ROLE_WTE]];
    enum { HALF = CHUNK_BYTES / 2 };
    if (!head->entry) return 0;
    if (head->entry->dtype != wte->entry->dtype) return refuse_head(head, err);
    const uint64_t n_bytes = wte->entry->end - wte->entry->begin;
    for (uint64_t at = 0; at < n_bytes; at += HALF) {
        const size_t size = (size_t)LAG_MIN((uint64_t)HALF, n_bytes - at);
        int rc = read_chunk(head, at, chunk, size, err);
        if (rc == 0) rc = read_chunk(wte, at, chunk + HALF, size, err);
        if (rc != 0) return rc;
        if (memcmp(chunk, chunk + HALF, size) != 0) return refuse_head(head, err);
    }
    return 0;
}

int lag_import_check(const struct lag_import *import, const struct lag_fs_watch *watch, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *chunk = malloc(CHUNK_BYTES);
    if (!chunk) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's tensors");
    int rc = 0;
    for (int i = 0; rc == 0 && i < import->layout.n_tensors; i++)
        rc = check_place(&import->places[i], chunk, watch, err);
    return rc == 0 ? check_head(import, chunk, err) : rc;
}

int lag_import_load(const struct lag_import *import, struct lag_state *state, struct lag_error *err) {
    LAG_ASSERT(lag_spec_equal(&import->layout.spec, &state->layout.spec));
    int rc = 0;
    for (int i = 0; rc == 0 && i < import->layout.n_tensors; i++) {
        const struct lag_import_place *place = &import->places[i];
        rc = lag_st_load(&place->shard->file, place->entry, state->params + state->layout.tensors[i].offset, err);
        if (rc != 0 && rc != LAG_ENOMEM && err) (void)lag_error_wrap(err, "%s", place->shard->name);
    }
    return rc;
}

/* The header of a safetensors file: grammar and rules. */
#include "format/json_internal.h"
#include "format/safetensors_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned bits;
} dtypes[LAG_ST_N_DTYPES] = {
    [LAG_ST_BOOL] = {"BOOL", 8}, [LAG_ST_U8] = {"U8", 8}, [LAG_ST_I8] = {"I8", 8}, [LAG_ST_F8_E5M2] = {"F8_E5M2", 8},
    [LAG_ST_F8_E4M3] = {"F8_E4M3", 8}, [LAG_ST_F8_E8M0] = {"F8_E8M0", 8}, [LAG_ST_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8},
    [LAG_ST_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8}, [LAG_ST_F4] = {"F4", 4}, [LAG_ST_F6_E2M3] = {"F6_E2M3", 6},
    [LAG_ST_F6_E3M2] = {"F6_E3M2", 6}, [LAG_ST_I16] = {"I16", 16}, [LAG_ST_U16] = {"U16", 16},
    [LAG_ST_F16] = {"F16", 16}, [LAG_ST_BF16] = {"BF16", 16}, [LAG_ST_I32] = {"I32", 32}, [LAG_ST_U32] = {"U32", 32},
    [LAG_ST_F32] = {"F32", 32}, [LAG_ST_F64] = {"F64", 64}, [LAG_ST_I64] = {"I64", 64}, [LAG_ST_U64] = {"U64", 64},
    [LAG_ST_C64] = {"C64", 64},
};

const char *lag_st_dtype_name(enum lag_st_dtype dtype) { return dtypes[dtype].name; }
unsigned lag_st_dtype_bits(enum lag_st_dtype dtype) { return dtypes[dtype].bits; }

int lag_st_header_length(const uint8_t first[8], uint64_t n_file_bytes, uint64_t max_header_bytes, uint64_t *ret,
                         struct lag_error *err) {
    uint64_t length = 0;
    if (n_file_bytes < 8)
        return lag_error_set(err, LAG_ECORRUPT, "%" PRIu64 " bytes are too few for a safetensors file", n_file_bytes);
    for (int i = 7; i >= 0; i--) length = length << 8 | first[i];
    if (length > n_file_bytes - 8)
        return lag_error_set(err, LAG_ECORRUPT, "the header's length, %" PRIu64 ", goes past the end of the file",
                             length);
    if (length > max_header_bytes)
        return lag_error_set(err, LAG_ECORRUPT, "the header's length, %" PRIu64 ", is above the limit of %" PRIu64,
                             length, max_header_bytes);
    *ret = length;
    return 0;
}

struct info {
    char dtype[16];
    json_t *shape, *offsets;
};
static const struct lag_json_row info_keys[] = {
    LAG_JSON_ROW("dtype", LAG_JSON_TEXT, info, dtype), LAG_JSON_ROW("shape", LAG_JSON_VALUE, info, shape),
    LAG_JSON_ROW("data_offsets", LAG_JSON_VALUE, info, offsets),
};

/* The shortest entry has three containers in 50 bytes; with eight dimensions, eleven commas in 65 bytes. */
static const struct lag_json_limits limits = {.max_depth = 4, .bytes_per_container = 16, .bytes_per_comma = 4};

static int find_dtype(const char *name, enum lag_st_dtype *ret, struct lag_error *err) {
    for (int i = 0; i < LAG_ST_N_DTYPES; i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        *ret = (enum lag_st_dtype)i;
        return 0;
    }
    return lag_error_set(err, LAG_ECORRUPT, "unknown dtype %s", name);
}

/* At most max unsigned integers into ret. */
static int read_integers(const json_t *array, const char *key, size_t max, uint64_t *ret, struct lag_error *err) {
    const size_t n = json_array_size(array);
    if (!json_is_array(array)) return lag_error_set(err, LAG_ECORRUPT, "%s: expected an array", key);
    if (n > max) return lag_error_set(err, LAG_ECORRUPT, "%s: too many items in an array", key);
    for (size_t i = 0; i < n; i++) {
        int64_t value = 0;
        const int rc = lag_json_integer(json_array_get(array, i), key, &value, err);
        if (rc != 0) return rc;
        if (value < 0) return lag_error_set(err, LAG_ECORRUPT, "%s: an integer is negative", key);
        ret[i] = (uint64_t)value;
    }
    return 0;
}

/* {"dtype":…,"shape":[…],"data_offsets":[begin,end]} in any order. */
static int read_info(const json_t *object, struct lag_st_entry *entry, struct lag_error *err) {
    struct info info = {0};
    uint64_t offsets[2] = {0};
    int rc = lag_json_read(object, info_keys, LAG_COUNT(info_keys), &info, err);
    if (rc == 0) rc = find_dtype(info.dtype, &entry->dtype, err);
    if (rc == 0) rc = read_integers(info.shape, "shape", LAG_ST_MAX_DIMS, entry->dims, err);
    if (rc == 0) rc = read_integers(info.offsets, "data_offsets", 2, offsets, err);
    if (rc != 0) return rc;
    if (json_array_size(info.offsets) != 2)
        return lag_error_set(err, LAG_ECORRUPT, "data_offsets needs two integers");
    entry->n_dims = (uint32_t)json_array_size(info.shape);
    entry->begin = offsets[0];
    entry->end = offsets[1];
    return 0;
}

/* product(shape) × bits = 8 × (end - begin) */
static int check_size(const struct lag_st_entry *entry, struct lag_error *err) {
    uint64_t bits = dtypes[entry->dtype].bits;
    bool fits = entry->begin <= entry->end;
    for (uint32_t i = 0; i < entry->n_dims; i++) fits = fits && lag_mul_u64(bits, entry->dims[i], &bits);
    if (!fits || bits % 8 != 0 || bits / 8 != entry->end - entry->begin)
        return lag_error_set(err, LAG_ECORRUPT, "data_offsets %" PRIu64 " to %" PRIu64
                             " do not fit its shape and dtype", entry->begin, entry->end);
    return 0;
}

static int read_metadata(json_t *object, struct lag_st_header *header, struct lag_error *err) {
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return lag_error_set(err, LAG_ECORRUPT, "__metadata__: expected an object");
    header->metadata = lag_calloc(json_object_size(object), sizeof *header->metadata);
    if (!header->metadata && json_object_size(object) > 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for the header");
    json_object_foreach(object, key, value) {
        if (!json_is_string(value))
            return lag_error_set(err, LAG_ECORRUPT, "__metadata__: %.100s: expected a text", key);
        header->metadata[header->n_metadata++] = (struct lag_st_pair){key, json_string_value(value)};
    }
    return 0;
}

static int read_tree(struct lag_st_header *header, struct lag_error *err) {
    const char *key;
    json_t *value;
    header->entries = lag_calloc(json_object_size(header->tree), sizeof *header->entries);
    if (!header->entries && json_object_size(header->tree) > 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for the header");
    json_object_foreach(header->tree, key, value) {
        struct lag_st_entry *entry = &header->entries[header->n_entries];
        int rc;
        if (strcmp(key, "__metadata__") == 0) {
            rc = read_metadata(value, header, err);
            if (rc != 0) return rc;
            continue;
        }
        entry->name = key;
        rc = read_info(value, entry, err);
        if (rc == 0) rc = check_size(entry, err);
        if (rc != 0) return err ? lag_error_wrap(err, "tensor %.100s", key) : rc;
        header->n_entries++;
    }
    return 0;
}

static int by_offset(const void *a, const void *b) {
    const struct lag_st_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}
static int by_name(const void *a, const void *b) {
    return strcmp(((const struct lag_st_entry *)a)->name, ((const struct lag_st_entry *)b)->name);
}

/* Data begin at 0, follow each other without hole or overlap, and end with the file. */
static int check_coverage(struct lag_st_header *header, uint64_t n_data_bytes, struct lag_error *err) {
    uint64_t at = 0;
    if (header->n_entries) qsort(header->entries, header->n_entries, sizeof *header->entries, by_offset);
    for (size_t i = 0; i < header->n_entries; i++) {
        const struct lag_st_entry *entry = &header->entries[i];
        if (entry->begin != at)
            return lag_error_set(err, LAG_ECORRUPT, "tensor %.100s: its data begin at %" PRIu64 " instead of %" PRIu64
                                 ": a hole or an overlap", entry->name, entry->begin, at);
        at = entry->end;
    }
    if (at != n_data_bytes)
        return lag_error_set(err, LAG_ECORRUPT, "the tensors take %" PRIu64 " bytes, but the file holds %" PRIu64, at,
                             n_data_bytes);
    return 0;
}

int lag_st_parse(const char *text, size_t n, uint64_t n_file_bytes, struct lag_st_header *ret, struct lag_error *err) {
    LAG_ASSERT(n_file_bytes >= 8 && n <= n_file_bytes - 8);
    struct lag_st_header header = {.data_offset = 8 + (uint64_t)n};
    if (n == 0 || text[0] != '{') return lag_error_set(err, LAG_ECORRUPT, "the header does not begin with '{'");
    int rc = lag_json_parse(text, n, &limits, &header.tree, err);
    if (rc == 0) rc = read_tree(&header, err);
    if (rc == 0) rc = check_coverage(&header, n_file_bytes - header.data_offset, err);
    if (rc == 0 && header.n_entries) qsort(header.entries, header.n_entries, sizeof *header.entries, by_name);
    if (rc != 0) lag_st_header_deinit(&header);
    else *ret = header;
    return rc;
}

void lag_st_header_deinit(struct lag_st_header *header) {
    free(header->entries);
    free(header->metadata);
    json_decref(header->tree);
    *header = (struct lag_st_header){0};
}

const struct lag_st_entry *lag_st_find(const struct lag_st_header *header, const char *name) {
    const struct lag_st_entry wanted = {.name = name};
    if (header->n_entries == 0) return NULL;
    return bsearch(&wanted, header->entries, header->n_entries, sizeof wanted, by_name);
}

/* The header of a safetensors file: grammar and rules. */
#include "json_internal.h"
#include "safetensors_internal.h"
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

struct parser {
    struct lag_json json;
    struct lag_st_header *header;
    size_t arena_used, arena_size;
};

static int out_of_memory(const struct parser *parser) {
    return lag_error_set(parser->json.err, LAG_ENOMEM, "out of memory for the header");
}

/* A string into the arena; a key when colon. */
static int arena_string(struct parser *parser, bool colon, const char **ret) {
    char *place = parser->header->arena + parser->arena_used;
    size_t length = 0;
    const size_t room = parser->arena_size - parser->arena_used;
    const int rc = colon ? lag_json_key(&parser->json, place, room, &length)
                         : lag_json_string(&parser->json, place, room, &length);
    if (rc != 0) return rc;
    parser->arena_used += length + 1;
    *ret = place;
    return 0;
}

static int parse_dtype(struct parser *parser, struct lag_st_entry *entry) {
    char name[16];
    const int rc = lag_json_string(&parser->json, name, sizeof name, NULL);
    if (rc != 0) return rc;
    for (int i = 0; i < LAG_ST_N_DTYPES; i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        entry->dtype = (enum lag_st_dtype)i;
        return 0;
    }
    return lag_json_fail(&parser->json, "unknown dtype");
}

/* At most max unsigned integers into ret. */
static int parse_integers(struct parser *parser, uint32_t max, uint64_t *ret, uint32_t *ret_n) {
    int rc = lag_json_expect(&parser->json, '[');
    uint32_t n = 0;
    while (rc == 0 && (rc = lag_json_next(&parser->json, ']', n == 0)) == 1) {
        if (n == max) return lag_json_fail(&parser->json, "too many items in an array");
        rc = lag_json_u64(&parser->json, &ret[n++]);
    }
    *ret_n = n;
    return rc;
}

static int parse_offsets(struct parser *parser, struct lag_st_entry *entry) {
    uint64_t offsets[2];
    uint32_t n = 0;
    const int rc = parse_integers(parser, 2, offsets, &n);
    if (rc != 0) return rc;
    if (n != 2) return lag_json_fail(&parser->json, "data_offsets needs two integers");
    entry->begin = offsets[0];
    entry->end = offsets[1];
    return 0;
}

/* {"dtype":…,"shape":[…],"data_offsets":[begin,end]} in any order, each exactly once. */
static int parse_info(struct parser *parser, struct lag_st_entry *entry) {
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    unsigned seen = 0;
    int rc = lag_json_expect(&parser->json, '{');
    while (rc == 0 && (rc = lag_json_next(&parser->json, '}', seen == 0)) == 1) {
        char key[16];
        rc = lag_json_key(&parser->json, key, sizeof key, NULL);
        if (rc != 0) return rc;
        size_t i = 0;
        while (i < LAG_COUNT(keys) && strcmp(key, keys[i]) != 0) i++;
        if (i == LAG_COUNT(keys)) return lag_json_fail(&parser->json, "unknown key in a tensor's entry");
        if (seen & 1u << i) return lag_json_fail(&parser->json, "duplicate key in a tensor's entry");
        seen |= 1u << i;
        rc = i == 0 ? parse_dtype(parser, entry)
           : i == 1 ? parse_integers(parser, LAG_ST_MAX_DIMS, entry->dims, &entry->n_dims)
                    : parse_offsets(parser, entry);
    }
    if (rc == 0 && seen != 7) return lag_json_fail(&parser->json, "dtype, shape or data_offsets is missing");
    return rc;
}

/* product(shape) × bits = 8 × (end - begin) */
static int check_size(const struct lag_st_entry *entry, struct lag_error *err) {
    uint64_t bits = dtypes[entry->dtype].bits;
    bool fits = entry->begin <= entry->end;
    for (uint32_t i = 0; i < entry->n_dims; i++) fits = fits && lag_mul_u64(bits, entry->dims[i], &bits);
    if (!fits || bits % 8 != 0 || bits / 8 != entry->end - entry->begin)
        return lag_error_set(err, LAG_ECORRUPT, "tensor %.100s: data_offsets %" PRIu64 " to %" PRIu64
                             " do not fit its shape and dtype", entry->name, entry->begin, entry->end);
    return 0;
}

static int parse_tensor(struct parser *parser, const char *name) {
    struct lag_st_header *header = parser->header;
    struct lag_st_entry entry = {.name = name};
    int rc = parse_info(parser, &entry);
    if (rc == 0) rc = check_size(&entry, parser->json.err);
    if (rc != 0) return rc;
    void *entries = header->entries;
    if (lag_grow_array(&entries, &header->capacity_entries, header->n_entries + 1, sizeof entry) != 0)
        return out_of_memory(parser);
    header->entries = entries;
    header->entries[header->n_entries++] = entry;
    return 0;
}

static int parse_metadata(struct parser *parser) {
    struct lag_st_header *header = parser->header;
    int rc = lag_json_expect(&parser->json, '{');
    while (rc == 0 && (rc = lag_json_next(&parser->json, '}', header->n_metadata == 0)) == 1) {
        struct lag_st_pair pair;
        rc = arena_string(parser, true, &pair.key);
        if (rc == 0) rc = arena_string(parser, false, &pair.value);
        if (rc != 0) return rc;
        void *pairs = header->metadata;
        if (lag_grow_array(&pairs, &header->capacity_metadata, header->n_metadata + 1, sizeof pair) != 0)
            return out_of_memory(parser);
        header->metadata = pairs;
        header->metadata[header->n_metadata++] = pair;
    }
    return rc;
}

static int parse_document(struct parser *parser) {
    if (parser->json.at == parser->json.end || *parser->json.at != '{')
        return lag_json_fail(&parser->json, "the header does not begin with '{'");
    int rc = lag_json_expect(&parser->json, '{');
    bool first = true, had_metadata = false;
    while (rc == 0 && (rc = lag_json_next(&parser->json, '}', first)) == 1) {
        const char *name = NULL;
        first = false;
        rc = arena_string(parser, true, &name);
        if (rc != 0) return rc;
        const bool is_metadata = strcmp(name, "__metadata__") == 0;
        if (is_metadata && had_metadata) return lag_json_fail(&parser->json, "duplicate __metadata__");
        had_metadata = had_metadata || is_metadata;
        rc = is_metadata ? parse_metadata(parser) : parse_tensor(parser, name);
    }
    return rc == 0 ? lag_json_end(&parser->json) : rc;
}

static int by_offset(const void *a, const void *b) {
    const struct lag_st_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}
static int by_name(const void *a, const void *b) {
    return strcmp(((const struct lag_st_entry *)a)->name, ((const struct lag_st_entry *)b)->name);
}
static int by_key(const void *a, const void *b) {
    return strcmp(((const struct lag_st_pair *)a)->key, ((const struct lag_st_pair *)b)->key);
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

static int check_unique(struct lag_st_header *header, struct lag_error *err) {
    if (header->n_entries) qsort(header->entries, header->n_entries, sizeof *header->entries, by_name);
    for (size_t i = 1; i < header->n_entries; i++)
        if (by_name(&header->entries[i - 1], &header->entries[i]) == 0)
            return lag_error_set(err, LAG_ECORRUPT, "duplicate tensor name %.100s", header->entries[i].name);
    if (header->n_metadata) qsort(header->metadata, header->n_metadata, sizeof *header->metadata, by_key);
    for (size_t i = 1; i < header->n_metadata; i++)
        if (by_key(&header->metadata[i - 1], &header->metadata[i]) == 0)
            return lag_error_set(err, LAG_ECORRUPT, "duplicate metadata key %.100s", header->metadata[i].key);
    return 0;
}

int lag_st_parse(const char *text, size_t n, uint64_t n_file_bytes, struct lag_st_header *ret, struct lag_error *err) {
    LAG_ASSERT(n_file_bytes >= 8 && n <= n_file_bytes - 8);
    struct lag_st_header header = {.data_offset = 8 + (uint64_t)n};
    header.arena = malloc(n + 1);
    if (!header.arena) return lag_error_set(err, LAG_ENOMEM, "out of memory for the header");
    struct parser parser = {{text, text, text + n, err}, &header, 0, n + 1};
    int rc = parse_document(&parser);
    if (rc == 0) rc = check_coverage(&header, n_file_bytes - header.data_offset, err);
    if (rc == 0) rc = check_unique(&header, err);
    if (rc != 0) lag_st_header_deinit(&header);
    else *ret = header;
    return rc;
}

void lag_st_header_deinit(struct lag_st_header *header) {
    free(header->entries);
    free(header->metadata);
    free(header->arena);
    *header = (struct lag_st_header){0};
}

const struct lag_st_entry *lag_st_find(const struct lag_st_header *header, const char *name) {
    const struct lag_st_entry wanted = {.name = name};
    if (header->n_entries == 0) return NULL;
    return bsearch(&wanted, header->entries, header->n_entries, sizeof wanted, by_name);
}

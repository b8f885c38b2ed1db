/* The safetensors format (huggingface/safetensors, README "Format" and tensor.rs): u64 length N, N bytes of JSON, data.
 *
 * The reader enforces every rule of the reference and more: no unknown keys, at most LAG_ST_MAX_DIMS dimensions, and a
 * header no longer than the caller expects. Rules broken are LAG_ECORRUPT. Thread: any; the caller owns the objects. */
#pragma once
#include "format/sink_internal.h"
#include <lagd/engine/real.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct lag_error;
struct json_t;

/* The optimiser of a model of LAG_MAX_LAYERS has 12 × 2 tensors a layer and 8 more, of at most 160 bytes each: less
 * than 2 MiB. Files of others have buffers and metadata beside their tensors. */
#define LAG_ST_MAX_HEADER_BYTES (8u << 20)
#define LAG_ST_MAX_DIMS 8
#define LAG_ST_NAME_SIZE 104

enum lag_st_dtype {
    LAG_ST_BOOL, LAG_ST_U8, LAG_ST_I8, LAG_ST_F8_E5M2, LAG_ST_F8_E4M3, LAG_ST_F8_E8M0, LAG_ST_F8_E4M3FNUZ,
    LAG_ST_F8_E5M2FNUZ, LAG_ST_F4, LAG_ST_F6_E2M3, LAG_ST_F6_E3M2, LAG_ST_I16, LAG_ST_U16, LAG_ST_F16, LAG_ST_BF16,
    LAG_ST_I32, LAG_ST_U32, LAG_ST_F32, LAG_ST_F64, LAG_ST_I64, LAG_ST_U64, LAG_ST_C64, LAG_ST_N_DTYPES
};
const char *lag_st_dtype_name(enum lag_st_dtype dtype);
unsigned lag_st_dtype_bits(enum lag_st_dtype dtype);

struct lag_st_entry {
    const char *name; /* in the header's tree, as all its strings */
    enum lag_st_dtype dtype;
    uint32_t n_dims;
    uint64_t dims[LAG_ST_MAX_DIMS];
    uint64_t begin, end; /* bytes, from the start of the data */
};
struct lag_st_pair {
    const char *key, *value;
};
struct lag_st_header {
    struct lag_st_entry *entries; /* sorted by name */
    size_t n_entries;
    struct lag_st_pair *metadata; /* in the file's order */
    size_t n_metadata;
    struct json_t *tree;
    uint64_t data_offset;         /* of the data in the file */
};

/* The header's length from the first 8 bytes, checked against the file's size and the limit. Pure. */
int lag_st_header_length(const uint8_t first[8], uint64_t n_file_bytes, uint64_t max_header_bytes, uint64_t *ret,
                         struct lag_error *err);
/* Parses and checks the n bytes after the first 8. Pure. */
int lag_st_parse(const char *text, size_t n, uint64_t n_file_bytes, struct lag_st_header *ret, struct lag_error *err);
void lag_st_header_deinit(struct lag_st_header *header);
/* NULL when there is none. */
const struct lag_st_entry *lag_st_find(const struct lag_st_header *header, const char *name);

struct lag_st_file {
    int fd; /* -1 when not open */
    struct lag_st_header header;
};
int lag_st_open(const char *path, uint64_t max_header_bytes, struct lag_st_file *ret, struct lag_error *err);
/* The same of a descriptor, which is taken on 0. */
int lag_st_open_fd(int fd, uint64_t max_header_bytes, struct lag_st_file *ret, struct lag_error *err);
/* Exactly length bytes from offset; LAG_ECORRUPT: the file ends before. */
int lag_st_read_at(int fd, void *data, size_t length, uint64_t offset, struct lag_error *err);
void lag_st_close(struct lag_st_file *file);
/* Reads the entry's elements into ret, converted to lag_real where that loses nothing (F32, F16, BF16; F64 in the
 * double build only, else LAG_EUNSUPPORTED). NaN and infinity are LAG_ENONFINITE. */
int lag_st_load(const struct lag_st_file *file, const struct lag_st_entry *entry, lag_real *ret, struct lag_error *err);

struct lag_st_source {
    char name[LAG_ST_NAME_SIZE];
    uint32_t n_dims;
    uint64_t dims[2];
    const lag_real *data;
};
/* Appends what lies before the data of tensors in this order, of one dtype: the length, and the header. LAG_ENOMEM,
 * also where a text is not UTF-8. */
struct lag_strbuf;
int lag_st_format_head(const struct lag_st_pair *metadata, size_t n_metadata, const struct lag_st_source *sources,
                       size_t n_sources, enum lag_st_dtype dtype, struct lag_strbuf *out, struct lag_error *err);
/* Writes a whole file in the reference writer's order: one dtype, so sorted by name (in place). Data goes from where
 * it lies to the sink. Non-finite data are LAG_ENONFINITE. */
int lag_st_write(struct lag_sink *sink, const struct lag_st_pair *metadata, size_t n_metadata,
                 struct lag_st_source *sources, size_t n_sources, struct lag_error *err);

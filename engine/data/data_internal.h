/* What the parts of data/ share. */
#pragma once
#include <lagd/engine/data.h>

#define LAG_TOKEN_HEADER_BYTES 1024u /* llm.c: 256 × int32 */
#define LAG_MIN_TOKENS 64u
#define LAG_MAX_VOCAB 1048576u       /* as lag_spec_check */

/* Where the tokens lie in a file: n_tokens little-endian integers of width_bytes from offset_bytes on. */
struct lag_token_layout {
    enum lag_token_format format;
    unsigned width_bytes, offset_bytes;
    uint64_t n_tokens;
};

unsigned lag_token_format_width(enum lag_token_format format);
unsigned lag_token_format_offset(enum lag_token_format format);
/* The largest number of different ids that the format can hold, cut to LAG_MAX_VOCAB. */
uint32_t lag_token_format_limit(enum lag_token_format format);

/* Recognises the format from the first n_head bytes (as many as the file has, at most LAG_TOKEN_HEADER_BYTES), the
 * size and the name, and checks that the size fits. Pure. */
int lag_token_layout_find(const uint8_t *head, size_t n_head, uint64_t n_bytes, const char *file_name,
                          const char *format_name, struct lag_token_layout *ret, struct lag_error *err);

/* Tokens from little-endian bytes; returns the largest. n ≥ 1. */
uint32_t lag_tokens_decode(const uint8_t *bytes, unsigned width_bytes, size_t n, uint32_t *ret_ids);

/* pread until length bytes are there or the file ends; the count read, or -1 with errno. */
int64_t lag_pread_full(int fd, void *data, size_t length, uint64_t offset);

/* The first n_validation(info) tokens from the end are for validation. */
static inline uint64_t lag_dataset_n_validation(const struct lag_dataset_info *info) { return info->n_tokens / 10; }
static inline uint64_t lag_dataset_n_training(const struct lag_dataset_info *info) {
    return info->n_tokens - lag_dataset_n_validation(info);
}

/* What the parts of data/ share. */
#pragma once
#include <lagd/engine/data.h>
#include <lagd/engine/spec.h>
#include <lagd/engine/witness.h>

#define LAG_TOKEN_HEADER_BYTES 1024u /* llm.c: 256 × int32 */
#define LAG_MIN_TOKENS 64u

/* Where the tokens lie in a file: n_tokens little-endian integers of width_bytes from offset_bytes on. */
struct lag_token_layout {
    enum lag_token_format format;
    unsigned width_bytes, offset_bytes;
    uint64_t n_tokens;
};

bool lag_token_format_is_auto(const char *format_name); /* nothing is said: NULL or "auto" */
unsigned lag_token_format_width(enum lag_token_format format);
unsigned lag_token_format_offset(enum lag_token_format format);
/* The largest number of different ids that the format can hold, cut to LAG_MAX_VOCAB. */
uint32_t lag_token_format_limit(enum lag_token_format format);

/* Recognises the format from the first n_head bytes (as many as the file has, at most LAG_TOKEN_HEADER_BYTES), the
 * size and the name, and checks that the size fits. Pure. */
int lag_token_layout_find(const uint8_t *head, size_t n_head, uint64_t n_bytes, const char *file_name,
                          const char *format_name, struct lag_token_layout *ret, struct lag_error *err);

/* --- lookalike.c: files that are taken for something else. Pure. --- */
/* LAG_EINVAL at "/format", by name: an archive, a model, a document, text that is not UTF-8, a Git LFS pointer.
 * head: the first n_head bytes. */
int lag_data_refuse_others(const uint8_t *head, size_t n_head, uint64_t n_bytes, const char *file_name,
                           struct lag_error *err);
/* LAG_EINVAL at "/format": bytes that were to be read as uint16 look like another width or byte order, or like text. */
int lag_data_refuse_width(const uint8_t *bytes, size_t n_bytes, const char *file_name, struct lag_error *err);

/* Tokens from little-endian bytes; returns the largest. n ≥ 1. */
uint32_t lag_tokens_decode(const uint8_t *bytes, unsigned width_bytes, size_t n, uint32_t *ret_ids);

/* pread until length bytes are there or the file ends; the count read, or -1 with errno. */
int64_t lag_pread_full(int fd, void *data, size_t length, uint64_t offset);

/* A batch as it is asked for: micro-batch index of a training step, or, where n_batches > 0, the index-th of a
 * validation set of as many with this stride. */
struct lag_batch {
    uint64_t seed;
    int64_t step;
    int index, n_batches, stride;
    int rows, window;   /* of a row as it is drawn, … */
    int begin, context; /* … and which part of it is asked for */
};
/* From the file: row r of tokens and targets begins at r × stride ids, stride ≥ context. targets may be tokens + 1. */
int lag_dataset_read(const struct lag_dataset *dataset, const struct lag_batch *batch, size_t stride,
                     int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err);

/* --- kept.c: the memory behind lag_dataset_keep --- */
struct lag_kept;
enum { LAG_NOT_KEPT = 1 };
/* NULL: out of memory. */
struct lag_kept *lag_kept_create(const struct lag_kept_batches *what);
void lag_kept_destroy(struct lag_kept *kept);
/* Copies the batch, which is read by lag_dataset_read first when nobody has asked for it yet. LAG_NOT_KEPT: it is none
 * of those that are kept, and nothing was done. A failure to read leaves it unread. Thread: any, many at once. */
int lag_kept_answer(struct lag_kept *kept, const struct lag_dataset *dataset, const struct lag_batch *batch,
                    int32_t *ret_tokens, int32_t *ret_targets, struct lag_error *err);

/* --- witness.c: windows that were read, behind lagd/engine/witness.h. Thread: any, many at once. --- */
struct lag_witness;
struct lag_witness *lag_witness_create(void); /* NULL: out of memory */
void lag_witness_destroy(struct lag_witness *witness);
void lag_witness_trust(struct lag_witness *witness, const struct lag_stamp *stamp, bool fresh);
int lag_witness_look(struct lag_witness *witness, int fd, enum lag_sight *ret, struct lag_error *err);
/* After the window was read. */
void lag_witness_note(struct lag_witness *witness, int fd, uint64_t start, int context, uint64_t digest);
int lag_witness_compare(struct lag_witness *witness, const struct lag_dataset *dataset, const _Atomic bool *cancel,
                        struct lag_error *err);
/* Of the context + 1 ids from start on, read from the file. */
int lag_dataset_digest(const struct lag_dataset *dataset, uint64_t start, int context, uint64_t *ret,
                       struct lag_error *err);

/* The first n_validation(info) tokens from the end are for validation. */
static inline uint64_t lag_dataset_n_validation(const struct lag_dataset_info *info) { return info->n_tokens / 10; }
static inline uint64_t lag_dataset_n_training(const struct lag_dataset_info *info) {
    return info->n_tokens - lag_dataset_n_validation(info);
}

/* The head of a GGUF file (ggml-org/ggml, docs/gguf.md, version 3): pairs of key and value, then what the tensors are
 * called and where their data begin.
 *
 * All numbers are little-endian, all texts have a length of 64 bits before them. Each tensor's data begin at a multiple
 * of LAG_GGUF_ALIGNMENT bytes behind the head, which is filled up to such a multiple itself. Thread: one owner. */
#pragma once
#include <lagd/base/strbuf.h>
#include <stdint.h>
struct lag_error;

#define LAG_GGUF_ALIGNMENT 32u
#define LAG_GGUF_NAME_SIZE 64 /* ggml's limit of a tensor's name, its NUL among them */

enum lag_gguf_type { LAG_GGUF_F32 = 0, LAG_GGUF_F16 = 1 };  /* of a tensor's elements: ggml_type */
enum lag_gguf_value { LAG_GGUF_I32 = 5, LAG_GGUF_TEXT = 8, LAG_GGUF_ARRAY = 9 }; /* gguf_metadata_value_type */

struct lag_gguf_head {
    struct lag_strbuf pairs, tensors;
    uint64_t n_pairs, n_tensors;
    uint64_t n_data; /* bytes of all tensors, each filled up */
};
#define LAG_GGUF_HEAD_INIT {LAG_STRBUF_INIT, LAG_STRBUF_INIT, 0, 0, 0}

/* Pairs. What runs out of memory is told by lag_gguf_finish. */
void lag_gguf_text(struct lag_gguf_head *head, const char *key, const char *text);
void lag_gguf_u32(struct lag_gguf_head *head, const char *key, uint32_t number);
void lag_gguf_f32(struct lag_gguf_head *head, const char *key, float number);
void lag_gguf_bool(struct lag_gguf_head *head, const char *key, bool is);
/* The n elements follow, one call each. */
void lag_gguf_array(struct lag_gguf_head *head, const char *key, enum lag_gguf_value type, uint64_t n);
void lag_gguf_add_text(struct lag_gguf_head *head, const char *text, size_t length);
void lag_gguf_add_i32(struct lag_gguf_head *head, int32_t number);

/* dims: the fastest one first, as ggml counts. n_bytes: of its data, not filled up. */
void lag_gguf_tensor(struct lag_gguf_head *head, const char *name, uint32_t n_dims, const uint64_t *dims,
                     enum lag_gguf_type type, uint64_t n_bytes);
uint64_t lag_gguf_filled(uint64_t n_bytes); /* up to the alignment */

/* All that lies before the data. LAG_ENOMEM. */
int lag_gguf_finish(struct lag_gguf_head *head, struct lag_strbuf *out, struct lag_error *err);
void lag_gguf_head_deinit(struct lag_gguf_head *head);

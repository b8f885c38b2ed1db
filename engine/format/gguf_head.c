/* The head of a GGUF file. */
#include "format/gguf_internal.h"
#include <lagd/base/error.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers are written as they lie in memory"
#endif

#define MAGIC "GGUF"
#define VERSION 3u
enum { VALUE_U32 = 4, VALUE_F32 = 6, VALUE_BOOL = 7 }; /* gguf_metadata_value_type */

static void put(struct lag_strbuf *out, const void *data, size_t size) { lag_strbuf_append_n(out, data, size); }
static void put_u32(struct lag_strbuf *out, uint32_t number) { put(out, &number, sizeof number); }
static void put_u64(struct lag_strbuf *out, uint64_t number) { put(out, &number, sizeof number); }

static void put_text(struct lag_strbuf *out, const char *text, size_t length) {
    put_u64(out, length);
    put(out, text, length);
}

static void begin(struct lag_gguf_head *head, const char *key, uint32_t type) {
    put_text(&head->pairs, key, strlen(key));
    put_u32(&head->pairs, type);
    head->n_pairs++;
}

void lag_gguf_text(struct lag_gguf_head *head, const char *key, const char *text) {
    begin(head, key, LAG_GGUF_TEXT);
    put_text(&head->pairs, text, strlen(text));
}

void lag_gguf_u32(struct lag_gguf_head *head, const char *key, uint32_t number) {
    begin(head, key, VALUE_U32);
    put_u32(&head->pairs, number);
}

void lag_gguf_f32(struct lag_gguf_head *head, const char *key, float number) {
    begin(head, key, VALUE_F32);
    put(&head->pairs, &number, sizeof number);
}

void lag_gguf_bool(struct lag_gguf_head *head, const char *key, bool is) {
    const uint8_t byte = is;
    begin(head, key, VALUE_BOOL);
    put(&head->pairs, &byte, sizeof byte);
}

void lag_gguf_array(struct lag_gguf_head *head, const char *key, enum lag_gguf_value type, uint64_t n) {
    begin(head, key, LAG_GGUF_ARRAY);
    put_u32(&head->pairs, type);
    put_u64(&head->pairs, n);
}

void lag_gguf_add_text(struct lag_gguf_head *head, const char *text, size_t length) {
    put_text(&head->pairs, text, length);
}

void lag_gguf_add_i32(struct lag_gguf_head *head, int32_t number) { put(&head->pairs, &number, sizeof number); }

uint64_t lag_gguf_filled(uint64_t n_bytes) {
    return (n_bytes + LAG_GGUF_ALIGNMENT - 1) / LAG_GGUF_ALIGNMENT * LAG_GGUF_ALIGNMENT;
}

void lag_gguf_tensor(struct lag_gguf_head *head, const char *name, uint32_t n_dims, const uint64_t *dims,
                     enum lag_gguf_type type, uint64_t n_bytes) {
    put_text(&head->tensors, name, strlen(name));
    put_u32(&head->tensors, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) put_u64(&head->tensors, dims[i]);
    put_u32(&head->tensors, type);
    put_u64(&head->tensors, head->n_data);
    head->n_tensors++;
    head->n_data += lag_gguf_filled(n_bytes);
}

int lag_gguf_finish(struct lag_gguf_head *head, struct lag_strbuf *out, struct lag_error *err) {
    static const char zeros[LAG_GGUF_ALIGNMENT];
    put(out, MAGIC, strlen(MAGIC));
    put_u32(out, VERSION);
    put_u64(out, head->n_tensors);
    put_u64(out, head->n_pairs);
    put(out, head->pairs.data, head->pairs.length);
    put(out, head->tensors.data, head->tensors.length);
    put(out, zeros, lag_gguf_filled(out->length) - out->length);
    if (!head->pairs.failed && !head->tensors.failed && !out->failed) return 0;
    return lag_error_set(err, LAG_ENOMEM, "out of memory for the head of a GGUF file");
}

void lag_gguf_head_deinit(struct lag_gguf_head *head) {
    lag_strbuf_deinit(&head->pairs);
    lag_strbuf_deinit(&head->tensors);
}

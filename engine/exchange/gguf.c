/* A model as a GGUF file: its head, then tensor after tensor, transposed in bands where GGUF has them so. */
#include "exchange/gguf_vocab_internal.h"
#include "format/recode_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAND_ELEMENTS = 1 << 20 }; /* of a tensor that go out at once, unless one column has more */

const char *const lag_gguf_dtype_names[] = {
    [LAG_GGUF_AS_F32] = "f32", [LAG_GGUF_AS_F16] = "f16", [LAG_GGUF_N_DTYPES] = NULL};
static const uint32_t file_types[LAG_GGUF_N_DTYPES] = {[LAG_GGUF_AS_F32] = 0, [LAG_GGUF_AS_F16] = 1}; /* llama_ftype */

/* What llama.cpp calls each role. "%d" is the layer. */
static const struct {
    const char *name;
    bool transposed; /* lies as [in][out] here, as [out][in] there */
    bool stays_f32;
} names[LAG_N_ROLES] = {
    [LAG_ROLE_WTE] = {"token_embd.weight", false, false},
    [LAG_ROLE_WPE] = {"position_embd.weight", false, true},
    [LAG_ROLE_LN1_W] = {"blk.%d.attn_norm.weight", false, true},
    [LAG_ROLE_LN1_B] = {"blk.%d.attn_norm.bias", false, true},
    [LAG_ROLE_QKV_W] = {"blk.%d.attn_qkv.weight", true, false},
    [LAG_ROLE_QKV_B] = {"blk.%d.attn_qkv.bias", false, true},
    [LAG_ROLE_PROJ_W] = {"blk.%d.attn_output.weight", true, false},
    [LAG_ROLE_PROJ_B] = {"blk.%d.attn_output.bias", false, true},
    [LAG_ROLE_LN2_W] = {"blk.%d.ffn_norm.weight", false, true},
    [LAG_ROLE_LN2_B] = {"blk.%d.ffn_norm.bias", false, true},
    [LAG_ROLE_FC_W] = {"blk.%d.ffn_up.weight", true, false},
    [LAG_ROLE_FC_B] = {"blk.%d.ffn_up.bias", false, true},
    [LAG_ROLE_FCPROJ_W] = {"blk.%d.ffn_down.weight", true, false},
    [LAG_ROLE_FCPROJ_B] = {"blk.%d.ffn_down.bias", false, true},
    [LAG_ROLE_LNF_W] = {"output_norm.weight", false, true},
    [LAG_ROLE_LNF_B] = {"output_norm.bias", false, true},
};

struct lag_gguf {
    struct lag_st_file file;
    struct lag_layout layout;
    enum lag_gguf_dtype dtype;
    struct lag_gguf_edit edit; /* adjust NULL: none */
    struct lag_strbuf head;
    uint64_t n_bytes;
    size_t head_taken;
    int tensor;        /* the one that is going out */
    size_t done;       /* of it: columns of a transposed one, else elements, that are in the band or went out */
    float *loaded;
    char *band;        /* ready to go out */
    size_t n_band, taken;
};

static size_t n_elements(const struct lag_tensor *tensor) { return (size_t)tensor->n_rows * (size_t)tensor->n_cols; }

static bool is_half(const struct lag_gguf *gguf, const struct lag_tensor *tensor) {
    return gguf->dtype == LAG_GGUF_AS_F16 && !names[tensor->row->role].stays_f32;
}
static size_t element_size(const struct lag_gguf *gguf, const struct lag_tensor *tensor) {
    return is_half(gguf, tensor) ? sizeof(uint16_t) : sizeof(float);
}

/* Columns of a transposed tensor that fit into a band. */
static size_t columns_of(const struct lag_tensor *tensor) {
    const size_t n = LAG_MAX((size_t)1, BAND_ELEMENTS / (size_t)tensor->n_rows);
    return LAG_MIN(n, (size_t)tensor->n_cols);
}
static size_t band_of(const struct lag_tensor *tensor) {
    if (names[tensor->row->role].transposed) return columns_of(tensor) * (size_t)tensor->n_rows;
    return LAG_MIN((size_t)BAND_ELEMENTS, n_elements(tensor));
}

/* --- the head ---------------------------------------------------------------------------------------------------- */

static void describe(const struct lag_gguf *gguf, const char *name, struct lag_gguf_head *head) {
    const struct lag_spec *spec = &gguf->layout.spec;
    lag_gguf_text(head, "general.architecture", "gpt2");
    lag_gguf_text(head, "general.type", "model");
    lag_gguf_text(head, "general.name", name);
    lag_gguf_u32(head, "general.file_type", file_types[gguf->dtype]);
    lag_gguf_u32(head, "gpt2.block_count", (uint32_t)spec->n_layer);
    lag_gguf_u32(head, "gpt2.context_length", (uint32_t)spec->n_positions);
    lag_gguf_u32(head, "gpt2.embedding_length", (uint32_t)spec->n_embd);
    lag_gguf_u32(head, "gpt2.feed_forward_length", (uint32_t)spec->n_inner);
    lag_gguf_u32(head, "gpt2.attention.head_count", (uint32_t)spec->n_head);
    lag_gguf_f32(head, "gpt2.attention.layer_norm_epsilon", (float)spec->norm_eps);
}

/* The tensor's entry of the file, which has its shape; LAG_ECORRUPT. */
static int find_entry(const struct lag_gguf *gguf, const struct lag_tensor *tensor, const struct lag_st_entry **ret,
                      struct lag_error *err) {
    char name[96];
    lag_tensor_name(tensor, name);
    *ret = lag_st_find(&gguf->file.header, name);
    if (!*ret || (*ret)->dtype != LAG_ST_F32 || (*ret)->end - (*ret)->begin != n_elements(tensor) * sizeof(float))
        return lag_error_set(err, LAG_ECORRUPT, "tensor %s is not of the shape that the manifest says", name);
    return 0;
}

static int list_tensors(const struct lag_gguf *gguf, struct lag_gguf_head *head, struct lag_error *err) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < gguf->layout.n_tensors; i++) {
        const struct lag_tensor *tensor = &gguf->layout.tensors[i];
        const struct lag_st_entry *entry;
        const bool turned = names[tensor->row->role].transposed, is_vector = lag_param_is_vector(tensor->row);
        const uint64_t rows = (uint64_t)tensor->n_rows, cols = (uint64_t)tensor->n_cols;
        const uint64_t dims[] = {turned ? rows : cols, turned ? cols : rows};
        char name[LAG_GGUF_NAME_SIZE];
        (void)snprintf(name, sizeof name, names[tensor->row->role].name, tensor->layer);
        lag_gguf_tensor(head, name, is_vector ? 1 : 2, dims, is_half(gguf, tensor) ? LAG_GGUF_F16 : LAG_GGUF_F32,
                        n_elements(tensor) * element_size(gguf, tensor));
        rc = find_entry(gguf, tensor, &entry, err);
    }
    return rc;
}

static int make_head(struct lag_gguf *gguf, const char *name, const struct lag_gguf_tokenizer *tokenizer,
                     struct lag_error *err) {
    struct lag_gguf_head head = LAG_GGUF_HEAD_INIT;
    describe(gguf, name, &head);
    int rc = lag_gguf_write_vocab(&head, tokenizer, gguf->layout.spec.vocab_size, err);
    if (rc == 0) rc = list_tensors(gguf, &head, err);
    if (rc == 0) rc = lag_gguf_finish(&head, &gguf->head, err);
    gguf->n_bytes = gguf->head.length + head.n_data;
    lag_gguf_head_deinit(&head);
    return rc;
}

static int make_bands(struct lag_gguf *gguf, struct lag_error *err) {
    size_t most = 0;
    for (int i = 0; i < gguf->layout.n_tensors; i++) most = LAG_MAX(most, band_of(&gguf->layout.tensors[i]));
    gguf->loaded = lag_calloc(most, sizeof *gguf->loaded);
    gguf->band = lag_calloc(most * sizeof(float) + LAG_GGUF_ALIGNMENT, 1);
    return gguf->loaded && gguf->band ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for a model's tensors");
}

int lag_gguf_open(int fd, const struct lag_spec *spec, enum lag_gguf_dtype dtype, const struct lag_gguf_edit *edit,
                  const char *name, const struct lag_gguf_tokenizer *tokenizer, struct lag_gguf **ret,
                  struct lag_error *err) {
    LAG_ASSERT(lag_spec_is_gpt2(spec));
    struct lag_gguf *made = lag_calloc(1, sizeof *made);
    if (!made) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's file");
    made->file.fd = -1;
    made->dtype = dtype;
    if (edit) made->edit = *edit;
    int rc = lag_layout_create(spec, &made->layout, err);
    if (rc == 0) rc = make_bands(made, err);
    if (rc == 0) rc = lag_st_open_fd(fd, LAG_ST_MAX_HEADER_BYTES, &made->file, err);
    if (rc == 0 && (rc = make_head(made, name, tokenizer, err)) != 0) made->file.fd = -1; /* the caller's */
    if (rc == 0) *ret = made;
    else lag_gguf_close(made);
    return rc;
}

void lag_gguf_close(struct lag_gguf *gguf) {
    if (!gguf) return;
    lag_st_close(&gguf->file);
    lag_layout_deinit(&gguf->layout);
    lag_strbuf_deinit(&gguf->head);
    free(gguf->loaded);
    free(gguf->band);
    free(gguf);
}

uint64_t lag_gguf_bytes(const struct lag_gguf *gguf) { return gguf->n_bytes; }

/* --- the tensors ------------------------------------------------------------------------------------------------- */

/* Of the tensor that is going out. */
static int load(const struct lag_gguf *gguf, const struct lag_st_entry *entry, size_t at, size_t n, float *ret,
                struct lag_error *err) {
    const struct lag_tensor *tensor = &gguf->layout.tensors[gguf->tensor];
    const int rc = lag_st_read_at(gguf->file.fd, ret, n * sizeof *ret,
                                  gguf->file.header.data_offset + entry->begin + at * sizeof *ret, err);
    if (rc == 0 && gguf->edit.adjust)
        gguf->edit.adjust(gguf->edit.arg, tensor->row->role, tensor->layer, at, n, ret);
    return rc;
}

static void put(struct lag_gguf *gguf, bool half, size_t at, float value) {
    const uint16_t bits = half ? lag_f16_of(value) : 0;
    if (half) memcpy(gguf->band + at * sizeof bits, &bits, sizeof bits);
    else memcpy(gguf->band + at * sizeof value, &value, sizeof value);
}

/* The next columns, each as a row; *ret_n: elements that are in the band. */
static int turn(struct lag_gguf *gguf, const struct lag_tensor *tensor, const struct lag_st_entry *entry, size_t *ret_n,
                struct lag_error *err) {
    const size_t n_rows = (size_t)tensor->n_rows, n_cols = (size_t)tensor->n_cols;
    const size_t n = LAG_MIN(columns_of(tensor), n_cols - gguf->done);
    const bool half = is_half(gguf, tensor);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rc = load(gguf, entry, i * n_cols + gguf->done, n, gguf->loaded + i * n, err);
    for (size_t j = 0; rc == 0 && j < n; j++)
        for (size_t i = 0; i < n_rows; i++) put(gguf, half, j * n_rows + i, gguf->loaded[i * n + j]);
    gguf->done += n;
    *ret_n = n * n_rows;
    return rc;
}

static int copy(struct lag_gguf *gguf, const struct lag_tensor *tensor, const struct lag_st_entry *entry, size_t *ret_n,
                struct lag_error *err) {
    const size_t n = LAG_MIN(band_of(tensor), n_elements(tensor) - gguf->done);
    const bool half = is_half(gguf, tensor);
    const int rc = load(gguf, entry, gguf->done, n, gguf->loaded, err);
    for (size_t i = 0; rc == 0 && i < n; i++) put(gguf, half, i, gguf->loaded[i]);
    gguf->done += n;
    *ret_n = n;
    return rc;
}

static bool is_done(const struct lag_gguf *gguf, const struct lag_tensor *tensor) {
    return gguf->done == (names[tensor->row->role].transposed ? (size_t)tensor->n_cols : n_elements(tensor));
}

/* The next band; none is left when all tensors have gone out. */
static int fill(struct lag_gguf *gguf, struct lag_error *err) {
    gguf->n_band = gguf->taken = 0;
    if (gguf->tensor == gguf->layout.n_tensors) return 0;
    const struct lag_tensor *tensor = &gguf->layout.tensors[gguf->tensor];
    const struct lag_st_entry *entry;
    size_t n = 0;
    int rc = find_entry(gguf, tensor, &entry, err);
    if (rc == 0)
        rc = names[tensor->row->role].transposed ? turn(gguf, tensor, entry, &n, err)
                                                 : copy(gguf, tensor, entry, &n, err);
    if (rc != 0) return rc;
    gguf->n_band = n * element_size(gguf, tensor);
    if (!is_done(gguf, tensor)) return 0;
    const size_t filled = (size_t)(lag_gguf_filled(n_elements(tensor) * element_size(gguf, tensor)) -
                                   n_elements(tensor) * element_size(gguf, tensor));
    memset(gguf->band + gguf->n_band, 0, filled);
    gguf->n_band += filled;
    gguf->tensor++;
    gguf->done = 0;
    return 0;
}

ssize_t lag_gguf_read(struct lag_gguf *gguf, void *buffer, size_t size, struct lag_error *err) {
    if (gguf->head_taken < gguf->head.length) {
        const size_t n = LAG_MIN(size, gguf->head.length - gguf->head_taken);
        memcpy(buffer, gguf->head.data + gguf->head_taken, n);
        gguf->head_taken += n;
        return (ssize_t)n;
    }
    if (gguf->taken == gguf->n_band) {
        const int rc = fill(gguf, err);
        if (rc != 0) return rc;
    }
    const size_t n = LAG_MIN(size, gguf->n_band - gguf->taken);
    memcpy(buffer, gguf->band + gguf->taken, n);
    gguf->taken += n;
    return (ssize_t)n;
}

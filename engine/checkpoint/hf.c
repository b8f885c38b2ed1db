/* What Hugging Face's libraries read of a checkpoint. */
#include "checkpoint/fold_internal.h"
#include "format/json_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/engine/hf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct lag_hf_model {
    struct lag_strbuf config;
    struct lag_recode recode;
    struct lag_manifest manifest;
    struct lag_fold fold;
    struct lag_spec spec; /* as it goes out: without gates */
    enum lag_hf_dtype dtype;
};

const char *const lag_hf_dtype_names[] = {
    [LAG_HF_F32] = "f32", [LAG_HF_BF16] = "bf16", [LAG_HF_F16] = "f16", [LAG_HF_N_DTYPES] = NULL};
static const struct {
    enum lag_st_dtype stored;
    const char *torch;
} dtypes[LAG_HF_N_DTYPES] = {
    [LAG_HF_F32] = {LAG_ST_F32, "float32"}, [LAG_HF_BF16] = {LAG_ST_BF16, "bfloat16"},
    [LAG_HF_F16] = {LAG_ST_F16, "float16"},
};

/* What no GPT2Config can say has a model type of its own, so that nothing loads it as another model. */
int lag_hf_config(const struct lag_spec *spec, bool masked, const char *torch_dtype, struct lag_strbuf *out,
                  struct lag_error *err) {
    const bool is_gpt2 = lag_spec_is_gpt2(spec) && !spec->gated && !masked;
    const char *const class = is_gpt2 ? "GPT2LMHeadModel" : "LagdGPT2LMHeadModel";
    json_t *config = json_pack(
        "{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:b, s:b, s:b, s:b, s:b, s:n, s:n,"
        " s:s}",
        "architectures", class, "model_type", is_gpt2 ? "gpt2" : "lagd_gpt2", "vocab_size", spec->vocab_size,
        "n_positions", spec->n_positions, "n_embd", spec->n_embd, "n_layer", spec->n_layer, "n_head", spec->n_head,
        "n_inner", spec->n_inner, "activation_function", "gelu_new", "resid_pdrop", 0.0, "embd_pdrop", 0.0,
        "attn_pdrop", 0.0, "layer_norm_epsilon", spec->norm_eps, "initializer_range", 0.02, "scale_attn_weights", 1,
        "scale_attn_by_inverse_layer_idx", 0, "reorder_and_upcast_attn", 0, "use_cache", 1, "tie_word_embeddings", 1,
        "bos_token_id", "eos_token_id", "torch_dtype", torch_dtype);
    if (config && !is_gpt2 && json_object_set_new(config, "head_dim", json_integer(lag_spec_head_dim(spec))) != 0)
        out->failed = true;
    if (config && spec->gated && json_object_set_new(config, "residual_gates", json_true()) != 0) out->failed = true;
    if (config && masked && json_object_set_new(config, "residual_masks", json_true()) != 0) out->failed = true;
    lag_json_append(out, config, JSON_INDENT(2));
    lag_strbuf_append(out, "\n");
    return out->failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for config.json") : 0;
}

/* GPT2Config knows the size of a head as n_embd / n_head only: what differs from that is refused here. */
static int check_spec(const struct lag_spec *spec, struct lag_error *err) {
    if (spec->arch == LAG_ARCH_GPT2 && lag_spec_is_gpt2(spec)) return 0;
    return lag_error_set(err, LAG_EUNSUPPORTED, "no config.json of Hugging Face's GPT-2 can say this model's shape: "
                         "take archive.tar instead");
}

static int read_manifest(int fd, struct lag_manifest *ret, struct lag_error *err) {
    struct stat info;
    size_t n_body = 0;
    if (fstat(fd, &info) != 0) return lag_error_errno(err, errno, "cannot look at a manifest");
    if (info.st_size < 0 || info.st_size > (off_t)LAG_MANIFEST_MAX_BYTES)
        return lag_error_set(err, LAG_ECORRUPT, "it is larger than any manifest");
    const size_t length = (size_t)info.st_size;
    LAG_CLEANUP(lag_free_p) char *text = lag_calloc(length + 1, 1);
    if (!text) return lag_error_set(err, LAG_ENOMEM, "out of memory for a manifest");
    int rc = lag_st_read_at(fd, text, length, 0, err);
    if (rc == 0) rc = lag_manifest_unseal(text, length, &n_body, err);
    return rc == 0 ? lag_manifest_parse(text, length, ret, err) : rc;
}

static int make_config(int manifest_fd, struct lag_hf_model *model, struct lag_error *err) {
    int rc = read_manifest(manifest_fd, &model->manifest, err);
    if (rc == 0) rc = check_spec(&model->manifest.layout.spec, err);
    if (rc != 0) return rc;
    model->spec = model->manifest.layout.spec;
    model->spec.gated = false;
    return lag_hf_config(&model->spec, false, dtypes[model->dtype].torch, &model->config, err);
}

static int open_stream(int file, struct lag_hf_model *model, struct lag_error *err) {
    const struct lag_recode_edit fold = {lag_fold_begin, lag_fold_adjust, &model->fold};
    model->fold.manifest = &model->manifest;
    return lag_recode_open(file, dtypes[model->dtype].stored, lag_fold_is_needed(&model->manifest) ? &fold : NULL,
                           &model->recode, err);
}

int lag_hf_open(int model, int manifest, enum lag_hf_dtype dtype, struct lag_hf_model **ret, struct lag_error *err) {
    struct lag_hf_model *made = lag_calloc(1, sizeof *made);
    if (!made) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
    made->recode.file.fd = -1;
    made->dtype = dtype;
    int rc = make_config(manifest, made, err);
    if (rc == 0) rc = open_stream(model, made, err);
    if (rc == 0) *ret = made;
    else lag_hf_close(made);
    return rc;
}

void lag_hf_close(struct lag_hf_model *model) {
    if (!model) return;
    lag_strbuf_deinit(&model->config);
    lag_recode_close(&model->recode);
    lag_fold_deinit(&model->fold);
    lag_manifest_deinit(&model->manifest);
    free(model);
}

const char *lag_hf_config_text(const struct lag_hf_model *model) { return model->config.data; }

const struct lag_spec *lag_hf_spec(const struct lag_hf_model *model) { return &model->spec; }

const char *lag_hf_torch_dtype(const struct lag_hf_model *model) { return dtypes[model->dtype].torch; }

uint64_t lag_hf_bytes(const struct lag_hf_model *model) { return model->recode.n_bytes; }

int64_t lag_hf_n_checked(const struct lag_hf_model *model) {
    const struct lag_st_header *header = &model->recode.file.header;
    int64_t n = 0;
    for (size_t i = 0; model->recode.dtype != LAG_ST_F32 && i < header->n_entries; i++)
        n += (int64_t)((header->entries[i].end - header->entries[i].begin) / sizeof(float));
    return n;
}

void lag_hf_adjust(const void *arg, enum lag_role role, int layer, uint64_t at, size_t n, float *values) {
    const struct lag_hf_model *model = arg;
    const struct lag_tensor *tensor = lag_layout_tensor(&model->manifest.layout, role, layer);
    if (tensor->row->writes_residual && lag_fold_is_needed(&model->manifest))
        lag_fold_scale(&model->fold, (int)(tensor - model->manifest.layout.tensors), at, n, values);
}

int lag_hf_check(struct lag_hf_model *model, struct lag_error *err) { return lag_recode_check(&model->recode, err); }

ssize_t lag_hf_read(struct lag_hf_model *model, void *buffer, size_t size, struct lag_error *err) {
    return lag_recode_read(&model->recode, buffer, size, err);
}

/* A checkpoint's model as Hugging Face's libraries read it: config.json, and model.safetensors as a stream of bytes in
 * the dtype that is asked for. Names and layouts are those of the parameter table (params.h): nothing is renamed or
 * transposed on the way. Gates and masks, which GPT-2 has not, go into the weights that they scale. Memory: less than
 * 1 MiB beside the header of the tensors. Thread: one owner. */
#pragma once
#include <lagd/engine/params.h>
#include <sys/types.h>
struct lag_error;
struct lag_strbuf;
struct lag_hf_model;

enum lag_hf_dtype { LAG_HF_F32, LAG_HF_BF16, LAG_HF_F16, LAG_HF_N_DTYPES };
extern const char *const lag_hf_dtype_names[]; /* f32, bf16, f16; NULL-terminated, by value */

/* What transformers' GPT2Config reads, with a line feed at its end. The tokenizers that lagd knows have no token for
 * the beginning or the end of a text: none is named, whatever the size of the vocabulary. masked: the weights beside it
 * have a mask that is below 1. torch_dtype: "float32" … */
int lag_hf_config(const struct lag_spec *spec, bool masked, const char *torch_dtype, struct lag_strbuf *out,
                  struct lag_error *err);

/* model, manifest: descriptors of a checkpoint's files whose hashes are known to be right. The first is taken on 0.
 * LAG_EUNSUPPORTED: no config.json of GPT-2 can say this shape; LAG_ECORRUPT. */
int lag_hf_open(int model, int manifest, enum lag_hf_dtype dtype, struct lag_hf_model **ret, struct lag_error *err);
void lag_hf_close(struct lag_hf_model *model);
const char *lag_hf_config_text(const struct lag_hf_model *model);
const struct lag_spec *lag_hf_spec(const struct lag_hf_model *model);     /* borrowed */
const char *lag_hf_torch_dtype(const struct lag_hf_model *model);         /* "float32" … */
uint64_t lag_hf_bytes(const struct lag_hf_model *model); /* of model.safetensors in that dtype */
/* Elements to look at before the first byte goes out: 0 where the dtype holds all that the file does. */
int64_t lag_hf_n_checked(const struct lag_hf_model *model);
/* Looks at them. LAG_ENONFINITE names the first that the dtype cannot hold. Before the first read. */
int lag_hf_check(struct lag_hf_model *model, struct lag_error *err);
/* What gates and masks make of n elements from at on of a tensor as it lies in the checkpoint: for writers of other
 * formats. model: a struct lag_hf_model. */
void lag_hf_adjust(const void *model, enum lag_role role, int layer, uint64_t at, size_t n, float *values);
/* The next bytes of model.safetensors, at most size; 0: the end; negative: a failure. */
ssize_t lag_hf_read(struct lag_hf_model *model, void *buffer, size_t size, struct lag_error *err);

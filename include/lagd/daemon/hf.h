/* A checkpoint's model in the files that Hugging Face's libraries read. Thread: one owner. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct lag_error;
struct lagd_hf;

/* model, manifest: descriptors of model.safetensors and manifest.json of a checkpoint, whose hashes were found to be
 * right. model is taken on 0. dtype: f32, bf16 or f16. config: the text of the config.json that the run's model came
 * with, which is told again but for what has changed; NULL: it came with none. LAG_EUNSUPPORTED: no config.json can say
 * the model's shape; LAG_ECORRUPT. */
int lagd_hf_open(int model, int manifest, const char *dtype, const char *config, struct lagd_hf **ret,
                 struct lag_error *err);
void lagd_hf_close(struct lagd_hf *hf);
const char *lagd_hf_config(const struct lagd_hf *hf); /* the text of config.json */
/* What the stream is for: model.safetensors in the dtype. */
uint64_t lagd_hf_model_bytes(const struct lagd_hf *hf);
/* How many numbers lagd_hf_check looks at; it is called before the first read, unless there are none. LAG_ENONFINITE
 * names the first that the dtype cannot hold. */
int64_t lagd_hf_n_checked(const struct lagd_hf *hf);
int lagd_hf_check(struct lagd_hf *hf, struct lag_error *err);
/* At most size bytes; 0: the end; negative: a failure. */
ssize_t lagd_hf_read(struct lagd_hf *hf, void *buffer, size_t size, struct lag_error *err);

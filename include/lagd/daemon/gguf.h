/* A checkpoint's model in the file that llama.cpp and ollama read. Thread: one owner. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct lag_error;
struct lagd_gguf;

/* The texts of a tokenizer's files, each NULL where there is none: tokenizer.json, or vocab.json with merges.txt, and
 * config.json for the ids of the first and the last token of a text. */
struct lagd_gguf_texts {
    const char *tokenizer, *vocab, *merges, *config;
};

/* model, manifest: descriptors of model.safetensors and manifest.json of a checkpoint, whose hashes were found to be
 * right. model is taken on 0. dtype: f32 or f16. name: what the model calls itself. LAG_EUNSUPPORTED: the format cannot
 * say the model's shape or its tokenizer; LAG_ECORRUPT. */
int lagd_gguf_open(int model, int manifest, const char *dtype, const char *name, const struct lagd_gguf_texts *texts,
                   struct lagd_gguf **ret, struct lag_error *err);
void lagd_gguf_close(struct lagd_gguf *gguf);
uint64_t lagd_gguf_bytes(const struct lagd_gguf *gguf); /* of the file */
/* How many numbers lagd_gguf_check looks at; it is called before the first read, unless there are none. LAG_ENONFINITE
 * names the first that the dtype cannot hold. */
int64_t lagd_gguf_n_checked(const struct lagd_gguf *gguf);
int lagd_gguf_check(struct lagd_gguf *gguf, struct lag_error *err);
/* At most size bytes; 0: the end; negative: a failure. */
ssize_t lagd_gguf_read(struct lagd_gguf *gguf, void *buffer, size_t size, struct lag_error *err);

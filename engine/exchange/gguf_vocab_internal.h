/* A tokenizer's files as the pairs of a GGUF file. Thread: any (pure). */
#pragma once
#include "format/gguf_internal.h"
#include <lagd/engine/gguf.h>

/* Writes tokenizer.ggml.*: n_tokens tokens, with those that the tokenizer lacks as unused ones. */
int lag_gguf_write_vocab(struct lag_gguf_head *head, const struct lag_gguf_tokenizer *tokenizer, int n_tokens,
                         struct lag_error *err);

/* --- gguf_pre.c: how a tokenizer cuts a text before it merges. *ret is llama.cpp's name for it. root: tokenizer.json's
 * tree. LAG_EUNSUPPORTED: it has none --- */
struct json_t;
int lag_gguf_find_pre(const struct json_t *root, const char **ret, struct lag_error *err);

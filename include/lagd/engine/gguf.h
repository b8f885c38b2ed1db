/* A checkpoint's model as llama.cpp and ollama read it: one GGUF file of the architecture gpt2, with its tokenizer
 * inside, as a stream of bytes.
 *
 * Source: ggml-org/ggml, docs/gguf.md (version 3), and the keys and names that ggml-org/llama.cpp reads for gpt2. There
 * a matrix lies as [out][in]: those that Hugging Face's GPT-2 stores as [in][out] are transposed on the way. The tied
 * head is not stored twice. Memory: the head, with the tokenizer in it, and less than 16 MiB. Thread: one owner. */
#pragma once
#include <lagd/engine/params.h>
#include <stddef.h>
#include <sys/types.h>
struct lag_error;
struct lag_gguf;

/* F16: matrices; vectors, norms and positions stay F32, as llama.cpp's own converter leaves them. */
enum lag_gguf_dtype { LAG_GGUF_AS_F32, LAG_GGUF_AS_F16, LAG_GGUF_N_DTYPES };
extern const char *const lag_gguf_dtype_names[]; /* f32, f16; NULL-terminated, by value */

/* A file's text; NULL: there is none. */
struct lag_gguf_file {
    const char *text;
    size_t length;
};
/* The tokenizer: tokenizer.json, or vocab.json with merges.txt. All NULL: it is not known, and the file says so. config
 * is config.json, for the ids of the first and the last token of a text. */
struct lag_gguf_tokenizer {
    struct lag_gguf_file tokenizer, vocab, merges, config;
};

/* What is changed on the way: elements of a tensor, row by row, as they lie in the checkpoint. */
struct lag_gguf_edit {
    void (*adjust)(const void *arg, enum lag_role role, int layer, uint64_t at, size_t n, float *values);
    const void *arg; /* outlives the stream */
};

/* fd: model.safetensors of a checkpoint, whose hash is known to be right; it is taken on 0. spec: of its model, which
 * GPT2Config can say (lag_spec_is_gpt2). edit: NULL where nothing is changed. name: what the model calls itself. The
 * tokenizer's texts are read within the call only. LAG_EUNSUPPORTED, LAG_EINVAL, LAG_ECORRUPT: llama.cpp cannot say
 * this tokenizer; the text tells what of it, and what to take instead. */
int lag_gguf_open(int fd, const struct lag_spec *spec, enum lag_gguf_dtype dtype, const struct lag_gguf_edit *edit,
                  const char *name, const struct lag_gguf_tokenizer *tokenizer, struct lag_gguf **ret,
                  struct lag_error *err);
void lag_gguf_close(struct lag_gguf *gguf); /* NULL is allowed */
uint64_t lag_gguf_bytes(const struct lag_gguf *gguf); /* of the whole file */
/* The next bytes, at most size; 0: the end; negative: a failure. */
ssize_t lag_gguf_read(struct lag_gguf *gguf, void *buffer, size_t size, struct lag_error *err);

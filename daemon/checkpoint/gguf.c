/* A checkpoint's model for llama.cpp, for those who may not know the engine. */
#include <lagd/daemon/gguf.h>

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/engine/gguf.h>
#include <lagd/engine/hf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lagd_gguf {
    struct lag_hf_model *model; /* knows the shape, and what a dtype cannot hold */
    struct lag_gguf *file;
};

static struct lag_gguf_file file_of(const char *text) {
    return (struct lag_gguf_file){text, text ? strlen(text) : 0};
}

static int open_file(int model, enum lag_gguf_dtype dtype, const char *name, const struct lagd_gguf_texts *texts,
                     struct lagd_gguf *gguf, struct lag_error *err) {
    const struct lag_gguf_tokenizer tokenizer = {
        .tokenizer = file_of(texts->tokenizer), .vocab = file_of(texts->vocab), .merges = file_of(texts->merges),
        .config = file_of(texts->config)};
    const struct lag_gguf_edit folds = {lag_hf_adjust, gguf->model};
    const int own = dup(model);
    if (own < 0) return lag_error_errno(err, errno, "a model's file cannot be opened");
    const int rc = lag_gguf_open(own, lag_hf_spec(gguf->model), dtype, &folds, name, &tokenizer, &gguf->file, err);
    if (rc != 0) (void)close(own);
    return rc;
}

static int open_model(int model, int manifest, enum lag_gguf_dtype dtype, struct lagd_gguf *gguf,
                      struct lag_error *err) {
    const int own = dup(model);
    if (own < 0) return lag_error_errno(err, errno, "a model's file cannot be opened");
    const int rc = lag_hf_open(own, manifest, dtype == LAG_GGUF_AS_F16 ? LAG_HF_F16 : LAG_HF_F32, &gguf->model, err);
    if (rc != 0) (void)close(own);
    return rc;
}

int lagd_gguf_open(int model, int manifest, const char *dtype, const char *name, const struct lagd_gguf_texts *texts,
                   struct lagd_gguf **ret, struct lag_error *err) {
    const int found = lag_names_find(lag_gguf_dtype_names, dtype);
    if (found < 0) return lag_error_set(err, LAG_EINVAL, "dtype '%.40s': use f32 or f16", dtype);
    struct lagd_gguf *gguf = lag_calloc(1, sizeof(*gguf));
    if (!gguf) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's file");
    int rc = open_model(model, manifest, (enum lag_gguf_dtype)found, gguf, err);
    if (rc == 0) rc = open_file(model, (enum lag_gguf_dtype)found, name, texts, gguf, err);
    if (rc != 0) {
        lagd_gguf_close(gguf);
        return rc;
    }
    (void)close(model);
    *ret = gguf;
    return 0;
}

void lagd_gguf_close(struct lagd_gguf *gguf) {
    if (!gguf) return;
    lag_hf_close(gguf->model);
    lag_gguf_close(gguf->file);
    free(gguf);
}

uint64_t lagd_gguf_bytes(const struct lagd_gguf *gguf) { return lag_gguf_bytes(gguf->file); }
int64_t lagd_gguf_n_checked(const struct lagd_gguf *gguf) { return lag_hf_n_checked(gguf->model); }
int lagd_gguf_check(struct lagd_gguf *gguf, struct lag_error *err) { return lag_hf_check(gguf->model, err); }

ssize_t lagd_gguf_read(struct lagd_gguf *gguf, void *buffer, size_t size, struct lag_error *err) {
    return lag_gguf_read(gguf->file, buffer, size, err);
}

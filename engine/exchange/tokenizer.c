/* The tokenizer that lies beside the weights: kept as it is; lagd looks at what kind it is. */
#include "exchange/import_internal.h"
#include "format/json_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <string.h>

#define MAX_BYTES (32u << 20) /* of each file */
enum { N_BYTES = 256 };

/* Other files that belong to a model; they are copied and not read. */
static const char *const others[] = {
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt",
    "tokenizer.model", "chat_template.jinja", "generation_config.json",
};

/* A value in a few bytes of text: tokens with ids, merges as texts or as pairs. */
static const struct lag_json_limits limits = {.max_depth = 16, .bytes_per_container = 6, .bytes_per_comma = 4};

int lag_import_tokenizer_text(const char *text, size_t length, char ret[24], int64_t *ret_size,
                              struct lag_error *err) {
    json_t *root = NULL;
    int rc = lag_json_parse(text, length, &limits, &root, err);
    if (rc != 0) return rc;
    const json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab");
    const char *type = json_string_value(json_object_get(model, "type"));
    const size_t n_added = json_array_size(json_object_get(root, "added_tokens"));
    const size_t n_vocab = json_is_object(vocab) ? json_object_size(vocab) : json_array_size(vocab);
    const size_t n_merges = json_array_size(json_object_get(model, "merges"));
    if (!json_is_object(model) || n_vocab == 0) {
        rc = lag_error_set(err, LAG_EINVAL, "it has no model with a vocab");
    } else {
        const bool bytes = type && strcmp(type, "BPE") == 0 && n_vocab == N_BYTES && n_merges == 0 && n_added == 0;
        (void)lag_copy(ret, 24, bytes ? "bytes" : type ? type : "BPE");
        size_t n_inside = 0; /* added tokens may be in the vocabulary, too */
        for (size_t i = 0; i < n_added && json_is_object(vocab); i++) {
            const json_t *token = json_array_get(json_object_get(root, "added_tokens"), i);
            const char *content = json_string_value(json_object_get(token, "content"));
            n_inside += content && json_object_get(vocab, content);
        }
        *ret_size = (int64_t)(n_vocab + n_added - n_inside);
    }
    json_decref(root);
    return rc;
}

static int read_tokenizer(struct lag_import *import, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    size_t length = 0;
    int rc = lag_import_read_text(import, "tokenizer.json", MAX_BYTES, &text, &length, err);
    if (rc != 0) return rc;
    rc = lag_import_tokenizer_text(text, length, import->tokenizer, &import->look.tokenizer_size, err);
    return rc != 0 && rc != LAG_ENOMEM && err ? lag_error_wrap(err, "tokenizer.json") : rc;
}

int lag_import_tokenizer(struct lag_import *import, struct lag_error *err) {
    (void)lag_copy(import->tokenizer, sizeof import->tokenizer, "none");
    int rc = read_tokenizer(import, err);
    const bool has_json = rc == 0;
    if (rc == LAG_ENOTFOUND) rc = 0;
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(others); i++) {
        int fd = -1;
        rc = lag_import_open_file(import, others[i], &fd, err);
        if (rc == 0 && import->files[import->n_files - 1].n_bytes > MAX_BYTES)
            return lag_error_set(err, LAG_ETOOBIG, "%s is larger than the limit of %u bytes", others[i], MAX_BYTES);
        if (rc == 0 && !has_json && strcmp(others[i], "merges.txt") == 0)
            (void)lag_copy(import->tokenizer, sizeof import->tokenizer, "BPE");
        if (rc == 0 && !has_json && strcmp(others[i], "vocab.txt") == 0)
            (void)lag_copy(import->tokenizer, sizeof import->tokenizer, "WordPiece");
        if (rc == LAG_ENOTFOUND) rc = 0;
    }
    return rc;
}

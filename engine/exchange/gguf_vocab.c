/* A tokenizer's files as the pairs of a GGUF file. */
#include "exchange/gguf_vocab_internal.h"
#include "format/json_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKE_HF ": take hf.tar, which holds the tokenizer as it is"
#define NUL_TOKEN "\xc4\x80" /* U+0100: the byte 0 in a byte-level vocabulary */

/* As in exchange/tokenizer.c: a value in a few bytes of text. */
static const struct lag_json_limits limits = {.max_depth = 16, .bytes_per_container = 6, .bytes_per_comma = 4};
static const struct lag_json_limits config_limits = {.max_depth = 16, .bytes_per_container = 2, .bytes_per_comma = 2};

enum token_type { NORMAL = 1, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5 }; /* llama_token_type */

struct vocab {
    int n_tokens;
    const char **tokens; /* by id, in the trees */
    int32_t *types;
    json_t *root;        /* tokenizer.json, or vocab.json as its model's vocab */
    json_t *config;      /* NULL: none */
    const char *merges;  /* merges.txt; NULL: they are in the tree */
    const char *pre;
};

/* --- tokens ------------------------------------------------------------------------------------------------------ */

static int set_token(struct vocab *vocab, const char *text, const json_t *id, enum token_type type,
                     struct lag_error *err) {
    const json_int_t at = json_is_integer(id) ? json_integer_value(id) : -1;
    if (at < 0) return lag_error_set(err, LAG_EINVAL, "token \"%.60s\" has no id", text);
    if (at >= vocab->n_tokens)
        return lag_error_set(err, LAG_EINVAL, "token \"%.60s\" has the id %lld, and the model has %d tokens", text,
                             (long long)at, vocab->n_tokens);
    if (vocab->tokens[at] && strcmp(vocab->tokens[at], text) != 0)
        return lag_error_set(err, LAG_EINVAL, "\"%.60s\" and \"%.60s\" have both the id %lld", vocab->tokens[at], text,
                             (long long)at);
    vocab->tokens[at] = text;
    vocab->types[at] = type;
    return 0;
}

static int set_tokens(struct vocab *vocab, struct lag_error *err) {
    json_t *tokens = json_object_get(json_object_get(vocab->root, "model"), "vocab"), *id;
    const json_t *added = json_object_get(vocab->root, "added_tokens");
    const char *text;
    int rc = 0;
    json_object_foreach(tokens, text, id)
        if (rc == 0) rc = set_token(vocab, text, id, NORMAL, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);
        text = json_string_value(json_object_get(token, "content"));
        if (!text) return lag_error_set(err, LAG_EINVAL, "added_tokens: number %zu has no content", i);
        rc = set_token(vocab, text, json_object_get(token, "id"),
                       json_is_true(json_object_get(token, "special")) ? CONTROL : USER_DEFINED, err);
    }
    return rc;
}

static void write_tokens(const struct vocab *vocab, struct lag_gguf_head *head) {
    lag_gguf_array(head, "tokenizer.ggml.tokens", LAG_GGUF_TEXT, (uint64_t)vocab->n_tokens);
    for (int i = 0; i < vocab->n_tokens; i++) {
        char padding[24];
        (void)snprintf(padding, sizeof padding, "[PAD%d]", i);
        const char *text = vocab->tokens[i] ? vocab->tokens[i] : padding;
        lag_gguf_add_text(head, text, strlen(text));
    }
    lag_gguf_array(head, "tokenizer.ggml.token_type", LAG_GGUF_I32, (uint64_t)vocab->n_tokens);
    for (int i = 0; i < vocab->n_tokens; i++) lag_gguf_add_i32(head, vocab->tokens[i] ? vocab->types[i] : UNUSED);
}

/* --- merges ------------------------------------------------------------------------------------------------------ */

/* "a b", or ["a", "b"]. */
static int write_merge(const json_t *merge, struct lag_gguf_head *head, struct lag_error *err) {
    const char *text = json_string_value(merge);
    const char *first = json_string_value(json_array_get(merge, 0));
    const char *second = json_string_value(json_array_get(merge, 1));
    LAG_CLEANUP(lag_free_p) char *joined = NULL;
    if (!text && first && second && json_array_size(merge) == 2 && !strchr(first, ' ') && !strchr(second, ' ')) {
        const size_t size = strlen(first) + strlen(second) + 2;
        joined = lag_calloc(size, 1);
        if (!joined) return lag_error_set(err, LAG_ENOMEM, "out of memory for a merge");
        (void)snprintf(joined, size, "%s %s", first, second);
        text = joined;
    }
    const char *space = text ? strchr(text, ' ') : NULL;
    if (!space || space == text || !space[1] || strchr(space + 1, ' '))
        return lag_error_set(err, LAG_EINVAL, "merges: one is not two tokens of a byte-level vocabulary");
    lag_gguf_add_text(head, text, strlen(text));
    return 0;
}

/* The next line with a merge; false: there is none. */
static bool next_line(const char **at, const char **ret, size_t *ret_length) {
    while (**at) {
        const char *line = *at;
        const size_t length = strcspn(line, "\r\n");
        *at = line + length + strspn(line + length, "\r\n");
        *ret = line;
        *ret_length = length;
        if (length > 0 && strncmp(line, "#version", strlen("#version")) != 0) return true;
    }
    return false;
}

static int write_merge_lines(const char *text, struct lag_gguf_head *head, struct lag_error *err) {
    const char *at = text, *line;
    size_t length;
    uint64_t n = 0;
    while (next_line(&at, &line, &length)) n++;
    lag_gguf_array(head, "tokenizer.ggml.merges", LAG_GGUF_TEXT, n);
    for (at = text; next_line(&at, &line, &length);) {
        const char *space = memchr(line, ' ', length);
        if (!space || memchr(space + 1, ' ', (size_t)(line + length - space - 1)))
            return lag_error_set(err, LAG_EINVAL, "merges.txt: \"%.*s\" is not two tokens", (int)LAG_MIN(length, 60u),
                                 line);
        lag_gguf_add_text(head, line, length);
    }
    return 0;
}

static int write_merges(const struct vocab *vocab, struct lag_gguf_head *head, struct lag_error *err) {
    if (vocab->merges) return write_merge_lines(vocab->merges, head, err);
    const json_t *merges = json_object_get(json_object_get(vocab->root, "model"), "merges");
    int rc = 0;
    lag_gguf_array(head, "tokenizer.ggml.merges", LAG_GGUF_TEXT, json_array_size(merges));
    for (size_t i = 0; rc == 0 && i < json_array_size(merges); i++)
        rc = write_merge(json_array_get(merges, i), head, err);
    return rc;
}

/* --- the first and the last token of a text ------------------------------------------------------------------- */

/* An id, or the first of several; -1: none is named. */
static int named(const struct vocab *vocab, const char *key) {
    const json_t *value = json_object_get(vocab->config, key);
    if (json_is_array(value)) value = json_array_get(value, 0);
    const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    return id >= 0 && id < vocab->n_tokens ? (int)id : -1;
}

/* Where none is named, llama.cpp takes token 11, which may be any letter: NUL, which no text has, does no harm. */
static int harmless(const struct vocab *vocab) {
    for (int i = 0; i < vocab->n_tokens; i++)
        if (vocab->tokens[i] && strcmp(vocab->tokens[i], NUL_TOKEN) == 0) return i;
    return -1;
}

static void write_ends(const struct vocab *vocab, struct lag_gguf_head *head) {
    static const struct {
        const char *named, *key;
    } ends[] = {{"bos_token_id", "tokenizer.ggml.bos_token_id"}, {"eos_token_id", "tokenizer.ggml.eos_token_id"}};
    for (size_t i = 0; i < LAG_COUNT(ends); i++) {
        int id = named(vocab, ends[i].named);
        if (id < 0) id = harmless(vocab);
        if (id >= 0) lag_gguf_u32(head, ends[i].key, (uint32_t)id);
    }
    lag_gguf_bool(head, "tokenizer.ggml.add_bos_token", false);
}

/* --- what it is -------------------------------------------------------------------------------------------------- */

static const char *type_of(const json_t *part) {
    const char *type = json_string_value(json_object_get(part, "type"));
    return type ? type : "";
}

static bool is_nfc(const json_t *part) {
    const json_t *parts = json_object_get(part, "normalizers");
    bool all = strcmp(type_of(part), "Sequence") == 0 && json_array_size(parts) > 0;
    for (size_t i = 0; i < json_array_size(parts); i++) all = all && is_nfc(json_array_get(parts, i));
    return all || strcmp(type_of(part), "NFC") == 0;
}

static bool is_empty(const json_t *text) { return !text || json_is_null(text) || json_string_length(text) == 0; }

/* What llama.cpp's byte-level BPE does not do. Texts are not put into NFC there either, which its own converter lets
 * pass: those who write have mostly done so. */
static int check_kind(const json_t *root, struct lag_error *err) {
    const json_t *model = json_object_get(root, "model"), *normalizer = json_object_get(root, "normalizer");
    const char *type = type_of(model), *wrong = NULL;
    if (*type && strcmp(type, "BPE") != 0)
        return lag_error_set(err, LAG_EUNSUPPORTED, "tokenizer.json: model: a %.40s is not written into GGUF, only a "
                             "byte-level BPE" TAKE_HF, type);
    if (json_is_true(json_object_get(model, "byte_fallback"))) wrong = "model.byte_fallback";
    if (!is_empty(json_object_get(model, "continuing_subword_prefix"))) wrong = "model.continuing_subword_prefix";
    if (!is_empty(json_object_get(model, "end_of_word_suffix"))) wrong = "model.end_of_word_suffix";
    if (normalizer && !json_is_null(normalizer) && !is_nfc(normalizer)) wrong = "normalizer";
    if (!wrong) return 0;
    return lag_error_set(err, LAG_EUNSUPPORTED, "tokenizer.json: %s: llama.cpp's byte-level BPE cannot say it" TAKE_HF,
                         wrong);
}

static int parse(const struct lag_gguf_file *file, const char *name, const struct lag_json_limits *bounds, json_t **ret,
                 struct lag_error *err) {
    const int rc = lag_json_parse(file->text, file->length, bounds, ret, err);
    return rc != 0 && rc != LAG_ENOMEM && err ? lag_error_wrap(err, "%s", name) : rc;
}

/* Files of GPT-2's first days: the same tokenizer in two parts. */
static int read_parts(const struct lag_gguf_tokenizer *tokenizer, struct vocab *vocab, struct lag_error *err) {
    json_t *tokens = NULL;
    const int rc = parse(&tokenizer->vocab, "vocab.json", &limits, &tokens, err);
    if (rc != 0) return rc;
    vocab->root = json_pack("{s:{s:o}}", "model", "vocab", tokens);
    vocab->merges = tokenizer->merges.text;
    vocab->pre = "gpt-2";
    return vocab->root ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
}

static int read_whole(const struct lag_gguf_tokenizer *tokenizer, struct vocab *vocab, struct lag_error *err) {
    int rc = parse(&tokenizer->tokenizer, "tokenizer.json", &limits, &vocab->root, err);
    if (rc == 0) rc = check_kind(vocab->root, err);
    return rc == 0 ? lag_gguf_find_pre(vocab->root, &vocab->pre, err) : rc;
}

static int read_vocab(const struct lag_gguf_tokenizer *tokenizer, struct vocab *vocab, struct lag_error *err) {
    vocab->tokens = lag_calloc((size_t)vocab->n_tokens, sizeof *vocab->tokens);
    vocab->types = lag_calloc((size_t)vocab->n_tokens, sizeof *vocab->types);
    if (!vocab->tokens || !vocab->types) return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
    int rc = tokenizer->tokenizer.text ? read_whole(tokenizer, vocab, err) : read_parts(tokenizer, vocab, err);
    if (rc == 0 && tokenizer->config.text)
        rc = parse(&tokenizer->config, "config.json", &config_limits, &vocab->config, err);
    if (rc != 0) return rc;
    rc = set_tokens(vocab, err);
    return rc != 0 && err ? lag_error_wrap(err, "%s", tokenizer->tokenizer.text ? "tokenizer.json" : "vocab.json") : rc;
}

/* Ids can be asked for without a tokenizer, too. */
static void write_none(struct lag_gguf_head *head, int n_tokens) {
    lag_gguf_text(head, "tokenizer.ggml.model", "none");
    lag_gguf_u32(head, "gpt2.vocab_size", (uint32_t)n_tokens);
}

int lag_gguf_write_vocab(struct lag_gguf_head *head, const struct lag_gguf_tokenizer *tokenizer, int n_tokens,
                         struct lag_error *err) {
    if (!tokenizer->tokenizer.text && !(tokenizer->vocab.text && tokenizer->merges.text)) {
        write_none(head, n_tokens);
        return 0;
    }
    struct vocab vocab = {.n_tokens = n_tokens};
    int rc = read_vocab(tokenizer, &vocab, err);
    if (rc == 0) {
        lag_gguf_text(head, "tokenizer.ggml.model", "gpt2");
        lag_gguf_text(head, "tokenizer.ggml.pre", vocab.pre);
        write_tokens(&vocab, head);
        rc = write_merges(&vocab, head, err);
    }
    if (rc == 0) write_ends(&vocab, head);
    json_decref(vocab.root);
    json_decref(vocab.config);
    free(vocab.tokens);
    free(vocab.types);
    return rc;
}

/* The files of tokenizers: tokenizer.json; vocab.json and merges.txt; vocab.txt. */
#include "format/json_internal.h"
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/spec.h>
#include <stdlib.h>
#include <string.h>

LAG_DEFINE_CLEANUP(struct lag_tokenizer, tokenizer_destroy_p, lag_tokenizer_destroy)

/* A value in a few bytes of text: tokens with ids, merges as texts or as pairs. */
static const struct lag_json_limits limits = {.max_depth = 16, .bytes_per_container = 6, .bytes_per_comma = 4};

static int read_vocab(struct lag_tokenizer *tokenizer, const json_t *vocab, struct lag_error *err) {
    const char *text;
    json_t *id;
    if (!json_is_object(vocab)) return lag_error_set(err, LAG_ECORRUPT, "model: vocab must be an object of ids");
    json_object_foreach((json_t *)vocab, text, id) {
        const int rc = json_is_integer(id)
                           ? lag_tokenizer_add(tokenizer, text, strlen(text), json_integer_value(id), err)
                           : lag_error_set(err, LAG_ECORRUPT, "the token %.60s has no integer as id", text);
        if (rc != 0) return rc == LAG_ENOMEM || !err ? rc : (lag_error_wrap(err, "model: vocab"), LAG_ECORRUPT);
    }
    return 0;
}

/* --- merges ----------------------------------------------------------------------------------------------------- */

static int32_t find_n(const struct lag_tokenizer *tokenizer, const char *text, size_t n, struct lag_strbuf *bytes) {
    if (!tokenizer->byte_level) return lag_vocab_find(&tokenizer->vocab, text, n);
    lag_strbuf_clear(bytes);
    if (!lag_bytes_of_letters(text, n, bytes) || bytes->failed || !bytes->data) return LAG_TOKEN_NONE;
    return lag_vocab_find(&tokenizer->vocab, bytes->data, bytes->length);
}

/* What both are together is a token, too. */
static int add_merge(struct lag_tokenizer *tokenizer, size_t rank, struct lag_span left, struct lag_span right,
                     struct lag_strbuf bytes[2], struct lag_error *err) {
    const int32_t a = find_n(tokenizer, left.at, left.n, &bytes[0]), b = find_n(tokenizer, right.at, right.n,
                                                                                &bytes[0]);
    if (a == LAG_TOKEN_NONE || b == LAG_TOKEN_NONE) {
        const struct lag_span lost = a == LAG_TOKEN_NONE ? left : right;
        return lag_error_set(err, LAG_ECORRUPT, "merge %zu: %.*s is not in the vocabulary", rank,
                             (int)LAG_MIN(lost.n, 60u), lost.at);
    }
    const struct lag_span x = lag_vocab_at(&tokenizer->vocab, a), y = lag_vocab_at(&tokenizer->vocab, b);
    lag_strbuf_clear(&bytes[1]);
    lag_strbuf_append_n(&bytes[1], x.at, x.n);
    lag_strbuf_append_n(&bytes[1], y.at, y.n);
    if (bytes[0].failed || bytes[1].failed) return lag_error_set(err, LAG_ENOMEM, "out of memory for merges");
    const int32_t both = lag_vocab_find(&tokenizer->vocab, bytes[1].data, bytes[1].length);
    if (both == LAG_TOKEN_NONE)
        return lag_error_set(err, LAG_ECORRUPT, "merge %zu: %.*s%.*s is not in the vocabulary", rank,
                             (int)LAG_MIN(left.n, 60u), left.at, (int)LAG_MIN(right.n, 60u), right.at);
    return lag_merges_add(&tokenizer->merges, a, b, (uint32_t)rank, both, err);
}

/* "left right" */
static bool divide(const char *text, size_t n, struct lag_span *ret_left, struct lag_span *ret_right) {
    const char *space = memchr(text, ' ', n);
    if (!space || space == text || space + 1 == text + n) return false;
    *ret_left = (struct lag_span){text, (size_t)(space - text)};
    *ret_right = (struct lag_span){space + 1, n - (size_t)(space - text) - 1};
    return !memchr(ret_right->at, ' ', ret_right->n);
}

static int read_merges(struct lag_tokenizer *tokenizer, const json_t *merges, struct lag_error *err) {
    struct lag_strbuf bytes[2] = {LAG_STRBUF_INIT, LAG_STRBUF_INIT};
    int rc = json_is_array(merges) ? 0 : lag_error_set(err, LAG_ECORRUPT, "merges must be a list");
    for (size_t i = 0; rc == 0 && i < json_array_size(merges); i++) {
        const json_t *merge = json_array_get(merges, i);
        const char *text = json_string_value(merge);
        struct lag_span left = {0}, right = {0};
        bool good = text && divide(text, strlen(text), &left, &right);
        if (json_array_size(merge) == 2) {
            left.at = json_string_value(json_array_get(merge, 0));
            right.at = json_string_value(json_array_get(merge, 1));
            good = left.at && right.at;
            left.n = good ? strlen(left.at) : 0;
            right.n = good ? strlen(right.at) : 0;
        }
        rc = good ? add_merge(tokenizer, i, left, right, bytes, err)
                  : lag_error_set(err, LAG_ECORRUPT, "merge %zu must be two tokens", i);
    }
    lag_strbuf_deinit(&bytes[0]);
    lag_strbuf_deinit(&bytes[1]);
    return rc == 0 || rc == LAG_ENOMEM || !err ? rc : lag_error_wrap(err, "model");
}

/* --- models ----------------------------------------------------------------------------------------------------- */

static bool is_set(const json_t *of, const char *key) {
    const json_t *value = json_object_get(of, key);
    if (json_is_string(value)) return json_string_length(value) > 0;
    if (json_is_number(value)) return json_number_value(value) != 0;
    return value && !json_is_null(value);
}

static int read_unknown(struct lag_tokenizer *tokenizer, const json_t *model, struct lag_error *err) {
    const char *text = json_string_value(json_object_get(model, "unk_token"));
    if (!text) return 0;
    tokenizer->unknown = lag_tokenizer_find(tokenizer, text);
    return tokenizer->unknown != LAG_TOKEN_NONE
               ? 0 : lag_error_set(err, LAG_ECORRUPT, "model: the unk_token %.60s is not in the vocabulary", text);
}

static int read_bpe(struct lag_tokenizer *tokenizer, const json_t *model, struct lag_error *err) {
    static const char *const unknown[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < LAG_COUNT(unknown); i++)
        if (is_set(model, unknown[i]))
            return lag_error_set(err, LAG_EUNSUPPORTED, "model: %s is not supported", unknown[i]);
    tokenizer->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    tokenizer->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    tokenizer->fuse_unknown = json_is_true(json_object_get(model, "fuse_unk"));
    int rc = read_vocab(tokenizer, json_object_get(model, "vocab"), err);
    if (rc == 0) rc = read_merges(tokenizer, json_object_get(model, "merges"), err);
    return rc == 0 ? read_unknown(tokenizer, model, err) : rc;
}

static int read_wordpiece(struct lag_tokenizer *tokenizer, const json_t *model, struct lag_error *err) {
    const char *prefix = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    const json_int_t longest = json_integer_value(json_object_get(model, "max_input_chars_per_word"));
    if (tokenizer->byte_level)
        return lag_error_set(err, LAG_EUNSUPPORTED, "model: WordPiece with ByteLevel is not supported");
    tokenizer->words = true;
    tokenizer->max_word = longest > 0 ? (size_t)longest : 100;
    tokenizer->prefix = lag_strdup(prefix ? prefix : "##");
    if (!tokenizer->prefix) return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer");
    int rc = read_vocab(tokenizer, json_object_get(model, "vocab"), err);
    if (rc == 0) rc = read_unknown(tokenizer, model, err);
    if (rc == 0 && tokenizer->unknown == LAG_TOKEN_NONE)
        rc = lag_error_set(err, LAG_ECORRUPT, "model: WordPiece needs an unk_token");
    return rc;
}

/* Files of earlier times do not say what kind of model it is: one with merges is BPE. */
static int read_model(struct lag_tokenizer *tokenizer, const json_t *model, struct lag_error *err) {
    static const char *const types[] = {"BPE", "WordPiece", NULL};
    int type = 0;
    if (!json_is_object(model)) return lag_error_set(err, LAG_ECORRUPT, "it has no model");
    const bool untyped = !json_object_get(model, "type") && json_object_get(model, "merges");
    const int rc = untyped ? 0 : lag_read_type(model, "model", types, &type, err);
    if (rc != 0) return rc;
    return type == 0 ? read_bpe(tokenizer, model, err) : read_wordpiece(tokenizer, model, err);
}

static int read_added(struct lag_tokenizer *tokenizer, const json_t *list, struct lag_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const json_t *of = json_array_get(list, i);
        const char *text = json_string_value(json_object_get(of, "content"));
        const json_t *id = json_object_get(of, "id");
        if (!text || !json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= LAG_MAX_VOCAB)
            return lag_error_set(err, LAG_ECORRUPT, "added_tokens: entry %zu must have content and an id from 0 to %d",
                                 i, LAG_MAX_VOCAB - 1);
        const struct lag_added how = {.id = (int32_t)json_integer_value(id),
                                      .special = json_is_true(json_object_get(of, "special")),
                                      .normalized = json_is_true(json_object_get(of, "normalized")),
                                      .lstrip = json_is_true(json_object_get(of, "lstrip")),
                                      .rstrip = json_is_true(json_object_get(of, "rstrip")),
                                      .single_word = json_is_true(json_object_get(of, "single_word"))};
        rc = lag_added_append(tokenizer, text, &how, err);
    }
    return rc;
}

static int read_all(struct lag_tokenizer *tokenizer, const json_t *root, struct lag_error *err) {
    if (!json_is_object(root)) return lag_error_set(err, LAG_ECORRUPT, "it is no JSON object");
    int rc = lag_read_normalizer(tokenizer, json_object_get(root, "normalizer"), err);
    if (rc == 0) rc = lag_read_pre_tokenizer(tokenizer, json_object_get(root, "pre_tokenizer"), err);
    if (rc == 0) rc = lag_read_decoder(tokenizer, json_object_get(root, "decoder"), err);
    if (rc == 0) rc = lag_read_post_processor(tokenizer, json_object_get(root, "post_processor"), err);
    if (rc == 0) rc = read_model(tokenizer, json_object_get(root, "model"), err);
    if (rc == 0) rc = read_added(tokenizer, json_object_get(root, "added_tokens"), err);
    return rc == 0 ? lag_tokenizer_finish(tokenizer, err) : rc;
}

static int no_memory(struct lag_error *err) { return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer"); }

int lag_tokenizer_read(const char *text, size_t n, struct lag_tokenizer **ret, struct lag_error *err) {
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    json_t *root = NULL;
    if (!tokenizer) return no_memory(err);
    if (n > LAG_TOKENIZER_MAX_BYTES)
        return lag_error_set(err, LAG_ETOOBIG, "%zu bytes are more than a tokenizer may have (%u)", n,
                             LAG_TOKENIZER_MAX_BYTES);
    int rc = lag_json_parse(text, n, &limits, &root, err);
    if (rc == 0) rc = read_all(tokenizer, root, err);
    json_decref(root);
    if (rc == 0) *ret = LAG_TAKE(tokenizer);
    return rc;
}

/* --- vocab.json and merges.txt, bytes --------------------------------------------------------------------------- */

static void split_as_gpt2(struct lag_tokenizer *tokenizer) {
    tokenizer->byte_level = true;
    tokenizer->splits[tokenizer->n_splits++] =
        (struct lag_split){.kind = LAG_SPLIT_KNOWN, .pattern = LAG_PATTERN_GPT2, .behaviour = LAG_ISOLATED};
    tokenizer->decodes[tokenizer->n_decodes++].kind = LAG_DECODE_BYTES;
}

static int read_merge_lines(struct lag_tokenizer *tokenizer, const char *text, size_t n, struct lag_error *err) {
    struct lag_strbuf bytes[2] = {LAG_STRBUF_INIT, LAG_STRBUF_INIT};
    size_t rank = 0, line = 0;
    int rc = 0;
    for (size_t i = 0, end; rc == 0 && i < n; i = end + 1) {
        const char *newline = memchr(text + i, '\n', n - i);
        end = newline ? (size_t)(newline - text) : n;
        size_t length = end - i;
        if (length > 0 && text[i + length - 1] == '\r') length--;
        line++;
        if (length == 0 || (line == 1 && text[i] == '#')) continue;
        struct lag_span left, right;
        rc = divide(text + i, length, &left, &right)
                 ? add_merge(tokenizer, rank++, left, right, bytes, err)
                 : lag_error_set(err, LAG_ECORRUPT, "line %zu must be two tokens with one space between them", line);
    }
    lag_strbuf_deinit(&bytes[0]);
    lag_strbuf_deinit(&bytes[1]);
    return rc == 0 || rc == LAG_ENOMEM || !err ? rc : lag_error_wrap(err, "merges.txt");
}

int lag_tokenizer_read_pair(const char *vocab, size_t n_vocab, const char *merges, size_t n_merges,
                            struct lag_tokenizer **ret, struct lag_error *err) {
    static const char *const specials[] = {"<|endoftext|>", "<unk>", "<s>", "</s>", "<pad>"};
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    json_t *root = NULL;
    if (!tokenizer) return no_memory(err);
    split_as_gpt2(tokenizer);
    int rc = lag_json_parse(vocab, n_vocab, &limits, &root, err);
    if (rc == 0) rc = read_vocab(tokenizer, root, err);
    json_decref(root);
    if (rc == 0) rc = read_merge_lines(tokenizer, merges, n_merges, err);
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(specials); i++) {
        const struct lag_added how = {.id = lag_tokenizer_find(tokenizer, specials[i]), .special = true};
        if (how.id != LAG_TOKEN_NONE) rc = lag_added_append(tokenizer, specials[i], &how, err);
    }
    if (rc == 0) rc = lag_tokenizer_finish(tokenizer, err);
    if (rc == 0) *ret = LAG_TAKE(tokenizer);
    return rc;
}

int lag_tokenizer_of_bytes(struct lag_tokenizer **ret, struct lag_error *err) {
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    if (!tokenizer) return no_memory(err);
    split_as_gpt2(tokenizer);
    tokenizer->n_splits = 0; /* there is nothing to merge */
    int rc = 0;
    for (int b = 0; rc == 0 && b < LAG_N_BYTES; b++) {
        const char byte = (char)b;
        rc = lag_vocab_add(&tokenizer->vocab, &byte, 1, b, true, err);
    }
    if (rc == 0) rc = lag_tokenizer_finish(tokenizer, err);
    if (rc == 0) *ret = LAG_TAKE(tokenizer);
    return rc;
}

/* --- vocab.txt -------------------------------------------------------------------------------------------------- */

static int read_word_lines(struct lag_tokenizer *tokenizer, const char *text, size_t n, struct lag_error *err) {
    int64_t id = 0;
    int rc = 0;
    for (size_t i = 0, end; rc == 0 && i < n; i = end + 1) {
        const char *newline = memchr(text + i, '\n', n - i);
        end = newline ? (size_t)(newline - text) : n;
        size_t length = end - i;
        if (length > 0 && text[i + length - 1] == '\r') length--;
        rc = lag_vocab_add(&tokenizer->vocab, text + i, length, id++, true, err);
    }
    return rc == 0 || rc == LAG_ENOMEM || !err ? rc : (lag_error_wrap(err, "vocab.txt"), LAG_ECORRUPT);
}

static int set_bert(struct lag_tokenizer *tokenizer, bool lower, struct lag_error *err) {
    tokenizer->words = true;
    tokenizer->max_word = 100;
    tokenizer->prefix = lag_strdup("##");
    tokenizer->normals[tokenizer->n_normals++] = (struct lag_normal){
        .kind = LAG_NORMAL_BERT, .clean = true, .chinese = true, .strip = lower, .lower = lower};
    tokenizer->splits[tokenizer->n_splits++] = (struct lag_split){.kind = LAG_SPLIT_BERT, .behaviour = LAG_ISOLATED};
    struct lag_decode_part *part = &tokenizer->decodes[tokenizer->n_decodes++];
    *part = (struct lag_decode_part){.kind = LAG_DECODE_WORDS, .text = lag_strdup("##"), .cleanup = true};
    return tokenizer->prefix && part->text ? 0 : no_memory(err);
}

int lag_tokenizer_read_words(const char *vocab, size_t n, bool lower, struct lag_tokenizer **ret,
                             struct lag_error *err) {
    static const char *const specials[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
    enum { UNKNOWN, CLS, SEP };
    LAG_CLEANUP(tokenizer_destroy_p) struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    if (!tokenizer) return no_memory(err);
    int32_t ids[LAG_COUNT(specials)];
    int rc = set_bert(tokenizer, lower, err);
    if (rc == 0) rc = read_word_lines(tokenizer, vocab, n, err);
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(specials); i++) {
        const struct lag_added how = {.id = ids[i] = lag_tokenizer_find(tokenizer, specials[i]), .special = true};
        if (how.id != LAG_TOKEN_NONE) rc = lag_added_append(tokenizer, specials[i], &how, err);
        else if (i <= SEP) rc = lag_error_set(err, LAG_ECORRUPT, "vocab.txt: it lacks %s", specials[i]);
    }
    if (rc != 0) return rc;
    tokenizer->unknown = ids[UNKNOWN];
    tokenizer->around = (struct lag_around){malloc(sizeof(int32_t)), malloc(sizeof(int32_t)), 1, 1};
    if (!tokenizer->around.before || !tokenizer->around.behind) return no_memory(err);
    tokenizer->around.before[0] = ids[CLS];
    tokenizer->around.behind[0] = ids[SEP];
    rc = lag_tokenizer_finish(tokenizer, err);
    if (rc == 0) *ret = LAG_TAKE(tokenizer);
    return rc;
}

/* A tokenizer as the text of a tokenizer.json: those that lagd makes, which are byte-level BPE, or WordPiece as BERT
 * has it. A file that was read as tokenizer.json is kept as it came. */
#include "format/json_internal.h"
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

/* What stands for a token in the file. NULL: out of memory. */
static char *text_of(const struct lag_tokenizer *tokenizer, int64_t id) {
    const struct lag_span span = lag_vocab_at(&tokenizer->vocab, id);
    struct lag_strbuf text = LAG_STRBUF_INIT;
    if (tokenizer->byte_level && !lag_vocab_hides(&tokenizer->vocab, id)) lag_letters_of_bytes(span.at, span.n, &text);
    else lag_strbuf_append_n(&text, span.at, span.n);
    return lag_strbuf_take(&text);
}

static json_t *vocab_of(const struct lag_tokenizer *tokenizer) {
    json_t *vocab = json_object();
    for (size_t id = 0; vocab && id < tokenizer->vocab.n_ids; id++) {
        if (lag_vocab_at(&tokenizer->vocab, (int64_t)id).n == LAG_NO_TOKEN) continue;
        char *text = text_of(tokenizer, (int64_t)id);
        if (!text || json_object_set_new(vocab, text, json_integer((json_int_t)id)) != 0) {
            json_decref(vocab);
            vocab = NULL;
        }
        free(text);
    }
    return vocab;
}

static int by_rank(const void *a, const void *b) {
    const struct lag_merge *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int append_merge(const struct lag_tokenizer *tokenizer, const struct lag_merge *merge, json_t *list) {
    char *left = text_of(tokenizer, merge->left), *right = text_of(tokenizer, merge->right);
    char *both = left && right ? lag_asprintf("%s %s", left, right) : NULL;
    const int rc = both ? json_array_append_new(list, json_string(both)) : -1;
    free(left);
    free(right);
    free(both);
    return rc;
}

static json_t *merges_of(const struct lag_tokenizer *tokenizer) {
    const struct lag_merges *merges = &tokenizer->merges;
    struct lag_merge *sorted = lag_calloc(merges->n, sizeof *sorted);
    json_t *list = sorted ? json_array() : NULL;
    size_t n = 0;
    for (size_t i = 0; list && i < merges->n_slots; i++)
        if (merges->slots[i].id != LAG_TOKEN_NONE) sorted[n++] = merges->slots[i];
    if (n > 1) qsort(sorted, n, sizeof *sorted, by_rank);
    for (size_t i = 0; list && i < n; i++) {
        if (append_merge(tokenizer, &sorted[i], list) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    free(sorted);
    return list;
}

static int by_id(const void *a, const void *b) {
    const struct lag_added *const *x = a, *const *y = b;
    return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static json_t *added_of(const struct lag_tokenizer *tokenizer) {
    const struct lag_added **sorted = lag_calloc(tokenizer->n_added, sizeof *sorted);
    json_t *list = sorted ? json_array() : NULL;
    for (size_t i = 0; list && i < tokenizer->n_added; i++) sorted[i] = &tokenizer->added[i];
    if (list && tokenizer->n_added > 1) qsort(sorted, tokenizer->n_added, sizeof *sorted, by_id);
    for (size_t i = 0; list && i < tokenizer->n_added; i++) {
        const struct lag_added *added = sorted[i];
        json_t *of = json_pack("{s:i,s:s,s:b,s:b,s:b,s:b,s:b}", "id", added->id, "content", added->text, "single_word",
                               added->single_word, "lstrip", added->lstrip, "rstrip", added->rstrip, "normalized",
                               added->normalized, "special", added->special);
        if (json_array_append_new(list, of) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    free(sorted);
    return list;
}

static json_t *byte_level(bool use_regex) {
    return json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex",
                     use_regex);
}

/* GPT-2's pattern is that of ByteLevel itself; others stand before it. */
static json_t *pre_tokenizer_of(const struct lag_tokenizer *tokenizer) {
    if (tokenizer->words) return json_pack("{s:s}", "type", "BertPreTokenizer");
    if (tokenizer->n_splits == 0) return byte_level(false);
    const struct lag_split *split = &tokenizer->splits[0];
    const bool known = split->kind == LAG_SPLIT_KNOWN;
    if (known && split->pattern == LAG_PATTERN_GPT2) return byte_level(true);
    return json_pack("{s:s,s:[{s:s,s:{s:s},s:s,s:b},o]}", "type", "Sequence", "pretokenizers", "type", "Split",
                     "pattern",
                     "Regex", known ? lag_patterns[split->pattern].regex : split->text, "behavior", "Isolated",
                         "invert",
                     0, byte_level(false));
}

static json_t *bert_processor_of(const struct lag_tokenizer *tokenizer) {
    const int cls = tokenizer->around.before[0], sep = tokenizer->around.behind[0];
    return json_pack("{s:s,s:[{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}}],"
                     "s:[{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}},{s:{s:s,s:i}}],"
                     "s:{s:{s:s,s:[i],s:[s]},s:{s:s,s:[i],s:[s]}}}",
                     "type", "TemplateProcessing", "single", "SpecialToken", "id", "[CLS]", "type_id", 0, "Sequence",
                     "id", "A", "type_id", 0, "SpecialToken", "id", "[SEP]", "type_id", 0, "pair", "SpecialToken", "id",
                     "[CLS]", "type_id", 0, "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id", "[SEP]",
                     "type_id", 0, "Sequence", "id", "B", "type_id", 1, "SpecialToken", "id", "[SEP]", "type_id", 1,
                     "special_tokens", "[CLS]", "id", "[CLS]", "ids", cls, "tokens", "[CLS]", "[SEP]", "id", "[SEP]",
                     "ids", sep, "tokens", "[SEP]");
}

static json_t *normalizer_of(const struct lag_tokenizer *tokenizer) {
    const struct lag_normal *normal = &tokenizer->normals[0];
    if (tokenizer->n_normals == 0) return json_null();
    return json_pack("{s:s,s:b,s:b,s:n,s:b}", "type", "BertNormalizer", "clean_text", normal->clean,
                     "handle_chinese_chars", normal->chinese, "strip_accents", "lowercase", normal->lower);
}

static json_t *model_of(const struct lag_tokenizer *tokenizer) {
    if (tokenizer->words)
        return json_pack("{s:s,s:s,s:s,s:I,s:o}", "type", "WordPiece", "unk_token", "[UNK]",
                         "continuing_subword_prefix", tokenizer->prefix, "max_input_chars_per_word",
                         (json_int_t)tokenizer->max_word, "vocab", vocab_of(tokenizer));
    return json_pack("{s:s,s:n,s:n,s:n,s:n,s:b,s:b,s:b,s:o,s:o}", "type", "BPE", "dropout", "unk_token",
                     "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0,
                     "ignore_merges", 0, "vocab", vocab_of(tokenizer), "merges", merges_of(tokenizer));
}

int lag_tokenizer_write(const struct lag_tokenizer *tokenizer, struct lag_strbuf *out, struct lag_error *err) {
    json_t *post = tokenizer->words ? bert_processor_of(tokenizer) : byte_level(true);
    json_t *decoder = tokenizer->words ? json_pack("{s:s,s:s,s:b}", "type", "WordPiece", "prefix", tokenizer->prefix,
                                                   "cleanup", 1)
                                       : byte_level(true);
    json_t *root = json_pack("{s:s,s:n,s:n,s:o,s:o,s:o,s:o,s:o,s:o}", "version", "1.0", "truncation", "padding",
                             "added_tokens", added_of(tokenizer), "normalizer", normalizer_of(tokenizer),
                             "pre_tokenizer", pre_tokenizer_of(tokenizer), "post_processor", post, "decoder", decoder,
                             "model", model_of(tokenizer));
    if (!root) return lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer's file");
    lag_json_append(out, root, JSON_INDENT(1));
    return out->failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a tokenizer's file") : 0;
}

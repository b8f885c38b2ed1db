/* What a tokenizer consists of. */
#include "token/token_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/spec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lag_tokenizer *lag_tokenizer_create(void) {
    struct lag_tokenizer *tokenizer = lag_calloc(1, sizeof *tokenizer);
    if (!tokenizer) return NULL;
    tokenizer->unknown = tokenizer->eos = tokenizer->bos = LAG_TOKEN_NONE;
    for (int i = 0; i < LAG_N_BYTES; i++) tokenizer->of_byte[i] = LAG_TOKEN_NONE;
    return tokenizer;
}

void lag_tokenizer_destroy(struct lag_tokenizer *tokenizer) {
    if (!tokenizer) return;
    lag_vocab_deinit(&tokenizer->vocab);
    lag_merges_deinit(&tokenizer->merges);
    lag_seams_deinit(&tokenizer->seams);
    for (size_t i = 0; i < LAG_PARTS_MAX; i++) {
        free(tokenizer->normals[i].text);
        free(tokenizer->normals[i].content);
        lag_regex_destroy(tokenizer->normals[i].regex);
        free(tokenizer->splits[i].text);
        lag_regex_destroy(tokenizer->splits[i].regex);
        free(tokenizer->decodes[i].text);
        free(tokenizer->decodes[i].content);
        lag_regex_destroy(tokenizer->decodes[i].regex);
    }
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        free(tokenizer->added[i].text);
        free(tokenizer->added[i].search);
    }
    free(tokenizer->added);
    free(tokenizer->added_of);
    free(tokenizer->around.before);
    free(tokenizer->around.behind);
    free(tokenizer->prefix);
    free(tokenizer);
}

int lag_tokenizer_add(struct lag_tokenizer *tokenizer, const char *text, size_t n, int64_t id,
                      struct lag_error *err) {
    if (!tokenizer->byte_level) return lag_vocab_add(&tokenizer->vocab, text, n, id, true, err);
    struct lag_strbuf bytes = LAG_STRBUF_INIT;
    const bool letters = lag_bytes_of_letters(text, n, &bytes);
    int rc = bytes.failed ? lag_error_set(err, LAG_ENOMEM, "out of memory for a token") : 0;
    if (rc == 0) rc = letters ? lag_vocab_add(&tokenizer->vocab, bytes.data ? bytes.data : "", bytes.length, id, true,
                                              err)
                              : lag_vocab_add(&tokenizer->vocab, text, n, id, false, err);
    lag_strbuf_deinit(&bytes);
    return rc;
}

int lag_added_append(struct lag_tokenizer *tokenizer, const char *text, const struct lag_added *how,
                     struct lag_error *err) {
    const size_t n = strlen(text);
    if (n == 0) return 0; /* it is never found */
    if (how->id < 0 || how->id >= LAG_MAX_VOCAB)
        return lag_error_set(err, LAG_ECORRUPT, "added_tokens: %.60s has the id %d; allowed are 0 to %d", text, how->id,
                             LAG_MAX_VOCAB - 1);
    if (lag_grow_array((void **)&tokenizer->added, &tokenizer->added_capacity, tokenizer->n_added + 1,
                       sizeof *tokenizer->added) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for added tokens");
    struct lag_added *added = &tokenizer->added[tokenizer->n_added];
    *added = *how;
    added->n = n;
    added->text = lag_strdup(text);
    added->search = NULL;
    tokenizer->n_added++;
    return added->text ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for added tokens");
}

const struct lag_added *lag_tokenizer_added(const struct lag_tokenizer *tokenizer, int64_t id) {
    if (id < 0 || (size_t)id >= tokenizer->size || tokenizer->added_of[id] < 0) return NULL;
    return &tokenizer->added[tokenizer->added_of[id]];
}

struct lag_span lag_tokenizer_bytes(const struct lag_tokenizer *tokenizer, int64_t id) {
    const struct lag_added *added = lag_tokenizer_added(tokenizer, id);
    return added ? (struct lag_span){added->text, added->n} : lag_vocab_at(&tokenizer->vocab, id);
}

/* --- what is found by vocabulary and added tokens --------------------------------------------------------------- */

static int by_search(const void *a, const void *b) {
    const struct lag_added *x = a, *y = b;
    const int first = (unsigned char)x->search[0] - (unsigned char)y->search[0];
    if (first != 0) return first;
    if (x->n_search != y->n_search) return x->n_search > y->n_search ? -1 : 1;
    return memcmp(x->search, y->search, x->n_search);
}

static int prepare_search(struct lag_tokenizer *tokenizer, struct lag_error *err) {
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        struct lag_added *added = &tokenizer->added[i];
        struct lag_strbuf search = LAG_STRBUF_INIT;
        if (added->normalized && tokenizer->n_normals > 0) {
            const int rc = lag_normalize(tokenizer, added->text, added->n, &search, err);
            if (rc != 0) {
                lag_strbuf_deinit(&search);
                return rc;
            }
        }
        if (search.length == 0) lag_strbuf_append(&search, added->text);
        added->n_search = search.length;
        added->search = lag_strbuf_take(&search);
        if (!added->search) return lag_error_set(err, LAG_ENOMEM, "out of memory for added tokens");
        tokenizer->n_normalized += added->normalized;
    }
    if (tokenizer->n_added > 1) qsort(tokenizer->added, tokenizer->n_added, sizeof *tokenizer->added, by_search);
    size_t i = 0;
    for (unsigned byte = 0; byte < LAG_N_BYTES; byte++) {
        tokenizer->added_from[byte] = (uint32_t)i;
        while (i < tokenizer->n_added && (unsigned char)tokenizer->added[i].search[0] == byte) i++;
    }
    tokenizer->added_from[LAG_N_BYTES] = (uint32_t)i;
    return 0;
}

static int prepare_ids(struct lag_tokenizer *tokenizer, struct lag_error *err) {
    tokenizer->size = tokenizer->vocab.n_ids;
    for (size_t i = 0; i < tokenizer->n_added; i++)
        tokenizer->size = LAG_MAX(tokenizer->size, (size_t)tokenizer->added[i].id + 1);
    tokenizer->added_of = malloc(LAG_MAX(tokenizer->size, 1u) * sizeof *tokenizer->added_of);
    if (!tokenizer->added_of) return lag_error_set(err, LAG_ENOMEM, "out of memory for added tokens");
    memset(tokenizer->added_of, 0xff, tokenizer->size * sizeof *tokenizer->added_of);
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const struct lag_added *added = &tokenizer->added[i];
        const int32_t known = lag_tokenizer_find(tokenizer, added->text);
        if (tokenizer->added_of[added->id] >= 0)
            return lag_error_set(err, LAG_ECORRUPT, "added_tokens: two have the id %d", added->id);
        if (known != LAG_TOKEN_NONE && known != added->id)
            return lag_error_set(err, LAG_ECORRUPT, "added_tokens: %.60s has the id %d, but the vocabulary gives it %d",
                                 added->text, added->id, known);
        tokenizer->added_of[added->id] = (int32_t)i;
    }
    return 0;
}

static void prepare_bytes(struct lag_tokenizer *tokenizer) {
    for (int b = 0; b < LAG_N_BYTES; b++) {
        char text[8] = {(char)b};
        size_t n = 1;
        if (!tokenizer->byte_level) n = (size_t)snprintf(text, sizeof text, "<0x%02X>", (unsigned)b);
        if (tokenizer->byte_level || tokenizer->byte_fallback)
            tokenizer->of_byte[b] = lag_vocab_find(&tokenizer->vocab, text, n);
    }
}

static int32_t first_of(const struct lag_tokenizer *tokenizer, const char *const names[], size_t n) {
    int32_t id = LAG_TOKEN_NONE;
    for (size_t i = 0; i < n && id == LAG_TOKEN_NONE; i++) {
        id = lag_tokenizer_find(tokenizer, names[i]);
        for (size_t k = 0; k < tokenizer->n_added && id == LAG_TOKEN_NONE; k++)
            if (strcmp(tokenizer->added[k].text, names[i]) == 0) id = tokenizer->added[k].id;
    }
    return id;
}

/* Which tokens begin and end texts is told by no tokenizer.json; these are the names that are in use. */
static void prepare_ends(struct lag_tokenizer *tokenizer) {
    static const char *const ends[] = {"<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>",
                                       "<｜end▁of▁sentence｜>", "<|im_end|>", "[SEP]"};
    static const char *const begins[] = {"<|begin_of_text|>", "<s>", "<bos>", "<｜begin▁of▁sentence｜>", "[CLS]"};
    tokenizer->eos = first_of(tokenizer, ends, LAG_COUNT(ends));
    tokenizer->bos = first_of(tokenizer, begins, LAG_COUNT(begins));
    const bool gpt2 = tokenizer->n_splits == 1 && tokenizer->splits[0].kind == LAG_SPLIT_KNOWN &&
                      tokenizer->splits[0].pattern == LAG_PATTERN_GPT2;
    if (tokenizer->bos == LAG_TOKEN_NONE && gpt2) tokenizer->bos = tokenizer->eos;
}

static bool is_cuttable(const struct lag_tokenizer *tokenizer) {
    for (size_t i = 0; i < tokenizer->n_normals; i++)
        if (tokenizer->normals[i].kind != LAG_NORMAL_NFC) return false;
    if (tokenizer->n_splits != 1 || tokenizer->splits[0].kind != LAG_SPLIT_KNOWN) return false;
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const struct lag_added *added = &tokenizer->added[i];
        if (added->lstrip || added->rstrip || added->single_word || strchr(added->text, '\n')) return false;
    }
    return true;
}

int lag_tokenizer_finish(struct lag_tokenizer *tokenizer, struct lag_error *err) {
    int rc = prepare_search(tokenizer, err);
    if (rc == 0) rc = prepare_ids(tokenizer, err);
    if (rc != 0) return rc;
    if (tokenizer->size == 0) return lag_error_set(err, LAG_ECORRUPT, "model: the vocabulary is empty");
    prepare_bytes(tokenizer);
    prepare_ends(tokenizer);
    tokenizer->cuttable = is_cuttable(tokenizer);
    return lag_seams_find(tokenizer, err);
}

/* --- looking ---------------------------------------------------------------------------------------------------- */

int32_t lag_tokenizer_find(const struct lag_tokenizer *tokenizer, const char *text) {
    const size_t n = strlen(text);
    if (!tokenizer->byte_level) return lag_vocab_find(&tokenizer->vocab, text, n);
    struct lag_strbuf bytes = LAG_STRBUF_INIT;
    int32_t id = LAG_TOKEN_NONE;
    if (lag_bytes_of_letters(text, n, &bytes)) {
        id = bytes.failed ? LAG_TOKEN_NONE
                          : lag_vocab_find(&tokenizer->vocab, bytes.data ? bytes.data : "", bytes.length);
    } else {
        for (size_t i = 0; i < tokenizer->vocab.n_ids && id == LAG_TOKEN_NONE; i++) {
            const struct lag_span span = lag_vocab_at(&tokenizer->vocab, (int64_t)i);
            if (span.n == n && lag_vocab_hides(&tokenizer->vocab, (int64_t)i) && memcmp(span.at, text, n) == 0)
                id = (int32_t)i;
        }
    }
    lag_strbuf_deinit(&bytes);
    return id;
}

static const char *pattern_of(const struct lag_tokenizer *tokenizer) {
    for (size_t i = 0; i < tokenizer->n_splits; i++)
        if (tokenizer->splits[i].kind == LAG_SPLIT_KNOWN) return lag_patterns[tokenizer->splits[i].pattern].name;
    return "";
}

static void copy_text(const struct lag_tokenizer *tokenizer, int32_t id, char ret[64]) {
    const struct lag_span span = lag_tokenizer_bytes(tokenizer, id);
    if (id != LAG_TOKEN_NONE && span.n < 64) memcpy(ret, span.at, span.n); /* the rest is zero */
}

void lag_tokenizer_look(const struct lag_tokenizer *tokenizer, struct lag_tokenizer_look *ret) {
    const bool bytes = tokenizer->byte_level && tokenizer->size == LAG_N_BYTES && tokenizer->merges.n == 0;
    *ret = (struct lag_tokenizer_look){
        .pattern = pattern_of(tokenizer), .size = (int)tokenizer->size, .n_tokens = (int)tokenizer->vocab.n_tokens,
        .n_merges = (int)tokenizer->merges.n, .n_added = (int)tokenizer->n_added, .eos = tokenizer->eos,
        .bos = tokenizer->bos, .byte_level = tokenizer->byte_level};
    copy_text(tokenizer, tokenizer->eos, ret->eos_text);
    copy_text(tokenizer, tokenizer->bos, ret->bos_text);
    (void)lag_copy(ret->kind, sizeof ret->kind, bytes ? "bytes" : tokenizer->words ? "WordPiece" : "BPE");
}

size_t lag_tokenizer_memory(const struct lag_tokenizer *tokenizer) {
    const struct lag_vocab *vocab = &tokenizer->vocab;
    size_t n = sizeof *tokenizer + vocab->bytes_capacity + vocab->hidden_capacity;
    n += vocab->capacity * (sizeof *vocab->starts + sizeof *vocab->lengths) + vocab->n_slots * sizeof *vocab->slots;
    n += tokenizer->merges.n_slots * sizeof *tokenizer->merges.slots;
    n += tokenizer->seams.n_slots * sizeof *tokenizer->seams.slots;
    n += tokenizer->added_capacity * sizeof *tokenizer->added + tokenizer->size * sizeof *tokenizer->added_of;
    for (size_t i = 0; i < tokenizer->n_added; i++) n += tokenizer->added[i].n + tokenizer->added[i].n_search + 2;
    return n;
}

bool lag_tokenizer_knows(const struct lag_tokenizer *tokenizer, int32_t id) {
    return lag_tokenizer_bytes(tokenizer, id).n != LAG_NO_TOKEN;
}

/* Between the end of a line and a letter, where no white space but that end stands before it: no word of the known
 * patterns goes over such a place, and none depends on what follows it. */
size_t lag_tokenizer_cut(const struct lag_tokenizer *tokenizer, const char *text, size_t n) {
    if (!tokenizer->cuttable) return 0;
    for (size_t i = n; i > 2; i--) {
        const char letter = i < n ? text[i] : '\0', before = text[i - 2];
        const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
        if (is_letter && text[i - 1] == '\n' && before > ' ' && before < 0x7f) return i;
    }
    return 0;
}

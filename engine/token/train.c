/* Training of byte-level BPE. */
#include "format/json_internal.h"
#include "token/train_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/spec.h>
#include <stdlib.h>
#include <string.h>

struct lag_trainer {
    struct lag_tokenizer *tokenizer; /* what it goes on from, and what is merged */
    struct lag_splitter *splitter;
    struct lag_words words;
    struct lag_pairs pairs;
    int32_t *symbols;       /* of all words, one behind the other */
    size_t n_symbols, symbols_capacity;
    uint32_t *starts, *lengths; /* [words.n]: of their symbols */
    struct lag_merge *merged;   /* what was learnt; rank is the place of it */
    size_t n_merged, merged_capacity;
    int64_t next_id;
    int vocab_size;
    char *base;
    size_t n_base;
};

static int no_memory(struct lag_error *err) { return lag_error_set(err, LAG_ENOMEM, "out of memory to train"); }

/* --- beginning -------------------------------------------------------------------------------------------------- */

static int set_pattern(struct lag_tokenizer *tokenizer, const char *pattern, struct lag_error *err) {
    struct lag_split *split = &tokenizer->splits[tokenizer->n_splits++];
    *split = (struct lag_split){.kind = LAG_SPLIT_KNOWN, .behaviour = LAG_ISOLATED};
    for (int i = 0; i < LAG_N_PATTERNS; i++) {
        const bool named = !pattern || strcmp(pattern, lag_patterns[i].name) == 0;
        if (!named && strcmp(pattern, lag_patterns[i].regex) != 0) continue;
        split->pattern = (enum lag_pattern)i;
        return 0;
    }
    split->kind = LAG_SPLIT_REGEX;
    split->text = lag_strdup(pattern);
    if (!split->text) return no_memory(err);
    const int rc = lag_regex_create(pattern, strlen(pattern), &split->regex, err);
    if (rc != LAG_EUNSUPPORTED || !err) return rc;
    return lag_error_at(err, LAG_EINVAL, "/train/pattern", "%.300s; there are gpt2, llama3, qwen2 by name", err->text);
}

static int by_letter(const void *a, const void *b) {
    return lag_byte_letter(*(const unsigned char *)a) - lag_byte_letter(*(const unsigned char *)b);
}

static int add_alphabet(struct lag_tokenizer *tokenizer, const struct lag_train_plan *plan, struct lag_error *err) {
    unsigned char bytes[LAG_N_BYTES];
    int64_t id = 0;
    int rc = 0;
    for (int b = 0; b < LAG_N_BYTES; b++) bytes[b] = (unsigned char)b;
    qsort(bytes, LAG_N_BYTES, 1, by_letter);
    for (size_t i = 0; rc == 0 && i < plan->n_specials; i++) {
        const struct lag_added how = {.id = (int32_t)id, .special = true};
        rc = lag_tokenizer_add(tokenizer, plan->specials[i], strlen(plan->specials[i]), id++, err);
        if (rc == 0) rc = lag_added_append(tokenizer, plan->specials[i], &how, err);
        if (rc == LAG_EEXIST) rc = lag_error_at(err, LAG_EINVAL, "/train/specials", "the special token %.60s is given "
                                                "twice", plan->specials[i]);
    }
    for (int i = 0; rc == 0 && i < LAG_N_BYTES; i++) {
        const char byte = (char)bytes[i];
        rc = lag_vocab_add(&tokenizer->vocab, &byte, 1, id++, true, err);
    }
    if (rc == LAG_EEXIST)
        rc = lag_error_at(err, LAG_EINVAL, "/train/specials", "a special token must be longer than one letter");
    return rc;
}

static int begin_from_bytes(struct lag_trainer *trainer, const struct lag_train_plan *plan, struct lag_error *err) {
    struct lag_tokenizer *tokenizer = lag_tokenizer_create();
    trainer->tokenizer = tokenizer;
    if (!tokenizer) return no_memory(err);
    tokenizer->byte_level = true;
    tokenizer->decodes[tokenizer->n_decodes++].kind = LAG_DECODE_BYTES;
    int rc = set_pattern(tokenizer, plan->pattern, err);
    if (rc == 0) rc = add_alphabet(tokenizer, plan, err);
    return rc == 0 ? lag_tokenizer_finish(tokenizer, err) : rc;
}

static int begin_from_base(struct lag_trainer *trainer, const struct lag_train_plan *plan, struct lag_error *err) {
    trainer->base = malloc(plan->n_base + 1);
    if (!trainer->base) return no_memory(err);
    memcpy(trainer->base, plan->base, plan->n_base);
    trainer->n_base = plan->n_base;
    const int rc = lag_tokenizer_read(plan->base, plan->n_base, &trainer->tokenizer, err);
    if (rc != 0) return rc;
    bool whole = trainer->tokenizer->byte_level && !trainer->tokenizer->words;
    for (int b = 0; b < LAG_N_BYTES && whole; b++) whole = trainer->tokenizer->of_byte[b] != LAG_TOKEN_NONE;
    return whole ? 0 : lag_error_set(err, LAG_EUNSUPPORTED, "only a byte-level BPE that has all 256 bytes can be "
                                     "extended");
}

int lag_trainer_create(const struct lag_train_plan *plan, struct lag_trainer **ret, struct lag_error *err) {
    struct lag_trainer *trainer = lag_calloc(1, sizeof *trainer);
    if (!trainer) return no_memory(err);
    int rc = plan->base ? begin_from_base(trainer, plan, err) : begin_from_bytes(trainer, plan, err);
    if (rc == 0) {
        trainer->next_id = (int64_t)trainer->tokenizer->size;
        trainer->vocab_size = plan->vocab_size;
        trainer->splitter = lag_splitter_create(trainer->tokenizer);
        if (!trainer->splitter) rc = no_memory(err);
    }
    if (rc == 0 && (plan->vocab_size <= trainer->next_id || plan->vocab_size > LAG_MAX_VOCAB))
        rc = lag_error_at(err, LAG_EINVAL, "/train/vocab_size", "a vocabulary of %d: it must be larger than the %lld "
                          "tokens that there are already, and at most %d", plan->vocab_size,
                          (long long)trainer->next_id, LAG_MAX_VOCAB);
    if (rc == 0) *ret = trainer;
    else lag_trainer_destroy(trainer);
    return rc;
}

void lag_trainer_destroy(struct lag_trainer *trainer) {
    if (!trainer) return;
    lag_splitter_destroy(trainer->splitter);
    lag_tokenizer_destroy(trainer->tokenizer);
    lag_words_deinit(&trainer->words);
    lag_pairs_deinit(&trainer->pairs);
    free(trainer->symbols);
    free(trainer->starts);
    free(trainer->lengths);
    free(trainer->merged);
    free(trainer->base);
    free(trainer);
}

/* --- words ------------------------------------------------------------------------------------------------------ */

static int count_word(void *arg, const char *word, size_t n, struct lag_error *err) {
    struct lag_trainer *trainer = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i += LAG_TRAIN_WORD_MAX)
        rc = lag_words_count(&trainer->words, word + i, LAG_MIN(n - i, (size_t)LAG_TRAIN_WORD_MAX), err);
    return rc;
}

static int count_text(struct lag_trainer *trainer, const char *text, size_t n, struct lag_error *err) {
    if (trainer->tokenizer->n_normals == 0) return lag_split_words(trainer->splitter, text, n, count_word, trainer,
                                                                   err);
    struct lag_strbuf normal = LAG_STRBUF_INIT;
    int rc = lag_normalize(trainer->tokenizer, text, n, &normal, err);
    if (rc == 0 && normal.length > 0)
        rc = lag_split_words(trainer->splitter, normal.data, normal.length, count_word, trainer, err);
    lag_strbuf_deinit(&normal);
    return rc;
}

/* Line by line, as the library reads files. */
int lag_trainer_add(struct lag_trainer *trainer, const char *text, size_t n, struct lag_error *err) {
    int rc = 0;
    for (size_t i = 0, end; rc == 0 && i < n; i = end) {
        const char *newline = memchr(text + i, '\n', n - i);
        end = newline ? (size_t)(newline - text) + 1 : n;
        rc = count_text(trainer, text + i, end - i, err);
    }
    return rc;
}

/* --- pairs ------------------------------------------------------------------------------------------------------ */

static int begin_words(struct lag_trainer *trainer, struct lag_error *err) {
    const struct lag_words *words = &trainer->words;
    struct lag_symbols *memory = lag_symbols_create();
    struct lag_ids ids = {0};
    trainer->starts = lag_calloc(words->n, sizeof *trainer->starts);
    trainer->lengths = lag_calloc(words->n, sizeof *trainer->lengths);
    int rc = memory && trainer->starts && trainer->lengths ? 0 : no_memory(err);
    for (size_t i = 0; rc == 0 && i < words->n; i++) {
        const size_t before = ids.n;
        rc = lag_bpe_word(trainer->tokenizer, memory, words->bytes + words->of[i].start, words->of[i].n, &ids, err);
        if (rc == 0 && ids.n > UINT32_MAX) rc = lag_error_set(err, LAG_ETOOBIG, "too many different words");
        trainer->starts[i] = (uint32_t)before;
        trainer->lengths[i] = (uint32_t)(ids.n - before);
    }
    lag_symbols_destroy(memory);
    trainer->symbols = ids.at;
    trainer->n_symbols = ids.n;
    return rc;
}

static int count_pairs(struct lag_trainer *trainer, struct lag_error *err) {
    struct lag_pairs *pairs = &trainer->pairs;
    for (size_t w = 0; w < trainer->words.n; w++) {
        const int32_t *at = trainer->symbols + trainer->starts[w];
        for (uint32_t i = 0; i + 1 < trainer->lengths[w]; i++) {
            const int64_t index = lag_pairs_index(pairs, at[i], at[i + 1]);
            if (index < 0) return no_memory(err);
            pairs->of[index].count += trainer->words.of[w].count;
            if (lag_pair_add_word(&pairs->of[index], (uint32_t)w) != 0) return no_memory(err);
        }
    }
    for (size_t i = 0; i < pairs->n; i++)
        if (lag_pairs_push(pairs, (uint32_t)i) != 0) return no_memory(err);
    return 0;
}

static int change(struct lag_trainer *trainer, int32_t left, int32_t right, int64_t by, uint32_t word, int32_t round,
                  struct lag_ids *made) {
    const int64_t index = lag_pairs_index(&trainer->pairs, left, right);
    if (index < 0) return -1;
    struct lag_pair *pair = &trainer->pairs.of[index];
    pair->count += by;
    if (by < 0) return 0;
    if (lag_pair_add_word(pair, word) != 0) return -1;
    if (pair->round == round) return 0;
    pair->round = round;
    if (lag_ids_reserve(made, 1, NULL) != 0) return -1;
    made->at[made->n++] = (int32_t)index;
    return 0;
}

/* All places of the pair in one word become the id. */
static int merge_word(struct lag_trainer *trainer, const struct lag_merge *merge, uint32_t word, int32_t round,
                      struct lag_ids *made) {
    int32_t *at = trainer->symbols + trainer->starts[word];
    const uint32_t n = trainer->lengths[word];
    const int64_t count = trainer->words.of[word].count;
    uint32_t to = 0;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; to++) {
        if (at[i] != merge->left || i + 1 == n || at[i + 1] != merge->right) {
            at[to] = at[i++];
            continue;
        }
        if (to > 0) {
            rc = change(trainer, at[to - 1], merge->left, -count, word, round, made);
            if (rc == 0) rc = change(trainer, at[to - 1], merge->id, count, word, round, made);
        }
        if (rc == 0 && i + 2 < n) {
            rc = change(trainer, merge->right, at[i + 2], -count, word, round, made);
            if (rc == 0) rc = change(trainer, merge->id, at[i + 2], count, word, round, made);
        }
        at[to] = merge->id;
        i += 2;
    }
    trainer->lengths[word] = to;
    return rc;
}

/* The token of both, which may be there already by another way. */
static int learn(struct lag_trainer *trainer, int32_t left, int32_t right, struct lag_merge *ret,
                 struct lag_error *err) {
    struct lag_vocab *vocab = &trainer->tokenizer->vocab;
    const struct lag_span a = lag_vocab_at(vocab, left), b = lag_vocab_at(vocab, right);
    if (lag_grow_array((void **)&trainer->merged, &trainer->merged_capacity, trainer->n_merged + 1,
                       sizeof *trainer->merged) != 0)
        return no_memory(err);
    char *both = malloc(a.n + b.n + 1);
    if (!both) return no_memory(err);
    memcpy(both, a.at, a.n);
    memcpy(both + a.n, b.at, b.n);
    *ret = (struct lag_merge){left, right, (uint32_t)trainer->n_merged, lag_vocab_find(vocab, both, a.n + b.n)};
    int rc = 0;
    if (ret->id == LAG_TOKEN_NONE) {
        ret->id = (int32_t)trainer->next_id;
        rc = lag_vocab_add(vocab, both, a.n + b.n, trainer->next_id++, true, err);
    }
    free(both);
    if (rc == 0) trainer->merged[trainer->n_merged++] = *ret;
    return rc;
}

static int merge_pair(struct lag_trainer *trainer, int64_t index, struct lag_ids *made, struct lag_error *err) {
    struct lag_pair *pair = &trainer->pairs.of[index];
    struct lag_merge merge = {0};
    int rc = learn(trainer, pair->left, pair->right, &merge, err);
    if (rc != 0) return rc;
    uint32_t *words = LAG_TAKE(pair->words);
    const uint32_t n_words = pair->n_words;
    pair->n_words = pair->capacity = 0;
    pair->count = 0;
    made->n = 0;
    for (uint32_t i = 0; rc == 0 && i < n_words; i++)
        rc = merge_word(trainer, &merge, words[i], (int32_t)merge.rank, made);
    free(words);
    if (rc == 0) trainer->pairs.of[index].count = 0; /* of pairs that overlap themselves something is left */
    for (size_t i = 0; rc == 0 && i < made->n; i++)
        if (trainer->pairs.of[made->at[i]].count > 0) rc = lag_pairs_push(&trainer->pairs, (uint32_t)made->at[i]);
    return rc == 0 ? 0 : no_memory(err);
}

int lag_trainer_run(struct lag_trainer *trainer, const struct lag_train_watch *watch, struct lag_error *err) {
    const int n_asked = trainer->vocab_size - (int)trainer->next_id;
    struct lag_ids made = {0};
    int rc = begin_words(trainer, err);
    if (rc == 0) rc = count_pairs(trainer, err);
    while (rc == 0 && trainer->next_id < trainer->vocab_size) {
        const int64_t pair = lag_pairs_pop(&trainer->pairs);
        if (pair < 0) break;
        if (watch && !watch->goes_on(watch->arg, (int)trainer->n_merged, n_asked))
            rc = lag_error_set(err, LAG_ECANCELED, "cancelled");
        if (rc == 0) rc = merge_pair(trainer, pair, &made, err);
    }
    lag_ids_deinit(&made);
    return rc;
}

int lag_trainer_merges(const struct lag_trainer *trainer) { return (int)trainer->n_merged; }

/* --- the file --------------------------------------------------------------------------------------------------- */

/* As the base writes its merges: one text, or a pair. */
static int extend_merges(json_t *merges, bool pairs, const char *left, const char *right) {
    if (pairs) return json_array_append_new(merges, json_pack("[s,s]", left, right));
    char *both = lag_asprintf("%s %s", left, right);
    const int rc = both ? json_array_append_new(merges, json_string(both)) : -1;
    free(both);
    return rc;
}

static int extend_by(const struct lag_trainer *trainer, json_t *vocab, json_t *merges, bool pairs,
                     const struct lag_merge *merge) {
    const struct lag_vocab *of = &trainer->tokenizer->vocab;
    const struct lag_span a = lag_vocab_at(of, merge->left), b = lag_vocab_at(of, merge->right);
    struct lag_strbuf left = LAG_STRBUF_INIT, right = LAG_STRBUF_INIT, both = LAG_STRBUF_INIT;
    lag_letters_of_bytes(a.at, a.n, &left);
    lag_letters_of_bytes(b.at, b.n, &right);
    if (left.data && right.data) {
        lag_strbuf_append(&both, left.data);
        lag_strbuf_append(&both, right.data);
    }
    int rc = left.failed || right.failed || both.failed || !both.data ? -1 : 0;
    if (rc == 0) rc = json_object_set_new(vocab, both.data, json_integer(merge->id));
    if (rc == 0) rc = extend_merges(merges, pairs, left.data, right.data);
    lag_strbuf_deinit(&left);
    lag_strbuf_deinit(&right);
    lag_strbuf_deinit(&both);
    return rc;
}

static int write_extended(const struct lag_trainer *trainer, struct lag_strbuf *out, struct lag_error *err) {
    json_error_t error;
    json_t *root = json_loadb(trainer->base, trainer->n_base, 0, &error);
    json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab");
    json_t *merges = json_object_get(model, "merges");
    const bool pairs = json_is_array(json_array_get(merges, 0));
    int rc = root ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < trainer->n_merged; i++)
        rc = extend_by(trainer, vocab, merges, pairs, &trainer->merged[i]);
    if (rc != 0) {
        json_decref(root);
        return no_memory(err);
    }
    lag_json_append(out, root, JSON_INDENT(1));
    return out->failed ? no_memory(err) : 0;
}

int lag_trainer_write(const struct lag_trainer *trainer, struct lag_strbuf *out, struct lag_error *err) {
    if (trainer->base) return write_extended(trainer, out, err);
    struct lag_merges *merges = &trainer->tokenizer->merges; /* bytes alone have none before */
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < trainer->n_merged; i++) {
        const struct lag_merge *merge = &trainer->merged[i];
        rc = lag_merges_add(merges, merge->left, merge->right, merge->rank, merge->id, err);
    }
    return rc == 0 ? lag_tokenizer_write(trainer->tokenizer, out, err) : rc;
}

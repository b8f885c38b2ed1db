/* Byte pair encoding of one word: of all adjacent pairs the one of the lowest rank becomes one symbol, the leftmost
 * first, until no pair is known. Short words look through their pairs each time; long ones (a text that is not split
 * and has no seams is one word) keep them in a heap: n log n. */
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT = 24 }; /* symbols */

struct symbol {
    int32_t id; /* LAG_TOKEN_NONE: it went into the one on its left */
    uint32_t previous, next; /* UINT32_MAX: none */
};
struct pending {
    uint32_t rank, at;
    int32_t left, right, id; /* what stood there when it was noted */
};
struct lag_symbols {
    struct symbol *of;
    size_t n, capacity;
    struct pending *heap;
    size_t n_heap, heap_capacity;
};

struct lag_symbols *lag_symbols_create(void) { return lag_calloc(1, sizeof(struct lag_symbols)); }

void lag_symbols_destroy(struct lag_symbols *symbols) {
    if (!symbols) return;
    free(symbols->of);
    free(symbols->heap);
    free(symbols);
}

int lag_ids_reserve(struct lag_ids *ids, size_t more, struct lag_error *err) {
    if (ids->capacity - ids->n >= more) return 0;
    if (lag_grow_array((void **)&ids->at, &ids->capacity, ids->n + more, sizeof *ids->at) == 0) return 0;
    return lag_error_set(err, LAG_ENOMEM, "out of memory for %zu ids", ids->n + more);
}

void lag_ids_deinit(struct lag_ids *ids) {
    free(ids->at);
    *ids = (struct lag_ids){0};
}

/* --- letters to symbols ------------------------------------------------------------------------------------------- */

static void push(struct lag_symbols *symbols, int32_t id) {
    const uint32_t i = (uint32_t)symbols->n++;
    symbols->of[i] = (struct symbol){id, i - 1, i + 1}; /* the first one's previous is UINT32_MAX */
}

static int no_token(const char *letter, size_t n, bool is_byte, struct lag_error *err) {
    if (is_byte)
        return lag_error_set(err, LAG_EINVAL, "the tokenizer has no token for the byte 0x%02X, and none for what is "
                             "unknown", (unsigned char)letter[0]);
    return lag_error_set(err, LAG_EINVAL, "the tokenizer has no token for %.*s, and none for what is unknown", (int)n,
                         letter);
}

/* A letter that is no token: its bytes, or what is unknown; with fuse_unknown one for all that follow each other. As in
 * the library, what is unknown waits for the next letter that is known, and bytes pass it by. */
static int push_unknown(const struct lag_tokenizer *tokenizer, struct lag_symbols *symbols, const char *letter,
                        size_t n, bool *waits, struct lag_error *err) {
    bool has_bytes = tokenizer->byte_fallback;
    for (size_t i = 0; i < n && has_bytes; i++)
        has_bytes = tokenizer->of_byte[(unsigned char)letter[i]] != LAG_TOKEN_NONE;
    if (has_bytes) {
        for (size_t i = 0; i < n; i++) push(symbols, tokenizer->of_byte[(unsigned char)letter[i]]);
        return 0;
    }
    if (tokenizer->unknown == LAG_TOKEN_NONE) return no_token(letter, n, tokenizer->byte_level, err);
    if (*waits && !tokenizer->fuse_unknown) push(symbols, tokenizer->unknown);
    *waits = true;
    return 0;
}

static int begin_word(const struct lag_tokenizer *tokenizer, struct lag_symbols *symbols, const char *word, size_t n,
                      struct lag_error *err) {
    if (n >= UINT32_MAX / 2) return lag_error_set(err, LAG_ETOOBIG, "a word of %zu bytes is too long", n);
    if (symbols->capacity < n && lag_grow_array((void **)&symbols->of, &symbols->capacity, n, sizeof *symbols->of) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a word of %zu bytes", n);
    symbols->n = 0;
    bool waits = false;
    for (size_t i = 0; i < n;) {
        int32_t c, id;
        size_t length = 1;
        if (tokenizer->byte_level) {
            id = tokenizer->of_byte[(unsigned char)word[i]];
        } else {
            length = lag_utf8_next(word + i, n - i, &c);
            id = lag_vocab_find(&tokenizer->vocab, word + i, length);
        }
        if (id != LAG_TOKEN_NONE) {
            if (waits) push(symbols, tokenizer->unknown);
            waits = false;
            push(symbols, id);
        } else {
            const int rc = push_unknown(tokenizer, symbols, word + i, length, &waits, err);
            if (rc != 0) return rc;
        }
        i += length;
    }
    if (waits) push(symbols, tokenizer->unknown);
    if (symbols->n > 0) symbols->of[symbols->n - 1].next = UINT32_MAX;
    return 0;
}

/* --- short words -------------------------------------------------------------------------------------------------- */

static void merge_short(const struct lag_merges *merges, struct lag_symbols *symbols) {
    const struct lag_merge *pair[SHORT];
    int32_t id[SHORT];
    size_t n = symbols->n;
    for (size_t i = 0; i < n; i++) id[i] = symbols->of[i].id;
    for (size_t i = 0; i + 1 < n; i++) pair[i] = lag_merges_find(merges, id[i], id[i + 1]);
    while (n > 1) {
        const struct lag_merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if (pair[i] && (!best || pair[i]->rank < best->rank)) best = pair[at = i];
        if (!best) break;
        id[at] = best->id;
        for (size_t i = at + 1; i + 1 < n; i++) {
            id[i] = id[i + 1];
            if (i + 2 < n) pair[i] = pair[i + 1];
        }
        n--;
        if (at > 0) pair[at - 1] = lag_merges_find(merges, id[at - 1], id[at]);
        if (at + 1 < n) pair[at] = lag_merges_find(merges, id[at], id[at + 1]);
    }
    for (size_t i = 0; i < n; i++) symbols->of[i] = (struct symbol){id[i], (uint32_t)i - 1, (uint32_t)i + 1};
    symbols->of[n - 1].next = UINT32_MAX;
    symbols->n = n;
}

/* --- long words --------------------------------------------------------------------------------------------------- */

static bool before(const struct pending *a, const struct pending *b) {
    return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static int heap_push(struct lag_symbols *symbols, const struct pending *pending, struct lag_error *err) {
    if (symbols->n_heap == symbols->heap_capacity &&
        lag_grow_array((void **)&symbols->heap, &symbols->heap_capacity, symbols->n_heap + 1,
                       sizeof *symbols->heap) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a word");
    size_t i = symbols->n_heap++;
    for (; i > 0 && before(pending, &symbols->heap[(i - 1) / 2]); i = (i - 1) / 2)
        symbols->heap[i] = symbols->heap[(i - 1) / 2];
    symbols->heap[i] = *pending;
    return 0;
}

static struct pending heap_pop(struct lag_symbols *symbols) {
    struct pending *heap = symbols->heap;
    const struct pending first = heap[0], last = heap[--symbols->n_heap];
    const size_t n = symbols->n_heap;
    size_t i = 0;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &last)) break;
        heap[i] = heap[child];
        i = child;
    }
    if (n > 0) heap[i] = last;
    return first;
}

static int note_pair(const struct lag_merges *merges, struct lag_symbols *symbols, uint32_t at,
                     struct lag_error *err) {
    if (at == UINT32_MAX || symbols->of[at].next == UINT32_MAX) return 0;
    const int32_t left = symbols->of[at].id, right = symbols->of[symbols->of[at].next].id;
    const struct lag_merge *merge = lag_merges_find(merges, left, right);
    if (!merge) return 0;
    return heap_push(symbols, &(struct pending){merge->rank, at, left, right, merge->id}, err);
}

static int merge_long(const struct lag_merges *merges, struct lag_symbols *symbols, struct lag_error *err) {
    int rc = 0;
    symbols->n_heap = 0;
    for (uint32_t i = 0; rc == 0 && i < symbols->n; i++) rc = note_pair(merges, symbols, i, err);
    while (rc == 0 && symbols->n_heap > 0) {
        const struct pending best = heap_pop(symbols);
        struct symbol *left = &symbols->of[best.at];
        if (left->id != best.left || left->next == UINT32_MAX || symbols->of[left->next].id != best.right) continue;
        struct symbol *right = &symbols->of[left->next];
        left->id = best.id;
        left->next = right->next;
        right->id = LAG_TOKEN_NONE;
        if (left->next != UINT32_MAX) symbols->of[left->next].previous = best.at;
        rc = note_pair(merges, symbols, left->previous, err);
        if (rc == 0) rc = note_pair(merges, symbols, best.at, err);
    }
    return rc;
}

int lag_bpe_word(const struct lag_tokenizer *tokenizer, struct lag_symbols *symbols, const char *word, size_t n,
                 struct lag_ids *ret, struct lag_error *err) {
    if (n == 0) return 0;
    int rc = lag_ids_reserve(ret, n, err);
    if (rc != 0) return rc;
    const int32_t whole = tokenizer->ignore_merges ? lag_vocab_find(&tokenizer->vocab, word, n) : LAG_TOKEN_NONE;
    if (whole != LAG_TOKEN_NONE) {
        ret->at[ret->n++] = whole;
        return 0;
    }
    rc = begin_word(tokenizer, symbols, word, n, err);
    if (rc != 0) return rc;
    if (symbols->n > SHORT) rc = merge_long(&tokenizer->merges, symbols, err);
    else if (symbols->n > 1) merge_short(&tokenizer->merges, symbols);
    if (rc != 0) return rc;
    for (uint32_t i = symbols->n > 0 ? 0 : UINT32_MAX; i != UINT32_MAX; i = symbols->of[i].next)
        ret->at[ret->n++] = symbols->of[i].id;
    return 0;
}

/* Seams: places of a word that no merge goes over, so that what stands on both sides may be coded by itself. A merge
 * makes neighbours of the last letter on its left and the first one on its right; two letters that no merge brings
 * together stay apart whatever stands around them. So a text that is not split, and is one word, falls into small
 * parts, most of which came before. */
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

void lag_seams_deinit(struct lag_seams *seams) { free(seams->slots); }

static inline size_t slot_of(uint64_t pair) { return (size_t)(pair * 0x9e3779b97f4a7c15u >> 40); }

/* Letters below LAG_N_BYTES have bits of their own; other pairs are never 0. */
static inline bool is_joined(const struct lag_seams *seams, uint32_t left, uint32_t right) {
    if ((left | right) < LAG_N_BYTES) return seams->low[left * 4 + right / 64] >> right % 64 & 1;
    const uint64_t pair = (uint64_t)left << 32 | right;
    size_t slot = slot_of(pair) & (seams->n_slots - 1);
    for (; seams->slots[slot]; slot = (slot + 1) & (seams->n_slots - 1))
        if (seams->slots[slot] == pair) return true;
    return false;
}

static int widen(struct lag_seams *seams) {
    if (seams->n * 2 < seams->n_slots) return 0;
    const size_t n_slots = seams->n_slots ? seams->n_slots * 2 : 64;
    uint64_t *slots = lag_calloc(n_slots, sizeof *slots);
    if (!slots) return -1;
    for (size_t i = 0; i < seams->n_slots; i++) {
        if (!seams->slots[i]) continue;
        size_t slot = slot_of(seams->slots[i]) & (n_slots - 1);
        while (slots[slot]) slot = (slot + 1) & (n_slots - 1);
        slots[slot] = seams->slots[i];
    }
    free(seams->slots);
    seams->slots = slots;
    seams->n_slots = n_slots;
    return 0;
}

static int join(struct lag_seams *seams, uint32_t left, uint32_t right) {
    if (widen(seams) != 0) return -1;
    if (is_joined(seams, left, right)) return 0;
    if ((left | right) < LAG_N_BYTES) {
        seams->low[left * 4 + right / 64] |= (uint64_t)1 << right % 64;
        return 0;
    }
    const uint64_t pair = (uint64_t)left << 32 | right;
    size_t slot = slot_of(pair) & (seams->n_slots - 1);
    while (seams->slots[slot]) slot = (slot + 1) & (seams->n_slots - 1);
    seams->slots[slot] = pair;
    seams->n++;
    return 0;
}

/* The letter that a text begins with, and how long it is: a byte, or a code point (-1: a byte that begins none). */
static inline size_t letter_at(const struct lag_tokenizer *tokenizer, const char *text, size_t n, uint32_t *ret) {
    *ret = (unsigned char)text[0];
    if (tokenizer->byte_level || *ret < 0x80) return 1;
    int32_t c;
    const size_t length = lag_utf8_next(text, n, &c);
    *ret = (uint32_t)c;
    return length;
}

static uint32_t last_letter(const struct lag_tokenizer *tokenizer, struct lag_span text) {
    size_t i = text.n - 1;
    uint32_t letter;
    while (!tokenizer->byte_level && i > 0 && text.n - i < 4 && ((unsigned char)text.at[i] & 0xc0) == 0x80) i--;
    (void)letter_at(tokenizer, text.at + i, text.n - i, &letter);
    return letter;
}

/* A token that stands for a byte of a letter that is none: its text tells nothing of its neighbours. */
static bool is_byte_token(const struct lag_tokenizer *tokenizer, struct lag_span text) {
    return !tokenizer->byte_level && text.n == 6 && memcmp(text.at, "<0x", 3) == 0;
}

/* Where a letter may be unknown, whole words are needed: what is unknown waits for what follows it. */
static bool has_all_bytes(const struct lag_tokenizer *tokenizer) {
    for (int b = 0; b < LAG_N_BYTES; b++)
        if (tokenizer->of_byte[b] == LAG_TOKEN_NONE) return false;
    return true;
}

int lag_seams_find(struct lag_tokenizer *tokenizer, struct lag_error *err) {
    struct lag_seams *seams = &tokenizer->seams;
    const struct lag_merges *merges = &tokenizer->merges;
    if (tokenizer->words || tokenizer->ignore_merges || !has_all_bytes(tokenizer)) return 0;
    if (widen(seams) != 0) return lag_error_set(err, LAG_ENOMEM, "out of memory for merges");
    for (size_t i = 0; i < merges->n_slots; i++) {
        if (merges->slots[i].id == LAG_TOKEN_NONE) continue;
        const struct lag_span left = lag_vocab_at(&tokenizer->vocab, merges->slots[i].left);
        const struct lag_span right = lag_vocab_at(&tokenizer->vocab, merges->slots[i].right);
        uint32_t first;
        if (left.n == 0 || right.n == 0 || is_byte_token(tokenizer, left) || is_byte_token(tokenizer, right)) return 0;
        (void)letter_at(tokenizer, right.at, right.n, &first);
        if (join(seams, last_letter(tokenizer, left), first) != 0)
            return lag_error_set(err, LAG_ENOMEM, "out of memory for merges");
    }
    seams->known = true;
    return 0;
}

size_t lag_seams_next(const struct lag_tokenizer *tokenizer, const char *text, size_t n) {
    uint32_t left, right;
    size_t i = letter_at(tokenizer, text, n, &left);
    while (i < n) {
        const size_t length = letter_at(tokenizer, text + i, n - i, &right);
        if (!is_joined(&tokenizer->seams, left, right)) return i;
        left = right;
        i += length;
    }
    return n;
}

/* Pairs of symbols: how often each occurs and in which words, and a heap by that. What the heap says of a pair may be
 * out of date, never too low: it is put right when the pair comes up. */
#include "token/train_internal.h"
#include <lagd/base/mem.h>
#include <stdlib.h>

void lag_pairs_deinit(struct lag_pairs *pairs) {
    for (size_t i = 0; i < pairs->n; i++) free(pairs->of[i].words);
    free(pairs->of);
    free(pairs->slots);
    free(pairs->heap);
}

static size_t hash_of(int32_t left, int32_t right) {
    const uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return (size_t)(hash ^ hash >> 29);
}

static int widen(struct lag_pairs *pairs) {
    if (pairs->n * 2 < pairs->n_slots) return 0;
    const size_t n_slots = pairs->n_slots ? pairs->n_slots * 2 : 1 << 14;
    uint32_t *slots = lag_calloc(n_slots, sizeof *slots);
    if (!slots) return -1;
    for (size_t i = 0; i < pairs->n; i++) {
        size_t slot = hash_of(pairs->of[i].left, pairs->of[i].right) & (n_slots - 1);
        while (slots[slot]) slot = (slot + 1) & (n_slots - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    free(pairs->slots);
    pairs->slots = slots;
    pairs->n_slots = n_slots;
    return 0;
}

int64_t lag_pairs_index(struct lag_pairs *pairs, int32_t left, int32_t right) {
    if (widen(pairs) != 0) return -1;
    size_t slot = hash_of(left, right) & (pairs->n_slots - 1);
    for (; pairs->slots[slot]; slot = (slot + 1) & (pairs->n_slots - 1)) {
        const struct lag_pair *pair = &pairs->of[pairs->slots[slot] - 1];
        if (pair->left == left && pair->right == right) return pairs->slots[slot] - 1;
    }
    if (pairs->n >= UINT32_MAX - 1 ||
        lag_grow_array((void **)&pairs->of, &pairs->capacity, pairs->n + 1, sizeof *pairs->of) != 0)
        return -1;
    pairs->of[pairs->n] = (struct lag_pair){.left = left, .right = right, .round = -1};
    pairs->slots[slot] = (uint32_t)++pairs->n;
    return (int64_t)pairs->n - 1;
}

int lag_pair_add_word(struct lag_pair *pair, uint32_t word) {
    if (pair->n_words > 0 && pair->words[pair->n_words - 1] == word) return 0;
    if (pair->n_words == pair->capacity) {
        const uint32_t capacity = pair->capacity ? pair->capacity * 2 : 2;
        uint32_t *words = realloc(pair->words, capacity * sizeof *words);
        if (!words) return -1;
        pair->words = words;
        pair->capacity = capacity;
    }
    pair->words[pair->n_words++] = word;
    return 0;
}

static bool before(const struct lag_candidate *a, const struct lag_candidate *b) {
    if (a->count != b->count) return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

int lag_pairs_push(struct lag_pairs *pairs, uint32_t index) {
    if (lag_grow_array((void **)&pairs->heap, &pairs->heap_capacity, pairs->n_heap + 1, sizeof *pairs->heap) != 0)
        return -1;
    const struct lag_pair *pair = &pairs->of[index];
    const struct lag_candidate candidate = {pair->count, pair->left, pair->right, index};
    size_t i = pairs->n_heap++;
    for (; i > 0 && before(&candidate, &pairs->heap[(i - 1) / 2]); i = (i - 1) / 2)
        pairs->heap[i] = pairs->heap[(i - 1) / 2];
    pairs->heap[i] = candidate;
    return 0;
}

/* The candidate goes down from the top to where it belongs. */
static void sink(struct lag_pairs *pairs, struct lag_candidate candidate) {
    struct lag_candidate *heap = pairs->heap;
    size_t i = 0;
    for (size_t child = 1; child < pairs->n_heap; child = 2 * i + 1) {
        if (child + 1 < pairs->n_heap && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &candidate)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = candidate;
}

int64_t lag_pairs_pop(struct lag_pairs *pairs) {
    while (pairs->n_heap > 0) {
        struct lag_candidate top = pairs->heap[0];
        const int64_t count = pairs->of[top.pair].count;
        if (count == top.count && count > 0) {
            if (--pairs->n_heap > 0) sink(pairs, pairs->heap[pairs->n_heap]);
            return top.pair;
        }
        if (count > 0 && count < top.count) {
            top.count = count;
            sink(pairs, top);
        } else if (--pairs->n_heap > 0) { /* it is gone, or stands elsewhere in the heap with more */
            sink(pairs, pairs->heap[pairs->n_heap]);
        }
    }
    return -1;
}

/* What the parts of the trainer share: words with counts, pairs with the words they stand in. */
#pragma once
#include "token/token_internal.h"
#include <lagd/engine/token_train.h>

/* --- words.c: different words and how often each came ----------------------------------------------------------- */

struct lag_word {
    uint64_t hash;
    uint32_t start, n; /* of its bytes */
    int64_t count;
};
struct lag_words {
    char *bytes;
    size_t n_bytes, bytes_capacity;
    struct lag_word *of;
    size_t n, capacity;
    uint32_t *slots; /* [n_slots] of index + 1 */
    size_t n_slots;
};
void lag_words_deinit(struct lag_words *words);
int lag_words_count(struct lag_words *words, const char *word, size_t n, struct lag_error *err);

/* --- pairs.c: pairs, how often each occurs, where; and a heap of them ------------------------------------------- */

struct lag_pair {
    int32_t left, right;
    int64_t count;
    uint32_t *words; /* [n_words]: those that it may stand in. owned */
    uint32_t n_words, capacity;
    int32_t round;   /* of the merge that last made it more often */
};
struct lag_pairs {
    struct lag_pair *of;
    size_t n, capacity;
    uint32_t *slots; /* [n_slots] of index + 1 */
    size_t n_slots;
    struct lag_candidate {
        int64_t count;
        int32_t left, right;
        uint32_t pair;
    } *heap;
    size_t n_heap, heap_capacity;
};
void lag_pairs_deinit(struct lag_pairs *pairs);
/* Its index, made where it is new. -1: out of memory. */
int64_t lag_pairs_index(struct lag_pairs *pairs, int32_t left, int32_t right);
int lag_pair_add_word(struct lag_pair *pair, uint32_t word); /* -1: out of memory */
int lag_pairs_push(struct lag_pairs *pairs, uint32_t pair);  /* as it counts now; -1: out of memory */
/* The pair that occurs most often; -1: none is left. */
int64_t lag_pairs_pop(struct lag_pairs *pairs);

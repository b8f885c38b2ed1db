/* Different words and how often each came. */
#include "token/train_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>
#include <string.h>

void lag_words_deinit(struct lag_words *words) {
    free(words->bytes);
    free(words->of);
    free(words->slots);
}

static int widen(struct lag_words *words) {
    if (words->n * 2 < words->n_slots) return 0;
    const size_t n_slots = words->n_slots ? words->n_slots * 2 : 1 << 14;
    uint32_t *slots = lag_calloc(n_slots, sizeof *slots);
    if (!slots) return -1;
    for (size_t i = 0; i < words->n; i++) {
        size_t slot = words->of[i].hash & (n_slots - 1);
        while (slots[slot]) slot = (slot + 1) & (n_slots - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    free(words->slots);
    words->slots = slots;
    words->n_slots = n_slots;
    return 0;
}

int lag_words_count(struct lag_words *words, const char *word, size_t n, struct lag_error *err) {
    if (widen(words) != 0) return lag_error_set(err, LAG_ENOMEM, "out of memory for words");
    const uint64_t hash = lag_token_hash(word, n);
    size_t slot = hash & (words->n_slots - 1);
    for (; words->slots[slot]; slot = (slot + 1) & (words->n_slots - 1)) {
        struct lag_word *known = &words->of[words->slots[slot] - 1];
        if (known->hash != hash || known->n != n || memcmp(words->bytes + known->start, word, n) != 0) continue;
        known->count++;
        return 0;
    }
    if (words->n_bytes + n >= UINT32_MAX)
        return lag_error_set(err, LAG_ETOOBIG, "the text has more different words than can be counted (4 GiB of them): "
                             "train on a part of it");
    if (lag_grow_array((void **)&words->bytes, &words->bytes_capacity, words->n_bytes + n, 1) != 0 ||
        lag_grow_array((void **)&words->of, &words->capacity, words->n + 1, sizeof *words->of) != 0)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for words");
    memcpy(words->bytes + words->n_bytes, word, n);
    words->of[words->n] = (struct lag_word){hash, (uint32_t)words->n_bytes, (uint32_t)n, 1};
    words->n_bytes += n;
    words->slots[slot] = (uint32_t)++words->n;
    return 0;
}

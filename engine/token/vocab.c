/* Ids and their bytes, both ways. */
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/spec.h>
#include <stdlib.h>
#include <string.h>

uint64_t lag_token_hash(const char *bytes, size_t n) {
    uint64_t hash = 0x9e3779b97f4a7c15u ^ n;
    for (; n >= 8; n -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++) word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    return hash ^ hash >> 29;
}

void lag_vocab_deinit(struct lag_vocab *vocab) {
    free(vocab->bytes);
    free(vocab->starts);
    free(vocab->lengths);
    free(vocab->slots);
    free(vocab->hidden);
}

struct lag_span lag_vocab_at(const struct lag_vocab *vocab, int64_t id) {
    if (id < 0 || (uint64_t)id >= vocab->n_ids || vocab->lengths[id] == LAG_NO_TOKEN)
        return (struct lag_span){NULL, LAG_NO_TOKEN};
    return (struct lag_span){vocab->bytes + vocab->starts[id], vocab->lengths[id]};
}

/* The slot of the token, or the free one where it would go. */
static size_t find_slot(const struct lag_vocab *vocab, const char *bytes, size_t n) {
    size_t slot = lag_token_hash(bytes, n) & (vocab->n_slots - 1);
    for (; vocab->slots[slot]; slot = (slot + 1) & (vocab->n_slots - 1)) {
        const uint32_t id = vocab->slots[slot] - 1;
        if (vocab->lengths[id] == n && memcmp(vocab->bytes + vocab->starts[id], bytes, n) == 0) break;
    }
    return slot;
}

int32_t lag_vocab_find(const struct lag_vocab *vocab, const char *bytes, size_t n) {
    if (vocab->n_slots == 0) return LAG_TOKEN_NONE;
    const uint32_t found = vocab->slots[find_slot(vocab, bytes, n)];
    return found ? (int32_t)(found - 1) : LAG_TOKEN_NONE;
}

static int widen_slots(struct lag_vocab *vocab) {
    if (vocab->n_tokens * 2 < vocab->n_slots) return 0;
    const size_t n_slots = vocab->n_slots ? vocab->n_slots * 2 : 1024;
    uint32_t *slots = lag_calloc(n_slots, sizeof *slots);
    if (!slots) return -1;
    free(vocab->slots);
    vocab->slots = slots;
    vocab->n_slots = n_slots;
    for (size_t id = 0; id < vocab->n_ids; id++) {
        if (vocab->lengths[id] == LAG_NO_TOKEN || lag_vocab_hides(vocab, (int64_t)id)) continue;
        slots[find_slot(vocab, vocab->bytes + vocab->starts[id], vocab->lengths[id])] = (uint32_t)id + 1;
    }
    return 0;
}

static int widen_ids(struct lag_vocab *vocab, size_t need) {
    size_t starts_capacity = vocab->capacity, lengths_capacity = vocab->capacity;
    const size_t hidden_before = vocab->hidden_capacity;
    if (lag_grow_array((void **)&vocab->hidden, &vocab->hidden_capacity, need / 8 + 1, 1) != 0) return -1;
    memset(vocab->hidden + hidden_before, 0, vocab->hidden_capacity - hidden_before);
    if (lag_grow_array((void **)&vocab->starts, &starts_capacity, need, sizeof *vocab->starts) != 0) return -1;
    if (lag_grow_array((void **)&vocab->lengths, &lengths_capacity, need, sizeof *vocab->lengths) != 0) return -1;
    vocab->capacity = lengths_capacity;
    for (; vocab->n_ids < need; vocab->n_ids++) vocab->lengths[vocab->n_ids] = LAG_NO_TOKEN;
    return 0;
}

int lag_vocab_add(struct lag_vocab *vocab, const char *bytes, size_t n, int64_t id, bool findable,
                  struct lag_error *err) {
    if (id < 0 || id >= LAG_MAX_VOCAB)
        return lag_error_set(err, LAG_ECORRUPT, "the token %.*s has the id %lld; allowed are 0 to %d",
                             (int)(n < 60 ? n : 60), bytes, (long long)id, LAG_MAX_VOCAB - 1);
    if (lag_vocab_at(vocab, id).n != LAG_NO_TOKEN)
        return lag_error_set(err, LAG_EEXIST, "two tokens have the id %lld", (long long)id);
    if (findable && lag_vocab_find(vocab, bytes, n) != LAG_TOKEN_NONE)
        return lag_error_set(err, LAG_EEXIST, "the token %.*s has two ids", (int)(n < 60 ? n : 60), bytes);
    const bool fits = vocab->n_bytes + n < UINT32_MAX &&
                      lag_grow_array((void **)&vocab->bytes, &vocab->bytes_capacity, vocab->n_bytes + n + 1, 1) == 0 &&
                      ((size_t)id < vocab->n_ids || widen_ids(vocab, (size_t)id + 1) == 0) && widen_slots(vocab) == 0;
    if (!fits) return lag_error_set(err, LAG_ENOMEM, "out of memory for a vocabulary");
    if (n > 0) memcpy(vocab->bytes + vocab->n_bytes, bytes, n);
    vocab->starts[id] = (uint32_t)vocab->n_bytes;
    const size_t slot = find_slot(vocab, bytes, n);
    vocab->lengths[id] = (uint32_t)n;
    if (findable) vocab->slots[slot] = (uint32_t)id + 1;
    else vocab->hidden[id / 8] |= (uint8_t)(1u << id % 8);
    vocab->n_bytes += n;
    vocab->n_tokens++;
    return 0;
}

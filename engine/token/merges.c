/* Pairs of ids and what they become. */
#include "token/token_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdlib.h>

void lag_merges_deinit(struct lag_merges *merges) { free(merges->slots); }

static inline size_t slot_of(int32_t left, int32_t right) {
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    const uint64_t hash = pair * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32 ^ hash >> 13);
}

static struct lag_merge *find_slot(const struct lag_merges *merges, int32_t left, int32_t right) {
    const size_t mask = merges->n_slots - 1;
    size_t slot = slot_of(left, right) & mask;
    for (;; slot = (slot + 1) & mask) {
        struct lag_merge *merge = &merges->slots[slot];
        if (merge->id == LAG_TOKEN_NONE || (merge->left == left && merge->right == right)) return merge;
    }
}

const struct lag_merge *lag_merges_find(const struct lag_merges *merges, int32_t left, int32_t right) {
    if (merges->n_slots == 0) return NULL;
    const struct lag_merge *found = find_slot(merges, left, right);
    return found->id == LAG_TOKEN_NONE ? NULL : found;
}

static int widen(struct lag_merges *merges) {
    if (merges->n * 2 < merges->n_slots) return 0;
    const struct lag_merges old = *merges;
    const size_t n_slots = old.n_slots ? old.n_slots * 2 : 1024;
    merges->slots = lag_calloc(n_slots, sizeof *merges->slots);
    if (!merges->slots) {
        *merges = old;
        return -1;
    }
    merges->n_slots = n_slots;
    for (size_t i = 0; i < n_slots; i++) merges->slots[i].id = LAG_TOKEN_NONE;
    for (size_t i = 0; i < old.n_slots; i++)
        if (old.slots[i].id != LAG_TOKEN_NONE)
            *find_slot(merges, old.slots[i].left, old.slots[i].right) = old.slots[i];
    free(old.slots);
    return 0;
}

int lag_merges_add(struct lag_merges *merges, int32_t left, int32_t right, uint32_t rank, int32_t id,
                   struct lag_error *err) {
    if (widen(merges) != 0) return lag_error_set(err, LAG_ENOMEM, "out of memory for merges");
    struct lag_merge *slot = find_slot(merges, left, right);
    if (slot->id == LAG_TOKEN_NONE) merges->n++;
    *slot = (struct lag_merge){left, right, rank, id};
    return 0;
}

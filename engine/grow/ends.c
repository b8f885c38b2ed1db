/* Growth of what a model reads: more tokens, longer texts. Rows are appended, and none of old is renumbered or changed.
 *
 * A new token's row that is the mean of all others has the mean of their logits, so that the sum of a softmax grows by
 * 1 + n / V at most: that bounds the divergence from the parent by log(1 + n / V). A causal model never sees positions
 * that it has not come to, so texts as long as before keep every bit of the function. New rows have no history. */
#include "grow/grow_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <inttypes.h>
#include <stdio.h>

enum filling { FILL_FRESH, FILL_MEAN, FILL_TILE, FILL_LAST, FILL_BETWEEN };
struct end_rule {
    enum lag_space space;
    enum filling filling;
};
static const struct end_rule rules[LAG_N_OPS] = {
    [LAG_OP_VOCAB_MEAN] = {LAG_SPACE_VOCAB, FILL_MEAN},
    [LAG_OP_VOCAB_RANDOM] = {LAG_SPACE_VOCAB, FILL_FRESH},
    [LAG_OP_CONTEXT_TILE] = {LAG_SPACE_CONTEXT, FILL_TILE},
    [LAG_OP_CONTEXT_LAST] = {LAG_SPACE_CONTEXT, FILL_LAST},
    [LAG_OP_CONTEXT_STRETCH] = {LAG_SPACE_CONTEXT, FILL_BETWEEN},
};

/* Row i of n, where n_from were: it reads as its source does, and takes no part of its gradients. */
static struct lag_unit fill(enum filling filling, int i, int n, int n_from) {
    struct lag_unit unit = {.source = i, .write = 1, .read = 1};
    if (i < n_from) return unit;
    unit = (struct lag_unit){.source = -1, .read = 1};
    if (filling == FILL_TILE) unit.source = i % n_from;
    if (filling == FILL_LAST) unit.source = n_from - 1;
    if (filling != FILL_BETWEEN) return unit;
    const double place = (double)i * (n_from - 1) / (n - 1); /* in the text as long as before */
    unit.source = (int)place < n_from - 1 ? (int)place : n_from - 1;
    unit.blend = place - unit.source;
    return unit;
}

int lag_ends_build(const struct lag_operator *op, const double *params, const struct lag_spec *from,
                   const struct lag_spec *to, struct lag_width *width, struct lag_error *err) {
    const struct end_rule *rule = &rules[lag_op_index(op)];
    const int n_from = lag_space_size(from, rule->space), n = lag_space_size(to, rule->space);
    struct lag_space_map *map = &width->maps[rule->space];
    char pointer[64];
    if (n == n_from) return 0;
    (void)snprintf(pointer, sizeof(pointer), "/target/%s", op->axes);
    if (n < n_from)
        return lag_error_at(err, LAG_EINVAL, pointer, "%s would shrink from %d to %d: a growth only adds", op->axes,
                            n_from, n);
    map->units = lag_calloc((size_t)n, sizeof(*map->units));
    if (!map->units) return lag_error_set(err, LAG_ENOMEM, "out of memory for %d rows", n);
    for (int i = 0; i < n; i++) map->units[i] = fill(rule->filling, i, n, n_from);
    map->n = n;
    map->n_from = n_from;
    map->is_read = true;
    map->is_mean = rule->filling == FILL_MEAN;
    map->noise = lag_operator_value(op, params, "noise");
    width->widens = true;
    return 0;
}

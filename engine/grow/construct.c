/* Constructors of recipes, one an operator.
 *
 * Each fills the draft from the parent's depth up to the target. Where an operator has a block, it is applied in rounds
 * to the list made so far, and the last round is the same operator with the smaller block that is still missing. L =
 * the parent's depth, L' = the target, n = the length so far. Sources: Du et al., arXiv 2405.15319, and those named in
 * the operator table. */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <string.h>

/* Opens a gap of count entries before position at. */
static struct lag_layer_src *open_gap(struct lag_draft *draft, int at, int count) {
    LAG_ASSERT(at >= 0 && at <= draft->n && draft->n + count <= draft->target);
    struct lag_layer_src *gap = draft->layers + at;
    memmove(gap + count, gap, (size_t)(draft->n - at) * sizeof(*gap));
    draft->n += count;
    return gap;
}

/* Inserts before position at what stands in [begin, begin + count) of the list so far. */
static void insert_copies(struct lag_draft *draft, int begin, int count, int at, bool zero_out) {
    LAG_ASSERT(begin >= 0 && count >= 1 && begin + count <= draft->n);
    struct lag_layer_src *gap = open_gap(draft, at, count);
    for (int i = 0; i < count; i++) {
        int from = begin + i < at ? begin + i : begin + i + count; /* those at or behind `at` have moved */
        gap[i] = draft->layers[from];
        gap[i].zero_out = gap[i].zero_out || zero_out;
    }
}

/* Inserts the parent's layers [begin, begin + count) before position at. */
static void insert_parent(struct lag_draft *draft, int begin, int count, int at) {
    struct lag_layer_src *gap = open_gap(draft, at, count);
    for (int i = 0; i < count; i++) gap[i] = (struct lag_layer_src){.source = begin + i};
}

static int missing(const struct lag_draft *draft) { return draft->target - draft->n; }

/* A block longer than the parent cannot be copied. */
static int check_block(const struct lag_draft *draft, const struct lag_strategy *strategy, int begin, int *ret_block,
                       struct lag_error *err) {
    int block = (int)lag_strategy_param(strategy, "block");
    if (begin >= draft->n_parent) {
        return lag_error_at(err, LAG_EINVAL, "/params/start", "start is %d, but the model has %d layers: at most %d",
                            begin, draft->n_parent, draft->n_parent - 1);
    }
    if (begin + block > draft->n_parent) {
        return lag_error_at(err, LAG_EINVAL, "/params/block",
                            "a block of %d layers from layer %d does not fit a model of %d layers: at most %d", block,
                            begin, draft->n_parent, draft->n_parent - begin);
    }
    *ret_block = block;
    return 0;
}

/* STACK: src[i] = i mod L. A round copies the parent whole; the last one its lowest layers. */
static void fill_stack(struct lag_draft *draft, bool zero_out) {
    while (missing(draft) > 0) insert_copies(draft, 0, LAG_MIN(draft->n_parent, missing(draft)), draft->n, zero_out);
}
static int construct_stack(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    (void)strategy, (void)err;
    fill_stack(draft, false);
    return 0;
}
/* G_zero: the same with zeroed copies. */
static int construct_zero_stack(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    (void)strategy, (void)err;
    fill_stack(draft, true);
    return 0;
}

/* INTERLEAVE: src[i] = ⌊i L / L'⌋, which is i / g for L' = g L, and spreads the copies evenly otherwise. */
static int construct_interleave(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    (void)strategy, (void)err;
    for (int i = 0; i < draft->target; i++) {
        draft->layers[i] = (struct lag_layer_src){.source = (int)((int64_t)i * draft->n_parent / draft->target)};
    }
    draft->n = draft->target;
    return 0;
}

/* GRADSTACK(b): a round puts the last b layers on top once more. */
static int fill_gradual(struct lag_draft *draft, const struct lag_strategy *strategy, bool zero_out,
                        struct lag_error *err) {
    int block;
    int rc = check_block(draft, strategy, 0, &block, err);
    if (rc) return rc;
    while (missing(draft) > 0) {
        int b = LAG_MIN(block, missing(draft));
        insert_copies(draft, draft->n - b, b, draft->n, zero_out);
    }
    return 0;
}
static int construct_gradual(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    return fill_gradual(draft, strategy, false, err);
}
static int construct_zero_top(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    return fill_gradual(draft, strategy, true, err);
}

/* Where the b middle layers of n begin; of an odd rest one layer more lies below them than above. */
static int middle_begin(int n, int b) { return (n - b + 1) / 2; }

/* MIDAS(b): of the n/b blocks counted from the bottom, number ⌈(n/b)/2⌉ (from 1) is copied behind itself. Where b does
 * not divide n there are no such blocks: the b middle layers are copied. */
static void midas_round(struct lag_draft *draft, int b) {
    const bool whole = draft->n % b == 0;
    const int begin = whole ? (draft->n / b - 1) / 2 * b : middle_begin(draft->n, b);
    insert_copies(draft, begin, b, begin + b, false);
}
static int construct_midas(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    int block;
    int rc = check_block(draft, strategy, 0, &block, err);
    if (rc) return rc;
    while (missing(draft) > 0) midas_round(draft, LAG_MIN(block, missing(draft)));
    return 0;
}

/* LIDAS(b): with an even number of blocks there is a seam between the two middle ones; the last ⌊b/2⌋ layers below it
 * and the first b - ⌊b/2⌋ above it form the new block, which goes between them: the b middle layers, opened in their
 * middle. So it is where b does not divide n. An odd number of whole blocks has no seam: a MIDAS round. */
static int construct_lidas(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    int block;
    int rc = check_block(draft, strategy, 0, &block, err);
    if (rc) return rc;
    while (missing(draft) > 0) {
        const int b = LAG_MIN(block, missing(draft)), begin = middle_begin(draft->n, b);
        if (draft->n % b == 0 && draft->n / b % 2 == 1) midas_round(draft, b);
        else insert_copies(draft, begin, b, begin + b / 2, false);
    }
    return 0;
}

/* RANGE(s, b, p): [0, p) + the parent's [s, s+b), once a round + [p, L). The last round takes the block's lowest
 * layers. */
static int construct_range(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    int begin = (int)lag_strategy_param(strategy, "start"), at = (int)lag_strategy_param(strategy, "at"), block;
    int rc = check_block(draft, strategy, begin, &block, err);
    if (rc) return rc;
    if (at > draft->n_parent) {
        return lag_error_at(err, LAG_EINVAL, "/params/at", "at is %d, but the model has %d layers: at most %d, or -1",
                            at, draft->n_parent, draft->n_parent);
    }
    if (at < 0) at = draft->n_parent;
    while (missing(draft) > 0) {
        insert_parent(draft, begin, LAG_MIN(block, missing(draft)), at + draft->n - draft->n_parent);
    }
    return 0;
}

/* PARTIAL(s, b, r): [0, s) + r × [s, s+b) + [s+b, L), r as large as the target needs; the last copy is cut to its
 * lowest layers. A repeat that is given bounds r. */
static int construct_partial(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    int begin = (int)lag_strategy_param(strategy, "start"), repeat = (int)lag_strategy_param(strategy, "repeat"), block;
    int rc = check_block(draft, strategy, begin, &block, err);
    if (rc) return rc;
    if (repeat > 0 && (repeat - 1) * block < missing(draft)) {
        return lag_error_at(err, LAG_EINVAL, "/params/repeat",
                            "%d times a block of %d layers make %d layers, not %d: raise repeat or leave it 0", repeat,
                            block, draft->n_parent + (repeat - 1) * block, draft->target);
    }
    while (missing(draft) > 0) {
        insert_parent(draft, begin, LAG_MIN(block, missing(draft)), begin + block + draft->n - draft->n_parent);
    }
    return 0;
}

/* What a copy begins with instead of its source's whole effect. */
enum copies { COPIES_ZEROED, COPIES_SHUT, COPIES_MASKED };

/* LLAMAPRO(q): places are behind layers q-1, 2q-1, …; a round puts a copy of the layer, zeroed or held back, at each
 * of the P = L/q places. When m < P are missing, copy j goes to place ⌊(j+1) P / m⌋ - 1: with q = 1 this is the
 * released code's "behind each group of L/m layers" (LLaMA-Pro, block_expansion). */
static int spread_copies(struct lag_draft *draft, const struct lag_strategy *strategy, enum copies copies,
                         struct lag_error *err) {
    int every = (int)lag_strategy_param(strategy, "every"), n_places = draft->n_parent / every;
    if (n_places == 0) {
        return lag_error_at(err, LAG_EINVAL, "/params/every", "every is %d, but the model has %d layers: at most %d",
                            every, draft->n_parent, draft->n_parent);
    }
    LAG_CLEANUP(lag_free_p) int *n_copies = lag_calloc((size_t)draft->n_parent, sizeof(*n_copies));
    if (!n_copies) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    for (int left = missing(draft); left > 0;) {
        int m = LAG_MIN(left, n_places);
        for (int j = 0; j < m; j++) n_copies[every * ((j + 1) * n_places / m) - 1]++;
        left -= m;
    }
    draft->n = 0;
    for (int i = 0; i < draft->n_parent; i++) {
        for (int c = 0; c <= n_copies[i]; c++) {
            const bool is_copy = c > 0;
            draft->layers[draft->n++] = (struct lag_layer_src){
                .source = i, .zero_out = is_copy && copies == COPIES_ZEROED, .shut = is_copy && copies == COPIES_SHUT,
                .masked = is_copy && copies == COPIES_MASKED};
        }
    }
    return 0;
}
static int construct_llama_pro(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    return spread_copies(draft, strategy, COPIES_ZEROED, err);
}
static int construct_gate_zero(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    return spread_copies(draft, strategy, COPIES_SHUT, err);
}
static int construct_masked_copy(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    return spread_copies(draft, strategy, COPIES_MASKED, err);
}

/* Gap g is between parent layers g and g + 1. Of m missing layers it has ⌊(g + 1) m / G⌋ - ⌊g m / G⌋, with G = L - 1; a
 * single layer has none, and is copied. */
static int construct_interpolate(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    (void)strategy, (void)err;
    const int64_t m = missing(draft), n_gaps = draft->n_parent - 1;
    draft->n = 0;
    for (int g = 0; g < draft->n_parent; g++) {
        int64_t count = g < n_gaps ? (g + 1) * m / n_gaps - g * m / n_gaps : 0;
        if (n_gaps == 0) count = m;
        draft->layers[draft->n++] = (struct lag_layer_src){.source = g};
        for (int64_t i = 0; i < count; i++)
            draft->layers[draft->n++] = (struct lag_layer_src){.source = g, .blend = n_gaps > 0 ? 0.5 : 0};
    }
    return 0;
}

/* Fresh layers in one piece before parent layer `at`, or on top. */
static int fill_random(struct lag_draft *draft, const struct lag_strategy *strategy, bool zero_out, bool masked,
                       struct lag_error *err) {
    int at = (int)lag_strategy_param(strategy, "at"), count = missing(draft);
    if (at > draft->n_parent) {
        return lag_error_at(err, LAG_EINVAL, "/params/at", "at is %d, but the model has %d layers: at most %d, or -1",
                            at, draft->n_parent, draft->n_parent);
    }
    struct lag_layer_src *gap = open_gap(draft, at < 0 ? draft->n_parent : at, count);
    for (int i = 0; i < count; i++)
        gap[i] = (struct lag_layer_src){.source = -1, .zero_out = zero_out, .masked = masked};
    return 0;
}
static int construct_random(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    return fill_random(draft, strategy, false, false, err);
}
static int construct_zero_random(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    return fill_random(draft, strategy, true, false, err);
}
/* MSG in depth. */
static int construct_masked_random(struct lag_draft *draft, const struct lag_strategy *strategy,
                                   struct lag_error *err) {
    return fill_random(draft, strategy, false, true, err);
}

/* The reference keeps the parent's depth (lag_recipe_build sets the target to it), and so do width operators. */
static int construct_none(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err) {
    (void)draft, (void)strategy, (void)err;
    return 0;
}

lag_construct_fn *const lag_constructors[LAG_N_OPS] = {
    [LAG_OP_STACK] = construct_stack,
    [LAG_OP_INTERLEAVE] = construct_interleave,
    [LAG_OP_GRADUAL_STACK] = construct_gradual,
    [LAG_OP_MIDAS] = construct_midas,
    [LAG_OP_LIDAS] = construct_lidas,
    [LAG_OP_RANGE] = construct_range,
    [LAG_OP_PARTIAL_STACK] = construct_partial,
    [LAG_OP_LLAMA_PRO] = construct_llama_pro,
    [LAG_OP_ZERO_STACK] = construct_zero_stack,
    [LAG_OP_ZERO_TOP] = construct_zero_top,
    [LAG_OP_ZERO_RANDOM] = construct_zero_random,
    [LAG_OP_RANDOM] = construct_random,
    [LAG_OP_INTERPOLATE] = construct_interpolate,
    [LAG_OP_GATE_ZERO] = construct_gate_zero,
    [LAG_OP_MASKED_COPY] = construct_masked_copy,
    [LAG_OP_MASKED_RANDOM] = construct_masked_random,
    [LAG_OP_LIGO] = construct_stack,
    [LAG_OP_CLONE_WIDTH] = construct_none,
    [LAG_OP_LEMON] = construct_none,
    [LAG_OP_FPI] = construct_none,
    [LAG_OP_AKI] = construct_none,
    [LAG_OP_CLONE_DIAGONAL] = construct_none,
    [LAG_OP_ZERO_FANOUT] = construct_none,
    [LAG_OP_ZERO_BLOCK] = construct_none,
    [LAG_OP_RANDOM_WIDTH] = construct_none,
    [LAG_OP_MASKED_WIDTH] = construct_none,
    [LAG_OP_LIGO_WIDTH] = construct_none,
    [LAG_OP_FUSE] = construct_none,
    [LAG_OP_VOCAB_MEAN] = construct_none,
    [LAG_OP_VOCAB_RANDOM] = construct_none,
    [LAG_OP_CONTEXT_TILE] = construct_none,
    [LAG_OP_CONTEXT_LAST] = construct_none,
    [LAG_OP_CONTEXT_STRETCH] = construct_none,
    [LAG_OP_NONE] = construct_none,
};

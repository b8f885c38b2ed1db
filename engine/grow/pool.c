/* Pools of strategies, and when two strategies are one candidate. */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <string.h>

const struct lag_pool lag_pools[] = {
    {"default", "Operators of the directions in which the target grows, each once, all under one optimiser rule and "
                "one learning-rate rule (inherit and continue, unless the request names others): what differs is the "
                "operator. At most ten; fewer where operators coincide."},
    {"depth", "The default's operators of depth, for targets that grow n_layer; each beside clone_width where the "
              "target grows width too: what differs is the operator of depth."},
    {"width", "The default's operators of width, for targets that grow n_embd, n_head, head_dim or n_inner; each "
              "beside stack where the target grows n_layer too: what differs is the operator of width."},
    {"all", "The default, and the operators that it leaves out: with LiGO, whose steps of learning come beside its "
            "probe and are counted in what a dry run tells."},
    {"preserving", "Those of all that keep the function: the grown model begins with the parent's loss."},
    {"published", "The published recipes that grow as the target does, each with its own rules."},
    {"blocks", "A copy of each block of layers, right behind it, all under one set of rules as in the default pool: "
               "what differs is the block. A block has as many layers as the target has more than the model; where "
               "that does not divide its depth, the last block is the topmost one."},
    {NULL, NULL},
};

/* Pools in the order of their prior, best first: of depth, of width, of both. {h} = half the layers rounded up, {l-h} =
 * the first layer of the upper half. The rows span the choices: where copies stand, how long the block is, copies or
 * identities or fresh parts. Behind the default's rows come those of all. */
static const char *const depth_rows[] = {
    "stack",
    "interleave",
    "gradual_stack block=1",
    "midas block=1",
    "lidas block={h}",
    "partial_stack start={l-h} block={h}",
    "llama_pro every=1",
    "zero_stack",
    "zero_random",
    "random",
    "range",
    "zero_top",
    "interpolate",
    "gate_zero every=1",
    "masked_copy every=1",
    "masked_random",
    "ligo",
};
static const char *const width_rows[] = {
    "clone_width", "lemon", "fpi", "zero_fanout", "aki", "clone_diagonal", "zero_block", "random_width",
    "masked_width", "ligo_width",
};
static const char *const both_rows[] = {
    "stack with=clone_width",
    "interleave with=clone_width",
    "gradual_stack block=1 with=clone_width",
    "midas block=1 with=clone_width",
    "stack with=lemon",
    "midas block=1 with=zero_fanout",
    "llama_pro every=1 with=clone_width",
    "zero_stack with=zero_fanout",
    "zero_stack with=lemon",
    "random with=random_width",
    "lidas block={h} with=clone_width",
    "stack with=fpi",
    "stack with=aki",
    "zero_random with=zero_fanout",
    "interpolate with=clone_width",
    "masked_random with=masked_width",
    "ligo with=ligo_width",
};
static const char *const vocab_rows[] = {"vocab_mean", "vocab_mean noise=1", "vocab_random"};
static const char *const context_rows[] = {"context_tile", "context_last", "context_stretch"};
enum { DEFAULT_ROWS = 10, DEFAULT_WIDTHS = 8 };
enum { D = LAG_GROWS(LAG_GROWS_DEPTH), W = LAG_GROWS(LAG_GROWS_WIDTH), V = LAG_GROWS(LAG_GROWS_VOCAB),
       C = LAG_GROWS(LAG_GROWS_CONTEXT) };
struct rows {
    const char *const *row;
    size_t n;
    unsigned grown; /* the directions */
    const char *before, *behind; /* the operator of the other direction beside each */
    size_t n_default;            /* of them in the default; 0: DEFAULT_ROWS */
};
#define ROWS(list) list, LAG_COUNT(list)
static const struct rows of_directions[] = {
    {ROWS(depth_rows), D, "", ""},
    {ROWS(width_rows), W, "", "", DEFAULT_WIDTHS},
    {ROWS(both_rows), D | W, "", ""},
    {ROWS(vocab_rows), V, "", ""},
    {ROWS(context_rows), C, "", ""},
    {ROWS(depth_rows), D | V, "", " with=vocab_mean"},
    {ROWS(width_rows), W | V, "", " with=vocab_mean", DEFAULT_WIDTHS},
    {ROWS(depth_rows), D | C, "", " with=context_tile"},
    {ROWS(width_rows), W | C, "", " with=context_tile", DEFAULT_WIDTHS},
    {ROWS(vocab_rows), V | C, "", " with=context_tile"},
};
static const struct rows of_depth = {ROWS(depth_rows), D, "", ""};
static const struct rows of_width = {ROWS(width_rows), W, "", "", DEFAULT_WIDTHS};
static const struct rows depth_beside = {ROWS(depth_rows), D | W, "", " with=clone_width"};
static const struct rows width_beside = {ROWS(width_rows), D | W, "stack with=", "", DEFAULT_WIDTHS};
static_assert(LAG_COUNT(depth_rows) <= LAG_POOL_MAX && LAG_COUNT(both_rows) <= LAG_POOL_MAX, "a pool holds its rows");

/* Replaces {h} and {l-h} by their values for n_layer. */
static void fill_in(const struct rows *rows, size_t i, int n_layer, char ret[LAG_STRATEGY_TEXT]) {
    char text[LAG_STRATEGY_TEXT];
    const char *row = text;
    int half = (n_layer + 1) / 2;
    size_t used = 0;
    (void)snprintf(text, sizeof(text), "%s%s%s", rows->before, rows->row[i], rows->behind);
    while (*row && used + 16 < LAG_STRATEGY_TEXT) {
        if (strncmp(row, "{h}", 3) == 0) {
            used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, "%d", half);
            row += 3;
        } else if (strncmp(row, "{l-h}", 5) == 0) {
            used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, "%d", n_layer - half);
            row += 5;
        } else {
            ret[used++] = *row++;
        }
    }
    ret[used] = '\0';
}

/* A strategy with its recipe and what of it matters on that recipe. */
struct member {
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    enum lag_moment_rule moments;
    enum lag_lr_rule lr;
    int64_t rewarm_steps, freeze_steps;
    uint64_t seed;
};

static int member_init(struct member *member, const struct lag_strategy *strategy, const struct lag_spec *from,
                       const struct lag_spec *to, struct lag_error *err) {
    *member = (struct member){.strategy = *strategy, .moments = strategy->moments, .lr = strategy->lr};
    int rc = lag_recipe_build(strategy, from, to, &member->recipe, err);
    if (rc) return rc;
    const struct lag_width *width = &member->recipe.width;
    bool new_layer = width->widens, new_history = width->widens; /* something new; what could inherit something */
    if (lag_width_is_random(width) || strategy->op->learns) member->seed = strategy->seed;
    for (int i = 0; i < member->recipe.n_layers; i++) {
        const struct lag_layer_src *layer = &member->recipe.layers[i];
        new_layer |= layer->is_new;
        new_history |= layer->is_new && layer->source >= 0;
        if (layer->source < 0 || layer->noise > 0) member->seed = strategy->seed;
    }
    if (member->moments == LAG_MOMENTS_RESET_NEW && !new_history) member->moments = LAG_MOMENTS_INHERIT;
    if (new_layer) member->freeze_steps = strategy->freeze_steps;
    if (member->lr == LAG_LR_REWARM_NEW && !new_layer) member->lr = LAG_LR_CONTINUE;
    if (member->lr == LAG_LR_REWARM || member->lr == LAG_LR_REWARM_NEW) member->rewarm_steps = strategy->rewarm_steps;
    return 0;
}

static void member_deinit(struct member *member) { lag_recipe_deinit(&member->recipe); }

/* What a learned growth is trained by, which its recipe does not tell. */
static bool learns_equal(const struct lag_strategy *a, const struct lag_strategy *b) {
    if (a->op->learns != b->op->learns) return false;
    return !a->op->learns || (a->op == b->op && a->with == b->with &&
                              memcmp(a->params, b->params, sizeof(a->params)) == 0 &&
                              memcmp(a->with_params, b->with_params, sizeof(a->with_params)) == 0);
}

static bool member_equal(const struct member *a, const struct member *b) {
    if (a->recipe.n_layers != b->recipe.n_layers || a->moments != b->moments || a->lr != b->lr ||
        a->rewarm_steps != b->rewarm_steps || a->freeze_steps != b->freeze_steps || a->seed != b->seed ||
        !lag_spec_equal(&a->recipe.spec, &b->recipe.spec) || !lag_width_equal(&a->recipe.width, &b->recipe.width) ||
        a->strategy.n_parents != b->strategy.n_parents || a->recipe.mask_steps != b->recipe.mask_steps ||
        !learns_equal(&a->strategy, &b->strategy))
        return false;
    for (int i = 0; i < a->strategy.n_parents; i++)
        if (strcmp(a->strategy.parents[i].name, b->strategy.parents[i].name) != 0) return false;
    for (int i = 0; i < a->recipe.n_layers; i++) {
        const struct lag_layer_src *x = &a->recipe.layers[i], *y = &b->recipe.layers[i];
        if (x->source != y->source || x->is_new != y->is_new || x->zero_out != y->zero_out ||
            x->shut != y->shut || x->masked != y->masked || x->blend != y->blend || x->noise != y->noise) {
            return false;
        }
    }
    return true;
}

int lag_strategy_same(const struct lag_strategy *a, const struct lag_strategy *b, const struct lag_spec *from,
                      const struct lag_spec *to, bool *ret, struct lag_error *err) {
    LAG_CLEANUP(member_deinit) struct member first = {0};
    LAG_CLEANUP(member_deinit) struct member second = {0};
    int rc = member_init(&first, a, from, to, err);
    if (rc == 0) rc = member_init(&second, b, from, to, err);
    if (rc) return rc;
    *ret = member_equal(&first, &second);
    return 0;
}

/* A pool under construction. */
struct expansion {
    const struct lag_spec *from, *to;
    struct lag_pool_member *list;
    struct member members[LAG_POOL_MAX];
    int n;
};

/* Adds a strategy unless an earlier one is the same candidate. */
static int add_member(struct expansion *expansion, const struct lag_strategy *strategy, const char *name,
                      struct lag_error *err) {
    LAG_ASSERT(expansion->n < LAG_POOL_MAX);
    struct member *member = &expansion->members[expansion->n];
    int rc = member_init(member, strategy, expansion->from, expansion->to, err);
    if (rc) return rc;
    for (int i = 0; i < expansion->n; i++) {
        if (member_equal(&expansion->members[i], member)) {
            member_deinit(member);
            return 0;
        }
    }
    struct lag_pool_member *added = &expansion->list[expansion->n++];
    added->strategy = *strategy;
    (void)lag_copy(added->name, sizeof(added->name), name);
    return 0;
}

/* The rows for the directions in which the target grows. */
static bool grows_both(const struct expansion *expansion) {
    return lag_width_differs(expansion->from, expansion->to) && expansion->to->n_layer > expansion->from->n_layer;
}

static int find_rows(const struct expansion *expansion, const struct rows **ret, struct lag_error *err) {
    const unsigned grown = lag_directions_of(expansion->from, expansion->to);
    for (size_t i = 0; i < LAG_COUNT(of_directions); i++) {
        *ret = &of_directions[i];
        if ((*ret)->grown == grown) return 0;
    }
    return lag_error_at(err, LAG_EINVAL, "/target", "a growth takes two of depth, width, vocabulary and context at "
                        "once: ask for one growth after the other");
}

/* What is learned has no moments to keep, and nothing old to freeze. */
static void take_rules(const struct lag_pool_rules *rules, struct lag_strategy *strategy) {
    if (!strategy->op->learns) strategy->moments = rules->moments;
    if (!strategy->op->learns) strategy->freeze_steps = rules->freeze_steps;
    strategy->lr = rules->lr;
    strategy->rewarm_steps = rules->rewarm_steps;
}

/* Of width, an operator that cannot reach the target is left out; it is told where none can. */
static int add_rows(struct expansion *expansion, const struct rows *rows, size_t n, bool only_preserving,
                    const struct lag_pool_rules *rules, struct lag_error *err) {
    struct lag_error refusal = {0};
    int rc = lag_directions_check(expansion->from, expansion->to, rows->grown, "the pool", err);
    for (size_t i = 0; rc == 0 && i < LAG_MIN(n, rows->n); i++) {
        char text[LAG_STRATEGY_TEXT];
        struct lag_strategy strategy;
        fill_in(rows, i, expansion->from->n_layer, text);
        rc = lag_strategy_parse(text, &strategy, err);
        if (rc) break;
        if (only_preserving && !lag_strategy_preserves(&strategy)) continue;
        take_rules(rules, &strategy);
        lag_strategy_name(&strategy, text);
        rc = add_member(expansion, &strategy, text, &refusal);
        const bool is_beyond = rc == LAG_EINVAL && rows->grown & W && strncmp(refusal.pointer, "/target/", 8) == 0;
        if (is_beyond) rc = 0;
        if (rc && err) *err = refusal;
    }
    if (rc == 0 && expansion->n == 0)
        return lag_error_at(err, LAG_EINVAL, refusal.pointer[0] ? refusal.pointer : "/pool", "%s",
                            refusal.pointer[0] ? refusal.text : "no operator of the pool grows this target");
    return rc;
}

static size_t n_default(const struct rows *rows) { return rows->n_default ? rows->n_default : DEFAULT_ROWS; }

static int add_default(struct expansion *expansion, const struct lag_pool_rules *rules, struct lag_error *err) {
    const struct rows *found;
    const int rc = find_rows(expansion, &found, err);
    return rc ? rc : add_rows(expansion, found, n_default(found), false, rules, err);
}

static int add_depth(struct expansion *expansion, const struct lag_pool_rules *rules, struct lag_error *err) {
    const struct rows *rows = grows_both(expansion) ? &depth_beside : &of_depth;
    return add_rows(expansion, rows, n_default(rows), false, rules, err);
}

static int add_width(struct expansion *expansion, const struct lag_pool_rules *rules, struct lag_error *err) {
    const struct rows *rows = grows_both(expansion) ? &width_beside : &of_width;
    return add_rows(expansion, rows, n_default(rows), false, rules, err);
}

static int add_all(struct expansion *expansion, const struct lag_pool_rules *rules, struct lag_error *err) {
    const struct rows *found;
    const int rc = find_rows(expansion, &found, err);
    return rc ? rc : add_rows(expansion, found, LAG_POOL_MAX, false, rules, err);
}

static int add_preserving(struct expansion *expansion, const struct lag_pool_rules *rules, struct lag_error *err) {
    const struct rows *found;
    const int rc = find_rows(expansion, &found, err);
    return rc ? rc : add_rows(expansion, found, LAG_POOL_MAX, true, rules, err);
}

/* Those that do not grow as the target does, or cannot reach it, are left out; it is told where none can. */
static int add_published(struct expansion *expansion, const struct lag_pool_rules *rules, struct lag_error *err) {
    int n, rc = 0;
    const struct lag_published *published = lag_published_list(&n);
    struct lag_error refusal = {0}; /* the first */
    (void)rules;
    for (int i = 0; rc == 0 && i < n; i++) {
        struct lag_strategy strategy;
        struct lag_error inner = {0};
        rc = lag_strategy_parse(published[i].text, &strategy, &inner);
        if (rc == 0 && strategy.with && !grows_both(expansion)) continue; /* its half is there by itself */
        if (rc == 0) rc = add_member(expansion, &strategy, published[i].name, &inner);
        const bool is_beyond = rc == LAG_EINVAL && strncmp(inner.pointer, "/target/", 8) == 0;
        if (is_beyond) rc = 0;
        if (rc || (is_beyond && !refusal.code)) refusal = inner;
    }
    if (rc == 0 && expansion->n == 0) rc = LAG_EINVAL;
    if (rc && err) *err = refusal;
    return rc;
}

enum { BLOCKS_MAX = 16 };
/* RANGE(s, b, s + b) of each block of b layers (Du et al., arXiv 2405.15319), with the b that leads to the target. */
static int add_blocks(struct expansion *expansion, const struct lag_pool_rules *rules, struct lag_error *err) {
    const int n_layer = expansion->from->n_layer, block = expansion->to->n_layer - n_layer;
    const int least = (n_layer + BLOCKS_MAX - 1) / BLOCKS_MAX;
    int rc = 0;
    if (lag_directions_of(expansion->from, expansion->to) & ~(unsigned)D)
        return lag_error_at(err, LAG_EINVAL, "/pool", "the pool \"blocks\" grows n_layer alone: leave the other axes "
                            "of the target out, or choose another pool");
    if (block > n_layer || block < least)
        return lag_error_at(err, LAG_EINVAL, "/target/n_layer", "the pool \"blocks\" copies one block of the model's "
                            "%d layers, and a target of %d means blocks of %d: ask for %d to %d layers", n_layer,
                            expansion->to->n_layer, block, n_layer + least, 2 * n_layer);
    for (int at = 0; rc == 0 && at < n_layer; at += block) {
        const int start = LAG_MIN(at, n_layer - block);
        char text[LAG_STRATEGY_TEXT];
        struct lag_strategy strategy;
        (void)snprintf(text, sizeof(text), "range start=%d block=%d at=%d", start, block, start + block);
        rc = lag_strategy_parse(text, &strategy, err);
        if (rc) break;
        take_rules(rules, &strategy);
        lag_strategy_name(&strategy, text);
        rc = add_member(expansion, &strategy, text, err);
    }
    return rc;
}

/* Beside lag_pools, in its order. */
static int (*const fillers[])(struct expansion *, const struct lag_pool_rules *, struct lag_error *) = {
    add_default, add_depth, add_width, add_all, add_preserving, add_published, add_blocks};
static_assert(LAG_COUNT(fillers) + 1 == LAG_COUNT(lag_pools), "each pool has its filler");

static int find_pool(const char *name, struct lag_error *err) {
    int pool = 0;
    while (lag_pools[pool].name && strcmp(lag_pools[pool].name, name) != 0) pool++;
    if (lag_pools[pool].name) return pool;
    char names[160] = "";
    for (size_t i = 0, used = 0; lag_pools[i].name && used < sizeof(names); i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s\"%s\"", i ? ", " : "", lag_pools[i].name);
    return lag_error_at(err, LAG_ENOTFOUND, "/pool",
                        "no pool \"%.64s\"; there are %s, or give a list of operators or strategies", name, names);
}

int lag_pool_expand(const char *pool, const struct lag_pool_rules *rules, const struct lag_spec *from,
                    const struct lag_spec *to, struct lag_pool_member ret[LAG_POOL_MAX], int *ret_n,
                    struct lag_error *err) {
    const int index = find_pool(pool, err);
    if (index < 0) return index;
    if (to->n_layer < from->n_layer || lag_directions_of(from, to) == 0) {
        return lag_error_at(err, LAG_EINVAL, "/target/n_layer",
                            "the model has %d layers already: a pool needs a target of more", from->n_layer);
    }
    LAG_CLEANUP(lag_free_p) struct expansion *expansion = lag_calloc(1, sizeof(*expansion));
    if (!expansion) return lag_error_set(err, LAG_ENOMEM, "out of memory for a pool");
    expansion->from = from;
    expansion->to = to;
    expansion->list = ret;
    const int rc = fillers[index](expansion, rules, err);
    for (int i = 0; i < expansion->n; i++) member_deinit(&expansion->members[i]);
    if (rc == 0) *ret_n = expansion->n;
    return rc;
}

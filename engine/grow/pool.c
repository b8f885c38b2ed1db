/* Pools of strategies, and when two strategies are one candidate. */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <string.h>

#define POOL_SIZE 10

/* The default pool in order of preference. {h} = half the layers rounded up, {l-h} = the first layer of the upper half.
 * The first rows span the choices (where the copies stand, how long the block is, copies or identities or fresh
 * layers); the later ones fill up where the first coincide, as they do for shallow parents. */
static const char *const default_pool[] = {
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
    "midas block={h}",
    "gradual_stack block={h}",
    "zero_top block=1",
    "range start=0 block={h} at=-1",
    "partial_stack start=0 block=1",
    "stack lr=rewarm",
    "interleave lr=rewarm",
    "stack optimizer=reset",
    "gradual_stack block=1 lr=rewarm",
    "interleave optimizer=reset",
    "stack lr=restart",
    "zero_stack optimizer=inherit lr=continue",
    "stack optimizer=reset_new",
    "random lr=rewarm_new",
    "zero_random lr=restart",
    "stack optimizer=reset lr=rewarm",
    "random optimizer=reset",
};

/* Replaces {h} and {l-h} by their values for n_layer. */
static void fill_in(const char *row, int n_layer, char ret[LAG_STRATEGY_TEXT]) {
    int half = (n_layer + 1) / 2;
    size_t used = 0;
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
    bool new_layer = false, new_history = false; /* new_history: a new layer could inherit something */
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

static bool member_equal(const struct member *a, const struct member *b) {
    if (a->recipe.n_layers != b->recipe.n_layers || a->moments != b->moments || a->lr != b->lr ||
        a->rewarm_steps != b->rewarm_steps || a->freeze_steps != b->freeze_steps || a->seed != b->seed) return false;
    for (int i = 0; i < a->recipe.n_layers; i++) {
        const struct lag_layer_src *x = &a->recipe.layers[i], *y = &b->recipe.layers[i];
        if (x->source != y->source || x->is_new != y->is_new || x->zero_out != y->zero_out || x->noise != y->noise) {
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

/* Adds a row of the pool unless an earlier member is the same candidate. */
static int add_member(struct member *members, int *n_members, const char *row, const struct lag_spec *from,
                      const struct lag_spec *to, struct lag_error *err) {
    char text[LAG_STRATEGY_TEXT];
    struct lag_strategy strategy;
    struct member *member = &members[*n_members];
    fill_in(row, from->n_layer, text);
    int rc = lag_strategy_parse(text, &strategy, err);
    if (rc == 0) rc = member_init(member, &strategy, from, to, err);
    if (rc) return rc;
    for (int i = 0; i < *n_members; i++) {
        if (member_equal(&members[i], member)) {
            member_deinit(member);
            return 0;
        }
    }
    ++*n_members;
    return 0;
}

int lag_pool_expand(const char *pool, const struct lag_spec *from, const struct lag_spec *to,
                    char (**ret_texts)[LAG_STRATEGY_TEXT], int *ret_n, struct lag_error *err) {
    if (strcmp(pool, "default") != 0) {
        return lag_error_at(err, LAG_ENOTFOUND, "/pool", "no pool \"%.64s\"; there is \"default\", or give a list of "
                            "operators or strategies", pool);
    }
    int rc = lag_depth_only(from, to, "the default pool", err);
    if (rc) return rc;
    if (to->n_layer <= from->n_layer) {
        return lag_error_at(err, LAG_EINVAL, "/target/n_layer",
                            "the model has %d layers already: a pool needs a target of more", from->n_layer);
    }
    struct member members[POOL_SIZE] = {0};
    int n_members = 0;
    for (size_t i = 0; rc == 0 && i < LAG_COUNT(default_pool) && n_members < POOL_SIZE; i++) {
        rc = add_member(members, &n_members, default_pool[i], from, to, err);
    }
    char(*texts)[LAG_STRATEGY_TEXT] = rc == 0 ? lag_calloc(POOL_SIZE, sizeof(*texts)) : NULL;
    if (rc == 0 && !texts) rc = lag_error_set(err, LAG_ENOMEM, "out of memory");
    for (int i = 0; i < n_members; i++) {
        if (texts) lag_strategy_format(&members[i].strategy, texts[i]);
        member_deinit(&members[i]);
    }
    if (rc) return rc;
    *ret_texts = texts;
    *ret_n = n_members;
    return 0;
}

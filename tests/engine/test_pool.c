/* Pools, and which strategies are one candidate. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/grow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A shape of that depth; the other axes are the same in all. */
#define LAYERS(n) (&(struct lag_spec){.n_layer = (n), .n_head = 2, .n_embd = 8, .n_inner = 32, .n_positions = 16, \
                                      .vocab_size = 256, .norm_eps = 1e-5})

static bool same(const char *a, const char *b, int n_layer, int target) {
    struct lag_strategy x, y;
    bool ret = false;
    assert_int_equal(lag_strategy_parse(a, &x, NULL), 0);
    assert_int_equal(lag_strategy_parse(b, &y, NULL), 0);
    assert_int_equal(lag_strategy_same(&x, &y, LAYERS(n_layer), LAYERS(target), &ret, NULL), 0);
    return ret;
}

static const struct lag_pool_rules usual = {LAG_MOMENTS_INHERIT, LAG_LR_CONTINUE, LAG_REWARM_DEFAULT, 0};

static int expand(const char *pool, const struct lag_pool_rules *rules, int n_layer, int target,
                  struct lag_pool_member ret[LAG_POOL_MAX]) {
    struct lag_error err = {0};
    int n = -1;
    if (lag_pool_expand(pool, rules, LAYERS(n_layer), LAYERS(target), ret, &n, &err)) fail_msg("%s", err.text);
    return n;
}

/* Each operator once, all under the same rules: no two members have one recipe, and nothing fills up the rest. */
static void test_default_pool(void **state) {
    (void)state;
    static const struct lag_pool_rules other = {LAG_MOMENTS_RESET_NEW, LAG_LR_REWARM, 7, LAG_FREEZE_KEEP};
    for (int n_layer = 1; n_layer <= 16; n_layer++) {
        for (int target = n_layer + 1; target <= 3 * n_layer + 2; target++) {
            const struct lag_pool_rules *rules = target % 2 ? &usual : &other;
            struct lag_pool_member members[LAG_POOL_MAX];
            char recipes[LAG_POOL_MAX][256];
            const int n = expand("default", rules, n_layer, target, members);
            assert_in_range(n, n_layer < 3 ? 4 : 7, 10);
            for (int i = 0; i < n; i++) {
                const struct lag_strategy *strategy = &members[i].strategy;
                struct lag_recipe recipe;
                assert_true(strategy->moments == rules->moments && strategy->lr == rules->lr && strategy->seed == 0 &&
                            strategy->rewarm_steps == rules->rewarm_steps &&
                            strategy->freeze_steps == rules->freeze_steps);
                assert_string_not_equal(strategy->op->name, "none");
                assert_int_equal(lag_recipe_build(strategy, LAYERS(n_layer), LAYERS(target), &recipe, NULL), 0);
                lag_recipe_text(&recipe, recipes[i], sizeof(recipes[0]));
                lag_recipe_deinit(&recipe);
                for (int j = 0; j < i; j++) {
                    assert_ptr_not_equal(strategy->op, members[j].strategy.op);
                    if (strcmp(recipes[i], recipes[j]) == 0)
                        fail_msg("%d → %d: %s is %s", n_layer, target, members[i].name, members[j].name);
                }
            }
        }
    }
}

/* What "default" stands for: all ten operators, and what is left of them where they coincide. */
static void test_default_pool_by_name(void **state) {
    (void)state;
    static const struct { int n_layer, target, n; const char *names[10]; } cases[] = {
        {3, 6, 10, {"stack", "interleave", "gradual_stack block=1", "midas block=1", "lidas block=2",
                    "partial_stack start=1 block=2 repeat=0", "llama_pro every=1", "zero_stack", "zero_random at=-1",
                    "random at=-1"}},
        {2, 4, 8, {"stack", "interleave", "gradual_stack block=1", "midas block=1", "llama_pro every=1", "zero_stack",
                   "zero_random at=-1", "random at=-1"}},
        {1, 4, 4, {"stack", "llama_pro every=1", "zero_random at=-1", "random at=-1"}},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_pool_member members[LAG_POOL_MAX];
        assert_int_equal(expand("default", &usual, cases[i].n_layer, cases[i].target, members), cases[i].n);
        for (int m = 0; m < cases[i].n; m++) {
            char text[LAG_STRATEGY_TEXT], wanted[LAG_STRATEGY_TEXT];
            lag_strategy_format(&members[m].strategy, text);
            snprintf(wanted, sizeof(wanted), "%s optimizer=inherit lr=continue seed=0", cases[i].names[m]);
            assert_string_equal(text, wanted);
            assert_string_equal(members[m].name, cases[i].names[m]);
        }
    }
}

/* A pool is worth probing when it has copies, identities and fresh layers. */
static void test_pool_is_diverse(void **state) {
    (void)state;
    struct lag_pool_member members[LAG_POOL_MAX];
    int n_preserving = 0, n_random = 0;
    const int n = expand("default", &usual, 3, 6, members);
    for (int i = 0; i < n; i++) {
        n_preserving += members[i].strategy.op->function_preserving;
        n_random += strcmp(members[i].strategy.op->name, "random") == 0;
    }
    assert_int_equal(n_preserving, 3);
    assert_int_equal(n_random, 1);
}

/* The default follows the target's axes; what an operator cannot reach it leaves out. */
static void test_pools_follow_the_target(void **state) {
    (void)state;
    static const struct { const char *pool; int n_layer, n_embd, n, n_preserving; } cases[] = {
        {"default", 6, 8, 10, 3}, {"depth", 6, 8, 10, 3}, {"all", 6, 8, 17, 7}, {"preserving", 6, 8, 7, 7},
        {"default", 3, 16, 8, 5}, {"width", 3, 16, 8, 5}, {"preserving", 3, 16, 5, 5}, {"width", 3, 12, 7, 4},
        {"default", 6, 16, 10, 3}, {"all", 6, 16, 16, 4}, {"preserving", 6, 16, 4, 4},
        {"depth", 6, 16, 10, 3}, {"width", 6, 16, 8, 0},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_pool_member members[LAG_POOL_MAX];
        struct lag_spec from = *LAYERS(3), to = from;
        struct lag_error err = {0};
        int n = 0, n_preserving = 0, n_learning = 0;
        from.n_head = 2;
        to.n_layer = cases[i].n_layer;
        to.n_embd = cases[i].n_embd;
        to.n_head = cases[i].n_embd / 4;
        to.n_inner = from.n_inner * cases[i].n_embd / 8;
        if (lag_pool_expand(cases[i].pool, &usual, &from, &to, members, &n, &err)) fail_msg("%s", err.text);
        for (int m = 0; m < n; m++) {
            n_preserving += lag_strategy_preserves(&members[m].strategy);
            const struct lag_strategy *strategy = &members[m].strategy;
            const enum lag_moment_rule moments = strategy->op->learns ? LAG_MOMENTS_RESET : LAG_MOMENTS_INHERIT;
            assert_true(strategy->moments == moments && strategy->lr == LAG_LR_CONTINUE);
            n_learning += strategy->op->learns;
        }
        if (n != cases[i].n || n_preserving != cases[i].n_preserving)
            fail_msg("case %zu: %s has %d, %d keep the function", i, cases[i].pool, n, n_preserving);
        assert_int_equal(n_learning, strcmp(cases[i].pool, "all") == 0); /* no other pool costs more than its probes */
    }
}

/* A pool of one direction for a target of both: the other direction has one operator. */
static void test_pools_of_one_direction(void **state) {
    (void)state;
    struct lag_pool_member members[LAG_POOL_MAX];
    struct lag_spec to = *LAYERS(6);
    struct lag_error err = {0};
    int n = 0;
    to.n_embd = 16;
    to.n_head = 4;
    to.n_inner = 64;
    if (lag_pool_expand("width", &usual, LAYERS(3), &to, members, &n, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < n; i++) {
        assert_string_equal(members[i].strategy.op->name, "stack");
        for (int j = 0; j < i; j++) assert_ptr_not_equal(members[i].strategy.with, members[j].strategy.with);
    }
    if (lag_pool_expand("depth", &usual, LAYERS(3), &to, members, &n, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < n; i++) {
        assert_string_equal(members[i].strategy.with->name, "clone_width");
        for (int j = 0; j < i; j++) assert_ptr_not_equal(members[i].strategy.op, members[j].strategy.op);
    }
}

/* RANGE(s, b, s + b), s = 0, b, 2b …; the last block is the topmost one. */
static void test_blocks(void **state) {
    (void)state;
    static const struct { int n_layer, block; const char *starts; } cases[] = {
        {6, 2, "024"}, {5, 2, "023"}, {3, 1, "012"}, {4, 4, "0"}, {1, 1, "0"}};
    for (size_t k = 0; k < LAG_COUNT(cases); k++) {
        struct lag_pool_member members[LAG_POOL_MAX];
        const struct lag_pool_rules rules = {LAG_MOMENTS_INHERIT, LAG_LR_CONTINUE, LAG_REWARM_DEFAULT, 0};
        const int b = cases[k].block, n = expand("blocks", &rules, cases[k].n_layer, cases[k].n_layer + b, members);
        assert_int_equal(n, strlen(cases[k].starts));
        for (int i = 0; i < n; i++) {
            char text[LAG_STRATEGY_TEXT], wanted[LAG_STRATEGY_TEXT];
            const int start = cases[k].starts[i] - '0';
            snprintf(wanted, sizeof wanted, "range start=%d block=%d at=%d", start, b, start + b);
            lag_strategy_name(&members[i].strategy, text);
            assert_string_equal(members[i].name, text);
            assert_memory_equal(text, wanted, strlen(wanted));
        }
    }
}

static void test_published(void **state) {
    (void)state;
    static const struct { const char *name, *text; } wanted[] = {
        {"stackbert", "stack optimizer=reset lr=continue seed=0"},
        {"g_stack", "stack optimizer=reset lr=restart seed=0"},
        {"g_zero", "zero_stack optimizer=reset lr=restart seed=0"},
        {"midas", "midas block=1 optimizer=inherit lr=continue seed=0"},
        {"llama_pro_frozen", "llama_pro every=1 optimizer=reset lr=restart freeze_old=keep seed=0"},
        {"msg", "masked_random at=-1 ramp_steps=5000 optimizer=reset_new lr=restart seed=0"},
        {"ligo_restart", "ligo steps=100 rate=0.01 jitter=0.03 optimizer=reset lr=restart seed=0"},
    };
    for (int n_layer = 1; n_layer <= 5; n_layer++) {
        struct lag_pool_member members[LAG_POOL_MAX];
        const int n = expand("published", NULL, n_layer, 2 * n_layer, members);
        assert_int_equal(n, LAG_COUNT(wanted));
        for (int i = 0; i < n; i++) {
            char text[LAG_STRATEGY_TEXT], by_name[LAG_STRATEGY_TEXT];
            struct lag_strategy strategy;
            lag_strategy_format(&members[i].strategy, text);
            assert_string_equal(text, wanted[i].text);
            assert_string_equal(members[i].name, wanted[i].name);
            /* The name alone makes it, also where an operator has it. */
            assert_int_equal(lag_strategy_init(wanted[i].name, &strategy, NULL), 0);
            lag_strategy_format(&strategy, by_name);
            assert_string_equal(by_name, text);
        }
    }
    /* What grows as the target does: of width, of both; a width that is no multiple leaves out whole copies. */
    static const struct { int n_layer, n_embd, n; const char *first; } targets[] = {
        {3, 16, 7, "bert2bert"}, {6, 16, 4, "bert2bert_both"}, {3, 12, 6, "bert2bert"}, {6, 12, 3, "bert2bert_both"}};
    for (size_t i = 0; i < LAG_COUNT(targets); i++) {
        struct lag_pool_member members[LAG_POOL_MAX];
        struct lag_spec to = *LAYERS(targets[i].n_layer);
        to.n_embd = targets[i].n_embd;
        to.n_inner = 4 * to.n_embd;
        to.n_head = to.n_embd / 4;
        int n = 0;
        assert_int_equal(lag_pool_expand("published", NULL, LAYERS(3), &to, members, &n, NULL), 0);
        assert_int_equal(n, targets[i].n);
        assert_string_equal(members[0].name, targets[i].first);
    }
    struct lag_strategy strategy;
    char text[LAG_STRATEGY_TEXT];
    assert_int_equal(lag_strategy_parse("g_stack noise=0.2 seed=4", &strategy, NULL), 0);
    lag_strategy_format(&strategy, text);
    assert_string_equal(text, "stack noise=0.2 optimizer=reset lr=restart seed=4");
    int n;
    const struct lag_published *list = lag_published_list(&n);
    for (int i = 0; i < n; i++) assert_true(list[i].title[0] && list[i].help[0] && list[i].reference[0]);
    assert_null(lag_published_find("stack"));
}

static void test_pool_refusals(void **state) {
    (void)state;
    struct lag_pool_member members[LAG_POOL_MAX];
    int n = 77;
    struct lag_error err = {0};
    assert_int_equal(lag_pool_expand("wide", &usual, LAYERS(3), LAYERS(6), members, &n, &err), LAG_ENOTFOUND);
    assert_string_equal(err.pointer, "/pool");
    for (const struct lag_pool *pool = lag_pools; pool->name; pool++) {
        assert_non_null(strstr(err.text, pool->name));
        assert_true(pool->help[0]);
        struct lag_error inner = {0};
        assert_int_equal(lag_pool_expand(pool->name, &usual, LAYERS(3), LAYERS(3), members, &n, &inner), LAG_EINVAL);
        assert_string_equal(inner.pointer, "/target/n_layer");
    }
    struct lag_spec wide = *LAYERS(3);
    wide.n_embd = 16;
    assert_int_equal(lag_pool_expand("depth", &usual, LAYERS(3), &wide, members, &n, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/n_embd");
    assert_string_equal(err.text, "the pool grows depth only: n_embd would change from 8 to 16");
    struct lag_spec longer = *LAYERS(3);
    longer.n_positions = 32;
    longer.n_layer = 4;
    assert_int_equal(lag_pool_expand("published", &usual, LAYERS(3), &longer, members, &n, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/n_positions");
    assert_int_equal(lag_pool_expand("width", &usual, LAYERS(3), LAYERS(6), members, &n, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/n_layer");
    wide.n_embd = 7;
    assert_int_equal(lag_pool_expand("default", &usual, LAYERS(3), &wide, members, &n, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/n_embd");
    assert_non_null(strstr(err.text, "would shrink from 8 to 7"));
    wide.n_embd = 8;
    wide.vocab_size = 300;
    assert_int_equal(lag_pool_expand("depth", &usual, LAYERS(3), &wide, members, &n, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/vocab_size");
    assert_int_equal(lag_pool_expand("default", &usual, LAYERS(3), LAYERS(513), members, &n, &err), LAG_EINVAL);
    assert_int_equal(n, 77);
}

static void test_same(void **state) {
    (void)state;
    assert_true(same("stack", "stack seed=9", 3, 6));
    assert_true(same("stack", "gradual_stack block=3", 3, 6));
    assert_false(same("stack", "gradual_stack block=3", 3, 7)); /* 0 1 2 0 1 2 0 and 0 1 2 0 1 2 2 */
    assert_true(same("midas", "lidas block=1", 3, 6));
    assert_true(same("llama_pro", "zero_top", 3, 4));
    assert_false(same("zero_top", "gradual_stack optimizer=reset_new lr=rewarm_new", 3, 4)); /* zero_out counts */
    assert_false(same("stack", "interleave", 3, 6));
    assert_false(same("stack", "stack optimizer=reset", 3, 6));
    assert_false(same("stack", "stack lr=restart", 3, 6));
    assert_false(same("stack lr=rewarm rewarm_steps=5", "stack lr=rewarm rewarm_steps=6", 3, 6));
    assert_false(same("stack lr=rewarm", "stack lr=rewarm rewarm_steps=6", 3, 6));
    assert_false(same("random", "random seed=1", 3, 6));
    assert_true(same("random seed=1", "random at=3 seed=1", 3, 6));
    assert_false(same("stack noise=0.1", "stack noise=0.1 seed=1", 3, 6));
    assert_false(same("stack noise=0.1", "stack noise=0.2", 3, 6));
    assert_true(same("random", "random optimizer=reset_new", 3, 6)); /* fresh layers have nothing to reset */
    assert_false(same("stack", "stack optimizer=reset_new", 3, 6));
    assert_true(same("none", "none optimizer=reset_new lr=rewarm_new", 3, 6));
    assert_true(same("stack", "interleave", 3, 3));
    assert_false(same("stack", "stack freeze_old=keep", 3, 6));
    assert_false(same("stack freeze_old=3", "stack freeze_old=4", 3, 6));
    assert_true(same("stack freeze_old=3", "gradual_stack block=3 freeze_old=3", 3, 6));
    assert_true(same("stack freeze_old=3", "stack", 3, 3)); /* no new layer, nothing freezes */
    struct lag_strategy x, y;
    bool ret = true;
    struct lag_error err = {0};
    assert_int_equal(lag_strategy_parse("stack", &x, NULL), 0);
    assert_int_equal(lag_strategy_parse("midas block=4", &y, NULL), 0);
    assert_int_equal(lag_strategy_same(&x, &y, LAYERS(3), LAYERS(6), &ret, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/params/block");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_pool), cmocka_unit_test(test_default_pool_by_name),
        cmocka_unit_test(test_pool_is_diverse), cmocka_unit_test(test_pools_follow_the_target),
        cmocka_unit_test(test_published), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_pools_of_one_direction),
        cmocka_unit_test(test_pool_refusals), cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

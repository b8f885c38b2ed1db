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

static void test_default_pool(void **state) {
    (void)state;
    for (int n_layer = 1; n_layer <= 16; n_layer++) {
        for (int target = n_layer + 1; target <= 3 * n_layer + 2; target++) {
            char(*texts)[LAG_STRATEGY_TEXT];
            int n;
            struct lag_error err = {0};
            if (lag_pool_expand("default", LAYERS(n_layer), LAYERS(target), &texts, &n, &err))
                fail_msg("%s", err.text);
            assert_int_equal(n, 10);
            for (int i = 0; i < n; i++) {
                char canonical[LAG_STRATEGY_TEXT];
                struct lag_strategy strategy;
                assert_int_equal(lag_strategy_parse(texts[i], &strategy, NULL), 0);
                lag_strategy_format(&strategy, canonical);
                assert_string_equal(texts[i], canonical);
                assert_string_not_equal(strategy.op->name, "none");
                for (int j = 0; j < i; j++) {
                    if (same(texts[i], texts[j], n_layer, target)) {
                        fail_msg("%d → %d: %s is %s", n_layer, target, texts[i], texts[j]);
                    }
                }
            }
            free(texts);
        }
    }
}

/* What "default" stands for at two depths: the first rows, and, where many of those are the same, later ones. */
static void test_default_pool_by_name(void **state) {
    (void)state;
    static const struct { int n_layer, target; const char *texts[10]; } cases[] = {
        {3, 6, {"stack optimizer=inherit lr=continue seed=0", "interleave optimizer=inherit lr=continue seed=0",
                "gradual_stack block=1 optimizer=inherit lr=continue seed=0",
                "midas block=1 optimizer=inherit lr=continue seed=0",
                "lidas block=2 optimizer=inherit lr=continue seed=0",
                "partial_stack start=1 block=2 repeat=0 optimizer=inherit lr=continue seed=0",
                "llama_pro every=1 optimizer=reset_new lr=rewarm_new seed=0",
                "zero_stack optimizer=reset_new lr=rewarm_new seed=0",
                "zero_random at=-1 optimizer=reset_new lr=rewarm_new seed=0",
                "random at=-1 optimizer=inherit lr=continue seed=0"}},
        {1, 4, {"stack optimizer=inherit lr=continue seed=0",
                "llama_pro every=1 optimizer=reset_new lr=rewarm_new seed=0",
                "zero_random at=-1 optimizer=reset_new lr=rewarm_new seed=0",
                "random at=-1 optimizer=inherit lr=continue seed=0", "stack optimizer=inherit lr=rewarm seed=0",
                "stack optimizer=reset lr=continue seed=0", "stack optimizer=inherit lr=restart seed=0",
                "zero_stack optimizer=inherit lr=continue seed=0", "stack optimizer=reset_new lr=continue seed=0",
                "random at=-1 optimizer=inherit lr=rewarm_new seed=0"}},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        char(*texts)[LAG_STRATEGY_TEXT];
        int n;
        const struct lag_spec *from = LAYERS(cases[i].n_layer), *to = LAYERS(cases[i].target);
        assert_int_equal(lag_pool_expand("default", from, to, &texts, &n, NULL), 0);
        assert_int_equal(n, LAG_COUNT(cases[i].texts));
        for (int t = 0; t < n; t++) assert_string_equal(texts[t], cases[i].texts[t]);
        free(texts);
    }
}

/* A pool is worth probing when it has copies, identities and fresh layers. */
static void test_pool_is_diverse(void **state) {
    (void)state;
    char(*texts)[LAG_STRATEGY_TEXT];
    int n, n_preserving = 0, n_random = 0, n_recipes = 0;
    char recipes[10][64];
    assert_int_equal(lag_pool_expand("default", LAYERS(3), LAYERS(6), &texts, &n, NULL), 0);
    for (int i = 0; i < n; i++) {
        struct lag_strategy strategy;
        struct lag_recipe recipe;
        assert_int_equal(lag_strategy_parse(texts[i], &strategy, NULL), 0);
        assert_int_equal(lag_recipe_build(&strategy, LAYERS(3), LAYERS(6), &recipe, NULL), 0);
        lag_recipe_text(&recipe, recipes[n_recipes], sizeof(recipes[0]));
        lag_recipe_deinit(&recipe);
        int seen = 0;
        for (int j = 0; j < n_recipes; j++) seen += strcmp(recipes[j], recipes[n_recipes]) == 0;
        n_recipes += !seen;
        n_preserving += strategy.op->function_preserving;
        n_random += strcmp(strategy.op->name, "random") == 0;
    }
    free(texts);
    assert_int_equal(n_recipes, 10); /* at 3 → 6 all ten differ in their layers, not in rules alone */
    assert_int_equal(n_preserving, 3);
    assert_int_equal(n_random, 1);
}

static void test_pool_refusals(void **state) {
    (void)state;
    char(*texts)[LAG_STRATEGY_TEXT] = NULL;
    int n = 77;
    struct lag_error err = {0};
    assert_int_equal(lag_pool_expand("wide", LAYERS(3), LAYERS(6), &texts, &n, &err), LAG_ENOTFOUND);
    assert_string_equal(err.pointer, "/pool");
    assert_non_null(strstr(err.text, "default"));
    assert_int_equal(lag_pool_expand("default", LAYERS(3), LAYERS(3), &texts, &n, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/n_layer");
    struct lag_spec wide = *LAYERS(3);
    wide.n_embd = 16;
    assert_int_equal(lag_pool_expand("default", LAYERS(3), &wide, &texts, &n, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/n_embd");
    assert_string_equal(err.text, "the default pool grows depth only: n_embd would change from 8 to 16");
    assert_int_equal(lag_pool_expand("default", LAYERS(3), LAYERS(513), &texts, &n, &err), LAG_EINVAL);
    assert_null(texts);
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
        cmocka_unit_test(test_pool_is_diverse),
        cmocka_unit_test(test_pool_refusals), cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

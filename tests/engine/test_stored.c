/* Stored recipes: read back as they were written, whatever the operator makes today. */
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

static struct lag_recipe build(const char *text, int n_layer, int target, struct lag_strategy *ret) {
    struct lag_recipe recipe;
    assert_int_equal(lag_strategy_parse(text, ret, NULL), 0);
    assert_int_equal(lag_recipe_build(ret, LAYERS(n_layer), LAYERS(target), &recipe, NULL), 0);
    return recipe;
}

/* What is stored is what is made, whatever the operator makes; and the text of any recipe makes that recipe. */
static void test_stored_recipes(void **state) {
    (void)state;
    static const char *const cases[] = {"stack", "interleave", "midas block=2", "lidas", "llama_pro every=2 noise=0.5",
                                        "gate_zero every=2", "masked_copy ramp_steps=7", "masked_random at=1",
                                        "zero_random at=0", "random", "range start=1 at=0", "interpolate",
                                        "none"};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        char text[LAG_RECIPE_TEXT];
        struct lag_strategy strategy;
        struct lag_recipe built = build(cases[i], 3, 7, &strategy), back = {0};
        lag_recipe_text(&built, text, sizeof(text));
        assert_int_equal(lag_recipe_restore(&strategy, LAYERS(3), LAYERS(7), text, &back, NULL), 0);
        assert_int_equal(back.n_layers, built.n_layers);
        for (int l = 0; l < built.n_layers; l++) {
            const struct lag_layer_src *a = &built.layers[l], *b = &back.layers[l];
            assert_true(a->source == b->source && a->is_new == b->is_new && a->zero_out == b->zero_out &&
                        a->noise == b->noise && a->blend == b->blend);
        }
        lag_recipe_deinit(&back);
        lag_recipe_deinit(&built);
    }
    struct lag_strategy strategy;
    struct lag_recipe recipe = {0};
    char text[LAG_RECIPE_TEXT];
    assert_int_equal(lag_strategy_parse("midas block=2 noise=0.5", &strategy, NULL), 0);
    /* as the operator once made it */
    assert_int_equal(lag_recipe_restore(&strategy, LAYERS(3), LAYERS(6), "0 1 0 0 1 2", &recipe, NULL), 0);
    lag_recipe_text(&recipe, text, sizeof(text));
    assert_string_equal(text, "0 1 0 0 1 2");
    for (int l = 0; l < 6; l++) {
        const bool is_new = l >= 2 && l <= 4;
        assert_true(recipe.layers[l].is_new == is_new && recipe.layers[l].noise == (is_new ? 0.5 : 0));
    }
    lag_recipe_deinit(&recipe);
    assert_int_equal(lag_recipe_restore(&strategy, LAYERS(3), LAYERS(5), "", &recipe, NULL), 0); /* none was stored */
    lag_recipe_text(&recipe, text, sizeof(text));
    assert_string_equal(text, "0 1 2 1 2");
    lag_recipe_deinit(&recipe);
}

static void test_foreign_recipes_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "0 1 2", "0 1 2 0 1 2", "0 1 2 3", "0 1  2 2", "0 1 2 2 ", " 0 1 2 2", "0 1 2 x",
        "0 1 2 2zz", "0 1 2 -1", "0 1 2 2r", "0 1 2 z", "0,1,2,2", "0 1 2 99999999999", "0 1 2 2~",
        "0 1 2 r~", "0 1~z 1 2"};
    struct lag_strategy strategy;
    assert_int_equal(lag_strategy_parse("stack", &strategy, NULL), 0);
    for (size_t i = 0; i < LAG_COUNT(texts); i++) {
        struct lag_recipe recipe = {.n_layers = 77};
        struct lag_error err = {0};
        const int rc = lag_recipe_restore(&strategy, LAYERS(3), LAYERS(4), texts[i], &recipe, &err);
        if (rc != LAG_ECORRUPT || !strstr(err.text, "does not make 4 layers of 3"))
            fail_msg("\"%s\": %d %s", texts[i], rc, err.text);
        assert_int_equal(recipe.n_layers, 77);
    }
}

/* An earlier lagd stored 703 bytes of a text at most: enough to know whether the operator still makes that recipe. */
static void test_cut_recipes(void **state) {
    (void)state;
    char text[LAG_RECIPE_TEXT], again[LAG_RECIPE_TEXT];
    struct lag_strategy strategy;
    struct lag_error err = {0};
    struct lag_recipe deepest = build("zero_stack", 256, 512, &strategy), back = {0};
    lag_recipe_text(&deepest, text, sizeof(text));
    lag_recipe_deinit(&deepest);
    assert_true(strlen(text) > LAG_RECIPE_CUT);
    assert_int_equal(lag_recipe_restore(&strategy, LAYERS(256), LAYERS(512), text, &back, NULL), 0); /* whole */
    lag_recipe_deinit(&back);
    char cut[LAG_RECIPE_CUT + 1];
    snprintf(cut, sizeof(cut), "%s", text);
    assert_int_equal(lag_recipe_restore(&strategy, LAYERS(256), LAYERS(512), cut, &back, NULL), 0);
    lag_recipe_text(&back, again, sizeof(again));
    assert_string_equal(again, text);
    lag_recipe_deinit(&back);
    cut[2] = '2'; /* 0 2 2 3 … */
    assert_int_equal(lag_recipe_restore(&strategy, LAYERS(256), LAYERS(512), cut, &back, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "cut by an earlier lagd"));
    assert_int_equal(back.n_layers, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_recipes),
        cmocka_unit_test(test_foreign_recipes_are_refused),
        cmocka_unit_test(test_cut_recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

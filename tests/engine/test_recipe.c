/* Recipes: src[] of every operator, marks, limits. */
#include "recipe_rows.h"
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
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

static struct lag_recipe build(const char *text, int n_layer, int target) {
    struct lag_error err = {0};
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    if (lag_strategy_parse(text, &strategy, &err) ||
        lag_recipe_build(&strategy, LAYERS(n_layer), LAYERS(target), &recipe, &err)) {
        fail_msg("%s %d → %d: %s", text, n_layer, target, err.text);
    }
    return recipe;
}

static void test_sources(void **state) {
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        char text[256];
        struct lag_recipe recipe = build(rows[i].strategy, rows[i].n_layer, rows[i].target);
        lag_recipe_text(&recipe, text, sizeof(text));
        if (strcmp(text, rows[i].sources)) {
            fail_msg("%s %d → %d: %s, not %s", rows[i].strategy, rows[i].n_layer, rows[i].target, text,
                     rows[i].sources);
        }
        lag_recipe_deinit(&recipe);
    }
}

/* Every operator is in the table of rows, but those that keep the layers as they are (test_width.c, test_fuse.c,
 * test_ends.c). */
static void test_all_operators_tabled(void **state) {
    (void)state;
    int n_ops;
    const struct lag_operator *ops = lag_operators(&n_ops);
    assert_int_equal(n_ops, 34);
    for (int o = 0; o < n_ops; o++) {
        if (ops[o].grows >= LAG_GROWS_WIDTH) continue;
        size_t length = strlen(ops[o].name), found = 0;
        for (size_t i = 0; i < LAG_COUNT(rows); i++) {
            found += strncmp(rows[i].strategy, ops[o].name, length) == 0 &&
                     (rows[i].strategy[length] == ' ' || !rows[i].strategy[length]);
        }
        assert_true(found >= 8);
        assert_ptr_equal(lag_operator_find(ops[o].name), &ops[o]);
    }
    assert_null(lag_operator_find("stac"));
}

static void check_marks(const struct lag_recipe *recipe, int n_layer, double noise) {
    for (int source = 0; source < n_layer; source++) {
        int n_old = 0;
        for (int i = 0; i < recipe->n_layers; i++) {
            const struct lag_layer_src *layer = &recipe->layers[i];
            if (layer->source != source) continue;
            if (!layer->is_new) {
                assert_false(layer->zero_out || layer->shut || layer->masked);
                assert_true(layer->noise == 0);
                n_old++;
            } else {
                assert_true(layer->noise == noise);
                const bool held = layer->zero_out || layer->shut || layer->masked;
                assert_true(held || layer->blend > 0 || n_old == 1); /* the old one comes first */
            }
        }
        assert_int_equal(n_old, 1);
    }
    for (int i = 0; i < recipe->n_layers; i++) {
        assert_in_range(recipe->layers[i].source + 1, 0, n_layer);
        if (recipe->layers[i].source < 0) assert_true(recipe->layers[i].is_new && recipe->layers[i].noise == 0);
    }
}

/* Whatever the operator and its parameters: the depth is reached, each parent layer is old exactly once, and an
 * operator that says it preserves the function makes only zeroed, gated or masked new layers and keeps the order. */
static void test_properties(void **state) {
    (void)state;
    int n_ops, n_built = 0;
    const struct lag_operator *ops = lag_operators(&n_ops);
    srand(7);
    for (int round = 0; round < 20000; round++) {
        struct lag_strategy strategy;
        struct lag_recipe recipe = {0};
        const struct lag_operator *op = &ops[rand() % n_ops];
        if (op->grows >= LAG_GROWS_WIDTH) continue;
        int n_layer = 1 + rand() % 9, target = n_layer + rand() % 14;
        double noise = 0;
        assert_int_equal(lag_strategy_init(op->name, &strategy, NULL), 0);
        for (int p = 0; p < LAG_OPERATOR_PARAMS && op->params[p].name; p++) {
            double value = op->params[p].integer ? op->params[p].min + rand() % 8 : (rand() % 5) / 4.0;
            assert_int_equal(lag_strategy_set_param(&strategy, op->params[p].name, value, NULL), 0);
            if (strcmp(op->params[p].name, "noise") == 0) noise = value;
        }
        struct lag_error err = {0};
        int rc = lag_recipe_build(&strategy, LAYERS(n_layer), LAYERS(target), &recipe, &err);
        if (rc) {
            assert_int_equal(rc, LAG_EINVAL);
            assert_memory_equal(err.pointer, "/params/", 8);
            continue;
        }
        n_built++;
        assert_int_equal(recipe.n_layers, strcmp(op->name, "none") ? target : n_layer);
        check_marks(&recipe, n_layer, noise);
        int previous = -1;
        for (int i = 0; i < recipe.n_layers; i++) {
            const struct lag_layer_src *layer = &recipe.layers[i];
            const int n_held = layer->zero_out + layer->shut + layer->masked;
            if (op->function_preserving && layer->is_new) assert_int_equal(n_held, 1);
            if (op->function_preserving && !layer->is_new) assert_int_equal(layer->source, ++previous);
            if (!op->function_preserving) assert_int_equal(n_held, 0);
        }
        lag_recipe_deinit(&recipe);
    }
    assert_true(n_built > 5000);
}

static void test_connection_rate(void **state) {
    (void)state;
    static const struct { const char *text; int n_layer, target; double rate; } cases[] = {
        {"stack", 8, 24, 21.0 / 23}, {"interleave", 8, 24, 7.0 / 23}, {"none", 4, 4, 1}, {"none", 1, 1, 1},
        {"stack", 1, 2, 0},
        {"random", 2, 4, 1.0 / 3}, {"interpolate", 3, 4, 1.0 / 3}, {"midas", 3, 6, 2.0 / 5},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_recipe recipe = build(cases[i].text, cases[i].n_layer, cases[i].target);
        assert_true(lag_recipe_connection_rate(&recipe) == cases[i].rate);
        lag_recipe_deinit(&recipe);
    }
}

static void test_new_layers(void **state) {
    (void)state;
    static const struct { const char *text, *marks; } cases[] = { /* 3 → 6; n = new */
        {"stack", "...nnn"}, {"interleave", ".n.n.n"}, {"gradual_stack", "...nnn"}, {"midas", "..nnn."},
        {"llama_pro", ".n.n.n"}, {"zero_random at=0", "nnn..."}, {"range start=1 at=0", ".nn.n."}, {"none", "..."},
        {"lidas", "..nn.n"}, {"interpolate", ".n.nn."},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_recipe recipe = build(cases[i].text, 3, 6);
        assert_int_equal(recipe.n_layers, strlen(cases[i].marks));
        for (int l = 0; l < recipe.n_layers; l++) {
            if (recipe.layers[l].is_new != (cases[i].marks[l] == 'n')) fail_msg("%s: layer %d", cases[i].text, l);
        }
        lag_recipe_deinit(&recipe);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct { const char *text; int n_layer, target; const char *pointer, *words; } cases[] = {
        {"stack", 4, 3, "/target/n_layer", "4 layers already"},
        {"stack", 4, 513, "/target/n_layer", "at most 512"},
        {"none", 4, 3, "/target/n_layer", "4 layers already"},
        {"midas block=4", 3, 6, "/params/block", "at most 3"},
        {"lidas", 1, 2, "/params/block", "at most 1"},
        {"gradual_stack block=9", 8, 9, "/params/block", "at most 8"},
        {"zero_top block=9", 8, 9, "/params/block", "at most 8"},
        {"range start=3", 3, 6, "/params/start", "at most 2"},
        {"range start=2 block=2", 3, 6, "/params/block", "at most 1"},
        {"range at=4", 3, 6, "/params/at", "at most 3"},
        {"partial_stack repeat=2", 3, 6, "/params/repeat", "make 4 layers, not 6"},
        {"llama_pro every=4", 3, 6, "/params/every", "at most 3"},
        {"random at=4", 3, 6, "/params/at", "at most 3"},
        {"zero_random at=4", 3, 6, "/params/at", "at most 3"},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_error err = {0};
        struct lag_strategy strategy;
        struct lag_recipe recipe = {.n_layers = 77};
        assert_int_equal(lag_strategy_parse(cases[i].text, &strategy, &err), 0);
        const struct lag_spec *from = LAYERS(cases[i].n_layer), *to = LAYERS(cases[i].target);
        assert_int_equal(lag_recipe_build(&strategy, from, to, &recipe, &err), LAG_EINVAL);
        assert_string_equal(err.pointer, cases[i].pointer);
        if (!strstr(err.text, cases[i].words)) fail_msg("%s: \"%s\"", cases[i].text, err.text);
        assert_int_equal(recipe.n_layers, 77);
        assert_int_equal(lag_recipe_build(&strategy, from, to, &recipe, NULL), LAG_EINVAL);
    }
    struct lag_recipe exact = build("partial_stack repeat=4", 3, 6);
    lag_recipe_deinit(&exact);
    assert_true(exact.n_layers == 0 && exact.layers == NULL);
    struct lag_recipe deepest = build("stack", 256, 512);
    assert_int_equal(deepest.n_layers, 512);
    lag_recipe_deinit(&deepest);
}

static void test_text_is_cut(void **state) {
    (void)state;
    char text[8];
    struct lag_recipe recipe = build("zero_stack", 3, 6);
    memset(text, 'x', sizeof(text));
    lag_recipe_text(&recipe, text, sizeof(text));
    assert_string_equal(text, "0 1 2 0");
    lag_recipe_text(&recipe, text, 1);
    assert_string_equal(text, "");
    lag_recipe_deinit(&recipe);
    memset(text, 'x', sizeof(text));
    lag_recipe_text(&recipe, text, 0); /* nothing to write to */
    assert_int_equal(text[0], 'x');
    lag_recipe_text(&recipe, text, sizeof(text)); /* nothing to write */
    assert_string_equal(text, "");
}

/* A target that differs in another axis, whatever the depth: refused by its name. The reference takes any. */
static void test_other_axes_are_refused(void **state) {
    (void)state;
    int n_ops;
    const struct lag_operator *ops = lag_operators(&n_ops);
    for (int o = 0; o < n_ops; o++) {
        const bool none = strcmp(ops[o].name, "none") == 0;
        if (ops[o].grows >= LAG_GROWS_WIDTH) continue;
        struct lag_strategy strategy;
        assert_int_equal(lag_strategy_init(ops[o].name, &strategy, NULL), 0);
        for (int axis = 0; axis < LAG_N_AXES; axis++) {
            if (axis == LAG_AXIS_N_LAYER) continue;
            struct lag_spec to = *LAYERS(6);
            struct lag_recipe recipe = {0};
            struct lag_error err = {0};
            char pointer[64], text[160];
            *lag_spec_axis_of(&to, (enum lag_spec_axis)axis) *= 2;
            const int rc = lag_recipe_build(&strategy, LAYERS(3), &to, &recipe, &err);
            lag_recipe_deinit(&recipe);
            assert_int_equal(rc, none ? 0 : LAG_EINVAL);
            if (none) continue;
            const int before = lag_spec_axis_get(LAYERS(3), (enum lag_spec_axis)axis);
            snprintf(pointer, sizeof(pointer), "/target/%s", lag_spec_axes[axis].name);
            snprintf(text, sizeof(text), "operator %s grows depth only: %s would change from %d to %d", ops[o].name,
                     lag_spec_axes[axis].name, before, 2 * before);
            assert_string_equal(err.pointer, pointer);
            assert_string_equal(err.text, text);
        }
    }
    struct lag_spec to = *LAYERS(6);
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    struct lag_error err = {0};
    assert_int_equal(lag_strategy_init("stack", &strategy, NULL), 0);
    to.norm_eps = 1e-6;
    assert_int_equal(lag_recipe_build(&strategy, LAYERS(3), &to, &recipe, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/norm_eps");
    to = *LAYERS(6);
    to.arch = LAG_N_ARCHS; /* another one, which this build does not know */
    assert_int_equal(lag_recipe_build(&strategy, LAYERS(3), &to, &recipe, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/arch");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),     cmocka_unit_test(test_all_operators_tabled),
        cmocka_unit_test(test_properties),  cmocka_unit_test(test_connection_rate),
        cmocka_unit_test(test_new_layers),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_other_axes_are_refused),
        cmocka_unit_test(test_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

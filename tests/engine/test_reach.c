/* What operators can reach: told is what a recipe says, and what is near is within reach. */
#include <lagd/base/check.h>
#include <lagd/engine/reach.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct lag_spec parent = {.n_layer = 3, .n_head = 2, .n_embd = 8, .n_inner = 32, .n_positions = 16,
                                       .vocab_size = 256, .norm_eps = 1e-5};

static struct lag_spec shape(int n_layer, int n_embd, int n_head, int n_inner) {
    struct lag_spec spec = parent;
    spec.n_layer = n_layer;
    spec.n_embd = n_embd;
    spec.n_head = n_head;
    spec.n_inner = n_inner;
    return spec;
}

static struct lag_reach reach(const char *name, const struct lag_spec *to) {
    struct lag_reach ret;
    const struct lag_reach_ask ask = {.from = parent, .to = *to};
    assert_int_equal(lag_operator_reach(lag_operator_find(name), &ask, &ret, NULL), 0);
    return ret;
}

/* Whatever the target: what is told to be near can be reached, grows, and is none of the target itself. */
static void test_near_is_within_reach(void **state) {
    (void)state;
    static const int depths[] = {2, 3, 5, 6}, widths[] = {6, 8, 12, 16, 20}, heads[] = {1, 2, 3, 4};
    int n, n_near = 0;
    const struct lag_operator *ops = lag_operators(&n);
    for (size_t d = 0; d < LAG_COUNT(depths); d++)
        for (size_t w = 0; w < LAG_COUNT(widths); w++)
            for (int i = 0; i < n * (int)LAG_COUNT(heads); i++) {
                const struct lag_operator *op = &ops[i % n];
                const struct lag_spec to = shape(depths[d], widths[w], heads[i / n], 4 * widths[w]);
                const struct lag_reach told = reach(op->name, &to);
                struct lag_strategy strategy;
                assert_int_equal(told.why.text[0] != 0, !told.reaches);
                assert_true(!told.reaches || told.n_nearest == 0);
                assert_int_equal(lag_strategy_init(op->name, &strategy, NULL), 0);
                for (int k = 0; k < told.n_nearest; k++, n_near++) {
                    assert_false(lag_spec_same_shape(&told.nearest[k], &parent));
                    assert_false(lag_spec_same_shape(&told.nearest[k], &to));
                    assert_true(reach(op->name, &told.nearest[k]).reaches);
                }
            }
    assert_true(n_near > 100);
}

static void test_what_stands_beside(void **state) {
    (void)state;
    const struct lag_spec both = shape(6, 16, 4, 64), odd = shape(6, 12, 3, 48), wide = shape(3, 12, 3, 48);
    assert_string_equal(reach("midas", &both).beside->name, "clone_width");
    assert_string_equal(reach("clone_diagonal", &both).beside->name, "stack");
    assert_null(reach("none", &both).beside);
    struct lag_reach told = reach("clone_diagonal", &odd);
    assert_true(!told.reaches && told.n_nearest == 1);
    assert_true(told.nearest[0].n_embd == 16 && told.nearest[0].n_layer == 6);
    assert_non_null(strstr(told.why.text, "8 can become 8 or 16, not 12"));
    told = reach("stack", &wide); /* no depth grows: nothing beside it would make it stack's */
    assert_true(!told.reaches && !told.beside && told.n_nearest == 0);
    assert_true(reach("lemon", &wide).reaches && reach("lemon", &wide).grown.n_embd == 12);
}

/* Models that could be named are not known: a fusion reaches what the model makes with itself. */
static void test_a_fusion_reaches_itself(void **state) {
    (void)state;
    const struct lag_spec twice = shape(3, 16, 4, 64), four = shape(3, 32, 8, 128), odd = shape(3, 20, 5, 80),
                          deep = shape(5, 16, 4, 64);
    assert_true(reach("fuse", &twice).reaches && reach("fuse", &twice).grown.n_embd == 16);
    assert_true(reach("fuse", &four).reaches);
    assert_string_equal(reach("fuse", &deep).beside->name, "stack");
    const struct lag_reach told = reach("fuse", &odd);
    assert_true(!told.reaches && told.n_nearest == 2);
    assert_true(told.nearest[0].n_embd == 16 && told.nearest[0].n_head == 4 && told.nearest[1].n_embd == 24);
    assert_non_null(strstr(told.why.text, "fuse to n_embd 16"));
    /* With models that are named, their sum is all there is. */
    struct lag_strategy strategy;
    struct lag_spec nearest[LAG_NEAREST_MAX];
    assert_int_equal(lag_strategy_parse("fuse parents=a", &strategy, NULL), 0);
    strategy.parents[0].spec = shape(3, 12, 3, 50);
    assert_int_equal(lag_strategy_nearest(&strategy, &parent, &odd, nearest), 1);
    const struct lag_spec wide = shape(3, 24, 6, 96);
    assert_int_equal(lag_strategy_nearest(&strategy, &parent, &wide, nearest), 1);
    assert_true(nearest[0].n_embd == 20 && nearest[0].n_head == 5 && nearest[0].n_inner == 82);
}

static struct lag_reach reach_with(const char *name, const struct lag_spec *to, const struct lag_spec *other) {
    struct lag_reach ret;
    struct lag_reach_ask ask = {.from = parent, .to = *to, .parents = {{"a", *other}}, .n_parents = 1};
    assert_int_equal(lag_operator_reach(lag_operator_find(name), &ask, &ret, NULL), 0);
    return ret;
}

/* With models that are named a fusion reaches their sum, beside an operator of depth too, and says which do not go. */
static void test_a_fusion_with_named_models(void **state) {
    (void)state;
    const struct lag_spec other = shape(3, 12, 3, 50), sum = shape(3, 20, 5, 82), deep = shape(5, 20, 5, 82),
                          twice = shape(3, 16, 4, 64);
    assert_true(reach_with("fuse", &sum, &other).reaches && reach_with("fuse", &sum, &other).grown.n_inner == 82);
    assert_false(reach("fuse", &sum).reaches);
    assert_string_equal(reach_with("fuse", &deep, &other).beside->name, "stack");
    struct lag_reach told = reach_with("fuse", &twice, &other);
    assert_true(!told.reaches && told.n_nearest == 1 && lag_spec_same_shape(&told.nearest[0], &sum));
    assert_non_null(strstr(told.why.text, "fuse to n_embd 20"));
    told = reach_with("fuse", &sum, &deep);
    assert_true(!told.reaches && told.n_nearest == 0);
    assert_non_null(strstr(told.why.text, "a has 5 layers, and the run 3"));
    struct lag_spec gated = other;
    gated.gated = true;
    told = reach_with("fuse", &sum, &gated);
    assert_true(!told.reaches && strstr(told.why.text, "a has gates"));
    /* Others do what they did. */
    assert_true(reach_with("lemon", &sum, &other).reaches);
    assert_string_equal(reach_with("stack", &deep, &other).beside->name, reach("stack", &deep).beside->name);
    struct lag_error err;
    struct lag_reach_ask ask = {.from = parent, .to = sum, .parents = {{"a b", other}}, .n_parents = 1};
    assert_int_equal(lag_operator_reach(lag_operator_find("fuse"), &ask, &told, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/parents/0");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_near_is_within_reach),
                                       cmocka_unit_test(test_what_stands_beside),
                                       cmocka_unit_test(test_a_fusion_reaches_itself),
                                       cmocka_unit_test(test_a_fusion_with_named_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

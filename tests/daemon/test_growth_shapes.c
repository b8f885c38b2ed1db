/* Growth plans: what a target's axes bring with them, what operators reach from a run, and refusals that tell it. */
#include "growth_plan_fixture.h"

/* A target beyond a strategy, or a pool, is refused with what is within. */
static void refusals_tell_what_is_near(void **state) {
    (void)state;
    REFUSES((strategy("stack", NULL, 0), request.target.n_embd = 64), "/target/n_embd");
    assert_non_null(strstr(err.text, "grows depth only"));
    assert_non_null(strstr(err.text, "; nearest are 3 to 6 layers"));
    REFUSES((strategy("clone_diagonal", NULL, 0), request.target.n_layer = 0, request.target.n_embd = 48,
             request.target.n_head = 6), "/target/n_embd");
    assert_non_null(strstr(err.text, "; nearest are n_head 4 to 8, n_embd 32 to 64, n_inner 128 to 256"));
    REFUSES((SET(pool, "depth"), request.target.n_layer = 0, request.target.n_embd = 64), "/target/n_embd");
    REFUSES((SET(pool, "blocks"), request.target.n_layer = 9), "/target/n_layer");
    REFUSES((SET(pool, "default"), request.target.n_embd = 16), "/target/n_embd");
    assert_non_null(strstr(err.text, "; nearest are 3 to 6 layers"));
}

/* Heads apart from the stream: named by head_dim, else kept as they are; what comes to n_embd / n_head is no name. */
static void heads_may_stand_apart(void **state) {
    (void)state;
    static const struct { struct lag_shape from, target; int64_t n_head, head_dim, is; } cases[] = {
        {{.n_embd = 32, .n_head = 4}, {.head_dim = 16}, 4, 16, 16},
        {{.n_embd = 32, .n_head = 4}, {.n_head = 8, .head_dim = 8}, 8, 8, 8},
        {{.n_embd = 32, .n_head = 4}, {.n_embd = 64, .head_dim = 16}, 4, 0, 16},
        {{.n_embd = 32, .n_head = 4}, {.n_embd = 64, .head_dim = 8}, 4, 8, 8},
        {{.n_embd = 32, .n_head = 4}, {.n_embd = 64}, 8, 0, 8},
        {{.n_embd = 32, .n_head = 4, .head_dim = 16}, {.n_embd = 64}, 4, 0, 16},
        {{.n_embd = 32, .n_head = 4, .head_dim = 16}, {.n_embd = 48}, 4, 16, 16},
        {{.n_embd = 32, .n_head = 4, .head_dim = 16}, {.n_layer = 4}, 4, 16, 16},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_shape to;
        assert_int_equal(lagd_shape_aim(&cases[i].from, &cases[i].target, &to, &err), 0);
        assert_int_equal(to.n_head, cases[i].n_head);
        assert_int_equal(to.head_dim, cases[i].head_dim);
        assert_int_equal(lagd_shape_head_dim(&to), cases[i].is);
    }
    request.target = (struct lag_shape){.n_head = 6, .head_dim = 8};
    if (make() < 0) fail_msg("%s", err.text);
    assert_true(plan->to.n_embd == 32 && plan->to.n_head == 6 && plan->to.head_dim == 8);
    char change[LAGD_SHAPE_CHANGE];
    lagd_shape_change(&plan->from, &plan->to, change);
    assert_string_equal(change, "n_head 4 to 6");
    struct lag_shape larger = run.shape;
    larger.head_dim = 12;
    lagd_shape_change(&run.shape, &larger, change);
    assert_string_equal(change, "head_dim 8 to 12");
    REFUSES((request.target = (struct lag_shape){.head_dim = 4}), "/target/head_dim");
    REFUSES((request.target = (struct lag_shape){.n_head = 8}), "/target/n_head");
    assert_non_null(strstr(err.text, "or name head_dim too"));
    REFUSES((request.target = (struct lag_shape){.head_dim = 65537}), "/target/head_dim");
}

static struct lagd_reach_info reach_of(const char *name, const struct lagd_reach_target *target) {
    struct lagd_operator_info info;
    struct lagd_reach_info reach = {0};
    for (int i = 0; i < lagd_operator_count(); i++) {
        lagd_operator_get(i, &info);
        if (strcmp(info.name, name) == 0) assert_int_equal(lagd_operator_reach(i, target, &reach, &err), 0);
    }
    return reach;
}

static void operators_tell_what_they_reach(void **state) {
    (void)state;
    static struct lagd_reach_target target;
    target.run = run;
    if (lagd_reach_aim("n_layer=6,n_embd=64", &target, &err) < 0) fail_msg("%s", err.text);
    assert_true(target.to.n_layer == 6 && target.to.n_embd == 64 && target.to.n_inner == 256);
    struct lagd_reach_info reach = reach_of("stack", &target);
    assert_true(reach.reaches && reach.hugging_face && reach.n_params > 0);
    assert_string_equal(reach.beside, "clone_width");
    assert_string_equal(reach_of("lemon", &target).beside, "stack");
    assert_true(reach_of("none", &target).reaches);
    if (lagd_reach_aim("n_embd=48", &target, &err) < 0) fail_msg("%s", err.text);
    reach = reach_of("stack", &target);
    assert_true(!reach.reaches && reach.n_nearest == 0 && strstr(reach.reason, "grows depth only"));
    reach = reach_of("clone_diagonal", &target);
    assert_true(!reach.reaches && reach.n_nearest == 1 && reach.nearest[0].n_embd == 64);
    assert_true(reach_of("lemon", &target).reaches && reach_of("lemon", &target).beside[0] == 0);
    if (lagd_reach_aim("5", &target, &err) < 0) fail_msg("%s", err.text);
    assert_true(target.to.n_layer == 5 && reach_of("midas", &target).reaches);
    assert_int_equal(lagd_reach_aim("depth=5", &target, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "target has no \"depth\""));
    assert_int_equal(lagd_reach_aim("n_embd=33", &target, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "ask for"));
    assert_int_equal(lagd_reach_aim("n_layer=x", &target, &err), LAG_EINVAL);
}

/* Every axis can be named, and a refusal names the axis. */
static void other_axes_stay(void **state) {
    (void)state;
    REFUSES(request.target.n_head = 2, "/target/n_head"); /* heads would become larger, but fewer */
    assert_non_null(strstr(err.text, "n_head would shrink from 4 to 2"));
    REFUSES(request.target.n_head = 8, "/target/n_head");
    assert_non_null(strstr(err.text, "have 4 numbers each, fewer than the model's 8: ask for at most 4"));
    REFUSES(request.target.n_head = 3, "/target/n_head"); /* nor does it divide the width */
    REFUSES(request.target.n_embd = 34, "/target/n_embd");
    assert_non_null(strstr(err.text, "ask for 32 or 36, or name n_head too"));
    REFUSES(request.target.n_embd = 16, "/target/n_embd");
    REFUSES(request.target.n_inner = 1, "/target/n_inner");
    REFUSES((strategy("stack", NULL, 0), request.target.n_head = 8, request.target.n_embd = 64), "/target/n_embd");
    REFUSES((strategy("clone_width", NULL, 0), request.target.n_embd = 64), "/target/n_layer");
    REFUSES((strategy("clone_diagonal", NULL, 0), request.target.n_layer = 3, request.target.n_embd = 40),
            "/target/n_embd");
    REFUSES((strategy("stack", NULL, 0), SET(strategies[0].with, "midas")), "/pool/0/with");
    REFUSES((strategy("stack", NULL, 0), request.strategies[0].n_with_params = 1), "/pool/0/with_params");
    REFUSES(request.target.n_layer = 0, "/target");
    REFUSES((request.target.n_layer = 0, request.target.n_embd = 32), "/target");
    REFUSES(request.target.n_positions = 8, "/target/n_positions");
    REFUSES(request.target.vocab_size = 5, "/target/vocab_size");
    REFUSES((request.target.vocab_size = 300, request.target.n_positions = 256), "/target");
    REFUSES((strategy("stack", NULL, 0), request.target.vocab_size = 300), "/target/vocab_size");
    REFUSES((strategy("stack", NULL, 0), request.target.n_embd = 64), "/target/n_embd");
    (void)set_up(NULL);
    request.target = (struct lag_shape){6, 4, 32, 128, 128, 256};
    if (make() < 0) fail_msg("%s", err.text);
    assert_memory_equal(&plan->from, &run.shape, sizeof(run.shape));
    assert_memory_equal(&plan->to, &request.target, sizeof(request.target));
    free(plan);
    request.target = (struct lag_shape){.n_layer = 5};
    if (make() < 0) fail_msg("%s", err.text);
    const struct lag_shape expected = {5, 4, 32, 128, 128, 256};
    assert_memory_equal(&plan->to, &expected, sizeof(expected));
}

/* A width alone: heads keep their size, the FFN goes with it; where heads do not divide it, they become larger. */
static void a_width_brings_the_rest(void **state) {
    (void)state;
    static const struct { struct lag_shape target, to; } cases[] = {
        {{.n_embd = 64}, {3, 8, 64, 256, 128, 256}},
        {{.n_embd = 36}, {3, 4, 36, 144, 128, 256}},
        {{.n_embd = 50}, {3, 5, 50, 200, 128, 256}},
        {{.n_embd = 64, .n_inner = 128}, {3, 8, 64, 128, 128, 256}},
        {{.n_embd = 64, .n_head = 4}, {3, 4, 64, 256, 128, 256}},
        {{.n_inner = 129}, {3, 4, 32, 129, 128, 256}},
        {{.n_embd = 64, .n_layer = 6}, {6, 8, 64, 256, 128, 256}},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        (void)set_up(NULL);
        request.target = cases[i].target;
        if (make() < 0) fail_msg("case %zu: %s", i, err.text);
        assert_memory_equal(&plan->to, &cases[i].to, sizeof(cases[i].to));
        struct lag_spec spec = {0};
        lagd_spec_take_shape(&spec, &plan->to);
        assert_true(plan->n_candidates > 4);
        for (int c = 0; c + 1 < plan->n_candidates; c++)
            assert_int_equal(plan->candidates[c].n_params, lag_spec_params(&spec));
        assert_true(plan->candidates[plan->n_candidates - 1].n_params < plan->candidates[0].n_params);
        free(plan);
        plan = NULL;
    }
}

static void a_change_in_words(void **state) {
    (void)state;
    char text[LAGD_SHAPE_CHANGE];
    const struct lag_shape from = {3, 4, 32, 128, 128, 256}, deeper = {6, 4, 32, 128, 128, 256};
    const struct lag_shape wider = {6, 8, 64, 256, 128, 300};
    lagd_shape_change(&from, &deeper, text);
    assert_string_equal(text, "3 to 6 layers");
    lagd_shape_change(&from, &wider, text);
    assert_string_equal(text, "3 to 6 layers, n_head 4 to 8, n_embd 32 to 64, n_inner 128 to 256, vocab_size 256 to "
                              "300");
    assert_true(lagd_shape_equal(&from, &from) && !lagd_shape_equal(&from, &deeper));
    assert_true(!lagd_shape_equal(&deeper, &wider));
    const struct lag_shape wide = {3, 8, 64, 128, 128, 256}, asked = {.n_layer = 6, .n_embd = 64};
    lagd_shape_change(&from, &wide, text);
    assert_string_equal(text, "n_head 4 to 8, n_embd 32 to 64");
    lagd_shape_change(&from, &from, text);
    assert_string_equal(text, "3 to 3 layers");
    lagd_shape_words(&asked, text);
    assert_string_equal(text, "6 layers, n_embd 64");
    const struct lag_shape most = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
    lagd_shape_change(&from, &most, text); /* cut, not spilled */
    assert_true(strlen(text) < sizeof(text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refusals_tell_what_is_near, set_up, tear_down),
        cmocka_unit_test_setup_teardown(heads_may_stand_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(operators_tell_what_they_reach, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_axes_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_width_brings_the_rest, set_up, tear_down),
        cmocka_unit_test(a_change_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

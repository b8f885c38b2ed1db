/* Growth plans: the pool expanded, equal candidates merged with all their names, the reference last, refusals that
 * point. */
#include "growth_plan_fixture.h"

static void the_default_pool(void **state) {
    (void)state;
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->n_candidates, 11);
    double flops = 0;
    for (int i = 0; i < plan->n_candidates; i++) {
        const struct lagd_candidate_plan *c = &plan->candidates[i];
        bool last = i == plan->n_candidates - 1;
        assert_int_equal(strcmp(c->op, "none") == 0, last);
        assert_int_equal(c->eligible, !last);
        assert_true(c->names[0] && c->recipe[0] && c->flops > 0 && c->n_params > 0);
        assert_non_null(strstr(c->strategy, "seed=17"));
        struct lagd_strategy_request decoded;
        assert_int_equal(lagd_strategy_decode(c->strategy, &decoded, &err), 0);
        assert_string_equal(decoded.op, c->op);
        assert_string_equal(decoded.optimizer, "inherit");
        assert_string_equal(decoded.lr, "continue");
        assert_int_equal(c->rewarm_steps, 0);
        for (int j = 0; j < i; j++) assert_string_not_equal(c->strategy, plan->candidates[j].strategy);
        flops += c->flops;
    }
    assert_true(plan->flops_total == flops && plan->seconds_guess > 0 && plan->memory_bytes > 0);
    assert_true(plan->eval_share <= 0.33 && plan->n_batches >= 2 && plan->n_times >= 3);
    assert_true(plan->candidates[0].n_params > plan->candidates[plan->n_candidates - 1].n_params);
}

static void equal_ones_merge_with_all_names(void **state) {
    (void)state;
    run.shape.n_layer = 3;
    strategy("stack", NULL, 0);
    strategy("gradual_stack", "block", 3); /* the last block is the whole model */
    strategy("none", NULL, 0);
    strategy("stack", NULL, 0);
    strategy("interleave", NULL, 0);
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->n_candidates, 3);
    assert_string_equal(plan->candidates[0].names, "stack, gradual_stack block=3");
    assert_string_equal(plan->candidates[0].recipe, "0 1 2 0 1 2");
    assert_string_equal(plan->candidates[1].op, "interleave");
    assert_string_equal(plan->candidates[2].op, "none");
    assert_string_equal(plan->candidates[2].recipe, "0 1 2");
}

/* Steps that learn are counted where the candidate's are, and in memory; only their own rules are taken over. */
static void learning_is_charged(void **state) {
    (void)state;
    strategy("ligo", "steps", 30);
    strategy("stack", NULL, 0);
    request.has_rules = true;
    (void)lag_copy(request.rules.optimizer, sizeof(request.rules.optimizer), "inherit");
    request.rules.freeze_old = 5;
    if (make() < 0) fail_msg("%s at %s", err.text, err.pointer);
    const struct lagd_candidate_plan *learned = &plan->candidates[0], *stacked = &plan->candidates[1];
    assert_non_null(strstr(learned->strategy, "ligo steps=30 rate=0.01 jitter=0.03 optimizer=reset"));
    assert_null(strstr(learned->strategy, "freeze_old"));
    assert_non_null(strstr(stacked->strategy, "optimizer=inherit lr=continue freeze_old=5"));
    assert_true(learned->learn_steps == 30 && stacked->learn_steps == 0 && stacked->learn_flops == 0);
    assert_true(learned->learn_flops > 0 && learned->flops == stacked->flops + learned->learn_flops);
    assert_true(plan->n_learning == 1 && plan->learn_bytes > 0);
    const int64_t peak = plan->memory_peak_bytes, bytes = plan->learn_bytes;
    const double most = plan->most.flops;
    (void)lag_copy(request.strategies[0].op, sizeof(request.strategies[0].op), "interleave");
    request.strategies[0].n_params = 0;
    if (make() < 0) fail_msg("%s at %s", err.text, err.pointer);
    assert_true(plan->memory_peak_bytes == peak - bytes && plan->most.flops < most);
    (void)lag_copy(request.strategies[0].op, sizeof(request.strategies[0].op), "ligo");
    (void)lag_copy(request.strategies[0].optimizer, sizeof(request.strategies[0].optimizer), "inherit");
    assert_int_equal(make(), LAG_EINVAL);
    assert_string_equal(err.pointer, "/pool/operators/0/optimizer");
}

static void none_may_win_when_allowed(void **state) {
    (void)state;
    request.allow_none = true;
    strategy("stack", NULL, 0);
    assert_int_equal(make(), 0);
    assert_true(plan->candidates[1].eligible);
}

static void rules_and_seeds_are_taken(void **state) {
    (void)state;
    strategy("random", NULL, 0);
    lag_copy(request.strategies[0].optimizer, sizeof(request.strategies[0].optimizer), "reset");
    lag_copy(request.strategies[0].lr, sizeof(request.strategies[0].lr), "rewarm");
    request.strategies[0].rewarm_steps = 7;
    request.strategies[0].seed = 5;
    strategy("random", NULL, 0);
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->n_candidates, 3);
    assert_non_null(strstr(plan->candidates[0].strategy, "optimizer=reset lr=rewarm rewarm_steps=7 seed=5"));
    assert_int_equal(plan->candidates[0].rewarm_steps, 7);
    assert_non_null(strstr(plan->candidates[1].strategy, "seed=17"));
}

static void old_layers_may_be_frozen(void **state) {
    (void)state;
    static const int64_t freezes[] = {LAGD_FREEZE_UNSAID, 0, 20, LAGD_FREEZE_KEEP};
    for (int i = 0; i < 4; i++) {
        strategy("stack", NULL, 0);
        request.strategies[i].freeze_old = freezes[i];
    }
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->n_candidates, 4); /* one does not freeze */
    assert_null(strstr(plan->candidates[0].strategy, "freeze_old"));
    assert_non_null(strstr(plan->candidates[1].strategy, " freeze_old=20 "));
    assert_non_null(strstr(plan->candidates[2].strategy, " freeze_old=keep "));
    struct lagd_strategy_request decoded;
    assert_int_equal(lagd_strategy_decode(plan->candidates[2].strategy, &decoded, &err), 0);
    assert_int_equal(decoded.freeze_old, LAGD_FREEZE_KEEP);
    assert_int_equal(lagd_strategy_decode(plan->candidates[0].strategy, &decoded, &err), 0);
    assert_int_equal(decoded.freeze_old, 0);
}

static void expect_rules(int from, int to, const char *optimizer, const char *lr, int64_t rewarm_steps,
                         int64_t freeze) {
    for (int i = from; i < to; i++) {
        struct lagd_strategy_request decoded;
        assert_int_equal(lagd_strategy_decode(plan->candidates[i].strategy, &decoded, &err), 0);
        assert_string_equal(decoded.optimizer, optimizer);
        assert_string_equal(decoded.lr, lr);
        assert_int_equal(plan->candidates[i].rewarm_steps, rewarm_steps);
        assert_int_equal(decoded.freeze_old, freeze);
    }
}

/* The rules of a pool hold for each of its operators, and the reference stays as it is. */
static void a_pool_has_rules(void **state) {
    (void)state;
    request.has_rules = true;
    SET(rules.optimizer, "reset");
    SET(rules.lr, "rewarm");
    request.rules.seed = 5;
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->n_candidates, 11);
    expect_rules(0, 10, "reset", "rewarm", 50, 0); /* whatever the lag */
    expect_rules(10, 11, "inherit", "continue", 0, 0);
    assert_string_equal(plan->candidates[9].strategy, "random at=-1 optimizer=reset lr=rewarm rewarm_steps=50 seed=5");
    free(plan);
    request.rules.rewarm_steps = 8;
    request.rules.freeze_old = 30;
    if (make() < 0) fail_msg("%s", err.text);
    expect_rules(0, 10, "reset", "rewarm", 8, 30);
}

/* In a list they hold where an entry says nothing. A recipe and a strategy's text say all. */
static void a_list_has_rules(void **state) {
    (void)state;
    request.has_rules = true;
    SET(rules.optimizer, "reset_new");
    SET(rules.lr, "rewarm");
    request.rules.rewarm_steps = 8;
    request.rules.freeze_old = LAGD_FREEZE_KEEP;
    strategy("stack", NULL, 0);
    strategy("interleave", NULL, 0);
    SET(strategies[1].optimizer, "reset");
    SET(strategies[1].lr, "continue");
    request.strategies[1].freeze_old = 0;
    strategy("none", NULL, 0);
    strategy("g_stack", NULL, 0);
    assert_int_equal(lagd_strategy_decode("midas lr=restart", &request.strategies[request.n_strategies++], &err), 0);
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->n_candidates, 5);
    expect_rules(0, 1, "reset_new", "rewarm", 8, LAGD_FREEZE_KEEP);
    expect_rules(1, 2, "reset", "continue", 0, 0);
    expect_rules(2, 3, "reset", "restart", 0, 0);
    expect_rules(3, 4, "inherit", "restart", 0, 0);
    assert_string_equal(plan->candidates[2].names, "g_stack");
    assert_string_equal(plan->candidates[2].op, "stack");
}

static void the_published_pool(void **state) {
    (void)state;
    SET(pool, "published");
    if (make() < 0) fail_msg("%s", err.text);
    int n = 0;
    for (int i = 0; i < lagd_recipe_count(); i++) {
        struct lagd_recipe_info info;
        struct lagd_strategy_request decoded;
        lagd_recipe_get(i, &info);
        assert_int_equal(lagd_strategy_decode(info.strategy, &decoded, &err), 0);
        static const char widths[] = "aki lemon clone_width clone_diagonal zero_block masked_width ligo_width";
        const bool is_depth = strcmp(decoded.op, "ligo") == 0;
        if (decoded.with[0] || (strstr(widths, decoded.op) && !is_depth)) continue;
        assert_int_equal(strncmp(plan->candidates[n].names, info.name, strlen(info.name)), 0);
        const size_t rules = (size_t)(strstr(info.strategy, " seed=") - info.strategy);
        assert_int_equal(strncmp(plan->candidates[n++].strategy, info.strategy, rules), 0);
    }
    assert_int_equal(plan->n_candidates, n + 1); /* those of depth, and the reference */
    assert_in_range(n, 5, lagd_recipe_count() - 1);
    /* Asked for otherwise, the same strategy has the recipe's name, too. */
    free(plan);
    SET(pool, "default");
    request.has_rules = true;
    SET(rules.optimizer, "reset");
    SET(rules.lr, "restart");
    if (make() < 0) fail_msg("%s", err.text);
    assert_string_equal(plan->candidates[0].names, "stack, g_stack");
}

static void refusals_point(void **state) {
    (void)state;
    REFUSES(request.target.n_layer = 3, "/target/n_layer");
    REFUSES(request.target.n_layer = 2, "/target/n_layer");
    REFUSES(request.target.n_layer = 513, "/target/n_layer");
    REFUSES((strategy("stack", NULL, 0), request.target.n_layer = 513), "/target/n_layer");
    REFUSES(request.at_step = 99, "/when/at_step");
    REFUSES(request.at_step = 251, "/probe/steps");
    REFUSES(request.at_step = INT64_MAX, "/probe/steps");
    REFUSES(request.probe_steps = 201, "/probe/steps");
    REFUSES(lag_copy(request.pool, sizeof(request.pool), "swimming"), "/pool");
    REFUSES(strategy("none", NULL, 0), "/pool");
    REFUSES((strategy("stack", NULL, 0), strategy("stick", NULL, 0)), "/pool/1/operator");
    REFUSES(strategy("midas", "blick", 1), "/pool/0/params/blick");
    REFUSES(strategy("midas", "block", 0.5), "/pool/0/params/block");
    REFUSES((strategy("stack", NULL, 0),
             lag_copy(request.strategies[0].optimizer, sizeof(request.strategies[0].optimizer), "forget")),
            "/pool/0/optimizer");
    REFUSES((strategy("stack", NULL, 0), lag_copy(request.strategies[0].lr, sizeof(request.strategies[0].lr), "fast")),
            "/pool/0/lr");
    REFUSES((strategy("stack", NULL, 0), request.strategies[0].rewarm_steps = 3), "/pool/0/rewarm_steps");
    REFUSES((strategy("none", NULL, 0), request.strategies[0].freeze_old = 3), "/pool/0/freeze_old");
    REFUSES((request.has_rules = true, SET(pool, "swimming")), "/pool/operators");
    REFUSES((request.has_rules = true, strategy("stick", NULL, 0)), "/pool/operators/0/operator");
    REFUSES((request.has_rules = true, SET(rules.optimizer, "forget")), "/pool/optimizer");
    REFUSES((strategy("g_stack", NULL, 0), request.has_rules = true, SET(rules.lr, "fast")), "/pool/lr");
    REFUSES((request.has_rules = true, request.rules.rewarm_steps = 3), "/pool/rewarm_steps");
    REFUSES((request.has_rules = true, SET(rules.lr, "restart"), request.rules.rewarm_steps = 3), "/pool/rewarm_steps");
    REFUSES((SET(pool, "published"), request.has_rules = true, SET(rules.lr, "restart")), "/pool/lr");
    REFUSES((SET(pool, "published"), request.has_rules = true, SET(rules.optimizer, "reset")), "/pool/optimizer");
    REFUSES((SET(pool, "published"), request.has_rules = true, request.rules.freeze_old = 0), "/pool/freeze_old");
    (void)set_up(NULL);
    request.at_step = 250;
    assert_int_equal(make(), 0);
}

static void the_catalogue(void **state) {
    (void)state;
    int n = lagd_operator_count();
    assert_true(n >= 12);
    for (int i = 0; i < n; i++) {
        struct lagd_operator_info info;
        lagd_operator_get(i, &info);
        assert_true(info.name[0] && info.title[0] && info.help[0] && info.reference[0]);
        assert_true(info.n_params <= LAGD_STRATEGY_PARAMS && info.preset_optimizer && info.preset_lr);
    }
    assert_true(lagd_recipe_count() >= 4);
    for (int i = 0; i < lagd_recipe_count(); i++) {
        struct lagd_recipe_info info;
        struct lagd_strategy_request decoded;
        lagd_recipe_get(i, &info);
        assert_true(info.name[0] && info.title[0] && info.help[0] && info.reference[0]);
        assert_int_equal(lagd_strategy_decode(info.strategy, &decoded, &err), 0);
    }
    assert_int_equal(lagd_pool_count(), 7);
    struct lagd_pool_info pool;
    lagd_pool_get(5, &pool);
    assert_string_equal(pool.name, "published");
    assert_true(pool.help[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_default_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_ones_merge_with_all_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(learning_is_charged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(none_may_win_when_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rules_and_seeds_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_layers_may_be_frozen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pool_has_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_has_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_published_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_point, set_up, tear_down),
        cmocka_unit_test(the_catalogue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

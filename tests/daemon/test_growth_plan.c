/* Growth plans: the pool expanded, equal candidates merged with all their names, the reference last, refusals that
 * point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/operators.h>
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_request.h>
#include <lagd/daemon/run_config.h>
#include <lagd/daemon/shape.h>
#include <lagd/engine/params.h>
#include <lagd/engine/train.h>

static struct lag_error err;
static struct lag_run_row run;
static struct lagd_growth_request request;
static struct lagd_growth_plan *plan;

static int set_up(void **state) {
    (void)state;
    static struct lagd_run_config config;
    static const struct lag_dataset_row words = {
        .name = "words", .format = "text", .n_bytes = 100000, .n_tokens = 100000, .max_id = 122, .vocab_size = 256};
    memset(&err, 0, sizeof(err));
    memset(&run, 0, sizeof(run));
    lag_fields_defaults(&lagd_run_fields, &config);
    lag_copy(config.dataset, sizeof(config.dataset), "words");
    config.shape.n_layer = 3;
    config.shape.n_embd = 32;
    config.seed = 17;
    config.max_steps = 300;
    assert_int_equal(lagd_run_config_resolve(&config, &words, &err), 0);
    assert_int_equal(lagd_run_config_format(&config, run.config, &err), 0);
    lag_copy(run.id, sizeof(run.id), "run_x");
    lag_copy(run.name, sizeof(run.name), "x");
    run.shape = config.shape;
    run.max_steps = 300;
    run.step = 100;
    run.lr_scale = 1;
    lagd_growth_request_defaults(&request);
    request.target.n_layer = 6;
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    free(plan);
    plan = NULL;
    return 0;
}

static int make(void) { return lagd_growth_plan_make(NULL, &request, &run, 2, &plan, &err); }

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

static void strategy(const char *op, const char *param, double value) {
    struct lagd_strategy_request *s = &request.strategies[request.n_strategies++];
    lagd_strategy_request_defaults(s);
    lag_copy(s->op, sizeof(s->op), op);
    if (param) {
        lag_copy(s->params[0].name, sizeof(s->params[0].name), param);
        s->params[0].value = value;
        s->n_params = 1;
    }
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

#define SET(member, text) lag_copy(request.member, sizeof(request.member), text)

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
        static const char widths[] = "aki lemon clone_width clone_diagonal zero_block masked_width";
        if (decoded.with[0] || strstr(widths, decoded.op)) continue;
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

#define REFUSES(change, pointer_)                                                            \
    do {                                                                                     \
        (void)set_up(NULL);                                                                  \
        change;                                                                              \
        assert_int_equal(make(), LAG_EINVAL);                                                \
        if (strcmp(err.pointer, pointer_) != 0) fail_msg("%s: %s %s", #change, err.pointer, err.text); \
        assert_true(err.text[0] != 0);                                                       \
    } while (0)

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
        cmocka_unit_test_setup_teardown(none_may_win_when_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rules_and_seeds_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_layers_may_be_frozen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pool_has_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_has_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_published_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_tell_what_is_near, set_up, tear_down),
        cmocka_unit_test_setup_teardown(heads_may_stand_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(operators_tell_what_they_reach, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_point, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_axes_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_width_brings_the_rest, set_up, tear_down),
        cmocka_unit_test(a_change_in_words),
        cmocka_unit_test(the_catalogue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

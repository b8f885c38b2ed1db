/* Strategies as text. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/grow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_presets(void **state) {
    (void)state;
    static const struct { const char *name, *text; } cases[] = {
        {"stack", "stack optimizer=inherit lr=continue seed=0"},
        {"midas", "midas block=1 optimizer=inherit lr=continue seed=0"},
        {"lidas", "lidas block=2 optimizer=inherit lr=continue seed=0"},
        {"range", "range start=0 block=1 at=-1 optimizer=inherit lr=continue seed=0"},
        {"partial_stack", "partial_stack start=0 block=1 repeat=0 optimizer=inherit lr=continue seed=0"},
        {"llama_pro", "llama_pro every=1 optimizer=reset_new lr=rewarm_new seed=0"},
        {"random", "random at=-1 optimizer=inherit lr=continue seed=0"},
        {"none", "none optimizer=inherit lr=continue seed=0"},
        {"stack freeze_old=0", "stack optimizer=inherit lr=continue seed=0"},
        {"stack freeze_old=keep", "stack optimizer=inherit lr=continue freeze_old=keep seed=0"},
        {"midas seed=1 freeze_old=20", "midas block=1 optimizer=inherit lr=continue freeze_old=20 seed=1"},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        char text[LAG_STRATEGY_TEXT];
        struct lag_strategy strategy;
        if (!strchr(cases[i].name, ' ')) {
            assert_int_equal(lag_strategy_init(cases[i].name, &strategy, NULL), 0);
            assert_true(strategy.rewarm_steps == LAG_REWARM_DEFAULT && strategy.freeze_steps == 0);
            lag_strategy_format(&strategy, text);
            assert_string_equal(text, cases[i].text);
        }
        assert_int_equal(lag_strategy_parse(cases[i].name, &strategy, NULL), 0);
        lag_strategy_format(&strategy, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* What GET /operators says of each: the axes of its direction, and when the function stays if it ever does. */
static void test_table(void **state) {
    (void)state;
    int n;
    const struct lag_operator *ops = lag_operators(&n);
    assert_true(n >= 21);
    for (int i = 0; i < n; i++) {
        const struct lag_operator *op = &ops[i];
        assert_true(op->name[0] && op->title[0] && op->help[0] && op->reference[0]);
        assert_int_equal(op->function_preserving, op->preserves != NULL);
        assert_non_null(op->axes);
        assert_int_equal(op->axes[0] == '\0', op->grows == LAG_GROWS_NOTHING);
        assert_int_equal(strstr(op->axes, "n_layer") != NULL, op->grows == LAG_GROWS_DEPTH);
        assert_int_equal(strstr(op->axes, "n_inner") != NULL, op->grows == LAG_GROWS_WIDTH);
        for (int j = 0; j < LAG_OPERATOR_PARAMS && op->params[j].name; j++) {
            const struct lag_operator_param *param = &op->params[j];
            assert_true(param->min <= param->preset && param->preset <= param->max && param->help[0]);
        }
    }
}

static void test_free_order(void **state) {
    (void)state;
    char text[LAG_STRATEGY_TEXT];
    struct lag_strategy strategy;
    assert_int_equal(lag_strategy_parse("  midas seed=18446744073709551615  noise=0.1 rewarm_steps=7 lr=rewarm block=3 "
                                        "optimizer=reset ", &strategy, NULL), 0);
    lag_strategy_format(&strategy, text);
    assert_string_equal(text, "midas block=3 noise=0.1 optimizer=reset lr=rewarm rewarm_steps=7 "
                              "seed=18446744073709551615");
    assert_int_equal(lag_strategy_parse("range start=-0 block=1e0 at=0x2", &strategy, NULL), 0);
    lag_strategy_format(&strategy, text);
    assert_string_equal(text, "range start=0 block=1 at=2 optimizer=inherit lr=continue seed=0");
}

/* format and parse are inverse for every operator, parameter and rule. */
static void test_round_trip(void **state) {
    (void)state;
    int n_ops;
    const struct lag_operator *ops = lag_operators(&n_ops);
    srand(3);
    for (int round = 0; round < 20000; round++) {
        char text[LAG_STRATEGY_TEXT], again[LAG_STRATEGY_TEXT];
        struct lag_strategy a, b;
        struct lag_error err = {0};
        const struct lag_operator *op = &ops[rand() % n_ops];
        assert_int_equal(lag_strategy_init(op->name, &a, NULL), 0);
        for (int p = 0; p < LAG_OPERATOR_PARAMS && op->params[p].name; p++) {
            const struct lag_operator_param *param = &op->params[p];
            double value = param->integer ? param->min + rand() % (int)(param->max - param->min + 1)
                                          : param->min + (param->max - param->min) * rand() / RAND_MAX;
            assert_int_equal(lag_strategy_set_param(&a, param->name, value, NULL), 0);
        }
        if (op->grows > LAG_GROWS_NOTHING && rand() % 2) {
            const struct lag_operator *with = &ops[rand() % n_ops];
            const bool fuses = op->takes_parents || (with->takes_parents && op->grows != LAG_GROWS_DEPTH);
            const bool learns = op->learns != with->learns;
            const int wanted = with->grows > op->grows && !fuses && !learns ? 0 : LAG_EINVAL;
            assert_int_equal(lag_strategy_set_with(&a, with->name, NULL), wanted);
            for (int p = 0; a.with && p < LAG_OPERATOR_PARAMS && with->params[p].name; p++)
                assert_int_equal(lag_strategy_set_with_param(&a, with->params[p].name, with->params[p].integer
                                                             ? 1 + rand() % 5000 : 0.05 + 0.9 * rand() / RAND_MAX,
                                                             NULL), 0);
        }
        if ((a.with ? a.with : a.op)->takes_parents)
            for (int p = rand() % (LAG_FUSE_MAX + 1); p > 0; p--) {
                snprintf(text, sizeof(text), "ckpt_%026d", rand());
                assert_int_equal(lag_strategy_add_parent(&a, text, NULL), 0);
            }
        a.moments = op->learns ? LAG_MOMENTS_RESET : (enum lag_moment_rule)(rand() % 3);
        a.lr = (enum lag_lr_rule)(rand() % 4);
        a.seed = (uint64_t)rand() << 33 | (uint64_t)rand();
        if ((a.lr == LAG_LR_REWARM || a.lr == LAG_LR_REWARM_NEW) && rand() % 2) a.rewarm_steps = 1 + rand();
        if (rand() % 2 && strcmp(op->name, "none") != 0 && !op->learns)
            a.freeze_steps = rand() % 3 ? 1 + rand() % 1000000000 : -1;
        lag_strategy_format(&a, text);
        if (lag_strategy_parse(text, &b, &err)) fail_msg("%s: %s", text, err.text);
        assert_ptr_equal(a.op, b.op);
        assert_memory_equal(a.params, b.params, sizeof(a.params));
        assert_ptr_equal(a.with, b.with);
        assert_memory_equal(a.parents, b.parents, sizeof(a.parents));
        assert_int_equal(a.n_parents, b.n_parents);
        assert_memory_equal(a.with_params, b.with_params, sizeof(a.with_params));
        assert_int_equal(a.moments, b.moments);
        assert_int_equal(a.lr, b.lr);
        assert_true(a.rewarm_steps == b.rewarm_steps && a.freeze_steps == b.freeze_steps && a.seed == b.seed);
        lag_strategy_format(&b, again);
        assert_string_equal(text, again);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct { const char *text; int rc; const char *pointer, *words; } cases[] = {
        {"", LAG_EINVAL, "/operator", "name an operator"},
        {"   ", LAG_EINVAL, "/operator", "name an operator"},
        {"stac", LAG_ENOTFOUND, "/operator", "stack, interleave, gradual_stack, midas, lidas, range, partial_stack, "
            "llama_pro, zero_stack, zero_top, zero_random, random, interpolate, gate_zero, masked_copy, masked_random, "
            "ligo, clone_width, lemon, fpi, aki, clone_diagonal, zero_fanout, zero_block, random_width, masked_width, "
            "ligo_width, fuse, vocab_mean, vocab_random, "
            "context_tile, context_last, context_stretch, none"},
        {"stack block=2", LAG_EINVAL, "/params/block", "no parameter \"block\"; its parameters: noise"},
        {"none block=2", LAG_EINVAL, "/params/block", "its parameters: none"},
        {"midas blok=2", LAG_EINVAL, "/params/blok", "block, noise"},
        {"midas block=0", LAG_EINVAL, "/params/block", "between 1 and 512"},
        {"midas block=513", LAG_EINVAL, "/params/block", "between 1 and 512"},
        {"midas block=1.5", LAG_EINVAL, "/params/block", "whole number"},
        {"midas block=two", LAG_EINVAL, "/params/block", "a number, not \"two\""},
        {"midas block=nan", LAG_EINVAL, "/params/block", ""},
        {"midas noise=1.01", LAG_EINVAL, "/params/noise", "between 0 and 1"},
        {"midas block", LAG_EINVAL, "", "key=value"},
        {"midas block=1 block=2", LAG_EINVAL, "", "given twice"},
        {"midas optimizer=keep", LAG_EINVAL, "/optimizer", "inherit, reset, reset_new (got keep)"},
        {"midas lr=warm", LAG_EINVAL, "/lr", "continue, rewarm, rewarm_new, restart (got warm)"},
        {"stack with=midas", LAG_EINVAL, "/with", "stack with clone_width"},
        {"lemon with=clone_width", LAG_EINVAL, "/with", "is no pair"},
        {"none with=clone_width", LAG_EINVAL, "/with", "is no pair"},
        {"stack with=wide", LAG_EINVAL, "/with", "is no pair"},
        {"stack with=ligo_width", LAG_EINVAL, "/with", "ligo with ligo_width"},
        {"ligo with=clone_width", LAG_EINVAL, "/with", "ligo with ligo_width"},
        {"ligo with=context_tile", LAG_EINVAL, "/with", "ligo with ligo_width"},
        {"ligo optimizer=inherit", LAG_EINVAL, "/optimizer", "none has moments to inherit"},
        {"ligo_width freeze_old=5", LAG_EINVAL, "/freeze_old", "nothing old is left"},
        {"ligo steps=0", LAG_EINVAL, "/params/steps", "between 1 and 1e+06"},
        {"stack with=lemon split=1", LAG_EINVAL, "/with_params/split", "between 0.05 and 0.95"},
        {"midas with=lemon block=2", LAG_EINVAL, "/with_params/block", "its parameters: split, noise, mix"},
        {"midas lr=continue with=lemon lr=continue", LAG_EINVAL, "", "lr is given twice"},
        {"stack noise=0.5 with=lemon noise=0.5 noise=0.5", LAG_EINVAL, "", "noise is given twice"},
        {"stack with=lemon with=lemon", LAG_EINVAL, "", "with is given twice"},
        {"midas seed=-1", LAG_EINVAL, "/seed", "whole number"},
        {"midas seed=18446744073709551616", LAG_EINVAL, "/seed", "whole number"},
        {"midas rewarm_steps=5", LAG_EINVAL, "/rewarm_steps", "needs lr=rewarm"},
        {"midas lr=rewarm rewarm_steps=0", LAG_EINVAL, "/rewarm_steps", "from 1"},
        {"midas lr=rewarm rewarm_steps=-1", LAG_EINVAL, "/rewarm_steps", "from 1"},
        {"midas freeze_old=-1", LAG_EINVAL, "/freeze_old", "from 0 to 1000000000, or keep, not \"-1\""},
        {"midas freeze_old=1000000001", LAG_EINVAL, "/freeze_old", "from 0 to"},
        {"midas freeze_old=yes", LAG_EINVAL, "/freeze_old", "or keep"},
        {"none freeze_old=keep", LAG_EINVAL, "/freeze_old", "nothing would train"},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_error err = {0};
        struct lag_strategy strategy = {.seed = 77};
        int rc = lag_strategy_parse(cases[i].text, &strategy, &err);
        if (rc != cases[i].rc || strcmp(err.pointer, cases[i].pointer) || !strstr(err.text, cases[i].words)) {
            fail_msg("\"%s\": %d at \"%s\": %s", cases[i].text, rc, err.pointer, err.text);
        }
        assert_true(strategy.seed == 77);
        assert_int_equal(lag_strategy_parse(cases[i].text, &strategy, NULL), cases[i].rc);
    }
    char longest[LAG_STRATEGY_TEXT + 40];
    memset(longest, ' ', sizeof(longest));
    memcpy(longest, "stack", 5);
    longest[LAG_STRATEGY_TEXT - 1] = '\0';
    struct lag_strategy strategy;
    assert_int_equal(lag_strategy_parse(longest, &strategy, NULL), 0);
    longest[LAG_STRATEGY_TEXT - 1] = ' ';
    longest[LAG_STRATEGY_TEXT] = '\0';
    assert_int_equal(lag_strategy_parse(longest, &strategy, NULL), LAG_EINVAL);
}

static void test_rules(void **state) {
    (void)state;
    enum lag_moment_rule moments;
    enum lag_lr_rule lr;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lag_moment_rule_parse(lag_moment_rule_name((enum lag_moment_rule)i), &moments), 0);
        assert_int_equal(moments, i);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(lag_lr_rule_parse(lag_lr_rule_name((enum lag_lr_rule)i), &lr), 0);
        assert_int_equal(lr, i);
    }
    assert_int_equal(lag_moment_rule_parse("", &moments), LAG_EINVAL);
    assert_int_equal(lag_lr_rule_parse("resume", &lr), LAG_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets), cmocka_unit_test(test_table), cmocka_unit_test(test_free_order),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refusals), cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The pool of a request as text: what was said comes back, and nothing else is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/pool_text_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>

static struct lagd_growth_request request, again;
static char text[LAG_ROW_POOL], second[LAG_ROW_POOL];
static struct lag_error err;

static int set_up(void **state) {
    (void)state;
    memset(&err, 0, sizeof(err));
    lagd_growth_request_defaults(&request);
    lagd_growth_request_defaults(&again);
    return 0;
}

static void round_trip(void) {
    assert_int_equal(lagd_pool_format(&request, text, &err), 0);
    assert_int_equal(lagd_pool_parse(text, &again, &err), 0);
    assert_memory_equal(&again, &request, sizeof(request));
}

static struct lagd_strategy_request *add(const char *op) {
    struct lagd_strategy_request *strategy = &request.strategies[request.n_strategies++];
    lagd_strategy_request_defaults(strategy);
    (void)lag_copy(strategy->op, sizeof(strategy->op), op);
    return strategy;
}

static void a_name(void **state) {
    (void)state;
    (void)lag_copy(request.pool, sizeof(request.pool), "published");
    round_trip();
    assert_string_equal(text, "pool published\n");
}

static void a_name_with_rules(void **state) {
    (void)state;
    (void)lag_copy(request.pool, sizeof(request.pool), "default");
    request.has_rules = true;
    request.rules.seed = INT64_C(9007199254740991);
    request.rules.freeze_old = LAGD_FREEZE_KEEP;
    (void)lag_copy(request.rules.lr, sizeof(request.rules.lr), "rewarm");
    request.rules.rewarm_steps = 7;
    round_trip();
    assert_string_equal(text, "pool default\nrules lr=rewarm rewarm_steps=7 freeze_old=-1 seed=9007199254740991\n");
}

static void a_list(void **state) {
    (void)state;
    (void)add("stack");
    struct lagd_strategy_request *random = add("random");
    random->n_params = 1;
    (void)lag_copy(random->params[0].name, sizeof(random->params[0].name), "noise");
    random->params[0].value = 0.1; /* no short binary fraction */
    random->freeze_old = 0;
    random->rewarm_steps = 0;
    assert_int_equal(lagd_strategy_decode("midas block=1 optimizer=reset lr=continue seed=4",
                                          &request.strategies[request.n_strategies++], &err), 0);
    assert_int_equal(lagd_strategy_decode("stack with=lemon split=0.25 optimizer=reset lr=continue seed=4",
                                          &request.strategies[request.n_strategies++], &err), 0);
    assert_int_equal(lagd_strategy_decode("stack with=fuse lambda=0.25 parents=ckpt_a+ckpt_b lr=continue seed=4",
                                          &request.strategies[request.n_strategies++], &err), 0);
    request.pool[0] = '\0';
    round_trip();
    assert_non_null(strstr(text, " with=fuse with_params/lambda=0.25 parents=ckpt_a+ckpt_b "));
    assert_non_null(strstr(text, " with=lemon with_params/split=0.25 with_params/noise=0"));
    assert_non_null(strstr(text, "strategy op=stack\nstrategy op=random params/noise=0.10000000000000001"));
}

static void the_longest_list(void **state) {
    (void)state;
    request.pool[0] = '\0';
    for (int i = 0; i < LAGD_STRATEGIES_MAX; i++)
        assert_int_equal(lagd_strategy_decode("partial_stack start=100 block=100 repeat=100 optimizer=reset_new "
                                              "lr=continue seed=4", add(""), &err), 0);
    int rc = lagd_pool_format(&request, text, &err);
    if (rc == 0) round_trip();
    else assert_string_equal(err.pointer, "/pool");
    assert_true(rc == 0 || rc == LAG_EINVAL);
}

static void what_was_not_written_so_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"pol default\n", "strategy stack\n", "strategy op=stack colour=red\n",
                                        "strategy seed=x\n", "strategy params/block=two\n",
                                        "strategy with_params/split=x\n", "strategies\n",
                                        "strategy parents=\n", "strategy parents=a++b\n", "strategy parents=a+b+c+d\n",
                                        "strategy params/a=1 params/b=1 params/c=1 params/d=1 params/e=1\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (lagd_pool_parse(texts[i], &again, &err) != LAG_ECORRUPT) fail_msg("%s was read", texts[i]);
        assert_non_null(strstr(err.text, "cannot be read"));
    }
    memset(second, 'x', sizeof(second) - 1);
    assert_int_equal(lagd_pool_parse(second, &again, &err), LAG_ECORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_name, set_up),
        cmocka_unit_test_setup(a_name_with_rules, set_up),
        cmocka_unit_test_setup(a_list, set_up),
        cmocka_unit_test_setup(the_longest_list, set_up),
        cmocka_unit_test_setup(what_was_not_written_so_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

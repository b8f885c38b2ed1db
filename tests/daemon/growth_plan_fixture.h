/* What the tests of growth plans share: a run of 3 layers and width 32 at step 100 of 300, a request that grows it to 6
 * layers, and what becomes of it. */
#pragma once
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

static inline int set_up(void **state) {
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
static inline int tear_down(void **state) {
    (void)state;
    free(plan);
    plan = NULL;
    return 0;
}

static inline int make(void) { return lagd_growth_plan_make(NULL, &request, &run, 2, &plan, &err); }

static inline void strategy(const char *op, const char *param, double value) {
    struct lagd_strategy_request *s = &request.strategies[request.n_strategies++];
    lagd_strategy_request_defaults(s);
    lag_copy(s->op, sizeof(s->op), op);
    if (param) {
        lag_copy(s->params[0].name, sizeof(s->params[0].name), param);
        s->params[0].value = value;
        s->n_params = 1;
    }
}

#define SET(member, text) lag_copy(request.member, sizeof(request.member), text)

#define REFUSES(change, pointer_)                                                            \
    do {                                                                                     \
        (void)set_up(NULL);                                                                  \
        change;                                                                              \
        assert_int_equal(make(), LAG_EINVAL);                                                \
        if (strcmp(err.pointer, pointer_) != 0) fail_msg("%s: %s %s", #change, err.pointer, err.text); \
        assert_true(err.text[0] != 0);                                                       \
    } while (0)

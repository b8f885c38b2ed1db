/* Growths measured: the function that stays or does not, the stream behind each layer, what falls on what is new. */
#include "gradcheck.h"
#include "text_dataset.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/team.h>
#include <lagd/engine/measure.h>
#include <lagd/engine/newness.h>

enum { CONTEXT = 8, BATCH = 3 };

struct fixture {
    struct lag_dataset *dataset;
    struct lag_state *parent;
    struct lag_step_config config;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    struct lag_step_result result;
    const struct lag_spec spec = test_spec(2, 2, 8, CONTEXT, 256);
    assert_non_null(f);
    f->dataset = test_text_dataset(6000);
    assert_int_equal(lag_state_create(&spec, &f->parent, NULL), 0);
    lag_state_init(f->parent, 3);
    f->config = (struct lag_step_config){
        .optim = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .grad_clip = 1}, .seed = 8, .lr_scale = 1,
        .schedule = {.kind = LAG_SCHEDULE_CONSTANT, .max_steps = 60}, .batch = BATCH, .context = CONTEXT,
        .accumulate = 1};
    struct lag_work *work = test_work(&spec, BATCH, CONTEXT, 1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(lag_train_step(f->parent, work, f->dataset, &f->config, NULL, &result, NULL), 0);
    lag_work_destroy(work);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    lag_state_destroy(f->parent);
    lag_dataset_close(f->dataset);
    free(f);
    return 0;
}

/* Of the fixture's 2 layers of width 8. */
static struct lag_measure measure(const struct fixture *f, const char *text, int n_layer, int n_embd, bool recompute) {
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    struct lag_measure ret;
    struct lag_error err = {0};
    struct lag_spec to = f->parent->layout.spec;
    to.n_layer = n_layer;
    to.n_inner = to.n_inner * n_embd / to.n_embd;
    to.n_head = to.n_head * n_embd / to.n_embd;
    to.n_embd = n_embd;
    assert_int_equal(lag_strategy_parse(text, &strategy, NULL), 0);
    if (lag_recipe_build(&strategy, &f->parent->layout.spec, &to, &recipe, &err)) fail_msg("%s", err.text);
    const struct lag_measure_ask ask = {&strategy, &recipe, NULL, &f->config, LAG_FP32, recompute};
    struct lag_state *before = NULL;
    assert_int_equal(lag_state_clone(f->parent, &before, NULL), 0);
    if (lag_measure_growth(f->parent, &ask, f->dataset, NULL, &ret, &err)) fail_msg("%s", err.text);
    assert_true(lag_state_equal(f->parent, before)); /* which is only read */
    lag_state_destroy(before);
    lag_recipe_deinit(&recipe);
    assert_int_equal(ret.n_layers, n_layer);
    return ret;
}

static void what_keeps_the_function_is_found_to(void **state) {
    static const struct { const char *text; int n_layer, n_embd; bool keeps; } cases[] = {
        {"zero_stack", 4, 8, true}, {"llama_pro every=1 lr=continue", 4, 8, true}, {"stack", 4, 8, false},
        {"interleave", 4, 8, false}, {"random", 4, 8, false}, {"clone_width", 2, 16, true}, {"lemon", 2, 12, true},
        {"clone_width mix=0.5", 2, 16, false}, {"random_width lr=continue", 2, 16, false},
        {"zero_stack with=lemon lr=continue", 3, 16, true}, {"zero_fanout lr=continue", 2, 16, true},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        char text[160];
        snprintf(text, sizeof(text), "%s%s", cases[i].text, strstr(cases[i].text, "lr=") ? "" : " lr=continue");
        struct lag_measure got = measure(*state, text, cases[i].n_layer, cases[i].n_embd, false);
        if (lag_measure_preserved(&got, LAG_FP32) != cases[i].keeps)
            fail_msg("%s changes logits by %g", text, got.logit_change);
        assert_true(!cases[i].keeps || fabs(got.loss_after - got.loss_before) < 1e-5);
        assert_true(got.new_share > 0 && got.new_share < 1);
        assert_true(got.connection_rate >= 0 && got.connection_rate <= 1);
        lag_measure_deinit(&got);
    }
}

/* Identities leave the stream as it is; whole copies side by side have the same mean square. */
static void the_stream_is_followed(void **state) {
    struct lag_measure got = measure(*state, "zero_stack lr=continue", 4, 8, false);
    for (int i = 0; i < 4; i++) assert_true(fabs(got.rms_ratio[i] - 1) < 1e-6);
    lag_measure_deinit(&got);
    got = measure(*state, "clone_width lr=continue", 2, 16, true);
    for (int i = 0; i < 2; i++) assert_true(fabs(got.rms_ratio[i] - 1) < 1e-5);
    lag_measure_deinit(&got);
    got = measure(*state, "stack lr=continue", 4, 8, false);
    assert_true(fabs(got.rms_ratio[0] - 1) < 1e-6 && fabs(got.rms_ratio[1] - 1) < 1e-6); /* 0 and 1 are the parent's */
    assert_true(fabs(got.rms_ratio[3] - 1) > 1e-3);
    lag_measure_deinit(&got);
}

/* Zeroed projections alone have a gradient at first, and copies split by two share it. */
static void new_parts_are_told_apart(void **state) {
    const struct fixture *f = *state;
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    struct lag_state *grown = NULL;
    struct lag_spec to = f->parent->layout.spec;
    double share = -1;
    to.n_layer = 3;
    assert_int_equal(lag_strategy_parse("stack", &strategy, NULL), 0);
    assert_int_equal(lag_recipe_build(&strategy, &f->parent->layout.spec, &to, &recipe, NULL), 0);
    assert_int_equal(lag_grow_by(f->parent, NULL, &strategy, &recipe, &grown, NULL), 0);
    for (size_t i = 0; i < grown->layout.n_elements; i++) grown->params[i] = 1;
    assert_int_equal(lag_new_share(&recipe, &grown->layout, grown->params, &share), 0);
    const double layer = (double)(lag_spec_params(&to) - lag_spec_params(&f->parent->layout.spec));
    assert_true(fabs(share - layer / (double)lag_spec_params(&to)) < 1e-12);
    lag_state_destroy(grown);
    lag_recipe_deinit(&recipe);
    /* All that is new in width: the parent's own elements are the rest. */
    to = f->parent->layout.spec;
    to.n_embd = 16, to.n_head = 4, to.n_inner *= 2;
    assert_int_equal(lag_strategy_parse("clone_width", &strategy, NULL), 0);
    assert_int_equal(lag_recipe_build(&strategy, &f->parent->layout.spec, &to, &recipe, NULL), 0);
    assert_int_equal(lag_grow_by(f->parent, NULL, &strategy, &recipe, &grown, NULL), 0);
    for (size_t i = 0; i < grown->layout.n_elements; i++) grown->params[i] = 1;
    assert_int_equal(lag_new_share(&recipe, &grown->layout, grown->params, &share), 0);
    const double old = (double)lag_spec_params(&f->parent->layout.spec);
    assert_true(fabs(share - (1 - old / (double)lag_spec_params(&to))) < 1e-12);
    lag_state_destroy(grown);
    lag_recipe_deinit(&recipe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_keeps_the_function_is_found_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_stream_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_parts_are_told_apart, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

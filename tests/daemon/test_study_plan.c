/* Plans of studies: schedule, baselines and costs; refusals that point; the growth read back from a stored study. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/run_config.h>
#include <lagd/daemon/study_request.h>
#include <lagd/engine/train.h>

static struct lag_error err;
static struct lag_run_row run;
static struct lag_checkpoint_row checkpoint;
static struct lag_growth_row grown;
static struct lagd_study_request request;
static struct lagd_study_plan *plan;
static struct lagd_run_config config;

static void store_config(void) { assert_int_equal(lagd_run_config_format(&config, run.config, &err), 0); }

static int set_up(void **state) {
    (void)state;
    static const struct lag_dataset_row words = {
        .name = "words", .format = "text", .n_bytes = 100000, .n_tokens = 100000, .max_id = 122, .vocab_size = 256};
    err = (struct lag_error){0};
    run = (struct lag_run_row){.step = 200, .max_steps = 1000, .lr_scale = 1};
    lag_fields_defaults(&lagd_run_fields, &config);
    lag_copy(config.dataset, sizeof(config.dataset), "words");
    config.shape.n_layer = 3;
    config.shape.n_embd = 32;
    config.seed = 17;
    config.max_steps = 1000;
    assert_int_equal(lagd_run_config_resolve(&config, &words, &err), 0);
    store_config();
    lag_copy(run.id, sizeof(run.id), "run_x");
    lag_copy(run.name, sizeof(run.name), "x");
    run.shape = config.shape;
    checkpoint = (struct lag_checkpoint_row){.id = "ckpt_x", .run_id = "run_x", .shape = config.shape, .step = 200};
    lagd_study_request_defaults(&request);
    lag_copy(request.name, sizeof(request.name), "s");
    lag_copy(request.parent_run, sizeof(request.parent_run), "x");
    request.target.n_layer = 6;
    request.horizon = 400;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    lagd_study_plan_destroy(plan);
    plan = NULL;
    return 0;
}

static int make(void) {
    const struct lagd_study_parent parent = {&run, &checkpoint, &grown, grown.id[0] != '\0'};
    return lagd_study_plan_make(&request, &parent, 2, &plan, &err);
}

static void refused(const char *pointer, const char *text) {
    assert_int_equal(make(), LAG_EINVAL);
    assert_null(plan);
    assert_string_equal(err.pointer, pointer);
    if (!strstr(err.text, text)) fail_msg("\"%s\" lacks \"%s\"", err.text, text);
}

static void the_runs_go_on_to_the_horizon(void **state) {
    (void)state;
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->config.max_steps, 600);
    assert_int_equal(plan->parent.step, 200);
    assert_int_equal(plan->decay_steps, 80); /* the parent's fifth, of the horizon */
    assert_int_equal(plan->config.eval_batches, 64);
    assert_int_equal(plan->n_seeds, 1);
    assert_int_equal(plan->n_runs, 1);
    assert_int_equal(plan->scratch_steps, 0);
    assert_int_equal(plan->candidates->eval_stride, 1);
    assert_int_equal(plan->candidates->n_batches, 64);
    /* 0, 1, 2, 4 … 256, the half and three beyond it, 400: none is left out, whatever it costs */
    assert_true(plan->candidates->n_times >= 12);
    assert_true(plan->candidates->n_candidates > 3);
    assert_true(plan->flops_total > 0 && plan->memory_bytes > 0 && plan->seconds_guess > 0);
}

/* An audit goes on as its parent did, also inside the decay, to the step at which that ends. */
static void an_audit_keeps_the_parents_schedule(void **state) {
    (void)state;
    checkpoint.step = 900; /* the decay began at 801 */
    request.horizon = 100;
    refused("/parent/checkpoint", "inside its decay");
    lag_copy(request.audits, sizeof(request.audits), "gr_x");
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->config.max_steps, 1000);
    assert_true(plan->config.decay_fraction == config.decay_fraction);
    assert_int_equal(plan->config.warmup_steps, config.warmup_steps);
    assert_int_equal(plan->decay_steps, 200);
}

static double step_flops(double layers) { /* of a token: 6 N + 12 L C T */
    const double c = 32, t = 128, n = layers * (12 * c * c + 13 * c) + 256 * c + 2 * c;
    return 8 * t * (6 * n + 12 * layers * c * t);
}

static void a_baseline_from_scratch_costs_as_much(void **state) {
    (void)state;
    lag_copy(request.baselines, sizeof(request.baselines), "none,scratch");
    request.seeds[0] = 1;
    request.seeds[1] = 2;
    request.n_seeds = 2;
    if (make() < 0) fail_msg("%s", err.text);
    assert_int_equal(plan->n_runs, 4);
    const double parent = 200 * step_flops(3), candidate = 400 * step_flops(6);
    assert_true(fabs(plan->parent_flops / parent - 1) < 1e-9);
    assert_int_equal(plan->scratch_steps, (int64_t)floor((parent + candidate) / step_flops(6)));
    assert_true(plan->scratch_flops <= parent + candidate);
}

/* What the parent cost is counted through its own growths. */
static void a_parent_that_has_grown(void **state) {
    (void)state;
    grown = (struct lag_growth_row){.id = "gr_x", .run_id = "run_x", .state = "applied", .start_step = 50};
    grown.from = grown.to = config.shape;
    grown.from.n_layer = 1;
    config.shape.n_layer = 1;
    store_config();
    if (make() < 0) fail_msg("%s", err.text);
    assert_true(fabs(plan->parent_flops / (50 * step_flops(1) + 150 * step_flops(3)) - 1) < 1e-9);
    memset(&grown, 0, sizeof(grown));
}

static void bad_requests_are_refused(void **state) {
    (void)state;
    request.n_seeds = 3;
    request.seeds[0] = 5, request.seeds[1] = 6, request.seeds[2] = 5;
    refused("/seeds/2", "seed 5 is there twice");
    request.n_seeds = 0;
    lag_copy(request.baselines, sizeof(request.baselines), "none,luck");
    refused("/baselines/1", "luck");
    lag_copy(request.baselines, sizeof(request.baselines), "");
    request.target.n_layer = 2;
    refused("/target/n_layer", "ask for more");
    request.target.n_layer = 6;
    request.target.n_embd = 34;
    refused("/target/n_embd", "ask for 32 or 36");
    request.target.n_embd = 0;
    request.target.n_layer = 0;
    refused("/target", "name n_layer, n_embd, n_head, head_dim, n_inner, n_positions or vocab_size");
    request.target.n_layer = 6;
    request.growth.n_strategies = 1;
    request.growth.strategies[0] = (struct lagd_strategy_request){.op = "stack", .rewarm_steps = -1, .seed = -1};
    refused("/pool", "a study compares");
    request.growth.strategies[0] = (struct lagd_strategy_request){.op = "stock", .rewarm_steps = -1, .seed = -1};
    refused("/pool/0/operator", "stock");
    request.growth.n_strategies = 2;
    request.growth.strategies[0] = (struct lagd_strategy_request){.op = "stack", .rewarm_steps = -1, .seed = -1};
    request.growth.strategies[1] = (struct lagd_strategy_request){.op = "stack", .lr = "rewarm", .rewarm_steps = 400,
                                                                  .seed = -1};
    refused("/horizon", "ends inside the re-warm");
    lag_copy(request.name, sizeof(request.name), "a name");
    assert_int_equal(make(), LAG_EINVAL);
}

/* No study is begun whose report could not be read. */
static void evaluations_are_bounded(void **state) {
    (void)state;
    request.horizon = 1000000;
    request.eval_every = 1;
    refused("/eval/every", "every 489 steps or more");
    request.eval_every = 489;
    request.eval_batches = 2;
    if (make() < 0) fail_msg("%s", err.text);
    assert_in_range(plan->candidates->n_times, 2045, LAGD_STUDY_TIMES_MAX);
    const int64_t a_batch = plan->candidates->n_times * plan->candidates->n_candidates;
    lagd_study_plan_destroy(plan);
    plan = NULL;
    request.eval_batches = 1024;
    request.n_seeds = LAG_MIN(LAGD_STUDY_SEEDS_MAX, LAGD_STUDY_LOSSES_MAX / (a_batch * 1024) + 1);
    for (int i = 0; i < request.n_seeds; i++) request.seeds[i] = i;
    refused("/eval/batches", "fewer batches");
}

static void a_parent_inside_its_decay_is_refused(void **state) {
    (void)state;
    checkpoint.step = 800;
    if (make() < 0) fail_msg("%s", err.text); /* the last step at the full rate */
    lagd_study_plan_destroy(plan);
    plan = NULL;
    checkpoint.step = 801;
    refused("/parent/checkpoint", "at step 801 run x is inside its decay, which began with step 801");
    lag_copy(config.schedule, sizeof(config.schedule), "cosine");
    store_config();
    if (make() < 0) fail_msg("%s", err.text); /* it has no point where its fall begins */
}

/* Of a run that was extended the schedule that was in force there tells, and the study has its own from there on. */
static void an_extended_parent_is_judged_by_its_schedule_of_then(void **state) {
    (void)state;
    lag_copy(run.schedules, sizeof(run.schedules), "0 wsd 0 500 0 0.2 0\n500 wsd 0 1000 0 0.2 0\n");
    checkpoint.step = 450; /* the first schedule's decay began at 401 */
    refused("/parent/checkpoint", "which began with step 401");
    checkpoint.step = 600;
    if (make() < 0) fail_msg("%s", err.text);
    assert_string_equal(plan->parent.schedules, "");
    lagd_study_plan_destroy(plan);
    plan = NULL;
    lag_copy(request.audits, sizeof(request.audits), "gr_x"); /* an audit has all of its parent's */
    if (make() < 0) fail_msg("%s", err.text);
    assert_string_equal(plan->parent.schedules, run.schedules);
}

static void the_growth_is_read_back(void **state) {
    (void)state;
    static struct lag_study_row row;
    static struct lagd_growth_request growth;
    request.delta = 0.25;
    if (make() < 0) fail_msg("%s", err.text);
    struct lag_strbuf text = LAG_STRBUF_INIT, pool = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_study_fields, &request, &text);
    lag_copy(row.request, sizeof(row.request), text.data);
    assert_int_equal(lagd_run_config_format(&plan->config, row.config, &err), 0);
    const int n = (int)plan->candidates->n_candidates - 1; /* but `none` */
    for (int i = 0; i < n; i++) lag_strbuf_printf(&pool, "%s\n", plan->candidates->candidates[i].strategy);
    lag_copy(row.pool, sizeof(row.pool), pool.data);
    if (lagd_study_growth(&row, &growth, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(growth.n_strategies, n);
    assert_string_equal(growth.mode, "study");
    assert_int_equal(growth.probe_steps, 400);
    assert_true(growth.delta == 0.25);
    for (int i = 0; i < n; i++) {
        assert_int_equal(growth.strategies[i].seed, -1); /* each run's own */
        assert_string_equal(growth.strategies[i].op, plan->growth.strategies[i].op);
    }
    lag_strbuf_deinit(&text);
    lag_strbuf_deinit(&pool);
}

static void names(void **state) {
    (void)state;
    char name[LAG_ROW_NAME];
    lagd_study_run_name("deep", "candidates", 3, name);
    assert_string_equal(name, "deep.s3");
    lagd_study_run_name("deep", "scratch", 3, name);
    assert_string_equal(name, "deep.scratch.s3");
    lag_copy(request.baselines, sizeof(request.baselines), "none,scratchy");
    assert_false(lagd_study_has_baseline(&request, "scratch"));
    assert_true(lagd_study_has_baseline(&request, "none"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    if (lag_engine_setup(&err) < 0) return 1;
    const struct CMUnitTest tests[] = {
        TEST(the_runs_go_on_to_the_horizon), TEST(a_baseline_from_scratch_costs_as_much),
        TEST(a_parent_that_has_grown), TEST(bad_requests_are_refused), TEST(evaluations_are_bounded),
        TEST(a_parent_inside_its_decay_is_refused), TEST(an_audit_keeps_the_parents_schedule),
        TEST(an_extended_parent_is_judged_by_its_schedule_of_then), TEST(the_growth_is_read_back), TEST(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

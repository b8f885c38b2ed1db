/* What a growth is predicted to take: speeds as samples came, time over workers, memory of those that live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/growth_cost_internal.h"
#include "plan/run_config_internal.h"
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/engine/train.h>

#define SECOND_NS 1000000000LL

static struct lag_error err;
static struct lagd_speeds *speeds;

static int set_up(void **state) {
    (void)state;
    return lagd_speeds_create(&speeds, &err);
}
static int tear_down(void **state) {
    (void)state;
    lagd_speeds_destroy(speeds);
    return 0;
}

static void a_median_without_the_first(void **state) {
    (void)state;
    struct lagd_speed speed;
    assert_false(lagd_speeds_get(speeds, "run_a", 1e9, &speed));
    assert_true(speed.train == 0);
    lagd_speeds_add(speeds, "run_a", LAGD_SPEED_TRAIN, 1e9, 100 * SECOND_NS, 2); /* the first: cold */
    assert_false(lagd_speeds_get(speeds, "run_a", 1e9, &speed));
    for (int i = 0; i < 9; i++) /* two of them while something else had the processors */
        lagd_speeds_add(speeds, "run_a", LAGD_SPEED_TRAIN, 1e9, (i == 3 || i == 7 ? 20 : 1) * SECOND_NS, 2);
    assert_true(lagd_speeds_get(speeds, "run_a", 1e9, &speed));
    assert_float_equal(speed.train, 0.5e9, 1);
    /* Another run is told what the first one reached. */
    assert_false(lagd_speeds_get(speeds, "run_b", 1e9, &speed));
    assert_float_equal(speed.train, 0.5e9, 1);
}

static void feed(const char *run, double flops, int n_threads, int64_t compute_ns, int n) {
    for (int i = 0; i < n; i++) lagd_speeds_add(speeds, run, LAGD_SPEED_TRAIN, flops, compute_ns, n_threads);
}

/* An hour in which others have the processors changes no prediction; a machine that is faster than was seen does. */
static void a_busy_machine_tells_nothing(void **state) {
    (void)state;
    struct lagd_speed speed;
    feed("run_a", 1e9, 2, SECOND_NS, 40);
    feed("run_a", 1e9, 2, 15 * SECOND_NS, 500);
    assert_true(lagd_speeds_get(speeds, "run_a", 1e9, &speed));
    assert_float_equal(speed.train, 0.5e9, 1);
    feed("run_a", 1e9, 1, SECOND_NS / 10, 500); /* other runs left it one thread, which waits for nobody */
    (void)lagd_speeds_get(speeds, "run_a", 1e9, &speed);
    assert_float_equal(speed.train, 0.5e9, 1);
    feed("run_a", 1e9, 2, SECOND_NS / 2, 3); /* a few samples are no measurement */
    (void)lagd_speeds_get(speeds, "run_a", 1e9, &speed);
    assert_float_equal(speed.train, 0.5e9, 1);
    feed("run_a", 1e9, 2, SECOND_NS / 2, 40);
    (void)lagd_speeds_get(speeds, "run_a", 1e9, &speed);
    assert_float_equal(speed.train, 1e9, 1);
    feed("run_a", 2e9, 2, 5 * SECOND_NS, 40); /* it grew, and its operations are others now */
    assert_true(lagd_speeds_get(speeds, "run_a", 2e9, &speed));
    assert_float_equal(speed.train, 0.2e9, 1);
}

static void a_run_that_is_most_alike(void **state) {
    (void)state;
    struct lagd_speed speed;
    feed("run_small", 1e6, 1, SECOND_NS / 10, 20);
    feed("run_large", 1e12, 1, 10 * SECOND_NS, 20);
    static const struct { double step_flops, train; } cases[] = {
        {1e6, 1e7}, {7e6, 1e7}, {1.5e5, 1e7}, {9e6, 0}, {1e9, 0}, {1.3e11, 1e11}, {7e12, 1e11}, {9e12, 0}, {0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(lagd_speeds_get(speeds, "run_new", cases[i].step_flops, &speed));
        assert_float_equal(speed.train, cases[i].train, 1);
    }
}

static void short_steps_count_together(void **state) {
    (void)state;
    struct lagd_speed speed;
    feed("run_a", 1e9, 1, SECOND_NS, 2);
    lagd_speeds_add(speeds, "run_a", LAGD_SPEED_ALONE, 1e6, 1, 1);
    for (int i = 0; i < 101; i++) lagd_speeds_add(speeds, "run_a", LAGD_SPEED_ALONE, 1e6, SECOND_NS / 1000, 1);
    lagd_speeds_get(speeds, "run_a", 1e9, &speed);
    assert_float_equal(speed.alone, 1e9, 1);
}

static void the_run_used_longest_ago_is_forgotten(void **state) {
    (void)state;
    struct lagd_speed speed;
    char id[32];
    for (int i = 0; i < 65; i++) {
        (void)snprintf(id, sizeof(id), "run_%d", i);
        for (int k = 0; k < 2; k++) lagd_speeds_add(speeds, id, LAGD_SPEED_TRAIN, 1e9, SECOND_NS, 1);
    }
    assert_false(lagd_speeds_get(speeds, "run_0", 1e9, &speed));
    assert_true(lagd_speeds_get(speeds, "run_1", 1e9, &speed));
    assert_true(lagd_speeds_get(speeds, "run_64", 1e9, &speed));
}

static void another_process_goes_on_with_them(void **state) {
    (void)state;
    char dir[] = "/tmp/lagd-test-XXXXXX";
    struct lagd_speeds *later = NULL;
    struct lagd_speed speed;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(lagd_speeds_load(speeds, dir, "this one", &err), 0); /* no file yet */
    for (int i = 0; i < 5; i++) {
        lagd_speeds_add(speeds, "run_a", LAGD_SPEED_TRAIN, 1e9, 2 * SECOND_NS, 1);
        lagd_speeds_add(speeds, "run_b", LAGD_SPEED_PROBE_EVAL, 3e9, SECOND_NS, 1);
        lagd_speeds_add(speeds, "run_b", LAGD_SPEED_PROBE_TRAIN, 2e9, SECOND_NS, 1);
    }
    assert_int_equal(lagd_speeds_save(speeds, dir, "this one", &err), 0);
    assert_int_equal(lagd_speeds_create(&later, &err), 0);
    assert_int_equal(lagd_speeds_load(later, dir, "another machine", &err), 0);
    assert_false(lagd_speeds_get(later, "run_a", 1e9, &speed));
    assert_true(speed.train == 0);
    assert_int_equal(lagd_speeds_load(later, dir, "this one", &err), 0);
    assert_true(lagd_speeds_get(later, "run_a", 1e9, &speed));
    assert_float_equal(speed.train, 0.5e9, 1);
    assert_true(speed.alone == 0 && speed.probe_train == 0);
    assert_true(lagd_speeds_get(later, "run_b", 1e9, &speed));
    assert_float_equal(speed.probe_eval, 3e9, 1);
    assert_float_equal(speed.probe_train, 2e9, 1);
    lagd_speeds_destroy(later);
    assert_int_equal(lag_fs_remove_tree(dir, &err), 0);
}

/* Five candidates of ten seconds each, one of them spent on evaluations; the last is the reference. */
static void time_over_workers(void **state) {
    (void)state;
    static struct lagd_growth_plan plan;
    plan = (struct lagd_growth_plan){.n_candidates = 5, .n_times = 1000000, .n_workers = 1};
    for (int i = 0; i < 5; i++) plan.candidates[i] = (struct lagd_candidate_plan){.flops = 10e9, .eval_flops = 1e9};
    struct lagd_growth_pace pace = {.speed = {.probe_train = 1e9, .probe_eval = 1e9}, .is_own = true, .n_threads = 2};
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, 50, 0.01);
    assert_string_equal(plan.time_basis, "run");
    plan.n_workers = 2;
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, 30, 0.01);
    pace.n_others = 1; /* three claim two slots */
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, 45, 0.01);
    pace.n_others = 0;
    pace.speed.probe_eval = 0.5e9;
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, 33, 0.01);
    /* From the run's own steps: alone a thread is faster than in a team. */
    pace.speed = (struct lagd_speed){.train = 0.8e9, .alone = 1e9};
    plan.n_workers = 1;
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, 50, 0.01);
    plan.n_workers = 2;
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, 30 / 0.9, 0.01);
    pace = (struct lagd_growth_pace){
        .core_rate = 1e9, .n_threads = 2, .checkpoint_bytes = 1e9};
    lagd_growth_time(&plan, &pace);
    assert_string_equal(plan.time_basis, "machine");
    assert_true(plan.seconds_guess > 40);
    /* Small checkpoints take the time of their syncs, which is none of a large one's rate; a large one was seen. */
    const double unknown = plan.seconds_guess;
    pace.mean_checkpoint_bytes = 1e5;
    pace.mean_checkpoint_s = 0.05;
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, unknown + 0.05, 0.001);
    pace.mean_checkpoint_bytes = 1e9;
    pace.mean_checkpoint_s = 10;
    lagd_growth_time(&plan, &pace);
    assert_float_equal(plan.seconds_guess, unknown + 6, 0.001);
    const double kept = plan.seconds_guess;
    pace.recompute = true;
    lagd_growth_time(&plan, &pace);
    assert_true(plan.seconds_guess > kept && plan.seconds_guess < 1.2 * kept);
}

static void memory_of_those_that_live(void **state) {
    (void)state;
    static struct lagd_run_config config;
    static const struct lag_dataset_row words = {
        .name = "words", .format = "text", .n_bytes = 100000, .n_tokens = 100000, .max_id = 122, .vocab_size = 256};
    static const struct lag_run_row run = {.shape = {.n_layer = 6}, .lr_scale = 1};
    lag_fields_defaults(&lagd_run_fields, &config);
    (void)lag_copy(config.dataset, sizeof(config.dataset), "words");
    config.shape.n_layer = 6;
    config.shape.n_embd = 384;
    config.shape.n_head = 6;
    config.shape.n_positions = 256;
    config.sequences = 12;
    config.max_steps = 300;
    assert_int_equal(lagd_run_config_resolve(&config, &words, &err), 0);
    struct lag_spec spec;
    lagd_run_spec(&config, &spec);
    int64_t parent = (int64_t)lag_state_bytes(&spec);
    spec.n_layer = 12;
    const struct lag_work_shape one_thread = {.batch = 12, .context = 256, .n_members = 1};
    int64_t state_bytes = (int64_t)lag_state_bytes(&spec), work = (int64_t)lag_work_bytes(&spec, &one_thread);
    struct lag_probe_plan probe = {.steps = 50, .n_batches = 16, .stride = 2, .eval_sequences = 8};
    struct lagd_growth_load load = {.run = &run, .config = &config, .to = config.shape, .n_candidates = 12,
                                    .n_workers = 2, .probe = &probe, .keeps_best = true};
    load.to.n_layer = 12;
    int64_t auto_two = lagd_growth_peak(&load, 2);
    int64_t least = parent + 2 * (state_bytes + work) + state_bytes;
    assert_true(auto_two >= least && auto_two <= least + (16 << 20));
    load.n_candidates = 40; /* a larger pool takes no more */
    assert_true(lagd_growth_peak(&load, 2) == auto_two);
    load.learn_bytes = 1 << 20; /* beside each candidate that learns, as many as live at once */
    load.n_learning = 1;
    assert_true(lagd_growth_peak(&load, 2) == auto_two + (1 << 20));
    load.n_learning = 9;
    assert_true(lagd_growth_peak(&load, 2) == auto_two + (2 << 20));
    load.learn_bytes = load.n_learning = 0;
    load.keeps_best = false; /* on disk */
    assert_true(lagd_growth_peak(&load, 2) == auto_two - state_bytes);
    load.keeps_best = true;
    load.n_candidates = 2; /* one that grows and the reference, at once: none has ended while both run */
    assert_true(lagd_growth_peak(&load, 2) < auto_two - state_bytes);
}

/* The batches of all steps are kept as well, up to a bound. */
static void memory_of_the_batches(void **state) {
    (void)state;
    static struct lagd_run_config config;
    static const struct lag_run_row run = {.shape = {.n_layer = 2}, .lr_scale = 1};
    lag_fields_defaults(&lagd_run_fields, &config);
    config.shape.n_layer = 2;
    config.shape.n_embd = 32;
    config.shape.n_head = 2;
    config.shape.vocab_size = 256;
    config.shape.n_positions = config.tokens_per_sequence = 63;
    config.shape.n_inner = 128;
    config.sequences = 16;
    config.accumulate = 2;
    struct lag_probe_plan probe = {.n_batches = 16, .stride = 2, .eval_sequences = 8};
    struct lagd_growth_load load = {.run = &run, .config = &config, .to = config.shape, .n_candidates = 12,
                                    .n_workers = 3, .probe = &probe, .keeps_best = true};
    load.to.n_layer = 4;
    const int64_t least = lagd_growth_peak(&load, 2), window = 64 * 4;
    probe.steps = 50;
    const int64_t fifty = lagd_growth_peak(&load, 2), ids = 50 * 2 * 16 * window;
    assert_in_range(fifty - least, ids, ids + 1000);
    probe.steps = 1000; /* in huge pages */
    const int64_t thousand = lagd_growth_peak(&load, 2);
    assert_in_range(thousand - least, 1000 * 2 * 16 * window, 1000 * 2 * 16 * window + (2 << 20) + 4000);
    probe.steps = 1000000;
    assert_in_range(lagd_growth_peak(&load, 2), thousand, least + (33 << 20));
    /* They are there before the candidates: here the parent's validation by 64 threads is the peak. */
    struct lagd_run_estimate parent;
    struct lag_step_config step;
    struct lag_kept_batches batches;
    assert_int_equal(lagd_run_estimate(&config, 64, &parent, &err), 0);
    lagd_run_step_config(&config, 1, &step);
    lagd_growth_batches(&step, &probe, 0, &batches);
    assert_true(lagd_growth_peak(&load, 64) == parent.memory_bytes + (int64_t)lag_kept_bytes(&batches));
}

/* What a growth did is measured on the parent, the winner and one more of its shape, in the work of all threads. */
static void memory_of_the_measurement(void **state) {
    (void)state;
    static struct lagd_run_config config;
    static const struct lag_run_row run = {.shape = {.n_layer = 2}, .lr_scale = 1};
    lag_fields_defaults(&lagd_run_fields, &config);
    config.shape = (struct lag_shape){.n_layer = 2, .n_head = 2, .n_embd = 32, .n_inner = 128, .n_positions = 8,
                                      .vocab_size = 256};
    config.tokens_per_sequence = 8;
    config.sequences = 1;
    const struct lag_probe_plan probe = {.n_batches = 2, .stride = 1, .eval_sequences = 1, .steps = 1};
    struct lagd_growth_load load = {.run = &run, .config = &config, .to = config.shape, .n_candidates = 2,
                                    .n_workers = 1, .probe = &probe, .keeps_best = true, .parents_bytes = 123};
    load.to.n_layer = 4;
    struct lagd_run_config grown = config;
    grown.shape = load.to;
    struct lag_spec before, after;
    lagd_run_spec(&config, &before);
    lagd_run_spec(&grown, &after);
    const struct lag_work_shape shape = lagd_run_work_shape(&config, 32);
    const uint64_t wanted = LAGD_OVERHEAD_BYTES + lag_state_bytes(&before) + 2 * lag_state_bytes(&after) +
                            lag_work_bytes(&after, &shape) + 123;
    assert_int_equal(lagd_growth_peak(&load, 32), wanted);
    load.learn_bytes = 77; /* learned once more */
    assert_int_equal(lagd_growth_peak(&load, 32), wanted + 77);
    load.learn_bytes = 0;
    load.keeps_best = false; /* one lies on disk until then */
    assert_true(lagd_growth_peak(&load, 32) < (int64_t)wanted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_median_without_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_busy_machine_tells_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_is_most_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_steps_count_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_run_used_longest_ago_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_process_goes_on_with_them, set_up, tear_down),
        cmocka_unit_test(time_over_workers),
        cmocka_unit_test(memory_of_those_that_live),
        cmocka_unit_test(memory_of_the_batches),
        cmocka_unit_test(memory_of_the_measurement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

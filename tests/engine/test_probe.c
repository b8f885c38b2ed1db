/* Probes: the same bits as plain steps, recorded times, ends. */
#include "gradcheck.h"
#include "text_dataset.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/fs.h>
#include <lagd/base/team.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/probe.h>

#define CONTEXT 8
#define MAX_EVALS 40

struct record {
    int n_begun, n_ended, n_steps, n_evals, n_batches, fail_at, fail_code;
    int64_t first_t; /* a restored probe's */
    int64_t eval_t[MAX_EVALS];
    bool full[MAX_EVALS];
    double losses[MAX_EVALS][8], step_loss[MAX_EVALS];
};
static int on_begin(void *arg) {
    struct record *record = arg;
    assert_int_equal(record->n_begun, record->n_ended); /* one slot at a time */
    if (record->fail_code && record->n_begun == record->fail_at) return record->fail_code;
    record->n_begun++;
    return 0;
}
static void on_end(void *arg) { ((struct record *)arg)->n_ended++; }
static void on_record(void *arg, const struct lag_probe_record *said) {
    struct record *record = arg;
    if (said->kind == LAG_PROBE_STEP) {
        assert_int_equal(said->t, record->first_t + record->n_steps + 1);
        record->step_loss[record->n_steps++] = said->step.loss;
        return;
    }
    assert_int_equal(said->t, record->first_t + record->n_steps); /* after that many steps */
    record->eval_t[record->n_evals] = said->t;
    record->full[record->n_evals] = said->full;
    memcpy(record->losses[record->n_evals++], said->losses, (size_t)record->n_batches * sizeof(*said->losses));
}

struct fixture {
    struct lag_dataset *dataset;
    struct lag_state *parent;
    struct lag_probe_plan plan;
    struct lag_probe_spec spec;
    struct record record;
    struct lag_probe_hooks hooks;
};
static void setup(struct fixture *f, const char *strategy, int64_t steps) {
    struct lag_spec spec = test_spec(2, 2, 8, CONTEXT, 256);
    *f = (struct fixture){.dataset = test_text_dataset(6000)};
    assert_int_equal(lag_state_create(&spec, &f->parent, NULL), 0);
    lag_state_init(f->parent, 3);
    const struct lag_probe_ask ask = {.steps = steps, .eval_every = 4, .run_batches = 2, .wanted_batches = 4,
                                      .max_share = 1, .step_tokens = 2 * 3 * CONTEXT, .rows = 3, .context = CONTEXT};
    assert_int_equal(lag_probe_plan_init(&ask, &f->plan), 0);
    assert_true(f->plan.n_batches == 4 && f->plan.stride == 2);
    f->spec = (struct lag_probe_spec){
        .target = test_depth(f->parent, 4), .lag = steps,
        .eval = {f->plan.n_batches, f->plan.stride, f->plan.eval_sequences}, .parent_loss = NAN,
        .config = {.optim = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .grad_clip = 1},
                   .schedule = {.kind = LAG_SCHEDULE_COSINE, .warmup_steps = 3, .max_steps = 60, .min_lr = 0.001},
                   .batch = 3, .context = CONTEXT, .accumulate = 2, .seed = 8, .lr_scale = 1},
    };
    assert_int_equal(lag_strategy_parse(strategy, &f->spec.strategy, NULL), 0);
    if (strcmp(f->spec.strategy.op->name, "none") == 0) f->spec.target = spec;
    f->record.n_batches = f->plan.n_batches;
    f->hooks = (struct lag_probe_hooks){&f->record, on_begin, on_end, on_record};
    /* some history, so that moments and ages matter */
    struct lag_work *work = test_work(&spec, 3, CONTEXT, 1);
    struct lag_step_result result;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(lag_train_step(f->parent, work, f->dataset, &f->spec.config, NULL, &result, NULL), 0);
    }
    lag_work_destroy(work);
}
static void teardown(struct fixture *f) {
    lag_probe_plan_deinit(&f->plan);
    lag_state_destroy(f->parent);
    lag_dataset_close(f->dataset);
}

/* A whole probe, as the daemon leads it: created, followed to the plan's end, its state taken. */
static int run_probe(const struct fixture *f, const struct lag_probe_hooks *hooks, struct lag_team *team,
                     struct lag_state **ret_state, char *ret_reason, struct lag_error *err) {
    LAG_CLEANUP(lag_probe_destroy_p) struct lag_probe *probe = NULL;
    int rc = lag_probe_create(&f->spec, f->parent, NULL, f->dataset, team, hooks, &probe, err);
    if (rc == 0) assert_int_equal(lag_probe_t(probe), 0);
    if (rc == 0) rc = lag_probe_follow(probe, &f->plan, f->plan.steps, err);
    if (rc >= 0 && ret_reason) snprintf(ret_reason, 256, "%s", lag_probe_reason(probe));
    if (rc == 0) *ret_state = lag_probe_take_state(probe);
    return rc;
}

/* The winner goes on as the run: its state must be what the run's own steps would make of the grown parent. */
static void test_same_bits_as_steps(void **unused) {
    static const char *const texts[] = {"midas",
                                        "llama_pro",
                                        "random seed=4",
                                        "none",
                                        "stack optimizer=reset lr=rewarm",
                                        "interleave lr=restart",
                                        "stack lr=rewarm_new rewarm_steps=5 noise=0.1",
                                        "llama_pro optimizer=reset lr=restart freeze_old=keep",
                                        "stack lr=rewarm rewarm_steps=3 freeze_old=6"};
    for (size_t i = 0; i < LAG_COUNT(texts); i++) {
        struct fixture f;
        struct lag_state *probed = NULL, *plain = NULL;
        struct lag_work *work;
        struct lag_step_result result;
        struct lag_error err = {0};
        setup(&f, texts[i], 13);
        struct lag_strategy strategy = f.spec.strategy;
        if (strategy.rewarm_steps < 0) strategy.rewarm_steps = LAG_REWARM_STEPS;
        assert_int_equal(lag_grow(f.parent, &strategy, &f.spec.target, &plain, NULL), 0);
        work = test_work(&plain->layout.spec, 3, CONTEXT, 1);
        for (int t = 0; t < 13; t++) {
            assert_int_equal(lag_train_step(plain, work, f.dataset, &f.spec.config, NULL, &result, NULL), 0);
        }
        if (run_probe(&f, &f.hooks, NULL, &probed, NULL, &err)) fail_msg("%s: %s", texts[i], err.text);
        assert_true(lag_state_equal(plain, probed));
        assert_int_equal(probed->step, 18);
        assert_true(f.record.step_loss[12] == result.loss);
        double losses[8];
        assert_int_equal(lag_evaluate(plain, work, f.dataset, &f.spec.eval, true, CONTEXT, losses, NULL, NULL), 0);
        assert_memory_equal(losses, f.record.losses[f.record.n_evals - 1], (size_t)f.plan.n_batches * sizeof(double));
        lag_state_destroy(plain);
        lag_state_destroy(probed);
        lag_work_destroy(work);
        teardown(&f);
    }
}

static void test_any_team(void **unused) {
    struct fixture f;
    struct lag_state *alone = NULL, *together = NULL;
    setup(&f, "stack", 6);
    assert_int_equal(run_probe(&f, NULL, NULL, &alone, NULL, NULL), 0);
    for (int n = 2; n <= 3; n++) {
        struct lag_team *team = NULL;
        const struct lag_probe_hooks none = {0};
        assert_int_equal(lag_team_create(n, &team, NULL), 0);
        assert_int_equal(run_probe(&f, &none, team, &together, NULL, NULL), 0);
        assert_true(lag_state_equal(alone, together));
        lag_state_destroy(together);
        lag_team_destroy(team);
    }
    lag_state_destroy(alone);
    teardown(&f);
}

static void test_times(void **unused) {
    static const int64_t lags[] = {1, 2, 13};
    for (size_t i = 0; i < LAG_COUNT(lags); i++) {
        struct fixture f;
        struct lag_state *state = NULL;
        setup(&f, "stack", lags[i]);
        assert_int_equal(run_probe(&f, &f.hooks, NULL, &state, NULL, NULL), 0);
        assert_int_equal(f.record.n_steps, lags[i]);
        assert_int_equal(f.record.n_evals, f.plan.n_times);
        assert_memory_equal(f.record.eval_t, f.plan.times, (size_t)f.plan.n_times * sizeof(int64_t));
        assert_int_equal(f.record.n_begun, f.record.n_steps + f.record.n_evals);
        assert_int_equal(f.record.n_ended, f.record.n_begun);
        lag_state_destroy(state);
        teardown(&f);
    }
}

/* The caller's code ends the probe, whenever it comes, and the slot is given back. */
static void test_cancel(void **unused) {
    struct fixture f;
    setup(&f, "stack", 3);
    for (int at = 0; at < 3 + f.plan.n_times; at++) {
        struct lag_state *state = NULL;
        f.record = (struct record){.n_batches = f.plan.n_batches, .fail_at = at, .fail_code = LAG_ECANCELED};
        assert_int_equal(run_probe(&f, &f.hooks, NULL, &state, NULL, NULL), LAG_ECANCELED);
        assert_null(state);
        assert_int_equal(f.record.n_begun, at);
        assert_int_equal(f.record.n_ended, at);
    }
    teardown(&f);
}

static void test_bound(void **unused) {
    struct fixture f;
    struct lag_state *state = NULL;
    char reason[256] = "";
    setup(&f, "stack", 8);
    f.spec.parent_loss = 1; /* the model is at about ln 256, far above */
    f.spec.divergence_bound = 0.5;
    assert_int_equal(run_probe(&f, &f.hooks, NULL, &state, reason, NULL), LAG_PROBE_DIVERGED);
    assert_null(state);
    assert_int_equal(f.record.eval_t[f.record.n_evals - 1], 1); /* t = 0 never counts */
    assert_non_null(strstr(reason, "at t = 1 "));
    assert_non_null(strstr(reason, "above 1.5000"));
    f.record = (struct record){.n_batches = f.plan.n_batches};
    f.spec.divergence_grace = 4;
    assert_int_equal(run_probe(&f, &f.hooks, NULL, &state, NULL, NULL), LAG_PROBE_DIVERGED);
    assert_int_equal(f.record.eval_t[f.record.n_evals - 1], 5); /* 1, 2 and 4 are within the grace */
    f.spec.divergence_bound = 100;
    assert_int_equal(run_probe(&f, NULL, NULL, &state, NULL, NULL), 0);
    lag_state_destroy(state);
    teardown(&f);
}

static void test_nonfinite(void **unused) {
    struct fixture f;
    struct lag_state *state = NULL;
    char reason[256] = "";
    setup(&f, "stack", 4);
    f.parent->params[f.parent->layout.tensors[f.parent->layout.first[LAG_ROLE_WTE]].offset] = (lag_real)NAN;
    assert_int_equal(run_probe(&f, &f.hooks, NULL, &state, reason, NULL), LAG_PROBE_DIVERGED);
    assert_string_equal(reason, "the validation loss at t = 0 is not finite");
    assert_int_equal(f.record.n_evals, 0);
    assert_int_equal(f.record.n_ended, f.record.n_begun);
    f.plan.times[0] = 1; /* without the evaluation at 0 it is the first step that finds it */
    reason[0] = '\0';
    assert_int_equal(run_probe(&f, &f.hooks, NULL, &state, reason, NULL), LAG_PROBE_DIVERGED);
    assert_string_equal(reason, "the training loss is not finite in step 1");
    assert_int_equal(f.record.n_steps, 0);
    assert_null(state);
    teardown(&f);
}

static void test_forwards_errors(void **unused) {
    struct fixture f;
    struct lag_state *state = NULL;
    struct lag_error err = {0};
    setup(&f, "midas block=3", 4);
    assert_int_equal(run_probe(&f, &f.hooks, NULL, &state, NULL, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/params/block");
    assert_int_equal(f.record.n_begun, 0);
    teardown(&f);
}

/* At every t: the state written as a checkpoint, read, and the probe restored from it: the same steps, evaluations and
 * end, bit for bit, and none of the steps before t again. */
static void test_goes_on_from_its_state(void **unused) {
    static const char *const texts[] = {"midas", "random seed=4 lr=restart", "stack lr=rewarm", "none",
                                        "llama_pro optimizer=reset_new lr=rewarm_new rewarm_steps=5",
                                        "stack lr=rewarm rewarm_steps=3 freeze_old=4", "llama_pro freeze_old=keep"};
    char dir[] = "/tmp/lagd-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/state", dir);
    for (size_t i = 0; i < LAG_COUNT(texts); i++) {
        struct fixture f;
        struct lag_state *whole = NULL;
        setup(&f, texts[i], 9);
        assert_int_equal(run_probe(&f, &f.hooks, NULL, &whole, NULL, NULL), 0);
        const struct record wanted = f.record;
        for (int64_t t = 0; t <= 9; t++) {
            struct lag_probe *first = NULL, *second = NULL;
            struct lag_state *state = NULL;
            struct lag_checkpoint_files files;
            const struct lag_checkpoint_meta meta = {.run_id = "run", .seed = 1};
            assert_int_equal(lag_probe_create(&f.spec, f.parent, NULL, f.dataset, NULL, NULL, &first, NULL), 0);
            assert_int_equal(lag_probe_follow(first, &f.plan, t, NULL), 0);
            assert_int_equal(lag_checkpoint_write(path, lag_probe_state(first), &meta, &files, NULL), 0);
            assert_int_equal(lag_checkpoint_read(path, &state, NULL, NULL), 0);
            assert_true(lag_state_equal(state, lag_probe_state(first)));
            lag_probe_destroy(first);
            f.record = (struct record){.first_t = t, .n_batches = wanted.n_batches};
            assert_int_equal(lag_probe_restore(&f.spec, &state, f.parent->step, f.dataset, NULL, &f.hooks, &second,
                                               NULL), 0);
            assert_null(state);
            assert_int_equal(lag_probe_t(second), t);
            assert_int_equal(lag_probe_follow(second, &f.plan, 9, NULL), 0);
            assert_int_equal(f.record.n_steps, 9 - t);
            assert_memory_equal(f.record.step_loss, wanted.step_loss + t, (size_t)(9 - t) * sizeof(double));
            int at = 0; /* the first evaluation after t */
            while (at < wanted.n_evals && wanted.eval_t[at] <= t) at++;
            assert_int_equal(f.record.n_evals, wanted.n_evals - at);
            for (int e = at; e < wanted.n_evals; e++) {
                assert_int_equal(f.record.eval_t[e - at], wanted.eval_t[e]);
                assert_memory_equal(f.record.losses[e - at], wanted.losses[e], sizeof(*wanted.losses));
            }
            assert_true(lag_state_equal(lag_probe_state(second), whole));
            lag_probe_destroy(second);
        }
        lag_state_destroy(whole);
        teardown(&f);
    }
    assert_int_equal(lag_fs_remove_tree(dir, NULL), 0);
}

/* Led by hand: steps and evaluations as the caller asks, also beyond the lag. */
static void test_led_by_hand(void **unused) {
    struct fixture f;
    struct lag_probe *probe = NULL;
    setup(&f, "stack", 4);
    assert_int_equal(lag_probe_create(&f.spec, f.parent, NULL, f.dataset, NULL, &f.hooks, &probe, NULL), 0);
    assert_int_equal(lag_probe_advance(probe, 3, NULL), 0);
    assert_int_equal(lag_probe_advance(probe, 2, NULL), 0); /* there already */
    assert_int_equal(lag_probe_t(probe), 3);
    assert_int_equal(f.record.n_evals, 0);
    assert_int_equal(lag_probe_evaluate(probe, true, NULL), 0);
    assert_int_equal(lag_probe_evaluate(probe, true, NULL), 0);
    assert_int_equal(f.record.eval_t[1], 3);
    assert_memory_equal(f.record.losses[0], f.record.losses[1], sizeof(*f.record.losses));
    /* a small one: every second batch of the same, and nothing of the others */
    assert_int_equal(lag_probe_evaluate(probe, false, NULL), 0);
    const double *full = f.record.losses[1], *small = f.record.losses[2];
    assert_true(small[0] == full[0] && isnan(small[1]) && small[2] == full[2] && isnan(small[3]));
    assert_true(f.record.full[0] && f.record.full[1] && !f.record.full[2]);
    assert_int_equal(lag_probe_advance(probe, 7, NULL), 0);
    assert_int_equal(f.record.n_steps, 7);
    assert_string_equal(lag_probe_reason(probe), "");
    lag_probe_destroy(probe);
    lag_probe_destroy(NULL);
    teardown(&f);
}

static void test_foreign_states_are_refused(void **unused) {
    struct fixture f;
    struct lag_probe *probe = NULL;
    struct lag_state *state = NULL;
    setup(&f, "stack", 4);
    assert_int_equal(lag_state_clone(f.parent, &state, NULL), 0); /* the parent's shape, not the target's */
    assert_int_equal(lag_probe_restore(&f.spec, &state, f.parent->step, f.dataset, NULL, NULL, &probe, NULL),
                     LAG_EINVAL);
    assert_non_null(state);
    lag_state_destroy(state);
    assert_int_equal(run_probe(&f, NULL, NULL, &state, NULL, NULL), 0);
    assert_int_equal(lag_probe_restore(&f.spec, &state, state->step + 1, f.dataset, NULL, NULL, &probe, NULL),
                     LAG_EINVAL);
    assert_null(probe);
    lag_state_destroy(state);
    teardown(&f);
}

static void test_flops(void **unused) {
    const struct lag_spec spec = test_spec(4, 2, 8, CONTEXT, 256);
    struct lag_step_config config = {.batch = 3, .context = CONTEXT, .accumulate = 2};
    struct lag_probe_plan plan;
    const struct lag_probe_ask ask = {.steps = 10, .eval_every = 5, .run_batches = 1, .wanted_batches = 2,
                                      .max_share = 0.5, .step_tokens = 6 * CONTEXT, .rows = 3, .context = CONTEXT};
    assert_int_equal(lag_probe_plan_init(&ask, &plan), 0);
    assert_true(plan.stride == 2 && plan.n_full < plan.n_times);
    const double train = 10 * 6 * CONTEXT * lag_flops_token_train(&spec, CONTEXT);
    const double n_batches = plan.n_full * 2 + (plan.n_times - plan.n_full);
    const double eval = n_batches * 3 * CONTEXT * lag_flops_token_forward(&spec, CONTEXT);
    assert_true(lag_probe_small_flops(&spec, &config, &plan) == 3 * CONTEXT * lag_flops_token_forward(&spec, CONTEXT));
    const double flops = lag_probe_flops(&spec, &config, &plan);
    assert_true(fabs(flops - train - eval) < 1e-9 * flops);
    assert_true(fabs(eval / flops - plan.eval_share) < 1e-9); /* the plan's share is the share of these FLOPs */
    lag_probe_plan_deinit(&plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits_as_steps), cmocka_unit_test(test_any_team),  cmocka_unit_test(test_times),
        cmocka_unit_test(test_cancel),             cmocka_unit_test(test_bound),     cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_forwards_errors),    cmocka_unit_test(test_flops),     cmocka_unit_test(test_led_by_hand),
        cmocka_unit_test(test_goes_on_from_its_state), cmocka_unit_test(test_foreign_states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

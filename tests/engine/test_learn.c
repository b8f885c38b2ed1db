/* The steps that learn maps: which batches they see, what they cost, that they repeat to the bit, and how they end.
 * Built for float and for double. */
#include "gradcheck.h"
#include "text_dataset.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/learn.h>

enum { CONTEXT = 8, BATCH = 3, STEPS = 6 };
static const char both[] = "ligo steps=6 with=ligo_width steps=4";

struct fixture {
    struct lag_dataset *dataset;
    struct lag_state *parent;
    struct lag_probe_spec spec;
    struct lag_probe_hooks hooks;
    int n_begun, n_ended, n_learned, stop_at; /* begin says so before that step; -1: never */
    double losses[STEPS];
};

static int on_begin(void *arg) {
    struct fixture *f = arg;
    assert_int_equal(f->n_begun, f->n_ended);
    if (f->n_begun == f->stop_at) return LAG_ECANCELED;
    f->n_begun++;
    return 0;
}
static void on_end(void *arg) { ((struct fixture *)arg)->n_ended++; }
static void on_record(void *arg, const struct lag_probe_record *said) {
    struct fixture *f = arg;
    if (said->kind != LAG_PROBE_LEARN) return;
    assert_int_equal(said->t, f->n_learned + 1);
    f->losses[f->n_learned++] = said->step.loss;
}

static void setup(struct fixture *f, const char *text, int64_t step) {
    const struct lag_spec spec = test_spec(2, 2, 8, CONTEXT, 256);
    *f = (struct fixture){.dataset = test_text_dataset(3000), .parent = test_state(&spec, 4), .stop_at = -1};
    f->parent->step = step;
    f->spec = (struct lag_probe_spec){
        .target = spec, .lag = 5, .eval = {2, 1, BATCH}, .parent_loss = NAN,
        .config = {.optim = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .grad_clip = 1},
                   .schedule = {.kind = LAG_SCHEDULE_CONSTANT, .max_steps = 100},
                   .batch = BATCH, .context = CONTEXT, .accumulate = 2, .seed = 8, .lr_scale = 1}};
    assert_int_equal(lag_strategy_parse(text, &f->spec.strategy, NULL), 0);
    f->spec.target.n_layer = 3;
    if (f->spec.strategy.with) f->spec.target.n_embd = 12;
    f->spec.target.n_head = f->spec.target.n_embd / 4;
    f->hooks = (struct lag_probe_hooks){f, on_begin, on_end, on_record};
}

static void teardown(struct fixture *f) {
    lag_state_destroy(f->parent);
    lag_dataset_close(f->dataset);
}

static int probe(struct fixture *f, struct lag_team *team, int64_t t, struct lag_state **ret) {
    LAG_CLEANUP(lag_probe_destroy_p) struct lag_probe *made = NULL;
    f->n_begun = f->n_ended = f->n_learned = 0;
    int rc = lag_probe_create(&f->spec, f->parent, NULL, f->dataset, team, &f->hooks, &made, NULL);
    if (rc == 0) rc = lag_probe_learn(made, f->parent, NULL);
    if (rc == 0) assert_int_equal(lag_probe_t(made), 0);
    if (rc == 0) rc = lag_probe_advance(made, t, NULL);
    if (rc == 0) *ret = lag_probe_take_state(made);
    if (rc == LAG_PROBE_DIVERGED) assert_non_null(strstr(lag_probe_reason(made), "learns its maps"));
    return rc;
}

/* By hand, from the maps' own functions: batches of steps first, first + 1, … */
static struct lag_state *by_hand(const struct fixture *f, int64_t first, double *ret_last_loss) {
    struct lag_state *grown = NULL;
    struct lag_recipe recipe;
    struct lag_maps *maps = NULL;
    const struct lag_step_config *c = &f->spec.config;
    int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    assert_int_equal(lag_recipe_build(&f->spec.strategy, &f->parent->layout.spec, &f->spec.target, &recipe, NULL), 0);
    assert_int_equal(lag_grow_by(f->parent, NULL, &f->spec.strategy, &recipe, &grown, NULL), 0);
    assert_int_equal(lag_maps_create(f->parent, &f->spec.strategy, &recipe, 1, &maps, NULL), 0);
    struct lag_work *work = test_work(&grown->layout.spec, BATCH, CONTEXT, 1);
    for (int step = 0; step < STEPS; step++) {
        *ret_last_loss = 0;
        for (int micro = 0; micro < c->accumulate; micro++) {
            assert_int_equal(lag_dataset_batch(f->dataset, c->seed, first + step, micro, BATCH, CONTEXT, tokens,
                                               targets, NULL), 0);
            *ret_last_loss += lag_model_backward(grown, work, tokens, targets, BATCH, CONTEXT, 1.0 / c->accumulate,
                                                 micro == 0, NULL) / c->accumulate;
        }
        lag_maps_backward(maps, lag_work_grads(work), NULL);
        lag_maps_update(maps, &c->optim);
        lag_maps_apply(maps, grown->params, NULL);
    }
    lag_work_destroy(work);
    lag_maps_destroy(maps);
    lag_recipe_deinit(&recipe);
    return grown;
}

/* The batches are those of the last steps before the growth; a young run's are its first. */
static void it_learns_on_batches_of_before(void **unused) {
    static const struct { const char *text; int64_t step, first; } cases[] = {
        {both, 20, 14}, {both, 6, 0}, {both, 2, 0}, {"ligo steps=6", 9, 3}};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct fixture f;
        struct lag_state *learned = NULL;
        double last = 0;
        setup(&f, cases[i].text, cases[i].step);
        assert_int_equal(probe(&f, NULL, 0, &learned), 0);
        struct lag_state *wanted = by_hand(&f, cases[i].first, &last);
        assert_true(lag_state_equal(learned, wanted));
        assert_int_equal(f.n_learned, STEPS);
        assert_true(f.losses[STEPS - 1] == last && last < f.losses[0]);
        assert_int_equal(learned->step, cases[i].step);
        for (int s = 0; s < learned->n_segments; s++) assert_int_equal(learned->segments[s].age, 0);
        lag_state_destroy(wanted);
        lag_state_destroy(learned);
        teardown(&f);
    }
}

static void again_it_comes_to_the_same_bits(void **unused) {
    struct fixture f;
    struct lag_state *first = NULL, *second = NULL;
    struct lag_team *team = NULL;
    setup(&f, both, 20);
    assert_int_equal(lag_team_create(3, &team, NULL), 0);
    assert_int_equal(probe(&f, NULL, 3, &first), 0);
    f.stop_at = 4; /* ended on its way, then done whole */
    assert_int_equal(probe(&f, NULL, 3, &second), LAG_ECANCELED);
    assert_int_equal(f.n_learned, 4);
    f.stop_at = -1;
    assert_int_equal(probe(&f, team, 3, &second), 0);
    assert_true(lag_state_equal(first, second));
    lag_state_destroy(first);
    lag_state_destroy(second);
    lag_team_destroy(team);
    teardown(&f);
}

static void others_have_nothing_to_learn(void **unused) {
    struct fixture f;
    struct lag_state *state = NULL, *plain = NULL;
    struct lag_learn_cost cost;
    setup(&f, "stack", 20);
    assert_int_equal(probe(&f, NULL, 0, &state), 0);
    assert_int_equal(lag_grow(f.parent, &f.spec.strategy, &f.spec.target, &plain, NULL), 0);
    assert_int_equal(f.n_begun, 0);
    assert_true(lag_state_equal(state, plain));
    assert_int_equal(lag_learn_cost(&f.spec.strategy, &f.parent->layout.spec, &f.spec.target, &f.spec.config, &cost,
                                    NULL), 0);
    assert_true(cost.steps == 0 && cost.step_flops == 0 && cost.bytes == 0);
    lag_state_destroy(state);
    lag_state_destroy(plain);
    teardown(&f);
}

static void what_is_not_finite_ends_it(void **unused) {
    struct fixture f;
    struct lag_state *state = NULL;
    setup(&f, both, 20);
    f.parent->params[f.parent->layout.tensors[f.parent->layout.first[LAG_ROLE_FC_W]].offset] = (lag_real)NAN;
    assert_int_equal(probe(&f, NULL, 0, &state), LAG_PROBE_DIVERGED);
    assert_int_equal(f.n_learned, 0);
    assert_null(state);
    teardown(&f);
}

static void steps_are_charged(void **unused) {
    struct fixture f;
    struct lag_learn_cost cost;
    struct lag_recipe recipe;
    setup(&f, both, 20);
    const struct lag_spec *from = &f.parent->layout.spec;
    assert_int_equal(lag_learn_cost(&f.spec.strategy, from, &f.spec.target, &f.spec.config, &cost, NULL), 0);
    assert_int_equal(lag_recipe_build(&f.spec.strategy, from, &f.spec.target, &recipe, NULL), 0);
    const double model = 2 * BATCH * CONTEXT * lag_flops_token_train(&f.spec.target, CONTEXT);
    assert_int_equal(cost.steps, STEPS);
    assert_true(cost.step_flops == model + lag_maps_flops(&f.spec.strategy, &recipe, from));
    assert_true(cost.step_flops > model && cost.bytes == lag_maps_bytes(&f.spec.strategy, &recipe, from));
    lag_recipe_deinit(&recipe);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_on_batches_of_before), cmocka_unit_test(again_it_comes_to_the_same_bits),
        cmocka_unit_test(others_have_nothing_to_learn),   cmocka_unit_test(what_is_not_finite_ends_it),
        cmocka_unit_test(steps_are_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Gates and masks: the function that is kept at first, what is trained and what is not, ramps and their end. Built for
 * float and for double; shapes are drawn. Their gradients: test_gradients.c. */
#include "logits.h"
#include <lagd/base/check.h>
#include <lagd/engine/grow.h>

enum { DRAWS = 12 };
static const double tolerance = sizeof(lag_real) == sizeof(double) ? 1e-10 : 1e-4;

static int draw(int seed, int index, int from, int to) {
    return from + (int)lag_rng_below((uint64_t)seed, LAG_RNG_BATCH, 78, (uint64_t)index, (uint64_t)(to - from + 1));
}

static struct lag_state *grow(const struct lag_state *parent, const char *text, const struct lag_spec *to) {
    struct lag_strategy strategy;
    struct lag_state *grown = NULL;
    struct lag_error err = {0};
    if (lag_strategy_parse(text, &strategy, &err) || lag_grow(parent, &strategy, to, &grown, &err))
        fail_msg("%s: %s", text, err.text);
    return grown;
}

/* One update by the batch of that number; a step as training counts it. */
static void train(struct lag_state *state, int n_steps) {
    const struct lag_optim optim = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1};
    struct lag_work *work = test_work(&state->layout.spec, BATCH, CONTEXT, 1);
    for (int i = 0; i < n_steps; i++) {
        int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
        test_batch(BATCH * CONTEXT, VOCAB, (uint64_t)state->step, tokens, targets);
        lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
        lag_adamw(state, lag_work_grads(work), &optim, optim.lr, 1, NULL);
        state->step++;
        lag_state_fold_masks(state);
    }
    lag_work_destroy(work);
}

/* A parent that has been trained for three steps. */
static struct lag_state *plain(int seed) {
    struct lag_spec spec = test_spec(draw(seed, 0, 1, 3), draw(seed, 1, 1, 3), draw(seed, 2, 2, 9), CONTEXT, VOCAB);
    spec.head_dim = draw(seed, 3, 1, 4);
    spec.n_inner = draw(seed, 4, 1, 7);
    spec.norm_eps = 1e-3;
    struct lag_state *state = test_state(&spec, (uint64_t)seed + 5);
    train(state, 3);
    return state;
}

/* One with gates anywhere, a masked layer and masked units, their masks at 4 / 10. */
static struct lag_state *held(int seed) {
    struct lag_state *parent = plain(seed);
    struct lag_spec to = parent->layout.spec;
    to.n_layer += 1;
    struct lag_state *gated = grow(parent, "gate_zero lr=continue", &to);
    for (int i = 0; i < gated->layout.n_tensors; i++)
        if (gated->layout.tensors[i].row->is_gate)
            gated->params[gated->layout.tensors[i].offset] = (lag_real)(0.2 * (i % 7) - 0.3);
    to = gated->layout.spec;
    to.n_layer += 1;
    to.n_head += 1;
    to.head_dim = lag_spec_head_dim(&gated->layout.spec);
    to.n_inner += 2;
    struct lag_state *state = grow(gated, "masked_copy ramp_steps=10 with=masked_width ramp_steps=10", &to);
    train(state, 4);
    lag_state_destroy(gated);
    lag_state_destroy(parent);
    return state;
}

/* Targets: more layers, heads and units, and of a whole multiple. */
enum to { DEEPER = 1, UNITS = 2, WIDER = 4, LONGER = 8 };
static const struct { const char *text; int to; } growths[] = {
    {"gate_zero", DEEPER}, {"gate_zero noise=0.5", DEEPER}, {"masked_copy", DEEPER}, {"masked_random", DEEPER},
    {"masked_random at=0 ramp_steps=1", DEEPER}, {"masked_width", UNITS},
    {"gate_zero with=masked_width", DEEPER | UNITS},
    {"masked_random with=masked_width ramp_steps=3", DEEPER | UNITS}, {"gate_zero with=lemon", DEEPER | UNITS | WIDER},
    {"masked_copy with=clone_width", DEEPER | UNITS | WIDER}, {"gate_zero with=context_tile", DEEPER | LONGER},
    /* what parents of held parts become */
    {"none", 0}, {"llama_pro", DEEPER}, {"clone_width", UNITS | WIDER}, {"clone_width noise=0", WIDER},
    {"lemon", UNITS | WIDER}, {"fpi", UNITS | WIDER}, {"zero_fanout", UNITS | WIDER}, {"zero_random", DEEPER},
    {"context_last", LONGER},
};

static struct lag_spec target(const struct lag_state *parent, int to, int seed) {
    struct lag_spec spec = parent->layout.spec;
    if (to & DEEPER) spec.n_layer += 1 + seed % 2;
    if (to & UNITS) spec.n_head += 1 + seed % 3;
    if (to & UNITS) spec.n_inner += 1 + seed % 4;
    if (to & WIDER) spec.n_embd = seed % 2 ? 2 * spec.n_embd : spec.n_embd + 3;
    if (to & LONGER) spec.n_positions += 4;
    spec.head_dim = lag_spec_head_dim(&parent->layout.spec);
    return spec;
}

static void the_function_is_kept(void **unused) {
    double worst = 0;
    for (int seed = 0; seed < DRAWS; seed++)
        for (size_t g = 0; g < 2 * LAG_COUNT(growths); g++) {
            const size_t at = g / 2;
            char text[LAG_STRATEGY_TEXT];
            struct lag_state *parent = g % 2 ? held(seed) : plain(seed);
            const struct lag_spec to = target(parent, growths[at].to, seed);
            (void)snprintf(text, sizeof(text), "%s optimizer=%s lr=continue seed=3", growths[at].text,
                           seed % 2 ? "inherit" : "reset_new");
            struct lag_state *grown = grow(parent, text, &to);
            const double change = logit_change(parent, grown);
            if (!(change <= tolerance))
                fail_msg("%s of %s, shape %d: %g", text, g % 2 ? "held" : "plain", seed, change);
            assert_int_equal(grown->layout.spec.gated, g % 2 || strncmp(text, "gate_zero", 9) == 0);
            worst = fmax(worst, change);
            lag_state_destroy(grown);
            lag_state_destroy(parent);
        }
    assert_true(worst > 0);
}

/* Old parts see at first what they saw: their gradients are the parent's, and so is what they gathered. */
static void old_layers_go_on(void **unused) {
    static const char *const texts[] = {"gate_zero", "masked_copy", "masked_random"};
    for (size_t i = 0; i < LAG_COUNT(texts); i++) {
        struct lag_state *parent = plain((int)i);
        const struct lag_spec to = target(parent, DEEPER, (int)i);
        char text[80];
        (void)snprintf(text, sizeof(text), "%s lr=continue", texts[i]);
        struct lag_state *grown = grow(parent, text, &to), *states[] = {parent, grown};
        struct lag_work *works[2];
        struct lag_strategy strategy;
        struct lag_recipe recipe;
        for (int s = 0; s < 2; s++) {
            int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
            works[s] = test_work(&states[s]->layout.spec, BATCH, CONTEXT, 1);
            test_batch(BATCH * CONTEXT, VOCAB, 21, tokens, targets);
            lag_model_backward(states[s], works[s], tokens, targets, BATCH, CONTEXT, 1, true, NULL);
        }
        assert_int_equal(lag_strategy_parse(text, &strategy, NULL), 0);
        assert_int_equal(lag_recipe_build(&strategy, &parent->layout.spec, &to, &recipe, NULL), 0);
        for (int t = 0; t < grown->layout.n_tensors; t++) {
            const struct lag_tensor *tensor = &grown->layout.tensors[t];
            if (tensor->row->is_gate || (tensor->layer >= 0 && recipe.layers[tensor->layer].is_new)) continue;
            const int layer = tensor->layer < 0 ? 0 : recipe.layers[tensor->layer].source;
            const size_t from = lag_layout_tensor(&parent->layout, tensor->row->role, layer)->offset;
            const size_t n = (size_t)tensor->n_rows * (size_t)tensor->n_cols;
            assert_memory_equal(grown->m + tensor->offset, parent->m + from, n * sizeof(lag_real));
            assert_memory_equal(grown->v + tensor->offset, parent->v + from, n * sizeof(lag_real));
            for (size_t k = 0; k < n; k++) {
                const double a = (double)lag_work_grads(works[0])[from + k];
                assert_true(fabs((double)lag_work_grads(works[1])[tensor->offset + k] - a) <= tolerance);
            }
        }
        lag_recipe_deinit(&recipe);
        for (int s = 0; s < 2; s++) lag_work_destroy(works[s]);
        lag_state_destroy(grown);
        lag_state_destroy(parent);
    }
}

/* Shut gates open by training, then the copies behind them move; the gates of old layers are 1 for good. */
static void gates_open(void **unused) {
    struct lag_state *parent = plain(2);
    const struct lag_spec to = target(parent, DEEPER, 0);
    struct lag_state *grown = grow(parent, "gate_zero lr=continue", &to);
    struct lag_state *first = NULL;
    assert_int_equal(lag_state_clone(grown, &first, NULL), 0);
    train(grown, 6);
    for (int i = 0; i < grown->n_segments; i++) {
        const struct lag_segment *s = &grown->segments[i];
        const struct lag_tensor *tensor = &grown->layout.tensors[s->tensor];
        const lag_real value = grown->params[tensor->offset], before = first->params[tensor->offset];
        if (!tensor->row->is_gate) continue;
        const bool is_old = s->frozen_until == LAG_FROZEN_FOR_GOOD;
        assert_true(before == (is_old ? 1 : 0) && s->age == (is_old ? 0 : 6));
        assert_true(is_old ? value == 1 : fabs((double)value) > 0.01);
        const struct lag_tensor *w = lag_layout_tensor(&grown->layout, LAG_ROLE_FC_W, tensor->layer);
        assert_true(grown->params[w->offset] != first->params[w->offset]);
    }
    lag_state_destroy(first);
    lag_state_destroy(grown);
    lag_state_destroy(parent);
}

static void a_mask_is_a_function_of_the_step(void **unused) {
    static const struct { int64_t from, steps, step; double factor; } cases[] = {
        {0, 0, 0, 1}, {5, 0, 3, 1}, {5, 4, 3, 0}, {5, 4, 5, 0}, {5, 4, 6, 0.25}, {5, 4, 8, 0.75}, {5, 4, 9, 1},
        {5, 4, 100, 1}, {-3, 6, 0, 0.5}, {7, 1, 7, 0}, {7, 1, 8, 1}};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        const struct lag_segment segment = {.mask_from = cases[i].from, .mask_steps = cases[i].steps};
        assert_true(lag_mask_factor(&segment, cases[i].step) == cases[i].factor);
    }
}

/* At 1 a mask is gone, and the model is one that never had it. */
static void masks_end(void **unused) {
    struct lag_state *parent = plain(4);
    const struct lag_spec to = target(parent, DEEPER | UNITS, 1);
    struct lag_state *grown = grow(parent, "masked_random ramp_steps=5 with=masked_width ramp_steps=3", &to);
    static const int masked[] = {1, 1, 1, 1, 1, 0, 0};
    for (size_t step = 0; step < LAG_COUNT(masked); step++) {
        assert_int_equal(lag_state_is_masked(grown), masked[step]);
        struct lag_state *bare = NULL;
        assert_int_equal(lag_state_clone(grown, &bare, NULL), 0);
        for (int i = 0; i < bare->n_segments; i++) bare->segments[i].mask_from = bare->segments[i].mask_steps = 0;
        assert_int_equal(lag_state_equal(grown, bare), !masked[step]);
        assert_int_equal(logit_change(grown, bare) > 1e-6, masked[step]);
        lag_state_destroy(bare);
        train(grown, 1);
    }
    lag_state_destroy(grown);
    lag_state_destroy(parent);
}

/* A fork that begins at step 0, and weights that are lent to be read, are the same model in the midst of a ramp. */
static void ramps_are_kept(void **unused) {
    for (int moments = 0; moments < 2; moments++) {
        struct lag_state *state = held(3), *fork = NULL, *weights = NULL;
        assert_int_equal(lag_state_clone(state, &fork, NULL), 0);
        assert_int_equal(lag_state_restart(fork, moments, NULL), 0);
        assert_int_equal(lag_state_clone_weights(state, &weights, NULL), 0);
        assert_true(fork->step == 0 && logit_change(state, fork) == 0 && logit_change(state, weights) == 0);
        for (int i = 0; i < fork->n_segments; i++) assert_true(moments || fork->segments[i].age == 0);
        train(fork, 5);
        assert_true(lag_state_is_masked(fork));
        train(fork, 1);
        assert_false(lag_state_is_masked(fork));
        lag_state_destroy(weights);
        lag_state_destroy(fork);
        lag_state_destroy(state);
    }
}

static void refusals(void **unused) {
    struct lag_state *parent = plain(1), *gated = held(1);
    static const struct { int embd, head_dim; const char *pointer, *words; } cases[] = {
        {2, 0, "/target/n_embd", "LayerNorm"}, {0, 1, "/target/head_dim", "zero_fanout"}};
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_spec to = target(parent, UNITS, 0);
        struct lag_strategy strategy;
        struct lag_recipe recipe;
        struct lag_error err = {0};
        to.n_embd += cases[i].embd;
        to.head_dim += cases[i].head_dim;
        assert_int_equal(lag_strategy_parse("masked_width", &strategy, NULL), 0);
        assert_int_equal(lag_recipe_build(&strategy, &parent->layout.spec, &to, &recipe, &err), LAG_EINVAL);
        assert_string_equal(err.pointer, cases[i].pointer);
        assert_non_null(strstr(err.text, cases[i].words));
    }
    struct lag_strategy fuse;
    struct lag_recipe recipe;
    struct lag_error err = {0};
    assert_int_equal(lag_strategy_parse("fuse parents=a", &fuse, NULL), 0);
    fuse.parents[0].spec = gated->layout.spec;
    assert_int_equal(lag_recipe_build(&fuse, &gated->layout.spec, &gated->layout.spec, &recipe, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/parents/0");
    assert_non_null(strstr(err.text, "gates"));
    lag_state_destroy(gated);
    lag_state_destroy(parent);
}

/* A model that has gates from the beginning: its branches add nothing, whatever they weigh, and then its gates move. */
static void shut_from_the_beginning(void **unused) {
    struct lag_spec spec = test_spec(3, 2, 6, CONTEXT, VOCAB);
    spec.gated = true;
    struct lag_state *shut = test_state(&spec, 5), *bare = test_state(&spec, 5);
    lag_state_shut_gates(shut);
    for (int t = 0; t < shut->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &shut->layout.tensors[t];
        const size_t n = (size_t)tensor->n_rows * (size_t)tensor->n_cols;
        const lag_real *is = shut->params + tensor->offset, *was = bare->params + tensor->offset;
        if (tensor->row->is_gate) assert_true(n == 1 && is[0] == 0 && was[0] != 0);
        else assert_memory_equal(is, was, n * sizeof(*is));
        if (tensor->row->writes_residual) memset(bare->params + tensor->offset, 0, n * sizeof(*is));
    }
    assert_true(logit_change(bare, shut) <= tolerance);
    train(shut, 1);
    for (int t = 0; t < shut->layout.n_tensors; t++)
        if (shut->layout.tensors[t].row->is_gate) assert_true(shut->params[shut->layout.tensors[t].offset] != 0);
    lag_state_destroy(shut);
    lag_state_destroy(bare);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_function_is_kept), cmocka_unit_test(old_layers_go_on), cmocka_unit_test(gates_open),
        cmocka_unit_test(a_mask_is_a_function_of_the_step), cmocka_unit_test(masks_end),
        cmocka_unit_test(ramps_are_kept), cmocka_unit_test(shut_from_the_beginning), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

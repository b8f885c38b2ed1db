/* Learned maps: against plain PyTorch (tests/golden/make_ligo.py), their gradient against central differences, how they
 * begin, and that equal calls make equal bits. Built for float and for double. */
#include "golden_reader.h"
#include "logits.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/base/team.h>
#include <lagd/engine/maps.h>

enum { DRAWS = 8, MAX_BYTES = 1 << 18, MAX_TOKENS = 64 };

/* A growth by maps, with what it takes to ask it for its loss. */
struct trial {
    struct lag_state *parent, *grown;
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    struct lag_maps *maps;
    struct lag_work *work;
    int32_t tokens[MAX_TOKENS], targets[MAX_TOKENS];
    int batch, context;
};

static void trial_make(struct trial *t, const char *text, const struct lag_spec *to, int n_members) {
    struct lag_error err = {0};
    if (lag_strategy_parse(text, &t->strategy, &err) ||
        lag_recipe_build(&t->strategy, &t->parent->layout.spec, to, &t->recipe, &err) ||
        lag_maps_create(t->parent, &t->strategy, &t->recipe, n_members, &t->maps, &err) ||
        lag_grow_by(t->parent, NULL, &t->strategy, &t->recipe, &t->grown, &err))
        fail_msg("%s: %s", text, err.text);
    t->work = test_work(&t->grown->layout.spec, t->batch, t->context, n_members);
}

static void trial_end(struct trial *t) {
    lag_work_destroy(t->work);
    lag_maps_destroy(t->maps);
    lag_recipe_deinit(&t->recipe);
    lag_state_destroy(t->grown);
    lag_state_destroy(t->parent);
}

static double loss_of(struct trial *t) {
    lag_maps_apply(t->maps, t->grown->params, NULL);
    return lag_model_loss(t->grown, t->work, t->tokens, t->targets, t->batch, t->context, NULL);
}

static double backward(struct trial *t, struct lag_team *team) {
    lag_maps_apply(t->maps, t->grown->params, team);
    const double loss =
        lag_model_backward(t->grown, t->work, t->tokens, t->targets, t->batch, t->context, 1, true, team);
    lag_maps_backward(t->maps, lag_work_grads(t->work), team);
    return loss;
}

/* --- PyTorch ----------------------------------------------------------------------------------------------------- */

static void take_shape(struct reader *r, struct lag_spec *spec) {
    for (int *const *at = (int *const[]){&spec->n_layer, &spec->n_head, &spec->head_dim, &spec->n_embd, &spec->n_inner,
                                         NULL}; *at; at++)
        **at = take_int(r);
}

static void take_state(struct reader *r, struct lag_state *state) {
    for (int i = 0; i < state->layout.n_tensors; i++) {
        const struct lag_tensor *tensor = &state->layout.tensors[i];
        for (int k = 0; k < tensor->n_rows * tensor->n_cols; k++)
            state->params[tensor->offset + (size_t)k] = (lag_real)take_real(r);
    }
}

static void maps_are_torch_s(void **unused) {
    LAG_CLEANUP(lag_free_p) char *file = malloc(MAX_BYTES);
    FILE *f = fopen(GOLDEN_DIR "/gpt2_tiny_ligo.bin", "rb");
    const double tolerance = is_double ? 1e-12 : 2e-5;
    assert_true(file && f);
    struct reader r = {file, file + fread(file, 1, MAX_BYTES, f)};
    assert_int_equal(fclose(f), 0);
    struct lag_spec from = {.norm_eps = 1e-3}, to = {.norm_eps = 1e-3};
    struct trial t = {0};
    take_shape(&r, &from);
    take_shape(&r, &to);
    from.n_positions = to.n_positions = t.context = take_int(&r);
    from.vocab_size = to.vocab_size = take_int(&r);
    t.batch = take_int(&r);
    take(&r, t.tokens, sizeof(*t.tokens) * (size_t)(t.batch * t.context));
    take(&r, t.targets, sizeof(*t.targets) * (size_t)(t.batch * t.context));
    assert_int_equal(lag_state_create(&from, &t.parent, NULL), 0);
    take_state(&r, t.parent);
    trial_make(&t, "ligo with=ligo_width", &to, 1);
    for (size_t i = 0; i < lag_maps_count(t.maps); i++) lag_maps_values(t.maps)[i] = (lag_real)take_real(&r);
    const double wanted = take_real(&r), got = backward(&t, NULL);
    if (!(fabs(got - wanted) <= tolerance)) fail_msg("loss %.17g, not %.17g", got, wanted);
    for (size_t i = 0; i < lag_maps_count(t.maps); i++) {
        const double of_torch = take_real(&r), own = (double)lag_maps_grads(t.maps)[i];
        if (!(fabs(own - of_torch) <= 10 * tolerance * fmax(1, fabs(of_torch))))
            fail_msg("gradient of number %zu: %.17g, not %.17g", i, own, of_torch);
    }
    assert_ptr_equal(r.at, r.end);
    trial_end(&t);
}

/* --- central differences ----------------------------------------------------------------------------------------- */

static int draw(int seed, int index, int from, int to) {
    return from + (int)lag_rng_below((uint64_t)seed, LAG_RNG_BATCH, 79, (uint64_t)index, (uint64_t)(to - from + 1));
}

/* Every third has gates, and a mask that opens. */
static struct lag_state *draw_parent(int seed) {
    struct lag_spec spec = test_spec(draw(seed, 0, 1, 2), draw(seed, 1, 1, 2), draw(seed, 2, 2, 4), CONTEXT, VOCAB);
    spec.head_dim = draw(seed, 3, 1, 3);
    spec.n_inner = draw(seed, 4, 1, 4);
    spec.norm_eps = 1e-3;
    spec.gated = seed % 3 == 2;
    struct lag_state *state = test_state(&spec, (uint64_t)seed + 5);
    state->step = 7;
    for (int i = 0; i < state->n_segments && spec.gated; i++) {
        const enum lag_role role = state->layout.tensors[state->segments[i].tensor].row->role;
        if (role != LAG_ROLE_PROJ_W && role != LAG_ROLE_PROJ_B) continue;
        state->segments[i].mask_from = 4;
        state->segments[i].mask_steps = 10;
    }
    return state;
}

enum axes { DEEPER = 1, WIDER = 2, UNITS = 4, HEAD_DIM = 8 };
static const struct { const char *text; int axes; } growths[] = {
    {"ligo", DEEPER}, {"ligo_width", WIDER}, {"ligo_width", UNITS}, {"ligo_width", WIDER | UNITS | HEAD_DIM},
    {"ligo with=ligo_width", DEEPER | WIDER | UNITS}, {"ligo with=ligo_width", DEEPER | UNITS},
    {"ligo jitter=0.4 with=ligo_width jitter=0", DEEPER | WIDER},
};

static struct lag_spec target(const struct lag_state *parent, int axes, int seed) {
    struct lag_spec to = parent->layout.spec;
    to.head_dim = lag_spec_head_dim(&to);
    if (axes & DEEPER) to.n_layer += draw(seed, 5, 1, 2);
    if (axes & WIDER) to.n_embd += draw(seed, 6, 1, to.n_embd + 1);
    if (axes & UNITS) to.n_head += draw(seed, 7, 0, 2);
    if (axes & UNITS) to.n_inner += draw(seed, 8, 1, 4);
    if (axes & HEAD_DIM) to.head_dim += draw(seed, 9, 1, 2);
    return to;
}

static void trial_draw(struct trial *t, const char *text, int axes, int seed, int n_members) {
    *t = (struct trial){.parent = draw_parent(seed), .batch = BATCH, .context = CONTEXT};
    const struct lag_spec to = target(t->parent, axes, seed);
    test_batch(BATCH * CONTEXT, VOCAB, (uint64_t)seed, t->tokens, t->targets);
    trial_make(t, text, &to, n_members);
}

static void check_gradient(struct trial *t, const char *text, int seed) {
    lag_real *values = lag_maps_values(t->maps);
    const double step = is_double ? 1e-5 : 4e-3, tolerance = is_double ? 2e-7 : 6e-3;
    for (size_t i = 0; i < lag_maps_count(t->maps); i++) /* away from the start, where much is 0 */
        values[i] += (lag_real)0.2 * test_normal((uint64_t)seed + 90, i);
    (void)backward(t, NULL);
    for (size_t i = 0; i < lag_maps_count(t->maps); i++) {
        const lag_real held = values[i];
        const double got = (double)lag_maps_grads(t->maps)[i];
        values[i] = (lag_real)((double)held + step);
        const double above = loss_of(t);
        values[i] = (lag_real)((double)held - step);
        const double below = loss_of(t), wanted = (above - below) / (2 * step);
        values[i] = held;
        if (!(fabs(got - wanted) <= tolerance * fmax(1, fabs(wanted))))
            fail_msg("%s, shape %d, number %zu: %.10g, not %.10g", text, seed, i, got, wanted);
    }
}

static void the_gradient_is_right(void **unused) {
    for (size_t g = 0; g < LAG_COUNT(growths); g++)
        for (int seed = 0; seed < (is_double ? DRAWS : 1); seed++) {
            struct trial t;
            trial_draw(&t, growths[g].text, growths[g].axes, seed, 1);
            check_gradient(&t, growths[g].text, seed);
            trial_end(&t);
        }
}

/* --- how maps begin ---------------------------------------------------------------------------------------------- */

/* Without random numbers maps are even copies, and a stack: of gated and masked parents too. */
static void without_jitter_it_is_a_stack_of_clones(void **unused) {
    static const struct { const char *text, *plain; int axes; } pairs[] = {
        {"ligo_width jitter=0", NULL, WIDER | UNITS | HEAD_DIM}, {"ligo jitter=0", "stack", DEEPER},
        {"ligo jitter=0 with=ligo_width jitter=0", "stack with=clone_width noise=0", DEEPER | WIDER | UNITS}};
    for (size_t g = 0; g < LAG_COUNT(pairs); g++)
        for (int seed = 0; seed < 3 * DRAWS; seed++) {
            struct trial t;
            struct lag_strategy plain;
            struct lag_state *other = NULL;
            trial_draw(&t, pairs[g].text, pairs[g].axes, seed, 1);
            const struct lag_spec to = target(t.parent, pairs[g].axes, seed);
            assert_int_equal(lag_strategy_parse(pairs[g].plain ? pairs[g].plain : "none", &plain, NULL), 0);
            assert_int_equal(lag_grow(t.parent, &plain, &to, &other, NULL), 0);
            const double change = logit_change(pairs[g].plain ? other : t.parent, t.grown);
            if (!(change <= (is_double ? 1e-10 : 2e-4))) fail_msg("%s, shape %d: %g", pairs[g].text, seed, change);
            lag_state_destroy(other);
            trial_end(&t);
        }
}

/* Copies are apart at first, by jitter alone; and another seed draws other numbers. */
static void jitter_parts_copies(void **unused) {
    struct trial t[3];
    static const char *const texts[] = {"ligo_width", "ligo_width seed=1", "ligo_width jitter=0"};
    for (int i = 0; i < 3; i++) {
        t[i] = (struct trial){.parent = draw_parent(0), .batch = BATCH, .context = CONTEXT};
        struct lag_spec to = t[i].parent->layout.spec;
        to.n_embd *= 2;
        trial_make(&t[i], texts[i], &to, 1);
    }
    const int d = t[0].parent->layout.spec.n_embd;
    for (int i = 0; i < 3; i++) /* the stream of token 0, as the first tensor has it */
        assert_int_equal(t[i].grown->params[0] != t[i].grown->params[d], i < 2);
    assert_true(t[0].grown->params[d] != t[1].grown->params[d]);
    assert_true(t[0].grown->params[0] == t[2].grown->params[0]);
    for (int i = 0; i < 3; i++) trial_end(&t[i]);
}

/* --- training ---------------------------------------------------------------------------------------------------- */

static const struct lag_optim optim = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8};

static double learn(struct trial *t, int n_steps, struct lag_team *team) {
    double loss = 0;
    for (int i = 0; i < n_steps; i++) {
        loss = backward(t, team);
        lag_maps_update(t->maps, &optim);
    }
    return loss;
}

static void maps_learn_and_repeat(void **unused) {
    LAG_CLEANUP(lag_free_p) lag_real *first = NULL;
    struct lag_team *team = NULL;
    assert_int_equal(lag_team_create(3, &team, NULL), 0);
    for (int again = 0; again < 2; again++) {
        struct trial t;
        trial_draw(&t, "ligo with=ligo_width", DEEPER | WIDER | UNITS, 1, 3);
        const double before = backward(&t, NULL);
        assert_true(learn(&t, 40, again ? team : NULL) < before - 0.1);
        const size_t bytes = lag_maps_count(t.maps) * sizeof(lag_real);
        if (!first) first = malloc(bytes);
        assert_non_null(first);
        if (again) assert_memory_equal(first, lag_maps_values(t.maps), bytes);
        else memcpy(first, lag_maps_values(t.maps), bytes);
        trial_end(&t);
    }
    lag_team_destroy(team);
}

/* Each part is updated as often as its operator says, and the learning is as long as the longer. */
static void each_part_has_its_steps(void **unused) {
    struct trial t;
    trial_draw(&t, "ligo steps=2 with=ligo_width steps=3", DEEPER | WIDER, 1, 1);
    const size_t n = lag_maps_count(t.maps), n_depth = 12 * (size_t)(t.recipe.n_layers * t.parent->layout.spec.n_layer);
    LAG_CLEANUP(lag_free_p) lag_real *before = calloc(n, sizeof(*before));
    assert_int_equal(lag_strategy_learn_steps(&t.strategy), 3);
    for (int i = 0; i < 4; i++) {
        memcpy(before, lag_maps_values(t.maps), n * sizeof(*before));
        learn(&t, 1, NULL);
        assert_int_equal(memcmp(before, lag_maps_values(t.maps), n_depth * sizeof(*before)) != 0, i < 2);
        assert_int_equal(memcmp(before + n_depth, lag_maps_values(t.maps) + n_depth,
                                (n - n_depth) * sizeof(*before)) != 0, i < 3);
    }
    struct lag_strategy other;
    assert_int_equal(lag_strategy_parse("stack", &other, NULL), 0);
    assert_int_equal(lag_strategy_learn_steps(&other), 0);
    trial_end(&t);
}

/* By hand: of a growth in FFN units alone, and in depth alone. */
static void costs_are_counted(void **unused) {
    struct lag_spec from = test_spec(2, 2, 8, CONTEXT, VOCAB), to = from;
    struct lag_strategy strategy;
    struct lag_recipe recipe;
    to.n_inner = 50;
    assert_int_equal(lag_strategy_parse("ligo_width", &strategy, NULL), 0);
    assert_int_equal(lag_recipe_build(&strategy, &from, &to, &recipe, NULL), 0);
    /* fc_w and fc_b are written by a map: T twice, dC; fcproj_w is read by one: P twice, dR. Each of two layers. */
    const double written = 3 * 2.0 * (8 + 1) * 32 * 50, read = 3 * 2.0 * 50 * 32 * 8;
    assert_true(lag_maps_flops(&strategy, &recipe, &from) == 2 * (written + read));
    const uint64_t n = 2 * 2 * 50 * 32, numbers = 4 * n + 2 * (50 * 8 + 50 * 8);
    assert_true(lag_maps_bytes(&strategy, &recipe, &from) > numbers * sizeof(lag_real));
    lag_recipe_deinit(&recipe);
    to = from;
    to.n_layer = 5;
    assert_int_equal(lag_strategy_parse("ligo", &strategy, NULL), 0);
    assert_int_equal(lag_recipe_build(&strategy, &from, &to, &recipe, NULL), 0);
    const double layer = (double)(lag_spec_params(&to) - lag_spec_params(&from)) / 3;
    assert_true(lag_maps_flops(&strategy, &recipe, &from) == 4 * layer * 5 * 2);
    lag_recipe_deinit(&recipe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_torch_s),
        cmocka_unit_test(the_gradient_is_right),
        cmocka_unit_test(without_jitter_it_is_a_stack_of_clones),
        cmocka_unit_test(jitter_parts_copies),
        cmocka_unit_test(maps_learn_and_repeat),
        cmocka_unit_test(each_part_has_its_steps),
        cmocka_unit_test(costs_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

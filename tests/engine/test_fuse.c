/* Fusing models of several runs: against formulas in plain PyTorch (tests/golden/make_fused.py), a model with itself,
 * what becomes of moments, ages, ramps and freezes, and which models do not go together. Built for float and for
 * double. */
#include "golden_reader.h"
#include "gradcheck.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/engine/grow.h>

enum { BATCH = 2, CONTEXT = 7, VOCAB = 11, N_LOGITS = BATCH * CONTEXT * VOCAB, DRAWS = 40 };
static const bool is_double = sizeof(lag_real) == sizeof(double);
static const double tolerance = sizeof(lag_real) == sizeof(double) ? 1e-10 : 1e-4;

static int draw(int seed, int index, int from, int to) {
    return from + (int)lag_rng_below((uint64_t)seed, LAG_RNG_BATCH, 78, (uint64_t)index, (uint64_t)(to - from + 1));
}

static struct lag_strategy parse(const char *text) {
    struct lag_strategy strategy;
    struct lag_error err = {0};
    if (lag_strategy_parse(text, &strategy, &err)) fail_msg("%s: %s", text, err.text);
    return strategy;
}

static struct lag_state *fuse(const struct lag_state *parent, const struct lag_state *const *others, const char *text,
                              const struct lag_spec *to) {
    const struct lag_strategy strategy = parse(text);
    struct lag_state *grown = NULL;
    struct lag_error err = {0};
    if (lag_grow_with(parent, others, &strategy, to, &grown, &err)) fail_msg("%s: %s", text, err.text);
    return grown;
}

static struct lag_state *grow(const struct lag_state *parent, const char *text, const struct lag_spec *to) {
    return fuse(parent, NULL, text, to);
}

static struct lag_spec times(const struct lag_spec *spec, int n) {
    struct lag_spec to = *spec;
    to.n_embd *= n;
    to.n_head *= n;
    to.n_inner *= n;
    return to;
}

static struct lag_spec draw_shape(int seed) {
    struct lag_spec spec = test_spec(draw(seed, 0, 1, 3), draw(seed, 1, 1, 3), draw(seed, 2, 1, 9), CONTEXT, VOCAB);
    spec.head_dim = draw(seed, 3, 1, 4);
    spec.n_inner = draw(seed, 4, 1, 7);
    spec.norm_eps = 1e-3;
    return spec;
}

static double logit_change(const struct lag_state *parent, const struct lag_state *grown) {
    lag_real out[2][N_LOGITS];
    double change = 0, largest = 1;
    const struct lag_state *states[] = {parent, grown};
    for (int s = 0; s < 2; s++) {
        int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
        struct lag_work *work = test_work(&states[s]->layout.spec, BATCH, CONTEXT, 1);
        test_batch(BATCH * CONTEXT, VOCAB, 9, tokens, targets);
        lag_model_logits(states[s], work, tokens, BATCH, CONTEXT, out[s], NULL);
        lag_work_destroy(work);
    }
    for (int i = 0; i < N_LOGITS; i++) {
        change = fmax(change, fabs((double)out[1][i] - (double)out[0][i]));
        largest = fmax(largest, fabs((double)out[0][i]));
    }
    return is_double ? change : change / largest;
}

/* Three updates at rate 0: weights stay, moments gather. */
static void gather(struct lag_state *state) {
    const struct lag_optim optim = {.lr = 0, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    struct lag_work *work = test_work(&state->layout.spec, BATCH, CONTEXT, 1);
    for (int step = 0; step < 3; step++) {
        int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
        test_batch(BATCH * CONTEXT, VOCAB, 100 + (uint64_t)step, tokens, targets);
        lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
        lag_adamw(state, lag_work_grads(work), &optim, 0, 1, NULL);
    }
    lag_work_destroy(work);
}

/* --- a model with itself ----------------------------------------------------------------------------------------- */

static void a_model_with_itself_keeps_the_function(void **unused) {
    static const char *const texts[] = {"fuse parents=a", "fuse lambda=0.2 parents=a", "fuse lambda=1 parents=a+b",
                                        "fuse lambda=0.25 parents=a+b+c", "fuse lambda=0 parents=a"};
    static const int n_models[] = {2, 2, 3, 4, 2};
    for (int seed = 0; seed < DRAWS; seed++) {
        const struct lag_spec from = draw_shape(seed);
        struct lag_state *parent = test_state(&from, 5);
        const struct lag_state *const others[] = {parent, parent, parent};
        for (size_t i = 0; i < LAG_COUNT(texts); i++) {
            const struct lag_spec to = times(&from, n_models[i]);
            struct lag_state *grown = fuse(parent, others, texts[i], &to);
            const double change = logit_change(parent, grown);
            if (!(change <= tolerance)) fail_msg("%s, shape %d: %g", texts[i], seed, change);
            lag_state_destroy(grown);
        }
        const struct lag_spec twice = times(&from, 2);
        struct lag_state *fused = fuse(parent, others, "fuse parents=a", &twice);
        struct lag_state *cloned = grow(parent, "clone_diagonal noise=0", &twice);
        for (size_t i = 0; i < fused->layout.n_elements; i++) assert_true(fused->params[i] == cloned->params[i]);
        lag_state_destroy(cloned);
        lag_state_destroy(fused);
        lag_state_destroy(parent);
    }
}

/* What it gathered before is what it would have gathered itself, where there is anything. */
static void moments_are_those_of_the_parts(void **unused) {
    for (int seed = 0; seed < DRAWS; seed++) {
        const struct lag_spec from = draw_shape(seed), to = times(&from, 3);
        struct lag_state *parent = test_state(&from, 5);
        const struct lag_state *const others[] = {parent, parent};
        const char *text = "fuse lambda=0.33333333333333331 parents=a+a";
        struct lag_state *gathered = fuse(parent, others, text, &to);
        gather(gathered);
        gather(parent);
        struct lag_state *taken = fuse(parent, others, text, &to);
        size_t n = 0;
        for (size_t i = 0; i < taken->layout.n_elements; i++) {
            if (taken->m[i] == 0 && taken->v[i] == 0) continue;
            const double error = fmax(fabs((double)taken->m[i] - (double)gathered->m[i]),
                                      fabs(sqrt((double)taken->v[i]) - sqrt((double)gathered->v[i])));
            n++;
            if (error > (is_double ? 1e-10 : 2e-4)) fail_msg("shape %d, element %zu: %g", seed, i, error);
        }
        assert_true(from.n_embd < 3 || n >= 2 * lag_spec_params(&from)); /* norms make nothing of narrow streams */
        lag_state_destroy(taken);
        lag_state_destroy(gathered);
        lag_state_destroy(parent);
    }
}

/* --- different models -------------------------------------------------------------------------------------------- */

static void depth_and_fusion_commute(void **unused) {
    const struct lag_spec a = test_spec(2, 2, 6, CONTEXT, VOCAB), b = test_spec(2, 3, 9, CONTEXT, VOCAB);
    struct lag_spec wide = test_spec(2, 5, 15, CONTEXT, VOCAB);
    struct lag_state *parent = test_state(&a, 5), *other = test_state(&b, 6);
    const struct lag_state *const others[] = {other};
    struct lag_state *fused = fuse(parent, others, "fuse lambda=0.4 parents=a", &wide);
    wide.n_layer = 5;
    struct lag_state *both = fuse(parent, others, "midas block=1 with=fuse lambda=0.4 parents=a", &wide);
    struct lag_state *after = grow(fused, "midas block=1", &wide);
    assert_true(lag_state_equal(both, after));
    lag_state_destroy(after);
    lag_state_destroy(both);
    wide.n_layer = 3;
    both = fuse(parent, others, "interpolate with=fuse lambda=0.4 parents=a", &wide);
    after = grow(fused, "interpolate", &wide);
    assert_true(lag_state_equal(both, after));
    lag_state_destroy(after);
    lag_state_destroy(both);
    lag_state_destroy(fused);
    lag_state_destroy(other);
    lag_state_destroy(parent);
}

static const struct lag_segment *segment_at(const struct lag_state *state, enum lag_role role, int row, int col) {
    const int tensor = state->layout.first[role];
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_segment *s = &state->segments[i];
        if (s->tensor == tensor && row >= s->row_begin && row < s->row_end && col >= s->col_begin && col < s->col_end)
            return s;
    }
    fail_msg("no segment");
    return NULL;
}

/* Each part has the history of its own model, counted from the run's step; what lies between has none. What another
 * model brings is new, and never frozen. */
static void histories_stay_with_their_models(void **unused) {
    const struct lag_spec a = test_spec(1, 2, 6, CONTEXT, VOCAB), b = test_spec(1, 3, 9, CONTEXT, VOCAB);
    const struct lag_spec wide = test_spec(1, 5, 15, CONTEXT, VOCAB);
    struct lag_state *parent = test_state(&a, 5), *other = test_state(&b, 6);
    parent->step = 100;
    other->step = 70;
    for (int i = 0; i < parent->n_segments; i++) parent->segments[i].age = 90;
    for (int i = 0; i < other->n_segments; i++) {
        other->segments[i].age = 33;
        other->segments[i].rewarm_from = i % 2 ? 60 : 10;
        other->segments[i].rewarm_steps = 20;
        other->segments[i].frozen_until = LAG_FROZEN_FOR_GOOD;
    }
    const struct lag_state *const others[] = {other};
    struct lag_state *fused = fuse(parent, others, "fuse parents=a", &wide);
    for (int role = 0; role < LAG_N_ROLES; role++) {
        if (parent->layout.first[role] < 0) continue;
        const struct lag_tensor *own = lag_layout_tensor(&parent->layout, (enum lag_role)role, 0);
        const struct lag_tensor *to = lag_layout_tensor(&fused->layout, (enum lag_role)role, 0);
        const bool crosses = to->n_rows > own->n_rows;
        const int i = other->layout.first[role], row = crosses ? own->n_rows : 0;
        const struct lag_segment *first = segment_at(fused, (enum lag_role)role, 0, 0);
        const struct lag_segment *last = segment_at(fused, (enum lag_role)role, row, to->n_cols - 1);
        assert_true(first->age == 90 && first->rewarm_steps == 0 && first->frozen_until == 0);
        assert_true(last->age == 33 && last->rewarm_steps == (i % 2 ? 20 : 0));
        assert_true(last->rewarm_from == (i % 2 ? 90 : 0));
        assert_true(last->frozen_until == 0);
        if (!crosses) continue;
        const struct lag_segment *between = segment_at(fused, (enum lag_role)role, 0, to->n_cols - 1);
        assert_true(between->age == 0 && between->rewarm_steps == 0 && between->frozen_until == 0);
        assert_true(fused->params[to->offset + (size_t)to->n_cols - 1] == 0);
    }
    lag_state_destroy(fused);
    /* A part whose logits count nothing has gathered nothing; what is another's is new. */
    fused = fuse(parent, others, "fuse lambda=1 optimizer=inherit lr=rewarm_new rewarm_steps=9 parents=a", &wide);
    assert_int_equal(segment_at(fused, LAG_ROLE_WTE, 0, 14)->age, 0);
    assert_int_equal(segment_at(fused, LAG_ROLE_LNF_W, 0, 14)->age, 33);
    assert_int_equal(segment_at(fused, LAG_ROLE_WTE, 0, 14)->rewarm_steps, 9);
    assert_int_equal(segment_at(fused, LAG_ROLE_WTE, 0, 0)->rewarm_steps, 0);
    lag_state_destroy(fused);
    fused = fuse(parent, others, "fuse optimizer=reset_new parents=a", &wide);
    assert_int_equal(segment_at(fused, LAG_ROLE_WTE, 0, 14)->age, 0);
    assert_int_equal(segment_at(fused, LAG_ROLE_WTE, 0, 0)->age, 90);
    lag_state_destroy(fused);
    lag_state_destroy(other);
    lag_state_destroy(parent);
}

/* --- against the formulas ---------------------------------------------------------------------------------------- */

static struct lag_state *take_model(struct reader *r, const struct lag_spec *common) {
    struct lag_spec spec = *common;
    struct lag_state *state = NULL;
    spec.n_head = take_int(r);
    spec.n_embd = take_int(r);
    spec.n_inner = take_int(r);
    spec.norm_eps = take_real(r);
    assert_int_equal(lag_state_create(&spec, &state, NULL), 0);
    for (int t = 0; t < state->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &state->layout.tensors[t];
        for (int i = 0; i < tensor->n_rows * tensor->n_cols; i++)
            state->params[tensor->offset + (size_t)i] = (lag_real)take_real(r);
    }
    return state;
}

static void check_logits(struct reader *r, const struct lag_state *state, const int32_t *tokens, int batch,
                         const char *text) {
    const struct lag_spec *spec = &state->layout.spec;
    const int n = batch * spec->n_positions * spec->vocab_size;
    lag_real got[N_LOGITS];
    assert_true(n <= N_LOGITS);
    struct lag_work *work = test_work(spec, batch, spec->n_positions, 1);
    lag_model_logits(state, work, tokens, batch, spec->n_positions, got, NULL);
    lag_work_destroy(work);
    for (int i = 0; i < n; i++) {
        const double wanted = take_real(r);
        if (fabs((double)got[i] - wanted) > (is_double ? 1e-11 : 1e-4))
            fail_msg("%s: logit %d: %.17g, not %.17g", text, i, (double)got[i], wanted);
    }
}

/* char strategy[64], int32 n_models, models, the fused model, its logits. */
static void check_case(struct reader *r, const struct lag_spec *common, const int32_t *tokens, int batch) {
    char text[64];
    struct lag_state *models[LAG_PARENTS] = {NULL};
    take(r, text, sizeof(text));
    const int n = take_int(r);
    assert_in_range(n, 2, LAG_PARENTS);
    for (int i = 0; i < n; i++) models[i] = take_model(r, common);
    struct lag_state *wanted = take_model(r, common);
    const struct lag_state *const others[LAG_FUSE_MAX] = {models[1], models[2], models[3]};
    struct lag_spec to = wanted->layout.spec;
    to.norm_eps = models[0]->layout.spec.norm_eps;
    struct lag_state *fused = fuse(models[0], others, text, &to);
    assert_true(fabs(fused->layout.spec.norm_eps - wanted->layout.spec.norm_eps) < 1e-15);
    for (size_t i = 0; i < fused->layout.n_elements; i++) {
        const double a = (double)fused->params[i], b = (double)wanted->params[i];
        if (fabs(a - b) > (is_double ? 1e-14 : 1e-6) * fmax(1, fabs(b))) fail_msg("%s: %zu: %g, not %g", text, i, a, b);
    }
    check_logits(r, fused, tokens, batch, text);
    lag_state_destroy(fused);
    lag_state_destroy(wanted);
    for (int i = 0; i < n; i++) lag_state_destroy(models[i]);
}

static void fusions_are_those_of_the_formulas(void **unused) {
    enum { MAX_BYTES = 1 << 18 };
    LAG_CLEANUP(lag_free_p) char *file = malloc(MAX_BYTES);
    FILE *f = fopen(GOLDEN_DIR "/gpt2_tiny_fused.bin", "rb");
    assert_true(file && f);
    const size_t size = fread(file, 1, MAX_BYTES, f);
    assert_int_equal(fclose(f), 0);
    assert_true(size > 0 && size < MAX_BYTES);
    struct reader r = {file, file + size};
    struct lag_spec spec = {0};
    int32_t tokens[64];
    spec.n_layer = take_int(&r);
    spec.head_dim = take_int(&r);
    spec.n_positions = take_int(&r);
    spec.vocab_size = take_int(&r);
    const int batch = take_int(&r), n_cases = take_int(&r);
    assert_true(batch * spec.n_positions <= 64 && n_cases == 3);
    take(&r, tokens, sizeof(*tokens) * (size_t)(batch * spec.n_positions));
    for (int i = 0; i < n_cases; i++) check_case(&r, &spec, tokens, batch);
    assert_ptr_equal(r.at, r.end);
}

/* --- what does not go together ----------------------------------------------------------------------------------- */

static void refusals(void **unused) {
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB), good = test_spec(2, 4, 12, CONTEXT, VOCAB);
    const struct { const char *text; struct lag_spec other, to; const char *pointer, *says; } cases[] = {
        {"fuse", from, good, "/parents", "name 1 to 3 checkpoints"},
        {"fuse parents=a", {0}, good, "/parents/0", "is not known here"},
        {"fuse parents=a", test_spec(3, 2, 6, CONTEXT, VOCAB), good, "/parents/0", "a has 3 layers, and the run 2"},
        {"fuse parents=a", test_spec(2, 2, 6, CONTEXT, 12), good, "/parents/0", "12 tokens in its vocabulary"},
        {"fuse parents=a", test_spec(2, 2, 6, 9, VOCAB), good, "/parents/0", "9 positions"},
        {"fuse parents=a", test_spec(2, 3, 6, CONTEXT, VOCAB), good, "/parents/0", "2 numbers in a head"},
        {"fuse parents=a", from, test_spec(2, 5, 15, CONTEXT, VOCAB), "/target/n_embd", "n_embd 12, n_head 4 and "
         "n_inner 48"},
        {"fuse parents=a", test_spec(2, 3, 9, CONTEXT, VOCAB), good, "/target/n_embd", "n_embd 15, n_head 5 and "
         "n_inner 60, and not to n_embd 12"},
        {"fuse parents=a", from, from, "/target/n_embd", "n_embd 12"},
        {"stack with=fuse parents=a", from, test_spec(3, 2, 6, CONTEXT, VOCAB), "/target/n_embd", "n_embd 12"},
        {"fuse parents=a", from, test_spec(3, 4, 12, CONTEXT, VOCAB), "/target/n_layer", "grows width only"},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_strategy strategy = parse(cases[i].text);
        struct lag_recipe recipe = {0};
        struct lag_error err = {0};
        strategy.parents[0].spec = cases[i].other;
        assert_int_equal(lag_recipe_build(&strategy, &from, &cases[i].to, &recipe, &err), LAG_EINVAL);
        if (strcmp(err.pointer, cases[i].pointer) != 0 || !strstr(err.text, cases[i].says))
            fail_msg("case %zu: %s: %s", i, err.pointer, err.text);
    }
    static const struct { const char *text, *pointer, *says; } texts[] = {
        {"stack parents=a", "/parents", "stack takes no parents"},
        {"fuse parents=a+b+c+d", "/parents/3", "at most 3"},
        {"fuse parents=a++b", "/parents/1", "is no id"},
        {"fuse parents=", "/parents", "name checkpoints"},
        {"fuse parents=0123456789012345678901234567890123456789", "/parents/0", "is no id"},
        {"fuse lambda=1.5 parents=a", "/params/lambda", "between 0 and 1"},
        {"fuse parents=a with=lemon", "/with", "is no pair"},
    };
    for (size_t i = 0; i < LAG_COUNT(texts); i++) {
        struct lag_strategy strategy;
        struct lag_error err = {0};
        assert_int_equal(lag_strategy_parse(texts[i].text, &strategy, &err), LAG_EINVAL);
        if (strcmp(err.pointer, texts[i].pointer) != 0 || !strstr(err.text, texts[i].says))
            fail_msg("%s: %s: %s", texts[i].text, err.pointer, err.text);
    }
}

/* Which models they are of is part of what a candidate is. */
static void parents_tell_candidates_apart(void **unused) {
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB), to = test_spec(2, 4, 12, CONTEXT, VOCAB);
    struct lag_strategy a = parse("fuse parents=a"), b = parse("fuse parents=b");
    bool same = true;
    char text[LAG_STRATEGY_TEXT];
    a.parents[0].spec = b.parents[0].spec = from;
    assert_int_equal(lag_strategy_same(&a, &b, &from, &to, &same, NULL), 0);
    assert_false(same);
    assert_int_equal(lag_strategy_same(&a, &a, &from, &to, &same, NULL), 0);
    assert_true(same);
    a = parse("llama_pro every=2 with=fuse lambda=0.25 parents=ckpt_1+ckpt_2 seed=3");
    lag_strategy_format(&a, text);
    assert_string_equal(text, "llama_pro every=2 with=fuse lambda=0.25 parents=ckpt_1+ckpt_2 optimizer=reset_new "
                              "lr=rewarm_new seed=3");
    assert_false(lag_strategy_preserves(&a));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_with_itself_keeps_the_function), cmocka_unit_test(moments_are_those_of_the_parts),
        cmocka_unit_test(depth_and_fusion_commute),               cmocka_unit_test(histories_stay_with_their_models),
        cmocka_unit_test(fusions_are_those_of_the_formulas),      cmocka_unit_test(refusals),
        cmocka_unit_test(parents_tell_candidates_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

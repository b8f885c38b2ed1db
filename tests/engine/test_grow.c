/* Growing a state: weights, moments, ages, segments, learning-rate rules, and the function that is kept. Built for
 * float and for double. */
#include "gradcheck.h"
#include <lagd/base/check.h>
#include <lagd/engine/grow.h>

#define BATCH 2
#define CONTEXT 9
static const double tolerance = sizeof(lag_real) == sizeof(double) ? 1e-10 : 1e-5;

/* A parent with all there is: weights everywhere, moments, an age of its own for each segment, the first tensor of each
 * layer's attention divided in two with factors, a ramp under way, and a schedule that restarted. */
static struct lag_state *make_parent(int n_layer) {
    const struct lag_spec spec = test_spec(n_layer, 2, 8, CONTEXT, 13);
    struct lag_state *state = test_state(&spec, 5);
    struct lag_segment *segments = calloc((size_t)(state->n_segments + n_layer), sizeof(*segments));
    assert_non_null(segments);
    int n = 0;
    for (int t = 0; t < state->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &state->layout.tensors[t];
        for (int i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
            state->m[tensor->offset + (size_t)i] = test_normal(77, (uint64_t)t << 32 | (uint64_t)i);
            state->v[tensor->offset + (size_t)i] =
                (lag_real)fabs((double)test_normal(78, (uint64_t)t << 32 | (uint64_t)i));
        }
        segments[n] = state->segments[t];
        segments[n].age = 100 + t;
        if (tensor->row->role == LAG_ROLE_QKV_W) {
            segments[n + 1] = segments[n];
            segments[n].col_end = segments[n + 1].col_begin = 6;
            segments[++n].age = 3;
            segments[n].lr_factor = 0.5;
            segments[n].decay_factor = 2;
            segments[n].eps_factor = 0.25;
            segments[n].rewarm_from = 90;
            segments[n].rewarm_steps = 20;
        }
        n++;
    }
    free(state->segments);
    state->segments = segments;
    state->n_segments = n;
    state->step = 100;
    state->schedule_origin = 40;
    return state;
}

static struct lag_strategy parse(const char *text) {
    struct lag_strategy strategy;
    struct lag_error err = {0};
    if (lag_strategy_parse(text, &strategy, &err)) fail_msg("%s: %s", text, err.text);
    return strategy;
}

static struct lag_state *grow(const struct lag_state *parent, const char *text, int target) {
    const struct lag_strategy strategy = parse(text);
    struct lag_state *grown = NULL, *before = NULL;
    struct lag_error err = {0};
    assert_int_equal(lag_state_clone(parent, &before, NULL), 0);
    const struct lag_spec to = test_depth(parent, target);
    if (lag_grow(parent, &strategy, &to, &grown, &err)) fail_msg("%s: %s", text, err.text);
    assert_true(lag_state_equal(parent, before)); /* the parent is only read */
    lag_state_destroy(before);
    return grown;
}

static void logits(const struct lag_state *state, lag_real *ret) {
    int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    struct lag_work *work = test_work(&state->layout.spec, BATCH, CONTEXT, 1);
    test_batch(BATCH * CONTEXT, state->layout.spec.vocab_size, 9, tokens, targets);
    lag_model_logits(state, work, tokens, BATCH, CONTEXT, ret, NULL);
    lag_work_destroy(work);
}

static double logit_change(const struct lag_state *parent, const char *text, int target) {
    enum { N = BATCH * CONTEXT * 13 };
    lag_real before[N], after[N];
    double change = 0;
    struct lag_state *grown = grow(parent, text, target);
    logits(parent, before);
    logits(grown, after);
    for (int i = 0; i < N; i++) change = fmax(change, fabs((double)after[i] - (double)before[i]));
    lag_state_destroy(grown);
    return change;
}

static void test_function_is_kept(void **unused) {
    static const char *const texts[] = {
        "llama_pro", "llama_pro every=2", "llama_pro noise=0.5 seed=4", "zero_stack", "zero_stack noise=1", "zero_top",
        "zero_top block=2", "zero_random", "zero_random at=0", "zero_random at=1", "none",
    };
    static const int shapes[][2] = {{2, 3}, {2, 4}, {2, 7}, {3, 4}, {3, 5}, {3, 6}, {5, 8}};
    for (size_t s = 0; s < LAG_COUNT(shapes); s++) {
        struct lag_state *parent = make_parent(shapes[s][0]);
        for (size_t i = 0; i < LAG_COUNT(texts); i++) {
            char text[LAG_STRATEGY_TEXT];
            snprintf(text, sizeof(text), "%s lr=continue", texts[i]);
            const double change = logit_change(parent, text, shapes[s][1]);
            if (!(change <= tolerance))
                fail_msg("%s %d → %d: logits change by %g", text, shapes[s][0], shapes[s][1], change);
        }
        lag_state_destroy(parent);
    }
}

/* The table's flag is the truth for every operator, and the check above can fail. */
static void test_preserving_flag(void **unused) {
    struct lag_state *parent = make_parent(3);
    int n_ops;
    const struct lag_operator *ops = lag_operators(&n_ops);
    for (int i = 0; i < n_ops; i++) {
        char text[LAG_STRATEGY_TEXT];
        if (ops[i].grows >= LAG_GROWS_WIDTH) continue; /* test_width.c, test_ends.c */
        snprintf(text, sizeof(text), "%s lr=continue", ops[i].name);
        const double change = logit_change(parent, text, 6);
        if (ops[i].function_preserving != (change <= tolerance))
            fail_msg("%s changes logits by %g", ops[i].name, change);
        if (!ops[i].function_preserving) assert_true(change > 1e-4);
    }
    lag_state_destroy(parent);
}

static void test_parameter_count(void **unused) {
    for (int target = 3; target <= 7; target++) {
        struct lag_state *parent = make_parent(3), *grown = grow(parent, "stack", target);
        const uint64_t C = 8, I = 32, layer = 4 * C * C + 2 * C * I + 9 * C + I; /* weights; biases and two norms */
        uint64_t counted = 0;
        for (int t = 0; t < grown->layout.n_tensors; t++) {
            counted += (uint64_t)grown->layout.tensors[t].n_rows * (uint64_t)grown->layout.tensors[t].n_cols;
        }
        assert_int_equal(grown->layout.spec.n_layer, target);
        assert_true(counted == lag_spec_params(&parent->layout.spec) + (uint64_t)(target - 3) * layer);
        assert_true(counted == lag_spec_params(&grown->layout.spec));
        lag_state_destroy(grown);
        lag_state_destroy(parent);
    }
}

/* The parent's tensor that a tensor of the grown state comes from; NULL for a random layer's. */
static const struct lag_tensor *origin(const struct lag_state *parent, const struct lag_recipe *recipe,
                                       const struct lag_tensor *to) {
    if (to->layer < 0) return lag_layout_tensor(&parent->layout, to->row->role, 0);
    if (to->row->is_gate && !parent->layout.spec.gated) return NULL;
    const int source = recipe->layers[to->layer].source;
    return source < 0 ? NULL : lag_layout_tensor(&parent->layout, to->row->role, source);
}
static bool is_zero(const lag_real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (x[i] != 0) return false;
    }
    return true;
}

static int first_segment(const struct lag_state *state, int tensor) {
    for (int i = 0; i < state->n_segments; i++) {
        if (state->segments[i].tensor == tensor) return i;
    }
    fail_msg("tensor %d has no segment", tensor);
    return -1;
}

/* One tensor's segments: those of its source with the expected ages, or a single new one. */
static void check_segments(const struct lag_state *parent, const struct lag_tensor *from, const struct lag_state *grown,
                           int t, bool fresh, bool history, bool between) {
    const struct lag_tensor *to = &grown->layout.tensors[t];
    int64_t youngest = INT64_MAX; /* of the layer above, where it lies between the two */
    int at = first_segment(grown, t);
    if (fresh) {
        const struct lag_segment *s = &grown->segments[at];
        assert_true(s->row_begin == 0 && s->col_begin == 0 && s->row_end == to->n_rows && s->col_end == to->n_cols);
        assert_true(s->age == 0 && s->lr_factor == 1 && s->decay_factor == 1 && s->eps_factor == 1);
        assert_true(at + 1 == grown->n_segments || grown->segments[at + 1].tensor == t + 1);
        return;
    }
    int source = (int)(from - parent->layout.tensors);
    const int above = source + parent->layout.per_layer;
    for (int k = 0; between && k < parent->n_segments; k++)
        if (parent->segments[k].tensor == above) youngest = LAG_MIN(youngest, parent->segments[k].age);
    int i = first_segment(parent, source);
    for (; i < parent->n_segments && parent->segments[i].tensor == source; i++, at++) {
        struct lag_segment want = parent->segments[i], got = grown->segments[at];
        assert_int_equal(got.tensor, t);
        assert_int_equal(got.age, history ? LAG_MIN(want.age, youngest) : 0);
        assert_true(got.row_begin == want.row_begin && got.row_end == want.row_end && got.col_begin == want.col_begin &&
                    got.col_end == want.col_end);
        assert_true(got.lr_factor == want.lr_factor && got.decay_factor == want.decay_factor &&
                    got.eps_factor == want.eps_factor);
    }
    assert_true(at == grown->n_segments || grown->segments[at].tensor == t + 1);
}

/* A tensor that is a copy, or lies between its layer and the one above. */
static void check_block(const lag_real *got, const lag_real *from, size_t to_above, double blend, size_t n) {
    if (!(blend > 0)) assert_memory_equal(got, from, n * sizeof(lag_real));
    for (size_t i = 0; blend > 0 && i < n; i++) {
        const double wanted = (1 - blend) * (double)from[i] + blend * (double)from[to_above + i];
        assert_true(fabs((double)got[i] - wanted) <= 1e-6 * fmax(1, fabs(wanted)));
    }
}

/* A mask of 200 steps, from the growth on, or none. */
static void check_masks(const struct lag_state *grown, int t, bool masked) {
    for (int i = first_segment(grown, t); i < grown->n_segments && grown->segments[i].tensor == t; i++)
        assert_true(grown->segments[i].mask_from == (masked ? grown->step : 0) &&
                    grown->segments[i].mask_steps == (masked ? 200 : 0));
}

/* Every tensor of the grown state against the recipe, by the rules of grow.h stated once more. */
static void check_growth(const struct lag_state *parent, const char *text, int target) {
    const struct lag_strategy strategy = parse(text);
    struct lag_recipe recipe;
    const struct lag_spec shape = test_depth(parent, target);
    assert_int_equal(lag_recipe_build(&strategy, &parent->layout.spec, &shape, &recipe, NULL), 0);
    struct lag_state *grown = grow(parent, text, target);
    size_t end = 0;
    for (int t = 0; t < grown->layout.n_tensors; t++) {
        const struct lag_tensor *to = &grown->layout.tensors[t], *from = origin(parent, &recipe, to);
        const size_t n = (size_t)to->n_rows * (size_t)to->n_cols;
        const struct lag_layer_src none = {0}, *src = to->layer < 0 ? &none : &recipe.layers[to->layer];
        const bool zero = (src->zero_out && to->row->writes_residual) || (src->shut && to->row->is_gate);
        const bool history = from && !zero && strategy.moments != LAG_MOMENTS_RESET &&
                             !(strategy.moments == LAG_MOMENTS_RESET_NEW && src->is_new);
        const size_t above = src->blend > 0 ? from[parent->layout.per_layer].offset - from->offset : 0;
        assert_true(is_zero(grown->params + end, to->offset - end)); /* gaps */
        assert_true(is_zero(grown->m + end, to->offset - end) && is_zero(grown->v + end, to->offset - end));
        end = to->offset + n;
        if (zero) {
            assert_true(is_zero(grown->params + to->offset, n));
        } else if (from && src->noise == 0) {
            check_block(grown->params + to->offset, parent->params + from->offset, above, src->blend, n);
        }
        if (history) {
            check_block(grown->m + to->offset, parent->m + from->offset, above, src->blend, n);
            check_block(grown->v + to->offset, parent->v + from->offset, above, src->blend, n);
        } else {
            assert_true(is_zero(grown->m + to->offset, n) && is_zero(grown->v + to->offset, n));
        }
        check_segments(parent, from, grown, t, !from || zero, history, src->blend > 0);
        check_masks(grown, t, src->masked && to->row->writes_residual);
    }
    assert_int_equal(grown->step, parent->step);
    lag_recipe_deinit(&recipe);
    lag_state_destroy(grown);
}

static void test_every_operator_and_rule(void **unused) {
    static const char *const moments[] = {"inherit", "reset", "reset_new"}, *const noises[] = {"", " noise=0.2"};
    static const int shapes[][2] = {{2, 3}, {3, 3}, {3, 5}, {3, 6}, {3, 7}, {4, 6}};
    struct lag_state *parents[] = {make_parent(2), make_parent(3), make_parent(4)};
    int n_ops;
    const struct lag_operator *ops = lag_operators(&n_ops);
    for (size_t s = 0; s < LAG_COUNT(shapes); s++) {
        for (int o = 0; o < n_ops * 6; o++) {
            char text[LAG_STRATEGY_TEXT];
            const char *noise = noises[o / n_ops / 3];
            const bool has_noise = ops[o % n_ops].params[0].name &&
                                   strcmp(ops[o % n_ops].params[0].name, "at") != 0;
            if ((*noise && !has_noise) || ops[o % n_ops].grows >= LAG_GROWS_WIDTH) continue;
            if (ops[o % n_ops].learns) continue; /* test_maps.c */
            snprintf(text, sizeof(text), "%s%s optimizer=%s lr=continue seed=3", ops[o % n_ops].name, noise,
                     moments[o / n_ops % 3]);
            check_growth(parents[shapes[s][0] - 2], text, shapes[s][1]);
        }
    }
    for (size_t i = 0; i < LAG_COUNT(parents); i++) lag_state_destroy(parents[i]);
}

static void test_none_is_a_clone(void **unused) {
    struct lag_state *parent = make_parent(3), *grown = grow(parent, "none", 6);
    assert_true(lag_state_equal(parent, grown));
    lag_state_destroy(grown);
    /* nothing new, nothing changed */
    grown = grow(parent, "stack optimizer=reset_new lr=rewarm_new rewarm_steps=4", 3);
    assert_true(lag_state_equal(parent, grown));
    lag_state_destroy(grown);
    lag_state_destroy(parent);
}

static void test_lr_rules(void **unused) {
    struct lag_state *parent = make_parent(3);
    static const char *const texts[] = {"midas", "midas lr=rewarm rewarm_steps=7", "midas lr=rewarm_new rewarm_steps=7",
                                        "midas lr=restart"};
    for (size_t i = 0; i < LAG_COUNT(texts); i++) { /* 0 1 1 1 2: layers 2 and 3 are new */
        struct lag_state *grown = grow(parent, texts[i], 5);
        assert_int_equal(grown->schedule_origin, i == 3 ? 100 : 40);
        for (int s = 0; s < grown->n_segments; s++) {
            const struct lag_segment *segment = &grown->segments[s];
            const int layer = grown->layout.tensors[segment->tensor].layer;
            const bool ramp_of_old = segment->col_begin == 6; /* the divided tensor's second half had 90 + 20 */
            if (i == 1 || (i == 2 && (layer == 2 || layer == 3))) {
                assert_true(segment->rewarm_from == 100 && segment->rewarm_steps == 7);
            } else if (i != 3 && ramp_of_old) {
                assert_true(segment->rewarm_from == 90 && segment->rewarm_steps == 20);
            } else {
                assert_true(segment->rewarm_steps == 0);
            }
        }
        lag_state_destroy(grown);
    }
    const struct lag_spec six = test_depth(parent, 6);
    static const char *const unresolved[] = {"stack lr=rewarm", "llama_pro"};
    for (size_t i = 0; i < LAG_COUNT(unresolved); i++) {
        struct lag_strategy strategy = parse(unresolved[i]);
        struct lag_state *grown = NULL;
        struct lag_error err = {0};
        assert_int_equal(lag_grow(parent, &strategy, &six, &grown, &err), LAG_EINVAL);
        assert_string_equal(err.pointer, "/rewarm_steps");
        assert_null(grown);
    }
    lag_state_destroy(parent);
}

/* freeze_old: all but the new layers. Ramps of what is old begin where it is released; what the parent had frozen stays
 * so in what is old, and a copy of it trains. */
static void test_freeze(void **unused) {
    static const struct {
        const char *text;
        bool parent;               /* layer 1 was frozen until 150 by an earlier growth */
        int64_t old, layer_1, ramp; /* frozen_until of what is old, of layer 1, and where the old ones' ramp begins */
    } cases[] = {
        {"midas", false, 0, 0, -1},
        {"midas", true, 0, 150, -1},
        {"midas freeze_old=7", false, 107, 107, -1},
        {"midas freeze_old=7", true, 107, 150, -1},
        {"midas freeze_old=keep", true, LAG_FROZEN_FOR_GOOD, LAG_FROZEN_FOR_GOOD, -1},
        {"midas lr=rewarm rewarm_steps=9 freeze_old=7", false, 107, 107, 107},
        {"midas lr=rewarm rewarm_steps=9 freeze_old=keep", false, LAG_FROZEN_FOR_GOOD, LAG_FROZEN_FOR_GOOD, 100},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) { /* 0 1 1 1 2: layers 2 and 3 are new */
        struct lag_state *parent = make_parent(3);
        for (int s = 0; s < parent->n_segments; s++)
            if (cases[i].parent && parent->layout.tensors[parent->segments[s].tensor].layer == 1)
                parent->segments[s].frozen_until = 150;
        struct lag_state *grown = grow(parent, cases[i].text, 5);
        for (int s = 0; s < grown->n_segments; s++) {
            const struct lag_segment *segment = &grown->segments[s];
            const int layer = grown->layout.tensors[segment->tensor].layer;
            const bool is_new = layer == 2 || layer == 3;
            assert_true(segment->frozen_until == (is_new ? 0 : layer == 1 ? cases[i].layer_1 : cases[i].old));
            if (cases[i].ramp >= 0) assert_true(segment->rewarm_from == (is_new ? 100 : cases[i].ramp));
        }
        lag_state_destroy(grown);
        grown = grow(parent, "none", 3); /* the reference goes on as it is */
        assert_true(lag_state_equal(grown, parent));
        lag_state_destroy(grown);
        lag_state_destroy(parent);
    }
    struct lag_state *parent = make_parent(3), *grown = grow(parent, "stack freeze_old=keep", 3); /* nothing new */
    assert_true(lag_state_equal(grown, parent));
    lag_state_destroy(grown);
    lag_state_destroy(parent);
}

static double deviation(const lag_real *a, const lag_real *b, double factor, size_t n) {
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += pow((double)a[i] - factor * (b ? (double)b[i] : 0), 2);
    return sqrt(squares / (double)n);
}

static void test_random_and_noise(void **unused) {
    struct lag_spec spec = test_spec(2, 2, 64, 8, 16);
    struct lag_state *parent = test_state(&spec, 5), *a, *b, *c;
    const size_t n = 64 * 256;
    a = grow(parent, "random seed=1", 4);
    b = grow(parent, "random seed=1", 4);
    c = grow(parent, "random seed=2", 4);
    assert_true(lag_state_equal(a, b));
    const struct lag_layout *layout = &a->layout;
    const lag_real *fc2 = a->params + lag_layout_tensor(layout, LAG_ROLE_FC_W, 2)->offset;
    const lag_real *fc3 = a->params + lag_layout_tensor(layout, LAG_ROLE_FC_W, 3)->offset;
    assert_memory_not_equal(fc2, fc3, n * sizeof(lag_real));
    assert_memory_not_equal(fc2, c->params + lag_layout_tensor(layout, LAG_ROLE_FC_W, 2)->offset, n * sizeof(lag_real));
    assert_true(fabs(deviation(fc2, NULL, 0, n) - 0.02) < 0.0005);
    const lag_real *proj = a->params + lag_layout_tensor(layout, LAG_ROLE_FCPROJ_W, 2)->offset;
    assert_true(fabs(deviation(proj, NULL, 0, n) - 0.02 / sqrt(8)) < 0.0002); /* 2 L' = 8 */
    assert_true(a->params[lag_layout_tensor(layout, LAG_ROLE_LN1_W, 3)->offset] == 1);
    lag_state_destroy(b);
    lag_state_destroy(c);
    /* a growth at step 0 with the run's own seed does not repeat the run's own first weights */
    lag_state_init(parent, 1);
    b = grow(parent, "random at=0 seed=1", 3);
    assert_memory_not_equal(b->params + lag_layout_tensor(&b->layout, LAG_ROLE_FC_W, 0)->offset,
                            parent->params + lag_layout_tensor(&parent->layout, LAG_ROLE_FC_W, 0)->offset, 64);
    lag_state_destroy(b);
    b = grow(parent, "stack noise=0.25 seed=1", 4);
    const lag_real *noisy = b->params + lag_layout_tensor(layout, LAG_ROLE_FC_W, 2)->offset;
    const lag_real *source = parent->params + lag_layout_tensor(&parent->layout, LAG_ROLE_FC_W, 0)->offset;
    assert_true(fabs(deviation(noisy, source, 0.75, n) - 0.25 * 0.02) < 0.0002);
    assert_memory_equal(b->params + lag_layout_tensor(layout, LAG_ROLE_FC_W, 0)->offset, source, n * sizeof(lag_real));
    assert_memory_equal(b->params + lag_layout_tensor(layout, LAG_ROLE_LN1_W, 2)->offset,
                        parent->params + lag_layout_tensor(&parent->layout, LAG_ROLE_LN1_W, 0)->offset,
                        64 * sizeof(lag_real));
    lag_state_destroy(b);
    lag_state_destroy(a);
    lag_state_destroy(parent);
}

/* A zeroed copy learns through its projections first; the rest of it sees no gradient in the first step. */
static void test_zeroed_layer_wakes(void **unused) {
    struct lag_state *parent = make_parent(2), *grown = grow(parent, "zero_top lr=continue", 3);
    struct lag_work *work = test_work(&grown->layout.spec, BATCH, CONTEXT, 1);
    int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    test_batch(BATCH * CONTEXT, 13, 9, tokens, targets);
    lag_model_backward(grown, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
    for (int t = grown->layout.first[LAG_ROLE_LN1_W] + 2 * grown->layout.per_layer, i = 0; i < grown->layout.per_layer;
         i++, t++) {
        const struct lag_tensor *tensor = &grown->layout.tensors[t];
        const size_t n = (size_t)tensor->n_rows * (size_t)tensor->n_cols;
        const bool still = is_zero(lag_work_grads(work) + tensor->offset, n);
        assert_int_equal(still, !tensor->row->writes_residual);
    }
    /* Fresh moments at age 0: the first update is the learning rate, not several times it. */
    const struct lag_optim optim = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-12};
    lag_adamw(grown, lag_work_grads(work), &optim, 0.01, 1, NULL);
    const struct lag_tensor *proj = lag_layout_tensor(&grown->layout, LAG_ROLE_FCPROJ_W, 2);
    double largest = 0;
    for (int i = 0; i < proj->n_rows * proj->n_cols; i++) {
        largest = fmax(largest, fabs((double)grown->params[proj->offset + (size_t)i]));
    }
    assert_true(fabs(largest - 0.01) < 1e-5);
    assert_int_equal(grown->segments[first_segment(grown, (int)(proj - grown->layout.tensors))].age, 1);
    lag_work_destroy(work);
    lag_state_destroy(grown);
    lag_state_destroy(parent);
}

static void test_refusals(void **unused) {
    struct lag_state *parent = make_parent(3), *grown = NULL;
    struct lag_error err = {0};
    struct lag_strategy strategy = parse("midas block=4");
    const struct lag_spec six = test_depth(parent, 6), two = test_depth(parent, 2);
    assert_int_equal(lag_grow(parent, &strategy, &six, &grown, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/params/block");
    strategy = parse("stack");
    assert_int_equal(lag_grow(parent, &strategy, &two, &grown, &err), LAG_EINVAL);
    assert_string_equal(err.pointer, "/target/n_layer");
    assert_null(grown);
    lag_state_destroy(parent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function_is_kept),        cmocka_unit_test(test_preserving_flag),
        cmocka_unit_test(test_parameter_count),         cmocka_unit_test(test_every_operator_and_rule),
        cmocka_unit_test(test_none_is_a_clone),         cmocka_unit_test(test_lr_rules), cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_random_and_noise),        cmocka_unit_test(test_zeroed_layer_wakes),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

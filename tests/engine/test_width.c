/* Growing a state in width: the function that is kept, gradients and moments of copies, segments, symmetry. Built for
 * float and for double; shapes are drawn. */
#include "logits.h"
#include <lagd/base/check.h>
#include <lagd/engine/grow.h>

enum { DRAWS = 40 };
static const double tolerance = sizeof(lag_real) == sizeof(double) ? 1e-10 : 1e-4;

static int draw(int seed, int index, int from, int to) {
    return from + (int)lag_rng_below((uint64_t)seed, LAG_RNG_BATCH, 77, (uint64_t)index, (uint64_t)(to - from + 1));
}

static struct lag_strategy parse(const char *text) {
    struct lag_strategy strategy;
    struct lag_error err = {0};
    if (lag_strategy_parse(text, &strategy, &err)) fail_msg("%s: %s", text, err.text);
    return strategy;
}

static struct lag_state *grow(const struct lag_state *parent, const char *text, const struct lag_spec *to) {
    const struct lag_strategy strategy = parse(text);
    struct lag_state *grown = NULL;
    struct lag_error err = {0};
    if (lag_grow(parent, &strategy, to, &grown, &err)) fail_msg("%s: %s", text, err.text);
    return grown;
}

/* A parent of a drawn shape, and a target: any numbers, or whole multiples. */
static void draw_shapes(int seed, bool multiples, struct lag_spec *ret_from, struct lag_spec *ret_to) {
    struct lag_spec from = test_spec(draw(seed, 0, 1, 3), draw(seed, 1, 1, 3), draw(seed, 2, 1, 9), CONTEXT, VOCAB);
    from.head_dim = draw(seed, 3, 1, 4);
    from.n_inner = draw(seed, 4, 1, 7);
    from.norm_eps = 1e-3; /* large, so that an epsilon that is not scaled shows */
    struct lag_spec to = from;
    const int k = draw(seed, 5, 2, 3);
    to.n_embd = multiples ? k * from.n_embd : from.n_embd + draw(seed, 6, 0, 14);
    to.n_head = multiples ? k * from.n_head : from.n_head + draw(seed, 7, 0, 4);
    to.n_inner = multiples ? k * from.n_inner : from.n_inner + draw(seed, 8, 0, 9);
    if (!multiples) to.head_dim = from.head_dim + draw(seed, 9, 0, 5);
    *ret_from = from;
    *ret_to = to;
}

static const struct { const char *text; bool multiples; } exact[] = {
    {"clone_width", false}, {"clone_width noise=0", false}, {"clone_width noise=1 seed=5", false},
    {"lemon", false}, {"lemon split=0.8 noise=0.3", false}, {"fpi seed=3", false}, {"fpi noise=0 seed=8", false},
    {"clone_diagonal", true}, {"clone_diagonal noise=0", true}, {"zero_fanout seed=2 lr=continue", false},
    {"clone_width", true}, {"lemon", true}, {"fpi", true},
};

static void the_function_is_kept(void **unused) {
    double worst = 0;
    for (size_t o = 0; o < LAG_COUNT(exact); o++) {
        for (int seed = 0; seed < DRAWS; seed++) {
            struct lag_spec from, to;
            draw_shapes(seed, exact[o].multiples, &from, &to);
            struct lag_state *parent = test_state(&from, 5), *grown = grow(parent, exact[o].text, &to);
            const double change = logit_change(parent, grown);
            if (!(change <= tolerance))
                fail_msg("%s, shape %d: C %d to %d, H %d to %d of %d to %d, I %d to %d: %g", exact[o].text, seed,
                         from.n_embd, to.n_embd, from.n_head, to.n_head, from.head_dim, to.head_dim, from.n_inner,
                         to.n_inner, change);
            worst = fmax(worst, change);
            lag_state_destroy(parent);
            lag_state_destroy(grown);
        }
    }
    assert_true(worst > 0);
}

/* The flag of the table is the truth, and the check above can fail. */
static void the_flag_is_true(void **unused) {
    struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB), to = test_spec(2, 4, 12, CONTEXT, VOCAB);
    struct lag_state *parent = test_state(&from, 5);
    int n_ops;
    const struct lag_operator *ops = lag_operators(&n_ops);
    for (int i = 0; i < n_ops; i++) {
        char text[LAG_STRATEGY_TEXT];
        if (ops[i].grows != LAG_GROWS_WIDTH || ops[i].takes_parents) continue; /* those: test_fuse.c */
        if (!strstr(ops[i].axes, "n_embd")) continue; /* test_gates.c */
        snprintf(text, sizeof(text), "%s lr=continue", ops[i].name);
        struct lag_state *grown = grow(parent, text, &to);
        const double change = logit_change(parent, grown);
        if (ops[i].function_preserving != (change <= tolerance)) fail_msg("%s: %g", ops[i].name, change);
        if (!ops[i].function_preserving) assert_true(change > 1e-3);
        lag_state_destroy(grown);
    }
    struct lag_state *mixed = grow(parent, "clone_width mix=0.2", &to);
    assert_true(logit_change(parent, mixed) > 1e-3);
    lag_state_destroy(mixed);
    lag_state_destroy(parent);
}

/* What is asked of a shape is what comes out, with as many parameters as the table counts. */
static void shapes_are_reached(void **unused) {
    for (int seed = 0; seed < DRAWS; seed++) {
        struct lag_spec from, to;
        draw_shapes(seed, false, &from, &to);
        struct lag_state *parent = test_state(&from, 5), *grown = grow(parent, "clone_width", &to);
        uint64_t n = 0;
        assert_true(lag_spec_same_shape(&grown->layout.spec, &to));
        const int k = to.n_embd / from.n_embd;
        const double eps = 1e-3 * k * from.n_embd / to.n_embd;
        assert_true(fabs(grown->layout.spec.norm_eps - eps) <= 1e-18);
        for (int t = 0; t < grown->layout.n_tensors; t++)
            n += (uint64_t)grown->layout.tensors[t].n_rows * (uint64_t)grown->layout.tensors[t].n_cols;
        assert_true(n == lag_spec_params(&to));
        lag_state_destroy(parent);
        lag_state_destroy(grown);
    }
}

/* --- gradients and moments: training commutes with growing ------------------------------------------------------- */

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

/* What writes to the residual stream: with a filled rest, or uneven shares, its gradients are no multiples. */
static bool writes_stream(const struct lag_param_row *row) {
    return row->role == LAG_ROLE_WTE || row->role == LAG_ROLE_WPE || row->writes_residual;
}

/* Where the grown state took moments over, they are those that it would have gathered itself. */
static void compare_moments(const char *text, const struct lag_state *taken, const struct lag_state *gathered,
                            bool stream_too) {
    for (int t = 0; t < taken->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &taken->layout.tensors[t];
        const size_t n = (size_t)tensor->n_rows * (size_t)tensor->n_cols;
        double error = 0, size = 0;
        if (!stream_too && writes_stream(tensor->row)) continue;
        for (size_t i = tensor->offset; i < tensor->offset + n; i++) {
            if (taken->m[i] == 0 && taken->v[i] == 0) continue; /* filled, or without history */
            error = fmax(error, fabs((double)taken->m[i] - (double)gathered->m[i]));
            error = fmax(error, fabs(sqrt((double)taken->v[i]) - sqrt((double)gathered->v[i])));
            size = fmax(size, fabs((double)gathered->m[i]));
        }
        if (error > (is_double ? 1e-12 : 1e-5) + (is_double ? 1e-10 : 2e-4) * size) {
            char name[96];
            lag_tensor_name(tensor, name);
            fail_msg("%s: %s differs by %g of %g", text, name, error, size);
        }
    }
}

static const struct { const char *text; bool multiples, stream_too; } commuting[] = {
    {"clone_width noise=0", true, true}, {"clone_width noise=0", false, false}, {"lemon", true, false},
    {"lemon", false, false}, {"fpi noise=0", true, true}, {"clone_diagonal noise=0", true, true},
    {"zero_fanout lr=continue optimizer=inherit", false, false},
};

static void moments_are_those_of_the_copies(void **unused) {
    for (size_t c = 0; c < LAG_COUNT(commuting); c++) {
        for (int seed = 0; seed < DRAWS; seed++) {
            struct lag_spec from, to;
            draw_shapes(seed, commuting[c].multiples, &from, &to);
            struct lag_state *parent = test_state(&from, 5), *gathered = grow(parent, commuting[c].text, &to);
            gather(gathered);
            gather(parent);
            struct lag_state *taken = grow(parent, commuting[c].text, &to);
            compare_moments(commuting[c].text, taken, gathered, commuting[c].stream_too);
            lag_state_destroy(parent);
            lag_state_destroy(gathered);
            lag_state_destroy(taken);
        }
    }
}

/* --- symmetry ---------------------------------------------------------------------------------------------------- */

/* The largest relative difference between the first two copies of FFN units' writers after some updates. */
static double apart(const char *text, int n_updates) {
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB), to = test_spec(2, 4, 12, CONTEXT, VOCAB);
    struct lag_state *parent = test_state(&from, 5), *grown = grow(parent, text, &to);
    const struct lag_optim optim = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    struct lag_work *work = test_work(&to, BATCH, CONTEXT, 1);
    for (int step = 0; step < n_updates; step++) {
        int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
        test_batch(BATCH * CONTEXT, VOCAB, (uint64_t)step, tokens, targets);
        lag_model_backward(grown, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
        lag_adamw(grown, lag_work_grads(work), &optim, 0.01, 1, NULL);
    }
    const lag_real *wte = grown->params + lag_layout_tensor(&grown->layout, LAG_ROLE_WTE, 0)->offset;
    double difference = 0; /* columns j and 6 + j of the embeddings are copies of the residual stream */
    for (int v = 0; v < VOCAB; v++)
        for (int j = 0; j < 6; j++)
            difference = fmax(difference, fabs((double)wte[v * 12 + j] - (double)wte[v * 12 + 6 + j]));
    lag_work_destroy(work);
    lag_state_destroy(parent);
    lag_state_destroy(grown);
    return difference;
}

static void copies_part(void **unused) {
    static const char *const parting[] = {"clone_width optimizer=reset", "lemon optimizer=reset", "fpi optimizer=reset",
                                          "clone_diagonal optimizer=reset", "clone_width"};
    if (is_double) assert_true(apart("clone_width noise=0 optimizer=reset", 5) < 1e-9); /* and so for ever */
    assert_true(apart("clone_width", 0) == 0);
    for (size_t i = 0; i < LAG_COUNT(parting); i++) {
        /* The first update from zero moments is the sign of the gradient, in which near copies agree. */
        const double difference = apart(parting[i], 2);
        if (difference < 1e-3) fail_msg("%s: copies are %g apart", parting[i], difference);
    }
}

/* --- the parent's own way ---------------------------------------------------------------------------------------- */

static void train(struct lag_state *state, int from, int to) {
    const struct lag_optim optim = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-3, .weight_decay = 0.1};
    struct lag_work *work = test_work(&state->layout.spec, BATCH, CONTEXT, 1);
    for (int step = from; step < to; step++) {
        int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
        test_batch(BATCH * CONTEXT, VOCAB, (uint64_t)step, tokens, targets);
        lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL);
        lag_adamw(state, lag_work_grads(work), &optim, optim.lr, 1, NULL);
    }
    lag_work_destroy(work);
}

/* Twenty steps after the growth the function is what the parent would have come to, as muPscaling has it. */
static void a_clone_follows_its_parent(void **unused) {
    static const char *const following[] = {"clone_width noise=0 follow=1", "fpi noise=0 follow=1 seed=3",
                                            "clone_diagonal noise=0 follow=1"};
    const double bound = is_double ? 1e-8 : 2e-3;
    for (size_t o = 0; o < LAG_COUNT(following); o++) {
        for (int seed = 0; seed < DRAWS / 4; seed++) {
            struct lag_spec from, to;
            draw_shapes(seed, true, &from, &to);
            if (from.n_embd < 3) continue; /* norms make nothing of narrow streams */
            struct lag_state *parent = test_state(&from, 5);
            train(parent, 0, 5);
            struct lag_state *grown = grow(parent, following[o], &to);
            struct lag_state *stray = grow(parent, "clone_width noise=0", &to);
            train(parent, 5, 25);
            train(grown, 5, 25);
            train(stray, 5, 25);
            const double change = logit_change(parent, grown);
            if (!(change <= bound)) fail_msg("%s, shape %d: %g", following[o], seed, change);
            assert_true(logit_change(parent, stray) > 100 * fmax(change, bound / 100));
            lag_state_destroy(stray);
            lag_state_destroy(grown);
            lag_state_destroy(parent);
        }
    }
}

/* --- rules and segments ------------------------------------------------------------------------------------------ */

static struct lag_state *aged_parent(const struct lag_spec *spec) {
    struct lag_state *state = test_state(spec, 5);
    gather(state);
    state->step = 100;
    for (int i = 0; i < state->n_segments; i++) state->segments[i].age = 100 + state->segments[i].tensor;
    return state;
}

/* Every element has exactly one segment, with the age that the rule gives it. */
static void check_ages(const struct lag_state *parent, const struct lag_state *grown, const char *rule) {
    const bool resets = strcmp(rule, "reset") == 0, resets_new = strcmp(rule, "reset_new") == 0;
    size_t n = 0;
    for (int i = 0; i < grown->n_segments; i++) {
        const struct lag_segment *s = &grown->segments[i];
        const struct lag_tensor *t = &grown->layout.tensors[s->tensor], *from = &parent->layout.tensors[s->tensor];
        for (int row = s->row_begin; row < s->row_end; row++) {
            for (int col = s->col_begin; col < s->col_end; col++, n++) {
                const size_t at = t->offset + (size_t)row * (size_t)t->n_cols + (size_t)col;
                const bool qkv = t->row->cols.n_parts == 3;
                const int width = qkv ? t->n_cols / 3 : t->n_cols, old = qkv ? from->n_cols / 3 : from->n_cols;
                const bool is_old = row < from->n_rows && col % width < old;
                if (resets || (resets_new && !is_old)) {
                    assert_true(s->age == 0 && grown->m[at] == 0 && grown->v[at] == 0);
                } else if (is_old) {
                    assert_int_equal(s->age, 100 + s->tensor);
                }
            }
        }
    }
    size_t elements = 0;
    for (int t = 0; t < grown->layout.n_tensors; t++)
        elements += (size_t)grown->layout.tensors[t].n_rows * (size_t)grown->layout.tensors[t].n_cols;
    assert_true(n == elements);
}

static void rules_divide_tensors(void **unused) {
    static const char *const ops[] = {"clone_width", "zero_fanout lr=continue", "zero_block lr=continue", "fpi"};
    static const char *const moments[] = {"inherit", "reset", "reset_new"};
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB);
    struct lag_spec to = test_spec(2, 5, 15, CONTEXT, VOCAB); /* 15 = 2 × 6 + 3 */
    to.n_inner = 31;
    struct lag_state *parent = aged_parent(&from);
    for (size_t o = 0; o < LAG_COUNT(ops); o++) {
        for (size_t r = 0; r < LAG_COUNT(moments); r++) {
            char text[LAG_STRATEGY_TEXT];
            snprintf(text, sizeof(text), "%s optimizer=%s", ops[o], moments[r]);
            struct lag_state *grown = grow(parent, text, &to);
            check_ages(parent, grown, moments[r]);
            assert_int_equal(grown->step, 100);
            lag_state_destroy(grown);
        }
    }
    /* An even clone by whole copies leaves each tensor whole; what is filled is apart. */
    const struct lag_spec twice = test_spec(2, 4, 12, CONTEXT, VOCAB);
    struct lag_state *grown = grow(parent, "clone_width", &twice);
    assert_int_equal(grown->n_segments, grown->layout.n_tensors);
    lag_state_destroy(grown);
    grown = grow(parent, "clone_width lr=rewarm_new rewarm_steps=9 freeze_old=7", &twice);
    assert_true(grown->n_segments > grown->layout.n_tensors);
    for (int i = 0; i < grown->n_segments; i++) {
        const struct lag_segment *s = &grown->segments[i];
        const bool is_new = s->frozen_until == 0;
        assert_true(s->rewarm_steps == (is_new ? 9 : 0) && s->frozen_until == (is_new ? 0 : 107));
        assert_true(is_new || s->row_begin == 0);
    }
    lag_state_destroy(grown);
    lag_state_destroy(parent);
}

/* A second growth divides what the first one divided, and training goes on. */
static void growths_follow_each_other(void **unused) {
    const struct lag_spec from = test_spec(1, 2, 6, CONTEXT, VOCAB), mid = test_spec(1, 3, 9, CONTEXT, VOCAB);
    struct lag_spec to = test_spec(3, 5, 20, CONTEXT, VOCAB);
    to.head_dim = 4;
    struct lag_state *parent = aged_parent(&from);
    struct lag_state *once = grow(parent, "clone_width optimizer=reset_new seed=4", &mid);
    struct lag_spec wide = to;
    wide.n_layer = 1;
    wide.norm_eps = to.norm_eps = once->layout.spec.norm_eps;
    assert_true(once->layout.spec.norm_eps < 1e-5);
    gather(once);
    struct lag_state *twice = grow(once, "zero_fanout lr=rewarm_new rewarm_steps=3", &wide);
    assert_true(logit_change(parent, twice) <= tolerance);
    gather(twice);
    struct lag_state *both = grow(once, "zero_stack with=clone_width noise=0.25 optimizer=inherit lr=continue", &to);
    assert_true(logit_change(parent, both) <= tolerance);
    gather(both);
    struct lag_state *copied = grow(once, "stack with=lemon", &to);
    assert_true(logit_change(parent, copied) > 1e-3);
    lag_state_destroy(copied);
    lag_state_destroy(both);
    lag_state_destroy(twice);
    lag_state_destroy(once);
    lag_state_destroy(parent);
}

/* Nothing wider: the state itself. The same seed: the same state. */
static void growing_is_a_function(void **unused) {
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB), to = test_spec(2, 4, 12, CONTEXT, VOCAB);
    struct lag_state *parent = aged_parent(&from);
    int n_ops;
    const struct lag_operator *ops = lag_operators(&n_ops);
    for (int i = 0; i < n_ops; i++) {
        char text[LAG_STRATEGY_TEXT];
        if (ops[i].grows != LAG_GROWS_WIDTH || ops[i].takes_parents || !strstr(ops[i].axes, "n_embd")) continue;
        if (ops[i].learns) continue; /* without a history, also of the same shape: test_maps.c */
        snprintf(text, sizeof(text), "%s lr=continue seed=7", ops[i].name);
        struct lag_state *same = grow(parent, text, &from), *a = grow(parent, text, &to), *b = grow(parent, text, &to);
        assert_true(lag_state_equal(same, parent) && lag_state_equal(a, b));
        lag_state_destroy(b);
        snprintf(text, sizeof(text), "%s lr=continue seed=8", ops[i].name);
        b = grow(parent, text, &to);
        const struct lag_strategy strategy = parse(text);
        bool is_same = false;
        struct lag_strategy other = strategy;
        other.seed = 7;
        assert_int_equal(lag_strategy_same(&strategy, &other, &from, &to, &is_same, NULL), 0);
        assert_int_equal(lag_state_equal(a, b), is_same);
        lag_state_destroy(same);
        lag_state_destroy(a);
        lag_state_destroy(b);
    }
    lag_state_destroy(parent);
}

static void refusals(void **unused) {
    static const struct { const char *text; struct lag_spec to; const char *pointer, *says; } cases[] = {
        {"clone_width", {0, 2, 2, 5, 24, CONTEXT, VOCAB, 1e-5, 3}, "/target/n_embd", "would shrink from 6 to 5"},
        {"clone_width", {0, 2, 2, 6, 24, CONTEXT, VOCAB, 1e-5, 2}, "/target/head_dim", "would shrink from 3 to 2"},
        {"clone_width", {0, 3, 2, 6, 24, CONTEXT, VOCAB, 1e-5, 3}, "/target/n_layer", "grows width only"},
        {"clone_width", {0, 2, 2, 12, 24, CONTEXT, 12, 1e-5, 3}, "/target/vocab_size", "grows width only"},
        {"stack with=clone_width", {0, 3, 4, 12, 24, 9, VOCAB, 1e-5, 3}, "/target/n_positions", "depth and width"},
        {"stack", {0, 3, 4, 12, 48, CONTEXT, VOCAB, 1e-5, 3}, "/target/n_embd", "grows depth only"},
        {"clone_diagonal", {0, 2, 4, 15, 48, CONTEXT, VOCAB, 1e-5, 3}, "/target/n_embd", "6 can become 12 or 18"},
        {"clone_diagonal", {0, 2, 4, 12, 72, CONTEXT, VOCAB, 1e-5, 3}, "/target/n_inner", "n_inner must become 48"},
        {"clone_diagonal", {0, 2, 2, 12, 48, CONTEXT, VOCAB, 1e-5, 6}, "/target/n_head", "n_head must become 4"},
    };
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB);
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        const struct lag_strategy strategy = parse(cases[i].text);
        struct lag_recipe recipe = {0};
        struct lag_error err = {0};
        assert_int_equal(lag_recipe_build(&strategy, &from, &cases[i].to, &recipe, &err), LAG_EINVAL);
        if (strcmp(err.pointer, cases[i].pointer) != 0 || !strstr(err.text, cases[i].says))
            fail_msg("case %zu: %s: %s", i, err.pointer, err.text);
    }
}

/* Whether a checkpoint could keep the parts of a growth of n_inner, from outlines alone. */
static int count_parts(const char *text, int n_layer, int n_inner, struct lag_error *ret_said) {
    struct lag_spec from = test_spec(n_layer, 2, 4, CONTEXT, VOCAB), to;
    const struct lag_strategy strategy = parse(text);
    struct lag_recipe recipe = {0};
    struct lag_state *outline = NULL;
    from.n_inner = n_inner;
    to = from;
    to.n_inner = n_inner + n_inner / 2;
    assert_int_equal(lag_recipe_build(&strategy, &from, &to, &recipe, NULL), 0);
    assert_int_equal(lag_state_outline(&from, &outline, NULL), 0);
    assert_true(!outline->params && outline->n_segments == outline->layout.n_tensors);
    const int rc = lag_grow_check_segments(outline, NULL, &strategy, &recipe, ret_said);
    lag_state_destroy(outline);
    lag_recipe_deinit(&recipe);
    return rc;
}

static void what_no_checkpoint_keeps_is_told(void **unused) {
    struct lag_error said;
    assert_int_equal(count_parts("fpi follow=1", 1, 9000, &said), LAG_EINVAL);
    assert_non_null(strstr(said.text, "would be divided into more than 4096 parts"));
    assert_int_equal(count_parts("fpi follow=1", 20, 3000, &said), LAG_EINVAL);
    assert_non_null(strstr(said.text, "at most 65536: choose follow 0"));
    assert_int_equal(count_parts("fpi follow=0", 1, 9000, &said), 0);
    assert_int_equal(count_parts("clone_width follow=1", 20, 3000, &said), 0);
    assert_int_equal(count_parts("fpi follow=1", 1, 300, &said), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_function_is_kept),      cmocka_unit_test(the_flag_is_true),
        cmocka_unit_test(shapes_are_reached),        cmocka_unit_test(moments_are_those_of_the_copies),
        cmocka_unit_test(copies_part),               cmocka_unit_test(a_clone_follows_its_parent),
        cmocka_unit_test(rules_divide_tensors),
        cmocka_unit_test(growths_follow_each_other), cmocka_unit_test(growing_is_a_function),
        cmocka_unit_test(what_no_checkpoint_keeps_is_told), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

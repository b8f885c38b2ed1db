/* Every row of the operators' table, over drawn shapes: what it promises of the function, in double, float and bf16;
 * counts, segments and moments of what it makes. A row without a case here fails. Built for float and for double. */
#include "gradcheck.h"
#include <lagd/base/check.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/precision.h>

enum { BATCH = 2, CONTEXT = 6, VOCAB = 11, DRAWS = 12 };
static const bool is_double = sizeof(lag_real) == sizeof(double);
/* Of the largest logit: rounding of a number, through some layers. */
static const double slack[] = {[LAG_FP32] = sizeof(lag_real) == sizeof(double) ? 1e-10 : 1e-4, [LAG_BF16] = 0x1p-5};

enum promise { KEEPS, IS_NEAR, CHANGES };
static const struct operator_case {
    const char *name;
    const char *text;      /* a strategy that takes it, under which it must promise … */
    enum promise promise;  /* … this */
    bool multiples;        /* it grows by whole multiples alone */
} cases[] = {
    {"stack", "stack", CHANGES, false}, {"interleave", "interleave", CHANGES, false},
    {"gradual_stack", "gradual_stack", CHANGES, false}, {"midas", "midas", CHANGES, false},
    {"lidas", "lidas block=1", CHANGES, false}, {"range", "range", CHANGES, false},
    {"partial_stack", "partial_stack", CHANGES, false}, {"llama_pro", "llama_pro lr=continue", KEEPS, false},
    {"zero_stack", "zero_stack lr=continue", KEEPS, false}, {"zero_top", "zero_top lr=continue", KEEPS, false},
    {"zero_random", "zero_random lr=continue", KEEPS, false}, {"random", "random", CHANGES, false},
    {"gate_zero", "gate_zero lr=continue", KEEPS, false}, {"masked_copy", "masked_copy", KEEPS, false},
    {"ligo", "ligo", CHANGES, false}, {"ligo_width", "ligo_width", CHANGES, false},
    {"masked_random", "masked_random", KEEPS, false}, {"masked_width", "masked_width", KEEPS, false},
    {"interpolate", "interpolate", CHANGES, false}, {"clone_width", "clone_width", KEEPS, false},
    {"lemon", "lemon noise=0.2", KEEPS, false}, {"fpi", "fpi", KEEPS, false}, {"aki", "aki", CHANGES, false},
    {"clone_diagonal", "clone_diagonal", KEEPS, true}, {"zero_fanout", "zero_fanout lr=continue", KEEPS, false},
    {"zero_block", "zero_block lr=continue", CHANGES, false},
    {"random_width", "random_width lr=continue", CHANGES, false}, {"fuse", "fuse parents=itself", KEEPS, true},
    {"vocab_mean", "vocab_mean", IS_NEAR, false}, {"vocab_random", "vocab_random", IS_NEAR, false},
    {"context_tile", "context_tile", KEEPS, false}, {"context_last", "context_last", KEEPS, false},
    {"context_stretch", "context_stretch", KEEPS, false}, {"none", "none", KEEPS, false},
};

static const struct operator_case *case_of(const char *name) {
    for (size_t i = 0; i < LAG_COUNT(cases); i++)
        if (strcmp(cases[i].name, name) == 0) return &cases[i];
    fail_msg("operator %s has no property test: give it a row in cases of test_operators.c", name);
    return NULL;
}

static int draw(int seed, int index, int from, int to) {
    return from + (int)lag_rng_below((uint64_t)seed, LAG_RNG_BATCH, 78, (uint64_t)index, (uint64_t)(to - from + 1));
}

/* Where the operator leads from there, by what its row says that it grows. */
static struct lag_spec draw_target(const struct lag_operator *op, const struct operator_case *c, int seed,
                                   const struct lag_spec *from) {
    struct lag_spec to = *from;
    const int k = op->takes_parents || c->multiples ? 2 : draw(seed, 9, 1, 3);
    switch (op->grows) {
    case LAG_GROWS_DEPTH:
        to.n_layer += draw(seed, 4, 1, from->n_layer);
        break;
    case LAG_GROWS_WIDTH:
        if (strstr(op->axes, "n_embd"))
            to.n_embd = k * from->n_embd + (c->multiples ? 0 : draw(seed, 5, 1, from->n_embd - 1));
        to.n_head = k * from->n_head + (c->multiples ? 0 : draw(seed, 6, 0, 1));
        to.n_inner = k * from->n_inner + (c->multiples ? 0 : draw(seed, 7, 0, 9));
        to.head_dim = lag_spec_head_dim(from);
        break;
    case LAG_GROWS_VOCAB:
        to.vocab_size += draw(seed, 4, 1, 9);
        break;
    case LAG_GROWS_CONTEXT:
        to.n_positions += draw(seed, 4, 1, 20);
        break;
    default:
        break;
    }
    return to;
}

static struct lag_spec draw_parent(int seed) {
    struct lag_spec from = test_spec(draw(seed, 0, 1, 4), draw(seed, 1, 1, 3), 1, CONTEXT, VOCAB);
    from.n_embd = from.n_head * draw(seed, 2, 2, 4);
    from.n_inner = draw(seed, 3, 3, 17);
    from.norm_eps = 1e-3; /* an epsilon that is forgotten shows */
    return from;
}

static struct lag_state *grow(const struct lag_state *parent, const char *text, const struct lag_spec *to) {
    struct lag_strategy strategy;
    struct lag_state *grown = NULL;
    struct lag_error err = {0};
    const struct lag_state *const others[LAG_FUSE_MAX] = {parent};
    if (lag_strategy_parse(text, &strategy, &err) ||
        lag_grow_with(parent, strategy.n_parents ? others : NULL, &strategy, to, &grown, &err))
        fail_msg("%s: %s at %s", text, err.text, err.pointer);
    return grown;
}

/* Of the parent's tokens on texts that it can read; relative to its largest logit. */
static double logit_change(const struct lag_state *parent, const struct lag_state *grown,
                           enum lag_precision precision) {
    const struct lag_state *states[] = {parent, grown};
    lag_real *of[2];
    double change = 0, largest = 0;
    for (int s = 0; s < 2; s++) {
        const struct lag_spec *spec = &states[s]->layout.spec;
        int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
        struct lag_work *work = test_work_in(precision, spec, BATCH, CONTEXT, 1);
        of[s] = calloc((size_t)(BATCH * CONTEXT) * (size_t)spec->vocab_size, sizeof(lag_real));
        assert_non_null(of[s]);
        test_batch(BATCH * CONTEXT, VOCAB, 9, tokens, targets);
        lag_model_logits(states[s], work, tokens, BATCH, CONTEXT, of[s], NULL);
        lag_work_destroy(work);
    }
    const int wide = grown->layout.spec.vocab_size;
    for (int t = 0; t < BATCH * CONTEXT; t++)
        for (int v = 0; v < VOCAB; v++) {
            change = fmax(change, fabs((double)of[0][t * VOCAB + v] - (double)of[1][t * wide + v]));
            largest = fmax(largest, fabs((double)of[0][t * VOCAB + v]));
        }
    free(of[0]);
    free(of[1]);
    return change / fmax(largest, 1);
}

/* Each tensor is covered once, by segments in order; none has more history than the parent's updates. */
static void check_segments(const char *name, const struct lag_state *grown, int64_t oldest) {
    uint64_t n_params = 0;
    int at = 0;
    for (int t = 0; t < grown->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &grown->layout.tensors[t];
        uint64_t area = 0;
        for (; at < grown->n_segments && grown->segments[at].tensor == t; at++) {
            const struct lag_segment *s = &grown->segments[at];
            area += (uint64_t)(s->row_end - s->row_begin) * (uint64_t)(s->col_end - s->col_begin);
            if (s->age < 0 || s->age > oldest) fail_msg("%s: age %lld", name, (long long)s->age);
        }
        if (area != (uint64_t)tensor->n_rows * (uint64_t)tensor->n_cols) fail_msg("%s: tensor %d", name, t);
        n_params += area;
    }
    assert_int_equal(at, grown->n_segments);
    assert_true(n_params == lag_spec_params(&grown->layout.spec));
}

static void train(struct lag_state *state, enum lag_precision precision, int n_updates, double lr) {
    const struct lag_optim optim = {.lr = lr, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    struct lag_work *work = test_work_in(precision, &state->layout.spec, BATCH, CONTEXT, 1);
    for (int step = 0; step < n_updates; step++) {
        int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
        test_batch(BATCH * CONTEXT, VOCAB, (uint64_t)step, tokens, targets);
        assert_true(isfinite(lag_model_backward(state, work, tokens, targets, BATCH, CONTEXT, 1, true, NULL)));
        lag_adamw(state, lag_work_grads(work), &optim, lr, 1, NULL);
        state->step++;
    }
    lag_work_destroy(work);
}

/* --- the promises ------------------------------------------------------------------------------------------------ */

static void keep_promise(const struct operator_case *c, const struct lag_operator *op, int seed,
                         enum lag_precision precision, double *largest) {
    const struct lag_spec from = draw_parent(seed), to = draw_target(op, c, seed, &from);
    struct lag_state *parent = test_state(&from, 5);
    train(parent, LAG_FP32, 2, 1e-3);
    struct lag_state *grown = grow(parent, c->text, &to), *again = grow(parent, c->text, &to);
    const double change = logit_change(parent, grown, precision);
    assert_true(lag_state_equal(grown, again));
    assert_true(lag_spec_same_shape(&grown->layout.spec, &to));
    assert_int_equal(grown->step, parent->step);
    check_segments(c->name, grown, 2);
    if (c->promise != CHANGES && !(change <= slack[precision]))
        fail_msg("%s, shape %d, %s: the logits of old change by %g of the largest", c->text, seed,
                 lag_precision_name(precision), change);
    *largest = fmax(*largest, change);
    train(grown, precision, 2, 1e-3); /* what it makes can be trained */
    lag_state_destroy(parent);
    lag_state_destroy(grown);
    lag_state_destroy(again);
}

static void keep_promises(enum lag_precision precision) {
    int n;
    const struct lag_operator *ops = lag_operators(&n);
    for (int i = 0; i < n; i++) {
        const struct operator_case *c = case_of(ops[i].name);
        const bool promises = ops[i].function_preserving || ops[i].takes_parents; /* fuse: of a model with itself */
        double largest = 0;
        assert_true(promises == (c->promise == KEEPS));
        for (int seed = 0; seed < DRAWS; seed++) keep_promise(c, &ops[i], seed, precision, &largest);
        if (c->promise == CHANGES && precision == LAG_FP32 && !(largest > 5e-4)) /* a fresh layer is small */
            fail_msg("%s keeps the function to %g, and its row does not say it", c->name, largest);
    }
    assert_int_equal(n, LAG_COUNT(cases));
}

static void every_operator_keeps_its_promise(void **unused) { keep_promises(LAG_FP32); }

static void in_bf16_within_its_rounding(void **unused) {
    if (lag_precision_check(LAG_BF16, NULL)) skip();
    keep_promises(LAG_BF16);
}

/* A token more takes a part of the probability, and the mean of the others a known one at most. */
static void new_tokens_take_what_was_said(void **unused) {
    struct lag_spec from = test_spec(2, 2, 8, CONTEXT, VOCAB), to = from;
    to.vocab_size = VOCAB + 7;
    struct lag_state *parent = test_state(&from, 5), *grown = grow(parent, "vocab_mean", &to);
    int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    struct lag_work *before = test_work(&from, BATCH, CONTEXT, 1), *after = test_work(&to, BATCH, CONTEXT, 1);
    test_batch(BATCH * CONTEXT, VOCAB, 9, tokens, targets);
    const double more = lag_model_loss(grown, after, tokens, targets, BATCH, CONTEXT, NULL) -
                        lag_model_loss(parent, before, tokens, targets, BATCH, CONTEXT, NULL);
    assert_true(more > 0 && more <= log(1 + 7.0 / VOCAB) + (is_double ? 1e-12 : 1e-5));
    lag_work_destroy(before);
    lag_work_destroy(after);
    lag_state_destroy(parent);
    lag_state_destroy(grown);
}

/* Under reset nothing has a history, under reset_new what is old keeps its own, whatever the operator. */
static void rules_hold_for_every_operator(void **unused) {
    int n;
    const struct lag_operator *ops = lag_operators(&n);
    for (int i = 0; i < n; i++) {
        const struct operator_case *c = case_of(ops[i].name);
        const struct lag_spec from = draw_parent(i), to = draw_target(&ops[i], c, i, &from);
        struct lag_state *parent = test_state(&from, 5);
        char text[LAG_STRATEGY_TEXT];
        train(parent, LAG_FP32, 3, 1e-3);
        snprintf(text, sizeof(text), "%s optimizer=reset", c->text);
        struct lag_state *reset = grow(parent, text, &to);
        for (int s = 0; s < reset->n_segments; s++) assert_int_equal(reset->segments[s].age, 0);
        for (size_t k = 0; k < reset->layout.n_elements; k++) assert_true(reset->m[k] == 0 && reset->v[k] == 0);
        if (ops[i].learns) { /* nothing is old, and the other rules are refused */
            lag_state_destroy(parent);
            lag_state_destroy(reset);
            continue;
        }
        snprintf(text, sizeof(text), "%s optimizer=reset_new", c->text);
        struct lag_state *kept = grow(parent, text, &to);
        int n_old = 0;
        for (int s = 0; s < kept->n_segments; s++) n_old += kept->segments[s].age == 3;
        if (n_old == 0) fail_msg("%s: nothing is old", text);
        lag_state_destroy(parent);
        lag_state_destroy(reset);
        lag_state_destroy(kept);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_keeps_its_promise),
        cmocka_unit_test(in_bf16_within_its_rounding),
        cmocka_unit_test(new_tokens_take_what_was_said),
        cmocka_unit_test(rules_hold_for_every_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Growing vocabulary and context: old rows and the function of texts as long as before, the divergence of a larger
 * softmax, histories of new rows, and both beside other directions. Built for float and for double. */
#include "gradcheck.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/engine/grow.h>

enum { BATCH = 2, CONTEXT = 7, VOCAB = 11, MAX_VOCAB = 40, N_LOGITS = BATCH * CONTEXT * MAX_VOCAB, DRAWS = 30 };
static const bool is_double = sizeof(lag_real) == sizeof(double);

static int draw(int seed, int index, int from, int to) {
    return from + (int)lag_rng_below((uint64_t)seed, LAG_RNG_BATCH, 79, (uint64_t)index, (uint64_t)(to - from + 1));
}

static struct lag_state *grow(const struct lag_state *parent, const char *text, const struct lag_spec *to) {
    struct lag_strategy strategy;
    struct lag_state *grown = NULL;
    struct lag_error err = {0};
    if (lag_strategy_parse(text, &strategy, &err) || lag_grow(parent, &strategy, to, &grown, &err))
        fail_msg("%s: %s", text, err.text);
    return grown;
}

static struct lag_spec draw_shape(int seed) {
    struct lag_spec spec = test_spec(draw(seed, 0, 1, 3), draw(seed, 1, 1, 3), draw(seed, 2, 1, 9), CONTEXT, VOCAB);
    spec.head_dim = draw(seed, 3, 1, 4);
    spec.n_inner = draw(seed, 4, 1, 7);
    spec.norm_eps = 1e-3;
    return spec;
}

static void logits(const struct lag_state *state, lag_real ret[N_LOGITS]) {
    int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    struct lag_work *work = test_work(&state->layout.spec, BATCH, CONTEXT, 1);
    test_batch(BATCH * CONTEXT, VOCAB, 9, tokens, targets);
    lag_model_logits(state, work, tokens, BATCH, CONTEXT, ret, NULL);
    lag_work_destroy(work);
}

static lag_real at(const struct lag_state *state, enum lag_role role, int row, int col) {
    const struct lag_tensor *t = lag_layout_tensor(&state->layout, role, 0);
    return state->params[t->offset + (size_t)row * (size_t)t->n_cols + (size_t)col];
}

static const char *const contexts[] = {"context_tile", "context_last", "context_stretch"};

static void texts_as_long_as_before_keep_their_logits(void **unused) {
    for (int seed = 0; seed < DRAWS; seed++) {
        const struct lag_spec from = draw_shape(seed);
        struct lag_spec to = from;
        to.n_positions = CONTEXT + draw(seed, 5, 1, 20);
        struct lag_state *parent = test_state(&from, 5);
        lag_real before[N_LOGITS], after[N_LOGITS];
        logits(parent, before);
        for (size_t i = 0; i < LAG_COUNT(contexts); i++) {
            struct lag_state *grown = grow(parent, contexts[i], &to);
            logits(grown, after);
            assert_memory_equal(before, after, sizeof(lag_real) * BATCH * CONTEXT * VOCAB);
            for (int row = CONTEXT; row < to.n_positions; row++) {
                const double place = (double)row * (CONTEXT - 1) / (to.n_positions - 1);
                const int below = LAG_MIN((int)place, CONTEXT - 1), above = LAG_MIN(below + 1, CONTEXT - 1);
                for (int col = 0; col < from.n_embd; col++) {
                    const double a = (double)at(parent, LAG_ROLE_WPE, below, col);
                    const double b = (double)at(parent, LAG_ROLE_WPE, above, col);
                    const double wanted[] = {(double)at(parent, LAG_ROLE_WPE, row % CONTEXT, col),
                                             (double)at(parent, LAG_ROLE_WPE, CONTEXT - 1, col),
                                             a + (place - below) * (b - a)};
                    const double got = (double)at(grown, LAG_ROLE_WPE, row, col);
                    assert_true(fabs(got - wanted[i]) < (is_double ? 1e-13 : 1e-5));
                }
            }
            lag_state_destroy(grown);
        }
        lag_state_destroy(parent);
    }
}

/* Of the parent's distribution of the next token from that with n tokens more, the largest over a batch. */
static double divergence(const lag_real *before, const lag_real *after, int vocab) {
    double largest = 0;
    for (int i = 0; i < BATCH * CONTEXT; i++) {
        double z = 0, z_after = 0, sum = 0;
        for (int v = 0; v < VOCAB; v++) z += exp((double)before[i * VOCAB + v]);
        for (int v = 0; v < vocab; v++) z_after += exp((double)after[i * vocab + v]);
        for (int v = 0; v < VOCAB; v++) {
            const double p = exp((double)before[i * VOCAB + v]) / z;
            sum += p * (log(p) - ((double)after[i * vocab + v] - log(z_after)));
        }
        largest = fmax(largest, sum);
    }
    return largest;
}

static void a_mean_token_has_the_mean_logit(void **unused) {
    double worst = 0;
    for (int seed = 0; seed < DRAWS; seed++) {
        const struct lag_spec from = draw_shape(seed);
        struct lag_spec to = from;
        to.vocab_size = VOCAB + draw(seed, 6, 1, MAX_VOCAB - VOCAB);
        struct lag_state *parent = test_state(&from, 5), *grown = grow(parent, "vocab_mean", &to);
        lag_real before[N_LOGITS], after[N_LOGITS];
        logits(parent, before);
        logits(grown, after);
        for (int i = 0; i < BATCH * CONTEXT; i++) {
            double mean = 0;
            for (int v = 0; v < VOCAB; v++) {
                const double change = (double)(after[i * to.vocab_size + v] - before[i * VOCAB + v]);
                assert_true(fabs(change) < (is_double ? 1e-12 : 1e-4));
                mean += (double)before[i * VOCAB + v] / VOCAB;
            }
            for (int v = VOCAB; v < to.vocab_size; v++)
                assert_true(fabs((double)after[i * to.vocab_size + v] - mean) < (is_double ? 1e-12 : 1e-4));
        }
        const double bound = log(1 + (double)(to.vocab_size - VOCAB) / VOCAB);
        const double kl = divergence(before, after, to.vocab_size);
        assert_true(kl > 0 && kl <= bound + 1e-6);
        worst = fmax(worst, kl / bound);
        lag_state_destroy(grown);
        grown = grow(parent, "vocab_mean noise=1 seed=3", &to);
        assert_true(at(grown, LAG_ROLE_WTE, VOCAB, 0) != at(grown, LAG_ROLE_WTE, to.vocab_size - 1, 0) ||
                    to.vocab_size == VOCAB + 1);
        lag_state_destroy(grown);
        lag_state_destroy(parent);
    }
    assert_true(worst > 0.1);
}

/* --- histories --------------------------------------------------------------------------------------------------- */

static void new_rows_have_no_history(void **unused) {
    static const char *const texts[] = {"vocab_mean", "vocab_random seed=4", "vocab_mean noise=0.5", "context_tile",
                                        "context_last", "context_stretch"};
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB);
    struct lag_state *parent = test_state(&from, 5);
    for (size_t i = 0; i < parent->layout.n_elements; i++) parent->m[i] = parent->v[i] = (lag_real)(1 + i % 7);
    for (int i = 0; i < parent->n_segments; i++) parent->segments[i].age = 90;
    parent->step = 100;
    for (size_t o = 0; o < LAG_COUNT(texts); o++) {
        const bool vocab = texts[o][0] == 'v';
        struct lag_spec to = from;
        *(vocab ? &to.vocab_size : &to.n_positions) += 5;
        char text[LAG_STRATEGY_TEXT];
        snprintf(text, sizeof(text), "%s lr=rewarm_new rewarm_steps=9 freeze_old=4", texts[o]);
        struct lag_state *grown = grow(parent, text, &to);
        const int grew = grown->layout.first[vocab ? LAG_ROLE_WTE : LAG_ROLE_WPE], n_old = vocab ? VOCAB : CONTEXT;
        assert_int_equal(grown->n_segments, grown->layout.n_tensors + 1);
        for (int i = 0; i < grown->n_segments; i++) {
            const struct lag_segment *s = &grown->segments[i];
            const struct lag_tensor *t = &grown->layout.tensors[s->tensor], *old = &parent->layout.tensors[s->tensor];
            const bool is_new = s->tensor == grew && s->row_begin >= n_old;
            assert_true(s->age == (is_new ? 0 : 90) && s->rewarm_steps == (is_new ? 9 : 0));
            assert_true(s->frozen_until == (is_new ? 0 : 104));
            for (int k = s->row_begin * t->n_cols; k < s->row_end * t->n_cols; k++) {
                const lag_real m = grown->m[t->offset + (size_t)k], v = grown->v[t->offset + (size_t)k];
                if (is_new) assert_true(m == 0 && v == 0);
                else assert_true(m == parent->m[old->offset + (size_t)k] && v == parent->v[old->offset + (size_t)k] &&
                                 grown->params[t->offset + (size_t)k] == parent->params[old->offset + (size_t)k]);
            }
        }
        lag_state_destroy(grown);
    }
    lag_state_destroy(parent);
}

/* --- beside other directions ------------------------------------------------------------------------------------- */

static void both_at_once_are_one_after_the_other(void **unused) {
    static const struct { const char *both, *first, *second; } pairs[] = {
        {"midas block=1 with=vocab_mean", "midas block=1", "vocab_mean"},
        {"random with=context_stretch seed=3", "random seed=3", "context_stretch"},
        {"clone_width noise=0 with=vocab_mean", "clone_width noise=0", "vocab_mean"},
        {"lemon noise=0.5 with=context_tile seed=8", "lemon noise=0.5 seed=8", "context_tile"},
        {"vocab_mean with=context_last", "vocab_mean", "context_last"},
        {"interpolate with=vocab_mean", "interpolate", "vocab_mean"},
    };
    for (size_t i = 0; i < LAG_COUNT(pairs); i++) {
        const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB);
        struct lag_spec mid = from;
        const char *first = pairs[i].first;
        if (strchr("mri", first[0])) mid.n_layer = 4;
        else if (first[0] == 'v') mid.vocab_size = 15;
        else mid.n_embd = 15, mid.n_head = 5, mid.n_inner = 40; /* 15 = 2 × 6 + 3 */
        struct lag_spec to = mid;
        if (strstr(pairs[i].second, "vocab")) to.vocab_size = 14;
        else to.n_positions = 12;
        struct lag_state *parent = test_state(&from, 5), *both = grow(parent, pairs[i].both, &to);
        struct lag_state *once = grow(parent, first, &mid);
        to.norm_eps = once->layout.spec.norm_eps;
        struct lag_state *twice = grow(once, pairs[i].second, &to);
        for (size_t k = 0; k < both->layout.n_elements; k++)
            if (fabs((double)(both->params[k] - twice->params[k])) > (is_double ? 1e-15 : 1e-6))
                fail_msg("%s: element %zu: %g, not %g", pairs[i].both, k, (double)both->params[k],
                         (double)twice->params[k]);
        assert_true(lag_spec_equal(&both->layout.spec, &twice->layout.spec));
        lag_state_destroy(twice);
        lag_state_destroy(once);
        lag_state_destroy(both);
        lag_state_destroy(parent);
    }
}

static void pools_and_refusals(void **unused) {
    const struct lag_pool_rules rules = {LAG_MOMENTS_INHERIT, LAG_LR_CONTINUE, LAG_REWARM_DEFAULT, 0};
    const struct lag_spec from = test_spec(2, 2, 6, CONTEXT, VOCAB);
    static const struct { int n_layer, n_embd, vocab, context, n; const char *first, *pool, *says; } cases[] = {
        {2, 6, 15, CONTEXT, 3, "vocab_mean", "default", NULL},
        {2, 6, VOCAB, 9, 3, "context_tile", "all", NULL},
        {2, 6, VOCAB, 9, 3, "context_tile", "preserving", NULL},
        {4, 6, 15, CONTEXT, 8, "stack with=vocab_mean", "default", NULL},
        {2, 12, VOCAB, 9, 8, "clone_width noise=0.5 with=context_tile", "default", NULL},
        {2, 6, 15, 9, 3, "vocab_mean with=context_tile", "default", NULL},
        {4, 12, 15, CONTEXT, 0, "/target", "default", "one growth after the other"},
        {2, 6, 15, CONTEXT, 0, "/target/vocab_size", "depth", "grows depth only"},
        {2, 6, 10, CONTEXT, 0, "/target/vocab_size", "default", "would shrink from 11 to 10"},
        {2, 6, VOCAB, 6, 0, "/target/n_positions", "default", "would shrink from 7 to 6"},
    };
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lag_spec to = test_spec(cases[i].n_layer, cases[i].n_embd / 3, cases[i].n_embd, cases[i].context,
                                       cases[i].vocab);
        LAG_CLEANUP(lag_free_p) struct lag_pool_member *members = lag_calloc(LAG_POOL_MAX, sizeof(*members));
        struct lag_error err = {0};
        int n = 0;
        const int rc = lag_pool_expand(cases[i].pool, &rules, &from, &to, members, &n, &err);
        if (cases[i].says) {
            if (rc != LAG_EINVAL || strcmp(err.pointer, cases[i].first) != 0 || !strstr(err.text, cases[i].says))
                fail_msg("case %zu: %d, %s: %s", i, rc, err.pointer, err.text);
            continue;
        }
        if (rc || n != cases[i].n || strcmp(members[0].name, cases[i].first) != 0)
            fail_msg("case %zu: %d %s, %d members, %s", i, rc, err.text, n, members[0].name);
    }
    static const char *const no_pairs[] = {"vocab_mean with=stack", "context_tile with=vocab_mean",
                                           "fuse with=vocab_mean", "vocab_mean with=vocab_random"};
    for (size_t i = 0; i < LAG_COUNT(no_pairs); i++) {
        struct lag_strategy strategy;
        struct lag_error err = {0};
        assert_int_equal(lag_strategy_parse(no_pairs[i], &strategy, &err), LAG_EINVAL);
        assert_string_equal(err.pointer, "/with");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_as_long_as_before_keep_their_logits),
        cmocka_unit_test(a_mean_token_has_the_mean_logit),
        cmocka_unit_test(new_rows_have_no_history),
        cmocka_unit_test(both_at_once_are_one_after_the_other),
        cmocka_unit_test(pools_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

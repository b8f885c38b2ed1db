/* Growths in width against the papers' formulas in plain PyTorch (tests/golden/make_wide.py): every weight that an
 * operator does not leave free, and the logits. Built for float and for double. */
#include "golden_reader.h"
#include "gradcheck.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/engine/grow.h>

enum { MAX_BYTES = 1 << 18, MAX_LOGITS = 256 };
static const double tolerance = sizeof(lag_real) == sizeof(double) ? 1e-12 : 1e-5;

static void check_params(struct reader *r, const struct lag_state *grown, const char *text) {
    int n_free = 0, n = 0;
    for (int t = 0; t < grown->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &grown->layout.tensors[t];
        for (int i = 0; i < tensor->n_rows * tensor->n_cols; i++, n++) {
            const double wanted = take_real(r), got = (double)grown->params[tensor->offset + (size_t)i];
            n_free += isnan(wanted);
            if (isnan(wanted) || fabs(got - wanted) <= tolerance * fmax(1, fabs(wanted))) continue;
            char name[96];
            lag_tensor_name(tensor, name);
            fail_msg("%s: %s[%d][%d] is %.17g, not %.17g", text, name, i / tensor->n_cols, i % tensor->n_cols, got,
                     wanted);
        }
    }
    assert_true(n_free < n / 2);
}

static void check_logits(struct reader *r, const struct lag_state *state, const int32_t *tokens, int batch,
                         const char *text) {
    const int context = state->layout.spec.n_positions, n = batch * context * state->layout.spec.vocab_size;
    lag_real got[MAX_LOGITS];
    assert_true(n <= MAX_LOGITS);
    struct lag_work *work = test_work(&state->layout.spec, batch, context, 1);
    lag_model_logits(state, work, tokens, batch, context, got, NULL);
    lag_work_destroy(work);
    for (int i = 0; i < n; i++) {
        const double wanted = take_real(r);
        if (fabs((double)got[i] - wanted) <= 10 * tolerance) continue;
        fail_msg("%s: logit %d: %g, not %g", text, i, (double)got[i], wanted);
    }
}

static void check_case(struct reader *r, const struct lag_state *parent, const int32_t *tokens, int batch) {
    char text[64];
    struct lag_spec to = parent->layout.spec;
    struct lag_strategy strategy;
    struct lag_state *grown = NULL;
    struct lag_error err = {0};
    take(r, text, sizeof(text));
    to.n_head = take_int(r);
    to.head_dim = take_int(r);
    to.n_embd = take_int(r);
    to.n_inner = take_int(r);
    if (lag_strategy_parse(text, &strategy, &err) || lag_grow(parent, &strategy, &to, &grown, &err))
        fail_msg("%s: %s", text, err.text);
    assert_true(fabs(grown->layout.spec.norm_eps - take_real(r)) < 1e-15);
    check_params(r, grown, text);
    check_logits(r, grown, tokens, batch, text);
    lag_state_destroy(grown);
}

static void growths_are_those_of_the_formulas(void **unused) {
    LAG_CLEANUP(lag_free_p) char *file = malloc(MAX_BYTES);
    FILE *f = fopen(GOLDEN_DIR "/gpt2_tiny_wide.bin", "rb");
    assert_true(file && f);
    const size_t size = fread(file, 1, MAX_BYTES, f);
    assert_int_equal(fclose(f), 0);
    assert_true(size > 0 && size < MAX_BYTES);
    struct reader r = {file, file + size};
    struct lag_spec spec = {.norm_eps = 1e-3};
    int32_t tokens[64];
    spec.n_layer = take_int(&r);
    spec.n_head = take_int(&r);
    spec.head_dim = take_int(&r);
    spec.n_embd = take_int(&r);
    spec.n_inner = take_int(&r);
    spec.n_positions = take_int(&r);
    spec.vocab_size = take_int(&r);
    const int batch = take_int(&r), n_cases = take_int(&r);
    assert_true(batch * spec.n_positions <= 64 && n_cases == 6);
    take(&r, tokens, sizeof(*tokens) * (size_t)(batch * spec.n_positions));
    struct lag_state *parent = NULL;
    assert_int_equal(lag_state_create(&spec, &parent, NULL), 0);
    for (int t = 0; t < parent->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &parent->layout.tensors[t];
        for (int i = 0; i < tensor->n_rows * tensor->n_cols; i++)
            parent->params[tensor->offset + (size_t)i] = (lag_real)take_real(&r);
    }
    check_logits(&r, parent, tokens, batch, "parent");
    for (int i = 0; i < n_cases; i++) check_case(&r, parent, tokens, batch);
    assert_ptr_equal(r.at, r.end);
    lag_state_destroy(parent);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(growths_are_those_of_the_formulas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

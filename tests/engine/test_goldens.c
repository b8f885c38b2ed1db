/* Logits, loss, every gradient and twenty AdamW steps against PyTorch (tests/golden/make_goldens.py).
 * Float: the largest error of each tensor is at most twice that of PyTorch's float32, in bfloat16 that of its autocast.
 * Double: 1e-10. */
#include "gradcheck.h"

#include "kernels/vec_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/engine/backend.h>

#ifdef LAG_REAL_DOUBLE
#define LIMIT(peer_error) 1e-10
#else
/* The yardstick is one sample of rounding noise, so a few units of float's precision are always allowed. */
#define LIMIT(peer_error) (2 * (peer_error) + slack)
#endif
#define SLACK_FP32 6e-7
#define SLACK_BF16 4e-3 /* about 2^-8: one unit of bfloat16 at 1 */

/* What the tests under way compute in, and what of a yardstick's noise they allow. */
static enum lag_precision precision;
static double slack = SLACK_FP32;

struct golden {
    struct lag_spec spec;
    int batch, n_steps, n_tokens;
    const int32_t *tokens, *targets;
    double *values;
    const double *params, *logits, *loss, *grads, *losses, *final;
    const double *logits_error, *loss_error, *grads_error, *losses_error, *final_error;
};

/* PyTorch's errors in bfloat16 take the place of those in float32. */
static void read_bf16_errors(double *errors, size_t n) {
    LAG_CLEANUP(lag_fclose_p) FILE *f = fopen(GOLDEN_DIR "/gpt2_tiny_bf16.bin", "rb");
    assert_non_null(f);
    assert_int_equal(fread(errors, sizeof(*errors), n, f), n);
    assert_int_equal(fgetc(f), EOF);
}

static void read_golden(struct golden *g, char *file, size_t size) {
    LAG_CLEANUP(lag_fclose_p) FILE *f = fopen(GOLDEN_DIR "/gpt2_tiny.bin", "rb");
    assert_non_null(f);
    const size_t n = fread(file, 1, size, f);
    assert_true(n > 0 && n < size);
    int32_t header[8];
    memcpy(header, file, sizeof(header));
    g->spec = test_spec(header[0], header[1], header[2], header[4], header[5]);
    assert_int_equal(g->spec.n_inner, header[3]);
    g->batch = header[6];
    g->n_steps = header[7];
    g->n_tokens = header[6] * header[4];
    g->tokens = (const int32_t *)(const void *)(file + sizeof(header));
    g->targets = g->tokens + g->n_tokens;
    const char *doubles = (const char *)(g->targets + g->n_tokens);
    const size_t bytes = n - (size_t)(doubles - file);
    g->values = malloc(bytes); /* a copy: the file's doubles may be misaligned */
    assert_non_null(g->values);
    memcpy(g->values, doubles, bytes);
    const size_t n_params = (size_t)lag_spec_params(&g->spec), n_tensors = 4 + 12 * (size_t)g->spec.n_layer;
    g->params = g->values;
    g->logits = g->params + n_params;
    g->loss = g->logits + g->n_tokens * g->spec.vocab_size;
    g->grads = g->loss + 1;
    g->losses = g->grads + n_params;
    g->final = g->losses + g->n_steps;
    g->logits_error = g->final + n_params;
    g->loss_error = g->logits_error + 1;
    g->grads_error = g->loss_error + 1;
    g->losses_error = g->grads_error + n_tensors;
    g->final_error = g->losses_error + 1;
    assert_true((size_t)(g->final_error + n_tensors - g->values) * sizeof(double) == bytes);
    if (precision == LAG_BF16) read_bf16_errors((double *)(uintptr_t)g->logits_error, 3 + 2 * n_tensors);
}

static double worst(const lag_real *got, const double *wanted, size_t n) {
    double error = 0;
    for (size_t i = 0; i < n; i++) error = fmax(error, fabs((double)got[i] - wanted[i]));
    return error;
}

static void check_tensors(const struct lag_layout *layout, const lag_real *block, const double *wanted,
                          const double *errors, const char *what) {
    for (int i = 0; i < layout->n_tensors; i++) {
        const struct lag_tensor *t = &layout->tensors[i];
        const size_t n = (size_t)t->n_rows * (size_t)t->n_cols;
        const double error = worst(block + t->offset, wanted, n);
        char name[96];
        lag_tensor_name(t, name);
        if (!(error <= LIMIT(errors[i]))) fail_msg("%s of %s: error %g, peer's %g", what, name, error, errors[i]);
        wanted += n;
    }
}

static struct lag_state *start(const struct golden *g) {
    struct lag_state *state = NULL;
    assert_int_equal(lag_state_create(&g->spec, &state, NULL), 0);
    const double *from = g->params;
    for (int i = 0; i < state->layout.n_tensors; i++) {
        const struct lag_tensor *t = &state->layout.tensors[i];
        for (int k = 0; k < t->n_rows * t->n_cols; k++) state->params[t->offset + (size_t)k] = (lag_real)*from++;
    }
    return state;
}

static char file[300000];

static void outputs_and_gradients(void **unused) {
    struct golden g;
    read_golden(&g, file, sizeof(file));
    struct lag_state *state = start(&g);
    struct lag_work *work = test_work_in(precision, &g.spec, g.batch, g.spec.n_positions, 1);
    const size_t n_logits = (size_t)g.n_tokens * (size_t)g.spec.vocab_size;
    lag_real *logits = calloc(n_logits, sizeof(*logits));
    lag_model_logits(state, work, g.tokens, g.batch, g.spec.n_positions, logits, NULL);
    const double error = worst(logits, g.logits, n_logits);
    if (!(error <= LIMIT(*g.logits_error))) fail_msg("logits: error %g, peer's %g", error, *g.logits_error);
    const double loss = lag_model_backward(state, work, g.tokens, g.targets, g.batch, g.spec.n_positions, 1, true,
                                           NULL);
    assert_true(fabs(loss - *g.loss) <= LIMIT(*g.loss_error));
    check_tensors(&state->layout, lag_work_grads(work), g.grads, g.grads_error, "gradient");
    free(logits);
    lag_work_destroy(work);
    lag_state_destroy(state);
    free(g.values);
}

static void twenty_steps(void **unused) {
    static const struct lag_optim OPTIM = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    struct golden g;
    read_golden(&g, file, sizeof(file));
    struct lag_state *state = start(&g);
    struct lag_work *work = test_work_in(precision, &g.spec, g.batch, g.spec.n_positions, 1);
    for (int i = 0; i < g.n_steps; i++) {
        const double loss = lag_model_backward(state, work, g.tokens, g.targets, g.batch, g.spec.n_positions, 1, true,
                                               NULL);
        if (!(fabs(loss - g.losses[i]) <= LIMIT(*g.losses_error)))
            fail_msg("loss of step %d is %.9g, wanted %.9g (peer's error %g)", i, loss, g.losses[i], *g.losses_error);
        const double norm = lag_grad_norm(lag_work_grads(work), state->layout.n_elements, NULL);
        lag_adamw(state, lag_work_grads(work), &OPTIM, OPTIM.lr, fmin(1, 1 / (norm + 1e-6)), NULL);
        state->step++;
    }
    check_tensors(&state->layout, state->params, g.final, g.final_error, "final weights");
    lag_work_destroy(work);
    lag_state_destroy(state);
    free(g.values);
}

/* All but the last layer is frozen in the steps 5 to 11: as parameters without gradients are for PyTorch, neither the
 * update nor weight decay nor the norm knows them, and they go on later where they were. */
static void frozen_steps(void **unused) {
    static const struct lag_optim OPTIM = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    if (precision != LAG_FP32) skip(); /* the yardstick is float's */
    struct golden g;
    read_golden(&g, file, sizeof(file));
    const size_t n_params = (size_t)lag_spec_params(&g.spec), n_tensors = 4 + 12 * (size_t)g.spec.n_layer;
    const size_t n_values = 2 * (size_t)g.n_steps + n_params + 2 + n_tensors;
    LAG_CLEANUP(lag_free_p) double *values = calloc(n_values, sizeof(*values));
    LAG_CLEANUP(lag_fclose_p) FILE *f = fopen(GOLDEN_DIR "/gpt2_tiny_frozen.bin", "rb");
    assert_true(f && values && fread(values, sizeof(*values), n_values, f) == n_values && fgetc(f) == EOF);
    const double *norms = values + g.n_steps, *final = norms + g.n_steps, *errors = final + n_params;
    struct lag_state *state = start(&g);
    struct lag_work *work = test_work_in(precision, &g.spec, g.batch, g.spec.n_positions, 1);
    for (; state->step < g.n_steps; state->step++) {
        for (int i = 0; state->step == 5 && i < state->n_segments; i++)
            if (state->layout.tensors[state->segments[i].tensor].layer != 1) state->segments[i].frozen_until = 12;
        const double loss = lag_model_backward(state, work, g.tokens, g.targets, g.batch, g.spec.n_positions, 1, true,
                                               NULL);
        const double norm = work->backend->grad_norm(state, work, NULL);
        if (!(fabs(loss - values[state->step]) <= LIMIT(errors[0])) ||
            !(fabs(norm - norms[state->step]) <= LIMIT(errors[1]) * (1 + norm)))
            fail_msg("step %d: loss %.9g, norm %.9g, wanted %.9g, %.9g", (int)state->step, loss, norm,
                     values[state->step], norms[state->step]);
        work->backend->update(state, work, &OPTIM, OPTIM.lr, fmin(1, 1 / (norm + 1e-6)), NULL);
    }
    check_tensors(&state->layout, state->params, final, errors + 2, "final weights");
    for (int i = 0; i < state->n_segments; i++) {
        const bool is_last = state->layout.tensors[state->segments[i].tensor].layer == 1;
        assert_int_equal(state->segments[i].age, is_last ? g.n_steps : g.n_steps - 7);
    }
    lag_work_destroy(work);
    lag_state_destroy(state);
    free(g.values);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(outputs_and_gradients), cmocka_unit_test(twenty_steps),
                                       cmocka_unit_test(frozen_steps)};
    int n_levels, failed = 0;
    const struct lag_vec *const *levels = lag_vec_levels(&n_levels);
    for (int i = 0; i < n_levels; i++) {
        lag_vec_use(levels[i]);
        precision = LAG_FP32;
        slack = SLACK_FP32;
        failed += cmocka_run_group_tests_name(levels[i]->name, tests, NULL, NULL);
        if (sizeof(lag_real) != sizeof(float) || lag_precision_check(LAG_BF16, NULL)) continue;
        precision = LAG_BF16;
        slack = SLACK_BF16;
        failed += cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
    }
    return failed;
}

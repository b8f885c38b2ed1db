/* Gates and masks against plain PyTorch (tests/golden/make_held.py): logits, loss and all gradients, the gates' too.
 * Built for float and for double. */
#include "golden_reader.h"
#include "gradcheck.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>

enum { MAX_BYTES = 1 << 18, MAX_TOKENS = 64, MAX_LOGITS = 256, EIGHTHS = 8 };
static const double tolerance = sizeof(lag_real) == sizeof(double) ? 1e-12 : 1e-5;

/* masks: of each row of a layer's two projections, and of their biases. A segment a row, or a whole bias. */
static void set_masks(struct lag_state *state, const int *masks, int per_layer) {
    struct lag_segment segments[512];
    const int A = lag_spec_attention(&state->layout.spec), I = state->layout.spec.n_inner;
    int n = 0;
    for (int i = 0; i < state->n_segments; i++) {
        const struct lag_segment whole = state->segments[i];
        const struct lag_tensor *t = &state->layout.tensors[whole.tensor];
        const int *layer = masks + LAG_MAX(t->layer, 0) * per_layer;
        const int *mask = t->row->role == LAG_ROLE_PROJ_W      ? layer
                          : t->row->role == LAG_ROLE_FCPROJ_W  ? layer + A
                          : t->row->role == LAG_ROLE_PROJ_B    ? layer + A + I
                          : t->row->role == LAG_ROLE_FCPROJ_B  ? layer + A + I + 1
                                                               : NULL;
        for (int row = 0; row < (mask ? t->n_rows : 1); row++) {
            assert_true(n < 512);
            segments[n] = whole;
            if (mask) {
                segments[n].row_begin = row;
                segments[n].row_end = row + 1;
                segments[n].mask_from = state->step - mask[row];
                segments[n].mask_steps = EIGHTHS;
            }
            n++;
        }
    }
    free(state->segments);
    state->segments = lag_calloc((size_t)n, sizeof(*segments));
    assert_non_null(state->segments);
    memcpy(state->segments, segments, (size_t)n * sizeof(*segments));
    state->n_segments = n;
}

static struct lag_state *read_state(struct reader *r, const struct lag_spec *spec) {
    struct lag_state *state = NULL;
    const int per_layer = lag_spec_attention(spec) + spec->n_inner + 2;
    int masks[64];
    assert_true(per_layer * spec->n_layer <= 64);
    for (int i = 0; i < per_layer * spec->n_layer; i++) masks[i] = take_int(r);
    assert_int_equal(lag_state_create(spec, &state, NULL), 0);
    state->step = 20;
    set_masks(state, masks, per_layer);
    for (int t = 0; t < state->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &state->layout.tensors[t];
        for (int i = 0; i < tensor->n_rows * tensor->n_cols; i++)
            state->params[tensor->offset + (size_t)i] = (lag_real)take_real(r);
    }
    return state;
}

static void check_gradients(struct reader *r, const struct lag_state *state, const struct lag_work *work,
                            double times) {
    for (int t = 0; t < state->layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &state->layout.tensors[t];
        for (int i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
            const double wanted = times * take_real(r), got = (double)lag_work_grads(work)[tensor->offset + (size_t)i];
            if (fabs(got - wanted) <= 10 * tolerance * fmax(1, fabs(wanted))) continue;
            char name[96];
            lag_tensor_name(tensor, name);
            fail_msg("%s[%d]: gradient %.17g, not %.17g", name, i, got, wanted);
        }
    }
}

static void held_branches_are_torch_s(void **unused) {
    LAG_CLEANUP(lag_free_p) char *file = malloc(MAX_BYTES);
    FILE *f = fopen(GOLDEN_DIR "/gpt2_tiny_held.bin", "rb");
    assert_true(file && f);
    const size_t size = fread(file, 1, MAX_BYTES, f);
    assert_int_equal(fclose(f), 0);
    struct reader r = {file, file + size};
    struct lag_spec spec = {.norm_eps = 1e-3, .gated = true};
    int32_t tokens[MAX_TOKENS], targets[MAX_TOKENS];
    lag_real logits[MAX_LOGITS];
    for (int *const *at = (int *const[]){&spec.n_layer, &spec.n_head, &spec.head_dim, &spec.n_embd, &spec.n_inner,
                                         &spec.n_positions, &spec.vocab_size, NULL}; *at; at++)
        **at = take_int(&r);
    const int batch = take_int(&r), n = batch * spec.n_positions;
    assert_true(n <= MAX_TOKENS && n * spec.vocab_size <= MAX_LOGITS);
    take(&r, tokens, sizeof(*tokens) * (size_t)n);
    take(&r, targets, sizeof(*targets) * (size_t)n);
    struct lag_state *state = read_state(&r, &spec);
    const char *logits_at = r.at;
    for (int recompute = 0; recompute < 2; recompute++) { /* and gradients of two batches, added */
        const struct lag_work_shape shape = {batch, spec.n_positions, 1, LAG_FP32, recompute};
        struct lag_work *work = test_work_of(&spec, shape);
        r.at = (char *)logits_at;
        lag_model_logits(state, work, tokens, batch, spec.n_positions, logits, NULL);
        for (int i = 0; i < n * spec.vocab_size; i++)
            assert_true(fabs((double)logits[i] - take_real(&r)) <= 10 * tolerance);
        const double loss = take_real(&r);
        for (int pass = 0; pass <= recompute; pass++)
            assert_true(fabs(lag_model_backward(state, work, tokens, targets, batch, spec.n_positions, 1, pass == 0,
                                                NULL) - loss) <= tolerance);
        check_gradients(&r, state, work, 1 + recompute);
        assert_ptr_equal(r.at, r.end);
        lag_work_destroy(work);
    }
    lag_state_destroy(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(held_branches_are_torch_s)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Gates and masks in checkpoints: kept to the bit, told by a format of their own, folded into what goes out. */
#include "checkpoint_fixture.h"
#include "gradcheck.h"
#include "format/safetensors_internal.h"
#include <lagd/base/check.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/hf.h>
#include <fcntl.h>
#include <math.h>

enum { CONTEXT = 7, VOCAB = 11 };

/* Gates anywhere, a masked layer and masked units in the midst of their ramp. */
static struct lag_state *make_held(bool gated) {
    const struct lag_spec spec = test_spec(2, 2, 6, CONTEXT, VOCAB);
    struct lag_state *parent = test_state(&spec, 5), *first = NULL, *second = NULL;
    struct lag_strategy strategy;
    struct lag_spec to = spec;
    to.n_layer = 3;
    assert_int_equal(lag_strategy_parse(gated ? "gate_zero lr=continue" : "stack", &strategy, NULL), 0);
    assert_int_equal(lag_grow(parent, &strategy, &to, &first, NULL), 0);
    for (int i = 0; gated && i < first->layout.n_tensors; i++)
        if (first->layout.tensors[i].row->is_gate)
            first->params[first->layout.tensors[i].offset] = (lag_real)(0.3 * (i % 5) - 0.4);
    to.n_layer = 4;
    to.n_inner += 3;
    static const char text[] = "masked_copy ramp_steps=10 with=masked_width ramp_steps=7";
    assert_int_equal(lag_strategy_parse(text, &strategy, NULL), 0);
    assert_int_equal(lag_grow(first, &strategy, &to, &second, NULL), 0);
    second->step += 4;
    lag_state_destroy(first);
    lag_state_destroy(parent);
    return second;
}

static void expect_config(const char *dir, const char *model_type, bool gated) {
    char path[600], *text = NULL;
    size_t length;
    snprintf(path, sizeof path, "%s/config.json", dir);
    assert_int_equal(lag_fs_read_file(path, 1 << 16, &text, &length, NULL), 0);
    assert_non_null(strstr(text, model_type));
    assert_int_equal(strstr(text, "\"residual_gates\": true") != NULL, gated);
    free(text);
}

/* What is not in the weights has a model type of its own, so that nothing loads the folder as another model. */
static void held_states_are_kept(void **state) {
    for (int gated = 0; gated < 2; gated++) {
        const char *dir = fixture_path(state, "c");
        struct lag_state *s = make_held(gated), *back = NULL;
        write_fixture(dir, s);
        assert_int_equal(lag_checkpoint_read(dir, &back, NULL, NULL), 0);
        assert_true(lag_state_equal(s, back));
        assert_int_equal(back->layout.spec.gated, gated);
        expect_config(dir, "\"lagd_gpt2\"", gated);
        lag_state_destroy(back);
        s->step += 6; /* the ramps are at their end */
        lag_state_fold_masks(s);
        write_fixture(dir, s);
        expect_config(dir, gated ? "\"lagd_gpt2\"" : "\"gpt2\"", gated);
        lag_state_destroy(s);
    }
}

/* A mask that is not of whole rows, or not of what writes to the stream, is written by no one and read by no one. */
static void masks_elsewhere_are_refused(void **state) {
    const char *dir = fixture_path(state, "c");
    struct lag_checkpoint_files files;
    struct lag_error err;
    struct lag_state *s = make_held(true);
    for (int i = 0; i < s->n_segments; i++) {
        const struct lag_tensor *t = &s->layout.tensors[s->segments[i].tensor];
        if (t->row->writes_residual) continue;
        s->segments[i].mask_steps = 3;
        assert_int_equal(lag_checkpoint_write(dir, s, &fixture_meta, &files, &err), LAG_EINVAL);
        assert_non_null(strstr(err.text, "mask"));
        s->segments[i].mask_steps = 0;
    }
    s->segments[0].mask_steps = -1;
    assert_int_equal(lag_checkpoint_write(dir, s, &fixture_meta, &files, &err), LAG_EINVAL);
    lag_state_destroy(s);
}

/* --- what goes out ----------------------------------------------------------------------------------------------- */

static void read_out(void **state, const char *dir, enum lag_hf_dtype dtype, struct lag_state *to) {
    char path[600];
    struct lag_hf_model *hf = NULL;
    struct lag_error err = {0};
    static char bytes[1 << 16];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    const int weights = open(path, O_RDONLY);
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    const int manifest = open(path, O_RDONLY);
    if (lag_hf_open(weights, manifest, dtype, &hf, &err) || lag_hf_check(hf, &err)) fail_msg("%s", err.text);
    assert_non_null(strstr(lag_hf_config_text(hf), "\"GPT2LMHeadModel\""));
    assert_null(strstr(lag_hf_config_text(hf), "residual_"));
    assert_false(lag_hf_spec(hf)->gated);
    size_t n = 0;
    for (ssize_t got = 1; got > 0; n += (size_t)got) {
        got = lag_hf_read(hf, bytes + n, LAG_MIN((size_t)1000, sizeof bytes - n), &err);
        assert_true(got >= 0 && n < sizeof bytes);
    }
    assert_true(n == lag_hf_bytes(hf));
    lag_hf_close(hf);
    close(manifest);
    const char *out = fixture_path(state, "out.safetensors");
    fixture_put(out, bytes, n);
    struct lag_st_file file = {.fd = -1};
    assert_int_equal(lag_st_open(out, 1 << 16, &file, NULL), 0);
    assert_int_equal(file.header.n_entries, to->layout.n_tensors);
    for (int i = 0; i < to->layout.n_tensors; i++) {
        char name[96];
        lag_tensor_name(&to->layout.tensors[i], name);
        const struct lag_st_entry *entry = lag_st_find(&file.header, name);
        assert_non_null(entry);
        assert_int_equal(lag_st_load(&file, entry, to->params + to->layout.tensors[i].offset, NULL), 0);
    }
    lag_st_close(&file);
}

static void logits_of(const struct lag_state *state, lag_real *ret) {
    int32_t tokens[CONTEXT], targets[CONTEXT];
    struct lag_work *work = test_work(&state->layout.spec, 1, CONTEXT, 1);
    test_batch(CONTEXT, VOCAB, 9, tokens, targets);
    lag_model_logits(state, work, tokens, 1, CONTEXT, ret, NULL);
    lag_work_destroy(work);
}

static void the_export_has_the_same_logits(void **state) {
    static const double bounds[] = {[LAG_HF_F32] = 2e-5, [LAG_HF_BF16] = 0.2, [LAG_HF_F16] = 0.02};
    for (int gated = 0; gated < 2; gated++) {
        const char *dir = fixture_path(state, "c");
        struct lag_state *s = make_held(gated), *out = NULL;
        struct lag_spec spec = s->layout.spec;
        lag_real before[CONTEXT * VOCAB], after[CONTEXT * VOCAB];
        spec.gated = false;
        write_fixture(dir, s);
        logits_of(s, before);
        assert_int_equal(lag_state_create(&spec, &out, NULL), 0);
        for (int dtype = 0; dtype < LAG_HF_N_DTYPES; dtype++) {
            read_out(state, dir, (enum lag_hf_dtype)dtype, out);
            logits_of(out, after);
            for (int i = 0; i < CONTEXT * VOCAB; i++)
                if (fabs((double)after[i] - (double)before[i]) > bounds[dtype])
                    fail_msg("dtype %d, logit %d: %g, not %g", dtype, i, (double)after[i], (double)before[i]);
        }
        lag_state_destroy(out);
        lag_state_destroy(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(held_states_are_kept, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(masks_elsewhere_are_refused, fixture_folder, fixture_remove),
        cmocka_unit_test_setup_teardown(the_export_has_the_same_logits, fixture_folder, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

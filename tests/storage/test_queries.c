/* Every query of runs, datasets, growths, candidates, losses, decisions and checkpoints. */
#include "lists_fixture.h"
#include <lagd/base/check.h>
#include <lagd/storage/models.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID(text) ((char[]){text})
DEFINE_ADD(add_dataset, lag_dataset_row, id)
DEFINE_ADD(add_model, lag_model_row, id)
DEFINE_ADD(add_model_file, lag_model_file_row, name)
DEFINE_ADD(add_ignored, lag_model_ignored_row, name)
DEFINE_ADD(add_run, lag_run_row, id)
DEFINE_ADD(add_growth, lag_growth_row, id)
DEFINE_ADD(add_candidate, lag_candidate_row, id)
DEFINE_ADD(add_checkpoint, lag_checkpoint_row, id)
DEFINE_ADD(add_file, lag_checkpoint_file_row, name)

DEFINE_WRITE(insert_dataset, lag_dataset_insert)
DEFINE_WRITE(insert_model, lag_model_insert)
DEFINE_WRITE(delete_model, lag_model_delete)
DEFINE_WRITE(delete_dataset, lag_dataset_delete)
DEFINE_WRITE(insert_run, lag_run_insert)
DEFINE_WRITE(delete_run, lag_run_delete)
DEFINE_WRITE(insert_growth, lag_growth_insert)
DEFINE_WRITE(put_decision, lag_decision_put)
static int insert_checkpoint(struct lag_db *db, void *arg, struct lag_error *err) {
    static const struct lag_checkpoint_file_row files[2] = {
        {.name = "model.safetensors", .sha256 = "aa", .n_bytes = 100},
        {.name = "config.json", .sha256 = "bb", .n_bytes = 10}};
    return lag_checkpoint_insert(db, arg, files, 2, err);
}

static void test_datasets(void **state) {
    struct fixture *f = *state;
    struct lag_dataset_row row, other = sample_dataset("ds_2", "kjv"), expected = sample_dataset("ds_1", "kjv");
    assert_ok(f, lag_dataset_get(f->reader, "kjv", &row, &f->err));
    assert_string_equal(row.path, expected.path);
    assert_string_equal(row.origin, expected.origin);
    assert_string_equal(row.format, expected.format);
    assert_string_equal(row.sha256, expected.sha256);
    assert_true(row.n_bytes == 4404445 && row.n_tokens == 4404445 && row.max_id == 255 && row.vocab_size == 256);
    assert_int_equal(row.created_ms, 1000);
    assert_ok(f, lag_dataset_get(f->reader, "ds_1", &row, &f->err));
    assert_string_equal(row.name, "kjv");
    assert_int_equal(lag_dataset_get(f->reader, "x", &row, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "dataset x does not exist");
    assert_int_equal(lag_store_write(f->store, insert_dataset, &other, &f->err), LAG_EEXIST);
    assert_string_equal(f->err.text, "a dataset named kjv exists already: choose another name");
    other = sample_dataset("ds_2", "other");
    other.created_ms = 0;
    write_ok(f, insert_dataset, &other);
    struct ids ids = {0};
    assert_ok(f, lag_dataset_list(f->reader, add_dataset, &ids, &f->err));
    assert_string_equal(ids.text, "ds_2 ds_1 ");
    assert_int_equal(lag_store_write(f->store, delete_dataset, ID("ds_1"), &f->err), LAG_ESTATE);
    assert_string_equal(f->err.text, "dataset ds_1 is used by run first: delete that run first");
    write_ok(f, delete_dataset, ID("ds_2"));
    assert_int_equal(lag_store_write(f->store, delete_dataset, ID("ds_2"), &f->err), LAG_ENOTFOUND);
}

static int insert_model_files(struct lag_db *db, void *arg, struct lag_error *err) {
    static const char *const names[] = {"model.safetensors", "config.json"};
    int rc = 0;
    for (int i = 0; !rc && i < 2; i++) {
        struct lag_model_file_row file = {.n_bytes = 100 + i, .sha256 = "aa"};
        struct lag_model_ignored_row ignored = {.file = "m", .dtype = "U8", .shape = "[1,2]"};
        (void)snprintf(file.model_id, sizeof file.model_id, "%s", (const char *)arg);
        (void)snprintf(ignored.model_id, sizeof ignored.model_id, "%s", (const char *)arg);
        (void)snprintf(file.name, sizeof file.name, "%s", names[i]);
        (void)snprintf(ignored.name, sizeof ignored.name, "h.%d.attn.bias", 1 - i);
        rc = lag_model_file_insert(db, &file, err);
        if (!rc) rc = lag_model_ignored_insert(db, &ignored, err);
    }
    return rc;
}

static int find_model(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_model_row row = {.id = "md_1", .n_bytes = 7, .n_bytes_done = 14, .n_params = 5, .norm_eps = 0.5,
                                      .shape = sample_shape(3), .dtype = "bf16", .tokenizer = "BPE",
                                      .tokenizer_size = 300};
    int rc = lag_model_set_found(db, &row, err);
    if (!rc) rc = lag_model_set_state(db, "md_1", "ready", "", err);
    return rc ? rc : lag_model_set_state(db, "md_9", "ready", "", err); /* there is none: all of it is undone */
}

static int find_model_well(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = find_model(db, arg, err);
    return rc == LAG_ENOTFOUND ? 0 : rc;
}

static void test_models(void **state) {
    struct fixture *f = *state;
    struct lag_model_row row = {.id = "md_1", .name = "gpt2", .path = "/data/gpt2", .state = "importing"}, got;
    struct ids ids = {0}, files = {0}, ignored = {0};
    write_ok(f, insert_model, &row);
    assert_int_equal(lag_store_write(f->store, insert_model, &row, &f->err), LAG_EEXIST);
    assert_string_equal(f->err.text, "a model named gpt2 exists already: choose another name");
    write_ok(f, insert_model_files, ID("md_1"));
    assert_int_equal(lag_store_write(f->store, find_model, NULL, &f->err), LAG_ENOTFOUND);
    assert_ok(f, lag_model_get(f->reader, "gpt2", &got, &f->err));
    assert_true(got.n_params == 0 && got.shape.n_layer == 0 && got.created_ms > 0);
    write_ok(f, find_model_well, NULL);
    assert_ok(f, lag_model_get(f->reader, "md_1", &got, &f->err));
    assert_true(got.n_bytes == 7 && got.n_bytes_done == 14 && got.n_params == 5 && got.norm_eps == 0.5 &&
                got.shape.n_layer == 3 && got.shape.vocab_size == 256 && got.tokenizer_size == 300);
    assert_string_equal(got.state, "ready");
    assert_string_equal(got.dtype, "bf16");
    assert_ok(f, lag_model_list(f->reader, add_model, &ids, &f->err));
    assert_string_equal(ids.text, "md_1 ");
    assert_ok(f, lag_model_files(f->reader, "md_1", add_model_file, &files, &f->err));
    assert_string_equal(files.text, "config.json model.safetensors ");
    assert_ok(f, lag_model_ignored(f->reader, "md_1", add_ignored, &ignored, &f->err));
    assert_string_equal(ignored.text, "h.0.attn.bias h.1.attn.bias ");
    struct lag_run_row run = sample_run("run_5", "of-it");
    (void)snprintf(run.model_id, sizeof run.model_id, "md_1");
    (void)snprintf(run.model_name, sizeof run.model_name, "gpt2");
    write_ok(f, insert_run, &run);
    assert_int_equal(lag_store_write(f->store, delete_model, ID("md_1"), &f->err), LAG_ESTATE);
    assert_non_null(strstr(f->err.text, "run of-it is of this model"));
    write_ok(f, delete_run, ID("run_5"));
    write_ok(f, delete_model, ID("md_1"));
    files = (struct ids){0};
    assert_ok(f, lag_model_files(f->reader, "md_1", add_model_file, &files, &f->err));
    assert_string_equal(files.text, "");
    assert_int_equal(lag_model_get(f->reader, "gpt2", &got, &f->err), LAG_ENOTFOUND);
}

static int change_run(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = lag_run_set_state(db, "run_1", "running", "", err);
    if (!rc) rc = lag_run_set_progress(db, "run_1", 9, 9216, 3e12, err);
    const struct lag_shape shape = {6, 5, 4, 3, 2, 1};
    if (!rc) rc = lag_run_set_shape(db, "run_1", &shape, 1900000, err);
    if (!rc) rc = lag_run_set_growth(db, "run_1", "", err);
    if (!rc) rc = lag_run_set_rollback(db, "run_1", 0.5, 3, 8, err);
    return rc;
}

static int change_missing_run(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_run_set_state(db, "run_0", "running", "", err);
}

static void test_runs(void **state) {
    struct fixture *f = *state;
    struct lag_run_row row, expected = sample_run("run_1", "first"), other;
    (void)snprintf(expected.dataset_name, sizeof expected.dataset_name, "kjv");
    memset(&row, 0xff, sizeof row);
    assert_ok(f, lag_run_get(f->reader, "run_1", &row, &f->err));
    assert_string_equal(row.config, expected.config);
    assert_string_equal(row.dataset_name, "kjv");
    assert_string_equal(row.growth_id, "gr_9");
    assert_shape(row.shape, 3, 4, 128, 512, 64, 256);
    assert_true(row.tokens == 5120 && row.flops == 1.5e12);
    assert_true(row.rollback_step == -1 && row.revision == 1 && row.updated_ms == 2001);
    write_ok(f, change_run, NULL);
    assert_ok(f, lag_run_get(f->reader, "first", &row, &f->err));
    assert_string_equal(row.state, "running");
    assert_string_equal(row.reason, "");
    assert_string_equal(row.growth_id, "");
    assert_true(row.step == 9 && row.tokens == 9216 && row.flops == 3e12);
    assert_shape(row.shape, 6, 5, 4, 3, 2, 1);
    assert_int_equal(row.n_params, 1900000);
    assert_true(row.lr_scale == 0.5 && row.n_rollbacks == 3 && row.rollback_step == 8);
    assert_int_equal(row.revision, 6);
    assert_true(row.updated_ms > 2001);
    assert_int_equal(lag_store_write(f->store, change_missing_run, NULL, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "run run_0 does not exist");
    assert_int_equal(lag_run_get(f->reader, "second", &row, &f->err), LAG_ENOTFOUND);
    other = sample_run("run_2", "first");
    assert_int_equal(lag_store_write(f->store, insert_run, &other, &f->err), LAG_EEXIST);
    assert_string_equal(f->err.text, "a run named first exists already: choose another name");
    assert_string_equal(f->err.pointer, "/name");
    other = sample_run("run_2", "second");
    (void)snprintf(other.dataset_id, sizeof other.dataset_id, "ds_7");
    assert_int_equal(lag_store_write(f->store, insert_run, &other, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "dataset ds_7 does not exist");
}

/* A run of an older lagd may be called like an id: asked for by that id, it is not meant. */
static void test_an_id_is_no_name(void **state) {
    struct fixture *f = *state;
    struct lag_run_row row, odd = sample_run("run_2", "run_01hzy3v7q8c5n2m4p6r8t0w2x4");
    write_ok(f, insert_run, &odd);
    assert_int_equal(lag_run_get(f->reader, odd.name, &row, &f->err), LAG_ENOTFOUND);
    assert_ok(f, lag_run_get(f->reader, "run_2", &row, &f->err));
    assert_string_equal(row.name, odd.name);
}

static void test_run_list(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *id, *state;
        int64_t created_ms;
    } runs[] = {{"run_2", "running", 2000}, {"run_3", "paused", 2500}, {"run_4", "run", 2500},
                {"run_5", "failed", 1000}};
    for (size_t i = 0; i < LAG_COUNT(runs); i++) {
        struct lag_run_row row = sample_run(runs[i].id, runs[i].id);
        row.created_ms = runs[i].created_ms;
        (void)snprintf(row.state, sizeof row.state, "%s", runs[i].state);
        write_ok(f, insert_run, &row);
    }
    struct ids ids = {0};
    assert_ok(f, lag_run_list(f->reader, NULL, "", 100, add_run, &ids, &f->err));
    assert_string_equal(ids.text, "run_5 run_4 run_3 run_2 run_1 ");
    ids = (struct ids){0};
    assert_ok(f, lag_run_list(f->reader, NULL, "run_3", 2, add_run, &ids, &f->err));
    assert_string_equal(ids.text, "run_2 run_1 ");
    ids = (struct ids){0};
    assert_ok(f, lag_run_list(f->reader, "running,paused", "", 100, add_run, &ids, &f->err));
    assert_string_equal(ids.text, "run_3 run_2 ");
    ids = (struct ids){.stop_after = 2};
    assert_int_equal(lag_run_list(f->reader, NULL, NULL, 100, add_run, &ids, &f->err), 7);
    assert_string_equal(ids.text, "run_5 run_4 ");
}

static int change_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_growth_row parent = {.id = "gr_1", .start_step = 300, .parent_checkpoint = "ckpt_1",
                                          .n_batches = 8, .eval_sequences = 64, .eval_stride = 4};
    int rc = lag_growth_set_state(db, "gr_1", "probing", "", err);
    if (!rc) rc = lag_growth_set_parent(db, &parent, err);
    return rc ? rc : lag_growth_set_parent_loss(db, "gr_1", 2.5, 7e9, err);
}

static void test_growths(void **state) {
    struct fixture *f = *state;
    struct lag_growth_row row, other = sample_growth("gr_0", "run_1");
    assert_ok(f, lag_growth_get(f->reader, "gr_1", &row, &f->err));
    assert_true(isnan(row.parent_loss) && row.at_step == 300 && row.start_step == -1 && row.probe_steps == 50);
    assert_shape(row.from, 3, 4, 128, 512, 64, 256);
    assert_shape(row.to, 6, 4, 128, 512, 64, 256);
    assert_string_equal(row.request, "pool=default\n");
    assert_string_equal(row.mode, "auto");
    write_ok(f, change_growth, NULL);
    assert_ok(f, lag_growth_get(f->reader, "gr_1", &row, &f->err));
    assert_string_equal(row.state, "probing");
    assert_string_equal(row.parent_checkpoint, "ckpt_1");
    assert_true(row.start_step == 300 && row.n_batches == 8 && row.eval_sequences == 64 && row.eval_stride == 4);
    assert_true(row.parent_loss == 2.5 && row.parent_flops == 7e9);
    assert_int_equal(row.revision, 4);
    other.created_ms = 2999;
    write_ok(f, insert_growth, &other);
    struct ids ids = {0};
    assert_ok(f, lag_growth_list(f->reader, "run_1", 10, add_growth, &ids, &f->err));
    assert_ok(f, lag_growth_list(f->reader, NULL, 1, add_growth, &ids, &f->err));
    assert_string_equal(ids.text, "gr_0 gr_1 gr_0 ");
    assert_int_equal(lag_growth_get(f->reader, "gr_7", &row, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "growth gr_7 does not exist");
    other = sample_growth("gr_2", "run_0");
    assert_int_equal(lag_store_write(f->store, insert_growth, &other, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "run run_0 does not exist");
}

static int change_candidate(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = lag_candidate_set_state(db, "cand_1", "done", "reached the lag", err);
    if (!rc) rc = lag_candidate_set_progress(db, "cand_1", 50, 9e12, err);
    if (!rc) rc = lag_candidate_set_losses(db, "cand_1", 3.5, NAN, err);
    if (!rc) rc = lag_candidate_set_losses(db, "cand_1", NAN, 2.5, err);
    return rc ? rc : lag_candidate_set_checkpoint(db, "cand_1", "ckpt_5", err);
}

static int insert_same_position(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_candidate_row row = sample_candidate("cand_3", "gr_1", 0);
    return lag_candidate_insert(db, &row, NULL, err);
}

static void test_candidates(void **state) {
    struct fixture *f = *state;
    struct lag_candidate_row row;
    assert_ok(f, lag_candidate_get(f->reader, "cand_1", &row, &f->err));
    assert_true(row.number > 0 && row.eligible && row.rewarm_steps == 12 && isnan(row.loss_at_0));
    assert_string_equal(row.recipe, "0 1 1 1 1 2");
    assert_string_equal(row.names, "midas, x");
    write_ok(f, change_candidate, NULL);
    assert_ok(f, lag_candidate_get(f->reader, "cand_1", &row, &f->err));
    assert_true(row.t == 50 && row.flops == 9e12 && row.loss_at_0 == 3.5 && row.loss_at_lag == 2.5);
    assert_string_equal(row.state, "done");
    assert_string_equal(row.checkpoint, "ckpt_5");
    struct ids ids = {0};
    assert_ok(f, lag_candidate_list(f->reader, "gr_1", add_candidate, &ids, &f->err));
    assert_string_equal(ids.text, "cand_1 cand_2 ");
    assert_int_equal(lag_candidate_get(f->reader, "cand_7", &row, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_store_write(f->store, insert_same_position, NULL, &f->err), LAG_EEXIST);
    assert_string_equal(f->err.text, "growth gr_1 has a candidate at position 0 already");
}

struct losses {
    int64_t number, t;
    double values[3];
    bool mismatch;
};

static int put_losses(struct lag_db *db, void *arg, struct lag_error *err) {
    struct losses *losses = arg;
    return lag_probe_losses_put(db, losses->number, losses->t, losses->values, 3, &losses->mismatch, err);
}

static void test_probe_losses(void **state) {
    struct fixture *f = *state;
    struct lag_candidate_row candidate;
    assert_ok(f, lag_candidate_get(f->reader, "cand_2", &candidate, &f->err));
    struct losses losses = {.number = candidate.number, .t = 8, .values = {1.5, NAN, 0.1}, .mismatch = true};
    write_ok(f, put_losses, &losses);
    assert_false(losses.mismatch);
    write_ok(f, put_losses, &losses);
    assert_false(losses.mismatch);
    losses.values[2] = nextafter(0.1, 1);
    write_ok(f, put_losses, &losses);
    assert_true(losses.mismatch);
    losses = (struct losses){.number = candidate.number, .t = 0, .values = {-0.0, 2, 3}};
    write_ok(f, put_losses, &losses);
    write_ok(f, put_losses, &losses);
    assert_false(losses.mismatch);
    int64_t *t;
    double *values;
    int n;
    assert_ok(f, lag_probe_losses_get(f->reader, candidate.number, 3, &t, &values, &n, &f->err));
    assert_int_equal(n, 2);
    assert_true(t[0] == 0 && t[1] == 8 && values[0] == 0 && values[2] == 3 && values[3] == 1.5 && isnan(values[4]));
    assert_true(values[5] == 0.1);
    free(t);
    free(values);
    losses.number = 99;
    assert_int_equal(lag_store_write(f->store, put_losses, &losses, &f->err), LAG_ENOTFOUND);
    assert_string_equal(f->err.text, "candidate number 99 does not exist");
}

DEFINE_WRITE(put_effect, lag_effect_put)
static void test_effects(void **state) {
    struct fixture *f = *state;
    struct lag_effect_row row, effect = {.growth_id = "gr_1", .loss_before = 2.5, .loss_after = 2.75,
        .logit_change = 1e-7, .preserved = true, .new_share = 0.5, .connection_rate = NAN, .rms_ratios = "1 0.5",
        .measured_ms = 7};
    assert_int_equal(lag_effect_find(f->reader, "gr_1", &row, &f->err), 0);
    write_ok(f, put_effect, &effect);
    effect.loss_after = 3;
    write_ok(f, put_effect, &effect); /* a restart measures it again */
    assert_int_equal(lag_effect_find(f->reader, "gr_1", &row, &f->err), 1);
    assert_true(row.loss_before == 2.5 && row.loss_after == 3 && row.logit_change == 1e-7 && row.preserved);
    assert_true(row.new_share == 0.5 && isnan(row.connection_rate) && row.measured_ms == 7);
    assert_string_equal(row.rms_ratios, "1 0.5");
    (void)snprintf(effect.growth_id, sizeof effect.growth_id, "gr_9");
    assert_int_equal(lag_store_write(f->store, put_effect, &effect, &f->err), LAG_ENOTFOUND);
}

static void test_decisions(void **state) {
    struct fixture *f = *state;
    struct lag_decision_row row, decision = {.growth_id = "gr_1", .candidate = "cand_2", .pick_at_0 = "cand_1",
        .pick_at_lag = "cand_2", .runner_up = "cand_1", .margin = 0.01, .margin_low = -0.01, .margin_high = 0.03,
        .tau = NAN,
        .tau_0 = 0.5, .flops = 1e13, .tied = true, .decided_by = "lag", .verdict = "cand_2 is best", .decided_ms = 5,
        .basis = "nothing_to_decide", .tied_set = "cand_1,cand_2", .tied_at_0 = "cand_1,cand_3", .delta = 0.005,
        .p_now = 0.5, .p_end = NAN, .gain = 0.25, .gain_low = -0.5, .gain_high = NAN, .short_by = 5, .run_flops = 3e12};
    assert_int_equal(lag_decision_get(f->reader, "gr_1", &row, &f->err), LAG_ENOTFOUND);
    write_ok(f, put_decision, &decision);
    (void)snprintf(decision.decided_by, sizeof decision.decided_by, "user");
    (void)snprintf(decision.reason, sizeof decision.reason, "wanted");
    write_ok(f, put_decision, &decision);
    assert_ok(f, lag_decision_get(f->reader, "gr_1", &row, &f->err));
    assert_string_equal(row.decided_by, "user");
    assert_string_equal(row.reason, "wanted");
    assert_string_equal(row.verdict, "cand_2 is best");
    assert_true(row.tied && !row.lag_short && isnan(row.tau) && row.tau_0 == 0.5 && row.margin_low == -0.01);
    assert_string_equal(row.basis, "nothing_to_decide");
    assert_string_equal(row.tied_set, "cand_1,cand_2");
    assert_string_equal(row.tied_at_0, "cand_1,cand_3");
    assert_true(row.delta == 0.005 && row.p_now == 0.5 && isnan(row.p_end) && row.short_by == 5);
    assert_true(row.gain == 0.25 && row.gain_low == -0.5 && isnan(row.gain_high) && row.run_flops == 3e12);
    (void)snprintf(decision.growth_id, sizeof decision.growth_id, "gr_7");
    assert_int_equal(lag_store_write(f->store, put_decision, &decision, &f->err), LAG_ENOTFOUND);
}

static int keep_checkpoint(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_checkpoint_set_keep(db, arg, true, err);
}
static int delete_checkpoint(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_checkpoint_delete(db, arg, err);
}

static void test_checkpoints(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *id, *candidate;
        int64_t step, created_ms;
    } all[] = {{"ckpt_1", "", 100, 50}, {"ckpt_2", "", 200, 10}, {"ckpt_3", "cand_1", 250, 60},
               {"ckpt_4", "", 200, 5}}; /* the clock went back before the last one */
    struct lag_checkpoint_row row;
    assert_int_equal(lag_checkpoint_latest(f->reader, "run_1", &row, &f->err), LAG_ENOTFOUND);
    for (size_t i = 0; i < LAG_COUNT(all); i++) {
        row = (struct lag_checkpoint_row){.run_id = "run_1", .kind = "periodic", .path = "runs/run_1/x",
            .shape = sample_shape(3), .n_bytes = 110, .fingerprint = "fp", .step = all[i].step,
            .created_ms = all[i].created_ms};
        (void)snprintf(row.id, sizeof row.id, "%s", all[i].id);
        (void)snprintf(row.candidate_id, sizeof row.candidate_id, "%s", all[i].candidate);
        write_ok(f, insert_checkpoint, &row);
    }
    assert_ok(f, lag_checkpoint_latest(f->reader, "run_1", &row, &f->err));
    assert_string_equal(row.id, "ckpt_4");
    assert_shape(row.shape, 3, 4, 128, 512, 64, 256);
    struct ids ids = {0};
    assert_ok(f, lag_checkpoint_list(f->reader, "run_1", add_checkpoint, &ids, &f->err));
    assert_string_equal(ids.text, "ckpt_3 ckpt_4 ckpt_2 ckpt_1 ");
    ids = (struct ids){0};
    assert_ok(f, lag_checkpoint_list(f->reader, NULL, add_checkpoint, &ids, &f->err));
    assert_string_equal(ids.text, "ckpt_4 ckpt_3 ckpt_2 ckpt_1 ");
    ids = (struct ids){0};
    assert_ok(f, lag_checkpoint_files(f->reader, "ckpt_1", add_file, &ids, &f->err));
    assert_string_equal(ids.text, "config.json model.safetensors ");
    write_ok(f, keep_checkpoint, ID("ckpt_1"));
    assert_ok(f, lag_checkpoint_get(f->reader, "ckpt_1", &row, &f->err));
    assert_true(row.keep);
    write_ok(f, delete_checkpoint, ID("ckpt_1"));
    assert_int_equal(lag_checkpoint_get(f->reader, "ckpt_1", &row, &f->err), LAG_ENOTFOUND);
    ids = (struct ids){0};
    assert_ok(f, lag_checkpoint_files(f->reader, "ckpt_1", add_file, &ids, &f->err));
    assert_int_equal(ids.n, 0);
}

static void test_delete_run(void **state) {
    struct fixture *f = *state;
    int64_t of_run = open_series(f, "run_1", "train/loss", true);
    int64_t of_candidate = open_series(f, "cand_1", "val/loss", true);
    put_points(f, (struct lag_point[]){{of_run, 1, 1}, {of_candidate, 1, 1}}, 2);
    struct lag_checkpoint_row checkpoint = {.id = "ckpt_1", .run_id = "run_1", .candidate_id = "cand_1",
        .kind = "candidate",
        .path = "x"};
    write_ok(f, insert_checkpoint, &checkpoint);
    struct lag_decision_row decision = {.growth_id = "gr_1", .decided_by = "lag"};
    write_ok(f, put_decision, &decision);
    write_ok(f, delete_run, ID("run_1"));
    struct lag_series_row series;
    struct lag_candidate_row candidate;
    assert_int_equal(lag_series_find(f->reader, "run_1", "train/loss", &series, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_series_find(f->reader, "cand_1", "val/loss", &series, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_candidate_get(f->reader, "cand_1", &candidate, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_decision_get(f->reader, "gr_1", &decision, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_checkpoint_get(f->reader, "ckpt_1", &checkpoint, &f->err), LAG_ENOTFOUND);
    assert_int_equal(lag_store_write(f->store, delete_run, ID("run_1"), &f->err), LAG_ENOTFOUND);
    /* Points that were on their way when the run went do not land anywhere, and a new series gets a new number. */
    put_points(f, (struct lag_point[]){{of_run, 2, 1}}, 1);
    assert_true(open_series(f, "run_2", "train/loss", true) > of_candidate);
    assert_ok(f, lag_db_check(f->reader, 0, &f->err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_models, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_datasets, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_runs, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_an_id_is_no_name, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_run_list, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_growths, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_candidates, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_probe_losses, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_decisions, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_effects, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_checkpoints, fixture_store, fixture_end),
        cmocka_unit_test_setup_teardown(test_delete_run, fixture_store, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

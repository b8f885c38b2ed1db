/* How SQLite goes about every statement: through indexes; lists of runs without the points. */
#include "fixture.h"
#include "db_internal.h"
#include "q_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/stamp.h>
#include <lagd/base/mem.h>
#include <lagd/storage/calendar.h>
#include <lagd/storage/find.h>
#include <lagd/storage/keys.h>
#include <lagd/storage/models.h>
#include <lagd/storage/tokenizers.h>
#include <lagd/storage/sinks.h>
#include <lagd/storage/stages.h>
#include <lagd/storage/studies.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lists of everything that is there, in the order of an index: they read all by their nature. */
static const char *const whole_lists[] = {
    "SCAN datasets USING INDEX sqlite_autoindex_datasets_1",
    "SCAN growths USING INDEX sqlite_autoindex_growths_1",
    "SCAN models USING INDEX sqlite_autoindex_models_1",
    "SCAN tokenizers USING INDEX sqlite_autoindex_tokenizers_1",
    "SCAN checkpoints USING INDEX sqlite_autoindex_checkpoints_1",
    "SCAN deleted", /* the first row */
    "SCAN runs USING INDEX runs_waiting", /* of those that wait only */
    "SCAN studies USING INDEX sqlite_autoindex_studies_1",
    "SCAN studies USING INDEX studies_alive", /* of those that have not ended */
    "SCAN d USING INDEX sqlite_autoindex_decisions_1", /* the newest ones */
    "SCAN growths USING INDEX growths_to_audit", /* of those whose audit is wanted only */
    "SCAN runs USING INDEX runs_live", /* of those that want to compute only */
    "SCAN runs USING COVERING INDEX runs_found", /* no row is read for what is not found */
    "SCAN found", /* what was found so */
    "SCAN s USING INDEX studies_alive",
    "SCAN stages USING INDEX stages_planned", /* of those that have not begun only */
};

/* The hot ones: a part of the text, and the index that must serve it. */
static const struct {
    const char *sql, *index;
} wanted[] = {
    {"FROM runs AS r LEFT JOIN datasets AS d ON d.id = r.dataset_id WHERE r.id <", "sqlite_autoindex_runs_1 (id<?)"},
    {"FROM growths WHERE state = 'queued'", "growths_queued (run_id=?)"},
    {"FROM events WHERE run_id = ? AND seq > ?", "events_by_run (run_id=? AND seq>?)"},
    {"FROM events WHERE run_id = ? ORDER BY seq DESC", "events_by_run (run_id=?)"},
    {"FROM events WHERE seq > ? ORDER", "INTEGER PRIMARY KEY (rowid>?)"},
    {"FROM points WHERE series = ? AND step >= ?", "PRIMARY KEY (series=? AND step>? AND step<?)"},
    {"FROM growths WHERE run_id = ?", "growths_by_run (run_id=?)"},
    {"WHERE run_id = ? AND candidate_id IS NULL", "checkpoints_of_runs (run_id=?)"},
    {"FROM series WHERE owner = ? ORDER", "sqlite_autoindex_series_1 (owner=?)"},
    {"DELETE FROM idempotency WHERE key IN", "idempotency_by_created (created_ms<?)"},
    {"DELETE FROM points WHERE series = ?1 AND step <=", "PRIMARY KEY (series=? AND step<?)"},
    {"DELETE FROM probe_losses WHERE candidate = ?1", "PRIMARY KEY (candidate=? AND t<?)"},
    {"SET owner = 'deleted/' || id, n_points = 0 WHERE owner = ?", "sqlite_autoindex_series_1 (owner=?)"},
    {"SET owner = 'deleted/' || id, n_points = 0 WHERE owner IN", "sqlite_autoindex_series_1 (owner=?)"},
    {"SELECT coalesce((SELECT max(step) FROM points", "PRIMARY KEY (series=? AND step<?)"},
    {"FROM probe_losses WHERE candidate = ? ORDER", "PRIMARY KEY (candidate=?)"},
    {"SELECT id FROM runs WHERE waits = 1", "runs_waiting"},
    {"AS MATERIALIZED (SELECT id, CASE", "COVERING INDEX runs_found"},
    {"FROM series INDEXED BY series_validation WHERE owner = ?", "COVERING INDEX series_validation"},
};

static void each_id(const char *id, void *arg) {}

#define DEFINE_EACH(name, row)                                                                                         \
    static int name(const struct row *r, void *arg) { return 0; }
DEFINE_EACH(each_dataset, lag_dataset_row)
DEFINE_EACH(each_run, lag_run_row)
DEFINE_EACH(each_model, lag_model_row)
DEFINE_EACH(each_tokenizer, lag_tokenizer_row)
DEFINE_EACH(each_model_file, lag_model_file_row)
DEFINE_EACH(each_ignored, lag_model_ignored_row)
DEFINE_EACH(each_growth, lag_growth_row)
DEFINE_EACH(each_candidate, lag_candidate_row)
DEFINE_EACH(each_rung, lag_rung_row)
DEFINE_EACH(each_parent, lag_growth_parent_row)
DEFINE_EACH(each_prior_growth, lag_prior_growth_row)
DEFINE_EACH(each_prior_candidate, lag_prior_candidate_row)
DEFINE_EACH(each_checkpoint, lag_checkpoint_row)
DEFINE_EACH(each_file, lag_checkpoint_file_row)
DEFINE_EACH(each_series, lag_series_row)
DEFINE_EACH(each_event, lag_event_row)
static int each_waiting(const char *id, void *arg) { return 0; }

static int call_series(struct lag_db *db, struct lag_error *err) {
    int64_t id, total, step, other;
    int n;
    double value;
    struct lag_bucket bucket;
    struct lag_point_cursor *cursor;
    struct lag_series_row row;
    int rc = lag_series_open(db, "cand_1", "train/loss", true, &other, err);
    if (!rc) rc = lag_series_open(db, "run_1", "train/loss", true, &id, err);
    struct lag_queued_point points[] = {{{id, 1, 1}, 0}, {{id, 1, 2}, 1}, {{other, 7, 3}, 2}};
    if (!rc) rc = lag_points_put(db, points, LAG_COUNT(points), err);
    if (!rc) rc = lag_series_find(db, "run_1", "train/loss", &row, err);
    if (!rc) rc = lag_series_list(db, "run_1", each_series, NULL, err);
    if (!rc) rc = lag_points_adopt(db, "run_1", "cand_1", 0, 9, err);
    if (!rc) rc = lag_points_truncate(db, "run_1", 0, err);
    if (!rc) rc = lag_points_last(db, other, 10, &step, &value, err);
    if (!rc) rc = lag_points_coarsen(db, other, 10, 5, err);
    if (!rc) rc = lag_points_thin(db, other, 0, 10, 1, &bucket, &n, &total, err);
    if (!rc) rc = lag_point_cursor_open(db, other, 0, &cursor, err);
    if (rc) return rc;
    rc = lag_point_cursor_next(cursor, &step, &value, err);
    lag_point_cursor_close(cursor);
    return rc < 0 ? rc : 0;
}

static int call_growth(struct lag_db *db, struct lag_error *err) {
    struct lag_growth_row growth;
    struct lag_candidate_row candidate;
    struct lag_decision_row decision = {.growth_id = "gr_1", .decided_by = "lag"};
    static const double losses[2] = {1, 2};
    const struct lag_growth_row parent = {.id = "gr_1", .start_step = 1, .parent_checkpoint = "ckpt_1", .n_batches = 2,
                                          .eval_sequences = 3, .eval_stride = 1};
    int64_t *t = NULL;
    double *values = NULL;
    int n;
    int rc = lag_growth_get(db, "gr_1", &growth, err);
    if (!rc) rc = lag_growth_list(db, "run_1", 9, each_growth, NULL, err);
    if (!rc) rc = lag_growth_list(db, NULL, 9, each_growth, NULL, err);
    char id[LAG_ROW_ID], pool[LAG_ROW_POOL];
    if (!rc) rc = lag_growth_first_queued(db, "run_1", id, err) < 0 ? LAG_EINTERNAL : 0;
    if (!rc) rc = lag_growth_set_pool(db, "gr_1", "pool default", err);
    if (!rc) rc = lag_growth_get_pool(db, "gr_1", pool, err);
    if (!rc) rc = lag_growth_set_plan(db, &growth, err);
    if (!rc) rc = lag_candidates_delete(db, "gr_2", err);
    if (!rc) rc = lag_growth_set_state(db, "gr_1", "probing", "", err);
    if (!rc) rc = lag_growth_set_parent(db, &parent, err);
    if (!rc) rc = lag_growth_set_parent_loss(db, "gr_1", 1, 2, err);
    if (!rc) rc = lag_candidate_get(db, "cand_1", &candidate, err);
    if (!rc) rc = lag_candidate_list(db, "gr_1", each_candidate, NULL, err);
    if (!rc) rc = lag_candidate_set_state(db, "cand_1", "done", "", err);
    if (!rc) rc = lag_candidate_set_progress(db, "cand_1", 1, 1, err);
    if (!rc) rc = lag_candidate_set_losses(db, "cand_1", 1, 1, err);
    if (!rc) rc = lag_candidate_set_checkpoint(db, "cand_1", "", err);
    for (int twice = 0; twice < 2 && !rc; twice++)
        rc = lag_probe_losses_put(db, candidate.number, 0, losses, 2, NULL, err);
    if (!rc) rc = lag_probe_losses_get(db, candidate.number, 2, &t, &values, &n, err);
    free(t);
    free(values);
    const struct lag_rung_row rung = {.growth_id = "gr_1", .r = 1, .action = "end"};
    if (!rc) rc = lag_rung_insert(db, &rung, err);
    if (!rc) rc = lag_rung_list(db, "gr_1", each_rung, NULL, err);
    if (!rc) rc = lag_growth_set_probe_steps(db, "gr_1", 7, err);
    if (!rc) rc = lag_decision_put(db, &decision, err);
    if (!rc) rc = lag_probe_losses_at(db, candidate.number, 0, 2, (double[2]){0}, err) == 1 ? 0 : LAG_EINTERNAL;
    if (!rc) rc = lag_growth_set_audit(db, "gr_1", "wanted", "", err);
    if (!rc) rc = lag_growth_list_to_audit(db, each_waiting, NULL, err);
    if (!rc) rc = lag_prior_growths(db, 9, each_prior_growth, NULL, err);
    if (!rc) rc = lag_prior_candidates(db, "gr_1", each_prior_candidate, NULL, err);
    const struct lag_effect_row effect = {.growth_id = "gr_1"};
    if (!rc) rc = lag_effect_put(db, &effect, err);
    if (!rc) rc = lag_effect_find(db, "gr_1", &(struct lag_effect_row){0}, err) == 1 ? 0 : LAG_EINTERNAL;
    return rc ? rc : lag_decision_get(db, "gr_1", &decision, err);
}

static int each_stage(const struct lag_stage_row *row, void *arg) { return 0; }

static int call_stages(struct lag_db *db, struct lag_error *err) {
    const struct lag_plan_row plan = {.run_id = "run_1"};
    struct lag_plan_row found;
    struct lag_stage_row stage = {.id = "sg_1", .run_id = "run_1", .position = 1, .state = "planned", .begins = "x",
                                  .request = "x", .pool = "x"};
    int64_t bytes;
    int rc = 0;
    for (int twice = 0; twice < 2 && !rc; twice++) rc = lag_plan_put(db, &plan, err);
    if (!rc) rc = lag_plan_get(db, "run_1", &found, err) == 1 && found.revision == 2 ? 0 : LAG_EINTERNAL;
    if (!rc) rc = lag_stage_insert(db, &stage, err);
    if (!rc) rc = lag_stage_get(db, "sg_1", &stage, err);
    if (!rc) rc = lag_stage_list(db, "run_1", each_stage, NULL, err);
    if (!rc) rc = lag_stages_memory(db, "run_1", &bytes, err);
    if (!rc) rc = lag_stage_set_fired(db, "sg_1", 7, "gr_1", err);
    if (!rc) rc = lag_stage_set_state(db, "sg_1", "begun", "", err);
    if (!rc) rc = lag_stages_delete(db, "run_1", 1, err);
    return rc ? rc : lag_plan_delete(db, "run_1", err);
}

static int call_checkpoints_and_events(struct lag_db *db, struct lag_error *err) {
    struct lag_checkpoint_row row = {.id = "ckpt_1", .run_id = "run_1", .kind = "manual", .path = "x"};
    struct lag_checkpoint_file_row file = {.name = "a", .sha256 = "b"};
    const struct lag_event event = {.type = LAG_EVENT_RUN_STATE, .step = LAG_NO_STEP};
    int64_t first, last;
    int rc = lag_checkpoint_insert(db, &row, &file, 1, err);
    if (!rc) rc = lag_checkpoint_get(db, "ckpt_1", &row, err);
    if (!rc) rc = lag_checkpoint_latest(db, "run_1", &row, err);
    if (!rc) rc = lag_checkpoint_list(db, "run_1", each_checkpoint, NULL, err);
    if (!rc) rc = lag_checkpoint_list(db, NULL, each_checkpoint, NULL, err);
    if (!rc) rc = lag_checkpoint_files(db, "ckpt_1", each_file, NULL, err);
    char by[LAG_ROW_ID];
    if (!rc) rc = lag_checkpoint_is_needed(db, "ckpt_none", by, err);
    const struct lag_growth_parent_row parent = {.growth_id = "gr_1", .checkpoint_id = "ckpt_1", .run_id = "run_1",
                                                 .run_name = "one"};
    if (!rc) rc = lag_growth_parent_insert(db, &parent, err);
    if (!rc) rc = lag_growth_parent_list(db, "gr_1", each_parent, NULL, err);
    if (!rc) rc = lag_checkpoint_is_fused(db, "ckpt_none", by, err);
    if (!rc) rc = lag_run_is_fused(db, "run_none", by, err);
    if (!rc) rc = lag_growth_parents_delete(db, "gr_1", err);
    if (!rc) rc = lag_checkpoint_set_keep(db, "ckpt_1", true, err);
    if (!rc) rc = lag_checkpoint_delete(db, "ckpt_1", err);
    if (!rc) rc = lag_event_put(db, &event, err);
    if (!rc) rc = lag_event_list(db, 0, NULL, 9, each_event, NULL, err);
    if (!rc) rc = lag_event_list(db, 0, "run_1", 9, each_event, NULL, err);
    if (!rc) rc = lag_event_bounds(db, &first, &last, err);
    if (!rc) rc = lag_event_before_last(db, "run_1", 3, &first, err);
    struct lag_key_row key = {.key = "k", .fingerprint = "f"};
    if (!rc) rc = lag_key_put(db, &key, NULL, err);
    if (!rc) rc = lag_key_find(db, "k", 0, &key, NULL, err) == 1 ? 0 : LAG_EINTERNAL;
    if (!rc) rc = lag_key_forget(db, "k", err);
    if (!rc) rc = lag_key_prune(db, 0, 9, &first, err);
    return rc ? rc : lag_event_prune(db, 0, 9, &first, err);
}

static int each_found(const struct lag_run_row *row, const struct lag_run_place *place, void *arg) { return 0; }

static int call_tokenizers(struct lag_db *db, struct lag_error *err) {
    struct lag_tokenizer_row row = {.id = "tok_1", .name = "mine", .origin = "trained", .state = "making"};
    int rc = lag_tokenizer_insert(db, &row, err);
    if (!rc) rc = lag_tokenizer_get(db, "mine", &row, err);
    if (!rc) rc = lag_tokenizer_list(db, each_tokenizer, NULL, err);
    if (!rc) rc = lag_tokenizer_set_done(db, "tok_1", 3, 9, err);
    if (!rc) rc = lag_tokenizer_set_found(db, &row, err);
    if (!rc) rc = lag_tokenizer_set_state(db, "tok_1", "ready", "", err);
    if (!rc) rc = lag_tokenizer_is_free(db, "tok_1", err);
    return rc ? rc : lag_tokenizer_delete(db, "tok_1", err);
}

static int call_models(struct lag_db *db, struct lag_error *err) {
    struct lag_model_row row = {.id = "md_1", .name = "gpt2", .path = "/data/gpt2", .state = "importing"};
    struct lag_model_file_row file = {.model_id = "md_1", .name = "config.json", .sha256 = "aa", .n_bytes = 9};
    struct lag_model_ignored_row ignored = {.model_id = "md_1", .name = "h.0.attn.bias", .file = "m", .dtype = "U8",
                                            .shape = "[1]"};
    int rc = lag_model_insert(db, &row, err);
    if (!rc) rc = lag_model_get(db, "gpt2", &row, err);
    if (!rc) rc = lag_model_list(db, each_model, NULL, err);
    if (!rc) rc = lag_model_set_done(db, "md_1", 9, 3, err);
    if (!rc) rc = lag_model_set_found(db, &row, err);
    if (!rc) rc = lag_model_set_state(db, "md_1", "ready", "", err);
    if (!rc) rc = lag_model_file_insert(db, &file, err);
    if (!rc) rc = lag_model_ignored_insert(db, &ignored, err);
    if (!rc) rc = lag_model_files(db, "md_1", each_model_file, NULL, err);
    if (!rc) rc = lag_model_ignored(db, "md_1", each_ignored, NULL, err);
    return rc ? rc : lag_model_delete(db, "md_1", err);
}

static int each_mark(const struct lag_event_row *r, void *arg) { return 0; }

static int call_runs(struct lag_db *db, struct lag_error *err) {
    double flops = 0;
    struct lag_dataset_row dataset;
    struct lag_run_row run;
    int rc = lag_dataset_get(db, "kjv", &dataset, err);
    if (!rc) rc = lag_dataset_list(db, each_dataset, NULL, err);
    if (!rc) rc = lag_run_get(db, "first", &run, err);
    if (!rc) rc = lag_run_list(db, "queued", "", 9, each_run, NULL, err);
    for (int i = 0; i < 4 && !rc; i++) {
        const struct lag_run_query query = {.order = i % 2 ? LAG_RUNS_BY_CREATED : LAG_RUNS_BY_BEST,
                                            .descending = i / 2, .limit = 9};
        rc = lag_run_find(db, &query, each_found, NULL, err);
    }
    char word[16];
    double best;
    int64_t best_step;
    if (!rc) rc = lag_run_waiting_for(db, &run, word, err);
    if (!rc) rc = lag_run_best(db, "run_1", &best, &best_step, err);
    int64_t after;
    if (!rc) rc = lag_sink_put(db, "webhook", 1, err);
    if (!rc) rc = LAG_MIN(lag_sink_get(db, "webhook", &after, err), 0);
    if (!rc) rc = lag_sink_delete(db, "webhook", err);
    if (!rc) rc = LAG_MIN(lag_run_trouble_told(db, "run_1", err), 0);
    if (!rc) rc = lag_run_set_held(db, "run_1", true, 40, err);
    if (!rc) rc = lag_run_set_health(db, "run_1", "good", err);
    if (!rc) rc = LAG_MIN(lag_event_told_at(db, "run_1", LAG_EVENT_RUN_DIVERGED, 1, err), 0);
    if (!rc) rc = lag_event_marks(db, "run_1", 9, each_mark, NULL, err);
    struct lag_calendar_row calendar = {0};
    if (!rc) rc = LAG_MIN(lag_calendar_get(db, &calendar, err), 0);
    if (!rc) rc = lag_calendar_set(db, &calendar, err);
    if (!rc) rc = lag_ids_newest(db, each_id, NULL, err);
    if (!rc) rc = lag_run_set_state(db, "run_1", "paused", "", err);
    if (!rc) rc = lag_run_set_waits(db, "run_1", true, err);
    if (!rc) rc = lag_run_touch(db, "run_1", err);
    if (!rc) rc = lag_run_list_waiting(db, each_waiting, NULL, err);
    if (!rc) rc = lag_run_set_progress(db, "run_1", 1, 1, 1, err);
    const struct lag_shape shape = sample_shape(1);
    if (!rc) rc = lag_run_set_shape(db, "run_1", &shape, 1, err);
    if (!rc) rc = lag_run_probe_flops(db, "run_1", &flops, err);
    if (!rc) rc = lag_run_set_growth(db, "run_1", "", err);
    if (!rc) rc = lag_run_set_rollback(db, "run_1", 1, 1, 1, err);
    if (!rc) rc = lag_run_set_config(db, "run_1", "second", "seed=1", err);
    if (!rc) rc = lag_run_set_schedules(db, "run_1", 200, "seed=1", "", err);
    if (!rc) rc = lag_run_set_batches(db, "run_1", "", err);
    if (!rc) rc = lag_run_delete(db, "run_1", err);
    const struct lag_stamp stamp = {.n_bytes = 4404445};
    if (!rc) rc = lag_dataset_set_stamp(db, "ds_1", &stamp, err);
    if (!rc) rc = lag_dataset_set_tokenized(db, &dataset, err);
    if (!rc) rc = lag_dataset_set_found(db, &dataset, err);
    if (!rc) rc = lag_dataset_set_done(db, "ds_1", 1, err);
    if (!rc) rc = lag_dataset_set_state(db, "ds_1", "failed", "", err);
    for (int64_t n = 1; !rc && n > 0;) rc = lag_deleted_sweep(db, 9, &n, err);
    return rc ? rc : lag_dataset_delete(db, "ds_1", err);
}

static int each_study(const struct lag_study_row *r, void *arg) { return 0; }
static int each_study_run(const struct lag_study_run_row *r, void *arg) { return 0; }

static int call_studies(struct lag_db *db, struct lag_error *err) {
    struct lag_study_row study = {.id = "st_1", .name = "one", .state = "running", .parent_run = "run_1",
                                  .parent_name = "first", .parent_checkpoint = "ckpt_1"};
    struct lag_study_run_row run = {.study_id = "st_1", .role = "candidates", .stage = "made", .run_id = "run_1"};
    int rc = lag_study_insert(db, &study, err);
    if (!rc) rc = lag_study_get(db, "one", &study, err);
    if (!rc) rc = lag_study_list(db, false, 9, each_study, NULL, err);
    if (!rc) rc = lag_study_list(db, true, 9, each_study, NULL, err);
    if (!rc) rc = lag_study_set_state(db, "st_1", "paused", "", err);
    if (!rc) rc = lag_study_set_reason(db, "st_1", "running", "", err);
    if (!rc) rc = lag_study_run_insert(db, &run, err);
    if (!rc) rc = lag_study_run_set(db, &run, err);
    if (!rc) rc = lag_study_run_list(db, "st_1", each_study_run, NULL, err);
    if (!rc) rc = LAG_MIN(lag_study_of_run(db, "run_1", &run, err), 0);
    if (!rc) rc = LAG_MIN(lag_study_of_growth(db, "gr_1", &study, err), 0);
    if (!rc) rc = LAG_MIN(lag_study_gives_way(db, "st_1", err), 0);
    return rc ? rc : lag_study_delete(db, "st_1", err);
}

static bool is_allowed(const char *detail) {
    for (size_t i = 0; i < LAG_COUNT(whole_lists); i++)
        if (!strcmp(detail, whole_lists[i])) return true;
    return !strncmp(detail, "SCAN CONSTANT ROW", 17) || !strncmp(detail, "SCAN (subquery", 14);
}

static int look_at_plan(struct lag_db *db, const char *sql, struct lag_error *err) {
    char *text = lag_asprintf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->handle, text, -1, &stmt, NULL) ? lag_error_set(err, LAG_EINVAL, "%s", sql) : 0;
    const char *index = NULL;
    for (size_t i = 0; i < LAG_COUNT(wanted); i++)
        if (strstr(sql, wanted[i].sql)) index = wanted[i].index;
    bool of_runs = strstr(sql, "FROM runs AS r") != NULL;
    while (!rc && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(stmt, 3);
        if (index && strstr(detail, index)) index = NULL;
        bool sorts = strstr(detail, "TEMP B-TREE") && !strstr(sql, "ORDER BY key IS NULL"); /* found runs are sorted */
        if ((!strncmp(detail, "SCAN", 4) && !is_allowed(detail)) || sorts)
            rc = lag_error_set(err, LAG_EINVAL, "%s: %s", detail, sql);
        if (of_runs && (strstr(detail, "points") || strstr(detail, "series")))
            rc = lag_error_set(err, LAG_EINVAL, "a list of runs reads %s", detail);
    }
    (void)sqlite3_finalize(stmt);
    free(text);
    return !rc && index ? lag_error_set(err, LAG_EINVAL, "%s is not used: %s", index, sql) : rc;
}

/* Calls everything once, so that the statement cache holds every text, and looks at their plans. */
static int look_at_all(struct lag_db *db, void *arg, struct lag_error *err) {
    int rc = call_series(db, err);
    if (!rc) rc = call_growth(db, err);
    if (!rc) rc = call_stages(db, err);
    if (!rc) rc = call_checkpoints_and_events(db, err);
    if (!rc) rc = call_studies(db, err);
    if (!rc) rc = call_models(db, err);
    if (!rc) rc = call_tokenizers(db, err);
    if (!rc) rc = call_runs(db, err);
    int n_texts = 0;
    for (size_t i = 0; i < db->n_stmts && !rc; i++) {
        size_t j = 0;
        while (db->stmts[j]->sql != db->stmts[i]->sql) j++;
        /* prepared twice; or of the migrations or the guard */
        if (j < i || strstr(db->stmts[i]->sql, "schema_history") || strstr(db->stmts[i]->sql, "log_mark")) continue;
        rc = look_at_plan(db, db->stmts[i]->sql, err);
        n_texts++;
    }
    *(int *)arg = n_texts;
    return rc;
}

static int count_in_sources(struct fixture *f) {
    static const char *const stems[] = {"calendar",
        "candidates", "checkpoints", "coarsen", "datasets", "decisions", "deleted", "effects", "events", "found",
        "growths", "keys", "models", "parents", "points", "prior", "probe_losses", "runs", "rungs", "series", "sinks",
        "stages", "studies", "tokenizers"};
    static const char mark[] = "static const char sql_";
    int n = 0;
    for (size_t i = 0; i < LAG_COUNT(stems); i++) {
        char path[600], *text;
        size_t length;
        (void)snprintf(path, sizeof path, "%s/q_%s.c", LAG_STORAGE_SOURCES, stems[i]);
        assert_ok(f, lag_fs_read_file(path, 1000000, &text, &length, &f->err));
        for (const char *at = text; (at = strstr(at, mark)); at++) n++;
        free(text);
    }
    return n;
}

static void test_plans(void **state) {
    struct fixture *f = *state;
    int n_seen = 0;
    write_ok(f, look_at_all, &n_seen);
    assert_int_equal(n_seen, count_in_sources(f)); /* or this test does not call a new query yet */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_plans, fixture_store, fixture_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Imports of models under way. */
#include "commands/importing_internal.h"

#include "exec/listed_internal.h"
#include "plan/shape_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/engine/import.h>
#include <lagd/storage/events.h>
#include <lagd/storage/keys.h>
#include <lagd/storage/models.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_NS (500 * INT64_C(1000000))    /* how far it is is stored not more often */
#define SILENCE_NS (60 * INT64_C(1000000000)) /* of a worker, expected at most */

struct import {
    struct lagd_listed listed; /* first: the list knows only this */
    struct lagd_imports *all;
    struct lag_model_row row;
    char root[LAG_ROW_PATH], relative[LAG_ROW_PATH], dir[LAGD_STATE_PATH];
    char (*hashes)[LAG_SHA256_HEX];
    struct lag_import *found; /* its copy */
    int64_t report_due_ns;
    bool is_unknown; /* its row has gone */
};
struct lagd_imports {
    struct lagd_deps *deps;
    struct lagd_list list;
};

/* --- copying and checking, on a worker --------------------------------------------------------------------------- */

static int write_done(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_model_row *row = arg;
    return lag_model_set_done(db, row->id, row->n_bytes, row->n_bytes_done, err);
}

/* How far it is costs one small write now and then; without it the import goes on. */
static int each_chunk(void *arg, size_t n_bytes) {
    struct import *job = arg;
    lagd_job_beat(&job->listed.job);
    LAG_FP("model.chunk");
    job->row.n_bytes_done += (int64_t)n_bytes;
    if (lag_clock_mono_ns() >= job->report_due_ns) {
        (void)lag_store_write(job->all->deps->store, write_done, &job->row, NULL);
        job->report_due_ns = lag_clock_mono_ns() + REPORT_NS;
    }
    return atomic_load(&job->listed.job.cancelled);
}

/* Told as it stands, and not waited for: it is for a person to make room. */
static int check_space(const struct import *job, uint64_t n_bytes, struct lag_error *err) {
    const struct lagd_deps *deps = job->all->deps;
    uint64_t free_bytes = 0;
    char text[3][16];
    int rc = lag_fs_free_bytes(deps->state_dir, &free_bytes, err);
    const uint64_t kept = (uint64_t)atomic_load(&deps->min_free_bytes);
    if (rc != 0 || free_bytes >= n_bytes + kept) return rc;
    lag_bytes_text(n_bytes, text[0]);
    lag_bytes_text(free_bytes, text[1]);
    lag_bytes_text(kept, text[2]);
    return lag_error_set(err, LAG_ETOOBIG, "a copy of %s does not fit: %s are free and storage/min_free_bytes keeps %s "
                         "of them; free some space and bring the model again", text[0], text[1], text[2]);
}

static int copy(struct import *job, struct lag_error *err) {
    const struct lag_fs_watch watch = {each_chunk, job};
    struct lag_import *source = NULL;
    int rc = lag_import_open(job->root, job->relative, &source, err);
    if (rc != 0) return rc;
    const struct lag_import_look *look = lag_import_look(source);
    job->row.n_bytes = (int64_t)look->n_bytes;
    free(job->hashes);
    job->hashes = lag_calloc(look->n_files, sizeof(*job->hashes));
    if (!job->hashes) rc = lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
    if (rc == 0) rc = check_space(job, look->n_bytes, err);
    if (rc == 0) rc = lagd_unlisted_mark(job->dir, err);
    LAG_FP("model.marked");
    if (rc == 0) rc = lag_import_copy(source, job->dir, job->hashes, &watch, err);
    lag_import_close(source);
    return rc;
}

static void fill_row(struct import *job) {
    const struct lag_import_look *look = lag_import_look(job->found);
    struct lag_model_row *row = &job->row;
    lagd_shape_of_spec(&look->spec, &row->shape);
    row->norm_eps = look->spec.norm_eps;
    row->n_params = (int64_t)lag_spec_params(&look->spec);
    row->n_bytes = (int64_t)look->n_bytes;
    row->n_bytes_done = 2 * row->n_bytes;
    (void)lag_copy(row->dtype, sizeof(row->dtype), look->dtype);
    (void)lag_copy(row->tokenizer, sizeof(row->tokenizer), look->tokenizer);
    row->tokenizer_size = look->tokenizer_size;
}

/* From nothing on: what an earlier try left goes. What is judged is the copy, which nobody changes. */
static int import(struct import *job, struct lag_error *err) {
    const struct lag_fs_watch watch = {each_chunk, job};
    LAG_FP("model.import");
    if (LAG_FP_FAIL("model.no_memory")) return lag_error_set(err, LAG_ENOMEM, "out of memory: failpoint");
    lag_import_close(LAG_TAKE(job->found));
    job->row.n_bytes_done = 0;
    int rc = lagd_unlisted_remove(job->dir, err);
    if (rc == 0) rc = copy(job, err);
    LAG_FP("model.copied");
    if (rc == 0) rc = lag_import_open(job->dir, "", &job->found, err);
    if (rc == 0) rc = lag_import_check(job->found, &watch, err);
    if (rc == 0) fill_row(job);
    return rc;
}

/* What comes back by itself, as memory, is waited for. */
static int import_patiently(struct import *job, struct lag_error *err) {
    for (int n_tries = 0;; n_tries++) {
        int rc = import(job, err);
        if (lag_code_cause(rc) != LAG_CAUSE_PASSES) return rc;
        if (n_tries == 0) lag_log(LAG_LOG_WARNING, "model %s waits to be imported: %s", job->row.name, err->text);
        lagd_job_waits(&job->listed.job);
        lagd_pause_ms(LAGD_STORAGE_RETRY_MS, &job->listed.job.cancelled);
        lagd_job_beat(&job->listed.job);
        if (atomic_load(&job->listed.job.cancelled)) return LAG_ECANCELED;
    }
}

static int write_files(struct lag_db *db, const struct import *job, struct lag_error *err) {
    const struct lag_import_look *look = lag_import_look(job->found);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < look->n_files; i++) {
        struct lag_model_file_row row = {.n_bytes = (int64_t)look->files[i].n_bytes};
        (void)lag_copy(row.model_id, sizeof(row.model_id), job->row.id);
        (void)lag_copy(row.name, sizeof(row.name), look->files[i].name);
        (void)lag_copy(row.sha256, sizeof(row.sha256), job->hashes[i]);
        rc = lag_model_file_insert(db, &row, err);
    }
    for (size_t i = 0; rc == 0 && i < look->n_ignored; i++) {
        const struct lag_import_ignored *ignored = &look->ignored[i];
        struct lag_model_ignored_row row = {0};
        (void)lag_copy(row.model_id, sizeof(row.model_id), job->row.id);
        (void)lag_copy(row.name, sizeof(row.name), ignored->name);
        (void)lag_copy(row.file, sizeof(row.file), ignored->file);
        (void)lag_copy(row.dtype, sizeof(row.dtype), ignored->dtype);
        (void)lag_copy(row.shape, sizeof(row.shape), ignored->shape);
        rc = lag_model_ignored_insert(db, &row, err);
    }
    return rc;
}

static int write_ready(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct import *job = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_MODEL, .event = LAGD_MODEL_ON_READ, .id = job->row.id,
                                   .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    int rc = lagd_tx_post(db, &post, NULL, err);
    if (rc == 0) rc = lag_model_set_found(db, &job->row, err);
    return rc == 0 ? write_files(db, job, err) : rc;
}

static int import_it(struct import *job, struct lag_error *err) {
    int rc = import_patiently(job, err);
    LAG_FP("model.checked");
    if (rc != 0) return rc;
    lagd_job_waits(&job->listed.job); /* for the disk, as long as that is full */
    rc = lagd_write_patiently(job->all->deps, write_ready, job, &job->listed.job.cancelled, err);
    LAG_FP("model.ready");
    job->is_unknown = rc == LAG_ENOTFOUND;
    if (rc == 0) lagd_unlisted_unmark(job->dir);
    return rc == 0 ? 0 : LAG_ECANCELED; /* the next start makes it anew */
}

/* --- its end ----------------------------------------------------------------------------------------------------- */

static void remove_folder(const struct import *job) {
    struct lag_error err = {0};
    if (lagd_unlisted_remove(job->dir, &err) != 0)
        lag_log(LAG_LOG_WARNING, "the files of model %s could not be removed: %s", job->row.name, err.text);
}

struct refusing {
    const struct lag_model_row *row;
    const char *reason;
};

static int write_refused(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct refusing *refusing = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_MODEL, .event = LAGD_MODEL_ON_REFUSED,
                                   .id = refusing->row->id, .reason = refusing->reason, .step = LAG_NO_STEP,
                                   .value = LAG_NO_VALUE};
    return lagd_tx_post(db, &post, NULL, err);
}

void lagd_import_refuse(struct lagd_deps *deps, const struct lag_model_row *row, const char *reason) {
    struct refusing refusing = {.row = row, .reason = reason};
    struct lag_error err = {0};
    lag_log(LAG_LOG_WARNING, "model %s could not be imported: %s", row->name, reason);
    if (lag_store_write(deps->store, write_refused, &refusing, &err) != 0)
        lag_log(LAG_LOG_WARNING, "and that could not be stored; the next start imports it again: %s", err.text);
}

struct withdrawing {
    const char *id, *key;
};

static int write_withdrawn(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct withdrawing *withdrawing = arg;
    int rc = lag_model_delete(db, withdrawing->id, err);
    return rc == 0 && withdrawing->key[0] ? lag_key_forget(db, withdrawing->key, err) : rc;
}

void lagd_import_withdraw(struct lagd_deps *deps, const struct lag_model_row *row, const char *key) {
    struct withdrawing withdrawing = {row->id, key};
    struct lag_error err = {0};
    if (lag_store_write(deps->store, write_withdrawn, &withdrawing, &err) != 0)
        lag_log(LAG_LOG_WARNING, "model %s stays half imported; the next start goes on: %s", row->name, err.text);
}

/* A folder that is not listed goes; where lagd stops, the next start finds its mark. */
static void run_job(struct lagd_job *base) {
    struct import *job = (struct import *)base;
    struct lag_error err = {0};
    int rc = atomic_load(&base->cancelled) ? LAG_ECANCELED : import_it(job, &err);
    const bool gone = lagd_list_take_out(&job->all->list, &job->listed);
    if (gone || job->is_unknown) {
        remove_folder(job);
    } else if (rc != 0 && rc != LAG_ECANCELED) {
        remove_folder(job);
        lagd_import_refuse(job->all->deps, &job->row, err.text);
    }
}

static void end_job(struct lagd_job *base) {
    struct import *job = (struct import *)base;
    if (!base->ran && lagd_list_take_out(&job->all->list, &job->listed)) remove_folder(job);
    lag_import_close(job->found);
    free(job->hashes);
    free(job);
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

int lagd_imports_create(struct lagd_deps *deps, struct lagd_imports **ret, struct lag_error *err) {
    struct lagd_imports *all = lag_calloc(1, sizeof(*all));
    if (!all) return lag_error_set(err, LAG_ENOMEM, "out of memory for imports of models");
    all->deps = deps;
    int rc = lagd_list_init(&all->list, "import", err);
    if (rc == 0) *ret = all;
    else lagd_imports_destroy(all);
    return rc;
}

void lagd_imports_stop(struct lagd_imports *all) {
    if (all) lagd_list_stop(&all->list);
}

void lagd_imports_destroy(struct lagd_imports *all) {
    if (!all) return;
    lagd_list_deinit(&all->list);
    free(all);
}

int lagd_imports_admit(struct lagd_imports *all, struct lag_error *err) {
    const int n = lagd_list_count(&all->list);
    if (n < LAGD_IMPORTS_MAX) return 0;
    return lag_error_set(err, LAG_EBUSY, "%d models are being imported already; try again in a moment", n);
}

int lagd_imports_begin(struct lagd_imports *all, const struct lag_model_row *row, const char *root,
                       const char *relative, struct lag_error *err) {
    struct import *job = LAG_FP_FAIL("model.begin") ? NULL : lag_calloc(1, sizeof(*job));
    if (!job) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    job->listed.job = (struct lagd_job){.run = run_job, .done = end_job, .longest_ns = SILENCE_NS};
    job->all = all;
    job->row = *row;
    job->listed.id = job->row.id;
    (void)lag_copy(job->root, sizeof(job->root), root);
    (void)lag_copy(job->relative, sizeof(job->relative), relative);
    lagd_model_path(all->deps, row->id, job->dir);
    const int rc = lagd_list_submit(&all->list, &job->listed, err);
    if (rc != 0) free(job);
    return rc;
}

bool lagd_imports_cancel(struct lagd_imports *all, const char *model_id) {
    return lagd_list_cancel(&all->list, model_id);
}

bool lagd_imports_stuck(struct lagd_imports *all, int64_t now_ns) { return lagd_pool_stuck(all->list.pool, now_ns); }

size_t lagd_imports_waiting(struct lagd_imports *all) { return lagd_pool_waiting(all->list.pool); }

/* A run that begins at step 0 from a model that was brought, or from a checkpoint. Else it is made as a fork is. */
#include "checkpoint/begin_internal.h"

#include "checkpoint/checkpoint_internal.h"
#include "plan/run_config_internal.h"
#include "records/folders_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/hash.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/import.h>
#include <lagd/storage/models.h>
#include <stdio.h>
#include <string.h>

/* --- plan -------------------------------------------------------------------------------------------------------- */

static void fill_run(struct lagd_fork *fork, const struct lag_dataset_row *dataset) {
    const struct lagd_run_config *config = &fork->config;
    const struct lagd_run_source *from = &fork->from;
    struct lag_run_row *row = &fork->run;
    *row = (struct lag_run_row){.shape = config->shape, .n_params = fork->estimate.n_params,
                                .max_steps = config->max_steps, .lr_scale = 1, .rollback_step = -1, .revision = 1};
    lagd_fork_hold(&from->checkpoint, 0, row);
    row->created_ms = row->updated_ms = lag_clock_wall_ms();
    lagd_fork_name(config, row);
    (void)lag_copy(row->dataset_id, sizeof(row->dataset_id), dataset->id);
    (void)lag_copy(row->dataset_name, sizeof(row->dataset_name), dataset->name);
    (void)lag_copy(row->origin_run, sizeof(row->origin_run), from->run.id);
    (void)lag_copy(row->origin_name, sizeof(row->origin_name), from->run.name);
    (void)lag_copy(row->origin_checkpoint, sizeof(row->origin_checkpoint), from->checkpoint.id);
    (void)lag_copy(row->model_id, sizeof(row->model_id), from->model.id);
    (void)lag_copy(row->model_name, sizeof(row->model_name), from->model.name);
}

static void fill_own(struct lagd_fork *fork) {
    fork->source = fork->from.checkpoint;
    fork->source.shape = fork->config.shape;
    fork->source.step = 0;
    fork->source.masked_until = fork->run.masked_until;
    (void)lag_copy(fork->source.fingerprint, sizeof(fork->source.fingerprint),
                   lag_fingerprint(lagd_run_precision(&fork->config)));
    lagd_fork_fill_own(fork, LAGD_KIND_START);
}

int lagd_begin_plan(struct lag_db *db, int n_threads, const struct lagd_run_from *from,
                    const struct lagd_run_config *config, struct lagd_fork *ret, struct lag_error *err) {
    struct lag_dataset_row dataset;
    ret->config = *config;
    ret->begins = true;
    ret->moments = from->moments;
    int rc = lagd_run_prepare(db, from, &ret->config, &dataset, &ret->from, err);
    if (rc == 0) rc = lagd_fork_check_name(db, &ret->config, err);
    if (rc == 0) rc = lagd_run_estimate(&ret->config, n_threads, &ret->estimate, err);
    if (rc != 0) return rc;
    fill_run(ret, &dataset);
    fill_own(ret);
    (void)lag_copy(ret->config.name, sizeof(ret->config.name), ret->run.name);
    (void)lag_copy(ret->config.dataset, sizeof(ret->config.dataset), dataset.id);
    return lagd_run_config_format(&ret->config, ret->run.config, err);
}

/* --- the state --------------------------------------------------------------------------------------------------- */

struct checking {
    const struct lagd_deps *deps;
    const struct lag_model_row *model;
    char dir[LAGD_STATE_PATH];
    struct lag_model_file_row *rows;
    size_t n, capacity;
};

static int add_file(const struct lag_model_file_row *row, void *arg) {
    struct checking *checking = arg;
    if (lag_grow_array((void **)&checking->rows, &checking->capacity, checking->n + 1, sizeof(*checking->rows)) != 0)
        return LAG_ENOMEM;
    checking->rows[checking->n++] = *row;
    return 0;
}

static int read_files(struct lag_db *db, void *arg, struct lag_error *err) {
    struct checking *checking = arg;
    checking->n = 0;
    int rc = lag_model_files(db, checking->model->id, add_file, checking, err);
    return rc == LAG_ENOMEM ? lag_error_set(err, rc, "out of memory for a model's files") : rc;
}

/* The folder's files are those of the import, to the last byte. */
static int verify_model(struct checking *checking, struct lag_error *err) {
    int rc = lagd_read(checking->deps, read_files, checking, err);
    for (size_t i = 0; rc == 0 && i < checking->n; i++) {
        const struct lag_model_file_row *row = &checking->rows[i];
        LAG_CLEANUP(lag_free_p) char *path = lag_asprintf("%s/%s", checking->dir, row->name);
        char sha256[LAG_SHA256_HEX];
        if (!path) return lag_error_set(err, LAG_ENOMEM, "out of memory for a model's files");
        rc = lag_sha256_file(path, sha256, err);
        if (rc == LAG_ENOTFOUND)
            return lag_error_set(err, LAG_EAWAY, "the file %s of model %s is not there: put it back, or delete the "
                                 "model and bring it again", path, checking->model->name);
        if (rc == 0 && strcmp(sha256, row->sha256) != 0)
            return lag_error_set(err, LAG_ECORRUPT, "%s is damaged: its SHA-256 is not that of the import; delete the "
                                 "model %s and bring it again", path, checking->model->name);
    }
    return rc;
}

static int load_model(const struct lagd_deps *deps, const struct lag_model_row *model, struct lag_state **ret,
                      struct lag_error *err) {
    struct checking checking = {.deps = deps, .model = model};
    struct lag_import *import = NULL;
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *state = NULL;
    lagd_model_path(deps, model->id, checking.dir);
    if (lagd_unlisted_is_marked(checking.dir))
        return lag_error_set(err, LAG_ESTATE, "model %s is being deleted", model->name);
    int rc = verify_model(&checking, err);
    free(checking.rows);
    if (rc == 0) rc = lag_import_open(checking.dir, "", &import, err);
    if (rc == 0) rc = lag_state_create(&lag_import_look(import)->spec, &state, err);
    if (rc == 0) rc = lag_import_load(import, state, err);
    if (rc == 0) *ret = LAG_TAKE(state);
    lag_import_close(import);
    return rc;
}

static int load_checkpoint(const struct lagd_deps *deps, const struct lagd_fork *fork, struct lag_state **ret,
                           struct lag_error *err) {
    char dir[LAGD_STATE_PATH];
    lagd_state_path(deps, fork->from.checkpoint.path, dir);
    if (lagd_unlisted_is_marked(dir))
        return lag_error_set(err, LAG_ESTATE, "the checkpoint %s is being deleted: choose another one",
                             fork->from.checkpoint.id);
    int rc = lag_checkpoint_read(dir, ret, NULL, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_set(err, LAG_EAWAY, "the files of the checkpoint %s are not there (%.300s): put them back, or "
                             "mount their disk", fork->from.checkpoint.id, fork->from.checkpoint.path);
    return rc == 0 ? lag_state_restart(*ret, fork->moments, err) : rc;
}

int lagd_begin_files(const struct lagd_deps *deps, struct lagd_fork *fork, struct lag_checkpoint_files *ret,
                     struct lag_error *err) {
    struct lag_checkpoint_meta meta = {.seed = (uint64_t)fork->config.seed, .lr_scale = 1};
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *state = NULL;
    char to[LAGD_STATE_PATH];
    lagd_state_path(deps, fork->own.path, to);
    lagd_fork_fill_meta(fork, &meta);
    int rc = fork->from.checkpoint.id[0] ? load_checkpoint(deps, fork, &state, err)
                                         : load_model(deps, &fork->from.model, &state, err);
    LAG_FP("begin.loaded");
    return rc == 0 ? lag_checkpoint_write(to, state, &meta, ret, err) : rc;
}

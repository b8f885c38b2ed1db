/* A run made of a checkpoint of another one. */
#include "checkpoint/fork_internal.h"

#include "checkpoint/begin_internal.h"
#include "checkpoint/checkpoint_internal.h"
#include "plan/batches_internal.h"
#include "plan/run_config_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/models.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lagd_fork_request_destroy(struct lagd_fork_request *request) {
    if (request) free(request->growth);
    free(request);
}

/* --- plan -------------------------------------------------------------------------------------------------------- */

static int find_source(struct lag_db *db, const struct lagd_fork_request *request, const struct lag_run_row *parent,
                       struct lag_checkpoint_row *ret, struct lag_error *err) {
    if (!request->checkpoint[0]) {
        int rc = lag_checkpoint_latest(db, parent->id, ret, err);
        if (rc != LAG_ENOTFOUND) return rc;
        return lag_error_set(err, LAG_ESTATE, "run %s has no checkpoint: let it train to its first one, or ask for one "
                             "(POST /runs/%s/checkpoint)", parent->name, parent->name);
    }
    int rc = lag_checkpoint_get(db, request->checkpoint, ret, err);
    if (rc == LAG_ENOTFOUND || (rc == 0 && strcmp(ret->run_id, parent->id) != 0))
        return lag_error_at(err, LAG_EINVAL, "/checkpoint", "run %s has no checkpoint %s: GET /api/v1/runs/%s/"
                            "checkpoints lists those that it has", parent->name, request->checkpoint, parent->name);
    return rc;
}

/* The parent's configuration with what was given, and the model as it is at the checkpoint. */
static int merge(const struct lagd_fork_request *request, const struct lag_run_row *parent, struct lagd_fork *fork,
                 struct lag_error *err) {
    struct lagd_run_config *config = &fork->config;
    fork->has_schedule = request->whole && request->reschedules;
    int rc = lagd_run_config_parse(parent->config, config, err);
    if (rc != 0) return lag_error_wrap(err, "run %s", parent->name);
    rc = lagd_batches_at(parent, fork->source.step, config, err);
    if (rc != 0) return rc;
    config->name[0] = '\0';
    if (request->whole) *config = request->config;
    for (size_t i = 0; i < lagd_fork_fields.n_rows; i++) {
        const struct lag_field *field = &lagd_fork_fields.rows[i];
        if (!(request->given >> i & 1) || field->offset >= sizeof(*config)) continue;
        memcpy((char *)config + field->offset, (const char *)&request->config + field->offset, field->size);
        fork->has_schedule = fork->has_schedule || strncmp(field->path, "schedule/", 9) == 0;
    }
    config->start = request->config.start;
    config->shape = fork->source.shape;
    config->gated = fork->source.gated;
    (void)lag_copy(config->dataset, sizeof(config->dataset), parent->dataset_id);
    if (config->max_steps >= fork->source.step) return 0;
    return lag_error_at(err, LAG_EINVAL, "/schedule/max_steps", "schedule/max_steps (%" PRId64 ") must not be below "
                        "the step of the checkpoint (%" PRId64 ")", config->max_steps, fork->source.step);
}

int lagd_fork_check_name(struct lag_db *db, const struct lagd_run_config *config, struct lag_error *err) {
    struct lag_run_row other;
    if (!config->name[0] || lag_run_get(db, config->name, &other, NULL) != 0) return 0;
    return lag_error_at(err, LAG_EEXIST, "/name", "a run with the name %s exists already; choose another",
                        config->name);
}

void lagd_fork_name(const struct lagd_run_config *config, struct lag_run_row *row) {
    lag_id_new("run", row->id);
    if (config->name[0]) (void)lag_copy(row->name, sizeof(row->name), config->name);
    else (void)snprintf(row->name, sizeof(row->name), "run-%s", row->id + strlen(row->id) - 8);
}

void lagd_fork_hold(const struct lag_checkpoint_row *source, int64_t step, struct lag_run_row *row) {
    const int64_t left = source->masked_until - (source->step - step);
    row->gated = source->gated;
    row->masked_until = source->masked_until > 0 ? LAG_MAX(left, 0) : 0;
}

static void fill_run(const struct lag_run_row *parent, struct lagd_fork *fork) {
    const struct lagd_run_config *config = &fork->config;
    struct lag_run_row *row = &fork->run;
    *row = (struct lag_run_row){.shape = config->shape, .n_params = fork->estimate.n_params, .step = fork->source.step,
                                .max_steps = config->max_steps, .lr_scale = parent->lr_scale, .rollback_step = -1,
                                .origin_step = fork->source.step, .revision = 1};
    lagd_fork_hold(&fork->source, row->step, row);
    row->tokens = row->step * config->accumulate * config->sequences * config->tokens_per_sequence;
    row->created_ms = row->updated_ms = lag_clock_wall_ms();
    lagd_fork_name(config, row);
    (void)lag_copy(row->dataset_id, sizeof(row->dataset_id), parent->dataset_id);
    (void)lag_copy(row->dataset_name, sizeof(row->dataset_name), parent->dataset_name);
    (void)lag_copy(row->origin_run, sizeof(row->origin_run), parent->id);
    (void)lag_copy(row->origin_name, sizeof(row->origin_name), parent->name);
    (void)lag_copy(row->origin_checkpoint, sizeof(row->origin_checkpoint), fork->source.id);
    (void)lag_copy(row->model_id, sizeof(row->model_id), parent->model_id);
    (void)lag_copy(row->model_name, sizeof(row->model_name), parent->model_name);
    if (!fork->has_schedule) (void)lag_copy(row->schedules, sizeof(row->schedules), parent->schedules);
}

/* Kept for good: without it there is nothing that the run could begin anew from. */
void lagd_fork_fill_own(struct lagd_fork *fork, const char *kind) {
    struct lag_checkpoint_row *own = &fork->own;
    *own = fork->source;
    own->candidate_id[0] = '\0';
    own->keep = true;
    own->created_ms = fork->run.created_ms;
    lag_id_new("ckpt", own->id);
    (void)lag_copy(own->run_id, sizeof(own->run_id), fork->run.id);
    (void)lag_copy(own->kind, sizeof(own->kind), kind);
    (void)snprintf(own->path, sizeof(own->path), "runs/%s/ckpt-%08lld-%s", own->run_id, (long long)own->step,
                   own->id + strlen(own->id) - 10);
}

int lagd_fork_plan(struct lag_db *db, int n_threads, const struct lagd_fork_request *request, struct lagd_fork *ret,
                   struct lag_error *err) {
    struct lag_run_row parent;
    struct lag_dataset_row dataset;
    int rc = lag_run_get(db, request->run, &parent, err);
    if (rc == 0) rc = find_source(db, request, &parent, &ret->source, err);
    if (rc == 0) rc = merge(request, &parent, ret, err);
    if (rc == 0) rc = lagd_fork_check_name(db, &ret->config, err);
    if (rc == 0) rc = lag_dataset_get(db, parent.dataset_id, &dataset, err);
    if (rc == 0) rc = lagd_run_config_resolve(&ret->config, &dataset, err);
    if (rc == 0) rc = lagd_run_estimate(&ret->config, n_threads, &ret->estimate, err);
    if (rc != 0) return rc;
    fill_run(&parent, ret);
    lagd_fork_fill_own(ret, LAGD_KIND_FORK);
    (void)lag_copy(ret->config.name, sizeof(ret->config.name), ret->run.name);
    return lagd_run_config_format(&ret->config, ret->run.config, err);
}

/* --- copy -------------------------------------------------------------------------------------------------------- */

static int find_row(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lag_checkpoint_row row;
    return lag_checkpoint_get(db, ((const struct lagd_fork *)arg)->source.id, &row, err);
}

static int refuse_deleted(const struct lagd_fork *fork, const char *what, struct lag_error *err) {
    return lag_error_set(err, LAG_ESTATE, "the checkpoint %s of step %" PRId64 " %s: choose another one",
                         fork->source.id, fork->source.step, what);
}

/* What stopped the copy: the deletion of its source, also by retention, files that are away, or something else. */
static int explain(const struct lagd_deps *deps, struct lagd_fork *fork, int rc, struct lag_error *err) {
    if (lagd_read(deps, find_row, fork, NULL) == LAG_ENOTFOUND)
        return refuse_deleted(fork, "has been deleted meanwhile", err);
    if (rc != LAG_ENOTFOUND) return rc;
    return lag_error_set(err, LAG_EAWAY, "the files of the checkpoint %s are not there (%.300s): put them back, or "
                         "mount their disk", fork->source.id, fork->source.path);
}

static void fill_files(struct lagd_fork *fork, const struct lag_checkpoint_files *files) {
    fork->own.n_bytes = (int64_t)files->n_bytes;
    for (int i = 0; i < LAG_CHECKPOINT_FILES; i++) {
        struct lag_checkpoint_file_row *row = &fork->files[i];
        (void)lag_copy(row->checkpoint_id, sizeof(row->checkpoint_id), fork->own.id);
        (void)lag_copy(row->name, sizeof(row->name), files->file[i].name);
        (void)lag_copy(row->sha256, sizeof(row->sha256), files->file[i].sha256);
        row->n_bytes = (int64_t)files->file[i].n_bytes;
    }
}

/* That of the steps before the checkpoint: rollbacks behind it are not the fork's. A parent that got another rate began
 * anew with 1. */
static void take_scale(struct lagd_fork *fork, const char *from) {
    struct lag_checkpoint_look look;
    if (lag_checkpoint_look(from, &look, NULL) == 0) /* else the copy says why */
        fork->run.lr_scale = LAG_MAX(fork->run.lr_scale, look.meta.lr_scale);
}

void lagd_fork_fill_meta(const struct lagd_fork *fork, struct lag_checkpoint_meta *meta) {
    (void)lag_copy(meta->run_id, sizeof(meta->run_id), fork->run.id);
    (void)lag_copy(meta->fingerprint, sizeof(meta->fingerprint), fork->source.fingerprint);
    (void)lag_copy(meta->version, sizeof(meta->version), LAGD_VERSION);
    (void)lag_copy(meta->id, sizeof(meta->id), fork->own.id);
    (void)lag_copy(meta->kind, sizeof(meta->kind), fork->own.kind);
    (void)lag_copy(meta->origin_run, sizeof(meta->origin_run), fork->run.origin_run);
    (void)lag_copy(meta->origin_checkpoint, sizeof(meta->origin_checkpoint), fork->run.origin_checkpoint);
}

static int copy_files(const struct lagd_deps *deps, struct lagd_fork *fork, const struct lag_fs_watch *watch,
                      struct lag_checkpoint_files *files, struct lag_error *err) {
    struct lag_checkpoint_meta meta = {.tokens = fork->run.tokens, .seed = (uint64_t)fork->config.seed,
                                       .origin_step = fork->source.step};
    char from[LAGD_STATE_PATH], to[LAGD_STATE_PATH];
    lagd_state_path(deps, fork->source.path, from);
    lagd_state_path(deps, fork->own.path, to);
    lagd_fork_fill_meta(fork, &meta);
    if (lagd_unlisted_is_marked(from)) return refuse_deleted(fork, "is being deleted", err);
    take_scale(fork, from);
    meta.lr_scale = fork->run.lr_scale;
    int rc = lag_checkpoint_copy(from, to, &meta, watch, files, err);
    return rc == 0 || rc == LAG_ECANCELED ? rc : explain(deps, fork, rc, err);
}

/* The folder of the new run, which holds nothing but the copy. */
static void folder_of(const struct lagd_deps *deps, const struct lagd_fork *fork, char ret[LAGD_STATE_PATH]) {
    (void)snprintf(ret, LAGD_STATE_PATH, "%s/runs/%s", deps->state_dir, fork->run.id);
}

static void discard(const char *dir) {
    struct lag_error err = {0};
    if (lagd_unlisted_remove(dir, &err) != 0)
        lag_log(LAG_LOG_WARNING, "the folder of a fork that was not made stays behind: %s", err.text);
}

int lagd_fork_copy(const struct lagd_deps *deps, struct lagd_fork *fork, const struct lag_fs_watch *watch,
                   struct lag_error *err) {
    char dir[LAGD_STATE_PATH];
    struct lag_checkpoint_files files = {0};
    struct lag_spec spec;
    lagd_run_spec(&fork->config, &spec);
    folder_of(deps, fork, dir);
    int rc = lagd_checkpoint_check_space(deps, &spec, err);
    if (rc == 0) rc = lagd_unlisted_mark(dir, err);
    LAG_FP("fork.marked");
    if (rc == 0)
        rc = fork->begins ? lagd_begin_files(deps, fork, &files, err) : copy_files(deps, fork, watch, &files, err);
    if (rc == 0) fill_files(fork, &files);
    else discard(dir);
    LAG_FP("fork.copied");
    return rc;
}

/* --- write, settle ----------------------------------------------------------------------------------------------- */

/* A model is not deleted while a run is of it: this one is about to be. */
static int check_model(struct lag_db *db, const struct lag_run_row *run, struct lag_error *err) {
    struct lag_model_row model;
    int rc = run->model_id[0] ? lag_model_get(db, run->model_id, &model, err) : 0;
    return rc != LAG_ENOTFOUND ? rc : lag_error_set(err, LAG_ESTATE, "model %s has been deleted meanwhile",
                                                    run->model_name);
}

int lagd_fork_write(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_fork *fork = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_RUN, .row = &fork->run, .step = fork->run.step,
                                   .event = fork->config.start ? LAGD_RUN_ON_CREATED : LAGD_RUN_ON_CREATED_PAUSED};
    struct lag_run_row parent;
    char message[LAG_ROW_TEXT];
    int rc = check_model(db, &fork->run, err);
    if (rc == 0) rc = lagd_tx_post(db, &post, NULL, err);
    if (rc == 0) rc = lag_checkpoint_insert(db, &fork->own, fork->files, LAG_CHECKPOINT_FILES, err);
    const struct lag_event kept = {.type = LAG_EVENT_RUN_CHECKPOINT, .run_id = fork->run.id, .state = fork->own.kind,
                                   .step = fork->own.step, .value = (double)fork->own.n_bytes, .message = fork->own.id};
    if (rc == 0) rc = lag_event_put(db, &kept, err);
    if (rc != 0 || lag_run_get(db, fork->run.origin_run, &parent, NULL) != 0) return rc;
    (void)snprintf(message, sizeof(message), "%s %s %s", fork->run.name,
                   fork->begins ? "begins from" : "was forked from", fork->run.origin_checkpoint);
    const struct lag_event told = {.type = LAG_EVENT_RUN_CHANGED, .run_id = parent.id, .state = parent.state,
                                   .step = fork->source.step, .message = message};
    return lag_event_put(db, &told, err);
}

void lagd_fork_settle(const struct lagd_deps *deps, const struct lagd_fork *fork, int rc) {
    char dir[LAGD_STATE_PATH];
    folder_of(deps, fork, dir);
    LAG_FP("fork.settling");
    if (rc == 0) lagd_unlisted_unmark(dir);
    else if (lagd_is_undone(rc)) discard(dir);
    else lag_log(LAG_LOG_WARNING, "%s stays: whether the database lists it is known at the next start", dir);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

struct making {
    const struct lagd_deps *deps;
    const struct lagd_fork_request *request;
    struct lagd_fork *fork;
};

static int plan_it(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct making *making = arg;
    return lagd_fork_plan(db, making->deps->n_threads, making->request, making->fork, err);
}

int lagd_fork_make(const struct lagd_deps *deps, const struct lagd_fork_request *request, struct lagd_fork *ret,
                   struct lag_error *err) {
    struct making making = {deps, request, ret};
    int rc = lagd_read(deps, plan_it, &making, err);
    if (rc == 0) rc = lagd_fork_copy(deps, ret, NULL, err);
    if (rc != 0) return rc;
    rc = lag_store_write(deps->store, lagd_fork_write, ret, err);
    lagd_fork_settle(deps, ret, rc);
    return rc;
}

/* Writing a checkpoint: the folder, its row with the event, and what retention removes. */
#include "checkpoint/checkpoint_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include "process/tell_internal.h"
#include "records/folders_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/parse.h>
#include <lagd/daemon/messages.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/train.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/series.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct making {
    struct lagd_deps *deps;
    const struct lagd_checkpoint_request *request;
    struct lag_checkpoint_row row;
    struct lag_checkpoint_file_row files[LAG_CHECKPOINT_FILES];
    int n_files;
    struct lagd_retention rules;
    struct lag_checkpoint_row *all; /* of the run, newest first */
    bool *stays;
    size_t n, capacity;
    struct lag_checkpoint_row *marked; /* those that are to go */
    size_t n_marked;
};

/* --- retention --- */

static int collect(const struct lag_checkpoint_row *row, void *arg) {
    struct making *making = arg;
    if (lag_grow_array((void **)&making->all, &making->capacity, making->n + 1, sizeof(*making->all)) != 0)
        return LAG_ENOMEM;
    making->all[making->n++] = *row;
    return 0;
}

/* The last validation loss at or before the checkpoint's step. */
static int find_loss(struct lag_db *db, int64_t series, int64_t step, double *ret, struct lag_error *err) {
    int64_t at_step;
    return lag_points_last(db, series, step, &at_step, ret, err);
}

static int describe(struct lag_db *db, const struct making *making, struct lagd_retained *ret_rows,
                    struct lag_error *err) {
    struct lag_series_row series = {.id = -1};
    int rc = 0;
    if (making->rules.keep_best > 0) {
        rc = lag_series_find(db, making->row.run_id, "val/loss", &series, err);
        if (rc == LAG_ENOTFOUND) rc = 0;
    }
    for (size_t i = 0; rc == 0 && i < making->n; i++) {
        const struct lag_checkpoint_row *row = &making->all[i];
        char by[LAG_ROW_ID];
        int needed = row->keep ? 0 : lag_checkpoint_is_needed(db, row->id, by, err);
        if (needed == 0 && !row->keep) needed = lag_checkpoint_is_fused(db, row->id, by, err);
        if (needed < 0) return needed;
        ret_rows[i] = (struct lagd_retained){row->step, NAN, row->keep || row->candidate_id[0] != '\0' || needed == 1};
        if (series.id >= 0 && !ret_rows[i].pinned) rc = find_loss(db, series.id, row->step, &ret_rows[i].val_loss, err);
    }
    return rc;
}

/* The run's rules may have been changed since its thread read them. */
static void read_rules(struct lag_db *db, struct making *making) {
    struct lag_run_row run;
    struct lagd_run_config config;
    if (lag_run_get(db, making->row.run_id, &run, NULL) != 0 || lagd_run_config_parse(run.config, &config, NULL) != 0)
        return;
    making->rules = lagd_retention_of(&config);
    if (making->rules.keep_last < 1) making->rules.keep_last = LAG_MAX(1, atomic_load(&making->deps->keep_checkpoints));
}

/* Which of the run's rows stay, by the rules of now. */
static int judge(struct lag_db *db, struct making *making, struct lag_error *err) {
    making->n = 0;
    int rc = lag_checkpoint_list(db, making->row.run_id, collect, making, err);
    if (rc != 0) return rc == LAG_ENOMEM ? lag_error_set(err, rc, "out of memory for a list of checkpoints") : rc;
    free(making->stays);
    making->stays = lag_calloc(making->n + 1, sizeof(*making->stays));
    LAG_CLEANUP(lag_free_p) struct lagd_retained *rows = lag_calloc(making->n + 1, sizeof(*rows));
    if (!rows || !making->stays) return lag_error_set(err, LAG_ENOMEM, "out of memory for a list of checkpoints");
    read_rules(db, making);
    rc = describe(db, making, rows, err);
    if (rc == 0) lagd_retain(rows, (int)making->n, &making->rules, making->stays);
    return rc;
}

static int find_retired(struct lag_db *db, void *arg, struct lag_error *err) {
    return judge(db, arg, err);
}

static bool was_marked(const struct making *making, const char *id) {
    for (size_t i = 0; i < making->n_marked; i++)
        if (strcmp(making->marked[i].id, id) == 0) return true;
    return false;
}

/* Only what is marked: a person may have kept one since, and a start must know the others again. */
static int delete_retired(struct lag_db *db, void *arg, struct lag_error *err) {
    struct making *making = arg;
    int rc = judge(db, making, err);
    for (size_t i = 0; rc == 0 && i < making->n; i++) {
        if (!making->stays[i] && !was_marked(making, making->all[i].id)) making->stays[i] = true;
        if (!making->stays[i]) rc = lag_checkpoint_delete(db, making->all[i].id, err);
    }
    return rc;
}

static bool has_gone(const struct making *making, const char *id) {
    for (size_t i = 0; i < making->n; i++)
        if (strcmp(making->all[i].id, id) == 0) return !making->stays[i];
    return true; /* by someone else */
}

static int mark_retired(struct making *making, struct lag_error *err) {
    making->marked = lag_calloc(making->n + 1, sizeof(*making->marked));
    if (!making->marked) return lag_error_set(err, LAG_ENOMEM, "out of memory for a list of checkpoints");
    for (size_t i = 0; i < making->n; i++) {
        if (making->stays[i]) continue;
        making->marked[making->n_marked++] = making->all[i];
        lagd_folder_mark(making->deps, making->all[i].path);
    }
    return 0;
}

/* Old checkpoints go in a transaction of their own, once the new one is durable. Where its outcome is not known all
 * folders stay, marked, and the next start decides by the rows. */
static int retain(struct making *making, struct lag_error *err) {
    struct lagd_deps *deps = making->deps;
    int rc = lagd_read(deps, find_retired, making, err);
    if (rc == 0) rc = mark_retired(making, err);
    if (rc != 0 || making->n_marked == 0) return rc;
    LAG_FP("retention.marked");
    rc = lag_store_write(deps->store, delete_retired, making, err);
    if (rc != 0 && !lagd_is_undone(rc)) return rc;
    LAG_FP("retention.unlisted");
    for (size_t i = 0; i < making->n_marked; i++) {
        if (rc == 0 && has_gone(making, making->marked[i].id)) lagd_folder_remove(deps, making->marked[i].path);
        else lagd_folder_unmark(deps, making->marked[i].path);
    }
    return rc;
}

/* --- the row --- */

static int commit(struct lag_db *db, void *arg, struct lag_error *err) {
    struct making *making = arg;
    int rc = lag_checkpoint_insert(db, &making->row, making->files, making->n_files, err);
    if (rc != 0) return rc;
    const struct lag_event event = {.type = LAG_EVENT_RUN_CHECKPOINT, .run_id = making->row.run_id,
                                    .candidate_id = making->row.candidate_id, .state = making->row.kind,
                                    .step = making->row.step, .value = (double)making->row.n_bytes,
                                    .message = making->row.id};
    rc = lag_event_put(db, &event, err);
    if (rc == 0 && making->request->extra) rc = making->request->extra(db, making->request->extra_arg, err);
    return rc;
}

static void fill_row(struct making *making, const struct lag_state *state) {
    struct lag_checkpoint_row *row = &making->row;
    if (making->request->id) (void)lag_copy(row->id, sizeof(row->id), making->request->id);
    else lag_id_new("ckpt", row->id);
    (void)lag_copy(row->run_id, sizeof(row->run_id), making->request->run_id);
    if (making->request->candidate_id)
        (void)lag_copy(row->candidate_id, sizeof(row->candidate_id), making->request->candidate_id);
    (void)lag_copy(row->kind, sizeof(row->kind), making->request->kind);
    /* The random end of the id keeps two checkpoints of one step apart. */
    (void)snprintf(row->path, sizeof(row->path), "runs/%s/ckpt-%08lld-%s", row->run_id, (long long)state->step,
                   row->id + strlen(row->id) - 10);
    row->step = state->step;
    lagd_shape_of_spec(&state->layout.spec, &row->shape);
    row->gated = state->layout.spec.gated;
    row->masked_until = lag_state_masked_until(state);
    row->keep = making->request->keep;
    (void)lag_copy(row->fingerprint, sizeof(row->fingerprint), lag_fingerprint(making->request->precision));
    row->created_ms = lag_clock_wall_ms();
}

int lagd_checkpoint_check_space(const struct lagd_deps *deps, const struct lag_spec *shape, struct lag_error *err) {
    uint64_t free_bytes = 0, need = lag_checkpoint_bytes(shape);
    int rc = lag_fs_free_bytes(deps->state_dir, &free_bytes, err);
    if (rc != 0) return rc;
    int64_t min_free_bytes = atomic_load(&deps->min_free_bytes);
    if (free_bytes >= need + (uint64_t)min_free_bytes) return 0;
    char text[3][16];
    lag_bytes_text(need, text[0]);
    lag_bytes_text(free_bytes, text[1]);
    lag_bytes_text((uint64_t)min_free_bytes, text[2]);
    return lag_error_set(err, LAG_ENOSPC, "a checkpoint of %s does not fit: %s are free and storage/min_free_bytes "
                         "keeps %s of them; free some space or delete old runs", text[0], text[1], text[2]);
}

static int write_files(struct making *making, const char *dir, const struct lag_state *state, struct lag_error *err) {
    const struct lagd_checkpoint_request *request = making->request;
    struct lag_checkpoint_meta meta = {.tokens = request->tokens, .seed = request->seed};
    (void)lag_copy(meta.run_id, sizeof(meta.run_id), request->run_id);
    if (request->growth_text) (void)lag_copy(meta.growth_text, sizeof(meta.growth_text), request->growth_text);
    if (request->parent_sha256) (void)lag_copy(meta.parent_sha256, sizeof(meta.parent_sha256), request->parent_sha256);
    (void)lag_copy(meta.fingerprint, sizeof(meta.fingerprint), lag_fingerprint(request->precision));
    (void)lag_copy(meta.version, sizeof(meta.version), LAGD_VERSION);
    (void)lag_copy(meta.id, sizeof(meta.id), making->row.id);
    (void)lag_copy(meta.candidate_id, sizeof(meta.candidate_id), making->row.candidate_id);
    (void)lag_copy(meta.kind, sizeof(meta.kind), making->row.kind);
    if (request->run) {
        (void)lag_copy(meta.origin_run, sizeof(meta.origin_run), request->run->origin_run);
        (void)lag_copy(meta.origin_checkpoint, sizeof(meta.origin_checkpoint), request->run->origin_checkpoint);
        meta.origin_step = request->run->origin_step;
        meta.lr_scale = request->run->lr_scale;
    }
    struct lag_checkpoint_files files = {0};
    int rc = lag_checkpoint_write(dir, state, &meta, &files, err);
    if (rc != 0) return rc;
    for (int i = 0; i < files.n_files; i++) {
        struct lag_checkpoint_file_row *file = &making->files[i];
        (void)lag_copy(file->checkpoint_id, sizeof(file->checkpoint_id), making->row.id);
        (void)lag_copy(file->name, sizeof(file->name), files.file[i].name);
        (void)lag_copy(file->sha256, sizeof(file->sha256), files.file[i].sha256);
        file->n_bytes = (int64_t)files.file[i].n_bytes;
    }
    making->n_files = files.n_files;
    making->row.n_bytes = (int64_t)files.n_bytes;
    return 0;
}

static void tell_made(const struct making *making, const struct lag_state *state, int64_t began_ns) {
    struct lagd_deps *deps = making->deps;
    const struct lagd_checkpoint_request *request = making->request;
    const struct lagd_about about = {request->run_id, NULL, state->step, LAGD_MESSAGE_CHECKPOINT_WRITTEN};
    lagd_tell(LAG_LOG_INFO, &about, "run %s: checkpoint %s (%s) of step %lld, %lld bytes", request->run_id,
              making->row.id, request->kind, (long long)state->step, (long long)making->row.n_bytes);
    atomic_fetch_add(&deps->totals.checkpoints, 1);
    atomic_fetch_add(&deps->totals.checkpoint_bytes, making->row.n_bytes);
    atomic_fetch_add(&deps->totals.checkpoint_ns, lag_clock_mono_ns() - began_ns);
}

static int make(struct making *making, const struct lag_state *state, struct lag_error *err) {
    struct lagd_deps *deps = making->deps;
    int64_t began_ns = lag_clock_mono_ns();
    char dir[LAGD_STATE_PATH], parent[LAGD_STATE_PATH];
    lagd_state_path(deps, making->row.path, dir);
    (void)snprintf(parent, sizeof(parent), "%s/runs/%s", deps->state_dir, making->row.run_id);
    int rc = lag_fs_mkdirs(parent, err);
    if (rc == 0) rc = write_files(making, dir, state, err);
    if (rc != 0) return rc;
    LAG_FP("checkpoint.row");
    rc = lag_store_write(deps->store, commit, making, err);
    if (rc != 0) {
        if (lagd_is_undone(rc)) lagd_folder_remove(deps, making->row.path);
        else lag_log(LAG_LOG_WARNING, "%s stays: whether the database lists it is known at the next start",
                     making->row.path);
        return rc;
    }
    LAG_FP("checkpoint.listed");
    tell_made(making, state, began_ns);
    struct lag_error own = {0};
    if (retain(making, &own) != 0)
        lag_log(LAG_LOG_WARNING, "run %s: old checkpoints stay until the next one: %s", making->row.run_id, own.text);
    return 0;
}

int lagd_checkpoint_make(struct lagd_deps *deps, const struct lag_state *state,
                         const struct lagd_checkpoint_request *request, struct lag_checkpoint_row *ret,
                         struct lag_error *err) {
    struct making making = {.deps = deps, .request = request, .rules = request->retention};
    if (making.rules.keep_last < 1) making.rules.keep_last = LAG_MAX(1, atomic_load(&deps->keep_checkpoints));
    fill_row(&making, state);
    int rc = lagd_checkpoint_check_space(deps, &state->layout.spec, err);
    if (rc == 0) rc = make(&making, state, err);
    if (rc == 0 && ret) *ret = making.row;
    free(making.all);
    free(making.stays);
    free(making.marked);
    return rc;
}

/* Models: a folder below the configured roots that is copied and checked by an import. */
#include "commands/commands_internal.h"
#include "commands/importing_internal.h"
#include "commands/loaded_internal.h"
#include "commands/roots_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/events.h>
#include <lagd/storage/models.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A model on its way into the database. */
struct adding {
    struct lag_model_row row;
    char replaced[LAG_ROW_ID]; /* a failed one of the same name, "" without one */
    char root[LAG_ROW_PATH], relative[LAG_ROW_PATH];
};

/* --- adding ------------------------------------------------------------------------------------------------------ */

static int check_name(struct lagd_commands *c, const char *name, struct adding *adding, struct lag_error *err) {
    struct lag_model_row row;
    int rc = lag_name_check(name, err);
    if (rc != 0 || lag_model_get(c->db, name, &row, NULL) != 0) return rc;
    if (lagd_model_is(row.state, LAGD_MODEL_IMPORTING))
        return lag_error_at(err, LAG_EEXIST, "/name", "model %s is being imported already: wait for it, GET "
                            "/api/v1/models/%s tells how far it is, and DELETE ends it", name, name);
    if (!lagd_model_is(row.state, LAGD_MODEL_FAILED))
        return lag_error_at(err, LAG_EEXIST, "/name", "a model with the name %s exists already; choose another", name);
    (void)lag_copy(adding->replaced, sizeof(adding->replaced), row.id);
    return 0;
}

static int find_folder(struct lagd_commands *c, const char *path, struct adding *adding, struct lag_error *err) {
    struct lagd_config config;
    struct stat info;
    char *full = adding->row.path;
    lagd_settings_get(c->settings, &config);
    int rc = lagd_roots_find(config.dataset_roots, path, "model", true, adding->root, adding->relative, err);
    if (rc != 0) return rc;
    for (size_t n = strlen(adding->relative); n > 0 && adding->relative[n - 1] == '/'; n--)
        adding->relative[n - 1] = '\0';
    const bool at_top = strcmp(adding->root, "/") == 0;
    int length = snprintf(full, sizeof(adding->row.path), "%s%s%s", at_top ? "" : adding->root,
                          adding->relative[0] || at_top ? "/" : "", adding->relative);
    if (length < 0 || (size_t)length >= sizeof(adding->row.path))
        return lag_error_at(err, LAG_ETOOBIG, "/path", "the path of the model is too long");
    if (lstat(full, &info) == 0 && S_ISDIR(info.st_mode)) return 0;
    return lag_error_at(err, LAG_ENOTFOUND, "/path", "%.300s is no folder that lagd can see (a model is a folder below "
                        "one of storage/dataset_roots, reached without links)", full);
}

/* A failed one of the same name goes: its folder went before. */
static int insert_model(struct lag_db *db, void *arg, struct lag_error *err) {
    struct adding *adding = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_MODEL, .event = LAGD_MODEL_ON_CREATED,
                                   .row = &adding->row, .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    int rc = adding->replaced[0] ? lag_model_delete(db, adding->replaced, err) : 0;
    if (rc == LAG_ENOTFOUND) rc = 0;
    return rc == 0 ? lagd_tx_post(db, &post, NULL, err) : rc;
}

int lagd_cmd_model_add(struct lagd_commands *c, struct lagd_command *command) {
    const struct lagd_model_add *add = command->u.model;
    struct lag_error *err = &command->err;
    LAG_CLEANUP(lag_free_p) struct adding *adding = lag_calloc(1, sizeof(*adding));
    if (!adding) return lag_error_set(err, LAG_ENOMEM, "out of memory while bringing a model");
    int rc = check_name(c, add->name, adding, err);
    if (rc == 0) rc = find_folder(c, add->path, adding, err);
    if (rc == 0) rc = lagd_imports_admit(c->imports, err);
    if (rc != 0) return rc;
    (void)lag_copy(adding->row.name, sizeof(adding->row.name), add->name);
    lag_id_new("md", adding->row.id);
    adding->row.created_ms = lag_clock_wall_ms();
    rc = lagd_command_write(c->deps->store, command, adding->row.id, insert_model, adding);
    LAG_FP("model.inserted");
    if (rc != 0) return rc;
    (void)lag_copy(command->id, sizeof(command->id), adding->row.id);
    rc = lagd_imports_begin(c->imports, &adding->row, adding->root, adding->relative, err);
    if (rc == 0 || rc == LAG_ECANCELED) return 0; /* the next start goes on */
    lagd_import_withdraw(c->deps, &adding->row, command->key);
    return rc; /* who asks again, with the same key too, begins anew */
}

/* --- after a restart --------------------------------------------------------------------------------------------- */

struct unfinished {
    struct lag_model_row *rows;
    size_t n, capacity;
};

static int collect_unfinished(const struct lag_model_row *row, void *arg) {
    struct unfinished *unfinished = arg;
    if (!lagd_model_is(row->state, LAGD_MODEL_IMPORTING)) return 0;
    if (lag_grow_array((void **)&unfinished->rows, &unfinished->capacity, unfinished->n + 1,
                       sizeof(*unfinished->rows)) < 0)
        return LAG_ENOMEM;
    unfinished->rows[unfinished->n++] = *row;
    return 0;
}

/* What may be imported may have been changed meanwhile. */
static void go_on(struct lagd_commands *c, const struct lag_model_row *row) {
    struct lag_error err = {0};
    LAG_CLEANUP(lag_free_p) struct adding *adding = lag_calloc(1, sizeof(*adding));
    if (!adding) return;
    int rc = find_folder(c, row->path, adding, &err);
    if (rc == 0) {
        lag_log(LAG_LOG_INFO, "model %s: its import begins again", row->name);
        rc = lagd_imports_begin(c->imports, row, adding->root, adding->relative, &err);
    }
    if (lag_code_cause(rc) == LAG_CAUSE_PASSES)
        lag_log(LAG_LOG_WARNING, "model %s: the next start imports it: %s", row->name, err.text);
    else if (rc < 0 && rc != LAG_ECANCELED) lagd_import_refuse(c->deps, row, err.text);
}

int lagd_models_go_on(struct lagd_commands *c, struct lag_error *err) {
    struct unfinished unfinished = {0};
    int rc = lag_model_list(c->db, collect_unfinished, &unfinished, err);
    if (rc == LAG_ENOMEM) (void)lag_error_set(err, rc, "out of memory while reading the models");
    for (size_t i = unfinished.n; rc == 0 && i-- > 0;) go_on(c, &unfinished.rows[i]); /* oldest first */
    free(unfinished.rows);
    return rc;
}

/* --- deleting ---------------------------------------------------------------------------------------------------- */

static int write_deleted(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_model_row *row = arg;
    int rc = lag_model_delete(db, row->id, err);
    const struct lag_event event = {.type = LAG_EVENT_MODEL_DELETED, .message = row->name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

int lagd_cmd_model_delete(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_model_row row;
    char dir[LAGD_STATE_PATH];
    int rc = lag_model_get(c->db, command->target, &row, &command->err);
    if (rc < 0) return rc;
    const bool ready = lagd_model_is(row.state, LAGD_MODEL_READY);
    lagd_model_path(c->deps, row.id, dir);
    if (ready) (void)lagd_unlisted_mark(dir, NULL); /* a full disk must not keep from deleting */
    rc = lag_store_write(c->deps->store, write_deleted, &row, &command->err);
    LAG_FP("model.deleted");
    if (rc < 0) {
        if (ready && lagd_is_undone(rc)) lagd_unlisted_unmark(dir);
        return rc;
    }
    (void)lag_copy(command->id, sizeof(command->id), row.id);
    lagd_loaded_drop(c->loaded, row.id);
    struct lag_error err = {0};
    if (!lagd_imports_cancel(c->imports, row.id) && lagd_unlisted_remove(dir, &err) < 0)
        lag_log(LAG_LOG_WARNING, "the files of the deleted model %s could not be removed: %s", row.name, err.text);
    return 0;
}

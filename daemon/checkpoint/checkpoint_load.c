/* Finding and reading checkpoints; damaged ones are set aside. */
#include "checkpoint/checkpoint_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/engine/train.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <stdio.h>
#include <string.h>

struct query {
    const char *id;
    struct lag_checkpoint_row row;
    char sha256[LAG_SHA256_HEX];
};

static int get_row(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_checkpoint_get(db, query->id, &query->row, err);
}

static int get_latest(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_checkpoint_latest(db, query->id, &query->row, err);
}

static int read_folder(const struct lagd_deps *deps, const struct lag_checkpoint_row *row, struct lag_state **ret,
                       struct lag_checkpoint_meta *ret_meta, struct lag_error *err) {
    char dir[2200];
    (void)snprintf(dir, sizeof(dir), "%s/%s", deps->state_dir, row->path);
    int rc = lag_checkpoint_read(dir, ret, ret_meta, err);
    if (rc == 0 && ((*ret)->step != row->step || strcmp(ret_meta->run_id, row->run_id) != 0)) {
        lag_state_destroy(*ret);
        *ret = NULL;
        rc = lag_error_set(err, LAG_ECORRUPT, "%s belongs to another run or step than its row says", row->path);
    }
    return rc;
}

int lagd_checkpoint_with(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                         struct lag_error *err) {
    struct query query = {.id = checkpoint_id};
    int rc = lagd_read(deps, get_row, &query, err);
    if (rc == 0) rc = read_folder(deps, &query.row, ret, ret_meta, err);
    if (rc == 0 && ret_row) *ret_row = query.row;
    return rc;
}

int lagd_checkpoint_load(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_error *err) {
    struct lag_checkpoint_meta meta = {0};
    return lagd_checkpoint_with(deps, checkpoint_id, ret, ret_row, &meta, err);
}

struct setting_aside {
    const struct lag_checkpoint_row *row;
    const char *why;
};

static int delete_row(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct setting_aside *aside = arg;
    int rc = lag_checkpoint_delete(db, aside->row->id, err);
    if (rc != 0) return rc;
    char message[LAG_ROW_TEXT];
    (void)snprintf(message, sizeof(message), "%s was set aside as %.200s.damaged: %.400s", aside->row->id,
                   aside->row->path, aside->why);
    const struct lag_event event = {.type = LAG_EVENT_CHECKPOINT_DAMAGED, .run_id = aside->row->run_id,
                                    .step = aside->row->step, .message = message};
    return lag_event_put(db, &event, err);
}

/* The row goes first: a row without a good folder must not stay. */
static int set_aside(struct lagd_deps *deps, const struct lag_checkpoint_row *row, const char *why,
                     struct lag_error *err) {
    lag_log(LAG_LOG_WARNING, "%s: checkpoint %s is damaged, the one before is taken: %s", row->run_id, row->id, why);
    struct setting_aside aside = {.row = row, .why = why};
    int rc = lag_store_write(deps->store, delete_row, &aside, err);
    if (rc != 0) return rc;
    char from[2200], to[2210];
    (void)snprintf(from, sizeof(from), "%s/%s", deps->state_dir, row->path);
    (void)snprintf(to, sizeof(to), "%s.damaged", from);
    struct lag_error rename_err = {0};
    if (lag_fs_exists(from) && lag_fs_rename_durable(from, to, &rename_err) != 0)
        lag_log(LAG_LOG_WARNING, "%s", rename_err.text);
    return 0;
}

static bool is_damage(int code) {
    return code == LAG_ECORRUPT || code == LAG_ENOTFOUND || code == LAG_ENONFINITE || code == LAG_EINVAL ||
           code == LAG_ETOOBIG;
}

int lagd_checkpoint_latest_with(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                                struct lag_error *err) {
    for (;;) {
        struct query query = {.id = run_id};
        int rc = lagd_read(deps, get_latest, &query, err);
        if (rc != 0) return rc;
        struct lag_error damage = {0};
        rc = read_folder(deps, &query.row, ret, ret_meta, &damage);
        if (rc != 0 && !is_damage(rc)) {
            if (err) *err = damage;
            return rc;
        }
        if (rc == 0) {
            if (ret_row) *ret_row = query.row;
            return 0;
        }
        rc = set_aside(deps, &query.row, damage.text, err);
        if (rc != 0) return rc;
    }
}

int lagd_checkpoint_load_latest(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_error *err) {
    struct lag_checkpoint_meta meta = {0};
    return lagd_checkpoint_latest_with(deps, run_id, ret, ret_row, &meta, err);
}

static int pick_model(const struct lag_checkpoint_file_row *file, void *arg) {
    struct query *query = arg;
    if (strcmp(file->name, "model.safetensors") == 0)
        (void)lag_copy(query->sha256, sizeof(query->sha256), file->sha256);
    return 0;
}

static int get_model(struct lag_db *db, void *arg, struct lag_error *err) {
    struct query *query = arg;
    return lag_checkpoint_files(db, query->id, pick_model, query, err);
}

void lagd_checkpoint_model_sha256(const struct lagd_deps *deps, const char *checkpoint_id, char ret[LAG_SHA256_HEX]) {
    struct query query = {.id = checkpoint_id};
    struct lag_error err = {0};
    if (lagd_read(deps, get_model, &query, &err) != 0) lag_log(LAG_LOG_WARNING, "%s", err.text);
    (void)lag_copy(ret, LAG_SHA256_HEX, query.sha256);
}

/* Finding and reading checkpoints; damaged ones are set aside, and files that are away are waited for. */
#include "checkpoint/checkpoint_internal.h"
#include "records/causes_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/engine/train.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The folder of a row that could not be read: was it retired meanwhile, or is it away? LAG_ENOTFOUND, LAG_EAWAY, or rc
 * as it was. */
static int look_again(const struct lagd_deps *deps, const struct lag_checkpoint_row *row, int rc,
                      struct lag_error *err) {
    struct query query = {.id = row->id};
    if (lagd_read(deps, get_row, &query, NULL) == LAG_ENOTFOUND)
        return lag_error_set(err, LAG_ENOTFOUND, "checkpoint %s was just removed", row->id);
    if (rc != LAG_ENOTFOUND) return rc;
    return lag_error_set(err, LAG_EAWAY, "the files of checkpoint %s are not there (%.300s): put them back, or mount "
                         "their disk", row->id, row->path);
}

int lagd_checkpoint_with(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                         struct lag_error *err) {
    struct query query = {.id = checkpoint_id};
    int rc = lagd_read(deps, get_row, &query, err);
    if (rc != 0) return rc;
    rc = read_folder(deps, &query.row, ret, ret_meta, err);
    if (rc != 0) return look_again(deps, &query.row, rc, err);
    if (ret_row) *ret_row = query.row;
    return 0;
}

int lagd_checkpoint_load(struct lagd_deps *deps, const char *checkpoint_id, struct lag_state **ret,
                         struct lag_checkpoint_row *ret_row, struct lag_error *err) {
    struct lag_checkpoint_meta meta = {0};
    return lagd_checkpoint_with(deps, checkpoint_id, ret, ret_row, &meta, err);
}

struct setting_aside {
    const struct lag_checkpoint_row *row;
    const char *why;
    bool there; /* its folder */
};

static int delete_row(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct setting_aside *aside = arg;
    int rc = lag_checkpoint_delete(db, aside->row->id, err);
    if (rc != 0) return rc;
    char message[LAG_ROW_TEXT];
    if (aside->there)
        (void)snprintf(message, sizeof(message), "%s was set aside as %.200s.damaged: %.400s", aside->row->id,
                       aside->row->path, aside->why);
    else (void)snprintf(message, sizeof(message), "%s is listed no more: %.400s", aside->row->id, aside->why);
    const struct lag_event event = {.type = LAG_EVENT_CHECKPOINT_DAMAGED, .run_id = aside->row->run_id,
                                    .step = aside->row->step, .message = message};
    return lag_event_put(db, &event, err);
}

/* The row goes first: a row without a good folder must not stay. A folder that comes back is taken in at a start. */
static int set_aside(struct lagd_deps *deps, const struct lag_checkpoint_row *row, const char *why,
                     struct lag_error *err) {
    char from[2200], to[2210];
    (void)snprintf(from, sizeof(from), "%s/%s", deps->state_dir, row->path);
    (void)snprintf(to, sizeof(to), "%s.damaged", from);
    struct setting_aside aside = {.row = row, .why = why, .there = lag_fs_exists(from)};
    lag_log(LAG_LOG_WARNING, "%s: checkpoint %s is %s, the one before is taken: %s", row->run_id, row->id,
            aside.there ? "damaged" : "missing", why);
    int rc = lag_store_write(deps->store, delete_row, &aside, err);
    if (rc != 0) return rc == LAG_ENOTFOUND ? 0 : rc; /* retired meanwhile */
    struct lag_error rename_err = {0};
    if (aside.there && lag_fs_rename_durable(from, to, &rename_err) != 0)
        lag_log(LAG_LOG_WARNING, "%s", rename_err.text);
    return 0;
}

/* --- the newest good one --- */

enum { LOOKS_MAX = 5 }; /* at a list that changes while it is gone through */

struct search {
    struct lagd_deps *deps;
    const char *run_id;
    bool mends; /* for the run's own thread: what is missing is given up where an older one is good */
    struct entry {
        struct lag_checkpoint_row row;
        bool away;
    } *entries; /* of the run itself, newest first */
    size_t n, capacity, n_away, found;
    struct lag_state *state;
    struct lag_checkpoint_meta meta;
};

static int collect(const struct lag_checkpoint_row *row, void *arg) {
    struct search *search = arg;
    if (row->candidate_id[0] != '\0') return 0;
    if (lag_grow_array((void **)&search->entries, &search->capacity, search->n + 1, sizeof(*search->entries)) != 0)
        return LAG_ENOMEM;
    search->entries[search->n++] = (struct entry){.row = *row};
    return 0;
}

static int list_rows(struct lag_db *db, void *arg, struct lag_error *err) {
    struct search *search = arg;
    search->n = 0;
    int rc = lag_checkpoint_list(db, search->run_id, collect, search, err);
    return rc == LAG_ENOMEM ? lag_error_set(err, rc, "out of memory for a list of checkpoints") : rc;
}

/* One after the other. Those that are away are only counted: an older one may be good. 0: search->found; LAG_EAWAY:
 * none of them. */
static int try_each(struct search *search, struct lag_error *err) {
    search->n_away = 0;
    for (size_t i = 0; i < search->n; i++) {
        struct entry *entry = &search->entries[i];
        struct lag_error why = {0};
        int rc = read_folder(search->deps, &entry->row, &search->state, &search->meta, &why);
        search->found = i;
        if (rc == 0) return 0;
        rc = look_again(search->deps, &entry->row, rc, &why);
        entry->away = rc == LAG_EAWAY;
        search->n_away += entry->away;
        if (entry->away || rc == LAG_ENOTFOUND) continue;
        if (!lagd_judge(rc)->goes_back) {
            if (err) *err = why;
            return rc;
        }
        rc = set_aside(search->deps, &entry->row, why.text, err);
        if (rc != 0) return rc;
    }
    return LAG_EAWAY;
}

/* A good one is found: the newer ones that are away would stand in its way. */
static int give_up_missing(struct search *search, struct lag_error *err) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && search->mends && i < search->found; i++)
        if (search->entries[i].away) rc = set_aside(search->deps, &search->entries[i].row, "files are missing", err);
    return rc;
}

static int find_newest(struct search *search, struct lag_error *err) {
    for (int i = 0; i < LOOKS_MAX; i++) {
        int rc = lagd_read(search->deps, list_rows, search, err);
        if (rc == 0 && search->n == 0)
            return lag_error_set(err, LAG_ENOTFOUND, "run %s has no checkpoint", search->run_id);
        if (rc == 0) rc = try_each(search, err);
        if (rc == 0) return give_up_missing(search, err);
        if (rc != LAG_EAWAY) return rc;
        if (search->n_away > 0)
            return lag_error_set(err, LAG_EAWAY,
                                 "the files of %s of run %s are not there (%.200s …): put them back, or mount their "
                                 "disk; to begin anew, delete these checkpoints",
                                 search->n == 1 ? "the checkpoint" : "the checkpoints", search->run_id,
                                 search->entries[0].row.path);
        /* All that were listed were damaged, or retired meanwhile: what is listed now? */
    }
    return lag_error_set(err, LAG_ESTATE, "the checkpoints of run %s come and go too fast; ask again", search->run_id);
}

static int search_newest(struct search *search, struct lag_state **ret, struct lag_checkpoint_row *ret_row,
                         struct lag_checkpoint_meta *ret_meta, struct lag_error *err) {
    int rc = find_newest(search, err);
    if (rc == 0) {
        if (ret_row) *ret_row = search->entries[search->found].row;
        if (ret_meta) *ret_meta = search->meta;
        *ret = LAG_TAKE(search->state);
    }
    lag_state_destroy(search->state);
    free(search->entries);
    return rc;
}

int lagd_checkpoint_latest_with(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_checkpoint_meta *ret_meta,
                                struct lag_error *err) {
    struct search search = {.deps = deps, .run_id = run_id, .mends = true};
    return search_newest(&search, ret, ret_row, ret_meta, err);
}

int lagd_checkpoint_load_latest(struct lagd_deps *deps, const char *run_id, struct lag_state **ret,
                                struct lag_checkpoint_row *ret_row, struct lag_error *err) {
    struct search search = {.deps = deps, .run_id = run_id};
    return search_newest(&search, ret, ret_row, NULL, err);
}

/* --- hashes --- */

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

int lagd_checkpoint_model_sha256(const struct lagd_deps *deps, const char *checkpoint_id, char ret[LAG_SHA256_HEX],
                                 struct lag_error *err) {
    struct query query = {.id = checkpoint_id};
    int rc = lagd_read(deps, get_model, &query, err);
    (void)lag_copy(ret, LAG_SHA256_HEX, query.sha256);
    return rc;
}

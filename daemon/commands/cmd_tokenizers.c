/* Tokenizers: read from files below the configured roots or from an upload, or trained on the text of a dataset. */
#include "commands/commands_internal.h"
#include "commands/loaded_internal.h"
#include "commands/making_internal.h"
#include "commands/roots_internal.h"
#include "commands/tokens_internal.h"
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
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/engine/token.h>
#include <lagd/engine/token_train.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/tokenizers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tokenizer on its way into the database. */
struct adding {
    struct lag_tokenizer_row row;
    struct lag_dataset_row dataset;
    char replaced[LAG_ROW_ID]; /* a failed one of the same name, "" without one */
    char root[LAGD_STATE_PATH], relative[LAG_ROW_PATH];
};

/* --- adding ------------------------------------------------------------------------------------------------------- */

static int check_name(struct lagd_commands *c, const char *name, struct adding *adding, struct lag_error *err) {
    struct lag_tokenizer_row row;
    int rc = lag_name_check(name, err);
    if (rc != 0 || lag_tokenizer_get(c->db, name, &row, NULL) != 0) return rc;
    if (lagd_tokenizer_is(row.state, LAGD_TOKENIZER_MAKING))
        return lag_error_at(err, LAG_EEXIST, "/name", "tokenizer %s is being made already: wait for it, GET "
                            "/api/v1/tokenizers/%s tells how far it is, and DELETE ends it", name, name);
    if (!lagd_tokenizer_is(row.state, LAGD_TOKENIZER_FAILED))
        return lag_error_at(err, LAG_EEXIST, "/name", "a tokenizer with the name %s exists already; choose another",
                            name);
    (void)lag_copy(adding->replaced, sizeof(adding->replaced), row.id);
    return 0;
}

/* A file or folder that is there now; it is read by the job. */
static int find_file(struct lagd_commands *c, const char *path, struct adding *adding, struct lag_error *err) {
    struct lagd_config config;
    struct stat info;
    char *full = adding->row.path;
    lagd_settings_get(c->settings, &config);
    int rc = lagd_roots_find(config.dataset_roots, path, "tokenizer", true, adding->root, adding->relative, err);
    if (rc != 0) return rc;
    for (size_t n = strlen(adding->relative); n > 0 && adding->relative[n - 1] == '/'; n--)
        adding->relative[n - 1] = '\0';
    const bool at_top = strcmp(adding->root, "/") == 0;
    const int length = snprintf(full, sizeof(adding->row.path), "%s%s%s", at_top ? "" : adding->root,
                                adding->relative[0] || at_top ? "/" : "", adding->relative);
    if (length < 0 || (size_t)length >= sizeof(adding->row.path))
        return lag_error_at(err, LAG_ETOOBIG, "/path", "the path of the tokenizer is too long");
    if (lstat(full, &info) == 0 && (S_ISDIR(info.st_mode) || S_ISREG(info.st_mode))) return 0;
    return lag_error_at(err, LAG_ENOTFOUND, "/path",
                        "%.300s is no file or folder that lagd can see (a tokenizer is one "
                        "below a folder of storage/dataset_roots, reached without links)", full);
}

static int find_dataset(struct lagd_commands *c, const char *name, bool extends, struct lag_dataset_row *ret,
                        struct lag_error *err) {
    const char *pointer = extends ? "/dataset" : "/train/dataset";
    int rc = lag_dataset_get(c->db, name, ret, err);
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, LAG_EINVAL, pointer,
                            "there is no dataset %s: add the text first, or name one that GET "
                            "/api/v1/datasets lists", name);
    if (rc != 0) return rc;
    if (!lagd_dataset_is(ret->state, LAGD_DATASET_READY))
        return lag_error_at(err, LAG_EINVAL, pointer, "dataset %s is %s: wait until it is ready, or name another",
                            ret->name, ret->state);
    if (strcmp(ret->format, "text") == 0) return 0;
    return lag_error_at(err, LAG_EINVAL, pointer, "dataset %s holds %s tokens: a tokenizer learns from a dataset of "
                        "text", ret->name, ret->format);
}

/* What the plan asks for is possible: a trainer would take it. */
static int check_plan(const struct lagd_tokenizer_add *add, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(add->specials);
    const char *specials[64];
    struct lag_trainer *trainer = NULL;
    size_t n = 0;
    if (!copy) return lag_error_set(err, LAG_ENOMEM, "out of memory to train");
    if (strchr(add->pattern, '\n'))
        return lag_error_at(err, LAG_EINVAL, "/train/pattern", "a pattern has no ends of lines: write \\n");
    for (char *rest = copy[0] ? copy : NULL; rest;) {
        if (n == LAG_COUNT(specials))
            return lag_error_at(err, LAG_EINVAL, "/train/specials", "more than %zu special tokens",
                                LAG_COUNT(specials));
        specials[n++] = strsep(&rest, ",");
    }
    const struct lag_train_plan plan = {.pattern = add->pattern, .vocab_size = (int)add->vocab_size,
                                        .specials = specials, .n_specials = n};
    const int rc = lag_trainer_create(&plan, &trainer, err);
    lag_trainer_destroy(trainer);
    return rc;
}

static int check_base(struct lagd_commands *c, const char *base, const struct lagd_tokenizer_add *add,
                      struct adding *adding, struct lag_error *err) {
    struct lag_tokenizer_row row;
    int rc = lag_tokenizer_get(c->db, base, &row, err);
    if (rc != 0) return rc;
    (void)lag_copy(adding->row.base_id, sizeof(adding->row.base_id), row.id);
    if (!lagd_tokenizer_is(row.state, LAGD_TOKENIZER_READY))
        return lag_error_set(err, LAG_ESTATE, "tokenizer %s is %s: wait until it is ready", row.name, row.state);
    if (!row.byte_level)
        return lag_error_set(err, LAG_EUNSUPPORTED, "tokenizer %s is no byte-level BPE: only such can be extended",
                             row.name);
    if (add->vocab_size > row.vocab_size) return 0;
    return lag_error_at(err, LAG_EINVAL, "/vocab_size", "tokenizer %s has %lld tokens already: ask for more", row.name,
                        (long long)row.vocab_size);
}

static int plan_training(struct lagd_commands *c, struct lagd_command *command, struct adding *adding) {
    const struct lagd_tokenizer_add *add = command->u.tokenizer;
    struct lag_error *err = &command->err;
    const bool extends = command->target[0] != '\0';
    struct lag_strbuf text = LAG_STRBUF_INIT;
    int rc = extends ? check_base(c, command->target, add, adding, err) : check_plan(add, err);
    if (rc == 0) rc = find_dataset(c, add->dataset, extends, &adding->dataset, err);
    if (rc != 0) return rc;
    lag_fields_format(&lagd_tokenizer_fields, add, &text);
    if (text.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory to train");
    else if (lag_copy(adding->row.request, sizeof(adding->row.request), text.data ? text.data : "") != 0)
        rc = lag_error_at(err, LAG_ETOOBIG, "/train", "the request is too long");
    lag_strbuf_deinit(&text);
    (void)lag_copy(adding->row.dataset_id, sizeof(adding->row.dataset_id), adding->dataset.id);
    (void)lag_copy(adding->row.origin, sizeof(adding->row.origin), extends ? "extended" : "trained");
    return rc;
}

/* The uploaded file gets its place in the state directory, durably, before the row that points to it. */
static int move_in(struct lagd_commands *c, const struct lagd_tokenizer_add *add, struct adding *adding,
                   struct lag_error *err) {
    char dir[LAGD_STATE_PATH], path[LAGD_STATE_PATH + 16];
    lagd_tokenizer_path(c->deps, adding->row.id, dir);
    int rc = lagd_unlisted_mark(dir, err);
    if (rc < 0) return rc;
    (void)lag_copy(adding->relative, sizeof(adding->relative), "upload.json");
    (void)snprintf(path, sizeof(path), "%s/upload.json", dir);
    (void)snprintf(adding->row.path, sizeof(adding->row.path), "tokenizers/%s/upload.json", adding->row.id);
    (void)lag_copy(adding->root, sizeof(adding->root), dir);
    return lag_fs_rename_durable(add->upload, path, err);
}

static int insert_tokenizer(struct lag_db *db, void *arg, struct lag_error *err) {
    struct adding *adding = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_TOKENIZER, .event = LAGD_TOKENIZER_ON_CREATED,
                                   .row = &adding->row, .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    int rc = adding->replaced[0] ? lag_tokenizer_delete(db, adding->replaced, err) : 0;
    if (rc == LAG_ENOTFOUND) rc = 0;
    return rc == 0 ? lagd_tx_post(db, &post, NULL, err) : rc;
}

static int look_at(struct lagd_commands *c, struct lagd_command *command, struct adding *adding) {
    const struct lagd_tokenizer_add *add = command->u.tokenizer;
    struct lag_error *err = &command->err;
    const int n_sources = (add->path[0] != '\0') + (add->upload[0] != '\0') + (add->dataset[0] != '\0');
    int rc = check_name(c, add->name, adding, err);
    if (rc != 0) return rc;
    if (n_sources != 1)
        return lag_error_at(err, LAG_EINVAL, n_sources == 0 ? "/path" : "/train", "a tokenizer is read from a path, or "
                            "trained on train/dataset: name one of them");
    if (add->dataset[0]) return plan_training(c, command, adding);
    (void)lag_copy(adding->row.origin, sizeof(adding->row.origin), add->upload[0] ? "upload" : "file");
    return add->upload[0] ? 0 : find_file(c, add->path, adding, err);
}

static void unmark(struct lagd_commands *c, const struct adding *adding) {
    char dir[LAGD_STATE_PATH];
    lagd_tokenizer_path(c->deps, adding->row.id, dir);
    lagd_unlisted_unmark(dir);
}

static void drop_upload(struct lagd_commands *c, const struct lagd_tokenizer_add *add, const struct adding *adding) {
    char dir[LAGD_STATE_PATH];
    if (!add->upload[0]) return;
    (void)unlink(add->upload);
    lagd_tokenizer_path(c->deps, adding->row.id, dir);
    if (adding->row.id[0]) (void)lagd_unlisted_remove(dir, NULL);
}

int lagd_cmd_tokenizer_add(struct lagd_commands *c, struct lagd_command *command) {
    const struct lagd_tokenizer_add *add = command->u.tokenizer;
    struct lag_error *err = &command->err;
    LAG_CLEANUP(lag_free_p) struct adding *adding = lag_calloc(1, sizeof(*adding));
    if (!adding) return lag_error_set(err, LAG_ENOMEM, "out of memory while making a tokenizer");
    int rc = look_at(c, command, adding);
    if (rc == 0) rc = lagd_makings_admit(c->makings, err);
    (void)lag_copy(adding->row.name, sizeof(adding->row.name), add->name);
    adding->row.created_ms = lag_clock_wall_ms();
    adding->row.eos = adding->row.bos = -1;
    if (rc == 0) lag_id_new("tok", adding->row.id);
    if (rc == 0 && add->upload[0]) rc = move_in(c, add, adding, err);
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, adding->row.id, insert_tokenizer, adding);
    LAG_FP("tokenizer.inserted");
    if (rc != 0) {
        if (lagd_is_undone(rc)) drop_upload(c, add, adding);
        return rc;
    }
    unmark(c, adding);
    (void)lag_copy(command->id, sizeof(command->id), adding->row.id);
    rc = lagd_makings_begin(c->makings, &adding->row, adding->root, adding->relative, &adding->dataset, err);
    if (rc == 0 || rc == LAG_ECANCELED) return 0; /* the next start goes on */
    lagd_making_withdraw(c->deps, &adding->row, command->key);
    return rc; /* who asks again, with the same key too, begins anew */
}

/* --- after a restart ---------------------------------------------------------------------------------------------- */

struct unfinished {
    struct lag_tokenizer_row *rows;
    size_t n, capacity;
};

static int collect_unfinished(const struct lag_tokenizer_row *row, void *arg) {
    struct unfinished *unfinished = arg;
    if (!lagd_tokenizer_is(row->state, LAGD_TOKENIZER_MAKING)) return 0;
    if (lag_grow_array((void **)&unfinished->rows, &unfinished->capacity, unfinished->n + 1,
                       sizeof(*unfinished->rows)) < 0)
        return LAG_ENOMEM;
    unfinished->rows[unfinished->n++] = *row;
    return 0;
}

/* What may be read may have been changed meanwhile. */
static int find_again(struct lagd_commands *c, const struct lag_tokenizer_row *row, struct adding *adding,
                      struct lag_error *err) {
    if (row->request[0]) return lag_dataset_get(c->db, row->dataset_id, &adding->dataset, err);
    if (strcmp(row->origin, "upload") != 0) return find_file(c, row->path, adding, err);
    lagd_tokenizer_path(c->deps, row->id, adding->root);
    (void)lag_copy(adding->relative, sizeof(adding->relative), "upload.json");
    return 0;
}

static void go_on(struct lagd_commands *c, const struct lag_tokenizer_row *row) {
    struct lag_error err = {0};
    LAG_CLEANUP(lag_free_p) struct adding *adding = lag_calloc(1, sizeof(*adding));
    if (!adding) return;
    int rc = find_again(c, row, adding, &err);
    if (rc == 0) {
        lag_log(LAG_LOG_INFO, "tokenizer %s: it is made anew", row->name);
        rc = lagd_makings_begin(c->makings, row, adding->root, adding->relative, &adding->dataset, &err);
    }
    if (lag_code_cause(rc) == LAG_CAUSE_PASSES)
        lag_log(LAG_LOG_WARNING, "tokenizer %s: the next start makes it: %s", row->name, err.text);
    else if (rc < 0 && rc != LAG_ECANCELED) lagd_making_refuse(c->deps, row, err.text);
}

int lagd_tokenizers_go_on(struct lagd_commands *c, struct lag_error *err) {
    struct unfinished unfinished = {0};
    int rc = lag_tokenizer_list(c->db, collect_unfinished, &unfinished, err);
    if (rc == LAG_ENOMEM) (void)lag_error_set(err, rc, "out of memory while reading the tokenizers");
    for (size_t i = unfinished.n; rc == 0 && i-- > 0;) go_on(c, &unfinished.rows[i]); /* oldest first */
    free(unfinished.rows);
    return rc;
}

/* --- deleting ----------------------------------------------------------------------------------------------------- */

static int write_deleted(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_tokenizer_row *row = arg;
    int rc = lag_tokenizer_delete(db, row->id, err);
    const struct lag_event event = {.type = LAG_EVENT_TOKENIZER_DELETED, .message = row->name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

int lagd_cmd_tokenizer_delete(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_tokenizer_row row;
    char dir[LAGD_STATE_PATH];
    int rc = lag_tokenizer_get(c->db, command->target, &row, &command->err);
    if (rc < 0) return rc;
    const bool ready = lagd_tokenizer_is(row.state, LAGD_TOKENIZER_READY);
    lagd_tokenizer_path(c->deps, row.id, dir);
    if (ready) (void)lagd_unlisted_mark(dir, NULL); /* a full disk must not keep from deleting */
    rc = lag_store_write(c->deps->store, write_deleted, &row, &command->err);
    LAG_FP("tokenizer.deleted");
    if (rc < 0) {
        if (ready && lagd_is_undone(rc)) lagd_unlisted_unmark(dir);
        return rc;
    }
    (void)lag_copy(command->id, sizeof(command->id), row.id);
    lagd_loaded_drop(c->loaded, row.id);
    struct lag_error err = {0};
    if (!lagd_makings_cancel(c->makings, row.id) && lagd_unlisted_remove(dir, &err) < 0)
        lag_log(LAG_LOG_WARNING, "the files of the deleted tokenizer %s could not be removed: %s", row.name, err.text);
    return 0;
}

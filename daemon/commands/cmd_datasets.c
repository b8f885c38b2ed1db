/* Datasets: a file below the configured roots, or an uploaded one that is moved in. What can be told at once is told
 * here; the whole file is read by a registration. */
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "commands/registering_internal.h"
#include "commands/roots_internal.h"
#include "commands/tokens_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"
#include "train/dataset_open_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/base/parse.h>
#include <lagd/base/stamp.h>
#include <lagd/engine/data.h>
#include <lagd/engine/tokenize.h>
#include <lagd/storage/events.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/tokenizers.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define WAIT_SMALL_S 60 /* a request waits so long for a small file by itself */

/* A dataset on its way into the database. */
struct adding {
    struct lagd_deps *deps;
    struct lagd_command *command;
    int fd;
    char replaced[LAG_ROW_ID]; /* a failed one of the same name, "" without one */
    struct lag_dataset_row row;
};

/* --- opening ----------------------------------------------------------------------------------------------------- */

static int open_in(const char *root, const char *relative, struct adding *adding, struct lag_error *err) {
    int length = snprintf(adding->row.path, sizeof(adding->row.path), "%s/%s", strcmp(root, "/") == 0 ? "" : root,
                          relative);
    if (length < 0 || (size_t)length >= sizeof(adding->row.path)) {
        return lag_error_at(err, LAG_ETOOBIG, "/path", "the path of the dataset is longer than %d bytes",
                            LAG_ROW_PATH - 1);
    }
    struct lag_error inner = {0};
    int rc = lag_fs_open_beneath(root, relative, &adding->fd, &inner);
    if (rc == 0) return 0;
    if (rc != LAG_EDENIED) return lag_error_at(err, rc, "/path", "%s", inner.text);
    return lag_error_at(err, rc, "/path", "%s (a dataset must be a plain file below a folder of storage/dataset_roots, "
                        "reached without links)", inner.text);
}

static int open_below_roots(const char *path, const char *roots, struct adding *adding, struct lag_error *err) {
    char root[LAG_ROW_PATH], relative[LAG_ROW_PATH];
    int rc = lagd_roots_find(roots, path, "dataset", false, root, relative, err);
    return rc == 0 ? open_in(root, relative, adding, err) : rc;
}

static int open_upload(const char *path, struct adding *adding, struct lag_error *err) {
    adding->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return adding->fd < 0 ? lag_error_errno(err, errno, "cannot open the upload") : 0;
}

/* --- adding ------------------------------------------------------------------------------------------------------ */

/* The uploaded file gets its place in the state directory, durably, before the row that points to it. */
static int move_in(struct adding *adding, struct lag_error *err) {
    const struct lagd_dataset_add *add = adding->command->u.dataset;
    if (fsync(adding->fd) < 0) return lag_error_errno(err, errno, "cannot write the upload to disk");
    const bool is_text = adding->row.tokenizer_id[0] != '\0';
    const char *name = strcmp(adding->row.format, "text") == 0 ? "data.txt" : "data.bin";
    if (lag_name_valid(add->file_name)) name = add->file_name;
    if (is_text) name = "text.txt";
    char dir[LAGD_STATE_PATH], path[LAGD_STATE_PATH];
    (void)snprintf(dir, sizeof(dir), "%s/datasets/%s", adding->deps->state_dir, adding->row.id);
    int rc = lagd_unlisted_mark(dir, err);
    if (rc < 0) return rc;
    char *at = is_text ? adding->row.text_path : adding->row.path;
    (void)snprintf(at, sizeof(adding->row.path), "datasets/%s/%s", adding->row.id, name);
    lagd_state_path(adding->deps, at, path);
    rc = lag_fs_rename_durable(add->upload, path, err);
    LAG_FP("dataset.moved");
    return rc;
}

/* How long the request waits for the end: as it says, else for small files only. */
static int64_t wait_ns(const struct adding *adding) {
    int64_t wait_s = adding->command->u.dataset->wait_s;
    if (wait_s == 0) wait_s = adding->row.n_bytes <= LAGD_SMALL_SCAN_BYTES ? WAIT_SMALL_S : 0;
    return LAG_MAX(0, wait_s) * SECOND_NS;
}

/* Whoever does not wait sees it on its way. */
static int insert_dataset(struct lag_db *db, void *arg, struct lag_error *err) {
    struct adding *adding = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_DATASET, .event = LAGD_DATASET_ON_CREATED,
                                   .row = &adding->row, .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    const struct lag_event begun = {.type = LAG_EVENT_DATASET_STATE, .message = adding->row.name,
                                    .state = lagd_state_name(LAGD_MACHINE_DATASET, LAGD_DATASET_REGISTERING)};
    int rc = adding->replaced[0] ? lag_dataset_delete(db, adding->replaced, err) : 0;
    if (rc == 0) rc = lagd_tx_post(db, &post, NULL, err);
    return rc == 0 && wait_ns(adding) == 0 ? lag_event_put(db, &begun, err) : rc;
}

static void list_upload(const struct adding *adding) {
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s/datasets/%s", adding->deps->state_dir, adding->row.id);
    if (dir) lagd_unlisted_unmark(dir);
}

/* What a failed upload leaves: its temporary file, or the folder that it was moved to. */
static void drop_upload(struct lagd_deps *deps, const struct lagd_dataset_add *add, const char *id) {
    if (!add->upload[0]) return;
    (void)unlink(add->upload);
    LAG_CLEANUP(lag_free_p) char *dir = id[0] ? lag_asprintf("%s/datasets/%s", deps->state_dir, id) : NULL;
    if (dir) (void)lagd_unlisted_remove(dir, NULL);
}

/* A name belongs to the dataset that has it; one that could not be registered gives it up. */
static int check_name(struct lagd_commands *c, struct adding *adding, struct lag_error *err) {
    struct lag_dataset_row row;
    const char *name = adding->row.name;
    int rc = lag_name_check(name, err);
    if (rc != 0 || lag_dataset_get(c->db, name, &row, NULL) != 0) return rc;
    if (lagd_dataset_is(row.state, LAGD_DATASET_REGISTERING))
        return lag_error_at(err, LAG_EEXIST, "/name",
                            "dataset %s is being registered already (%lld of %lld bytes are read): wait for it, GET "
                            "/api/v1/datasets/%s tells how far it is, and DELETE ends it", name,
                            (long long)row.n_bytes_done, (long long)row.n_bytes, name);
    if (!lagd_dataset_is(row.state, LAGD_DATASET_FAILED))
        return lag_error_at(err, LAG_EEXIST, "/name", "a dataset with the name %s exists already; choose another",
                            name);
    (void)lag_copy(adding->replaced, sizeof(adding->replaced), row.id);
    return 0;
}

/* Its tokens are made of the text, so that is what the file must hold. */
static int find_tokenizer(struct lagd_commands *c, struct adding *adding, enum lag_token_format format,
                          struct lag_error *err) {
    const struct lagd_dataset_add *add = adding->command->u.dataset;
    struct lag_dataset_row *row = &adding->row;
    struct lag_tokenizer_row found;
    const int documents = lag_names_find(lag_documents_names, add->documents);
    if (format != LAG_TOKENS_TEXT)
        return lag_error_at(err, LAG_EINVAL, "/tokenizer", "%s holds %s tokens already: leave tokenizer out, or, if it "
                            "is text all the same, register it with format text", add->file_name,
                            lag_token_format_name(format));
    if (add->vocab_size > 0)
        return lag_error_at(err, LAG_EINVAL, "/vocab_size", "the tokenizer says how large the vocabulary is: leave "
                            "vocab_size out");
    int rc = lagd_tokens_find(c->db, add->tokenizer, "/tokenizer", row->tokenizer_id, row->tokenizer_name, err);
    if (rc != 0) return rc;
    if (documents > LAG_DOCUMENTS_NONE && lag_tokenizer_get(c->db, row->tokenizer_id, &found, NULL) == 0 &&
        found.eos < 0)
        return lag_error_at(err, LAG_EINVAL, "/documents/kind",
                            "tokenizer %s has no token for the end of a text, which "
                            "stands between documents: take one that has, or documents of kind none", found.name);
    if (documents == LAG_DOCUMENTS_SEPARATOR && !add->document_field[0])
        return lag_error_at(err, LAG_EINVAL, "/documents/field", "documents of kind separator need a field: the text "
                            "that stands between them");
    (void)lag_copy(row->documents, sizeof(row->documents), add->documents[0] ? add->documents : "none");
    (void)lag_copy(row->document_field, sizeof(row->document_field), add->document_field);
    if (lag_tokenizer_get(c->db, row->tokenizer_id, &found, NULL) == 0)
        (void)lag_copy(row->tokenizer_sha256, sizeof(row->tokenizer_sha256), found.sha256);
    return 0;
}

/* What can be told at once: the file is there, is not being read already, and begins like a text or token file. */
static int look_at(struct lagd_commands *c, struct adding *adding, struct lag_error *err) {
    const struct lagd_dataset_add *add = adding->command->u.dataset;
    struct lagd_config config;
    struct lag_stamp stamp;
    char other[LAG_ROW_NAME];
    enum lag_token_format format = LAG_TOKENS_TEXT;
    lagd_settings_get(c->settings, &config);
    int rc = add->upload[0] ? open_upload(add->upload, adding, err)
                            : open_below_roots(add->path, config.dataset_roots, adding, err);
    if (rc == 0) rc = lag_stamp_of_fd(adding->fd, &stamp, err);
    if (rc == 0 && lagd_registrations_find_file(c->registrations, &stamp, other))
        rc = lag_error_at(err, LAG_EEXIST, "/path", "this file is being registered already, as %s: wait for that",
                          other);
    if (rc == 0) rc = lagd_registrations_admit(c->registrations, stamp.n_bytes, err);
    const char *asked = add->format[0] ? add->format : NULL;
    if (rc == 0) rc = lag_dataset_glance(adding->fd, add->file_name, asked, (int)add->vocab_size, &format, err);
    if (rc < 0) return rc;
    (void)lag_copy(adding->row.format, sizeof(adding->row.format), lag_token_format_name(format));
    adding->row.n_bytes = stamp.n_bytes;
    adding->row.vocab_size = add->vocab_size;
    return add->tokenizer[0] ? find_tokenizer(c, adding, format, err) : 0;
}

/* The token file's place; the text stays where it is. */
static void place_tokens(struct adding *adding, bool uploaded) {
    struct lag_dataset_row *row = &adding->row;
    if (!uploaded) (void)lag_copy(row->text_path, sizeof(row->text_path), row->path);
    (void)snprintf(row->path, sizeof(row->path), "datasets/%s/" LAGD_TOKENS_NAME, row->id);
}

static int store(struct lagd_commands *c, struct adding *adding) {
    struct lagd_command *command = adding->command;
    const bool uploaded = command->u.dataset->upload[0] != '\0', is_text = adding->row.tokenizer_id[0] != '\0';
    (void)lag_copy(adding->row.origin, sizeof(adding->row.origin),
                   is_text ? "tokenized" : uploaded ? "upload" : "file");
    lag_id_new("ds", adding->row.id);
    if (is_text) place_tokens(adding, uploaded);
    adding->row.created_ms = lag_clock_wall_ms();
    adding->row.max_id = -1; /* not known */
    int rc = uploaded ? move_in(adding, &command->err) : 0;
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, adding->row.id, insert_dataset, adding);
    if (rc == 0 && uploaded) list_upload(adding);
    return rc;
}

static int begin(struct lagd_commands *c, struct adding *adding) {
    struct lagd_command *command = adding->command;
    const int64_t wait = wait_ns(adding);
    int fd = adding->fd;
    adding->fd = -1;
    (void)lag_copy(command->id, sizeof(command->id), adding->row.id);
    int rc = lagd_registrations_begin(c->registrations, &adding->row, fd, wait > 0 ? command : NULL,
                                      lag_clock_mono_ns() + wait, &command->err);
    if (rc < 0 && rc != LAG_ECANCELED) {
        lagd_registration_withdraw(c->deps, &adding->row, command->key);
        return rc; /* who asks again, with the same key too, begins anew */
    }
    return rc == 0 && wait > 0 ? LAGD_LATER : 0; /* the row says how it stands */
}

int lagd_cmd_dataset_add(struct lagd_commands *c, struct lagd_command *command) {
    struct lagd_dataset_add *add = command->u.dataset;
    if (!add->file_name[0]) {
        const char *slash = strrchr(add->path, '/');
        (void)lag_copy(add->file_name, sizeof(add->file_name), slash ? slash + 1 : add->path);
    }
    struct adding *adding = lag_calloc(1, sizeof(*adding));
    if (!adding) {
        drop_upload(c->deps, add, "");
        return lag_error_set(&command->err, LAG_ENOMEM, "out of memory while adding a dataset");
    }
    adding->deps = c->deps;
    adding->command = command;
    adding->fd = -1;
    (void)lag_copy(adding->row.name, sizeof(adding->row.name), add->name);
    int rc = check_name(c, adding, &command->err);
    if (rc == 0) rc = look_at(c, adding, &command->err);
    if (rc == 0) rc = store(c, adding);
    /* Where the row may be there the next start knows, and looks at the mark. */
    if (rc < 0) drop_upload(c->deps, add, lagd_is_undone(rc) ? adding->row.id : "");
    else rc = begin(c, adding);
    if (adding->fd >= 0) (void)close(adding->fd);
    free(adding);
    return rc;
}

/* --- after a restart --------------------------------------------------------------------------------------------- */

struct unfinished {
    struct lag_dataset_row *rows;
    size_t n, capacity;
};

static int collect_unfinished(const struct lag_dataset_row *row, void *arg) {
    struct unfinished *unfinished = arg;
    if (!lagd_dataset_is(row->state, LAGD_DATASET_REGISTERING)) return 0;
    if (lag_grow_array((void **)&unfinished->rows, &unfinished->capacity, unfinished->n + 1,
                       sizeof(*unfinished->rows)) < 0)
        return LAG_ENOMEM;
    unfinished->rows[unfinished->n++] = *row;
    return 0;
}

/* What may be registered may have been changed meanwhile. */
static int open_again(struct lagd_commands *c, struct adding *adding, struct lag_error *err) {
    struct lagd_config config;
    char path[LAG_ROW_PATH];
    lagd_settings_get(c->settings, &config);
    const bool is_text = adding->row.tokenizer_id[0] != '\0';
    if (is_text) (void)lag_copy(adding->row.path, sizeof(adding->row.path), adding->row.text_path);
    (void)lag_copy(path, sizeof(path), adding->row.path);
    if (strcmp(adding->row.origin, "upload") == 0 || (is_text && path[0] != '/'))
        return lagd_dataset_open_path(c->deps, &adding->row, &adding->fd, err);
    return open_below_roots(path, config.dataset_roots, adding, err);
}

static void go_on(struct lagd_commands *c, const struct lag_dataset_row *row) {
    struct lag_error err = {0};
    struct adding *adding = lag_calloc(1, sizeof(*adding));
    if (!adding) return;
    adding->row = *row;
    adding->fd = -1;
    int rc = open_again(c, adding, &err);
    if (rc == 0) {
        lag_log(LAG_LOG_INFO, "dataset %s: its registration begins again", row->name);
        rc = lagd_registrations_begin(c->registrations, row, adding->fd, NULL, 0, &err);
    }
    if (lag_code_cause(rc) == LAG_CAUSE_PASSES)
        lag_log(LAG_LOG_WARNING, "dataset %s: the next start reads its file: %s", row->name, err.text);
    else if (rc < 0 && rc != LAG_ECANCELED) lagd_registration_refuse(c->deps, row, err.text);
    free(adding);
}

int lagd_datasets_go_on(struct lagd_commands *c, struct lag_error *err) {
    struct unfinished unfinished = {0};
    int rc = lag_dataset_list(c->db, collect_unfinished, &unfinished, err);
    if (rc == LAG_ENOMEM) (void)lag_error_set(err, rc, "out of memory while reading the datasets");
    for (size_t i = unfinished.n; rc == 0 && i-- > 0;) go_on(c, &unfinished.rows[i]); /* oldest first */
    free(unfinished.rows);
    return rc;
}

/* --- deleting ---------------------------------------------------------------------------------------------------- */

static int write_deleted(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_dataset_row *row = arg;
    int rc = lag_dataset_delete(db, row->id, err);
    const struct lag_event event = {.type = LAG_EVENT_DATASET_DELETED, .message = row->name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

int lagd_cmd_dataset_delete(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_dataset_row row;
    int rc = lag_dataset_get(c->db, command->target, &row, &command->err);
    if (rc < 0) return rc;
    bool uploaded = strcmp(row.origin, "file") != 0;
    LAG_CLEANUP(lag_free_p) char *dir = lag_asprintf("%s/datasets/%s", c->deps->state_dir, row.id);
    if (uploaded && dir) (void)lagd_unlisted_mark(dir, NULL); /* a full disk must not keep from deleting */
    rc = lag_store_write(c->deps->store, write_deleted, &row, &command->err);
    LAG_FP("dataset.deleted");
    if (rc < 0) {
        if (uploaded && dir && lagd_is_undone(rc)) lagd_unlisted_unmark(dir);
        return rc;
    }
    lagd_registrations_cancel(c->registrations, row.id);
    (void)lag_copy(command->id, sizeof(command->id), row.id);
    if (!uploaded) return 0;
    struct lag_error err = {0};
    if (!dir || lagd_unlisted_remove(dir, &err) < 0) {
        lag_log(LAG_LOG_WARNING, "the files of the deleted dataset %s could not be removed: %s", row.name, err.text);
    }
    return 0;
}

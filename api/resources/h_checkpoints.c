/* Checkpoints, their files, and text samples. */
#include "body/bodies_internal.h"
#include "door/range_internal.h"
#include "encode/encode_internal.h"
#include "request/pages_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/fs.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/runs.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct listing {
    struct lagd_page page;
    struct lagd_rows rows;
    bool of_run; /* sorted by step; else by creation */
};

static int add_checkpoint(const struct lag_checkpoint_row *row, void *arg) {
    struct listing *listing = arg;
    int verdict = lagd_page_add(&listing->page, listing->of_run ? row->step : LAGD_PAGE_BY_ID, row->id);
    if (verdict == LAGD_PAGE_TAKE) return lagd_rows_add(&listing->rows, row);
    return verdict == LAGD_PAGE_FULL;
}

static const struct lagd_member list_members[] = {LAGD_LIST(&lagd_checkpoint_schema)};
const struct lagd_schema lagd_checkpoint_list_schema = LAGD_SCHEMA("CheckpointList", list_members);

static int list_checkpoints(struct lagd_request *request, const char *run) {
    struct lag_db *db = NULL;
    struct lag_run_row found;
    struct listing listing = {.rows = LAGD_ROWS_INIT(struct lag_checkpoint_row), .of_run = run != NULL};
    int status = lagd_page_begin(request, "ckpt", false, &listing.page);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err); /* rows and their files are of one moment */
    if (status == 0 && run) status = lag_run_get(db, run, &found, &request->err);
    if (status == 0) status = lag_checkpoint_list(db, run ? found.id : NULL, add_checkpoint, &listing, &request->err);
    if (status >= 0) {
        const struct lagd_list list = {lagd_rows_span(&listing.rows), listing.page.next};
        struct lagd_encoding encoding = {db, &request->err, NULL};
        status = lagd_answer_object(request, &lagd_checkpoint_list_schema, &list, &encoding, 0);
    }
    lag_reader_end(db);
    lagd_rows_deinit(&listing.rows);
    return status;
}

int lagd_h_checkpoints(struct lagd_request *request) { return list_checkpoints(request, NULL); }
int lagd_h_run_checkpoints(struct lagd_request *request) { return list_checkpoints(request, request->params[0]); }

int lagd_h_checkpoint(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_checkpoint_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    struct lagd_encoding encoding = {db, &request->err, NULL};
    status = lag_checkpoint_get(db, request->params[0], &row, &request->err);
    if (status == 0) status = lagd_answer_object(request, &lagd_checkpoint_schema, &row, &encoding, 0);
    lag_reader_end(db);
    return status;
}

int lagd_h_checkpoint_patched(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : lagd_h_checkpoint(request);
}

int lagd_h_checkpoint_patch(struct lagd_request *request) {
    struct lagd_keep_body body;
    lag_fields_defaults(&lagd_keep_fields, &body);
    int status = lagd_json_decode(request->json, &lagd_keep_fields, NULL, "", &body, &request->faults);
    if (status < 0) return status;
    struct lagd_command *command = lagd_command_create(LAGD_CHECKPOINT_KEEP);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        command->u.keep = body.keep;
    }
    return lagd_request_post(request, command);
}

int lagd_h_checkpoint_delete(struct lagd_request *request) {
    struct lagd_command *command = lagd_command_create(LAGD_CHECKPOINT_DELETE);
    if (command) (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
    return lagd_request_post(request, command);
}

/* The same by way of its run, which must be the checkpoint's. */
int lagd_h_run_checkpoint_delete(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_run_row run;
    struct lag_checkpoint_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    if (status == 0) status = lag_checkpoint_get(db, request->params[1], &row, &request->err);
    if (status < 0) return status;
    if (strcmp(row.run_id, run.id) != 0)
        return lag_error_set(&request->err, LAG_ENOTFOUND, "run %s has no checkpoint %s", run.name, row.id);
    request->params[0] = request->params[1];
    return lagd_h_checkpoint_delete(request);
}

/* --- files ------------------------------------------------------------------------------------------------------- */

struct wanted {
    const char *name;
    struct lag_checkpoint_file_row row;
    bool found;
};

static int match_file(const struct lag_checkpoint_file_row *row, void *arg) {
    struct wanted *wanted = arg;
    if (strcmp(row->name, wanted->name) != 0) return 0;
    wanted->row = *row;
    wanted->found = true;
    return 0;
}

int lagd_checkpoint_file_away(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint) {
    struct lag_db *db;
    struct lag_checkpoint_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_checkpoint_get(db, checkpoint->id, &row, &request->err);
    if (status == LAG_ENOTFOUND)
        return lag_error_set(&request->err, status, "the checkpoint was just removed by retention");
    if (status < 0) return status;
    return lag_error_set(&request->err, LAG_EAWAY, "the files of checkpoint %s are not there (%s): put them back, or "
                         "mount their disk", row.id, row.path);
}

int lagd_checkpoint_file_check(struct lagd_request *request, const struct lag_checkpoint_file_row *file, int fd,
                               bool again) {
    char sha256[LAG_SHA256_HEX];
    int status = lagd_supervisor_hash_of(request->supervisor, fd, sha256, &request->err);
    if (status > 0 && again)
        return lag_error_set(&request->err, LAG_EBUSY, "%s was written to while it was read; ask again", file->name);
    if (status != 0 || strcmp(sha256, file->sha256) == 0) return status;
    lag_log(LAG_LOG_WARNING, "%s of the checkpoint %s is damaged: it is not served", file->name, file->checkpoint_id);
    return lag_error_set(&request->err, LAG_ECORRUPT, "%s of the checkpoint %s is damaged: its SHA-256 is not that "
                         "which was written; take another checkpoint", file->name, file->checkpoint_id);
}

int lagd_checkpoint_files_read(struct lagd_request *request, const char *checkpoint, const char *file) {
    struct lagd_command *command = lagd_command_create(LAGD_CHECKPOINT_CHECK);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), checkpoint);
        (void)lag_copy(command->u.file, sizeof(command->u.file), file);
    }
    return lagd_request_post(request, command);
}

/* The path is made of what the database says; the name in the URL only chooses a row. */
static int open_file(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint, const char *name,
                     int *ret_fd) {
    char path[LAG_ROW_PATH + 80];
    struct stat info;
    struct lag_error err = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", checkpoint->path, name);
    int status = lag_fs_open_beneath(lagd_supervisor_state_dir(request->supervisor), path, ret_fd, &err);
    if (status == LAG_ENOTFOUND) return lagd_checkpoint_file_away(request, checkpoint);
    if (status < 0) return lag_error_set(&request->err, LAG_EINTERNAL, "%s", err.text);
    if (fstat(*ret_fd, &info) == 0) return 0;
    (void)close(*ret_fd);
    return lag_error_set(&request->err, LAG_EIO, "cannot look at a file of the checkpoint: %s", strerror(errno));
}

int lagd_checkpoint_file_open(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint,
                              const struct lag_checkpoint_file_row *file, bool again, int *ret_fd) {
    struct stat info;
    int fd = -1;
    int status = open_file(request, checkpoint, file->name, &fd);
    if (status < 0) return status;
    if (fstat(fd, &info) == 0 && info.st_size == file->n_bytes)
        status = lagd_checkpoint_file_check(request, file, fd, again);
    else
        status = lag_error_set(&request->err, LAG_ECORRUPT, "%s of checkpoint %s has another size than when it was "
                               "written", file->name, checkpoint->id);
    if (status == 0) *ret_fd = fd;
    else (void)close(fd);
    return status;
}

static bool has_it(const struct lagd_request *request, const struct lag_checkpoint_file_row *file) {
    char tag[80];
    (void)snprintf(tag, sizeof(tag), "\"%s\"", file->sha256);
    return request->if_none_match && strstr(request->if_none_match, tag);
}

static int answer_file(struct lagd_request *request, const struct lag_checkpoint_file_row *file) {
    struct lagd_response *response = &request->response;
    char tag[80];
    uint64_t size = (uint64_t)file->n_bytes;
    struct lagd_range range = {0, size};
    (void)snprintf(tag, sizeof(tag), "\"%s\"", file->sha256);
    lagd_header_set(request, "ETag", "%s", tag);
    lagd_header_set(request, "Accept-Ranges", "bytes");
    lagd_header_set(request, "Cache-Control", "private, no-cache");
    lagd_header_set(request, "Content-Disposition", "attachment; filename=\"%s\"", file->name);
    if (has_it(request, file)) {
        response->status = 304;
        return 0;
    }
    int part = request->range ? lagd_range_parse(request->range, size, &range) : 0;
    if (part < 0) return lagd_fail(request, "range-not-satisfiable", "the file has %" PRIu64 " bytes", size);
    if (part > 0) {
        response->status = 206;
        lagd_header_set(request, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first,
                        range.first + range.length - 1, size);
    }
    response->fd_offset = range.first;
    response->fd_length = range.length;
    return 0;
}

/* Opened, and known to be what was written. LAGD_WAIT: it is read first. */
static int open_checked(struct lagd_request *request, const struct lag_checkpoint_row *checkpoint,
                        const struct lag_checkpoint_file_row *file, bool again) {
    int fd = -1;
    int status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status == 0) status = open_file(request, checkpoint, file->name, &fd);
    if (status < 0) return status;
    status = lagd_checkpoint_file_check(request, file, fd, again);
    if (status == 0) request->response.fd = fd;
    else (void)close(fd);
    return status > 0 ? lagd_checkpoint_files_read(request, checkpoint->id, file->name) : status;
}

static int answer_checkpoint_file(struct lagd_request *request, bool again) {
    struct lag_db *db;
    struct lag_checkpoint_row checkpoint;
    struct wanted wanted = {.name = request->params[1]};
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_checkpoint_get(db, request->params[0], &checkpoint, &request->err);
    if (status == 0) status = lag_checkpoint_files(db, checkpoint.id, match_file, &wanted, &request->err);
    if (status < 0) return status;
    if (!wanted.found)
        return lag_error_set(&request->err, LAG_ENOTFOUND, "checkpoint %s has no file %s", checkpoint.id, wanted.name);
    if (!has_it(request, &wanted.row)) status = open_checked(request, &checkpoint, &wanted.row, again);
    if (status != 0) return status;
    status = answer_file(request, &wanted.row);
    if (status < 0 && request->response.fd >= 0) {
        (void)close(request->response.fd);
        request->response.fd = -1;
    }
    return status;
}

int lagd_h_checkpoint_file(struct lagd_request *request) { return answer_checkpoint_file(request, false); }

int lagd_h_checkpoint_file_read(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : answer_checkpoint_file(request, true);
}

/* --- samples ----------------------------------------------------------------------------------------------------- */

static int write_prompt(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct lagd_command *)object)->u.generate->prompt);
    return 0;
}

static int write_text(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_command *command = object;
    lagd_json_text_n(json, key, command->text ? command->text : "", command->text ? command->n_text : 0);
    return 0;
}

static int write_n_tokens(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct lagd_command *)object)->u.generate->n_tokens);
    return 0;
}

static const struct lagd_member sample_members[] = {
    LAGD_WRITTEN("prompt", "s", write_prompt, NULL),
    LAGD_WRITTEN("text", "s", write_text, "What the model wrote behind the prompt."),
    LAGD_WRITTEN("n_tokens", "i", write_n_tokens, NULL),
    LAGD_MEMBER(struct lagd_command, "checkpoint", "s?", id,
                "Id of the state that wrote it; null: the run's present one."),
    LAGD_MEMBER(struct lagd_command, "step", "i", step, "Step of that state."),
};
const struct lagd_schema lagd_sample_schema = LAGD_SCHEMA("Sample", sample_members);

int lagd_h_generated(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : lagd_answer_object(request, &lagd_sample_schema, request->command, NULL, 0);
}

/* Prompts have line breaks, so they are no one-line field of a table. */
static void decode_prompt(json_t *body, struct lagd_generate_request *generate, struct lagd_faults *faults) {
    json_t *prompt = json_object_get(body, "prompt");
    const char *text = json_string_value(prompt);
    if (!prompt) return;
    if (!text || strlen(text) != json_string_length(prompt)) {
        lagd_fault_add(faults, false, "/prompt", "must be a text without NUL bytes");
    } else if (lag_copy(generate->prompt, sizeof(generate->prompt), text) < 0) {
        lagd_fault_add(faults, false, "/prompt", "must have at most " LAG_TEXT_OF(LAGD_PROMPT_MAX) " bytes");
    }
}

static int generate(struct lagd_request *request, bool of_run) {
    static const char *const others[] = {"prompt", NULL};
    struct lagd_command *command = lagd_command_create(LAGD_GENERATE);
    if (command) command->u.generate = lag_calloc(1, sizeof(*command->u.generate));
    if (!command || !command->u.generate) {
        lagd_command_destroy(command);
        return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    }
    struct lagd_generate_request *wish = command->u.generate;
    lag_fields_defaults(&lagd_generate_fields, wish);
    if (request->json) {
        (void)lagd_json_decode(request->json, &lagd_generate_fields, others, "", wish, &request->faults);
        decode_prompt(request->json, wish, &request->faults);
    }
    if (request->faults.n > 0) {
        lagd_command_destroy(command);
        return LAG_EINVAL;
    }
    if (of_run)
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
    else
        (void)lag_copy(wish->checkpoint, sizeof(wish->checkpoint), request->params[0]);
    return lagd_request_post(request, command);
}

int lagd_h_run_generate(struct lagd_request *request) { return generate(request, true); }
int lagd_h_checkpoint_generate(struct lagd_request *request) { return generate(request, false); }

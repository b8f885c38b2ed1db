/* /tokenizers: how text becomes tokens. */
#include "body/bodies_internal.h"
#include "encode/encode_internal.h"
#include "request/pages_internal.h"
#include "request/upload_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/storage/tokenizers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "tokenizer.json"

/* --- the answer --------------------------------------------------------------------------------------------------- */

static int write_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_tokenizer_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/tokenizers/%s", row->id);
    lagd_write_link(json, "files", "/api/v1/tokenizers/%s/files", row->id);
    lagd_json_close_object(json);
    return 0;
}

static const char *tokenizer_state(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_TOKENIZER, i, ret_help);
}

static int write_progress(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_tokenizer_row *row = object;
    const double all = (double)row->n_all, done = (double)row->n_done;
    const bool ready = lagd_tokenizer_is(row->state, LAGD_TOKENIZER_READY);
    lagd_json_real(json, key, ready ? 1 : all > 0 ? LAG_MIN(done / all, 1) : 0);
    return 0;
}

static int write_byte_level(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_tokenizer_row *row = object;
    if (lagd_tokenizer_is(row->state, LAGD_TOKENIZER_READY)) lagd_json_bool(json, key, row->byte_level);
    else lagd_json_null(json, key);
    return 0;
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_tokenizer_row, name, type, member, help)
static const struct lagd_member tokenizer_members[] = {
    ROW("id", "s", id, NULL),
    ROW("name", "s", name, NULL),
    ROW("origin", "s", origin, "file, upload: read; trained; extended: trained on from another."),
    ROW("path", "s?", path, "Of the file or folder that it was read from."),
    ROW("dataset", "s?", dataset_id, "Id of the dataset whose words it learnt."),
    ROW("base", "s?", base_id, "Id of the tokenizer that it goes on from."),
    LAGD_CHOICE(struct lag_tokenizer_row, "state", "s", state, tokenizer_state, NULL),
    ROW("reason", "s?", reason, "Why it failed: file, component and rule."),
    LAGD_WRITTEN("progress", "n", write_progress, "Of making it, 0 to 1."),
    ROW("kind", "s?", kind, "bytes, BPE or WordPiece; null until it is ready, as are those below."),
    ROW("pattern", "s?", pattern, "How words are found, where that has a name: gpt2, llama3, qwen2."),
    ROW("vocab_size", "c?", vocab_size, "What a model's vocabulary must hold: the largest id and one."),
    LAGD_MEMBER(struct lag_tokenizer_row, "n_merges", "i", n_merges, NULL),
    LAGD_MEMBER(struct lag_tokenizer_row, "n_added", "i", n_added, "Tokens that are found before words are."),
    ROW("eos_token", "s?", eos_token, "The token at the end of a text."),
    ROW("eos_id", "i?", eos, NULL),
    ROW("bos_token", "s?", bos_token, "The token at the beginning of a text."),
    ROW("bos_id", "i?", bos, NULL),
    LAGD_WRITTEN("byte_level", "b?", write_byte_level, "Any bytes can be told, and come back as they were."),
    ROW("n_bytes", "c?", n_bytes, "Of its " FILE_NAME "."),
    ROW("sha256", "s?", sha256, NULL),
    ROW("created_at", "t?", created_ms, NULL),
    LAGD_WRITTEN("links", "{s}", write_links, NULL),
};
#undef ROW
const struct lagd_schema lagd_tokenizer_schema = LAGD_SCHEMA("Tokenizer", tokenizer_members);

/* --- looking ------------------------------------------------------------------------------------------------------ */

struct listing {
    struct lagd_page page;
    struct lagd_rows rows;
};

static int add_tokenizer(const struct lag_tokenizer_row *row, void *arg) {
    struct listing *listing = arg;
    int verdict = lagd_page_add(&listing->page, LAGD_PAGE_BY_ID, row->id);
    if (verdict == LAGD_PAGE_TAKE) return lagd_rows_add(&listing->rows, row);
    return verdict == LAGD_PAGE_FULL;
}

static const struct lagd_member list_members[] = {LAGD_LIST(&lagd_tokenizer_schema)};
const struct lagd_schema lagd_tokenizer_list_schema = LAGD_SCHEMA("TokenizerList", list_members);

int lagd_h_tokenizers(struct lagd_request *request) {
    struct lag_db *db;
    struct listing listing = {.rows = LAGD_ROWS_INIT(struct lag_tokenizer_row)};
    int status = lagd_page_begin(request, "tok", false, &listing.page);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0) status = lag_tokenizer_list(db, add_tokenizer, &listing, &request->err);
    if (status >= 0) {
        const struct lagd_list list = {lagd_rows_span(&listing.rows), listing.page.next};
        status = lagd_answer_object(request, &lagd_tokenizer_list_schema, &list, NULL, 0);
    }
    lagd_rows_deinit(&listing.rows);
    return status;
}

static int find(struct lagd_request *request, const char *id, struct lag_tokenizer_row *ret) {
    struct lag_db *db;
    int status = lagd_request_db(request, &db);
    return status == 0 ? lag_tokenizer_get(db, id, ret, &request->err) : status;
}

static int answer_tokenizer(struct lagd_request *request, const char *id, int success) {
    struct lag_tokenizer_row row;
    int status = find(request, id, &row);
    return status < 0 ? status : lagd_answer_object(request, &lagd_tokenizer_schema, &row, NULL, success);
}

int lagd_h_tokenizer(struct lagd_request *request) { return answer_tokenizer(request, request->params[0], 200); }

/* --- files -------------------------------------------------------------------------------------------------------- */

static int find_ready(struct lagd_request *request, struct lag_tokenizer_row *ret) {
    int status = find(request, request->params[0], ret);
    if (status < 0 || lagd_tokenizer_is(ret->state, LAGD_TOKENIZER_READY)) return status;
    return lag_error_set(&request->err, LAG_ESTATE, "tokenizer %s is %s: its files are there once it is ready",
                         ret->name, ret->state);
}

static int write_name(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, FILE_NAME);
    return 0;
}

#define FILE_ROW(name, type, member) LAGD_MEMBER(struct lag_tokenizer_row, name, type, member, NULL)
static const struct lagd_member file_members[] = {
    LAGD_WRITTEN("name", "s", write_name, NULL), FILE_ROW("n_bytes", "i", n_bytes), FILE_ROW("sha256", "s", sha256)};
static const struct lagd_schema file_schema = LAGD_SCHEMA("TokenizerFile", file_members);

static const struct lagd_member file_list_members[] = {LAGD_LIST(&file_schema)};
const struct lagd_schema lagd_tokenizer_files_schema = LAGD_SCHEMA("TokenizerFileList", file_list_members);

int lagd_h_tokenizer_files(struct lagd_request *request) {
    struct lag_tokenizer_row row;
    int status = find_ready(request, &row);
    const struct lagd_list list = {{&row, 1, sizeof(row)}, ""};
    return status < 0 ? status : lagd_answer_object(request, &lagd_tokenizer_files_schema, &list, NULL, 0);
}

int lagd_h_tokenizer_file(struct lagd_request *request) {
    struct lag_tokenizer_row row;
    struct stat info;
    char path[LAG_ROW_ID + 40];
    int fd = -1;
    int status = find_ready(request, &row);
    if (status < 0) return status;
    if (strcmp(request->params[1], FILE_NAME) != 0)
        return lag_error_set(&request->err, LAG_ENOTFOUND, "tokenizer %s has no file %s, only " FILE_NAME, row.name,
                             request->params[1]);
    status = lagd_request_take_place(request, LAGD_PLACE_DOWNLOAD);
    if (status < 0) return status;
    (void)snprintf(path, sizeof(path), "tokenizers/%s/" FILE_NAME, row.id);
    status = lag_fs_open_beneath(lagd_supervisor_state_dir(request->supervisor), path, &fd, &request->err);
    if (status == 0 && (fstat(fd, &info) != 0 || info.st_size != row.n_bytes)) {
        (void)close(fd);
        status = lag_error_set(&request->err, LAG_ECORRUPT, FILE_NAME " of tokenizer %s has another size than when it "
                               "was made", row.name);
    }
    if (status < 0) return status;
    lagd_header_set(request, "ETag", "\"%s\"", row.sha256);
    lagd_header_set(request, "Cache-Control", "private, no-cache");
    lagd_header_set(request, "Content-Disposition", "attachment; filename=\"" FILE_NAME "\"");
    request->response.fd = fd;
    request->response.fd_offset = 0;
    request->response.fd_length = (uint64_t)row.n_bytes;
    return 0;
}

/* --- making, extending, deleting ---------------------------------------------------------------------------------- */

int lagd_h_tokenizer_added(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status == LAG_ENOTFOUND || status == LAG_EDENIED) request->slug = "path-not-readable";
    if (status < 0) return status;
    lagd_header_set(request, "Location", "/api/v1/tokenizers/%s", request->command->id);
    lagd_header_set(request, "Retry-After", "%d", 1);
    return answer_tokenizer(request, request->command->id, 202);
}

int lagd_h_tokenizer_extended(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return status;
    lagd_header_set(request, "Location", "/api/v1/tokenizers/%s", request->command->id);
    lagd_header_set(request, "Retry-After", "%d", 1);
    return answer_tokenizer(request, request->command->id, 202);
}

static int decode_upload(struct lagd_request *request, struct lagd_tokenizer_add *add) {
    (void)lag_copy(add->name, sizeof(add->name), lagd_query_text(&request->target, request->route, "name"));
    if (lag_copy(add->upload, sizeof(add->upload), lagd_upload_path(request->upload)) == 0) return 0;
    return lag_error_set(&request->err, LAG_EINTERNAL, "the path of the state directory is too long for uploads");
}

static int post_add(struct lagd_request *request, const struct lag_fields *table, const char *base) {
    struct lagd_command *command = lagd_command_create(LAGD_TOKENIZER_ADD);
    struct lagd_tokenizer_add *add = lag_calloc(1, sizeof(*add));
    if (!command || !add) {
        lagd_command_destroy(command);
        free(add);
        return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    }
    command->u.tokenizer = add;
    lag_fields_defaults(&lagd_tokenizer_fields, add);
    (void)lag_copy(command->target, sizeof(command->target), base);
    int status = request->upload ? decode_upload(request, add)
                                 : lagd_json_decode(request->json, table, NULL, "", add, &request->faults);
    if (status == 0) return lagd_request_post(request, command);
    lagd_command_destroy(command);
    return status;
}

int lagd_h_tokenizer_add(struct lagd_request *request) { return post_add(request, &lagd_tokenizer_fields, ""); }

int lagd_h_tokenizer_extend(struct lagd_request *request) {
    return post_add(request, &lagd_tokenizer_extend_fields, request->params[0]);
}

int lagd_h_tokenizer_delete(struct lagd_request *request) {
    struct lagd_command *command = lagd_command_create(LAGD_TOKENIZER_DELETE);
    if (command) (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
    return lagd_request_post(request, command);
}

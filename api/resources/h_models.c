/* /models: folders of Hugging Face's libraries that were brought. */
#include "body/bodies_internal.h"
#include "encode/encode_internal.h"
#include "request/pages_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/fs.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/daemon/supervisor.h>
#include <lagd/storage/models.h>
#include <string.h>

enum { CONFIG_MAX = 65536 }; /* no import takes a longer one */

/* --- the answer -------------------------------------------------------------------------------------------------- */

static int write_links(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_model_row *row = object;
    lagd_json_open_object(json, key);
    lagd_write_link(json, "self", "/api/v1/models/%s", row->id);
    lagd_json_close_object(json);
    return 0;
}

static const char *model_state(int i, const char **ret_help) {
    return lagd_state_choice(LAGD_MACHINE_MODEL, i, ret_help);
}

/* Files are copied, and then read: each byte counts twice. */
static int write_progress(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_model_row *row = object;
    const double whole = 2.0 * (double)row->n_bytes, done = (double)row->n_bytes_done;
    const bool ready = lagd_model_is(row->state, LAGD_MODEL_READY);
    lagd_json_real(json, key, ready ? 1 : whole > 0 ? LAG_MIN(done / whole, 1) : 0);
    return 0;
}

static bool is_known(const struct lag_model_row *row) { return row->shape.n_layer > 0; }

static int write_shape(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_model_row *row = object;
    if (is_known(row)) return lagd_write_object(json, key, &lagd_model_schema, &row->shape, NULL);
    lagd_json_null(json, key);
    return 0;
}

static int write_epsilon(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lag_model_row *row = object;
    if (is_known(row)) lagd_json_real(json, key, row->norm_eps);
    else lagd_json_null(json, key);
    return 0;
}

#define ROW(name, type, member, help) LAGD_MEMBER(struct lag_model_row, name, type, member, help)
static const struct lagd_member model_members[] = {
    ROW("id", "s", id, NULL),
    ROW("name", "s", name, NULL),
    ROW("path", "s", path, "Of the folder that it was copied from."),
    LAGD_CHOICE(struct lag_model_row, "state", "s", state, model_state, NULL),
    ROW("reason", "s?", reason, "Why it failed: file, tensor or key, and rule."),
    ROW("n_bytes", "i", n_bytes, "Of all its files."),
    LAGD_WRITTEN("progress", "n", write_progress, "Of the import, 0 to 1."),
    LAGD_WRITTEN_OF("shape", "@?", &lagd_model_schema, write_shape, "null until it is ready, as are those below."),
    ROW("n_params", "c?", n_params, NULL),
    LAGD_WRITTEN("layer_norm_epsilon", "n?", write_epsilon, NULL),
    ROW("dtype", "s?", dtype, "Of its weights: f32, bf16, f16 or mixed."),
    ROW("tokenizer", "s?", tokenizer, "none; bytes: each byte is a token; else what tokenizer.json calls its model."),
    ROW("tokenizer_size", "c?", tokenizer_size, "Tokens that it knows; a larger vocabulary of the model is kept."),
    ROW("created_at", "t?", created_ms, NULL),
    LAGD_WRITTEN("links", "{s}", write_links, NULL),
};
#undef ROW
static const struct lagd_schema model_schema = LAGD_SCHEMA("Model", model_members);

#define FILE_ROW(name, type, member) LAGD_MEMBER(struct lag_model_file_row, name, type, member, NULL)
static const struct lagd_member file_members[] = {
    FILE_ROW("name", "s", name), FILE_ROW("n_bytes", "i", n_bytes), FILE_ROW("sha256", "s", sha256)};
static const struct lagd_schema file_schema = LAGD_SCHEMA("ModelFile", file_members);

#define IGNORED(name, type, member) LAGD_MEMBER(struct lag_model_ignored_row, name, type, member, NULL)
static const struct lagd_member ignored_members[] = {
    IGNORED("name", "s", name), IGNORED("file", "s", file), IGNORED("dtype", "s", dtype), IGNORED("shape", "s", shape)};
static const struct lagd_schema ignored_schema = LAGD_SCHEMA("ModelIgnored", ignored_members);

static int add_file(const struct lag_model_file_row *row, void *arg) {
    return lagd_write_object(arg, NULL, &file_schema, row, NULL);
}

static int write_files(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    lagd_json_open_array(json, key);
    int status = lag_model_files(encoding->db, ((const struct lag_model_row *)object)->id, add_file, json,
                                 encoding->err);
    lagd_json_close_array(json);
    return status;
}

static int add_ignored(const struct lag_model_ignored_row *row, void *arg) {
    return lagd_write_object(arg, NULL, &ignored_schema, row, NULL);
}

static int write_ignored(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    lagd_json_open_array(json, key);
    int status = lag_model_ignored(encoding->db, ((const struct lag_model_row *)object)->id, add_ignored, json,
                                   encoding->err);
    lagd_json_close_array(json);
    return status;
}

/* As it lies in the model's folder, where the import has found it to be one JSON object. */
static int write_config(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_encoding *encoding = context;
    const struct lag_model_row *row = object;
    LAG_CLEANUP(lag_free_p) char *text = NULL;
    LAG_CLEANUP(lag_free_p) char *path = lag_asprintf(
        "%s/models/%s/config.json", lagd_supervisor_state_dir(encoding->supervisor), row->id);
    size_t length = 0;
    if (!path) return lag_error_set(encoding->err, LAG_EBUSY, "out of memory");
    const bool there = lagd_model_is(row->state, LAGD_MODEL_READY) &&
                       lag_fs_read_file(path, CONFIG_MAX, &text, &length, NULL) == 0;
    char *first = there ? strchr(text, '{') : NULL, *last = there ? strrchr(text, '}') : NULL;
    if (!first || !last) {
        lagd_json_null(json, key);
        return 0;
    }
    *last = '\0';
    lagd_json_open_object(json, key);
    lagd_json_raw(json, first + 1);
    lagd_json_close_object(json);
    return 0;
}

static int write_row(struct lagd_json *json, const char *key, const void *object, void *context) {
    return lagd_write_members(json, &model_schema, object, context);
}

static const struct lagd_member detail_members[] = {
    {.of = &model_schema, .write = write_row},
    LAGD_WRITTEN("config", "o?", write_config, "config.json as it came."),
    LAGD_WRITTEN_OF("files", "[@]", &file_schema, write_files, "All that was copied, by name."),
    LAGD_WRITTEN_OF("ignored", "[@]", &ignored_schema, write_ignored,
                    "Tensors that lagd does not read: buffers, and a stored duplicate of the tied head."),
};
const struct lagd_schema lagd_model_details_schema = LAGD_SCHEMA("ModelDetails", detail_members);

/* --- looking ----------------------------------------------------------------------------------------------------- */

struct listing {
    struct lagd_page page;
    struct lagd_rows rows;
};

static int add_model(const struct lag_model_row *row, void *arg) {
    struct listing *listing = arg;
    int verdict = lagd_page_add(&listing->page, LAGD_PAGE_BY_ID, row->id);
    if (verdict == LAGD_PAGE_TAKE) return lagd_rows_add(&listing->rows, row);
    return verdict == LAGD_PAGE_FULL;
}

static const struct lagd_member list_members[] = {LAGD_LIST(&model_schema)};
const struct lagd_schema lagd_model_list_schema = LAGD_SCHEMA("ModelList", list_members);

int lagd_h_models(struct lagd_request *request) {
    struct lag_db *db;
    struct listing listing = {.rows = LAGD_ROWS_INIT(struct lag_model_row)};
    int status = lagd_page_begin(request, "md", false, &listing.page);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0) status = lag_model_list(db, add_model, &listing, &request->err);
    if (status >= 0) {
        const struct lagd_list list = {lagd_rows_span(&listing.rows), listing.page.next};
        status = lagd_answer_object(request, &lagd_model_list_schema, &list, NULL, 0);
    }
    lagd_rows_deinit(&listing.rows);
    return status;
}

static int answer_model(struct lagd_request *request, const char *id, int success) {
    struct lag_db *db;
    struct lag_model_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_model_get(db, id, &row, &request->err);
    if (status < 0) return status;
    struct lagd_encoding encoding = {.db = db, .err = &request->err, .supervisor = request->supervisor};
    return lagd_answer_object(request, &lagd_model_details_schema, &row, &encoding, success);
}

int lagd_h_model(struct lagd_request *request) { return answer_model(request, request->params[0], 200); }

/* --- bringing, deleting ------------------------------------------------------------------------------------------ */

int lagd_h_model_added(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status == LAG_ENOTFOUND || status == LAG_EDENIED) request->slug = "path-not-readable";
    if (status < 0) return status;
    lagd_header_set(request, "Location", "/api/v1/models/%s", request->command->id);
    lagd_header_set(request, "Retry-After", "%d", 1);
    return answer_model(request, request->command->id, 202);
}

int lagd_h_model_add(struct lagd_request *request) {
    LAG_CLEANUP(lag_free_p) struct lagd_model_add *add = lag_calloc(1, sizeof(*add));
    if (!add) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lag_fields_defaults(&lagd_model_fields, add);
    int status = lagd_json_decode(request->json, &lagd_model_fields, NULL, "", add, &request->faults);
    if (status < 0) return status;
    struct lagd_command *command = lagd_command_create(LAGD_MODEL_ADD);
    if (command) command->u.model = LAG_TAKE(add);
    return lagd_request_post(request, command);
}

int lagd_h_model_delete(struct lagd_request *request) {
    struct lagd_command *command = lagd_command_create(LAGD_MODEL_DELETE);
    if (command) (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
    return lagd_request_post(request, command);
}

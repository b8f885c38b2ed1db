/* /datasets */
#include "body/bodies_internal.h"
#include "encode/encode_internal.h"
#include "request/pages_internal.h"
#include "request/upload_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <string.h>

struct listing {
    struct lagd_page page;
    struct lagd_rows rows;
};

static int add_dataset(const struct lag_dataset_row *row, void *arg) {
    struct listing *listing = arg;
    int verdict = lagd_page_add(&listing->page, LAGD_PAGE_BY_ID, row->id);
    if (verdict == LAGD_PAGE_TAKE) return lagd_rows_add(&listing->rows, row);
    return verdict == LAGD_PAGE_FULL;
}

static const struct lagd_member list_members[] = {LAGD_LIST(&lagd_dataset_schema)};
const struct lagd_schema lagd_dataset_list_schema = LAGD_SCHEMA("DatasetList", list_members);

int lagd_h_datasets(struct lagd_request *request) {
    struct lag_db *db;
    struct listing listing = {.rows = LAGD_ROWS_INIT(struct lag_dataset_row)};
    int status = lagd_page_begin(request, "ds", false, &listing.page);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0) status = lag_dataset_list(db, add_dataset, &listing, &request->err);
    if (status >= 0) {
        const struct lagd_list list = {lagd_rows_span(&listing.rows), listing.page.next};
        status = lagd_answer_object(request, &lagd_dataset_list_schema, &list, NULL, 0);
    }
    lagd_rows_deinit(&listing.rows);
    return status;
}

int lagd_h_dataset(struct lagd_request *request) {
    struct lag_db *db;
    struct lag_dataset_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_dataset_get(db, request->params[0], &row, &request->err);
    return status < 0 ? status : lagd_answer_object(request, &lagd_dataset_schema, &row, NULL, 200);
}

/* Ready, or under way: then its address tells how far it is. */
static int answer_added(struct lagd_request *request, const char *id) {
    struct lag_db *db;
    struct lag_dataset_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_dataset_get(db, id, &row, &request->err);
    if (status < 0) return status;
    const bool ready = lagd_dataset_is(row.state, LAGD_DATASET_READY);
    lagd_header_set(request, "Location", "/api/v1/datasets/%s", row.id);
    if (!ready) lagd_header_set(request, "Retry-After", "%d", 1);
    return lagd_answer_object(request, &lagd_dataset_schema, &row, NULL, ready ? 201 : 202);
}

static int decode_upload(struct lagd_request *request, struct lagd_dataset_add *add) {
    const struct lagd_target *target = &request->target;
    const char *format = lagd_query_text(target, request->route, "format");
    const char *file_name = lagd_query_text(target, request->route, "file_name");
    const struct lag_field *field = lag_fields_find(&lagd_dataset_fields, "format");
    int status = lag_field_set_text(field, add, format, &request->err);
    if (status < 0) return status;
    (void)lag_copy(add->name, sizeof(add->name), lagd_query_text(target, request->route, "name"));
    /* The same bytes mean the same whatever the upload is called: text, unless the format or a file name says
     * otherwise. */
    (void)lag_copy(add->file_name, sizeof(add->file_name), file_name ? file_name : "upload.txt");
    const char *tokenizer = lagd_query_text(target, request->route, "tokenizer");
    const char *document_field = lagd_query_text(target, request->route, "field");
    field = lag_fields_find(&lagd_dataset_fields, "documents/kind");
    status = lag_field_set_text(field, add, lagd_query_text(target, request->route, "documents"), &request->err);
    if (status < 0) return status;
    (void)lag_copy(add->tokenizer, sizeof(add->tokenizer), tokenizer ? tokenizer : "");
    (void)lag_copy(add->document_field, sizeof(add->document_field), document_field ? document_field : "");
    int64_t vocab_size = lagd_query_int(target, request->route, "vocab_size");
    const int64_t most = (int64_t)lag_fields_find(&lagd_dataset_fields, "vocab_size")->max;
    add->vocab_size = LAG_MIN(vocab_size, most);
    if (lag_copy(add->upload, sizeof(add->upload), lagd_upload_path(request->upload)) == 0) return 0;
    return lag_error_set(&request->err, LAG_EINTERNAL, "the path of the state directory is too long for uploads");
}

static int decode_file(struct lagd_request *request, struct lagd_dataset_add *add) {
    int status = lagd_json_decode(request->json, &lagd_dataset_fields, NULL, "", add, &request->faults);
    if (status < 0) return status;
    const char *slash = strrchr(add->path, '/');
    (void)lag_copy(add->file_name, sizeof(add->file_name), slash ? slash + 1 : add->path);
    return 0;
}

int lagd_h_dataset_added(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status == LAG_ENOTFOUND || status == LAG_EDENIED) request->slug = "path-not-readable";
    if (status == LAG_ECORRUPT) request->slug = "bad-token-file";
    return status < 0 ? status : answer_added(request, request->command->id);
}

int lagd_h_dataset_add(struct lagd_request *request) {
    struct lagd_command *command = lagd_command_create(LAGD_DATASET_ADD);
    if (command) command->u.dataset = lag_calloc(1, sizeof(*command->u.dataset));
    if (!command || !command->u.dataset) {
        lagd_command_destroy(command);
        return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    }
    lag_fields_defaults(&lagd_dataset_fields, command->u.dataset);
    int status =
        request->upload ? decode_upload(request, command->u.dataset) : decode_file(request, command->u.dataset);
    if (status < 0) {
        lagd_command_destroy(command);
        return status;
    }
    const int64_t wait_s = lagd_query_int(&request->target, request->route, "wait");
    command->u.dataset->wait_s = wait_s < 0 ? 0 : wait_s == 0 ? -1 : wait_s;
    /* A failed upload is removed with the request; a stored one is gone by then. */
    return lagd_request_post(request, command);
}

int lagd_h_unneeded_deleted(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status == LAG_ESTATE) request->slug = "in-use";
    request->response.status = 204;
    return status;
}

int lagd_h_dataset_delete(struct lagd_request *request) {
    struct lagd_command *command = lagd_command_create(LAGD_DATASET_DELETE);
    if (command) (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
    return lagd_request_post(request, command);
}

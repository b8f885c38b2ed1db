/* /tokenizers/{tokenizer}/encode and /decode */
#include "body/bodies_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_ids(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_coding *coding = ((const struct lagd_command *)object)->u.coding;
    lagd_json_open_array(json, key);
    for (size_t i = 0; i < coding->n_ids; i++) lagd_json_int(json, NULL, coding->ids[i]);
    lagd_json_close_array(json);
    return 0;
}

static int count_ids(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, (int64_t)((const struct lagd_command *)object)->u.coding->n_ids);
    return 0;
}

static int write_pieces(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_command *command = object;
    const struct lagd_coding *coding = command->u.coding;
    if (!coding->pieces) {
        lagd_json_null(json, key);
        return 0;
    }
    lagd_json_open_array(json, key);
    for (size_t i = 0, begin = 0; i < coding->n_ids; begin = coding->ends[i++])
        lagd_json_text_n(json, NULL, command->text + begin, coding->ends[i] - begin);
    lagd_json_close_array(json);
    return 0;
}

static int write_text(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_command *command = object;
    lagd_json_text_n(json, key, command->text ? command->text : "", command->text ? command->n_text : 0);
    return 0;
}

static const struct lagd_member encoding_members[] = {
    LAGD_WRITTEN("ids", "[i]", write_ids, NULL),
    LAGD_WRITTEN("n_tokens", "i", count_ids, NULL),
    LAGD_WRITTEN("pieces", "[s]?", write_pieces, "What each id stands for by itself, as /decode tells it; null unless "
                                                 "asked for."),
};
const struct lagd_schema lagd_encoding_schema = LAGD_SCHEMA("Encoding", encoding_members);

static const struct lagd_member decoding_members[] = {
    LAGD_WRITTEN("text", "s", write_text, "Bytes that are no UTF-8 are told as U+FFFD."),
};
const struct lagd_schema lagd_decoding_schema = LAGD_SCHEMA("Decoding", decoding_members);

int lagd_h_tokenizer_encoded(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : lagd_answer_object(request, &lagd_encoding_schema, request->command, NULL, 0);
}

int lagd_h_tokenizer_decoded(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? status : lagd_answer_object(request, &lagd_decoding_schema, request->command, NULL, 0);
}

static int read_text(json_t *body, struct lagd_coding *coding, struct lagd_faults *faults, struct lag_error *err) {
    const json_t *text = json_object_get(body, "text");
    if (!json_is_string(text)) {
        lagd_fault_add(faults, false, "/text", text ? "must be a text" : "is required: the text to encode");
        return LAG_EINVAL;
    }
    coding->n_text = json_string_length(text);
    coding->text = malloc(coding->n_text + 1);
    if (!coding->text) return lag_error_set(err, LAG_EBUSY, "out of memory");
    memcpy(coding->text, json_string_value(text), coding->n_text + 1);
    return 0;
}

static int read_ids(json_t *body, struct lagd_coding *coding, struct lagd_faults *faults, struct lag_error *err) {
    const json_t *ids = json_object_get(body, "ids");
    if (!json_is_array(ids)) {
        lagd_fault_add(faults, false, "/ids", ids ? "must be an array of ids" : "is required: the ids to decode");
        return LAG_EINVAL;
    }
    coding->n_ids = json_array_size(ids);
    coding->ids = lag_calloc(coding->n_ids, sizeof(*coding->ids));
    if (!coding->ids) return lag_error_set(err, LAG_EBUSY, "out of memory");
    for (size_t i = 0; i < coding->n_ids; i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX) {
            char pointer[40];
            (void)snprintf(pointer, sizeof(pointer), "/ids/%zu", i);
            lagd_fault_add(faults, false, pointer, "must be an id: a whole number of 0 or more");
            return LAG_EINVAL;
        }
        coding->ids[i] = (int32_t)json_integer_value(id);
    }
    return 0;
}

static int code(struct lagd_request *request, bool decode) {
    static const char *const others[][2] = {{"text", NULL}, {"ids", NULL}};
    struct lagd_code_body wish;
    struct lagd_command *command = lagd_command_create(LAGD_TOKENIZER_CODE);
    if (command) command->u.coding = lag_calloc(1, sizeof(*command->u.coding));
    if (!command || !command->u.coding) {
        lagd_command_destroy(command);
        return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    }
    struct lagd_coding *coding = command->u.coding;
    lag_fields_defaults(&lagd_encode_fields, &wish);
    const struct lag_fields *fields = decode ? &lagd_code_fields : &lagd_encode_fields;
    int status = lagd_json_decode(request->json, fields, others[decode], "", &wish, &request->faults);
    if (status == 0)
        status = decode ? read_ids(request->json, coding, &request->faults, &request->err)
                        : read_text(request->json, coding, &request->faults, &request->err);
    if (status != 0) {
        lagd_command_destroy(command);
        return status;
    }
    coding->decode = decode;
    coding->special = wish.special;
    coding->pieces = wish.pieces;
    (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
    return lagd_request_post(request, command);
}

int lagd_h_tokenizer_encode(struct lagd_request *request) { return code(request, false); }
int lagd_h_tokenizer_decode(struct lagd_request *request) { return code(request, true); }

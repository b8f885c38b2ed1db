/* /runs: create, look, delete, and the verbs. */
#include "body/bodies_internal.h"
#include "encode/encode_internal.h"
#include "request/etag_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/shape.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- one --------------------------------------------------------------------------------------------------------- */

int lagd_answer_run(struct lagd_request *request, const char *id, int success) {
    struct lag_db *db;
    struct lag_run_row row;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, id, &row, &request->err);
    if (status < 0) return status;
    if (lagd_etag_fresh(request, row.revision)) return 0;
    struct lagd_encoding encoding = {db, &request->err, NULL, request->supervisor};
    return lagd_answer_object(request, &lagd_run_schema, &row, &encoding, success);
}

int lagd_h_run(struct lagd_request *request) { return lagd_answer_run(request, request->params[0], 200); }

/* --- create ------------------------------------------------------------------------------------------------------ */

static int write_fits(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_run_estimate *estimate = object;
    lagd_json_bool(json, key, estimate->memory_bytes <= estimate->memory_available_bytes);
    return 0;
}

static int write_config(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_open_object(json, key);
    lagd_write_fields(json, &lagd_run_fields, context, NULL);
    lagd_json_close_object(json);
    return 0;
}

#define ESTIMATE(name, type, member, help) LAGD_MEMBER(struct lagd_run_estimate, name, type, member, help)
static const struct lagd_member estimate_members[] = {
    ESTIMATE("n_params", "i", n_params, NULL),
    ESTIMATE("flops_per_token", "n", flops_per_token, NULL),
    ESTIMATE("flops_per_step", "n", flops_per_step, NULL),
    ESTIMATE("flops_total", "n", flops_total, "Of all steps."),
    ESTIMATE("tokens_per_step", "i", tokens_per_step, NULL),
    ESTIMATE("tokens_total", "i", tokens_total, NULL),
    ESTIMATE("memory_bytes", "i", memory_bytes, "While it trains."),
    ESTIMATE("state_bytes", "i", state_bytes, "Of that, weights and optimiser."),
    ESTIMATE("activation_bytes", "i", activation_bytes, "Of that, activations."),
    ESTIMATE("checkpoint_bytes", "i", checkpoint_bytes, "Of one checkpoint on disk."),
    ESTIMATE("memory_available_bytes", "i", memory_available_bytes, "What would be granted now."),
    LAGD_WRITTEN("fits", "b", write_fits, "memory_bytes would be granted now."),
    ESTIMATE("step_seconds", "n?", step_seconds, "A guess."),
    ESTIMATE("total_seconds", "n?", total_seconds, "A guess."),
    ESTIMATE("precision_note", "s?", precision_note, NULL),
    LAGD_WRITTEN("config", "o", write_config, "The body with all defaults, as the run would be made."),
};
const struct lagd_schema lagd_run_estimate_schema = LAGD_SCHEMA("RunEstimate", estimate_members);

static int dry_run(struct lagd_request *request, const struct lagd_run_from *from, struct lagd_run_config *config) {
    struct lag_db *db;
    struct lag_dataset_row dataset;
    struct lagd_run_source source;
    struct lagd_run_estimate estimate;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lagd_run_prepare(db, from, config, &dataset, &source, &request->err);
    if (status == 0)
        status = lagd_run_estimate(config, lagd_supervisor_threads(request->supervisor), &estimate, &request->err);
    if (status < 0) return status;
    estimate.memory_available_bytes = lagd_supervisor_memory_available(request->supervisor);
    return lagd_answer_object(request, &lagd_run_estimate_schema, &estimate, config, 200);
}

int lagd_h_run_created(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return status;
    lagd_header_set(request, "Location", "/api/v1/runs/%s", request->command->id);
    return lagd_answer_run(request, request->command->id, 201);
}

/* *ret: what it begins from, or NULL; the caller's. */
static int decode_from(struct lagd_request *request, struct lagd_run_from **ret) {
    json_t *body = json_object_get(request->json, "from"), *model = json_object_get(request->json, "model");
    const char *name;
    *ret = NULL;
    if (!body || json_is_null(body)) return 0;
    if (!json_is_object(body)) {
        lagd_fault_add(&request->faults, false, "/from", "must be an object with model or checkpoint");
        return LAG_EINVAL;
    }
    LAG_CLEANUP(lag_free_p) struct lagd_run_from *from = lag_calloc(1, sizeof(*from));
    if (!from) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lag_fields_defaults(&lagd_run_from_fields, from);
    int status = lagd_json_decode(body, &lagd_run_from_fields, NULL, "/from", from, &request->faults);
    if (status < 0) return status;
    for (int i = 0; (name = lagd_axis_name(i)) != NULL; i++)
        if (json_object_get(model, name)) from->given |= 1u << i;
    *ret = LAG_TAKE(from);
    return 0;
}

int lagd_h_run_create(struct lagd_request *request) {
    static const char *const others[] = {"from", NULL};
    LAG_CLEANUP(lag_free_p) struct lagd_run_from *from = NULL;
    LAG_CLEANUP(lag_free_p) struct lagd_run_config *config = lag_calloc(1, sizeof(*config));
    if (!config) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lag_fields_defaults(&lagd_run_fields, config);
    int status = lagd_json_decode(request->json, &lagd_run_fields, others, "", config, &request->faults);
    if (status == 0) status = decode_from(request, &from);
    if (status < 0) return status;
    if (lagd_query_bool(&request->target, "dry_run")) return dry_run(request, from, config);
    struct lagd_command *command = lagd_command_create(LAGD_RUN_CREATE);
    if (command) {
        command->u.run = LAG_TAKE(config);
        command->from = LAG_TAKE(from);
    }
    return lagd_request_post(request, command);
}

/* --- verbs ------------------------------------------------------------------------------------------------------- */

#define BIT(state) (1u << (state))

/* States in which a verb has nothing to do, and that is fine. */
static const struct {
    enum lagd_command_type type;
    unsigned states;
} already[] = {
    {LAGD_RUN_PAUSE, BIT(LAGD_RUN_PAUSED)},
    {LAGD_RUN_RESUME, BIT(LAGD_RUN_QUEUED) | BIT(LAGD_RUN_RUNNING) | BIT(LAGD_RUN_GROWING)},
    {LAGD_RUN_CANCEL, BIT(LAGD_RUN_CANCELLED)},
};

bool lagd_run_verb_is_idle(enum lagd_command_type type, const char *state) {
    const int index = lagd_state_index(LAGD_MACHINE_RUN, state);
    for (size_t i = 0; i < LAG_COUNT(already); i++)
        if (already[i].type == type) return index >= 0 && (already[i].states & BIT(index));
    return false;
}

/* The command failed. Where it had nothing to do the run is the answer. */
static int refused(struct lagd_request *request, int status) {
    struct lag_db *db;
    struct lag_run_row row;
    struct lag_error err;
    const char *state = request->command->state;
    if (status != LAG_ESTATE) return status;
    if (request->command->mismatch) return lagd_fail_revision(request);
    if (!*state && lagd_request_db(request, &db) == 0 && lag_run_get(db, request->params[0], &row, &err) == 0)
        state = row.state;
    if (lagd_run_verb_is_idle(request->command->type, state)) return lagd_answer_run(request, request->params[0], 200);
    char text[sizeof(err.text)];
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_RUN, state, "%s", text);
}

int lagd_h_run_pause(struct lagd_request *request) { return lagd_post_verb(request, LAGD_RUN_PAUSE); }
int lagd_h_run_resume(struct lagd_request *request) { return lagd_post_verb(request, LAGD_RUN_RESUME); }
int lagd_h_run_cancel(struct lagd_request *request) { return lagd_post_verb(request, LAGD_RUN_CANCEL); }
int lagd_h_run_checkpoint(struct lagd_request *request) { return lagd_post_verb(request, LAGD_RUN_CHECKPOINT); }

int lagd_h_run_verb_done(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? refused(request, status) : lagd_answer_run(request, request->params[0], 200);
}

int lagd_h_run_deleted(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    request->response.status = 204;
    return status < 0 ? refused(request, status) : 0;
}

int lagd_h_run_delete(struct lagd_request *request) {
    struct lagd_command *command = lagd_command_create(LAGD_RUN_DELETE);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        lagd_etag_precondition(request->if_match, &command->if_match);
    }
    return lagd_request_post(request, command);
}

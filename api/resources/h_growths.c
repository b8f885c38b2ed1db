/* Growths: ask, list, look, withdraw; candidates. */
#include "body/bodies_internal.h"
#include "body/pool_body_internal.h"
#include "encode/encode_internal.h"
#include "request/etag_internal.h"
#include "request/pages_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <string.h>

static int answer_growth(struct lagd_request *request, const char *id, int success) {
    struct lag_db *db;
    struct lag_growth_row row;
    struct lagd_json json;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err); /* the tag and the answer are of one moment */
    if (status < 0) return status;
    status = lag_growth_get(db, id, &row, &request->err);
    if (status < 0 || lagd_etag_fresh(request, row.revision)) {
        lag_reader_end(db);
        return status;
    }
    lagd_answer_begin(request, &json);
    status = lagd_write_growth(&json, NULL, &row, db, &request->err);
    lag_reader_end(db);
    int ended = lagd_answer_end(request, &json, success);
    return status < 0 ? status : ended;
}

int lagd_h_growth(struct lagd_request *request) { return answer_growth(request, request->params[0], 200); }

/* --- lists ------------------------------------------------------------------------------------------------------- */

struct listing {
    struct lagd_page page;
    struct lagd_rows rows;
};

static int add_growth(const struct lag_growth_row *row, void *arg) {
    struct listing *listing = arg;
    int verdict = lagd_page_add(&listing->page, row->created_ms, row->id);
    if (verdict == LAGD_PAGE_TAKE) return lagd_rows_add(&listing->rows, row);
    return verdict == LAGD_PAGE_FULL;
}

static int list_growths(struct lagd_request *request, const char *run) {
    struct lag_db *db;
    struct lag_run_row found;
    struct lagd_json json;
    struct listing listing = {.rows = LAGD_ROWS_INIT(struct lag_growth_row)};
    const struct lagd_rows *list = &listing.rows;
    int status = lagd_page_begin(request, "gr", true, &listing.page);
    if (status == 0) status = lagd_request_db(request, &db);
    if (status == 0 && run) status = lag_run_get(db, run, &found, &request->err);
    if (status == 0)
        status = lag_growth_list(db, run ? found.id : NULL, INT32_MAX, add_growth, &listing, &request->err);
    if (status < 0) {
        lagd_rows_deinit(&listing.rows);
        return status;
    }
    status = 0;
    lagd_answer_begin(request, &json);
    lagd_json_open_object(&json, NULL);
    lagd_json_open_array(&json, "items");
    for (size_t i = 0; i < list->n && status == 0; i++) {
        status = lagd_write_growth(&json, NULL, (struct lag_growth_row *)list->rows + i, db, &request->err);
    }
    lagd_json_close_array(&json);
    lagd_page_write(&json, &listing.page);
    lagd_json_close_object(&json);
    lagd_rows_deinit(&listing.rows);
    int ended = lagd_answer_end(request, &json, 0);
    return status < 0 ? status : ended;
}

int lagd_h_growths(struct lagd_request *request) {
    return list_growths(request, lagd_query_text(&request->target, request->route, "run"));
}
int lagd_h_run_growths(struct lagd_request *request) { return list_growths(request, request->params[0]); }

/* --- ask --------------------------------------------------------------------------------------------------------- */

static void write_plan(struct lagd_json *json, const struct lagd_growth_plan *plan) {
    lagd_json_open_object(json, NULL);
    lagd_json_open_array(json, "candidates");
    for (int i = 0; i < plan->n_candidates; i++) {
        const struct lagd_candidate_plan *candidate = &plan->candidates[i];
        lagd_json_open_object(json, NULL);
        lagd_json_text(json, "operator", candidate->op);
        lagd_write_strategy(json, "strategy", candidate->strategy);
        lagd_json_text(json, "names", candidate->names);
        lagd_json_text(json, "recipe", candidate->recipe);
        lagd_json_int(json, "n_params", candidate->n_params);
        lagd_json_int(json, "rewarm_steps", candidate->rewarm_steps);
        lagd_json_real(json, "flops", candidate->flops);
        lagd_json_bool(json, "eligible", candidate->eligible);
        lagd_json_bool(json, "function_preserving", candidate->function_preserving);
        lagd_json_real(json, "connection_rate", candidate->connection_rate);
        lagd_json_close_object(json);
    }
    lagd_json_close_array(json);
    lagd_write_shape(json, "from", &plan->from);
    lagd_write_shape(json, "to", &plan->to);
    lagd_json_int(json, "n_times", plan->n_times);
    lagd_json_int(json, "n_batches", plan->n_batches);
    lagd_json_int(json, "eval_sequences", plan->eval_sequences);
    lagd_json_real(json, "eval_share", plan->eval_share);
    lagd_json_real(json, "flops_total", plan->flops_total);
    lagd_json_int(json, "n_workers", plan->n_workers);
    lagd_json_real(json, "seconds_guess", plan->seconds_guess);
    lagd_json_text(json, "time_basis", plan->time_basis);
    lagd_json_int(json, "memory_bytes", plan->memory_bytes);
    lagd_json_int(json, "memory_peak_bytes", plan->memory_peak_bytes);
    lagd_json_int(json, "memory_available_bytes", plan->memory_available_bytes);
    lagd_json_close_object(json);
}

static int dry_run(struct lagd_request *request, const struct lagd_growth_request *growth) {
    struct lag_db *db;
    struct lag_run_row run;
    struct lagd_json json;
    LAG_CLEANUP(lag_free_p) struct lagd_growth_plan *plan = NULL;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    if (status == 0)
        status = lagd_growth_plan_make(growth, &run, lagd_supervisor_threads(request->supervisor), &plan,
                                       &request->err);
    if (status < 0) return status;
    plan->memory_available_bytes = lagd_supervisor_memory_available(request->supervisor);
    lagd_supervisor_predict(request->supervisor, &run, plan);
    lagd_answer_begin(request, &json);
    write_plan(&json, plan);
    return lagd_answer_end(request, &json, 200);
}

static int growth_refused(struct lagd_request *request, int status) {
    char text[sizeof(request->err.text)];
    if (status != LAG_ESTATE) return status;
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_RUN, request->command->state, "%s", text);
}

int lagd_h_growth_created(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return growth_refused(request, status);
    lagd_header_set(request, "Location", "/api/v1/growths/%s", request->command->id);
    lagd_header_set(request, "Retry-After", "1");
    return answer_growth(request, request->command->id, 202);
}

int lagd_h_growth_create(struct lagd_request *request) {
    static const char *const others[] = {"pool", NULL};
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *growth = lag_calloc(1, sizeof(*growth));
    if (!growth) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_growth_request_defaults(growth);
    (void)lagd_json_decode(request->json, &lagd_growth_fields, others, "", growth, &request->faults);
    lagd_pool_decode(json_object_get(request->json, "pool"), growth, &request->faults);
    if (request->faults.n > 0) return LAG_EINVAL;
    if (lagd_query_bool(&request->target, "dry_run")) return dry_run(request, growth);
    struct lagd_command *command = lagd_command_create(LAGD_GROWTH_CREATE);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        command->u.growth = LAG_TAKE(growth);
    }
    return lagd_request_post(request, command);
}

int lagd_h_growth_cancelled(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status == LAG_ESTATE && strcmp(request->command->state, "cancelled") != 0) {
        char text[sizeof(request->err.text)];
        (void)lag_copy(text, sizeof(text), request->err.text);
        return lagd_fail_state(request, LAGD_MACHINE_GROWTH, request->command->state, "%s", text);
    }
    return status < 0 && status != LAG_ESTATE ? status : answer_growth(request, request->params[0], 200);
}

int lagd_h_growth_cancel(struct lagd_request *request) {
    struct lagd_reason_body body = {""};
    if (request->json) {
        int status = lagd_json_decode(request->json, &lagd_reason_fields, NULL, "", &body, &request->faults);
        if (status < 0) return status;
    }
    struct lagd_command *command = lagd_command_create(LAGD_GROWTH_CANCEL);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        (void)lag_copy(command->reason, sizeof(command->reason), body.reason);
    }
    return lagd_request_post(request, command);
}

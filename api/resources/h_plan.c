/* The growth plan of a run: set, look, remove. */
#include "body/bodies_internal.h"
#include "body/plan_body_internal.h"
#include "encode/plan_internal.h"
#include "request/etag_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/plan_request.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <string.h>

static int add_stage(const struct lag_stage_row *row, void *arg) { return lagd_rows_add(arg, row); }

static int answer_plan(struct lagd_request *request, const char *run) {
    struct lag_db *db;
    struct lagd_plan_view view = {.stages = LAGD_ROWS_INIT(struct lag_stage_row)};
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    struct lagd_encoding encoding = {.db = db, .err = &request->err};
    status = lag_run_get(db, run, &view.run, &request->err);
    if (status == 0) status = lag_plan_get(db, view.run.id, &view.plan, &request->err);
    if (status >= 0) status = lag_stage_list(db, view.run.id, add_stage, &view.stages, &request->err);
    if (status == 0) lagd_etag_tell(request, lag_plan_tag(&view.plan));
    if (status == 0) status = lagd_answer_object(request, &lagd_plan_schema, &view, &encoding, 200);
    lag_reader_end(db);
    lagd_rows_deinit(&view.stages);
    return status;
}

int lagd_h_plan(struct lagd_request *request) { return answer_plan(request, request->params[0]); }

/* --- what it would be -------------------------------------------------------------------------------------------- */

struct estimate {
    const struct lagd_plan *plan;
    int64_t memory_available_bytes;
};

struct stage_estimate {
    int64_t position;
    const struct lagd_stage_plan *stage;
};

static int write_position(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct stage_estimate *)object)->position);
    return 0;
}
static int write_begins(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_stage_plan *stage = ((const struct stage_estimate *)object)->stage;
    if (stage->growth) lagd_json_int(json, key, stage->begins);
    else lagd_json_null(json, key);
    return 0;
}
static int write_exact(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_bool(json, key, ((const struct stage_estimate *)object)->stage->is_exact);
    return 0;
}
static int write_growth(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_stage_plan *stage = ((const struct stage_estimate *)object)->stage;
    if (stage->growth) return lagd_write_object(json, key, &lagd_growth_plan_schema, stage->growth, context);
    lagd_json_null(json, key);
    return 0;
}

static const struct lagd_member stage_members[] = {
    LAGD_WRITTEN("position", "c", write_position, NULL),
    LAGD_WRITTEN("begins", "i?", write_begins, "The step at which it begins, at the earliest; null where it has "
                 "begun."),
    LAGD_WRITTEN("is_exact", "b", write_exact, "That step is known: its trigger is a step or a number of tokens."),
    LAGD_WRITTEN_OF("growth", "@?", &lagd_growth_plan_schema, write_growth, "As a growth's dry run, from the target of "
                    "the stage before it."),
};
static const struct lagd_schema stage_schema = LAGD_SCHEMA("StageEstimate", stage_members);

static int write_stages(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_plan *plan = ((const struct estimate *)object)->plan;
    int status = 0;
    lagd_json_open_array(json, key);
    for (int i = 0; i < plan->n && status == 0; i++) {
        const struct stage_estimate one = {i + 1, &plan->stages[i]};
        status = lagd_write_object(json, NULL, &stage_schema, &one, context);
    }
    lagd_json_close_array(json);
    return status;
}
static int write_flops(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_real(json, key, ((const struct estimate *)object)->plan->flops_total);
    return 0;
}
static int write_seconds(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_real(json, key, ((const struct estimate *)object)->plan->seconds_guess);
    return 0;
}
static int write_peak(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_int(json, key, ((const struct estimate *)object)->plan->memory_peak_bytes);
    return 0;
}

static const struct lagd_member estimate_members[] = {
    LAGD_WRITTEN_OF("stages", "[@]", &stage_schema, write_stages, NULL),
    LAGD_WRITTEN("flops_total", "n", write_flops, "Of all probes that are to come."),
    LAGD_WRITTEN("seconds_guess", "n", write_seconds, "Of the same, without the training between them."),
    LAGD_WRITTEN("memory_peak_bytes", "i", write_peak, "The most that any stage needs, its run included."),
    LAGD_MEMBER(struct estimate, "memory_available_bytes", "i", memory_available_bytes, "What would be granted now."),
};
const struct lagd_schema lagd_plan_estimate_schema = LAGD_SCHEMA("PlanEstimate", estimate_members);

static int dry_run(struct lagd_request *request, const struct lagd_plan_request *wish) {
    struct lag_db *db;
    struct lag_run_row run;
    LAG_CLEANUP(lagd_plan_destroy_p) struct lagd_plan *plan = NULL;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, request->params[0], &run, &request->err);
    if (status < 0) return status;
    status = lagd_plan_read(db, wish, run.id, lagd_supervisor_threads(request->supervisor), &plan, &request->err);
    if (status < 0) return lagd_refuse_run(request, status, run.state);
    plan->seconds_guess = 0;
    for (int i = 0; i < plan->n; i++) {
        struct lagd_growth_plan *growth = plan->stages[i].growth;
        if (!growth) continue;
        growth->memory_available_bytes = lagd_supervisor_memory_available(request->supervisor);
        lagd_supervisor_predict(request->supervisor, &run, growth);
        plan->seconds_guess += growth->seconds_guess;
    }
    const struct estimate estimate = {plan, lagd_supervisor_memory_available(request->supervisor)};
    return lagd_answer_object(request, &lagd_plan_estimate_schema, &estimate, NULL, 200);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

int lagd_h_plan_done(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0 && request->command->mismatch) return lagd_fail_revision(request);
    return status < 0 ? lagd_refuse_run(request, status, request->command->state)
                      : answer_plan(request, request->command->id);
}

int lagd_h_plan_set(struct lagd_request *request) {
    LAG_CLEANUP(lag_free_p) struct lagd_plan_request *wish = lag_calloc(1, sizeof(*wish));
    if (!wish) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_plan_decode(request->json, wish, &request->faults);
    if (request->faults.n > 0) return LAG_EINVAL;
    const json_t *stages = json_object_get(request->json, "stages");
    for (int i = 0; i < wish->n; i++)
        lagd_audit_by_default(request, json_array_get(stages, (size_t)i), &wish->stages[i].growth);
    if (lagd_query_bool(&request->target, "dry_run")) return dry_run(request, wish);
    struct lagd_command *command = lagd_command_create(LAGD_PLAN_SET);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        lagd_etag_precondition(request->if_match, &command->if_match);
        command->u.plan = LAG_TAKE(wish);
    }
    return lagd_request_post(request, command);
}

int lagd_h_plan_remove(struct lagd_request *request) {
    struct lagd_command *command = lagd_command_create(LAGD_PLAN_REMOVE);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        lagd_etag_precondition(request->if_match, &command->if_match);
    }
    return lagd_request_post(request, command);
}

/* POST /runs/{run}/extend: a run that is completed or paused goes on to a later last step. */
#include "body/bodies_internal.h"
#include "encode/encode_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/extension.h>
#include <string.h>

/* --- what it would be -------------------------------------------------------------------------------------------- */

static const struct lagd_member point_members[] = {
    LAGD_MEMBER(struct lagd_extension_point, "step", "i", step, "Updates made before this one."),
    LAGD_MEMBER(struct lagd_extension_point, "lr", "n", lr, NULL),
};
static const struct lagd_schema point_schema = LAGD_SCHEMA("LearningRate", point_members);

static int write_points(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_extension *extension = object;
    lagd_json_open_array(json, key);
    for (int64_t i = 0; i < extension->n_points; i++)
        (void)lagd_write_object(json, NULL, &point_schema, &extension->points[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

static int write_changed(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_extension *extension = object;
    lagd_json_bool(json, key, extension->lr_before != extension->lr_after); /* NaN: there is no rate before */
    return 0;
}

#define EXTENSION(name, type, member, help) LAGD_MEMBER(struct lagd_extension, name, type, member, help)
static const struct lagd_member members[] = {
    EXTENSION("run", "s", run.id, "Its id."),
    EXTENSION("from_step", "i", from_step, "Where it goes on."),
    EXTENSION("max_steps", "i", run.max_steps, "Where it ends."),
    EXTENSION("checkpoint", "s?", back_to.id, "The one that it goes back to; null where it goes on from where it "
              "stands."),
    EXTENSION("n_dropped_steps", "i", n_dropped_steps, "Steps that it gives up, with their points and checkpoints."),
    EXTENSION("lr_now", "n?", lr_before, "Learning rate of the last update that was made; null before the first."),
    EXTENSION("lr_next", "n", lr_after, "Of the first one to come."),
    LAGD_WRITTEN("lr_changes", "b", write_changed, "Whether they differ."),
    LAGD_WRITTEN_OF("lr", "[@]", &point_schema, write_points, "Up to the end, at equal distances."),
    EXTENSION("note", "s", note, "What becomes of the learning rate, in a sentence."),
};
const struct lagd_schema lagd_extension_schema = LAGD_SCHEMA("Extension", members);

/* --- asking ------------------------------------------------------------------------------------------------------ */

static int dry_run(struct lagd_request *request, const struct lagd_extension_request *wish) {
    struct lag_db *db;
    LAG_CLEANUP(lag_free_p) struct lagd_extension *plan = lag_calloc(1, sizeof(*plan));
    if (!plan) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    int status = lagd_request_db(request, &db);
    if (status == 0)
        status = lagd_extension_plan(db, lagd_supervisor_state_dir(request->supervisor), wish, request->params[0], plan,
                                     &request->err);
    return status < 0 ? lagd_refuse_run(request, status, "")
                      : lagd_answer_object(request, &lagd_extension_schema, plan, NULL, 200);
}

int lagd_h_run_extended(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    return status < 0 ? lagd_refuse_run(request, status, "") : lagd_answer_run(request, request->command->id, 200);
}

int lagd_h_run_extend(struct lagd_request *request) {
    LAG_CLEANUP(lag_free_p) struct lagd_extension_request *wish = lag_calloc(1, sizeof(*wish));
    if (!wish) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lag_fields_defaults(&lagd_extension_fields, wish);
    int status = lagd_json_decode(request->json, &lagd_extension_fields, NULL, "", wish, &request->faults);
    if (status < 0) return status;
    wish->given = lagd_fields_given(request->json, &lagd_extension_fields);
    if (lagd_query_bool(&request->target, "dry_run")) return dry_run(request, wish);
    struct lagd_command *command = lagd_command_create(LAGD_RUN_EXTEND);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        command->u.extension = LAG_TAKE(wish);
    }
    return lagd_request_post(request, command);
}

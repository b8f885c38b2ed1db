/* POST /runs/bulk: one verb for many runs, one after the other; each has an outcome of its own. */
#include "body/bodies_internal.h"
#include "door/problem_internal.h"
#include "encode/rows_internal.h"
#include "json/json_in_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a verb that the body's table knows. */
static enum lagd_command_type command_of(const char *verb) {
    char name[32];
    int type = 0;
    (void)snprintf(name, sizeof(name), "run.%s", verb);
    while (type < LAGD_N_COMMANDS - 1 && strcmp(lagd_command_name((enum lagd_command_type)type), name) != 0) type++;
    return (enum lagd_command_type)type;
}

/* --- the body ----------------------------------------------------------------------------------------------------- */

static void check_runs(const json_t *runs, struct lagd_faults *faults) {
    size_t i;
    json_t *entry;
    if (!json_is_array(runs) || json_array_size(runs) == 0 || json_array_size(runs) > LAGD_BULK_RUNS) {
        lagd_fault_add(faults, false, "/runs",
                       "must be a list of 1 to " LAG_TEXT_OF(LAGD_BULK_RUNS) " ids or names of runs");
        return;
    }
    json_array_foreach(runs, i, entry) {
        char pointer[32];
        (void)snprintf(pointer, sizeof(pointer), "/runs/%zu", i);
        if (!json_is_string(entry) || json_string_length(entry) == 0 || json_string_length(entry) >= LAG_ROW_NAME)
            lagd_fault_add(faults, false, pointer, "must be the id or name of a run");
    }
}

/* --- outcomes ----------------------------------------------------------------------------------------------------- */

struct outcome {
    const char *asked;         /* in the body */
    char id[LAG_ROW_ID], name[LAG_ROW_NAME], state[LAG_ROW_STATE];
    bool done;
    int status;                /* as the verb alone would have answered */
    const char *slug;
    char detail[sizeof(((struct lag_error *)0)->text)];
};

static int write_asked(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_text(json, key, ((const struct outcome *)object)->asked);
    return 0;
}

static const struct lagd_member outcome_members[] = {
    LAGD_WRITTEN("run", "s", write_asked, "As it was asked for."),
    LAGD_MEMBER(struct outcome, "id", "s?", id, "null: there is no such run."),
    LAGD_MEMBER(struct outcome, "name", "s?", name, NULL),
    LAGD_MEMBER(struct outcome, "state", "s?", state, "What it is now."),
    LAGD_MEMBER(struct outcome, "done", "b", done, "It was carried out, or had nothing to do."),
    LAGD_MEMBER(struct outcome, "status", "i", status, "The HTTP status that the verb alone answers."),
    LAGD_POINTED(struct outcome, "problem", "s?", slug, "Type of the problem, as /problems lists them."),
    LAGD_MEMBER(struct outcome, "detail", "s?", detail, "What is wrong, and what to do."),
};
static const struct lagd_schema outcome_schema = LAGD_SCHEMA("BulkOutcome", outcome_members);

static const struct lagd_member list_members[] = {LAGD_LIST(&outcome_schema)};
const struct lagd_schema lagd_bulk_schema = LAGD_SCHEMA("BulkOutcomeList", list_members);

static const char *asked_of(const struct lagd_request *request, size_t i) {
    return json_string_value(json_array_get(json_object_get(request->json, "runs"), i));
}

static void look_at_run(struct lagd_request *request, struct outcome *outcome) {
    const struct lagd_command *command = request->command;
    struct lag_db *db;
    struct lag_run_row row;
    (void)lag_copy(outcome->id, sizeof(outcome->id), command->id); /* of one that was deleted, or cannot be read now */
    if (lagd_request_db(request, &db) != 0) return;
    if (lag_run_get(db, outcome->asked, &row, NULL) == 0) {
        (void)lag_copy(outcome->id, sizeof(outcome->id), row.id);
        (void)lag_copy(outcome->name, sizeof(outcome->name), row.name);
        (void)lag_copy(outcome->state, sizeof(outcome->state), row.state);
        /* It was so already. */
        if (command->status == LAG_ESTATE && lagd_run_verb_is_idle(command->type, row.state)) outcome->done = true;
    }
    lagd_request_give_db(request);
}

static void tell_problem(struct outcome *outcome, const char *slug, const char *detail) {
    const struct lagd_problem_type *type = lagd_problem_find(slug);
    outcome->status = type->status;
    outcome->slug = type->slug;
    (void)lag_copy(outcome->detail, sizeof(outcome->detail), detail);
}

/* What the verb did to the run whose turn it was. */
static int note_outcome(struct lagd_request *request, struct lagd_rows *outcomes) {
    const struct lagd_command *command = request->command;
    struct outcome outcome = {.asked = asked_of(request, outcomes->n), .done = command->status == 0,
                              .status = command->type == LAGD_RUN_DELETE ? 204 : 200};
    look_at_run(request, &outcome);
    if (!outcome.done)
        tell_problem(&outcome, command->status == LAG_ESTATE ? "invalid-state" : lagd_problem_slug(command->status),
                     command->err.text);
    return lagd_rows_add(outcomes, &outcome);
}

/* --- one after the other ------------------------------------------------------------------------------------------ */

static void forget(void *kept) {
    lagd_rows_deinit(kept);
    free(kept);
}

static int post_next(struct lagd_request *request, size_t i) {
    const char *verb = json_string_value(json_object_get(request->json, "verb"));
    const char *reason = json_string_value(json_object_get(request->json, "reason"));
    lagd_command_destroy(request->command);
    request->command = NULL;
    struct lagd_command *command = lagd_command_create(command_of(verb));
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), asked_of(request, i));
        (void)lag_copy(command->reason, sizeof(command->reason), reason ? reason : "");
    }
    return lagd_request_post(request, command);
}

int lagd_h_run_bulk(struct lagd_request *request) {
    static const char *const others[] = {"runs", NULL};
    struct lagd_bulk_body body;
    lag_fields_defaults(&lagd_bulk_fields, &body);
    (void)lagd_json_decode(request->json, &lagd_bulk_fields, others, "", &body, &request->faults);
    check_runs(json_object_get(request->json, "runs"), &request->faults);
    if (request->faults.n > 0) return LAG_EINVAL;
    struct lagd_rows *outcomes = lag_calloc(1, sizeof(*outcomes));
    if (!outcomes) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    *outcomes = (struct lagd_rows)LAGD_ROWS_INIT(struct outcome);
    request->kept = outcomes;
    request->forget = forget;
    return post_next(request, 0);
}

int lagd_h_run_bulk_done(struct lagd_request *request) {
    struct lagd_rows *outcomes = request->kept;
    const size_t n = json_array_size(json_object_get(request->json, "runs"));
    int status = note_outcome(request, outcomes);
    if (status < 0) return status;
    while (outcomes->n < n) {
        if (post_next(request, outcomes->n) == LAGD_WAIT) return LAGD_WAIT;
        /* What was done before is told all the same. */
        struct outcome refused = {.asked = asked_of(request, outcomes->n)};
        tell_problem(&refused, "busy", "there was no memory for it; ask again for this run");
        if ((status = lagd_rows_add(outcomes, &refused)) < 0) return status;
    }
    const struct lagd_list list = {lagd_rows_span(outcomes), NULL};
    return lagd_answer_object(request, &lagd_bulk_schema, &list, NULL, 200);
}

/* A verb that may come with a reason, as runs, growths and studies have them; and its refusal by a run's state. */
#include "body/bodies_internal.h"
#include "json/json_in_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>

int lagd_refuse_run(struct lagd_request *request, int status, const char *state) {
    struct lag_db *db;
    struct lag_run_row row;
    char text[sizeof(request->err.text)];
    if (status != LAG_ESTATE) return status;
    if (!state[0]) {
        if (lagd_request_db(request, &db) != 0 || lag_run_get(db, request->params[0], &row, NULL) != 0) return status;
        state = row.state;
    }
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_RUN, state, "%s", text);
}

int lagd_post_verb(struct lagd_request *request, enum lagd_command_type type) {
    struct lagd_reason_body body = {""};
    if (request->json) {
        int status = lagd_json_decode(request->json, &lagd_reason_fields, NULL, "", &body, &request->faults);
        if (status < 0) return status;
    }
    struct lagd_command *command = lagd_command_create(type);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        (void)lag_copy(command->reason, sizeof(command->reason), body.reason);
    }
    return lagd_request_post(request, command);
}

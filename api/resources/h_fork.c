/* POST /runs/{run}/fork: another run, from a checkpoint of this one. */
#include "body/bodies_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <string.h>

static int refuse(struct lagd_request *request, int status) {
    struct lag_db *db;
    struct lag_run_row row;
    char text[sizeof(request->err.text)];
    if (status != LAG_ESTATE || lagd_request_db(request, &db) != 0 ||
        lag_run_get(db, request->params[0], &row, NULL) != 0)
        return status;
    (void)lag_copy(text, sizeof(text), request->err.text);
    return lagd_fail_state(request, LAGD_MACHINE_RUN, row.state, "%s", text);
}

int lagd_h_run_forked(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return refuse(request, status);
    lagd_header_set(request, "Location", "/api/v1/runs/%s", request->command->id);
    return lagd_answer_run(request, request->command->id, 201);
}

int lagd_h_run_fork(struct lagd_request *request) {
    LAG_CLEANUP(lag_free_p) struct lagd_fork_request *fork = lag_calloc(1, sizeof(*fork));
    if (!fork) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    fork->config.start = true;
    if (request->json) {
        int status = lagd_json_decode(request->json, &lagd_fork_fields, NULL, "", fork, &request->faults);
        if (status < 0) return status;
        fork->given = lagd_fields_given(request->json, &lagd_fork_fields);
    }
    struct lagd_command *command = lagd_command_create(LAGD_RUN_FORK);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        command->u.fork = LAG_TAKE(fork);
    }
    return lagd_request_post(request, command);
}

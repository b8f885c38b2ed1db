/* POST /runs/{run}/fork: another run, from a checkpoint of this one. */
#include "body/bodies_internal.h"
#include "body/growth_body_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>
#include <string.h>

int lagd_h_run_forked(struct lagd_request *request) {
    int status = lagd_request_answer(request);
    if (status < 0) return lagd_refuse_run(request, status, "");
    lagd_header_set(request, "Location", "/api/v1/runs/%s", request->command->id);
    return lagd_answer_run(request, request->command->id, 201);
}

/* *ret: what is to become of it at once, or NULL; the caller's. */
static int decode_growth(struct lagd_request *request, struct lagd_growth_request **ret) {
    json_t *body = json_object_get(request->json, "growth");
    *ret = NULL;
    if (!body || json_is_null(body)) return 0;
    if (!json_is_object(body)) {
        lagd_fault_add(&request->faults, false, "/growth", "must be an object, as the body of POST /growths is");
        return LAG_EINVAL;
    }
    *ret = lag_calloc(1, sizeof(**ret));
    if (!*ret) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    lagd_growth_decode(body, "/growth", *ret, &request->faults);
    lagd_audit_by_default(request, body, *ret);
    return request->faults.n > 0 ? LAG_EINVAL : 0;
}

int lagd_h_run_fork(struct lagd_request *request) {
    static const char *const others[] = {"growth", NULL};
    LAG_CLEANUP(lag_free_p) struct lagd_fork_request *fork = lag_calloc(1, sizeof(*fork));
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *growth = NULL;
    if (!fork) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    fork->config.start = true;
    if (request->json) {
        (void)lagd_json_decode(request->json, &lagd_fork_fields, others, "", fork, &request->faults);
        int status = decode_growth(request, &growth);
        if (status < 0 || request->faults.n > 0) return status < 0 ? status : LAG_EINVAL;
        fork->given = lagd_fields_given(request->json, &lagd_fork_fields);
    }
    struct lagd_command *command = lagd_command_create(LAGD_RUN_FORK);
    if (command) {
        (void)lag_copy(command->target, sizeof(command->target), request->params[0]);
        fork->growth = LAG_TAKE(growth);
        command->u.fork = LAG_TAKE(fork);
    }
    return lagd_request_post(request, command);
}

/* A verb that may come with a reason, as runs, growths and studies have them. */
#include "body/bodies_internal.h"
#include "json/json_in_internal.h"
#include "resources/handlers_internal.h"

#include <lagd/base/mem.h>

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

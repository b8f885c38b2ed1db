/* One command on its way: made by who asks, answered once, freed with what it owns. */
#include "commands/command_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/state.h>
#include <stdlib.h>

struct lagd_command *lagd_command_create(enum lagd_command_type type) {
    struct lagd_command *command = lag_calloc(1, sizeof(*command));
    if (command) command->type = type;
    return command;
}

void lagd_command_destroy(struct lagd_command *command) {
    if (!command) return;
    switch (command->type) {
    case LAGD_RUN_CREATE:
        free(command->u.run);
        free(command->copied);
        break;
    case LAGD_RUN_PATCH: free(command->u.patch); break;
    case LAGD_RUN_EXTEND: free(command->u.extension); break;
    case LAGD_RUN_FORK:
        lagd_fork_request_destroy(command->u.fork);
        free(command->copied);
        free(command->grown);
        break;
    case LAGD_GROWTH_CREATE: free(command->u.growth); break;
    case LAGD_PLAN_SET: free(command->u.plan); break;
    case LAGD_STUDY_CREATE: free(command->u.study); break;
    case LAGD_DATASET_ADD: free(command->u.dataset); break;
    case LAGD_MODEL_ADD: free(command->u.model); break;
    case LAGD_TOKENIZER_ADD: free(command->u.tokenizer); break;
    case LAGD_TOKENIZER_CODE:
        if (command->u.coding) free(command->u.coding->text);
        if (command->u.coding) free(command->u.coding->ids);
        if (command->u.coding) free(command->u.coding->ends);
        free(command->u.coding);
        break;
    case LAGD_GENERATE:
        free(command->u.generate);
        lag_state_destroy(command->lent);
        break;
    case LAGD_KEY_ANSWER:
        if (command->u.answer) free(command->u.answer->body);
        free(command->u.answer);
        break;
    default: break;
    }
    free(command->from);
    free(command->text);
    free(command);
}

void lagd_command_answer(struct lagd_command *command, int rc) {
    command->status = rc;
    if (rc < 0 && command->err.code == 0) (void)lag_error_set(&command->err, rc, "%s", lag_code_name(rc));
    if (command->done) command->done(command);
    else lagd_command_destroy(command);
}

/* A run that is completed or paused and goes on to a later last step. */
#include "checkpoint/extension_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>

static int extend(struct lagd_commands *c, struct lagd_command *command, const struct lagd_extension *plan) {
    struct lagd_extending extending = {.plan = plan};
    int rc = lagd_command_admit_again(c, &plan->run, &command->err);
    if (rc < 0) return rc;
    lagd_active_await(c->runs, plan->run.id); /* it has ended: what its thread still holds goes */
    rc = lagd_extending_begin(c->deps, c->db, &extending, &command->err);
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, plan->run.id, lagd_extension_write, &extending);
    lagd_extending_end(c->deps, &extending, rc);
    return rc;
}

int lagd_cmd_run_extend(struct lagd_commands *c, struct lagd_command *command) {
    LAG_CLEANUP(lag_free_p) struct lagd_extension *plan = lag_calloc(1, sizeof(*plan));
    if (!plan) return lag_error_set(&command->err, LAG_ENOMEM, "out of memory while extending a run");
    int rc = lagd_extension_plan(c->db, c->deps->state_dir, command->u.extension, command->target, plan,
                                 &command->err);
    if (rc == 0) rc = extend(c, command, plan);
    (void)lag_copy(command->id, sizeof(command->id), plan->run.id);
    if (rc < 0) return rc;
    (void)lag_copy(command->state, sizeof(command->state), lagd_state_name(LAGD_MACHINE_RUN, LAGD_RUN_QUEUED));
    c->runs->next_schedule_ns = 0;
    return 0;
}

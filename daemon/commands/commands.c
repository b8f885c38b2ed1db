/* The mailbox of commands: which handler does what, and how they are answered. */
#include <lagd/daemon/commands.h>

#include <stdlib.h>

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include "supervisor/supervisor_internal.h"

static int reload(struct lagd_supervisor *s, struct lagd_command *command) { return lagd_reload(s, &command->err); }
static int ping(struct lagd_supervisor *s, struct lagd_command *command) {
    (void)s;
    (void)command;
    return 0;
}

static const struct {
    const char *name;
    lagd_handler *handler;
} table[LAGD_N_COMMANDS] = {
    [LAGD_RUN_CREATE] = {"run.create", lagd_cmd_run_create},
    [LAGD_RUN_PAUSE] = {"run.pause", lagd_cmd_run_pause},
    [LAGD_RUN_RESUME] = {"run.resume", lagd_cmd_run_resume},
    [LAGD_RUN_CANCEL] = {"run.cancel", lagd_cmd_run_cancel},
    [LAGD_RUN_CHECKPOINT] = {"run.checkpoint", lagd_cmd_run_checkpoint},
    [LAGD_RUN_PATCH] = {"run.patch", lagd_cmd_run_patch},
    [LAGD_RUN_DELETE] = {"run.delete", lagd_cmd_run_delete},
    [LAGD_GROWTH_CREATE] = {"growth.create", lagd_cmd_growth_create},
    [LAGD_GROWTH_CANCEL] = {"growth.cancel", lagd_cmd_growth_cancel},
    [LAGD_GROWTH_DECIDE] = {"growth.decide", lagd_cmd_growth_decide},
    [LAGD_DATASET_ADD] = {"dataset.add", lagd_cmd_dataset_add},
    [LAGD_DATASET_DELETE] = {"dataset.delete", lagd_cmd_dataset_delete},
    [LAGD_CHECKPOINT_KEEP] = {"checkpoint.keep", lagd_cmd_checkpoint_keep},
    [LAGD_CHECKPOINT_DELETE] = {"checkpoint.delete", lagd_cmd_checkpoint_delete},
    [LAGD_GENERATE] = {"generate", lagd_cmd_generate},
    [LAGD_KEY_ANSWER] = {"key.answer", lagd_cmd_key_answer},
    [LAGD_RELOAD] = {"reload", reload},
    [LAGD_PING] = {"ping", ping},
};

const char *lagd_command_name(enum lagd_command_type type) {
    LAG_ASSERT(type < LAGD_N_COMMANDS);
    return table[type].name;
}

struct lagd_command *lagd_command_create(enum lagd_command_type type) {
    struct lagd_command *command = lag_calloc(1, sizeof(*command));
    if (command) command->type = type;
    return command;
}

void lagd_command_destroy(struct lagd_command *command) {
    if (!command) return;
    switch (command->type) {
    case LAGD_RUN_CREATE: free(command->u.run); break;
    case LAGD_RUN_PATCH: free(command->u.patch); break;
    case LAGD_GROWTH_CREATE: free(command->u.growth); break;
    case LAGD_DATASET_ADD: free(command->u.dataset); break;
    case LAGD_GENERATE: free(command->u.generate); break;
    case LAGD_KEY_ANSWER:
        if (command->u.answer) free(command->u.answer->body);
        free(command->u.answer);
        break;
    default: break;
    }
    free(command->text);
    free(command);
}

int lagd_supervisor_post(struct lagd_supervisor *s, struct lagd_command *command) {
    if (atomic_load(&s->deps.draining)) return LAG_ECANCELED;
    return lag_mailbox_post(s->mailbox, command);
}

void lagd_command_answer(struct lagd_command *command, int status) {
    command->status = status;
    if (status < 0 && command->err.code == 0) (void)lag_error_set(&command->err, status, "%s", lag_code_name(status));
    if (command->done) command->done(command);
    else lagd_command_destroy(command);
}

void lagd_commands_work(struct lagd_supervisor *s) {
    for (struct lagd_command *command; (command = lag_mailbox_take(s->mailbox)) != NULL;) {
        lagd_active_reap(s);
        atomic_fetch_add(&s->deps.totals.commands, 1);
        int status = table[command->type].handler(s, command);
        if (status != LAGD_LATER) lagd_command_answer(command, status);
        if (s->next_schedule_ns == 0) lagd_active_schedule(s);
    }
}

void lagd_commands_refuse(struct lagd_supervisor *s) {
    for (struct lagd_command *command; (command = lag_mailbox_take(s->mailbox)) != NULL;) {
        lagd_command_answer(command, lag_error_set(&command->err, LAG_ECANCELED, "lagd is stopping"));
    }
}

/* The mailbox of commands: which handler does what. */
#include "commands/commands_internal.h"

#include "commands/command_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mailbox.h>

enum { COMMANDS_MAX = 256 }; /* waiting at once */

static int ping(struct lagd_commands *c, struct lagd_command *command) {
    (void)c;
    (void)command;
    return 0;
}

static const struct {
    const char *name;
    lagd_command_handler *handler;
} table[LAGD_N_COMMANDS] = {
    [LAGD_RUN_CREATE] = {"run.create", lagd_cmd_run_create},
    [LAGD_RUN_PAUSE] = {"run.pause", lagd_cmd_run_pause},
    [LAGD_RUN_RESUME] = {"run.resume", lagd_cmd_run_resume},
    [LAGD_RUN_CANCEL] = {"run.cancel", lagd_cmd_run_cancel},
    [LAGD_RUN_CHECKPOINT] = {"run.checkpoint", lagd_cmd_run_checkpoint},
    [LAGD_RUN_PATCH] = {"run.patch", lagd_cmd_run_patch},
    [LAGD_RUN_DELETE] = {"run.delete", lagd_cmd_run_delete},
    [LAGD_RUN_FORK] = {"run.fork", lagd_cmd_run_fork},
    [LAGD_RUN_EXTEND] = {"run.extend", lagd_cmd_run_extend},
    [LAGD_GROWTH_CREATE] = {"growth.create", lagd_cmd_growth_create},
    [LAGD_GROWTH_CANCEL] = {"growth.cancel", lagd_cmd_growth_cancel},
    [LAGD_GROWTH_DECIDE] = {"growth.decide", lagd_cmd_growth_decide},
    [LAGD_GROWTH_AUDIT] = {"growth.audit", lagd_cmd_growth_audit},
    [LAGD_PLAN_SET] = {"plan.set", lagd_cmd_plan_set},
    [LAGD_PLAN_REMOVE] = {"plan.remove", lagd_cmd_plan_remove},
    [LAGD_DATASET_ADD] = {"dataset.add", lagd_cmd_dataset_add},
    [LAGD_DATASET_DELETE] = {"dataset.delete", lagd_cmd_dataset_delete},
    [LAGD_MODEL_ADD] = {"model.add", lagd_cmd_model_add},
    [LAGD_MODEL_DELETE] = {"model.delete", lagd_cmd_model_delete},
    [LAGD_TOKENIZER_ADD] = {"tokenizer.add", lagd_cmd_tokenizer_add},
    [LAGD_TOKENIZER_DELETE] = {"tokenizer.delete", lagd_cmd_tokenizer_delete},
    [LAGD_TOKENIZER_CODE] = {"tokenizer.code", lagd_cmd_tokenizer_code},
    [LAGD_STUDY_CREATE] = {"study.create", lagd_cmd_study_create},
    [LAGD_STUDY_PAUSE] = {"study.pause", lagd_cmd_study_pause},
    [LAGD_STUDY_RESUME] = {"study.resume", lagd_cmd_study_resume},
    [LAGD_STUDY_CANCEL] = {"study.cancel", lagd_cmd_study_cancel},
    [LAGD_STUDY_DELETE] = {"study.delete", lagd_cmd_study_delete},
    [LAGD_CHECKPOINT_KEEP] = {"checkpoint.keep", lagd_cmd_checkpoint_keep},
    [LAGD_CHECKPOINT_DELETE] = {"checkpoint.delete", lagd_cmd_checkpoint_delete},
    [LAGD_CHECKPOINT_CHECK] = {"checkpoint.check", lagd_cmd_checkpoint_check},
    [LAGD_GENERATE] = {"generate", lagd_cmd_generate},
    [LAGD_KEY_ANSWER] = {"key.answer", lagd_cmd_key_answer},
    [LAGD_RELOAD] = {"reload", lagd_cmd_reload},
    [LAGD_PING] = {"ping", ping},
};

const char *lagd_command_name(enum lagd_command_type type) {
    LAG_ASSERT(type < LAGD_N_COMMANDS);
    return table[type].name;
}

int lagd_commands_open(struct lagd_commands *c, struct lag_error *err) {
    return lag_mailbox_create(COMMANDS_MAX, &c->mailbox, err);
}

void lagd_commands_close(struct lagd_commands *c) {
    if (!c->mailbox) return;
    lag_mailbox_close(c->mailbox);
    lagd_commands_refuse(c, NULL);
}

void lagd_commands_work(struct lagd_commands *c) {
    for (struct lagd_command *command; (command = lag_mailbox_take(c->mailbox)) != NULL;) {
        lagd_active_reap(c->runs);
        atomic_fetch_add(&c->deps->totals.commands, 1);
        int rc = table[command->type].handler(c, command);
        if (rc != LAGD_LATER) lagd_command_answer(command, rc);
        if (c->runs->next_schedule_ns == 0) lagd_active_schedule(c->runs);
    }
}

void lagd_commands_refuse(struct lagd_commands *c, const struct lag_error *why) {
    static const struct lag_error stopping = {.code = LAG_ECANCELED, .text = "lagd is stopping"};
    if (!why) why = &stopping;
    for (struct lagd_command *command; (command = lag_mailbox_take(c->mailbox)) != NULL;) {
        command->err = *why;
        lagd_command_answer(command, why->code);
    }
}

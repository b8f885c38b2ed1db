/* What people ask of the daemon: the mailbox of commands, and what its handlers work with. Thread: main, unless said
 * otherwise. */
#pragma once
#include "commands/waiting_internal.h"
#include "config/settings_internal.h"
#include "process/deps_internal.h"
#include "runs/runs_internal.h"

#include <lagd/daemon/commands.h>
struct lag_mailbox;
struct lagd_listener;
struct lagd_registrations;
struct lagd_imports;
struct lagd_makings;
struct lagd_loaded;

#define LAGD_SERVICES_WAITING_MAX 16 /* samples and checks of files that may wait for a worker */

struct lagd_commands {
    struct lagd_deps *deps;
    struct lagd_settings *settings;
    struct lagd_listener *listener;
    struct lagd_runs *runs;
    struct lag_db *db;           /* the main thread's reader */
    struct lag_mailbox *mailbox; /* of struct lagd_command */
    struct lagd_waiting waiting; /* for runs that stop */
    struct lagd_registrations *registrations;
    struct lagd_imports *imports;
    struct lagd_makings *makings;
    struct lagd_loaded *loaded;  /* tokenizers */
    bool studies_due;            /* a study was made or changed: there is something to do for it */
};

/* --- commands.c --- */
/* The mailbox; the other fields are the caller's to fill. */
int lagd_commands_open(struct lagd_commands *c, struct lag_error *err);
void lagd_commands_close(struct lagd_commands *c);  /* refuses what waits, and all from now on */
void lagd_commands_work(struct lagd_commands *c);   /* all that wait in the mailbox */
/* All that wait there; why: or NULL, because the daemon stops. */
void lagd_commands_refuse(struct lagd_commands *c, const struct lag_error *why);

/* --- handlers: 0 or a lag_code with command->err; LAGD_LATER: someone else answers --- */
typedef int lagd_command_handler(struct lagd_commands *c, struct lagd_command *command);
lagd_command_handler lagd_cmd_run_create, lagd_cmd_run_pause, lagd_cmd_run_resume, lagd_cmd_run_cancel,
    lagd_cmd_run_checkpoint, lagd_cmd_run_patch, lagd_cmd_run_delete, lagd_cmd_run_fork, lagd_cmd_run_extend,
    lagd_cmd_growth_create, lagd_cmd_growth_cancel, lagd_cmd_growth_decide, lagd_cmd_growth_audit,
    lagd_cmd_plan_set, lagd_cmd_plan_remove, lagd_cmd_dataset_add, lagd_cmd_dataset_delete,
    lagd_cmd_model_add, lagd_cmd_model_delete, lagd_cmd_tokenizer_add, lagd_cmd_tokenizer_delete,
    lagd_cmd_tokenizer_code, lagd_cmd_checkpoint_keep, lagd_cmd_checkpoint_delete,
    lagd_cmd_checkpoint_check, lagd_cmd_generate, lagd_cmd_key_answer, lagd_cmd_reload, lagd_cmd_study_create,
    lagd_cmd_study_pause, lagd_cmd_study_resume, lagd_cmd_study_cancel, lagd_cmd_study_delete;

/* --- cmd_datasets.c: registrations that an earlier process did not end. Before anything is served --- */
int lagd_datasets_go_on(struct lagd_commands *c, struct lag_error *err);

/* --- cmd_models.c: imports that an earlier process did not end. Before anything is served --- */
int lagd_models_go_on(struct lagd_commands *c, struct lag_error *err);

/* --- cmd_tokenizers.c: tokenizers that an earlier process did not finish. Before anything is served --- */
int lagd_tokenizers_go_on(struct lagd_commands *c, struct lag_error *err);

/* --- cmd_fork.c: a run that begins from a model or a checkpoint: command->from --- */
int lagd_cmd_run_begin(struct lagd_commands *c, struct lagd_command *command);

/* --- cmd_patch.c: LAG_ESTATE with command->mismatch when the command's precondition does not allow this revision.
 * Called in the transaction that changes the row. --- */
int lagd_command_check_revision(struct lagd_command *command, int64_t revision, struct lag_error *err);

/* --- cmd_runs.c: LAG_ENOMEM: a new run would not fit. One that may start at once must fit beside the others; one that
 * has to wait anyway must fit alone --- */
int lagd_command_admit(struct lagd_commands *c, const struct lagd_run_config *config,
                       const struct lagd_run_estimate *estimate, struct lag_error *err);

/* --- cmd_growths.c: the same for a run with what lies ahead of it, which needs that much at its peak --- */
int lagd_command_admit_growth(struct lagd_commands *c, const struct lag_run_row *run, int64_t peak_bytes,
                              struct lag_error *err);

/* --- cmd_runs.c: the same for a stored run that is to go on --- */
int lagd_command_admit_again(struct lagd_commands *c, const struct lag_run_row *row, struct lag_error *err);

/* --- cmd_keys.c: lag_store_write, with the command's idempotency key in the same transaction. resource: id of what is
 * made or changed. Thread: any but the storage thread. --- */
int lagd_command_write(struct lag_store *store, struct lagd_command *command, const char *resource, lag_write_fn *fn,
                       void *arg);

/* --- cmd_reload.c: also asked for by a signal. err may be NULL --- */
int lagd_commands_reload(struct lagd_commands *c, struct lag_error *err);

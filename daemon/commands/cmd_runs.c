/* Commands on runs. A run with a thread is told what is wished; without one its row is changed here. */
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "exec/pool_internal.h"
#include "records/folders_internal.h"
#include "records/leftovers_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"
#include "records/unlisted_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/fs.h>
#include <lagd/base/ids.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The run of the command when its state allows the action; else LAG_ESTATE with state and what is possible. */
static int find_run(struct lagd_commands *c, struct lagd_command *command, const char *action,
                    struct lag_run_row *ret) {
    int rc = lag_run_get(c->db, command->target, ret, &command->err);
    if (rc < 0) return rc;
    (void)lag_copy(command->id, sizeof(command->id), ret->id);
    (void)lag_copy(command->state, sizeof(command->state), ret->state);
    if (lagd_state_allows(LAGD_MACHINE_RUN, ret->state, action)) return 0;
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, ret->state);
    return lag_error_set(&command->err, LAG_ESTATE, "run %s is %s (%s): %s is not possible; possible now: %s",
                         ret->name, ret->state, state ? state->help : "", action,
                         state && state->actions[0] ? state->actions : "nothing");
}

/* --- create ------------------------------------------------------------------------------------------------------ */

struct creation {
    struct lag_run_row row;
    bool start;
};

static int insert_run(struct lag_db *db, void *arg, struct lag_error *err) {
    struct creation *creation = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_RUN, .row = &creation->row, .step = LAG_NO_STEP,
                                   .event = creation->start ? LAGD_RUN_ON_CREATED : LAGD_RUN_ON_CREATED_PAUSED};
    return lagd_tx_post(db, &post, NULL, err);
}

static void fill_row(const struct lagd_run_config *config, const struct lag_dataset_row *dataset,
                     const struct lagd_run_estimate *estimate, struct lag_run_row *row) {
    lag_id_new("run", row->id);
    if (config->name[0]) (void)lag_copy(row->name, sizeof(row->name), config->name);
    else (void)snprintf(row->name, sizeof(row->name), "run-%s", row->id + strlen(row->id) - 8);
    (void)lag_copy(row->dataset_id, sizeof(row->dataset_id), dataset->id);
    (void)lag_copy(row->dataset_name, sizeof(row->dataset_name), dataset->name);
    row->shape = config->shape;
    row->gated = config->gated;
    row->n_params = estimate->n_params;
    row->max_steps = config->max_steps;
    row->lr_scale = 1;
    row->rollback_step = -1;
    row->revision = 1;
    row->created_ms = row->updated_ms = lag_clock_wall_ms();
}

int lagd_command_admit(struct lagd_commands *c, const struct lagd_run_config *config,
                       const struct lagd_run_estimate *estimate, struct lag_error *err) {
    struct lagd_config daemon;
    lagd_settings_get(c->settings, &daemon);
    bool alone = !config->start || c->runs->n_active >= daemon.max_runs || lagd_active_may_give_way(c->runs);
    lagd_admission_count(c->runs);
    return lagd_admission_check(c->runs, "the run", estimate->memory_bytes, alone, err);
}

int lagd_cmd_run_create(struct lagd_commands *c, struct lagd_command *command) {
    struct lagd_run_config *config = command->u.run;
    struct lag_error *err = &command->err;
    if (command->from) return lagd_cmd_run_begin(c, command);
    struct lag_dataset_row dataset;
    struct lagd_run_source source;
    struct lagd_run_estimate estimate;
    int rc = lagd_run_prepare(c->db, NULL, config, &dataset, &source, err);
    if (rc == 0) rc = lagd_run_estimate(config, c->deps->n_threads, &estimate, err);
    if (rc == 0) rc = lagd_command_admit(c, config, &estimate, err);
    if (rc < 0) return rc;
    struct creation creation = {.start = config->start};
    struct lag_run_row *row = &creation.row;
    fill_row(config, &dataset, &estimate, row);
    (void)lag_copy(config->dataset, sizeof(config->dataset), dataset.id);
    (void)lag_copy(config->name, sizeof(config->name), row->name);
    rc = lagd_run_config_format(config, row->config, err);
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, row->id, insert_run, &creation);
    if (rc == LAG_EEXIST) {
        return lag_error_at(err, LAG_EEXIST, "/name", "a run with the name %s exists already; choose another",
                            row->name);
    }
    if (rc < 0) return rc;
    (void)lag_copy(command->id, sizeof(command->id), row->id);
    (void)lag_copy(command->state, sizeof(command->state), row->state);
    c->runs->next_schedule_ns = 0;
    return 0;
}

/* --- life cycle -------------------------------------------------------------------------------------------------- */

struct asking {
    const struct lagd_command *command;
    enum lagd_run_event event;
    int to;
};

static int post_asked(struct lag_db *db, void *arg, struct lag_error *err) {
    struct asking *asking = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_RUN, .event = asking->event, .id = asking->command->id,
                                   .reason = asking->command->reason, .step = LAG_NO_STEP};
    return lagd_tx_post(db, &post, &asking->to, err);
}

/* The event is the command's run's; the command gets the state that it leads to. */
static int ask(struct lagd_commands *c, struct lagd_command *command, enum lagd_run_event event) {
    struct asking asking = {.command = command, .event = event};
    int rc = lagd_command_write(c->deps->store, command, command->id, post_asked, &asking);
    if (rc == 0)
        (void)lag_copy(command->state, sizeof(command->state), lagd_state_name(LAGD_MACHINE_RUN, asking.to));
    return rc;
}

/* A paused run that would be tried again by itself stays paused. */
static int end_waiting(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lagd_command *command = arg;
    struct lag_run_row row;
    int rc = lag_run_get(db, command->id, &row, err);
    if (rc < 0 || !row.waits) return rc;
    rc = lag_run_set_waits(db, row.id, false, err);
    const struct lag_event event = {.type = LAG_EVENT_RUN_CHANGED, .run_id = row.id, .state = row.state,
                                    .message = "is not tried again by itself any more"};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

int lagd_cmd_run_pause(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_run_row row;
    int rc = find_run(c, command, "pause", &row);
    if (rc < 0 && lagd_run_is(command->state, LAGD_RUN_PAUSED) && row.waits)
        return lagd_command_write(c->deps->store, command, command->id, end_waiting, command);
    if (rc < 0) return rc;
    struct lagd_active *active = lagd_active_find(c->runs, row.id);
    if (active) {
        lagd_waiting_pause(c, row.id);
        lagd_run_wish(active->run, LAGD_WISH_PAUSE, command->reason);
        return lagd_waiting_stop(c, row.id, command, LAGD_RUN_PAUSED);
    }
    return ask(c, command, LAGD_RUN_ON_PAUSE);
}

int lagd_command_admit_again(struct lagd_commands *c, const struct lag_run_row *row, struct lag_error *err) {
    int64_t need = 0;
    struct lagd_config config;
    lagd_settings_get(c->settings, &config);
    int rc = lagd_admission_need(c->runs, row, &need, err);
    if (rc < 0) return rc;
    lagd_admission_count(c->runs);
    const bool alone = c->runs->n_active >= config.max_runs || lagd_active_may_give_way(c->runs);
    return lagd_admission_check(c->runs, row->name, need, alone, err);
}

int lagd_cmd_run_resume(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_run_row row;
    int rc = lag_run_get(c->db, command->target, &row, &command->err);
    if (rc < 0) return rc;
    if (lagd_state_allows(LAGD_MACHINE_RUN, row.state, "pause") && lagd_waiting_resume(c, row.id, command))
        return LAGD_LATER; /* the pause is still under way */
    rc = find_run(c, command, "resume", &row);
    if (rc == 0) rc = lagd_command_admit_again(c, &row, &command->err);
    if (rc < 0) return rc;
    rc = ask(c, command, LAGD_RUN_ON_RESUME);
    if (rc < 0) return rc;
    c->runs->next_schedule_ns = 0;
    return 0;
}

struct cancelling {
    const struct lag_run_row *run;
    const char *reason;
    struct lagd_leftovers leftovers;
};

static int write_cancelled(struct lag_db *db, void *arg, struct lag_error *err) {
    struct cancelling *c = arg;
    struct lag_growth_row growth;
    int rc = 0;
    c->leftovers.n = 0; /* a transaction may be tried again */
    if (c->run->growth_id[0] && lag_growth_get(db, c->run->growth_id, &growth, NULL) == 0)
        rc = lagd_tx_growth_end(db, &growth, LAGD_GROWTH_ON_WITHDRAWN, "the run was cancelled", &c->leftovers, err);
    if (rc == 0) rc = lagd_tx_growths_withdraw(db, c->run->id, "the run was cancelled", &c->leftovers, err);
    return rc < 0 ? rc : lagd_tx_run_event(db, c->run->id, LAGD_RUN_ON_CANCEL, c->reason, err);
}

int lagd_cmd_run_cancel(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_run_row row;
    int rc = find_run(c, command, "cancel", &row);
    if (rc < 0) return rc;
    struct lagd_active *active = lagd_active_find(c->runs, row.id);
    if (active && !lagd_run_is(row.state, LAGD_RUN_PAUSED)) {
        lagd_run_wish(active->run, LAGD_WISH_CANCEL, command->reason);
        return lagd_waiting_stop(c, row.id, command, LAGD_RUN_CANCELLED);
    }
    struct cancelling cancelling = {.run = &row, .reason = command->reason};
    rc = lagd_command_write(c->deps->store, command, row.id, write_cancelled, &cancelling);
    const char *state = lagd_state_name(LAGD_MACHINE_RUN, LAGD_RUN_CANCELLED);
    if (rc == 0) (void)lag_copy(command->state, sizeof(command->state), state);
    if (rc == 0) lagd_leftovers_remove(c->deps, &cancelling.leftovers);
    else lagd_leftovers_drop(&cancelling.leftovers);
    return rc;
}

int lagd_cmd_run_checkpoint(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_run_row row;
    int rc = find_run(c, command, "checkpoint", &row);
    if (rc < 0) return rc;
    struct lagd_active *active = lagd_active_find(c->runs, row.id);
    if (!active) return lag_error_set(&command->err, LAG_ESTATE, "run %s is just ending; ask again", row.name);
    lagd_run_wish(active->run, LAGD_WISH_CHECKPOINT, command->reason);
    return 0;
}

/* --- delete ------------------------------------------------------------------------------------------------------ */

struct deleting {
    struct lagd_command *command;
    const struct lag_run_row *run;
};

/* A growth of another run takes a model of this one. */
static int check_fused(struct lag_db *db, const struct lag_run_row *run, struct lag_error *err) {
    char by[LAG_ROW_ID];
    struct lag_growth_row growth;
    int rc = lag_run_is_fused(db, run->id, by, err);
    if (rc <= 0) return rc;
    rc = lag_growth_get(db, by, &growth, err);
    return rc < 0 ? rc : lag_error_set(err, LAG_ESTATE, "growth %s of run %s fuses a checkpoint of run %s: wait until "
                                       "it has ended, or cancel it, then delete the run", by, growth.run_id, run->name);
}

static int write_deleted(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct deleting *d = arg;
    const struct lag_run_row *row = d->run;
    struct lag_run_row now;
    int rc = lag_run_get(db, row->id, &now, err);
    if (rc == 0) rc = lagd_command_check_revision(d->command, now.revision, err);
    if (rc == 0) rc = check_fused(db, row, err);
    if (rc == 0) rc = lag_run_delete(db, row->id, err);
    const struct lag_event event = {.type = LAG_EVENT_RUN_DELETED, .run_id = row->id, .message = row->name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

/* The folder's files may be many and large. */
struct removal {
    struct lagd_job job; /* first: the pool knows only this */
    struct lagd_command *command;
    char dir[LAGD_STATE_PATH];
};

static void run_removal(struct lagd_job *base) {
    const struct removal *removal = (const struct removal *)base;
    struct lag_error err = {0};
    LAG_FP("run.folder");
    if (lagd_unlisted_remove(removal->dir, &err) < 0)
        lag_log(LAG_LOG_WARNING, "the folder of a deleted run could not be removed: %s", err.text);
}

static void end_removal(struct lagd_job *base) {
    struct removal *removal = (struct removal *)base;
    lagd_command_answer(removal->command, 0);
    free(removal);
}

/* What a study has found is computed from the rows of its runs. */
static int check_study(struct lagd_commands *c, const struct lag_run_row *run, struct lag_error *err) {
    struct lag_study_run_row item;
    struct lag_study_row study;
    int rc = lag_study_of_run(c->db, run->id, &item, err);
    if (rc <= 0) return rc;
    rc = lag_study_get(c->db, item.study_id, &study, err);
    return rc < 0 ? rc : lag_error_set(err, LAG_ESTATE, "run %s belongs to study %s, whose report is computed from it: "
                                       "delete the study first", run->name, study.name);
}

/* The folder is marked before and removed with its mark last. Where it is not known whether the row has gone, the mark
 * stays, and the next start decides. */
int lagd_cmd_run_delete(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_run_row row;
    int rc = find_run(c, command, "delete", &row);
    if (rc == 0) rc = check_study(c, &row, &command->err);
    if (rc < 0) return rc;
    lagd_active_await(c->runs, row.id);
    struct deleting deleting = {command, &row};
    LAG_CLEANUP(lag_free_p) struct removal *removal = lag_calloc(1, sizeof(*removal));
    if (!removal) return lag_error_set(&command->err, LAG_ENOMEM, "out of memory while deleting a run");
    *removal = (struct removal){.job = {.run = run_removal, .done = end_removal}, .command = command};
    (void)snprintf(removal->dir, sizeof(removal->dir), "%s/runs/%s", c->deps->state_dir, row.id);
    (void)lagd_unlisted_mark(removal->dir, NULL); /* a full disk must not keep from deleting */
    rc = lag_store_write(c->deps->store, write_deleted, &deleting, &command->err);
    LAG_FP("run.deleted");
    if (rc < 0) {
        if (lagd_is_undone(rc)) lagd_unlisted_unmark(removal->dir);
        return rc;
    }
    rc = c->deps->chores ? lagd_pool_submit(c->deps->chores, &removal->job) : LAG_ECANCELED;
    if (rc < 0) return 0; /* stopping: the next start removes the folder */
    removal = NULL;
    return LAGD_LATER;
}

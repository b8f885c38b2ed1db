/* Commands on studies. What is done for a study afterwards is study/'s. */
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "plan/run_config_internal.h"
#include "records/post_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/audit.h>
#include <lagd/daemon/states.h>
#include <lagd/daemon/study_request.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <stdlib.h>
#include <string.h>

/* --- create ------------------------------------------------------------------------------------------------------ */

enum { LOW_PRIORITY = -1 }; /* of an audit: it gives way to all others */

struct creation {
    struct lag_study_row study;
    const struct lagd_study_request *request;
    const struct lagd_study_plan *plan;
};

static int insert_run(struct lag_db *db, const struct creation *c, int *position, const char *role, int64_t seed,
                      int64_t max_steps, struct lag_error *err) {
    struct lag_study_run_row row = {.position = (*position)++, .seed = seed, .max_steps = max_steps};
    (void)lag_copy(row.study_id, sizeof(row.study_id), c->study.id);
    (void)lag_copy(row.role, sizeof(row.role), role);
    (void)lag_copy(row.stage, sizeof(row.stage), "planned");
    return lag_study_run_insert(db, &row, err);
}

/* Candidates of all seeds come first: what they tell is what the study is for. */
static int insert_study(struct lag_db *db, void *arg, struct lag_error *err) {
    struct creation *c = arg;
    const struct lagd_study_request *request = c->request;
    const struct lagd_study_plan *plan = c->plan;
    const int64_t own = plan->config.seed, *seeds = request->n_seeds > 0 ? request->seeds : &own;
    const struct lagd_post post = {.machine = LAGD_MACHINE_STUDY, .event = LAGD_STUDY_ON_CREATED, .row = &c->study,
                                   .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    int position = 0;
    int rc = lagd_tx_post(db, &post, NULL, err);
    for (int64_t i = 0; rc == 0 && i < plan->n_seeds; i++)
        rc = insert_run(db, c, &position, "candidates", seeds[i], plan->config.max_steps, err);
    for (int64_t i = 0; rc == 0 && plan->scratch_steps > 0 && i < plan->n_seeds; i++)
        rc = insert_run(db, c, &position, "scratch", seeds[i], plan->scratch_steps, err);
    if (rc == 0 && request->audits[0]) rc = lag_growth_set_audit(db, request->audits, "made", "", err);
    return rc;
}

static int write_pool(const struct lagd_study_plan *plan, struct lag_study_row *row, struct lag_error *err) {
    struct lag_strbuf text = LAG_STRBUF_INIT;
    for (int i = 0; i < plan->candidates->n_candidates; i++) {
        if (strcmp(plan->candidates->candidates[i].op, "none") == 0) continue;
        lag_strbuf_append(&text, plan->candidates->candidates[i].strategy);
        lag_strbuf_append(&text, "\n");
    }
    int rc = text.failed ? LAG_ENOMEM : 0;
    if (rc == 0 && lag_copy(row->pool, sizeof(row->pool), text.data) < 0) rc = LAG_ETOOBIG;
    lag_strbuf_deinit(&text);
    return rc == 0 ? 0 : lag_error_at(err, rc, "/pool", "the pool is too long to be stored: name fewer strategies");
}

static int fill(struct creation *c, struct lag_error *err) {
    const struct lagd_study_plan *plan = c->plan;
    struct lag_study_row *row = &c->study;
    lag_id_new("st", row->id);
    (void)lag_copy(row->name, sizeof(row->name), c->request->name);
    (void)lag_copy(row->parent_run, sizeof(row->parent_run), plan->parent.id);
    (void)lag_copy(row->parent_name, sizeof(row->parent_name), plan->parent.name);
    (void)lag_copy(row->parent_checkpoint, sizeof(row->parent_checkpoint), plan->checkpoint.id);
    row->start_step = plan->checkpoint.step;
    row->horizon = c->request->horizon;
    (void)lag_copy(row->growth_id, sizeof(row->growth_id), c->request->audits);
    row->priority = c->request->audits[0] ? LOW_PRIORITY : 0;
    row->delta = c->request->delta;
    row->parent_flops = plan->parent_flops;
    row->revision = 1;
    row->created_ms = row->updated_ms = lag_clock_wall_ms();
    row->decay_fraction = plan->parent_decay_fraction;
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_study_fields, c->request, &text);
    int rc = text.failed ? LAG_ENOMEM : 0;
    if (rc == 0 && lag_copy(row->request, sizeof(row->request), text.data) < 0) rc = LAG_ETOOBIG;
    lag_strbuf_deinit(&text);
    if (rc != 0) return lag_error_set(err, rc, "the request cannot be stored: shorten its note");
    rc = lagd_run_config_format(&plan->config, row->config, err);
    return rc == 0 ? write_pool(plan, row, err) : rc;
}

static int create(struct lagd_commands *c, struct lagd_command *command, const struct lagd_study_request *request,
                  const struct lagd_study_plan *plan) {
    struct lag_error *err = &command->err;
    LAG_CLEANUP(lag_free_p) struct creation *creation = lag_calloc(1, sizeof(*creation));
    if (!creation) return lag_error_set(err, LAG_ENOMEM, "out of memory while creating a study");
    creation->request = request;
    creation->plan = plan;
    int rc = lagd_admission_check(c->runs, "a run of the study", plan->memory_bytes, true, err);
    if (rc == 0) rc = fill(creation, err);
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, creation->study.id, insert_study, creation);
    LAG_FP("study.created");
    if (rc < 0) return rc;
    (void)lag_copy(command->id, sizeof(command->id), creation->study.id);
    (void)lag_copy(command->state, sizeof(command->state), creation->study.state);
    c->studies_due = true;
    return 0;
}

int lagd_cmd_study_create(struct lagd_commands *c, struct lagd_command *command) {
    LAG_CLEANUP(lagd_study_plan_destroy_p) struct lagd_study_plan *plan = NULL;
    int rc = lagd_study_plan_read(c->db, command->u.study, c->deps->n_threads, &plan, &command->err);
    return rc < 0 ? rc : create(c, command, command->u.study, plan);
}

int lagd_cmd_growth_audit(struct lagd_commands *c, struct lagd_command *command) {
    LAG_CLEANUP(lagd_study_plan_destroy_p) struct lagd_study_plan *plan = NULL;
    LAG_CLEANUP(lag_free_p) struct lagd_study_request *request = NULL;
    struct lag_growth_row growth;
    int rc = lag_growth_get(c->db, command->target, &growth, &command->err);
    if (rc < 0) return rc;
    (void)lag_copy(command->state, sizeof(command->state), growth.state);
    rc = lagd_audit_plan_read(c->db, growth.id, c->deps->n_threads, &request, &plan, &command->err);
    return rc < 0 ? rc : create(c, command, request, plan);
}

/* --- life cycle -------------------------------------------------------------------------------------------------- */

static int find_study(struct lagd_commands *c, struct lagd_command *command, const char *action,
                      struct lag_study_row *ret) {
    int rc = lag_study_get(c->db, command->target, ret, &command->err);
    if (rc < 0) return rc;
    (void)lag_copy(command->id, sizeof(command->id), ret->id);
    (void)lag_copy(command->state, sizeof(command->state), ret->state);
    if (lagd_state_allows(LAGD_MACHINE_STUDY, ret->state, action)) return 0;
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_STUDY, ret->state);
    return lag_error_set(&command->err, LAG_ESTATE, "study %s is %s (%s): %s is not possible; possible now: %s",
                         ret->name, ret->state, state ? state->help : "", action,
                         state && state->actions[0] ? state->actions : "nothing");
}

struct asking {
    const struct lagd_command *command;
    enum lagd_study_event event;
    int to;
};

/* A run that was paused with its study is started with it: its stage goes back by one. */
static int wake_run(const struct lag_study_run_row *row, void *arg) {
    struct lag_db *db = arg;
    struct lag_run_row run;
    struct lag_study_run_row changed = *row;
    if (strcmp(row->stage, "started") != 0 || lag_run_get(db, row->run_id, &run, NULL) != 0) return 0;
    if (!lagd_run_is(run.state, LAGD_RUN_PAUSED)) return 0;
    (void)lag_copy(changed.stage, sizeof(changed.stage), "grown");
    return lag_study_run_set(db, &changed, NULL);
}

static int post_asked(struct lag_db *db, void *arg, struct lag_error *err) {
    struct asking *asking = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_STUDY, .event = (int)asking->event,
                                   .id = asking->command->id, .reason = asking->command->reason, .step = LAG_NO_STEP,
                                   .value = LAG_NO_VALUE};
    int rc = lagd_tx_post(db, &post, &asking->to, err);
    if (rc == 0 && asking->event == LAGD_STUDY_ON_RESUME)
        rc = lag_study_run_list(db, asking->command->id, wake_run, db, err);
    return rc;
}

static int ask(struct lagd_commands *c, struct lagd_command *command, const char *action,
               enum lagd_study_event event) {
    struct lag_study_row row;
    struct asking asking = {.command = command, .event = event};
    int rc = find_study(c, command, action, &row);
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, row.id, post_asked, &asking);
    if (rc < 0) return rc;
    (void)lag_copy(command->state, sizeof(command->state), lagd_state_name(LAGD_MACHINE_STUDY, asking.to));
    c->studies_due = true;
    return 0;
}

int lagd_cmd_study_pause(struct lagd_commands *c, struct lagd_command *command) {
    return ask(c, command, "pause", LAGD_STUDY_ON_PAUSE);
}

int lagd_cmd_study_resume(struct lagd_commands *c, struct lagd_command *command) {
    return ask(c, command, "resume", LAGD_STUDY_ON_RESUME);
}

int lagd_cmd_study_cancel(struct lagd_commands *c, struct lagd_command *command) {
    return ask(c, command, "cancel", LAGD_STUDY_ON_CANCEL);
}

/* --- delete ------------------------------------------------------------------------------------------------------ */

static int write_deleted(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct lag_study_row *row = arg;
    int rc = lag_study_delete(db, row->id, err);
    const struct lag_event event = {.type = LAG_EVENT_STUDY_DELETED, .step = LAG_NO_STEP, .value = LAG_NO_VALUE,
                                    .message = row->name};
    return rc < 0 ? rc : lag_event_put(db, &event, err);
}

int lagd_cmd_study_delete(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_study_row row;
    int rc = find_study(c, command, "delete", &row);
    return rc < 0 ? rc : lagd_command_write(c->deps->store, command, row.id, write_deleted, &row);
}

/* Commands on a run's growth plan. Its stages that have begun are the run's thread's; the others are written here. */
#include "checkpoint/extension_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "stages/stage_rows_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/stages.h>

struct setting {
    struct lagd_command *command;
    const struct lagd_plan *plan;
    const struct lagd_plan_request *request;
};
struct removal {
    struct lagd_command *command;
    const char *run_id;
};

/* Is the plan still the one that If-Match speaks of? */
static int check_tag(struct lag_db *db, struct lagd_command *command, const char *run_id, struct lag_error *err) {
    struct lag_plan_row row = {0};
    int rc = lag_plan_get(db, run_id, &row, err);
    if (rc >= 0) rc = lagd_command_check_revision(command, lag_plan_tag(&row), err);
    if (!command->mismatch) return rc;
    command->revision = row.revision;
    return lag_error_set(err, LAG_ESTATE, "the plan has changed meanwhile: look at it again");
}

/* The run's thread may have ended it since. */
static int write_plan(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct setting *setting = arg;
    struct lag_run_row run;
    int rc = check_tag(db, setting->command, setting->plan->run.id, err);
    if (rc == 0) rc = lag_run_get(db, setting->plan->run.id, &run, err);
    if (rc == 0 && !lagd_state_allows(LAGD_MACHINE_RUN, run.state, "grow"))
        rc = lag_error_set(err, LAG_ESTATE, "run %s is %s now: it cannot grow", run.name, run.state);
    return rc == 0 ? lagd_tx_plan_set(db, setting->plan, setting->request, err) : rc;
}

static int write_removed(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct removal *removal = arg;
    int rc = check_tag(db, removal->command, removal->run_id, err);
    return rc == 0 ? lagd_tx_plan_remove(db, removal->run_id, err) : rc;
}

static int find_run(struct lagd_commands *c, struct lagd_command *command, struct lag_run_row *ret) {
    int rc = lag_run_get(c->db, command->target, ret, &command->err);
    if (rc < 0) return rc;
    (void)lag_copy(command->id, sizeof(command->id), ret->id);
    (void)lag_copy(command->state, sizeof(command->state), ret->state);
    return 0;
}

/* What the run needs from now on, and its thread, if it has one, follow. */
static int changed(struct lagd_commands *c, const char *run_id) {
    struct lagd_active *active = lagd_active_find(c->runs, run_id);
    LAG_FP("plan.written");
    lagd_admission_count(c->runs);
    if (active) lagd_run_wish(active->run, LAGD_WISH_GROWTH, NULL);
    return 0;
}

int lagd_cmd_plan_set(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_run_row run;
    LAG_CLEANUP(lagd_plan_destroy_p) struct lagd_plan *plan = NULL;
    int rc = find_run(c, command, &run);
    if (rc == 0) rc = lagd_study_leads(c->db, &run, false, &command->err);
    if (rc == 0) rc = check_tag(c->db, command, run.id, &command->err);
    if (rc == 0) rc = lagd_plan_read(c->db, command->u.plan, run.id, c->deps->n_threads, &plan, &command->err);
    if (rc == 0) rc = lagd_command_admit_growth(c, &run, plan->memory_peak_bytes, &command->err);
    struct setting setting = {command, plan, command->u.plan};
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, run.id, write_plan, &setting);
    return rc == 0 ? changed(c, run.id) : rc;
}

int lagd_cmd_plan_remove(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_run_row run;
    int rc = find_run(c, command, &run);
    if (rc == 0) rc = lagd_study_leads(c->db, &run, false, &command->err);
    struct removal removal = {command, run.id};
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, run.id, write_removed, &removal);
    return rc == 0 ? changed(c, run.id) : rc;
}

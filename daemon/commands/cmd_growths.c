/* Commands on growths: who writes what is told in run_internal.h. */
#include "checkpoint/extension_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "records/leftovers_internal.h"
#include "records/post_internal.h"
#include "stages/ahead_internal.h"
#include "stages/growth_rows_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/verdict.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>
#include <string.h>

static void wish_growth(struct lagd_commands *c, const char *run_id) {
    struct lagd_active *active = lagd_active_find(c->runs, run_id);
    if (active) lagd_run_wish(active->run, LAGD_WISH_GROWTH, NULL);
}

/* --- create ------------------------------------------------------------------------------------------------------ */

struct creation {
    struct lagd_growth_rows rows;
    struct lagd_extending *extending; /* the run goes on with it; or NULL */
    char state[LAG_ROW_STATE]; /* of the run, when it forbids a growth */
};

static int refuse_state(const struct lag_run_row *run, char *ret_state, struct lag_error *err) {
    (void)lag_copy(ret_state, LAG_ROW_STATE, run->state);
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, run->state);
    return lag_error_set(err, LAG_ESTATE, "run %s is %s (%s): it cannot grow%s", run->name, run->state,
                         state ? state->help : "", lagd_state_allows(LAGD_MACHINE_RUN, run->state, "extend")
                         ? "; give extend/max_steps to let it go on" : "");
}

static bool may_grow(const struct lag_run_row *run) {
    return lagd_state_allows(LAGD_MACHINE_RUN, run->state, "grow");
}

/* Between the growths that the run has now it must fit: others may have come since it was planned. */
static int check_place(struct lag_db *db, const struct creation *c, const struct lag_run_row *run,
                       struct lag_error *err) {
    struct lagd_growth_request request = {.target = c->rows.growth.to, .at_step = c->rows.growth.at_step,
                                          .probe_steps = c->rows.growth.probe_steps};
    struct lagd_ahead ahead;
    struct lag_run_row parent = *run;
    int rc = lagd_ahead_read(db, run->id, &ahead, err);
    if (rc != 0) return rc;
    rc = lagd_ahead_place(&ahead, &request, &parent, err);
    lagd_ahead_deinit(&ahead);
    return rc;
}

/* The run's thread may have changed the run's state since it was looked at: it is looked at again here. */
static int insert_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct creation *c = arg;
    struct lag_run_row run;
    int rc = c->extending ? lagd_extension_write(db, c->extending, err) : 0;
    if (rc == 0) rc = lag_run_get(db, c->rows.growth.run_id, &run, err);
    if (rc == 0 && !may_grow(&run)) rc = refuse_state(&run, c->state, err);
    if (rc == 0) rc = check_place(db, c, &run, err);
    return rc == 0 ? lagd_tx_growth_rows_insert(db, &c->rows, err) : rc;
}

/* A growth of an active run must fit beside all that runs; that of a waiting one together with its run. */
int lagd_command_admit_growth(struct lagd_commands *c, const struct lag_run_row *run, int64_t peak_bytes,
                              struct lag_error *err) {
    int64_t need = 0;
    lagd_admission_count(c->runs);
    int rc = lagd_admission_need(c->runs, run, &need, err);
    if (rc < 0) return rc;
    if (lagd_active_find(c->runs, run->id) && !lagd_active_may_give_way(c->runs))
        return lagd_admission_check(c->runs, "the growth", LAG_MAX(0, peak_bytes - need), false, err);
    return lagd_admission_check(c->runs, "the run with its growth", LAG_MAX(need, peak_bytes), true, err);
}

int lagd_cmd_growth_create(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_error *err = &command->err;
    LAG_CLEANUP(lag_free_p) struct lagd_extension *extension = lag_calloc(1, sizeof(*extension));
    LAG_CLEANUP(lag_free_p) struct creation *creation = lag_calloc(1, sizeof(*creation));
    if (!extension || !creation) return lag_error_set(err, LAG_ENOMEM, "out of memory while creating a growth");
    const struct lag_run_row *run = &extension->run;
    bool extends = false;
    int rc = lagd_extension_for_growth(c->db, c->deps->state_dir, command->u.growth, command->target, &extends,
                                       extension, err);
    if (rc == 0 && !command->along) rc = lagd_study_leads(c->db, run, false, err); /* along: the study asks */
    if (rc < 0) return rc;
    if (!extends && !may_grow(run)) return refuse_state(run, command->state, err);
    (void)lag_copy(command->state, sizeof(command->state), run->state);
    LAG_CLEANUP(lag_free_p) struct lagd_growth_plan *plan = NULL;
    rc = lagd_growth_plan_read(c->db, command->u.growth, run, c->deps->n_threads, &plan, err);
    if (rc < 0) return rc;
    rc = lagd_command_admit_growth(c, run, plan->memory_peak_bytes, err);
    if (rc < 0) return rc;
    struct lagd_extending extending = {.plan = extension};
    if (extends) lagd_active_await(c->runs, run->id); /* it has ended: what its thread still holds goes */
    if (extends) creation->extending = &extending;
    struct lag_growth_row *growth = &creation->rows.growth;
    rc = lagd_growth_rows_fill(command->u.growth, run->id, plan, &creation->rows, err);
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, growth->id, insert_growth, creation);
    if (rc < 0) {
        if (creation->state[0]) (void)lag_copy(command->state, sizeof(command->state), creation->state);
        return rc;
    }
    LAG_FP("growth.created");
    (void)lag_copy(command->id, sizeof(command->id), growth->id);
    (void)lag_copy(command->state, sizeof(command->state), growth->state);
    lagd_ahead_follow(c->deps, run->id);
    lagd_admission_count(c->runs);
    if (extends) c->runs->next_schedule_ns = 0;
    wish_growth(c, run->id);
    return 0;
}

/* --- an end that a person asks for ------------------------------------------------------------------------------- */

/* With a thread on the run, that does the rest. */
static int end_growth(struct lag_db *db, const struct lag_growth_row *growth, enum lagd_growth_event event,
                      const char *reason, bool alone, struct lagd_leftovers *leftovers, struct lag_error *err) {
    return alone ? lagd_tx_growth_end(db, growth, event, reason, leftovers, err)
                 : lagd_tx_growth_event(db, growth->id, event, reason, err);
}

static void copy_state(char ret[LAG_ROW_STATE], enum lagd_growth_state state) {
    (void)lag_copy(ret, LAG_ROW_STATE, lagd_state_name(LAGD_MACHINE_GROWTH, state));
}

/* --- cancel ------------------------------------------------------------------------------------------------------ */

struct ending {
    const char *growth_id, *reason;
    bool alone; /* no thread works on the run */
    char state[LAG_ROW_STATE];
    struct lagd_leftovers leftovers;
};

static int write_cancel(struct lag_db *db, void *arg, struct lag_error *err) {
    struct ending *ending = arg;
    struct lag_growth_row growth;
    struct lag_run_row run;
    int rc = lag_growth_get(db, ending->growth_id, &growth, err);
    if (rc < 0) return rc;
    (void)lag_copy(ending->state, sizeof(ending->state), growth.state);
    if (!lagd_state_allows(LAGD_MACHINE_GROWTH, growth.state, "cancel")) {
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s: it can no longer be cancelled", growth.id,
                             growth.state);
    }
    copy_state(ending->state, LAGD_GROWTH_CANCELLED);
    rc = lag_run_get(db, growth.run_id, &run, err);
    if (rc < 0) return rc;
    /* Of one that waits for its turn the run's thread knows nothing. */
    const bool alone = ending->alone || strcmp(run.growth_id, growth.id) != 0;
    return end_growth(db, &growth, LAGD_GROWTH_ON_CANCEL, ending->reason, alone, &ending->leftovers, err);
}

int lagd_cmd_growth_cancel(struct lagd_commands *c, struct lagd_command *command) {
    struct lag_growth_row growth;
    int rc = lag_growth_get(c->db, command->target, &growth, &command->err);
    if (rc < 0) return rc;
    struct ending ending = {.growth_id = growth.id,
                            .reason = command->reason[0] ? command->reason : "cancelled by a person",
                            .alone = lagd_active_find(c->runs, growth.run_id) == NULL};
    rc = lagd_command_write(c->deps->store, command, growth.id, write_cancel, &ending);
    if (rc == 0) lagd_leftovers_remove(c->deps, &ending.leftovers);
    else lagd_leftovers_drop(&ending.leftovers);
    (void)lag_copy(command->id, sizeof(command->id), growth.id);
    (void)lag_copy(command->state, sizeof(command->state), ending.state);
    if (rc < 0) return rc;
    lagd_ahead_follow(c->deps, growth.run_id);
    wish_growth(c, growth.run_id);
    return 0;
}

/* --- decide ------------------------------------------------------------------------------------------------------ */

struct deciding {
    struct lagd_command *command;
    struct lag_growth_row growth;
    bool alone;
    struct lagd_leftovers leftovers;
};

static int check_choice(struct lag_db *db, const struct deciding *d, const char *candidate_id, struct lag_error *err) {
    struct lag_candidate_row row;
    if (!candidate_id[0]) {
        return lag_error_at(err, LAG_EINVAL, "/candidate",
                            "growth %s has no pick to approve: name a candidate, or reject it", d->growth.id);
    }
    if (lag_candidate_get(db, candidate_id, &row, NULL) < 0 || strcmp(row.growth_id, d->growth.id) != 0) {
        return lag_error_at(err, LAG_EINVAL, "/candidate", "growth %s has no candidate %s", d->growth.id, candidate_id);
    }
    if (!lagd_candidate_is(row.state, LAGD_CANDIDATE_COMPLETED)) {
        return lag_error_at(err, LAG_EINVAL, "/candidate",
                            "candidate %s (%s) is %s: only a completed one can be applied", row.id, row.op, row.state);
    }
    return 0;
}

static int write_approval(struct lag_db *db, struct deciding *d, struct lag_error *err) {
    const struct lagd_command *command = d->command;
    struct lag_decision_row decision;
    int rc = lag_decision_get(db, d->growth.id, &decision, err);
    if (rc < 0) return rc;
    const char *choice = command->u.decide.candidate[0] ? command->u.decide.candidate : decision.candidate;
    rc = check_choice(db, d, choice, err);
    if (rc < 0) return rc;
    bool overrides = strcmp(choice, decision.candidate) != 0;
    if (overrides && !command->reason[0]) {
        return lag_error_at(err, LAG_EINVAL, "/reason", "another candidate than the proposed one needs a reason");
    }
    if (overrides) (void)lag_copy(decision.basis, sizeof(decision.basis), lag_basis_names[LAG_BASIS_PERSON]);
    char id[LAG_ROW_ID];
    (void)lag_copy(id, sizeof(id), choice);
    (void)lag_copy(decision.candidate, sizeof(decision.candidate), id);
    (void)lag_copy(decision.decided_by, sizeof(decision.decided_by), "user");
    (void)lag_copy(decision.reason, sizeof(decision.reason), command->reason);
    decision.decided_ms = lag_clock_wall_ms();
    rc = lag_decision_put(db, &decision, err);
    if (rc < 0) return rc;
    const struct lag_event event = {.type = LAG_EVENT_GROWTH_DECISION, .run_id = d->growth.run_id,
                                    .growth_id = d->growth.id, .candidate_id = id, .step = LAG_NO_STEP,
                                    .value = LAG_NO_VALUE, .message = overrides ? command->reason : decision.verdict};
    rc = lag_event_put(db, &event, err);
    return rc < 0 ? rc : lagd_tx_growth_event(db, d->growth.id, LAGD_GROWTH_ON_APPROVED, command->reason, err);
}

static int write_decision(struct lag_db *db, void *arg, struct lag_error *err) {
    struct deciding *d = arg;
    bool approve = d->command->u.decide.approve;
    int rc = lag_growth_get(db, d->command->target, &d->growth, err);
    if (rc == 0) rc = lagd_command_check_revision(d->command, d->growth.revision, err);
    if (rc < 0) return rc;
    if (!lagd_state_allows(LAGD_MACHINE_GROWTH, d->growth.state, approve ? "approve" : "reject")) {
        return lag_error_set(err, LAG_ESTATE,
                             "growth %s is %s: only one that awaits approval can be decided by a person", d->growth.id,
                             d->growth.state);
    }
    if (approve) return write_approval(db, d, err);
    const char *reason = d->command->reason[0] ? d->command->reason : "rejected by a person";
    return end_growth(db, &d->growth, LAGD_GROWTH_ON_REJECTED, reason, d->alone, &d->leftovers, err);
}

int lagd_cmd_growth_decide(struct lagd_commands *c, struct lagd_command *command) {
    struct deciding *d = lag_calloc(1, sizeof(*d));
    if (!d) return lag_error_set(&command->err, LAG_ENOMEM, "out of memory while deciding a growth");
    int rc = lag_growth_get(c->db, command->target, &d->growth, &command->err);
    if (rc == 0) {
        d->command = command;
        d->alone = lagd_active_find(c->runs, d->growth.run_id) == NULL;
        rc = lagd_command_write(c->deps->store, command, d->growth.id, write_decision, d);
        (void)lag_copy(command->id, sizeof(command->id), d->growth.id);
        if (rc < 0) (void)lag_copy(command->state, sizeof(command->state), d->growth.state);
        else copy_state(command->state, command->u.decide.approve ? LAGD_GROWTH_DECIDED : LAGD_GROWTH_REJECTED);
    }
    if (rc == 0) {
        if (d->alone) lagd_ahead_follow(c->deps, d->growth.run_id); /* else its thread does, once it has left it */
        wish_growth(c, d->growth.run_id);
    }
    if (rc == 0) lagd_leftovers_remove(c->deps, &d->leftovers);
    else lagd_leftovers_drop(&d->leftovers);
    free(d);
    return rc;
}

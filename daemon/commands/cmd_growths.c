/* Commands on growths: who writes what is told in run_internal.h. */
#include "checkpoint/extension_internal.h"
#include "commands/command_internal.h"
#include "commands/commands_internal.h"
#include "records/leftovers_internal.h"
#include "records/post_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/strbuf.h>
#include <lagd/daemon/growth_plan.h>
#include <lagd/daemon/prior.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/verdict.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void wish_growth(struct lagd_commands *c, const char *run_id) {
    struct lagd_active *active = lagd_active_find(c->runs, run_id);
    if (active) lagd_run_wish(active->run, LAGD_WISH_GROWTH, NULL);
}

/* --- create ------------------------------------------------------------------------------------------------------ */

struct creation {
    struct lag_growth_row growth;
    const struct lagd_growth_plan *plan;
    struct lagd_extending *extending; /* the run goes on with it; or NULL */
    char state[LAG_ROW_STATE]; /* of the run, when it forbids a growth */
};

static int refuse_state(const struct lag_run_row *run, char *ret_state, struct lag_error *err) {
    (void)lag_copy(ret_state, LAG_ROW_STATE, run->state);
    if (run->growth_id[0]) {
        return lag_error_set(err, LAG_ESTATE, "run %s has growth %s already; one at a time: wait for it, or cancel it",
                             run->name, run->growth_id);
    }
    const struct lagd_state *state = lagd_state_find(LAGD_MACHINE_RUN, run->state);
    return lag_error_set(err, LAG_ESTATE, "run %s is %s (%s): it cannot grow%s", run->name, run->state,
                         state ? state->help : "", lagd_state_allows(LAGD_MACHINE_RUN, run->state, "extend")
                         ? "; give extend/max_steps to let it go on" : "");
}

static bool may_grow(const struct lag_run_row *run) {
    return !run->growth_id[0] && lagd_state_allows(LAGD_MACHINE_RUN, run->state, "grow");
}

static int insert_candidate(struct lag_db *db, const struct creation *c, int position, struct lag_error *err) {
    const struct lagd_candidate_plan *plan = &c->plan->candidates[position];
    struct lag_candidate_row row = {.position = position,
                                    .eligible = plan->eligible,
                                    .n_params = plan->n_params,
                                    .rewarm_steps = plan->rewarm_steps,
                                    .loss_at_0 = NAN,
                                    .loss_at_lag = NAN,
                                    .prior = plan->prior};
    lag_id_new("cand", row.id);
    (void)lag_copy(row.growth_id, sizeof(row.growth_id), c->growth.id);
    (void)lag_copy(row.op, sizeof(row.op), plan->op);
    (void)lag_copy(row.strategy, sizeof(row.strategy), plan->strategy);
    (void)lag_copy(row.names, sizeof(row.names), plan->names);
    (void)lag_copy(row.recipe, sizeof(row.recipe), plan->recipe);
    const struct lagd_post post = {.machine = LAGD_MACHINE_CANDIDATE, .event = LAGD_CANDIDATE_ON_CREATED, .row = &row};
    return lagd_tx_post(db, &post, NULL, err);
}

/* The run's thread may have changed the run's state since it was looked at: it is looked at again here. */
static int insert_growth(struct lag_db *db, void *arg, struct lag_error *err) {
    struct creation *c = arg;
    struct lag_run_row run;
    int rc = c->extending ? lagd_extension_write(db, c->extending, err) : 0;
    if (rc == 0) rc = lag_run_get(db, c->growth.run_id, &run, err);
    if (rc == 0 && !may_grow(&run)) rc = refuse_state(&run, c->state, err);
    const struct lagd_post post = {.machine = LAGD_MACHINE_GROWTH, .event = LAGD_GROWTH_ON_CREATED, .row = &c->growth,
                                   .reason = c->growth.reason, .step = LAG_NO_STEP};
    if (rc == 0) rc = lagd_tx_post(db, &post, NULL, err);
    for (int i = 0; i < c->plan->n_candidates && rc == 0; i++) rc = insert_candidate(db, c, i, err);
    return rc == 0 ? lag_run_set_growth(db, run.id, c->growth.id, err) : rc;
}

static int fill_growth(const struct lagd_growth_request *request, const struct lag_run_row *run,
                       const struct lagd_growth_plan *plan, struct lag_growth_row *row, struct lag_error *err) {
    lag_id_new("gr", row->id);
    (void)lag_copy(row->run_id, sizeof(row->run_id), run->id);
    (void)lag_copy(row->reason, sizeof(row->reason), request->reason);
    (void)lag_copy(row->mode, sizeof(row->mode), request->mode);
    row->at_step = request->at_step;
    row->start_step = -1;
    row->from = plan->from;
    row->to = plan->to;
    row->probe_steps = request->probe_steps;
    row->first_rung = plan->first_rung;
    row->n_batches = plan->n_batches;
    row->eval_sequences = plan->eval_sequences;
    row->eval_stride = plan->eval_stride;
    row->parent_loss = NAN;
    row->prior_cases = plan->prior_cases;
    (void)lag_copy(row->prior_of, sizeof(row->prior_of), plan->prior_of);
    (void)lag_copy(row->prior_like, sizeof(row->prior_like), plan->prior_like);
    row->revision = 1;
    row->created_ms = row->updated_ms = lag_clock_wall_ms();
    struct lag_strbuf text = LAG_STRBUF_INIT;
    lag_fields_format(&lagd_growth_fields, request, &text);
    int rc = text.failed ? LAG_ENOMEM : 0;
    if (rc == 0 && lag_copy(row->request, sizeof(row->request), text.data) < 0) rc = LAG_ETOOBIG;
    lag_strbuf_deinit(&text);
    return rc == 0 ? 0 : lag_error_set(err, rc, "the growth request cannot be stored: shorten its reason");
}

/* A growth of an active run must fit beside all that runs; that of a waiting one together with its run. */
static int admit(struct lagd_commands *c, const struct lag_run_row *run, int64_t growth_bytes, struct lag_error *err) {
    int64_t need = 0;
    lagd_admission_count(c->runs);
    if (lagd_active_find(c->runs, run->id))
        return lagd_admission_check(c->runs, "the growth", growth_bytes, false, err);
    int rc = lagd_admission_need(c->runs, run, &need, err);
    return rc < 0 ? rc : lagd_admission_check(c->runs, "the run with its growth", need + growth_bytes, true, err);
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
    if (extends ? run->growth_id[0] != '\0' : !may_grow(run)) return refuse_state(run, command->state, err);
    LAG_CLEANUP(lag_free_p) struct lagd_growth_plan *plan = NULL;
    rc = lagd_growth_plan_make(command->u.growth, run, c->deps->n_threads, &plan, err);
    if (rc < 0) return rc;
    rc = admit(c, run, plan->memory_bytes, err);
    if (rc == 0) rc = lagd_prior_know(c->db, lagd_growth_start(command->u.growth, run), run->max_steps, plan, err);
    if (rc < 0) return rc;
    struct lagd_extending extending = {.plan = extension};
    if (extends) lagd_active_await(c->runs, run->id); /* it has ended: what its thread still holds goes */
    if (extends) creation->extending = &extending;
    creation->plan = plan;
    rc = fill_growth(command->u.growth, run, plan, &creation->growth, err);
    if (rc == 0) rc = lagd_command_write(c->deps->store, command, creation->growth.id, insert_growth, creation);
    if (rc < 0) {
        (void)lag_copy(command->state, sizeof(command->state), creation->state);
        return rc;
    }
    LAG_FP("growth.created");
    (void)lag_copy(command->id, sizeof(command->id), creation->growth.id);
    (void)lag_copy(command->state, sizeof(command->state), creation->growth.state);
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
    int rc = lag_growth_get(db, ending->growth_id, &growth, err);
    if (rc < 0) return rc;
    (void)lag_copy(ending->state, sizeof(ending->state), growth.state);
    if (!lagd_state_allows(LAGD_MACHINE_GROWTH, growth.state, "cancel")) {
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s: it can no longer be cancelled", growth.id,
                             growth.state);
    }
    copy_state(ending->state, LAGD_GROWTH_CANCELLED);
    return end_growth(db, &growth, LAGD_GROWTH_ON_CANCEL, ending->reason, ending->alone, &ending->leftovers, err);
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
    if (rc == 0) wish_growth(c, growth.run_id);
    return rc;
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
    if (rc == 0) wish_growth(c, d->growth.run_id);
    if (rc == 0) lagd_leftovers_remove(c->deps, &d->leftovers);
    else lagd_leftovers_drop(&d->leftovers);
    free(d);
    return rc;
}

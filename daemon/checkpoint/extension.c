/* A run that goes on beyond its last step: what its learning rate will be, and the rows that say so. */
#include "checkpoint/extension_internal.h"

#include "checkpoint/checkpoint_internal.h"
#include "plan/run_config_internal.h"
#include "plan/schedules_internal.h"
#include "records/folders_internal.h"
#include "records/post_internal.h"
#include "records/transact_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_request.h>
#include <lagd/storage/checkpoints.h>
#include <lagd/storage/events.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/studies.h>
#include <lagd/storage/series.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- plan -------------------------------------------------------------------------------------------------------- */

struct planning {
    struct lag_db *db;
    const char *state_dir;
    const struct lagd_extension_request *request;
    struct lagd_extension *plan;
    struct lagd_run_config config; /* as it will be */
    struct lagd_schedules schedules;
    struct lagd_schedule_piece old; /* in force at its last update */
    int64_t stands_at, origin;      /* of the run; of the schedule of its newest state */
    double scale;                   /* of its rate, as it is */
    int64_t limit;                  /* of a search */
};

static bool is_given(const struct lagd_extension_request *request, const char *path) {
    for (size_t i = 0; i < lagd_extension_fields.n_rows; i++)
        if (strcmp(lagd_extension_fields.rows[i].path, path) == 0) return request->given >> i & 1;
    return false;
}

static bool is_after(const struct planning *p, const char *mode) { return strcmp(p->request->after, mode) == 0; }

/* Where the schedule of a checkpoint's state began, and the factor of its rate; a folder that cannot be read is met
 * again when the run goes on. */
static int64_t read_origin(const struct planning *p, const struct lag_checkpoint_row *row, double *ret_scale) {
    struct lag_checkpoint_look look;
    char dir[LAGD_STATE_PATH];
    (void)snprintf(dir, sizeof(dir), "%s/%s", p->state_dir, row->path);
    if (lag_checkpoint_look(dir, &look, NULL) != 0) return 0;
    if (ret_scale) *ret_scale = LAG_MAX(*ret_scale, look.meta.lr_scale);
    return look.schedule_origin;
}

static int find_before(const struct lag_checkpoint_row *row, void *arg) {
    struct planning *p = arg;
    if (row->candidate_id[0] || row->step > p->limit) return 0;
    p->plan->back_to = *row;
    return 1;
}

static int find_growth(const struct lag_growth_row *row, void *arg) {
    struct planning *p = arg;
    if (lagd_growth_is(row->state, LAGD_GROWTH_APPLIED) && row->start_step >= p->plan->back_to.step)
        p->limit = row->start_step;
    return 0;
}

/* The last checkpoint from before the decay, which may be right at its beginning. */
static int go_back(struct planning *p, struct lag_error *err) {
    const struct lag_run_row *run = &p->plan->run;
    const int64_t origin = lagd_schedule_origin(&p->old, p->origin);
    const int64_t decays_from = lag_schedule_phases(&p->old.schedule, origin).decays_from;
    if (decays_from >= p->stands_at)
        return lag_error_at(err, LAG_EINVAL, "/from", "no decay has begun by step %" PRId64 ": nothing is to be "
                            "undone, so leave from out", p->stands_at);
    p->limit = decays_from;
    int rc = lag_checkpoint_list(p->db, run->id, find_before, p, err);
    if (rc < 0) return rc;
    if (rc == 0)
        return lag_error_set(err, LAG_ESTATE, "run %s has no checkpoint left from before its decay, which began at "
                             "step %" PRId64 ": extend it from where it stands, or fork another run", run->name,
                             decays_from);
    p->limit = -1;
    rc = lag_growth_list(p->db, run->id, INT32_MAX, find_growth, p, err);
    if (rc == 0 && p->limit >= 0)
        rc = lag_error_set(err, LAG_ESTATE, "run %s has grown at step %" PRId64 ", behind its last checkpoint from "
                           "before the decay (step %" PRId64 "): fork it from there instead", run->name, p->limit,
                           p->plan->back_to.step);
    p->plan->from_step = p->plan->back_to.step;
    p->plan->n_dropped_steps = p->stands_at - p->plan->from_step;
    p->origin = read_origin(p, &p->plan->back_to, &p->plan->run.lr_scale); /* rollbacks behind it are given up, too */
    return rc;
}

static void merge(struct planning *p) {
    for (size_t i = 0; i < lagd_extension_fields.n_rows; i++) {
        const struct lag_field *field = &lagd_extension_fields.rows[i];
        if (!(p->request->given >> i & 1) || field->offset >= sizeof(p->config)) continue;
        memcpy((char *)&p->config + field->offset, (const char *)&p->request->config + field->offset, field->size);
    }
}

/* Candidates that train in turn are compared, so all have the schedule that their growth began with. */
static int check_growth(const struct planning *p, struct lag_error *err) {
    struct lag_growth_row growth;
    if (!p->plan->run.growth_id[0] || lag_growth_get(p->db, p->plan->run.growth_id, &growth, NULL) != 0) return 0;
    if (!lagd_growth_is(growth.state, LAGD_GROWTH_QUEUED))
        return lag_error_set(err, LAG_ESTATE, "growth %s is %s, and its candidates have the schedule that it began "
                             "with: let it end, or cancel it, before the run is extended", growth.id, growth.state);
    if (!p->plan->back_to.id[0]) return 0;
    return lag_error_set(err, LAG_ESTATE, "growth %s waits: cancel it before the run goes back", growth.id);
}

int lagd_study_leads(struct lag_db *db, const struct lag_run_row *run, bool drops, struct lag_error *err) {
    struct lag_study_run_row item;
    struct lag_study_row study;
    int rc = lag_study_of_run(db, run->id, &item, err);
    if (rc == 1) rc = lag_study_get(db, item.study_id, &study, err);
    else return rc;
    if (rc < 0) return rc;
    if (lagd_state_has_ended(LAGD_MACHINE_STUDY, study.state))
        return !drops ? 0 : lag_error_set(err, LAG_ESTATE, "run %s belongs to study %s, whose report is computed from "
                                          "it: extend it from where it stands, fork it, or delete the study first",
                                          run->name, study.name);
    return lag_error_set(err, LAG_ESTATE, "run %s belongs to study %s, which is %s and compares it with others as it "
                         "is: wait until the study has ended, cancel it, or fork the run", run->name, study.name,
                         study.state);
}

static int check_steps(const struct planning *p, struct lag_error *err) {
    const int64_t from = p->plan->from_step, n = p->config.max_steps;
    if (n <= from || n < p->plan->run.max_steps)
        return lag_error_at(err, LAG_EINVAL, "/max_steps", "max_steps (%" PRId64 ") must be above the step that the "
                            "run goes on from (%" PRId64 "), and not below the max_steps that it has (%" PRId64 ")",
                            n, from, p->plan->run.max_steps);
    int rc = lagd_study_leads(p->db, &p->plan->run, p->plan->back_to.id[0] != '\0', err);
    return rc < 0 ? rc : check_growth(p, err);
}

/* How the schedule goes on, by the mode; a piece of its own from the step on. */
static int make_piece(struct planning *p, struct lagd_schedule_piece *ret, struct lag_error *err) {
    struct lagd_run_config *config = &p->config;
    static const char *const fields[] = {"schedule/kind", "schedule/warmup_steps", "schedule/min_lr",
                                         "schedule/decay_fraction"};
    const int64_t from = p->plan->from_step, rest = config->max_steps - from;
    if (is_after(p, "minimum")) {
        for (size_t i = 0; i < LAG_COUNT(fields); i++)
            if (is_given(p->request, fields[i]))
                return lag_error_at(err, LAG_EINVAL, "/schedule/after", "minimum leaves the schedule as it is: leave "
                                    "%s out, or choose stable or rewarm", fields[i]);
        *ret = (struct lagd_schedule_piece){.from = from, .schedule = p->old.schedule};
        return 0;
    }
    if (is_after(p, "rewarm")) {
        if (!is_given(p->request, "schedule/warmup_steps") || config->warmup_steps == 0)
            config->warmup_steps = LAG_MIN(LAGD_REWARM_STEPS, LAG_MAX(1, rest / 2));
        if (config->warmup_steps >= rest)
            return lag_error_at(err, LAG_EINVAL, "/schedule/warmup_steps", "schedule/warmup_steps (%" PRId64 ") must "
                                "be below the steps that are to come (%" PRId64 ")", config->warmup_steps, rest);
    }
    struct lag_step_config step;
    lagd_run_step_config(config, 1, &step);
    *ret = (struct lagd_schedule_piece){.from = from, .schedule = step.schedule, .restarts = is_after(p, "rewarm")};
    return 0;
}

static double rate_at(const struct planning *p, const struct lagd_schedule_piece *piece, int64_t origin, int64_t step,
                      double scale) {
    return lag_schedule_lr(&piece->schedule, p->config.lr, step, lagd_schedule_origin(piece, origin)) * scale;
}

static void show_rates(struct planning *p, const struct lagd_schedule_piece *piece, int64_t newest_origin) {
    struct lagd_extension *plan = p->plan;
    const int64_t from = plan->from_step, rest = p->config.max_steps - 1 - from;
    plan->lr_before = p->stands_at > 0 ? rate_at(p, &p->old, newest_origin, p->stands_at - 1, p->scale) : NAN;
    plan->lr_after = rate_at(p, piece, p->origin, from, plan->run.lr_scale);
    plan->n_points = LAG_MIN((int64_t)LAGD_EXTENSION_POINTS, rest + 1);
    for (int64_t i = 0; i < plan->n_points; i++) {
        const int64_t step = plan->n_points > 1 ? from + i * rest / (plan->n_points - 1) : from;
        plan->points[i] = (struct lagd_extension_point){
            step, rate_at(p, piece, p->origin, step, plan->run.lr_scale)};
    }
}

static void say(struct planning *p, const struct lagd_schedule_piece *piece) {
    struct lagd_extension *plan = p->plan;
    char back[120] = "";
    const double last = plan->points[plan->n_points - 1].lr;
    if (plan->back_to.id[0])
        (void)snprintf(back, sizeof(back), "the run goes back to step %" PRId64 " and gives %" PRId64 " steps up; ",
                       plan->from_step, plan->n_dropped_steps);
    if (piece->restarts)
        (void)snprintf(plan->note, sizeof(plan->note), "%sthe learning rate warms up again over %" PRId64 " steps, "
                       "from %.4g on", back, piece->schedule.warmup_steps, plan->lr_after);
    else if (!(fabs(plan->lr_after / plan->lr_before - 1) > 0.02)) /* also before the first step */
        (void)snprintf(plan->note, sizeof(plan->note), "%sthe learning rate goes on at %.4g and ends at %.4g", back,
                       plan->lr_after, last);
    else
        (void)snprintf(plan->note, sizeof(plan->note), "%sthe learning rate %s at once from %.4g to %.4g, and ends at "
                       "%.4g", back, plan->lr_after > plan->lr_before ? "rises" : "falls", plan->lr_before,
                       plan->lr_after, last);
}

static int read_run(struct planning *p, const char *run, struct lag_error *err) {
    struct lagd_extension *plan = p->plan;
    struct lag_checkpoint_row newest;
    int rc = lag_run_get(p->db, run, &plan->run, err);
    if (rc != 0) return rc;
    plan->revision = plan->run.revision;
    p->scale = plan->run.lr_scale;
    plan->from_step = p->stands_at = plan->run.step;
    if (!lagd_state_allows(LAGD_MACHINE_RUN, plan->run.state, "extend"))
        return lag_error_set(err, LAG_ESTATE, "run %s is %s: only one that is completed or paused can be extended; "
                             "pause it first if it trains, or fork it", plan->run.name, plan->run.state);
    rc = lagd_run_config_parse(plan->run.config, &p->config, err);
    if (rc == 0) rc = lagd_schedules_of(&plan->run, &p->config, &p->schedules, err);
    if (rc != 0) return rc;
    p->old = *lagd_schedules_at(&p->schedules, LAG_MAX(0, p->stands_at - 1));
    rc = lag_checkpoint_latest(p->db, plan->run.id, &newest, err);
    if (rc == 0) p->origin = read_origin(p, &newest, NULL);
    return rc == LAG_ENOTFOUND ? 0 : rc;
}

/* Its configuration as it will be, and the schedules. */
static int finish(struct planning *p, const struct lagd_schedule_piece *piece, struct lag_error *err) {
    struct lag_run_row *run = &p->plan->run;
    struct lag_dataset_row dataset;
    struct lagd_run_config checked = p->config;
    int rc = lag_dataset_get(p->db, run->dataset_id, &dataset, err);
    if (rc == 0) rc = lagd_run_config_resolve(&checked, &dataset, err);
    if (rc == 0) rc = lagd_schedules_add(&p->schedules, piece, err);
    if (rc == 0) rc = lagd_run_config_format(&p->config, run->config, err);
    if (rc != 0) return rc;
    lagd_schedules_format(&p->schedules, run->schedules);
    run->max_steps = p->config.max_steps;
    if (!p->plan->back_to.id[0]) return 0;
    run->step = p->plan->from_step;
    run->tokens = run->step * p->config.accumulate * p->config.sequences * p->config.tokens_per_sequence;
    return 0;
}

int lagd_extension_plan(struct lag_db *db, const char *state_dir, const struct lagd_extension_request *request,
                        const char *run, struct lagd_extension *ret, struct lag_error *err) {
    struct planning p = {.db = db, .state_dir = state_dir, .request = request, .plan = ret};
    struct lagd_schedule_piece piece = {0};
    *ret = (struct lagd_extension){.lr_before = NAN};
    int rc = read_run(&p, run, err);
    const int64_t newest_origin = p.origin;
    if (rc == 0 && strcmp(request->from, "before_decay") == 0) rc = go_back(&p, err);
    if (rc == 0) merge(&p);
    if (rc == 0) rc = check_steps(&p, err);
    if (rc == 0) rc = make_piece(&p, &piece, err);
    if (rc == 0) rc = finish(&p, &piece, err);
    if (rc != 0) return rc;
    show_rates(&p, &piece, newest_origin);
    say(&p, &piece);
    return 0;
}

/* To so many steps from where it stands, with the learning rate of a longer run; errors point to path. */
static int plan_plainly(struct lag_db *db, const char *state_dir, int64_t max_steps, const char *run, const char *path,
                        struct lagd_extension *ret, struct lag_error *err) {
    struct lagd_extension_request request = {.config.max_steps = max_steps, .from = "end", .after = "stable"};
    for (size_t i = 0; i < lagd_extension_fields.n_rows; i++)
        if (strcmp(lagd_extension_fields.rows[i].path, "max_steps") == 0) request.given |= UINT32_C(1) << i;
    int rc = lagd_extension_plan(db, state_dir, &request, run, ret, err);
    if (rc < 0 && strcmp(err->pointer, "/max_steps") == 0) (void)lag_copy(err->pointer, sizeof(err->pointer), path);
    return rc;
}

int lagd_extension_for_growth(struct lag_db *db, const char *state_dir, const struct lagd_growth_request *request,
                              const char *run, bool *ret_asked, struct lagd_extension *ret, struct lag_error *err) {
    *ret_asked = request->extend_to > 0;
    if (*ret_asked) return plan_plainly(db, state_dir, request->extend_to, run, "/extend/max_steps", ret, err);
    return lag_run_get(db, run, &ret->run, err);
}

int lagd_extension_for_patch(struct lag_db *db, const char *state_dir, int64_t max_steps, const char *run,
                             bool *ret_asked, struct lagd_extension *ret, struct lag_error *err) {
    struct lag_run_row row;
    int rc = lag_run_get(db, run, &row, err);
    *ret_asked = rc == 0 && max_steps != row.max_steps;
    if (!*ret_asked) return rc;
    if (lagd_run_is(row.state, LAGD_RUN_PAUSED))
        return plan_plainly(db, state_dir, max_steps, run, "/schedule/max_steps", ret, err);
    return lag_error_at(err, LAG_EINVAL, "/schedule/max_steps", "can be changed while the run is paused, and it is "
                        "%s%s", row.state, lagd_run_is(row.state, LAGD_RUN_COMPLETED)
                        ? ": POST /runs/{run}/extend lets it go on" : "");
}

/* --- write ------------------------------------------------------------------------------------------------------- */

static int collect(const struct lag_checkpoint_row *row, void *arg) {
    struct lagd_extending *e = arg;
    if (row->step <= e->plan->from_step) return 0;
    if (lag_grow_array((void **)&e->ahead, &e->capacity, e->n_ahead + 1, sizeof(*e->ahead)) != 0) return LAG_ENOMEM;
    e->ahead[e->n_ahead++] = *row;
    return 0;
}

int lagd_extending_begin(const struct lagd_deps *deps, struct lag_db *db, struct lagd_extending *e,
                         struct lag_error *err) {
    if (!e->plan->back_to.id[0]) return 0;
    int rc = lag_checkpoint_list(db, e->plan->run.id, collect, e, err);
    if (rc != 0) return rc == LAG_ENOMEM ? lag_error_set(err, rc, "out of memory for a list of checkpoints") : rc;
    for (size_t i = 0; i < e->n_ahead; i++) {
        const struct lag_checkpoint_row *row = &e->ahead[i];
        if (row->keep && strcmp(row->kind, LAGD_KIND_PRE_DECAY) != 0)
            return lag_error_set(err, LAG_ESTATE, "checkpoint %s of step %" PRId64 " is kept, and would be given up: "
                                 "fork the run, or leave it to retention first (PATCH with \"keep\": false)", row->id,
                                 row->step);
    }
    for (size_t i = 0; i < e->n_ahead; i++) lagd_folder_mark(deps, e->ahead[i].path);
    LAG_FP("extension.marked");
    return 0;
}

/* What lies ahead of the step that the run goes back to. */
static int drop_ahead(struct lag_db *db, const struct lagd_extending *e, struct lag_error *err) {
    const struct lag_run_row *run = &e->plan->run;
    int rc = lag_points_truncate(db, run->id, run->step, err);
    for (size_t i = 0; rc == 0 && i < e->n_ahead; i++) {
        const struct lag_checkpoint_row *row = &e->ahead[i];
        rc = lag_checkpoint_delete(db, row->id, err);
        const struct lag_event event = {.type = LAG_EVENT_CHECKPOINT_DELETED, .run_id = run->id, .state = row->kind,
                                        .step = row->step, .value = (double)row->n_bytes, .message = row->id};
        if (rc == 0) rc = lag_event_put(db, &event, err);
    }
    if (rc == 0) rc = lag_run_set_rollback(db, run->id, run->lr_scale, run->n_rollbacks, run->rollback_step, err);
    return rc == 0 ? lag_run_set_progress(db, run->id, run->step, run->tokens, run->flops, err) : rc;
}

int lagd_extension_write(struct lag_db *db, void *arg, struct lag_error *err) {
    struct lagd_extending *e = arg;
    const struct lag_run_row *run = &e->plan->run;
    struct lag_run_row now;
    int rc = lag_run_get(db, run->id, &now, err);
    if (rc == 0 && now.revision != e->plan->revision)
        rc = lag_error_set(err, LAG_ESTATE, "run %s has changed meanwhile: ask again", run->name);
    if (rc == 0) rc = lag_run_set_schedules(db, run->id, run->max_steps, run->config, run->schedules, err);
    if (rc == 0 && e->plan->back_to.id[0]) rc = drop_ahead(db, e, err);
    if (rc == 0 && !e->stays) rc = lagd_tx_run_event(db, run->id, LAGD_RUN_ON_EXTENDED, NULL, err);
    if (rc != 0) return rc;
    char message[LAG_ROW_TEXT];
    (void)snprintf(message, sizeof(message), "extended from %" PRId64 " to %" PRId64 " steps: %s", now.max_steps,
                   run->max_steps, e->plan->note);
    const struct lag_event event = {.type = LAG_EVENT_RUN_CHANGED, .run_id = run->id, .step = run->step,
                                    .state = e->stays ? now.state : lagd_state_name(LAGD_MACHINE_RUN, LAGD_RUN_QUEUED),
                                    .message = message};
    return lag_event_put(db, &event, err);
}

void lagd_extending_end(const struct lagd_deps *deps, struct lagd_extending *e, int rc) {
    LAG_FP("extension.written");
    for (size_t i = 0; i < e->n_ahead; i++) {
        if (rc == 0) lagd_folder_remove(deps, e->ahead[i].path);
        else if (lagd_is_undone(rc)) lagd_folder_unmark(deps, e->ahead[i].path);
    }
    free(e->ahead);
    e->ahead = NULL;
    e->n_ahead = e->capacity = 0;
}

/* A growth plan as it would go: each stage's parent is the target of the one before it. */
#include "plan/batches_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"
#include "plan/trigger_internal.h"
#include "stages/ahead_internal.h"
#include "stages/stage_rows_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/plan_request.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/cost.h>
#include <lagd/storage/runs.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lagd_plan_destroy(struct lagd_plan *plan) {
    if (!plan) return;
    for (int i = 0; i < plan->n; i++) free(plan->stages[i].growth);
    free(plan);
}

void lagd_plan_destroy_p(struct lagd_plan **plan) { lagd_plan_destroy(*plan); }

struct reading {
    struct lag_db *db;
    const struct lagd_plan_request *request;
    struct lagd_plan *plan;
    int n_threads;
    struct lagd_stage_list stored;
    struct lagd_run_config config;
    struct lag_spec spec;
    /* as far as the way was gone */
    struct lag_run_row parent;
    struct lagd_trajectory at;
};

/* "stage 2: …" at "/stages/1/…". */
static int at_stage(struct lag_error *err, int i, int rc, const struct lag_error *inner) {
    char pointer[160];
    (void)snprintf(pointer, sizeof(pointer), "/stages/%d%.120s", i, inner->pointer);
    return lag_error_at(err, rc, pointer, "stage %d: %.640s", i + 1, inner->text);
}

#define REFUSE(err, i, code, where, ...)                                                                               \
    do {                                                                                                               \
        struct lag_error inner_ = {0};                                                                                 \
        (void)lag_error_at(&inner_, code, where, __VA_ARGS__);                                                         \
        return at_stage(err, i, code, &inner_);                                                                        \
    } while (0)

/* --- what has begun ---------------------------------------------------------------------------------------------- */

static int check_begun(const struct reading *r, int i, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lag_stage_row *asked = lag_calloc(1, sizeof(*asked));
    const struct lag_stage_row *stored = &r->stored.rows[i];
    if (!asked) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading a plan");
    struct lag_error inner = {0};
    int rc = i < r->request->n ? lagd_stage_texts(&r->plan->stages[i].trigger, &r->request->stages[i].growth, asked,
                                                  &inner) : 0;
    if (rc != 0) return at_stage(err, i, rc, &inner);
    const bool same = i < r->request->n && strcmp(asked->request, stored->request) == 0 &&
                      strcmp(asked->pool, stored->pool) == 0 && strcmp(asked->begins, stored->begins) == 0;
    if (same) return 0;
    REFUSE(err, i, LAG_ESTATE, "", "it %s at step %" PRId64 " and stays as it is: give it as it was asked for, and "
           "change only what comes after it", lagd_stage_is(stored->state, LAGD_STAGE_BEGUN) ? "has begun" :
           "was skipped", stored->fired_step);
}

/* --- triggers ---------------------------------------------------------------------------------------------------- */

static int check_slope(const struct lagd_slope *slope, int i, struct lag_error *err) {
    if (slope->most_steps > 0 && slope->most_steps < slope->least_steps)
        REFUSE(err, i, LAG_EINVAL, "/trigger/slope/most_steps", "most_steps, %" PRId64 ", lies below least_steps, %"
               PRId64, slope->most_steps, slope->least_steps);
    return 0;
}

static int take_trigger(struct reading *r, int i, struct lag_error *err) {
    const struct lagd_plan_request *request = r->request;
    struct lagd_trigger *trigger = &r->plan->stages[i].trigger;
    const bool given = lagd_trigger_kind(&request->stages[i].trigger) != LAGD_TRIGGER_NONE;
    if (request->steps > 0) {
        const int64_t step = lagd_prop_alpha(r->plan->start_step, request->steps, request->alpha, request->n + 1,
                                             i + 2);
        const struct lagd_trigger *asked = &request->stages[i].trigger;
        const bool same = lagd_trigger_kind(asked) == LAGD_TRIGGER_STEP && asked->step == step; /* as it was answered */
        if (given && !same)
            REFUSE(err, i, LAG_EINVAL, "/trigger", "the plan's lengths say when it begins: leave its trigger out, or "
                   "the lengths");
        lag_fields_defaults(&lagd_trigger_stored_fields, trigger);
        (void)lag_copy(trigger->kind, sizeof(trigger->kind), "step");
        trigger->step = step;
        return 0;
    }
    if (!given) REFUSE(err, i, LAG_EINVAL, "/trigger", "it needs a trigger: one of step, tokens, flops and slope");
    *trigger = request->stages[i].trigger;
    return lagd_trigger_kind(trigger) == LAGD_TRIGGER_SLOPE ? check_slope(&trigger->slope, i, err) : 0;
}

static int64_t step_tokens(const struct reading *r) {
    return r->config.sequences * r->config.tokens_per_sequence * r->config.accumulate;
}

static double step_flops(const struct reading *r) {
    return (double)step_tokens(r) * lag_flops_token_train(&r->spec, (int)r->config.tokens_per_sequence);
}

static void go_to(struct reading *r, int64_t step) {
    r->at.flops += (double)(step - r->at.step) * step_flops(r);
    r->at.step = step;
    r->at.tokens = step * step_tokens(r);
}

/* Does it lie behind the run, or what comes before it? first: no stage that is to come is before it. */
static int check_when(const struct reading *r, int i, bool first, struct lag_error *err) {
    const struct lagd_trigger *trigger = &r->plan->stages[i].trigger;
    const enum lagd_trigger_kind kind = lagd_trigger_kind(trigger);
    static const char *const names[] = {"", "/trigger/step", "/trigger/tokens", "/trigger/flops",
                                        "/trigger/slope/most_steps"};
    const char *where = r->request->steps > 0 ? "" : names[kind];
    const char *before = first ? "the run is at, or will be at when what lies ahead of it has ended" :
                         "the stage before it ends its probe at, at the earliest";
    if (kind == LAGD_TRIGGER_STEP && trigger->step < r->at.step)
        REFUSE(err, i, LAG_EINVAL, where, "step %" PRId64 " lies behind step %" PRId64 ", which %s: ask for that or "
               "later", trigger->step, r->at.step, before);
    if (kind == LAGD_TRIGGER_TOKENS && trigger->tokens < r->at.tokens)
        REFUSE(err, i, LAG_EINVAL, where, "%" PRId64 " tokens lie behind the %" PRId64 " of step %" PRId64 ", which "
               "%s: ask for more", trigger->tokens, r->at.tokens, r->at.step, before);
    if (kind == LAGD_TRIGGER_FLOPS && trigger->flops < r->at.flops)
        REFUSE(err, i, LAG_EINVAL, where, "%.4g FLOPs lie behind the %.4g that will be spent by step %" PRId64
               ", which %s: ask for more", trigger->flops, r->at.flops, r->at.step, before);
    if (kind == LAGD_TRIGGER_SLOPE && trigger->slope.most_steps > 0 &&
        r->at.since + trigger->slope.most_steps < r->at.step)
        REFUSE(err, i, LAG_EINVAL, where, "most_steps of %" PRId64 " from step %" PRId64 " end behind step %" PRId64
               ", which %s: ask for more", trigger->slope.most_steps, r->at.since, r->at.step, before);
    return 0;
}

/* --- one stage --------------------------------------------------------------------------------------------------- */

static int check_end(const struct reading *r, int i, int64_t begins, struct lag_error *err) {
    const int64_t probe = r->request->stages[i].growth.probe_steps, max_steps = r->plan->run.max_steps;
    if (begins <= max_steps - probe) return 0;
    const enum lagd_trigger_kind kind = lagd_trigger_kind(&r->plan->stages[i].trigger);
    REFUSE(err, i, LAG_EINVAL, kind == LAGD_TRIGGER_STEP && r->request->steps == 0 ? "/trigger/step" : "",
           "it would begin at step %" PRId64 "%s and be probed until step %" PRId64 ", but the run ends at "
           "schedule/max_steps, %" PRId64 ": begin earlier, probe shorter, or extend the run", begins,
           kind == LAGD_TRIGGER_STEP || kind == LAGD_TRIGGER_TOKENS ? "" : " at the earliest", begins + probe,
           max_steps);
}

static int check_target(const struct reading *r, int i, struct lag_error *err) {
    const struct lag_shape *target = &r->request->stages[i].growth.target;
    const int64_t asked = target->n_layer, has = r->parent.shape.n_layer;
    struct lag_shape other = *target;
    other.n_layer = 0;
    const bool grows_else = !lagd_shape_equal(&other, &(struct lag_shape){0});
    if (asked > has || asked == 0 || (asked == has && grows_else)) return 0; /* its growth's own plan says the rest */
    REFUSE(err, i, LAG_EINVAL, "/target/n_layer", "its target has %" PRId64 " layers, and %s %" PRId64 " already: a "
           "stage grows, so ask for more", asked, i > 0 ? "the stage before it leads to" :
           "the run has, or will have,", has);
}

/* The winner of a growth that begins where the way has come to, at the end of its probe. */
static int become(struct reading *r, const struct lag_shape *to, int64_t tokens_per_sequence, int64_t probe_steps,
                  struct lag_error *err) {
    int rc = lagd_batches_add(&r->parent, r->at.step, tokens_per_sequence, err);
    if (rc == 0) rc = lagd_batches_with(&r->parent, tokens_per_sequence, &r->config, err);
    r->parent.shape = *to;
    lagd_spec_take_shape(&r->spec, to);
    go_to(r, r->at.step + probe_steps);
    return rc;
}

static int plan_growth(struct reading *r, int i, struct lag_error *err) {
    struct lagd_stage_plan *stage = &r->plan->stages[i];
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *growth = lag_calloc(1, sizeof(*growth));
    struct lag_error inner = {0};
    if (!growth) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading a plan");
    *growth = r->request->stages[i].growth;
    growth->at_step = -1;
    r->parent.step = stage->begins;
    int rc = lagd_growth_plan_make(r->db, growth, &r->parent, r->n_threads, &stage->growth, &inner);
    if (rc != 0) return at_stage(err, i, rc, &inner);
    r->plan->flops_total += stage->growth->flops_total;
    r->plan->seconds_guess += stage->growth->seconds_guess;
    r->plan->memory_peak_bytes = LAG_MAX(r->plan->memory_peak_bytes, stage->growth->memory_peak_bytes);
    go_to(r, stage->begins);
    r->at.since = stage->begins;
    return become(r, &stage->growth->to, stage->growth->tokens_per_sequence, growth->probe_steps, err);
}

static int read_stage(struct reading *r, int i, struct lag_error *err) {
    struct lagd_stage_plan *stage = &r->plan->stages[i];
    const enum lagd_trigger_kind kind = lagd_trigger_kind(&stage->trigger);
    int rc = check_target(r, i, err);
    if (rc == 0) rc = check_when(r, i, i == r->plan->n_begun, err);
    if (rc != 0) return rc;
    stage->begins = lagd_trigger_earliest(&stage->trigger, &r->at, step_tokens(r), step_flops(r));
    stage->is_exact = kind == LAGD_TRIGGER_STEP || kind == LAGD_TRIGGER_TOKENS;
    rc = check_end(r, i, stage->begins, err);
    return rc == 0 ? plan_growth(r, i, err) : rc;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

/* Where the first stage that is to come finds the run: behind what lies ahead of it already. */
static int read_way(struct reading *r, struct lag_error *err) {
    struct lagd_plan *plan = r->plan;
    struct lag_plan_row stored;
    struct lagd_ahead ahead = {0};
    int rc = lag_plan_get(r->db, plan->run.id, &stored, err);
    if (rc < 0) return rc;
    plan->start_step = rc == 1 && plan->n_begun > 0 ? stored.start_step : plan->run.step;
    rc = lagd_run_spec_of_row(&plan->run, &r->config, &r->spec, err);
    if (rc == 0) rc = lagd_ahead_read(r->db, plan->run.id, &ahead, err);
    if (rc != 0) return rc;
    r->parent = plan->run;
    r->at = (struct lagd_trajectory){.step = plan->run.step, .tokens = plan->run.step * step_tokens(r),
                                     .flops = plan->run.flops,
                                     .since = lagd_stages_since(&r->stored, plan->n_begun, plan->start_step)};
    for (int i = 0; i < ahead.n && rc == 0; i++) {
        const struct lag_growth_row *row = &ahead.rows[i];
        go_to(r, LAG_MAX(r->at.step, lagd_ahead_begins(&plan->run, row)));
        rc = become(r, &row->to, row->tokens_per_sequence, row->probe_steps, err);
    }
    lagd_ahead_deinit(&ahead);
    return rc;
}

static int check_run(const struct lag_run_row *run, struct lag_error *err) {
    if (lagd_state_allows(LAGD_MACHINE_RUN, run->state, "grow")) return 0;
    return lag_error_set(err, LAG_ESTATE, "run %s is %s: it cannot grow%s", run->name, run->state,
                         lagd_state_allows(LAGD_MACHINE_RUN, run->state, "extend") ? "; extend it first" : "");
}

static int read_plan(struct reading *r, struct lag_error *err) {
    struct lagd_plan *plan = r->plan;
    int rc = lagd_stages_read(r->db, plan->run.id, &r->stored, err);
    plan->n_begun = rc == 0 ? lagd_stages_begun(&r->stored) : 0;
    if (rc == 0) rc = read_way(r, err);
    for (int i = 0; i < plan->n && rc == 0; i++) rc = take_trigger(r, i, err);
    for (int i = 0; i < plan->n_begun && rc == 0; i++) rc = check_begun(r, i, err);
    for (int i = plan->n_begun; i < plan->n && rc == 0; i++) rc = read_stage(r, i, err);
    if (rc == 0 && plan->steps > 0 && plan->steps > plan->run.max_steps - plan->start_step)
        rc = lag_error_at(err, LAG_EINVAL, "/lengths/steps", "lengths of %" PRId64 " steps from step %" PRId64 " end "
                          "behind schedule/max_steps, %" PRId64 ": ask for fewer, or extend the run", plan->steps,
                          plan->start_step, plan->run.max_steps);
    return rc;
}

int lagd_plan_read(struct lag_db *db, const struct lagd_plan_request *request, const char *run, int n_threads,
                   struct lagd_plan **ret, struct lag_error *err) {
    LAG_CLEANUP(lagd_plan_destroy_p) struct lagd_plan *plan = lag_calloc(1, sizeof(*plan));
    LAG_CLEANUP(lag_free_p) struct reading *r = lag_calloc(1, sizeof(*r));
    if (!plan || !r) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading a plan");
    *r = (struct reading){.db = db, .request = request, .plan = plan, .n_threads = n_threads};
    plan->n = request->n;
    plan->alpha = request->alpha;
    plan->steps = request->steps;
    int rc = lag_run_get(db, run, &plan->run, err);
    if (rc == 0) rc = check_run(&plan->run, err);
    if (rc == 0) rc = read_plan(r, err);
    lagd_stages_deinit(&r->stored);
    if (rc == 0) *ret = LAG_TAKE(plan);
    return rc;
}

/* The probe losses of a growth, read from the rows: curves, and the phases of their learning rates. */
#include "evidence/decide_internal.h"
#include "plan/batches_internal.h"
#include "plan/rungs_internal.h"
#include "plan/run_config_internal.h"
#include "plan/schedules_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/growth_request.h>
#include <lagd/daemon/operators.h>
#include <lagd/daemon/states.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/learn.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- settings --- */

/* FLOPs of a step of the parent's shape, and of the grown one. */
static void load_costs(const struct lagd_run_config *config, struct lagd_curves *set) {
    const struct lag_shape *shapes[] = {&set->growth.from, &set->growth.to};
    const int64_t before = config->tokens_per_sequence, asked = set->growth.tokens_per_sequence;
    const double tokens = (double)(config->accumulate * config->sequences * config->tokens_per_sequence);
    for (int i = 0; i < 2; i++) {
        struct lag_spec spec;
        lagd_run_spec(config, &spec);
        lagd_spec_take_shape(&spec, shapes[i]);
        set->step_costs[i] = tokens * lag_flops_token_train(&spec, (int)(i == 1 && asked > 0 ? asked : before));
        set->specs[i] = spec;
    }
    set->step.context = (int)(asked > 0 ? asked : before);
    set->step.accumulate = (int)config->accumulate;
    set->step.batch = (int)(config->sequences * before / set->step.context);
}

static int load_settings(struct lag_db *db, struct lagd_curves *set, struct lagd_schedule_piece *ret,
                         struct lag_error *err) {
    struct lag_run_row run;
    struct lagd_run_config config;
    struct lagd_growth_request request;
    struct lagd_schedules schedules;
    lagd_growth_request_defaults(&request);
    int rc = lag_run_get(db, set->growth.run_id, &run, err);
    if (rc == 0) rc = lagd_run_config_parse(run.config, &config, err);
    if (rc == 0) rc = lagd_batches_at(&run, LAG_MAX(0, set->growth.start_step), &config, err);
    if (rc == 0) rc = lag_fields_parse(&lagd_growth_fields, &request, set->growth.request, err);
    if (rc == 0) rc = lagd_schedules_of(&run, &config, &schedules, err);
    if (rc != 0) return rc;
    load_costs(&config, set);
    *ret = *lagd_schedules_at(&schedules, LAG_MAX(0, set->growth.start_step));
    set->delta = request.delta;
    set->allocator = lagd_allocator_of(&request);
    set->steps = request.probe_steps;
    set->max_steps = request.max_steps;
    set->horizon = run.max_steps - LAG_MAX(0, set->growth.start_step);
    return 0;
}

/* --- loading --- */

struct collect {
    struct lagd_curves *set;
    size_t capacity;
    bool failed;
};

static int collect_candidate(const struct lag_candidate_row *row, void *arg) {
    struct collect *collect = arg;
    struct lagd_curves *set = collect->set;
    if (lag_grow_array((void **)&set->candidates, &collect->capacity, (size_t)set->n + 1, sizeof(*set->candidates)) <
        0) {
        collect->failed = true;
        return 1;
    }
    set->candidates[set->n++] = *row;
    return 0;
}

static bool dropped(const char *state) {
    return lagd_state_has_ended(LAGD_MACHINE_CANDIDATE, state) && !lagd_candidate_is(state, LAGD_CANDIDATE_COMPLETED) &&
           !lagd_candidate_is(state, LAGD_CANDIDATE_STOPPED);
}

/* In which look it was stopped; 0: it was not. */
static int look_of(const struct lagd_curves *set, const struct lag_candidate_row *row) {
    if (!lagd_candidate_is(row->state, LAGD_CANDIDATE_STOPPED)) return 0;
    for (int i = 0; i < set->n_looks; i++)
        if (set->looks[i] == row->t) return i + 1;
    return 1;
}

static int add_look(const struct lag_rung_row *row, void *arg) {
    struct lagd_curves *set = arg;
    if (set->n_looks == LAG_RUNGS_MAX) return 0;
    set->looks[set->n_looks++] = row->t;
    set->last_p_end = row->p_end;
    return 0;
}

/* An evaluation is full or small. One of which rows are missing says nothing. */
static void drop_torn(const struct lag_growth_row *growth, double *losses, int n_evals) {
    const int n_batches = (int)growth->n_batches, n_small = n_batches / (int)LAG_MAX(1, growth->eval_stride);
    for (int e = 0; e < n_evals; e++, losses += n_batches) {
        const int n = lag_loss_count(losses, n_batches);
        for (int i = 0; n != n_batches && n != n_small && i < n_batches; i++) losses[i] = NAN;
    }
}

static int load_curve(struct lag_db *db, struct lagd_curves *set, const struct lagd_schedule_piece *piece, int index,
                      struct lag_error *err) {
    const struct lag_candidate_row *row = &set->candidates[index];
    struct lag_strategy strategy;
    int64_t *t = NULL;
    double *losses = NULL;
    int n = 0;
    if (set->growth.n_batches > 0) {
        int rc = lag_probe_losses_get(db, row->number, (int)set->growth.n_batches, &t, &losses, &n, err);
        if (rc < 0) return rc;
        drop_torn(&set->growth, losses, n);
    }
    set->buffers[2 * index] = t;
    set->buffers[2 * index + 1] = losses;
    set->curves[index] = (struct lag_curve){.eligible = row->eligible, .reference = strcmp(row->op, "none") == 0,
                                            .diverged = dropped(row->state),
                                            .stopped = look_of(set, row), .n_evals = n, .t = t, .losses = losses};
    set->curves[index].step_cost = set->step_costs[lagd_operator_grows(row->op)];
    const bool is_known = lag_strategy_parse(row->strategy, &strategy, NULL) == 0;
    struct lag_learn_cost learning = {0};
    const int rc = is_known ? lag_learn_cost(&strategy, &set->specs[0], &set->specs[1], &set->step, &learning, err) : 0;
    if (rc < 0) return rc;
    set->curves[index].start_cost = (double)learning.steps * learning.step_flops;
    lagd_phases_find(piece, set->growth.start_step, is_known ? &strategy : NULL, row->rewarm_steps,
                     &set->curves[index]);
    set->preserving[index] = is_known && lag_strategy_preserves(&strategy);
    if (set->prior) set->prior[index] = row->prior;
    return 0;
}

int lagd_curves_load(struct lag_db *db, const char *growth_id, struct lagd_curves **ret, struct lag_error *err) {
    struct lagd_curves *set = lag_calloc(1, sizeof(*set));
    if (!set) return lag_error_set(err, LAG_ENOMEM, "out of memory while reading growth %s", growth_id);
    set->p_end = set->last_p_end = NAN;
    struct collect collect = {.set = set};
    struct lagd_schedule_piece piece;
    int rc = lag_growth_get(db, growth_id, &set->growth, err);
    if (rc == 0) rc = load_settings(db, set, &piece, err);
    if (rc == 0) rc = lag_rung_list(db, set->growth.id, add_look, set, err);
    if (rc < 0) goto fail;
    rc = lag_candidate_list(db, set->growth.id, collect_candidate, &collect, err);
    if (collect.failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory while reading growth %s", growth_id);
    if (rc < 0) goto fail;
    set->curves = lag_calloc((size_t)set->n + 1, sizeof(*set->curves));
    set->buffers = lag_calloc(2 * (size_t)set->n + 1, sizeof(*set->buffers));
    set->preserving = lag_calloc((size_t)set->n + 1, sizeof(*set->preserving));
    if (set->growth.prior_cases > 0) set->prior = lag_calloc((size_t)set->n + 1, sizeof(*set->prior));
    if (!set->curves || !set->buffers || !set->preserving || (set->growth.prior_cases > 0 && !set->prior)) {
        rc = lag_error_set(err, LAG_ENOMEM, "out of memory while reading growth %s", growth_id);
        goto fail;
    }
    for (int i = 0; i < set->n; i++) {
        rc = load_curve(db, set, &piece, i, err);
        if (rc < 0) goto fail;
    }
    *ret = set;
    return 0;
fail:
    lagd_curves_destroy(set);
    return rc;
}

void lagd_curves_destroy(struct lagd_curves *set) {
    if (!set) return;
    for (int i = 0; set->buffers && i < 2 * set->n; i++) free(set->buffers[i]);
    free(set->buffers);
    free(set->preserving);
    free(set->prior);
    free(set->curves);
    free(set->candidates);
    free(set);
}

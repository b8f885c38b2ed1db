/* A study as it would go: its runs, what they train, and what they take. */
#include "plan/growth_cost_internal.h"
#include "plan/batches_internal.h"
#include "plan/run_config_internal.h"
#include "plan/schedules_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/daemon/study_request.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/params.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lagd_study_run_name(const char *study, const char *role, int64_t seed, char *ret) {
    const bool scratch = strcmp(role, "scratch") == 0;
    (void)snprintf(ret, LAG_ROW_NAME, "%.40s.%ss%" PRId64, study, scratch ? "scratch." : "", seed);
}

/* --- what a request may ask -------------------------------------------------------------------------------------- */

static int check_seeds(const struct lagd_study_request *request, struct lag_error *err) {
    for (int i = 0; i < request->n_seeds; i++) {
        for (int j = 0; j < i; j++) {
            char pointer[32];
            if (request->seeds[i] != request->seeds[j]) continue;
            (void)snprintf(pointer, sizeof(pointer), "/seeds/%d", i);
            return lag_error_at(err, LAG_EINVAL, pointer,
                                "seed %" PRId64 " is there twice: the same numbers again tell nothing new, give each "
                                "seed once", request->seeds[i]);
        }
    }
    return 0;
}

static int check_baselines(const struct lagd_study_request *request, struct lag_error *err) {
    static const char *const known[] = {"none", "scratch", NULL};
    int i = 0;
    for (const char *p = request->baselines; *p; p += strcspn(p, ","), p += *p == ',', i++) {
        char name[32], pointer[32];
        const size_t n = LAG_MIN(strcspn(p, ","), sizeof(name) - 1);
        memcpy(name, p, n);
        name[n] = '\0';
        (void)snprintf(pointer, sizeof(pointer), "/baselines/%d", i);
        if (lag_names_find(known, name) < 0) return lag_names_refuse(known, pointer, "a baseline", name, err);
    }
    return 0;
}

/* Before the decay the parent is what any longer run would be, too. */
static int check_parent(const struct lagd_study_parent *parent, const struct lagd_run_config *config,
                        struct lag_error *err) {
    struct lagd_schedules schedules;
    int rc = lagd_schedules_of(parent->run, config, &schedules, err);
    if (rc < 0) return rc;
    const struct lagd_schedule_piece *piece = lagd_schedules_at(&schedules, parent->checkpoint->step);
    const struct lag_phases phases = lag_schedule_phases(&piece->schedule, lagd_schedule_origin(piece, 0));
    if (parent->checkpoint->step < phases.decays_from) return 0;
    return lag_error_at(err, LAG_EINVAL, "/parent/checkpoint",
                        "at step %" PRId64 " run %s is inside its decay, which began with step %" PRId64 ": choose a "
                        "checkpoint from before, whose learning rate the study can go on with",
                        parent->checkpoint->step, parent->run->name, phases.decays_from);
}

/* --- the runs that go on from the parent ------------------------------------------------------------------------- */

/* The decay takes the same share of the horizon as it takes of the parent's steps. */
static void set_schedule(struct lagd_run_config *config, int64_t start, int64_t horizon) {
    const int64_t end = start + horizon, rest = end - config->warmup_steps;
    config->max_steps = end;
    if (rest > 0) config->decay_fraction *= fmin(1, (double)horizon / (double)rest);
}

static int configure(struct lagd_study_plan *plan, const struct lagd_study_request *request,
                     const struct lagd_study_parent *parent, struct lag_error *err) {
    int rc = lagd_run_config_parse(parent->run->config, &plan->config, err);
    if (rc == 0) rc = lagd_batches_at(parent->run, parent->checkpoint->step, &plan->config, err);
    const bool audits = request->audits[0] != '\0'; /* it goes on as its parent did */
    if (rc == 0 && !audits) rc = check_parent(parent, &plan->config, err);
    if (rc < 0) return rc;
    if (request->horizon > (int64_t)1e9 - parent->checkpoint->step)
        return lag_error_at(err, LAG_EINVAL, "/horizon", "the study would end beyond step 1e9: lower the horizon");
    struct lagd_run_config *config = &plan->config;
    plan->parent_decay_fraction = config->decay_fraction;
    if (audits) config->max_steps = parent->run->max_steps;
    else set_schedule(config, parent->checkpoint->step, request->horizon);
    config->eval_batches = request->eval_batches;
    config->eval_every = request->eval_every;
    config->checkpoint_every = LAG_MAX(config->checkpoint_every, request->horizon); /* probes keep their own states */
    config->keep_last = 1;
    config->keep_best = config->keep_every = 0;
    config->tags[0] = config->note[0] = '\0';
    plan->parent = *parent->run;
    plan->checkpoint = *parent->checkpoint;
    plan->parent.shape = parent->checkpoint->shape;
    plan->parent.batches[0] = '\0'; /* config has those of the checkpoint */
    plan->parent.step = parent->checkpoint->step;
    plan->parent.max_steps = config->max_steps;
    if (!audits) plan->parent.schedules[0] = '\0'; /* what it went through before: the study has its own */
    rc = lagd_run_config_format(config, plan->parent.config, err);
    struct lag_step_config step;
    lagd_run_step_config(config, 1, &step);
    const struct lag_phases phases = lag_schedule_phases(&step.schedule, 0);
    if (phases.decays_from <= config->max_steps) plan->decay_steps = config->max_steps - phases.decays_from + 1;
    return rc;
}

/* --- the growth of each ------------------------------------------------------------------------------------------ */

static int check_candidates(const struct lagd_study_plan *plan, int64_t horizon, struct lag_error *err) {
    const struct lagd_growth_plan *growth = plan->candidates;
    int n_eligible = 0;
    for (int i = 0; i < growth->n_candidates; i++) {
        const struct lagd_candidate_plan *candidate = &growth->candidates[i];
        n_eligible += candidate->eligible;
        if (candidate->rewarm_steps < horizon) continue;
        return lag_error_at(err, LAG_EINVAL, "/horizon",
                            "the horizon of %" PRId64 " steps ends inside the re-warm of %s, which takes %" PRId64
                            ": make it longer", horizon, candidate->names, candidate->rewarm_steps);
    }
    if (n_eligible > 1) return 0;
    return lag_error_at(err, LAG_EINVAL, "/pool",
                        "the pool comes to one candidate, and a study compares: name another operator");
}

/* Every loss that is kept is read for a report. */
static int check_evaluations(const struct lagd_study_plan *plan, const struct lagd_study_request *request,
                             struct lag_error *err) {
    const struct lagd_growth_plan *growth = plan->candidates;
    const int64_t n_seeds = LAG_MAX(1, request->n_seeds);
    const int64_t n_losses = growth->n_times * growth->n_batches * growth->n_candidates * n_seeds;
    if (growth->n_times > LAGD_STUDY_TIMES_MAX)
        return lag_error_at(err, LAG_EINVAL, "/eval/every",
                            "each candidate would be evaluated %" PRId64 " times, and a report takes at most %d: "
                            "evaluate less often, every %" PRId64 " steps or more", growth->n_times,
                            LAGD_STUDY_TIMES_MAX, request->horizon / (LAGD_STUDY_TIMES_MAX / 2) + 1);
    if (n_losses <= LAGD_STUDY_LOSSES_MAX) return 0;
    return lag_error_at(err, LAG_EINVAL, "/eval/batches",
                        "the study would keep %" PRId64 " losses (evaluations, batches, candidates and seeds "
                        "multiplied), and a report reads at most %d: evaluate less often or with fewer batches, or "
                        "name fewer seeds or operators", n_losses, LAGD_STUDY_LOSSES_MAX);
}

/* The pool as its candidates: what an operator's name stands for may change, this study does not. */
static int list_strategies(struct lagd_study_plan *plan, struct lag_error *err) {
    struct lagd_growth_request *growth = &plan->growth;
    growth->pool[0] = '\0';
    growth->n_strategies = 0;
    for (int i = 0; i < plan->candidates->n_candidates; i++) {
        struct lagd_strategy_request *entry = &growth->strategies[growth->n_strategies];
        if (strcmp(plan->candidates->candidates[i].op, "none") == 0) continue;
        int rc = lagd_strategy_decode(plan->candidates->candidates[i].strategy, entry, err);
        if (rc < 0) return rc;
        if (entry->seed == plan->config.seed) entry->seed = -1; /* each run's own */
        growth->n_strategies++;
    }
    return 0;
}

static void fill_growth(const struct lagd_study_request *request, struct lagd_growth_request *growth) {
    *growth = request->growth;
    growth->target = request->target;
    growth->tokens_per_sequence = request->tokens_per_sequence;
    growth->at_step = -1;
    growth->probe_steps = request->horizon;
    growth->eval_every = request->eval_every;
    growth->eval_batches = request->eval_batches;
    growth->divergence_bound = request->divergence_bound;
    growth->delta = request->delta;
    (void)lag_copy(growth->mode, sizeof(growth->mode), "study");
}

static int plan_growth(struct lagd_study_plan *plan, const struct lagd_study_request *request, struct lag_db *db,
                       int n_threads, struct lag_error *err) {
    struct lagd_growth_request *growth = &plan->growth;
    fill_growth(request, growth);
    int rc = lagd_growth_plan_make(db, growth, &plan->parent, n_threads, &plan->candidates, err);
    if (rc == 0) rc = check_candidates(plan, request->horizon, err);
    if (rc == 0) rc = check_evaluations(plan, request, err);
    return rc == 0 ? list_strategies(plan, err) : rc;
}

static int add_strategy(const char *line, size_t length, int64_t own_seed, struct lagd_growth_request *growth,
                        struct lag_error *err) {
    char text[LAG_ROW_STRATEGY];
    if (length == 0) return 0;
    if (growth->n_strategies == LAGD_STRATEGIES_MAX || length >= sizeof(text))
        return lag_error_set(err, LAG_ECORRUPT, "the pool of the study cannot be read");
    (void)snprintf(text, sizeof(text), "%.*s", (int)length, line);
    struct lagd_strategy_request *entry = &growth->strategies[growth->n_strategies++];
    int rc = lagd_strategy_decode(text, entry, err);
    if (rc == 0 && entry->seed == own_seed) entry->seed = -1;
    return rc;
}

int lagd_study_growth(const struct lag_study_row *study, struct lagd_growth_request *ret, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lagd_study_request *request = lag_calloc(1, sizeof(*request));
    struct lagd_run_config config;
    if (!request) return lag_error_set(err, LAG_ENOMEM, "out of memory for a study");
    lagd_study_request_defaults(request);
    int rc = lag_fields_parse(&lagd_study_fields, request, study->request, err);
    if (rc == 0) rc = lagd_run_config_parse(study->config, &config, err);
    if (rc < 0) return rc;
    fill_growth(request, ret);
    ret->pool[0] = '\0';
    ret->n_strategies = 0;
    for (const char *p = study->pool; rc == 0 && *p; p += strcspn(p, "\n"), p += *p == '\n')
        rc = add_strategy(p, strcspn(p, "\n"), config.seed, ret, err);
    return rc;
}

/* --- costs ------------------------------------------------------------------------------------------------------- */

/* context: tokens of a sequence, which leaves those of a step as they are. */
static double step_flops(const struct lagd_run_config *config, const struct lag_shape *shape, int64_t context) {
    struct lag_spec spec;
    lagd_run_spec(config, &spec);
    lagd_spec_take_shape(&spec, shape);
    return (double)(config->sequences * config->tokens_per_sequence * config->accumulate) *
           lag_flops_token_train(&spec, (int)context);
}

/* From shape to shape, by the growths that were applied on the way. */
static double count_parent(const struct lagd_study_plan *plan, const struct lagd_study_parent *parent) {
    struct lag_shape shape = plan->config.shape;
    struct lagd_run_config first = plan->config;
    (void)lagd_batches_at(parent->run, 0, &first, NULL);
    int64_t from = 0, context = first.tokens_per_sequence;
    double sum = 0;
    for (int i = 0; i < parent->n_growths; i++) {
        const struct lag_growth_row *growth = &parent->growths[i];
        if (strcmp(growth->state, "applied") != 0 || growth->start_step >= parent->checkpoint->step) continue;
        sum += (double)(growth->start_step - from) * step_flops(&plan->config, &shape, context);
        from = growth->start_step;
        shape = growth->to;
        if (growth->tokens_per_sequence > 0) context = growth->tokens_per_sequence;
    }
    return sum + (double)(parent->checkpoint->step - from) *
                     step_flops(&plan->config, &parent->checkpoint->shape, plan->config.tokens_per_sequence);
}

static void count_costs(struct lagd_study_plan *plan, const struct lagd_study_request *request) {
    const struct lagd_growth_plan *growth = plan->candidates;
    const int64_t context = growth->tokens_per_sequence > 0 ? growth->tokens_per_sequence
                                                            : plan->config.tokens_per_sequence;
    const double grown = step_flops(&plan->config, &growth->to, context);
    plan->n_seeds = LAG_MAX(1, request->n_seeds);
    plan->n_runs = plan->n_seeds;
    plan->flops_total = growth->flops_total * (double)plan->n_seeds;
    plan->seconds_guess = growth->seconds_guess * (double)plan->n_seeds;
    plan->memory_bytes = growth->memory_peak_bytes;
    struct lag_spec spec;
    lagd_run_spec(&plan->config, &spec);
    lagd_spec_take_shape(&spec, &growth->to);
    plan->disk_bytes = 2 * plan->n_seeds * (int64_t)lag_checkpoint_bytes(&spec);
    if (!lagd_study_has_baseline(request, "scratch")) return;
    plan->n_runs += plan->n_seeds;
    plan->scratch_steps = LAG_MAX(1, (int64_t)floor((plan->parent_flops + (double)request->horizon * grown) / grown));
    plan->scratch_flops = (double)plan->scratch_steps * grown;
    plan->flops_total += plan->scratch_flops * (double)plan->n_seeds;
    if (growth->flops_total > 0) /* at the pace of the probes, in which the same number of threads computes */
        plan->seconds_guess +=
            growth->seconds_guess * plan->scratch_flops * (double)plan->n_seeds / growth->flops_total;
}

void lagd_study_plan_destroy(struct lagd_study_plan *plan) {
    if (plan) free(plan->candidates);
    free(plan);
}

int lagd_study_plan_make(const struct lagd_study_request *request, const struct lagd_study_parent *parent,
                         int n_threads, struct lagd_study_plan **ret, struct lag_error *err) {
    LAG_CLEANUP(lagd_study_plan_destroy_p) struct lagd_study_plan *plan = lag_calloc(1, sizeof(*plan));
    if (!plan) return lag_error_set(err, LAG_ENOMEM, "out of memory while planning a study");
    int rc = lag_name_check(request->name, err);
    if (rc == 0) rc = check_seeds(request, err);
    if (rc == 0) rc = check_baselines(request, err);
    if (rc == 0) rc = configure(plan, request, parent, err);
    if (rc == 0) rc = plan_growth(plan, request, parent->db, n_threads, err);
    if (rc < 0) return rc;
    plan->parent_flops = count_parent(plan, parent);
    count_costs(plan, request);
    *ret = LAG_TAKE(plan);
    return 0;
}

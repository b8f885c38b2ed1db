/* From a growth request to its candidates: the pool expanded, equal candidates merged, costs counted. */
#include <lagd/daemon/growth_plan.h>

#include "plan/growth_cost_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/host.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/lag.h>
#include <lagd/engine/params.h>
#include <lagd/engine/probe.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct planning {
    const struct lagd_growth_request *request;
    const struct lag_run_row *run;
    struct lagd_run_config config;
    struct lag_spec spec;            /* present shape */
    struct lag_step_config step;
    struct lag_probe_plan probe;
    struct lag_spec target;
    struct lagd_growth_plan *plan;
    struct lag_strategy strategies[LAGD_STRATEGIES_MAX + 1]; /* of plan->candidates */
};

/* --- what a request may ask -------------------------------------------------------------------------------------- */

static int check_request(const struct lagd_growth_request *request, const struct lag_run_row *run,
                         struct lag_error *err) {
    if (request->target.n_layer <= run->shape.n_layer) {
        return lag_error_at(err, LAG_EINVAL, "/target/n_layer", "target/n_layer is %" PRId64 ", but run %s has %" PRId64
                            " layers already: ask for more", request->target.n_layer, run->name, run->shape.n_layer);
    }
    if (request->at_step >= 0 && request->at_step < run->step) {
        return lag_error_at(err, LAG_EINVAL, "/when/at_step",
                            "when/at_step is %" PRId64 ", but run %s is at step %" PRId64 " already", request->at_step,
                            run->name, run->step);
    }
    int64_t start = request->at_step >= 0 ? request->at_step : run->step;
    if (start > run->max_steps || request->probe_steps > run->max_steps - start) {
        return lag_error_at(err, LAG_EINVAL, "/probe/steps",
                            "a probe of %" PRId64 " steps from step %" PRId64 " would end "
                            "beyond the run's schedule/max_steps of %" PRId64 ": probe earlier or shorter",
                            request->probe_steps, start, run->max_steps);
    }
    return 0;
}

/* --- strategies -------------------------------------------------------------------------------------------------- */

/* "/pool/3" and what the engine's pointer adds; a target that the entry cannot reach is the target's fault. */
static int at_entry(struct lag_error *err, int index, const struct lag_error *inner) {
    char pointer[160];
    if (strncmp(inner->pointer, "/target/", 8) == 0)
        return lag_error_at(err, inner->code, inner->pointer, "%s", inner->text);
    (void)snprintf(pointer, sizeof(pointer), "/pool/%d%.120s", index, inner->pointer);
    return lag_error_at(err, inner->code == LAG_ENOTFOUND ? LAG_EINVAL : inner->code, pointer, "%s", inner->text);
}

static int read_rules(const struct lagd_strategy_request *entry, struct lag_strategy *strategy, struct lag_error *err) {
    if (entry->optimizer[0] && lag_moment_rule_parse(entry->optimizer, &strategy->moments) < 0) {
        return lag_names_refuse(lag_moment_rule_names, "/optimizer", "optimizer", entry->optimizer, err);
    }
    if (entry->lr[0] && lag_lr_rule_parse(entry->lr, &strategy->lr) < 0) {
        return lag_names_refuse(lag_lr_rule_names, "/lr", "lr", entry->lr, err);
    }
    bool rewarms = strategy->lr == LAG_LR_REWARM || strategy->lr == LAG_LR_REWARM_NEW;
    if (entry->rewarm_steps >= 0 && !rewarms) {
        return lag_error_at(err, LAG_EINVAL, "/rewarm_steps",
                            "rewarm_steps has a meaning only with lr rewarm or rewarm_new");
    }
    if (entry->rewarm_steps == 0) {
        return lag_error_at(err, LAG_EINVAL, "/rewarm_steps", "rewarm_steps must be at least 1");
    }
    strategy->rewarm_steps = entry->rewarm_steps > 0 ? entry->rewarm_steps : LAG_REWARM_DEFAULT;
    if (entry->freeze_old != LAGD_FREEZE_UNSAID) strategy->freeze_steps = entry->freeze_old;
    return lag_strategy_check_freeze(strategy, err);
}

static int read_entry(const struct planning *p, const struct lagd_strategy_request *entry, struct lag_strategy *ret,
                      struct lag_error *err) {
    struct lag_strategy strategy;
    int rc = lag_strategy_init(entry->op, &strategy, err);
    for (int i = 0; i < entry->n_params && rc == 0; i++) {
        rc = lag_strategy_set_param(&strategy, entry->params[i].name, entry->params[i].value, err);
    }
    if (rc == 0) rc = read_rules(entry, &strategy, err);
    if (rc < 0) return rc;
    strategy.seed = (uint64_t)(entry->seed >= 0 ? entry->seed : p->config.seed);
    *ret = strategy;
    return 0;
}

/* --- candidates -------------------------------------------------------------------------------------------------- */

/* The part of the canonical text that a person would say: operator and parameters. */
static void short_name(const struct lag_strategy *strategy, char ret[LAG_STRATEGY_TEXT]) {
    lag_strategy_format(strategy, ret);
    char *rules = strstr(ret, " optimizer=");
    if (rules) *rules = '\0';
}

static void add_name(struct lagd_candidate_plan *candidate, const char *name) {
    size_t used = strlen(candidate->names), length = strlen(name);
    for (const char *p = candidate->names; (p = strstr(p, name)) != NULL; p += length) {
        bool whole = (p == candidate->names || p[-1] == ' ') && (p[length] == '\0' || p[length] == ',');
        if (whole) return;
    }
    if (used + length + 3 > sizeof(candidate->names)) return; /* names are for people; a list this long tells enough */
    (void)snprintf(candidate->names + used, sizeof(candidate->names) - used, "%s%s", used ? ", " : "", name);
}

static int describe(struct planning *p, const struct lag_strategy *strategy, struct lagd_candidate_plan *out,
                    struct lag_error *err) {
    struct lag_recipe recipe;
    int rc = lag_recipe_build(strategy, &p->spec, &p->target, &recipe, err);
    if (rc < 0) return rc;
    struct lag_spec grown = p->spec;
    grown.n_layer = recipe.n_layers;
    bool none = strcmp(strategy->op->name, "none") == 0;
    bool rewarms = strategy->lr == LAG_LR_REWARM || strategy->lr == LAG_LR_REWARM_NEW;
    *out = (struct lagd_candidate_plan){.n_params = (int64_t)lag_spec_params(&grown),
                                        .rewarm_steps = rewarms ? strategy->rewarm_steps : 0,
                                        .flops = lag_probe_flops(&grown, &p->step, &p->probe),
                                        .eval_flops = lag_probe_eval_flops(&grown, &p->step, &p->probe),
                                        .eligible = !none || p->request->allow_none,
                                        .function_preserving = strategy->op->function_preserving,
                                        .connection_rate = lag_recipe_connection_rate(&recipe)};
    char text[LAG_STRATEGY_TEXT];
    lag_strategy_format(strategy, text);
    (void)lag_copy(out->strategy, sizeof(out->strategy), text);
    (void)lag_copy(out->op, sizeof(out->op), strategy->op->name);
    lag_recipe_text(&recipe, out->recipe, sizeof(out->recipe));
    lag_recipe_deinit(&recipe);
    return 0;
}

/* Adds the strategy as a candidate, or its name to the candidate that is the same. `none` is left for the end. */
static int add_candidate(struct planning *p, const struct lag_strategy *asked, const char *name,
                         struct lag_error *err) {
    struct lag_strategy strategy = *asked;
    bool rewarms = strategy.lr == LAG_LR_REWARM || strategy.lr == LAG_LR_REWARM_NEW;
    if (rewarms && strategy.rewarm_steps == LAG_REWARM_DEFAULT) {
        strategy.rewarm_steps = LAG_REWARM_STEPS;
    }
    struct lagd_growth_plan *plan = p->plan;
    for (int i = 0; i < plan->n_candidates; i++) {
        bool same = false;
        int rc = lag_strategy_same(&p->strategies[i], &strategy, &p->spec, &p->target, &same, err);
        if (rc < 0) return rc;
        if (!same) continue;
        add_name(&plan->candidates[i], name);
        return 0;
    }
    LAG_ASSERT(plan->n_candidates <= LAGD_STRATEGIES_MAX);
    struct lagd_candidate_plan *candidate = &plan->candidates[plan->n_candidates];
    int rc = describe(p, &strategy, candidate, err);
    if (rc < 0) return rc;
    add_name(candidate, name);
    p->strategies[plan->n_candidates++] = strategy;
    return 0;
}

/* Operators whose presets make a candidate that the pool has already lend it their names. */
static void add_other_names(struct planning *p) {
    int n_ops = 0;
    const struct lag_operator *ops = lag_operators(&n_ops);
    for (int o = 0; o < n_ops; o++) {
        struct lag_strategy strategy;
        if (strcmp(ops[o].name, "none") == 0 || lag_strategy_init(ops[o].name, &strategy, NULL) < 0) continue;
        strategy.seed = (uint64_t)p->config.seed;
        if (strategy.lr == LAG_LR_REWARM || strategy.lr == LAG_LR_REWARM_NEW) {
            strategy.rewarm_steps = LAG_REWARM_STEPS;
        }
        for (int i = 0; i < p->plan->n_candidates; i++) {
            bool same = false;
            if (lag_strategy_same(&p->strategies[i], &strategy, &p->spec, &p->target, &same, NULL) < 0 || !same)
                continue;
            char name[LAG_STRATEGY_TEXT];
            short_name(&strategy, name);
            add_name(&p->plan->candidates[i], name);
        }
    }
}

static int expand_pool(struct planning *p, struct lag_error *err) {
    char(*texts)[LAG_STRATEGY_TEXT] = NULL;
    int n = 0;
    int rc = lag_pool_expand(p->request->pool[0] ? p->request->pool : "default", &p->spec, &p->target, &texts, &n,
                             err);
    if (rc < 0) {
        /* A pool of that name does not exist: for the asker that is a wrong value, not a missing resource. */
        if (err && err->code == LAG_ENOTFOUND) err->code = LAG_EINVAL;
        return rc == LAG_ENOTFOUND ? LAG_EINVAL : rc;
    }
    for (int i = 0; i < n && i < LAGD_STRATEGIES_MAX && rc == 0; i++) {
        struct lag_strategy strategy;
        rc = lag_strategy_parse(texts[i], &strategy, err);
        if (rc < 0) break;
        strategy.seed = (uint64_t)p->config.seed;
        char name[LAG_STRATEGY_TEXT];
        short_name(&strategy, name);
        rc = add_candidate(p, &strategy, name, err);
    }
    free(texts);
    if (rc == 0) add_other_names(p);
    return rc;
}

static int expand_list(struct planning *p, struct lag_error *err) {
    for (int i = 0; i < p->request->n_strategies; i++) {
        struct lag_strategy strategy;
        struct lag_error inner = {0};
        int rc = read_entry(p, &p->request->strategies[i], &strategy, &inner);
        if (rc < 0) return at_entry(err, i, &inner);
        if (strcmp(strategy.op->name, "none") == 0) continue;
        char name[LAG_STRATEGY_TEXT];
        short_name(&strategy, name);
        rc = add_candidate(p, &strategy, name, &inner);
        if (rc < 0) return at_entry(err, i, &inner);
    }
    if (p->plan->n_candidates == 0) {
        return lag_error_at(err, LAG_EINVAL, "/pool", "the pool has no strategy that grows the model");
    }
    return 0;
}

static int add_none(struct planning *p, struct lag_error *err) {
    struct lag_strategy none;
    int rc = lag_strategy_init("none", &none, err);
    if (rc < 0) return rc;
    none.seed = (uint64_t)p->config.seed;
    return add_candidate(p, &none, "none", err);
}

/* --- the plan ---------------------------------------------------------------------------------------------------- */

static void count_memory(struct planning *p, int n_threads) {
    struct lagd_growth_plan *plan = p->plan;
    struct lagd_run_estimate run;
    struct lagd_run_config config = p->config;
    config.shape = p->run->shape;
    const struct lagd_growth_load load = {.run = p->run, .config = &config, .to = plan->to,
                                          .n_candidates = plan->n_candidates, .n_workers = (int)plan->n_workers,
                                          .probe = &p->probe,
                                          .keeps_best = strcmp(p->request->mode, "manual") != 0};
    plan->memory_peak_bytes = lagd_growth_peak(&load, n_threads);
    bool known = lagd_run_estimate(&config, n_threads, &run, NULL) == 0;
    plan->memory_bytes = LAG_MAX(0, plan->memory_peak_bytes - (known ? run.memory_bytes : 0));
}

static void count_costs(struct planning *p, int n_threads) {
    struct lagd_growth_plan *plan = p->plan;
    int parallel = (int)(p->request->parallel > 0 ? p->request->parallel : n_threads);
    parallel = LAG_MIN(LAG_MIN(parallel, n_threads), plan->n_candidates);
    for (int i = 0; i < plan->n_candidates; i++) plan->flops_total += plan->candidates[i].flops;
    plan->n_times = p->probe.n_times;
    plan->n_batches = p->probe.n_batches;
    plan->eval_stride = p->probe.stride;
    plan->n_full = p->probe.n_full;
    plan->eval_sequences = p->probe.eval_sequences;
    plan->eval_share = p->probe.eval_share;
    plan->n_workers = LAG_MAX(parallel, 1);
    struct lagd_growth_pace pace = {.core_rate = lag_measured_core_rate(lagd_run_precision(&p->config)),
                                    .recompute = p->config.recompute,
                                    .n_threads = n_threads,
                                    .checkpoint_bytes = (double)lag_checkpoint_bytes(&p->spec)};
    lagd_growth_time(plan, &pace);
    count_memory(p, n_threads);
    plan->memory_available_bytes = (int64_t)lag_host_memory_available_bytes();
}

/* "/model/n_head" of a shape is "/target/n_head" of the request. */
static int at_target(struct lag_error *err, const struct lag_error *inner) {
    char pointer[160];
    const char *name = strrchr(inner->pointer, '/');
    (void)snprintf(pointer, sizeof(pointer), "/target%.120s", name ? name : "");
    return lag_error_at(err, inner->code, pointer, "%s", inner->text);
}

static int make_plan(struct planning *p, int n_threads, struct lag_error *err) {
    int rc = lagd_run_spec_of_row(p->run, &p->config, &p->spec, err);
    if (rc < 0) return rc;
    lagd_run_step_config(&p->config, p->run->lr_scale, &p->step);
    p->plan->from = p->run->shape;
    lagd_shape_aim(&p->run->shape, &p->request->target, &p->plan->to);
    p->target = p->spec;
    lagd_spec_take_shape(&p->target, &p->plan->to);
    struct lag_error inner = {0};
    if (lag_spec_check(&p->target, &inner) < 0) return at_target(err, &inner);
    rc = lagd_probe_plan_make(p->request, &p->config, &p->step, &p->probe);
    if (rc < 0) return lag_error_set(err, rc, "the probe's evaluations cannot be planned");
    rc = p->request->n_strategies > 0 ? expand_list(p, err) : expand_pool(p, err);
    if (rc == 0) rc = add_none(p, err);
    if (rc == 0) count_costs(p, n_threads);
    lag_probe_plan_deinit(&p->probe);
    return rc;
}

int lagd_growth_plan_make(const struct lagd_growth_request *request, const struct lag_run_row *run, int n_threads,
                          struct lagd_growth_plan **ret, struct lag_error *err) {
    int rc = check_request(request, run, err);
    if (rc < 0) return rc;
    LAG_CLEANUP(lag_free_p) struct planning *p = lag_calloc(1, sizeof(*p));
    LAG_CLEANUP(lag_free_p) struct lagd_growth_plan *plan = lag_calloc(1, sizeof(*plan));
    if (!p || !plan) return lag_error_set(err, LAG_ENOMEM, "out of memory while planning a growth");
    p->request = request;
    p->run = run;
    p->plan = plan;
    rc = make_plan(p, n_threads, err);
    if (rc < 0) return rc;
    *ret = LAG_TAKE(plan);
    return 0;
}

/* From a growth request to its candidates: the pool expanded, equal candidates merged, costs counted. */
#include <lagd/daemon/growth_plan.h>

#include "plan/batches_internal.h"
#include "plan/growth_cost_internal.h"
#include "plan/parents_internal.h"
#include "plan/rungs_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/host.h>
#include <lagd/base/mem.h>
#include <lagd/base/names.h>
#include <lagd/daemon/operators.h>
#include <lagd/engine/checkpoint.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/lag.h>
#include <lagd/engine/params.h>
#include <lagd/engine/probe.h>
#include <lagd/engine/reach.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct planning {
    struct lag_db *db;
    const struct lagd_growth_request *request;
    const struct lag_run_row *run;
    struct lagd_run_config config;
    struct lag_spec spec;            /* present shape */
    struct lag_step_config step, grown_step; /* of the run, and of candidates that grow */
    struct lag_probe_plan probe;
    struct lag_spec target;
    struct lagd_growth_plan *plan;
    struct lag_strategy strategies[LAGD_STRATEGIES_MAX + 1]; /* of plan->candidates */
};

/* --- what a request may ask -------------------------------------------------------------------------------------- */

/* Something other than depth. */
static bool asks_other(const struct lagd_growth_request *request) {
    struct lag_shape other = request->target;
    other.n_layer = 0;
    return !lagd_shape_equal(&other, &(struct lag_shape){0});
}

static int check_request(const struct lagd_growth_request *request, const struct lag_run_row *run,
                         struct lag_error *err) {
    const int64_t asked = request->target.n_layer;
    if (asked != 0 && (asked < run->shape.n_layer || (asked == run->shape.n_layer && !asks_other(request)))) {
        return lag_error_at(err, LAG_EINVAL, "/target/n_layer", "target/n_layer is %" PRId64 ", but run %s has %" PRId64
                            " layers already: ask for more", asked, run->name, run->shape.n_layer);
    }
    if (asked == 0 && !asks_other(request))
        return lag_error_at(err, LAG_EINVAL, "/target",
                            "target says nothing that grows: name n_layer, n_embd, n_head, head_dim, n_inner, "
                            "n_positions or vocab_size");
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
    return lagd_rungs_check(request, start, run->max_steps, err);
}

/* --- strategies -------------------------------------------------------------------------------------------------- */

/* A target that cannot be reached: what could be. strategy: of those that were asked, the one that failed. */
static int at_beyond(const struct planning *p, struct lag_error *err, const struct lag_strategy *strategy,
                     const struct lag_error *inner) {
    struct lag_spec nearest[LAG_NEAREST_MAX];
    char text[3 * LAGD_SHAPE_CHANGE] = "";
    const int n = lag_strategy_nearest(strategy, &p->spec, &p->target, nearest);
    for (int i = 0, used = 0; i < n; i++) {
        struct lag_shape shape;
        char change[LAGD_SHAPE_CHANGE];
        lagd_shape_of_spec(&nearest[i], &shape);
        lagd_shape_change(&p->plan->from, &shape, change);
        used += snprintf(text + used, sizeof(text) - (size_t)used, "%s%s", i ? "; or " : "; nearest are ", change);
    }
    return lag_error_at(err, inner->code, inner->pointer, "%s%.500s", inner->text, text);
}

/* "/pool/3" or "/pool/operators/3" and what the engine's pointer adds; a target that the entry cannot reach is the
 * target's fault. strategy: NULL before it is known. */
static int at_entry(const struct planning *p, struct lag_error *err, int index, const struct lag_strategy *strategy,
                    const struct lag_error *inner) {
    char pointer[160];
    if (strategy && strncmp(inner->pointer, "/target/", 8) == 0) return at_beyond(p, err, strategy, inner);
    (void)snprintf(pointer, sizeof(pointer), "/pool%s/%d%.120s", p->request->has_rules ? "/operators" : "", index,
                   inner->pointer);
    return lag_error_at(err, inner->code == LAG_ENOTFOUND ? LAG_EINVAL : inner->code, pointer, "%s", inner->text);
}

static bool rewarms(const struct lag_strategy *strategy) {
    return strategy->lr == LAG_LR_REWARM || strategy->lr == LAG_LR_REWARM_NEW;
}

/* What entry says; the rest stays. */
static int read_rules(const struct lagd_strategy_request *entry, struct lag_strategy *strategy, struct lag_error *err) {
    if (entry->optimizer[0] && lag_moment_rule_parse(entry->optimizer, &strategy->moments) < 0) {
        return lag_names_refuse(lag_moment_rule_names, "/optimizer", "optimizer", entry->optimizer, err);
    }
    if (entry->lr[0] && lag_lr_rule_parse(entry->lr, &strategy->lr) < 0) {
        return lag_names_refuse(lag_lr_rule_names, "/lr", "lr", entry->lr, err);
    }
    if (entry->rewarm_steps >= 0 && !rewarms(strategy)) {
        return lag_error_at(err, LAG_EINVAL, "/rewarm_steps",
                            "rewarm_steps has a meaning only with lr rewarm or rewarm_new");
    }
    if (entry->rewarm_steps == 0) {
        return lag_error_at(err, LAG_EINVAL, "/rewarm_steps", "rewarm_steps must be at least 1");
    }
    if (entry->rewarm_steps > 0) strategy->rewarm_steps = entry->rewarm_steps;
    if (entry->freeze_old != LAGD_FREEZE_UNSAID) strategy->freeze_steps = entry->freeze_old;
    return 0;
}

static bool is_recipe(const struct lagd_strategy_request *entry) {
    return !lag_operator_find(entry->op) && lag_published_find(entry->op);
}

/* The pool's rules hold where an entry says nothing: not for a published recipe or a strategy's text, which say all. */
static void take_rules(const struct lagd_growth_request *request, const struct lagd_strategy_request *entry,
                       struct lagd_strategy_request *ret) {
    const struct lagd_strategy_request *rules = &request->rules;
    *ret = *entry;
    if (entry->whole || is_recipe(entry) || strcmp(entry->op, "none") == 0) return;
    const struct lag_operator *op = lag_operator_find(entry->op);
    const bool own_lr = entry->lr[0] != '\0', learns = op && op->learns; /* that has nothing to keep or freeze */
    if (!entry->optimizer[0] && !learns) (void)lag_copy(ret->optimizer, sizeof(ret->optimizer), rules->optimizer);
    if (!own_lr) (void)lag_copy(ret->lr, sizeof(ret->lr), rules->lr);
    if (!own_lr && entry->rewarm_steps < 0) ret->rewarm_steps = rules->rewarm_steps;
    if (entry->freeze_old == LAGD_FREEZE_UNSAID && !learns) ret->freeze_old = rules->freeze_old;
    if (entry->seed < 0) ret->seed = rules->seed;
}

static int read_entry(struct planning *p, const struct lagd_strategy_request *asked, struct lag_strategy *ret,
                      struct lag_error *err) {
    struct lagd_strategy_request entry;
    struct lag_strategy strategy;
    take_rules(p->request, asked, &entry);
    int rc = lag_strategy_init(entry.op, &strategy, err);
    for (int i = 0; i < entry.n_params && rc == 0; i++) {
        rc = lag_strategy_set_param(&strategy, entry.params[i].name, entry.params[i].value, err);
    }
    if (rc == 0 && entry.with[0]) rc = lag_strategy_set_with(&strategy, entry.with, err);
    if (rc == 0 && entry.n_with_params > 0 && !strategy.with)
        rc = lag_error_at(err, LAG_EINVAL, "/with_params", "with_params has a meaning only beside with");
    for (int i = 0; i < entry.n_with_params && rc == 0; i++) {
        rc = lag_strategy_set_with_param(&strategy, entry.with_params[i].name, entry.with_params[i].value, err);
    }
    for (int i = 0; i < entry.n_parents && rc == 0; i++) rc = lag_strategy_add_parent(&strategy, entry.parents[i], err);
    if (rc == 0) rc = lagd_parents_know(p->db, p->run, &p->spec, &strategy, p->plan, err);
    if (rc == 0) rc = read_rules(&entry, &strategy, err);
    if (rc == 0) rc = lag_strategy_check_rules(&strategy, err);
    if (rc < 0) return rc;
    strategy.seed = (uint64_t)(entry.seed >= 0 ? entry.seed : p->config.seed);
    *ret = strategy;
    return 0;
}

/* Whatever the operators: the pool's rules are right, or point to "/pool/<name>". */
static int check_rules(const struct planning *p, struct lag_error *err) {
    struct lag_strategy strategy = {.lr = LAG_LR_REWARM};
    struct lag_error inner = {0};
    char pointer[64];
    const struct lagd_strategy_request *rules = &p->request->rules;
    int rc = read_rules(rules, &strategy, &inner);
    if (rc == 0 && rules->rewarm_steps >= 0 && !rules->lr[0])
        rc = lag_error_at(&inner, LAG_EINVAL, "/rewarm_steps", "rewarm_steps of a pool needs lr rewarm or rewarm_new");
    if (rc == 0) return 0;
    (void)snprintf(pointer, sizeof(pointer), "/pool%.40s", inner.pointer);
    return lag_error_at(err, inner.code, pointer, "%s", inner.text);
}

/* --- candidates -------------------------------------------------------------------------------------------------- */

static void add_name(struct lagd_candidate_plan *candidate, const char *name) {
    size_t used = strlen(candidate->names), length = strlen(name);
    for (const char *p = candidate->names; (p = strstr(p, name)) != NULL; p += length) {
        bool whole = (p == candidate->names || p[-1] == ' ') && (p[length] == '\0' || p[length] == ',');
        if (whole) return;
    }
    if (used + length + 3 > sizeof(candidate->names)) return; /* names are for people; a list this long tells enough */
    (void)snprintf(candidate->names + used, sizeof(candidate->names) - used, "%s%s", used ? ", " : "", name);
}

/* As if each tensor had one history now. Where growths have divided them before, the growth counts again when it
 * begins, before anything is probed. */
static int check_segments(const struct planning *p, const struct lag_strategy *strategy,
                          const struct lag_recipe *recipe, struct lag_error *err) {
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *outline = NULL;
    int rc = recipe->width.widens ? lag_state_outline(&p->spec, &outline, err) : 0;
    return rc == 0 && outline ? lag_grow_check_segments(outline, NULL, strategy, recipe, err) : rc;
}

static int describe(struct planning *p, const struct lag_strategy *strategy, struct lagd_candidate_plan *out,
                    struct lag_error *err) {
    struct lag_recipe recipe;
    int rc = lag_recipe_build(strategy, &p->spec, &p->target, &recipe, err);
    if (rc < 0) return rc;
    rc = check_segments(p, strategy, &recipe, err);
    if (rc < 0) {
        lag_recipe_deinit(&recipe);
        return rc;
    }
    bool none = strcmp(strategy->op->name, "none") == 0;
    *out = (struct lagd_candidate_plan){.n_params = (int64_t)lag_spec_params(&recipe.spec),
                                        .rewarm_steps = rewarms(strategy) ? strategy->rewarm_steps : 0,
                                        .eligible = !none || p->request->allow_none,
                                        .function_preserving = lag_strategy_preserves(strategy),
                                        .connection_rate = lag_recipe_connection_rate(&recipe), .prior = NAN};
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
    if (rewarms(&strategy) && strategy.rewarm_steps == LAG_REWARM_DEFAULT) {
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

static bool grows_both(const struct planning *p) {
    struct lag_spec deeper = p->spec;
    deeper.n_layer = p->target.n_layer;
    return p->target.n_layer > p->spec.n_layer && !lag_spec_same_shape(&deeper, &p->target);
}

/* Lends its name to a candidate that is the same. */
static void lend_name(struct planning *p, const char *word, const char *name) {
    struct lag_strategy strategy;
    char text[LAG_STRATEGY_TEXT];
    if (lag_strategy_init(word, &strategy, NULL) < 0 || (strategy.with && !grows_both(p))) return;
    strategy.seed = (uint64_t)p->config.seed;
    if (rewarms(&strategy)) strategy.rewarm_steps = LAG_REWARM_STEPS;
    lag_strategy_name(&strategy, text);
    for (int i = 0; i < p->plan->n_candidates; i++) {
        bool same = false;
        if (lag_strategy_same(&p->strategies[i], &strategy, &p->spec, &p->target, &same, NULL) < 0 || !same) continue;
        add_name(&p->plan->candidates[i], name ? name : text);
    }
}

/* Operators whose presets make a candidate that the pool has already lend it their names, and so do recipes. */
static void add_other_names(struct planning *p) {
    int n_ops = 0, n_published = 0;
    const struct lag_operator *ops = lag_operators(&n_ops);
    const struct lag_published *published = lag_published_list(&n_published);
    for (int i = 0; i < n_ops; i++)
        if (strcmp(ops[i].name, "none") != 0) lend_name(p, ops[i].name, NULL);
    for (int i = 0; i < n_published; i++)
        if (!lag_operator_find(published[i].name)) lend_name(p, published[i].name, published[i].name);
}

/* A strategy that grows as the pool does: what it reaches, some operator of the pool does. */
static const char *example_of(const char *pool) {
    if (strcmp(pool, "depth") == 0 || strcmp(pool, "blocks") == 0) return "stack";
    return strcmp(pool, "width") == 0 ? "clone_width" : "stack with=clone_width";
}

/* A pool of that name does not exist: for the asker that is a wrong value, not a missing resource. */
static int refuse_pool(const struct planning *p, int rc, const struct lag_error *inner, struct lag_error *err) {
    struct lag_strategy example;
    if (rc == LAG_ENOTFOUND)
        return lag_error_at(err, LAG_EINVAL, p->request->has_rules ? "/pool/operators" : inner->pointer, "%s",
                            inner->text);
    if (rc == LAG_EINVAL && strncmp(inner->pointer, "/target/", 8) == 0 &&
        lag_strategy_parse(example_of(p->request->pool), &example, NULL) == 0)
        return at_beyond(p, err, &example, inner);
    if (err) *err = *inner;
    return rc;
}

/* Recipes have rules of their own. */
static int refuse_rules(const struct lagd_strategy_request *rules, struct lag_error *err) {
    const char *said = rules->optimizer[0] ? "optimizer" : rules->lr[0] ? "lr" : NULL;
    if (!said && rules->freeze_old != LAGD_FREEZE_UNSAID) said = "freeze_old";
    if (!said) return 0;
    char pointer[32];
    (void)snprintf(pointer, sizeof(pointer), "/pool/%s", said);
    return lag_error_at(err, LAG_EINVAL, pointer, "published recipes have rules of their own: leave %s out", said);
}

static int expand_pool(struct planning *p, struct lag_error *err) {
    const struct lagd_growth_request *request = p->request;
    const struct lagd_strategy_request *said = &request->rules;
    struct lag_strategy ruled = {.rewarm_steps = LAG_REWARM_DEFAULT}; /* inherit, continue */
    LAG_CLEANUP(lag_free_p) struct lag_pool_member *members = lag_calloc(LAG_POOL_MAX, sizeof(*members));
    int n = 0, rc = members ? 0 : lag_error_set(err, LAG_ENOMEM, "out of memory for a pool");
    if (rc == 0) rc = strcmp(request->pool, "published") == 0 ? refuse_rules(said, err) : read_rules(said, &ruled, err);
    if (rc < 0) return rc;
    const struct lag_pool_rules rules = {ruled.moments, ruled.lr, ruled.rewarm_steps, ruled.freeze_steps};
    struct lag_error inner = {0};
    rc = lag_pool_expand(request->pool[0] ? request->pool : "default", &rules, &p->spec, &p->target, members, &n,
                         &inner);
    if (rc < 0) return refuse_pool(p, rc, &inner, err);
    for (int i = 0; i < n && rc == 0; i++) {
        struct lag_strategy *strategy = &members[i].strategy;
        strategy->seed = (uint64_t)(said->seed >= 0 ? said->seed : p->config.seed);
        rc = add_candidate(p, strategy, members[i].name, err);
    }
    if (rc == 0) add_other_names(p);
    return rc;
}

static int expand_list(struct planning *p, struct lag_error *err) {
    for (int i = 0; i < p->request->n_strategies; i++) {
        struct lag_strategy strategy;
        struct lag_error inner = {0};
        const struct lagd_strategy_request *entry = &p->request->strategies[i];
        int rc = read_entry(p, entry, &strategy, &inner);
        if (rc < 0) return at_entry(p, err, i, NULL, &inner);
        if (strcmp(strategy.op->name, "none") == 0) continue;
        char name[LAG_STRATEGY_TEXT];
        lag_strategy_name(&strategy, name);
        rc = add_candidate(p, &strategy, is_recipe(entry) ? entry->op : name, &inner);
        if (rc < 0) return at_entry(p, err, i, &strategy, &inner);
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
                                          .tokens_per_sequence = plan->tokens_per_sequence,
                                          .parents_bytes = lagd_parents_bytes(plan), .learn_bytes = plan->learn_bytes,
                                          .n_learning = plan->n_learning, .n_candidates = plan->n_candidates,
                                          .n_workers = (int)plan->n_workers, .probe = &p->probe,
                                          .keeps_best = strcmp(p->request->mode, "manual") != 0};
    plan->memory_peak_bytes = lagd_growth_peak(&load, n_threads);
    bool known = lagd_run_estimate(&config, n_threads, &run, NULL) == 0;
    plan->memory_bytes = LAG_MAX(0, plan->memory_peak_bytes - (known ? run.memory_bytes : 0));
}

/* When it is looked at, which needs all candidates, and what each takes then. */
static int plan_probe(struct planning *p, struct lag_error *err) {
    struct lagd_growth_plan *plan = p->plan;
    const struct lagd_growth_request *request = p->request;
    const int64_t start = request->at_step >= 0 ? request->at_step : p->run->step;
    struct lagd_schedules schedules;
    int rc = lagd_schedules_of(p->run, &p->config, &schedules, err);
    if (rc < 0) return rc;
    plan->first_rung = lagd_first_rung(request, lagd_schedules_at(&schedules, start), start, p->strategies,
                                       plan->n_candidates);
    rc = lagd_rungs_check_first(request, plan->first_rung, err);
    if (rc < 0) return rc;
    rc = lagd_probe_plan_make(request, plan->first_rung, &p->config, &p->grown_step, &p->probe);
    if (rc < 0) return lag_error_set(err, rc, "the probe's evaluations cannot be planned");
    for (int i = 0; i < plan->n_candidates; i++) {
        struct lagd_candidate_plan *candidate = &plan->candidates[i];
        const bool grows = lagd_operator_grows(candidate->op);
        const struct lagd_candidate_load load = {&p->strategies[i], &p->spec, grows ? &p->target : &p->spec,
                                                 grows ? &p->grown_step : &p->step, &p->probe};
        if ((rc = lagd_candidate_cost(&load, candidate, plan, err)) < 0) return rc;
    }
    lagd_rungs_cost(request, &p->probe, plan);
    return 0;
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

/* What candidates that grow train on. */
static int plan_batch(struct planning *p, struct lag_error *err) {
    struct lagd_growth_plan *plan = p->plan;
    struct lag_run_row row = *p->run;
    struct lagd_run_config config = p->config;
    const struct lagd_batch_aim aim = {.config = &p->config, .n_positions_before = plan->from.n_positions,
                                       .n_positions = plan->to.n_positions, .asked = p->request->tokens_per_sequence,
                                       .longest = lagd_batch_longest(p->db, p->run->dataset_id)};
    int rc = lagd_batch_choose(&aim, &plan->tokens_per_sequence, plan->batch_note, err);
    if (rc == 0) rc = lagd_batches_add(&row, LAG_MAX(0, row.step), plan->tokens_per_sequence, err); /* has it room? */
    if (rc == 0) rc = lagd_batches_with(p->run, plan->tokens_per_sequence, &config, err);
    if (rc < 0) return rc;
    plan->batch.sequences = config.sequences;
    plan->batch.tokens_per_sequence = config.tokens_per_sequence;
    plan->batch.accumulate = config.accumulate;
    lagd_run_step_config(&config, p->run->lr_scale, &p->grown_step);
    return 0;
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
    rc = lagd_shape_aim(&p->run->shape, &p->request->target, &p->plan->to, err);
    if (rc < 0) return rc;
    p->target = p->spec;
    lagd_spec_take_shape(&p->target, &p->plan->to);
    struct lag_error inner = {0};
    if (lag_spec_check(&p->target, &inner) < 0) return at_target(err, &inner);
    if (lagd_shape_equal(&p->plan->from, &p->plan->to))
        return lag_error_at(err, LAG_EINVAL, "/target", "run %s has this shape already: ask for more", p->run->name);
    rc = plan_batch(p, err);
    if (rc == 0) rc = check_rules(p, err);
    if (rc == 0) rc = p->request->n_strategies > 0 ? expand_list(p, err) : expand_pool(p, err);
    if (rc == 0) rc = add_none(p, err);
    if (rc == 0) rc = plan_probe(p, err);
    if (rc == 0) count_costs(p, n_threads);
    lag_probe_plan_deinit(&p->probe);
    return rc;
}

int lagd_growth_plan_make(struct lag_db *db, const struct lagd_growth_request *request, const struct lag_run_row *run,
                          int n_threads, struct lagd_growth_plan **ret, struct lag_error *err) {
    int rc = check_request(request, run, err);
    if (rc < 0) return rc;
    LAG_CLEANUP(lag_free_p) struct planning *p = lag_calloc(1, sizeof(*p));
    LAG_CLEANUP(lag_free_p) struct lagd_growth_plan *plan = lag_calloc(1, sizeof(*plan));
    if (!p || !plan) return lag_error_set(err, LAG_ENOMEM, "out of memory while planning a growth");
    p->db = db;
    p->request = request;
    p->run = run;
    p->plan = plan;
    rc = make_plan(p, n_threads, err);
    if (rc < 0) return rc;
    *ret = LAG_TAKE(plan);
    return 0;
}

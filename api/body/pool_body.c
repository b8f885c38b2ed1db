/* Decodes the pool of a growth request. */
#include "body/pool_body_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/study_request.h>
#include <stdio.h>
#include <string.h>

#define AT(member) LAG_FIELD_AT(struct lagd_strategy_request, member)

/* The daemon knows the words: texts are only passed on, and refused there with the same pointers. */
static const struct lag_field rows[] = {
    {"operator", LAG_FIELD_TEXT, AT(op), 1, 31, NULL, NULL, LAG_FIELD_REQUIRED, "",
     "Name of a growth operator or of a published recipe; GET /operators lists them."},
    {"with", LAG_FIELD_TEXT, AT(with), 0, 31, NULL, NULL, 0, "",
     "Name of an operator that grows width, beside an operator that grows depth; left out: none."},
    {"optimizer", LAG_FIELD_TEXT, AT(optimizer), 0, 15, NULL, NULL, 0, "",
     "Rule of the optimiser's state, one of GET /operators' optimizer_rules; left out: the pool's, else the operator's "
     "preset."},
    {"lr", LAG_FIELD_TEXT, AT(lr), 0, 15, NULL, NULL, 0, "",
     "Rule of the learning rate, one of GET /operators' lr_rules; left out: the pool's, else the operator's preset."},
    {"rewarm_steps", LAG_FIELD_INT, AT(rewarm_steps), -1, LAGD_PROBE_STEPS_MAX, "-1", NULL, 0, "steps",
     "Length of the re-warm; -1 for " LAG_TEXT_OF(LAGD_REWARM_STEPS) ", whatever the lag."},
    {"seed", LAG_FIELD_INT, AT(seed), -1, LAG_FIELD_EXACT_MAX, "-1", NULL, 0, "",
     "Seed of random layers; -1 for the run's."},
};
const struct lag_fields lagd_strategy_fields = {rows, LAG_COUNT(rows)};
const struct lag_fields lagd_pool_fields = {rows + 2, LAG_COUNT(rows) - 2}; /* the rules without operators */

#define FREEZE                                                                                                         \
    "\"freeze_old\":{\"description\":\"Steps for which only the new layers train, and all else is frozen; keep: " \
    "for good; 0: nothing is frozen.\",\"oneOf\":[{\"type\":\"integer\",\"minimum\":0," \
    "\"maximum\":" LAG_TEXT_OF(LAGD_FREEZE_MAX) "},{\"type\":\"string\",\"enum\":[\"keep\"]}]}"
#define LIST                                                                                                           \
    "{\"type\":\"array\",\"minItems\":1,\"maxItems\":" LAG_TEXT_OF(LAGD_STRATEGIES_MAX) ","                            \
    "\"items\":{\"oneOf\":[{\"type\":\"string\"},{\"$ref\":\"#/components/schemas/StrategyRequest\"}]}}"
#define PARENTS                                                                                                        \
    "\"parents\":{\"description\":\"Checkpoints, of any run, whose models fuse sets beside the run's own.\"," \
    "\"type\":\"array\",\"minItems\":1,\"maxItems\":" LAG_TEXT_OF(LAGD_STRATEGY_PARENTS) \
    ",\"items\":{\"type\":\"string\"}}"
const char lagd_strategy_more[] =
    "\"params\":{\"type\":\"object\",\"description\":\"Parameters of the operator, as GET /operators lists them.\","
    "\"additionalProperties\":{\"type\":\"number\"}},"
    "\"with_params\":{\"type\":\"object\",\"description\":\"Parameters of the operator beside it.\","
    "\"additionalProperties\":{\"type\":\"number\"}}," PARENTS "," FREEZE;
const char lagd_pool_object_more[] =
    "\"operators\":{\"description\":\"The name of a pool, or a list; the rules beside it hold for each operator that "
    "names none.\",\"default\":\"default\",\"oneOf\":[{\"type\":\"string\"}," LIST "]}," FREEZE;
#define POOL \
    "\"pool\":{\"description\":\"The name of a pool; strategies, which are names of operators or published " \
    "recipes, texts or objects; or either of them as operators of an object with rules.\",\"default\":" \
    "\"default\",\"oneOf\":[{\"type\":\"string\"}," LIST ",{\"$ref\":\"#/components/schemas/PoolRequest\"}]}"
const char lagd_pool_more[] = POOL;
const char lagd_study_more[] = POOL
    ",\"seeds\":{\"description\":\"Of the data's order and of new random layers, each once; the parent's alone when "
    "left out.\",\"type\":\"array\",\"minItems\":1,\"maxItems\":" LAG_TEXT_OF(LAGD_STUDY_SEEDS_MAX)
    ",\"items\":{\"type\":\"integer\",\"minimum\":0}}";

/* name: "params", or "with_params" of the operator beside it. */
static void decode_params(json_t *params, const char *prefix, const char *name, struct lagd_strategy_param *list,
                          int *n, struct lagd_faults *faults) {
    const char *key;
    json_t *value;
    char pointer[160];
    if (!params) return;
    (void)snprintf(pointer, sizeof(pointer), "%s/%s", prefix, name);
    if (!json_is_object(params)) {
        lagd_fault_add(faults, false, pointer, "must be an object with numbers");
        return;
    }
    json_object_foreach(params, key, value) {
        (void)snprintf(pointer, sizeof(pointer), "%s/%s", prefix, name);
        lagd_pointer_append(pointer, sizeof(pointer), key);
        if (*n == LAGD_STRATEGY_PARAMS) {
            lagd_fault_add(faults, false, pointer, "is one parameter too many");
            return;
        }
        if (!json_is_number(value)) {
            lagd_fault_add(faults, false, pointer, "must be a number");
        } else if (lag_copy(list[*n].name, sizeof(list[0].name), key) < 0) {
            lagd_fault_add(faults, true, pointer, "is not a parameter of this operator");
        } else {
            list[(*n)++].value = json_number_value(value);
        }
    }
}

static void decode_parents(json_t *parents, const char *prefix, struct lagd_strategy_request *strategy,
                           struct lagd_faults *faults) {
    char pointer[160];
    if (!parents) return;
    (void)snprintf(pointer, sizeof(pointer), "%s/parents", prefix);
    if (!json_is_array(parents) || json_array_size(parents) < 1 || json_array_size(parents) > LAGD_STRATEGY_PARENTS) {
        lagd_fault_add(faults, false, pointer, "must be a list of 1 to " LAG_TEXT_OF(LAGD_STRATEGY_PARENTS)
                       " ids of checkpoints");
        return;
    }
    for (size_t i = 0; i < json_array_size(parents); i++) {
        const char *id = json_string_value(json_array_get(parents, i));
        (void)snprintf(pointer, sizeof(pointer), "%s/parents/%zu", prefix, i);
        if (!id || !*id || lag_copy(strategy->parents[i], sizeof(strategy->parents[i]), id) < 0)
            lagd_fault_add(faults, false, pointer, "must be the id of a checkpoint");
    }
    strategy->n_parents = (int)json_array_size(parents);
}

static void decode_freeze(json_t *freeze, const char *prefix, struct lagd_strategy_request *strategy,
                          struct lagd_faults *faults) {
    char pointer[160];
    if (!freeze) return;
    (void)snprintf(pointer, sizeof(pointer), "%s/freeze_old", prefix);
    const bool is_word = json_is_string(freeze) && strcmp(json_string_value(freeze), "keep") == 0;
    const json_int_t steps = is_word ? LAGD_FREEZE_KEEP : json_integer_value(freeze);
    const bool is_number = json_is_integer(freeze) && steps >= 0 && steps <= LAGD_FREEZE_MAX;
    if (is_word || is_number) strategy->freeze_old = steps;
    else
        lagd_fault_add(faults, false, pointer,
                       "must be a whole number of steps, from 0 to " LAG_TEXT_OF(LAGD_FREEZE_MAX) ", or \"keep\"");
}

/* A bare operator name, or a strategy's canonical text as the api shows it. */
static void decode_text(const char *text, const char *pointer, struct lagd_strategy_request *strategy,
                        struct lagd_faults *faults) {
    struct lag_error err = {0};
    if (!strchr(text, ' ')) {
        if (lag_copy(strategy->op, sizeof(strategy->op), text) < 0 || !*text)
            lagd_fault_add(faults, false, pointer, "is no operator's name");
        return;
    }
    if (lagd_strategy_decode(text, strategy, &err) < 0) {
        lagd_fault_add(faults, false, pointer, err.text);
    } else if (strncmp(strategy->lr, "rewarm", 6) != 0) {
        strategy->rewarm_steps = -1;
    }
}

static void decode_entry(json_t *entry, const char *pointer, struct lagd_strategy_request *strategy,
                         struct lagd_faults *faults) {
    static const char *const others[] = {"params", "with_params", "parents", "freeze_old", NULL};
    lagd_strategy_request_defaults(strategy);
    if (json_is_string(entry)) {
        decode_text(json_string_value(entry), pointer, strategy, faults);
    } else if (json_is_object(entry)) {
        (void)lagd_json_decode(entry, &lagd_strategy_fields, others, pointer, strategy, faults);
        decode_params(json_object_get(entry, "params"), pointer, "params", strategy->params, &strategy->n_params,
                      faults);
        decode_params(json_object_get(entry, "with_params"), pointer, "with_params", strategy->with_params,
                      &strategy->n_with_params, faults);
        decode_parents(json_object_get(entry, "parents"), pointer, strategy, faults);
        decode_freeze(json_object_get(entry, "freeze_old"), pointer, strategy, faults);
    } else {
        lagd_fault_add(faults, false, pointer,
                       "must be an operator's name or a strategy object such as {\"operator\": \"stack\"}");
    }
}

/* base: "/pool" or "/pool/operators". */
static void decode_list(json_t *pool, const char *base, struct lagd_growth_request *growth,
                        struct lagd_faults *faults) {
    size_t i;
    json_t *entry;
    char pointer[64];
    growth->pool[0] = '\0';
    json_array_foreach(pool, i, entry) {
        (void)snprintf(pointer, sizeof(pointer), "%s/%zu", base, i);
        decode_entry(entry, pointer, &growth->strategies[growth->n_strategies++], faults);
    }
}

static void decode_operators(json_t *pool, const char *base, struct lagd_growth_request *growth,
                             struct lagd_faults *faults) {
    static const char wanted[] = "must be the name of a pool, such as \"default\", or a list of strategies";
    if (!pool) {
        (void)lag_copy(growth->pool, sizeof(growth->pool), "default");
    } else if (json_is_string(pool)) {
        if (lag_copy(growth->pool, sizeof(growth->pool), json_string_value(pool)) < 0 || !*growth->pool)
            lagd_fault_add(faults, false, base, wanted);
    } else if (!json_is_array(pool) || json_array_size(pool) == 0) {
        lagd_fault_add(faults, false, base, wanted);
    } else if (json_array_size(pool) > LAGD_STRATEGIES_MAX) {
        lagd_fault_add(faults, false, base, "must have at most " LAG_TEXT_OF(LAGD_STRATEGIES_MAX) " strategies");
    } else {
        decode_list(pool, base, growth, faults);
    }
}

void lagd_pool_decode(json_t *pool, struct lagd_growth_request *growth, struct lagd_faults *faults) {
    static const char *const others[] = {"operators", "freeze_old", NULL};
    growth->n_strategies = 0;
    growth->has_rules = json_is_object(pool);
    lagd_strategy_request_defaults(&growth->rules);
    if (!growth->has_rules) {
        decode_operators(pool, "/pool", growth, faults);
        return;
    }
    (void)lagd_json_decode(pool, &lagd_pool_fields, others, "/pool", &growth->rules, faults);
    decode_freeze(json_object_get(pool, "freeze_old"), "/pool", &growth->rules, faults);
    decode_operators(json_object_get(pool, "operators"), "/pool/operators", growth, faults);
}

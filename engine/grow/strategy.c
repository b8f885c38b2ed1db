/* Strategies as text: rules, parameters, formatting, parsing. */
#include "grow/grow_internal.h"
#include <inttypes.h>
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/names.h>
#include <lagd/base/parse.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const lag_moment_rule_names[] = {
    [LAG_MOMENTS_INHERIT] = "inherit", [LAG_MOMENTS_RESET] = "reset", [LAG_MOMENTS_RESET_NEW] = "reset_new", NULL};
const char *const lag_direction_names[LAG_N_DIRECTIONS] = {
    [LAG_GROWS_NOTHING] = "nothing", [LAG_GROWS_DEPTH] = "depth", [LAG_GROWS_WIDTH] = "width",
    [LAG_GROWS_VOCAB] = "vocabulary", [LAG_GROWS_CONTEXT] = "context"};
const char *const lag_lr_rule_names[] = {[LAG_LR_CONTINUE] = "continue", [LAG_LR_REWARM] = "rewarm",
                                         [LAG_LR_REWARM_NEW] = "rewarm_new", [LAG_LR_RESTART] = "restart", NULL};

int lag_moment_rule_parse(const char *name, enum lag_moment_rule *ret) {
    int i = lag_names_find(lag_moment_rule_names, name);
    if (i < 0) return LAG_EINVAL;
    *ret = (enum lag_moment_rule)i;
    return 0;
}
int lag_lr_rule_parse(const char *name, enum lag_lr_rule *ret) {
    int i = lag_names_find(lag_lr_rule_names, name);
    if (i < 0) return LAG_EINVAL;
    *ret = (enum lag_lr_rule)i;
    return 0;
}
const char *lag_moment_rule_name(enum lag_moment_rule rule) { return lag_moment_rule_names[rule]; }
const char *lag_lr_rule_name(enum lag_lr_rule rule) { return lag_lr_rule_names[rule]; }

static int no_operator(const char *name, struct lag_error *err) {
    char names[400] = "", recipes[240] = "";
    int n_ops, n_published;
    const struct lag_operator *ops = lag_operators(&n_ops);
    const struct lag_published *published = lag_published_list(&n_published);
    for (int i = 0, used = 0; i < n_ops && used < (int)sizeof(names); i++)
        used += snprintf(names + used, sizeof(names) - (size_t)used, "%s%s", i ? ", " : "", ops[i].name);
    for (int i = 0, used = 0; i < n_published && used < (int)sizeof(recipes); i++) {
        if (lag_operator_find(published[i].name)) continue;
        used += snprintf(recipes + used, sizeof(recipes) - (size_t)used, "%s%s", used ? ", " : "", published[i].name);
    }
    return lag_error_at(err, LAG_ENOTFOUND, "/operator",
                        "no operator \"%.64s\"; there are %s; and published recipes: %s", name, names, recipes);
}

int lag_strategy_init(const char *name, struct lag_strategy *ret, struct lag_error *err) {
    const struct lag_operator *op = lag_operator_find(name);
    const struct lag_published *published = op ? NULL : lag_published_find(name);
    if (published) return lag_strategy_parse(published->text, ret, err); /* which names an operator */
    if (!op) return no_operator(name, err);
    struct lag_strategy strategy = {.op = op, .moments = (enum lag_moment_rule)op->preset_moments,
                                    .lr = (enum lag_lr_rule)op->preset_lr, .rewarm_steps = LAG_REWARM_DEFAULT};
    for (int i = 0; i < LAG_OPERATOR_PARAMS && op->params[i].name; i++) strategy.params[i] = op->params[i].preset;
    *ret = strategy;
    return 0;
}

static int param_index(const struct lag_operator *op, const char *name) {
    for (int i = 0; i < LAG_OPERATOR_PARAMS && op->params[i].name; i++) {
        if (strcmp(op->params[i].name, name) == 0) return i;
    }
    return -1;
}

double lag_operator_value(const struct lag_operator *op, const double *params, const char *name) {
    int i = param_index(op, name);
    return i < 0 ? 0 : params[i];
}

double lag_strategy_param(const struct lag_strategy *strategy, const char *name) {
    return lag_operator_value(strategy->op, strategy->params, name);
}

/* "block, noise"; "none" when the operator has no parameters. */
static void list_params(const struct lag_operator *op, char *ret, size_t size) {
    size_t used = 0;
    snprintf(ret, size, "none");
    for (int i = 0; i < LAG_OPERATOR_PARAMS && op->params[i].name && used < size; i++) {
        used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? ", " : "", op->params[i].name);
    }
}

/* at: "/params" or "/with_params". */
static int set_param(const struct lag_operator *op, double *params, const char *at, const char *name, double value,
                     struct lag_error *err) {
    char pointer[128];
    snprintf(pointer, sizeof(pointer), "%s/%.64s", at, name);
    int i = param_index(op, name);
    if (i < 0) {
        char names[128];
        list_params(op, names, sizeof(names));
        return lag_error_at(err, LAG_EINVAL, pointer, "operator %s has no parameter \"%.64s\"; its parameters: %s",
                            op->name, name, names);
    }
    const struct lag_operator_param *param = &op->params[i];
    if (!(value >= param->min && value <= param->max)) {
        return lag_error_at(err, LAG_EINVAL, pointer, "%s must be between %g and %g", name, param->min, param->max);
    }
    if (param->integer && value != floor(value)) {
        return lag_error_at(err, LAG_EINVAL, pointer, "%s must be a whole number", name);
    }
    params[i] = value + 0.0; /* -0 becomes 0, so that the text stays canonical */
    return 0;
}

int lag_strategy_set_param(struct lag_strategy *strategy, const char *name, double value, struct lag_error *err) {
    return set_param(strategy->op, strategy->params, "/params", name, value, err);
}

int lag_strategy_set_with(struct lag_strategy *strategy, const char *name, struct lag_error *err) {
    const struct lag_operator *with = lag_operator_find(name);
    const bool in_order = with && strategy->op->grows > LAG_GROWS_NOTHING && with->grows > strategy->op->grows;
    const bool fuses = in_order && (strategy->op->takes_parents || with->takes_parents);
    const bool learns = in_order && (strategy->op->learns || with->learns);
    if (learns && (strategy->op->learns != with->learns))
        return lag_error_at(err, LAG_EINVAL, "/with", "\"%.64s\" with \"%.64s\" is no pair: what is learned stands "
                            "beside what is learned alone, ligo with ligo_width", strategy->op->name, name);
    if (!in_order || (fuses && strategy->op->grows != LAG_GROWS_DEPTH))
        return lag_error_at(err, LAG_EINVAL, "/with", "\"%.64s\" with \"%.64s\" is no pair: name an operator that "
                            "grows depth, with one that grows width, as stack with clone_width; or one of these, with "
                            "one that grows vocabulary or context", strategy->op->name, name);
    strategy->with = with;
    strategy->n_parents = 0;
    for (int i = 0; i < LAG_OPERATOR_PARAMS && with->params[i].name; i++)
        strategy->with_params[i] = with->params[i].preset;
    return 0;
}

int lag_strategy_set_with_param(struct lag_strategy *strategy, const char *name, double value, struct lag_error *err) {
    return set_param(strategy->with, strategy->with_params, "/with_params", name, value, err);
}

/* The shortest decimal that reads back as the same double. */
static void format_number(double value, char *ret, size_t size) {
    double back;
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(ret, size, "%.*g", precision, value);
        if (lag_parse_double(ret, &back) == 0 && back == value) return;
    }
}

static bool has_rewarm(enum lag_lr_rule rule) { return rule == LAG_LR_REWARM || rule == LAG_LR_REWARM_NEW; }

static size_t format_params(const struct lag_operator *op, const double *params, char *ret, size_t used) {
    for (int i = 0; i < LAG_OPERATOR_PARAMS && op->params[i].name; i++) {
        const struct lag_operator_param *param = &op->params[i];
        char number[40];
        if (!param->integer && params[i] == 0 && param->preset == 0) continue; /* no noise: not worth a word */
        const bool steps = param->integer && param->max > LAG_MAX_LAYERS; /* 5000, not 5e+03 */
        if (steps) (void)snprintf(number, sizeof(number), "%.0f", params[i]);
        else format_number(params[i], number, sizeof(number));
        used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, " %s=%s", param->name, number);
    }
    return used;
}

void lag_strategy_format(const struct lag_strategy *strategy, char ret[LAG_STRATEGY_TEXT]) {
    const struct lag_operator *op = strategy->op;
    size_t used = (size_t)snprintf(ret, LAG_STRATEGY_TEXT, "%s", op->name);
    used = format_params(op, strategy->params, ret, used);
    if (strategy->with) {
        used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, " with=%s", strategy->with->name);
        used = format_params(strategy->with, strategy->with_params, ret, used);
    }
    for (int i = 0; i < strategy->n_parents; i++)
        used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, "%s%s", i ? "+" : " parents=",
                                 strategy->parents[i].name);
    used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, " optimizer=%s lr=%s",
                             lag_moment_rule_names[strategy->moments], lag_lr_rule_names[strategy->lr]);
    if (has_rewarm(strategy->lr) && strategy->rewarm_steps != LAG_REWARM_DEFAULT) {
        used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, " rewarm_steps=%" PRId64,
                                 strategy->rewarm_steps);
    }
    if (strategy->freeze_steps > 0)
        used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, " freeze_old=%" PRId64, strategy->freeze_steps);
    if (strategy->freeze_steps == LAG_FREEZE_KEEP)
        used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, " freeze_old=keep");
    used += (size_t)snprintf(ret + used, LAG_STRATEGY_TEXT - used, " seed=%" PRIu64, strategy->seed);
    LAG_ASSERT(used < LAG_STRATEGY_TEXT);
}

void lag_strategy_name(const struct lag_strategy *strategy, char ret[LAG_STRATEGY_TEXT]) {
    lag_strategy_format(strategy, ret);
    char *rules = strstr(ret, " optimizer=");
    if (rules) *rules = '\0';
}

static int parse_rewarm(struct lag_strategy *strategy, const char *value, struct lag_error *err) {
    int64_t steps;
    if (lag_parse_i64(value, &steps) || steps < 1) {
        return lag_error_at(err, LAG_EINVAL, "/rewarm_steps",
                            "rewarm_steps must be a whole number from 1, not \"%.64s\"", value);
    }
    strategy->rewarm_steps = steps;
    return 0;
}

static int parse_freeze(struct lag_strategy *strategy, const char *value, struct lag_error *err) {
    int64_t steps = LAG_FREEZE_KEEP;
    if (strcmp(value, "keep") != 0 && (lag_parse_i64(value, &steps) || steps < 0 || steps > LAG_FREEZE_MAX)) {
        return lag_error_at(err, LAG_EINVAL, "/freeze_old",
                            "freeze_old must be a number of steps from 0 to %d, or keep, not \"%.64s\"",
                            LAG_FREEZE_MAX, value);
    }
    strategy->freeze_steps = steps;
    return 0;
}

/* "ckpt_…+ckpt_…": value is cut. */
static int parse_parents(struct lag_strategy *strategy, char *value, struct lag_error *err) {
    int rc = *value ? 0 : lag_error_at(err, LAG_EINVAL, "/parents", "parents must name checkpoints");
    for (char *name = value; name && rc == 0;) {
        char *next = strchr(name, '+');
        if (next) *next++ = '\0';
        rc = lag_strategy_add_parent(strategy, name, err);
        name = next;
    }
    return rc;
}

/* One key=value of the text. */
static int parse_item(struct lag_strategy *strategy, const char *key, char *value, struct lag_error *err) {
    if (strcmp(key, "optimizer") == 0) {
        if (lag_moment_rule_parse(value, &strategy->moments) == 0) return 0;
        return lag_names_refuse(lag_moment_rule_names, "/optimizer", "optimizer", value, err);
    }
    if (strcmp(key, "lr") == 0) {
        if (lag_lr_rule_parse(value, &strategy->lr) == 0) return 0;
        return lag_names_refuse(lag_lr_rule_names, "/lr", "lr", value, err);
    }
    if (strcmp(key, "rewarm_steps") == 0) return parse_rewarm(strategy, value, err);
    if (strcmp(key, "freeze_old") == 0) return parse_freeze(strategy, value, err);
    if (strcmp(key, "seed") == 0) {
        if (lag_parse_u64(value, &strategy->seed) == 0) return 0;
        return lag_error_at(err, LAG_EINVAL, "/seed", "seed must be a whole number from 0, not \"%.64s\"", value);
    }
    if (strcmp(key, "with") == 0) return lag_strategy_set_with(strategy, value, err);
    if (strcmp(key, "parents") == 0) return parse_parents(strategy, value, err);
    const struct lag_operator *op = strategy->with ? strategy->with : strategy->op;
    double number = 0;
    if (param_index(op, key) >= 0 && lag_parse_double(value, &number)) {
        char pointer[128];
        snprintf(pointer, sizeof(pointer), "/params/%.64s", key);
        return lag_error_at(err, LAG_EINVAL, pointer, "%s must be a number, not \"%.64s\"", key, value);
    }
    if (strategy->with) return lag_strategy_set_with_param(strategy, key, number, err);
    return lag_strategy_set_param(strategy, key, number, err);
}

static bool keeps(const struct lag_operator *op, const double *params) {
    return op->function_preserving && lag_operator_value(op, params, "mix") == 0;
}

bool lag_strategy_preserves(const struct lag_strategy *strategy) {
    return keeps(strategy->op, strategy->params) && (!strategy->with || keeps(strategy->with, strategy->with_params));
}

int lag_strategy_check_rules(const struct lag_strategy *strategy, struct lag_error *err) {
    if (strategy->op->learns && strategy->moments != LAG_MOMENTS_RESET)
        return lag_error_at(err, LAG_EINVAL, "/optimizer", "operator %s mixes all numbers of the model, so that none "
                            "has moments to inherit: leave optimizer out, or name reset", strategy->op->name);
    if (strategy->op->learns && strategy->freeze_steps != 0)
        return lag_error_at(err, LAG_EINVAL, "/freeze_old", "operator %s mixes all numbers of the model, so that "
                            "nothing old is left to freeze: leave freeze_old out", strategy->op->name);
    if (strategy->freeze_steps == 0 || lag_op_index(strategy->op) != LAG_OP_NONE) return 0;
    return lag_error_at(err, LAG_EINVAL, "/freeze_old",
                        "operator none adds nothing: with freeze_old nothing would train");
}

#define MAX_ITEMS (2 * LAG_OPERATOR_PARAMS + 7)

int lag_strategy_parse(const char *text, struct lag_strategy *ret, struct lag_error *err) {
    char copy[LAG_STRATEGY_TEXT], *rest = NULL;
    const char *seen[MAX_ITEMS];
    size_t length = strnlen(text, sizeof(copy));
    int n_seen = 0, with_at = 0;
    if (length == sizeof(copy)) {
        return lag_error_set(err, LAG_EINVAL, "a strategy is at most %d characters long", LAG_STRATEGY_TEXT - 1);
    }
    memcpy(copy, text, length + 1);
    const char *name = strtok_r(copy, " ", &rest);
    if (!name) return lag_error_at(err, LAG_EINVAL, "/operator", "name an operator, as in \"stack\"");
    struct lag_strategy strategy;
    int rc = lag_strategy_init(name, &strategy, err);
    if (rc) return rc;
    for (char *key = strtok_r(NULL, " ", &rest); key; key = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(key, '=');
        if (!value) return lag_error_set(err, LAG_EINVAL, "\"%.64s\" is not of the form key=value", key);
        *value++ = '\0';
        for (int i = 0; i < n_seen; i++) {
            const bool apart = strategy.with && i < with_at && param_index(strategy.with, key) >= 0;
            if (strcmp(seen[i], key) == 0 && !apart)
                return lag_error_set(err, LAG_EINVAL, "%.64s is given twice", key);
        }
        if ((rc = parse_item(&strategy, key, value, err))) return rc;
        LAG_ASSERT(n_seen < MAX_ITEMS); /* each accepted key once: parameters and the seven common ones */
        if (strcmp(key, "with") == 0) with_at = n_seen; /* the parameters behind it are the other operator's */
        seen[n_seen++] = key;
    }
    if ((rc = lag_strategy_check_rules(&strategy, err))) return rc;
    if (strategy.rewarm_steps != LAG_REWARM_DEFAULT && !has_rewarm(strategy.lr)) {
        return lag_error_at(err, LAG_EINVAL, "/rewarm_steps",
                            "rewarm_steps needs lr=rewarm or lr=rewarm_new, not lr=%s",
                            lag_lr_rule_names[strategy.lr]);
    }
    *ret = strategy;
    return 0;
}

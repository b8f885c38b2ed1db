/* The engine's operators, recipes, pools and rules, for those who may not look into the engine. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/engine/grow.h>
#include <lagd/engine/lag.h>
#include <string.h>

static_assert(LAGD_STRATEGY_PARAMS == LAG_OPERATOR_PARAMS, "a strategy request holds every parameter of an operator");
static_assert((int)LAGD_FREEZE_KEEP == LAG_FREEZE_KEEP, "a freeze is told as it is kept");
static_assert(LAGD_FREEZE_MAX == LAG_FREEZE_MAX, "what is taken is carried out");
static_assert(LAGD_REWARM_STEPS == LAG_REWARM_STEPS, "what texts tell is what is done");
static_assert(LAG_ROW_STRATEGY >= LAG_STRATEGY_TEXT, "rows hold every canonical text");
static_assert(LAG_ROW_RECIPE >= LAG_RECIPE_TEXT, "rows hold every recipe");

const char *const *lagd_optimizer_rules(void) { return lag_moment_rule_names; }
const char *const *lagd_lr_rules(void) { return lag_lr_rule_names; }

int lagd_operator_count(void) {
    int n = 0;
    (void)lag_operators(&n);
    return n;
}

void lagd_operator_get(int index, struct lagd_operator_info *ret) {
    int n = 0;
    const struct lag_operator *op = lag_operators(&n) + index;
    LAG_ASSERT(index >= 0 && index < n);
    *ret = (struct lagd_operator_info){
        .grows = lag_direction_names[op->grows], .name = op->name, .title = op->title, .help = op->help,
        .reference = op->reference, .axes = op->axes, .preserves = op->preserves ? op->preserves : "",
        .hugging_face = !op->beyond_hf, .takes_parents = op->takes_parents,
        .learns = op->learns,
        .preset_optimizer = lag_moment_rule_name((enum lag_moment_rule)op->preset_moments),
        .preset_lr = lag_lr_rule_name((enum lag_lr_rule)op->preset_lr), .function_preserving = op->function_preserving};
    for (int i = 0; i < LAG_OPERATOR_PARAMS && op->params[i].name; i++) {
        ret->params[i].name = op->params[i].name;
        ret->params[i].help = op->params[i].help;
        ret->params[i].min = op->params[i].min;
        ret->params[i].max = op->params[i].max;
        ret->params[i].preset = op->params[i].preset;
        ret->params[i].integer = op->params[i].integer;
        ret->n_params++;
    }
}

int lagd_recipe_count(void) {
    int n = 0;
    (void)lag_published_list(&n);
    return n;
}

void lagd_recipe_get(int index, struct lagd_recipe_info *ret) {
    int n = 0;
    const struct lag_published *published = lag_published_list(&n) + index;
    struct lag_strategy strategy;
    char text[LAG_STRATEGY_TEXT];
    const int rc = lag_strategy_parse(published->text, &strategy, NULL);
    LAG_ASSERT(index >= 0 && index < n && rc == 0);
    lag_strategy_format(&strategy, text);
    *ret = (struct lagd_recipe_info){.name = published->name, .title = published->title, .help = published->help,
                                     .reference = published->reference};
    (void)lag_copy(ret->strategy, sizeof(ret->strategy), text);
}

int lagd_pool_count(void) {
    int n = 0;
    while (lag_pools[n].name) n++;
    return n;
}

void lagd_pool_get(int index, struct lagd_pool_info *ret) {
    *ret = (struct lagd_pool_info){lag_pools[index].name, lag_pools[index].help};
}

bool lagd_operator_grows(const char *name) { return strcmp(name, "none") != 0; }

int lagd_strategy_decode(const char *text, struct lagd_strategy_request *ret, struct lag_error *err) {
    struct lag_strategy strategy;
    int rc = lag_strategy_parse(text, &strategy, err);
    if (rc < 0) return rc;
    struct lagd_strategy_request out = {.rewarm_steps = strategy.rewarm_steps, .freeze_old = strategy.freeze_steps,
                                        .seed = (int64_t)strategy.seed, .whole = true};
    (void)lag_copy(out.op, sizeof(out.op), strategy.op->name);
    (void)lag_copy(out.optimizer, sizeof(out.optimizer), lag_moment_rule_name(strategy.moments));
    (void)lag_copy(out.lr, sizeof(out.lr), lag_lr_rule_name(strategy.lr));
    for (int i = 0; i < LAG_OPERATOR_PARAMS && strategy.op->params[i].name; i++) {
        (void)lag_copy(out.params[i].name, sizeof(out.params[i].name), strategy.op->params[i].name);
        out.params[i].value = strategy.params[i];
        out.n_params++;
    }
    if (strategy.with) (void)lag_copy(out.with, sizeof(out.with), strategy.with->name);
    for (int i = 0; strategy.with && i < LAG_OPERATOR_PARAMS && strategy.with->params[i].name; i++) {
        (void)lag_copy(out.with_params[i].name, sizeof(out.with_params[i].name), strategy.with->params[i].name);
        out.with_params[i].value = strategy.with_params[i];
        out.n_with_params++;
    }
    for (int i = 0; i < strategy.n_parents; i++)
        (void)lag_copy(out.parents[out.n_parents++], sizeof(out.parents[0]), strategy.parents[i].name);
    *ret = out;
    return 0;
}

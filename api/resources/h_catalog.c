/* What there is to choose from and to be told: growth operators and problem types. */
#include "door/problem_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"
#include "encode/encode_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/storage/runs.h>
#include <string.h>

/* --- operators --------------------------------------------------------------------------------------------------- */

#define PARAM(name, type, member, help) LAGD_MEMBER(struct lagd_operator_param, name, type, member, help)
static const struct lagd_member param_members[] = {
    LAGD_POINTED(struct lagd_operator_param, "name", "s", name, NULL),
    LAGD_POINTED(struct lagd_operator_param, "help", "s", help, NULL),
    PARAM("min", "n", min, NULL),
    PARAM("max", "n?", max, "null: there is no upper end."),
    PARAM("preset", "n", preset, NULL),
    PARAM("integer", "b", integer, "Whole numbers only."),
};
static const struct lagd_schema param_schema = LAGD_SCHEMA("OperatorParam", param_members);

static int write_params(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_operator_info *info = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < info->n_params; i++) (void)lagd_write_object(json, NULL, &param_schema, &info->params[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

/* The same rows as JSON Schema: what a strategy's params may hold. */
static int write_param_schema(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_operator_info *info = object;
    lagd_json_open_object(json, key);
    lagd_json_text(json, "type", "object");
    lagd_json_bool(json, "additionalProperties", false);
    lagd_json_open_object(json, "properties");
    for (int i = 0; i < info->n_params; i++) {
        const struct lagd_operator_param *param = &info->params[i];
        lagd_json_open_object(json, param->name);
        lagd_json_text(json, "type", param->integer ? "integer" : "number");
        lagd_json_real(json, "minimum", param->min);
        lagd_json_real(json, "maximum", param->max);
        lagd_json_real(json, "default", param->preset);
        lagd_json_text(json, "description", param->help);
        lagd_json_close_object(json);
    }
    lagd_json_close_object(json);
    lagd_json_close_object(json);
    return 0;
}

static int write_axes(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_json_list(json, key, ((const struct lagd_operator_info *)object)->axes);
    return 0;
}

/* An operator beside the target that was asked for. */
struct entry {
    struct lagd_operator_info info; /* first: its members lie at the same offsets */
    struct lagd_reach_info reach;
    bool has_reach;
};

static int write_nearest(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_reach_info *reach = object;
    lagd_json_open_array(json, key);
    for (int i = 0; i < reach->n_nearest; i++)
        (void)lagd_write_object(json, NULL, &lagd_model_schema, &reach->nearest[i], NULL);
    lagd_json_close_array(json);
    return 0;
}

#define REACH(name, type, member, help) LAGD_MEMBER(struct lagd_reach_info, name, type, member, help)
static const struct lagd_member reach_members[] = {
    REACH("reaches", "b", reaches, "It takes the run to the target, with its preset parameters."),
    LAGD_POINTED(struct lagd_reach_info, "beside", "s?", beside, "The operator of the other direction that must stand "
                 "beside it, by with; null: it does alone, or does not."),
    REACH("reason", "s?", reason, "Why it does not."),
    LAGD_WRITTEN_OF("nearest", "[@]", &lagd_model_schema, write_nearest, "The nearest shapes that it does reach."),
    REACH("n_params", "i?", n_params, "Parameters of what it comes to."),
    REACH("hugging_face", "b", hugging_face, "A config.json of Hugging Face's can say what it comes to."),
};
static const struct lagd_schema reach_schema = LAGD_SCHEMA("OperatorReach", reach_members);

static int write_reach(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct entry *entry = object;
    if (entry->has_reach) return lagd_write_object(json, key, &reach_schema, &entry->reach, NULL);
    lagd_json_null(json, key);
    return 0;
}

#define TEXT(name, member, help) LAGD_POINTED(struct lagd_operator_info, name, "s", member, help)
static const struct lagd_member operator_members[] = {
    TEXT("name", name, NULL),
    TEXT("title", title, NULL),
    TEXT("help", help, NULL),
    TEXT("reference", reference, "Where it was described."),
    TEXT("grows", grows, "depth, width, or nothing."),
    LAGD_WRITTEN("axes", "[s]", write_axes, "The axes of a target that it grows."),
    LAGD_MEMBER(struct lagd_operator_info, "function_preserving", "b", function_preserving,
                "The grown model begins with the parent's loss."),
    LAGD_POINTED(struct lagd_operator_info, "preserves", "s?", preserves, "When the function stays, and what stays "
                 "with it; null: it does not."),
    LAGD_MEMBER(struct lagd_operator_info, "takes_parents", "b", takes_parents,
                "A strategy with it names checkpoints of other runs as parents."),
    LAGD_MEMBER(struct lagd_operator_info, "learns", "b", learns,
                "Steps before its probe learn how it grows; their FLOPs are the candidate's."),
    LAGD_MEMBER(struct lagd_operator_info, "hugging_face", "b", hugging_face,
                "A config.json of Hugging Face's can say its result, where n_head times the size of a head is n_embd."),
    TEXT("optimizer", preset_optimizer, "What becomes of the optimiser's state, unless a strategy says otherwise."),
    TEXT("lr", preset_lr, "What becomes of the learning rate, unless a strategy says otherwise."),
    LAGD_WRITTEN_OF("params", "[@]", &param_schema, write_params, NULL),
    LAGD_WRITTEN("schema", "o", write_param_schema, "JSON Schema of a strategy's params."),
    LAGD_WRITTEN_OF("reach", "@?", &reach_schema, write_reach, "Whether it takes the run to the target; null where no "
                    "target is asked for."),
};
static const struct lagd_schema operator_schema = LAGD_SCHEMA("Operator", operator_members);

/* context: the target that was asked for, or NULL. */
static int write_operators(struct lagd_json *json, const char *key, const void *object, void *context) {
    const struct lagd_reach_target *target = context;
    int status = 0;
    lagd_json_open_array(json, key);
    for (int i = 0; i < lagd_operator_count() && status == 0; i++) {
        struct entry entry = {.has_reach = target != NULL};
        lagd_operator_get(i, &entry.info);
        if (target) status = lagd_operator_reach(i, target, &entry.reach, NULL);
        if (status == 0) (void)lagd_write_object(json, NULL, &operator_schema, &entry, NULL);
    }
    lagd_json_close_array(json);
    return status;
}

/* --- recipes and pools ------------------------------------------------------------------------------------------- */

static int write_recipe_strategy(struct lagd_json *json, const char *key, const void *object, void *context) {
    lagd_write_strategy(json, key, ((const struct lagd_recipe_info *)object)->strategy);
    return 0;
}

#define RECIPE(name, member, help) LAGD_POINTED(struct lagd_recipe_info, name, "s", member, help)
static const struct lagd_member recipe_members[] = {
    RECIPE("name", name, "What a pool may list."),
    RECIPE("title", title, NULL),
    RECIPE("help", help, NULL),
    RECIPE("reference", reference, "Where it was published."),
    LAGD_WRITTEN_OF("strategy", "@?", &lagd_strategy_schema, write_recipe_strategy, "What it stands for."),
};
static const struct lagd_schema recipe_schema = LAGD_SCHEMA("Recipe", recipe_members);

static int write_recipes(struct lagd_json *json, const char *key, const void *object, void *context) {
    struct lagd_recipe_info info;
    lagd_json_open_array(json, key);
    for (int i = 0; i < lagd_recipe_count(); i++) {
        lagd_recipe_get(i, &info);
        (void)lagd_write_object(json, NULL, &recipe_schema, &info, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

static const struct lagd_member pool_members[] = {
    LAGD_POINTED(struct lagd_pool_info, "name", "s", name, NULL),
    LAGD_POINTED(struct lagd_pool_info, "help", "s", help, NULL),
};
static const struct lagd_schema pool_schema = LAGD_SCHEMA("Pool", pool_members);

static int write_pools(struct lagd_json *json, const char *key, const void *object, void *context) {
    struct lagd_pool_info info;
    lagd_json_open_array(json, key);
    for (int i = 0; i < lagd_pool_count(); i++) {
        lagd_pool_get(i, &info);
        (void)lagd_write_object(json, NULL, &pool_schema, &info, NULL);
    }
    lagd_json_close_array(json);
    return 0;
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static int write_words(struct lagd_json *json, const char *key, const char *const *words) {
    lagd_json_open_array(json, key);
    for (; *words; words++) lagd_json_text(json, NULL, *words);
    lagd_json_close_array(json);
    return 0;
}

static int write_optimizer_rules(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_words(json, key, lagd_optimizer_rules());
}

static int write_lr_rules(struct lagd_json *json, const char *key, const void *object, void *context) {
    return write_words(json, key, lagd_lr_rules());
}

static const struct lagd_member operator_list_members[] = {
    LAGD_WRITTEN_OF("items", "[@]", &operator_schema, write_operators, NULL),
    LAGD_WRITTEN_OF("recipes", "[@]", &recipe_schema, write_recipes,
                    "Published strategies by name. Where an operator has the same name, both are the same."),
    LAGD_WRITTEN_OF("pools", "[@]", &pool_schema, write_pools, "Pools by name."),
    LAGD_WRITTEN("optimizer_rules", "[s]", write_optimizer_rules, "What optimizer of a strategy may be."),
    LAGD_WRITTEN("lr_rules", "[s]", write_lr_rules, "What lr of a strategy may be."),
    LAGD_ONE_PAGE,
};
const struct lagd_schema lagd_operator_list_schema = LAGD_SCHEMA("OperatorList", operator_list_members);

int lagd_h_operators(struct lagd_request *request) {
    const char *run = lagd_query_text(&request->target, request->route, "run");
    const char *text = lagd_query_text(&request->target, request->route, "target");
    const char *parents = lagd_query_text(&request->target, request->route, "parents");
    struct lag_db *db;
    if (parents && !text)
        return lag_error_set(&request->err, LAG_EINVAL, "parents are for a target: say of which run, and what it is to "
                             "become, as in ?run=demo&target=n_embd=72&parents=ckpt_…");
    if (!run && !text) return lagd_answer_object(request, &lagd_operator_list_schema, NULL, NULL, 0);
    if (!run || !text)
        return lag_error_set(&request->err, LAG_EINVAL, "run and target belong together: say which run, and what it is "
                             "to become, as in ?run=demo&target=n_layer=6,n_embd=256");
    LAG_CLEANUP(lag_free_p) struct lagd_reach_target *target = lag_calloc(1, sizeof(*target));
    if (!target) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_run_get(db, run, &target->run, &request->err);
    if (status == 0) status = lagd_reach_aim(text, target, &request->err);
    if (status == 0 && parents) status = lagd_reach_name_parents(db, parents, target, &request->err);
    return status < 0 ? status : lagd_answer_object(request, &lagd_operator_list_schema, NULL, target, 0);
}

/* --- problem types ----------------------------------------------------------------------------------------------- */

#define TYPE(name, member, help) LAGD_POINTED(struct lagd_problem_type, name, "s", member, help)
static const struct lagd_member type_members[] = {
    LAGD_WRITTEN("type", "s", lagd_problem_write_uri, "The URI that problems of this type have."),
    TYPE("slug", slug, "The last part of the URI."),
    LAGD_MEMBER(struct lagd_problem_type, "status", "i", status, NULL),
    TYPE("title", title, NULL),
    TYPE("help", help, "What it means and what to do."),
};
const struct lagd_schema lagd_problem_type_schema = LAGD_SCHEMA("ProblemType", type_members);

static const struct lagd_member type_list_members[] = {LAGD_LIST(&lagd_problem_type_schema)};
const struct lagd_schema lagd_problem_type_list_schema = LAGD_SCHEMA("ProblemTypeList", type_list_members);

int lagd_h_problems(struct lagd_request *request) {
    size_t n;
    const struct lagd_problem_type *types = lagd_problem_types(&n);
    const struct lagd_list list = {{types, n, sizeof(*types)}, NULL};
    return lagd_answer_object(request, &lagd_problem_type_list_schema, &list, NULL, 0);
}

int lagd_h_problem(struct lagd_request *request) {
    const struct lagd_problem_type *type = lagd_problem_find(request->params[0]);
    if (strcmp(type->slug, request->params[0]) != 0)
        return lag_error_set(&request->err, LAG_ENOTFOUND, "there is no problem type %s", request->params[0]);
    return lagd_answer_object(request, &lagd_problem_type_schema, type, NULL, 0);
}

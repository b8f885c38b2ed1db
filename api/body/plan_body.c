/* Decodes a growth plan. */
#include "body/plan_body_internal.h"

#include "body/pool_body_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <stdio.h>
#include <string.h>

const struct lag_fields lagd_plan_fields = {NULL, 0};
const char lagd_plan_more[] =
    "\"stages\":{\"description\":\"In the order in which they begin.\",\"type\":\"array\",\"minItems\":1,"
    "\"maxItems\":" LAG_TEXT_OF(LAGD_STAGES_MAX) ",\"items\":{\"$ref\":\"#/components/schemas/StageRequest\"}},"
    "\"lengths\":{\"description\":\"In place of triggers: when each stage begins, by how long each shape is to "
    "train.\",\"$ref\":\"#/components/schemas/LengthsRequest\"}";
const char lagd_stage_more[] =
    "\"trigger\":{\"description\":\"When it begins: exactly one of step, tokens, flops and slope; none where the plan "
    "has lengths.\",\"$ref\":\"#/components/schemas/TriggerRequest\"},"
    "\"pool\":{\"description\":\"As that of a growth.\",\"default\":\"default\",\"oneOf\":[{\"type\":\"string\"},"
    "{\"type\":\"array\"},{\"$ref\":\"#/components/schemas/PoolRequest\"}]}";

static void decode_trigger(json_t *trigger, const char *prefix, struct lagd_trigger *ret, struct lagd_faults *faults) {
    static const char *const kinds[] = {"step", "tokens", "flops", "slope"};
    char pointer[96];
    int n = 0;
    lag_fields_defaults(&lagd_trigger_stored_fields, ret);
    if (!trigger) return; /* the daemon says whether it needs one */
    (void)snprintf(pointer, sizeof(pointer), "%s/trigger", prefix);
    if (json_is_object(trigger)) (void)lagd_json_decode(trigger, &lagd_trigger_fields, NULL, pointer, ret, faults);
    for (size_t i = 0; i < LAG_COUNT(kinds); i++) {
        if (!json_object_get(trigger, kinds[i])) continue;
        (void)lag_copy(ret->kind, sizeof(ret->kind), kinds[i]);
        n++;
    }
    if (n != 1)
        lagd_fault_add(faults, false, pointer, "must be an object with exactly one of step, tokens, flops and slope");
    else if (strcmp(ret->kind, "slope") == 0 && !json_object_get(json_object_get(trigger, "slope"), "below")) {
        (void)snprintf(pointer, sizeof(pointer), "%s/trigger/slope/below", prefix);
        lagd_fault_add(faults, false, pointer, "is required: by how little the loss is to fall in 1000 steps");
    }
}

/* The pool's faults are told in the place of the stage. */
static void decode_pool(json_t *pool, const char *prefix, struct lagd_growth_request *growth,
                        struct lagd_faults *faults) {
    struct lagd_faults own = {0};
    lagd_pool_decode(pool, growth, &own);
    for (int i = 0; i < own.n; i++) {
        char pointer[192];
        (void)snprintf(pointer, sizeof(pointer), "%s%s", prefix, own.list[i].pointer);
        lagd_fault_add(faults, own.list[i].unknown_field, pointer, own.list[i].detail);
    }
}

static void decode_stage(json_t *stage, int i, struct lagd_stage_request *ret, struct lagd_faults *faults) {
    /* The first two are read here, the next two refused with a better word; the rest an answer adds, which may be put
     * back. */
    static const char *const others[] = {"trigger", "pool", "when", "extend", "position", "state", "why", "step",
                                         "begun_at", "growth", NULL};
    char prefix[32], pointer[64];
    (void)snprintf(prefix, sizeof(prefix), "/stages/%d", i);
    lagd_growth_request_defaults(&ret->growth);
    if (!json_is_object(stage)) {
        lagd_fault_add(faults, false, prefix, "must be an object with a target, a trigger and a pool");
        return;
    }
    for (int k = 2; k < 4; k++) {
        if (!json_object_get(stage, others[k])) continue;
        (void)snprintf(pointer, sizeof(pointer), "%s/%s", prefix, others[k]);
        lagd_fault_add(faults, true, pointer, k == 2 ? "is no member of a stage, which has a trigger in its place" :
                       "is no member of a stage: extend the run before the plan is set");
    }
    (void)lagd_json_decode(stage, &lagd_stage_fields, others, prefix, &ret->growth, faults);
    decode_trigger(json_object_get(stage, "trigger"), prefix, &ret->trigger, faults);
    decode_pool(json_object_get(stage, "pool"), prefix, &ret->growth, faults);
}

void lagd_plan_decode(json_t *body, struct lagd_plan_request *ret, struct lagd_faults *faults) {
    static const char *const others[] = {"stages", "lengths", "run", "start_step", "revision", "created_at",
                                         "updated_at", NULL};
    json_t *stages = json_object_get(body, "stages"), *lengths = json_object_get(body, "lengths"), *stage;
    size_t i;
    (void)lagd_json_decode(body, &lagd_plan_fields, others, "", ret, faults);
    if (lengths && !json_is_object(lengths) && !json_is_null(lengths))
        lagd_fault_add(faults, false, "/lengths", "must be an object with steps");
    if (json_is_object(lengths)) {
        lag_fields_defaults(&lagd_lengths_fields, ret);
        (void)lagd_json_decode(lengths, &lagd_lengths_fields, NULL, "/lengths", ret, faults);
    }
    if (!json_is_array(stages) || json_array_size(stages) == 0 || json_array_size(stages) > LAGD_STAGES_MAX) {
        lagd_fault_add(faults, false, "/stages", "must be a list of 1 to " LAG_TEXT_OF(LAGD_STAGES_MAX)
                       " stages; DELETE removes a plan");
        return;
    }
    json_array_foreach(stages, i, stage) decode_stage(stage, ret->n++, &ret->stages[i], faults);
}

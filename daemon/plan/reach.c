/* Which operators take a run to a target, and what the others could reach. */
#include "plan/parents_internal.h"
#include "plan/run_config_internal.h"
#include "plan/shape_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/operators.h>
#include <lagd/engine/params.h>
#include <lagd/engine/reach.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(LAGD_NEAREST_MAX >= LAG_NEAREST_MAX, "all of them are told");

/* One "name=value", or a number of layers. */
static int read_axis(const char *item, struct lagd_growth_request *request, struct lag_error *err) {
    char path[64];
    const char *equals = strchr(item, '='), *value = equals ? equals + 1 : item;
    (void)snprintf(path, sizeof(path), "target/%.*s", equals ? (int)LAG_MIN(equals - item, 40) : 7,
                   equals ? item : "n_layer");
    const struct lag_field *field = lag_fields_find(&lagd_growth_fields, path);
    if (field) return lag_field_set_text(field, request, value, err);
    return lag_error_set(err, LAG_EINVAL, "target has no \"%.40s\": give a number of layers, or axes as in "
                         "n_layer=6,n_embd=256", path + sizeof("target"));
}

int lagd_reach_aim(const char *text, struct lagd_reach_target *target, struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lagd_growth_request *request = lag_calloc(1, sizeof(*request));
    LAG_CLEANUP(lag_free_p) char *copy = lag_strdup(text);
    struct lag_spec spec;
    char *rest = NULL;
    if (!request || !copy) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    int rc = 0;
    for (char *item = strtok_r(copy, ",", &rest); item && rc == 0; item = strtok_r(NULL, ",", &rest))
        rc = read_axis(item, request, err);
    if (rc == 0) rc = lagd_shape_aim(&target->run.shape, &request->target, &target->to, err);
    if (rc == 0) rc = lagd_run_spec_of_row(&target->run, NULL, &spec, err);
    if (rc) return rc;
    lagd_spec_take_shape(&spec, &target->to);
    return lag_spec_check(&spec, err);
}

/* The ids, one a place. */
static int read_ids(const char *text, struct lagd_reach_target *target, struct lag_error *err) {
    for (const char *p = text; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        const size_t length = strcspn(p, ",");
        if (length == 0)
            return lag_error_at(err, LAG_EINVAL, "/parents", "parents has an empty id: name 1 to "
                                LAG_TEXT_OF(LAGD_STRATEGY_PARENTS) " checkpoints, a comma between");
        if (target->n_parents == LAGD_STRATEGY_PARENTS)
            return lag_error_at(err, LAG_EINVAL, "/parents", "parents has more than "
                                LAG_TEXT_OF(LAGD_STRATEGY_PARENTS) " ids: a fusion takes 1 to "
                                LAG_TEXT_OF(LAGD_STRATEGY_PARENTS) " checkpoints beside the run's own model");
        struct lagd_reach_parent *parent = &target->parents[target->n_parents++];
        (void)snprintf(parent->id, sizeof(parent->id), "%.*s", (int)LAG_MIN(length, sizeof(parent->id) - 1), p);
    }
    return 0;
}

int lagd_reach_name_parents(struct lag_db *db, const char *text, struct lagd_reach_target *target,
                            struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct lag_strategy *fusion = lag_calloc(1, sizeof(*fusion));
    struct lag_spec own;
    if (!fusion) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    target->n_parents = 0;
    int rc = lagd_run_spec_of_row(&target->run, NULL, &own, err);
    if (rc == 0) rc = read_ids(text, target, err);
    if (rc == 0) rc = lag_strategy_init("fuse", fusion, err);
    for (int i = 0; i < target->n_parents && rc == 0; i++)
        rc = lag_strategy_add_parent(fusion, target->parents[i].id, err);
    if (rc == 0) rc = lagd_parents_know(db, &target->run, &own, fusion, NULL, err);
    for (int i = 0; i < target->n_parents && rc == 0; i++) {
        lagd_shape_of_spec(&fusion->parents[i].spec, &target->parents[i].shape);
        target->parents[i].gated = fusion->parents[i].spec.gated;
    }
    return rc;
}

static void ask_of(const struct lagd_reach_target *target, const struct lag_spec *own, struct lag_reach_ask *ret) {
    *ret = (struct lag_reach_ask){.from = *own, .to = *own, .n_parents = target->n_parents};
    lagd_spec_take_shape(&ret->to, &target->to);
    for (int i = 0; i < target->n_parents; i++) {
        (void)lag_copy(ret->parents[i].name, sizeof(ret->parents[i].name), target->parents[i].id);
        ret->parents[i].spec = *own;
        lagd_spec_take_shape(&ret->parents[i].spec, &target->parents[i].shape);
        ret->parents[i].spec.gated = target->parents[i].gated;
    }
}

int lagd_operator_reach(int index, const struct lagd_reach_target *target, struct lagd_reach_info *ret,
                        struct lag_error *err) {
    int n;
    const struct lag_operator *op = lag_operators(&n) + index;
    LAG_CLEANUP(lag_free_p) struct lag_reach *reach = lag_calloc(1, sizeof(*reach));
    struct lag_reach_ask ask;
    struct lag_spec from;
    if (!reach) return lag_error_set(err, LAG_ENOMEM, "out of memory");
    int rc = lagd_run_spec_of_row(&target->run, NULL, &from, err);
    if (rc) return rc;
    ask_of(target, &from, &ask);
    rc = lag_operator_reach(op, &ask, reach, err);
    if (rc) return rc;
    *ret = (struct lagd_reach_info){.reaches = reach->reaches, .beside = reach->beside ? reach->beside->name : "",
                                    .n_params = -1, .n_nearest = reach->n_nearest};
    (void)lag_copy(ret->reason, sizeof(ret->reason), reach->why.text);
    if (reach->reaches) {
        ret->n_params = (int64_t)lag_spec_params(&reach->grown);
        ret->hugging_face = !op->beyond_hf && lag_spec_is_gpt2(&reach->grown);
    }
    for (int i = 0; i < reach->n_nearest; i++) lagd_shape_of_spec(&reach->nearest[i], &ret->nearest[i]);
    return 0;
}

/* The engine's operators and rules, for those who may not look into the engine. Thread: any. */
#pragma once
#include <lagd/daemon/growth_request.h>

struct lag_db;
struct lagd_operator_param {
    const char *name, *help;
    double min, max, preset;
    bool integer;
};
/* The operator table, for GET /operators. */
struct lagd_operator_info {
    const char *name, *title, *help, *reference, *preset_optimizer, *preset_lr;
    const char *grows;     /* "depth", "width", "nothing" */
    const char *axes;      /* that it grows, a comma between */
    const char *preserves; /* when the function stays; "" where it does not */
    bool function_preserving, takes_parents, learns;
    bool hugging_face;     /* a config.json of Hugging Face's can say its result, where one can say its shape */
    int n_params;
    struct lagd_operator_param params[LAGD_STRATEGY_PARAMS];
};
/* A published recipe: an operator with the rules of its authors. */
struct lagd_recipe_info {
    const char *name, *title, *help, *reference;
    char strategy[LAG_ROW_STRATEGY]; /* canonical */
};
int lagd_recipe_count(void);
void lagd_recipe_get(int index, struct lagd_recipe_info *ret);
struct lagd_pool_info { const char *name, *help; };
int lagd_pool_count(void);
void lagd_pool_get(int index, struct lagd_pool_info *ret);
int lagd_operator_count(void);
void lagd_operator_get(int index, struct lagd_operator_info *ret);
/* A checkpoint whose model a fusion may take. */
struct lagd_reach_parent {
    char id[LAG_ROW_ID];
    struct lag_shape shape;
    bool gated;
};
/* A run and what it might become. */
struct lagd_reach_target {
    struct lag_run_row run;
    struct lag_shape to;
    struct lagd_reach_parent parents[LAGD_STRATEGY_PARENTS];
    int n_parents; /* 0: none is named, and a fusion is of the model with itself */
};
/* "6", or axes of a growth's target as in "n_layer=6,n_embd=256", for that run. LAG_EINVAL says what to change, with
 * the nearest shapes where it is the shape that cannot be. */
int lagd_reach_aim(const char *text, struct lagd_reach_target *target, struct lag_error *err);
/* The checkpoints that a fusion may take, for a target that has its run: ids, a comma between. LAG_EINVAL at
 * "/parents/<i>": there is no such checkpoint, or its run reads other tokens; at "/parents": there are too many.
 * Whether their models fuse to the target is told by lagd_operator_reach. */
int lagd_reach_name_parents(struct lag_db *db, const char *text, struct lagd_reach_target *target,
                            struct lag_error *err);
#define LAGD_NEAREST_MAX 3
struct lagd_reach_info {
    bool reaches;
    const char *beside;     /* the operator of the other direction that must stand beside it; "": it does alone */
    char reason[LAG_ROW_TEXT]; /* why it does not; "" */
    int64_t n_params;       /* of what it comes to; -1: it does not */
    bool hugging_face;      /* a config.json can say what it comes to */
    struct lag_shape nearest[LAGD_NEAREST_MAX]; /* where it does not */
    int n_nearest;
};
/* With the operator's presets. LAG_ENOMEM; what stands in the way is told in ret. */
int lagd_operator_reach(int index, const struct lagd_reach_target *target, struct lagd_reach_info *ret,
                        struct lag_error *err);
bool lagd_operator_grows(const char *name); /* false of `none`, which only trains on */
/* NULL-terminated: inherit … and continue … */
const char *const *lagd_optimizer_rules(void);
const char *const *lagd_lr_rules(void);

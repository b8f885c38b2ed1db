/* Which targets an operator can reach, and what it could reach instead. Thread: any (pure). */
#pragma once
#include <lagd/base/error.h>
#include <lagd/engine/grow.h>

#define LAG_NEAREST_MAX 3
/* Shapes within the strategy's reach that are nearest to a target beyond it: the target in what the strategy grows
 * alone, and whole multiples of the width below and above. Returns how many; 0: none that differs from the parent. */
int lag_strategy_nearest(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                         struct lag_spec ret[LAG_NEAREST_MAX]);

struct lag_reach {
    bool reaches;
    const struct lag_operator *beside; /* of the other direction, for a target that grows both; NULL: it does alone */
    struct lag_spec grown;             /* its shape, where it reaches the target */
    struct lag_error why;              /* where it does not */
    struct lag_spec nearest[LAG_NEAREST_MAX];
    int n_nearest;
};
/* A target, and the models that a fusion may take: none are named where n_parents is 0, and it is of the model with
 * itself then, as often as leads to the target. */
struct lag_reach_ask {
    struct lag_spec from, to;
    struct lag_parent parents[LAG_FUSE_MAX];
    int n_parents;
};
/* With the operator's presets, beside the first of the other direction that helps. LAG_ENOMEM, and LAG_EINVAL at
 * "/parents/<i>" for a name that is no checkpoint's id, fail; whatever else stands in the way is told in ret. */
int lag_operator_reach(const struct lag_operator *op, const struct lag_reach_ask *ask, struct lag_reach *ret,
                       struct lag_error *err);

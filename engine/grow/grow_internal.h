/* What the files of engine/grow share: operators by number, and the constructors of recipes. */
#pragma once
#include <lagd/engine/grow.h>

/* Order of lag_operators(). */
enum lag_op {
    LAG_OP_STACK, LAG_OP_INTERLEAVE, LAG_OP_GRADUAL_STACK, LAG_OP_MIDAS, LAG_OP_LIDAS, LAG_OP_RANGE,
    LAG_OP_PARTIAL_STACK, LAG_OP_LLAMA_PRO, LAG_OP_ZERO_STACK, LAG_OP_ZERO_TOP, LAG_OP_ZERO_RANDOM, LAG_OP_RANDOM,
    LAG_OP_INTERPOLATE, LAG_OP_GATE_ZERO, LAG_OP_MASKED_COPY, LAG_OP_MASKED_RANDOM, LAG_OP_LIGO,
    LAG_OP_CLONE_WIDTH, LAG_OP_LEMON, LAG_OP_FPI, LAG_OP_AKI, LAG_OP_CLONE_DIAGONAL, LAG_OP_ZERO_FANOUT,
    LAG_OP_ZERO_BLOCK, LAG_OP_RANDOM_WIDTH, LAG_OP_MASKED_WIDTH, LAG_OP_LIGO_WIDTH, LAG_OP_FUSE,
    LAG_OP_VOCAB_MEAN, LAG_OP_VOCAB_RANDOM, LAG_OP_CONTEXT_TILE, LAG_OP_CONTEXT_LAST, LAG_OP_CONTEXT_STRETCH,
    LAG_OP_NONE,
    LAG_N_OPS
};
static inline enum lag_op lag_op_index(const struct lag_operator *op) {
    int n;
    return (enum lag_op)(op - lag_operators(&n));
}

/* A recipe under construction: begins as the parent's layers 0 … n_parent-1, ends with target entries. */
struct lag_draft {
    struct lag_layer_src *layers; /* capacity: target */
    int n, n_parent, target;
};
typedef int lag_construct_fn(struct lag_draft *draft, const struct lag_strategy *strategy, struct lag_error *err);
extern lag_construct_fn *const lag_constructors[LAG_N_OPS];

/* A recipe from a draft that fill brings to the target; text is fill's own. */
typedef int lag_fill_fn(struct lag_draft *draft, const struct lag_strategy *strategy, const char *text,
                        struct lag_error *err);
int lag_recipe_make(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                    lag_fill_fn *fill, const char *text, struct lag_recipe *ret, struct lag_error *err);

#define LAG_GROWS(direction) (1u << (direction)) /* of a set of directions */
/* LAG_EINVAL at "/target/<name>" where the shapes differ in a direction that is not among the grown. what: who grows,
 * for the text. */
int lag_directions_check(const struct lag_spec *from, const struct lag_spec *to, unsigned grown, const char *what,
                         struct lag_error *err);
/* Those in which the shapes differ. */
unsigned lag_directions_of(const struct lag_spec *from, const struct lag_spec *to);
bool lag_width_differs(const struct lag_spec *a, const struct lag_spec *b);
/* The maps of a width operator. LAG_EINVAL at "/target/<name>", with what it could reach. */
int lag_width_build(const struct lag_operator *op, const double *params, uint64_t seed, const struct lag_spec *from,
                    const struct lag_spec *to, struct lag_width *ret, struct lag_error *err);
/* The maps of a fusion: the models are from and those of the strategy's parents. LAG_EINVAL at "/parents/<i>" where
 * they do not go together, at "/target/<name>" where they make another shape. */
int lag_fuse_build(const struct lag_strategy *strategy, const double *params, const struct lag_spec *from,
                   const struct lag_spec *to, struct lag_width *ret, struct lag_error *err);
/* The map of vocabulary or context, beside what width has. LAG_EINVAL at "/target/<name>": it would shrink. */
int lag_ends_build(const struct lag_operator *op, const double *params, const struct lag_spec *from,
                   const struct lag_spec *to, struct lag_width *width, struct lag_error *err);
/* The value of a parameter that the operator has; 0 for others. */
double lag_operator_value(const struct lag_operator *op, const double *params, const char *name);
/* The value of a parameter that the operator has; 0 for others. */
double lag_strategy_param(const struct lag_strategy *strategy, const char *name);

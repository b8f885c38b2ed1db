/* Growth: strategies, recipes, and the one routine that applies them.
 *
 * A growth goes from one shape to another. Each operator grows depth (n_layer), width (n_embd, n_head, head_dim,
 * n_inner), vocabulary or context; a strategy may name two of different directions, and a target that differs in what
 * it does not grow is LAG_EINVAL at "/target/<name>". Only the reference `none` takes any target, because it keeps the
 * parent's shape.
 *
 * A strategy is data: operator + parameters + optimiser rule + learning-rate rule + freeze + seed. An operator is a
 * constructor of a recipe; a recipe is src[0..L'-1] and a map of each space (width.h). Its canonical text identifies a
 * strategy, e.g. "midas block=1 optimizer=inherit lr=continue seed=0" (parameters in table order, only those the
 * operator has; "with=clone_width" and its parameters behind a depth operator's where both grow; "parents=…" of a
 * fusion; "freeze_old=200" or "freeze_old=keep" before the seed where it freezes).
 * Thread: any (pure; lag_grow only reads the parent). */
#pragma once
#include <lagd/engine/optim.h>
#include <lagd/engine/state.h>
#include <lagd/engine/width.h>

enum lag_moment_rule { LAG_MOMENTS_INHERIT, LAG_MOMENTS_RESET, LAG_MOMENTS_RESET_NEW }; /* inherit, reset, … */
enum lag_lr_rule { LAG_LR_CONTINUE, LAG_LR_REWARM, LAG_LR_REWARM_NEW, LAG_LR_RESTART }; /* continue, rewarm, … */

#define LAG_OPERATOR_PARAMS 4
#define LAG_STRATEGY_TEXT 448
#define LAG_PARENT_NAME 40
#define LAG_RECIPE_TEXT 2576 /* of the deepest model: 512 times "511z " */
#define LAG_REWARM_DEFAULT (-1)
#define LAG_FREEZE_KEEP (-1)
#define LAG_FREEZE_MAX 1000000000
#define LAG_RAMP_MAX 1000000000 /* steps of a mask's ramp */
#define LAG_LEARN_MAX 1000000   /* steps of learned maps */

struct lag_operator_param {
    const char *name;  /* block, start, at, every, repeat, noise, steps */
    double min, max, preset;
    const char *help;
    bool integer; /* whole numbers only */
};
enum lag_direction {
    LAG_GROWS_NOTHING, LAG_GROWS_DEPTH, LAG_GROWS_WIDTH, LAG_GROWS_VOCAB, LAG_GROWS_CONTEXT, LAG_N_DIRECTIONS
};
extern const char *const lag_direction_names[LAG_N_DIRECTIONS];
struct lag_operator {
    const char *name;       /* stack, interleave, … none */
    const char *title, *help, *reference;
    bool function_preserving;
    const char *preserves;  /* when the function stays, and what else does: part of a sentence; NULL: it does not */
    struct lag_operator_param params[LAG_OPERATOR_PARAMS]; /* name NULL ends the list */
    int preset_moments, preset_lr; /* rules taken when a request names only the operator */
    enum lag_direction grows;
    const char *axes;       /* names of the axes that it grows, a comma between; "" for none */
    bool beyond_hf;         /* no config.json of Hugging Face's can say its result, whatever the shape */
    bool takes_parents;     /* other models, beside the run's own */
    bool learns;            /* its maps are trained for a while before the grown model is (maps.h) */
};
const struct lag_operator *lag_operators(int *ret_n);
const struct lag_operator *lag_operator_find(const char *name);

/* A strategy as its authors trained with it: an operator with all its rules, under one name. */
struct lag_published {
    const char *name, *title, *help, *reference;
    const char *text; /* a strategy */
};
const struct lag_published *lag_published_list(int *ret_n);
const struct lag_published *lag_published_find(const char *name); /* NULL: none */

/* Another model that a fusion takes in. */
struct lag_parent {
    char name[LAG_PARENT_NAME]; /* the checkpoint's id */
    struct lag_spec spec;       /* no part of the text: who knows the model sets it; n_layer 0: not known */
};
struct lag_strategy {
    const struct lag_operator *op;
    double params[LAG_OPERATOR_PARAMS];
    const struct lag_operator *with; /* a width operator beside a depth operator; NULL: none */
    double with_params[LAG_OPERATOR_PARAMS];
    struct lag_parent parents[LAG_FUSE_MAX]; /* of a fusion */
    int n_parents;
    enum lag_moment_rule moments;
    enum lag_lr_rule lr;
    int64_t rewarm_steps; /* for rewarm and rewarm_new; LAG_REWARM_DEFAULT until a probe is planned */
    int64_t freeze_steps; /* freeze_old: all but the new layers is frozen for so many steps; 0: nothing is;
                             LAG_FREEZE_KEEP: for good */
    uint64_t seed;
};
/* Operator's presets, or a published strategy whose name no operator has. LAG_ENOTFOUND lists both. set_param checks
 * name, range and wholeness; what depends on the depth (a block larger than the parent), lag_recipe_build finds. Errors
 * point to "/operator" or "/params/<name>". */
int lag_strategy_init(const char *name, struct lag_strategy *ret, struct lag_error *err);
int lag_strategy_set_param(struct lag_strategy *strategy, const char *name, double value, struct lag_error *err);
/* An operator of a later direction with its presets beside another, as of width beside depth ("/with"), and its
 * parameters ("/with_params/<name>"). */
int lag_strategy_set_with(struct lag_strategy *strategy, const char *name, struct lag_error *err);
int lag_strategy_set_with_param(struct lag_strategy *strategy, const char *name, double value, struct lag_error *err);
/* One model more, for a fusion, whose shape is to be set before a recipe is built. Errors point to "/parents/<i>". */
int lag_strategy_add_parent(struct lag_strategy *strategy, const char *name, struct lag_error *err);
extern const char *const lag_moment_rule_names[]; /* NULL-terminated, by value */
extern const char *const lag_lr_rule_names[];     /* the same */
int lag_moment_rule_parse(const char *name, enum lag_moment_rule *ret);
int lag_lr_rule_parse(const char *name, enum lag_lr_rule *ret);
const char *lag_moment_rule_name(enum lag_moment_rule rule);
const char *lag_lr_rule_name(enum lag_lr_rule rule);
void lag_strategy_format(const struct lag_strategy *strategy, char ret[LAG_STRATEGY_TEXT]);
/* The part of it that a person would say: operator and parameters. */
void lag_strategy_name(const struct lag_strategy *strategy, char ret[LAG_STRATEGY_TEXT]);
int lag_strategy_parse(const char *text, struct lag_strategy *ret, struct lag_error *err);
/* Whether the grown model begins with the parent's function: its operators keep it, and nothing is mixed in. */
bool lag_strategy_preserves(const struct lag_strategy *strategy);
/* LAG_EINVAL at "/freeze_old": it freezes with an operator that adds nothing, or leaves nothing as it was. At
 * "/optimizer": a learned growth inherits no moments. */
int lag_strategy_check_rules(const struct lag_strategy *strategy, struct lag_error *err);

/* is_new follows from the recipe alone: counted from the bottom, the first appearance of a parent layer whose
 * projections are not zeroed, gated or masked, and that lies between no two, is that layer itself; every other copy,
 * and every random layer, is new. So each parent layer is old exactly once, and two operators with the same sources
 * agree on what is new. */
struct lag_layer_src {
    int source;    /* parent layer, or -1: fresh random init */
    double blend;  /* share of the layer above its source: it lies between the two; 0: it is a copy */
    bool is_new;   /* a layer that the parent does not have: age 0 under reset_new, re-warmed by rewarm_new */
    bool zero_out; /* its output projections and their biases start at zero */
    bool shut;     /* its gates start at zero: the grown model is a gated one */
    bool masked;   /* what it adds to the residual stream is behind a mask at first */
    double noise;  /* new copies' matrices: W ← (1-a) W + a ε, ε ~ init rule's distribution; 0 = none */
};
struct lag_recipe {
    int n_layers; /* L' */
    struct lag_layer_src *layers;
    int64_t mask_steps; /* in which the masks of its layers go from 0 to 1 */
    struct lag_width width;
    struct lag_spec spec; /* of the grown state */
};
/* An operator is iterated until the target depth is reached; the last round copies as many layers as are missing (each
 * operator's rule is beside its constructor). `none` gives the parent's own layers for any target. A target with fewer
 * layers, or one that the operator cannot reach, is LAG_EINVAL. free with lag_recipe_deinit. */
int lag_recipe_build(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                     struct lag_recipe *ret, struct lag_error *err);
void lag_recipe_deinit(struct lag_recipe *recipe);
/* "0 1 1 2", with 'z' behind zeroed copies, 'g' behind those with shut gates, 'm' behind masked ones, 'r' for random
 * layers, and '~' behind the source of each that lies between that and the layer above. */
void lag_recipe_text(const struct lag_recipe *recipe, char *ret, size_t size);
/* A recipe of that operator as it was stored: it, not what the operator makes today, is what a candidate is. Noise is
 * the strategy's. "": none was stored, so what the operator makes. LAG_ECORRUPT: it is none of this growth, or an
 * earlier lagd cut it (at LAG_RECIPE_CUT bytes) and the operator makes another one today. */
#define LAG_RECIPE_CUT 703
int lag_recipe_restore(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                       const char *text, struct lag_recipe *ret, struct lag_error *err);
/* Share of neighbours kept: #{i : src[i+1] == src[i]+1} / (L'-1) (Du et al., arXiv 2405.15319, App. H). */
double lag_recipe_connection_rate(const struct lag_recipe *recipe);

/* The grown state: weights, moments, segments with ages, and the learning-rate rule written into segments and
 * schedule_origin. freeze_old freezes embeddings, final norm (and with the embeddings the head) and the old layers, as
 * LLaMA-Pro does; the ramp of what re-warms begins where it is released. What the parent had frozen stays so in what is
 * old, and a new layer never is. Of a strategy that learns it is the state that the learning begins with: every number
 * is a mix of the parent's, so that none has a history, is masked or frozen, and all re-warm. step is the parent's.
 * The parent is only read. A re-warm needs its length: LAG_REWARM_DEFAULT is LAG_EINVAL here (lag_probe_create sets
 * LAG_REWARM_STEPS). */
int lag_grow(const struct lag_state *parent, const struct lag_strategy *strategy, const struct lag_spec *to,
             struct lag_state **ret, struct lag_error *err);
/* The same of a fusion. others: the state of each of the strategy's parents, only read; its shape is taken from it.
 * What they bring is new: it goes on with their moments, times λ and λ², and with their ages, its ramps end as many
 * steps from here as they would there, and it is not frozen. */
int lag_grow_with(const struct lag_state *parent, const struct lag_state *const *others,
                  const struct lag_strategy *strategy, const struct lag_spec *to, struct lag_state **ret,
                  struct lag_error *err);
/* The same by a recipe that is given, of which the operator may make another one today. others may be NULL where the
 * strategy has no parents. */
int lag_grow_by(const struct lag_state *parent, const struct lag_state *const *others,
                const struct lag_strategy *strategy, const struct lag_recipe *recipe, struct lag_state **ret,
                struct lag_error *err);
/* LAG_EINVAL: the grown state would have more segments than a checkpoint keeps; the text says what leads to fewer. No
 * numbers are looked at: outlines will do (lag_state_outline), as they stand for others where that is NULL. */
int lag_grow_check_segments(const struct lag_state *parent, const struct lag_state *const *others,
                            const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                            struct lag_error *err);
/* The strategy's parents get the shapes of these states. */
void lag_strategy_know_parents(struct lag_strategy *strategy, const struct lag_state *const *others);

#define LAG_POOL_MAX 18 /* members */
/* The rules under which a pool compares its operators. */
struct lag_pool_rules {
    enum lag_moment_rule moments;
    enum lag_lr_rule lr;
    int64_t rewarm_steps, freeze_steps; /* as a strategy's */
};
struct lag_pool_member {
    struct lag_strategy strategy;
    char name[LAG_STRATEGY_TEXT]; /* as a person would say it: "midas block=1", "g_stack" */
};
/* The members of a pool by name, no two the same candidate, without `none`; returns how many in *ret_n.
 * "default": operators of the directions in which the target grows, each once under one set of rules, so that the
 * operators alone make the difference; fewer where they coincide, as in shallow parents. "depth" and "width": those of
 * one direction, beside one operator of the other where the target grows so too; "all": with the operators that the
 * default leaves out; "preserving": those of all that keep the function. "published": the published strategies that
 * reach the target; rules is not looked at. All are in the order of their prior, best first. A target that grows
 * nothing, or not as the pool does, is LAG_EINVAL, an unknown pool LAG_ENOTFOUND. */
int lag_pool_expand(const char *pool, const struct lag_pool_rules *rules, const struct lag_spec *from,
                    const struct lag_spec *to, struct lag_pool_member ret[LAG_POOL_MAX], int *ret_n,
                    struct lag_error *err);
struct lag_pool { const char *name, *help; };
extern const struct lag_pool lag_pools[]; /* name NULL ends them */
/* Two strategies are the same candidate when recipe, rules and (where randomness is used) seed are equal. Rules that
 * cannot differ on this recipe count as equal (reset_new is inherit when no copy is new; rewarm_new is continue, and
 * nothing freezes, when no layer is). */
int lag_strategy_same(const struct lag_strategy *a, const struct lag_strategy *b, const struct lag_spec *from,
                      const struct lag_spec *to, bool *ret, struct lag_error *err);

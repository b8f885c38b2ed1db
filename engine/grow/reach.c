/* What an operator can reach. Nothing is said here of any operator: each is asked for its recipe. */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <lagd/engine/reach.h>
#include <string.h>

#define ITSELF "itself" /* the name of a fusion's parent that is the model itself */

/* Whether the name is among the operator's axes. */
static bool grows_axis(const struct lag_operator *op, const char *name) {
    const size_t length = strlen(name);
    for (const char *p = op ? op->axes : ""; *p;) {
        const size_t word = strcspn(p, ",");
        if (word == length && strncmp(p, name, length) == 0) return true;
        p += word + (p[word] == ',');
    }
    return false;
}

static bool grows(const struct lag_strategy *strategy, const char *name) {
    return grows_axis(strategy->op, name) || grows_axis(strategy->with, name);
}

static int try_recipe(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                      struct lag_spec *ret_grown, struct lag_error *err) {
    struct lag_recipe recipe = {0};
    int rc = lag_spec_check(to, err);
    if (rc == 0) rc = lag_recipe_build(strategy, from, to, &recipe, err);
    if (rc) return rc;
    *ret_grown = recipe.spec;
    lag_recipe_deinit(&recipe);
    return 0;
}

/* The target in what the strategy grows, and nothing smaller than it is. */
static struct lag_spec clamp(const struct lag_strategy *strategy, const struct lag_spec *from,
                             const struct lag_spec *to) {
    struct lag_spec near = *from;
    for (int i = 0; i < LAG_N_AXES; i++) {
        const enum lag_spec_axis axis = (enum lag_spec_axis)i;
        if (grows(strategy, lag_spec_axes[i].name))
            *lag_spec_axis_of(&near, axis) = LAG_MAX(lag_spec_axis_get(from, axis), lag_spec_axis_get(to, axis));
    }
    if (grows(strategy, "head_dim")) near.head_dim = to->head_dim;
    return near;
}

/* The same with the width times k, heads as large as before. */
static struct lag_spec widen_times(const struct lag_spec *from, const struct lag_spec *near, int64_t k) {
    struct lag_spec wide = *near;
    wide.n_embd = (int)LAG_MIN(k * from->n_embd, LAG_MAX_EMBD);
    wide.n_head = (int)LAG_MIN(k * from->n_head, LAG_MAX_HEADS);
    wide.n_inner = (int)LAG_MIN(k * from->n_inner, LAG_MAX_INNER);
    wide.head_dim = from->head_dim;
    return wide;
}

static bool fuses(const struct lag_strategy *strategy) {
    return (strategy->with ? strategy->with : strategy->op)->takes_parents;
}

static bool fuses_itself(const struct lag_strategy *strategy) {
    return fuses(strategy) && (strategy->n_parents == 0 || strcmp(strategy->parents[0].name, ITSELF) == 0);
}

/* The models that could be named are not known here: a fusion of the model with itself, as often as leads to the
 * target. */
static void fuse_itself(struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to) {
    const int times = LAG_MIN(LAG_MAX(to->n_embd / from->n_embd - 1, 1), LAG_FUSE_MAX);
    if (!fuses_itself(strategy)) return;
    strategy->n_parents = 0;
    for (int i = 0; i < times && lag_strategy_add_parent(strategy, ITSELF, NULL) == 0; i++)
        strategy->parents[i].spec = *from;
}

/* The models that are named; where none is, the model itself. */
static int take_parents(struct lag_strategy *strategy, const struct lag_reach_ask *ask, struct lag_error *err) {
    if (!fuses(strategy)) return 0;
    for (int i = 0; i < ask->n_parents; i++) {
        const int rc = lag_strategy_add_parent(strategy, ask->parents[i].name, err);
        if (rc) return rc;
        strategy->parents[i].spec = ask->parents[i].spec;
    }
    fuse_itself(strategy, &ask->from, &ask->to);
    return 0;
}

/* Where models are named, the sum of their sizes is all that is within reach. */
static struct lag_spec sum_models(const struct lag_strategy *strategy, const struct lag_spec *from,
                                  const struct lag_spec *near) {
    struct lag_spec sum = *near;
    sum.n_embd = from->n_embd;
    sum.n_head = from->n_head;
    sum.n_inner = from->n_inner;
    for (int i = 0; i < strategy->n_parents; i++) {
        sum.n_embd += strategy->parents[i].spec.n_embd;
        sum.n_head += strategy->parents[i].spec.n_head;
        sum.n_inner += strategy->parents[i].spec.n_inner;
    }
    sum.head_dim = from->head_dim;
    return sum;
}

int lag_strategy_nearest(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                         struct lag_spec ret[LAG_NEAREST_MAX]) {
    const struct lag_spec near = clamp(strategy, from, to);
    const int64_t k = LAG_MAX(1, to->n_embd / from->n_embd);
    const bool named = fuses(strategy) && !fuses_itself(strategy);
    const struct lag_spec first = named ? sum_models(strategy, from, &near) : near;
    const struct lag_spec drafts[] = {first, widen_times(from, &near, k), widen_times(from, &near, k + 1)};
    const size_t n_drafts = grows(strategy, "n_embd") && !named ? LAG_COUNT(drafts) : 1;
    int n = 0;
    for (size_t i = 0; i < n_drafts; i++) {
        struct lag_spec grown;
        const unsigned ways = lag_directions_of(from, &drafts[i]);
        const bool both = strategy->with && ways & LAG_GROWS(strategy->op->grows) &&
                          ways & LAG_GROWS(strategy->with->grows);
        bool passed = lag_spec_same_shape(&drafts[i], from) || lag_spec_same_shape(&drafts[i], to);
        passed |= strategy->with && !both; /* one operator alone would do that */
        for (int j = 0; j < n; j++) passed |= lag_spec_same_shape(&drafts[i], &ret[j]);
        struct lag_strategy fitted = *strategy;
        fuse_itself(&fitted, from, &drafts[i]);
        if (!passed && try_recipe(&fitted, from, &drafts[i], &grown, NULL) == 0) ret[n++] = drafts[i];
    }
    return n;
}

/* Beside the first operator of another direction with which it does; else as it fails beside the first of them. */
static int reach_beside(const struct lag_operator *op, const struct lag_reach_ask *ask, struct lag_reach *ret) {
    const struct lag_spec *from = &ask->from, *to = &ask->to;
    int n;
    const struct lag_operator *ops = lag_operators(&n);
    bool failed = false;
    for (int i = 0; i < n && !ret->beside; i++) {
        struct lag_strategy pair;
        struct lag_error why = {0};
        const bool leads = op->grows < ops[i].grows;
        if (lag_strategy_init((leads ? op : &ops[i])->name, &pair, NULL) ||
            lag_strategy_set_with(&pair, (leads ? &ops[i] : op)->name, NULL) || take_parents(&pair, ask, NULL))
            continue;
        const int rc = try_recipe(&pair, from, to, &ret->grown, &why);
        if (rc == LAG_ENOMEM) return rc;
        if (rc == 0) ret->beside = &ops[i];
        if (rc && !failed) {
            failed = true;
            ret->why = why;
            ret->n_nearest = lag_strategy_nearest(&pair, from, to, ret->nearest);
        }
    }
    return 0;
}

int lag_operator_reach(const struct lag_operator *op, const struct lag_reach_ask *ask, struct lag_reach *ret,
                       struct lag_error *err) {
    const struct lag_spec *from = &ask->from, *to = &ask->to;
    struct lag_strategy alone;
    int rc = lag_strategy_init(op->name, &alone, err);
    if (rc == 0) rc = take_parents(&alone, ask, err);
    if (rc) return rc;
    *ret = (struct lag_reach){0};
    rc = try_recipe(&alone, from, to, &ret->grown, &ret->why);
    ret->reaches = rc == 0;
    if (rc && rc != LAG_ENOMEM) {
        ret->n_nearest = lag_strategy_nearest(&alone, from, to, ret->nearest);
        const unsigned grown = lag_directions_of(from, to); /* of two, there is a pair for each */
        if (grown & (grown - 1)) rc = reach_beside(op, ask, ret);
        ret->reaches = ret->beside != NULL;
    }
    if (rc == LAG_ENOMEM) return lag_error_set(err, rc, "out of memory for a recipe");
    if (!ret->reaches) return 0;
    ret->why = (struct lag_error){0};
    ret->n_nearest = 0;
    return 0;
}

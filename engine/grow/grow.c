/* The one routine that applies a recipe: weights, moments and segments of each tensor, then the learning-rate rule. A
 * recipe that widens maps the units of each tensor's axes (widen.c, segments.c); else tensors are copied whole.
 *
 * Copies take the moments and the age of their source, because their gradients begin close to the source's; what has no
 * history (random layers, zeroed projections, and what the moment rule resets) begins with m = v = 0 at age 0, so that
 * bias correction starts afresh there. A global step count over zeroed moments would make the first updates several
 * times too large. */
#include "grow/grow_internal.h"
#include "grow/segments_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/maps.h>
#include <stdlib.h>
#include <string.h>

struct growth {
    const struct lag_state *parent;
    const struct lag_strategy *strategy;
    const struct lag_recipe *recipe;
    struct lag_state *grown;
    const struct lag_state *models[LAG_PARENTS]; /* the parent, and those that are fused with it */
    const int *first_segment[LAG_PARENTS]; /* of each of their tensors; n_tensors + 1 entries */
    bool freezes;             /* freeze_old, and there is something new */
    struct lag_segments *segments; /* of the grown state */
};
/* Where a tensor of the grown state comes from. */
struct origin {
    int tensor;      /* of the parent, -1: none */
    bool is_new, zero, history, masked;
    double noise, blend; /* blend: share of the same tensor of the layer above */
};

static struct origin find_origin(const struct growth *growth, int tensor) {
    const struct lag_layout *layout = &growth->parent->layout;
    const struct lag_tensor *to = &growth->grown->layout.tensors[tensor];
    const enum lag_moment_rule rule = growth->strategy->moments;
    struct origin origin = {.tensor = layout->first[to->row->role], .history = rule != LAG_MOMENTS_RESET};
    if (to->layer < 0) return origin;
    const struct lag_layer_src *src = &growth->recipe->layers[to->layer];
    const bool has_none = origin.tensor < 0; /* a gate, of a parent without gates */
    origin.tensor = has_none || src->source < 0 ? -1 : origin.tensor + src->source * layout->per_layer;
    origin.is_new = src->is_new;
    origin.zero = (src->zero_out && to->row->writes_residual) || (src->shut && to->row->is_gate);
    origin.masked = src->masked && to->row->writes_residual;
    origin.noise = src->noise;
    origin.blend = src->blend;
    if (origin.tensor < 0 || origin.zero || (rule == LAG_MOMENTS_RESET_NEW && src->is_new)) origin.history = false;
    return origin;
}

/* The growth's step + 1 separates these numbers from the run's own initialisation, step 0 of the same stream. */
static void fill_random(const struct growth *growth, int tensor) {
    lag_tensor_init(&growth->grown->layout, tensor, growth->strategy->seed, (uint64_t)growth->parent->step + 1,
                    growth->grown->params);
}

/* A tensor of a model; owned is what was made for it: the mean of its layer and of the one above, by shares. */
struct lent {
    const lag_real *params;
    struct lag_moments moments;
    lag_real *owned;
};

static int lend(const struct lag_state *state, int tensor, double blend, struct lent *ret) {
    const struct lag_tensor *t = &state->layout.tensors[tensor];
    const size_t n = (size_t)t->n_rows * (size_t)t->n_cols;
    const lag_real *blocks[] = {state->params, state->m, state->v};
    *ret = (struct lent){state->params + t->offset, {state->m + t->offset, state->v + t->offset}, NULL};
    if (!(blend > 0) || t->layer + 1 >= state->layout.spec.n_layer) return 0;
    lag_real *mean = lag_calloc(3 * n, sizeof(*mean));
    if (!mean) return LAG_ENOMEM;
    const size_t above = state->layout.tensors[tensor + state->layout.per_layer].offset;
    for (size_t b = 0; b < LAG_COUNT(blocks); b++)
        for (size_t i = 0; i < n; i++) {
            const double low = (double)blocks[b][t->offset + i], high = (double)blocks[b][above + i];
            mean[b * n + i] = (lag_real)(low + blend * (high - low));
        }
    *ret = (struct lent){mean, {mean + n, mean + 2 * n}, mean};
    return 0;
}

static void grow_weights(const struct growth *growth, int tensor, const struct origin *origin, const lag_real *from) {
    const struct lag_tensor *to = &growth->grown->layout.tensors[tensor];
    const size_t n = (size_t)to->n_rows * (size_t)to->n_cols;
    lag_real *weights = growth->grown->params + to->offset;
    if (origin->zero) return; /* lag_state_create made it zero */
    if (origin->tensor < 0) {
        fill_random(growth, tensor);
        return;
    }
    if (origin->noise > 0 && (to->row->init == LAG_INIT_NORMAL || to->row->init == LAG_INIT_NORMAL_OUT)) {
        const double a = origin->noise;
        fill_random(growth, tensor);
        for (size_t i = 0; i < n; i++) weights[i] = (lag_real)((1 - a) * from[i] + a * weights[i]);
        return;
    }
    memcpy(weights, from, n * sizeof(*weights));
}

static void grow_moments(const struct growth *growth, int tensor, const struct origin *origin,
                         const struct lag_moments *from) {
    if (!origin->history) return; /* already zero */
    const struct lag_tensor *to = &growth->grown->layout.tensors[tensor];
    const size_t bytes = (size_t)to->n_rows * (size_t)to->n_cols * sizeof(lag_real);
    memcpy(growth->grown->m + to->offset, from->m, bytes);
    memcpy(growth->grown->v + to->offset, from->v, bytes);
}

/* Only what is old: a new layer trains, also where it is a copy of a frozen one. */
static void apply_freeze(const struct growth *growth, struct lag_segment *segment, bool is_new) {
    const int64_t steps = growth->strategy->freeze_steps, step = growth->parent->step;
    if (is_new) segment->frozen_until = 0;
    else if (growth->freezes)
        segment->frozen_until =
            steps == LAG_FREEZE_KEEP ? LAG_FROZEN_FOR_GOOD : LAG_MAX(segment->frozen_until, step + steps);
}

static void apply_lr_rule(const struct growth *growth, struct lag_segment *segment, bool is_new) {
    const struct lag_strategy *strategy = growth->strategy;
    switch (strategy->lr) {
    case LAG_LR_CONTINUE:
        return;
    case LAG_LR_REWARM_NEW:
        if (!is_new) return;
        break;
    case LAG_LR_REWARM:
        break;
    case LAG_LR_RESTART: /* the schedule's own warm-up takes the place of a ramp under way */
        segment->rewarm_from = segment->rewarm_steps = 0;
        return;
    }
    const bool is_released = segment->frozen_until < LAG_FROZEN_FOR_GOOD;
    segment->rewarm_from = is_released ? LAG_MAX(growth->parent->step, segment->frozen_until) : growth->parent->step;
    segment->rewarm_steps = strategy->rewarm_steps;
}

static void apply_mask(const struct growth *growth, struct lag_segment *segment, int64_t steps) {
    segment->mask_from = growth->parent->step;
    segment->mask_steps = steps;
}

/* What takes no weights from the parent is whole, and has no history. An old layer's new gate is 1 and stays so: it
 * trains as it did. */
static int add_whole(const struct growth *growth, int tensor, const struct origin *origin) {
    const struct lag_tensor *to = &growth->grown->layout.tensors[tensor];
    struct lag_segment segment = {.tensor = tensor, .row_end = to->n_rows, .col_end = to->n_cols, .lr_factor = 1,
                                  .decay_factor = 1, .eps_factor = 1};
    apply_freeze(growth, &segment, origin->is_new);
    if (!origin->is_new) segment.frozen_until = LAG_FROZEN_FOR_GOOD;
    apply_lr_rule(growth, &segment, origin->is_new);
    if (origin->masked) apply_mask(growth, &segment, growth->recipe->mask_steps);
    return lag_segment_add(growth->segments, &segment);
}

/* What lies between two layers is as old as the younger. */
static void take_younger(const struct growth *growth, const struct origin *origin, struct lag_segment *segment) {
    const int above = origin->tensor + growth->parent->layout.per_layer;
    if (!(origin->blend > 0)) return;
    for (int p = 0; p < LAG_MAX(growth->recipe->width.n_parents, 1); p++)
        for (int i = growth->first_segment[p][above]; i < growth->first_segment[p][above + 1]; i++)
            segment->age = LAG_MIN(segment->age, growth->models[p]->segments[i].age);
}

static int add_segments(const struct growth *growth, int tensor, const struct origin *origin) {
    int rc = 0;
    if (origin->tensor < 0 || origin->zero) return add_whole(growth, tensor, origin);
    const int *first = growth->first_segment[0];
    for (int i = first[origin->tensor]; rc == 0 && i < first[origin->tensor + 1]; i++) {
        struct lag_segment segment = growth->parent->segments[i];
        take_younger(growth, origin, &segment);
        if (!origin->history) segment.age = 0;
        segment.tensor = tensor;
        apply_freeze(growth, &segment, origin->is_new);
        apply_lr_rule(growth, &segment, origin->is_new);
        if (origin->masked) apply_mask(growth, &segment, growth->recipe->mask_steps);
        rc = lag_segment_add(growth->segments, &segment);
    }
    return rc;
}

/* --- in width ---------------------------------------------------------------------------------------------------- */

struct settling {
    const struct growth *growth;
    const struct origin *origin;
    int64_t mask_steps; /* of new units that write to the stream; 0: they have no mask */
};

static void settle(const void *settles, struct lag_segment *segment, bool fresh, bool is_new) {
    const struct settling *settling = settles;
    const bool resets = settling->growth->strategy->moments == LAG_MOMENTS_RESET_NEW;
    take_younger(settling->growth, settling->origin, segment);
    if (fresh || !settling->origin->history || (resets && is_new)) segment->age = 0;
    apply_freeze(settling->growth, segment, is_new || settling->origin->is_new);
    apply_lr_rule(settling->growth, segment, is_new || settling->origin->is_new);
    if (settling->origin->masked) apply_mask(settling->growth, segment, settling->growth->recipe->mask_steps);
    else if (is_new && settling->mask_steps > 0) apply_mask(settling->growth, segment, settling->mask_steps);
}

/* The tensor that copies of columns come from. */
static int tensor_above(const struct growth *growth, const struct lag_tensor *to, int tensor) {
    const struct lag_layout *layout = &growth->parent->layout;
    if (!growth->recipe->width.next_layer || to->layer < 0) return tensor;
    return tensor + layout->per_layer < layout->n_tensors - 2 ? tensor + layout->per_layer : tensor;
}

static struct lag_moments moments_of(const struct lag_state *state, int tensor) {
    const size_t at = state->layout.tensors[tensor].offset;
    return (struct lag_moments){state->m + at, state->v + at};
}

/* Of a fusion the tensor of each model, which lies at the same place; else the parent's, and the one above. */
static int list_sources(const struct growth *growth, const struct lag_tensor *to, int tensor,
                        struct lag_source ret[LAG_PARENTS]) {
    const int n = growth->recipe->width.n_parents;
    for (int p = 0; p < n; p++) ret[p] = (struct lag_source){growth->models[p], growth->first_segment[p], tensor};
    if (n > 0) return n;
    ret[0] = (struct lag_source){growth->parent, growth->first_segment[0], tensor};
    ret[1] = (struct lag_source){growth->parent, growth->first_segment[0], tensor_above(growth, to, tensor)};
    return 2;
}

static int widen(const struct growth *growth, int tensor, const struct origin *origin, const struct lag_units *rows,
                 const struct lag_units *cols) {
    const struct lag_state *parent = growth->parent;
    const struct lag_tensor *to = &growth->grown->layout.tensors[tensor];
    const bool writes = to->row->writes_residual, unit_rows = writes && to->n_rows > 1;
    const struct settling settling = {growth, origin, unit_rows ? growth->recipe->width.mask_steps : 0};
    struct lag_moments moments[LAG_PARENTS] = {0};
    struct lent lent[LAG_PARENTS] = {0};
    int rc = 0;
    struct lag_cutting cutting = {.width = &growth->recipe->width,
                                  .gain = to->row->init == LAG_INIT_ONE ? growth->recipe->width.gain : 1,
                                  .is_masked = writes, .step = parent->step, .rows = rows, .cols = cols,
                                  .settle = settle, .settles = &settling};
    struct lag_widening widening = {
        .width = &growth->recipe->width, .row = to->row, .rows = rows, .cols = cols, .mix = origin->noise,
        .spread = lag_init_spread(&growth->grown->layout, to->row->init), .seed = growth->strategy->seed,
        .step = (uint64_t)parent->step + 1, .tensor = (uint64_t)tensor};
    const int n = list_sources(growth, to, origin->tensor, cutting.sources);
    if (!growth->grown->params) return lag_segments_cut(&cutting, tensor, growth->segments);
    for (int s = 0; s < n && rc == 0; s++) {
        rc = lend(cutting.sources[s].state, cutting.sources[s].tensor, origin->blend, &lent[s]);
        widening.from[s] = lent[s].params;
        moments[s] = lent[s].moments;
    }
    if (rc == 0 && lag_widen_needs_fresh(&widening)) fill_random(growth, tensor);
    if (rc == 0) rc = lag_widen_weights(&widening, growth->grown->params + to->offset);
    struct lag_moments grown = moments_of(growth->grown, tensor);
    if (rc == 0 && origin->history)
        lag_widen_moments(&widening, moments, growth->strategy->moments == LAG_MOMENTS_RESET_NEW, &grown);
    for (int s = 0; s < n; s++) free(lent[s].owned);
    return rc ? rc : lag_segments_cut(&cutting, tensor, growth->segments);
}

static int widen_tensor(const struct growth *growth, int tensor, const struct origin *origin) {
    const struct lag_recipe *recipe = growth->recipe;
    const struct lag_param_row *row = growth->grown->layout.tensors[tensor].row;
    struct lag_units rows = {0}, cols = {0};
    int rc = lag_units_list(&recipe->width, &recipe->spec, &row->rows, &rows);
    if (rc == 0) rc = lag_units_list(&recipe->width, &recipe->spec, &row->cols, &cols);
    if (rc == 0) rc = widen(growth, tensor, origin, &rows, &cols);
    lag_units_deinit(&rows);
    lag_units_deinit(&cols);
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

static int grow_tensor(const struct growth *growth, int tensor) {
    const struct origin origin = find_origin(growth, tensor);
    if (growth->recipe->width.widens && origin.tensor >= 0 && !origin.zero)
        return widen_tensor(growth, tensor, &origin);
    if (!growth->grown->params) return add_segments(growth, tensor, &origin);
    struct lent from = {0};
    const int rc = origin.tensor < 0 ? 0 : lend(growth->parent, origin.tensor, origin.blend, &from);
    if (rc) return rc;
    grow_weights(growth, tensor, &origin, from.params);
    grow_moments(growth, tensor, &origin, &from.moments);
    free(from.owned);
    return add_segments(growth, tensor, &origin);
}

static void take_step(const struct growth *growth) {
    const struct lag_state *parent = growth->parent;
    growth->grown->step = parent->step;
    growth->grown->schedule_origin =
        growth->strategy->lr == LAG_LR_RESTART ? parent->step : parent->schedule_origin;
}

static int grow_state(const struct growth *growth, struct lag_error *err) {
    struct lag_state *grown = growth->grown;
    int rc = 0;
    for (int t = 0; t < grown->layout.n_tensors && rc == 0; t++) rc = grow_tensor(growth, t);
    if (rc) return lag_error_set(err, rc, "out of memory while growing a state");
    free(grown->segments);
    grown->segments = LAG_TAKE(growth->segments->segment);
    grown->n_segments = growth->segments->n;
    take_step(growth);
    return 0;
}

/* Of a strategy that learns: one segment a tensor, without a history. */
static int grow_learned(struct growth *growth, struct lag_error *err) {
    struct lag_state *grown = growth->grown;
    LAG_CLEANUP(lag_maps_destroy_p) struct lag_maps *maps = NULL;
    for (int i = 0; i < grown->n_segments; i++) apply_lr_rule(growth, &grown->segments[i], true);
    take_step(growth);
    const int rc =
        grown->params ? lag_maps_create(growth->parent, growth->strategy, growth->recipe, 1, &maps, err) : 0;
    if (maps) lag_maps_apply(maps, grown->params, NULL);
    return rc;
}

static int *index_segments(const struct lag_state *state) {
    int *first = lag_calloc((size_t)state->layout.n_tensors + 1, sizeof(*first));
    for (int i = 0; first && i < state->n_segments; i++) first[state->segments[i].tensor + 1]++;
    for (int t = 0; first && t < state->layout.n_tensors; t++) first[t + 1] += first[t];
    return first;
}

static bool has_new(const struct lag_recipe *recipe) {
    if (recipe->width.widens) return true;
    for (int i = 0; i < recipe->n_layers; i++)
        if (recipe->layers[i].is_new) return true;
    return false;
}

static int index_models(struct growth *growth, const struct lag_state *const *others, struct lag_error *err) {
    const int n = LAG_MAX(growth->recipe->width.n_parents, 1);
    growth->models[0] = growth->parent;
    for (int p = 1; p < n; p++) {
        growth->models[p] = others ? others[p - 1] : NULL;
        const struct lag_parent *planned = &growth->strategy->parents[p - 1];
        if (!growth->models[p] || !lag_spec_equal(&growth->models[p]->layout.spec, &planned->spec))
            return lag_error_at(err, LAG_EINVAL, "/parents", "the model of %s is another one than it was planned with",
                                planned->name);
    }
    for (int p = 0; p < n; p++) {
        growth->first_segment[p] = index_segments(growth->models[p]);
        if (!growth->first_segment[p]) return lag_error_set(err, LAG_ENOMEM, "out of memory for segments");
    }
    return 0;
}

/* Into grown, which is a state to fill or an outline. */
static int apply(const struct lag_state *parent, const struct lag_state *const *others,
                 const struct lag_strategy *strategy, const struct lag_recipe *recipe, struct lag_state *grown,
                 struct lag_error *err) {
    struct lag_segments segments = {0};
    struct growth growth = {.parent = parent, .strategy = strategy, .recipe = recipe, .grown = grown,
                            .freezes = strategy->freeze_steps != 0 && has_new(recipe), .segments = &segments};
    if (strategy->op->learns) return grow_learned(&growth, err);
    int rc = index_models(&growth, others, err);
    if (rc == 0) rc = grow_state(&growth, err);
    free(segments.segment);
    for (int p = 0; p < LAG_PARENTS; p++) free((void *)growth.first_segment[p]);
    return rc;
}

int lag_grow_by(const struct lag_state *parent, const struct lag_state *const *others,
                const struct lag_strategy *strategy, const struct lag_recipe *recipe, struct lag_state **ret,
                struct lag_error *err) {
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *grown = NULL;
    bool ramps = strategy->lr == LAG_LR_REWARM || strategy->lr == LAG_LR_REWARM_NEW;
    if (ramps && strategy->rewarm_steps < 1) {
        return lag_error_at(err, LAG_EINVAL, "/rewarm_steps", "lr=%s needs the length of its ramp: set rewarm_steps",
                            lag_lr_rule_name(strategy->lr));
    }
    int rc = lag_state_create(&recipe->spec, &grown, err);
    if (rc == 0) rc = apply(parent, others, strategy, recipe, grown, err);
    if (rc == 0) *ret = LAG_TAKE(grown);
    return rc;
}

static int count_segments(const struct lag_state *grown, struct lag_error *err) {
    static const char advice[] = "choose follow 0, an operator that copies in turn (clone_width), or a whole multiple";
    int of_tensor = 0;
    if (grown->n_segments > LAG_MAX_SEGMENTS)
        return lag_error_set(err, LAG_EINVAL, "the grown state would be divided into %d parts with histories of their "
                             "own, and a checkpoint keeps at most %d: %s", grown->n_segments, LAG_MAX_SEGMENTS, advice);
    for (int i = 0; i < grown->n_segments; i++) {
        of_tensor = i > 0 && grown->segments[i].tensor == grown->segments[i - 1].tensor ? of_tensor + 1 : 1;
        if (of_tensor <= LAG_MAX_SEGMENTS_PER_TENSOR) continue;
        char name[96];
        lag_tensor_name(&grown->layout.tensors[grown->segments[i].tensor], name);
        return lag_error_set(err, LAG_EINVAL, "%s would be divided into more than %d parts with histories of their "
                             "own: %s", name, LAG_MAX_SEGMENTS_PER_TENSOR, advice);
    }
    return 0;
}

int lag_grow_check_segments(const struct lag_state *parent, const struct lag_state *const *others,
                            const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                            struct lag_error *err) {
    LAG_CLEANUP(lag_state_destroy_p) struct lag_state *grown = NULL;
    struct lag_state *made[LAG_FUSE_MAX] = {NULL};
    int rc = lag_state_outline(&recipe->spec, &grown, err);
    for (int i = 0; i < strategy->n_parents && !others && rc == 0; i++)
        rc = lag_state_outline(&strategy->parents[i].spec, &made[i], err);
    const struct lag_state *const outlines[LAG_FUSE_MAX] = {made[0], made[1], made[2]};
    if (rc == 0) rc = apply(parent, others ? others : outlines, strategy, recipe, grown, err);
    if (rc == 0) rc = count_segments(grown, err);
    for (int i = 0; i < LAG_FUSE_MAX; i++) lag_state_destroy(made[i]);
    return rc;
}

void lag_strategy_know_parents(struct lag_strategy *strategy, const struct lag_state *const *others) {
    for (int i = 0; i < strategy->n_parents && others; i++) strategy->parents[i].spec = others[i]->layout.spec;
}

int lag_grow_with(const struct lag_state *parent, const struct lag_state *const *others,
                  const struct lag_strategy *strategy, const struct lag_spec *to, struct lag_state **ret,
                  struct lag_error *err) {
    LAG_CLEANUP(lag_recipe_deinit) struct lag_recipe recipe = {0};
    struct lag_strategy known = *strategy;
    lag_strategy_know_parents(&known, others);
    int rc = lag_recipe_build(&known, &parent->layout.spec, to, &recipe, err);
    return rc ? rc : lag_grow_by(parent, others, &known, &recipe, ret, err);
}

int lag_grow(const struct lag_state *parent, const struct lag_strategy *strategy, const struct lag_spec *to,
             struct lag_state **ret, struct lag_error *err) {
    return lag_grow_with(parent, NULL, strategy, to, ret, err);
}

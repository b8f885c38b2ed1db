/* Recipes: built by the operator's constructor, then marked (what is new, where noise goes). */
#include "grow/grow_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <stdio.h>

/* Of c layers between the same two, the k-th lies at k / (c + 1) of the way. */
static void place_between(struct lag_draft *draft) {
    for (int i = 0, c; i < draft->n; i += c) {
        const struct lag_layer_src *first = &draft->layers[i];
        for (c = 1; first->blend > 0 && i + c < draft->n; c++)
            if (!(first[c].blend > 0) || first[c].source != first->source) break;
        for (int k = 0; first->blend > 0 && k < c; k++) draft->layers[i + k].blend = (k + 1.0) / (c + 1);
    }
}

/* The first un-zeroed appearance of a parent layer, from the bottom, is that layer; all else is new (see grow.h). */
static void mark_new(struct lag_draft *draft, bool *seen, double noise) {
    for (int i = 0; i < draft->n; i++) {
        struct lag_layer_src *layer = &draft->layers[i];
        layer->is_new = layer->source < 0 || layer->zero_out || layer->shut || layer->masked || layer->blend > 0 ||
                        seen[layer->source];
        if (!layer->is_new) seen[layer->source] = true;
        layer->noise = layer->is_new && layer->source >= 0 ? noise : 0;
    }
}

/* What grows an axis; what brings others with it comes first. */
static const struct { enum lag_spec_axis axis; enum lag_direction direction; } axes[LAG_N_AXES] = {
    {LAG_AXIS_N_LAYER, LAG_GROWS_DEPTH},       {LAG_AXIS_N_EMBD, LAG_GROWS_WIDTH},
    {LAG_AXIS_N_HEAD, LAG_GROWS_WIDTH},        {LAG_AXIS_N_INNER, LAG_GROWS_WIDTH},
    {LAG_AXIS_N_POSITIONS, LAG_GROWS_CONTEXT}, {LAG_AXIS_VOCAB_SIZE, LAG_GROWS_VOCAB},
};

unsigned lag_directions_of(const struct lag_spec *from, const struct lag_spec *to) {
    unsigned grown = lag_spec_head_dim(from) != lag_spec_head_dim(to) ? LAG_GROWS(LAG_GROWS_WIDTH) : 0;
    for (size_t i = 0; i < LAG_COUNT(axes); i++)
        if (lag_spec_axis_get(from, axes[i].axis) != lag_spec_axis_get(to, axes[i].axis))
            grown |= LAG_GROWS(axes[i].direction);
    return grown;
}

bool lag_width_differs(const struct lag_spec *a, const struct lag_spec *b) {
    return lag_directions_of(a, b) & LAG_GROWS(LAG_GROWS_WIDTH);
}

static int direction_error(const char *what, unsigned grown, const char *name, double from, double to,
                           struct lag_error *err) {
    char pointer[64], words[80] = "";
    for (int d = 0, used = 0; d < LAG_N_DIRECTIONS; d++)
        if (grown & LAG_GROWS(d))
            used += snprintf(words + used, sizeof(words) - (size_t)used, "%s%s", used ? " and " : "",
                             lag_direction_names[d]);
    snprintf(pointer, sizeof(pointer), "/target/%s", name);
    return lag_error_at(err, LAG_EINVAL, pointer, "%s grows %s only: %s would change from %g to %g", what, words, name,
                        from, to);
}

int lag_directions_check(const struct lag_spec *from, const struct lag_spec *to, unsigned grown, const char *what,
                         struct lag_error *err) {
    for (size_t i = 0; i < LAG_COUNT(axes); i++) {
        const enum lag_spec_axis axis = axes[i].axis;
        const int before = lag_spec_axis_get(from, axis), after = lag_spec_axis_get(to, axis);
        if (before == after || grown & LAG_GROWS(axes[i].direction)) continue;
        return direction_error(what, grown, lag_spec_axes[axis].name, before, after, err);
    }
    const int before = lag_spec_head_dim(from), after = lag_spec_head_dim(to);
    if (!(grown & LAG_GROWS(LAG_GROWS_WIDTH)) && before != after)
        return direction_error(what, grown, "head_dim", before, after, err);
    if (from->norm_eps != to->norm_eps)
        return direction_error(what, grown, "norm_eps", from->norm_eps, to->norm_eps, err);
    if (from->arch == to->arch) return 0;
    return lag_error_at(err, LAG_EINVAL, "/target/arch", "%s keeps the architecture: it would change from %s to %s",
                        what, lag_arch_name(from->arch), lag_arch_name(to->arch));
}

static int check_target(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                        struct lag_error *err) {
    if (to->n_layer < from->n_layer) {
        return lag_error_at(err, LAG_EINVAL, "/target/n_layer",
                            "the model has %d layers already: a growth to %d layers would shrink it", from->n_layer,
                            to->n_layer);
    }
    if (to->n_layer > LAG_MAX_LAYERS) {
        return lag_error_at(err, LAG_EINVAL, "/target/n_layer", "%d layers are too many: at most %d", to->n_layer,
                            LAG_MAX_LAYERS);
    }
    if (lag_op_index(strategy->op) == LAG_OP_NONE) return 0;
    char what[96];
    snprintf(what, sizeof(what), "operator %s%s%s", strategy->op->name, strategy->with ? " with " : "",
             strategy->with ? strategy->with->name : "");
    const unsigned grown = LAG_GROWS(strategy->op->grows) | (strategy->with ? LAG_GROWS(strategy->with->grows) : 0);
    return lag_directions_check(from, to, grown, what, err);
}

/* Of width first, on which a map of vocabulary or context is laid. */
static int map_direction(const struct lag_strategy *strategy, const struct lag_operator *op, const double *params,
                         const struct lag_spec *from, const struct lag_spec *to, struct lag_width *width,
                         struct lag_error *err) {
    if (!op || op->grows < LAG_GROWS_WIDTH) return 0;
    if (op->grows > LAG_GROWS_WIDTH) return lag_ends_build(op, params, from, to, width, err);
    if (op->takes_parents) return lag_fuse_build(strategy, params, from, to, width, err);
    return lag_width_differs(from, to) ? lag_width_build(op, params, strategy->seed, from, to, width, err) : 0;
}

/* Of the grown state: its shape, and the maps of what widens. */
static int shape_recipe(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                        struct lag_recipe *recipe, struct lag_error *err) {
    struct lag_width *width = &recipe->width;
    *width = (struct lag_width){.gain = 1, .norm_eps = from->norm_eps};
    int rc = map_direction(strategy, strategy->op, strategy->params, from, to, width, err);
    if (rc == 0) rc = map_direction(strategy, strategy->with, strategy->with_params, from, to, width, err);
    recipe->spec = *from;
    if (rc == 0 && width->widens) recipe->spec = *to;
    recipe->spec.n_layer = recipe->n_layers;
    recipe->spec.norm_eps = width->norm_eps;
    recipe->spec.gated = from->gated;
    for (int i = 0; i < recipe->n_layers; i++) recipe->spec.gated |= recipe->layers[i].shut;
    if (rc) lag_width_deinit(width);
    return rc;
}

int lag_recipe_make(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                    lag_fill_fn *fill, const char *text, struct lag_recipe *ret, struct lag_error *err) {
    const int n_layer = from->n_layer;
    LAG_ASSERT(n_layer >= 1);
    int rc = check_target(strategy, from, to, err);
    if (rc) return rc;
    enum lag_op op = lag_op_index(strategy->op);
    struct lag_draft draft = {.n = n_layer, .n_parent = n_layer, .target = op == LAG_OP_NONE ? n_layer : to->n_layer};
    LAG_CLEANUP(lag_free_p) bool *seen = lag_calloc((size_t)n_layer, sizeof(*seen));
    LAG_CLEANUP(lag_free_p) struct lag_layer_src *layers = lag_calloc((size_t)draft.target, sizeof(*layers));
    if (!seen || !layers)
        return lag_error_set(err, LAG_ENOMEM, "out of memory for a recipe of %d layers", draft.target);
    draft.layers = layers;
    for (int i = 0; i < n_layer; i++) layers[i].source = i;
    rc = fill(&draft, strategy, text, err);
    if (rc) return rc;
    LAG_ASSERT(draft.n == draft.target);
    place_between(&draft);
    mark_new(&draft, seen, lag_strategy_param(strategy, "noise"));
    struct lag_recipe recipe = {.n_layers = draft.n, .layers = layers,
                                .mask_steps = (int64_t)lag_strategy_param(strategy, "ramp_steps")};
    rc = shape_recipe(strategy, from, to, &recipe, err);
    if (rc) return rc;
    recipe.layers = LAG_TAKE(layers);
    *ret = recipe;
    return 0;
}

static int fill_by_operator(struct lag_draft *draft, const struct lag_strategy *strategy, const char *text,
                            struct lag_error *err) {
    (void)text;
    return lag_constructors[lag_op_index(strategy->op)](draft, strategy, err);
}

int lag_recipe_build(const struct lag_strategy *strategy, const struct lag_spec *from, const struct lag_spec *to,
                     struct lag_recipe *ret, struct lag_error *err) {
    return lag_recipe_make(strategy, from, to, fill_by_operator, NULL, ret, err);
}

void lag_recipe_deinit(struct lag_recipe *recipe) {
    free(recipe->layers);
    lag_width_deinit(&recipe->width);
    *recipe = (struct lag_recipe){0};
}

void lag_recipe_text(const struct lag_recipe *recipe, char *ret, size_t size) {
    size_t used = 0;
    if (size > 0) ret[0] = '\0';
    for (int i = 0; i < recipe->n_layers && used < size; i++) {
        const struct lag_layer_src *layer = &recipe->layers[i];
        char source[16] = "r";
        if (layer->source >= 0) snprintf(source, sizeof(source), "%d", layer->source);
        int n = snprintf(ret + used, size - used, "%s%s%s", i ? " " : "", source,
                         layer->blend > 0 ? "~" : layer->zero_out ? "z" : layer->shut ? "g" : layer->masked ? "m" : "");
        used += n < 0 ? 0 : (size_t)n;
    }
}

double lag_recipe_connection_rate(const struct lag_recipe *recipe) {
    int kept = 0;
    if (recipe->n_layers < 2) return 1;
    for (int i = 0; i + 1 < recipe->n_layers; i++) {
        int below = recipe->layers[i].source, above = recipe->layers[i + 1].source;
        const bool between = recipe->layers[i].blend > 0 || recipe->layers[i + 1].blend > 0;
        if (below >= 0 && above == below + 1 && !between) kept++;
    }
    return (double)kept / (recipe->n_layers - 1);
}

/* Learned maps: which numbers there are, how they begin, and how they are updated. */
#include "grow/maps_internal.h"
#include "grow/grow_internal.h"
#include "grow/widen_internal.h"
#include "kernels/vec_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct lag_map_row lag_map_rows[LAG_N_MAPS] = {
    [LAG_MAP_RESIDUAL] = {{LAG_SPACE_ONE, LAG_SPACE_RESIDUAL}, false},
    [LAG_MAP_NORMED] = {{LAG_SPACE_ONE, LAG_SPACE_NORMED}, false},
    [LAG_MAP_FINAL] = {{LAG_SPACE_ONE, LAG_SPACE_FINAL}, false},
    [LAG_MAP_QUERY] = {{LAG_SPACE_HEADS, LAG_SPACE_QUERY}, true},
    [LAG_MAP_KEY] = {{LAG_SPACE_HEADS, LAG_SPACE_KEY}, true},
    [LAG_MAP_VALUE] = {{LAG_SPACE_HEADS, LAG_SPACE_VALUE}, true},
    [LAG_MAP_FFN] = {{LAG_SPACE_ONE, LAG_SPACE_FFN}, true},
    [LAG_MAP_NORMED_READ] = {{LAG_SPACE_ONE, LAG_SPACE_NORMED}, false},
    [LAG_MAP_VALUE_READ] = {{LAG_SPACE_HEADS, LAG_SPACE_VALUE}, true},
    [LAG_MAP_FFN_READ] = {{LAG_SPACE_ONE, LAG_SPACE_FFN}, true},
};

static const struct lag_operator *learner(const struct lag_strategy *strategy, enum lag_direction direction,
                                          const double **ret_params) {
    const struct lag_operator *ops[] = {strategy->op, strategy->with};
    const double *params[] = {strategy->params, strategy->with_params};
    for (size_t i = 0; i < LAG_COUNT(ops); i++) {
        if (!ops[i] || !ops[i]->learns || ops[i]->grows != direction) continue;
        *ret_params = params[i];
        return ops[i];
    }
    return NULL;
}

static double learner_value(const struct lag_strategy *strategy, enum lag_direction direction, const char *name) {
    const double *params = NULL;
    const struct lag_operator *op = learner(strategy, direction, &params);
    return op ? lag_operator_value(op, params, name) : 0;
}

int64_t lag_strategy_learn_steps(const struct lag_strategy *strategy) {
    return (int64_t)fmax(learner_value(strategy, LAG_GROWS_DEPTH, "steps"),
                         learner_value(strategy, LAG_GROWS_WIDTH, "steps"));
}

/* --- which there are --------------------------------------------------------------------------------------------- */

const struct lag_map *lag_map_find(const struct lag_map_plan *plan, struct lag_axis_part part, bool reads) {
    for (int i = reads ? LAG_MAP_READS : 0; i < (reads ? LAG_N_MAPS : LAG_MAP_READS); i++)
        if (lag_map_rows[i].part.outer == part.outer && lag_map_rows[i].part.inner == part.inner)
            return plan->maps[i].n ? &plan->maps[i] : NULL;
    return NULL;
}

static void plan_width(const struct lag_recipe *recipe, const struct lag_spec *from, struct lag_map_plan *plan) {
    for (int i = 0; i < LAG_N_MAPS; i++) {
        const struct lag_axis_part part = lag_map_rows[i].part;
        if (!recipe->width.maps[part.outer].units && !recipe->width.maps[part.inner].units) continue;
        struct lag_map *map = &plan->maps[i];
        map->n = lag_space_size(&recipe->spec, part.outer) * lag_space_size(&recipe->spec, part.inner);
        map->n_from = lag_space_size(from, part.outer) * lag_space_size(from, part.inner);
        map->at = plan->n;
        const size_t n = (size_t)map->n * (size_t)map->n_from;
        map->stride = lag_map_rows[i].per_layer ? n : 0;
        plan->n += n * (size_t)(lag_map_rows[i].per_layer ? plan->n_from : 1);
    }
}

int lag_map_plan_make(const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                      const struct lag_spec *from, const struct lag_layout *to, struct lag_map_plan *ret) {
    const double *unused;
    struct lag_map_plan plan = {.learns_depth = learner(strategy, LAG_GROWS_DEPTH, &unused) != NULL,
                                .learns_width = recipe->width.widens, .n_layers = recipe->n_layers,
                                .n_from = from->n_layer};
    LAG_CLEANUP(lag_layout_deinit) struct lag_layout before = {0};
    const int rc = lag_layout_create(from, &before, NULL);
    if (rc) return rc;
    for (int t = 0; t < to->n_tensors; t++) {
        const struct lag_tensor *tensor = &to->tensors[t];
        const size_t n_cols_from = (size_t)before.tensors[before.first[tensor->row->role]].n_cols;
        const size_t n = (size_t)tensor->n_rows * (size_t)tensor->n_cols;
        if (tensor->layer > 0) continue;
        plan.n_grown = LAG_MAX(plan.n_grown, n);
        plan.n_half = LAG_MAX(plan.n_half, (size_t)tensor->n_rows * n_cols_from);
        if (tensor->layer < 0 || !plan.learns_depth) continue;
        plan.depth_at[tensor->row->role] = plan.n;
        plan.n += (size_t)plan.n_layers * (size_t)plan.n_from;
    }
    plan.n_tiles = (plan.n_grown + LAG_MIX_ELEMENTS - 1) / LAG_MIX_ELEMENTS;
    plan.n_depth = plan.n;
    if (plan.learns_width) plan_width(recipe, from, &plan);
    *ret = plan;
    return 0;
}

/* --- how they begin ---------------------------------------------------------------------------------------------- */

struct jitter {
    uint64_t seed, step;
    double share;
};

/* Mixes a share of a row that is drawn evenly, with the sum times, into it. map: none has the numbers of another. Of
 * one block of random bits come four numbers. */
static void mix_in(const struct jitter *jitter, size_t map, size_t row, double times, int n, lag_real *values) {
    const uint64_t stream = UINT64_C(0x10000) + map; /* apart from all tensors */
    const uint64_t first = row * (((size_t)n + 3) / 4);
    struct lag_rng_block block = {{0}};
    double sum = 0;
    if (!(jitter->share > 0)) return;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            if (i % 4 == 0)
                block = lag_rng(jitter->seed, LAG_RNG_GROWTH, jitter->step, stream << 40 | (first + (uint64_t)i / 4));
            const double u = ((double)block.word[i % 4] + 0.5) * 0x1p-32;
            if (pass == 0) sum += u;
            else values[i] = (lag_real)((1 - jitter->share) * (double)values[i] + jitter->share * times * u / sum);
        }
}

static void begin_depth(struct lag_maps *maps, const struct lag_recipe *recipe, const struct jitter *jitter) {
    const struct lag_map_plan *plan = &maps->plan;
    const size_t n = (size_t)plan->n_from;
    for (size_t row = 0; row < plan->n_depth / n; row++) {
        lag_real *w = maps->values + row * n;
        w[recipe->layers[row % (size_t)plan->n_layers].source] = 1;
        if (recipe->layers[row % (size_t)plan->n_layers].is_new) mix_in(jitter, LAG_N_MAPS, row, 1, (int)n, w);
    }
}

/* A unit's row: its copy's, or where it is none the mean of what is written, of which LayerNorm makes zero. */
static void begin_unit(const struct lag_axis_unit *unit, bool reads, bool is_final, int n_from, lag_real *row) {
    if (unit->source >= 0) row[unit->source] = (lag_real)(reads ? unit->read : unit->write);
    for (int i = 0; i < n_from && unit->source < 0 && !reads && !is_final; i++) row[i] = (lag_real)(1.0 / n_from);
}

static int begin_map(struct lag_maps *maps, const struct lag_recipe *recipe, const struct jitter *jitter, int kind) {
    const struct lag_map *map = &maps->plan.maps[kind];
    const bool reads = kind >= LAG_MAP_READS;
    const int n_layers = map->stride ? maps->plan.n_from : 1;
    const struct lag_axis axis = {1, {lag_map_rows[kind].part}};
    struct lag_units units = {0};
    if (map->n == 0) return 0;
    const int rc = lag_units_list(&recipe->width, &recipe->spec, &axis, &units);
    for (int layer = 0; layer < n_layers && rc == 0; layer++)
        for (int i = 0; i < map->n; i++) {
            const struct lag_axis_unit *unit = &units.unit[i];
            lag_real *row = lag_map_at(map, maps->values, layer) + (size_t)i * (size_t)map->n_from;
            begin_unit(unit, reads, kind == LAG_MAP_FINAL, map->n_from, row);
            if (unit->is_new)
                mix_in(jitter, (size_t)kind, (size_t)layer * (size_t)map->n + (size_t)i,
                       reads ? unit->read : unit->source < 0 ? 1 : unit->write, map->n_from, row);
        }
    lag_units_deinit(&units);
    return rc;
}

int lag_maps_begin(struct lag_maps *maps, const struct lag_strategy *strategy, const struct lag_recipe *recipe) {
    struct jitter jitter = {strategy->seed, (uint64_t)maps->parent->step + 1,
                            learner_value(strategy, LAG_GROWS_DEPTH, "jitter")};
    int rc = 0;
    if (maps->plan.learns_depth) begin_depth(maps, recipe, &jitter);
    jitter.share = learner_value(strategy, LAG_GROWS_WIDTH, "jitter");
    for (int kind = 0; kind < LAG_N_MAPS && rc == 0; kind++) rc = begin_map(maps, recipe, &jitter, kind);
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

/* Weights as they are seen at the parent's step: masks are factors of what writes to the stream. */
static int fold(struct lag_maps *maps) {
    const struct lag_state *parent = maps->parent;
    maps->from = parent->params;
    if (!lag_state_is_masked(parent)) return 0;
    maps->folded = lag_calloc(parent->layout.n_elements, sizeof(*maps->folded));
    if (!maps->folded) return LAG_ENOMEM;
    memcpy(maps->folded, parent->params, parent->layout.n_elements * sizeof(*maps->folded));
    for (int i = 0; i < parent->n_segments; i++) {
        const struct lag_segment *s = &parent->segments[i];
        const struct lag_tensor *tensor = &parent->layout.tensors[s->tensor];
        const lag_real factor = (lag_real)lag_mask_factor(s, parent->step);
        for (int row = s->row_begin; row < s->row_end && factor < 1; row++)
            for (int col = s->col_begin; col < s->col_end; col++)
                maps->folded[tensor->offset + (size_t)row * (size_t)tensor->n_cols + (size_t)col] *= factor;
    }
    maps->from = maps->folded;
    return 0;
}

static int allocate(struct lag_maps *maps, int n_members) {
    const struct lag_map_plan *plan = &maps->plan;
    maps->values = lag_calloc(4 * plan->n, sizeof(*maps->values));
    maps->grown = lag_calloc(2 * plan->n_grown, sizeof(*maps->grown));
    maps->half = lag_calloc(2 * plan->n_half, sizeof(*maps->half));
    maps->dots = lag_calloc(plan->n_tiles * (size_t)plan->n_layers, sizeof(*maps->dots));
    maps->pack_bytes = (size_t)n_members * LAG_PACK_ELEMENTS * sizeof(*maps->pack);
    maps->pack = lag_block_alloc(maps->pack_bytes);
    if (!maps->values || !maps->grown || !maps->half || !maps->dots || !maps->pack) return LAG_ENOMEM;
    maps->grads = maps->values + plan->n;
    maps->m = maps->grads + plan->n;
    maps->v = maps->m + plan->n;
    maps->grown_grads = maps->grown + plan->n_grown;
    maps->half_grads = maps->half + plan->n_half;
    return 0;
}

int lag_maps_create(const struct lag_state *parent, const struct lag_strategy *strategy,
                    const struct lag_recipe *recipe, int n_members, struct lag_maps **ret, struct lag_error *err) {
    static const enum lag_direction directions[] = {LAG_GROWS_DEPTH, LAG_GROWS_WIDTH};
    LAG_CLEANUP(lag_maps_destroy_p) struct lag_maps *maps = lag_calloc(1, sizeof(*maps));
    LAG_ASSERT(lag_strategy_learn_steps(strategy) > 0);
    if (!maps) return lag_error_set(err, LAG_ENOMEM, "out of memory for learned maps");
    maps->parent = parent;
    maps->gain = recipe->width.gain;
    for (size_t i = 0; i < LAG_COUNT(directions); i++) {
        maps->rate[i] = learner_value(strategy, directions[i], "rate");
        maps->steps[i] = (int64_t)learner_value(strategy, directions[i], "steps");
    }
    int rc = lag_layout_create(&recipe->spec, &maps->to, err);
    if (rc) return rc;
    rc = lag_map_plan_make(strategy, recipe, &parent->layout.spec, &maps->to, &maps->plan);
    if (rc == 0) rc = allocate(maps, n_members);
    if (rc == 0) rc = fold(maps);
    if (rc == 0) rc = lag_maps_begin(maps, strategy, recipe);
    if (rc) return lag_error_set(err, rc, "out of memory for learned maps");
    *ret = LAG_TAKE(maps);
    return 0;
}

void lag_maps_destroy(struct lag_maps *maps) {
    if (!maps) return;
    lag_layout_deinit(&maps->to);
    free(maps->values);
    free(maps->grown);
    free(maps->half);
    free(maps->dots);
    free(maps->folded);
    lag_block_free(maps->pack, maps->pack_bytes);
    free(maps);
}

static void update(struct lag_maps *maps, size_t begin, size_t end, const struct lag_optim *optim, double rate) {
    const double t = (double)maps->n_updates + 1;
    const struct lag_adamw_factors f = {.grad_scale = 1,
                                        .beta1 = (lag_real)optim->beta1,
                                        .beta2 = (lag_real)optim->beta2,
                                        .one_minus_beta1 = (lag_real)(1 - optim->beta1),
                                        .one_minus_beta2 = (lag_real)(1 - optim->beta2),
                                        .keep = 1,
                                        .step_size = (lag_real)(rate / (1 - pow(optim->beta1, t))),
                                        .root_bc2 = (lag_real)sqrt(1 - pow(optim->beta2, t)),
                                        .eps = (lag_real)optim->eps};
    lag_vec()->adamw(end - begin, &f, maps->grads + begin, maps->values + begin, maps->m + begin, maps->v + begin);
}

void lag_maps_update(struct lag_maps *maps, const struct lag_optim *optim) {
    const size_t begin[] = {0, maps->plan.n_depth, maps->plan.n};
    for (int i = 0; i < 2; i++)
        if (maps->n_updates < maps->steps[i]) update(maps, begin[i], begin[i + 1], optim, maps->rate[i]);
    maps->n_updates++;
}

size_t lag_maps_count(const struct lag_maps *maps) { return maps->plan.n; }
lag_real *lag_maps_values(struct lag_maps *maps) { return maps->values; }
const lag_real *lag_maps_grads(const struct lag_maps *maps) { return maps->grads; }

/* Learned maps, forward and backward: T_j = g R W_j Cᵀ of each layer j of the parent, and W'_l = Σ_j w_lj T_j.
 *
 * With G_l = dL/dW'_l and D_j = Σ_l w_lj G_l: dw_lj = <G_l, T_j>, and with P = R W_j: dC = g Dᵀ P, dP = g D C,
 * dR = dP W_jᵀ. P and T are made again, layer by layer, so that scratch is of one tensor. Shapes: W [r][c], R [r'][r],
 * C [c'][c], P [r'][c], T and D [r'][c']. */
#include "grow/maps_internal.h"
#include "kernels/vec_internal.h"
#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <math.h>
#include <string.h>

enum { TILE_LOW = 64, TILE_ROWS = 256, TILE_COLS = 512 };

/* A tensor between the two models, of one layer of the parent. */
struct link {
    struct lag_maps *maps;
    struct lag_team *team;
    const struct lag_param_row *row;
    int layer;           /* of the parent; -1: none */
    const lag_real *from; /* W */
    int n_rows_from, n_cols_from, n_rows, n_cols;
    const struct lag_map *read; /* R; NULL: the identity */
    double gain;
};

/* c[m][n] = a[m][k] b[k][n] + beta c. */
static void multiply(const struct link *link, int m, int n, int k, struct lag_matrix a, struct lag_matrix b,
                     double beta, lag_real *c, int c_stride) {
    struct lag_gemm_job job = {.precision = LAG_FP32, .m = m, .n = n, .k = k, .alpha = 1, .beta = (lag_real)beta,
                               .a = a, .b = b, .c = c, .c_stride = c_stride,
                               .tile_rows = lag_tile_edge(m, TILE_LOW, TILE_ROWS),
                               .tile_cols = lag_tile_edge(n, TILE_LOW, TILE_COLS), .pack = link->maps->pack};
    struct lag_region region = {0};
    lag_region_add(&region, lag_gemm_job_tile, &job, lag_gemm_job_tiles(&job));
    lag_region_run(&region, link->team);
}

static struct link link_of(struct lag_maps *maps, const struct lag_tensor *to, int layer, struct lag_team *team) {
    const struct lag_layout *before = &maps->parent->layout;
    const struct lag_tensor *from = lag_layout_tensor(before, to->row->role, layer);
    return (struct link){.maps = maps, .team = team, .row = to->row, .layer = layer,
                         .from = maps->from + from->offset, .n_rows_from = from->n_rows, .n_cols_from = from->n_cols,
                         .n_rows = to->n_rows, .n_cols = to->n_cols,
                         .read = lag_map_find(&maps->plan, to->row->rows.parts[0], true),
                         .gain = to->row->init == LAG_INIT_ONE ? maps->gain : 1};
}

/* A part of the columns, where it lies before and after. */
struct part {
    const struct lag_map *write; /* C; NULL: the identity */
    int at_from, n_from, at, n;
};

static int list_parts(const struct link *link, struct part ret[LAG_AXIS_PARTS]) {
    const struct lag_spec *before = &link->maps->parent->layout.spec, *after = &link->maps->to.spec;
    int at_from = 0, at = 0;
    for (int p = 0; p < link->row->cols.n_parts; p++) {
        const struct lag_axis_part part = link->row->cols.parts[p];
        ret[p] = (struct part){.write = lag_map_find(&link->maps->plan, part, false), .at_from = at_from, .at = at,
                               .n_from = lag_space_size(before, part.outer) * lag_space_size(before, part.inner),
                               .n = lag_space_size(after, part.outer) * lag_space_size(after, part.inner)};
        at_from += ret[p].n_from;
        at += ret[p].n;
    }
    return link->row->cols.n_parts;
}

static void copy_columns(int n_rows, int n, const lag_real *from, int from_stride, lag_real *to, int to_stride) {
    for (int r = 0; r < n_rows; r++)
        memcpy(to + (size_t)r * (size_t)to_stride, from + (size_t)r * (size_t)from_stride, (size_t)n * sizeof(*to));
}

/* P = R W, in scratch, or W itself. */
static const lag_real *read_units(const struct link *link) {
    struct lag_maps *maps = link->maps;
    if (!link->read) return link->from;
    multiply(link, link->n_rows, link->n_cols_from, link->n_rows_from,
             (struct lag_matrix){lag_map_at(link->read, maps->values, link->layer), link->n_rows_from, false},
             (struct lag_matrix){link->from, link->n_cols_from, false}, 0, maps->half, link->n_cols_from);
    return maps->half;
}

/* T = g P Cᵀ, part by part. */
static void write_units(const struct link *link, const lag_real *half, lag_real *grown) {
    struct part parts[LAG_AXIS_PARTS];
    const int n = list_parts(link, parts);
    for (int p = 0; p < n; p++) {
        const struct part *part = &parts[p];
        if (!part->write) {
            copy_columns(link->n_rows, part->n, half + part->at_from, link->n_cols_from, grown + part->at,
                         link->n_cols);
            continue;
        }
        multiply(link, link->n_rows, part->n, part->n_from,
                 (struct lag_matrix){half + part->at_from, link->n_cols_from, false},
                 (struct lag_matrix){lag_map_at(part->write, link->maps->values, link->layer), part->n_from, true}, 0,
                 grown + part->at, link->n_cols);
    }
    if (link->gain != 1)
        lag_vec()->scale((size_t)link->n_rows * (size_t)link->n_cols, (lag_real)link->gain, grown);
}

/* The gradient of a link's maps from D, which is scaled by the gain. */
static void unlink_units(const struct link *link, const lag_real *half, lag_real *grads) {
    struct lag_maps *maps = link->maps;
    struct part parts[LAG_AXIS_PARTS];
    const int n = list_parts(link, parts);
    if (link->gain != 1)
        lag_vec()->scale((size_t)link->n_rows * (size_t)link->n_cols, (lag_real)link->gain, grads);
    for (int p = 0; p < n; p++) {
        const struct part *part = &parts[p];
        const struct lag_matrix d = {grads + part->at, link->n_cols, false};
        struct lag_matrix turned = d;
        turned.transposed = true;
        if (part->write)
            multiply(link, part->n, part->n_from, link->n_rows, turned,
                     (struct lag_matrix){half + part->at_from, link->n_cols_from, false}, 1,
                     lag_map_at(part->write, maps->grads, link->layer), part->n_from);
        if (!link->read) continue;
        if (!part->write)
            copy_columns(link->n_rows, part->n, d.data, d.stride, maps->half_grads + part->at_from, link->n_cols_from);
        else
            multiply(link, link->n_rows, part->n_from, part->n, d,
                     (struct lag_matrix){lag_map_at(part->write, maps->values, link->layer), part->n_from, false}, 0,
                     maps->half_grads + part->at_from, link->n_cols_from);
    }
    if (link->read)
        multiply(link, link->n_rows, link->n_rows_from, link->n_cols_from,
                 (struct lag_matrix){maps->half_grads, link->n_cols_from, false},
                 (struct lag_matrix){link->from, link->n_cols_from, true}, 1,
                 lag_map_at(link->read, maps->grads, link->layer), link->n_rows_from);
}

/* --- layers are mixed -------------------------------------------------------------------------------------------- */

/* A kind of tensor, with one layer j of the parent. */
struct mix {
    const struct lag_maps *maps;
    const struct lag_tensor *first; /* of grown layer 0 */
    int source;
    const lag_real *mapped;         /* T_j */
    lag_real *grown;                /* forward: the grown model's weights, added to */
    const lag_real *grads;          /* backward: their gradients; and … */
    lag_real *sum;                  /* … D_j, made of them; NULL: not needed */
    double *dots;                   /* [tile][L'] <G_l, T_j>; NULL: not needed */
    size_t n;                       /* elements of the tensor */
};

static double weight(const struct mix *mix, int layer) {
    const struct lag_map_plan *plan = &mix->maps->plan;
    if (!plan->learns_depth) return layer == mix->source;
    return (double)mix->maps->values[plan->depth_at[mix->first->row->role] +
                                     (size_t)layer * (size_t)plan->n_from + (size_t)mix->source];
}

static size_t offset(const struct mix *mix, int layer) {
    return (mix->first + (ptrdiff_t)layer * mix->maps->to.per_layer)->offset;
}

static void add(size_t n, double factor, const lag_real *from, lag_real *to) {
    const lag_real w = (lag_real)factor;
    for (size_t i = 0; i < n; i++) to[i] += w * from[i];
}

static void mix_tile(void *arg, int tile, int member) {
    const struct mix *mix = arg;
    const size_t begin = (size_t)tile * LAG_MIX_ELEMENTS, n = LAG_MIN((size_t)LAG_MIX_ELEMENTS, mix->n - begin);
    for (int l = 0; l < mix->maps->plan.n_layers; l++)
        if (weight(mix, l) != 0)
            add(n, weight(mix, l), mix->mapped + begin, mix->grown + offset(mix, l) + begin);
}

static void unmix_tile(void *arg, int tile, int member) {
    const struct mix *mix = arg;
    const int n_layers = mix->maps->plan.n_layers;
    const size_t begin = (size_t)tile * LAG_MIX_ELEMENTS, n = LAG_MIN((size_t)LAG_MIX_ELEMENTS, mix->n - begin);
    if (mix->sum) memset(mix->sum + begin, 0, n * sizeof(*mix->sum));
    for (int l = 0; l < n_layers; l++) {
        const lag_real *grads = mix->grads + offset(mix, l) + begin;
        if (mix->sum && weight(mix, l) != 0) add(n, weight(mix, l), grads, mix->sum + begin);
        if (mix->dots) mix->dots[tile * n_layers + l] = lag_vec()->dot(n, grads, mix->mapped + begin);
    }
}

static int run_tiles(lag_tile_fn *fn, struct mix *mix, struct lag_team *team) {
    struct lag_region region = {0};
    const int n_tiles = (int)((mix->n + LAG_MIX_ELEMENTS - 1) / LAG_MIX_ELEMENTS);
    lag_region_add(&region, fn, mix, n_tiles);
    lag_region_run(&region, team);
    return n_tiles;
}

static void take_dots(struct lag_maps *maps, const struct mix *mix, int n_tiles) {
    lag_real *grads = maps->grads + maps->plan.depth_at[mix->first->row->role] + mix->source;
    const int n_layers = maps->plan.n_layers;
    for (int l = 0; l < n_layers; l++) {
        double sum = 0;
        for (int tile = 0; tile < n_tiles; tile++) sum += maps->dots[tile * n_layers + l];
        grads[(size_t)l * (size_t)maps->plan.n_from] += (lag_real)sum;
    }
}

/* T_j, in scratch or as it is in the parent. *ret_half: P of the link. */
static const lag_real *map_layer(const struct link *link, const lag_real **ret_half) {
    *ret_half = link->from;
    if (!link->maps->plan.learns_width) return link->from;
    *ret_half = read_units(link);
    write_units(link, *ret_half, link->maps->grown);
    return link->maps->grown;
}

static struct mix mix_of(const struct lag_maps *maps, const struct lag_tensor *first, int source) {
    return (struct mix){.maps = maps, .first = first, .source = source,
                        .n = (size_t)first->n_rows * (size_t)first->n_cols};
}

void lag_maps_apply(struct lag_maps *maps, lag_real *grown, struct lag_team *team) {
    for (int t = 0; t < maps->to.n_tensors; t++) {
        const struct lag_tensor *to = &maps->to.tensors[t];
        memset(grown + to->offset, 0, (size_t)to->n_rows * (size_t)to->n_cols * sizeof(*grown));
        if (to->layer >= 0) continue;
        const struct link link = link_of(maps, to, -1, team);
        write_units(&link, maps->plan.learns_width ? read_units(&link) : link.from, grown + to->offset);
    }
    for (int t = 0; t < maps->to.n_tensors; t++) {
        const struct lag_tensor *to = &maps->to.tensors[t];
        for (int j = 0; j < maps->plan.n_from && to->layer == 0; j++) {
            const struct link link = link_of(maps, to, j, team);
            const lag_real *half;
            struct mix mix = mix_of(maps, to, j);
            mix.mapped = map_layer(&link, &half);
            mix.grown = grown;
            (void)run_tiles(mix_tile, &mix, team);
        }
    }
}

static void backward_layer(struct lag_maps *maps, const struct lag_tensor *to, int j, const lag_real *grads,
                           struct lag_team *team) {
    const struct link link = link_of(maps, to, j, team);
    const lag_real *half;
    struct mix mix = mix_of(maps, to, j);
    mix.mapped = map_layer(&link, &half);
    mix.grads = grads;
    if (maps->plan.learns_width) mix.sum = maps->grown_grads;
    if (maps->plan.learns_depth) mix.dots = maps->dots;
    const int n_tiles = run_tiles(unmix_tile, &mix, team);
    if (maps->plan.learns_depth) take_dots(maps, &mix, n_tiles);
    if (maps->plan.learns_width) unlink_units(&link, half, maps->grown_grads);
}

void lag_maps_backward(struct lag_maps *maps, const lag_real *grads, struct lag_team *team) {
    memset(maps->grads, 0, maps->plan.n * sizeof(*maps->grads));
    for (int t = 0; t < maps->to.n_tensors; t++) {
        const struct lag_tensor *to = &maps->to.tensors[t];
        if (to->layer < 0 && maps->plan.learns_width) {
            const struct link link = link_of(maps, to, -1, team);
            const lag_real *half = read_units(&link);
            memcpy(maps->grown_grads, grads + to->offset,
                   (size_t)to->n_rows * (size_t)to->n_cols * sizeof(*grads));
            unlink_units(&link, half, maps->grown_grads);
        }
        for (int j = 0; j < maps->plan.n_from && to->layer == 0; j++) backward_layer(maps, to, j, grads, team);
    }
}

/* --- what they cost ---------------------------------------------------------------------------------------------- */

/* FLOPs of T_j of a tensor, forward and backward: P is made twice, and dR; T is made once, or of layers twice, and dC,
 * and dP where there is a P. */
static double link_flops(const struct lag_map_plan *plan, const struct lag_tensor *from, const struct lag_tensor *to,
                         const struct lag_spec *before, const struct lag_spec *after) {
    const bool reads = lag_map_find(plan, to->row->rows.parts[0], true) != NULL;
    const double times = 2.0 + (to->layer >= 0) + reads;
    double flops = reads ? 3 * 2.0 * to->n_rows * from->n_rows * (double)from->n_cols : 0;
    for (int p = 0; p < to->row->cols.n_parts; p++) {
        const struct lag_axis_part part = to->row->cols.parts[p];
        const double n_from = (double)lag_space_size(before, part.outer) * lag_space_size(before, part.inner);
        const double n = (double)lag_space_size(after, part.outer) * lag_space_size(after, part.inner);
        if (lag_map_find(plan, part, false)) flops += times * 2 * to->n_rows * n_from * n;
    }
    return flops;
}

/* Beside the products, of layers: a sum forward, one backward where width is learned, and the dots. */
double lag_maps_flops(const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                      const struct lag_spec *from) {
    LAG_CLEANUP(lag_layout_deinit) struct lag_layout before = {0};
    LAG_CLEANUP(lag_layout_deinit) struct lag_layout after = {0};
    struct lag_map_plan plan;
    double flops = 0;
    if (lag_layout_create(from, &before, NULL) || lag_layout_create(&recipe->spec, &after, NULL) ||
        lag_map_plan_make(strategy, recipe, from, &after, &plan))
        return NAN;
    for (int t = 0; t < after.n_tensors; t++) {
        const struct lag_tensor *to = &after.tensors[t];
        if (to->layer > 0) continue;
        const struct lag_tensor *source = &before.tensors[before.first[to->row->role]];
        const double n = (double)to->n_rows * to->n_cols, sums = 1.0 + plan.learns_width + plan.learns_depth;
        flops += (to->layer < 0 ? 1 : plan.n_from) * link_flops(&plan, source, to, from, &recipe->spec);
        if (to->layer == 0 && plan.learns_depth) flops += 2 * sums * n * plan.n_layers * plan.n_from;
    }
    return flops;
}

uint64_t lag_maps_bytes(const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                        const struct lag_spec *from) {
    LAG_CLEANUP(lag_layout_deinit) struct lag_layout after = {0};
    struct lag_map_plan plan;
    if (lag_layout_create(&recipe->spec, &after, NULL) || lag_map_plan_make(strategy, recipe, from, &after, &plan))
        return 0;
    const uint64_t numbers = 4 * (uint64_t)plan.n + 2 * (uint64_t)(plan.n_grown + plan.n_half) + LAG_PACK_ELEMENTS;
    return numbers * sizeof(lag_real) + (uint64_t)plan.n_tiles * (uint64_t)plan.n_layers * sizeof(double);
}

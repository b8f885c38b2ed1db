/* The parts of learned maps: which there are, and where their numbers lie. */
#pragma once
#include "kernels/gemm_internal.h"
#include <lagd/engine/maps.h>

/* Of width: the spaces that tensors write, and those that they read. */
enum lag_map_kind {
    LAG_MAP_RESIDUAL, LAG_MAP_NORMED, LAG_MAP_FINAL, LAG_MAP_QUERY, LAG_MAP_KEY, LAG_MAP_VALUE, LAG_MAP_FFN,
    LAG_MAP_READS, /* those from here on are read */
    LAG_MAP_NORMED_READ = LAG_MAP_READS, LAG_MAP_VALUE_READ, LAG_MAP_FFN_READ,
    LAG_N_MAPS
};
struct lag_map_row {
    struct lag_axis_part part;
    bool per_layer; /* one for each layer of the parent */
};
extern const struct lag_map_row lag_map_rows[LAG_N_MAPS];

struct lag_map {
    int n, n_from;   /* [n][n_from]; n 0: there is none, the units stay */
    size_t at, stride; /* of the numbers; from one layer of the parent to the next */
};
/* Which numbers there are, without them. */
struct lag_map_plan {
    bool learns_depth, learns_width;
    int n_layers, n_from;          /* L', L */
    size_t depth_at[LAG_N_ROLES];  /* w[L'][L] of a kind of tensor, where depth is learned */
    struct lag_map maps[LAG_N_MAPS];
    size_t n_depth, n;             /* numbers of depth, and all */
    size_t n_grown, n_half, n_tiles; /* scratch: the largest tensor grown, half grown, and tiles of the former */
};
struct lag_maps {
    struct lag_map_plan plan;
    const struct lag_state *parent;
    struct lag_layout to;
    double gain;                     /* of norms, as a width's */
    double rate[2];                  /* of depth, of width */
    int64_t steps[2], n_updates;
    const lag_real *from;            /* the parent's weights, … */
    lag_real *folded;                /* … or a copy in which masks are; owned */
    lag_real *values, *grads, *m, *v; /* plan.n each, in one block */
    lag_real *grown, *grown_grads;   /* scratch: [n_grown] each */
    lag_real *half, *half_grads;     /* [n_half] each */
    double *dots;                    /* [n_tiles][L'] */
    lag_real *pack;                  /* [team][LAG_PACK_ELEMENTS] */
    size_t pack_bytes;
};

/* Elements of a tensor that one tile of a mix takes. */
enum { LAG_MIX_ELEMENTS = 1 << 15 };

int lag_map_plan_make(const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                      const struct lag_spec *from, const struct lag_layout *to, struct lag_map_plan *ret);
/* The map of a part of a tensor's axis; NULL: its units stay. */
const struct lag_map *lag_map_find(const struct lag_map_plan *plan, struct lag_axis_part part, bool reads);
/* Its numbers for a layer of the parent (-1: a tensor that is of none), in values or grads. */
static inline lag_real *lag_map_at(const struct lag_map *map, lag_real *block, int layer) {
    return block + map->at + (layer > 0 ? (size_t)layer : 0) * map->stride;
}
/* Sets the numbers with which maps begin. */
int lag_maps_begin(struct lag_maps *maps, const struct lag_strategy *strategy, const struct lag_recipe *recipe);

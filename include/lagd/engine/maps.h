/* Learned growth: the maps from a parent's weights to a grown model's, as numbers that are trained (LiGO, Wang et al.,
 * ICLR 2023, arXiv 2303.00980).
 *
 * A tensor W' of grown layer l becomes Σ_j w[l][j] R_j W_j C_jᵀ, j over the parent's layers, W as it is stored,
 * [in][out]. w[L'][L] is apart for each kind of tensor. C [new][old] maps the units that a tensor writes, R those that
 * it reads; each is shared by all tensors of its space: one for the whole model of the residual stream, of what norms
 * make of it, and of what the head reads, and one a layer of the parent of queries, keys, values and FFN units. What
 * does not grow, or is not learned, has no map.
 *
 * Maps begin as the recipe has it, stacked and cloned, with a share of random numbers in what is new, so that copies
 * part. Gates are mixed as all else is; masks that the parent still opens are in the weights that are mapped. Sums are
 * in a fixed order: equal bits for any team. Thread: one owner; the parent is only read. */
#pragma once
#include <lagd/engine/grow.h>
struct lag_team;

struct lag_maps;
/* Of a strategy that learns; parent is borrowed until lag_maps_destroy. n_members: the most of a team that may be given
 * below. */
int lag_maps_create(const struct lag_state *parent, const struct lag_strategy *strategy,
                    const struct lag_recipe *recipe, int n_members, struct lag_maps **ret, struct lag_error *err);
void lag_maps_destroy(struct lag_maps *maps);
static inline void lag_maps_destroy_p(struct lag_maps **p) { lag_maps_destroy(*p); }
/* What lag_maps_create takes in memory with one member; a copy of weights that are behind masks is not counted. Pure.
 * 0: memory is out. */
uint64_t lag_maps_bytes(const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                        const struct lag_spec *from);
/* FLOPs of one lag_maps_apply with one lag_maps_backward. Pure. NaN: memory is out. */
double lag_maps_flops(const struct lag_strategy *strategy, const struct lag_recipe *recipe,
                      const struct lag_spec *from);

/* Writes all weights of the grown model, whose block has the layout of the recipe's spec. */
void lag_maps_apply(struct lag_maps *maps, lag_real *grown, struct lag_team *team);
/* The gradient of the maps from that of the grown model's weights, in the same layout. */
void lag_maps_backward(struct lag_maps *maps, const lag_real *grads, struct lag_team *team);
/* One update by AdamW without decay, each part at its own rate and for as many updates as its operator says. */
void lag_maps_update(struct lag_maps *maps, const struct lag_optim *optim);
/* How many updates a strategy's maps get: the more of its two operators. 0: it does not learn. */
int64_t lag_strategy_learn_steps(const struct lag_strategy *strategy);

/* All numbers of the maps, and their gradients, in one order: depth first, kind by kind, then width. Borrowed. */
size_t lag_maps_count(const struct lag_maps *maps);
lag_real *lag_maps_values(struct lag_maps *maps);
const lag_real *lag_maps_grads(const struct lag_maps *maps);

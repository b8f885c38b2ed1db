/* The full state of a training run between two steps: weights, Adam moments, ages, step, schedule position. Together
 * with the run's configuration and the data it determines every later bit. Growth maps one state to another;
 * a checkpoint stores one. Thread: one owner at a time; reading one concurrently is fine. */
#pragma once
#include <lagd/engine/params.h>
#include <stdint.h>

/* A row × column range of a tensor with its own optimiser history. A tensor has one until a growth divides it. */
struct lag_segment {
    int tensor;                                   /* index in the layout */
    int row_begin, row_end, col_begin, col_end;
    int64_t age;                                  /* updates seen: AdamW's bias correction uses age + 1 */
    double lr_factor, decay_factor, eps_factor;   /* 1 until a growth scales them */
    /* The learning rate ramps: (t + 1) / rewarm_steps, t = step - rewarm_from; 0 steps = no ramp. */
    int64_t rewarm_from, rewarm_steps;
    /* Frozen: updates before this step pass it over. Weights and moments stay, no weight decay acts, the age does not
     * advance, and its gradients count in no norm. 0: never; LAG_FROZEN_FOR_GOOD: always. */
    int64_t frozen_until;
    /* Masked: what it writes into the residual stream is times (step - mask_from) / mask_steps, at least 0 and at most
     * 1; 0 steps: no mask. Of output projections and their biases alone, whole rows of the former. */
    int64_t mask_from, mask_steps;
};
#define LAG_FROZEN_FOR_GOOD INT64_MAX
/* Most that a checkpoint keeps. */
#define LAG_MAX_SEGMENTS_PER_TENSOR 4096
#define LAG_MAX_SEGMENTS 65536 /* two growths in width of the deepest model divide each of its tensors in nine */

struct lag_state {
    struct lag_layout layout;
    lag_real *params, *m, *v;     /* n_elements each, 64-byte aligned */
    struct lag_segment *segments; /* cover every tensor exactly once, ordered by tensor, row, column */
    int n_segments;
    int64_t step;                 /* updates made */
    int64_t schedule_origin;      /* the step at which the schedule (re)started */
};

/* What a state of this shape takes in memory. Pure. 0 on overflow. */
uint64_t lag_state_bytes(const struct lag_spec *spec);
/* All zero, one segment a tensor. */
int lag_state_create(const struct lag_spec *spec, struct lag_state **ret, struct lag_error *err);
void lag_state_destroy(struct lag_state *state);
/* Weights by the init rules from seed, moments zero, ages 0, step 0. */
void lag_state_init(struct lag_state *state, uint64_t seed);
/* The gates of a gated model, which the init rules make 1, are 0: so a model begins that has them from the beginning.
 */
void lag_state_shut_gates(struct lag_state *state);
/* Initialises one tensor by its row's rule from (seed, purpose, step, tensor and element index). */
void lag_tensor_init(const struct lag_layout *layout, int tensor, uint64_t seed, uint64_t step, lag_real *params);
double lag_init_spread(const struct lag_layout *layout, enum lag_init init); /* standard deviation; 0: it draws none */
/* As one that begins: step 0, schedule from there, nothing frozen and no ramp of the learning rate. moments: they stay
 * with their ages and factors; else they are 0, with one segment a tensor, divided only where masks do. Weights and
 * masks stay: their ramps go on from where they are. Unchanged on failure. */
int lag_state_restart(struct lag_state *state, bool moments, struct lag_error *err);
int lag_state_clone(const struct lag_state *state, struct lag_state **ret, struct lag_error *err);
/* Weights, masks and step alone, to be read: m and v are NULL. */
int lag_state_clone_weights(const struct lag_state *state, struct lag_state **ret, struct lag_error *err);
/* Layout and one segment a tensor, without numbers: params, m and v are NULL. */
int lag_state_outline(const struct lag_spec *spec, struct lag_state **ret, struct lag_error *err);
/* The factor of a segment's mask at step, 1 where it has none. Pure. */
double lag_mask_factor(const struct lag_segment *segment, int64_t step);
/* Whether a mask is below 1 at the state's step. Pure. */
bool lag_state_is_masked(const struct lag_state *state);
/* The first step at which all masks of n segments are at 1; 0: at step they are so. Pure. */
int64_t lag_masked_until(const struct lag_segment *segments, int n, int64_t step);
int64_t lag_state_masked_until(const struct lag_state *state); /* of a state's segments, at its step */
/* Drops the records of masks that are at 1: their parts are as all others. */
void lag_state_fold_masks(struct lag_state *state);
/* Bit equality of all that counts, gaps included. */
bool lag_state_equal(const struct lag_state *a, const struct lag_state *b);
static inline void lag_state_destroy_p(struct lag_state **p) { lag_state_destroy(*p); }

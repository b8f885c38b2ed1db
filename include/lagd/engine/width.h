/* A growth in width as a value: for each space a map from the parent's units to the new ones.
 *
 * A new unit is a copy of one of the parent's, or it has no source. Copy i of a unit holds write_i times what the unit
 * holds, and what reads it takes read_i of it: nothing changes where Σ write_i × read_i over the copies of a unit is 1.
 * Then a weight between copies i and o is c = read_i × write_o times its source, and its gradient s = write_i × read_o
 * times the source's; so Adam's moments become s m and s² v. A part of a tensor without source is filled.
 *
 * A fusion has several parents. Its units are theirs end to end, and each reads only what is of its own parent.
 * Thread: any (pure). */
#pragma once
#include <lagd/engine/params.h>

#define LAG_FUSE_MAX 3                /* models that a fusion may take beside the run's own */
#define LAG_PARENTS (LAG_FUSE_MAX + 1)
struct lag_unit {
    int source; /* of the parent's units; -1: none */
    int copy;   /* 0: the unit itself, or none; 1, 2, …: its copies; of a fusion: the number of its parent */
    double write, read;
    double blend; /* share of the unit behind its source: it lies between the two */
};
/* What writes to a unit that has no source. */
enum lag_fill {
    LAG_FILL_INIT,  /* as the row's init rule has it */
    LAG_FILL_ZERO,
    LAG_FILL_MEAN,  /* the mean of what writes to the parent's units: LayerNorm makes zero of it */
    LAG_FILL_APART, /* zero from units with a source, by the init rule from the others */
};
struct lag_space_map {
    struct lag_unit *units; /* n of them; NULL: the space stays as it is */
    int n, n_from;
    int n_of[LAG_PARENTS];  /* of a fusion: each parent's units; n_from is the first one's */
    enum lag_fill written;
    bool is_mean;           /* rows without source are the mean of the parent's, … */
    double noise;           /* … with so much of what the init rule has there */
    bool is_read;           /* what reads a unit without source begins by the init rule, else at zero */
};
struct lag_width {
    struct lag_space_map maps[LAG_N_SPACES];
    bool widens;     /* some space does not stay as it is */
    double gain;     /* factor of norms' gains: a normed stream of more units has another spread */
    double norm_eps; /* the epsilon that goes with it */
    bool diagonal;   /* a copy reads only the copies of its own number, each whole */
    bool next_layer; /* copies come from the layer above */
    double noise;    /* fresh noise whose sum over the copies that are read is zero: the function stays */
    int n_parents;   /* of a fusion; else 0 */
    double follow;   /* 1: parts train so that the function follows the parent's; 0: all at the run's rate */
    int64_t mask_steps; /* what new units write to the stream is masked, from 0 to 1 in so many steps; 0: it is not */
    double mix;      /* copies' matrices: W ← (1-a) W + a ε; the function does not stay */
};

void lag_width_deinit(struct lag_width *width);
bool lag_width_equal(const struct lag_width *a, const struct lag_width *b);
/* Whether it depends on a seed. */
bool lag_width_is_random(const struct lag_width *width);

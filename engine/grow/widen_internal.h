/* A width, tensor by tensor: the units of its two axes, and what is done with them. */
#pragma once
#include <lagd/engine/width.h>
#include <stdint.h>

/* A unit of an axis, whose parts and spaces are laid end to end. */
struct lag_axis_unit {
    int source;  /* in the axis of its parent; -1: none */
    int origin;  /* which of the widening's sources it comes from */
    int copy;    /* as a struct lag_unit's */
    int next;    /* the next copy that is read together with it; -1: none */
    int group;   /* of a query that has copies: its head; else -1 */
    double write, read, blend, noise;
    enum lag_fill written;
    bool is_mean, is_read, is_new, is_first, is_copied;
};
struct lag_units {
    struct lag_axis_unit *unit;
    int n, n_from[LAG_PARENTS]; /* of each source */
    bool has_copies, has_groups;
};
int lag_units_list(const struct lag_width *width, const struct lag_spec *to, const struct lag_axis *axis,
                   struct lag_units *ret);
void lag_units_deinit(struct lag_units *units);

struct lag_widening {
    const struct lag_width *width;
    const struct lag_param_row *row;
    const struct lag_units *rows, *cols;
    /* The tensor, and that which copies of columns come from; of a fusion: each parent's. */
    const lag_real *from[LAG_PARENTS];
    double mix;                   /* noise of a new layer; 0: none */
    double spread;                /* standard deviation of the row's init rule */
    uint64_t seed, step, tensor;  /* of fresh noise */
};
/* Whether weights must hold fresh numbers by the init rule before: they are used where something is filled or mixed. */
bool lag_widen_needs_fresh(const struct lag_widening *widening);
int lag_widen_weights(const struct lag_widening *widening, lag_real *weights);
struct lag_moments { lag_real *m, *v; };
/* from: of each source. to is zero before. only_old: what is new keeps zeros. */
void lag_widen_moments(const struct lag_widening *widening, const struct lag_moments *from, bool only_old,
                       const struct lag_moments *to);
/* Of a fusion: they are of different parents, so that there is nothing between them. */
bool lag_units_are_apart(const struct lag_width *width, const struct lag_units *rows, const struct lag_axis_unit *row,
                         const struct lag_units *cols, const struct lag_axis_unit *col);

/* Normal numbers in bulk: what a fresh tensor holds. */
#pragma once
#include <lagd/engine/real.h>
#include <stddef.h>
#include <stdint.h>

/* A row of pairs: pair i is drawn from the block of counter (high, low + i), and has numbers 2 i and 2 i + 1. */
struct lag_normal_row {
    uint64_t key, high, low;
    double std; /* above 0 */
};

#define LAG_NORMAL_BATCH 256 /* pairs that are drawn at once */
/* The first n pairs of a row, n ≤ LAG_NORMAL_BATCH, by arithmetic near libm's. doubt[k] is 0 where libm's result
 * rounds to the same float as out[k]; elsewhere out[k] may be wrong. Returns whether there is any doubt. Pure. */
typedef int lag_near_normals_fn(const struct lag_normal_row *row, size_t n, float *out, int32_t *doubt);
/* Those that this CPU runs, the best last; NULL ends the list. The double build has none. */
#define LAG_NORMAL_LEVELS 4
void lag_near_normals_levels(lag_near_normals_fn *ret[LAG_NORMAL_LEVELS]);

/* out[0 … n) by Box–Muller in double with libm, rounded. Every level gives the same bits; near NULL: libm alone. */
void lag_normals_by(lag_near_normals_fn *near, const struct lag_normal_row *row, size_t n, lag_real *out);
/* The same by the best level. */
void lag_normals(const struct lag_normal_row *row, size_t n, lag_real *out);

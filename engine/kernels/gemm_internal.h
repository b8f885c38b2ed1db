/* Matrix products and the lists of tiles that a team computes. */
#pragma once
#include "kernels/parts_internal.h"

#include <lagd/base/team.h>
#include <lagd/engine/precision.h>
#include <lagd/engine/real.h>
#include <stdbool.h>
#include <stddef.h>

struct lag_matrix {
    const lag_real *data;
    int stride; /* elements between rows as stored; of a packed one: its k */
    bool transposed, packed;
    bool half; /* data points to bfloat16 instead; a product in bfloat16 only */
};
/* Elements of the packing buffer that a product needs, 64-byte aligned. */
#define LAG_PACK_K 256
#define LAG_PACK_N 32
#define LAG_PACK_M 512
#define LAG_PACK_ELEMENTS ((size_t)LAG_PACK_K * (LAG_PACK_N + LAG_PACK_M))
/* The same buffer for bfloat16: two elements a word. */
#define LAG_BF16_K 512
#define LAG_BF16_M 504

/* Row-major c[m][n] = alpha op(a)[m][k] op(b)[k][n] + beta c on the calling thread alone, in a precision that
 * lag_precision_check allows: by lag_products, else by BLAS. Both are bit-stable for equal calls. c is not read when
 * beta is 0. */
void lag_gemm(enum lag_precision precision, lag_real *pack, int m, int n, int k, lag_real alpha, struct lag_matrix a,
              struct lag_matrix b, lag_real beta, lag_real *c, int c_stride);

/* Our own matrix products, of one CPU level and precision. */
struct lag_products {
    const char *name; /* as the fingerprint tells it */
    int width;        /* columns of a packed panel, at most LAG_PACK_N */
    int k_a_word;     /* elements along k that one packed word holds */
    /* lag_gemm's; operands of bfloat16 products are rounded here unless they are half or packed */
    void (*gemm)(lag_real *pack, int m, int n, int k, lag_real alpha, struct lag_matrix a, struct lag_matrix b,
                 lag_real beta, lag_real *c, int c_stride);
    /* Columns j … j + width of b, [k / k_a_word][width of a panel] words */
    void (*pack)(struct lag_matrix b, int k, int j, int width, lag_real *to);
    /* What people should know of products that are made another way than the precision's name says, or NULL */
    const char *note;
};
/* Those of the level in force. NULL where single precision is left to BLAS, or where there is no bfloat16. */
const struct lag_products *lag_products(enum lag_precision precision);

/* Operand b of many products, packed once, filled with zeros: a panel of columns after the other, as lag_products
 * has them. Only where it is not NULL. */
struct lag_packing {
    enum lag_precision precision;
    struct lag_matrix b;
    int k, n;
    lag_real *to; /* lag_packed_elements(precision, k, n), 64-byte aligned */
};
size_t lag_packed_elements(enum lag_precision precision, int k, int n);
int lag_packing_tiles(const struct lag_packing *packing);
/* tile_fn over a struct lag_packing. */
void lag_packing_tile(void *packing, int tile, int member);

/* One product cut into tiles of tile_rows × tile_cols of c, each over the whole k. */
struct lag_gemm_job {
    enum lag_precision precision;
    int m, n, k;
    lag_real alpha, beta;
    struct lag_matrix a, b;
    lag_real *c;
    int c_stride;
    int tile_rows, tile_cols;
    lag_real *pack; /* member i's buffer is at pack + i × LAG_PACK_ELEMENTS */
};
int lag_gemm_job_tiles(const struct lag_gemm_job *job);
/* tile_fn over a struct lag_gemm_job. */
void lag_gemm_job_tile(void *job, int tile, int member);
/* Edge of even tiles of at most most along an axis of n, a multiple of 16. Depends on the shape only. */
int lag_tile_split(int n, int most);
/* Tile edge for one axis of c: about half of it, a multiple of 16, within [low, high]. Depends on the shape only. */
int lag_tile_edge(int n, int low, int high);

/* Jobs that do not depend on each other, run as one region; job order is tile order, so the long ones go first. */
#define LAG_REGION_JOBS 10
struct lag_region {
    struct lag_parts *parts; /* a tile counts as matmul unless its function begins another part; NULL: not measured */
    int n_jobs;
    struct {
        lag_tile_fn *fn;
        void *arg;
        int n_tiles;
    } job[LAG_REGION_JOBS];
};
void lag_region_add(struct lag_region *region, lag_tile_fn *fn, void *arg, int n_tiles);
/* Runs the jobs and empties the region. Denormals are flushed to zero while it runs in the float build. */
void lag_region_run(struct lag_region *region, struct lag_team *team);

/* BLAS products in tiles of fixed shape, and regions of independent jobs. */
#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <lagd/base/check.h>

#include <cblas.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#define FLUSH_AND_ZERO 0x8040u /* MXCSR: flush results, denormal operands are zero */

#ifdef LAG_REAL_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

void lag_gemm(enum lag_precision precision, lag_real *pack, int m, int n, int k, lag_real alpha, struct lag_matrix a,
              struct lag_matrix b, lag_real beta, lag_real *c, int c_stride) {
    const struct lag_products *products = lag_products(precision);
    if (products) {
        products->gemm(pack, m, n, k, alpha, a, b, beta, c, c_stride);
        return;
    }
    LAG_ASSERT(precision == LAG_FP32);
    GEMM(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans, m, n, k,
         alpha, a.data, a.stride, b.data, b.stride, beta, c, c_stride);
}

int lag_tile_edge(int n, int low, int high) {
    const int half = (n / 2 + 15) / 16 * 16;
    return LAG_MAX(1, LAG_MIN(n, LAG_MAX(low, LAG_MIN(half, high))));
}

int lag_tile_split(int n, int most) {
    const int parts = (n + most - 1) / most;
    return LAG_MIN(n, ((n + parts - 1) / parts + 15) / 16 * 16);
}

static int columns(const struct lag_gemm_job *job) {
    return (job->n + job->tile_cols - 1) / job->tile_cols;
}

int lag_gemm_job_tiles(const struct lag_gemm_job *job) {
    return (job->m + job->tile_rows - 1) / job->tile_rows * columns(job);
}

static struct lag_matrix shift(struct lag_matrix matrix, size_t elements) {
    if (matrix.half)
        matrix.data = (const lag_real *)(const void *)((const uint16_t *)(const void *)matrix.data + elements);
    else
        matrix.data += elements;
    return matrix;
}

static struct lag_matrix shift_rows(struct lag_matrix matrix, int row) {
    return shift(matrix, matrix.transposed ? (size_t)row : (size_t)row * (size_t)matrix.stride);
}

static struct lag_matrix shift_cols(struct lag_matrix matrix, int col) {
    return shift(matrix, matrix.transposed ? (size_t)col * (size_t)matrix.stride : (size_t)col);
}

void lag_gemm_job_tile(void *arg, int tile, int member) {
    const struct lag_gemm_job *job = arg;
    const int row = tile / columns(job) * job->tile_rows, col = tile % columns(job) * job->tile_cols;
    lag_gemm(job->precision, job->pack + (size_t)member * LAG_PACK_ELEMENTS,
             LAG_MIN(job->tile_rows, job->m - row), LAG_MIN(job->tile_cols, job->n - col), job->k, job->alpha,
             shift_rows(job->a, row), shift_cols(job->b, col), job->beta,
             job->c + (size_t)row * (size_t)job->c_stride + col, job->c_stride);
}

#define COLUMNS_A_TILE (4 * LAG_PACK_N)

size_t lag_packed_elements(enum lag_precision precision, int k, int n) {
    const struct lag_products *products = lag_products(precision);
    const size_t words = (size_t)(k + products->k_a_word - 1) / (size_t)products->k_a_word;
    return words * ((size_t)(n + products->width - 1) / (size_t)products->width * (size_t)products->width);
}

int lag_packing_tiles(const struct lag_packing *packing) {
    return (packing->n + COLUMNS_A_TILE - 1) / COLUMNS_A_TILE;
}

void lag_packing_tile(void *arg, int tile, int member) {
    const struct lag_packing *p = arg;
    const struct lag_products *products = lag_products(p->precision);
    const int begin = tile * COLUMNS_A_TILE, end = LAG_MIN(p->n, begin + COLUMNS_A_TILE);
    for (int j = begin; j < end; j += products->width)
        products->pack(p->b, p->k, j, LAG_MIN(products->width, p->n - j),
                       p->to + lag_packed_elements(p->precision, p->k, j));
}

void lag_region_add(struct lag_region *region, lag_tile_fn *fn, void *arg, int n_tiles) {
    LAG_ASSERT(region->n_jobs < LAG_REGION_JOBS);
    region->job[region->n_jobs].fn = fn;
    region->job[region->n_jobs].arg = arg;
    region->job[region->n_jobs++].n_tiles = n_tiles;
}

static void region_tile(void *arg, int tile, int member) {
    const struct lag_region *region = arg;
    int job = 0;
    for (; tile >= region->job[job].n_tiles; job++) tile -= region->job[job].n_tiles;
#if defined(__SSE__) && !defined(LAG_REAL_DOUBLE)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | FLUSH_AND_ZERO);
#endif
    lag_part_begin(region->parts, member, LAG_PART_MATMUL);
    region->job[job].fn(region->job[job].arg, tile, member);
    lag_part_begin(region->parts, member, LAG_PART_OTHER);
#if defined(__SSE__) && !defined(LAG_REAL_DOUBLE)
    _mm_setcsr(before);
#endif
}

void lag_region_run(struct lag_region *region, struct lag_team *team) {
    int n_tiles = 0;
    for (int i = 0; i < region->n_jobs; i++) n_tiles += region->job[i].n_tiles;
    if (n_tiles) lag_team_run(team, n_tiles, region_tile, region);
    region->n_jobs = 0;
}

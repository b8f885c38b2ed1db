/* Rates of matrix products on all threads at once. */
#include "matrix_rate.h"

#include "kernels/gemm_internal.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>

#include <cblas.h>
#include <stdlib.h>

#define EDGE 512
#define ELEMENTS ((size_t)EDGE * EDGE)
#define BLOCK (4 * ELEMENTS + LAG_PACK_ELEMENTS) /* a, b, c, packed b, scratch */
#define WINDOWS 21
#define WARM_UP 3
#define WINDOW_NS 15000000

struct rates {
    enum matrix_kernel kernel;
    struct lag_matrix b; /* of the first thread; the others' lie BLOCK further each */
    float *block;        /* [threads][BLOCK] */
    double *rate;        /* [threads], FLOP/ns in the last window */
};

/* One thread's window. The shape of the region is one tile a thread, and all begin together. */
static void window(void *arg, int tile, int member) {
    const struct rates *r = arg;
    float *a = r->block + (size_t)tile * BLOCK, *c = a + 2 * ELEMENTS, *scratch = a + 4 * ELEMENTS;
    struct lag_matrix b = r->b;
    b.data += (size_t)tile * BLOCK;
    const uint64_t begin = lag_clock_mono_ns();
    uint64_t end = begin;
    long calls = 0;
    for (; end - begin < WINDOW_NS; end = lag_clock_mono_ns(), calls++) {
        if (r->kernel == MATRIX_SGEMM)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, EDGE, EDGE, EDGE, 1, a, EDGE, b.data, EDGE, 0, c,
                        EDGE);
        else
            lag_gemm(r->kernel == MATRIX_BF16 ? LAG_BF16 : LAG_FP32, scratch, EDGE, EDGE, EDGE, 1,
                     (struct lag_matrix){a, EDGE, false}, b, 0, c, EDGE);
    }
    r->rate[tile] = 2.0 * EDGE * (double)ELEMENTS * (double)calls / (double)(end - begin);
}

/* Fills a and b with numbers in [-1, 1), and packs b where products take it packed. */
static void fill(struct rates *r, int threads) {
    const enum lag_precision precision = r->kernel == MATRIX_BF16 ? LAG_BF16 : LAG_FP32;
    const bool packed = r->kernel != MATRIX_SGEMM && lag_products(precision);
    const size_t at = (packed ? 3 : 1) * ELEMENTS;
    for (int t = 0; t < threads; t++) {
        float *a = r->block + (size_t)t * BLOCK;
        for (size_t i = 0; i < 2 * ELEMENTS; i++) a[i] = (float)((i * 2654435761u >> 8) % 2000) / 1000 - 1;
        struct lag_packing packing = {precision, {a + ELEMENTS, EDGE, false}, EDGE, EDGE, a + at};
        for (int i = 0; packed && i < lag_packing_tiles(&packing); i++) lag_packing_tile(&packing, i, 0);
    }
    r->b = (struct lag_matrix){r->block + at, EDGE, false, packed};
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int matrix_rate(enum matrix_kernel kernel, int threads, struct lag_team *team, double *ret, struct lag_error *err) {
    struct rates r = {.kernel = kernel};
    const size_t bytes = (size_t)threads * BLOCK * sizeof(*r.block);
    double total[WINDOWS];
    r.block = lag_block_alloc(bytes);
    r.rate = calloc((size_t)threads, sizeof(*r.rate));
    if (!r.block || !r.rate) {
        if (r.block) lag_block_free(r.block, bytes);
        free(r.rate);
        return lag_error_set(err, LAG_ENOMEM, "no memory to measure matrix products");
    }
    fill(&r, threads);
    for (int w = -WARM_UP; w < WINDOWS; w++) {
        lag_team_run(team, threads, window, &r);
        if (w < 0) continue;
        total[w] = 0;
        for (int t = 0; t < threads; t++) total[w] += r.rate[t] * 1e9;
    }
    qsort(total, WINDOWS, sizeof(*total), compare);
    *ret = total[WINDOWS / 2];
    lag_block_free(r.block, bytes);
    free(r.rate);
    return 0;
}

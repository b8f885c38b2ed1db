/* What training costs, and how fast this machine multiplies. */
#include "kernels/gemm_internal.h"

#include <lagd/base/failpoint.h>
#include <lagd/base/mem.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/params.h>

#include <math.h>
#include <pthread.h>
#include <time.h>

#define EDGE 384
#define MEASURE_SECONDS 0.02

double lag_flops_token_train(const struct lag_spec *spec, int context) {
    const double n = (double)lag_spec_params(spec) - (double)spec->n_positions * spec->n_embd;
    return 6 * n + 12.0 * spec->n_layer * lag_spec_attention(spec) * context;
}

double lag_flops_token_forward(const struct lag_spec *spec, int context) {
    return lag_flops_token_train(spec, context) / 3;
}

/* Globals: properties of the machine, each measured once. */
static pthread_once_t fp32_once = PTHREAD_ONCE_INIT, bf16_once = PTHREAD_ONCE_INIT;
static double core_rate[LAG_N_PRECISIONS];

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(enum lag_precision precision) {
    const size_t bytes = (3 * EDGE * EDGE + LAG_PACK_ELEMENTS) * sizeof(lag_real);
    lag_real *block = LAG_FP_FAIL("cost.no_memory") ? NULL : lag_block_alloc(bytes);
    if (!block) return; /* the rate stays 0: unknown */
    lag_real *pack = block + 3 * EDGE * EDGE;
    const struct lag_matrix a = {block, EDGE, false}, b = {block + EDGE * EDGE, EDGE, false};
    const double begin = seconds();
    double best = INFINITY;
    for (double at = begin; at - begin < MEASURE_SECONDS;) {
        lag_gemm(precision, pack, EDGE, EDGE, EDGE, 1, a, b, 0, block + 2 * EDGE * EDGE, EDGE);
        const double now = seconds();
        if (now - at < best) best = now - at;
        at = now;
    }
    core_rate[precision] = 2.0 * EDGE * EDGE * EDGE / best;
    lag_block_free(block, bytes);
}

static void measure_fp32(void) {
    measure(LAG_FP32);
}

static void measure_bf16(void) {
    if (!lag_precision_check(LAG_BF16, NULL)) measure(LAG_BF16);
}

double lag_measured_core_rate(enum lag_precision precision) {
    if (precision == LAG_FP32)
        pthread_once(&fp32_once, measure_fp32);
    else
        pthread_once(&bf16_once, measure_bf16);
    return core_rate[precision];
}

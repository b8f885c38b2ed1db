/* What training costs, and how fast this machine multiplies. */
#include "../kernels/gemm_internal.h"
#include "../kernels/vec_internal.h"

#include <lagd/base/mem.h>
#include <lagd/engine/cost.h>
#include <lagd/engine/params.h>

#include <pthread.h>
#include <time.h>

#define EDGE 384
#define MEASURE_SECONDS 0.02

double lag_flops_token_train(const struct lag_spec *spec, int context) {
    const double n = (double)lag_spec_params(spec) - (double)spec->n_positions * spec->n_embd;
    return 6 * n + 12.0 * spec->n_layer * spec->n_embd * context;
}

double lag_flops_token_forward(const struct lag_spec *spec, int context) {
    return lag_flops_token_train(spec, context) / 3;
}

/* Global: a property of the machine, measured once. */
static pthread_once_t measure_once = PTHREAD_ONCE_INIT;
static double core_rate;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(void) {
    (void)lag_vec();
    core_rate = 1e9; /* when there is no memory even for this */
    const size_t bytes = (3 * EDGE * EDGE + LAG_PACK_ELEMENTS) * sizeof(lag_real);
    lag_real *block = lag_block_alloc(bytes), *pack = block + 3 * EDGE * EDGE;
    if (!block) return;
    const struct lag_matrix a = {block, EDGE, false}, b = {block + EDGE * EDGE, EDGE, false};
    const double begin = seconds();
    double best = 1e9;
    for (double at = begin; at - begin < MEASURE_SECONDS;) {
        lag_gemm(pack, EDGE, EDGE, EDGE, 1, a, b, 0, block + 2 * EDGE * EDGE, EDGE);
        const double now = seconds();
        if (now - at < best) best = now - at;
        at = now;
    }
    core_rate = 2.0 * EDGE * EDGE * EDGE / best;
    lag_block_free(block, bytes);
}

double lag_measured_core_rate(void) {
    pthread_once(&measure_once, measure);
    return core_rate;
}

/* Chooses the vector kernels once. A table of function pointers instead of ifunc: sanitizers do not bear it. */
#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <cblas.h>
#include <pthread.h>

extern const struct lag_vec lag_vec_baseline;
#if defined(__x86_64__) && !defined(LAG_REAL_DOUBLE)
extern const struct lag_vec lag_vec_avx2, lag_vec_avx512;
extern const struct lag_products lag_products_avx2, lag_products_avx2_bf16, lag_products_avx512,
    lag_products_avx512_bf16;
#endif

/* Globals, because what they describe is the process's CPU and BLAS library. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
#define MAX_LEVELS 3
static const struct lag_vec *levels[MAX_LEVELS];
static const struct lag_products *products[MAX_LEVELS][LAG_N_PRECISIONS];
static int n_levels, chosen;

static void add(const struct lag_vec *level, const struct lag_products *fp32, const struct lag_products *bf16) {
    levels[n_levels] = level;
    products[n_levels][LAG_FP32] = fp32;
    products[n_levels][LAG_BF16] = bf16;
    chosen = n_levels++;
}

static void choose(void) {
    openblas_set_num_threads(1); /* one thread a call: results must not depend on BLAS's own team */
    add(&lag_vec_baseline, NULL, NULL);
#if defined(__x86_64__) && !defined(LAG_REAL_DOUBLE)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
    add(&lag_vec_avx2, &lag_products_avx2, &lag_products_avx2_bf16);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        add(&lag_vec_avx512, &lag_products_avx512,
            __builtin_cpu_supports("avx512bf16") ? &lag_products_avx512_bf16 : &lag_products_avx2_bf16);
#endif
}

const struct lag_vec *lag_vec(void) {
    pthread_once(&once, choose);
    return levels[chosen];
}

const struct lag_products *lag_products(enum lag_precision precision) {
    pthread_once(&once, choose);
    return products[chosen][precision];
}

const struct lag_vec *const *lag_vec_levels(int *ret_n) {
    pthread_once(&once, choose);
    *ret_n = n_levels;
    return levels;
}

void lag_vec_use(const struct lag_vec *level) {
    pthread_once(&once, choose);
    for (int i = 0; i < n_levels; i++)
        if (levels[i] == level) chosen = i;
}

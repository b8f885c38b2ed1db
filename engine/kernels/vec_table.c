/* Chooses the vector kernels once. A table of function pointers instead of ifunc: sanitizers do not bear it. */
#include "vec_internal.h"

#include <cblas.h>
#include <pthread.h>

extern const struct lag_vec lag_vec_baseline;
#if defined(__x86_64__) && !defined(LAG_REAL_DOUBLE)
extern const struct lag_vec lag_vec_avx2, lag_vec_avx512;
extern const struct lag_bf16 lag_bf16_avx512;
#endif

/* Globals, because what they describe is the process's CPU and BLAS library. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct lag_vec *chosen;
static const struct lag_bf16 *half;

static const struct lag_vec *levels[3];
static int n_levels;

static void choose(void) {
    openblas_set_num_threads(1); /* one thread a call: results must not depend on BLAS's own team */
    levels[n_levels++] = &lag_vec_baseline;
#if defined(__x86_64__) && !defined(LAG_REAL_DOUBLE)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) levels[n_levels++] = &lag_vec_avx2;
    if (n_levels == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        levels[n_levels++] = &lag_vec_avx512;
    if (n_levels == 3 && __builtin_cpu_supports("avx512bf16")) half = &lag_bf16_avx512;
#endif
    chosen = levels[n_levels - 1];
}

const struct lag_vec *lag_vec(void) {
    pthread_once(&once, choose);
    return chosen;
}

const struct lag_bf16 *lag_bf16(void) {
    pthread_once(&once, choose);
    return half;
}

const struct lag_vec *const *lag_vec_levels(int *ret_n) {
    pthread_once(&once, choose);
    *ret_n = n_levels;
    return levels;
}

void lag_vec_use(const struct lag_vec *level) {
    pthread_once(&once, choose);
    chosen = level;
}

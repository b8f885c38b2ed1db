/* Chooses the vector kernels once. A table of function pointers instead of ifunc: sanitizers cannot instrument ifunc. */
#include "vec_internal.h"

#include <cblas.h>
#include <pthread.h>

extern const struct lag_vec lag_vec_baseline;
#if defined(__x86_64__) && !defined(LAG_REAL_DOUBLE)
extern const struct lag_vec lag_vec_avx2, lag_vec_avx512;
#endif

/* Globals, because what they describe is the process's CPU and BLAS library. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct lag_vec *chosen;

static void choose(void) {
    openblas_set_num_threads(1); /* one thread a call: results must not depend on BLAS's own team */
    chosen = &lag_vec_baseline;
#if defined(__x86_64__) && !defined(LAG_REAL_DOUBLE)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) chosen = &lag_vec_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        chosen = &lag_vec_avx512;
#endif
}

const struct lag_vec *lag_vec(void) {
    pthread_once(&once, choose);
    return chosen;
}

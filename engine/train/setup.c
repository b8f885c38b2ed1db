/* Once a process: BLAS flavour, self-test, fingerprint. */
#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/error.h>
#include <lagd/base/mem.h>
#include <lagd/engine/train.h>

#include <cblas.h>
#include <gnu/libc-version.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PTHREAD_FLAVOUR 1 /* OPENBLAS_THREAD of openblas_config.h */
#define TEST_M 70
#define TEST_N 50
#define TEST_K 130

/* Global: it describes the process. Written once. */
static char fingerprint[LAG_N_PRECISIONS][128];
static pthread_once_t fingerprint_once = PTHREAD_ONCE_INIT;

static void describe(void) {
    const char *const form = "matrix %s; vec %s; glibc %s; gcc %.16s", *const vec = lag_vec()->name;
    char blas[48], version[16] = "?";
    (void)sscanf(openblas_get_config(), "%*s %15s", version);
    snprintf(blas, sizeof(blas), "openblas %s %.20s", version, openblas_get_corename());
    for (int i = 0; i < LAG_N_PRECISIONS; i++) {
        const struct lag_products *own = lag_products((enum lag_precision)i);
        snprintf(fingerprint[i], sizeof(*fingerprint), form, own ? own->name : i == LAG_FP32 ? blas : "none", vec,
                 gnu_get_libc_version(), __VERSION__);
    }
}

const char *lag_fingerprint(enum lag_precision precision) {
    pthread_once(&fingerprint_once, describe);
    return fingerprint[precision];
}

static double reference(const lag_real *a, const lag_real *b, int row, int col) {
    double sum = 0;
    for (int k = 0; k < TEST_K; k++) sum += (double)a[row * TEST_K + k] * (double)b[k * TEST_N + col];
    return sum;
}

/* Products must be right, and the same bits again and at another address. */
static int self_test(lag_real *pack, struct lag_error *err) {
    enum { A = TEST_M * TEST_K, B = TEST_K * TEST_N, C = TEST_M * TEST_N, SHIFT = 3 };
    LAG_CLEANUP(lag_free_p) lag_real *block = lag_calloc(2 * (A + B + SHIFT) + 2 * C, sizeof(*block));
    if (!block) return lag_error_set(err, LAG_ENOMEM, "no memory for the self-test");
    lag_real *a = block, *b = a + A, *moved_a = b + B + SHIFT, *moved_b = moved_a + A, *c = moved_b + B + SHIFT,
             *again = c + C;
    for (int i = 0; i < A; i++) a[i] = (lag_real)((i * 37) % 101 - 50) / 64;
    for (int i = 0; i < B; i++) b[i] = (lag_real)((i * 53) % 103 - 51) / 64;
    memcpy(moved_a, a, (A + B) * sizeof(*a));
    lag_gemm(LAG_FP32, pack, TEST_M, TEST_N, TEST_K, 1, (struct lag_matrix){a, TEST_K, false},
             (struct lag_matrix){b, TEST_N, false}, 0, c, TEST_N);
    lag_gemm(LAG_FP32, pack, TEST_M, TEST_N, TEST_K, 1, (struct lag_matrix){moved_a, TEST_K, false},
             (struct lag_matrix){moved_b, TEST_N, false}, 0, again, TEST_N);
    for (int i = 0; i < C; i++)
        if (!(fabs((double)c[i] - reference(a, b, i / TEST_N, i % TEST_N)) < 1e-3))
            return lag_error_set(err, LAG_EUNSUPPORTED, "matrix products are wrong on this CPU (%s); install another "
                                 "version of libopenblas0-pthread or set OPENBLAS_CORETYPE=Haswell",
                                 lag_fingerprint(LAG_FP32));
    if (memcmp(c, again, C * sizeof(*c)))
        return lag_error_set(err, LAG_EUNSUPPORTED, "matrix products do not repeat bit by bit on this CPU (%s); "
                             "install another version of libopenblas0-pthread or set OPENBLAS_CORETYPE=Haswell",
                             lag_fingerprint(LAG_FP32));
    return 0;
}

int lag_engine_setup(struct lag_error *err) {
    if (openblas_get_parallel() != PTHREAD_FLAVOUR)
        return lag_error_set(err, LAG_EUNSUPPORTED, "libblas is not the pthread flavour of OpenBLAS; "
                             "apt-get install libopenblas0-pthread and let update-alternatives choose it");
    lag_real *pack = lag_block_alloc(LAG_PACK_ELEMENTS * sizeof(*pack));
    if (!pack) return lag_error_set(err, LAG_ENOMEM, "no memory for the self-test");
    const int rc = self_test(pack, err);
    lag_block_free(pack, LAG_PACK_ELEMENTS * sizeof(*pack));
    return rc;
}

/* The AVX-512 kernels' own source, compiled for any CPU (portable/immintrin.h): every product against sums in double, in
 * every transposition, packed and not, and with bfloat16 operands that are stored as such. */
#include "gradcheck.h"

#include "../../engine/kernels/gemm_internal.h"

#include <lagd/base/check.h>

#define MAX (600 * 600)
#define BESIDE 3 /* columns of c beside the product, which must stay as they are */

/* engine/kernels/gemm_avx512.c and gemm_avx512_bf16.c under other names */
extern const struct lag_products portable_fp32, portable_bf16;

static lag_real pack[LAG_PACK_ELEMENTS] __attribute__((aligned(64))), packed[MAX] __attribute__((aligned(64)));
static lag_real a[MAX], b[MAX], c[MAX];
static uint16_t half_a[MAX], half_b[MAX];

/* To nearest, ties to even, in integers. */
static uint16_t rounded(lag_real x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* What a product takes from element i. */
static double value(const struct lag_products *products, const lag_real *x, const uint16_t *half, int i) {
    if (products->k_a_word == 1) return (double)x[i];
    const uint32_t bits = (uint32_t)half[i] << 16;
    float f;
    memcpy(&f, &bits, sizeof(f));
    return (double)f;
}

static struct lag_matrix operand(const lag_real *x, const uint16_t *half, bool stored, int stride, bool transposed) {
    return (struct lag_matrix){.data = stored ? (const lag_real *)(const void *)half : x, .stride = stride,
                               .transposed = transposed, .half = stored};
}

/* mode: 1 a transposed, 2 b transposed, 4 b packed, 8 a stored in bfloat16, 16 b. */
static void check_product(const struct lag_products *products, int m, int n, int length, unsigned mode) {
    const bool a_turned = mode & 1, b_turned = mode & 2;
    const int stride = n + BESIDE;
    const struct lag_matrix left = operand(a, half_a, mode & 8, a_turned ? m : length, a_turned);
    struct lag_matrix right = operand(b, half_b, mode & 16, b_turned ? length : n, b_turned);
    if (mode & 4) {
        const size_t words = (size_t)((length + products->k_a_word - 1) / products->k_a_word);
        for (int j = 0; j < n; j += products->width)
            products->pack(right, length, j, LAG_MIN(products->width, n - j), packed + words * (size_t)j);
        right = (struct lag_matrix){.data = packed, .stride = length, .packed = true};
    }
    for (int i = 0; i < m * stride; i++) c[i] = (lag_real)(i % 100);
    products->gemm(pack, m, n, length, 2, left, right, -1, c, stride);
    for (int i = 0; i < m * stride; i++) {
        const int row = i / stride, col = i % stride;
        double wanted = -(i % 100);
        for (int k = 0; k < length && col < n; k++)
            wanted += 2 * value(products, a, half_a, a_turned ? k * m + row : row * length + k) *
                      value(products, b, half_b, b_turned ? col * length + k : k * n + col);
        if (col >= n) wanted = i % 100;
        if (!(fabs((double)c[i] - wanted) < 1e-3))
            fail_msg("%s: %d × %d × %d, mode %u: element %d is %g, wanted %g", products->name, m, n, length, mode, i,
                     (double)c[i], wanted);
    }
}

static void check_products(const struct lag_products *products, unsigned n_modes) {
    for (uint64_t i = 0; i < MAX; i++) {
        a[i] = test_normal(1, i), b[i] = test_normal(2, i);
        half_a[i] = rounded(a[i]), half_b[i] = rounded(b[i]);
    }
    for (unsigned mode = 0; mode < n_modes; mode++) {
        check_product(products, 37, 29, 41, mode);
        check_product(products, 9, 50, 600, mode); /* several blocks of k */
        check_product(products, 530, 33, 17, mode); /* several blocks of rows */
        check_product(products, 1, 1, 1, mode);
        check_product(products, 24, 64, 64, mode);
    }
}

static void single_precision(void **unused) {
    check_products(&portable_fp32, 8);
}

static void bfloat16(void **unused) {
    check_products(&portable_bf16, 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(single_precision), cmocka_unit_test(bfloat16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

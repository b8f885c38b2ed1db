/* Matrix product for AVX2 with FMA, one thread: of single precision, and of operands rounded to bfloat16 for CPUs that
 * have no instruction for those.
 *
 * Blocks as in gemm_avx512.c, in panels of 16 columns: 6 × 16 results are kept in registers. An operand of a bfloat16
 * product is rounded to nearest even while it is packed and lies there in single precision, so both products share one
 * kernel; the product of two bfloat16 is exact in it. Each result is a sum over k in order, in blocks of fixed size, so
 * its bits do not depend on where in the matrix it lies. */
#include "kernels/gemm_internal.h"

#include <lagd/base/check.h>

#include <immintrin.h>
#include <string.h>

#define MR 6
#define NR 16
#define KC LAG_PACK_K
#define MC 510 /* a multiple of MR below LAG_PACK_M: the last store of pack_columns reaches two elements further */
#define INLINE static inline __attribute__((always_inline))

/* ---- packing ---- */

INLINE __m256i mask8(int n) {
    static const int32_t ONES[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ONES + 8 - LAG_MAX(0, LAG_MIN(8, n))));
}

/* The nearest bfloat16, ties to even; NaN stays NaN. */
INLINE __m256 round8(__m256 x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i kept = _mm256_and_si256(up, _mm256_set1_epi32((int)0xffff0000u));
    return _mm256_blendv_ps(_mm256_castsi256_ps(kept), x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* Eight elements from the one at number at on, of which n exist; the others are zero. */
INLINE __m256 load8(struct lag_matrix x, size_t at, int n, bool rounded) {
    if (rounded && x.half) {
        const uint16_t *half = (const uint16_t *)(const void *)x.data + at;
        uint16_t part[8] = {0};
        if (n < 8) half = memcpy(part, half, (size_t)LAG_MAX(0, n) * sizeof(*part));
        const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)half));
        return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
    }
    const __m256 y = n >= 8 ? _mm256_loadu_ps(x.data + at) : _mm256_maskload_ps(x.data + at, mask8(n));
    return rounded ? round8(y) : y;
}

/* Transposes 8 × 8: row[i] holds line i on entry and column i at the end. */
INLINE void transpose8(__m256 row[8]) {
    __m256 t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        row[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        row[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        row[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        row[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(row[i], row[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(row[i], row[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++) row[i] = t[i];
}

/* Eight columns of a panel from eight lines of b from line on; n of them exist. */
INLINE void pack_lines(struct lag_matrix b, int line, int kc, int n, float *to, bool rounded) {
    const size_t stride = (size_t)b.stride, at = (size_t)line * stride;
    for (int k = 0; k < kc; k += 8) {
        const int depth = LAG_MIN(8, kc - k);
        __m256 row[8];
        for (int i = 0; i < 8; i++)
            row[i] = i < n ? load8(b, at + (size_t)i * stride + (size_t)k, depth, rounded) : _mm256_setzero_ps();
        transpose8(row);
        if (depth == 8)
            for (int i = 0; i < 8; i++) _mm256_store_ps(to + (size_t)(k + i) * NR, row[i]);
        else
            for (int i = 0; i < depth; i++) _mm256_store_ps(to + (size_t)(k + i) * NR, row[i]);
    }
}

/* Columns j … j + width of kc of k as a panel [kc][NR], filled with zeros. */
INLINE void pack_panel(struct lag_matrix b, int kc, int j, int width, float *to, bool rounded) {
    if (b.transposed) {
        pack_lines(b, j, kc, width, to, rounded);
        pack_lines(b, j + 8, kc, width - 8, to + 8, rounded);
        return;
    }
    size_t at = (size_t)j;
    if (width == NR)
        for (int k = 0; k < kc; k++, at += (size_t)b.stride, to += NR) {
            _mm256_store_ps(to, load8(b, at, 8, rounded));
            _mm256_store_ps(to + 8, load8(b, at + 8, 8, rounded));
        }
    else
        for (int k = 0; k < kc; k++, at += (size_t)b.stride, to += NR) {
            _mm256_store_ps(to, load8(b, at, width, rounded));
            _mm256_store_ps(to + 8, load8(b, at + 8, width - 8, rounded));
        }
}

/* m rows of a as [m][stride], filled with zeros. */
INLINE void round_rows(struct lag_matrix a, int kc, int m, float *to, size_t stride) {
    for (int i = 0; i < m; i++, to += stride)
        for (int k = 0; k < kc; k += 8)
            _mm256_storeu_ps(to + k, load8(a, (size_t)i * (size_t)a.stride + (size_t)k, kc - k, true));
}

/* A transposed a, [kc][m] in memory, to panels of MR rows, [kc][MR] each. What a store of eight writes beyond a
 * line of the panel is overwritten by the next line, or the next panel. */
INLINE void pack_columns(struct lag_matrix a, int kc, int m, float *to, bool rounded) {
    for (int i = 0; i < m; i += MR)
        for (int k = 0; k < kc; k++, to += MR)
            _mm256_storeu_ps(to, load8(a, (size_t)k * (size_t)a.stride + (size_t)i, m - i, rounded));
}

/* ---- the kernel: rows × (8 vectors) results ---- */

struct block {
    const float *a, *b; /* b: packed panel */
    size_t a_row;       /* elements between rows of a that is not packed by columns */
    int kc, width;      /* width: columns that exist */
    float alpha, beta;
    float *c;
    size_t c_stride;
};

INLINE void store(const struct block *p, float *c, int n, __m256 r) {
    const __m256 beta = _mm256_set1_ps(p->beta);
    if (n >= 8) {
        if (p->beta != 0) r = _mm256_fmadd_ps(beta, _mm256_loadu_ps(c), r);
        _mm256_storeu_ps(c, r);
    } else {
        if (p->beta != 0) r = _mm256_fmadd_ps(beta, _mm256_maskload_ps(c, mask8(n)), r);
        _mm256_maskstore_ps(c, mask8(n), r);
    }
}

INLINE void kernel(const struct block *p, int rows, int vectors, bool columns) {
    __m256 sum[MR][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = _mm256_setzero_ps();
    if (p->beta != 0)
        for (int i = 0; i < rows; i++) _mm_prefetch((const char *)(p->c + (size_t)i * p->c_stride), _MM_HINT_T0);
    const float *a = p->a, *b = p->b;
    const size_t a_row = columns ? 1 : p->a_row, a_k = columns ? MR : 1;
    for (int k = 0; k < p->kc; k++, a += a_k, b += NR) {
        const __m256 b0 = _mm256_load_ps(b), b1 = vectors > 1 ? _mm256_load_ps(b + 8) : b0;
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            const __m256 x = _mm256_broadcast_ss(a + (size_t)i * a_row);
            sum[i][0] = _mm256_fmadd_ps(x, b0, sum[i][0]);
            if (vectors > 1) sum[i][1] = _mm256_fmadd_ps(x, b1, sum[i][1]);
        }
    }
    const __m256 alpha = _mm256_set1_ps(p->alpha);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            store(p, p->c + (size_t)i * p->c_stride + 8 * j, p->width - 8 * j, _mm256_mul_ps(alpha, sum[i][j]));
}

typedef void kernel_fn(const struct block *p);
#define KERNEL(rows)                                                                    \
    static void rows_##rows##_1_0(const struct block *p) { kernel(p, rows, 1, false); } \
    static void rows_##rows##_2_0(const struct block *p) { kernel(p, rows, 2, false); } \
    static void rows_##rows##_1_1(const struct block *p) { kernel(p, rows, 1, true); }  \
    static void rows_##rows##_2_1(const struct block *p) { kernel(p, rows, 2, true); }
KERNEL(1) KERNEL(2) KERNEL(3) KERNEL(4) KERNEL(5) KERNEL(6)
#define ENTRY(rows) {{rows_##rows##_1_0, rows_##rows##_2_0}, {rows_##rows##_1_1, rows_##rows##_2_1}}
static kernel_fn *const KERNELS[MR][2][2] = {ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6)};

/* ---- blocks ---- */

/* m × n results from kc of k. Rows of a lie a_row apart unless they are packed by columns. */
INLINE void multiply_block(int m, int n, struct block block, struct lag_matrix b, bool columns, float *panel,
                           bool rounded) {
    const float *a = block.a;
    float *c = block.c;
    block.b = panel;
    for (int j = 0; j < n; j += NR) {
        block.width = LAG_MIN(NR, n - j);
        if (b.packed)
            block.b = b.data + (size_t)j * (size_t)b.stride;
        else
            pack_panel(b, block.kc, j, block.width, panel, rounded);
        for (int i = 0; i < m; i += MR) {
            block.a = a + (size_t)i * (columns ? (size_t)block.kc : block.a_row);
            block.c = c + (size_t)i * block.c_stride + j;
            KERNELS[LAG_MIN(MR, m - i) - 1][columns][block.width > 8](&block);
        }
    }
}

/* Even parts of k of at most KC. */
static int even_part(int k) {
    const int parts = (k + KC - 1) / KC;
    return (k + parts - 1) / parts;
}

static struct lag_matrix shift(struct lag_matrix x, int row, int col) {
    const size_t at = (size_t)(x.transposed ? col : row) * (size_t)x.stride + (size_t)(x.transposed ? row : col);
    x.data = x.half ? (const float *)(const void *)((const uint16_t *)(const void *)x.data + at) : x.data + at;
    return x;
}

INLINE void multiply(float *pack, int m, int n, int k, float alpha, struct lag_matrix a, struct lag_matrix b,
                     float beta, float *c, int c_stride, bool rounded) {
    float *panel = pack, *packed_a = pack + KC * NR;
    const int k_part = even_part(k);
    for (int p = 0; p < k; p += k_part) {
        const int kc = LAG_MIN(k_part, k - p);
        struct lag_matrix part = b;
        if (b.packed)
            part.data += (size_t)p * NR;
        else
            part = shift(b, p, 0);
        for (int i = 0; i < m; i += MC) {
            const int mc = LAG_MIN(MC, m - i);
            const struct lag_matrix rows = shift(a, i, p);
            struct block block = {.a = packed_a, .a_row = (size_t)(kc + 7) / 8 * 8, .kc = kc, .alpha = alpha,
                                  .beta = p ? 1 : beta, .c = c + (size_t)i * (size_t)c_stride,
                                  .c_stride = (size_t)c_stride};
            if (a.transposed) {
                pack_columns(rows, kc, mc, packed_a, rounded);
            } else if (rounded) {
                round_rows(rows, kc, mc, packed_a, block.a_row);
            } else {
                block.a = rows.data;
                block.a_row = (size_t)a.stride;
            }
            multiply_block(mc, n, block, part, a.transposed, panel, rounded);
        }
    }
}

#define PRODUCTS(suffix, form, rounded, text)                                                                         \
    static void gemm##suffix(float *pack, int m, int n, int k, float alpha, struct lag_matrix a, struct lag_matrix b, \
                             float beta, float *c, int c_stride) {                                                    \
        multiply(pack, m, n, k, alpha, a, b, beta, c, c_stride, rounded);                                             \
    }                                                                                                                 \
    static void pack##suffix(struct lag_matrix b, int k, int j, int width, float *to) {                               \
        pack_panel(b, k, j, width, to, rounded);                                                                      \
    }                                                                                                                 \
    extern const struct lag_products lag_products_avx2##suffix;                                                       \
    const struct lag_products lag_products_avx2##suffix = {                                                           \
        .name = form, .width = NR, .k_a_word = 1, .gemm = gemm##suffix, .pack = pack##suffix, .note = text};
PRODUCTS(, "own", false, NULL)
PRODUCTS(_bf16, "own bf16 by fp32", true,
         "this CPU has no AVX-512 BF16 instructions: operands are rounded to bfloat16 and multiplied in single "
         "precision, so bf16 is no faster than fp32 here")

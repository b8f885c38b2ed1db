/* Matrix product with bfloat16 operands and single precision sums, for CPUs with AVX-512 BF16, one thread.
 *
 * An operand in memory is single precision and is rounded to nearest even while it is packed, or is bfloat16 already.
 * Two neighbours along k share a word, as VDPBF16PS takes them: it multiplies both pairs and adds both products.
 * Blocks as in gemm_avx512.c. Each result is a sum over pairs of k in order, in blocks of fixed size, so its bits do
 * not depend on where in the matrix it lies. An odd k is filled with a zero. */
#include "kernels/gemm_internal.h"

#include <lagd/base/check.h>

#include <immintrin.h>

#define MR 12
#define NR LAG_PACK_N
#define KC LAG_BF16_K
#define MC LAG_BF16_M
#define PAIRS(k) (((k) + 1) / 2)
#define INLINE static inline __attribute__((always_inline))

typedef uint32_t __attribute__((may_alias)) word; /* two bfloat16: the even k in the low half */

INLINE __mmask16 mask16(int n) {
    return (__mmask16)(n >= 16 ? 0xffff : n > 0 ? (1u << n) - 1 : 0);
}

INLINE __mmask32 mask32(int n) {
    return n >= 32 ? 0xffffffffu : n > 0 ? (1u << n) - 1 : 0;
}

/* ---- packing ---- */

/* Word i of the result: element i of low and of high. */
INLINE __m512i interleave(__m512 low, __m512 high) {
    static const uint16_t ORDER[32] __attribute__((aligned(64))) = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_load_si512(ORDER), (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

/* Sixteen elements of two lines of bfloat16, from x; high may be NULL. */
INLINE __m512i interleave_stored(const uint16_t *low, const uint16_t *high, __mmask16 mask) {
    const __m512i a = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, low));
    if (!high) return a;
    return _mm512_or_si512(a, _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, high)), 16));
}

/* Sixteen columns from column j of lines k and k + 1 (zeros when there is one only) as words. */
INLINE __m512i two_lines(struct lag_matrix x, int k, bool one, int j, __mmask16 mask) {
    const size_t stride = (size_t)x.stride, at = (size_t)k * stride + (size_t)j;
    if (x.half) {
        const uint16_t *low = (const uint16_t *)(const void *)x.data + at;
        return interleave_stored(low, one ? NULL : low + stride, mask);
    }
    const __m512 low = _mm512_maskz_loadu_ps(mask, x.data + at);
    return interleave(low, one ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, x.data + at + stride));
}

/* n elements of a line from element k as PAIRS(n) words, n ≤ 32. */
INLINE __m512i one_line(struct lag_matrix x, int row, int k, int n) {
    const size_t at = (size_t)row * (size_t)x.stride + (size_t)k;
    if (x.half) return _mm512_maskz_loadu_epi16(mask32(n), (const uint16_t *)(const void *)x.data + at);
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(mask16(n - 16), x.data + at + 16),
                                        _mm512_maskz_loadu_ps(mask16(n), x.data + at));
}

/* Transposes 16 × 16 words: row[i] holds line i on entry and column i at the end. */
INLINE void transpose16(__m512i row[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        row[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        row[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        row[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        row[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        row[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        row[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        row[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        row[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* Sixteen columns of a panel from sixteen lines of b, of which n exist. */
INLINE void pack_lines(struct lag_matrix b, int line, int kc, int n, word *to) {
    for (int k = 0; k < kc; k += 32, to += (size_t)16 * NR) {
        const int depth = LAG_MIN(32, kc - k);
        __m512i row[16];
        for (int i = 0; i < 16; i++) row[i] = i < n ? one_line(b, line + i, k, depth) : _mm512_setzero_si512();
        transpose16(row);
        if (depth == 32)
            for (int i = 0; i < 16; i++) _mm512_store_si512(to + (size_t)i * NR, row[i]);
        else
            for (int i = 0; i < PAIRS(depth); i++) _mm512_store_si512(to + (size_t)i * NR, row[i]);
    }
}

/* Columns j … j + width of kc of k as a panel [PAIRS(kc)][NR], filled with zeros. */
static void pack_panel(struct lag_matrix b, int kc, int j, int width, float *panel) {
    word *to = (word *)(void *)panel;
    if (b.transposed) {
        pack_lines(b, j, kc, LAG_MIN(16, width), to);
        pack_lines(b, j + 16, kc, width - 16, to + 16);
        return;
    }
    const __mmask16 low = mask16(width), high = mask16(width - 16);
    for (int k = 0; k < kc; k += 2, to += NR) {
        _mm512_store_si512(to, two_lines(b, k, k + 1 == kc, j, low));
        _mm512_store_si512(to + 16, high ? two_lines(b, k, k + 1 == kc, j + 16, high) : _mm512_setzero_si512());
    }
}

/* m rows of a as [m][stride] words. */
static void pack_rows(struct lag_matrix a, int kc, int m, word *to, size_t stride) {
    for (int i = 0; i < m; i++, to += stride)
        for (int k = 0; k < kc; k += 32) {
            const int depth = LAG_MIN(32, kc - k);
            _mm512_mask_storeu_epi32(to + k / 2, mask16(PAIRS(depth)), one_line(a, i, k, depth));
        }
}

/* A transposed a, [kc][m] in memory, to panels of MR rows, [PAIRS(kc)][MR] each. */
static void pack_columns(struct lag_matrix a, int kc, int m, word *to) {
    for (int i = 0; i < m; i += MR, to += (size_t)PAIRS(kc) * MR) {
        const __mmask16 mask = mask16(LAG_MIN(MR, m - i));
        for (int k = 0; k < kc; k += 2)
            _mm512_mask_storeu_epi32(to + (size_t)(k / 2) * MR, mask16(MR), two_lines(a, k, k + 1 == kc, i, mask));
    }
}

/* ---- the kernel: rows × (16 vectors) results ---- */

struct block {
    const word *a, *b; /* b: packed panel */
    size_t a_row;      /* words between rows of a that is not packed by columns */
    int n_pairs;
    float alpha, beta;
    float *c;
    size_t c_stride;
    __mmask16 mask[2]; /* columns that exist */
};

INLINE void kernel(const struct block *p, int rows, int vectors, bool columns) {
    __m512 sum[MR][2];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    if (p->beta != 0)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < vectors; j++)
                _mm_prefetch((const char *)(p->c + (size_t)i * p->c_stride + 16 * j), _MM_HINT_T0);
    const word *a = p->a, *b = p->b;
    const size_t a_row = columns ? 1 : p->a_row, a_k = columns ? MR : 1;
    for (int k = 0; k < p->n_pairs; k++, a += a_k, b += NR) {
        const __m512bh b0 = (__m512bh)_mm512_load_si512(b), b1 = vectors > 1 ? (__m512bh)_mm512_load_si512(b + 16) : b0;
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[(size_t)i * a_row]);
            sum[i][0] = _mm512_dpbf16_ps(sum[i][0], x, b0);
            if (vectors > 1) sum[i][1] = _mm512_dpbf16_ps(sum[i][1], x, b1);
        }
    }
    const __m512 alpha = _mm512_set1_ps(p->alpha), beta = _mm512_set1_ps(p->beta);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            float *c = p->c + (size_t)i * p->c_stride + 16 * j;
            __m512 r = _mm512_mul_ps(alpha, sum[i][j]);
            if (p->beta != 0) r = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(p->mask[j], c), r);
            _mm512_mask_storeu_ps(c, p->mask[j], r);
        }
}

typedef void kernel_fn(const struct block *p);
#define KERNEL(rows)                                                                    \
    static void rows_##rows##_1_0(const struct block *p) { kernel(p, rows, 1, false); } \
    static void rows_##rows##_2_0(const struct block *p) { kernel(p, rows, 2, false); } \
    static void rows_##rows##_1_1(const struct block *p) { kernel(p, rows, 1, true); }  \
    static void rows_##rows##_2_1(const struct block *p) { kernel(p, rows, 2, true); }
KERNEL(1) KERNEL(2) KERNEL(3) KERNEL(4) KERNEL(5) KERNEL(6)
KERNEL(7) KERNEL(8) KERNEL(9) KERNEL(10) KERNEL(11) KERNEL(12)
#define ENTRY(rows) {{rows_##rows##_1_0, rows_##rows##_2_0}, {rows_##rows##_1_1, rows_##rows##_2_1}}
static kernel_fn *const KERNELS[MR][2][2] = {ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4),  ENTRY(5),  ENTRY(6),
                                             ENTRY(7), ENTRY(8), ENTRY(9), ENTRY(10), ENTRY(11), ENTRY(12)};

/* ---- blocks ---- */

/* m × n results from kc of k. */
static void multiply_block(int m, int n, int kc, struct block block, struct lag_matrix b, bool columns, float *panel) {
    const word *a = block.a;
    float *c = block.c;
    block.b = (const word *)(const void *)panel;
    for (int j = 0; j < n; j += NR) {
        const int width = LAG_MIN(NR, n - j), vectors = width > 16 ? 2 : 1;
        block.mask[0] = mask16(width);
        block.mask[1] = mask16(width - 16);
        if (b.packed)
            block.b = (const word *)(const void *)b.data + (size_t)j * (size_t)PAIRS(b.stride);
        else
            pack_panel(b, kc, j, width, panel);
        for (int i = 0; i < m; i += MR) {
            const int rows = LAG_MIN(MR, m - i);
            block.a = a + (columns ? (size_t)i * (size_t)block.n_pairs : (size_t)i * block.a_row);
            block.c = c + (size_t)i * block.c_stride + j;
            KERNELS[rows - 1][columns][vectors - 1](&block);
        }
    }
}

/* Even parts of k of at most most, each a multiple of 32 but the last. */
static int even_part(int n, int most) {
    const int parts = (n + most - 1) / most;
    return ((n + parts - 1) / parts + 31) / 32 * 32;
}

static struct lag_matrix shift(struct lag_matrix x, int row, int col) {
    const size_t at = (size_t)(x.transposed ? col : row) * (size_t)x.stride + (size_t)(x.transposed ? row : col);
    x.data = x.half ? (const float *)(const void *)((const uint16_t *)(const void *)x.data + at) : x.data + at;
    return x;
}

static void multiply(float *pack, int m, int n, int k, float alpha, struct lag_matrix a, struct lag_matrix b,
                     float beta, float *c, int c_stride) {
    float *panel = pack;
    word *packed_a = (word *)(void *)(pack + PAIRS(KC) * NR);
    const int k_part = even_part(k, KC);
    for (int p = 0; p < k; p += k_part) {
        const int kc = LAG_MIN(k_part, k - p);
        struct lag_matrix part = b;
        if (b.packed)
            part.data += (size_t)(p / 2) * NR;
        else
            part = shift(b, p, 0);
        for (int i = 0; i < m; i += MC) {
            const int mc = LAG_MIN(MC, m - i);
            struct block block = {.a = packed_a, .a_row = (size_t)PAIRS(kc), .n_pairs = PAIRS(kc), .alpha = alpha,
                                  .beta = p ? 1 : beta, .c = c + (size_t)i * (size_t)c_stride,
                                  .c_stride = (size_t)c_stride};
            if (a.transposed)
                pack_columns(shift(a, i, p), kc, mc, packed_a);
            else
                pack_rows(shift(a, i, p), kc, mc, packed_a, block.a_row);
            multiply_block(mc, n, kc, block, part, a.transposed, panel);
        }
    }
}

extern const struct lag_products lag_products_avx512_bf16;
const struct lag_products lag_products_avx512_bf16 = {
    .name = "own bf16", .width = NR, .k_a_word = 2, .gemm = multiply, .pack = pack_panel};

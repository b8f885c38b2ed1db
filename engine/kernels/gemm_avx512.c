/* Matrix product for AVX-512, single precision, one thread.
 *
 * Blocks as in Goto & van de Geijn (ACM TOMS 34, 2008): b is packed a panel of 32 columns and at most 256 rows at a
 * time, which stays in the L1 cache; 8 × 32 results are kept in registers. Rows of a are read in place, columns of a
 * transposed a are packed. Each result is a sum over k in order, in blocks of fixed size, so its bits do not depend on
 * where in the matrix it lies. */
#include "kernels/gemm_internal.h"

#include <lagd/base/check.h>

#include <immintrin.h>

#define MR 8
#define NR LAG_PACK_N
#define KC LAG_PACK_K
#define MC LAG_PACK_M
#define INLINE static inline __attribute__((always_inline))

/* ---- packing: panels of NR columns, [kc][NR] each, the last one filled with zeros ---- */

static void pack_rows(const float *b, size_t stride, int kc, int n, float *to) {
    const __mmask16 low = (__mmask16)(n >= 16 ? 0xffff : (1u << n) - 1);
    const __mmask16 high = (__mmask16)(n >= 32 ? 0xffff : n > 16 ? (1u << (n - 16)) - 1 : 0);
    for (int k = 0; k < kc; k++, b += stride, to += NR) {
        _mm512_store_ps(to, _mm512_maskz_loadu_ps(low, b));
        _mm512_store_ps(to + 16, high ? _mm512_maskz_loadu_ps(high, b + 16) : _mm512_setzero_ps());
    }
}

/* Transposes 16 × 16: row[i] holds line i on entry and column i at the end. */
INLINE void transpose16(__m512 row[16]) {
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(row[i], row[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(row[i], row[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        row[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        row[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        row[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        row[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(row[i], row[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(row[i], row[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(row[i + 8], row[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(row[i + 8], row[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        row[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        row[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        row[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        row[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* Sixteen columns of the panel from sixteen lines of b; n of them exist. */
static void pack_lines(const float *b, size_t stride, int kc, int n, float *to) {
    for (int k = 0; k < kc; k += 16) {
        const int depth = LAG_MIN(16, kc - k);
        const __mmask16 mask = (__mmask16)(depth == 16 ? 0xffff : (1u << depth) - 1);
        __m512 row[16];
        for (int i = 0; i < 16; i++)
            row[i] = i < n ? _mm512_maskz_loadu_ps(mask, b + (size_t)i * stride + k) : _mm512_setzero_ps();
        transpose16(row);
        if (depth == 16)
            for (int i = 0; i < 16; i++) _mm512_store_ps(to + (size_t)(k + i) * NR, row[i]);
        else
            for (int i = 0; i < depth; i++) _mm512_store_ps(to + (size_t)(k + i) * NR, row[i]);
    }
}

/* Columns j … j + width of kc of k. */
static void pack_panel(struct lag_matrix b, int kc, int j, int width, float *to) {
    const size_t stride = (size_t)b.stride;
    if (!b.transposed) {
        pack_rows(b.data + j, stride, kc, width, to);
        return;
    }
    pack_lines(b.data + (size_t)j * stride, stride, kc, LAG_MIN(16, width), to);
    if (width > 16) pack_lines(b.data + (size_t)(j + 16) * stride, stride, kc, width - 16, to + 16);
}

/* A transposed a: [kc][m] in memory to panels of MR rows, [kc][MR] each. */
static void pack_a(const float *a, size_t stride, int kc, int m, float *to) {
    for (int i = 0; i < m; i += 2 * MR, to += (size_t)kc * 2 * MR) {
        const __mmask16 mask = (__mmask16)(m - i >= 2 * MR ? 0xffff : (1u << (m - i)) - 1);
        float *second = m - i > MR ? to + (size_t)kc * MR : NULL;
        for (int k = 0; k < kc; k++) {
            const __m512 x = _mm512_maskz_loadu_ps(mask, a + (size_t)k * stride + i);
            _mm256_store_ps(to + (size_t)k * MR, _mm512_castps512_ps256(x));
            if (second) _mm256_store_ps(second + (size_t)k * MR, _mm512_extractf32x8_ps(x, 1));
        }
    }
}

/* ---- the kernel: rows × (16 vectors) results ---- */

struct block {
    const float *a, *b; /* b: packed panel */
    size_t a_row, a_k;  /* strides of a */
    int kc;
    float alpha, beta;
    float *c;
    size_t c_stride;
    __mmask16 mask[2];  /* columns that exist */
};

INLINE void kernel(const struct block *p, int rows, int vectors, bool packed) {
    __m512 sum[MR][2];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) sum[i][j] = _mm512_setzero_ps();
    if (p->beta != 0)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < vectors; j++)
                _mm_prefetch((const char *)(p->c + (size_t)i * p->c_stride + 16 * j), _MM_HINT_T0);
    const float *a = p->a, *b = p->b;
    const size_t a_row = packed ? 1 : p->a_row, a_k = packed ? MR : 1;
    for (int k = 0; k < p->kc; k++, a += a_k, b += NR) {
        const __m512 b0 = _mm512_load_ps(b), b1 = vectors > 1 ? _mm512_load_ps(b + 16) : b0;
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const __m512 x = _mm512_set1_ps(a[(size_t)i * a_row]);
            sum[i][0] = _mm512_fmadd_ps(x, b0, sum[i][0]);
            if (vectors > 1) sum[i][1] = _mm512_fmadd_ps(x, b1, sum[i][1]);
        }
    }
    const __m512 alpha = _mm512_set1_ps(p->alpha), beta = _mm512_set1_ps(p->beta);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) {
            float *c = p->c + (size_t)i * p->c_stride + 16 * j;
            __m512 r = _mm512_mul_ps(alpha, sum[i][j]);
            if (p->beta != 0) r = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(p->mask[j], c), r);
            _mm512_mask_storeu_ps(c, p->mask[j], r);
        }
}

typedef void kernel_fn(const struct block *p);
#define KERNEL(rows)                                                            \
    static void rows_##rows##_1_0(const struct block *p) { kernel(p, rows, 1, false); } \
    static void rows_##rows##_2_0(const struct block *p) { kernel(p, rows, 2, false); } \
    static void rows_##rows##_1_1(const struct block *p) { kernel(p, rows, 1, true); }  \
    static void rows_##rows##_2_1(const struct block *p) { kernel(p, rows, 2, true); }
KERNEL(1) KERNEL(2) KERNEL(3) KERNEL(4) KERNEL(5) KERNEL(6) KERNEL(7) KERNEL(8)
#define ENTRY(rows) {{rows_##rows##_1_0, rows_##rows##_2_0}, {rows_##rows##_1_1, rows_##rows##_2_1}}
static kernel_fn *const KERNELS[MR][2][2] = {ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4),
                                             ENTRY(5), ENTRY(6), ENTRY(7), ENTRY(8)};

/* ---- blocks ---- */

/* Asks for a share of the next panel's memory while this one is computed: part of n_parts. */
static void prefetch_panel(struct lag_matrix b, int kc, int j, int part, int n_parts) {
    const int lines = b.transposed ? NR : kc, begin = lines * part / n_parts, end = lines * (part + 1) / n_parts;
    for (int i = begin; i < end; i++) {
        const float *line = b.transposed ? b.data + (size_t)(j + i) * (size_t)b.stride
                                         : b.data + (size_t)i * (size_t)b.stride + j;
        const int length = b.transposed ? kc : NR;
        for (int k = 0; k < length; k += 16) _mm_prefetch((const char *)(line + k), _MM_HINT_T1);
    }
}

/* m × n results from kc of k. packed_a is NULL when rows of a are read in place. */
static void multiply_block(int m, int n, struct block block, struct lag_matrix b, const float *packed_a, float *panel) {
    const float *a = block.a;
    float *c = block.c;
    const int n_parts = (m + MR - 1) / MR;
    block.b = panel;
    for (int j = 0; j < n; j += NR) {
        const int width = LAG_MIN(NR, n - j), vectors = width > 16 ? 2 : 1;
        const bool more = !b.packed && j + 2 * NR <= n;
        block.mask[0] = (__mmask16)(width >= 16 ? 0xffff : (1u << width) - 1);
        block.mask[1] = (__mmask16)(width >= 32 ? 0xffff : width > 16 ? (1u << (width - 16)) - 1 : 0);
        if (b.packed)
            block.b = b.data + (size_t)j * (size_t)b.stride;
        else
            pack_panel(b, block.kc, j, width, panel);
        for (int i = 0; i < m; i += MR) {
            const int rows = LAG_MIN(MR, m - i);
            if (more) prefetch_panel(b, block.kc, j + NR, i / MR, n_parts);
            block.a = packed_a ? packed_a + (size_t)i * (size_t)block.kc : a + (size_t)i * block.a_row;
            block.c = c + (size_t)i * block.c_stride + j;
            KERNELS[rows - 1][packed_a != NULL][vectors - 1](&block);
        }
    }
}

static int even_part(int n, int most) {
    const int parts = (n + most - 1) / most;
    return (n + parts - 1) / parts;
}

static void multiply(float *pack, int m, int n, int k, float alpha, struct lag_matrix a, struct lag_matrix b,
                     float beta, float *c, int c_stride) {
    float *panel = pack, *packed_a = pack + KC * NR;
    const int k_part = even_part(k, KC);
    const size_t a_stride = (size_t)a.stride;
    for (int p = 0; p < k; p += k_part) {
        const int kc = LAG_MIN(k_part, k - p);
        struct lag_matrix part = b;
        part.data += b.packed ? (size_t)p * NR : b.transposed ? (size_t)p : (size_t)p * (size_t)b.stride;
        for (int i = 0; i < m; i += MC) {
            const int mc = LAG_MIN(MC, m - i);
            struct block block = {.a_row = a_stride, .kc = kc, .alpha = alpha, .beta = p ? 1 : beta,
                                  .c = c + (size_t)i * (size_t)c_stride, .c_stride = (size_t)c_stride};
            if (a.transposed)
                pack_a(a.data + (size_t)p * a_stride + i, a_stride, kc, mc, packed_a);
            else
                block.a = a.data + (size_t)i * a_stride + p;
            multiply_block(mc, n, block, part, a.transposed ? packed_a : NULL, panel);
        }
    }
}

extern const struct lag_products lag_products_avx512;
const struct lag_products lag_products_avx512 = {
    .name = "own", .width = NR, .k_a_word = 1, .gemm = multiply, .pack = pack_panel};

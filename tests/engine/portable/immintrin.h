/* Stands in for the compiler's header where the AVX-512 kernels are compiled for any CPU: SIMDe computes what each
 * intrinsic does, and here is what it lacks. Slow, and meant for tests only. */
#pragma once
#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <stdbool.h>
#include <string.h>

typedef simde__mmask16 __mmask16;
typedef simde__mmask32 __mmask32;

/* ---- loads and stores under a mask: an element outside it is not touched ---- */

static inline __m512 _mm512_maskz_loadu_ps(__mmask16 mask, const void *from) {
    float y[16] = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy(&y[i], (const float *)from + i, sizeof(*y));
    return _mm512_loadu_ps(y);
}

static inline __m512i _mm512_maskz_loadu_epi16(__mmask32 mask, const void *from) {
    uint16_t y[32] = {0};
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1) memcpy(&y[i], (const uint16_t *)from + i, sizeof(*y));
    return _mm512_loadu_si512(y);
}

static inline __m256i _mm256_maskz_loadu_epi16(__mmask16 mask, const void *from) {
    uint16_t y[16] = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy(&y[i], (const uint16_t *)from + i, sizeof(*y));
    return _mm256_loadu_si256((const __m256i *)(const void *)y);
}

static inline void _mm512_mask_storeu_ps(void *to, __mmask16 mask, __m512 x) {
    float y[16];
    _mm512_storeu_ps(y, x);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy((float *)to + i, &y[i], sizeof(*y));
}

static inline void _mm512_mask_storeu_epi32(void *to, __mmask16 mask, __m512i x) {
    uint32_t y[16];
    _mm512_storeu_si512(y, x);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy((uint32_t *)to + i, &y[i], sizeof(*y));
}

/* ---- conversions ---- */

static inline __m512i _mm512_cvtepu16_epi32(__m256i x) {
    uint16_t from[16];
    uint32_t y[16];
    _mm256_storeu_si256((__m256i *)(void *)from, x);
    for (int i = 0; i < 16; i++) y[i] = from[i];
    return _mm512_loadu_si512(y);
}

/* To the nearest bfloat16, ties to even; the elements of low first. */
static inline __m512bh _mm512_cvtne2ps_pbh(__m512 high, __m512 low) {
    uint32_t bits[32];
    uint16_t y[32];
    _mm512_storeu_ps(bits, low);
    _mm512_storeu_ps(bits + 16, high);
    for (int i = 0; i < 32; i++) {
        const bool nan = (bits[i] & 0x7fffffff) > 0x7f800000;
        y[i] = (uint16_t)((nan ? bits[i] | 0x400000 : bits[i] + 0x7fff + (bits[i] >> 16 & 1)) >> 16);
    }
    return (__m512bh)_mm512_loadu_si512(y);
}

static inline __m256 portable_extract_half(__m512 x, int which) {
    float y[16];
    _mm512_storeu_ps(y, x);
    return _mm256_loadu_ps(y + 8 * which);
}
#define _mm512_extractf32x8_ps(x, which) portable_extract_half(x, which)
#define _mm512_shuffle_f32x4(a, b, order) ((__m512)_mm512_shuffle_i32x4((__m512i)(a), (__m512i)(b), order))

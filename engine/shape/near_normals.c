/* Normal numbers as plain loops that compilers make vectors of, compiled once a CPU level (LAG_VEC_LEVEL names it).
 *
 * Philox's rounds, then log, sin and cos by their series, in double with a relative error below 2^-46. What lies nearer
 * to the middle between two floats than MARGIN, or what the series are not good at, is left in doubt. */
#include "shape/normals_internal.h"

#include <math.h>
#include <string.h>

#define MARGIN 0x1p-40 /* relative, 64 times the error: one number of 10^5 is nearer to a middle */
#define SMALL 0x1p-20  /* sines and cosines below it lose relative exactness by the reduction of the angle */
#define N_ROUNDS 10

/* A word of random bits after another, pair by pair. */
struct words { uint32_t of[4][LAG_NORMAL_BATCH]; };

static void draw(const struct lag_normal_row *row, size_t n, struct words *w) {
    uint32_t k0 = (uint32_t)row->key, k1 = (uint32_t)(row->key >> 32);
    for (size_t i = 0; i < n; i++) {
        const uint64_t low = row->low + i;
        w->of[0][i] = (uint32_t)low;
        w->of[1][i] = (uint32_t)(low >> 32);
        w->of[2][i] = (uint32_t)row->high;
        w->of[3][i] = (uint32_t)(row->high >> 32);
    }
    for (int r = 0; r < N_ROUNDS; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (size_t i = 0; i < n; i++) {
            const uint64_t a = (uint64_t)0xD2511F53u * w->of[0][i], b = (uint64_t)0xCD9E8D57u * w->of[2][i];
            w->of[0][i] = (uint32_t)(b >> 32) ^ w->of[1][i] ^ k0;
            w->of[1][i] = (uint32_t)b;
            w->of[2][i] = (uint32_t)(a >> 32) ^ w->of[3][i] ^ k1;
            w->of[3][i] = (uint32_t)a;
        }
}

static inline uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* In [0, 1), 53 bits: exact in two parts that are small integers, for which every CPU has a conversion. */
static inline double unit(uint32_t low, uint32_t high) {
    const double above = (double)(int32_t)(high ^ 0x80000000u) + 0x1p31;
    return above * 0x1p-32 + (double)(int32_t)(low >> 11) * 0x1p-53;
}

/* log(u) = k ln 2 + log(m), m in [√½, √2), and log(m) = 2 artanh(s), s = (m - 1) / (m + 1), s² ≤ 0.0295. */
static inline double near_log(double u) {
    static const uint64_t root_half = UINT64_C(0x3fe6a09e667f3bcd);
    const uint64_t t = bits_of(u) - root_half + (UINT64_C(1023) << 52);
    const double k = of_bits(t >> 52 | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
    const double f = of_bits((t & UINT64_C(0x000fffffffffffff)) + root_half) - 1, s = f / (f + 2), z = s * s;
    double p = 1.0 / 23;
    p = p * z + 1.0 / 21;
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    return k * M_LN2 + 2 * (s + s * z * p);
}

/* Taylor's series, |r| ≤ π/4, z = r². */
static inline double near_sin(double r, double z) {
    double p = -1.0 / 1307674368000;
    p = p * z + 1.0 / 6227020800;
    p = p * z - 1.0 / 39916800;
    p = p * z + 1.0 / 362880;
    p = p * z - 1.0 / 5040;
    p = p * z + 1.0 / 120;
    p = p * z - 1.0 / 6;
    return r + r * z * p;
}

static inline double near_cos(double z) {
    double p = 1.0 / 20922789888000;
    p = p * z - 1.0 / 87178291200;
    p = p * z + 1.0 / 479001600;
    p = p * z - 1.0 / 3628800;
    p = p * z + 1.0 / 40320;
    p = p * z - 1.0 / 720;
    p = p * z + 1.0 / 24;
    p = p * z - 1.0 / 2;
    return 1 + z * p;
}

/* Cosine and sine of an angle in [0, 2π]: of r = angle - q π/2, |r| ≤ π/4, π/2 in two parts (Cody & Waite). The last
 * bit of q says which is which, and the one above it the signs. */
static inline void near_turn(double angle, double *ret_cos, double *ret_sin) {
    const double magic = 0x1.8p52; /* adding it rounds to an integer, which is then in the last bits */
    const double t = angle * M_2_PI + magic, q = t - magic;
    const double r = (angle - q * 0x1.921fb5444p+0) - q * 0x1.68c234c4c6629p-39, z = r * r;
    const double s = near_sin(r, z), c = near_cos(z);
    const uint64_t quarter = bits_of(t), swaps = -(quarter & 1);
    const uint64_t cos_sign = ((quarter + 1) & 2) << 62, sin_sign = (quarter & 2) << 62;
    *ret_cos = of_bits(((bits_of(s) & swaps) | (bits_of(c) & ~swaps)) ^ cos_sign);
    *ret_sin = of_bits(((bits_of(c) & swaps) | (bits_of(s) & ~swaps)) ^ sin_sign);
}

static inline int32_t is_doubtful(double x, double turn) {
    const int32_t rounds = (float)(x * (1 - MARGIN)) != (float)(x * (1 + MARGIN));
    return rounds | (fabs(turn) < SMALL);
}

#define NAME_(level) lag_near_normals_##level
#define NAME(level) NAME_(level)
extern lag_near_normals_fn NAME(LAG_VEC_LEVEL);

int NAME(LAG_VEC_LEVEL)(const struct lag_normal_row *row, size_t n, float *out, int32_t *doubt) {
    struct words w;
    double radius[LAG_NORMAL_BATCH];
    int32_t any = 0;
    draw(row, n, &w);
    for (size_t i = 0; i < n; i++) {
        const double u = 1 - unit(w.of[0][i], w.of[1][i]);
        radius[i] = row->std * sqrt(-2 * near_log(u)); /* of u = 1 it is 0, of either sign, and libm decides */
    }
    for (size_t i = 0; i < n; i++) {
        double c, s;
        near_turn(2 * M_PI * unit(w.of[2][i], w.of[3][i]), &c, &s);
        const double x = radius[i] * c, y = radius[i] * s;
        const int32_t is_zero = radius[i] == 0;
        out[2 * i] = (float)x;
        out[2 * i + 1] = (float)y;
        doubt[2 * i] = is_doubtful(x, c) | is_zero;
        doubt[2 * i + 1] = is_doubtful(y, s) | is_zero;
        any |= doubt[2 * i] | doubt[2 * i + 1];
    }
    return any;
}

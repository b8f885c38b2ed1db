/* Vector kernels as plain loops, compiled once a CPU level (LAG_VEC_LEVEL names it). The float build brings its own
 * exponential, because libm's does not vectorise; the double build is the exact reference and uses libm's. */
#include "kernels/vec_internal.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define IVDEP _Pragma("GCC ivdep")
#define INLINE static inline __attribute__((always_inline))
#define GELU_A 0.7978845608028654 /* √(2/π); Hendrycks & Gimpel, arXiv 1606.08415 */
#define GELU_B 0.044715

/* ---- sums: eight lanes of double, four chains ---- */

typedef double vdouble __attribute__((vector_size(64)));
typedef lag_real vreal __attribute__((vector_size(8 * sizeof(lag_real))));

INLINE vdouble load8(const lag_real *p) {
    vreal x;
    memcpy(&x, p, sizeof(x));
    return __builtin_convertvector(x, vdouble);
}

INLINE double fold(vdouble a) {
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

/* total = Σ TERM over i < n. TERM(L, i) reads array p by L(p, i), as a vector of eight or as a scalar. */
#define AT8(p, i) load8((p) + (i))
#define AT1(p, i) ((double)(p)[i])
#define SUM(total, n, TERM)                                       \
    do {                                                          \
        vdouble s0_ = {0}, s1_ = {0}, s2_ = {0}, s3_ = {0};       \
        size_t i_ = 0;                                            \
        for (; i_ + 32 <= (n); i_ += 32) {                        \
            s0_ += TERM(AT8, i_);                                 \
            s1_ += TERM(AT8, i_ + 8);                             \
            s2_ += TERM(AT8, i_ + 16);                            \
            s3_ += TERM(AT8, i_ + 24);                            \
        }                                                         \
        for (; i_ + 8 <= (n); i_ += 8) s0_ += TERM(AT8, i_);      \
        (total) = fold((s0_ + s1_) + (s2_ + s3_));                \
        for (; i_ < (n); i_++) (total) += TERM(AT1, i_);          \
    } while (0)

/* ---- exponential ---- */

#ifdef LAG_REAL_DOUBLE
#define ROOT sqrt
INLINE double exp_one(double x) {
    return exp(x);
}
#else
#define ROOT sqrtf
/* exp(x) = 2^k exp(r), r = x - k ln 2 in two parts (Cody & Waite), |r| ≤ ln(2)/2, a polynomial of degree 6 for exp(r).
 * Above the range infinity, below it 0 (results under 2^-126 are 0), NaN stays NaN. */
INLINE float exp_one(float x) {
    const float low = -87.33654f, high = 88.37f, magic = 12582912.0f; /* 1.5 × 2^23: adding it rounds to an integer */
    float c = x < low ? low : x;
    c = c > high ? high : c;
    const float t = c * 1.44269504f + magic;
    const float k = t - magic;
    float r = c - k * 0.693359375f;
    r = r + k * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    int32_t bits;
    memcpy(&bits, &t, sizeof(bits));
    bits = (int32_t)((uint32_t)bits << 23) + 0x3f800000; /* 2^k */
    float power;
    memcpy(&power, &bits, sizeof(power));
    const float y = x < low ? 0.0f : p * power;
    return x > high ? INFINITY : y;
}
#endif

/* ---- elementwise ---- */

static void bias_gelu(size_t n, const lag_real *restrict bias, lag_real *restrict x, lag_real *restrict y) {
    IVDEP for (size_t i = 0; i < n; i++) {
        const lag_real a = x[i] + bias[i];
        const lag_real u = (lag_real)GELU_A * (a + (lag_real)GELU_B * a * a * a);
        x[i] = a;
        y[i] = a / (1 + exp_one(-2 * u)); /* (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)) */
    }
}

static void gelu_backward(size_t n, const lag_real *restrict x, lag_real *restrict dy) {
    IVDEP for (size_t i = 0; i < n; i++) {
        const lag_real a = x[i], square = a * a;
        const lag_real u = (lag_real)GELU_A * (a + (lag_real)GELU_B * square * a);
        const lag_real slope = 2 * (lag_real)GELU_A * (1 + 3 * (lag_real)GELU_B * square);
        const lag_real s = 1 / (1 + exp_one(-2 * u));
        dy[i] *= s + a * s * (1 - s) * slope;
    }
}

static void add(size_t n, const lag_real *restrict b, lag_real *restrict x) {
    IVDEP for (size_t i = 0; i < n; i++) x[i] += b[i];
}

static void add2(size_t n, const lag_real *restrict b, const lag_real *restrict r, lag_real *restrict x) {
    IVDEP for (size_t i = 0; i < n; i++) x[i] = r[i] + (x[i] + b[i]);
}

static void sum2(size_t n, const lag_real *restrict a, const lag_real *restrict b, lag_real *restrict y) {
    IVDEP for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void scale(size_t n, lag_real factor, lag_real *restrict x) {
    IVDEP for (size_t i = 0; i < n; i++) x[i] *= factor;
}

static void exp_row(size_t n, lag_real factor, lag_real shift, lag_real *restrict x) {
    IVDEP for (size_t i = 0; i < n; i++) x[i] = exp_one(factor * x[i] - shift);
}

static double exp_sum(size_t n, lag_real factor, lag_real shift, lag_real *restrict x) {
    double total;
    exp_row(n, factor, shift, x);
#define TERM(L, i) L(x, i)
    SUM(total, n, TERM);
#undef TERM
    return total;
}

static void score_backward(size_t n, const lag_real *restrict p, lag_real delta, lag_real factor,
                           lag_real *restrict dp) {
    IVDEP for (size_t i = 0; i < n; i++) dp[i] = p[i] * (dp[i] - delta) * factor;
}

static void accumulate(size_t n, const lag_real *restrict x, double *restrict sum) {
    IVDEP for (size_t i = 0; i < n; i++) sum[i] += (double)x[i];
}

/* ---- reductions ---- */

static lag_real max_row(size_t n, const lag_real *restrict x) {
    lag_real lane[16];
    for (int j = 0; j < 16; j++) lane[j] = -INFINITY;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) lane[j] = x[i + (size_t)j] > lane[j] ? x[i + (size_t)j] : lane[j];
    for (; i < n; i++) lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    for (int j = 1; j < 16; j++) lane[0] = lane[j] > lane[0] ? lane[j] : lane[0];
    return lane[0];
}

static double dot(size_t n, const lag_real *restrict a, const lag_real *restrict b) {
    double total;
#define TERM(L, i) (L(a, i) * L(b, i))
    SUM(total, n, TERM);
#undef TERM
    return total;
}

static double square_sum(size_t n, const lag_real *restrict x) {
    return dot(n, x, x);
}

/* ---- LayerNorm (Ba, Kiros, Hinton, arXiv 1607.06450) ---- */

static void norm_forward(size_t n, const lag_real *restrict x, const lag_real *restrict w, const lag_real *restrict b,
                         double eps, lag_real *restrict y, lag_real *ret_mean, lag_real *ret_rstd) {
    double sum, squares;
#define TERM(L, i) L(x, i)
    SUM(sum, n, TERM);
#undef TERM
    const double mean = sum / (double)n;
#define TERM(L, i) ((L(x, i) - mean) * (L(x, i) - mean))
    SUM(squares, n, TERM);
#undef TERM
    const lag_real m = (lag_real)mean, rstd = (lag_real)(1 / sqrt(squares / (double)n + eps));
    IVDEP for (size_t i = 0; i < n; i++) y[i] = (x[i] - m) * rstd * w[i] + b[i];
    *ret_mean = m;
    *ret_rstd = rstd;
}

static void norm_backward(size_t n, const lag_real *x, const lag_real *w, lag_real mean, lag_real rstd,
                          const lag_real *dy, const lag_real *residual, lag_real *dx, double *restrict dw,
                          double *restrict db) {
    double sum, product;
#define TERM(L, i) (L(dy, i) * L(w, i))
    SUM(sum, n, TERM);
#undef TERM
#define TERM(L, i) (L(dy, i) * L(w, i) * (L(x, i) - (double)mean))
    SUM(product, n, TERM);
#undef TERM
    const lag_real a = (lag_real)(sum / (double)n), c = (lag_real)(product * (double)rstd / (double)n);
    IVDEP for (size_t i = 0; i < n; i++) {
        const lag_real xhat = (x[i] - mean) * rstd;
        dw[i] += (double)(dy[i] * xhat);
        db[i] += (double)dy[i];
    }
    if (residual) {
        IVDEP for (size_t i = 0; i < n; i++)
            dx[i] = residual[i] + rstd * (dy[i] * w[i] - a - (x[i] - mean) * rstd * c);
    } else {
        IVDEP for (size_t i = 0; i < n; i++) dx[i] = rstd * (dy[i] * w[i] - a - (x[i] - mean) * rstd * c);
    }
}

/* ---- optimiser ---- */

static void adamw(size_t n, const struct lag_adamw_factors *f, const lag_real *restrict g, lag_real *restrict p,
                  lag_real *restrict m, lag_real *restrict v) {
    const struct lag_adamw_factors k = *f;
    IVDEP for (size_t i = 0; i < n; i++) {
        const lag_real grad = g[i] * k.grad_scale;
        m[i] = k.beta1 * m[i] + k.one_minus_beta1 * grad;
        v[i] = k.beta2 * v[i] + k.one_minus_beta2 * grad * grad;
        p[i] = p[i] * k.keep - k.step_size * (m[i] / (ROOT(v[i]) / k.root_bc2 + k.eps));
    }
}

#define NAME_(level) lag_vec_##level
#define NAME(level) NAME_(level)
#define TEXT_(level) #level
#define TEXT(level) TEXT_(level)
extern const struct lag_vec NAME(LAG_VEC_LEVEL);
const struct lag_vec NAME(LAG_VEC_LEVEL) = {
    .name = TEXT(LAG_VEC_LEVEL),
    .bias_gelu = bias_gelu,
    .gelu_backward = gelu_backward,
    .add = add,
    .add2 = add2,
    .sum2 = sum2,
    .scale = scale,
    .max = max_row,
    .exp_sum = exp_sum,
    .exp = exp_row,
    .score_backward = score_backward,
    .dot = dot,
    .square_sum = square_sum,
    .accumulate = accumulate,
    .norm_forward = norm_forward,
    .norm_backward = norm_backward,
    .adamw = adamw,
};

/* Vector kernels over rows, behind one table a CPU level.
 *
 * Elementwise loops are in lag_real; sums are in double with eight fixed lanes. NaN and infinity propagate. Results
 * depend on the arguments and the level only. n may be 0. Thread: any. */
#pragma once
#include <lagd/engine/real.h>
#include <stddef.h>

struct lag_adamw_factors {
    lag_real grad_scale, beta1, beta2, one_minus_beta1, one_minus_beta2;
    lag_real keep;      /* 1 - lr × decay */
    lag_real step_size; /* lr / (1 - beta1^t) */
    lag_real root_bc2;  /* sqrt(1 - beta2^t) */
    lag_real eps;
};

struct lag_vec {
    const char *name;
    /* y[i] = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) where x[i] is first increased by bias[i] */
    void (*bias_gelu)(size_t n, const lag_real *bias, lag_real *x, lag_real *y);
    void (*gelu_backward)(size_t n, const lag_real *x, lag_real *dy_dx); /* dy in, dx out */
    void (*add)(size_t n, const lag_real *b, lag_real *x);               /* x += b */
    void (*add2)(size_t n, const lag_real *b, const lag_real *r, lag_real *x); /* x += b + r */
    void (*sum2)(size_t n, const lag_real *a, const lag_real *b, lag_real *y); /* y = a + b */
    void (*scale)(size_t n, lag_real factor, lag_real *x);
    lag_real (*max)(size_t n, const lag_real *x); /* n ≥ 1; NaN is not counted: exp_sum reports it */
    double (*exp_sum)(size_t n, lag_real factor, lag_real shift, lag_real *x); /* x = exp(factor x - shift); the sum */
    void (*exp)(size_t n, lag_real factor, lag_real shift, lag_real *x);
    void (*score_backward)(size_t n, const lag_real *p, lag_real delta, lag_real factor,
                           lag_real *dp); /* dp = p (dp - delta) factor */
    double (*dot)(size_t n, const lag_real *a, const lag_real *b);
    double (*square_sum)(size_t n, const lag_real *x);
    void (*accumulate)(size_t n, const lag_real *x, double *sum); /* sum += x */
    /* One row of LayerNorm: y = (x - mean) rstd w + b. */
    void (*norm_forward)(size_t n, const lag_real *x, const lag_real *w, const lag_real *b, double eps, lag_real *y,
                         lag_real *ret_mean, lag_real *ret_rstd);
    /* dx = dy through the norm, plus residual when not NULL; dw, db are added to. dx may be dy or residual. */
    void (*norm_backward)(size_t n, const lag_real *x, const lag_real *w, lag_real mean, lag_real rstd,
                          const lag_real *dy, const lag_real *residual, lag_real *dx, double *dw, double *db);
    void (*adamw)(size_t n, const struct lag_adamw_factors *f, const lag_real *g, lag_real *p, lag_real *m,
                  lag_real *v);
};

/* The levels that this CPU runs, the best last. */
const struct lag_vec *const *lag_vec_levels(int *ret_n);
/* Another level than the best, so that tests reach all. Not while other threads compute. */
void lag_vec_use(const struct lag_vec *level);
/* The best level of this CPU. Also makes BLAS use one thread a call. Thread: any; chosen once. */
const struct lag_vec *lag_vec(void);

/* The row kernels. Double build: each backward against central differences, 1e-7. Float build: against libm in double.
 */
#include "gradcheck.h"

#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#define MAX_N 200
static const size_t LENGTHS[] = {1, 2, 7, 8, 15, 31, 33, 64, 127, 200};
#define N_LENGTHS (sizeof(LENGTHS) / sizeof(LENGTHS[0]))

static void fill(lag_real *x, uint64_t seed, lag_real spread) {
    for (size_t i = 0; i < MAX_N; i++) x[i] = spread * test_normal(seed, i);
}

static double gelu(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static void gelu_values_and_slopes(void **unused) {
    const double tolerance = sizeof(lag_real) == 8 ? 1e-8 : 2e-6, h = 1e-5;
    lag_real x[MAX_N], bias[MAX_N], y[MAX_N], d[MAX_N];
    for (size_t k = 0; k < N_LENGTHS; k++) {
        fill(x, 1, 3);
        fill(bias, 2, 1);
        for (size_t i = 0; i < MAX_N; i++) d[i] = y[i] = 1;
        lag_vec()->bias_gelu(LENGTHS[k], bias, x, y);
        lag_vec()->gelu_backward(LENGTHS[k], x, d);
        for (size_t i = 0; i < LENGTHS[k]; i++) {
            const double a = (double)x[i], slope = (gelu(a + h) - gelu(a - h)) / (2 * h);
            assert_true(fabs((double)y[i] - gelu(a)) <= tolerance * (1e-3 + fabs(gelu(a))) * 10);
            assert_true(fabs((double)d[i] - slope) <= tolerance * (1 + fabs(slope)));
        }
        if (LENGTHS[k] < MAX_N) assert_true(y[LENGTHS[k]] == 1 && d[LENGTHS[k]] == 1);
    }
}

static void exponentials(void **unused) {
    lag_real x[MAX_N];
    for (int sweep = 0; sweep < 100; sweep++) {
        for (size_t i = 0; i < MAX_N; i++) x[i] = (lag_real)((double)i * 0.43 - 86 + sweep * 0.0043);
        lag_real wanted[MAX_N];
        memcpy(wanted, x, sizeof(x));
        const double sum = lag_vec()->exp_sum(MAX_N, (lag_real)0.5, (lag_real)-0.25, x);
        double truth = 0;
        for (size_t i = 0; i < MAX_N; i++) {
            const double e = exp((double)(lag_real)((lag_real)0.5 * wanted[i] + (lag_real)0.25));
            assert_true(fabs((double)x[i] / e - 1) < (sizeof(lag_real) == 8 ? 1e-14 : 3e-6));
            truth += e;
        }
        assert_true(fabs(sum / truth - 1) < 3e-6);
    }
    static const double IN[] = {-1000, -INFINITY, 1000, INFINITY, NAN, 0};
    for (size_t k = 0; k < sizeof(IN) / sizeof(IN[0]); k++) {
        for (size_t i = 0; i < MAX_N; i++) x[i] = 0;
        x[37] = (lag_real)IN[k];
        const double sum = lag_vec()->exp_sum(40, 1, 0, x);
        assert_true((double)x[37] == exp(IN[k]) || (isnan(IN[k]) && isnan((double)x[37])));
        assert_true(isfinite(sum) == isfinite(exp(IN[k])));
        assert_true(x[36] == 1 && x[40] == 0);
    }
}

static double norm_loss(size_t n, const lag_real *x, const lag_real *w, const lag_real *b, const lag_real *weight) {
    lag_real y[MAX_N], mean, rstd;
    double sum = 0;
    lag_vec()->norm_forward(n, x, w, b, 1e-5, y, &mean, &rstd);
    for (size_t i = 0; i < n; i++) sum += (double)y[i] * (double)weight[i];
    return sum;
}

static double slope(size_t n, lag_real *at, const lag_real *x, const lag_real *w, const lag_real *b,
                    const lag_real *weight) {
    const lag_real keep = *at, h = (lag_real)1e-5;
    *at = keep + h;
    const double up = norm_loss(n, x, w, b, weight);
    *at = keep - h;
    const double down = norm_loss(n, x, w, b, weight);
    *at = keep;
    return (up - down) / (2 * (double)h);
}

static void norm_gradients(void **unused) {
    if (sizeof(lag_real) == 4) return; /* differences in float prove nothing */
    lag_real x[MAX_N], w[MAX_N], b[MAX_N], dy[MAX_N], residual[MAX_N], dx[MAX_N], y[MAX_N], mean, rstd;
    for (size_t k = 1; k < N_LENGTHS; k++) {
        const size_t n = LENGTHS[k];
        double dw[MAX_N] = {0}, db[MAX_N] = {0}, errors = 0, scale = 0;
        fill(x, 1, 2), fill(w, 2, 1), fill(b, 3, 1), fill(dy, 4, 1), fill(residual, 5, 1);
        lag_vec()->norm_forward(n, x, w, b, 1e-5, y, &mean, &rstd);
        memcpy(dx, dy, sizeof(dx));
        lag_vec()->norm_backward(n, x, w, mean, rstd, dx, residual, dx, dw, db);
        for (size_t i = 0; i < n; i++) {
            const double sx = slope(n, &x[i], x, w, b, dy), sw = slope(n, &w[i], x, w, b, dy),
                         sb = slope(n, &b[i], x, w, b, dy);
            errors += pow((double)(dx[i] - residual[i]) - sx, 2) + pow(dw[i] - sw, 2) + pow(db[i] - sb, 2);
            scale += sx * sx + sw * sw + sb * sb;
        }
        assert_true(sqrt(errors) <= 1e-7 * sqrt(scale));
    }
}

static void norm_values(void **unused) {
    lag_real x[MAX_N], w[MAX_N], b[MAX_N], y[MAX_N], mean, rstd;
    for (size_t k = 0; k < N_LENGTHS; k++) {
        const size_t n = LENGTHS[k];
        fill(x, 1, 2), fill(w, 2, 1), fill(b, 3, 1);
        for (size_t i = 0; i < n; i++) x[i] += 100; /* statistics in double do not lose the spread */
        double m = 0, v = 0;
        for (size_t i = 0; i < n; i++) m += (double)x[i] / (double)n;
        for (size_t i = 0; i < n; i++) v += pow((double)x[i] - m, 2) / (double)n;
        lag_vec()->norm_forward(n, x, w, b, 1e-5, y, &mean, &rstd);
        for (size_t i = 0; i < n; i++)
            assert_true(fabs((double)y[i] - (((double)x[i] - m) / sqrt(v + 1e-5) * (double)w[i] + (double)b[i])) <
                        (n == 1 ? 1e-2 : 1e-4));
    }
}

static void sums(void **unused) {
    lag_real a[MAX_N], b[MAX_N];
    fill(a, 1, 1), fill(b, 2, 1);
    for (size_t k = 0; k < N_LENGTHS; k++) {
        double wanted = 0, acc[MAX_N] = {0};
        lag_real top = a[0];
        for (size_t i = 0; i < LENGTHS[k]; i++) {
            wanted += (double)a[i] * (double)b[i];
            top = a[i] > top ? a[i] : top;
        }
        assert_true(fabs(lag_vec()->dot(LENGTHS[k], a, b) - wanted) < 1e-12 * MAX_N);
        assert_true(lag_vec()->max(LENGTHS[k], a) == top);
        lag_vec()->accumulate(LENGTHS[k], a, acc);
        lag_vec()->accumulate(LENGTHS[k], b, acc);
        for (size_t i = 0; i < LENGTHS[k]; i++) assert_true(acc[i] == (double)a[i] + (double)b[i]);
    }
    assert_true(lag_vec()->dot(0, a, b) == 0);
}

/* One product in every transposition, plain and packed, against plain loops. */
static void check_product(int m, int n, int k_length, int tile_rows, int tile_cols) {
    static lag_real pack[LAG_PACK_ELEMENTS] __attribute__((aligned(64))), packed[64 * 600] __attribute__((aligned(64)));
    static lag_real a[600 * 600], b[600 * 64], at[600 * 600], bt[600 * 64], c[600 * 64];
    for (int i = 0; i < m * k_length; i++) a[i] = at[i % k_length * m + i / k_length] = test_normal(1, (uint64_t)i);
    for (int i = 0; i < k_length * n; i++) b[i] = bt[i % n * k_length + i / n] = test_normal(2, (uint64_t)i);
    for (int mode = 0; mode < 8; mode++) {
        struct lag_gemm_job job = {.pack = pack,
                                   .m = m,
                                   .n = n,
                                   .k = k_length,
                                   .alpha = 2,
                                   .beta = -1,
                                   .c = c,
                                   .c_stride = n,
                                   .tile_rows = tile_rows,
                                   .tile_cols = tile_cols};
        job.a = mode & 1 ? (struct lag_matrix){.data = at, .stride = m, .transposed = true}
                         : (struct lag_matrix){.data = a, .stride = k_length};
        job.b = mode & 2 ? (struct lag_matrix){.data = bt, .stride = k_length, .transposed = true}
                         : (struct lag_matrix){.data = b, .stride = n};
        struct lag_packing packing = {.b = job.b, .k = k_length, .n = n, .to = packed};
        struct lag_region region = {0};
        if (mode & 4) {
            if (!lag_products(LAG_FP32)) continue;
            lag_region_add(&region, lag_packing_tile, &packing, lag_packing_tiles(&packing));
            lag_region_run(&region, NULL);
            job.b = (struct lag_matrix){.data = packed, .stride = k_length, .packed = true};
            job.tile_cols = n;
        }
        for (int i = 0; i < m * n; i++) c[i] = (lag_real)(i % 100);
        lag_region_add(&region, lag_gemm_job_tile, &job, lag_gemm_job_tiles(&job));
        lag_region_run(&region, NULL);
        for (int i = 0; i < m * n; i++) {
            double wanted = -(i % 100);
            for (int k = 0; k < k_length; k++) wanted += 2 * (double)a[i / n * k_length + k] * (double)b[k * n + i % n];
            assert_true(fabs((double)c[i] - wanted) < 1e-3);
        }
    }
}

static void products(void **unused) {
    check_product(37, 29, 41, 16, 12);
    check_product(9, 50, 600, 9, 50);   /* several blocks of k */
    check_product(530, 33, 17, 530, 33); /* several blocks of rows */
    check_product(1, 1, 1, 1, 1);
    check_product(5, 64, 16, 5, 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_values_and_slopes), cmocka_unit_test(exponentials), cmocka_unit_test(norm_gradients),
        cmocka_unit_test(norm_values), cmocka_unit_test(sums), cmocka_unit_test(products)};
    int n_levels, failed = 0;
    const struct lag_vec *const *levels = lag_vec_levels(&n_levels);
    for (int i = 0; i < n_levels; i++) {
        lag_vec_use(levels[i]);
        failed += cmocka_run_group_tests_name(levels[i]->name, tests, NULL, NULL);
    }
    return failed;
}

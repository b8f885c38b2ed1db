/* Normal numbers by Box–Muller in double, of libm: what they are. Most are made by vector arithmetic (near_normals.c),
 * which is right but for the last bits of a double. Of a hundred thousand it leaves one or two in doubt, whose rounding
 * to a float depends on those bits, and libm makes these. So each number has the bits that libm gives it. */
#include "shape/normals_internal.h"
#include <lagd/base/check.h>
#include <lagd/engine/rng.h>

#include <math.h>

/* One block of random bits makes two. */
static void make_pair(const struct lag_normal_row *row, uint64_t pair, double ret[2]) {
    const struct lag_rng_block b = lag_philox(row->key, row->high, row->low + pair);
    const uint64_t first = (uint64_t)b.word[1] << 32 | b.word[0], second = (uint64_t)b.word[3] << 32 | b.word[2];
    const double u = 1 - (double)(first >> 11) * 0x1p-53, angle = 2 * M_PI * ((double)(second >> 11) * 0x1p-53);
    const double radius = row->std * sqrt(-2 * log(u));
    ret[0] = radius * cos(angle);
    ret[1] = radius * sin(angle);
}

static void make_all(const struct lag_normal_row *row, size_t n, lag_real *out) {
    for (size_t i = 0; i < n; i += 2) {
        double pair[2];
        make_pair(row, i / 2, pair);
        out[i] = (lag_real)pair[0];
        if (i + 1 < n) out[i + 1] = (lag_real)pair[1];
    }
}

#ifdef LAG_REAL_DOUBLE
void lag_near_normals_levels(lag_near_normals_fn *ret[LAG_NORMAL_LEVELS]) {
    ret[0] = NULL;
}

void lag_normals_by(lag_near_normals_fn *near, const struct lag_normal_row *row, size_t n, lag_real *out) {
    make_all(row, n, out);
}

void lag_normals(const struct lag_normal_row *row, size_t n, lag_real *out) {
    make_all(row, n, out);
}
#else
extern lag_near_normals_fn lag_near_normals_baseline;
#ifdef __x86_64__
extern lag_near_normals_fn lag_near_normals_avx2, lag_near_normals_avx512;
#endif

void lag_near_normals_levels(lag_near_normals_fn *ret[LAG_NORMAL_LEVELS]) {
    int n = 0;
    ret[n++] = lag_near_normals_baseline;
#ifdef __x86_64__
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (has_avx2) ret[n++] = lag_near_normals_avx2;
    if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        ret[n++] = lag_near_normals_avx512;
#endif
    ret[n] = NULL;
}

static void settle(const struct lag_normal_row *row, size_t n, const int32_t *doubt, float *out) {
    for (size_t k = 0; k < n; k++) {
        double pair[2];
        if (!doubt[k]) continue;
        make_pair(row, k / 2, pair);
        out[k] = (float)pair[k % 2];
    }
}

void lag_normals_by(lag_near_normals_fn *near, const struct lag_normal_row *row, size_t n, lag_real *out) {
    const size_t whole = near ? n / 2 : 0; /* pairs; a last half is libm's */
    int32_t doubt[2 * LAG_NORMAL_BATCH];
    struct lag_normal_row rest = *row;
    for (size_t done = 0; done < whole; done += LAG_NORMAL_BATCH) {
        const size_t pairs = LAG_MIN(whole - done, (size_t)LAG_NORMAL_BATCH);
        rest.low = row->low + done;
        if (near(&rest, pairs, out + 2 * done, doubt)) settle(&rest, 2 * pairs, doubt, out + 2 * done);
    }
    rest.low = row->low + whole;
    make_all(&rest, n - 2 * whole, out + 2 * whole);
}

void lag_normals(const struct lag_normal_row *row, size_t n, lag_real *out) {
    lag_near_normals_fn *levels[LAG_NORMAL_LEVELS];
    int best = 0;
    lag_near_normals_levels(levels);
    while (levels[best + 1]) best++;
    lag_normals_by(levels[best], row, n, out);
}
#endif

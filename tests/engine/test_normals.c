/* Normal numbers in bulk: every level of this CPU gives libm's bits, so that models of a seed stay what they are. */
#include "gradcheck.h"
#include "shape/normals_internal.h"

#include <lagd/base/mem.h>

#define MANY ((size_t)1 << 19)

/* By libm, as the first growths were drawn. */
static lag_real by_libm(const struct lag_normal_row *row, size_t i) {
    const struct lag_rng_block b = lag_philox(row->key, row->high, row->low + i / 2);
    const uint64_t first = (uint64_t)b.word[1] << 32 | b.word[0], second = (uint64_t)b.word[3] << 32 | b.word[2];
    const double u = 1 - (double)(first >> 11) * 0x1p-53, angle = 2 * M_PI * ((double)(second >> 11) * 0x1p-53);
    const double radius = row->std * sqrt(-2 * log(u));
    return (lag_real)(radius * (i % 2 ? sin(angle) : cos(angle)));
}

static void assert_libms(const struct lag_normal_row *row, size_t n, const lag_real *got) {
    for (size_t i = 0; i < n; i++) {
        const lag_real wanted = by_libm(row, i);
        if (memcmp(&wanted, &got[i], sizeof(wanted)) == 0) continue;
        fail_msg("number %zu of seed %llu is %a, by libm %a", i, (unsigned long long)row->key, (double)got[i],
                 (double)wanted);
    }
}

/* The last row's counter goes over 2^32 on its way. */
static const struct lag_normal_row ROWS[] = {{7, UINT64_C(1) << 56, 0, 0.02},
                                             {UINT64_MAX, UINT64_C(1) << 56 | 12345, UINT64_C(9) << 40, 0.02 / 7},
                                             {3, UINT64_C(1) << 56 | 1, (UINT64_C(1) << 40 | UINT32_MAX) - 9999, 1}};

static void every_level_has_libms_bits(void **unused) {
    lag_near_normals_fn *levels[LAG_NORMAL_LEVELS];
    lag_real *got = lag_calloc(MANY, sizeof(*got));
    assert_non_null(got);
    lag_near_normals_levels(levels);
    for (int l = 0; levels[l]; l++)
        for (size_t r = 0; r < sizeof(ROWS) / sizeof(ROWS[0]); r++) {
            memset(got, 0xff, MANY * sizeof(*got));
            lag_normals_by(levels[l], &ROWS[r], MANY, got);
            assert_libms(&ROWS[r], MANY, got);
        }
    free(got);
}

/* Also what makes no whole batch or pair, and nothing behind it. */
static void any_length(void **unused) {
    static const size_t lengths[] = {0, 1, 2, 3, 17, 2 * LAG_NORMAL_BATCH - 1, 2 * LAG_NORMAL_BATCH,
                                     2 * LAG_NORMAL_BATCH + 1, 4 * LAG_NORMAL_BATCH + 5};
    lag_real got[5 * LAG_NORMAL_BATCH];
    for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
        for (size_t i = 0; i < sizeof(got) / sizeof(got[0]); i++) got[i] = 99;
        lag_normals(&ROWS[1], lengths[k], got);
        assert_libms(&ROWS[1], lengths[k], got);
        assert_true(got[lengths[k]] == 99);
    }
}

/* Doubt is told, and seldom: else libm would make all of it, slowly. What is not in doubt needs no libm. */
static void doubt_is_seldom(void **unused) {
    lag_near_normals_fn *levels[LAG_NORMAL_LEVELS];
    lag_near_normals_levels(levels);
    for (int l = 0; levels[l]; l++) {
        struct lag_normal_row row = ROWS[0];
        float out[2 * LAG_NORMAL_BATCH];
        int32_t doubt[2 * LAG_NORMAL_BATCH];
        size_t n = 0;
        for (row.low = 0; row.low < MANY; row.low += LAG_NORMAL_BATCH) {
            bool any = false;
            const int said = levels[l](&row, LAG_NORMAL_BATCH, out, doubt);
            for (size_t i = 0; i < 2 * LAG_NORMAL_BATCH; i++) {
                any |= doubt[i] != 0;
                n += doubt[i] != 0;
                if (!doubt[i]) assert_true((lag_real)out[i] == by_libm(&row, i));
            }
            assert_true(any == (said != 0));
        }
        assert_true(n > 4 && n < 100); /* 12 are expected of so many, and of the small sines alone less than one */
    }
}

/* A tensor of a model is such a row: of the purpose of beginnings, its step, and its number. */
static void tensors_are_rows(void **unused) {
    const struct lag_spec spec = test_spec(2, 2, 8, 4, 5);
    struct lag_layout layout;
    assert_int_equal(lag_layout_create(&spec, &layout, NULL), 0);
    lag_real *params = lag_calloc(layout.n_elements, sizeof(*params));
    assert_non_null(params);
    int n_drawn = 0;
    for (int t = 0; t < layout.n_tensors; t++) {
        const struct lag_tensor *tensor = &layout.tensors[t];
        const struct lag_normal_row row = {11, UINT64_C(1) << 56 | 77, (uint64_t)t << 40,
                                           lag_init_spread(&layout, tensor->row->init)};
        if (!(row.std > 0)) continue;
        lag_tensor_init(&layout, t, 11, 77, params);
        assert_libms(&row, (size_t)tensor->n_rows * (size_t)tensor->n_cols, params + tensor->offset);
        n_drawn++;
    }
    assert_true(n_drawn > 0);
    free(params);
    lag_layout_deinit(&layout);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_level_has_libms_bits), cmocka_unit_test(any_length),
                                       cmocka_unit_test(doubt_is_seldom), cmocka_unit_test(tensors_are_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

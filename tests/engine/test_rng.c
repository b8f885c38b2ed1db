/* Philox4x32-10 against the known answers that Random123 publishes (kat_vectors), and what is drawn from it. */
#include "gradcheck.h"

static void known_answers(void **unused) {
    static const struct { uint64_t key, high, low; uint32_t word[4]; } KAT[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e), UINT64_C(0x85a308d3243f6a88),
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof(KAT) / sizeof(KAT[0]); i++) {
        const struct lag_rng_block b = lag_philox(KAT[i].key, KAT[i].high, KAT[i].low);
        assert_memory_equal(b.word, KAT[i].word, sizeof(b.word));
    }
}

static void purposes_and_steps_differ(void **unused) {
    const uint64_t a = lag_rng_u64(1, LAG_RNG_INIT, 2, 3);
    assert_true(a == lag_rng_u64(1, LAG_RNG_INIT, 2, 3));
    assert_true(a != lag_rng_u64(2, LAG_RNG_INIT, 2, 3));
    assert_true(a != lag_rng_u64(1, LAG_RNG_BATCH, 2, 3));
    assert_true(a != lag_rng_u64(1, LAG_RNG_INIT, 3, 3));
    assert_true(a != lag_rng_u64(1, LAG_RNG_INIT, 2, 4));
}

/* Runs of today go on to the same numbers for ever: purposes keep theirs, and step and index their places. */
static void draws_stay_what_they_are(void **unused) {
    static const enum lag_purpose PURPOSES[] = {LAG_RNG_INIT, LAG_RNG_BATCH, LAG_RNG_GROWTH, LAG_RNG_SAMPLE,
                                                LAG_RNG_NOISE};
    for (uint64_t i = 0; i < sizeof(PURPOSES) / sizeof(PURPOSES[0]); i++) {
        const uint64_t step = UINT64_C(0x00fedcba98765432);
        const struct lag_rng_block got = lag_rng(11, PURPOSES[i], step, 13);
        const struct lag_rng_block wanted = lag_philox(11, UINT64_C(0x0100000000000000) * (i + 1) + step, 13);
        assert_memory_equal(&got, &wanted, sizeof(got));
    }
    assert_true(lag_rng_u64(7, LAG_RNG_GROWTH, 5, 9) == UINT64_C(13713596635028010705));
    assert_true(lag_rng_below(7, LAG_RNG_BATCH, 5, 9, 1000003) == 866620);
    assert_true(lag_rng_uniform(7, LAG_RNG_SAMPLE, 5, 9) == 0x1.ed981f64942fp-2);
    assert_true(fabs(lag_rng_normal(7, LAG_RNG_INIT, 5, 9) / 0x1.2ad6375ddbb21p-3 - 1) < 1e-14); /* by libm */
}

static void below_is_uniform(void **unused) {
    enum { BOUND = 7, DRAWS = 70000 };
    int count[BOUND] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) count[lag_rng_below(5, LAG_RNG_BATCH, 0, i, BOUND)]++;
    double chi = 0;
    for (int i = 0; i < BOUND; i++) chi += pow(count[i] - DRAWS / BOUND, 2) / (DRAWS / BOUND);
    assert_true(chi < 22.5); /* 6 degrees of freedom, p = 0.001 */
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(lag_rng_below(5, LAG_RNG_BATCH, 1, i, 1) == 0);
        assert_true(lag_rng_below(5, LAG_RNG_BATCH, 2, i, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

static void normals_have_their_moments(void **unused) {
    enum { DRAWS = 100000 };
    double sum[4] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double x = lag_rng_normal(9, LAG_RNG_NOISE, 0, i);
        for (int k = 0; k < 4; k++) sum[k] += pow(x, k + 1);
        const double u = lag_rng_uniform(9, LAG_RNG_NOISE, 1, i);
        assert_true(u >= 0 && u < 1);
    }
    assert_true(fabs(sum[0] / DRAWS) < 0.012);
    assert_true(fabs(sum[1] / DRAWS - 1) < 0.018);
    assert_true(fabs(sum[2] / DRAWS) < 0.05);
    assert_true(fabs(sum[3] / DRAWS - 3) < 0.12);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(purposes_and_steps_differ),
                                       cmocka_unit_test(draws_stay_what_they_are),
                                       cmocka_unit_test(below_is_uniform),
                                       cmocka_unit_test(normals_have_their_moments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

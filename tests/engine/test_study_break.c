/* The break of pair accuracy on planted studies, whose truth is known; and where the learning rate changes. */
#include "study_fixture.h"

enum { TRIALS = 50 };

/* Of TRIALS studies: in how many is there a transition, and in how many of these does its interval hold the place? */
static int count_found(const struct plant *plant, uint64_t first_seed, int *ret_holds) {
    int found = 0;
    *ret_holds = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        struct planted planted;
        struct lag_study_report report;
        plant_study(plant, first_seed + trial, &planted);
        assert_int_equal(lag_study_report_init(&planted.study, &report), 0);
        const struct lag_study_break *found_break = &report.transition;
        found += found_break->t >= 0;
        *ret_holds += found_break->t >= 0 && found_break->low < plant->at && plant->at <= found_break->high;
        if (found_break->t >= 0) assert_true(found_break->height_low > 0 && found_break->into == LAG_PHASE_WARM);
        lag_study_report_deinit(&report);
        plant_free(&planted);
    }
    print_message("groups %d, candidates %d: found %d of %d, %d hold the place\n", plant->n_groups, plant->n, found,
                  TRIALS, *ret_holds);
    return found;
}

static void test_planted(void **state) {
    (void)state;
    static const struct plant plants[] = {{1, 20, 4, 0, 0.5, 0.3, 0.5, 500, false},
                                          {3, 12, 4, 0, 0.5, 0.5, 0.5, 1000, false},
                                          {6, 12, 4, -0.5, 0.5, 0.5, 0.5, 100, false}};
    for (size_t i = 0; i < LAG_COUNT(plants); i++) {
        int holds;
        const int found = count_found(&plants[i], 1000 * (i + 1), &holds);
        assert_true(found >= TRIALS / 2);
        assert_true(holds >= 0.9 * found);
    }
}

static void test_shuffled(void **state) {
    (void)state;
    static const struct plant plants[] = {{1, 12, 4, 0, 0.5, 0.5, 0.5, 500, true},
                                          {4, 8, 4, 0, 0.5, 0.5, 0.5, 500, true}};
    for (size_t i = 0; i < LAG_COUNT(plants); i++) {
        int holds;
        assert_true(count_found(&plants[i], 9000 * (i + 1), &holds) <= 0.05 * TRIALS);
    }
}

/* --- phases --- */

/* Accuracy breaks at a step, and the learning rate changes there, or not. */
static void breaks_at(int64_t rewarm, int64_t decay, int64_t at, enum lag_phase into, bool is_transition) {
    static const struct plant plant = {4, 14, 4, 0, 0.2, 0.2, 0.2, 0, false};
    struct plant moved = plant;
    struct planted planted;
    struct lag_study_report report;
    moved.at = at;
    plant_study(&moved, 5, &planted);
    for (int i = 0; i < plant.n_groups * plant.n; i++) {
        planted.curves[i].decays_from = decay;
        planted.curves[i].warmup_steps = i == 3 ? rewarm : 0; /* the longest counts */
    }
    assert_int_equal(lag_study_report_init(&planted.study, &report), 0);
    assert_true(report.largest.before < at && at <= report.largest.t);
    assert_int_equal(report.largest.into, into);
    assert_int_equal(report.transition.t >= 0, is_transition);
    if (is_transition) assert_true(report.transition.t == report.largest.t && report.transition.before >= rewarm);
    lag_study_report_deinit(&report);
    plant_free(&planted);
}

static void test_phases(void **state) {
    (void)state;
    breaks_at(0, INT64_MAX, 128, LAG_PHASE_WARM, true);
    breaks_at(16, 2048, 128, LAG_PHASE_WARM, true);
    breaks_at(64, INT64_MAX, 128, LAG_PHASE_CONSTANT, false); /* 64 has seen only the re-warm */
    breaks_at(0, 64, 128, LAG_PHASE_DECAY, false);
    breaks_at(1024, INT64_MAX, 128, LAG_PHASE_WARM, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted),
        cmocka_unit_test(test_shuffled),
        cmocka_unit_test(test_phases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Do the intervals of a study hold the truth? Planted studies, whose truth is known. ./dev bench has more of them. */
#include "study_coverage.h"

static void test_accuracy(void **state) {
    (void)state;
    static const struct plant plants[] = {{1, 10, 4, 0.3, 0.5, 0.5, 0.5, 1000, false},
                                          {2, 8, 4, 0, 0.5, 0.5, 0.5, 1000, false},
                                          {6, 8, 4, 0.3, 0.5, 0.5, 0.5, 1000, false}};
    for (size_t i = 0; i < LAG_COUNT(plants); i++) {
        const struct coverage coverage = cover(&plants[i], 77 * (i + 1), 80, false);
        print_coverage(&plants[i], &coverage);
        assert_true(coverage.early >= 0.91 && coverage.late >= 0.91);
        assert_true(coverage.early_width < 0.8 && coverage.late_width < 0.5);
    }
}

static void test_regret_of_one(void **state) {
    (void)state;
    static const struct plant plants[] = {{1, 8, 16, 0, 0.5, 0.5, 0.5, 1000, false},
                                          {1, 8, 16, 0, 0.02, 0.05, 2, 1000, false}};
    for (size_t i = 0; i < LAG_COUNT(plants); i++) {
        const struct coverage coverage = cover(&plants[i], 55 * (i + 1), 100, true);
        print_coverage(&plants[i], &coverage);
        assert_true(coverage.early_regret >= 0.93 && coverage.late_regret >= 0.93);
    }
}

static void test_regret(void **state) {
    (void)state;
    static const struct plant plant = {12, 8, 4, 0, 0.5, 0.8, 0.5, 1000, false};
    const struct coverage coverage = cover(&plant, 99, 50, true);
    print_coverage(&plant, &coverage);
    assert_true(coverage.early_regret >= 0.91 && coverage.late_regret >= 0.91);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_regret_of_one),
        cmocka_unit_test(test_regret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

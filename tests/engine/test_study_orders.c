/* The orders that a study saw: by hand, and of a planted study. */
#include "study_fixture.h"
#include <lagd/engine/calibration.h>

/* Three candidates and `none` on two batches: at 4 and 8 the order is 1 0 2, at the end 0 1 2; `none` is between. */
static const int64_t t[] = {0, 4, 8, 16};
static const double losses[4][4 * 2] = {{5, 5, 2.0, 2.2, 2.0, 2.2, 1.0, 1.2},
                                        {5, 5, 1.0, 1.4, 1.0, 1.4, 1.5, 1.7},
                                        {5, 5, 4.0, 4.1, 4.0, 4.1, 4.0, 4.1},
                                        {5, 5, 1.1, 1.2, 3.0, 3.0, 0.0, 0.0}};

static void test_by_hand(void **state) {
    (void)state;
    struct lag_curve curves[4];
    for (int i = 0; i < 4; i++) curves[i] = fixture_curve(4, t, losses[i]);
    curves[3].reference = true;
    for (int i = 0; i < 3; i++) curves[i].decays_from = 6;
    const struct lag_study_group group = {curves, 2};
    const struct lag_study study = {1, 4, &group, 16, 0, NULL, -1};
    static const bool preserving[] = {true, true, false, true};
    LAG_CLEANUP(lag_free_p) struct lag_kept_row *rows = NULL;
    size_t n = 0;
    assert_int_equal(lag_study_orders(&study, preserving, 42, &rows, &n), 0);
    assert_int_equal(n, 6); /* three pairs at 4 and at 8; at 0 all tie, at H nothing is to be known */
    for (size_t r = 0; r < n; r++) {
        const int k = r < 3 ? 1 : 2, first = r % 3 == 2 ? 1 : 0, second = r % 3 == 0 ? 1 : 2;
        struct lag_tail tail;
        lag_tail_at(curves, 4, 2, t[k], &tail);
        const struct lag_pair pair = lag_compare(&curves[first], &curves[second], 2, &tail);
        close_to(rows[r].order.z, fabs(pair.mean) / pair.se, 1e-12);
        close_to(rows[r].order.share, k == 1 ? 0.25 : 0.5, 1e-12);
        assert_int_equal(rows[r].study, 42);
        assert_int_equal(rows[r].order.phase, k == 1 ? LAG_PHASE_CONSTANT : LAG_PHASE_DECAY);
        assert_int_equal(rows[r].order.kinds_differ, second == 2);
        assert_true(rows[r].kept == (first == 0 && second == 1 ? 0 : 1));
        assert_false(rows[r].order.beyond_none); /* at 4 `none` leads, and before 4 all tie */
    }
    free(LAG_TAKE(rows));
    /* at 4 and 8 `none` is behind the first two, and at 0 it is worse than all */
    static const double far[] = {9, 9, 3, 3, 3, 3, 0, 0};
    curves[3].losses = far;
    assert_int_equal(lag_study_orders(&study, NULL, 1, &rows, &n), 0);
    assert_int_equal(n, 6);
    for (size_t r = 0; r < n; r++) assert_true(rows[r].order.beyond_none && !rows[r].order.kinds_differ);
    free(LAG_TAKE(rows));
    curves[3].diverged = true; /* not known */
    assert_int_equal(lag_study_orders(&study, NULL, 1, &rows, &n), 0);
    for (size_t r = 0; r < n; r++) assert_false(rows[r].order.beyond_none);
    curves[0].n_evals = 3;
    size_t other = 77;
    struct lag_kept_row *none = NULL;
    assert_int_equal(lag_study_orders(&study, NULL, 1, &none, &other), LAG_EINVAL);
    assert_true(none == NULL && other == 77);
}

/* Planted: behind the break an order is kept the more often the surer it is; the rows do not depend on the order of the
 * groups, and are bounded. */
static void test_planted(void **state) {
    (void)state;
    static const struct plant plant = {8, 14, 4, 0, 0.3, 0.2, 0.3, 300, false};
    struct planted planted;
    plant_study(&plant, 4, &planted);
    LAG_CLEANUP(lag_free_p) struct lag_kept_row *rows = NULL, *again = NULL;
    size_t n = 0, n_again = 0;
    assert_int_equal(lag_study_orders(&planted.study, NULL, 0, &rows, &n), 0);
    assert_true(n > 0.9 * LAG_KEPT_ROWS && n < 1.1 * LAG_KEPT_ROWS); /* of 8 · 91 · 19 */
    double late = 0, kept_late = 0, sure = 0, kept_sure = 0, early = 0, kept_early = 0;
    for (size_t r = 0; r < n; r++) {
        const bool is_late = rows[r].order.share > 0.15, is_sure = rows[r].order.z > 4;
        *(is_late ? &late : &early) += 1;
        *(is_late ? &kept_late : &kept_early) += rows[r].kept;
        sure += is_late && is_sure;
        kept_sure += is_late && is_sure ? rows[r].kept : 0;
    }
    assert_true(kept_sure / sure > 0.95 && kept_late / late > 0.8 && kept_sure / sure > kept_late / late);
    assert_true(kept_early / early < 0.75);
    struct lag_study_group groups[8];
    for (int g = 0; g < 8; g++) groups[g] = planted.groups[(g * 3 + 5) % 8];
    planted.study.groups = groups;
    assert_int_equal(lag_study_orders(&planted.study, NULL, 0, &again, &n_again), 0);
    assert_int_equal(n, n_again);
    for (size_t r = 0; r < n; r++)
        assert_true(rows[r].kept == again[r].kept && rows[r].order.z == again[r].order.z &&
                    rows[r].order.share == again[r].order.share);
    plant_free(&planted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_planted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

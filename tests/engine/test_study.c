/* Reports of studies: by hand, against scipy and numpy (tests/golden/make_studies.py), and what must not matter. */
#include "study_fixture.h"

/* Three candidates and `none`, one group, one time before the end: finals 1 2 4, losses at 8 are 2 1 4 on average. */
static const int64_t t_hand[] = {0, 8, 16};
static const double hand[4][3 * 2] = {{5, 5, 1.9, 2.1, 0.9, 1.1}, {5, 5, 0.9, 1.1, 1.9, 2.1},
                                      {5, 5, 3.9, 4.1, 3.9, 4.1}, {5, 5, 0, 0, 0, 0}};

static void fill_hand(struct lag_curve curves[4]) {
    for (int i = 0; i < 4; i++) curves[i] = fixture_curve(3, t_hand, hand[i]);
    curves[3].reference = true;
}

static void test_by_hand(void **state) {
    (void)state;
    struct lag_curve curves[4];
    fill_hand(curves);
    const struct lag_study_group group = {curves, 2};
    const double flops[] = {10, 20, 30, 1};
    const struct lag_study study = {1, 4, &group, 16, 0.5, flops, 2};
    struct lag_study_report report;
    assert_int_equal(lag_study_report_init(&study, &report), 0);
    assert_int_equal(report.n_points, 3);
    assert_int_equal(report.n_ranked[0], 3);
    assert_int_equal(report.n_diverged, 0);
    const struct lag_study_point *points = report.points;
    assert_true(points[1].t == 8 && points[1].share == 0.5 && points[1].phase == LAG_PHASE_CONSTANT);
    assert_true(points[0].phase == LAG_PHASE_WARM); /* nothing has been trained yet */
    /* t = 0: an exact tie of all */
    assert_true(isnan(points[0].agreement.tau_b) && isnan(points[0].agreement.pearson));
    assert_true(isnan(points[0].agreement.low) && isnan(points[0].agreement.beyond_delta));
    assert_int_equal(report.n_tied[0], 3);
    close_to(points[0].regret.regret, 4.0 / 3, 1e-12);
    close_to(points[0].regret.of_spread, 4.0 / 9, 1e-12);
    close_to(report.random, 4.0 / 3, 1e-12);
    close_to(report.prior, 3, 1e-12);
    close_to(report.spread, 3, 1e-12);
    /* t = 8: the pairs with the last are right, the other is wrong */
    close_to(points[1].agreement.tau_b, 1.0 / 3, 1e-12);
    close_to(points[1].agreement.pair_accuracy, 2.0 / 3, 1e-12);
    close_to(points[1].agreement.without_low, 0, 1e-12);
    close_to(points[1].agreement.without_high, 1, 1e-12);
    assert_int_equal(points[1].regret.pick, 1);
    assert_int_equal(points[1].regret.n_picked, 1);
    close_to(points[1].regret.regret, 1, 1e-12);
    close_to(points[1].regret.low, 1, 1e-12); /* the batches differ by the same */
    close_to(points[1].regret.high, 1, 1e-12);
    close_to(points[1].regret.probe_steps, 32, 1e-12);
    close_to(points[1].regret.probe_flops, 8 * 61, 1e-12);
    close_to(points[1].regret.lost_flops, 8 * 41, 1e-12);
    close_to(points[2].agreement.tau_b, 1, 1e-12);
    assert_true(points[2].regret.regret == 0 && points[2].regret.pick == 0);
    assert_true(report.finals[2] == 4 && report.finals[3] == 0);
    assert_true(report.transition.t == -1 && report.sufficient_steps == -1 && isnan(report.sufficient_share));
    close_to(report.ceiling, 1, 1e-12);
    close_to(report.ceiling_accuracy, 1, 1e-12);
    lag_study_report_deinit(&report);
}

static void test_bad_input(void **state) {
    (void)state;
    struct lag_curve curves[4];
    fill_hand(curves);
    struct lag_study_group group = {curves, 2};
    struct lag_study study = {1, 4, &group, 16, 0.5, NULL, -1};
    struct lag_study_report report = {.n_points = 77};
    study.horizon = 17;
    assert_int_equal(lag_study_report_init(&study, &report), LAG_EINVAL);
    study.horizon = 16;
    study.n_groups = 0;
    assert_int_equal(lag_study_report_init(&study, &report), LAG_EINVAL);
    study.n_groups = 1;
    study.n_candidates = LAG_STUDY_CANDIDATES + 1;
    assert_int_equal(lag_study_report_init(&study, &report), LAG_EINVAL);
    study.n_candidates = 4;
    curves[0].diverged = curves[1].eligible = false;
    curves[2].diverged = true;
    assert_int_equal(lag_study_report_init(&study, &report), LAG_EINVAL); /* one is left */
    fill_hand(curves);
    curves[2].n_evals = 2; /* did not get to the end */
    assert_int_equal(lag_study_report_init(&study, &report), LAG_EINVAL);
    assert_int_equal(report.n_points, 77);
    curves[2].diverged = true; /* now it is told, and left out */
    assert_int_equal(lag_study_report_init(&study, &report), 0);
    assert_int_equal(report.n_diverged, 1);
    assert_int_equal(report.n_ranked[0], 2);
    assert_true(isnan(report.finals[2]) && isnan(report.prior) && isnan(report.points[1].regret.probe_flops));
    close_to(report.points[1].agreement.tau_b, -1, 1e-12);
    assert_true(isnan(report.points[1].agreement.low) && isnan(report.points[1].agreement.without_low));
    close_to(report.points[2].regret.probe_steps, 16 * 3 + 8, 1e-12); /* it diverged at 8 */
    close_to(report.spread, 1, 1e-12);
    lag_study_report_deinit(&report);
}

/* --- goldens --- */

enum { MOST_GROUPS = 3, MOST_N = 5, MOST_TIMES = 9, MOST_BATCHES = 4, MOST_CELLS = 3 * 5 * 9 * 4 };

static int n_transitions; /* in all cases together */

static double next(FILE *f) {
    double value;
    assert_int_equal(fscanf(f, "%lf", &value), 1);
    return value;
}

static void next_break(FILE *f, const struct lag_study_break *got, bool is_largest) {
    const double before = next(f), t = next(f), height = next(f);
    close_to(got->height, height, 1e-9);
    if (!is_largest && got->t < 0) return; /* found, but it may be no rise */
    assert_true((double)got->before == before && (double)got->t == t);
}

static void next_report(FILE *f, const struct lag_study_report *report) {
    for (int k = 0; k < report->n_points; k++) {
        const struct lag_study_agreement *agreement = &report->points[k].agreement;
        close_to(agreement->pearson, next(f), 1e-9);
        close_to(agreement->spearman, next(f), 1e-9);
        close_to(agreement->tau_b, next(f), 1e-9);
        close_to(agreement->pair_accuracy, (agreement->tau_b + 1) / 2, 1e-15);
        close_to(agreement->beyond_delta, next(f), 1e-9);
        close_to(agreement->without_low, next(f), 1e-9);
        close_to(agreement->without_high, next(f), 1e-9);
        close_to(report->points[k].regret.regret, next(f), 1e-12);
        close_to(report->points[k].regret.of_spread, next(f), 1e-9);
    }
    close_to(report->random, next(f), 1e-12);
    close_to(report->spread, next(f), 1e-12);
    close_to(report->ceiling, next(f), 1e-9);
    next_break(f, &report->largest, true);
    next_break(f, &report->transition, false);
    for (int k = 0; k < report->n_points; k++) {
        close_to(report->points[k].agreement.low, next(f), 1e-9);
        close_to(report->points[k].agreement.high, next(f), 1e-9);
        close_to(report->points[k].regret.low, next(f), 1e-9);
        close_to(report->points[k].regret.high, next(f), 1e-9);
    }
    const struct lag_study_break *transition = &report->transition;
    close_to(transition->height_low, next(f), 1e-9);
    close_to(transition->height_high, next(f), 1e-9);
    const double low = next(f), high = next(f);
    assert_int_equal(transition->t >= 0, transition->height_low > 0);
    if (transition->t >= 0) assert_true((double)transition->low == low && (double)transition->high == high);
    n_transitions += transition->t >= 0;
}

static bool next_case(FILE *f) {
    static double losses[MOST_CELLS];
    struct lag_curve curves[MOST_GROUPS * MOST_N];
    struct lag_study_group groups[MOST_GROUPS];
    struct lag_study_report report;
    int64_t t[MOST_TIMES];
    double first;
    if (fscanf(f, "%lf", &first) != 1) return false;
    const int n_groups = (int)first, n = (int)next(f), n_times = (int)next(f), n_batches = (int)next(f);
    const double delta = next(f), warm = next(f), decay = next(f);
    assert_true(n_groups <= MOST_GROUPS && n <= MOST_N && n_times <= MOST_TIMES && n_batches <= MOST_BATCHES);
    for (int k = 0; k < n_times; k++) t[k] = (int64_t)next(f);
    for (int c = 0; c < n_groups * n; c++) {
        curves[c] = fixture_curve(n_times, t, losses + (size_t)c * (size_t)(n_times * n_batches));
        curves[c].rewarm_steps = (int64_t)warm;
        curves[c].decays_from = (int64_t)decay;
        curves[c].diverged = next(f) != 0;
    }
    for (int c = 0; c < n_groups * n * n_times * n_batches; c++) losses[c] = next(f);
    for (int g = 0; g < n_groups; g++) groups[g] = (struct lag_study_group){curves + g * n, n_batches};
    const struct lag_study study = {n_groups, n, groups, t[n_times - 1], delta, NULL, -1};
    assert_int_equal(lag_study_report_init(&study, &report), 0);
    assert_int_equal(report.n_points, n_times);
    next_report(f, &report);
    lag_study_report_deinit(&report);
    return true;
}

static void test_goldens(void **state) {
    (void)state;
    LAG_CLEANUP(lag_fclose_p) FILE *f = fopen(GOLDEN_DIR "/studies.txt", "r");
    assert_non_null(f);
    int n = 0;
    while (next_case(f)) n++;
    assert_int_equal(n, 19);
    assert_true(n_transitions >= 3);
}

/* --- what must not matter --- */

enum { G = 5, N = 7, B = 6 };

static void fill_planted(struct planted *planted) {
    static const struct plant plant = {.n_groups = G, .n = N, .n_batches = B, .early = 0.2, .own = 0.5, .wobble = 0.4,
                                       .noise = 0.5, .at = 100};
    plant_study(&plant, 3, planted);
}

static void same_bytes(const struct lag_study_report *a, const struct lag_study_report *b) {
    assert_int_equal(a->n_points, b->n_points);
    for (int k = 0; k < a->n_points; k++) {
        const struct lag_study_point *x = &a->points[k], *y = &b->points[k];
        assert_true(x->t == y->t && x->share == y->share && x->phase == y->phase);
        assert_memory_equal(&x->agreement, &y->agreement, sizeof(x->agreement));
        assert_memory_equal(&x->regret, &y->regret, sizeof(x->regret));
    }
    assert_memory_equal(&a->transition, &b->transition, offsetof(struct lag_study_break, into));
    assert_memory_equal(&a->largest, &b->largest, offsetof(struct lag_study_break, into));
    assert_true(a->transition.into == b->transition.into && a->largest.into == b->largest.into);
    const double x[] = {a->spread, a->random, a->prior, a->ceiling, a->ceiling_accuracy, a->sufficient_share};
    const double y[] = {b->spread, b->random, b->prior, b->ceiling, b->ceiling_accuracy, b->sufficient_share};
    assert_memory_equal(x, y, sizeof(x));
    assert_true(a->sufficient_steps == b->sufficient_steps);
}

static void test_recomputed(void **state) {
    (void)state;
    static const int orders[][G] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 0, 4, 1, 3}};
    struct planted planted;
    struct lag_study_report first, again;
    fill_planted(&planted);
    planted.groups[1].n_batches = B;
    planted.curves[1 * N + 2].diverged = true;
    assert_int_equal(lag_study_report_init(&planted.study, &first), 0);
    for (size_t o = 0; o < LAG_COUNT(orders); o++) {
        struct lag_study_group groups[G];
        struct lag_study study = planted.study;
        for (int g = 0; g < G; g++) groups[g] = planted.groups[orders[o][g]];
        study.groups = groups;
        assert_int_equal(lag_study_report_init(&study, &again), 0);
        same_bytes(&first, &again);
        for (int g = 0; g < G; g++) {
            assert_memory_equal(again.finals + g * N, first.finals + orders[o][g] * N, N * sizeof(double));
            assert_int_equal(again.picks[G + g], first.picks[G + orders[o][g]]);
            assert_int_equal(again.n_ranked[g], first.n_ranked[orders[o][g]]);
        }
        lag_study_report_deinit(&again);
    }
    assert_true(first.n_ranked[1] == N - 1 && first.n_ranked[0] == N);
    lag_study_report_deinit(&first);
    plant_free(&planted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_recomputed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

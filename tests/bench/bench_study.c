/* Studies: how often their intervals hold the truth, and what a report costs: bench_study [TRIALS] */
#include "study_coverage.h"
#include <lagd/engine/calibration.h>
#include <time.h>

static double seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void breaks(const struct plant *plant, int trials) {
    int found = 0, holds = 0;
    for (int trial = 0; trial < trials; trial++) {
        struct planted planted;
        struct lag_study_report report;
        plant_study(plant, 31 + (uint64_t)trial, &planted);
        assert_int_equal(lag_study_report_init(&planted.study, &report), 0);
        found += report.transition.t >= 0;
        holds += report.transition.t >= 0 && report.transition.low < plant->at &&
                 plant->at <= report.transition.high;
        lag_study_report_deinit(&report);
        plant_free(&planted);
    }
    printf("%2d groups, %2d candidates, %s: a transition in %.1f %%, of these %.1f %% hold its place\n",
           plant->n_groups, plant->n, plant->shuffled ? "shuffled finals" : "a break      ", 100.0 * found / trials,
           100.0 * holds / (found > 0 ? found : 1));
}

static void cost(int n_groups, int n, int n_batches) {
    const struct plant plant = {n_groups, n, n_batches, 0, 0.5, 0.5, 0.5, 1000, false};
    struct planted planted;
    struct lag_study_report report;
    struct lag_kept_row *rows = NULL;
    size_t n_rows;
    plant_study(&plant, 1, &planted);
    const double start = seconds();
    assert_int_equal(lag_study_report_init(&planted.study, &report), 0);
    const double middle = seconds();
    assert_int_equal(lag_study_orders(&planted.study, NULL, 1, &rows, &n_rows), 0);
    printf("%2d groups, %3d candidates, %d times, %3d batches: report %.3f s, %zu orders %.3f s\n", n_groups, n,
           PLANTED_TIMES, n_batches, middle - start, n_rows, seconds() - middle);
    lag_study_report_deinit(&report);
    free(rows);
    plant_free(&planted);
}

int main(int argc, char **argv) {
    static const int groups[] = {1, 2, 3, 6, 12}, candidates[] = {8, 16};
    const int trials = argc > 1 ? atoi(argv[1]) : 200;
    cost(3, 9, 128);
    cost(20, 100, 64);
    for (size_t g = 0; g < LAG_COUNT(groups); g++) {
        for (size_t c = 0; c < LAG_COUNT(candidates); c++) {
            struct plant plant = {groups[g], candidates[c], 8, 0.3, 0.5, 0.5, 0.5, 1000, false};
            const struct coverage coverage = cover(&plant, 1 + g, trials, true);
            print_coverage(&plant, &coverage);
            breaks(&plant, trials);
            plant.shuffled = true;
            breaks(&plant, trials);
        }
    }
    return 0;
}

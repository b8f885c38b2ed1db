/* Allocators replayed over a study whose ends are known. */
#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/engine/replay.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 5, NONE = 4, N_TIMES = 14, N_BATCHES = 4 };
static const int64_t times[N_TIMES] = {0, 10, 12, 16, 24, 30, 32, 40, 48, 64, 80, 96, 128, 256};
static double losses[N][N_TIMES * N_BATCHES];
static struct lag_curve curves[N];
static const struct lag_study_group group = {curves, N_BATCHES};
static struct lag_replay_ask ask;

/* Before step 64 the first is ahead of the second and so on, then the last of the four: it ends best. */
static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < N; i++) {
        for (int e = 0; e < N_TIMES; e++)
            for (int b = 0; b < N_BATCHES; b++)
                losses[i][e * N_BATCHES + b] = (i == NONE ? 5 : 3 + 0.1 * (times[e] < 64 ? i : 3 - i)) - 0.01 * e +
                                               0.002 * ((b * (i + 2) + e) % N_BATCHES);
        curves[i] = (struct lag_curve){.eligible = i != NONE, .reference = i == NONE, .decays_from = INT64_MAX,
                                       .n_evals = N_TIMES, .t = times, .losses = losses[i]};
    }
    ask = (struct lag_replay_ask){.group = &group, .n_candidates = N, .first_rung = 16, .steps = 128, .horizon = 256,
                                  .delta = 0.005};
    return 0;
}

static struct lag_replay replay(enum lag_allocator allocator) {
    struct lag_replay found;
    ask.allocator = allocator;
    assert_int_equal(lag_replay_run(&ask, &found), 0);
    return found;
}

static void test_what_each_would_have_done(void **state) {
    (void)state;
    struct lag_replay found = replay(LAG_ALLOCATE_ALL);
    assert_true(found.pick == 3 && found.t == 128 && found.steps == 5 * 128 && found.n_looks == 1);
    assert_true(found.regret == 0 && found.basis == LAG_BASIS_VERIFIED);
    found = replay(LAG_ALLOCATE_HALVING); /* two went at 16, one at 32: the best among them */
    assert_true(found.pick == 0 && found.t == 128 && found.n_looks == 4);
    assert_true(found.steps == 2 * 16 + 32 + 2 * 128);
    assert_true(fabs(found.regret - 0.3) < 0.01);
    found = replay(LAG_ALLOCATE_RACE); /* nothing is known of the end: nobody goes */
    assert_true(found.pick == 3 && found.steps == 5 * 128 && found.regret == 0);
    found = replay(LAG_ALLOCATE_AUTO); /* certain at once, and wrong */
    assert_true(found.pick == 0 && found.t == 16 && found.steps == 5 * 16 && found.basis == LAG_BASIS_VERIFIED);
}

static void test_orders_that_do_not_hold(void **state) {
    (void)state;
    static struct lag_calibration calibration;
    static const double shares[] = {0.05, 0.2, 0.5};
    struct lag_kept_row rows[90];
    for (int i = 0; i < 90; i++) /* early orders do not hold, late ones do */
        rows[i] = (struct lag_kept_row){i / 30, {.z = 9, .share = shares[i % 3], .phase = LAG_PHASE_CONSTANT},
                                        i % 3 == 2};
    lag_calibrate(rows, LAG_COUNT(rows), -1, &calibration);
    ask.calibration = &calibration;
    const struct lag_replay found = replay(LAG_ALLOCATE_AUTO);
    assert_true(found.pick == 3 && found.t == 128 && found.regret == 0);
}

static void test_extension(void **state) {
    (void)state;
    for (int e = 0; e < N_TIMES - 1; e++) /* not growing is ahead until the end */
        for (int b = 0; b < N_BATCHES; b++) losses[NONE][e * N_BATCHES + b] = 1;
    ask.steps = 32;
    ask.max_steps = 200;
    const struct lag_replay found = replay(LAG_ALLOCATE_AUTO);
    assert_true(found.pick == 3 && found.t == 128 && found.n_looks == 4 && found.steps == 5 * 128);
}

static void test_refused(void **state) {
    (void)state;
    struct lag_replay found = {.pick = 77};
    ask.allocator = LAG_ALLOCATE_HALVING;
    ask.first_rung = 129;
    assert_int_equal(lag_replay_run(&ask, &found), LAG_EINVAL);
    ask.first_rung = 16;
    ask.steps = 0;
    assert_int_equal(lag_replay_run(&ask, &found), LAG_EINVAL);
    for (int i = 0; i < N; i++) curves[i].diverged = true;
    ask.steps = 128;
    assert_int_equal(lag_replay_run(&ask, &found), LAG_EINVAL);
    assert_int_equal(found.pick, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_each_would_have_done, set_up),
        cmocka_unit_test_setup(test_orders_that_do_not_hold, set_up),
        cmocka_unit_test_setup(test_extension, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
    };
    return cmocka_run_group_tests_name("engine/replay", tests, NULL, NULL);
}

/* Schedules as tables. */
#include "gradcheck.h"

static const struct {
    struct lag_schedule schedule;
    int64_t step, origin;
    double wanted; /* peak 1 */
} TABLE[] = {
    {{LAG_SCHEDULE_CONSTANT, 0, 100, 0.1, 0.2}, 0, 0, 1},
    {{LAG_SCHEDULE_CONSTANT, 0, 100, 0.1, 0.2}, 99, 0, 1},
    {{LAG_SCHEDULE_CONSTANT, 10, 100, 0.1, 0.2}, 0, 0, 0.1},
    {{LAG_SCHEDULE_CONSTANT, 10, 100, 0.1, 0.2}, 4, 0, 0.5},
    {{LAG_SCHEDULE_CONSTANT, 10, 100, 0.1, 0.2}, 9, 0, 1},
    {{LAG_SCHEDULE_CONSTANT, 10, 100, 0.1, 0.2}, 10, 0, 1},
    {{LAG_SCHEDULE_COSINE, 10, 110, 0.1, 0.2}, 10, 0, 1},
    {{LAG_SCHEDULE_COSINE, 10, 110, 0.1, 0.2}, 60, 0, 0.55},
    {{LAG_SCHEDULE_COSINE, 10, 110, 0.1, 0.2}, 110, 0, 0.1},
    {{LAG_SCHEDULE_COSINE, 10, 110, 0.1, 0.2}, 500, 0, 0.1},
    {{LAG_SCHEDULE_WSD, 0, 100, 0, 0.2}, 79, 0, 1},
    {{LAG_SCHEDULE_WSD, 0, 100, 0, 0.2}, 80, 0, 1},
    {{LAG_SCHEDULE_WSD, 0, 100, 0, 0.2}, 90, 0, 0.5},
    {{LAG_SCHEDULE_WSD, 0, 100, 0.5, 0.2}, 90, 0, 0.75},
    {{LAG_SCHEDULE_WSD, 0, 100, 0, 0.2}, 100, 0, 0},
    {{LAG_SCHEDULE_WSD, 0, 100, 0, 1}, 50, 0, 0.5},
    /* a schedule that began again at step 50: warm-up counts from there, the rest ends at max_steps */
    {{LAG_SCHEDULE_COSINE, 10, 160, 0, 0.2}, 50, 50, 0.1},
    {{LAG_SCHEDULE_COSINE, 10, 160, 0, 0.2}, 110, 50, 0.5},
    /* nothing left behind the warm-up */
    {{LAG_SCHEDULE_COSINE, 10, 10, 0.1, 0.2}, 10, 0, 0.1},
};

static void table(void **unused) {
    for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        const double got = lag_schedule_lr(&TABLE[i].schedule, 1, TABLE[i].step, TABLE[i].origin);
        if (!(fabs(got - TABLE[i].wanted) < 1e-12)) fail_msg("row %zu: %g, wanted %g", i, got, TABLE[i].wanted);
    }
}

static void names(void **unused) {
    for (int i = 0; i < LAG_N_SCHEDULES; i++) {
        enum lag_schedule_kind kind;
        assert_int_equal(lag_schedule_parse(lag_schedule_name((enum lag_schedule_kind)i), &kind), 0);
        assert_int_equal(kind, i);
    }
    enum lag_schedule_kind kind;
    assert_int_equal(lag_schedule_parse("linear", &kind), LAG_ENOTFOUND);
}

static void rewarm(void **unused) {
    const struct lag_segment s = {.rewarm_from = 100, .rewarm_steps = 4}, none = {0};
    static const double WANTED[] = {1, 0.25, 0.5, 0.75, 1, 1};
    for (int i = 0; i < 6; i++) assert_true(lag_rewarm_factor(&s, 99 + i) == WANTED[i]);
    assert_true(lag_rewarm_factor(&none, 0) == 1);
}

/* The fastest segment counts, by its factor and where it is in its re-warm. */
static void highest_rate(void **unused) {
    struct lag_segment segments[] = {{.lr_factor = 1, .rewarm_from = 100, .rewarm_steps = 4},
                                     {.lr_factor = 0.375},
                                     {.lr_factor = 0.5, .rewarm_from = 100, .rewarm_steps = 2}};
    struct lag_state state = {.segments = segments, .n_segments = 3};
    static const double WANTED[] = {1, 0.375, 0.5, 0.75, 1, 1}; /* at steps 99 to 104 */
    for (int i = 0; i < 6; i++) {
        state.step = 99 + i;
        assert_true(lag_highest_lr(&state, 2) == 2 * WANTED[i]);
    }
    state.step = 103; /* without the fastest, while it is frozen */
    segments[0].frozen_until = 104;
    assert_true(lag_highest_lr(&state, 2) == 1);
    state.step = 104;
    assert_true(lag_highest_lr(&state, 2) == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(names), cmocka_unit_test(rewarm),
                                       cmocka_unit_test(highest_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

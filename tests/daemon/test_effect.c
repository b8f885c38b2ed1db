/* The spike of a growth and its recovery, from validation points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evidence/effect_internal.h"
#include <lagd/base/check.h>
#include <math.h>
#include <stdio.h>

#define MOST 6
static const struct {
    struct { int64_t step; double loss; } points[MOST]; /* after a growth at step 100 of a parent with loss 2 */
    double change, spike;
    int64_t spike_steps, recovery_steps;
    bool moves;
} cases[] = {
    /* it rises at once, higher then, and is back at the sixth step */
    {{{100, 2.1}, {101, 2.4}, {104, 2.2}, {106, 1.9}, {110, 2.3}}, 0.1, 0.4, 1, 6, false},
    /* not back yet */
    {{{100, 2.5}, {120, 2.25}}, 0.5, 0.5, 0, -1, true},
    /* never above: also what is less than a rounding */
    {{{100, 2.00005}, {101, 1.9}, {102, 1.8}}, 0.00005, 0, 0, 0, false},
    /* a function that stays, and a spike behind it */
    {{{100, 2}, {101, 2.2}, {102, 2.3}, {110, 2}}, 0, 0.3, 2, 10, false},
    /* what was lost or is not finite tells nothing; nor do points from before */
    {{{99, 9}, {101, 2.25}, {102, NAN}, {103, 1.5}}, NAN, 0.25, 1, 3, false},
    /* nothing is known */
    {{{0}}, NAN, 0, -1, -1, true},
};

static void spikes_are_measured(void **state) {
    (void)state;
    for (size_t i = 0; i < LAG_COUNT(cases); i++) {
        struct lagd_effect effect = {.is_known = true};
        struct lagd_trace trace;
        lagd_trace_begin(&trace, 100, 2, &effect);
        for (int k = 0; k < MOST && cases[i].points[k].step; k++)
            lagd_trace_see(&trace, cases[i].points[k].step, cases[i].points[k].loss);
        lagd_trace_end(&trace);
        assert_int_equal(isnan(effect.loss_change), isnan(cases[i].change));
        if (!isnan(cases[i].change)) assert_float_equal(effect.loss_change, cases[i].change, 1e-9);
        assert_float_equal(effect.spike, cases[i].spike, 1e-9);
        assert_int_equal(effect.spike_steps, cases[i].spike_steps);
        assert_int_equal(effect.recovery_steps, cases[i].recovery_steps);
        assert_int_equal(lagd_effect_moves(&effect), cases[i].moves);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(spikes_are_measured)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

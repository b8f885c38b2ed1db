/* Loss against FLOPs, by hand. */
#include "study_fixture.h"

static void test_interpolation(void **state) {
    (void)state;
    static const double flops[] = {1e3, 1e5, 1e6}, loss[] = {4, 2, 1};
    const struct lag_flops_curve curve = {3, flops, loss};
    assert_true(lag_loss_at_flops(&curve, 1e3) == 4 && lag_loss_at_flops(&curve, 1e6) == 1);
    close_to(lag_loss_at_flops(&curve, 1e4), 3, 1e-12); /* half of the way on log FLOPs */
    close_to(lag_loss_at_flops(&curve, sqrt(10) * 1e5), 1.5, 1e-12);
    assert_true(isnan(lag_loss_at_flops(&curve, 999)) && isnan(lag_loss_at_flops(&curve, 1.1e6)));
    close_to(lag_flops_at_loss(&curve, 3), 1e4, 1e-7);
    assert_true(lag_flops_at_loss(&curve, 2) == 1e5 && lag_flops_at_loss(&curve, 5) == 1e3);
    assert_true(isnan(lag_flops_at_loss(&curve, 0.9)));
}

/* A curve that wobbles: the first time counts. */
static void test_first_crossing(void **state) {
    (void)state;
    static const double flops[] = {1, 10, 100, 1000}, loss[] = {3, 1, 2, 0};
    const struct lag_flops_curve curve = {4, flops, loss};
    close_to(lag_flops_at_loss(&curve, 2), sqrt(10), 1e-12);
    close_to(lag_flops_at_loss(&curve, 1.5), pow(10, 0.75), 1e-12);
    close_to(lag_flops_at_loss(&curve, 0.5), pow(10, 2.75), 1e-9);
}

static void test_speed_up(void **state) {
    (void)state;
    static const double flops[] = {1, 10, 100}, scratch[] = {4, 3, 2}, grown[] = {4, 2, 1.5};
    const struct lag_flops_curve a = {3, flops, grown}, b = {3, flops, scratch}, none = {0, NULL, NULL};
    double loss = 7;
    assert_true(isnan(lag_speed_up(&a, &none, &loss)) && isnan(lag_speed_up(&none, &b, &loss)) && loss == 7);
    close_to(lag_speed_up(&a, &b, &loss), 10, 1e-12); /* at 2, the lowest that both reach */
    assert_true(loss == 2);
    close_to(lag_speed_up(&b, &a, &loss), 0.1, 1e-12);
    const struct lag_flops_curve one = {1, flops + 1, grown + 1}; /* 2 at 10 */
    close_to(lag_speed_up(&one, &b, &loss), 10, 1e-12);
    close_to(lag_speed_up(&b, &one, &loss), 0.1, 1e-12);
}

static void test_charged(void **state) {
    (void)state;
    static const int64_t t[] = {0, 1, 8};
    double flops[3];
    lag_charge_flops(t, 3, 1000, 5, flops);
    assert_true(flops[0] == 1000 && flops[1] == 1005 && flops[2] == 1040);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpolation),
        cmocka_unit_test(test_first_crossing),
        cmocka_unit_test(test_speed_up),
        cmocka_unit_test(test_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Schedules of a run that was extended: text and back, and which is in force where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/schedules_internal.h"
#include <lagd/base/error.h>
#include <stdio.h>
#include <string.h>

static void config_of(struct lagd_run_config *ret) {
    lag_fields_defaults(&lagd_run_fields, ret);
    ret->max_steps = 100;
    ret->warmup_steps = 10;
}

static struct lagd_schedule_piece piece(int64_t from, double min_lr, bool restarts) {
    return (struct lagd_schedule_piece){.from = from, .restarts = restarts,
                                        .schedule = {LAG_SCHEDULE_COSINE, 5, from + 50, min_lr, 0.1}};
}

static void a_run_that_was_never_extended_has_one(void **state) {
    (void)state;
    struct lag_run_row row = {.id = "run_1"};
    struct lagd_run_config config;
    struct lagd_schedules all;
    config_of(&config);
    assert_int_equal(lagd_schedules_of(&row, &config, &all, NULL), 0);
    assert_int_equal(all.n, 1);
    for (int64_t step = 0; step < 300; step += 99) assert_ptr_equal(lagd_schedules_at(&all, step), &all.of[0]);
    assert_int_equal(all.of[0].schedule.max_steps, 100);
    assert_int_equal(lagd_schedule_origin(&all.of[0], 7), 7);
}

static void text_and_back(void **state) {
    (void)state;
    struct lag_run_row row = {.id = "run_1"};
    struct lagd_run_config config;
    struct lagd_schedules all, back;
    config_of(&config);
    assert_int_equal(lagd_schedules_of(&row, &config, &all, NULL), 0);
    const struct lagd_schedule_piece second = piece(100, 1e-5 / 3, false), third = piece(150, 0, true);
    assert_int_equal(lagd_schedules_add(&all, &second, NULL), 0);
    assert_int_equal(lagd_schedules_add(&all, &third, NULL), 0);
    lagd_schedules_format(&all, row.schedules);
    assert_int_equal(lagd_schedules_of(&row, &config, &back, NULL), 0);
    assert_int_equal(back.n, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(back.of[i].from, all.of[i].from);
        assert_int_equal(back.of[i].restarts, all.of[i].restarts);
        assert_int_equal(back.of[i].schedule.kind, all.of[i].schedule.kind);
        assert_int_equal(back.of[i].schedule.warmup_steps, all.of[i].schedule.warmup_steps);
        assert_int_equal(back.of[i].schedule.max_steps, all.of[i].schedule.max_steps);
        assert_memory_equal(&back.of[i].schedule.min_lr, &all.of[i].schedule.min_lr, sizeof(double));
        assert_memory_equal(&back.of[i].schedule.decay_fraction, &all.of[i].schedule.decay_fraction, sizeof(double));
    }
    assert_int_equal(lagd_schedules_at(&back, 99)->from, 0);
    assert_int_equal(lagd_schedules_at(&back, 100)->from, 100);
    assert_int_equal(lagd_schedules_at(&back, 149)->from, 100);
    assert_int_equal(lagd_schedules_at(&back, 1000)->from, 150);
    assert_int_equal(lagd_schedule_origin(&back.of[1], 40), 40);
    assert_int_equal(lagd_schedule_origin(&back.of[2], 40), 150);
    assert_int_equal(lagd_schedule_origin(&back.of[2], 160), 160); /* a growth began it anew since */

    /* Who goes back behind them gives them up. */
    const struct lagd_schedule_piece before = piece(91, 0, false);
    assert_int_equal(lagd_schedules_add(&back, &before, NULL), 0);
    assert_int_equal(back.n, 2);
    assert_int_equal(back.of[1].from, 91);
    const struct lagd_schedule_piece whole = piece(0, 0, false);
    assert_int_equal(lagd_schedules_add(&back, &whole, NULL), 0);
    assert_int_equal(back.n, 1);
}

static void as_many_as_there_is_room_for(void **state) {
    (void)state;
    struct lag_run_row row = {.id = "run_1"};
    struct lagd_run_config config;
    struct lagd_schedules all;
    struct lag_error err = {0};
    config_of(&config);
    assert_int_equal(lagd_schedules_of(&row, &config, &all, NULL), 0);
    for (int i = 1; i < LAGD_SCHEDULES_MAX; i++) {
        const struct lagd_schedule_piece next = {
            .from = 1000000000 + i,
            .schedule = {LAG_SCHEDULE_CONSTANT, 1000000000, 1000000000, 1.2345678901234567e-300, 0.12345678901234567}};
        assert_int_equal(lagd_schedules_add(&all, &next, NULL), 0);
    }
    lagd_schedules_format(&all, row.schedules);
    assert_true(strlen(row.schedules) + 1 < sizeof(row.schedules));
    assert_int_equal(lagd_schedules_of(&row, &config, &all, NULL), 0);
    assert_int_equal(all.n, LAGD_SCHEDULES_MAX);
    const struct lagd_schedule_piece more = {.from = 2000000000};
    assert_int_equal(lagd_schedules_add(&all, &more, &err), LAG_ESTATE);
    assert_non_null(strstr(err.text, "fork it"));
}

static void what_cannot_be_read_is_told(void **state) {
    (void)state;
    static const char *const texts[] = {"nonsense\n", "5 wsd 1 2 0 0.1 0\n", "0 wsd 1 2 0 0.1\n",
                                        "0 linear 1 2 0 0.1 0\n", "0 wsd 1 2 0 0.1 0\n0 wsd 1 2 0 0.1 0\n"};
    struct lagd_run_config config;
    struct lagd_schedules all;
    config_of(&config);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct lag_run_row row = {.id = "run_1"};
        struct lag_error err = {0};
        snprintf(row.schedules, sizeof(row.schedules), "%s", texts[i]);
        assert_int_equal(lagd_schedules_of(&row, &config, &all, &err), LAG_ECORRUPT);
        assert_non_null(strstr(err.text, "run_1"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_was_never_extended_has_one),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(what_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests_name("daemon/schedules", tests, NULL, NULL);
}

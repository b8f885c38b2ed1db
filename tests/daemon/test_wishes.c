/* daemon/train/wishes.c: what is posted is taken once, and the wishes that end a thread are seen without a lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/wishes_internal.h"

#include <lagd/base/error.h>
#include <lagd/base/thread.h>
#include <stdlib.h>

static int setup(void **state) {
    struct lagd_wishes *wishes = calloc(1, sizeof(*wishes));
    assert_non_null(wishes);
    lagd_wishes_init(wishes);
    *state = wishes;
    return 0;
}

static int teardown(void **state) {
    lagd_wishes_deinit(*state);
    free(*state);
    return 0;
}

static void each_is_taken_once(void **state) {
    struct lagd_wishes *wishes = *state;
    lagd_wishes_post(wishes, LAGD_WISH_CHECKPOINT, NULL);
    lagd_wishes_post(wishes, LAGD_WISH_GROWTH, NULL);
    assert_int_equal(lagd_wishes_take(wishes, LAGD_WISH_GROWTH, NULL), LAGD_WISH_GROWTH);
    assert_int_equal(lagd_wishes_take(wishes, ~0u, NULL), LAGD_WISH_CHECKPOINT);
    assert_int_equal(lagd_wishes_take(wishes, ~0u, NULL), 0);
}

static void the_reason_is_that_of_the_last_end(void **state) {
    struct lagd_wishes *wishes = *state;
    char reason[LAG_ROW_TEXT] = "?";
    lagd_wishes_post(wishes, LAGD_WISH_PAUSE, "lunch");
    lagd_wishes_post(wishes, LAGD_WISH_CHECKPOINT, "not this");
    assert_int_equal(lagd_wishes_take(wishes, ~0u, reason), LAGD_WISH_PAUSE | LAGD_WISH_CHECKPOINT);
    assert_string_equal(reason, "lunch");
    lagd_wishes_post(wishes, LAGD_WISH_STOP, NULL);
    (void)lagd_wishes_take(wishes, ~0u, reason);
    assert_string_equal(reason, "");
}

/* Who waits for slots, for a growth or for the disk looks at one flag each. */
static void flags_follow_the_kind_of_end(void **state) {
    static const struct {
        unsigned wish;
        bool interrupt, quit, stop;
    } cases[] = {
        {LAGD_WISH_CHECKPOINT, false, false, false}, {LAGD_WISH_GROWTH, false, false, false},
        {LAGD_WISH_PAUSE, true, false, false},       {LAGD_WISH_CANCEL, true, true, false},
        {LAGD_WISH_STOP, true, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct lagd_wishes wishes = {0};
        lagd_wishes_init(&wishes);
        lagd_wishes_post(&wishes, cases[i].wish, "");
        assert_int_equal(atomic_load(&wishes.interrupt), cases[i].interrupt);
        assert_int_equal(atomic_load(&wishes.quit), cases[i].quit);
        assert_int_equal(atomic_load(&wishes.stop), cases[i].stop);
        lagd_wishes_deinit(&wishes);
    }
}

static void post_two(void *arg) {
    lagd_wishes_post(arg, LAGD_WISH_CHECKPOINT, NULL);
    lagd_wishes_post(arg, LAGD_WISH_CANCEL, NULL);
}

static void a_wait_ends_by_its_own_wish_and_takes_nothing(void **state) {
    struct lagd_wishes *wishes = *state;
    pthread_t thread;
    assert_int_equal(lag_thread_start(&thread, "poster", 0, post_two, wishes, NULL), 0);
    lagd_wishes_wait(wishes, LAGD_WISH_CANCEL | LAGD_WISH_STOP);
    assert_int_equal(lagd_wishes_take(wishes, ~0u, NULL), LAGD_WISH_CHECKPOINT | LAGD_WISH_CANCEL);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The copies go to all that asked; nobody waits for a run that lends no more. */
static void copies_are_asked_for(void **state) {
    struct lagd_wishes *wishes = *state;
    struct lagd_copy_ask asks[LAGD_COPY_ASKS_MAX + 1] = {{0}};
    int n = 0;
    for (int i = 0; i < LAGD_COPY_ASKS_MAX; i++) assert_int_equal(lagd_wishes_ask_copy(wishes, &asks[i]), 0);
    assert_int_equal(lagd_wishes_ask_copy(wishes, &asks[LAGD_COPY_ASKS_MAX]), LAG_EBUSY);
    assert_int_equal(lagd_wishes_take(wishes, ~0u, NULL), LAGD_WISH_COPY);
    for (struct lagd_copy_ask *ask = lagd_wishes_take_asks(wishes, false); ask; ask = ask->next) n++;
    assert_int_equal(n, LAGD_COPY_ASKS_MAX);
    assert_null(lagd_wishes_take_asks(wishes, false));
    assert_int_equal(lagd_wishes_ask_copy(wishes, &asks[0]), 0);
    assert_ptr_equal(lagd_wishes_take_asks(wishes, true), &asks[0]);
    assert_int_equal(lagd_wishes_ask_copy(wishes, &asks[0]), LAG_ENOTFOUND);
    assert_null(lagd_wishes_take_asks(wishes, false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_reason_is_that_of_the_last_end, setup, teardown),
        cmocka_unit_test(flags_follow_the_kind_of_end),
        cmocka_unit_test_setup_teardown(a_wait_ends_by_its_own_wish_and_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_are_asked_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

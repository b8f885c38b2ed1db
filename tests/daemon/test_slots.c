/* Compute slots: never above the budget, first come first served, fair shares, cancellable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "exec/slots_internal.h"

static void test_lone_claimant_takes_all(void **unused) {
    struct lagd_slots *slots = NULL;
    assert_int_equal(lagd_slots_create(3, &slots, NULL), 0);
    int n = 0;
    assert_int_equal(lagd_slots_acquire(slots, 8, NULL, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(lagd_slots_used(slots), 3);
    lagd_slots_release(slots, n);
    assert_int_equal(lagd_slots_acquire(slots, 2, NULL, &n), 0);
    assert_int_equal(n, 2);
    lagd_slots_release(slots, n);
    assert_int_equal(lagd_slots_used(slots), 0);
    lagd_slots_destroy(slots);
}

static void test_budget_below_one_is_refused(void **unused) {
    struct lagd_slots *slots = NULL;
    assert_int_equal(lagd_slots_create(0, &slots, NULL), LAG_EINVAL);
}

struct crowd {
    struct lagd_slots *slots;
    int budget, want, n_rounds;
    _Atomic int out, highest, over, n_done;
};
struct member {
    struct crowd *crowd;
    int n_most;  /* most slots it was given while others claimed */
    int n_taken;
};

static void nap(long us) {
    const struct timespec time = {.tv_nsec = us * 1000};
    (void)nanosleep(&time, NULL);
}

static void *take_turns(void *arg) {
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    for (int i = 0; i < crowd->n_rounds; i++) {
        int n = 0;
        if (lagd_slots_acquire(crowd->slots, crowd->want, NULL, &n) != 0) break;
        int out = atomic_fetch_add(&crowd->out, n) + n;
        if (out > crowd->budget || n < 1 || n > crowd->want) atomic_store(&crowd->over, 1);
        if (out > atomic_load(&crowd->highest)) atomic_store(&crowd->highest, out);
        nap(50);
        member->n_taken += n;
        atomic_fetch_sub(&crowd->out, n);
        lagd_slots_release(crowd->slots, n);
    }
    atomic_fetch_add(&crowd->n_done, 1);
    return NULL;
}

static void test_many_never_exceed_the_budget(void **unused) {
    struct crowd crowd = {.budget = 3, .want = 2, .n_rounds = 400};
    assert_int_equal(lagd_slots_create(crowd.budget, &crowd.slots, NULL), 0);
    pthread_t threads[6];
    struct member members[6] = {0};
    for (int i = 0; i < 6; i++) {
        members[i].crowd = &crowd;
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &members[i]), 0);
    }
    for (int i = 0; i < 6; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.over), 0);
    assert_int_equal(atomic_load(&crowd.highest), 3);
    assert_int_equal(atomic_load(&crowd.n_done), 6);
    assert_int_equal(lagd_slots_used(crowd.slots), 0);
    lagd_slots_destroy(crowd.slots);
}

struct order {
    struct lagd_slots *slots;
    int place;
    _Atomic int *next;
    _Atomic int *ready;
};

static void *arrive(void *arg) {
    struct order *order = arg;
    int n = 0;
    atomic_fetch_add(order->ready, 1);
    if (lagd_slots_acquire(order->slots, 1, NULL, &n) != 0) return NULL;
    order->place = atomic_fetch_add(order->next, 1);
    lagd_slots_release(order->slots, n);
    return NULL;
}

static void test_first_come_first_served(void **unused) {
    struct lagd_slots *slots = NULL;
    assert_int_equal(lagd_slots_create(1, &slots, NULL), 0);
    int n = 0;
    assert_int_equal(lagd_slots_acquire(slots, 1, NULL, &n), 0);
    _Atomic int next = 0, ready = 0;
    pthread_t threads[4];
    struct order orders[4];
    for (int i = 0; i < 4; i++) {
        orders[i] = (struct order){slots, -1, &next, &ready};
        assert_int_equal(pthread_create(&threads[i], NULL, arrive, &orders[i]), 0);
        while (atomic_load(&ready) <= i) nap(100);
        nap(20000); /* it waits in the queue now */
    }
    lagd_slots_release(slots, n);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(orders[i].place, i);
    lagd_slots_destroy(slots);
}

struct shared {
    struct lagd_slots *slots;
    int got;
};

static void *want_all(void *arg) {
    struct shared *shared = arg;
    int n = 0;
    if (lagd_slots_acquire(shared->slots, 4, NULL, &n) == 0) {
        shared->got = n;
        lagd_slots_release(shared->slots, n);
    }
    return NULL;
}

static void test_shares_are_fair(void **unused) {
    struct lagd_slots *slots = NULL;
    assert_int_equal(lagd_slots_create(4, &slots, NULL), 0);
    int n = 0, other = 0;
    assert_int_equal(lagd_slots_acquire(slots, 1, NULL, &n), 0);
    /* One holds: the next may have half of four, though three are free. */
    assert_int_equal(lagd_slots_acquire(slots, 4, NULL, &other), 0);
    assert_int_equal(other, 2);
    lagd_slots_release(slots, other);
    lagd_slots_release(slots, n);
    struct shared shared = {.slots = slots};
    assert_null(want_all(&shared));
    assert_int_equal(shared.got, 4);
    lagd_slots_destroy(slots);
}

struct hopeless {
    struct lagd_slots *slots;
    _Atomic bool cancel;
    int rc;
};

static void *wait_in_vain(void *arg) {
    struct hopeless *hopeless = arg;
    int n = 0;
    hopeless->rc = lagd_slots_acquire(hopeless->slots, 1, &hopeless->cancel, &n);
    return NULL;
}

static void test_cancel_wakes_a_waiter(void **unused) {
    struct lagd_slots *slots = NULL;
    assert_int_equal(lagd_slots_create(1, &slots, NULL), 0);
    int n = 0;
    assert_int_equal(lagd_slots_acquire(slots, 1, NULL, &n), 0);
    struct hopeless hopeless = {.slots = slots, .rc = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_in_vain, &hopeless), 0);
    nap(10000);
    atomic_store(&hopeless.cancel, true);
    lagd_slots_wake(slots);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(hopeless.rc, LAG_ECANCELED);
    assert_int_equal(lagd_slots_used(slots), 1);
    lagd_slots_release(slots, n);
    assert_int_equal(lagd_slots_acquire(slots, 1, NULL, &n), 0); /* the queue is whole */
    lagd_slots_release(slots, n);
    lagd_slots_destroy(slots);
}

struct pair {
    struct lagd_slots *slots;
    pthread_barrier_t both;
};

static void *hold_until_both_hold(void *arg) {
    struct pair *pair = arg;
    int n = 0;
    if (lagd_slots_acquire(pair->slots, 1, NULL, &n) != 0) return NULL;
    (void)pthread_barrier_wait(&pair->both);
    lagd_slots_release(pair->slots, n);
    return pair;
}

/* One release frees places for two: the first that gets one lets the next one look. */
static void test_one_release_serves_all_that_fit(void **unused) {
    struct pair pair;
    assert_int_equal(lagd_slots_create(2, &pair.slots, NULL), 0);
    assert_int_equal(pthread_barrier_init(&pair.both, NULL, 2), 0);
    for (int round = 0; round < 200; round++) {
        int n = 0;
        pthread_t threads[2];
        assert_int_equal(lagd_slots_acquire(pair.slots, 2, NULL, &n), 0);
        assert_int_equal(n, 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, hold_until_both_hold, &pair), 0);
        }
        nap(200);
        lagd_slots_release(pair.slots, n);
        for (int i = 0; i < 2; i++) {
            void *done;
            assert_int_equal(pthread_join(threads[i], &done), 0);
            assert_ptr_equal(done, &pair);
        }
    }
    (void)pthread_barrier_destroy(&pair.both);
    lagd_slots_destroy(pair.slots);
    lagd_slots_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lone_claimant_takes_all),      cmocka_unit_test(test_budget_below_one_is_refused),
        cmocka_unit_test(test_many_never_exceed_the_budget), cmocka_unit_test(test_first_come_first_served),
        cmocka_unit_test(test_shares_are_fair),              cmocka_unit_test(test_cancel_wakes_a_waiter),
        cmocka_unit_test(test_one_release_serves_all_that_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A thread has its name and no signals; waiting ends at its deadline. */
#include "check_base.h"

#include <lagd/base/clock.h>
#include <lagd/base/thread.h>
#include <pthread.h>
#include <signal.h>

struct seen {
    sigset_t mask;
    char name[16];
};

static void look(void *arg) {
    struct seen *seen = arg;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
    (void)pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
}

static void test_signals_are_blocked_and_the_name_is_set(void **state) {
    struct seen seen;
    pthread_t thread;
    sigset_t before, after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(lag_thread_start(&thread, "a-name-that-is-too-long", 1 << 20, look, &seen, NULL), 0);
    (void)pthread_join(thread, NULL);
    assert_string_equal(seen.name, "a-name-that-is-");
    for (int signal = 1; signal < 32; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        assert_int_equal(sigismember(&seen.mask, signal), 1);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void test_a_start_that_fails_says_so(void **state) {
    struct lag_error err;
    pthread_t thread;
    assert_true(lag_thread_start(&thread, "huge", (size_t)1 << 60, look, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "huge"));
}

struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ready;
};

static void wake(void *arg) {
    struct meeting *meeting = arg;
    (void)pthread_mutex_lock(&meeting->mutex);
    meeting->ready = true;
    (void)pthread_cond_signal(&meeting->cond);
    (void)pthread_mutex_unlock(&meeting->mutex);
}

static void test_cond_deadline(void **state) {
    struct meeting meeting = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    lag_cond_init(&meeting.cond);
    (void)pthread_mutex_lock(&meeting.mutex);
    int64_t deadline_ns = lag_clock_mono_ns() + 20000000;
    while (lag_cond_wait_until(&meeting.cond, &meeting.mutex, deadline_ns) == 0) {}
    assert_true(lag_clock_mono_ns() >= deadline_ns);
    assert_int_equal(lag_cond_wait_until(&meeting.cond, &meeting.mutex, -1), 1);
    pthread_t thread;
    assert_int_equal(lag_thread_start(&thread, "waker", 0, wake, &meeting, NULL), 0);
    while (!meeting.ready) assert_int_equal(lag_cond_wait_until(&meeting.cond, &meeting.mutex, INT64_MAX), 0);
    (void)pthread_mutex_unlock(&meeting.mutex);
    (void)pthread_join(thread, NULL);
    (void)pthread_cond_destroy(&meeting.cond);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_are_blocked_and_the_name_is_set),
        cmocka_unit_test(test_a_start_that_fails_says_so),
        cmocka_unit_test(test_cond_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

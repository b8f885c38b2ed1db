/* A mailbox in one thread, and with four senders. */
#include "check_base.h"

#include <lagd/base/mailbox.h>
#include <lagd/base/thread.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

enum { N_SENDERS = 4, N_EACH = 10000 };

static bool readable(const struct lag_mailbox *mailbox) {
    struct pollfd entry = {.fd = lag_mailbox_fd(mailbox), .events = POLLIN};
    return poll(&entry, 1, 0) == 1;
}

static void test_one_thread(void **state) {
    int messages[3] = {1, 2, 3};
    struct lag_mailbox *mailbox = NULL;
    assert_int_equal(lag_mailbox_create(0, &mailbox, NULL), LAG_EINVAL);
    assert_int_equal(lag_mailbox_create(SIZE_MAX / 4, &mailbox, NULL), LAG_ENOMEM);
    assert_int_equal(lag_mailbox_create(2, &mailbox, NULL), 0);
    for (int round = 0; round < 5; round++) { /* the ring wraps */
        assert_false(readable(mailbox));
        assert_null(lag_mailbox_take(mailbox));
        assert_int_equal(lag_mailbox_post(mailbox, &messages[0]), 0);
        assert_true(readable(mailbox));
        assert_int_equal(lag_mailbox_post(mailbox, &messages[1]), 0);
        assert_int_equal(lag_mailbox_post(mailbox, &messages[2]), LAG_EBUSY);
        assert_ptr_equal(lag_mailbox_take(mailbox), &messages[0]);
        assert_true(readable(mailbox));
        assert_int_equal(lag_mailbox_post(mailbox, &messages[2]), 0);
        assert_ptr_equal(lag_mailbox_take(mailbox), &messages[1]);
        assert_ptr_equal(lag_mailbox_take(mailbox), &messages[2]);
    }
    assert_int_equal(lag_mailbox_post(mailbox, &messages[0]), 0);
    lag_mailbox_close(mailbox);
    assert_int_equal(lag_mailbox_post(mailbox, &messages[1]), LAG_ECANCELED);
    assert_true(readable(mailbox)); /* what was posted before the end is still there */
    assert_ptr_equal(lag_mailbox_take(mailbox), &messages[0]);
    assert_null(lag_mailbox_take(mailbox));
    assert_false(readable(mailbox));
    lag_mailbox_destroy(mailbox);
    lag_mailbox_destroy(NULL);
}

struct sender {
    struct lag_mailbox *mailbox;
    int index;
    int messages[N_EACH]; /* the number of the message in order */
};

static void send_all(void *arg) {
    struct sender *sender = arg;
    for (int i = 0; i < N_EACH; i++) {
        sender->messages[i] = sender->index * N_EACH + i;
        while (lag_mailbox_post(sender->mailbox, &sender->messages[i]) == LAG_EBUSY) (void)sched_yield();
    }
}

static void test_four_senders(void **state) {
    static struct sender senders[N_SENDERS];
    pthread_t threads[N_SENDERS];
    struct lag_mailbox *mailbox = NULL;
    int next[N_SENDERS] = {0};
    assert_int_equal(lag_mailbox_create(64, &mailbox, NULL), 0);
    for (int i = 0; i < N_SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = mailbox, .index = i};
        assert_int_equal(lag_thread_start(&threads[i], "sender", 0, send_all, &senders[i], NULL), 0);
    }
    for (int n = 0; n < N_SENDERS * N_EACH; n++) {
        struct pollfd entry = {.fd = lag_mailbox_fd(mailbox), .events = POLLIN};
        assert_int_equal(poll(&entry, 1, 60000), 1);
        const int *message = lag_mailbox_take(mailbox);
        assert_non_null(message);
        int from = *message / N_EACH;
        assert_int_equal(*message % N_EACH, next[from]); /* each sender's messages come in their order */
        next[from]++;
    }
    assert_null(lag_mailbox_take(mailbox));
    assert_false(readable(mailbox));
    for (int i = 0; i < N_SENDERS; i++) (void)pthread_join(threads[i], NULL);
    lag_mailbox_destroy(mailbox);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread),
        cmocka_unit_test(test_four_senders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

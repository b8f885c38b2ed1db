/* What was read of a file that changes is found out, also when the file is as before by the time somebody looks. */
#include <lagd/base/error.h>
#include <lagd/engine/data.h>
#include <lagd/engine/witness.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { CONTEXT = 2500, BATCH = 2, N_TOKENS = 60000 }; /* a window longer than what is read at once */

struct fixture {
    struct lag_dataset *dataset;
    struct lag_stamp stamp;
    int fd;
};

static uint8_t text[N_TOKENS];

static void write_text(int fd, uint8_t add, int64_t mtime_s) {
    for (unsigned i = 0; i < N_TOKENS; i++) text[i] = (uint8_t)((i * i) % 251 + add);
    assert_int_equal(pwrite(fd, text, N_TOKENS, 0), N_TOKENS);
    const struct timespec times[2] = {{.tv_sec = mtime_s}, {.tv_sec = mtime_s}};
    assert_int_equal(futimens(fd, times), 0);
}

static int set_up(void **state) {
    static struct fixture fixture;
    char path[] = "/tmp/lagd-test-XXXXXX";
    struct lag_dataset_info info;
    fixture.fd = mkostemp(path, O_CLOEXEC);
    if (fixture.fd < 0 || unlink(path) != 0) return -1;
    write_text(fixture.fd, 0, 1000);
    if (lag_dataset_inspect(fixture.fd, "t.txt", "text", 0, NULL, &info, NULL) != 0) return -1;
    if (lag_dataset_open(dup(fixture.fd), &info, &fixture.dataset, NULL) != 0) return -1;
    if (lag_stamp_of_fd(fixture.fd, &fixture.stamp, NULL) != 0) return -1;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    lag_dataset_close(fixture->dataset);
    return close(fixture->fd);
}

static void read_batch(const struct lag_dataset *dataset, int64_t step) {
    static int32_t tokens[BATCH * CONTEXT], targets[BATCH * CONTEXT];
    assert_int_equal(lag_dataset_batch(dataset, 3, step, 0, BATCH, CONTEXT, tokens, targets, NULL), 0);
}

static enum lag_sight look(const struct fixture *fixture) {
    enum lag_sight sight;
    assert_int_equal(lag_dataset_look(fixture->dataset, &sight, NULL), 0);
    return sight;
}

/* As a caller does who has hashed the file. */
static void trust(struct fixture *fixture, bool fresh) {
    assert_int_equal(lag_stamp_of_fd(fixture->fd, &fixture->stamp, NULL), 0);
    lag_dataset_trust(fixture->dataset, &fixture->stamp, fresh);
}

static void a_look_tells_of_a_change(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(look(fixture), LAG_SIGHT_OTHER); /* nobody has said anything yet */
    trust(fixture, false);
    assert_int_equal(look(fixture), LAG_SIGHT_SAME);
    assert_int_equal(fchmod(fixture->fd, 0640), 0);
    assert_int_equal(look(fixture), LAG_SIGHT_OTHER);
    trust(fixture, true);
    assert_int_equal(look(fixture), LAG_SIGHT_FRESH);
}

static void what_was_read_is_compared(void **state) {
    struct fixture *fixture = *state;
    struct lag_error err;
    trust(fixture, false);
    for (int64_t step = 0; step < 4; step++) read_batch(fixture->dataset, step);
    write_text(fixture->fd, 0, 1001); /* the same bytes */
    assert_int_equal(look(fixture), LAG_SIGHT_OTHER);
    read_batch(fixture->dataset, 4);
    assert_int_equal(lag_dataset_reread(fixture->dataset, NULL, &err), 0);
    trust(fixture, false);

    write_text(fixture->fd, 1, 1002); /* another text for a while, and a step on it */
    read_batch(fixture->dataset, 5);
    write_text(fixture->fd, 0, 1003);
    read_batch(fixture->dataset, 6);
    assert_int_equal(lag_dataset_reread(fixture->dataset, NULL, &err), LAG_ECORRUPT);
    assert_non_null(strstr(err.text, "for a while the file was another one"));
    _Atomic bool cancel = true;
    assert_int_equal(lag_dataset_reread(fixture->dataset, &cancel, &err), LAG_ECANCELED);
}

/* A look that finds the trusted stamp ends what is noted; a fresh one leaves it. */
static void windows_are_forgotten(void **state) {
    struct fixture *fixture = *state;
    trust(fixture, false);
    read_batch(fixture->dataset, 0);
    assert_int_equal(look(fixture), LAG_SIGHT_SAME);
    write_text(fixture->fd, 1, 1001); /* read before the change: of no concern */
    assert_int_equal(lag_dataset_reread(fixture->dataset, NULL, NULL), 0);
    write_text(fixture->fd, 0, 1002);
    trust(fixture, true);
    read_batch(fixture->dataset, 1);
    assert_int_equal(look(fixture), LAG_SIGHT_FRESH);
    write_text(fixture->fd, 1, 1003);
    assert_int_equal(lag_dataset_reread(fixture->dataset, NULL, NULL), LAG_ECORRUPT);
}

/* More windows than are noted at once: as long as the stamp is the same they are forgotten on the way. */
static void many_windows_take_no_room(void **state) {
    struct fixture *fixture = *state;
    int32_t tokens[2], targets[2];
    trust(fixture, false);
    for (int64_t step = 0; step < 40000; step++)
        assert_int_equal(lag_dataset_batch(fixture->dataset, 3, step, 0, 1, 2, tokens, targets, NULL), 0);
    write_text(fixture->fd, 1, 1001);
    /* Windows of the last part are still noted, and were read before the change. */
    assert_int_equal(lag_dataset_reread(fixture->dataset, NULL, NULL), LAG_ECORRUPT);
    write_text(fixture->fd, 0, 1002);
    assert_int_equal(lag_dataset_reread(fixture->dataset, NULL, NULL), 0);
}

static void another_file_takes_its_place(void **state) {
    struct fixture *fixture = *state;
    char path[] = "/tmp/lagd-test-XXXXXX";
    int other = mkostemp(path, O_CLOEXEC);
    assert_true(other >= 0 && unlink(path) == 0);
    write_text(other, 0, 1000);
    struct lag_stamp stamp, now;
    assert_int_equal(lag_stamp_of_fd(other, &stamp, NULL), 0);
    trust(fixture, false);
    const int number = lag_dataset_fd(fixture->dataset);
    assert_int_equal(lag_dataset_replace(fixture->dataset, other, NULL), 0);
    assert_int_equal(lag_dataset_fd(fixture->dataset), number); /* readers keep the number that they have */
    assert_int_equal(lag_stamp_of_fd(number, &now, NULL), 0);
    assert_true(lag_stamp_equal(&now, &stamp));
    assert_int_equal(fcntl(number, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(look(fixture), LAG_SIGHT_OTHER);
    lag_dataset_trust(fixture->dataset, &stamp, false);
    assert_int_equal(look(fixture), LAG_SIGHT_SAME);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(a_look_tells_of_a_change), TEST(what_was_read_is_compared),
                                       TEST(windows_are_forgotten), TEST(many_windows_take_no_room),
                                       TEST(another_file_takes_its_place)};
    return cmocka_run_group_tests_name("engine/witness", tests, NULL, NULL);
}

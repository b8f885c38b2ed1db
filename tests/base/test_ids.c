/* Identifiers sort by time and never repeat, in one thread and in many. */
#include "check_base.h"

#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/ids.h>
#include <lagd/base/thread.h>
#include <pthread.h>

enum { N_IDS = 20000, N_THREADS = 4 };

static void test_they_sort_by_creation(void **state) {
    char before[LAG_ID_SIZE], now[LAG_ID_SIZE];
    lag_id_new("run", before);
    for (int i = 0; i < N_IDS; i++) {
        lag_id_new("run", now);
        assert_true(lag_id_is(now, "run"));
        if (strcmp(before, now) >= 0) fail_msg("%s does not come after %s", now, before);
        memcpy(before, now, sizeof(now));
    }
}

static void test_the_time_is_in_front(void **state) {
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    char id[LAG_ID_SIZE];
    int64_t before_ms = lag_clock_wall_ms();
    lag_id_new("grw", id);
    int64_t ms = 0;
    for (int i = 0; i < 10; i++) ms = ms * 32 + (strchr(alphabet, id[4 + i]) - alphabet);
    assert_true(ms >= before_ms - 1000 && ms <= lag_clock_wall_ms() + 1000);
}

static char made[N_THREADS][N_IDS / N_THREADS][LAG_ID_SIZE];

static void make_many(void *arg) {
    char(*ids)[LAG_ID_SIZE] = arg;
    for (int i = 0; i < N_IDS / N_THREADS; i++) lag_id_new("x", ids[i]);
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

static void test_threads_never_get_the_same(void **state) {
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(lag_thread_start(&threads[i], "ids", 0, make_many, made[i], NULL), 0);
    }
    for (int i = 0; i < N_THREADS; i++) (void)pthread_join(threads[i], NULL);
    char(*all)[LAG_ID_SIZE] = made[0];
    qsort(all, N_IDS, LAG_ID_SIZE, compare);
    for (int i = 1; i < N_IDS; i++) assert_string_not_equal(all[i - 1], all[i]);
}

static void test_is(void **state) {
    assert_true(lag_id_is("run_01hzy3v7q8c5n2m4p6r8t0w2x4", "run"));
    static const char *const bad[] = {
        "", "run", "run_", "grw_01hzy3v7q8c5n2m4p6r8t0w2x4", "run_01HZY3V7Q8C5N2M4P6R8T0W2X4",
        "run_01hzy3v7q8c5n2m4p6r8t0w2x", "run_01hzy3v7q8c5n2m4p6r8t0w2x44", "run_81hzy3v7q8c5n2m4p6r8t0w2x4",
        "run_01hzy3v7q8c5n2m4p6r8t0w2xu", "run-01hzy3v7q8c5n2m4p6r8t0w2x4", "run_01hzy3v7q8c5n2m4p6r8t0w2x\n",
        "run_../../../../../../etc/pass",
    };
    for (size_t i = 0; i < LAG_COUNT(bad); i++) assert_false(lag_id_is(bad[i], "run"));
}

/* A name that could be taken for an address of something else is none. */
static void test_names_are_no_ids(void **state) {
    struct lag_error err = {0};
    assert_int_equal(lag_name_check("first", &err), 0);
    assert_int_equal(lag_name_check("run_1", &err), 0);
    assert_int_equal(lag_name_check("-x", &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "1 to 64 letters"));
    static const char *const ids[] = {"run", "ds", "gr", "cand", "ckpt", "req"};
    for (size_t i = 0; i < LAG_COUNT(ids); i++) {
        char id[LAG_ID_SIZE];
        lag_id_new(ids[i], id);
        assert_true(lag_id_is_any(id));
        assert_int_equal(lag_name_check(id, &err), LAG_EINVAL);
        assert_string_equal(err.pointer, "/name");
        assert_non_null(strstr(err.text, "form of an id"));
        id[strlen(id) - 1] = 'u'; /* no letter of an id */
        assert_false(lag_id_is_any(id));
        assert_int_equal(lag_name_check(id, &err), 0);
    }
}

/* What an earlier process left under a clock that was years ahead. */
static void test_they_follow_what_was_there(void **state) {
    char before[LAG_ID_SIZE], id[LAG_ID_SIZE];
    lag_id_new("run", before);
    static const char *const no_ids[] = {"", "run", "run_", "run_8zzzzzzzzzzzzzzzzzzzzzzzzz", "run_0",
                                         "run_7zzzzzzzzzzzzzzzzzzzzzzzzu", "run_00000000000000000000000000"};
    for (size_t i = 0; i < LAG_COUNT(no_ids); i++) lag_id_follow(no_ids[i]);
    lag_id_new("run", id);
    assert_true(strcmp(id, before) > 0 && strncmp(id, before, 10) == 0);
    lag_id_follow("gr_3zzzzzzzzz000000000000000y");
    lag_id_new("run", id);
    assert_string_equal(id, "run_3zzzzzzzzz000000000000000z");
    lag_id_new("run", id);
    assert_string_equal(id, "run_3zzzzzzzzz0000000000000010");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_sort_by_creation),
        cmocka_unit_test(test_the_time_is_in_front),
        cmocka_unit_test(test_threads_never_get_the_same),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_names_are_no_ids),
        cmocka_unit_test(test_they_follow_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

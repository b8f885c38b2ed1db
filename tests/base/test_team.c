/* Every tile is worked on once, by teams whose size changes. */
#include "check_base.h"

#include <lagd/base/team.h>
#include <time.h>

enum { MAX_TILES = 200, MAX_MEMBERS = 3 };

/* Plain memory, so that ThreadSanitizer sees every missing ordering: a tile is written by whoever runs it and read by
 * the leader after the run; the task's number is written by the leader and read by the members. */
struct work {
    int number, n_active;
    int n_calls[MAX_TILES];
    int64_t values[MAX_TILES];
    int64_t by_member[MAX_MEMBERS][16];
};

static void compute(void *arg, int tile, int member) {
    struct work *work = arg;
    work->n_calls[tile]++;
    work->values[tile] = (int64_t)work->number * (tile + 1);
    if (member < 0 || member >= work->n_active) work->n_calls[tile] = 1000;
    work->by_member[member % MAX_MEMBERS][0]++;
}

static void check_run(struct lag_team *team, struct work *work, int number, int n_active, int n_tiles) {
    memset(work, 0, sizeof(*work));
    work->number = number;
    work->n_active = n_active;
    lag_team_run(team, n_tiles, compute, work);
    int64_t sum = 0, n_done = 0;
    for (int tile = 0; tile < n_tiles; tile++) {
        if (work->n_calls[tile] != 1) fail_msg("run %d: tile %d: %d", number, tile, work->n_calls[tile]);
        sum += work->values[tile];
    }
    for (int tile = n_tiles; tile < MAX_TILES; tile++) assert_int_equal(work->n_calls[tile], 0);
    for (int member = 0; member < MAX_MEMBERS; member++) n_done += work->by_member[member][0];
    assert_int_equal(n_done, n_tiles);
    assert_int_equal(sum, (int64_t)number * n_tiles * (n_tiles + 1) / 2);
}

static void test_every_tile_once_with_changing_teams(void **state) {
    static struct work work;
    for (int n_members = 1; n_members <= MAX_MEMBERS; n_members++) {
        struct lag_team *team = NULL;
        assert_int_equal(lag_team_create(n_members, &team, NULL), 0);
        assert_int_equal(lag_team_size(team), n_members);
        int n_active = n_members;
        for (int number = 1; number <= 4000; number++) {
            if (number % 3 == 0) {
                n_active = number / 3 % n_members + 1;
                lag_team_set_active(team, n_active);
            }
            check_run(team, &work, number, n_active, number % 7 == 0 ? 0 : number * 31 % MAX_TILES);
            if (number % 500 == 0) { /* long enough for everyone to fall asleep */
                struct timespec pause = {.tv_nsec = 2000000};
                (void)nanosleep(&pause, NULL);
            }
        }
        lag_team_destroy(team);
    }
}

static void test_without_a_team(void **state) {
    static struct work work;
    assert_int_equal(lag_team_size(NULL), 1);
    lag_team_set_active(NULL, 1);
    check_run(NULL, &work, 3, 1, 50);
    lag_team_destroy(NULL);
}

static void count_members(void *arg, int tile, int member) {
    struct work *work = arg;
    struct timespec pause = {.tv_nsec = 1000000};
    (void)nanosleep(&pause, NULL);
    work->by_member[member][0]++;
}

static void test_members_share_the_work(void **state) {
    static struct work work;
    struct lag_team *team = NULL;
    assert_int_equal(lag_team_create(3, &team, NULL), 0);
    memset(&work, 0, sizeof(work));
    lag_team_run(team, 100, count_members, &work);
    for (int member = 0; member < 3; member++) assert_true(work.by_member[member][0] > 0);
    lag_team_set_active(team, 2);
    memset(&work, 0, sizeof(work));
    lag_team_run(team, 50, count_members, &work);
    assert_true(work.by_member[1][0] > 0);
    assert_int_equal(work.by_member[2][0], 0);
    lag_team_destroy(team);
}

static void test_create_and_destroy_at_once(void **state) {
    struct lag_error err;
    struct lag_team *team = NULL;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(lag_team_create(4, &team, NULL), 0);
        lag_team_destroy(team);
    }
    assert_int_equal(lag_team_create(0, &team, &err), LAG_EINVAL);
    assert_int_equal(lag_team_create(257, &team, &err), LAG_EINVAL);
    assert_non_null(strstr(err.text, "between 1 and 256"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_tile_once_with_changing_teams),
        cmocka_unit_test(test_without_a_team),
        cmocka_unit_test(test_members_share_the_work),
        cmocka_unit_test(test_create_and_destroy_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

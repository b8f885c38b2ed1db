/* Candidates are what was stored: also a recipe that the operator makes no more is probed, applied and built again. */
#include "run_fixture.h"

#include <lagd/engine/train.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEPS = 24, AT = 10, LAG = 6, N = 3 };

static const char *const of_today[] = {"stack", "interleave", ""};
/* 2 → 4 layers: a midas of today is 0 0 0 1. */
static const char *const as_stored[] = {"midas|0 1 0 1", "interleave", ""};
static struct fixture fixture;

static int set_up(void **unused) {
    assert_int_equal(lag_engine_setup(NULL), 0);
    fixture_open(&fixture, 2);
    return 0;
}

static int tear_down(void **unused) {
    fixture_close(&fixture);
    return 0;
}

static void create(const char *name, const char *mode, const char *const *pool, char ret_run[LAG_ROW_ID],
                   char ret_growth[LAG_ROW_ID]) {
    struct lagd_run_config config;
    struct lagd_growth_request request;
    fixture_config(&config, name, STEPS);
    fixture_create_run(&fixture, &config, ret_run);
    fixture_growth_request(&request, AT, LAG);
    (void)snprintf(request.mode, sizeof(request.mode), "%s", mode);
    fixture_create_growth(&fixture, ret_run, &request, pool, ret_growth);
}

/* The first of the pool is chosen by a person; its kept state is damaged before, where rebuild says so. */
static void choose_first(const char *name, const char *const *pool, bool rebuild, char ret_run[LAG_ROW_ID],
                         struct lag_candidate_row ret[N]) {
    char growth[LAG_ROW_ID];
    create(name, "manual", pool, ret_run, growth);
    struct lagd_run *run = fixture_start(&fixture, ret_run);
    fixture_wait_growth(&fixture, growth, "awaiting_approval");
    assert_int_equal(fixture_candidates(&fixture, growth, ret, N), N);
    struct lag_checkpoint_row rows[16];
    int n = rebuild ? fixture_checkpoints(&fixture, ret_run, rows, 16) : 0;
    for (int i = 0; i < n; i++) {
        char path[1200];
        if (strcmp(rows[i].id, ret[0].checkpoint) != 0) continue;
        (void)snprintf(path, sizeof(path), "%s/%s/manifest.json", fixture.dir, rows[i].path);
        assert_int_equal(truncate(path, 10), 0);
    }
    fixture_decide(&fixture, growth, LAGD_GROWTH_ON_APPROVED, ret[0].id);
    lagd_run_wish(run, LAGD_WISH_GROWTH, NULL);
    lagd_run_join(run);
}

static void test_a_stored_recipe_is_the_truth(void **unused) {
    char run[LAG_ROW_ID], kept[LAG_ROW_ID], rebuilt[LAG_ROW_ID];
    struct lag_candidate_row wanted[N], rows[N];
    choose_first("today", of_today, false, run, wanted);
    choose_first("kept", as_stored, false, kept, rows);
    assert_string_equal(rows[0].op, "midas");
    assert_true(rows[0].loss_at_0 == wanted[0].loss_at_0 && rows[0].loss_at_lag == wanted[0].loss_at_lag);
    choose_first("rebuilt", as_stored, true, rebuilt, rows);
    assert_int_equal(fixture_count_events(&fixture, rebuilt, "determinism.mismatch", NULL), 0);
    fixture_assert_equal_runs(&fixture, run, kept);
    fixture_assert_equal_runs(&fixture, run, rebuilt);
}

/* The candidate's fault, told by it; the others go on. */
static void test_a_foreign_recipe_fails_its_candidate(void **unused) {
    static const char *const broken[] = {"midas|0 1 2 3", "interleave", ""};
    char run[LAG_ROW_ID], growth[LAG_ROW_ID];
    struct lag_candidate_row rows[N];
    struct lag_growth_row row;
    create("foreign", "auto", broken, run, growth);
    fixture_run_to(&fixture, run, "completed");
    assert_int_equal(fixture_candidates(&fixture, growth, rows, N), N);
    assert_string_equal(rows[0].state, "failed");
    assert_non_null(strstr(rows[0].reason, "the stored recipe"));
    assert_string_equal(rows[1].state, "completed");
    fixture_get_growth(&fixture, growth, &row);
    assert_string_equal(row.state, "applied");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stored_recipe_is_the_truth),
        cmocka_unit_test(test_a_foreign_recipe_fails_its_candidate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

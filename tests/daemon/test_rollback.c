/* Steps that are not finite, made so by a failpoint that counts the steps of this process. */
#include "run_fixture.h"
#include "records/transact_internal.h"

#include <lagd/engine/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Checkpoints lie at every 7th step. A rollback at step 13 goes back to 7: the steps 8 … 13 pass again.
 *   passings   1 …  40   undisturbed run
 *   passings  41 …  86   one fault: 13 steps with the fault at 53, then 33 more
 *   passings  87 … 138   two faults at one place: 99, 105; then 33 more
 *   passings 139 …       five faults: 151, 157, 163, 169, 175 */
static const char failpoints[] = "train.nonfinite=fail@53,train.nonfinite=fail@99,train.nonfinite=fail@105,"
                                 "train.nonfinite=fail@151,train.nonfinite=fail@157,train.nonfinite=fail@163,"
                                 "train.nonfinite=fail@169,train.nonfinite=fail@175";

enum { STEPS = 40 };

static struct fixture fixture;
static char undisturbed[LAG_ROW_ID];

static void run_one(const char *name, const char *state, char ret_id[LAG_ROW_ID], struct lag_run_row *ret) {
    struct lagd_run_config config;
    fixture_config(&config, name, STEPS);
    fixture_create_run(&fixture, &config, ret_id);
    fixture_run_to(&fixture, ret_id, state);
    fixture_get_run(&fixture, ret_id, ret);
}

static int set_up(void **unused) {
    assert_int_equal(lag_engine_setup(NULL), 0);
    fixture_open(&fixture, 2);
    struct lag_run_row row;
    run_one("undisturbed", "completed", undisturbed, &row);
    return 0;
}

static int tear_down(void **unused) {
    fixture_close(&fixture);
    return 0;
}

static int say_malformed(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_error_set(err, LAG_ECORRUPT, "database disk image is malformed");
}

static void test_damage_that_is_read_is_no_fault_of_a_run(void **unused) {
    struct lag_error err = {0};
    assert_int_equal(lagd_read(&fixture.deps, say_malformed, NULL, &err), LAG_EIO);
    assert_int_equal(err.code, LAG_EIO);
    assert_string_equal(err.text, "database disk image is malformed");
    assert_int_equal(lagd_read(&fixture.deps, say_malformed, NULL, NULL), LAG_EIO);
}

static void test_a_passing_fault_changes_nothing(void **unused) {
    char id[LAG_ROW_ID];
    struct lag_run_row row;
    run_one("one-fault", "completed", id, &row);
    assert_int_equal(row.n_rollbacks, 1);
    assert_int_equal(row.rollback_step, 13);
    assert_true(row.lr_scale == 1);
    assert_int_equal(fixture_count_events(&fixture, id, "run.rollback", NULL), 1);
    fixture_assert_equal_runs(&fixture, undisturbed, id);
}

static void test_a_fault_that_stays_halves_the_rate(void **unused) {
    char id[LAG_ROW_ID];
    struct lag_run_row row;
    run_one("two-faults", "completed", id, &row);
    assert_int_equal(row.n_rollbacks, 2);
    assert_true(row.lr_scale == 0.5);
    assert_int_equal(fixture_count_points(&fixture, id, "train/loss"), STEPS);
    /* From the checkpoint on, at half the rate. */
    double before = fixture_point(&fixture, id, "optim/lr", 7), after = fixture_point(&fixture, id, "optim/lr", 8);
    assert_true(before == fixture_point(&fixture, undisturbed, "optim/lr", 7));
    assert_true(after == 0.5 * fixture_point(&fixture, undisturbed, "optim/lr", 8));
    assert_int_equal(fixture_count_events(&fixture, id, "determinism.mismatch", NULL), 0);
}

static void test_three_halvings_are_enough(void **unused) {
    char id[LAG_ROW_ID];
    struct lag_run_row row;
    run_one("hopeless", "failed", id, &row);
    assert_int_equal(row.n_rollbacks, 4);
    assert_true(row.lr_scale == 0.125);
    assert_non_null(strstr(row.reason, "optim/lr"));
    assert_int_equal(fixture_count_points(&fixture, id, "train/loss"), 12);
    /* It stands at its last step with numbers, and so does all that is told of it. */
    assert_int_equal(row.step, 12);
    assert_int_equal(row.tokens, 12 * 4 * 16);
}

int main(void) {
    if (setenv("LAGD_FAILPOINTS", failpoints, 1) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_that_is_read_is_no_fault_of_a_run),
        cmocka_unit_test(test_a_passing_fault_changes_nothing),
        cmocka_unit_test(test_a_fault_that_stays_halves_the_rate),
        cmocka_unit_test(test_three_halvings_are_enough),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

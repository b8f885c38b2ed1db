/* daemon/runs/retry.c: when runs that lacked something are tried again. The supervisor is made but does not run: its
 * ticks are made here, at times that the test chooses. */
#include "rows_fixture.h"

#include "records/causes_internal.h"
#include "records/post_internal.h"
#include "supervisor/supervisor_internal.h"

#include <lagd/storage/runs.h>

#define RUN "run_short"
#define SECOND_NS INT64_C(1000000000)

static struct fixture f;

static void make(int64_t memory_limit_bytes) {
    char config[LAG_ROW_CONFIG];
    struct lag_dataset_row words = rows_words();
    fixture_make_dir(&f);
    f.config.memory_limit_bytes = memory_limit_bytes;
    assert_int_equal(lagd_supervisor_create(&f.config, &f.s, NULL), 0);
    rows_config("resume", config);
    rows_put(f.s->deps.store, rows_insert_dataset, &words);
    rows_put_run(f.s->deps.store, "short", "queued", config);
}

static int teardown(void **state) {
    (void)state;
    lagd_supervisor_destroy(f.s);
    fixture_remove(&f);
    return 0;
}

static void fall_short(void) {
    assert_int_equal(lagd_put_run_event(&f.s->deps, RUN, LAGD_RUN_ON_SHORT, "no memory", NULL), 0);
}

static bool is_queued_at(int64_t second) {
    struct lag_run_row row;
    lagd_retry_waiting(&f.s->runs, second * SECOND_NS);
    fixture_row(&f, RUN, &row);
    return strcmp(row.state, "queued") == 0;
}

static bool waits(void) {
    struct lag_run_row row;
    fixture_row(&f, RUN, &row);
    return row.waits;
}

static void ever_later(void **state) {
    (void)state;
    static const int64_t after[] = {2, 4, 8, 16, 32, 60, 60};
    int64_t now = 1000;
    make(0);
    for (size_t i = 0; i < sizeof(after) / sizeof(*after); i++) {
        fall_short();
        assert_false(is_queued_at(now)); /* noticed */
        assert_true(waits());
        assert_false(is_queued_at(now + after[i] - 1));
        assert_true(is_queued_at(now + after[i]));
        assert_false(waits());
        now += after[i];
    }
    assert_true(is_queued_at(now + 299)); /* it went well for long: as good as new */
    assert_true(is_queued_at(now + 1000));
    fall_short();
    assert_false(is_queued_at(now + 1001));
    assert_true(is_queued_at(now + 1003));
}

static void not_where_memory_is_promised_to_others(void **state) {
    (void)state;
    make(1);
    fall_short();
    assert_false(is_queued_at(10));
    assert_false(is_queued_at(12));
    assert_false(is_queued_at(100));
}

static void not_one_that_a_person_paused(void **state) {
    (void)state;
    make(0);
    fall_short();
    assert_false(is_queued_at(10));
    assert_int_equal(lagd_put_run_event(&f.s->deps, RUN, LAGD_RUN_ON_RETRIED, "", NULL), 0);
    assert_int_equal(lagd_put_run_event(&f.s->deps, RUN, LAGD_RUN_ON_PAUSE, "", NULL), 0);
    assert_false(is_queued_at(12) || is_queued_at(13));
}

/* Each cause has its own end; none but a run's own numbers is a failure. */
static void what_a_code_means_for_a_run(void **state) {
    (void)state;
    static const struct {
        int code;
        enum lagd_run_event event;
        bool ends_growth, goes_back, tries_again;
    } rows[] = {
        {LAG_ENOMEM, LAGD_RUN_ON_SHORT, false, false, true},
        {LAG_EFIT, LAGD_RUN_ON_SHORT, false, false, true},
        {LAG_ESHORT, LAGD_RUN_ON_SHORT, false, false, true},
        {LAG_ENOSPC, LAGD_RUN_ON_SHORT, false, false, true},
        {LAG_EBUSY, LAGD_RUN_ON_SHORT, false, false, true},
        {LAG_EIO, LAGD_RUN_ON_HINDERED, false, false, true},
        {LAG_EDENIED, LAGD_RUN_ON_HINDERED, false, false, true},
        {LAG_EPATH, LAGD_RUN_ON_HINDERED, false, false, true},
        {LAG_EVERSION, LAGD_RUN_ON_HINDERED, false, false, true},
        {LAG_ECORRUPT, LAGD_RUN_ON_HINDERED, true, true, false},
        {LAG_ENOTFOUND, LAGD_RUN_ON_HINDERED, true, true, false},
        {LAG_EINVAL, LAGD_RUN_ON_HINDERED, true, false, false},
        {LAG_EUNSUPPORTED, LAGD_RUN_ON_HINDERED, true, false, false},
        {LAG_EINTERNAL, LAGD_RUN_ON_HINDERED, true, false, false},
        {LAG_ENONFINITE, LAGD_RUN_ON_FAILED, true, true, false},
        {LAG_ECANCELED, LAGD_RUN_ON_HINDERED, false, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct lagd_judgement *judgement = lagd_judge(rows[i].code);
        assert_int_equal(judgement->run_event, rows[i].event);
        assert_int_equal(judgement->ends_growth, rows[i].ends_growth);
        assert_int_equal(judgement->goes_back, rows[i].goes_back);
        assert_int_equal(judgement->tries_again, rows[i].tries_again);
        assert_int_equal(lagd_is_trouble(rows[i].code), rows[i].tries_again);
    }
    assert_false(lagd_is_trouble(0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(ever_later, teardown),
        cmocka_unit_test_teardown(not_where_memory_is_promised_to_others, teardown),
        cmocka_unit_test_teardown(not_one_that_a_person_paused, teardown),
        cmocka_unit_test(what_a_code_means_for_a_run),
    };
    if (lag_engine_setup(NULL) != 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What comes next for a study: each state and stage, without a daemon; and a whole study played through by it. */
#include "study/study_step_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/states.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct lagd_study_item item(const char *role, const char *stage, const char *run, const char *growth) {
    struct lagd_study_item ret = {0};
    lag_copy(ret.row.role, sizeof(ret.row.role), role);
    lag_copy(ret.row.stage, sizeof(ret.row.stage), stage);
    lag_copy(ret.run_state, sizeof(ret.run_state), run);
    lag_copy(ret.growth_state, sizeof(ret.growth_state), growth);
    return ret;
}

static void each_stage_has_its_step(void **state) {
    (void)state;
    static const struct {
        const char *study, *role, *stage, *run, *growth;
        enum lagd_study_do what;
    } rows[] = {
        {"running", "candidates", "planned", "", "", LAGD_STUDY_MAKES},
        {"running", "candidates", "made", "paused", "", LAGD_STUDY_GROWS},
        {"running", "candidates", "grown", "paused", "queued", LAGD_STUDY_STARTS},
        {"running", "candidates", "grown", "running", "queued", LAGD_STUDY_STARTS}, /* it may be stopping */
        {"running", "candidates", "started", "growing", "probing", LAGD_STUDY_WAITS},
        {"running", "candidates", "started", "paused", "probing", LAGD_STUDY_WAITS}, /* a person paused it */
        {"running", "candidates", "started", "interrupted", "probing", LAGD_STUDY_WAITS},
        {"running", "candidates", "started", "running", "failed", LAGD_STUDY_CANCELS}, /* all diverged */
        {"running", "candidates", "started", "running", "cancelled", LAGD_STUDY_CANCELS},
        {"running", "candidates", "started", "running", "applied", LAGD_STUDY_WAITS},
        {"running", "candidates", "started", "completed", "applied", LAGD_STUDY_ENDS},
        {"running", "candidates", "grown", "cancelled", "cancelled", LAGD_STUDY_ENDS},
        {"running", "candidates", "ended", "completed", "applied", LAGD_STUDY_CLOSES},
        {"running", "scratch", "planned", "", "", LAGD_STUDY_MAKES},
        {"running", "scratch", "grown", "paused", "", LAGD_STUDY_STARTS},
        {"running", "scratch", "started", "running", "", LAGD_STUDY_WAITS},
        {"running", "scratch", "started", "failed", "", LAGD_STUDY_ENDS},
        {"paused", "candidates", "planned", "", "", LAGD_STUDY_WAITS},
        {"paused", "candidates", "made", "paused", "", LAGD_STUDY_WAITS},
        {"paused", "candidates", "started", "growing", "probing", LAGD_STUDY_PAUSES},
        {"paused", "candidates", "started", "queued", "probing", LAGD_STUDY_PAUSES},
        {"paused", "candidates", "started", "paused", "probing", LAGD_STUDY_WAITS},
        {"paused", "candidates", "started", "completed", "applied", LAGD_STUDY_WAITS},
        {"paused", "candidates", "grown", "paused", "queued", LAGD_STUDY_WAITS},
        {"paused", "candidates", "grown", "growing", "probing", LAGD_STUDY_PAUSES}, /* its pause did not take hold */
        {"paused", "candidates", "grown", "completed", "applied", LAGD_STUDY_WAITS},
        {"cancelling", "candidates", "planned", "", "", LAGD_STUDY_CLOSES},
        {"cancelling", "candidates", "made", "paused", "", LAGD_STUDY_CANCELS},
        {"cancelling", "candidates", "started", "growing", "probing", LAGD_STUDY_CANCELS},
        {"cancelling", "candidates", "started", "cancelled", "cancelled", LAGD_STUDY_ENDS},
        {"failing", "candidates", "started", "growing", "probing", LAGD_STUDY_CANCELS},
        {"failing", "candidates", "ended", "cancelled", "cancelled", LAGD_STUDY_CLOSES},
        {"completed", "candidates", "ended", "completed", "applied", LAGD_STUDY_WAITS},
        {"cancelled", "candidates", "started", "running", "probing", LAGD_STUDY_WAITS},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        const struct lagd_study_item one = item(rows[i].role, rows[i].stage, rows[i].run, rows[i].growth);
        const struct lagd_study_step step = lagd_study_next(rows[i].study, &one, 1, 1, false);
        if (step.what != rows[i].what)
            fail_msg("row %zu (%s, %s, run %s, growth %s): %d, not %d", i, rows[i].study, rows[i].stage, rows[i].run,
                     rows[i].growth, (int)step.what, (int)rows[i].what);
        assert_int_equal(step.item, step.what == LAGD_STUDY_WAITS || step.what == LAGD_STUDY_CLOSES ? -1 : 0);
    }
}

/* All forks are made before the first is started; no more than asked are started at once. */
static void a_study_is_played_through(void **state) {
    (void)state;
    enum { N = 5, PARALLEL = 2 };
    struct lagd_study_item items[N];
    for (int i = 0; i < N; i++) items[i] = item(i < 3 ? "candidates" : "scratch", "planned", "", "");
    int n_steps = 0, n_made = 0, n_started = 0, n_live = 0, most = 0;
    for (;; n_steps++) {
        assert_true(n_steps < 100);
        const struct lagd_study_step step = lagd_study_next("running", items, N, PARALLEL, false);
        struct lagd_study_item *at = step.item >= 0 ? &items[step.item] : NULL;
        if (step.what == LAGD_STUDY_CLOSES) break;
        switch (step.what) {
        case LAGD_STUDY_MAKES:
            assert_int_equal(n_started, 0);
            n_made++;
            *at = item(at->row.role, step.item < 3 ? "made" : "grown", "paused", "");
            break;
        case LAGD_STUDY_GROWS: *at = item("candidates", "grown", "paused", "queued"); break;
        case LAGD_STUDY_STARTS:
            assert_int_equal(step.item, n_started); /* in order */
            n_started++;
            n_live++;
            most = LAG_MAX(most, n_live);
            *at = item(at->row.role, "started", "running", step.item < 3 ? "probing" : "");
            break;
        case LAGD_STUDY_ENDS:
            n_live--;
            lag_copy(at->row.stage, sizeof(at->row.stage), "ended");
            break;
        default: /* it waits: the first that runs comes to its end */
            assert_int_equal(step.what, LAGD_STUDY_WAITS);
            for (int i = 0; i < N; i++) {
                if (strcmp(items[i].run_state, "running") != 0) continue;
                items[i] = item(items[i].row.role, "started", "completed", i < 3 ? "applied" : "");
                break;
            }
        }
    }
    assert_int_equal(n_made, N);
    assert_int_equal(n_started, N);
    assert_int_equal(most, PARALLEL);
    assert_true(lagd_study_has_result(items, N));
}

/* While others want to compute nothing of it does, but for what takes a moment. */
static void one_of_low_priority_gives_way(void **state) {
    (void)state;
    static const struct {
        const char *stage, *run, *growth;
        enum lagd_study_do what, else_what;
    } rows[] = {
        {"planned", "", "", LAGD_STUDY_MAKES, LAGD_STUDY_MAKES}, /* soon its parent's checkpoint may go */
        {"made", "paused", "", LAGD_STUDY_GROWS, LAGD_STUDY_GROWS},
        {"grown", "paused", "queued", LAGD_STUDY_WAITS, LAGD_STUDY_STARTS},
        {"started", "growing", "probing", LAGD_STUDY_PAUSES, LAGD_STUDY_WAITS},
        {"started", "queued", "probing", LAGD_STUDY_PAUSES, LAGD_STUDY_WAITS}, /* as after a crash */
        {"grown", "growing", "probing", LAGD_STUDY_PAUSES, LAGD_STUDY_STARTS}, /* its pause did not take hold */
        {"grown", "paused", "probing", LAGD_STUDY_WAITS, LAGD_STUDY_STARTS},
        {"started", "interrupted", "probing", LAGD_STUDY_WAITS, LAGD_STUDY_WAITS},
        {"started", "running", "failed", LAGD_STUDY_CANCELS, LAGD_STUDY_CANCELS},
        {"started", "completed", "applied", LAGD_STUDY_ENDS, LAGD_STUDY_ENDS},
        {"ended", "completed", "applied", LAGD_STUDY_CLOSES, LAGD_STUDY_CLOSES},
    };
    for (size_t i = 0; i < LAG_COUNT(rows); i++) {
        const struct lagd_study_item one = item("candidates", rows[i].stage, rows[i].run, rows[i].growth);
        assert_int_equal(lagd_study_next("running", &one, 1, 1, true).what, rows[i].what);
        assert_int_equal(lagd_study_next("running", &one, 1, 1, false).what, rows[i].else_what);
    }
}

static void no_growth_is_no_result(void **state) {
    (void)state;
    const struct lagd_study_item items[] = {item("candidates", "ended", "cancelled", "failed"),
                                            item("scratch", "ended", "completed", "")};
    assert_false(lagd_study_has_result(items, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_stage_has_its_step),
                                       cmocka_unit_test(a_study_is_played_through),
                                       cmocka_unit_test(one_of_low_priority_gives_way),
                                       cmocka_unit_test(no_growth_is_no_result)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

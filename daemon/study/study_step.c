/* The next step of a study, from its rows. */
#include "study/study_step_internal.h"

#include <lagd/base/check.h>
#include <lagd/daemon/states.h>
#include <string.h>

static bool at(const struct lagd_study_item *item, const char *stage) { return strcmp(item->row.stage, stage) == 0; }
static bool has_run(const struct lagd_study_item *item) { return item->run_state[0] != '\0'; }
static bool run_ended(const struct lagd_study_item *item) {
    return lagd_state_has_ended(LAGD_MACHINE_RUN, item->run_state);
}
static bool is_pool(const struct lagd_study_item *item) { return strcmp(item->row.role, "candidates") == 0; }

/* A run whose growth has ended with nothing to go on with would only train its parent on. */
static bool in_vain(const struct lagd_study_item *item) {
    return is_pool(item) && item->growth_state[0] && lagd_state_has_ended(LAGD_MACHINE_GROWTH, item->growth_state) &&
           !lagd_growth_is(item->growth_state, LAGD_GROWTH_APPLIED);
}

bool lagd_study_has_result(const struct lagd_study_item *items, int n_items) {
    for (int i = 0; i < n_items; i++)
        if (is_pool(&items[i]) && lagd_growth_is(items[i].growth_state, LAGD_GROWTH_APPLIED)) return true;
    return false;
}

/* --- while it runs: one rule an item, the first that has something to do --- */

/* All go on from the parent at once, so that its checkpoint is needed for a moment only. */
static enum lagd_study_do make(const struct lagd_study_item *item) {
    if (at(item, "planned")) return LAGD_STUDY_MAKES;
    return at(item, "made") ? LAGD_STUDY_GROWS : LAGD_STUDY_WAITS;
}

static enum lagd_study_do end(const struct lagd_study_item *item) {
    if (at(item, "ended") || !has_run(item)) return LAGD_STUDY_WAITS;
    if (run_ended(item)) return LAGD_STUDY_ENDS;
    return in_vain(item) ? LAGD_STUDY_CANCELS : LAGD_STUDY_WAITS;
}

/* One that trains is asked too: it may be on its way to a pause. */
static enum lagd_study_do start(const struct lagd_study_item *item) {
    return at(item, "grown") ? LAGD_STUDY_STARTS : LAGD_STUDY_WAITS;
}

/* One that is paused is at grown again, from where it is started; so is one whose pause was asked before a crash. */
static enum lagd_study_do pause(const struct lagd_study_item *item) {
    const bool waits = lagd_run_is(item->run_state, LAGD_RUN_PAUSED) ||
                       lagd_run_is(item->run_state, LAGD_RUN_INTERRUPTED);
    const bool begun = has_run(item) && (at(item, "started") || at(item, "grown"));
    return begun && !waits && !run_ended(item) ? LAGD_STUDY_PAUSES : LAGD_STUDY_WAITS;
}

static enum lagd_study_do stop(const struct lagd_study_item *item) {
    if (at(item, "ended") || !has_run(item)) return LAGD_STUDY_WAITS;
    return run_ended(item) ? LAGD_STUDY_ENDS : LAGD_STUDY_CANCELS;
}

static struct lagd_study_step first(const struct lagd_study_item *items, int n,
                                    enum lagd_study_do (*rule)(const struct lagd_study_item *)) {
    for (int i = 0; i < n; i++) {
        const enum lagd_study_do what = rule(&items[i]);
        if (what != LAGD_STUDY_WAITS) return (struct lagd_study_step){what, i};
    }
    return (struct lagd_study_step){LAGD_STUDY_WAITS, -1};
}

static int count(const struct lagd_study_item *items, int n, const char *stage) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += at(&items[i], stage);
    return sum;
}

bool lagd_study_has_begun(const struct lagd_study_item *items, int n) {
    return count(items, n, "grown") + count(items, n, "started") > 0;
}

struct lagd_study_step lagd_study_next(const char *state, const struct lagd_study_item *items, int n, int parallel,
                                       bool gives_way) {
    struct lagd_study_step step = {LAGD_STUDY_WAITS, -1};
    if (lagd_study_is(state, LAGD_STUDY_PAUSED)) return first(items, n, pause);
    if (lagd_study_is(state, LAGD_STUDY_CANCELLING) || lagd_study_is(state, LAGD_STUDY_FAILING)) {
        step = first(items, n, stop);
        if (step.what == LAGD_STUDY_WAITS) step.what = LAGD_STUDY_CLOSES;
        return step;
    }
    if (!lagd_study_is(state, LAGD_STUDY_RUNNING)) return step;
    step = first(items, n, end);
    if (step.what == LAGD_STUDY_WAITS) step = first(items, n, make);
    if (step.what == LAGD_STUDY_WAITS && gives_way) step = first(items, n, pause);
    const bool may_start = !gives_way && count(items, n, "started") < parallel;
    if (step.what == LAGD_STUDY_WAITS && may_start) step = first(items, n, start);
    if (step.what == LAGD_STUDY_WAITS && count(items, n, "ended") == n) step.what = LAGD_STUDY_CLOSES;
    return step;
}

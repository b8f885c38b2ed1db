/* The life cycles: every name is known, ends are ends, every state can be reached and left, actions fit the tables.
 * What the single rows are for is told by test_moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <lagd/daemon/states.h>

/* The ends that can be undone: by the loss of all that came after it, by a person who knows better, and by an allocator
 * that extends a probe. */
static bool may_leave(enum lagd_machine machine, const struct lagd_transition *row) {
    if (machine == LAGD_MACHINE_RUN && row->from == LAGD_RUN_COMPLETED) return row->event == LAGD_RUN_ON_EXTENDED;
    if (machine == LAGD_MACHINE_RUN) return row->from == LAGD_RUN_FAILED && row->event == LAGD_RUN_ON_RESUME;
    if (machine == LAGD_MACHINE_CANDIDATE)
        return row->from == LAGD_CANDIDATE_STOPPED && row->event == LAGD_CANDIDATE_ON_TAKEN_UP;
    return machine == LAGD_MACHINE_GROWTH && row->from == LAGD_GROWTH_APPLIED && row->event == LAGD_GROWTH_ON_LOST;
}

static void check_rows(enum lagd_machine machine) {
    size_t n_states, n;
    const struct lagd_state *states = lagd_states(machine, &n_states);
    const struct lagd_transition *rows = lagd_transitions(machine, &n);
    for (size_t i = 0; i < n; i++) {
        const char *event = lagd_machine_event_name(machine, rows[i].event);
        assert_true(event && event[0]);
        assert_true(rows[i].to >= 0 && rows[i].to < (int)n_states);
        assert_true(rows[i].from >= LAGD_NOWHERE && rows[i].from < (int)n_states);
        if (rows[i].from != LAGD_NOWHERE && states[rows[i].from].terminal && !may_leave(machine, &rows[i]))
            fail_msg("%s is an end, but \"%s\" leaves it", states[rows[i].from].name, event);
        assert_ptr_equal(lagd_transition_find(machine, rows[i].from, rows[i].event), &rows[i]); /* the only one */
    }
}

static void tables_agree(void **state) {
    (void)state;
    for (int m = 0; m < LAGD_N_MACHINES; m++) {
        enum lagd_machine machine = (enum lagd_machine)m;
        size_t n_states, n;
        const struct lagd_state *states = lagd_states(machine, &n_states);
        const struct lagd_transition *rows = lagd_transitions(machine, &n);
        check_rows(machine);
        for (size_t i = 0; i < n_states; i++) {
            bool left = false, reached = false;
            for (size_t j = 0; j < n; j++) {
                left = left || (rows[j].from == (int)i && rows[j].to != (int)i && !may_leave(machine, &rows[j]));
                reached = reached || (rows[j].to == (int)i && rows[j].from != (int)i);
            }
            if (!reached) fail_msg("%s cannot be reached", states[i].name);
            if (left == states[i].terminal) fail_msg("%s: terminal and left do not agree", states[i].name);
            assert_false(states[i].terminal && states[i].live);
            assert_true(states[i].help && states[i].help[0]);
            assert_string_equal(lagd_state_name(machine, (int)i), states[i].name);
            assert_int_equal(lagd_state_index(machine, states[i].name), (int)i);
        }
    }
}

/* What a person may do must be an event that leads somewhere from there. */
static void actions_lead_somewhere(void **state) {
    (void)state;
    static const struct { enum lagd_machine machine; const char *action; int event; } asked[] = {
        {LAGD_MACHINE_RUN, "pause", LAGD_RUN_ON_PAUSE},
        {LAGD_MACHINE_RUN, "resume", LAGD_RUN_ON_RESUME},
        {LAGD_MACHINE_RUN, "cancel", LAGD_RUN_ON_CANCEL},
        {LAGD_MACHINE_GROWTH, "cancel", LAGD_GROWTH_ON_CANCEL},
        {LAGD_MACHINE_STUDY, "pause", LAGD_STUDY_ON_PAUSE},
        {LAGD_MACHINE_STUDY, "resume", LAGD_STUDY_ON_RESUME},
        {LAGD_MACHINE_STUDY, "cancel", LAGD_STUDY_ON_CANCEL},
        {LAGD_MACHINE_GROWTH, "approve", LAGD_GROWTH_ON_APPROVED},
        {LAGD_MACHINE_GROWTH, "reject", LAGD_GROWTH_ON_REJECTED},
    };
    for (size_t a = 0; a < sizeof(asked) / sizeof(*asked); a++) {
        enum lagd_machine machine = asked[a].machine;
        size_t n;
        const struct lagd_state *states = lagd_states(machine, &n);
        for (size_t i = 0; i < n; i++) {
            bool offered = lagd_state_allows(machine, states[i].name, asked[a].action);
            bool leads = lagd_transition_find(machine, (int)i, asked[a].event) != NULL;
            if (offered && !leads) fail_msg("%s is offered to %s, and leads nowhere", asked[a].action, states[i].name);
        }
    }
}

static void examples(void **state) {
    (void)state;
    assert_null(lagd_transition_find(LAGD_MACHINE_RUN, LAGD_RUN_COMPLETED, LAGD_RUN_ON_RESUME));
    assert_true(lagd_state_allows(LAGD_MACHINE_RUN, "failed", "resume"));
    assert_null(lagd_transition_find(LAGD_MACHINE_RUN, LAGD_RUN_QUEUED, LAGD_RUN_ON_NOTHING));
    assert_int_equal(lagd_state_index(LAGD_MACHINE_RUN, "nowhere"), LAGD_NOWHERE);
    assert_true(lagd_run_is("paused", LAGD_RUN_PAUSED));
    assert_false(lagd_run_is("queued", LAGD_RUN_PAUSED));
    assert_true(lagd_growth_is("awaiting_approval", LAGD_GROWTH_AWAITING));
    assert_false(lagd_growth_is("unheard of", LAGD_GROWTH_QUEUED));
    assert_true(lagd_candidate_is("diverged", LAGD_CANDIDATE_DIVERGED));
    assert_true(lagd_state_has_ended(LAGD_MACHINE_GROWTH, "applied"));
    assert_false(lagd_state_has_ended(LAGD_MACHINE_GROWTH, "decided"));
    assert_false(lagd_state_has_ended(LAGD_MACHINE_GROWTH, "unheard of"));
    assert_true(lagd_state_allows(LAGD_MACHINE_RUN, "running", "checkpoint"));
    assert_true(lagd_state_allows(LAGD_MACHINE_RUN, "paused", "grow"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "running", "check"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "running", "resume"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "running", ""));
    assert_true(lagd_state_allows(LAGD_MACHINE_RUN, "growing", "grow"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "completed", "grow"));
    assert_true(lagd_state_find(LAGD_MACHINE_RUN, "growing")->live);
    assert_null(lagd_state_find(LAGD_MACHINE_CANDIDATE, "paused"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_agree), cmocka_unit_test(actions_lead_somewhere),
                                       cmocka_unit_test(examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

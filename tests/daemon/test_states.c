/* The life cycles: every name is known, ends are ends, every state can be reached and left, actions fit transitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lagd/daemon/states.h"

static const char *const first_state[LAGD_N_MACHINES] = {"queued", "queued", "queued"};

static void tables_agree(void **state) {
    (void)state;
    for (int m = 0; m < LAGD_N_MACHINES; m++) {
        enum lagd_machine machine = (enum lagd_machine)m;
        size_t n_states, n;
        const struct lagd_state *states = lagd_states(machine, &n_states);
        const struct lagd_transition *rows = lagd_transitions(machine, &n);
        for (size_t i = 0; i < n; i++) {
            const struct lagd_state *from = lagd_state_find(machine, rows[i].from);
            if (!from || !lagd_state_find(machine, rows[i].to))
                fail_msg("%s -%s-> %s", rows[i].from, rows[i].event, rows[i].to);
            if (from->terminal) fail_msg("%s is an end, but %s leaves it", rows[i].from, rows[i].event);
            for (size_t j = 0; j < i; j++) {
                assert_false(strcmp(rows[i].from, rows[j].from) == 0 && strcmp(rows[i].event, rows[j].event) == 0);
            }
        }
        for (size_t i = 0; i < n_states; i++) {
            bool left = false, reached = strcmp(states[i].name, first_state[m]) == 0;
            for (size_t j = 0; j < n; j++) {
                left = left || strcmp(rows[j].from, states[i].name) == 0;
                reached = reached || strcmp(rows[j].to, states[i].name) == 0;
            }
            if (!reached) fail_msg("%s cannot be reached", states[i].name);
            if (left == states[i].terminal) fail_msg("%s: terminal and left do not agree", states[i].name);
            assert_false(states[i].terminal && states[i].live);
            assert_true(states[i].help && states[i].help[0]);
        }
    }
}

/* An action that is the name of an event must lead somewhere from there. */
static void actions_lead_somewhere(void **state) {
    (void)state;
    static const char *const events[] = {"pause", "resume", "cancel", "approve", "reject"};
    for (int m = 0; m < LAGD_N_MACHINES; m++) {
        enum lagd_machine machine = (enum lagd_machine)m;
        size_t n;
        const struct lagd_state *states = lagd_states(machine, &n);
        for (size_t i = 0; i < n; i++) {
            for (size_t e = 0; e < sizeof(events) / sizeof(events[0]); e++) {
                if (!lagd_state_allows(machine, states[i].name, events[e])) continue;
                if (!lagd_state_after(machine, states[i].name, events[e]))
                    fail_msg("%s from %s", events[e], states[i].name);
            }
        }
    }
}

static void examples(void **state) {
    (void)state;
    assert_string_equal(lagd_state_after(LAGD_MACHINE_RUN, "queued", "start"), "running");
    assert_string_equal(lagd_state_after(LAGD_MACHINE_RUN, "paused", "resume"), "queued");
    assert_null(lagd_state_after(LAGD_MACHINE_RUN, "completed", "resume"));
    assert_null(lagd_state_after(LAGD_MACHINE_RUN, "nowhere", "resume"));
    assert_string_equal(lagd_state_after(LAGD_MACHINE_GROWTH, "awaiting_approval", "reject"), "rejected");
    assert_true(lagd_state_allows(LAGD_MACHINE_RUN, "running", "checkpoint"));
    assert_true(lagd_state_allows(LAGD_MACHINE_RUN, "paused", "grow"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "running", "check"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "running", "resume"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "running", ""));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "growing", "grow"));
    assert_false(lagd_state_allows(LAGD_MACHINE_RUN, "completed", "grow"));
    assert_true(lagd_state_find(LAGD_MACHINE_RUN, "growing")->live);
    assert_null(lagd_state_find(LAGD_MACHINE_CANDIDATE, "paused"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_agree), cmocka_unit_test(actions_lead_somewhere),
                                       cmocka_unit_test(examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

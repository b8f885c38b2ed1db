/* Life cycles as data: states, and which event leads where. Thread: any (const tables). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum lagd_machine { LAGD_MACHINE_RUN, LAGD_MACHINE_GROWTH, LAGD_MACHINE_CANDIDATE, LAGD_N_MACHINES };
/* run:       queued running paused growing interrupted completed cancelled failed
 * growth:    queued probing awaiting_approval decided applying applied rejected cancelled failed
 * candidate: queued running completed diverged cancelled failed */
struct lagd_state {
    const char *name;
    bool terminal;
    bool live;               /* a thread works on it: found so after a crash, it is resumed */
    const char *actions;     /* what a person may do, ',' between: "pause,cancel,checkpoint,grow" */
    const char *help;
};
const struct lagd_state *lagd_states(enum lagd_machine machine, size_t *ret_n);
const struct lagd_state *lagd_state_find(enum lagd_machine machine, const char *name);
struct lagd_transition { const char *from, *event, *to; };
const struct lagd_transition *lagd_transitions(enum lagd_machine machine, size_t *ret_n);
/* The state after event, or NULL when it is not possible. */
const char *lagd_state_after(enum lagd_machine machine, const char *from, const char *event);
bool lagd_state_allows(enum lagd_machine machine, const char *state, const char *action);

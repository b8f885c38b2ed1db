/* The life cycles of runs, growths and candidates as tables. */
#include <lagd/daemon/states.h>

#include <lagd/base/check.h>
#include <string.h>

#define TERMINAL true, false
#define LIVE false, true
#define WAITING false, false

static const struct lagd_state run_states[] = {
    {"queued", WAITING, "pause,cancel,grow", "waits for a place, memory, or the daemon's next look"},
    {"running", LIVE, "pause,cancel,checkpoint,grow", "trains"},
    {"paused", WAITING, "resume,cancel,grow,delete", "stopped by a person, with a checkpoint; resume goes on"},
    {"growing", LIVE, "cancel", "its growth candidates are being probed or the winner is being applied"},
    {"interrupted", WAITING, "resume,cancel", "the daemon stopped or crashed; it goes on after the restart"},
    {"completed", TERMINAL, "delete", "reached max_steps"},
    {"cancelled", TERMINAL, "delete", "ended by a person"},
    {"failed", TERMINAL, "delete", "cannot go on; the reason says why"},
};
static const struct lagd_transition run_transitions[] = {
    {"queued", "start", "running"},         {"queued", "pause", "paused"},
    {"queued", "cancel", "cancelled"},      {"queued", "fail", "failed"},
    {"queued", "interrupt", "interrupted"}, {"running", "pause", "paused"},
    {"running", "grow", "growing"},         {"running", "complete", "completed"},
    {"running", "cancel", "cancelled"},     {"running", "fail", "failed"},
    {"running", "interrupt", "interrupted"},
    {"growing", "grown", "running"},        {"growing", "cancel", "cancelled"},
    {"growing", "fail", "failed"},          {"growing", "interrupt", "interrupted"},
    {"paused", "resume", "queued"},         {"paused", "cancel", "cancelled"},
    {"paused", "fail", "failed"},
    {"interrupted", "start", "running"},    {"interrupted", "resume", "queued"},
    {"interrupted", "pause", "paused"},     {"interrupted", "cancel", "cancelled"},
    {"interrupted", "fail", "failed"},
};

static const struct lagd_state growth_states[] = {
    {"queued", WAITING, "cancel", "waits for its step, or for the run to be resumed"},
    {"probing", LIVE, "cancel", "candidates train for the lag"},
    {"awaiting_approval", LIVE, "approve,reject,cancel", "ranked; a person has to approve, override or reject"},
    {"decided", LIVE, "", "the winner is known and stored, and is about to be applied"},
    {"applying", LIVE, "", "the winner's state becomes the run's"},
    {"applied", TERMINAL, "", "the run goes on as the winner"},
    {"rejected", TERMINAL, "", "a person declined; the run goes on as it was"},
    {"cancelled", TERMINAL, "", "withdrawn; the run goes on as it was"},
    {"failed", TERMINAL, "", "no candidate could win; the run goes on as it was"},
};
static const struct lagd_transition growth_transitions[] = {
    {"queued", "probe", "probing"},
    {"queued", "cancel", "cancelled"},
    {"queued", "fail", "failed"},
    {"probing", "decide", "decided"},
    {"probing", "ask", "awaiting_approval"},
    {"probing", "cancel", "cancelled"},
    {"probing", "fail", "failed"},
    {"awaiting_approval", "approve", "decided"},
    {"awaiting_approval", "reject", "rejected"},
    {"awaiting_approval", "cancel", "cancelled"},
    {"awaiting_approval", "fail", "failed"},
    {"decided", "apply", "applying"},
    {"decided", "cancel", "cancelled"},
    {"decided", "fail", "failed"},
    {"applying", "applied", "applied"},
    {"applying", "cancel", "cancelled"},
    {"applying", "fail", "failed"},
};

static const struct lagd_state candidate_states[] = {
    {"queued", WAITING, "", "waits for a worker"},
    {"running", LIVE, "", "trains for the lag"},
    {"completed", TERMINAL, "", "reached the lag"},
    {"diverged", TERMINAL, "", "dropped: its loss was not finite, or stayed too far above the parent's"},
    {"cancelled", TERMINAL, "", "its growth was cancelled"},
    {"failed", TERMINAL, "", "could not be built or trained; the reason says why"},
};
static const struct lagd_transition candidate_transitions[] = {
    {"queued", "start", "running"},       {"queued", "cancel", "cancelled"},  {"queued", "fail", "failed"},
    {"running", "complete", "completed"}, {"running", "diverge", "diverged"}, {"running", "cancel", "cancelled"},
    {"running", "fail", "failed"},        {"running", "requeue", "queued"}, /* after a crash: probed again from the
                                                                               parent */
};

static const struct {
    const struct lagd_state *states;
    size_t n_states;
    const struct lagd_transition *transitions;
    size_t n_transitions;
} machines[LAGD_N_MACHINES] = {
    {run_states, LAG_COUNT(run_states), run_transitions, LAG_COUNT(run_transitions)},
    {growth_states, LAG_COUNT(growth_states), growth_transitions, LAG_COUNT(growth_transitions)},
    {candidate_states, LAG_COUNT(candidate_states), candidate_transitions, LAG_COUNT(candidate_transitions)},
};

const struct lagd_state *lagd_states(enum lagd_machine machine, size_t *ret_n) {
    LAG_ASSERT(machine < LAGD_N_MACHINES);
    *ret_n = machines[machine].n_states;
    return machines[machine].states;
}

const struct lagd_transition *lagd_transitions(enum lagd_machine machine, size_t *ret_n) {
    LAG_ASSERT(machine < LAGD_N_MACHINES);
    *ret_n = machines[machine].n_transitions;
    return machines[machine].transitions;
}

const struct lagd_state *lagd_state_find(enum lagd_machine machine, const char *name) {
    size_t n;
    const struct lagd_state *states = lagd_states(machine, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(states[i].name, name) == 0) return &states[i];
    }
    return NULL;
}

const char *lagd_state_after(enum lagd_machine machine, const char *from, const char *event) {
    size_t n;
    const struct lagd_transition *rows = lagd_transitions(machine, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].from, from) == 0 && strcmp(rows[i].event, event) == 0) return rows[i].to;
    }
    return NULL;
}

bool lagd_state_allows(enum lagd_machine machine, const char *state, const char *action) {
    const struct lagd_state *found = lagd_state_find(machine, state);
    size_t length = strlen(action);
    if (!found || length == 0) return false;
    for (const char *p = found->actions; *p; p += strcspn(p, ","), p += *p == ',') {
        if (strncmp(p, action, length) == 0 && (p[length] == ',' || p[length] == '\0')) return true;
    }
    return false;
}

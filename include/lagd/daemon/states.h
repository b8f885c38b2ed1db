/* Life cycles as data: of runs, growths, candidates, datasets, studies, models and tokenizers the states, the events,
 * and which event leads from which state to which. Code posts an event, the table decides. What holds in a state is
 * told in states.c. Thread: any (const tables). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum lagd_machine {
    LAGD_MACHINE_RUN, LAGD_MACHINE_GROWTH, LAGD_MACHINE_CANDIDATE, LAGD_MACHINE_DATASET,
    LAGD_MACHINE_STUDY, LAGD_MACHINE_STAGE, LAGD_MACHINE_MODEL, LAGD_MACHINE_TOKENIZER,
    LAGD_N_MACHINES
};

/* --- states --- */
enum { LAGD_NOWHERE = -1 }; /* no state: before the row is there, or one that this lagd does not know */
enum lagd_run_state {
    LAGD_RUN_QUEUED, LAGD_RUN_RUNNING, LAGD_RUN_PAUSED, LAGD_RUN_GROWING, LAGD_RUN_INTERRUPTED, LAGD_RUN_COMPLETED,
    LAGD_RUN_CANCELLED, LAGD_RUN_FAILED, LAGD_N_RUN_STATES
};
enum lagd_growth_state {
    LAGD_GROWTH_QUEUED, LAGD_GROWTH_PROBING, LAGD_GROWTH_AWAITING, LAGD_GROWTH_DECIDED, LAGD_GROWTH_APPLYING,
    LAGD_GROWTH_APPLIED, LAGD_GROWTH_REJECTED, LAGD_GROWTH_CANCELLED, LAGD_GROWTH_FAILED, LAGD_N_GROWTH_STATES
};
enum lagd_candidate_state {
    LAGD_CANDIDATE_QUEUED, LAGD_CANDIDATE_RUNNING, LAGD_CANDIDATE_COMPLETED, LAGD_CANDIDATE_DIVERGED,
    LAGD_CANDIDATE_CANCELLED, LAGD_CANDIDATE_FAILED, LAGD_CANDIDATE_STOPPED, LAGD_N_CANDIDATE_STATES
};
enum lagd_dataset_state {
    LAGD_DATASET_REGISTERING, LAGD_DATASET_READY, LAGD_DATASET_FAILED, LAGD_N_DATASET_STATES
};
enum lagd_study_state {
    LAGD_STUDY_RUNNING, LAGD_STUDY_PAUSED, LAGD_STUDY_CANCELLING, LAGD_STUDY_FAILING, LAGD_STUDY_COMPLETED,
    LAGD_STUDY_CANCELLED, LAGD_STUDY_FAILED, LAGD_N_STUDY_STATES
};
enum lagd_stage_state { LAGD_STAGE_PLANNED, LAGD_STAGE_BEGUN, LAGD_STAGE_SKIPPED, LAGD_N_STAGE_STATES };
enum lagd_tokenizer_state {
    LAGD_TOKENIZER_MAKING, LAGD_TOKENIZER_READY, LAGD_TOKENIZER_FAILED, LAGD_N_TOKENIZER_STATES
};
enum lagd_model_state { LAGD_MODEL_IMPORTING, LAGD_MODEL_READY, LAGD_MODEL_FAILED, LAGD_N_MODEL_STATES };
struct lagd_state {
    const char *name;        /* as stored and told */
    bool terminal;           /* an end */
    bool live;               /* a thread works on it: found so after a crash, it is resumed */
    const char *actions;     /* what a person may do, ',' between: "pause,cancel,checkpoint,grow" */
    const char *help;
};
/* All of a machine, in the order of its enum. */
const struct lagd_state *lagd_states(enum lagd_machine machine, size_t *ret_n);
const char *lagd_state_name(enum lagd_machine machine, int state);
/* By the name that a row holds: NULL and LAGD_NOWHERE when it is not known. */
const struct lagd_state *lagd_state_find(enum lagd_machine machine, const char *name);
int lagd_state_index(enum lagd_machine machine, const char *name);
bool lagd_state_allows(enum lagd_machine machine, const char *state, const char *action);
/* Is it an end? An unknown one is none. */
bool lagd_state_has_ended(enum lagd_machine machine, const char *state);
/* Is the state of a row this one? */
bool lagd_run_is(const char *state, enum lagd_run_state is);
bool lagd_growth_is(const char *state, enum lagd_growth_state is);
bool lagd_candidate_is(const char *state, enum lagd_candidate_state is);
bool lagd_dataset_is(const char *state, enum lagd_dataset_state is);
bool lagd_study_is(const char *state, enum lagd_study_state is);
bool lagd_stage_is(const char *state, enum lagd_stage_state is);
bool lagd_tokenizer_is(const char *state, enum lagd_tokenizer_state is);
bool lagd_model_is(const char *state, enum lagd_model_state is);

/* --- events; 0 is none --- */
enum lagd_run_event {
    LAGD_RUN_ON_NOTHING,
    LAGD_RUN_ON_CREATED,
    LAGD_RUN_ON_CREATED_PAUSED,
    LAGD_RUN_ON_STARTED,
    LAGD_RUN_ON_STARTED_GROWING,
    LAGD_RUN_ON_GROWTH_BEGUN,
    LAGD_RUN_ON_GROWTH_ENDED,
    LAGD_RUN_ON_PAUSE,
    LAGD_RUN_ON_HINDERED,
    LAGD_RUN_ON_SHORT,
    LAGD_RUN_ON_RESUME,
    LAGD_RUN_ON_RETRIED,
    LAGD_RUN_ON_COMPLETED,
    LAGD_RUN_ON_CANCEL,
    LAGD_RUN_ON_STOPPED,
    LAGD_RUN_ON_CRASHED,
    LAGD_RUN_ON_RESTARTED,
    LAGD_RUN_ON_LEFT_PAUSED,
    LAGD_RUN_ON_FAILED,
    LAGD_RUN_ON_EXTENDED,
    LAGD_N_RUN_EVENTS
};
enum lagd_growth_event {
    LAGD_GROWTH_ON_NOTHING, LAGD_GROWTH_ON_CREATED, LAGD_GROWTH_ON_BEGUN, LAGD_GROWTH_ON_DECIDED, LAGD_GROWTH_ON_RANKED,
    LAGD_GROWTH_ON_APPROVED, LAGD_GROWTH_ON_REJECTED, LAGD_GROWTH_ON_APPLYING, LAGD_GROWTH_ON_APPLIED,
    LAGD_GROWTH_ON_CANCEL, LAGD_GROWTH_ON_WITHDRAWN, LAGD_GROWTH_ON_FAILED, LAGD_GROWTH_ON_LOST, LAGD_N_GROWTH_EVENTS
};
enum lagd_candidate_event {
    LAGD_CANDIDATE_ON_NOTHING, LAGD_CANDIDATE_ON_CREATED, LAGD_CANDIDATE_ON_STARTED, LAGD_CANDIDATE_ON_COMPLETED,
    LAGD_CANDIDATE_ON_DIVERGED, LAGD_CANDIDATE_ON_FAILED, LAGD_CANDIDATE_ON_WITHDRAWN,
    LAGD_CANDIDATE_ON_DROPPED, LAGD_CANDIDATE_ON_TAKEN_UP, LAGD_N_CANDIDATE_EVENTS
};
enum lagd_dataset_event {
    LAGD_DATASET_ON_NOTHING, LAGD_DATASET_ON_CREATED, LAGD_DATASET_ON_READ, LAGD_DATASET_ON_REFUSED,
    LAGD_N_DATASET_EVENTS
};
enum lagd_study_event {
    LAGD_STUDY_ON_NOTHING, LAGD_STUDY_ON_CREATED, LAGD_STUDY_ON_PAUSE, LAGD_STUDY_ON_RESUME, LAGD_STUDY_ON_CANCEL,
    LAGD_STUDY_ON_HINDERED, LAGD_STUDY_ON_COMPLETED, LAGD_STUDY_ON_STOPPED, LAGD_N_STUDY_EVENTS
};
enum lagd_stage_event {
    LAGD_STAGE_ON_NOTHING, LAGD_STAGE_ON_CREATED, LAGD_STAGE_ON_FIRED, LAGD_STAGE_ON_PASSED, LAGD_N_STAGE_EVENTS
};
enum lagd_tokenizer_event {
    LAGD_TOKENIZER_ON_NOTHING, LAGD_TOKENIZER_ON_CREATED, LAGD_TOKENIZER_ON_MADE, LAGD_TOKENIZER_ON_REFUSED,
    LAGD_N_TOKENIZER_EVENTS
};
enum lagd_model_event {
    LAGD_MODEL_ON_NOTHING, LAGD_MODEL_ON_CREATED, LAGD_MODEL_ON_READ, LAGD_MODEL_ON_REFUSED, LAGD_N_MODEL_EVENTS
};
const char *lagd_machine_event_name(enum lagd_machine machine, int event); /* "pause asked" */

/* --- which event leads where --- */
struct lagd_transition { int from, event, to; }; /* to = from: the event is foreseen, and changes nothing */
const struct lagd_transition *lagd_transitions(enum lagd_machine machine, size_t *ret_n);
/* The row for an event in a state, or NULL: there it must not come. */
const struct lagd_transition *lagd_transition_find(enum lagd_machine machine, int from, int event);

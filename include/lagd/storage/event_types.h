/* The types of events, as data: what each tells, which fields it fills and how grave it is. Thread: any (const table).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum lag_event_type {
    LAG_EVENT_RUN_CREATED, LAG_EVENT_RUN_CHANGED, LAG_EVENT_RUN_STATE, LAG_EVENT_RUN_DELETED, LAG_EVENT_RUN_CHECKPOINT,
    LAG_EVENT_RUN_ROLLBACK, LAG_EVENT_GROWTH_STATE, LAG_EVENT_CANDIDATE_STATE, LAG_EVENT_GROWTH_DECISION,
    LAG_EVENT_GROWTH_RUNG,
    LAG_EVENT_DATASET_STATE, LAG_EVENT_DATASET_ADDED, LAG_EVENT_DATASET_DELETED, LAG_EVENT_CHECKPOINT_DAMAGED,
    LAG_EVENT_CHECKPOINT_DELETED, LAG_EVENT_CHECKPOINT_ADOPTED, LAG_EVENT_DETERMINISM_MISMATCH,
    LAG_EVENT_RUN_STAGE, LAG_EVENT_RUN_PLAN, LAG_EVENT_RUN_TROUBLE, LAG_EVENT_RUN_STALLED, LAG_EVENT_RUN_DIVERGED,
    LAG_EVENT_STUDY_STATE, LAG_EVENT_STUDY_DELETED,
    LAG_EVENT_MODEL_STATE, LAG_EVENT_MODEL_DELETED,
    LAG_EVENT_TOKENIZER_STATE,
    LAG_EVENT_TOKENIZER_DELETED,
    LAG_EVENT_SYSTEM_WARNING,
    LAG_N_EVENT_TYPES
};
enum lag_event_severity { LAG_EVENT_INFO, LAG_EVENT_WARNING };
/* Fields beside seq, time, type and message, which every event has. Others stay empty in events of a type. */
enum lag_event_fields {
    LAG_EVENT_HAS_RUN = 1, LAG_EVENT_HAS_GROWTH = 2, LAG_EVENT_HAS_CANDIDATE = 4, LAG_EVENT_HAS_STATE = 8,
    LAG_EVENT_HAS_STEP = 16, LAG_EVENT_HAS_VALUE = 32,
};
struct lag_event_kind {
    const char *name;         /* "run.state" */
    enum lag_event_severity severity;
    unsigned fields;          /* LAG_EVENT_HAS_…: those that it may fill */
    const char *help;         /* what it tells, and what its fields mean where their names do not say so */
    const char *value;        /* what its value is, in a word or two for people; NULL: it has none */
    bool names_id;            /* its message is an id, which is nothing for people to read */
};
const struct lag_event_kind *lag_event_kind(enum lag_event_type type);
const char *lag_event_severity_name(enum lag_event_severity severity); /* info, warning */
/* Is this the name of type? */
bool lag_event_is(const char *name, enum lag_event_type type);

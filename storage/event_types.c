/* The types of events. */
#include <lagd/storage/event_types.h>

#include <lagd/base/check.h>
#include <string.h>

#define RUN LAG_EVENT_HAS_RUN
#define GROWTH LAG_EVENT_HAS_GROWTH
#define CANDIDATE LAG_EVENT_HAS_CANDIDATE
#define STATE LAG_EVENT_HAS_STATE
#define STEP LAG_EVENT_HAS_STEP
#define VALUE LAG_EVENT_HAS_VALUE

static const struct lag_event_kind kinds[LAG_N_EVENT_TYPES] = {
    [LAG_EVENT_RUN_CREATED] = {"run.created", LAG_EVENT_INFO, RUN | STATE,
                               "a run was created; the message is its name"},
    [LAG_EVENT_RUN_CHANGED] = {"run.changed", LAG_EVENT_INFO, RUN | STATE,
                               "a run's name or configuration was changed; the message is its name"},
    [LAG_EVENT_RUN_STATE] = {"run.state", LAG_EVENT_INFO, RUN | STATE | STEP,
                             "a run has another state; the message is the reason"},
    [LAG_EVENT_RUN_DELETED] = {"run.deleted", LAG_EVENT_INFO, RUN,
                               "a run was deleted with all that belonged to it; the message is its name"},
    [LAG_EVENT_RUN_CHECKPOINT] = {"run.checkpoint", LAG_EVENT_INFO, RUN | CANDIDATE | STATE | STEP | VALUE,
                                  "a checkpoint was written; the state is its kind, the value its bytes, the message "
                                  "its id", "bytes", true},
    [LAG_EVENT_RUN_ROLLBACK] = {"run.rollback", LAG_EVENT_WARNING, RUN | STEP | VALUE,
                                "a step was not finite, and the run went back to a checkpoint; the value is the factor "
                                "of the learning rate from there on", "learning rate ×"},
    [LAG_EVENT_GROWTH_STATE] = {"growth.state", LAG_EVENT_INFO, RUN | GROWTH | STATE | STEP,
                                "a growth has another state; the message is the reason"},
    [LAG_EVENT_CANDIDATE_STATE] = {"candidate.state", LAG_EVENT_INFO, RUN | GROWTH | CANDIDATE | STATE | STEP | VALUE,
                                   "a candidate has another state; the step is that of its probe, the value its loss "
                                   "at the lag, the message its operator, and behind ': ' the reason", "loss"},
    [LAG_EVENT_GROWTH_DECISION] = {"growth.decision", LAG_EVENT_INFO, RUN | GROWTH | CANDIDATE | STEP | VALUE,
                                   "a growth was decided; the value is the margin, the message the verdict", "margin"},
    [LAG_EVENT_GROWTH_RUNG] = {"growth.rung", LAG_EVENT_INFO, RUN | GROWTH | STEP,
                               "an allocator looked at the candidates of a growth at a rung; the step is that of their "
                               "probes, the message what it found and whom it stops, which may be nobody"},
    [LAG_EVENT_DATASET_STATE] = {"dataset.state", LAG_EVENT_INFO, STATE,
                                 "a dataset is being registered, which takes a while, or it could not be; the message "
                                 "is its name, and behind ': ' the reason"},
    [LAG_EVENT_DATASET_ADDED] = {"dataset.added", LAG_EVENT_INFO, 0,
                                 "a dataset is ready to be trained on; the message is its name"},
    [LAG_EVENT_DATASET_DELETED] = {"dataset.deleted", LAG_EVENT_INFO, 0,
                                   "a dataset was deleted; the message is its name"},
    [LAG_EVENT_CHECKPOINT_DAMAGED] = {"checkpoint.damaged", LAG_EVENT_WARNING, RUN | STEP,
                                      "a checkpoint could not be read and was set aside, or its files are missing"},
    [LAG_EVENT_CHECKPOINT_DELETED] = {"checkpoint.deleted", LAG_EVENT_INFO, RUN | STATE | STEP | VALUE,
                                      "a person deleted a checkpoint; the state is its kind, the value its bytes, the "
                                      "message its id", "bytes", true},
    [LAG_EVENT_CHECKPOINT_ADOPTED] = {"checkpoint.adopted", LAG_EVENT_INFO, RUN | STATE | STEP | VALUE,
                                      "a checkpoint that was on disk and not listed was taken in at a start; the state "
                                      "is its kind, the value its bytes, the message its id", "bytes", true},
    [LAG_EVENT_DETERMINISM_MISMATCH] = {"determinism.mismatch", LAG_EVENT_WARNING,
                                        RUN | GROWTH | CANDIDATE | STEP | VALUE,
                                        "a number that was computed again differs from the stored one, which is kept; "
                                        "the value is the one computed last", "computed"},
    [LAG_EVENT_RUN_STAGE] = {"run.stage", LAG_EVENT_INFO, RUN | GROWTH | STATE | STEP,
                              "a stage of a run's growth plan was begun or skipped; the message is why"},
    [LAG_EVENT_RUN_PLAN] = {"run.plan", LAG_EVENT_INFO, RUN,
                                "a run's growth plan was set, changed or removed; the message says how far"},
    [LAG_EVENT_RUN_TROUBLE] = {"run.trouble", LAG_EVENT_WARNING, RUN | STATE | STEP,
                               "a run was paused by what it met, and not by a person; the message is what that was. "
                               "One that is tried again by itself is told of once until it trains"},
    [LAG_EVENT_RUN_STALLED] = {"run.stalled", LAG_EVENT_WARNING, RUN | STEP,
                               "a run's thread has shown no sign of life for far longer than ever before; the message "
                               "says at what"},
    [LAG_EVENT_RUN_DIVERGED] = {"run.diverged", LAG_EVENT_WARNING, RUN | STEP | VALUE,
                                "a run's validation loss exploded: two in a row lie far above its lowest; the value is "
                                "the last of them", "validation loss"},
    [LAG_EVENT_STUDY_STATE] = {"study.state", LAG_EVENT_INFO, STATE,
                               "a study was created or has another state; the message is its name, and behind ': ' the "
                               "reason"},
    [LAG_EVENT_STUDY_DELETED] = {"study.deleted", LAG_EVENT_INFO, 0, "a study was deleted; the message is its name"},
    [LAG_EVENT_MODEL_STATE] = {"model.state", LAG_EVENT_INFO, STATE,
                               "a model is being imported, is ready, or could not be; the message is its name, and "
                               "behind ': ' the reason"},
    [LAG_EVENT_MODEL_DELETED] = {"model.deleted", LAG_EVENT_INFO, 0, "a model was deleted; the message is its name"},
    [LAG_EVENT_TOKENIZER_STATE] = {"tokenizer.state", LAG_EVENT_INFO, STATE,
                                   "a tokenizer is being read or trained, is ready, or could not be made; the message "
                                   "is its name, and behind ': ' the reason"},
    [LAG_EVENT_TOKENIZER_DELETED] = {"tokenizer.deleted", LAG_EVENT_INFO, 0,
                                     "a tokenizer was deleted; the message is its name"},
    [LAG_EVENT_SYSTEM_WARNING] = {"system.warning", LAG_EVENT_WARNING, RUN | STEP,
                                  "something needs a person's attention"},
};

const struct lag_event_kind *lag_event_kind(enum lag_event_type type) {
    LAG_ASSERT(type < LAG_N_EVENT_TYPES);
    return &kinds[type];
}

const char *lag_event_severity_name(enum lag_event_severity severity) {
    return severity == LAG_EVENT_WARNING ? "warning" : "info";
}

bool lag_event_is(const char *name, enum lag_event_type type) {
    return strcmp(name, lag_event_kind(type)->name) == 0;
}

/* Changes of state: the event that is posted, the row that the table has for it, and both rows of the database. */
#include "records/post_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/error.h>
#include <lagd/base/log.h>
#include <lagd/base/mem.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/models.h>
#include <lagd/storage/runs.h>
#include <lagd/storage/sinks.h>
#include <lagd/storage/stages.h>
#include <lagd/storage/studies.h>
#include <lagd/storage/tokenizers.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Whose state it is. */
struct subject {
    char id[LAG_ROW_ID], run_id[LAG_ROW_ID], growth_id[LAG_ROW_ID], candidate_id[LAG_ROW_ID];
    char state[LAG_ROW_STATE];
    char name[LAG_ROW_NAME]; /* of what has no member in an event; else "" */
};

/* --- the kinds of rows --- */

static void be_run(const struct lag_run_row *row, struct subject *ret) {
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    (void)lag_copy(ret->run_id, sizeof(ret->run_id), row->id);
    (void)lag_copy(ret->state, sizeof(ret->state), row->state);
}

static int read_run(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_run_row row;
    int rc = lag_run_get(db, id, &row, err);
    if (rc == 0) be_run(&row, ret);
    return rc;
}

static int insert_run(struct lag_db *db, void *arg, const char *state, struct subject *ret, struct lag_error *err) {
    struct lag_run_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    be_run(row, ret);
    const struct lag_event created = {.type = LAG_EVENT_RUN_CREATED, .run_id = row->id, .state = state,
                                      .message = row->name};
    int rc = lag_run_insert(db, row, err);
    return rc == 0 ? lag_event_put(db, &created, err) : rc;
}

static void be_growth(const struct lag_growth_row *row, struct subject *ret) {
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    (void)lag_copy(ret->run_id, sizeof(ret->run_id), row->run_id);
    (void)lag_copy(ret->growth_id, sizeof(ret->growth_id), row->id);
    (void)lag_copy(ret->state, sizeof(ret->state), row->state);
}

static int read_growth(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_growth_row row;
    int rc = lag_growth_get(db, id, &row, err);
    if (rc == 0) be_growth(&row, ret);
    return rc;
}

static int insert_growth(struct lag_db *db, void *arg, const char *state, struct subject *ret, struct lag_error *err) {
    struct lag_growth_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    be_growth(row, ret);
    return lag_growth_insert(db, row, err);
}

static int read_candidate(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_candidate_row row;
    int rc = lag_candidate_get(db, id, &row, err);
    if (rc == 0) rc = read_growth(db, row.growth_id, ret, err);
    if (rc != 0) return rc;
    (void)lag_copy(ret->id, sizeof(ret->id), row.id);
    (void)lag_copy(ret->candidate_id, sizeof(ret->candidate_id), row.id);
    (void)lag_copy(ret->state, sizeof(ret->state), row.state);
    (void)lag_copy(ret->name, sizeof(ret->name), row.op);
    return 0;
}

static int insert_candidate(struct lag_db *db, void *arg, const char *state, struct subject *ret,
                            struct lag_error *err) {
    struct lag_candidate_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    return lag_candidate_insert(db, row, NULL, err);
}

static void be_dataset(const struct lag_dataset_row *row, struct subject *ret) {
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    (void)lag_copy(ret->state, sizeof(ret->state), row->state);
    (void)lag_copy(ret->name, sizeof(ret->name), row->name);
}

static int read_dataset(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_dataset_row row;
    int rc = lag_dataset_get(db, id, &row, err);
    if (rc == 0) be_dataset(&row, ret);
    return rc;
}

static int insert_dataset(struct lag_db *db, void *arg, const char *state, struct subject *ret,
                          struct lag_error *err) {
    struct lag_dataset_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    be_dataset(row, ret);
    return lag_dataset_insert(db, row, err);
}

static void be_study(const struct lag_study_row *row, struct subject *ret) {
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    (void)lag_copy(ret->state, sizeof(ret->state), row->state);
    (void)lag_copy(ret->name, sizeof(ret->name), row->name);
}

static int read_study(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_study_row row;
    int rc = lag_study_get(db, id, &row, err);
    if (rc == 0) be_study(&row, ret);
    return rc;
}

static int insert_study(struct lag_db *db, void *arg, const char *state, struct subject *ret, struct lag_error *err) {
    struct lag_study_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    be_study(row, ret);
    return lag_study_insert(db, row, err);
}

static void be_stage(const struct lag_stage_row *row, struct subject *ret) {
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    (void)lag_copy(ret->run_id, sizeof(ret->run_id), row->run_id);
    (void)lag_copy(ret->growth_id, sizeof(ret->growth_id), row->growth_id);
    (void)lag_copy(ret->state, sizeof(ret->state), row->state);
}

static int read_stage(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_stage_row row;
    int rc = lag_stage_get(db, id, &row, err);
    if (rc == 0) be_stage(&row, ret);
    return rc;
}

static int insert_stage(struct lag_db *db, void *arg, const char *state, struct subject *ret, struct lag_error *err) {
    struct lag_stage_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    be_stage(row, ret);
    return lag_stage_insert(db, row, err);
}

static void be_model(const struct lag_model_row *row, struct subject *ret) {
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    (void)lag_copy(ret->state, sizeof(ret->state), row->state);
    (void)lag_copy(ret->name, sizeof(ret->name), row->name);
}

static int read_model(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_model_row row;
    int rc = lag_model_get(db, id, &row, err);
    if (rc == 0) be_model(&row, ret);
    return rc;
}

static int insert_model(struct lag_db *db, void *arg, const char *state, struct subject *ret, struct lag_error *err) {
    struct lag_model_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    be_model(row, ret);
    return lag_model_insert(db, row, err);
}

static void be_tokenizer(const struct lag_tokenizer_row *row, struct subject *ret) {
    (void)lag_copy(ret->id, sizeof(ret->id), row->id);
    (void)lag_copy(ret->state, sizeof(ret->state), row->state);
    (void)lag_copy(ret->name, sizeof(ret->name), row->name);
}

static int read_tokenizer(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err) {
    struct lag_tokenizer_row row;
    int rc = lag_tokenizer_get(db, id, &row, err);
    if (rc == 0) be_tokenizer(&row, ret);
    return rc;
}

static int insert_tokenizer(struct lag_db *db, void *arg, const char *state, struct subject *ret,
                            struct lag_error *err) {
    struct lag_tokenizer_row *row = arg;
    (void)lag_copy(row->state, sizeof(row->state), state);
    be_tokenizer(row, ret);
    return lag_tokenizer_insert(db, row, err);
}

static const struct kind {
    const char *what;
    enum lag_event_type told;
    bool tells_creation; /* candidates come with their growth, which is told; small datasets are ready at once */
    int told_otherwise;  /* this state has an event of its own; LAGD_NOWHERE: none has */
    int (*read)(struct lag_db *db, const char *id, struct subject *ret, struct lag_error *err);
    int (*insert)(struct lag_db *db, void *row, const char *state, struct subject *ret, struct lag_error *err);
    int (*set)(struct lag_db *db, const char *id, const char *state, const char *reason, struct lag_error *err);
} kinds[LAGD_N_MACHINES] = {
    [LAGD_MACHINE_RUN] = {"run", LAG_EVENT_RUN_STATE, true, LAGD_NOWHERE, read_run, insert_run, lag_run_set_state},
    [LAGD_MACHINE_GROWTH] = {"growth", LAG_EVENT_GROWTH_STATE, true, LAGD_NOWHERE, read_growth,
                             insert_growth, lag_growth_set_state},
    [LAGD_MACHINE_CANDIDATE] = {"candidate", LAG_EVENT_CANDIDATE_STATE, false, LAGD_NOWHERE, read_candidate,
                                insert_candidate, lag_candidate_set_state},
    [LAGD_MACHINE_DATASET] = {"dataset", LAG_EVENT_DATASET_STATE, false, LAGD_DATASET_READY, read_dataset,
                              insert_dataset, lag_dataset_set_state},
    [LAGD_MACHINE_STUDY] = {"study", LAG_EVENT_STUDY_STATE, true, LAGD_NOWHERE, read_study, insert_study,
                            lag_study_set_state},
    [LAGD_MACHINE_STAGE] = {"stage", LAG_EVENT_RUN_STAGE, false, LAGD_NOWHERE, read_stage, insert_stage,
                            lag_stage_set_state},
    [LAGD_MACHINE_MODEL] = {"model", LAG_EVENT_MODEL_STATE, true, LAGD_NOWHERE, read_model, insert_model,
                            lag_model_set_state},
    [LAGD_MACHINE_TOKENIZER] = {"tokenizer", LAG_EVENT_TOKENIZER_STATE, true, LAGD_NOWHERE, read_tokenizer,
                                insert_tokenizer, lag_tokenizer_set_state},
};

/* --- rows that were used, for tests --- */

#ifdef LAG_FAILPOINTS
#define ROWS_MAX 64
/* Global, as tests ask it of the whole process: whoever posted there. */
static _Atomic int uses[LAGD_N_MACHINES][ROWS_MAX];

int lagd_post_uses(enum lagd_machine machine, size_t row) {
    LAG_ASSERT(machine < LAGD_N_MACHINES && row < ROWS_MAX);
    return atomic_load(&uses[machine][row]);
}
#endif

static void count_use(enum lagd_machine machine, const struct lagd_transition *row) {
#ifdef LAG_FAILPOINTS
    size_t n;
    atomic_fetch_add(&uses[machine][row - lagd_transitions(machine, &n)], 1);
#else
    (void)machine;
    (void)row;
#endif
}

/* --- posting --- */

/* *ret: the stored state, which must be known, and as the caller saw it. */
static int find_state(struct lag_db *db, const struct lagd_post *post, struct subject *subject, int *ret,
                      struct lag_error *err) {
    const struct kind *kind = &kinds[post->machine];
    int rc = kind->read(db, post->id, subject, err);
    if (rc != 0) return rc;
    *ret = lagd_state_index(post->machine, subject->state);
    if (*ret == LAGD_NOWHERE)
        return lag_error_set(err, LAG_ECORRUPT, "%s %s is stored in the state \"%s\", which this lagd does not know",
                             kind->what, subject->id, subject->state);
    if (post->seen && strcmp(subject->state, post->seen) != 0)
        return lag_error_set(err, LAG_ESTATE, "%s %s is %s now, not %s", kind->what, subject->id, subject->state,
                             post->seen);
    return 0;
}

/* The tests of the whole daemon look for this text, and fail when they find it. */
static int refuse(const struct lagd_post *post, const char *id, const char *state, struct lag_error *err) {
    (void)lag_error_set(err, LAG_ESTATE, "%s %s is %s: no row of the table is for \"%s\" there",
                        kinds[post->machine].what, id, state, lagd_machine_event_name(post->machine, post->event));
    lag_log(LAG_LOG_ERROR, "refused: %s", err ? err->text : id);
    return LAG_ESTATE;
}

static int tell(struct lag_db *db, const struct lagd_post *post, const struct subject *subject, const char *state,
                struct lag_error *err) {
    char named[LAG_ROW_TEXT];
    const char *reason = post->reason ? post->reason : "";
    (void)snprintf(named, sizeof(named), "%s%s%.600s", subject->name, *reason ? ": " : "", reason);
    const struct lag_event event = {.type = kinds[post->machine].told, .run_id = subject->run_id,
                                    .growth_id = subject->growth_id, .candidate_id = subject->candidate_id,
                                    .state = state, .step = post->step, .value = post->value,
                                    .message = subject->name[0] ? named : post->reason};
    return lag_event_put(db, &event, err);
}

/* A person has to look at it, or may want to know why it waits. */
static int tell_trouble(struct lag_db *db, const struct lagd_post *post, const struct subject *subject,
                        const char *state, struct lag_error *err) {
    bool is_short = post->event == LAGD_RUN_ON_SHORT;
    if (!is_short && post->event != LAGD_RUN_ON_HINDERED) return 0;
    int rc = is_short ? lag_run_trouble_told(db, subject->run_id, err) : 0;
    if (rc != 0) return rc < 0 ? rc : 0;
    const struct lag_event event = {.type = LAG_EVENT_RUN_TROUBLE, .run_id = subject->run_id, .state = state,
                                    .step = post->step, .message = post->reason};
    return lag_event_put(db, &event, err);
}

static int write_row(struct lag_db *db, const struct lagd_post *post, int to, struct subject *subject,
                     struct lag_error *err) {
    const struct kind *kind = &kinds[post->machine];
    const char *state = lagd_state_name(post->machine, to);
    int rc = post->row ? kind->insert(db, post->row, state, subject, err)
                       : kind->set(db, subject->id, state, post->reason ? post->reason : "", err);
    if (rc == 0 && post->machine == LAGD_MACHINE_RUN && post->event == LAGD_RUN_ON_SHORT)
        rc = lag_run_set_waits(db, subject->id, true, err);
    /* What a run waits for is told with it, and is a growth's state. */
    if (rc == 0 && post->machine == LAGD_MACHINE_GROWTH && !post->row) rc = lag_run_touch(db, subject->run_id, err);
    bool told = (!post->row || kind->tells_creation) && to != kind->told_otherwise;
    if (rc == 0 && told) rc = tell(db, post, subject, state, err);
    return rc == 0 && post->machine == LAGD_MACHINE_RUN ? tell_trouble(db, post, subject, state, err) : rc;
}

int lagd_tx_post(struct lag_db *db, const struct lagd_post *post, int *ret_to, struct lag_error *err) {
    struct subject subject = {0};
    int from = LAGD_NOWHERE;
    int rc = post->row ? 0 : find_state(db, post, &subject, &from, err);
    if (rc != 0) return rc;
    const struct lagd_transition *row = lagd_transition_find(post->machine, from, post->event);
    if (!row) return refuse(post, post->row ? "that is made" : subject.id, post->row ? "new" : subject.state, err);
    if (row->to != from) rc = write_row(db, post, row->to, &subject, err);
    if (rc != 0) return rc;
    count_use(post->machine, row);
    if (ret_to) *ret_to = row->to;
    return 0;
}

int lagd_tx_run_event(struct lag_db *db, const char *run_id, enum lagd_run_event event, const char *reason,
                      struct lag_error *err) {
    const struct lagd_post post = {.machine = LAGD_MACHINE_RUN, .event = event, .id = run_id, .reason = reason,
                                   .step = LAG_NO_STEP};
    return lagd_tx_post(db, &post, NULL, err);
}

int lagd_tx_growth_event(struct lag_db *db, const char *growth_id, enum lagd_growth_event event, const char *reason,
                         struct lag_error *err) {
    const struct lagd_post post = {.machine = LAGD_MACHINE_GROWTH, .event = event, .id = growth_id, .reason = reason,
                                   .step = LAG_NO_STEP};
    return lagd_tx_post(db, &post, NULL, err);
}

struct run_event {
    const char *run_id;
    enum lagd_run_event event;
    const char *reason;
};

static int write_run_event(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct run_event *change = arg;
    return lagd_tx_run_event(db, change->run_id, change->event, change->reason, err);
}

int lagd_put_run_event(const struct lagd_deps *deps, const char *run_id, enum lagd_run_event event, const char *reason,
                       struct lag_error *err) {
    struct run_event change = {run_id, event, reason};
    return lag_store_write(deps->store, write_run_event, &change, err);
}

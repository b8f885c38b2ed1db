/* Leads studies on: looks at their rows, and does the one thing that comes next by a command, whose effect and whose
 * note in the study's rows are one transaction. So a crash at any moment leaves rows from which it goes on. */
#include "study/study_internal.h"

#include "commands/command_internal.h"
#include "plan/batches_internal.h"
#include "plan/shape_internal.h"
#include "records/causes_internal.h"
#include "records/post_internal.h"
#include "study/study_step_internal.h"

#include <lagd/base/check.h>
#include <lagd/base/cleanup.h>
#include <lagd/base/clock.h>
#include <lagd/base/error.h>
#include <lagd/base/failpoint.h>
#include <lagd/base/log.h>
#include <lagd/base/mailbox.h>
#include <lagd/base/mem.h>
#include <lagd/daemon/fork_request.h>
#include <lagd/daemon/study_request.h>
#include <lagd/storage/growths.h>
#include <lagd/storage/runs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define RETRY_NS (10 * SECOND_NS) /* after what may pass */
#define GIVES_WAY "it is of low priority and waits until no other run or study wants to compute"

/* --- a study as its rows tell it --------------------------------------------------------------------------------- */

struct look {
    struct lag_db *db;
    struct lag_study_row study;
    struct lagd_study_request request;
    struct lagd_study_item *items;
    size_t capacity;
    int n;
    bool failed;
};

static int add_item(const struct lag_study_run_row *row, void *arg) {
    struct look *look = arg;
    if (lag_grow_array((void **)&look->items, &look->capacity, (size_t)look->n + 1, sizeof(*look->items)) < 0) {
        look->failed = true;
        return 1;
    }
    look->items[look->n++] = (struct lagd_study_item){.row = *row};
    return 0;
}

static void read_states(struct look *look) {
    struct lag_run_row run;
    struct lag_growth_row growth;
    for (int i = 0; i < look->n; i++) {
        struct lagd_study_item *item = &look->items[i];
        if (item->row.run_id[0] && lag_run_get(look->db, item->row.run_id, &run, NULL) == 0)
            (void)lag_copy(item->run_state, sizeof(item->run_state), run.state);
        if (item->row.growth_id[0] && lag_growth_get(look->db, item->row.growth_id, &growth, NULL) == 0)
            (void)lag_copy(item->growth_state, sizeof(item->growth_state), growth.state);
    }
}

static int load(struct look *look, struct lag_error *err) {
    int rc = lag_fields_parse(&lagd_study_fields, &look->request, look->study.request, err);
    if (rc == 0) rc = lag_study_run_list(look->db, look->study.id, add_item, look, err);
    if (look->failed) rc = lag_error_set(err, LAG_ENOMEM, "out of memory while looking at a study");
    if (rc == 0) read_states(look);
    return rc;
}

/* --- the study's own rows ---------------------------------------------------------------------------------------- */

struct note {
    struct lag_study_run_row row;
    bool made, grown; /* the command's resource is its run, its growth */
};

/* Beside a command's effect: what the run's row of the study becomes with it. */
static int write_note(struct lag_db *db, const char *resource, void *arg, struct lag_error *err) {
    const struct note *note = arg;
    struct lag_study_run_row row = note->row;
    if (note->made) (void)lag_copy(row.run_id, sizeof(row.run_id), resource);
    if (note->grown) (void)lag_copy(row.growth_id, sizeof(row.growth_id), resource);
    return lag_study_run_set(db, &row, err);
}

static int write_stage(struct lag_db *db, void *arg, struct lag_error *err) {
    return lag_study_run_set(db, arg, err);
}

static int set_stage(struct lagd_studies *s, const struct lagd_study_item *item, const char *stage,
                     struct lag_error *err) {
    struct lag_study_run_row row = item->row;
    (void)lag_copy(row.stage, sizeof(row.stage), stage);
    return lag_store_write(s->commands->deps->store, write_stage, &row, err);
}

struct closing {
    const char *id, *reason;
    enum lagd_study_event event;
};

static int write_closed(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct closing *closing = arg;
    const struct lagd_post post = {.machine = LAGD_MACHINE_STUDY, .event = (int)closing->event, .id = closing->id,
                                   .reason = closing->reason, .step = LAG_NO_STEP, .value = LAG_NO_VALUE};
    return lagd_tx_post(db, &post, NULL, err);
}

static int post_event(struct lagd_studies *s, const char *id, enum lagd_study_event event, const char *reason,
                      struct lag_error *err) {
    struct closing closing = {id, reason, event};
    return lag_store_write(s->commands->deps->store, write_closed, &closing, err);
}

/* Told once, where it changes. */
struct reason {
    const struct lag_study_row *study;
    const char *text;
};

static int write_reason(struct lag_db *db, void *arg, struct lag_error *err) {
    const struct reason *reason = arg;
    return lag_study_set_reason(db, reason->study->id, reason->study->state, reason->text, err);
}

static void tell(struct lagd_studies *s, const struct lag_study_row *study, const char *text) {
    struct lag_error err = {0};
    struct reason reason = {study, text};
    if (strncmp(study->reason, text, sizeof(study->reason) - 1) == 0) return;
    if (lag_store_write(s->commands->deps->store, write_reason, &reason, &err) != 0)
        lag_log(LAG_LOG_WARNING, "study %s: %s", study->name, err.text);
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

/* A command of a study's on its way; freed with its answer. */
struct order {
    struct lagd_studies *studies;
    struct lag_study_row study;
    enum lagd_study_do what;
    struct note note;
};

static bool is_noted(enum lagd_study_do what) {
    return what == LAGD_STUDY_MAKES || what == LAGD_STUDY_GROWS || what == LAGD_STUDY_STARTS;
}

/* For long after what may pass; for a moment where a run has moved on, which the next look finds. */
void lagd_study_hold_back(struct lagd_studies *s, const char *study, int rc) {
    struct lagd_study_hold *taken = &s->holds[s->n_holds++ % LAGD_STUDY_HOLDS];
    (void)lag_copy(taken->study, sizeof(taken->study), study);
    taken->until_ns = lag_clock_mono_ns() + (lagd_is_trouble(rc) ? RETRY_NS : SECOND_NS / 10);
}

bool lagd_study_is_held(const struct lagd_studies *s, const char *study, int64_t now_ns) {
    for (int i = 0; i < LAGD_STUDY_HOLDS; i++)
        if (now_ns < s->holds[i].until_ns && strcmp(s->holds[i].study, study) == 0) return true;
    return false;
}

static void wake(struct lagd_studies *s) {
    const uint64_t one = 1;
    ssize_t ignored = write(s->wake_fd, &one, sizeof(one));
    (void)ignored;
}

/* What keeps it from going on: what may pass is tried again, anything else ends the study. */
static void take_failure(struct lagd_studies *s, const struct order *order, int rc, const struct lag_error *why) {
    struct lag_error err = {0};
    const bool passes = lagd_is_trouble(rc) || rc == LAG_ECANCELED;
    if (order->what == LAGD_STUDY_PAUSES || order->what == LAGD_STUDY_CANCELS) return; /* its run has moved on */
    if (rc == LAG_EBUSY && order->what == LAGD_STUDY_STARTS) return; /* it has not stopped yet */
    if (passes) {
        if (rc != LAG_ECANCELED) tell(s, &order->study, why->text);
        return;
    }
    if (post_event(s, order->study.id, LAGD_STUDY_ON_HINDERED, why->text, &err) != 0)
        lag_log(LAG_LOG_WARNING, "study %s: %s", order->study.name, err.text);
}

/* Nothing to resume: a person did, or the run has ended, which the next look finds. */
static int note_started(struct lagd_studies *s, struct order *order, struct lag_error *err) {
    return lag_store_write(s->commands->deps->store, write_stage, &order->note.row, err);
}

/* Thread: main, or a worker's. */
static void answered(struct lagd_command *command) {
    struct order *order = command->arg;
    struct lagd_studies *s = order->studies;
    int rc = command->status;
    LAG_FP("study.answered");
    if (rc == 0 && is_noted(order->what)) tell(s, &order->study, ""); /* what kept it has passed */
    if (rc == LAG_ESTATE && order->what == LAGD_STUDY_STARTS) rc = note_started(s, order, &command->err);
    if (rc < 0) {
        lagd_study_hold_back(s, order->study.id, rc);
        take_failure(s, order, rc, &command->err);
    }
    free(order);
    lagd_command_destroy(command);
    atomic_store(&s->under_way, false);
    wake(s);
}

static struct lagd_command *ask(enum lagd_command_type type, const char *target, const char *reason) {
    struct lagd_command *command = lagd_command_create(type);
    if (!command) return NULL;
    (void)lag_copy(command->target, sizeof(command->target), target);
    (void)lag_copy(command->reason, sizeof(command->reason), reason);
    return command;
}

/* The configuration that all runs of the study have, but for seed and name. */
static int configure(const struct look *look, const struct lagd_study_item *item, struct lagd_run_config *ret,
                     struct lag_error *err) {
    int rc = lagd_run_config_parse(look->study.config, ret, err);
    ret->seed = item->row.seed;
    ret->max_steps = item->row.max_steps;
    ret->start = false;
    lagd_study_run_name(look->study.name, item->row.role, item->row.seed, ret->name);
    return rc;
}

static struct lagd_command *ask_fork(const struct look *look, const struct lagd_study_item *item,
                                     struct lag_error *err) {
    struct lagd_command *command = ask(LAGD_RUN_FORK, look->study.parent_run, "");
    struct lagd_fork_request *fork = lag_calloc(1, sizeof(*fork));
    int rc = command && fork ? configure(look, item, &fork->config, err) : LAG_ENOMEM;
    if (rc != 0) {
        free(fork);
        lagd_command_destroy(command);
        return NULL;
    }
    fork->whole = true;
    fork->reschedules = !look->study.growth_id[0]; /* an audit goes on as its parent did */
    (void)lag_copy(fork->run, sizeof(fork->run), look->study.parent_run);
    (void)lag_copy(fork->checkpoint, sizeof(fork->checkpoint), look->study.parent_checkpoint);
    command->u.fork = fork;
    return command;
}

/* The target's shape, and the batches that a growth to it trains on. */
static int aim(const struct look *look, struct lagd_run_config *config, struct lag_error *err) {
    char note[LAGD_BATCH_NOTE];
    int64_t tokens = 0;
    struct lagd_batch_aim batch = {.config = config, .n_positions_before = config->shape.n_positions,
                                   .asked = look->request.tokens_per_sequence,
                                   .longest = lagd_batch_longest(look->db, config->dataset)};
    (void)lagd_shape_aim(&config->shape, &look->request.target, &config->shape, NULL); /* the plan reached it */
    batch.n_positions = config->shape.n_positions;
    const int rc = lagd_batch_choose(&batch, &tokens, note, err);
    if (rc == 0 && tokens > 0) (void)lagd_batch_cut(config, tokens);
    return rc;
}

/* From nothing, in the target's shape, with the parent's own share of decay. */
static struct lagd_command *ask_scratch(const struct look *look, const struct lagd_study_item *item,
                                        struct lag_error *err) {
    struct lagd_command *command = ask(LAGD_RUN_CREATE, "", "");
    struct lagd_run_config *config = lag_calloc(1, sizeof(*config));
    int rc = command && config ? configure(look, item, config, err) : LAG_ENOMEM;
    if (rc == 0) rc = aim(look, config, err);
    if (rc != 0) {
        free(config);
        lagd_command_destroy(command);
        return NULL;
    }
    config->decay_fraction = look->study.decay_fraction;
    command->u.run = config;
    return command;
}

static struct lagd_command *ask_growth(const struct look *look, const struct lagd_study_item *item,
                                       struct lag_error *err) {
    struct lagd_command *command = ask(LAGD_GROWTH_CREATE, item->row.run_id, "");
    struct lagd_growth_request *growth = lag_calloc(1, sizeof(*growth));
    int rc = command && growth ? lagd_study_growth(&look->study, growth, err) : LAG_ENOMEM;
    if (rc != 0) {
        free(growth);
        lagd_command_destroy(command);
        return NULL;
    }
    command->u.growth = growth;
    return command;
}

/* What each step is by commands: what it asks, and what becomes of the run's stage with it. */
static struct lagd_command *make_command(const struct look *look, const struct lagd_study_item *item,
                                         enum lagd_study_do what, struct note *note, struct lag_error *err) {
    const bool scratch = strcmp(item->row.role, "scratch") == 0;
    const char *id = item->row.run_id;
    *note = (struct note){.row = item->row, .made = what == LAGD_STUDY_MAKES, .grown = what == LAGD_STUDY_GROWS};
    const char *stage = what == LAGD_STUDY_MAKES ? (scratch ? "grown" : "made") : what == LAGD_STUDY_GROWS ? "grown"
                        : what == LAGD_STUDY_STARTS ? "started" : item->row.stage;
    (void)lag_copy(note->row.stage, sizeof(note->row.stage), stage);
    switch (what) {
    case LAGD_STUDY_MAKES: return scratch ? ask_scratch(look, item, err) : ask_fork(look, item, err);
    case LAGD_STUDY_GROWS: return ask_growth(look, item, err);
    case LAGD_STUDY_STARTS: return ask(LAGD_RUN_RESUME, id, "");
    case LAGD_STUDY_PAUSES:
        return ask(LAGD_RUN_PAUSE, id, lagd_study_is(look->study.state, LAGD_STUDY_PAUSED) ? "its study is paused"
                                                                                           : "its study gives way");
    default: return ask(LAGD_RUN_CANCEL, id, "its study has ended");
    }
}

static int order(struct lagd_studies *s, const struct look *look, const struct lagd_study_step *step,
                 struct lag_error *err) {
    LAG_CLEANUP(lag_free_p) struct order *order = lag_calloc(1, sizeof(*order));
    if (!order) return lag_error_set(err, LAG_ENOMEM, "out of memory for a study");
    *order = (struct order){.studies = s, .study = look->study, .what = step->what};
    struct lagd_command *command = make_command(look, &look->items[step->item], step->what, &order->note, err);
    if (!command) return err->code ? err->code : LAG_ENOMEM;
    command->done = answered;
    command->arg = order;
    if (is_noted(step->what)) {
        command->along = write_note;
        command->along_arg = &order->note;
    }
    atomic_store(&s->under_way, true);
    int rc = lag_mailbox_post(s->commands->mailbox, command);
    if (rc == 0) {
        order = NULL;
        return 0;
    }
    atomic_store(&s->under_way, false);
    lagd_command_destroy(command);
    return rc;
}

/* --- one look ---------------------------------------------------------------------------------------------------- */

static int close_study(struct lagd_studies *s, const struct look *look, struct lag_error *err) {
    const bool running = lagd_study_is(look->study.state, LAGD_STUDY_RUNNING);
    LAG_FP("study.closing");
    if (!running) return post_event(s, look->study.id, LAGD_STUDY_ON_STOPPED, look->study.reason, err);
    if (lagd_study_has_result(look->items, look->n))
        return post_event(s, look->study.id, LAGD_STUDY_ON_COMPLETED, "", err);
    return post_event(s, look->study.id, LAGD_STUDY_ON_HINDERED,
                      "no seed has come to the horizon: the reasons are told by its runs and their growths", err);
}

/* Its stage goes back first: whenever the study is resumed, also while the run still stops, it is started again. */
static int pause_run(struct lagd_studies *s, const struct look *look, const struct lagd_study_step *step,
                     struct lag_error *err) {
    const struct lagd_study_item *item = &look->items[step->item];
    int rc = strcmp(item->row.stage, "grown") == 0 ? 0 : set_stage(s, item, "grown", err);
    return rc == 0 ? order(s, look, step, err) : rc;
}

/* 1: it is of low priority, and others want to compute. */
static int gives_way(struct lagd_studies *s, const struct look *look, struct lag_error *err) {
    if (look->study.priority >= 0 || !lagd_study_is(look->study.state, LAGD_STUDY_RUNNING)) return 0;
    int rc = lag_study_gives_way(look->db, look->study.id, err);
    if (rc == 1 && lagd_study_has_begun(look->items, look->n)) tell(s, &look->study, GIVES_WAY);
    return rc;
}

/* 1: something was done, and there may be more. */
static int step_on(struct lagd_studies *s, struct look *look, struct lag_error *err) {
    int rc = load(look, err);
    const int waits = rc == 0 ? gives_way(s, look, err) : rc;
    if (waits < 0) return waits;
    const struct lagd_study_step step =
        lagd_study_next(look->study.state, look->items, look->n, (int)look->request.parallel, waits == 1);
    switch (step.what) {
    case LAGD_STUDY_WAITS: return 0;
    case LAGD_STUDY_ENDS: rc = set_stage(s, &look->items[step.item], "ended", err); break;
    case LAGD_STUDY_CLOSES: rc = close_study(s, look, err); break;
    case LAGD_STUDY_PAUSES: rc = pause_run(s, look, &step, err); break;
    default: rc = order(s, look, &step, err); break;
    }
    return rc == 0 ? 1 : rc;
}

struct all {
    struct lagd_studies *studies;
    int64_t now_ns;
    bool asked; /* a person has just asked for something: nothing is held back */
    int n_done;
};

static int look_at(const struct lag_study_row *row, void *arg) {
    struct all *all = arg;
    struct lagd_studies *s = all->studies;
    if (!all->asked && lagd_study_is_held(s, row->id, all->now_ns)) return 0;
    LAG_CLEANUP(lag_free_p) struct look *look = lag_calloc(1, sizeof(*look));
    struct lag_error err = {0};
    if (!look) return 1;
    look->db = s->commands->db;
    look->study = *row;
    int rc = step_on(s, look, &err);
    free(look->items);
    if (atomic_load(&s->under_way)) {
        all->n_done++;
        return 1; /* its answer goes on with all of them */
    }
    if (rc < 0) {
        tell(s, row, err.text);
        lagd_study_hold_back(s, row->id, rc);
    }
    all->n_done += rc == 1;
    return 0;
}

void lagd_studies_look(struct lagd_studies *s, int64_t now_ns) {
    const bool asked = s->commands->studies_due;
    if ((!asked && now_ns < s->next_ns) || atomic_load(&s->under_way)) return;
    lagd_audits_look(s, now_ns);
    struct all all = {.studies = s, .now_ns = now_ns, .asked = asked};
    struct lag_error err = {0};
    s->commands->studies_due = false;
    if (lag_study_list(s->commands->db, true, INT32_MAX, look_at, &all, &err) < 0)
        lag_log(LAG_LOG_WARNING, "studies cannot be looked at: %s", err.text);
    s->next_ns = now_ns + (all.n_done > 0 ? 0 : SECOND_NS);
    if (all.n_done > 0 && !atomic_load(&s->under_way)) wake(s);
}
